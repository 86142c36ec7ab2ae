"""How long answers take, from host memory to host memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Answers before any is measured.
N_WARM = 50
_BURN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in microseconds, of ``n`` answers.

    Attributes
    ----------
    p50, p99, p999, max : float
        From asking to answer.
    cpu_p50, cpu_p99 : float
        Of them, computing on this thread: what remains when nobody else wants the processor.
    n : int
    """

    p50: float
    p99: float
    p999: float
    max: float
    cpu_p50: float
    cpu_p99: float
    n: int


def measure(answers: Mapping[str, Callable[[], object]], n: int) -> dict[str, Latency]:
    """Time several ways to answer against one another: in turn, so that what disturbs one disturbs all.

    Parameters
    ----------
    answers : mapping
        By name, what to call. Each is warmed up first.
    n : int
        Calls of each.
    """
    taken = {name: np.empty((2, n)) for name in answers}
    for answer in answers.values():
        for _ in range(N_WARM):
            answer()
    # Turns of ten: the caches are as warm as live, and a turn is too short for the machine to change.
    gc.collect()
    gc.disable()
    try:
        for begin in range(0, n, 10):
            for name, answer in answers.items():
                answer()
                for i in range(begin, min(begin + 10, n)):
                    start, cpu = time.perf_counter_ns(), time.thread_time_ns()
                    answer()
                    taken[name][:, i] = time.perf_counter_ns() - start, time.thread_time_ns() - cpu
    finally:
        gc.enable()
    return {name: _percentiles(times / 1e3) for name, times in taken.items()}


def _percentiles(times: NDArray[np.float64]) -> Latency:
    whole, cpu = times
    p50, p99, p999 = (float(np.percentile(whole, q)) for q in (50, 99, 99.9))
    cpu_p50, cpu_p99 = (float(np.percentile(cpu, q)) for q in (50, 99))
    return Latency(p50, p99, p999, float(whole.max()), cpu_p50, cpu_p99, whole.size)


@contextmanager
def busy_core() -> Iterator[None]:
    """Let another process keep a core busy meanwhile; it ends with this one, however this one ends."""
    burner = subprocess.Popen([sys.executable, "-P", "-c", _BURN, str(os.getpid())])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()

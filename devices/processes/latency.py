"""Measure the latency of answers, from host memory to host memory."""

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

#: Warm-up answers before the measurement.
N_WARM = 50
_BURN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in microseconds over ``n`` answers.

    Attributes
    ----------
    p50, p99, p999, max : float
        Wall time from call to answer.
    cpu_p50, cpu_p99 : float
        CPU time of this thread in that: the latency without other load on the processor.
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
    """Measure several ways to answer in turn, so that a disturbance affects all of them.

    Parameters
    ----------
    answers : mapping
        Functions to call, by name. Each is warmed up first.
    n : int
        Number of calls of each.
    """
    taken = {name: np.empty((2, n)) for name in answers}
    for answer in answers.values():
        for _ in range(N_WARM):
            answer()
    # Turns of ten: the caches are as warm as live, and the machine hardly changes within a turn.
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
    """Keep a core busy with another process meanwhile; that process always ends with this one."""
    burner = subprocess.Popen([sys.executable, "-P", "-c", _BURN, str(os.getpid())])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()

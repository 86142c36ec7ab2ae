"""How long answers take, from host memory to host memory."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

#: Answers before any is measured.
N_WARM = 50


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in microseconds, of ``n`` answers."""

    p50: float
    p99: float
    p999: float
    max: float
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
    taken = {name: np.empty(n) for name in answers}
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
                    start = time.perf_counter_ns()
                    answer()
                    taken[name][i] = time.perf_counter_ns() - start
    finally:
        gc.enable()
    return {name: _percentiles(times / 1e3) for name, times in taken.items()}


def _percentiles(times: np.ndarray) -> Latency:
    p50, p99, p999 = (float(np.percentile(times, q)) for q in (50, 99, 99.9))
    return Latency(p50, p99, p999, float(times.max()), len(times))


@contextmanager
def busy_core() -> Iterator[None]:
    """Let another process keep a core busy meanwhile."""
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()

"""When samples happened: a line through their stamps."""

from __future__ import annotations

import math

from earmark.pipeline.stream import ClockMap

#: Longest memory of the fit, in seconds: long against network jitter, short against the warming-up of a crystal.
MEMORY_S = 60.0
#: Prior of the fit: jitter of stamps in seconds, and how far a crystal strays from its nominal rate.
JITTER_S, DRIFT = 1e-3, 2e-4


class ClockFit:
    """Stamp against index, by least squares with exponential forgetting, as samples come.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz, which the first seconds lean on.
    """

    def __init__(self, sfreq: float) -> None:
        self._period = 1.0 / sfreq
        self._prior = (JITTER_S / (DRIFT * self._period)) ** 2
        #: Seconds per sample, as fitted.
        self.slope = self._period
        #: Seconds of stream after which a stamp counts for 1/e.
        self.memory_s = MEMORY_S
        self.known = False

    def anchor(self, index: float, stamp: float) -> None:
        """Forget all, and start a line of nominal slope at this point."""
        self.slope = self._period
        self._mean_i, self._mean_t = index, stamp
        self._weight, self._s_ii, self._s_it = 1e-9, 0.0, 0.0  # next to nothing: the first samples outweigh it
        self.known = True

    def lean(self, jitter_s: float) -> None:
        """Trust the nominal rate the less, the less stamps scatter: ``jitter_s`` seconds."""
        self._prior = (min(JITTER_S, max(jitter_s, 1e-6)) / (DRIFT * self._period)) ** 2

    def shift(self, seconds: float) -> None:
        """Move the line: the clock of the stamps was set, and its rate is what it was."""
        self._mean_t += seconds

    def add(self, index: int, n: int, stamp: float) -> None:
        """Take in ``n`` samples from ``index`` on, whose mean stamp is ``stamp``."""
        keep = math.exp(-n * self._period / self.memory_s)
        self._weight *= keep
        self._s_ii *= keep
        self._s_it *= keep
        weight = self._weight + n
        di, dt = index + (n - 1) / 2 - self._mean_i, stamp - self._mean_t
        share = self._weight * n / weight
        self._s_ii += share * di * di
        self._s_it += share * di * dt
        self._mean_i += di * n / weight
        self._mean_t += dt * n / weight
        self._weight = weight
        self.slope = (self._s_it + self._prior * self._period) / (self._s_ii + self._prior)

    def time(self, index: float) -> float:
        """Stamp that the line gives to a sample."""
        return self._mean_t + (index - self._mean_i) * self.slope

    def map(self, index: int) -> ClockMap:
        """Return the line as a clock map, anchored at ``index``."""
        return ClockMap(float(index), float(self.time(index)), float(self.slope))

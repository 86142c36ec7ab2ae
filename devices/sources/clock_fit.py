"""Fit a line through the time stamps of a stream, to tell when each sample was taken."""

from __future__ import annotations

import math

from earmark.pipeline.stream import ClockMap

#: Maximum memory of the fit, in seconds: longer than network jitter lasts, shorter than the warm-up of a crystal.
MEMORY_S = 60.0
#: Priors of the fit: jitter of the stamps in seconds, and relative deviation of a crystal from its nominal rate.
JITTER_S, DRIFT = 1e-3, 2e-4


class ClockFit:
    """Fit stamp against sample index by least squares with exponential forgetting.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz, used as prior during the first seconds.
    """

    def __init__(self, sfreq: float) -> None:
        self._period = 1.0 / sfreq
        self._prior = (JITTER_S / (DRIFT * self._period)) ** 2
        #: Fitted seconds per sample.
        self.slope = self._period
        #: Time constant of the forgetting, in seconds of stream.
        self.memory_s = MEMORY_S
        self.known = False

    def anchor(self, index: float, stamp: float) -> None:
        """Discard the fit, and start a line of nominal slope at this point."""
        self.slope = self._period
        self._mean_i, self._mean_t = index, stamp
        self._weight, self._s_ii, self._s_it = 1e-9, 0.0, 0.0  # negligible: the first samples outweigh it
        self.known = True

    def lean(self, jitter_s: float) -> None:
        """Set the weight of the nominal rate: it is lower when the stamps scatter less. ``jitter_s`` in seconds."""
        self._prior = (min(JITTER_S, max(jitter_s, 1e-6)) / (DRIFT * self._period)) ** 2

    def shift(self, seconds: float) -> None:
        """Shift the line in time and keep its slope: the clock of the stamps was set, and its rate did not change."""
        self._mean_t += seconds

    def add(self, index: int, n: int, stamp: float) -> None:
        """Add ``n`` samples, the first at index ``index``, whose mean stamp is ``stamp``."""
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
        """Return the fitted stamp of a sample."""
        return self._mean_t + (index - self._mean_i) * self.slope

    def map(self, index: int) -> ClockMap:
        """Return the line as a clock map, anchored at ``index``."""
        return ClockMap(float(index), float(self.time(index)), float(self.slope))

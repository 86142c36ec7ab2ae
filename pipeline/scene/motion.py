"""Motion of talkers: azimuth and angular speed of each place, from noisy directions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Scatter of single directions, degrees; they are worth the share ``TRUST`` of independent ones, because frequencies
#: that begin together err together.
SCATTER, TRUST = 8.0, 0.3
#: Change of speed, degrees per second in a second (standard deviation); time constant with which speed is lost, s; and
#: greatest speed, degrees per second.
CHANGE, SPEED_KEPT_S, FASTEST = 15.0, 0.6, 60.0
#: Density of directions that belong to nobody, per degree, beside one for each talker.
NOBODY = 0.3 / 360
#: Uncertainty of a place at first, degrees and degrees per second (standard deviation), and at most, degrees.
FIRST, FIRST_SPEED, WORST = 5.0, 10.0, 20.0


def wrapped(azimuth: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return an azimuth from -180 to less than 180 degrees."""
    return np.asarray((np.asarray(azimuth) + 180) % 360 - 180)


def turn(start: NDArray[np.float64] | float, end: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the shortest turn from one azimuth to another, degrees."""
    return wrapped(np.asarray(end) - np.asarray(start))


class Motion:
    """One Kalman filter for each place, with a speed that fades.

    A direction is shared among the places that it can have come from, by their probabilities, so that two talkers who
    pass each other do not pull each other along.

    Parameters
    ----------
    n_places : int
    hop_s : float
        Time from one update to the next, s.
    """

    def __init__(self, n_places: int, hop_s: float) -> None:
        self._hop_s, self._keep = hop_s, math.exp(-hop_s / SPEED_KEPT_S)
        #: Azimuths in degrees, NaN where nobody is, and speeds in degrees per second, shape (n_places,).
        self.azimuths = np.full(n_places, np.nan)
        self.speeds = np.zeros(n_places)
        #: Variance of the azimuth, covariance of azimuth and speed, variance of the speed, shape (3, n_places).
        self.spread = np.zeros((3, n_places))

    def start(self, place: int, azimuth: float) -> None:
        """Put a talker at rest at a place."""
        self.azimuths[place], self.speeds[place] = azimuth, 0.0
        self.spread[:, place] = FIRST**2, 0.0, FIRST_SPEED**2

    def nudge(self, place: int, degrees: float) -> None:
        """Turn a place, without a change of speed."""
        self.azimuths[place] = wrapped(self.azimuths[place] + degrees)

    def predict(self) -> None:
        """Let all places move on by a hop."""
        hop_s, keep = self._hop_s, self._keep
        self.azimuths[:] = wrapped(self.azimuths + hop_s * self.speeds)
        self.speeds *= keep
        variance, both, speed = self.spread
        variance += 2 * hop_s * both + hop_s**2 * speed
        both[:] = keep * (both + hop_s * speed)
        speed[:] = keep**2 * speed + CHANGE**2 * hop_s
        self.spread *= np.minimum(1.0, WORST**2 / np.maximum(variance, 1e-9))

    def update(self, directions: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Learn from directions that were heard.

        Parameters
        ----------
        directions : array, shape (n_heard,)
            Azimuths in degrees.
        weights : array, shape (n_heard,)
            How much each is worth, 0 to 1.
        """
        away = np.nan_to_num(turn(self.azimuths[:, None], directions), nan=1e6)
        variance, both, speed = self.spread
        total = variance[:, None] + SCATTER**2
        density = np.exp(-0.5 * away**2 / total) / np.sqrt(2 * np.pi * total)
        shares = density / (density.sum(axis=0) + NOBODY) * weights
        n = shares.sum(axis=1)
        there = n > 1e-6
        mean = np.sum(shares * away, axis=1)[there] / n[there]
        of_all = variance[there] + SCATTER**2 / (TRUST * n[there])
        gain, speed_gain = variance[there] / of_all, both[there] / of_all
        self.azimuths[there] = wrapped(self.azimuths[there] + gain * mean)
        self.speeds[there] = np.clip(self.speeds[there] + speed_gain * mean, -FASTEST, FASTEST)
        speed[there] -= speed_gain * both[there]
        both[there] *= 1 - gain
        variance[there] *= 1 - gain

"""What a remix delivers: the change of the level of each talker against the others, not the gain that was asked for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.scene.transform import Framing

#: Time constant of the mean, s.
MEAN_S = 3.0


class Delivered:
    """Mean change of the ratio of each talker's power to that of the others, by the factors that were applied.

    Masks say which share of the power at a frequency is whose. They are not the truth: with the talkers known one by
    one, less or more may be found. With the gains neutral it is exactly 0 dB.

    Parameters
    ----------
    n_places : int
    framing : Framing
    mean_s : float
        Time constant of the mean, s.
    """

    def __init__(self, n_places: int, framing: Framing, mean_s: float = MEAN_S) -> None:
        self._keep = math.exp(-framing.hop / framing.sfreq / mean_s)
        self._before, self._after = np.zeros(n_places), np.zeros(n_places)

    def update(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32], factor: NDArray[np.float32]) -> None:
        """Take the newest hop into the mean.

        Parameters
        ----------
        spectrum : array, shape (n_bins,)
            Of the microphone.
        masks : array, shape (n_places, n_bins)
            Shares of the talkers.
        factor : array, shape (n_bins,)
            What is added to the spectrum, as a factor of it.
        """
        with np.errstate(all="ignore"):
            power = np.square(spectrum.real, dtype=np.float64) + np.square(spectrum.imag, dtype=np.float64)
            before = (masks * power).sum(axis=1)
            after = (masks * (power * np.square(1.0 + factor))).sum(axis=1)
        if np.isfinite(before).all() and np.isfinite(after).all():
            self._before *= self._keep
            self._after *= self._keep
            self._before += before
            self._after += after

    @property
    def db(self) -> NDArray[np.float64]:
        """Change in dB, shape (n_places,): positive where a talker rose above the others; NaN without sound."""
        with np.errstate(all="ignore"):
            change = self._after / self._before
            others = (self._after.sum() - self._after) / (self._before.sum() - self._before)
            found = 10 * np.log10(change / others)
        found[~np.isfinite(found)] = np.nan
        return np.asarray(found)

    def reset(self) -> None:
        """Forget what was heard."""
        self._before[:], self._after[:] = 0, 0

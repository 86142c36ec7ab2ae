"""Separators: which share of each frequency belongs to which talker."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Separator(Protocol):
    """Separator: masks of talkers, hop by hop.

    It is causal: masks depend on the spectra given so far and on nothing else, and the same spectra give the same
    masks. It takes one hop at a time, so that its result cannot depend on the chunks that sound comes in. It neither
    raises nor stops at spectra that are zero, huge or not finite; its masks are finite then, too.
    """

    #: Sampling rate in Hz, and samples from one window to the next.
    sfreq: float
    hop: int
    #: Samples by which masks are later than the spectra that they belong to.
    delay: int
    #: Number of microphones, of frequencies and of talkers.
    n_mics: int
    n_bins: int
    n_places: int
    #: Bytes that it holds.
    memory: int

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks for the newest spectra.

        Parameters
        ----------
        spectra : array, shape (n_mics, n_bins)
        directions : array, shape (n_places,)
            Azimuths in degrees; NaN for an unused place, whose mask is zero. With fewer than two directions nothing can
            be told apart, and all masks are equal.

        Returns
        -------
        masks : array, shape (n_places, n_bins)
            Shares of the talkers, which sum to one; valid until the next call.
        """

    def reset(self) -> None:
        """Forget all spectra."""

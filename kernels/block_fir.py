"""FIR filtering whose output does not depend on how the input is divided into blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class BlockFir:
    """FIR filters applied to blocks of up to ``block_len`` samples by one product with a banded matrix.

    The product always has the same shape: a shorter block is zero-padded. The padding does not change a single bit
    of the outputs that are kept, because it lies in their future and is multiplied by coefficients of exactly zero.

    Parameters
    ----------
    taps : array, shape (n_taps,) or (n_filters, n_taps)
        Impulse responses, newest sample first.
    block_len : int
        Maximum number of samples in a block.
    n_channels : int
        Number of channels. All use the same filters, independently of each other.
    """

    def __init__(self, taps: NDArray[np.float64], block_len: int, n_channels: int) -> None:
        taps = np.atleast_2d(taps)
        self._len, self._past = block_len, taps.shape[1] - 1
        self._band = np.zeros((len(taps), block_len, self._past + block_len))
        for i in range(block_len):
            self._band[:, i, i : i + taps.shape[1]] = taps[:, ::-1]
        self._in = np.zeros((self._past + block_len, n_channels))

    @property
    def state(self) -> NDArray[np.float64]:
        """The last ``n_taps - 1`` inputs, shape (n_taps - 1, n_channels); assign to restore."""
        return self._in[: self._past].copy()

    @state.setter
    def state(self, value: NDArray[np.float64]) -> None:
        self._in[: self._past] = value

    def settle(self, first: NDArray[np.float64]) -> None:
        """Set the state to that after an infinitely long constant input ``first``, shape (n_channels,)."""
        self._in[: self._past] = first

    def __call__(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter one block, shape (n_samples, n_channels), to (n_filters, n_samples, n_channels)."""
        n = len(block)
        self._in[self._past : self._past + n] = block
        self._in[self._past + n :] = 0.0
        y: NDArray[np.float64] = np.matmul(self._band, self._in)
        self._in[: self._past] = self._in[n : n + self._past].copy()
        return y[:, :n]

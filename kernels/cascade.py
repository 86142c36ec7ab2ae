"""Cascades of second-order sections (IIR filters), processed sample by sample on blocks of any length."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit("void(float64[:, ::1], float64[:, ::1], float64[:, ::1])", cache=True)
def sos_inplace(sos: NDArray[np.float64], x: NDArray[np.float64], state: NDArray[np.float64]) -> None:
    """Run a cascade of second-order sections over ``x`` in place (transposed direct form II, as in SciPy).

    Parameters
    ----------
    sos : array, shape (n_sections, 6)
        Sections with a0 = 1.
    x : array, shape (n_samples, n_channels)
        Input, replaced by the output.
    state : array, shape (2 * n_sections, n_channels)
        Filter memory, updated.
    """
    n_samples, n_channels = x.shape
    for t in range(n_samples):
        for s in range(sos.shape[0]):
            b0, b1, b2, a1, a2 = sos[s, 0], sos[s, 1], sos[s, 2], sos[s, 4], sos[s, 5]
            for c in range(n_channels):
                v = x[t, c]
                w = b0 * v + state[2 * s, c]
                state[2 * s, c] = b1 * v - a1 * w + state[2 * s + 1, c]
                state[2 * s + 1, c] = b2 * v - a2 * w
                x[t, c] = w

"""Compressed envelopes of a gammatone filter bank, computed sample by sample on blocks of any length."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Order of the gammatone filter: the number of identical one-pole filters in series.
ORDER = 4
#: Bandwidth of each one-pole filter, relative to the equivalent rectangular bandwidth of the whole filter: the
#: inverse of π 6! / (2⁶ 3!²) (Patterson et al. 1992; Hohmann 2002, eq. 14).
POLE_WIDTH = 2.0**6 * 6**2 / (720 * np.pi)


def erb(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equivalent rectangular bandwidth (Hz) of the auditory filter centred at ``hz`` (Glasberg & Moore 1990, eq. 3)."""
    return 24.7 * (4.37e-3 * hz + 1)


def erb_spaced(low_hz: float, high_hz: float, n: int) -> NDArray[np.float64]:
    """Frequencies equally spaced on the ERB-number scale (Glasberg & Moore 1990, eq. 4).

    Parameters
    ----------
    low_hz, high_hz : float
        First and last frequency, Hz.
    n : int
        Number of frequencies.

    Returns
    -------
    hz : array, shape (n,)
    """
    number = np.linspace(np.log1p(4.37e-3 * low_hz), np.log1p(4.37e-3 * high_hz), n)
    return np.expm1(number) / 4.37e-3


def gammatone_poles(centre_hz: NDArray[np.float64], rate: float) -> NDArray[np.complex128]:
    """Pole of each all-pole gammatone filter, which is four identical one-pole filters in series (Hohmann 2002).

    Parameters
    ----------
    centre_hz : array, shape (n_bands,)
        Centre frequencies, Hz.
    rate : float
        Sampling rate in Hz.

    Returns
    -------
    poles : array of complex, shape (n_bands,)

    References
    ----------
    Hohmann, V. (2002). Frequency analysis and synthesis using a Gammatone filterbank. Acta Acustica united with
    Acustica 88(3), 433-442.
    """
    decay = 2 * np.pi * POLE_WIDTH * erb(centre_hz) / rate
    poles: NDArray[np.complex128] = np.exp(-decay + 2j * np.pi * centre_hz / rate)
    return poles


@njit(
    "void(float64[:, ::1], int64, int64, complex128[::1], float64, boolean, complex128[:, :, ::1], float64[:, ::1])",
    cache=True,
)
def gammatone_envelopes(
    x: NDArray[np.float64],
    first: int,
    step: int,
    poles: NDArray[np.complex128],
    power: float,
    per_band: bool,
    state: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    """Filter ``x`` and compute the magnitude, raised to a power, of every ``step``-th sample.

    The filters are complex, so their magnitude is the envelope, without the ripple that rectification leaves.
    A sine of amplitude 1 at the centre frequency of a band has an envelope of 1 in that band.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
        Input.
    first, step : int
        Envelopes are computed at rows ``first``, ``first + step``, ... of ``x``.
    poles : array of complex, shape (n_bands,)
        From :func:`gammatone_poles`.
    power : float
        Exponent of the magnitude.
    per_band : bool
        If True, output every band, with the bands of a channel in adjacent columns; if False, output their sum.
    state : array of complex, shape (n_channels, n_bands, 4)
        Filter memory, updated.
    out : array, shape (n_taken, n_channels * n_bands) or (n_taken, n_channels)
        The result is added to it; pass zeros.
    """
    n_samples, n_channels = x.shape
    n_bands = len(poles)
    for c in range(n_channels):
        for k in range(n_bands):
            pole = poles[k]
            gain = 2 * (1 - abs(pole)) ** 4  # 2: half of a sine's amplitude is at the negative frequency
            s0, s1, s2, s3 = state[c, k, 0], state[c, k, 1], state[c, k, 2], state[c, k, 3]
            column = c * n_bands + k if per_band else c
            row, due = 0, first
            for t in range(n_samples):
                s0 = gain * x[t, c] + pole * s0
                s1 = s0 + pole * s1
                s2 = s1 + pole * s2
                s3 = s2 + pole * s3
                if t == due:
                    squared = s3.real * s3.real + s3.imag * s3.imag
                    if squared < 1e-200:  # silence: the state would decay to denormal numbers, which are slow
                        s0 = s1 = s2 = s3 = 0j
                    else:
                        out[row, column] += squared ** (0.5 * power)
                    row += 1
                    due += step
            state[c, k, 0], state[c, k, 1], state[c, k, 2], state[c, k, 3] = s0, s1, s2, s3

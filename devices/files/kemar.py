"""Read the impulse responses of the KEMAR head that slab ships."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Angles = NDArray[np.float64]


def in_front(azimuths: Angles, elevations: Angles) -> NDArray[np.bool_]:
    """Choose the frontal half of the horizontal plane."""
    return np.isclose(elevations, 0) & (np.abs(azimuths) <= 90)


def read_kemar(
    sfreq: float, chosen: Callable[[Angles, Angles], NDArray[np.bool_]] | None = None
) -> tuple[Angles, Angles, NDArray[np.float64]]:
    """Read the MIT KEMAR responses.

    Parameters
    ----------
    sfreq : float
        Rate in Hz to which they are brought.
    chosen : callable, optional
        Says from azimuths and elevations which directions to read; all by default.

    Returns
    -------
    azimuths, elevations : array, shape (n_directions,)
        In degrees, to the right and up; in order of azimuth, then elevation.
    responses : array, shape (n_directions, 2, n_taps)
        Left and right ear, at full length.

    Raises
    ------
    ImportError
        If slab is not installed.

    References
    ----------
    Gardner & Martin 1995, J. Acoust. Soc. Am. 97(6), doi:10.1121/1.412407.
    """
    import slab
    import soxr

    hrtf = slab.HRTF.kemar()
    to_left, elevations, _ = np.asarray(hrtf.sources.vertical_polar, np.float64).T  # slab counts azimuth to the left
    azimuths = (180 - to_left) % 360 - 180
    azimuths = np.where(np.isclose(azimuths, -180), 180, azimuths)
    inside = np.ones(len(azimuths), bool) if chosen is None else chosen(azimuths, elevations)
    wanted = np.flatnonzero(inside)
    wanted = wanted[np.lexsort((elevations[wanted], azimuths[wanted]))]
    responses = np.stack([np.asarray(hrtf.data[index].data, np.float64).T for index in wanted])
    if hrtf.samplerate != sfreq:
        flat = responses.reshape(-1, responses.shape[2]).T  # (tap, response)
        flat = soxr.resample(flat, hrtf.samplerate, sfreq, quality="VHQ")
        responses = flat.T.reshape(*responses.shape[:2], -1)
    return azimuths[wanted], elevations[wanted], responses

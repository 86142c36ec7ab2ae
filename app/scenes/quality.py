"""Predicted intelligibility and quality of a talker, by packages of the extra ``scene``."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from earmark.kernels.extras import require
from earmark.pipeline.evaluation.separation import Samples


def has_pesq() -> bool:
    """Whether PESQ can be computed: its package has to be compiled, so it is an extra of its own."""
    return find_spec("pesq") is not None


class Quality:
    """Predicted intelligibility (eSTOI [1]_) and, if its package is installed, quality (PESQ, wideband [2]_).

    Parameters
    ----------
    sfreq : int
        Sampling rate in Hz; wideband PESQ is defined for 16 kHz.

    Raises
    ------
    MissingExtra
        If the extra is not installed.

    References
    ----------
    .. [1] Jensen & Taal 2016, IEEE/ACM TASLP 24(11), doi:10.1109/TASLP.2016.2585878.
    .. [2] ITU-T Recommendation P.862.2, 2007.
    """

    def __init__(self, sfreq: int) -> None:
        require("scene", "predicted intelligibility needs pystoi")
        import pystoi

        self._sfreq, self._stoi, self._pesq = sfreq, pystoi.stoi, None
        if has_pesq():
            import pesq

            self._pesq = pesq

    def __call__(self, wanted: Samples, heard: Samples) -> dict[str, float]:
        """Return the figures of a talker; NaN where PESQ finds no speech."""
        found = {"estoi": float(self._stoi(wanted, heard, self._sfreq, extended=True))}
        if self._pesq is not None:
            try:
                found["pesq"] = float(self._pesq.pesq(self._sfreq, wanted, heard, "wb"))
            except (self._pesq.NoUtterancesError, self._pesq.BufferTooShortError):
                found["pesq"] = np.nan
        return found

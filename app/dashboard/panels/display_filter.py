"""Filter for the displayed traces only; the decoder does not use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.app.dashboard.language import tr

#: Code, as in the settings, and band in Hz of each choice.
BANDS: dict[str, tuple[float, float] | None] = {
    "0.5-40": (0.5, 40.0),
    "1-40": (1.0, 40.0),
    "1-9": (1.0, 9.0),
    "off": None,
}


def band_words(code: str) -> str:
    """Return the label of a choice."""
    band = BANDS[code]
    return tr("no filter") if band is None else f"{band[0]:g}–{band[1]:g} Hz"


class DisplayFilter:
    """Causal Butterworth band-pass of order 2 that restarts after a gap.

    Parameters
    ----------
    band : tuple of float or None
        Edges in Hz; None for no filter. An upper edge at or above the Nyquist frequency is ignored.
    sfreq : float
        Sample rate, Hz.
    """

    def __init__(self, band: tuple[float, float] | None, sfreq: float) -> None:
        self._sos: NDArray[np.float64] | None = None
        if band is not None and 2 * band[0] < sfreq:
            from scipy.signal import butter, sosfilt_zi  # takes as long as the rest of the window

            low, high = band
            edges = (low, "highpass") if 2 * high >= sfreq else ((low, high), "bandpass")
            self._sos = butter(2, edges[0], edges[1], fs=sfreq, output="sos")
            self._start = sosfilt_zi(self._sos)[:, :, None]
        self._state: NDArray[np.float64] | None = None

    def __call__(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter samples, shape (n, n_channels); missing samples (NaN) stay missing."""
        if self._sos is None or not len(data):
            return data
        missing = np.isnan(data[:, 0])
        if not missing.any():
            return self._run(data)
        out = np.full_like(data, np.nan)
        edges = np.flatnonzero(np.diff(missing)) + 1
        for begin, stop in zip([0, *edges], [*edges, len(data)], strict=True):
            if missing[begin]:
                self._state = None
            else:
                out[begin:stop] = self._run(data[begin:stop])
        return out

    def reset(self) -> None:
        """Restart at the next sample."""
        self._state = None

    def _run(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.signal import sosfilt

        if self._state is None:  # start in the steady state of the first sample
            self._state = self._start * data[0].astype(np.float64)
        filtered, self._state = sosfilt(self._sos, data, axis=0, zi=self._state)
        return np.asarray(filtered, np.float32)

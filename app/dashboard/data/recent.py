"""The newest seconds of the raw signal, for spectrum, topomap and channel levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.signal_ring import Samples

#: Seconds of signal to keep.
SPAN_S = 4.0


class Recent:
    """Keeps the last seconds of a signal as one contiguous array.

    Parameters
    ----------
    sfreq : float
        Hz.
    n_channels : int
    """

    def __init__(self, sfreq: float = 0.0, n_channels: int = 0) -> None:
        self.sfreq, self.n_channels = sfreq, n_channels
        self._n = max(1, round(SPAN_S * sfreq))
        # Twice the length, so that samples are moved to the front once per span and not at every call.
        self._data = np.zeros((2 * self._n, n_channels), np.float32)
        self._stop = 0

    def add(self, samples: Samples) -> None:
        """Append samples; lost or missing (NaN) samples discard everything before them."""
        data = samples.data
        if not self.n_channels or not len(data):
            return
        if samples.lost:
            self._stop = 0
        missing = np.flatnonzero(np.isnan(data[:, 0]))
        if len(missing):
            self._stop, data = 0, data[missing[-1] + 1 :]
        data = data[-self._n :]
        if self._stop + len(data) > len(self._data):
            keep = self._n - len(data)
            self._data[:keep] = self._data[self._stop - keep : self._stop]
            self._stop = keep
        self._data[self._stop : self._stop + len(data)] = data
        self._stop += len(data)

    def clear(self) -> None:
        """Discard all samples."""
        self._stop = 0

    def last(self, seconds: float) -> NDArray[np.float32]:
        """Return the newest samples without a gap, shape (n, n_channels), n at most ``seconds * sfreq``."""
        n = min(self._n, round(seconds * self.sfreq))
        return self._data[max(0, self._stop - n) : self._stop]

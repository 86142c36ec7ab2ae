"""The newest seconds of the signal, raw, for spectrum, topomap and levels of channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.signal_ring import Samples

#: Seconds that are kept.
SPAN_S = 4.0


class Recent:
    """The last seconds, at hand in order.

    Parameters
    ----------
    sfreq : float
        Hz.
    n_channels : int
    """

    def __init__(self, sfreq: float = 0.0, n_channels: int = 0) -> None:
        self.sfreq, self.n_channels = sfreq, n_channels
        self._n = max(1, round(SPAN_S * sfreq))
        # Room for twice as much: what is old is moved out of the way now and then, not every time.
        self._data = np.zeros((2 * self._n, n_channels), np.float32)
        self._stop = 0

    def add(self, samples: Samples) -> None:
        """Take what is new; after something lost or missing, begin anew."""
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
        """Begin anew."""
        self._stop = 0

    def last(self, seconds: float) -> NDArray[np.float32]:
        """Return the newest samples without a hole, shape (n, n_channels): fewer than wanted if there are not more."""
        n = min(self._n, round(seconds * self.sfreq))
        return self._data[max(0, self._stop - n) : self._stop]

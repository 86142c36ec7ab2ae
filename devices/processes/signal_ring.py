"""Signals for displays in shared memory: the writer never waits; readers may be late, gone or killed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.shared_memory import Segment

#: Bytes before the data: 8 numbers of 64 bits.
_HEADER = 64


class SignalRing:
    """The newest samples of a stream in shared memory; the oldest are overwritten.

    Counters count samples since the beginning and never wrap. The counter of overwritten samples is advanced before
    they are overwritten, that of written samples after they are written.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one, which its creator removes.
    n_channels : int
        Channels of a new segment.
    n_samples : int
        Capacity of a new segment, in samples.
    sfreq : float
        Sampling rate in Hz of a new segment.
    """

    _WRITING, _WRITTEN, _CHANNELS, _SAMPLES, _SFREQ = range(5)

    def __init__(self, name: str | None = None, n_channels: int = 0, n_samples: int = 0, sfreq: float = 0.0) -> None:
        self._segment = Segment(name, _HEADER + 4 * n_channels * n_samples)
        self._head = self._segment.array(8, np.int64)
        rate = self._segment.array(1, np.float64, 8 * self._SFREQ)
        if name is None:
            self._head[self._CHANNELS], self._head[self._SAMPLES] = n_channels, n_samples
            rate[0] = sfreq
        self.n_channels, self.n_samples = int(self._head[self._CHANNELS]), int(self._head[self._SAMPLES])
        self.sfreq = float(rate[0])
        self._data = self._segment.array((self.n_samples, self.n_channels), np.float32, _HEADER)

    @property
    def name(self) -> str:
        """Name by which readers attach."""
        return self._segment.name

    @property
    def written(self) -> int:
        """Index after the newest sample."""
        return int(self._head[self._WRITTEN])

    def write(self, samples: NDArray[np.floating]) -> None:
        """Append samples, shape (n, n_channels), in microvolts; if they exceed the capacity, only the newest."""
        first, n = self.written, len(samples)
        self._head[self._WRITING] = first + n
        if n > self.n_samples:
            first, samples = first + n - self.n_samples, samples[n - self.n_samples :]
            n = self.n_samples
        at = first % self.n_samples
        split = min(n, self.n_samples - at)
        self._data[at : at + split] = samples[:split]
        self._data[: n - split] = samples[split:]
        self._head[self._WRITTEN] = first + n

    def skip(self, n: int) -> None:
        """Append ``n`` missing samples as NaN."""
        missing = np.full((min(n, self.n_samples), self.n_channels), np.nan, np.float32)
        self._head[self._WRITING] = self.written + n
        self._head[self._WRITTEN] += n - len(missing)
        self.write(missing)

    def oldest(self) -> int:
        """Index of the first sample that can still be read."""
        return max(0, int(self._head[self._WRITING]) - self.n_samples)

    def copy(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples, shape (stop - first, n_channels); valid only from :meth:`oldest`, called afterwards, on."""
        at, n = first % self.n_samples, stop - first
        split = min(n, self.n_samples - at)
        return np.concatenate([self._data[at : at + split], self._data[: n - split]])

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._data
        self._segment.close()


class Samples(NamedTuple):
    """Result of one read.

    Attributes
    ----------
    start : int
        Index of the first sample.
    data : array, shape (n_samples, n_channels)
        Samples up to the newest one; NaN where none arrived.
    lost : int
        Samples before ``start``, since the previous read, that were overwritten unread.
    """

    start: int
    data: NDArray[np.float32]
    lost: int


class SignalReader:
    """Read a ring up to the newest sample: after a stall, everything that is left is returned at once.

    Parameters
    ----------
    name : str
        Name of the ring.
    past_s : float
        Seconds before now to start from, if available.
    """

    def __init__(self, name: str, past_s: float = 0.0) -> None:
        self.ring = SignalRing(name)
        now = self.ring.written
        #: Index of the next sample to read.
        self.cursor = max(self.ring.oldest(), now - round(past_s * self.ring.sfreq))
        #: Samples lost so far.
        self.lost = 0

    def read(self) -> Samples:
        """Return everything since the last read."""
        stop = self.ring.written
        first = min(max(self.cursor, self.ring.oldest()), stop)
        data = self.ring.copy(first, stop)
        whole = min(max(first, self.ring.oldest()), stop)  # some samples were overwritten meanwhile
        lost = whole - self.cursor
        self.cursor = stop
        self.lost += lost
        return Samples(whole, data[whole - first :], lost)

    def close(self) -> None:
        """Detach from the ring."""
        self.ring.close()

"""Sources of the talkers' samples: memory, and live input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.ramp import raised_cosine

#: Duration of the crossfade at a jump within a file, s.
SEEK_S = 0.005
#: Duration of the fade of a live source at an underrun, and after it, s.
DRY_S = 0.003


class Source(Protocol):
    """One channel of samples, or several together, read block by block."""

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,) or (n_channels, n_frames)."""

    @property
    def position(self) -> int:
        """Next frame of the file to be read."""

    def seek(self, frame: int) -> None:
        """Jump to a frame of the file, without a click; no effect on a live source."""


class PcmSource:
    """Samples held in memory.

    A jump crossfades over 5 ms. A jump requested during another one waits for its end; of several, the last one
    counts.

    Parameters
    ----------
    pcm : array, shape (n_frames,) or (n_channels, n_frames)
        All samples, at least one.
    sfreq : float
        Frames per second.
    loop : bool
        Whether the file repeats; otherwise silence follows.
    start : int
        First frame.
    """

    def __init__(self, pcm: NDArray[np.float32], sfreq: float, loop: bool = False, start: int = 0) -> None:
        self._pcm, self._loop, self._n = pcm, loop, int(pcm.shape[-1])
        self._rise = raised_cosine(round(SEEK_S * sfreq))[1:]
        self._at = self._within(start)
        self._old = 0  # read position of the part that fades out
        self._faded = len(self._rise)  # frames of the crossfade done so far
        self._next: int | None = None

    def _within(self, frame: int) -> int:
        return frame % self._n if self._loop else min(max(frame, 0), self._n)

    @property
    def position(self) -> int:
        """Next frame of the file to be read, or the target of a waiting jump."""
        return self._at if self._next is None else self._next

    def seek(self, frame: int) -> None:
        """Jump to a frame; beyond the end of a file that does not loop, to silence."""
        self._next = self._within(frame)
        self._jump()

    def _jump(self) -> None:
        if self._next is not None and self._faded == len(self._rise):
            self._old, self._at, self._next = self._at, self._next, None
            self._faded = 0

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,) or (n_channels, n_frames)."""
        out = np.empty((*self._pcm.shape[:-1], n_frames), np.float32)
        done = 0
        while done < n_frames:
            left = len(self._rise) - self._faded
            n = min(n_frames - done, left or n_frames)
            piece: NDArray = self._cut(self._at, n)
            self._at = self._within(self._at + n)
            if left:
                rise = self._rise[self._faded : self._faded + n]
                piece = piece * rise + self._cut(self._old, n) * (1 - rise)
                self._old = self._within(self._old + n)
                self._faded += n
                self._jump()
            out[..., done : done + n] = piece
            done += n
        return out

    def _cut(self, at: int, n: int) -> NDArray[np.float32]:
        piece = self._pcm[..., at : at + n]
        n_left = n - piece.shape[-1]
        if not n_left:
            return piece
        if self._loop:
            return np.take(self._pcm, np.arange(at, at + n), axis=-1, mode="wrap")
        return np.concatenate([piece, np.zeros((*piece.shape[:-1], n_left), np.float32)], axis=-1)


class LiveSource:
    """Samples that arrive live; silence where they do not arrive in time.

    Parameters
    ----------
    pull : callable
        Returns up to the given number of available samples, shape (n,) or (n_channels, n); never waits.
    sfreq : float
        Frames per second.
    n_channels : int or None
        Number of channels; None for samples of shape (n,).
    """

    def __init__(self, pull: Callable[[int], NDArray[np.float32]], sfreq: float, n_channels: int | None = None) -> None:
        self._pull = pull
        self._shape = () if n_channels is None else (n_channels,)
        self._rise = raised_cosine(round(DRY_S * sfreq))[1:]
        self._risen = 0
        self._last = np.zeros((*self._shape, 1))
        self._tail = np.zeros((*self._shape, 0))  # fade-out of the last sample before a gap
        #: Frames read.
        self.position = 0
        #: Missing frames, and number of underruns after the first sample.
        self.n_missing = self.n_dry = 0

    def seek(self, frame: int) -> None:
        """Do nothing: a live source cannot jump."""

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,) or (n_channels, n_frames)."""
        got = np.asarray(self._pull(n_frames), np.float32)[..., :n_frames]
        n = got.shape[-1]
        out = np.zeros((*self._shape, n_frames))
        out[..., :n] = got
        rise = self._rise[self._risen : self._risen + n]
        out[..., : len(rise)] *= rise
        self._die_away(out[..., :n])
        if n:
            self._risen += len(rise)
        if n < n_frames:
            self.n_missing += n_frames - n
            if self._risen:
                self.n_dry += 1
                self._risen = 0
                last = out[..., n - 1 : n] if n else self._last
                self._tail = np.where(np.isfinite(last), last, 0.0) * (1 - self._rise)
            self._die_away(out[..., n:])
        if n_frames:
            self._last = out[..., -1:].copy()
        self.position += n_frames
        return out.astype(np.float32)

    def _die_away(self, out: NDArray[np.float64]) -> None:
        n = min(out.shape[-1], self._tail.shape[-1])
        out[..., :n] += self._tail[..., :n]
        self._tail = self._tail[..., n:]

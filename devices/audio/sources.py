"""Where talkers' samples come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.ramp import raised_cosine

#: Length of the crossfade at a jump within a file, s.
SEEK_S = 0.005
#: How quickly a live source fades when it runs dry, and when it comes back, s.
DRY_S = 0.003


class Source(Protocol):
    """One channel of samples, read block by block."""

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,)."""

    @property
    def position(self) -> int:
        """Frame of its file that is read next."""

    def seek(self, frame: int) -> None:
        """Jump to a frame of its file, without a click; a live source stays."""


class PcmSource:
    """Samples held in memory.

    A jump crossfades over 5 ms. One that is asked for during another waits for its end; of several, the last one is
    taken.

    Parameters
    ----------
    pcm : array, shape (n_frames,)
        All of it, at least one sample.
    sfreq : float
        Frames per second.
    loop : bool
        Whether the first sample follows the last; otherwise silence does.
    start : int
        Frame to begin with.
    """

    def __init__(self, pcm: NDArray[np.float32], sfreq: float, loop: bool = False, start: int = 0) -> None:
        self._pcm, self._loop = pcm, loop
        self._rise = raised_cosine(round(SEEK_S * sfreq))[1:]
        self._at = self._within(start)
        self._old = 0  # where the fading reading is
        self._faded = len(self._rise)  # frames of the crossfade that are done
        self._next: int | None = None

    def _within(self, frame: int) -> int:
        return frame % len(self._pcm) if self._loop else min(max(frame, 0), len(self._pcm))

    @property
    def position(self) -> int:
        """Frame of the file that is read next, or to which a waiting jump will go."""
        return self._at if self._next is None else self._next

    def seek(self, frame: int) -> None:
        """Jump to a frame; beyond the end of what does not loop, to silence."""
        self._next = self._within(frame)
        self._jump()

    def _jump(self) -> None:
        if self._next is not None and self._faded == len(self._rise):
            self._old, self._at, self._next = self._at, self._next, None
            self._faded = 0

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,)."""
        out = np.empty(n_frames, np.float32)
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
            out[done : done + n] = piece
            done += n
        return out

    def _cut(self, at: int, n: int) -> NDArray[np.float32]:
        piece = self._pcm[at : at + n]
        if len(piece) == n:
            return piece
        if self._loop:
            return np.take(self._pcm, np.arange(at, at + n), mode="wrap")
        return np.concatenate([piece, np.zeros(n - len(piece), np.float32)])


class LiveSource:
    """Samples as they come from elsewhere; where they do not come in time, silence.

    Parameters
    ----------
    pull : callable
        Given a number of frames, returns up to so many that are there, shape (n,); never waits.
    sfreq : float
        Frames per second.
    """

    def __init__(self, pull: Callable[[int], NDArray[np.float32]], sfreq: float) -> None:
        self._pull = pull
        self._rise = raised_cosine(round(DRY_S * sfreq))[1:]
        self._risen = 0
        self._last = 0.0
        self._tail = np.zeros(0)  # how the last sample before a gap dies away
        #: Frames read.
        self.position = 0
        #: Frames that were missing, and times that the source ran dry after it had begun.
        self.n_missing = self.n_dry = 0

    def seek(self, frame: int) -> None:
        """Nothing to jump in."""

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_frames,)."""
        got = np.asarray(self._pull(n_frames), np.float32)[:n_frames]
        n = len(got)
        out = np.zeros(n_frames)
        out[:n] = got
        rise = self._rise[self._risen : self._risen + n]
        out[: len(rise)] *= rise
        self._die_away(out[:n])
        if n:
            self._risen += len(rise)
        if n < n_frames:
            self.n_missing += n_frames - n
            if self._risen:
                self.n_dry += 1
                self._risen = 0
                last = out[n - 1] if n else self._last
                self._tail = (last if np.isfinite(last) else 0.0) * (1 - self._rise)
            self._die_away(out[n:])
        if n_frames:
            self._last = float(out[-1])
        self.position += n_frames
        return out.astype(np.float32)

    def _die_away(self, out: NDArray[np.float64]) -> None:
        n = min(len(out), len(self._tail))
        out[:n] += self._tail[:n]
        self._tail = self._tail[n:]

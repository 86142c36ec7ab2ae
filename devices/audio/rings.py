"""Rings in shared memory: talkers' samples, the log of applied controls, and live talkers on their way in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.control_block import MAX_TALKERS, padded
from earmark.devices.audio.scene import Applied, Control, Kind
from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.stream import Block, Gap

#: Seconds of talkers' samples that the ring holds: a later reader loses some.
PCM_S = 10.0
#: Normal fill of a live talker's ring, and its capacity, in seconds.
LIVE_TARGET_S, LIVE_S = 0.06, 1.0
#: Capacity of the log of applied controls, in unread entries.
LOG_ROOM = 4096
#: Bytes before the data of a ring: 8 numbers of 64 bits.
_HEADER = 64


class PcmRing:
    """Talkers' samples before gain, as played: one writer, which overwrites the oldest.

    Parameters
    ----------
    n_talkers : int
        Number of channels.
    n_frames : int
        Capacity in frames.
    name : str or None
        Segment to attach to; None creates one.
    """

    _START, _WRITING, _WRITTEN, _CHANNELS, _FRAMES = range(5)

    def __init__(self, n_talkers: int = 0, n_frames: int = 0, name: str | None = None) -> None:
        self._segment = Segment(name, _HEADER + 4 * n_talkers * n_frames)
        self._head = self._segment.array(8, np.int64)
        if name is None:
            self._head[self._CHANNELS], self._head[self._FRAMES] = n_talkers, n_frames
        self.n_talkers, self.n_frames = int(self._head[self._CHANNELS]), int(self._head[self._FRAMES])
        self._data = self._segment.array((self.n_frames, self.n_talkers), np.float32, _HEADER)

    @property
    def name(self) -> str:
        """Name by which readers attach."""
        return self._segment.name

    @property
    def written(self) -> int:
        """Index after the last frame written."""
        return int(self._head[self._WRITTEN])

    @property
    def begun(self) -> int:
        """Frame at which the newest writer began."""
        return int(self._head[self._START])

    def begin(self, frame: int) -> None:
        """Continue at ``frame``, skipping the frames before it."""
        self._head[self._START] = frame
        self._head[self._WRITING] = self._head[self._WRITTEN] = frame

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples, shape (n_talkers, n_frames), at most as many as the ring holds."""
        first, n = self.written, samples.shape[1]
        self._head[self._WRITING] = first + n  # readers must know what is about to be overwritten
        at = first % self.n_frames
        split = min(n, self.n_frames - at)
        self._data[at : at + split] = samples[:, :split].T
        self._data[: n - split] = samples[:, split:].T
        self._head[self._WRITTEN] = first + n

    def oldest(self) -> int:
        """First frame that can still be read."""
        return max(int(self._head[self._START]), int(self._head[self._WRITING]) - self.n_frames)

    def copy(self, first: int, n: int) -> NDArray[np.float32]:
        """Return frames, shape (n, n_talkers); valid only if ``first`` is not older than :meth:`oldest` afterwards."""
        at = first % self.n_frames
        split = min(n, self.n_frames - at)
        return np.concatenate([self._data[at : at + split], self._data[: n - split]])

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._data
        self._segment.close()


class PcmReader:
    """Read talkers' samples in whole hops, starting with the newest.

    Parameters
    ----------
    name : str
        Name of the ring.
    hop : int
        Frames per block.
    """

    def __init__(self, name: str, hop: int) -> None:
        self._ring, self._hop = PcmRing(name=name), hop
        #: Next frame to read.
        self.cursor = self._ring.written

    def read(self) -> Block | Gap | None:
        """Return the next hop; a gap where frames were not played or are overwritten; None if none is complete."""
        oldest = self._ring.oldest()
        if self.cursor >= oldest:
            if self._ring.written - self.cursor < self._hop:
                return None
            samples = self._ring.copy(self.cursor, self._hop)
            oldest = self._ring.oldest()
            if self.cursor >= oldest:
                self.cursor += self._hop
                return Block(self.cursor - self._hop, samples)
        # Go to the middle of what is left: at the oldest frame, the writer would catch up. After a restart, read all.
        gap = Gap(self.cursor, max(oldest, self._ring.written - self._ring.n_frames // 2))
        self.cursor = gap.stop
        return gap

    def close(self) -> None:
        """Detach from the ring."""
        self._ring.close()


class Entry(NamedTuple):
    """An entry of the log of applied controls: a control, and the decision whose gains were in force."""

    applied: Applied
    decision: int


_KINDS: tuple[Kind, ...] = ("start", "control", "stop")
_ENTRY = np.dtype(
    [
        ("frame", "i8"),
        ("kind", "i8"),
        ("gains_db", "f8", MAX_TALKERS),
        ("ramp_s", "f8"),
        ("master_db", "f8"),
        ("mute", "?"),
        ("azimuths", "f8", MAX_TALKERS),
        ("seek_id", "i8"),
        ("seek_s", "f8", MAX_TALKERS),
        ("trims_db", "f8", MAX_TALKERS),
        ("mutes", "?", MAX_TALKERS),
        ("positions", "i8", MAX_TALKERS),
        ("decision", "i8"),
    ]
)


class AppliedLog:
    """Log from the audio process to its parent of the control that was in force from each frame on.

    Parameters
    ----------
    n_talkers : int
        Number of talkers in the scene.
    name : str or None
        Segment to attach to; None creates one.
    room : int
        Maximum number of unread entries.
    """

    _WRITTEN, _READ, _LOST, _ROOM = range(4)

    def __init__(self, n_talkers: int, name: str | None = None, room: int = LOG_ROOM) -> None:
        self._n = n_talkers
        self._segment = Segment(name, _HEADER + room * _ENTRY.itemsize)
        self._head = self._segment.array(8, np.int64)
        if name is None:
            self._head[self._ROOM] = room
        self._room = int(self._head[self._ROOM])
        self._data = self._segment.array(self._room, _ENTRY, _HEADER)

    @property
    def name(self) -> str:
        """Name by which the writer attaches."""
        return self._segment.name

    @property
    def lost(self) -> int:
        """Number of entries lost because the log was full."""
        return int(self._head[self._LOST])

    def put(self, applied: Applied, decision: int) -> None:
        """Append an entry; never waits."""
        written = int(self._head[self._WRITTEN])
        if written - int(self._head[self._READ]) >= self._room:
            self._head[self._LOST] += 1
            return
        control = applied.control
        self._data[written % self._room] = (
            applied.frame,
            _KINDS.index(applied.kind),
            padded(control.gains_db),
            control.ramp_s,
            control.master_db,
            control.mute,
            padded(control.azimuths),
            control.seek_id,
            padded(control.seek_s),
            padded(control.trims_db),
            padded(control.mutes),
            padded(applied.positions),
            decision,
        )
        self._head[self._WRITTEN] = written + 1

    def take(self) -> list[Entry]:
        """Return all entries since the last call."""
        read, written = int(self._head[self._READ]), int(self._head[self._WRITTEN])
        found = [self._entry(self._data[k % self._room].item()) for k in range(read, written)]
        self._head[self._READ] = written
        return found

    def _entry(self, record: tuple) -> Entry:
        (
            frame, kind, gains_db, ramp_s, master_db, mute, azimuths, seek_id, seek_s, trims_db, mutes, positions,
            decision,
        ) = record  # fmt: skip
        n = self._n
        control = Control(
            tuple(gains_db[:n].tolist()),
            ramp_s,
            master_db,
            mute,
            tuple(azimuths[:n].tolist()),
            seek_id,
            tuple(seek_s[:n].tolist()),
            tuple(trims_db[:n].tolist()),
            tuple(mutes[:n].tolist()),
        )
        places = tuple(positions[:n].tolist()) if kind == 0 else ()
        return Entry(Applied(frame, control, _KINDS[kind], places), decision)

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._data
        self._segment.close()


class LiveRing:
    """A live talker on its way to the audio process: one writer, one reader; unread samples are never overwritten.

    Parameters
    ----------
    n_frames : int
        Capacity in frames.
    target : int
        Normal fill in frames: the reader waits for it before it begins.
    name : str or None
        Segment to attach to; None creates one.
    n_channels : int
        Number of channels; 0 for one whose samples have the shape (n,) instead of (n, n_channels).
    """

    _WRITTEN, _READ, _FRAMES, _TARGET, _CHANNELS = range(5)

    def __init__(self, n_frames: int = 0, target: int = 0, name: str | None = None, n_channels: int = 0) -> None:
        self._segment = Segment(name, _HEADER + 4 * n_frames * max(1, n_channels))
        self._head = self._segment.array(8, np.int64)
        if name is None:
            self._head[self._FRAMES], self._head[self._TARGET] = n_frames, target
            self._head[self._CHANNELS] = n_channels
        self.n_frames, self.target = int(self._head[self._FRAMES]), int(self._head[self._TARGET])
        self.n_channels = int(self._head[self._CHANNELS])
        shape = (self.n_frames, self.n_channels) if self.n_channels else (self.n_frames,)
        self._data = self._segment.array(shape, np.float32, _HEADER)
        self._flowing = False

    @property
    def name(self) -> str:
        """Name by which the reader attaches."""
        return self._segment.name

    @classmethod
    def of(cls, sfreq: float, n_channels: int = 0) -> LiveRing:
        """Create a ring for a scene's rate."""
        return cls(round(LIVE_S * sfreq), round(LIVE_TARGET_S * sfreq), n_channels=n_channels)

    @property
    def waiting(self) -> int:
        """Number of frames written but not read."""
        return int(self._head[self._WRITTEN]) - int(self._head[self._READ])

    def write(self, samples: NDArray[np.float32]) -> int:
        """Append as many samples as fit; return how many that was."""
        written = int(self._head[self._WRITTEN])
        n = min(len(samples), self.n_frames - self.waiting)
        at = written % self.n_frames
        split = min(n, self.n_frames - at)
        self._data[at : at + split] = samples[:split]
        self._data[: n - split] = samples[split:n]
        self._head[self._WRITTEN] = written + n
        return n

    def pull(self, n: int) -> NDArray[np.float32]:
        """Return up to ``n`` samples, shape (n,) or (n, n_channels).

        There are none while the ring fills up to its target, at first and after an underrun.
        """
        self._flowing = self._flowing or self.waiting >= self.target
        if not self._flowing:
            return self._data[:0].copy()
        read = int(self._head[self._READ])
        n_read = min(n, self.waiting)
        self._flowing = n_read == n
        at = read % self.n_frames
        split = min(n_read, self.n_frames - at)
        samples = np.concatenate([self._data[at : at + split], self._data[: n_read - split]])
        self._head[self._READ] = read + n_read
        return samples

    def skip_to_newest(self) -> None:
        """Skip what exceeds the target, when a reader replaces a dead one."""
        self._head[self._READ] += max(0, self.waiting - self.target)

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._data
        self._segment.close()

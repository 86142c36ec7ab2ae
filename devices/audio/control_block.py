"""What the audio process and the others tell each other: records in shared memory that nobody ever waits for."""

from __future__ import annotations

import zlib
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.stream import ClockMap

#: Most talkers of a scene; every record has room for so many.
MAX_TALKERS = 8
#: What the audio process is doing.
STARTING, PLAYING, STOPPING, ENDED = range(4)


class Gains(NamedTuple):
    """What steering asks for; written by one process only.

    Attributes
    ----------
    gains_db : sequence of float
        One per talker.
    ramp_s : float
        How long a change takes, s.
    decision : int
        Number of the decision that led to them, for the ledger.
    stamp : float
        LSL time at which they were set.
    """

    gains_db: Any
    ramp_s: float = 0.1
    decision: int = -1
    stamp: float = 0.0


class Operator(NamedTuple):
    """What the person at the screen asks for, which goes before steering; written by the supervisor only.

    Attributes
    ----------
    azimuths : sequence of float
        Degrees to the right, one per talker.
    master_db : float
        Gain of everything, dB.
    mute : bool
        Silence.
    override : bool
        Whether ``override_db`` is in force instead of steering's gains.
    override_db : sequence of float
        Gain per talker, dB.
    ramp_s : float
        How long a change to, within or from an override takes, s.
    seek_id : int
        A change of it makes file talkers jump to ``seek_s``.
    seek_s : sequence of float
        Where to, per talker, s; NaN stays.
    stop : bool
        Fade out and end.
    trims_db : sequence of float
        Gain per talker, dB, on top of whatever steering or an override asks for; at most 0.
    mutes : sequence of bool
        Talkers to be silent.
    """

    azimuths: Any
    master_db: float = 0.0
    mute: bool = False
    override: bool = False
    override_db: Any = (0.0,)
    ramp_s: float = 0.1
    seek_id: int = 0
    seek_s: Any = (np.nan,)
    stop: bool = False
    trims_db: Any = (0.0,)
    mutes: Any = (False,)


class Status(NamedTuple):
    """What the audio process says of itself, once per buffer.

    Attributes
    ----------
    heartbeat : int
        Counts buffers.
    state : int
        ``STARTING``, ``PLAYING``, ``STOPPING`` or ``ENDED``.
    pid : int
        Process.
    first_frame, frames : int
        Frame with which this process began; next frame.
    clock_frame, clock_time, clock_period : float
        Frame ``clock_frame`` sounds at LSL time ``clock_time``, each further one ``clock_period`` s later.
    clock_since : int
        First frame for which this holds; before it, time was lost.
    xruns, late, missed : int
        Buffers before which the driver reports a gap; that were rendered too late; for which there was time but no
        buffer.
    torn : int
        Reads of a control in the midst of its being written: the one before it was used again.
    lost : int
        Entries of the log of applied controls for which there was no room.
    refused, repaired : int
        Values of controls, and samples, that made no sense.
    decision : int
        The decision whose gains are in force.
    peak, rms : array, shape (8,)
        Level per talker after its gain; peaks fall by 20 dB/s, RMS is over 0.3 s.
    out_peak, out_rms : array, shape (2,)
        The same of both channels.
    gains_db : array, shape (8,)
        Gain per talker as applied, the operator's trim included, dB; minus infinity for who is muted.
    master_db, limiter_db : float
        Gain of everything; reduction by the limiter, falling slowly. dB.
    positions : array, shape (8,)
        Frame of its file that each talker reads next.
    dry, missing : array, shape (8,)
        How often a live talker ran dry, and for how many frames in all.
    latency_s : float
        From the callback to the ear, as the driver says, s.
    cost_s : float
        How long the last buffer took to render, s.
    fifo : bool
        Whether the callback has real-time priority.
    sink : bytes
        Where the sound goes, UTF-8.
    """

    heartbeat: int
    state: int
    pid: int
    first_frame: int
    frames: int
    clock_frame: float
    clock_time: float
    clock_period: float
    clock_since: int
    xruns: int
    late: int
    missed: int
    torn: int
    lost: int
    refused: int
    repaired: int
    decision: int
    peak: NDArray[np.float64]
    rms: NDArray[np.float64]
    out_peak: NDArray[np.float64]
    out_rms: NDArray[np.float64]
    gains_db: NDArray[np.float64]
    master_db: float
    limiter_db: float
    positions: NDArray[np.int64]
    dry: NDArray[np.int64]
    missing: NDArray[np.int64]
    latency_s: float
    cost_s: float
    fifo: bool
    sink: bytes

    @property
    def clock(self) -> ClockMap:
        """Frame to LSL time."""
        return ClockMap(self.clock_frame, self.clock_time, self.clock_period)


#: How each kind of record lies in memory.
LAYOUTS: dict[type, np.dtype[Any]] = {
    Gains: np.dtype([("gains_db", "f8", MAX_TALKERS), ("ramp_s", "f8"), ("decision", "i8"), ("stamp", "f8")]),
    Operator: np.dtype(
        [
            ("azimuths", "f8", MAX_TALKERS),
            ("master_db", "f8"),
            ("mute", "?"),
            ("override", "?"),
            ("override_db", "f8", MAX_TALKERS),
            ("ramp_s", "f8"),
            ("seek_id", "i8"),
            ("seek_s", "f8", MAX_TALKERS),
            ("stop", "?"),
            ("trims_db", "f8", MAX_TALKERS),
            ("mutes", "?", MAX_TALKERS),
        ]
    ),
    Status: np.dtype(
        [(key, "i8") for key in ("heartbeat", "state", "pid", "first_frame", "frames")]
        + [(key, "f8") for key in ("clock_frame", "clock_time", "clock_period")]
        + [("clock_since", "i8")]
        + [(key, "i8") for key in ("xruns", "late", "missed", "torn", "lost", "refused", "repaired", "decision")]
        + [("peak", "f8", MAX_TALKERS), ("rms", "f8", MAX_TALKERS), ("out_peak", "f8", 2), ("out_rms", "f8", 2)]
        + [("gains_db", "f8", MAX_TALKERS), ("master_db", "f8"), ("limiter_db", "f8")]
        + [(key, "i8", MAX_TALKERS) for key in ("positions", "dry", "missing")]
        + [("latency_s", "f8"), ("cost_s", "f8"), ("fifo", "?"), ("sink", "S128")]
    ),
}

_T = TypeVar("_T", bound=Gains | Operator | Status)


def padded(values: Any, fill: float = 0.0) -> tuple[float, ...]:
    """Return values for some talkers as values for all there is room for."""
    return (*values, *[fill] * (MAX_TALKERS - len(values)))


class Seqlock(Generic[_T]):
    """A record with one writer and any number of readers, none of whom waits.

    A sequence number is odd while the record is written, and a checksum tells a reader on machines whose processors
    see writes in another order.

    Parameters
    ----------
    kind : type
        Kind of record, a key of :data:`LAYOUTS`.
    name : str or None
        Segment to attach to; None makes a new one, in which everything is 0.
    """

    def __init__(self, kind: type[_T], name: str | None = None) -> None:
        self._kind, self._layout = kind, LAYOUTS[kind]
        self._segment = Segment(name, 16 + self._layout.itemsize)
        self._head = self._segment.array(2, np.int64)  # sequence number, checksum
        self._bytes = self._segment.array(self._layout.itemsize, np.uint8, 16)
        #: Number of the record that was last read whole.
        self.seen = 0
        #: Reads during which the record was being written.
        self.torn = 0
        #: The record that was last read whole.
        self.value = self._unpack(bytes(self._layout.itemsize))

    @property
    def name(self) -> str:
        """By which others attach."""
        return self._segment.name

    def write(self, value: _T | NDArray[Any]) -> None:
        """Replace the record; an array is one of the same layout."""
        record = value if isinstance(value, np.ndarray) else np.array(tuple(value), self._layout)
        self._begin()
        self._head[1] = zlib.crc32(record.tobytes())
        self._bytes[:] = np.frombuffer(record.tobytes(), np.uint8)
        self._head[0] += 1

    def _begin(self) -> None:
        self._head[0] = (int(self._head[0]) + 1) | 1  # a writer before us may have died in here

    def read(self) -> _T:
        """Return the record; the one read before, if this one is being written."""
        number = int(self._head[0])
        if number == self.seen:
            return self.value
        if number % 2 == 0:
            copy, check = self._bytes.tobytes(), int(self._head[1])
            if int(self._head[0]) == number and zlib.crc32(copy) == check:
                self.seen, self.value = number, self._unpack(copy)
                return self.value
        self.torn += 1
        return self.value

    def _unpack(self, data: bytes) -> _T:
        record: Any = np.frombuffer(data, self._layout)[0]
        return self._kind(*record.item())

    def close(self) -> None:
        """Let go of the segment, and go on reading what was last there; who made it removes it."""
        self.read()
        self._head, self._bytes = np.array([self.seen, 0]), np.zeros(0, np.uint8)  # for a thread that just looks
        self._segment.close()

"""Records in shared memory between the audio process and the others; no reader or writer ever waits."""

from __future__ import annotations

import zlib
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.stream import ClockMap

#: Maximum number of talkers in a scene; every record has room for as many.
MAX_TALKERS = 8
#: States of the audio process.
STARTING, PLAYING, STOPPING, ENDED = range(4)


class Gains(NamedTuple):
    """Gains set by steering; written by one process only.

    Attributes
    ----------
    gains_db : sequence of float
        Target gain per talker, dB.
    ramp_s : float
        Duration of a change, s.
    decision : int
        Number of the decision that led to them; the ledger uses it.
    stamp : float
        LSL time at which they were set.
    """

    gains_db: Any
    ramp_s: float = 0.1
    decision: int = -1
    stamp: float = 0.0


class Operator(NamedTuple):
    """Settings of the operator, which take precedence over steering; written by the supervisor only.

    Attributes
    ----------
    azimuths : sequence of float
        Position per talker, degrees to the right.
    master_db : float
        Master gain, dB.
    mute : bool
        Whether everything is silent.
    override : bool
        Whether ``override_db`` is used instead of steering's gains.
    override_db : sequence of float
        Gain per talker, dB.
    ramp_s : float
        Duration of a gain change to, within or from an override, s.
    seek_id : int
        A new value makes file talkers jump to ``seek_s``.
    seek_s : sequence of float
        Target position of the jump per talker, s; NaN for no jump.
    stop : bool
        Whether to fade out and end.
    trims_db : sequence of float
        Trim per talker, dB, added to the gain of steering or override; at most 0.
    mutes : sequence of bool
        Which talkers are muted.
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
    """Status of the audio process, updated once per buffer.

    Attributes
    ----------
    heartbeat : int
        Number of buffers so far.
    state : int
        ``STARTING``, ``PLAYING``, ``STOPPING`` or ``ENDED``.
    pid : int
        Process id.
    first_frame, frames : int
        First frame of this process; next frame.
    clock_frame, clock_time, clock_period : float
        Frame ``clock_frame`` is heard at LSL time ``clock_time``, each further one ``clock_period`` s later.
    clock_since : int
        First frame for which this holds; time was lost before it.
    xruns, late, missed : int
        Buffers that the driver reports a gap before; that were rendered too late; and that were skipped although there
        was time for them.
    torn : int
        Reads of a control while it was being written: the previous one was used again.
    lost : int
        Entries of the log of applied controls that were lost because it was full.
    refused, repaired : int
        Number of invalid control values, and of invalid samples.
    decision : int
        The decision whose gains are in force.
    peak, rms : array, shape (8,)
        Level per talker after its gain; peaks fall by 20 dB/s, RMS is averaged over 0.3 s.
    out_peak, out_rms : array, shape (2,)
        The same for both output channels.
    gains_db : array, shape (8,)
        Applied gain per talker, dB, the operator's trim included; minus infinity for muted talkers.
    master_db, limiter_db : float
        Master gain; gain reduction by the limiter, which falls slowly. dB.
    positions : array, shape (8,)
        Next frame of its file to be read, per talker.
    dry, missing : array, shape (8,)
        Number of underruns of each live talker, and of frames missing in them.
    latency_s : float
        Latency from callback to ear as reported by the driver, s.
    cost_s : float
        Time to render the last buffer, s.
    fifo : bool
        Whether the callback has real-time priority.
    sink : bytes
        Name of the sound output, UTF-8.
    azimuths : array, shape (8,)
        Of a mixture: where the talkers are, degrees; NaN where nobody was found yet.
    delivered_db : array, shape (8,)
        Of a mixture: mean change of each talker's level against the others over the last 3 s, by the gains as applied
        to the shares of the talkers, dB; NaN without sound.
    acoustic_s : float
        Of a mixture: delay from the microphones to the ears, before the buffer of the device, s; 0 without microphones.
    howls : int
        Number of times that the output was turned down because it howled in live microphones.
    masks_late, masks_wrong : int
        Of a separator that is not embedded: number of answers that were late, and of those that were wrong.
    separator : bytes
        Why that separator is not in use now, UTF-8; empty while it is.
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
    azimuths: NDArray[np.float64]
    delivered_db: NDArray[np.float64]
    acoustic_s: float
    howls: int
    masks_late: int
    masks_wrong: int
    separator: bytes

    @property
    def clock(self) -> ClockMap:
        """The clock map from frames to LSL time."""
        return ClockMap(self.clock_frame, self.clock_time, self.clock_period)


#: Memory layout of each kind of record.
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
        + [("azimuths", "f8", MAX_TALKERS), ("delivered_db", "f8", MAX_TALKERS), ("acoustic_s", "f8"), ("howls", "i8")]
        + [("masks_late", "i8"), ("masks_wrong", "i8"), ("separator", "S200")]
    ),
}

_T = TypeVar("_T", bound=Gains | Operator | Status)


def padded(values: Any, fill: float = 0.0) -> tuple[float, ...]:
    """Pad values of some talkers to the maximum number of talkers."""
    return (*values, *[fill] * (MAX_TALKERS - len(values)))


class Seqlock(Generic[_T]):
    """A record with one writer and any number of readers, none of which waits.

    The sequence number is odd while the record is written. A checksum protects readers on machines whose processors
    reorder writes.

    Parameters
    ----------
    kind : type
        Kind of record, a key of :data:`LAYOUTS`.
    name : str or None
        Segment to attach to; None creates one, filled with zeros.
    """

    def __init__(self, kind: type[_T], name: str | None = None) -> None:
        self._kind, self._layout = kind, LAYOUTS[kind]
        self._segment = Segment(name, 16 + self._layout.itemsize)
        self._head = self._segment.array(2, np.int64)  # sequence number, checksum
        self._bytes = self._segment.array(self._layout.itemsize, np.uint8, 16)
        #: Sequence number of the last record that was read completely.
        self.seen = 0
        #: Number of reads during a write.
        self.torn = 0
        #: The last record that was read completely.
        self.value = self._unpack(bytes(self._layout.itemsize))

    @property
    def name(self) -> str:
        """Name by which other processes attach."""
        return self._segment.name

    def write(self, value: _T | NDArray[Any]) -> None:
        """Replace the record; an array must have the same layout."""
        record = value if isinstance(value, np.ndarray) else np.array(tuple(value), self._layout)
        self._begin()
        self._head[1] = zlib.crc32(record.tobytes())
        self._bytes[:] = np.frombuffer(record.tobytes(), np.uint8)
        self._head[0] += 1

    def _begin(self) -> None:
        self._head[0] = (int(self._head[0]) + 1) | 1  # a previous writer may have died here

    def read(self) -> _T:
        """Return the record, or the previous one if it is being written."""
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
        """Detach from the segment, and keep the last record readable; its creator removes the segment."""
        self.read()
        self._head, self._bytes = np.array([self.seen, 0]), np.zeros(0, np.uint8)  # for a thread that still reads
        self._segment.close()

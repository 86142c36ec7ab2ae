"""The status of a session: typed, versioned records that every process writes and every reader shares.

Supervisor, engine and replay publish these records on boards in shared memory, ten times a second; the window, the
status line of a terminal and ``earmark control DIR state`` show them. Whoever changes a record raises :data:`VERSION`,
which ``tests/app/test_status.py`` holds.

Units: times are LSL time in s, durations s, rates Hz, gains dB, positions m, shares 0 to 1. A float that is not known
is NaN, anything else that is not known is None; an empty text means that there is nothing to say.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from earmark.app.config.modes import Mode
from earmark.devices.processes.board import Board
from earmark.kernels.errors import EarmarkError

#: Version of the records below. One of another version is refused.
VERSION: Final = 1


class StatusError(EarmarkError):
    """Raised when a status on a board cannot be read, or is of another version of Earmark."""


class State(StrEnum):
    """Where a session stands."""

    IDLE = "idle"
    CHECKING = "checking"
    CALIBRATING = "calibrating"
    TRAINING = "training"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    REVIEW = "review"


class _Record:
    """How records are read: every field must be there, be known, and be of its type."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", ser_json_inf_nan="constants")


# What a session says


@dataclass(frozen=True, slots=True)
class Trim(_Record):
    """What the operator does to one talker on top of steering.

    Attributes
    ----------
    db : float
        Gain, -40 to 0 dB.
    mute : bool
        Whether the talker is silent.
    """

    db: float = 0.0
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Check(_Record):
    """One thing that was looked at before a session.

    Attributes
    ----------
    what : str
        Its name.
    ok : bool
        Whether the session can go on.
    words : str
        What was found, and how to fix it.
    due : bool
        Whether nothing is wrong: this is only still to be done.
    """

    what: str
    ok: bool
    words: str
    due: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'TO DO' if self.due else 'WRONG'}  {self.what}: {self.words}"


@dataclass(frozen=True, slots=True)
class Event(_Record):
    """Something that happened.

    Attributes
    ----------
    id : int
        Counts the events of a session from 1.
    time : float
        LSL time.
    text : str
        One line.
    """

    id: int
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class TaskStatus(_Record):
    """The calibration or run under way, or the last one; or the recording that is replayed.

    Attributes
    ----------
    elapsed, seconds : float
        Time so far and in all, pauses and questions not counted, s.
    attend : str
        Talker to be attended now; empty while there is none.
    next_cue_s : float
        Seconds until the next cue; NaN if there is none.
    block, n_blocks : int
        Trials begun and not given up, and how many there will be.
    waiting : str
        Why the next trial has to wait.
    question : str
        What is asked now.
    complete : bool
        Whether it came to its end by itself.
    failure : str
        Why it failed.
    recording_now : bool
        Whether it is under way; of a replay, whether it is not over.
    ending : bool
        Whether its end has come and only the recording is still being completed.
    """

    elapsed: float
    seconds: float
    attend: str
    next_cue_s: float
    block: int
    n_blocks: int
    waiting: str
    question: str
    complete: bool
    failure: str
    recording_now: bool
    ending: bool


@dataclass(frozen=True, slots=True)
class EngineProcessStatus(_Record):
    """The process that decides; what it says itself is an :class:`EngineStatus`.

    Attributes
    ----------
    alive : bool
        Whether there is one that is at work.
    pid : int or None
        Its process id.
    restarts : int
        How often a dead one was replaced.
    board : str
        Shared memory with its status; empty while there is none.
    """

    alive: bool
    pid: int | None
    restarts: int
    board: str


@dataclass(frozen=True, slots=True)
class RecordingStatus(_Record):
    """The file that grows, and the disk it is on.

    Attributes
    ----------
    path : str
        The newest file; empty while there is none.
    pid : int or None
        Of the process that writes it.
    bytes, waiting : int
        Bytes written, and bytes that wait to be.
    restarts : int
        How often a dead recorder was replaced.
    alarm : str
        What is wrong with the recording now.
    bytes_per_s : float
        How quickly it grows; NaN before that is known.
    free_bytes : float
        Room on the disk; NaN if it is not known.
    """

    path: str
    pid: int | None
    bytes: int
    waiting: int
    restarts: int
    alarm: str
    bytes_per_s: float = math.nan
    free_bytes: float = math.nan

    @property
    def hours_left(self) -> float:
        """Until the disk is full; NaN while nothing grows."""
        return self.free_bytes / self.bytes_per_s / 3600 if self.bytes_per_s > 0 else math.nan


@dataclass(frozen=True, slots=True)
class DecoderSummary(_Record):
    """What the decoder of the last calibration is worth, by cross-validation.

    Attributes
    ----------
    accuracy, chance_level : float
        Share of correct decisions, and what guessing reaches on average.
    chance_limit : float
        What guessing reaches one time in twenty; NaN where there are too few decisions for that.
    n : int
        Decisions that the accuracy rests on.
    seconds : float
        Length of the recordings it was trained on, s.
    """

    accuracy: float
    chance_level: float
    chance_limit: float
    n: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SoundStatus(_Record):
    """The process that plays; its levels are in shared memory of their own.

    Attributes
    ----------
    status : str
        Shared memory with a :class:`earmark.devices.audio.control_block.Status`.
    pcm : str
        Shared memory with what is played.
    playing : str
        Name of the sound device.
    failure : str
        Why nothing is played any more.
    restarts : int
        How often a dead process was replaced.
    """

    status: str
    pcm: str
    playing: str
    failure: str
    restarts: int


@dataclass(frozen=True, slots=True)
class SessionStatus(_Record):
    """What a session is now, as its supervisor or a replay says it.

    Attributes
    ----------
    time : float
        LSL time at which it was written.
    beat : int
        Counts what was written, so that a reader knows that it is new.
    kind : {'live', 'demo', 'replay'}
        With a listener, with a simulated one, or a recording that passes again.
    state : State
        Where it stands.
    mode : Mode
        Of the last run.
    out : str
        Folder of its recordings.
    talkers : tuple of str
        Their names; shape (n_talkers,), as all that is said of each talker.
    muted : bool
        Whether all is silent.
    override : int, 'equal' or None
        Talker, counted from 0, whom the operator favours; all alike; or None where decisions hold.
    trims : tuple of Trim
        What the operator does to each talker, shape (n_talkers,).
    decoder, trained : bool
        Whether there is a decoder, and whether there is one of a calibration.
    decoder_summary : DecoderSummary or None
        Of the calibration of this session; None before it.
    checks : tuple of Check
        What was looked at last.
    commands : tuple of str
        Names of the commands it knows.
    events : tuple of Event
        The newest, in order.
    engine : EngineProcessStatus or None
        None before the first calibration or run.
    task : TaskStatus or None
        None before the first calibration or run.
    recording : RecordingStatus or None
        None before the first calibration or run, and in a replay.
    sound : SoundStatus or None
        None while nothing is played.
    """

    time: float
    beat: int
    kind: Literal["live", "demo", "replay"]
    state: State
    mode: Mode
    out: str
    talkers: tuple[str, ...]
    muted: bool
    override: int | Literal["equal"] | None
    trims: tuple[Trim, ...]
    decoder: bool
    trained: bool
    decoder_summary: DecoderSummary | None
    checks: tuple[Check, ...]
    commands: tuple[str, ...]
    events: tuple[Event, ...]
    engine: EngineProcessStatus | None
    task: TaskStatus | None
    recording: RecordingStatus | None
    sound: SoundStatus | None


# What an engine says


@dataclass(frozen=True, slots=True)
class InletStatus(_Record):
    """A stream as the engine receives it.

    Attributes
    ----------
    name : str
        In the configuration.
    lsl_name, host : str
        As the stream says itself.
    status : str
        ``live``, or what is wrong.
    nominal, effective : float
        Declared and measured rate, Hz; 0 for markers, NaN while it is not known.
    n_channels : int
    age_s : float
        Seconds since the last arrival; NaN before the first.
    n_samples, n_gaps, n_missing, n_skipped : int
        Samples received, gaps, samples missing in them, and samples that the graph skipped because it was late.
    """

    name: str
    lsl_name: str
    host: str
    status: str
    nominal: float
    effective: float
    n_channels: int
    age_s: float
    n_samples: int
    n_gaps: int
    n_missing: int
    n_skipped: int


@dataclass(frozen=True, slots=True)
class DecisionStatus(_Record):
    """The newest decision that came in time.

    Attributes
    ----------
    n : int
        Its number, from 1 in each engine.
    time : float
        LSL time.
    probability, scores, gains : tuple of float
        Of each talker, shape (n_talkers,): probability of being attended, score, target gain in dB (-inf is silence).
    talker : int
        Attended talker, counted from 0; -1 while undecided.
    situation : str
        What gains do, as in :class:`earmark.pipeline.gain_control.Situation`.
    """

    n: int
    time: float
    probability: tuple[float, ...]
    scores: tuple[float, ...]
    talker: int
    gains: tuple[float, ...]
    situation: str


@dataclass(frozen=True, slots=True)
class DecisionCounts(_Record):
    """Decisions of this engine.

    Attributes
    ----------
    n, dropped : int
        How many there were, and how many of them came too late.
    demoted : int
        How often a decoder gave way to the next.
    scored_by : str
        Backend by which a compiled network answers; empty without one.
    """

    n: int
    dropped: int
    demoted: int
    scored_by: str


@dataclass(frozen=True, slots=True)
class Span(_Record):
    """How long something takes.

    Attributes
    ----------
    name : str
    p50, p99, max : float
        Median, 99th percentile and maximum, s; NaN if nothing was measured.
    budget : float
        What it may take, s; NaN if that is not said.
    """

    name: str
    p50: float
    p99: float
    max: float
    budget: float = math.nan


@dataclass(frozen=True, slots=True)
class EngineStatus(_Record):
    """What an engine, live or replayed, is now.

    Attributes
    ----------
    time : float
        LSL time at which it was written.
    beat : int
        Rounds of the graph: one that stands still hangs.
    neural : str
        Name of the stream of electrodes.
    signals : str
        Shared memory with their signal, a :class:`earmark.devices.processes.signal_ring.SignalRing`.
    ch_names : tuple of str
        Names of the electrodes, shape (n_channels,).
    positions : tuple of (float, float, float) or None
        Where each is on the head, m, shape (n_channels, 3); None for one that is not known.
    thresholds : (float, float) or None
        Probabilities at which a favoured talker is left and a new one is favoured; None without attention.
    streams : tuple of InletStatus
        Every stream of the configuration.
    bad : dict of str to str
        Masked channels, and why where that is known.
    decision : DecisionStatus or None
        None before the first.
    decisions : DecisionCounts
    latency, hop : Span
        From arrival to gains set, and of the graph for one chunk.
    n_late : int
        Chunks that took longer than their budget.
    stages : tuple of Span
        The stages of :mod:`earmark.app.engine.latency_stages`.
    """

    time: float
    beat: int
    neural: str
    signals: str
    ch_names: tuple[str, ...]
    positions: tuple[tuple[float, float, float] | None, ...]
    thresholds: tuple[float, float] | None
    streams: tuple[InletStatus, ...]
    bad: dict[str, str]
    decision: DecisionStatus | None
    decisions: DecisionCounts
    latency: Span
    hop: Span
    n_late: int
    stages: tuple[Span, ...]

    def stream(self, name: str) -> InletStatus | None:
        """Return a stream by its name in the configuration; None if there is none."""
        return next((one for one in self.streams if one.name == name), None)


# How they travel

S = TypeVar("S", SessionStatus, EngineStatus)

_adapters: dict[type, TypeAdapter[Any]] = {}

#: What is asked of somebody whose session cannot be read.
_FIX = "show it with the version that started it, or end it and start it anew with this one"


def adapter(kind: type) -> TypeAdapter[Any]:
    """Return what turns records of a kind into JSON and back; it takes some ms to make, once in a process."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_text(status: SessionStatus | EngineStatus) -> bytes:
    """Return a status as it lies on a board: the version, a line break, and JSON, which here may hold NaN."""
    return b"%d\n" % VERSION + adapter(type(status)).dump_json(status)


def from_text(kind: type[S], text: bytes) -> S:
    """Return a status from the text of :func:`to_text`.

    Raises
    ------
    StatusError
        If it is of another version, or anything is missing, unknown or of another type.
    """
    version, _, status = text.partition(b"\n")
    if version != b"%d" % VERSION:
        has = f"version {version.decode()}" if version.isdigit() else "no version"
        raise StatusError(
            f"this session was started by another version of Earmark (its status has {has}, this one reads version "
            f"{VERSION}): {_FIX}"
        )
    try:
        found: S = adapter(kind).validate_json(status)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "all of it"
        raise StatusError(f"the status of this session cannot be read ({where}: {first['msg']}): {_FIX}") from None
    return found


def to_json(status: SessionStatus | EngineStatus) -> dict[str, Any]:
    """Return a status as objects, lists and numbers of strict JSON, with its version; what is not finite is None."""
    text = adapter(type(status)).dump_json(status)
    found: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return {"version": VERSION, **found}


class StatusBoard(Generic[S]):
    """A board with a status: one writer, any number of readers, nobody waits for anybody.

    Parameters
    ----------
    kind : type
        :class:`SessionStatus` or :class:`EngineStatus`.
    name : str or None
        Shared memory to attach to; None makes a new one.

    Raises
    ------
    earmark.devices.processes.shared_memory.SharedMemoryError
        If there is no room for a new one, or none of that name.
    """

    def __init__(self, kind: type[S], name: str | None = None) -> None:
        adapter(kind)  # made now, not while streams are received
        self._kind: type[S] = kind
        self._board = Board(name)
        self._read: tuple[bytes, S | None] = (b"", None)

    @property
    def name(self) -> str:
        """By which others attach."""
        return self._board.name

    def publish(self, status: S) -> None:
        """Replace the status; to be called by one thread of one process.

        Raises
        ------
        ValueError
            If it is larger than the board.
        """
        self._board.write(to_text(status))

    def read(self) -> S | None:
        """Return the newest status; None before the first.

        Raises
        ------
        StatusError
            If it is of another version, or makes no sense.
        """
        text = self._board.read()
        if text is not self._read[0]:  # both at once, since several threads may look
            self._read = text, from_text(self._kind, text)
        return self._read[1]

    def close(self) -> None:
        """Let go of it, and go on reading what was last there; who made it removes it."""
        self._board.close()

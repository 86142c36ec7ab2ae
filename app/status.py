"""The status of a session: typed, versioned records that every process writes and every reader shares.

Supervisor, engine and replay publish these records on boards in shared memory, ten times a second; the window, the
status line of a terminal and ``earmark control DIR state`` show them. When you change a record, increment
:data:`VERSION`; ``tests/app/test_status.py`` checks this.

Units: times are LSL time in s, durations s, rates Hz, gains dB, positions m, proportions 0 to 1. An unknown float is
NaN, any other unknown value is None; an empty text means that there is nothing to report.
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

#: Version of the records below. A status of another version is refused.
VERSION: Final = 9


class StatusError(EarmarkError):
    """Raised when a status on a board cannot be read, or is of another version of Earmark."""


class State(StrEnum):
    """State of a session."""

    IDLE = "idle"
    CHECKING = "checking"
    CALIBRATING = "calibrating"
    TRAINING = "training"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    REVIEW = "review"


class _Record:
    """Base of all records: every field must be present and of its type, and no other fields are allowed."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", ser_json_inf_nan="constants")


# Status of a session


@dataclass(frozen=True, slots=True)
class Trim(_Record):
    """The operator's adjustment of one talker, in addition to steering.

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
    """Result of one check before a session.

    Attributes
    ----------
    what : str
        What was checked.
    ok : bool
        Whether it passed.
    words : str
        What was found, and how to fix it.
    due : bool
        Whether it is not a fault but a step that is still to be done.
    """

    what: str
    ok: bool
    words: str
    due: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'TO DO' if self.due else 'FAILED'}  {self.what}: {self.words}"


@dataclass(frozen=True, slots=True)
class Event(_Record):
    """An event of a session.

    Attributes
    ----------
    id : int
        Number of the event in its session, from 1.
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
    """The current or last calibration or run; or the recording that is replayed.

    Attributes
    ----------
    elapsed, seconds : float
        Elapsed and total time without pauses and questions, s.
    attend : str
        Talker to attend to now; empty if there is none.
    next_cue_s : float
        Seconds until the next cue; NaN if there is none.
    block, n_blocks : int
        Number of trials started and not discarded, and total number of trials.
    waiting : str
        Why the next trial waits.
    question : str
        Question to answer now.
    options : tuple of str
        Its answers to choose from; empty if it has none.
    n_asked : int
        Number of questions so far, which identifies the current one.
    complete : bool
        Whether it reached its planned end without error.
    failure : str
        Error that ended it.
    recording_now : bool
        Whether it is in progress; for a replay, whether it has not ended.
    ending : bool
        Whether it has ended and only the recording is still being completed.
    """

    elapsed: float
    seconds: float
    attend: str
    next_cue_s: float
    block: int
    n_blocks: int
    waiting: str
    question: str
    options: tuple[str, ...]
    n_asked: int
    complete: bool
    failure: str
    recording_now: bool
    ending: bool


@dataclass(frozen=True, slots=True)
class EngineProcessStatus(_Record):
    """The process that decodes; it publishes an :class:`EngineStatus` itself.

    Attributes
    ----------
    alive : bool
        Whether the process is running.
    pid : int or None
        Its process id.
    restarts : int
        Number of replaced processes.
    board : str
        Name of the shared memory with its status; empty if there is none.
    """

    alive: bool
    pid: int | None
    restarts: int
    board: str


@dataclass(frozen=True, slots=True)
class RecordingStatus(_Record):
    """The file that is being written, and its disk.

    Attributes
    ----------
    path : str
        The newest file; empty if there is none.
    pid : int or None
        Process id of its recorder.
    bytes, waiting : int
        Bytes written, and bytes waiting to be written.
    restarts : int
        Number of replaced recorders.
    alarm : str
        What is wrong with the recording now.
    bytes_per_s : float
        Growth of the file, bytes/s; NaN before it is known.
    free_bytes : float
        Free space on the disk, bytes; NaN if it is not known.
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
        """Hours until the disk is full; NaN while the file does not grow."""
        return self.free_bytes / self.bytes_per_s / 3600 if self.bytes_per_s > 0 else math.nan


@dataclass(frozen=True, slots=True)
class DecoderSummary(_Record):
    """Cross-validated performance of the decoder of the last calibration.

    Attributes
    ----------
    accuracy, chance_level : float
        Proportion of correct decisions, and its expected value for guessing.
    chance_limit : float
        Accuracy that guessing reaches with p = 0.05; NaN if there are too few decisions.
    n : int
        Number of decisions.
    seconds : float
        Duration of the recordings it was trained on, s.
    bands : str
        Weight and sensitivity of each frequency band in this listener, in words; empty if the decoder has no bands.
    """

    accuracy: float
    chance_level: float
    chance_limit: float
    n: int
    seconds: float
    bands: str


@dataclass(frozen=True, slots=True)
class LearningStatus(_Record):
    """Accuracy of a decoder trained on the trials so far, see :mod:`earmark.pipeline.evaluation.learning_curve`.

    Attributes
    ----------
    n_trials : int
        Number of trials.
    seconds : float
        Duration of known attention, s.
    n : int
        Number of decisions.
    accuracy, chance_limit : float
        Proportion of correct decisions, and its value that guessing reaches with p = 0.05; the latter is NaN if there
        are too few decisions.
    gain, gain_limit : float
        Increase of the proportion of correct decisions when the training data was doubled, and its upper limit; NaN if
        there are too few trials.
    enough : bool
        Whether more trials would not help.
    """

    n_trials: int
    seconds: float
    n: int
    accuracy: float
    chance_limit: float
    gain: float
    gain_limit: float
    enough: bool


@dataclass(frozen=True, slots=True)
class SoundStatus(_Record):
    """The process that plays sound; its levels are in shared memory of their own.

    Attributes
    ----------
    status : str
        Name of the shared memory with a :class:`earmark.devices.audio.control_block.Status`.
    pcm : str
        Name of the shared memory with the audio samples of the talkers before gain.
    playing : str
        Name of the sound device.
    failure : str
        Why playback has stopped.
    restarts : int
        Number of replaced processes.
    """

    status: str
    pcm: str
    playing: str
    failure: str
    restarts: int


@dataclass(frozen=True, slots=True)
class PlanStatus(_Record):
    """Lengths in the protocol.

    Attributes
    ----------
    n_trials : int
        Number of trials of a calibration.
    calibration_s, run_s : float
        Length of a calibration and of a run, s.
    """

    n_trials: int
    calibration_s: float
    run_s: float


@dataclass(frozen=True, slots=True)
class SessionStatus(_Record):
    """Status of a session, published by its supervisor or a replay.

    Attributes
    ----------
    time : float
        LSL time at which it was written.
    beat : int
        Heartbeat: counts the updates, so that a reader can tell a new status from an old one.
    kind : {'live', 'demo', 'rehearsal', 'replay', 'view'}
        A session with a real listener, one with a simulated listener, to show the program or to practise, a replay of a
        recording, or a stream that is only shown.
    state : State
        Current state.
    mode : Mode
        Mode of the last run.
    out : str
        Folder of its recordings.
    talkers : tuple of str
        Names of the talkers, shape (n_talkers,).
    azimuths : tuple of float
        Position of each talker, degrees to the right, shape (n_talkers,); empty if it is not known.
    texts : dict of str to str
        Texts of the participant's screen, see :class:`earmark.app.config.protocol.ParticipantTexts`; a missing one has
        its default.
    questions : tuple of str
        All questions of the protocol with their answers.
    muted : bool
        Whether all sound is muted.
    override : int, 'equal' or None
        Talker, counted from 0, whom the operator favours; ``equal`` for none; or None if decisions apply.
    trims : tuple of Trim
        The operator's adjustment of each talker, shape (n_talkers,).
    decoder, trained : bool
        Whether there is a decoder, and whether there is one from a calibration in this folder.
    decoder_summary : DecoderSummary or None
        Performance of the decoder trained in this session; None before training.
    learning : tuple of LearningStatus
        Accuracy so far in the last calibration, one entry after each trial.
    plan : PlanStatus or None
        What the protocol plans; None in a replay.
    checks : tuple of Check
        Results of the last checks.
    bads : tuple of str
        Electrodes that the operator marked as bad: their names, or patterns of names.
    commands : tuple of str
        Names of its commands.
    events : tuple of Event
        The newest events, oldest first.
    engine : EngineProcessStatus or None
        None before the first calibration or run.
    task : TaskStatus or None
        None before the first calibration or run.
    recording : RecordingStatus or None
        None before the first calibration or run, and in a replay.
    sound : SoundStatus or None
        None while nothing is played.
    faults : tuple of str
        Faults of a rehearsal that are switched on.
    """

    time: float
    beat: int
    kind: Literal["live", "demo", "rehearsal", "replay", "view"]
    state: State
    mode: Mode
    out: str
    talkers: tuple[str, ...]
    azimuths: tuple[float, ...]
    texts: dict[str, str]
    questions: tuple[str, ...]
    muted: bool
    override: int | Literal["equal"] | None
    trims: tuple[Trim, ...]
    decoder: bool
    trained: bool
    decoder_summary: DecoderSummary | None
    learning: tuple[LearningStatus, ...]
    plan: PlanStatus | None
    checks: tuple[Check, ...]
    bads: tuple[str, ...]
    commands: tuple[str, ...]
    events: tuple[Event, ...]
    engine: EngineProcessStatus | None
    task: TaskStatus | None
    recording: RecordingStatus | None
    sound: SoundStatus | None
    faults: tuple[str, ...]


# Status of an engine


@dataclass(frozen=True, slots=True)
class InletStatus(_Record):
    """A stream as the engine receives it.

    Attributes
    ----------
    name : str
        Name in the configuration.
    lsl_name, host : str
        Name and host that the stream declares.
    status : str
        ``live``, or what is wrong.
    nominal, effective : float
        Nominal and measured rate, Hz; 0 for markers, NaN if not yet known.
    n_channels : int
    age_s : float
        Seconds since the last arrival; NaN before the first.
    n_samples, n_gaps, n_missing, n_skipped : int
        Numbers of samples received, of gaps, of samples missing in gaps, and of samples skipped because the graph was
        late.
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
    """The newest decision in time.

    Attributes
    ----------
    n : int
        Number of the decision, from 1 in each engine.
    time : float
        LSL time of the decision.
    probability, scores, gains : tuple of float
        For each talker, shape (n_talkers,): probability of being attended, score, target gain in dB (-inf is silence).
    talker : int
        Attended talker, counted from 0; -1 while undecided.
    situation : str
        What determines the gains: a :class:`earmark.pipeline.attention.gain_control.Situation`.
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
    """Counts of the decisions of this engine.

    Attributes
    ----------
    n, dropped : int
        Number of decisions, and of those that were too late.
    demoted : int
        Number of changes to a fallback decoder or backend.
    scored_by : str
        Backend of the compiled network; empty without one.
    """

    n: int
    dropped: int
    demoted: int
    scored_by: str


@dataclass(frozen=True, slots=True)
class Span(_Record):
    """Distribution of a duration.

    Attributes
    ----------
    name : str
    p50, p99, max : float
        Median, 99th percentile and maximum, s; NaN if nothing was measured.
    budget : float
        Its limit, s; NaN if there is none.
    """

    name: str
    p50: float
    p99: float
    max: float
    budget: float = math.nan


@dataclass(frozen=True, slots=True)
class ImpedanceStatus(_Record):
    """Impedances of the electrodes, as the amplifier states them.

    Attributes
    ----------
    kohm : dict of str to float
        Impedance of each electrode for which it is stated, kOhm.
    age_s : float
        Seconds since the newest value; NaN for values that were measured before the stream began.
    limit_kohm : float
        Impedance above which an electrode needs work; NaN if the session states none.
    problem : str
        Why a stream of impedances is not used.
    """

    kohm: dict[str, float]
    age_s: float
    limit_kohm: float
    problem: str


@dataclass(frozen=True, slots=True)
class EngineStatus(_Record):
    """Status of an engine, live or replayed.

    Attributes
    ----------
    time : float
        LSL time at which it was written.
    beat : int
        Heartbeat: counts the iterations of the graph thread; it stops if the graph hangs.
    neural : str
        Name of the stream of electrodes.
    signals : str
        Name of the shared memory with their signal, a :class:`earmark.devices.processes.signal_ring.SignalRing`.
    ch_names : tuple of str
        Names of the electrodes, shape (n_channels,).
    ch_types : tuple of str
        Type of each electrode, shape (n_channels,).
    positions : tuple of (float, float, float) or None
        Position of each electrode on the head, m, shape (n_channels, 3); None if unknown.
    thresholds : (float, float) or None
        Probability below which a decision for a talker ends, and above which one is made; None without attention.
    streams : tuple of InletStatus
        Every stream of the configuration.
    bad : dict of str to str
        Masked channels, with the fault of each if it is known.
    impedance : ImpedanceStatus or None
        None while it records.
    decision : DecisionStatus or None
        None before the first.
    decisions : DecisionCounts
    latency, hop : Span
        Latency from arrival to gains set, and latency of one chunk from arrival to output.
    n_late : int
        Number of chunks that took longer than their budget.
    stages : tuple of Span
        Latency of each stage in :mod:`earmark.app.engine.latency_stages`.
    """

    time: float
    beat: int
    neural: str
    signals: str
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    positions: tuple[tuple[float, float, float] | None, ...]
    thresholds: tuple[float, float] | None
    streams: tuple[InletStatus, ...]
    bad: dict[str, str]
    impedance: ImpedanceStatus | None
    decision: DecisionStatus | None
    decisions: DecisionCounts
    latency: Span
    hop: Span
    n_late: int
    stages: tuple[Span, ...]

    def stream(self, name: str) -> InletStatus | None:
        """Return a stream by its name in the configuration; None if there is none."""
        return next((one for one in self.streams if one.name == name), None)


# Publishing and reading

S = TypeVar("S", SessionStatus, EngineStatus)

_adapters: dict[type, TypeAdapter[Any]] = {}

#: The fix in error messages about a status that cannot be read.
_FIX = "open it with the version that started it, or end it and start it again with this one"


def adapter(kind: type) -> TypeAdapter[Any]:
    """Return the converter of a record type to JSON and back, which takes some ms to create; cached."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_text(status: SessionStatus | EngineStatus) -> bytes:
    """Return a status as stored on a board: the version, a line break, and JSON that may contain NaN."""
    return b"%d\n" % VERSION + adapter(type(status)).dump_json(status)


def from_text(kind: type[S], text: bytes) -> S:
    """Return a status from the text of :func:`to_text`.

    Raises
    ------
    StatusError
        If the version differs, or a field is missing, unknown or of the wrong type.
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
        where = ".".join(str(part) if str(part).isprintable() else repr(part) for part in first["loc"]) or "all of it"
        raise StatusError(f"the status of this session cannot be read ({where}: {first['msg']}): {_FIX}") from None
    return found


def to_json(status: SessionStatus | EngineStatus) -> dict[str, Any]:
    """Return a status as a dict of strict JSON, with its version; numbers that are not finite become None."""
    text = adapter(type(status)).dump_json(status)
    found: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return {"version": VERSION, **found}


class StatusBoard(Generic[S]):
    """A board with a status: one writer and any number of readers, none of which blocks another.

    Parameters
    ----------
    kind : type
        :class:`SessionStatus` or :class:`EngineStatus`.
    name : str or None
        Name of the shared memory to attach to; None creates a new one.

    Raises
    ------
    earmark.devices.processes.shared_memory.SharedMemoryError
        If there is no room for a new one, or there is none of that name.
    """

    def __init__(self, kind: type[S], name: str | None = None) -> None:
        adapter(kind)  # made now, not while streams are received
        self._kind: type[S] = kind
        self._board = Board(name)
        self._read: tuple[bytes, S | None] = (b"", None)

    @property
    def name(self) -> str:
        """Name of the shared memory, for :class:`StatusBoard` in another process."""
        return self._board.name

    def publish(self, status: S) -> None:
        """Replace the status; only one thread of one process may do so.

        Raises
        ------
        ValueError
            If the status does not fit on the board.
        """
        self._board.write(to_text(status))

    def read(self) -> S | None:
        """Return the newest status; None before the first.

        Raises
        ------
        StatusError
            If it is of another version, or cannot be read.
        """
        text = self._board.read()
        if text is not self._read[0]:  # assign both at once, because several threads may read
            self._read = text, from_text(self._kind, text)
        return self._read[1]

    def close(self) -> None:
        """Detach from the shared memory, which the creator removes; the last status can still be read."""
        self._board.close()

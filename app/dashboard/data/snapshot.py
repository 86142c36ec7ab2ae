"""What the window knows at one moment, as plain data; the only module here that knows how others publish it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.devices.audio.control_block import Status

NAN = math.nan
#: Seconds without anything new after which nothing is known any more.
SILENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """An LSL stream as the engine receives it: rates in Hz, age of its newest sample in s."""

    name: str
    nominal: float
    effective: float
    n_channels: int
    age_s: float
    n_samples: int
    n_gaps: int
    n_missing: int
    n_skipped: int
    status: str
    host: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The newest decision: LSL time, probability, score and target gain (dB) per talker; ``talker`` -1 is undecided."""

    n: int
    time: float
    probability: tuple[float, ...]
    scores: tuple[float, ...]
    talker: int
    gains: tuple[float, ...]
    situation: str


@dataclass(frozen=True, slots=True)
class Span:
    """How long something takes, in s."""

    name: str
    p50: float
    p99: float
    max: float
    budget: float = NAN


@dataclass(frozen=True, slots=True)
class Recording:
    """The file that grows, and the disk it is on."""

    path: str
    bytes: float
    alarm: str
    restarts: int
    free_bytes: float
    bytes_per_s: float

    @property
    def hours_left(self) -> float:
        """Until the disk is full; NaN while nothing grows."""
        return self.free_bytes / self.bytes_per_s / 3600 if self.bytes_per_s > 0 else NAN


@dataclass(frozen=True, slots=True)
class Sound:
    """What is heard: levels are amplitudes, gains and reduction by the limiter dB; ``live`` while buffers come."""

    playing: str = ""
    failure: str = ""
    restarts: int = 0
    live: bool = False
    peak: tuple[float, ...] = ()
    out_peak: tuple[float, ...] = ()
    gains_db: tuple[float, ...] = ()
    master_db: float = NAN
    limiter_db: float = NAN
    xruns: int = -1
    late: int = -1
    missed: int = -1


@dataclass(frozen=True, slots=True)
class Trim:
    """What the operator does to one talker on top of steering: dB, at most 0, and silence."""

    db: float = 0.0
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What the decoder of the last calibration is worth: shares, decisions they rest on, seconds of training.

    ``limit`` is the chance limit, NaN where there are too few decisions for one.
    """

    accuracy: float
    level: float
    limit: float
    n: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, at an LSL time."""

    id: int
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before a session."""

    what: str
    ok: bool
    words: str
    #: Whether nothing is wrong: this is only still to be done.
    due: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything; what is not known is empty, NaN or -1.

    ``session_age`` and ``engine_age`` are seconds since supervisor and engine last said anything, infinite if they
    never did; ``time`` is the LSL time of the look. ``died`` says that the session did not end in good order: its
    process is gone, and of the past only what cannot change is still known.
    """

    time: float = NAN
    session_age: float = math.inf
    engine_age: float = math.inf
    kind: str = ""
    commands: frozenset[str] = frozenset()
    state: str = ""
    mode: str = ""
    out: str = ""
    talkers: tuple[str, ...] = ()
    elapsed: float = NAN
    seconds: float = NAN
    attend: str = ""
    next_cue_s: float = NAN
    block: int = -1
    n_blocks: int = -1
    question: str = ""
    muted: bool = False
    override: int | str | None = None
    trims: tuple[Trim, ...] = ()
    failure: str = ""
    complete: bool = False
    ending: bool = False
    grows: bool = True
    waiting: str = ""
    decoder: bool = False
    trained: bool = False
    accuracy: Accuracy | None = None
    recording: Recording | None = None
    sound: Sound = field(default_factory=Sound)
    events: tuple[Event, ...] = ()
    checks: tuple[Check, ...] = ()
    engine_alive: bool = True
    engine_restarts: int = -1
    streams: tuple[Stream, ...] = ()
    neural: str = ""
    ch_names: tuple[str, ...] = ()
    positions: tuple[tuple[float, float, float] | None, ...] = ()
    bad: Mapping[str, str] = field(default_factory=dict)
    decision: Decision | None = None
    n_decisions: int = -1
    n_dropped: int = -1
    scored_by: str = ""
    latency: Span | None = None
    ledger: tuple[Span, ...] = ()
    hop: Span | None = None
    n_late: int = -1
    thresholds: tuple[float, float] = (NAN, NAN)
    died: bool = False

    @property
    def session_live(self) -> bool:
        """Whether the session says anything."""
        return self.session_age < SILENT_S

    @property
    def engine_live(self) -> bool:
        """Whether the engine says anything."""
        return self.engine_age < SILENT_S

    @property
    def under_way(self) -> bool:
        """Whether a calibration or run goes on, or is about to."""
        return self.state in ("calibrating", "running", "paused")

    @property
    def recording_now(self) -> bool:
        """Whether something is being recorded, or passes once more."""
        return self.under_way and self.grows and not self.ending

    @property
    def at_stake(self) -> bool:
        """Whether something goes on that cannot be had again: a replay can."""
        return (self.under_way or self.state == "training") and self.kind != "replay"

    @property
    def held(self) -> bool:
        """Whether nothing comes because a replay is paused."""
        return self.kind == "replay" and self.state == "paused"

    def can(self, command: str) -> bool:
        """Whether the session knows a command; one that does not say is believed to."""
        return not self.commands or command in self.commands


def snapshot(
    now: float, session: Mapping[str, Any], engine: Mapping[str, Any], sound: Any, sound_live: bool
) -> Snapshot:
    """Put together what supervisor, engine and audio process say.

    Parameters
    ----------
    now : float
        LSL time.
    session, engine : mapping
        Objects of the two boards; keys that are missing are not known.
    sound : Status or None
        Of the audio process.
    sound_live : bool
        Whether it still counts buffers.
    """
    talkers = tuple(_text(name) for name in _list(session.get("talkers")))
    recording, decided = _table(session.get("recording")), _table(engine.get("decision"))
    decisions, hop, latency = (_table(engine.get(key)) for key in ("decisions", "hop", "latency"))
    facts = _table(session.get("accuracy"))
    thresholds = _table(engine.get("thresholds"))
    override = session.get("override")
    return Snapshot(
        time=now,
        session_age=_age(now, session),
        engine_age=_age(now, engine),
        kind=_text(session.get("kind")),
        commands=frozenset(_text(name) for name in _list(session.get("commands"))),
        state=_text(session.get("state")),
        mode=_text(session.get("mode")),
        out=_text(session.get("out")),
        attend=_text(session.get("attend")),
        question=_text(session.get("question")),
        failure=_text(session.get("failure")),
        elapsed=_number(session.get("elapsed")),
        seconds=_number(session.get("seconds")),
        next_cue_s=_number(session.get("next_cue_s")),
        block=_count(session.get("block")),
        n_blocks=_count(session.get("n_blocks")),
        muted=session.get("muted") is True,
        complete=session.get("complete") is True,
        ending=session.get("ending") is True,
        grows=session.get("recording_now") is not False,
        talkers=talkers,
        override=override if override is None or isinstance(override, int) else _text(override),
        trims=tuple(_trim(_table(one)) for one in _list(session.get("trims"))),
        waiting=_text(session.get("waiting") or ""),
        decoder=session.get("decoder") is True,
        trained=session.get("trained") is True,
        accuracy=_accuracy(facts) if facts else None,
        recording=_recording(recording) if recording else None,
        sound=_sound(_table(session.get("audio")), sound, sound_live, len(talkers)),
        events=tuple(Event(_count(i), _number(at), _text(text)) for i, at, text in _list(session.get("events"))),
        checks=tuple(
            Check(_text(a), ok is True, _text(words), due == [True])
            for a, ok, words, *due in _list(session.get("checks"))
        ),
        engine_alive=_table(session.get("engine")).get("alive") is not False,
        engine_restarts=_count(_table(session.get("engine")).get("restarts")),
        streams=tuple(_stream(_text(name), _table(one)) for name, one in _table(engine.get("streams")).items()),
        neural=_text(engine.get("neural")),
        ch_names=tuple(_text(name) for name in _list(engine.get("ch_names"))),
        positions=tuple(_position(one) for one in _list(engine.get("positions"))),
        bad={_text(key): _text(value) for key, value in _table(engine.get("bad")).items()},
        decision=_decision(decided) if decided else None,
        n_decisions=_count(decisions.get("n")),
        n_dropped=_count(decisions.get("dropped")),
        scored_by=_text(decisions.get("scored_by")),
        latency=_span("latency", latency) if latency else None,
        ledger=tuple(
            Span(_text(name), _number(p50), _number(p99), _number(most))
            for name, p50, p99, most in _list(engine.get("ledger"))
        ),
        hop=_span("hop", hop) if hop else None,
        n_late=_count(hop.get("late")),
        thresholds=(_number(thresholds.get("leave")), _number(thresholds.get("enter"))),
    )


def _age(now: float, board: Mapping[str, Any]) -> float:
    time = _number(board.get("time"))
    return math.inf if math.isnan(time) else max(0.0, now - time)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else NAN


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else -1


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _numbers(value: object) -> tuple[float, ...]:
    return tuple(_number(one) for one in _list(value))


def _position(value: object) -> tuple[float, float, float] | None:
    found = _numbers(value)
    return (found[0], found[1], found[2]) if len(found) == 3 and all(map(math.isfinite, found)) else None


def _stream(name: str, one: Mapping[str, Any]) -> Stream:
    return Stream(
        name,
        _number(one.get("nominal")),
        _number(one.get("effective")),
        _count(one.get("n_channels")),
        _number(one.get("age_s")),
        _count(one.get("n_samples")),
        _count(one.get("n_gaps")),
        _count(one.get("n_missing")),
        _count(one.get("n_skipped")),
        _text(one.get("status")),
        _text(one.get("host")),
    )


def _decision(one: Mapping[str, Any]) -> Decision:
    talker = one.get("talker")
    return Decision(
        _count(one.get("n")),
        _number(one.get("time")),
        _numbers(one.get("probability")),
        _numbers(one.get("scores")),
        talker if isinstance(talker, int) else -1,
        _numbers(one.get("gains")),
        _text(one.get("situation")),
    )


def _span(name: str, one: Mapping[str, Any]) -> Span:
    return Span(name, *(_number(one.get(key)) for key in ("p50", "p99", "max", "budget_s")))


def _recording(one: Mapping[str, Any]) -> Recording:
    return Recording(
        _text(one.get("path")),
        _number(one.get("bytes")),
        _text(one.get("alarm")),
        _count(one.get("restarts")),
        _number(one.get("free_bytes")),
        _number(one.get("bytes_per_s")),
    )


def _trim(one: Mapping[str, Any]) -> Trim:
    db = _number(one.get("db"))
    return Trim(db if math.isfinite(db) else 0.0, one.get("mute") is True)


def _accuracy(one: Mapping[str, Any]) -> Accuracy:
    accuracy, level, limit = (_number(one.get(key)) for key in ("accuracy", "chance_level", "chance_limit"))
    return Accuracy(accuracy, level, limit, _count(one.get("n")), _number(one.get("seconds")))


def _sound(one: Mapping[str, Any], status: Status | None, live: bool, n_talkers: int) -> Sound:
    words = (_text(one.get("playing")), _text(one.get("failure")), max(0, _count(one.get("restarts"))))
    if status is None:
        return Sound(*words)
    n = n_talkers or len(status.peak)
    return Sound(
        *words,
        live=live,
        peak=tuple(status.peak[:n]),
        out_peak=tuple(status.out_peak),
        gains_db=tuple(status.gains_db[:n]),
        master_db=status.master_db,
        limiter_db=status.limiter_db,
        xruns=status.xruns,
        late=status.late,
        missed=status.missed,
    )

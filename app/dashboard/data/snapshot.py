"""What the window knows at one moment, as plain data, put together from the records that others publish."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from earmark.app.status import (
    Check,
    DecisionStatus,
    DecoderSummary,
    EngineStatus,
    Event,
    InletStatus,
    RecordingStatus,
    SessionStatus,
    SoundStatus,
    Span,
    Trim,
)
from earmark.devices.audio.control_block import Status

NAN = math.nan
#: Seconds without anything new after which nothing is known any more.
SILENT_S = 1.0


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
class Snapshot:
    """Everything; what is not known is empty, NaN or -1.

    ``session_age`` and ``engine_age`` are seconds since supervisor and engine last said anything, infinite if they
    never did; ``time`` is the LSL time of the look. ``died`` says that the session did not end in good order: its
    process is gone, and of the past only what cannot change is still known. ``refused`` says why a status cannot be
    read, such as one of another version of Earmark.
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
    decoder_summary: DecoderSummary | None = None
    recording: RecordingStatus | None = None
    sound: Sound = field(default_factory=Sound)
    events: tuple[Event, ...] = ()
    checks: tuple[Check, ...] = ()
    engine_alive: bool = True
    engine_restarts: int = -1
    streams: tuple[InletStatus, ...] = ()
    neural: str = ""
    ch_names: tuple[str, ...] = ()
    positions: tuple[tuple[float, float, float] | None, ...] = ()
    bad: Mapping[str, str] = field(default_factory=dict)
    decision: DecisionStatus | None = None
    n_decisions: int = -1
    n_dropped: int = -1
    scored_by: str = ""
    latency: Span | None = None
    stages: tuple[Span, ...] = ()
    hop: Span | None = None
    n_late: int = -1
    thresholds: tuple[float, float] = (NAN, NAN)
    died: bool = False
    refused: str = ""

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
    def replay_paused(self) -> bool:
        """Whether nothing comes because a replay is paused."""
        return self.kind == "replay" and self.state == "paused"

    def supports(self, command: str) -> bool:
        """Whether the session knows a command; one that does not say is believed to."""
        return not self.commands or command in self.commands


def snapshot(
    now: float,
    session: SessionStatus | None,
    engine: EngineStatus | None,
    sound: Status | None,
    sound_live: bool,
    refused: str = "",
) -> Snapshot:
    """Put together what supervisor, engine and audio process say.

    Parameters
    ----------
    now : float
        LSL time.
    session : SessionStatus or None
        Of the supervisor, or of a replay.
    engine : EngineStatus or None
        Of the engine.
    sound : Status or None
        Of the audio process.
    sound_live : bool
        Whether it still counts buffers.
    refused : str
        Why one of them cannot be read.
    """
    known = Snapshot(time=now, refused=refused)
    if session is not None:
        known = _with_session(known, session, _sound(session, sound, sound_live))
    return known if engine is None else _with_engine(known, engine)


def _with_session(known: Snapshot, session: SessionStatus, sound: Sound) -> Snapshot:
    engine, task = session.engine, session.task
    known = replace(
        known,
        session_age=max(0.0, known.time - session.time),
        kind=session.kind,
        commands=frozenset(session.commands),
        state=session.state,
        mode=session.mode,
        out=session.out,
        muted=session.muted,
        talkers=session.talkers,
        override=session.override,
        trims=session.trims,
        decoder=session.decoder,
        trained=session.trained,
        decoder_summary=session.decoder_summary,
        recording=session.recording,
        sound=sound,
        events=session.events,
        checks=session.checks,
    )
    if engine is not None:
        known = replace(known, engine_alive=engine.alive, engine_restarts=engine.restarts)
    if task is None:
        return known
    return replace(
        known,
        elapsed=task.elapsed,
        seconds=task.seconds,
        attend=task.attend,
        next_cue_s=task.next_cue_s,
        block=task.block,
        n_blocks=task.n_blocks,
        waiting=task.waiting,
        question=task.question,
        complete=task.complete,
        failure=task.failure,
        ending=task.ending,
        grows=task.recording_now,
    )


def _with_engine(known: Snapshot, engine: EngineStatus) -> Snapshot:
    return replace(
        known,
        engine_age=max(0.0, known.time - engine.time),
        streams=engine.streams,
        neural=engine.neural,
        ch_names=engine.ch_names,
        positions=engine.positions,
        bad=engine.bad,
        decision=engine.decision,
        n_decisions=engine.decisions.n,
        n_dropped=engine.decisions.dropped,
        scored_by=engine.decisions.scored_by,
        latency=engine.latency,
        stages=engine.stages,
        hop=engine.hop,
        n_late=engine.n_late,
        thresholds=engine.thresholds or (NAN, NAN),
    )


def _sound(session: SessionStatus, status: Status | None, live: bool) -> Sound:
    said = session.sound or SoundStatus(status="", pcm="", playing="", failure="", restarts=0)
    sound = Sound(playing=said.playing, failure=said.failure, restarts=said.restarts)
    if status is None:
        return sound
    n = len(session.talkers) or len(status.peak)
    return replace(
        sound,
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

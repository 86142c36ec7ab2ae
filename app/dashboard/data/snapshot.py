"""The state of a session at one moment, as plain data, combined from the records that other processes publish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from earmark.app.dashboard.data.faults import FAULTS, MARKED, NOT_FINITE
from earmark.app.status import (
    Check,
    DecisionStatus,
    DecoderSummary,
    EngineStatus,
    Event,
    ImpedanceStatus,
    InletStatus,
    LearningStatus,
    PlanStatus,
    RecordingStatus,
    SessionStatus,
    SoundStatus,
    Span,
    Trim,
)
from earmark.devices.audio.control_block import Status

NAN = math.nan
#: Seconds without an update after which a status counts as out of date.
SILENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Sound:
    """Status of the sound: levels are amplitudes, gains and limiter reduction dB; ``live`` while buffers are played.

    ``azimuths`` are where the talkers are, degrees to the right, NaN where nobody was found yet. Of a mixture only:
    ``acoustic_s`` is the delay from the microphones to the ears, 0 otherwise, and ``delivered_db`` the change of each
    talker's level against the others.
    """

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
    azimuths: tuple[float, ...] = ()
    delivered_db: tuple[float, ...] = ()
    acoustic_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the window shows; unknown values are empty, NaN or -1.

    ``time`` is the LSL time at which the status was read. ``session_age`` and ``engine_age`` are the seconds since the
    last update of supervisor and engine, infinite without one. ``died`` means that the process of the session ended
    without a shutdown; only values that cannot change afterwards are kept. ``refused`` says why a status cannot be
    read, for example because another version of Earmark wrote it. ``records`` are the two status as published.
    ``marked`` are the electrodes that the operator marked as bad. ``bad`` are these and those that the quality node
    masks, each with its faults as in :data:`earmark.app.dashboard.data.faults.FAULTS`, joined by ``+``.
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
    azimuths: tuple[float, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[str, ...] = ()
    elapsed: float = NAN
    seconds: float = NAN
    attend: str = ""
    next_cue_s: float = NAN
    block: int = -1
    n_blocks: int = -1
    question: str = ""
    options: tuple[str, ...] = ()
    n_asked: int = 0
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
    learning: tuple[LearningStatus, ...] = ()
    plan: PlanStatus | None = None
    recording: RecordingStatus | None = None
    sound: Sound = field(default_factory=Sound)
    events: tuple[Event, ...] = ()
    checks: tuple[Check, ...] = ()
    marked: frozenset[str] = frozenset()
    engine_alive: bool = True
    engine_restarts: int = -1
    streams: tuple[InletStatus, ...] = ()
    neural: str = ""
    ch_names: tuple[str, ...] = ()
    ch_types: tuple[str, ...] = ()
    positions: tuple[tuple[float, float, float] | None, ...] = ()
    bad: Mapping[str, str] = field(default_factory=dict)
    impedance: ImpedanceStatus | None = None
    decision: DecisionStatus | None = None
    n_decisions: int = -1
    n_dropped: int = -1
    scored_by: str = ""
    latency: Span | None = None
    stages: tuple[Span, ...] = ()
    hop: Span | None = None
    n_late: int = -1
    thresholds: tuple[float, float] = (NAN, NAN)
    faults: tuple[str, ...] = ()
    died: bool = False
    refused: str = ""
    records: tuple[SessionStatus | None, EngineStatus | None] = (None, None)

    @property
    def session_live(self) -> bool:
        """Whether the status of the session is up to date."""
        return self.session_age < SILENT_S

    @property
    def engine_live(self) -> bool:
        """Whether the status of the engine is up to date."""
        return self.engine_age < SILENT_S

    @property
    def under_way(self) -> bool:
        """Whether a calibration or run has started and not ended."""
        return self.state in ("calibrating", "running", "paused")

    @property
    def recording_now(self) -> bool:
        """Whether a recording, or the replay of one, is in progress."""
        return self.under_way and self.grows and not self.ending

    @property
    def at_stake(self) -> bool:
        """Whether stopping now would lose data, as far as known: a late status counts. A replay can be repeated."""
        return (self.under_way or self.state == "training") and self.kind != "replay"

    @property
    def needs_processor(self) -> bool:
        """Whether checks, a recording or training are in progress, which replaying other recordings would disturb."""
        return self.at_stake or self.state == "checking"

    @property
    def can_mark(self) -> bool:
        """Whether electrodes can be marked as bad now."""
        return self.session_live and self.state in ("idle", "ready", "review") and self.supports("bad")

    @property
    def replay_paused(self) -> bool:
        """Whether a replay is paused, so that no data is expected."""
        return self.kind == "replay" and self.state == "paused"

    def supports(self, command: str) -> bool:
        """Whether the session supports a command; a session that lists no commands supports all."""
        return not self.commands or command in self.commands


def snapshot(
    now: float,
    session: SessionStatus | None,
    engine: EngineStatus | None,
    sound: Status | None,
    sound_live: bool,
    refused: str = "",
) -> Snapshot:
    """Combine the status of supervisor, engine and audio process.

    Parameters
    ----------
    now : float
        LSL time.
    session : SessionStatus or None
        Status of the supervisor, or of a replay.
    engine : EngineStatus or None
        Status of the engine.
    sound : Status or None
        Status of the audio process.
    sound_live : bool
        Whether the audio process still plays buffers.
    refused : str
        Why a status cannot be read; empty if all can.
    """
    known = Snapshot(time=now, refused=refused, records=(session, engine))
    if session is not None:
        known = _with_session(known, session, _sound(session, sound, sound_live))
    return known if engine is None else _with_engine(known, engine, () if session is None else session.bads)


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
        azimuths=session.azimuths,
        texts=session.texts,
        questions=session.questions,
        override=session.override,
        trims=session.trims,
        decoder=session.decoder,
        trained=session.trained,
        decoder_summary=session.decoder_summary,
        learning=session.learning,
        plan=session.plan,
        recording=session.recording,
        sound=sound,
        events=session.events,
        checks=session.checks,
        faults=session.faults,
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
        options=task.options,
        n_asked=task.n_asked,
        complete=task.complete,
        failure=task.failure,
        ending=task.ending,
        grows=task.recording_now,
    )


def _with_engine(known: Snapshot, engine: EngineStatus, bads: Sequence[str]) -> Snapshot:
    patterns = [one for one in bads if one not in engine.ch_names]
    marked = [one for one in engine.ch_names if one in bads or any(fnmatchcase(one, each) for each in patterns)]
    faults = {name: {MARKED, *engine.bad.get(name, "").split("+")} for name in marked}
    # A recording engine replaces the samples of marked channels by NaN.
    words = {name: "+".join(one for one in FAULTS if one in found - {NOT_FINITE}) for name, found in faults.items()}
    return replace(
        known,
        engine_age=max(0.0, known.time - engine.time),
        streams=engine.streams,
        neural=engine.neural,
        ch_names=engine.ch_names,
        ch_types=engine.ch_types,
        positions=engine.positions,
        bad=engine.bad | words,
        marked=frozenset(marked),
        impedance=engine.impedance,
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
    published = session.sound or SoundStatus(status="", pcm="", playing="", failure="", restarts=0)
    sound = Sound(
        playing=published.playing,
        failure=published.failure,
        restarts=published.restarts,
        azimuths=tuple(session.azimuths),
    )
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
        azimuths=tuple(status.azimuths[:n]) if status.acoustic_s else sound.azimuths,
        delivered_db=tuple(status.delivered_db[:n]) if status.acoustic_s else (),
        acoustic_s=status.acoustic_s,
    )

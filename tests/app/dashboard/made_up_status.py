"""Complete status records for tests, which can be changed field by field."""

from __future__ import annotations

from dataclasses import replace

from earmark.app.config.modes import Mode
from earmark.app.status import (
    DecisionCounts,
    DecisionStatus,
    EngineProcessStatus,
    EngineStatus,
    InletStatus,
    PlanStatus,
    SessionStatus,
    Span,
    State,
    TaskStatus,
    Trim,
)

TASK = TaskStatus(
    elapsed=3.0,
    seconds=300.0,
    attend="",
    next_cue_s=12.4,
    block=2,
    n_blocks=0,
    waiting="",
    question="",
    options=(),
    n_asked=0,
    complete=False,
    failure="",
    recording_now=True,
    ending=False,
)
SESSION = SessionStatus(
    time=9.9,
    beat=1,
    kind="live",
    state=State.RUNNING,
    mode=Mode.CLOSED,
    out="",
    talkers=("Joe", "Ada"),
    azimuths=(-30.0, 30.0),
    texts={"rest": "Ruhe"},
    questions=("How hard was it? 1-7",),
    muted=False,
    override=None,
    trims=(Trim(), Trim()),
    decoder=False,
    trained=False,
    decoder_summary=None,
    learning=(),
    plan=PlanStatus(n_trials=12, calibration_s=415.0, run_s=300.0),
    checks=(),
    bads=(),
    commands=(),
    events=(),
    engine=EngineProcessStatus(alive=True, pid=None, restarts=0, board=""),
    task=TASK,
    recording=None,
    sound=None,
    faults=(),
)
INLET = InletStatus("eeg", "amplifier", "eeg-laptop", "live", 500.0, 499.8, 2, 0.012, 4500, 0, 0, 0)
DECISION = DecisionStatus(3, 9.6, (0.2, 0.8), (0.1, 0.3), 1, (-9.0, 3.0), "steered")
ENGINE = EngineStatus(
    time=9.9,
    beat=1,
    neural="eeg",
    signals="",
    ch_names=("E1", "E2"),
    ch_types=("eeg", "eeg"),
    positions=(None, (0.0, 0.09, 0.01)),
    thresholds=(0.55, 0.7),
    streams=(INLET,),
    bad={},
    impedance=None,
    decision=DECISION,
    decisions=DecisionCounts(3, 0, 0, ""),
    latency=Span("latency", 0.041, 0.063, 0.09, 0.25),
    hop=Span("hop", 0.001, 0.003, 0.01, 0.02),
    n_late=0,
    stages=(Span("filter", 0.004, 0.006, 0.009),),
)


def session_status(**changes) -> SessionStatus:
    """Return the status of a running session with changes, also to fields of its task or engine."""
    for part in ("task", "engine"):
        record = getattr(SESSION, part)
        of_it = {key: changes.pop(key) for key in record.__slots__ if key in changes and key not in SESSION.__slots__}
        changes.setdefault(part, replace(record, **of_it))
    return replace(SESSION, **changes)


def engine_status(**changes) -> EngineStatus:
    """Return the status of a deciding engine with changes."""
    return replace(ENGINE, **changes)

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_status import DECISION, engine_status, session_status

from earmark.app.dashboard.data.history import SPAN_S, History
from earmark.app.dashboard.data.snapshot import snapshot
from earmark.app.dashboard.frame import format as figures
from earmark.app.dashboard.launch.sessions import board_of
from earmark.app.dashboard.panels.attention import spread_labels
from earmark.app.status import DecisionCounts, EngineStatus, SessionStatus, State, TaskStatus, Trim


def test_snapshot_without_status_is_unknown():
    now = snapshot(5.0, None, None, None, False)
    assert not now.session_live
    assert not now.engine_live
    assert not now.under_way
    assert now.decision is None
    assert now.latency is None
    assert now.recording is None
    assert math.isinf(now.session_age)


def test_session_without_task_engine_or_sound_is_not_under_way():
    said = session_status(state=State.IDLE, engine=None, task=None, sound=None)
    now = snapshot(10.0, said, None, None, False)
    assert (now.state, now.talkers, now.engine_alive, now.engine_restarts) == ("idle", ("Joe", "Ada"), True, -1)
    assert (now.block, now.question, now.under_way) == (-1, "", False)
    assert math.isnan(now.elapsed)


def test_snapshot_has_ages_and_figures_of_the_status():
    session = session_status(time=9.5, recording_now=False, override=1, trims=(Trim(-6.5, False), Trim(0.0, True)))
    engine = engine_status(
        time=8.0,
        decision=replace(DECISION, probability=(0.2, math.nan), gains=(-math.inf, 3.0)),
        decisions=DecisionCounts(3, 1, 0, "onnx"),
    )
    now = snapshot(10.0, session, engine, None, False)
    assert (now.session_age, now.engine_age) == (0.5, 2.0)
    assert now.session_live
    assert not now.engine_live
    assert now.under_way
    assert not now.recording_now
    assert now.trims == (Trim(-6.5, False), Trim(0.0, True))
    assert (now.n_decisions, now.n_dropped, now.scored_by) == (3, 1, "onnx")
    assert now.decision.probability[0] == 0.2
    assert math.isnan(now.decision.probability[1])
    assert figures.decibels(now.decision.gains[0]) == "-∞"


SAME = {
    SessionStatus: ("time", "beat", "engine", "task", "sound", "bads"),
    TaskStatus: ("recording_now",),
    EngineStatus: ("time", "beat", "signals", "decisions"),
}


@pytest.mark.parametrize("kind", SAME)
def test_every_status_field_is_in_the_snapshot_under_its_name(kind):
    """Every field of a status is in the snapshot, except those that have another form there."""
    session, engine = session_status(question="how?", attend="Ada"), engine_status(bad={"E1": "flat"})
    now = snapshot(10.0, session, engine, None, False)
    record = {SessionStatus: session, TaskStatus: session.task, EngineStatus: engine}[kind]
    for key in set(kind.__slots__) - set(SAME[kind]):
        wanted = getattr(record, key)
        assert getattr(now, key) == (frozenset(wanted) if key == "commands" else wanted), key


def test_history_keeps_a_minute_and_restarts_with_a_new_run():
    history = History()
    for n in range(300):
        engine = engine_status(decision=replace(DECISION, n=n, time=n / 2))
        session = session_status(time=n / 2, attend="ab"[n // 40 % 2])
        history.refresh(snapshot(n / 2, session, engine, None, False))
        history.refresh(snapshot(n / 2, session, engine, None, False))
    assert [one.n for one in history.decisions] == list(range(300 - round(2 * SPAN_S) - 1, 300))
    assert len(history.cues) <= SPAN_S / 20 + 2
    engine = engine_status(decision=replace(DECISION, n=0, time=150.0))
    history.refresh(snapshot(150.0, None, engine, None, False))
    assert [one.n for one in history.decisions] == [0]
    assert not history.cues, "cues of the last run"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (figures.clock(252.9), "4:12"),
        (figures.clock(math.nan), "–"),
        (figures.milliseconds(0.0412), "41"),
        (figures.milliseconds(0.0041), "4.1"),
        (figures.age(0.012), "12 ms"),
        (figures.age(250), "4 min"),
        (figures.age(math.inf), "–"),
        (figures.size(312e6), "312 MB"),
        (figures.size(41.23e9), "41.2 GB"),
        (figures.size(-1), "–"),
        (figures.hours(9.04), "9.0 h"),
        (figures.hours(240), "10 days"),
        (figures.decibels(3), "+3.0"),
        (figures.decibels(math.nan), "–"),
        (figures.percent(0.824), "82 %"),
        (figures.count(-1), "–"),
        (figures.level(1.0), 0.0),
        (figures.level(0.0), -100.0),
    ],
)
def test_format(said, wanted):
    assert said == wanted


@given(st.dictionaries(st.integers(0, 3), st.floats(0, 1)), st.floats(0.02, 0.2))
def test_labels_keep_their_distance(ends, distance):
    places = spread_labels(ends, distance)
    assert set(places) == set(ends)
    order = sorted(places, key=lambda k: places[k])
    for one, other in pairwise(order):
        assert places[other] - places[one] >= distance - 1e-9


def test_board_of_folder_without_valid_address_is_empty(tmp_path):
    from earmark.app.session.channel import ADDRESS

    assert board_of(tmp_path) == ""
    (tmp_path / ADDRESS).write_text("half of it {")
    assert board_of(tmp_path) == ""

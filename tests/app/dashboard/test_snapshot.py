import math
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.app.dashboard.data.history import SPAN_S, History
from earmark.app.dashboard.data.snapshot import Snapshot, Trim, snapshot
from earmark.app.dashboard.frame import format as figures
from earmark.app.dashboard.launch.launcher import name_stream
from earmark.app.dashboard.launch.sessions import board_of
from earmark.app.dashboard.panels.attention import apart


def test_nothing_is_known_of_empty_boards():
    now = snapshot(5.0, {}, {}, None, False)
    assert not now.session_live
    assert not now.engine_live
    assert not now.under_way
    assert now.decision is None
    assert now.latency is None
    assert now.recording is None
    assert math.isinf(now.session_age)


KEYS = [
    "time",
    "kind",
    "state",
    "mode",
    "talkers",
    "events",
    "checks",
    "recording",
    "audio",
    "engine",
    "override",
    "trims",
    "accuracy",
    "streams",
    "positions",
    "bad",
    "decision",
    "decisions",
    "latency",
    "ledger",
    "hop",
    "ch_names",
    "thresholds",
    "elapsed",
    "muted",
]
keys = st.sampled_from(KEYS)
leaves = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5))
values = st.recursive(leaves, lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=5)


@given(st.dictionaries(keys, values), st.dictionaries(keys, values))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_makes_no_sense_is_not_known(session, engine):
    assert isinstance(snapshot(1.0, session, engine, None, False), Snapshot)


def test_ages_and_figures_come_through():
    session = {"time": 9.5, "state": "running", "recording_now": False, "override": 1, "talkers": ["a", "b"]}
    session["trims"] = [{"db": -6.5, "mute": False}, {"db": None, "mute": True}]
    engine = {
        "time": 8.0,
        "decision": {"n": 3, "time": 8.0, "probability": [0.2, None], "talker": 1, "gains": [-120.0, 3.0]},
        "decisions": {"n": 3, "dropped": 1, "scored_by": "onnx"},
        "ledger": [["filter", 0.001, 0.002, None]],
    }
    now = snapshot(10.0, session, engine, None, False)
    assert now.session_live
    assert not now.engine_live
    assert now.under_way
    assert not now.recording_now
    assert now.trims == (Trim(-6.5, False), Trim(0.0, True))
    assert (now.n_decisions, now.n_dropped, now.scored_by) == (3, 1, "onnx")
    assert now.decision.probability[0] == 0.2
    assert math.isnan(now.decision.probability[1])
    assert math.isnan(now.ledger[0].max)
    assert figures.decibels(now.decision.gains[0]) == "-∞"


def test_history_keeps_a_minute_and_begins_anew_with_another_run():
    history = History()
    for n in range(300):
        board = {"decision": {"n": n, "time": n / 2, "probability": [0.5, 0.5]}}
        session = {"time": n / 2, "state": "running", "attend": "ab"[n // 40 % 2]}
        history.look(snapshot(n / 2, session, board, None, False))
        history.look(snapshot(n / 2, session, board, None, False))
    assert [one.n for one in history.decisions] == list(range(300 - round(2 * SPAN_S) - 1, 300))
    assert len(history.cues) <= SPAN_S / 20 + 2
    history.look(snapshot(150.0, {}, {"decision": {"n": 0, "time": 150.0}}, None, False))
    assert [one.n for one in history.decisions] == [0]


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
def test_figures(said, wanted):
    assert said == wanted


@given(st.dictionaries(st.integers(0, 3), st.floats(0, 1)), st.floats(0.02, 0.2))
def test_letters_stand_apart(ends, distance):
    places = apart(ends, distance)
    assert set(places) == set(ends)
    order = sorted(places, key=lambda k: places[k])
    for one, other in pairwise(order):
        assert places[other] - places[one] >= distance - 1e-9


def test_the_stream_that_was_chosen_is_the_amplifier():
    import tomllib

    from earmark.app.session.templates import SESSION

    text = SESSION.format(name="x", file="session.toml")
    for key, value in (("source_id", 'a"b\\c'), ("name", "[streams.eeg]")):
        found = tomllib.loads(name_stream(text, key, value))
        assert found["streams"]["eeg"] == {"type": "EEG", key: value}


def test_no_address_no_board(tmp_path):
    from earmark.app.session.channel import ADDRESS

    assert board_of(tmp_path) == ""
    (tmp_path / ADDRESS).write_text("half of it {")
    assert board_of(tmp_path) == ""

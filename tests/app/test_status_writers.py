"""Every writer of a status: its status is correct after a round trip over a real board."""

import json
import math
import time
import types
from dataclasses import replace

import numpy as np
import pytest
from made_up_status import engine_status

from earmark.app.bench.published_session import _engine_status, _session_status
from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Protocol
from earmark.app.config.session import ConfigError, parse_config
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.engine.inlets import StreamStatus
from earmark.app.engine.ledger import Latencies, Ledger
from earmark.app.engine.status import EngineMonitor
from earmark.app.replay.player import _mode
from earmark.app.replay.recorded_engine import RecordedInlet
from earmark.app.replay.session import ReplaySession, _as_of_now
from earmark.app.session.channel import ADDRESS
from earmark.app.session.events import SessionEvents
from earmark.app.session.supervisor import Supervisor
from earmark.app.status import (
    EngineStatus,
    PlanStatus,
    RecordingStatus,
    SessionStatus,
    State,
    StatusBoard,
    Trim,
    to_json,
    to_text,
)
from earmark.devices.files.journal import About
from earmark.devices.processes.board import Board
from earmark.devices.sources.lsl_description import describe_xml, make_info
from earmark.pipeline.stream import Decision, StreamSpec

TEXT = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "x-envelopes"
ch_type = "misc"
[streams.cues]
name = "x-cues"
[attention]
[sound]
device = "null"
publish = "x"
[[sound.talkers]]
name = "a"
source = "speech:joe"
[[sound.talkers]]
name = "b"
source = "speech:ada"
"""
PLACES = np.array([[0.0, 0.09, 0.01], [math.nan] * 3, [0.01, 0.02, 0.03]])
SPEC = StreamSpec("amplifier", 500.0, ("E1", "E2", "trigger"), ("eeg", "eeg", "trigger"), ("uV", "uV", ""), PLACES)


def over_a_board(record):
    """Return the record as another process reads it."""
    board = StatusBoard(type(record))
    reader = StatusBoard(type(record), board.name)
    board.publish(record)
    found = reader.read()
    reader.close()
    board.close()
    assert to_text(found) == to_text(record)
    return found


def engine(**changes):
    """An engine that decides, with NumPy scalars."""
    description = describe_xml(make_info(SPEC, "EEG", "x", "float32").as_xml())
    about = {
        "config": parse_config(TEXT, "test"),
        "descriptions": {"eeg": replace(description, spec=SPEC)},
        "streams": {"eeg": StreamStatus()},
        "ledger": Ledger(),
        "latency": Latencies(),
        "budget_s": None,
        "n_late": np.int64(2),
        "beat": 5,
        "bad": {"quality": {"E2": "flat"}},
        "scored_by": "",
        "decision": None,
    } | changes
    inlets = {name: RecordedInlet(one, "live") for name, one in about["descriptions"].items()}
    return types.SimpleNamespace(**about, inlets=inlets)


def test_engine_before_any_data():
    found = over_a_board(EngineMonitor(engine(), "ring", lambda: 7.0).status())
    assert (found.time, found.neural, found.signals, found.ch_names) == (7.0, "eeg", "ring", ("E1", "E2"))
    assert found.positions == ((0.0, 0.09, 0.01), None)
    settings = engine().config.attention.settings
    assert found.thresholds == (settings.leave, settings.enter)
    (stream,) = found.streams
    assert (stream.name, stream.lsl_name, stream.nominal, stream.n_channels) == ("eeg", "amplifier", 500.0, 3)
    assert math.isnan(stream.age_s)
    assert math.isnan(stream.effective)
    assert found.decision is None
    assert all(math.isnan(one.p50) and math.isnan(one.max) for one in (found.latency, found.hop, *found.stages))
    assert math.isnan(found.hop.budget)


def test_engine_with_decisions():
    decision = Decision(
        newest=9,
        time=np.float64(6.5),
        scores=np.array([math.nan, 0.2]),
        probability=np.array([0.25, 0.75]),
        talker=np.int64(1),
        gains=np.array([-math.inf, 3.0]),
        ramp_s=None,
        situation="steered",
    )
    one = engine(decision=decision)
    one.streams["eeg"].arrived(np.int64(500), 5.0)
    one.streams["eeg"].arrived(500, 6.0)
    one.streams["eeg"].missed(np.int64(3), 6.5)
    one.ledger.count()
    one.ledger.record_times(1.0, 1.25, 1.5, 2.0)
    one.ledger.add_score(True)
    found = over_a_board(EngineMonitor(one, "ring", lambda: 7.0).status())
    (stream,) = found.streams
    assert (stream.n_samples, stream.n_gaps, stream.n_missing, stream.age_s) == (1000, 1, 3, 0.5)
    assert (found.decision.n, found.decision.talker, found.decision.situation) == (1, 1, "steered")
    assert found.decision.probability == (0.25, 0.75)
    assert found.decision.gains == (-math.inf, 3.0)
    assert math.isnan(found.decision.scores[0])
    assert (found.decisions.n, found.decisions.dropped) == (1, 1)
    assert (found.latency.p50, found.latency.max) == (0.75, 0.75)
    assert [one.p50 for one in found.stages[:3]] == [0.25, 0.25, 0.5]
    assert found.n_late == 2
    assert found.bad == {"E2": "flat"}


def test_supervisor_of_a_new_session(tmp_path):
    with Supervisor(parse_config(TEXT, "test", tmp_path), tmp_path, Protocol(), "demo") as supervisor:
        supervisor.events.add("hello")
        supervisor.session.trim(1, -6.0)
        found = over_a_board(supervisor.status())
        assert (found.kind, found.state, found.talkers) == ("demo", State.IDLE, ("a", "b"))
        assert found.trims == (Trim(), Trim(-6.0))
        assert found.events[0].text == "hello"
        assert (found.engine, found.task, found.recording, found.sound) == (None, None, None, None)
        assert "mute" in found.commands
        assert found.plan == PlanStatus(n_trials=12, calibration_s=415.0, run_s=300.0)
        answer = supervisor.do_state()
        assert (answer["state"], answer["next"]) == ("idle", "Now: the demonstration goes on by itself")
        assert answer["trims"][1] == {"db": -6.0, "mute": False}
        reader = StatusBoard(SessionStatus, json.loads((tmp_path / ADDRESS).read_text())["board"])
        while (seen := reader.read()) is None or len(seen.events) < 2:
            time.sleep(0.01)
        assert seen.trims == found.trims
        reader.close()


def test_supervisor_reports_growth_of_the_recording(tmp_path):
    with Supervisor(parse_config(TEXT, "test", tmp_path), tmp_path, Protocol()) as supervisor:
        loop = types.SimpleNamespace(path=tmp_path / "loop.xdf", recording=RecordingStatus("x", 1, 10, 0, 0, ""))
        first = supervisor._recording(loop)
        assert first.bytes_per_s == 0.0
        assert first.free_bytes > 0
        loop.recording = replace(loop.recording, bytes=1010, alarm="behind")
        supervisor._disk_at -= 10.0
        later = supervisor._recording(loop)
        assert 0 < later.bytes_per_s <= 100.0
        assert (later.bytes, later.alarm) == (1010, "behind")
        loop.path = tmp_path / "gone" / "loop.xdf"
        supervisor._disk_at -= 10.0
        assert math.isnan(supervisor._recording(loop).free_bytes)


@pytest.fixture
def replay(tmp_path):
    """A replay session with a fake player; it is not started."""
    session = ReplaySession.__new__(ReplaySession)
    session.events, session._beat, session._engine = SessionEvents(), 3, types.SimpleNamespace(name="board")
    session.player = types.SimpleNamespace(
        over=False,
        clock=types.SimpleNamespace(held=True, now=12.5),
        begin=10.0,
        end=20.0,
        mode=Mode.SHAM,
        path=tmp_path / "run-1" / "loop.xdf",
        talkers=["a", "b"],
        texts={"rest": "Ruhe"},
        sound=types.SimpleNamespace(muted=True, trims=[Trim(mute=True)], audio=None, azimuths=(-30.0, 30.0)),
        engine=types.SimpleNamespace(override="equal"),
        replaced=1,
        cue=("b", None, 2),
        cues=[(11.0, "a"), (11.5, ""), (12.0, "b")],
        complete=False,
        failure="",
    )
    return session


def test_replay_status(replay, tmp_path):
    found = over_a_board(replay.status())
    assert (found.kind, found.state, found.mode, found.override) == ("replay", State.PAUSED, Mode.SHAM, "equal")
    assert (found.out, found.muted, found.trims) == (str(tmp_path.resolve()), True, (Trim(mute=True),))
    assert found.texts == {"rest": "Ruhe"}
    assert (found.task.elapsed, found.task.seconds, found.task.attend) == (2.5, 10.0, "b")
    assert (found.task.block, found.task.n_blocks, found.task.recording_now) == (2, 2, True)
    assert math.isnan(found.task.next_cue_s)
    assert (found.engine.alive, found.engine.restarts, found.engine.board) == (True, 1, "board")
    answer = replay.do_state()
    assert answer == to_json(replay.status()) | {"time": answer["time"], "next": "Next: resume the replay"}
    replay.player.over, replay.player.engine = True, None
    found = over_a_board(replay.status())
    assert (found.state, found.task.recording_now) == (State.REVIEW, False)
    assert (found.engine.alive, found.engine.board) == (False, "")


def test_replayed_decision_keeps_its_age():
    assert _as_of_now(EngineMonitor(engine(), "ring", lambda: 7.0).status()).decision is None
    decision = Decision(1, 6.5, np.zeros(2), np.full(2, 0.5), -1, np.zeros(2), None, "held")
    then = EngineMonitor(engine(decision=decision), "ring", lambda: 7.0).status()
    now = _as_of_now(then)
    assert now.time - now.decision.time == pytest.approx(0.5)
    assert now.time != then.time
    assert repr(now.streams) == repr(then.streams)
    assert isinstance(now, EngineStatus)


def test_recording_of_unknown_mode_is_refused():
    file = types.SimpleNamespace(path="loop.xdf", about=About(""))
    assert _mode(file) is Mode.CLOSED
    file.about = About("", mode="open")
    assert _mode(file) is Mode.OPEN
    file.about = About("", mode="dreamt")
    with pytest.raises(ConfigError, match="recorded in mode 'dreamt', but this version of Earmark knows open, closed"):
        _mode(file)


def test_session_of_the_window_benchmark():
    for elapsed in (0.0, 250.5):
        session = over_a_board(_session_status(3.0, elapsed, "folder", "board", "levels"))
        assert (session.kind, session.engine.board, session.sound.status) == ("demo", "board", "levels")
        shown = over_a_board(_engine_status(3.0, elapsed, 4, 500.0, "ring"))
        assert (len(shown.ch_names), len(shown.positions), shown.signals) == (4, 4, "ring")


def test_unreadable_engine_status_keeps_the_last_heartbeat(caplog):
    """The engine is then replaced like one that hangs, and the watch thread goes on."""
    loop = ClosedLoop.__new__(ClosedLoop)
    loop._board, loop._engine_status, loop._unreadable = StatusBoard(EngineStatus), None, ""
    assert loop.engine_status is None
    raw = Board(loop._board.name)
    raw.write(to_text(engine_status(beat=7)))
    assert loop.engine_status.beat == 7
    raw.write(to_text(engine_status(beat=8)).replace(b'"signals"', b'"signal"'))
    assert loop.engine_status.beat == 7
    assert loop.engine_status.beat == 7
    assert ["cannot be read (signals" in record.getMessage() for record in caplog.records] == [True], "logged once"
    raw.close()
    loop._board.close()

"""The pace of a replay: times of events, the clock that can be paused, and positions of talkers in their files."""

import math
import threading
import time

import numpy as np
import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_lines import heard

import earmark.app.replay.paced_recording
from earmark.app.replay.paced_recording import PacedClock, PacedRecording, instant
from earmark.app.replay.recorded_engine import RecordedEngine
from earmark.app.replay.sound import TalkerPositions
from earmark.devices.files import xdf
from earmark.devices.files.journal import About, AnswerLine, DecisionLine, Scores
from earmark.devices.files.session_file import Consumed, Noted, SessionFile
from earmark.devices.files.session_writer import SessionWriter
from earmark.devices.sources.lsl_description import describe_xml, make_info
from earmark.devices.sources.source import Arrival
from earmark.pipeline.attention.decoding_graph import CONTROL
from earmark.pipeline.control import Demote, Override, StreamChanged, Tick, TimedControl
from earmark.pipeline.stream import Block, Decision, Gap, StreamSpec

SPEC = StreamSpec("amp", 100.0, ("E1", "E2"), ("eeg",) * 2, ("uV",) * 2)


def recorded(path, steps):
    """Write a recording of ``steps``: a float is a tick at that time, an integer is a block of so many samples."""
    stream = describe_xml(make_info(SPEC, "EEG", "x", "float32").as_xml())
    writer = SessionWriter({"eeg": stream}, {}, About(""))
    with path.open("wb") as file:
        file.write(xdf.MAGIC + writer.headers.removeprefix(xdf.MAGIC))
        writer.begin(file.write)
        at = 0
        for step in steps:
            if isinstance(step, float):
                writer.arrival(Arrival(CONTROL, TimedControl(step, Tick()), step))
            else:
                block = Block(at, np.full((step, 2), at, np.float32))
                writer.arrival(Arrival("eeg", block, 0.0, np.arange(step) / 100.0))
                at = block.stop
        writer.end()
    return path


class Hasty(PacedClock):
    """A clock that never waits, and records the times that were waited for."""

    def __init__(self):
        super().__init__(0.0)
        self.reached = []

    def reach(self, due):
        self.reached.append(due)
        return True


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(100.0, 200.0), st.integers(1, 5)), min_size=1, max_size=30))
def test_events_keep_their_order_and_come_on_time(tmp_path_factory, steps):
    path = recorded(tmp_path_factory.mktemp("paced") / "x.xdf", steps)
    clock, passed = Hasty(), []
    paced = PacedRecording(path, clock)
    paced.passed = lambda event, at: passed.append((event, at))
    given_out = [str(event) for event in paced]
    assert given_out == [str(event) for event in SessionFile(path)], "order and content are unchanged"
    assert [str(event) for event, _ in passed] == given_out
    assert clock.reached == sorted(clock.reached)
    latest = -math.inf
    for event, at in passed:
        if (when := instant(event)) is not None:
            latest = max(latest, when)
            assert at == pytest.approx(latest), "an event with a time is due then; time never decreases"
    assert paced.whole


def test_blocks_between_two_times_are_spread_evenly(tmp_path):
    path = recorded(tmp_path / "x.xdf", [10.0, 1, 1, 1, 14.0, 2])
    clock = Hasty()
    events = list(PacedRecording(path, clock))
    assert clock.reached == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert [event.item.stop for event in events if event.stream == "eeg"] == [1, 2, 3, 5]


def test_held_clock_does_not_advance():
    clock = PacedClock(50.0)
    assert clock.held
    first = clock.now
    time.sleep(0.05)
    assert first == clock.now == 50.0
    clock.go()
    time.sleep(0.05)
    clock.hold()
    held = clock.now
    assert held > 50.0
    time.sleep(0.05)
    assert clock.now == held
    assert clock.replayed_at(held - 3.0) == pytest.approx(pylsl.local_clock() - 3.0, abs=1.0)
    clock.go()
    assert clock.now >= held
    assert clock.reach(held + 0.02)
    assert clock.now >= held + 0.01
    clock.stop.set()
    assert not clock.reach(1e9)


def test_clock_does_not_catch_up_and_skips_empty_periods(monkeypatch):
    monkeypatch.setattr(earmark.app.replay.paced_recording, "LATE_S", 0.1)
    jumps = []
    clock = PacedClock(0.0, jumps.append)
    clock.go()
    time.sleep(0.3)
    assert clock.reach(0.05)
    assert jumps[0] > 0.1
    assert clock.now < 0.2, "it does not catch up"
    assert clock.reach(1000.0), "it does not wait for an empty period"
    assert jumps[1] < -900
    assert 1000.0 - earmark.app.replay.paced_recording.SOON_S <= clock.now < 1001.0


def test_speed_scales_time_and_no_limit_waits_for_nothing():
    clock = PacedClock(0.0)
    clock.go()
    clock.set_speed(10.0)
    begun = pylsl.local_clock()
    assert clock.reach(3.0)
    slow = pylsl.local_clock() - begun
    assert slow > 0.25
    assert clock.now >= 2.9
    before = clock.now
    clock.set_speed(math.inf)
    assert clock.now >= before
    for due in (100.0, 250.0, 249.0, 1e6):
        assert clock.reach(due)
    assert clock.now == 1e6
    clock.set_speed(0.5)
    begun, at = pylsl.local_clock(), clock.now
    time.sleep(0.2)
    assert 0 < clock.now - at <= 0.5 * (pylsl.local_clock() - begun)


@pytest.mark.parametrize("held", [True, False])
def test_events_before_the_instant_that_is_sought_are_not_waited_for(held):
    jumps = []
    clock = PacedClock(0.0, jumps.append)
    if not held:
        clock.go()
    clock.seek(40.0)
    assert [clock.reach(due) for due in (10.0, 20.0, 39.9)] == [True] * 3
    assert clock.seeking
    assert jumps == []
    assert clock.now == 39.9
    if held:
        threading.Timer(0.2, clock.go).start()
    assert clock.reach(40.05)
    assert jumps == [0.0]
    assert not clock.seeking
    assert 40.0 <= clock.now < 41.0


def test_wait_ends_when_the_replay_starts_again():
    clock = PacedClock(0.0)
    threading.Timer(0.2, clock.again.set).start()
    assert not clock.reach(1e9), "although it is held"


def test_talkers_are_at_their_recorded_positions():
    start = heard("start", positions=(0, 480))
    first = heard(frame=4800, dac=100.0)
    again = heard("start", frame=96_000, dac=103.0, positions=(10, 20))
    where = TalkerPositions([start, first, start, again], 48_000)
    assert where.at(100.0) == pytest.approx([0.1, 0.11])
    assert where.at(101.0) == pytest.approx([1.1, 1.11])
    assert where.at(99.95) == pytest.approx([0.05, 0.06])
    assert where.at(99.0) == [0.0, 0.0]
    assert where.at(104.0) == pytest.approx([1 + 10 / 48_000, 1 + 20 / 48_000])
    assert TalkerPositions([start], 48_000).at(100.0) is None
    assert TalkerPositions([], 48_000).at(100.0) is None


class Recorded:
    """A recorded engine, and the decisions that it applied."""

    def __init__(self):
        from types import SimpleNamespace

        stream = describe_xml(make_info(SPEC, "EEG", "x", "float32").as_xml())
        config = SimpleNamespace(engine=SimpleNamespace(budget_s=None), attention=None)
        self.acted = []
        self.engine = RecordedEngine(config, {"eeg": stream}, lambda decision, number: self.acted.append(number))

    def decide(self, at, done, scored=True):
        p, scores = np.array([0.6, 0.4]), np.zeros(2) if scored else np.full(2, np.nan)
        self.engine.handle_output("attend", Decision(0, at, scores, p, 0, np.zeros(2), None, "steered", at - 0.1))
        line = DecisionLine(1, at, at, at + 0.01, done, scored)
        self.engine.handle_event(Noted(at + 0.02, line), at + 0.02)


def test_late_decisions_are_not_applied_and_latencies_come_from_the_journal():
    rig = Recorded()
    rig.decide(1.0, 1.02)
    rig.decide(2.0, None)
    rig.decide(3.0, 3.01, scored=False)
    ledger = rig.engine.ledger
    assert rig.acted == [1, 3]
    assert rig.engine.decision.time == 3.0
    assert (ledger.n, ledger.n_dropped) == (3, 1)
    assert ledger.latency.n == 1
    assert ledger.latency.max == pytest.approx(0.02)
    assert ledger.stages["sample to arrival"].max == pytest.approx(0.1), "not from the recorded time"
    assert rig.engine.latency.n == 0, "nothing is measured in a replay"


def test_stream_counts_and_losses_match_the_recording():
    engine = Recorded().engine
    engine.handle_event(Consumed("eeg", Block(0, np.zeros((10, 2)))), 5.0)
    engine.handle_event(Consumed("eeg", Gap(10, 14)), 5.1)
    engine.handle_event(Consumed("eeg", Block(14, np.zeros((6, 2)))), 5.2)
    one = engine.streams["eeg"]
    assert (one.n_samples, one.n_gaps, one.n_missing) == (16, 1, 4)
    assert one.effective_sfreq == pytest.approx(10 / 0.2)
    engine.handle_event(Consumed(CONTROL, TimedControl(6.0, StreamChanged(True))), 6.0)
    assert engine.inlets["eeg"].status == "lost"
    engine.handle_event(Consumed(CONTROL, TimedControl(6.5, StreamChanged(False))), 6.5)
    assert engine.inlets["eeg"].status == "live"
    for wanted in (1, "equal", None):
        engine.handle_event(Consumed(CONTROL, TimedControl(7.0, Override(wanted))), 7.0)
        assert engine.override == wanted
    for backend, n in (("onnx", 0), ("onnx", 0), ("eager_cpu", 1)):
        engine.handle_event(Noted(7.0, AnswerLine(Scores(backend, (0.1, 0.2)))), 7.0)
        assert (engine.scored_by, engine.ledger.n_demoted) == (backend, n)
    engine.handle_event(Consumed(CONTROL, TimedControl(7.0, Demote())), 7.0)
    assert (engine.scored_by, engine.ledger.n_demoted) == ("", 2)

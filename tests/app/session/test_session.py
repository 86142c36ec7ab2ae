"""The state machine of a session, with fakes around it; the tests of the commands use the real parts."""

import dataclasses
import math
import threading
import tomllib
import types
from pathlib import Path
from typing import ClassVar

import pytest
from made_up_status import INLET, engine_status, session_status

import earmark.app.session.session
import earmark.app.session.sound
import earmark.app.session.task
from earmark.app.config.array import ArrayConfig
from earmark.app.config.changes import with_attention
from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Calibration, Protocol, ProtocolError, QuestionConfig, RunPlan
from earmark.app.config.session import ConfigError, parse_config
from earmark.app.engine.status import why_unusable
from earmark.app.session.channel import ChannelError, Refused
from earmark.app.session.learning import LearningJob
from earmark.app.session.session import Session
from earmark.app.session.sound import _catch_up
from earmark.app.session.states import NEXT, SessionError
from earmark.app.session.supervisor import Supervisor
from earmark.app.session.task import SessionTask
from earmark.app.session.terminal import press, status_line
from earmark.app.session.training import TrainingError
from earmark.app.session.view import StreamView
from earmark.app.status import Check, EngineProcessStatus, EngineStatus, LearningStatus, State, StatusBoard, Trim
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.sources.lsl_search import StreamSelector
from earmark.pipeline.attention.emissions import Emissions, EmissionsError
from earmark.pipeline.control import Mute, Override, SessionChanged
from earmark.pipeline.control import Session as ControlSession

TEXT = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "x-envelopes"
ch_type = "misc"
[streams.cues]
name = "x-cues"
[attention]
boost_db = 2.0
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
LONG = Calibration(n_trials=4, trial_s=10.0, pause_s=0.0)
#: Status of an engine without problems.
GOOD = engine_status()
PAUSED, RUNNING = SessionChanged(ControlSession.PAUSED), SessionChanged(ControlSession.RUNNING)
QUICK = 0.05  # seconds, for tasks that must reach their end


class FakeAudio:
    def __init__(self, prepared, sink, on_event, heard):
        self.failure, self.playing, self.said = "", "nowhere", []

    def start(self):
        self.said.append("start")

    def stop(self):
        self.said.append("stop")

    def mute(self, on):
        self.said.append(f"mute {on}")

    def override(self, gains_db, ramp_s):
        self.said.append(("override", gains_db))

    def master(self, gain_db):
        self.said.append(("master", gain_db))

    def trim(self, trims_db, mutes):
        self.said.append(("trim", trims_db, mutes))

    def move(self, azimuths):
        self.said.append(("move", azimuths))


class FakeOutlet:
    behind_s = 0.0

    def __init__(self, *about):
        self.sent = []

    def push(self, marker):
        self.sent.append(marker.value)

    def stop(self):
        self.sent.append("stop")


class FakeLoop:
    made: ClassVar[list] = []
    refuses: Exception | None = None
    wrong = ""

    def __init__(self, config, audio, path, on_event, steer, about):
        self.config, self.path, self.steer, self.about = config, path, steer, about
        self.files, self.failure, self.told, self.engine_status, self.stopped, self.kept = [path], "", [], GOOD, 0, []
        FakeLoop.made.append(self)

    def start(self):
        if FakeLoop.refuses:
            raise FakeLoop.refuses
        self.path.write_text("recorded")

    def control(self, control):
        self.told.append(control)

    def record_event(self, text):
        self.kept.append(text)

    def stop(self):
        self.stopped += 1
        return FakeLoop.wrong


class FakeWatch:
    made: ClassVar[list] = []

    def __init__(self, job, on_point, on_failure):
        self.job, self.on_point, self.trials, self.closed = job, on_point, [], 0
        FakeWatch.made.append(self)

    def trial_ended(self, files):
        self.trials.append(files)

    def close(self):
        self.closed += 1


class Rig:
    """A session with its events and states."""

    def __init__(self, out, text=TEXT, **options):
        self.events, self.states = [], []
        config = parse_config(text, "test", out)
        self.session = Session(config, out, self.events.append, self.states.append, **options)
        self.checks = [Check("eeg", True, "fine")]
        self.meanwhile = lambda: None

    def trained(self):
        self.session.trained.mkdir(parents=True)
        return self

    def running(self, mode=Mode.CLOSED, plan=None, seconds=600.0):
        self.trained().session.check()
        self.session.run(mode, plan or RunPlan(), seconds)
        return self.session

    def calibrating(self):
        """Run a calibration to its end without training."""
        self.session.calibrate(LONG)
        self.session.task.elapsed = 1e6
        assert self.session.wait(180)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    made = []

    def make(**options):
        made.append(Rig(tmp_path / "out", **options))
        return made[-1]

    def preflight(config, decoding, audio, folder, seconds, stop, heard=True):
        assert folder.is_dir()
        made[-1].meanwhile()
        return list(made[-1].checks)

    monkeypatch.setattr(earmark.app.session.session, "preflight", preflight)
    monkeypatch.setattr(earmark.app.session.sound, "prepare", lambda scene: scene)
    monkeypatch.setattr(earmark.app.session.sound, "AudioEngine", FakeAudio)
    monkeypatch.setattr(earmark.app.session.sound, "SoundOutlets", FakeOutlet)
    monkeypatch.setattr(earmark.app.session.session, "Outlet", FakeOutlet)
    monkeypatch.setattr(earmark.app.session.session, "ClosedLoop", FakeLoop)
    monkeypatch.setattr(earmark.app.session.session, "LearningWatch", FakeWatch)
    monkeypatch.setattr(FakeWatch, "made", [])
    monkeypatch.setattr(FakeLoop, "made", [])
    monkeypatch.setattr(FakeLoop, "refuses", None)
    monkeypatch.setattr(FakeLoop, "wrong", "")
    yield make
    for one in made:
        one.session.close()


#: Facts of a decoder that is better than guessing.
WORTH = Facts(0.75, 0.5, 24, (), 40.0, Emissions(0.2, 0.0, 0.1, 0.0, 24.0))


def trained_quietly(monkeypatch, error=None, facts=WORTH):
    def train_and_save(runs, make, preset, out):
        if error:
            raise error
        out.mkdir()
        return facts

    monkeypatch.setattr("earmark.app.training.fit.train_and_save", train_and_save)
    monkeypatch.setattr("earmark.devices.files.session_run.read_session_runs", lambda *about: [])


def test_every_state_is_reachable_and_none_is_final():
    assert set(NEXT) == set(State)
    reached = {State.IDLE}
    for _ in State:
        reached |= set().union(*(NEXT[state] for state in reached))
    assert reached == set(State)
    assert all(NEXT.values())
    assert all(state not in nexts for state, nexts in NEXT.items())


@pytest.mark.parametrize("begin", State)
@pytest.mark.parametrize("to", State)
def test_transitions_follow_the_table(rig, begin, to):
    one = rig()
    one.session.state = begin
    if to in NEXT[begin]:
        one.session._set_state(to)
        assert one.session.state is to
        assert one.states == [to]
    else:
        with pytest.raises(SessionError) as caught:
            one.session._set_state(to)
        assert one.session.state is begin
        assert one.states == []
        text = str(caught.value)
        assert f"is {begin} and cannot be {to}" in text
        assert all(state in text.split("now it can be")[1] for state in NEXT[begin])
    one.session.state = State.IDLE


METHODS = {
    "check": ({State.IDLE, State.READY, State.REVIEW}, lambda s: s.check()),
    "calibrate": ({State.IDLE, State.READY, State.REVIEW}, lambda s: s.calibrate(LONG)),
    "run": ({State.IDLE, State.READY, State.REVIEW}, lambda s: s.run(Mode.CLOSED, RunPlan())),
    "pause": ({State.RUNNING}, lambda s: s.pause()),
    "resume": ({State.PAUSED}, lambda s: s.resume()),
    "override": ({State.RUNNING, State.PAUSED}, lambda s: s.override(0)),
    "refuse": ({State.READY}, lambda s: s.refuse()),
    "train": (set(), lambda s: s.train()),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("state", State)
def test_methods_are_refused_in_wrong_states(rig, state, method):
    one = rig()
    if method != "calibrate":
        one.trained()
    one.session.play()
    one.session.state, one.session.facts = state, WORTH
    allowed, call = METHODS[method]
    if state in allowed:
        call(one.session)
        assert one.session.state is not state or method == "override" or (method, state) == ("check", State.READY)
    else:
        with pytest.raises(SessionError):
            call(one.session)
        assert one.session.state is state
        assert FakeLoop.made == []
    one.session.stop()
    one.session.state = State.IDLE


def test_calibrate_train_run_review(rig, monkeypatch, tmp_path):
    one = rig()
    session = one.session
    trained_quietly(monkeypatch)
    assert not session.check()[-1].ok  # no decoder yet
    assert session.state is State.IDLE
    one.calibrating()
    assert session.state is State.CALIBRATING
    assert session.complete
    session.train()
    assert session.state is State.READY
    folder = session.run(Mode.CLOSED, RunPlan())
    assert folder == tmp_path / "out" / "run-1"
    session.pause()
    assert session.task.paused
    session.resume()
    assert not session.task.paused
    session.stop()
    assert session.state is State.REVIEW
    assert session.check()[0].ok
    assert session.run(Mode.OPEN, RunPlan()) == tmp_path / "out" / "run-2"
    audio = session.sound.audio
    session.close()
    assert one.states == [
        *("checking", "idle", "checking", "calibrating", "training", "ready", "running", "paused", "running", "review"),
        *("checking", "ready", "running", "review", "idle"),
    ]
    assert audio.said[-1] == "stop"
    assert session.sound.audio is None
    assert [loop.stopped for loop in FakeLoop.made] == [1, 1, 1]
    assert [loop.steer for loop in FakeLoop.made] == [False, True, False]
    assert not [thread for thread in threading.enumerate() if thread.name == "session"]


def test_accuracy_so_far_is_measured_at_every_cue_and_reported(rig, monkeypatch):
    one = rig()
    session = one.session
    one.calibrating()
    (watch,) = FakeWatch.made
    assert watch.job == LearningJob("eeg", "eeg", "speech", "cues", "")
    assert len(watch.trials) == len(LONG.cues(["a", "b"]))
    assert watch.trials[-1] == [session.out / "calibration-1.xdf"]
    watch.on_point(LearningStatus(4, 100.0, 48, 0.75, 0.6, 0.001, 0.019, True))
    watch.on_point(LearningStatus(5, 125.0, 60, 0.76, 0.6, 0.05, 0.07, False))
    assert [point.n_trials for point in session.learning] == [4, 5]
    assert one.events[-2:] == [
        "After 4 trials: 75 % of 48 decisions are correct (chance limit 60 % (p = 0.05)). More trials would hardly "
        "help: the last doubling added 0.1 points, at most 1.9",
        "After 5 trials: 76 % of 60 decisions are correct (chance limit 60 % (p = 0.05))",
    ]
    assert not watch.closed
    trained_quietly(monkeypatch)
    session.train()
    assert watch.closed == 1


def test_accuracy_so_far_is_of_one_calibration(rig):
    session = rig().session
    session.calibrate(LONG)
    FakeWatch.made[0].on_point(LearningStatus(4, 100.0, 48, 0.75, 0.6, 0.001, 0.019, True))
    session.stop()
    assert FakeWatch.made[0].closed == 1, "a stopped calibration is not measured"
    session.calibrate(LONG)
    assert session.learning == []
    FakeLoop.refuses = OSError("no disk")
    session.stop()
    with pytest.raises(OSError, match="no disk"):
        session.calibrate(LONG)
    assert [watch.closed for watch in FakeWatch.made] == [1, 1, 1]


def test_calibration_can_be_finished_early_and_trained_on(rig, monkeypatch):
    one = rig()
    session = one.session
    with pytest.raises(SessionError, match="nothing to finish"):
        session.finish()
    session.calibrate(Calibration(n_trials=6, trial_s=20.0, pause_s=1.0))
    task = session.task
    while task.block < 1:
        assert not task.wait(0.01)
    with pytest.raises(TrainingError, match="too early: the trials so far are 1, with 8 decision windows"):
        session.finish()
    assert "too early" in press(session, "f")
    while task.block < 3:
        task.elapsed += 0.5
        assert not task.wait(0.01)
    assert not press(session, "f"), "reported as an event"
    assert one.events[-1] == "operator: the calibration ends after this trial"
    assert not task.wait(0.3), "the trial goes on"
    assert task.status().n_blocks == 3
    task.elapsed = 62.5
    assert task.wait(180)
    assert task.complete
    assert [cue[:7] for cue in session._cues.sent] == ["attend:"] * 6
    trained_quietly(monkeypatch)
    assert session.train() is WORTH


def test_channel_marked_as_bad_is_masked_from_the_next_check_on(rig):
    one = rig()
    session = one.trained().session
    session.check()
    assert session.state is State.READY
    session.mark_bad("Cz")
    assert (session.state, session.checks) == (State.IDLE, []), "the checks were made with this channel"
    assert one.events[-1] == "operator: channel Cz is bad"
    session.mark_bad("T7")
    session.mark_bad("Cz", False)
    assert one.events[-1] == "operator: channel Cz is good again"
    with pytest.raises(SessionError, match=r"Cz is not in 'bads' of \[streams.eeg\]: the signal itself is"):
        session.mark_bad("Cz", False)
    with pytest.raises(SessionError, match=r"T7 is in 'bads' of .* already"):
        session.mark_bad("T7")
    assert session.checks == []
    session.check()
    session.run(Mode.CLOSED, RunPlan(), 600.0)
    assert FakeLoop.made[0].config.streams["eeg"].bads == ("T7",)
    assert tomllib.loads(FakeLoop.made[0].config.text)["streams"]["eeg"]["bads"] == ["T7"]
    with pytest.raises(SessionError, match="the session is running: bad channels can be changed when that has ended"):
        session.mark_bad("Cz")


def test_failed_check_prevents_start(rig):
    one = rig()
    one.checks.append(Check("electrodes", False, "all off"))
    with pytest.raises(SessionError, match="electrodes: all off"):
        one.session.calibrate(LONG)
    assert one.session.state is State.IDLE
    one.trained()
    assert [check.ok for check in one.session.check()] == [True, False]
    assert one.session.state is State.IDLE
    assert "FAILED  electrodes: all off" in one.events
    assert FakeLoop.made == []


def test_too_short_calibration_is_refused_before_it_starts(rig):
    one = rig()
    with pytest.raises(ProtocolError, match="hold 8 decision windows of 2 s"):
        one.session.calibrate(Calibration(n_trials=4, trial_s=8.0))
    one.session.calibrate(Calibration(n_trials=4, trial_s=8.3))
    one.session.stop()
    one.trained()
    with pytest.raises(SessionError, match="already exists"):
        one.session.calibrate(LONG)
    assert len(FakeLoop.made) == 1


def test_stopped_calibration_cannot_be_trained_on(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch)
    one.session.calibrate(LONG)
    with pytest.raises(SessionError, match="no complete calibration"):
        one.session.train()  # the calibration has not ended
    one.session.stop()
    assert one.session.state is State.IDLE
    assert not one.session.complete
    with pytest.raises(SessionError, match="no complete calibration"):
        one.session.train()
    one.calibrating()
    assert [loop.path.name for loop in FakeLoop.made] == ["calibration-1.xdf", "calibration-2.xdf"]
    one.session.train()
    with pytest.raises(SessionError):
        one.session.train()


def test_incomplete_recording_is_not_trained_on(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch)
    monkeypatch.setattr(FakeLoop, "wrong", "disk full")
    one.calibrating()
    assert one.session.failure == "disk full"
    assert one.session.state is State.IDLE
    assert not one.session.complete


def test_only_one_training_at_a_time(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch)

    def meanwhile(*about):
        with pytest.raises(SessionError, match="no complete calibration"):
            one.session.train()
        return []

    monkeypatch.setattr("earmark.devices.files.session_run.read_session_runs", meanwhile)
    one.calibrating()
    one.session.train()
    assert one.session.state is State.READY


def test_nothing_else_is_possible_during_training(rig, monkeypatch):
    one = rig()
    session = one.session
    trained_quietly(monkeypatch)
    refused = []

    def meanwhile(*about):
        assert session.state is State.TRAINING
        assert session.complete, "the calibration stays complete"
        for what in (session.redo, session.check, session.refuse, lambda: session.run(Mode.CLOSED, RunPlan())):
            session.trained.mkdir(exist_ok=True)
            with pytest.raises(SessionError) as caught:
                what()
            refused.append(str(caught.value))
        session.trained.rmdir()
        return []

    monkeypatch.setattr("earmark.devices.files.session_run.read_session_runs", meanwhile)
    one.calibrating()
    session.train()
    assert len(refused) == 4
    assert session.state is State.READY
    assert one.states[-3:] == ["calibrating", "training", "ready"]


def test_error_in_training_ends_the_training_state(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch, MemoryError("no room"))
    one.calibrating()
    with pytest.raises(MemoryError):
        one.session.train()
    assert one.session.state is State.IDLE


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (WORTH, "The decoder is better than guessing: 75 % of 24 decisions were correct, cross-validated (chance level "
         "50 %, chance limit 71 % (p = 0.05))."),
        (dataclasses.replace(WORTH, accuracy=0.6), "The decoder is no better than guessing: 60 % of 24"),
        (dataclasses.replace(WORTH, accuracy=1.0, n_decisions=4),
         "The decoder is no better than guessing: 100 % of 4 decisions were correct, "
         "cross-validated (chance level 50 %, too few decisions for a chance limit)"),
        (dataclasses.replace(WORTH, accuracy=math.nan, n_decisions=0), "The decoder's accuracy was not measured"),
    ],
)  # fmt: skip
def test_decoder_performance_is_reported_as_an_event(rig, monkeypatch, facts, words):
    one = rig()
    trained_quietly(monkeypatch, facts=facts)
    one.calibrating()
    one.session.train()
    assert one.events[-1].startswith(words)


def test_second_run_is_checked_first(rig, tmp_path):
    one = rig()
    session = one.running()
    session.stop()
    assert session.state is State.REVIEW
    one.states.clear()
    assert session.run(Mode.CLOSED, RunPlan()) == tmp_path / "out" / "run-2"
    assert one.states == ["checking", "ready", "running"]
    session.stop()
    one.checks.append(Check("electrodes", False, "all off"))
    with pytest.raises(SessionError, match="FAILED  electrodes: all off"):
        session.run(Mode.CLOSED, RunPlan())
    assert session.state is State.IDLE
    assert [check.what for check in session.checks] == ["eeg", "electrodes"]
    assert len(FakeLoop.made) == 2


def test_run_without_decoder_is_refused_at_once(rig):
    one = rig()
    with pytest.raises(ConfigError, match="there is no decoder"):
        one.session.run(Mode.CLOSED, RunPlan())
    assert one.states == []


def test_missing_decoder_is_to_do_and_not_wrong(rig):
    one = rig()
    checks = one.session.check()
    assert (checks[-1].ok, checks[-1].due) == (False, True)
    assert one.events[-1] == "TO DO  decoder: none yet: calibrate to make one"
    assert not [words for words in one.events if "FAILED" in words]


def test_notes_and_answers_are_reported_and_recorded(rig):
    one = rig(ask=True)
    session = one.trained().session
    session.check()
    session.run(Mode.CLOSED, RunPlan(cues=[{"at_s": 0.0, "attend": "a"}, {"at_s": 0.05, "attend": ""}],
                                     questions=["How hard was it?"]), 600.0)  # fmt: skip
    session.note("hello")
    while not session.task.question:
        assert not session.wait(0.01)
    session.task.answer("5")
    while session.task.question:
        assert not session.wait(0.01)
    for words in ("note: hello", "answer: How hard was it? 5"):
        assert words in one.events
        assert words in FakeLoop.made[0].kept
    session.stop()


def test_status_line_shows_no_alarm_while_a_task_ends(rig, monkeypatch):
    """While the recording is completed, its engine has ended as intended: no "NO ENGINE" is shown."""
    said, ended = threading.Event(), threading.Event()

    def stop(loop):
        said.set()
        assert ended.wait(180)
        return ""

    monkeypatch.setattr(FakeLoop, "stop", stop)
    session = rig().running()

    def line():
        sound = types.SimpleNamespace(gains_db=[0.0, 0.0], xruns=0)
        return status_line(session_status(task=session.task.status(), alive=False), GOOD, sound)

    try:
        assert "NO ENGINE" in line(), "shown before the end"
        session._stop.set()
        session.task._stop.set()
        assert said.wait(180)
        assert session.task.ending
        assert "NO ENGINE" not in line()
        assert "the recording is being completed" in line()
    finally:
        ended.set()
    assert session.wait(180)


def test_status_line_fits_eighty_columns_and_problems_come_first():
    def line(*, dropped=0, xruns=0, age=0.5, muted=False, state=State.RUNNING):
        status = session_status(
            elapsed=12.3, seconds=72.0, attend="Joe", next_cue_s=12.4, talkers=("Joe", "Ada"), alive=True,
            time=100.0, state=state, muted=muted,
        )  # fmt: skip
        decision = types.SimpleNamespace(probability=(0.82, 0.18), situation="steered", time=100.0 - age)
        counts = types.SimpleNamespace(n=116, dropped=dropped)
        engine = types.SimpleNamespace(decision=decision, decisions=counts, bad=())
        return status_line(status, engine, types.SimpleNamespace(gains_db=[3.0, -math.inf], xruns=xruns))

    good = line()
    assert good == "running 0:12 of 1:12 · cue Joe 12 s · Joe 82 % +3 dB, Ada 18 % -∞ dB · steered"
    assert len(good) <= 80
    assert line(state=State.PAUSED).endswith(" · steered · Next: resume the run")
    bad = "MUTED · decision 4 s old · 3 of 116 decisions late · 2 xruns · cue Joe"
    assert bad in line(dropped=3, xruns=2, age=4.2, muted=True)


def test_attend_of_the_demo_works_only_during_a_run(rig, tmp_path, monkeypatch):
    told = []
    rig()
    config = parse_config(TEXT, "test", tmp_path)
    with Supervisor(config, tmp_path / "demo", Protocol(), "demo", attend=told.append) as supervisor:
        for state in State:
            supervisor.session.state = state
            if state in (State.RUNNING, State.PAUSED):
                supervisor.do_attend("b")
                continue
            with pytest.raises(Refused, match="obey the cues" if state is State.CALIBRATING else "no run is under way"):
                supervisor.do_attend("b")
        supervisor.session.state = State.IDLE
    assert told == ["b", "b"]


@pytest.mark.parametrize("refusal", ["another session", "a file"])
def test_refused_session_leaves_nothing_that_shows_the_signal(rig, tmp_path, monkeypatch, refusal):
    monitors = []

    class FakeMonitor:
        def __init__(self, config, on_event):
            self.active, self.closed, self.process, self.ch_names = False, False, None, ()
            monitors.append(self)

        def close(self):
            self.closed = True

    rig()
    monkeypatch.setattr(earmark.app.session.session, "Monitor", FakeMonitor)
    config, folder = parse_config(TEXT, "test", tmp_path), tmp_path / "taken"
    if refusal == "a file":
        folder.touch()
        with pytest.raises(FileExistsError):
            Supervisor(config, folder, Protocol(), watch=True)
    else:
        with Supervisor(config, folder, Protocol(), watch=True):
            with pytest.raises(ChannelError, match="already under way"):
                Supervisor(config, folder, Protocol(), watch=True)
            assert [one.closed for one in monitors] == [False, True]
    assert all(one.closed for one in monitors)


def test_view_that_is_refused_leaves_no_board(monkeypatch):
    boards = []
    monkeypatch.setattr("earmark.app.session.view.StatusBoard", boards.append)
    with pytest.raises(ConfigError, match="set name, type or source_id"):
        StreamView(StreamSelector())
    assert boards == []


def test_state_says_what_comes_next_by_the_engine_that_runs_now(rig, tmp_path, monkeypatch):
    config = parse_config(TEXT, "test", tmp_path)
    board = StatusBoard(EngineStatus)
    watching = EngineProcessStatus(alive=True, pid=None, restarts=0, board=board.name)
    rig()
    monkeypatch.setattr(Session, "engine_process", property(lambda self: watching))
    with Supervisor(config, tmp_path / "alice", Protocol()) as supervisor:
        for bad, words in (({"E1": "flat"}, "Next: fit the electrodes: 1 of 2 are bad (E1)"), ({}, "Next: check")):
            board.publish(engine_status(bad=bad))
            assert supervisor.do_state()["next"].startswith(words)
        board.close()
        assert supervisor.do_state()["next"] == "Next: check everything"


def test_failed_training_reports_the_reason(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch, EmissionsError("scores are all alike"))
    one.calibrating()
    with pytest.raises(SessionError, match="scores are all alike"):
        one.session.train()
    assert one.session.state is State.IDLE


def test_refuse_deletes_the_decoder_and_keeps_the_recording(rig, monkeypatch):
    one = rig()
    trained_quietly(monkeypatch)
    one.calibrating()
    one.session.train()
    one.session.refuse()
    assert one.session.state is State.IDLE
    assert not one.session.trained.exists()
    assert (one.session.out / "calibration-1.xdf").exists()
    assert one.session.facts is None


def test_refuse_does_not_delete_a_decoder_of_an_earlier_session(rig):
    one = rig().trained()
    one.session.check()
    with pytest.raises(SessionError, match="this session has trained no decoder"):
        one.session.refuse()
    assert one.session.trained.exists()
    assert one.session.state is State.READY


@pytest.mark.parametrize("method", ["calibrate", "run"])
def test_stop_during_the_checks_records_nothing(rig, method):
    one = rig()
    if method == "run":
        one.trained()
    one.meanwhile = one.session.stop
    with pytest.raises(SessionError, match="stopped before anything was recorded"):
        METHODS[method][1](one.session)
    assert one.session.state is (State.READY if method == "run" else State.IDLE)
    assert not FakeLoop.made
    one.meanwhile = lambda: None
    METHODS[method][1](one.session)
    assert FakeLoop.made


def test_end_of_an_audible_cue_does_not_end_a_later_override(rig):
    sound = rig().session.sound
    sound.play()
    for override in (False, True):
        sound.announce("a", 0.01)
        timer = sound._announced
        if override:
            sound.override([3.0, 3.0], 0.1)
        if timer is not None:
            timer.join()
        assert sound.audio.said[-1] == ("override", [3.0, 3.0] if override else None)


def test_session_recovers_after_loop_fails_to_start(rig):
    one = rig()
    FakeLoop.refuses = ConfigError("no")
    with pytest.raises(ConfigError):
        one.session.calibrate(LONG)
    assert one.session.state is State.IDLE
    one.trained().session.check()
    with pytest.raises(ConfigError):
        one.session.run(Mode.CLOSED, RunPlan())
    assert one.session.state is State.REVIEW
    FakeLoop.refuses = None
    one.session.check()
    one.session.run(Mode.CLOSED, RunPlan())


def test_mode_of_a_run_is_recorded(rig):
    one = rig().trained()
    for mode in Mode:
        one.session.check()
        one.session.run(mode, RunPlan(), 600.0)
        one.session.stop()
    loops = dict(zip(Mode, FakeLoop.made, strict=True))
    assert [loop.about.mode for loop in FakeLoop.made] == ["open", "closed", "sham"]
    assert [loop.steer for loop in loops.values()] == [False, True, True]
    assert [loop.config.attention.settings.sham for loop in loops.values()] == [False, False, True]
    for loop in FakeLoop.made:
        assert parse_config(loop.config.text, "again", loop.config.folder) == loop.config
        assert loop.config.decoder == one.session.trained
        assert loop.config.attention.settings.boost_db == 2.0


def test_commands_of_the_operator_reach_the_graph(rig):
    one = rig()
    session = one.running()
    session.override(1)
    session.override("equal")
    session.override(None)
    session.pause()
    session.override(0)
    session.resume()
    session.mute()
    session.mute(False)
    with pytest.raises(SessionError, match=r"no talker 2; choose from 0 \(a\), 1 \(b\)"):
        session.override(2)
    assert FakeLoop.made[0].told == [
        *(Override(1), Override("equal"), Override(None)),
        *(PAUSED, Override(0), RUNNING),
        *(Mute(True), Mute(False)),
    ]
    assert session.sound.audio.said[-2:] == ["mute True", "mute False"]


def test_override_is_refused_in_open_runs(rig):
    session = rig().running(Mode.OPEN)
    with pytest.raises(SessionError, match="nothing is steered"):
        session.override(0)


def test_mute_works_in_every_state_and_persists(rig):
    one = rig()
    one.session.mute()
    session = one.running()
    assert "mute True" in session.sound.audio.said
    assert FakeLoop.made[0].told == [Mute(True)]
    for state in State:
        session.state = state
        session.mute(state is State.READY)
        assert session.sound.audio.said[-1] == f"mute {state is State.READY}"
    session.state = State.RUNNING


def test_streams_follow_the_sound_before_their_rate_is_measured():
    late = [0.1, 1.0, 3.0]

    class Outlets:
        behind_s = property(lambda self: late.pop())

    _catch_up(Outlets())
    assert not late


def test_mute_works_while_the_streams_are_waited_for(rig, monkeypatch):
    session = rig().session
    session.mute()

    def waiting(outlets):
        assert session.sound.audio.said[:2] == ["start", "mute True"], "muted before anything is waited for"
        muting = threading.Thread(target=session.sound.mute, args=(False,))
        muting.start()
        muting.join(20)
        assert not muting.is_alive()

    monkeypatch.setattr(earmark.app.session.sound, "_catch_up", waiting)
    session.sound.play()
    assert session.sound.audio.said[-1] == "mute False"


def test_only_talkers_of_a_mixture_are_placed(rig):
    with pytest.raises(SessionError, match="only those of an array move"):
        rig().session.place(0, -30.0)


def test_place_is_looked_for_in_every_state_persists_and_is_recorded(rig):
    one = rig()
    sound = one.session.config.sound
    sound._array = ArrayConfig(preset="ears2", microphones="lsl:mics")
    for k, talker in enumerate(sound.talkers):
        sound.talkers[k] = talker.model_copy(update={"source": f"place:{k + 1}"})
    one.session.place(0, -30.0)
    session = one.running()
    audio, loop = session.sound.audio, FakeLoop.made[0]
    assert ("move", session.sound.azimuths) in audio.said, "from the start on"
    assert session.sound.azimuths[0] == -30.0
    session.place(0, -30.0)
    assert audio.said[-1] != audio.said[-2], "looked for there again, although the number is the same"
    assert audio.said[-1][1][0] == pytest.approx(-30.0)
    assert loop.kept[-1] == f"operator: {session.talkers[0]} is at -30 degrees"
    with pytest.raises(SessionError, match="from -90 to 90 degrees: 120 is beyond"):
        session.place(1, 120.0)


def test_trims_work_in_every_state_persist_and_are_recorded(rig):
    one = rig()
    one.session.trim(1, -6.0)
    session = one.running()
    audio, loop = session.sound.audio, FakeLoop.made[0]
    assert ("trim", [0.0, -6.0], [False, False]) in audio.said, "from the start on"
    assert loop.kept == ["trim: b -6 dB, already active"]
    for state in State:
        session.state = state
        session.trim(0, mute=True)
        assert audio.said[-1] == ("trim", [0.0, -6.0], [True, False])
        session.trim(0, -3.5)
        session.trim(0, mute=False)
        assert audio.said[-1] == ("trim", [-3.5, -6.0], [False, False])
        session.trim(0, 0.0)
    session.state = State.RUNNING
    assert loop.kept[1:5] == ["trim: a muted", "trim: a muted", "trim: a -3.5 dB", "trim: a 0 dB"]
    assert loop.told == [], "not sent to the graph"
    session.override(1)
    assert session.sound.trims == [Trim(), Trim(-6.0)]
    before = len(loop.kept)
    session.trim(1, -6.0)
    assert len(loop.kept) == before, "no event without a change"


def test_sound_settings_persist_in_a_new_audio_engine(rig):
    session = rig().running()
    session.mute()
    session.sound.master(-9.0)
    session.trim(0, -2.0, True)
    session.sound.audio.failure = "SOUND HAS ENDED"
    again = session.play()
    assert {"mute True", ("master", -9.0)} <= {one for one in again.said if isinstance(one, str) or one[0] == "master"}
    assert again.said[-1] == ("trim", [-2.0, 0.0], [True, False])
    session.mute(False)


def test_keys_of_a_run(rig):
    one = rig()
    session = one.running()
    assert not any(press(session, key) for key in "2m0dppx3"), "actions are reported as events"
    assert one.events[-6:] == [
        "operator: b",
        "MUTED",
        "operator: all equal",
        "operator: follow decisions",
        "paused: the mix is neutral",
        "resumed",
    ]
    assert FakeLoop.made[0].told == [Override(1), Mute(True), Override("equal"), Override(None), PAUSED, RUNNING]
    assert press(session, "q")
    assert session.state is State.REVIEW
    assert "cannot be paused" in press(session, "p")


def task(questions=(), cues=(), seconds=QUICK):
    loop, outlet, ended, events = FakeLoop(None, None, Path("x"), None, True, {}), FakeOutlet(), [], []
    asked = [QuestionConfig(text=text) for text in questions]
    return SessionTask(loop, list(cues), seconds, asked, outlet, events.append, ended.append), loop, outlet, ended


def test_task_that_has_not_started_has_not_ended():
    one, _, _, ended = task(cues=[(0.0, "a")])
    assert not one.wait(0), "the status board may ask before the start"
    one.stop()
    assert ended == []
    one.start()
    assert one.wait(180)


def test_cues_are_given_in_order_and_on_end_follows_the_recording():
    cues = [(0.0, "a"), (0.02, ""), (0.04, "b"), (0.3, "never")]
    one, loop, outlet, ended = task(cues=cues)
    one.start()
    assert one.wait(180)
    assert outlet.sent == ["attend:a", "attend:", "attend:b", "attend:"]
    assert one.complete
    assert ended == [one]
    assert loop.stopped == 1


def test_pause_stops_the_clock():
    one, _, outlet, _ = task(cues=[(0.02, "a")])
    one.paused = True
    one.start()
    assert not one.wait(0.6)
    assert outlet.sent == []
    one.paused = False
    assert one.wait(180)
    assert outlet.sent == ["attend:a", "attend:"]


def test_questions_wait_for_answers_after_each_trial():
    one, _, outlet, _ = task(["How?", "Why?"], [(0.0, "a"), (0.01, ""), (0.02, "b")])
    one.answer("nobody asked")
    one.start()
    asked = []
    while not one.wait(0.01):
        if one.question and (not asked or one.question != asked[-1]):
            asked.append(one.question)
            one.answer(f"answer {len(asked)}")
    assert asked == ["How?", "Why?", "How?", "Why?"]
    assert outlet.sent == [
        *("attend:a", "attend:", "answer:How?: answer 1", "answer:Why?: answer 2"),
        *("attend:b", "attend:", "answer:How?: answer 3", "answer:Why?: answer 4"),
    ]
    assert one.complete


def test_first_answer_counts_and_another_one_is_refused():
    one, loop, outlet, _ = task(["How? 1-3", "Why?"], [(0.0, "a"), (0.01, "")])
    assert one.answer("nobody asked") == "there is no question to answer now"
    one.start()
    while not one.question:
        assert not one.wait(0.01)
    assert one.options == ("1", "2", "3")
    status = one.status()
    assert (status.question, status.options, status.n_asked) == ("How? 1-3", ("1", "2", "3"), 1)
    first = [one.answer("2", "participant", 1), one.answer("3", "operator", 1), one.answer("1", "participant", 1)]
    while one.question != "Why?":
        assert not one.wait(0.01)
    late = one.answer("3", "participant", 1)
    assert one.answer("because", "operator", 2) == ""
    assert one.wait(180)
    assert first[0] == ""
    for refused in (*first[1:], late):
        assert refused == "this question was answered already, or its recording has ended: the first answer counts"
    assert outlet.sent[2:] == ["answer:How? 1-3: 2", "answer:Why?: because"], "markers are as they were"
    assert [words for words in loop.kept if words.startswith("answer:")] == [
        "answer: How? 1-3 2 (participant)",
        "answer: Why? because",
    ]


def test_stop_works_during_a_question():
    one, _, outlet, _ = task(["How?"], [(0.0, "a"), (0.01, "")])
    one.start()
    while not one.question:
        assert not one.wait(0.05)
    one.stop()
    assert not one.complete
    assert one.question == ""
    assert outlet.sent == ["attend:a", "attend:"]


def test_discarded_trial_is_repeated_at_the_end():
    one, _, outlet, _ = task(cues=[(0.0, "a"), (5.0, ""), (6.0, "b"), (6.2, "")], seconds=6.2)
    one.start()
    while one.block < 1:
        assert not one.wait(0.01)
    one.elapsed = 2.0  # in the middle of the first trial
    assert one.redo()
    while len(outlet.sent) < 3:
        assert not one.wait(0.01)
    assert outlet.sent == ["attend:a", "discard:", "attend:"]
    assert one.elapsed < 3.0, "the rest of the trial is skipped"
    one.elapsed += 1.0
    while one.block < 2:
        one.elapsed += 0.2
        one.wait(0.02)
    one.elapsed = one.seconds
    assert one.wait(180)
    assert outlet.sent == ["attend:a", "discard:", "attend:", "attend:b", "attend:", "attend:a", "attend:"]
    assert one.block == one.n_blocks == 2
    assert one.complete


def test_last_trial_can_be_repeated_only_once():
    one, _, outlet, _ = task(cues=[(0.0, "a"), (0.1, ""), (9.0, "b"), (9.1, "")], seconds=9.1)
    assert not one.redo(), "no trial has started yet"
    one.start()
    while len(outlet.sent) < 2:
        assert not one.wait(0.01)
    assert one.redo()
    while len(outlet.sent) < 3:
        assert not one.wait(0.01)
    assert not one.redo()
    one.elapsed = 9.0
    assert one.wait(180)
    assert outlet.sent == ["attend:a", "attend:", "discard:", "attend:b", "attend:", "attend:a", "attend:"]


@pytest.mark.parametrize("waiting", [False, True])
def test_finish_between_trials_ends_at_once(waiting):
    one, _, outlet, _ = task(cues=[(0.0, "a"), (0.1, ""), (9.0, "b"), (9.1, "")], seconds=9.1)
    one.start()
    while len(outlet.sent) < 2:
        assert not one.wait(0.01)
    if waiting:
        one._gate, one.elapsed = lambda: "no signal", 9.0
        while not one.waiting:
            assert not one.wait(0.01)
    one.finish()
    assert one.wait(180)
    assert one.complete
    assert outlet.sent == ["attend:a", "attend:"]
    assert one.block == one.n_blocks == 1


def test_finish_drops_repeats_and_counts_only_trials_that_are_kept():
    one, _, outlet, _ = task(cues=[(0.0, "a"), (0.1, ""), (9.0, "b"), (9.1, "")], seconds=9.1)
    one.start()
    while len(outlet.sent) < 2:
        assert not one.wait(0.01)
    assert [trial.name for trial in one.trials] == ["a"]
    one.redo()
    while one.trials:
        assert not one.wait(0.01)
    one.finish()
    assert one.wait(180)
    assert one.complete
    assert outlet.sent == ["attend:a", "attend:", "discard:"]


def test_trials_wait_for_signals_and_are_repeated_after_bad_ones(monkeypatch):
    monkeypatch.setattr(earmark.app.session.task, "PATIENCE_S", 0.1)
    why = ["no signal"]
    one, _, outlet, _ = task(cues=[(0.0, "a"), (0.5, "")], seconds=0.5)
    one._gate = lambda: why[0]
    one.start()
    assert not one.wait(0.4)
    assert outlet.sent == []
    assert one.waiting == "no signal"
    assert one.elapsed < 0.2, "elapsed time is paused"
    why[0] = ""
    while not outlet.sent:
        assert not one.wait(0.01)
    why[0] = "bad channels"
    while "discard:" not in outlet.sent:
        assert not one.wait(0.01)
    why[0] = ""
    assert one.wait(180)
    assert outlet.sent == ["attend:a", "discard:", "attend:", "attend:a", "attend:"]
    assert one.complete


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"streams": ()}, "no engine"),
        ({"streams": (dataclasses.replace(INLET, status="lost"),)}, "is lost"),
        ({"bad": {"E1": "flat", "E2": ""}}, "2 of 2 channels"),
        ({"bad": {"E1": "flat"}}, ""),
        ({}, ""),
    ],
)
def test_reasons_for_unusable_signals(change, words):
    found = why_unusable(engine_status(**change), "eeg")
    assert words in found
    assert bool(found) == bool(words)


def test_cue_plays_talker_alone_and_override_acts_at_once(rig):
    one = rig()
    one.session.calibrate(LONG)
    audio, told = one.session.sound.audio, [("override", [0.0, -math.inf]), ("override", [-math.inf, 0.0])]
    while not any(words in told for words in audio.said):
        one.session.wait(0.01)
    while ("override", None) not in audio.said:
        one.session.wait(0.01)
    one.session.stop()
    session = rig().running()
    session.override(1)
    assert session.sound.audio.said[-1] == ("override", [-9.0, 2.0])
    assert session.overridden == 1
    session.override("equal")
    assert session.sound.audio.said[-1] == ("override", [0.0, 0.0])
    session.override(None)
    assert session.sound.audio.said[-1] == ("override", None)


def test_failed_graph_ends_the_run(rig, monkeypatch):
    session = rig().running()
    monkeypatch.setattr(FakeLoop, "wrong", "the graph failed: no")
    FakeLoop.made[0].failure = "the graph failed: no"
    assert session.wait(180)
    assert session.failure == "the graph failed: no"
    assert session.state is State.REVIEW
    assert not session.complete


def test_incomplete_configuration_is_refused(tmp_path):
    for gone, words in (("[attention]\nboost_db = 2.0", "attention"), ("[streams.cues]\nname", "streams.cues")):
        text = TEXT.replace(gone, "[streams.other]\nname" if "cues" in gone else "")
        if "attention" in gone:
            text += '[[nodes]]\ntype = "reblock"\n'
        with pytest.raises(ConfigError, match=words):
            Session(parse_config(text, "x"), tmp_path)
    with pytest.raises(ConfigError, match="--mode sham"):
        Session(parse_config(TEXT.replace("boost_db = 2.0", "sham = true"), "x"), tmp_path)
    with pytest.raises(ConfigError, match="needs a name"):
        Session(parse_config(TEXT.replace('name = "x-cues"', 'type = "Markers"'), "x"), tmp_path)


def test_with_attention_changes_only_the_attention_table():
    text = TEXT + '[engine]\nmax_lag_s = 2.0\n# decoder = "no"\n'
    config = parse_config(text, "x", Path("f"))
    changed = with_attention(config, {"decoder": 'a "b"', "sham": True})
    assert changed.attention.decoder == 'a "b"'
    assert changed.attention.settings == dataclasses.replace(config.attention.settings, sham=True)
    assert (changed.streams, changed.engine, changed.sound) == (config.streams, config.engine, config.sound)
    assert changed.decoder == Path("f", 'a "b"')
    assert changed.text.count("decoder") == 2
    again = with_attention(changed, {"decoder": None})
    assert "decoder" not in tomllib.loads(again.text)["attention"]
    assert again.attention.settings.sham
    inline = TEXT.replace("[attention]\nboost_db = 2.0", "").replace(
        "[streams.eeg]", "attention = {boost_db = 2.0} # mine\n[streams.eeg]"
    )
    changed = with_attention(parse_config(inline, "x"), {"sham": True})
    assert changed.attention.settings.sham
    assert (changed.attention.settings.boost_db, "# mine" in changed.text) == (2.0, True)

"""The commands new, calibrate, run, report, replay, serve and control, with a simulated listener."""

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import tomllib
import uuid
from pathlib import Path

import numpy as np
import pylsl
import pytest
from rig import ENV, replayed
from sound_scenes import running, wait_until
from too_busy import Queueing

from earmark.app.engine.events_file import read_events
from earmark.app.session.channel import ADDRESS, ChannelError, Client, is_served
from earmark.app.session.learning import LearningJob, LearningWatch, measure_files
from earmark.app.status import EngineStatus, SessionStatus, StatusBoard
from earmark.app.training.study import read_recording
from earmark.devices.audio.control_block import Seqlock, Status
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.processes.signal_ring import SignalReader
from earmark.devices.simulate.listener import PRESETS
from earmark.devices.simulate.live import ListenerProcess, LiveConfig
from earmark.devices.sources.lsl import Outlet
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.gain_control import Situation
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.stream import Block, ClockMap, Decision, Marker, StreamSpec

PROTOCOL = """
[calibration]
n_trials = 4
trial_s = 8.8
pause_s = 0.5
seed = 3
[run]
seconds = 20.0
[[run.cues]]
at_s = 0.0
attend = "Ada"
"""
#: Easier than any real listener, so that half a minute of calibration is enough.
CLEAR = dataclasses.replace(PRESETS["easy"], response_uv=12.0, ignored=0.1, wandering=0.0)


def earmark(*arguments):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=600, check=False)


def new_session(folder, source_id):
    """Create a session by 'earmark new', without a sound device and for one amplifier only."""
    done = earmark("new", folder)
    assert done.returncode == 0, done.stderr
    path = folder / "session.toml"
    text = path.read_text().replace('type = "EEG"', f'source_id = "{source_id}"').replace('"default"', '"null"')
    path.write_text(text + "\n[engine]\nresolve_s = 15\n")
    (folder / "protocol.toml").write_text(PROTOCOL)
    return path


@pytest.fixture(scope="module")
def listener():
    name = f"test-{uuid.uuid4().hex[:12]}"
    config = LiveConfig(
        ("Joe", "Ada"), f"{name}-envelopes", f"{name}-cues", source_id=f"{name}-eeg", listener=CLEAR,
        delivery_s=0.12,
    )  # fmt: skip
    person = ListenerProcess(config)
    yield name
    person.stop()


@pytest.fixture(scope="module")
def calibrated(listener, tmp_path_factory):
    path = new_session(tmp_path_factory.mktemp("session") / listener, f"{listener}-eeg")
    done = earmark("calibrate", path)
    assert done.returncode == 0, done.stdout + done.stderr
    return path, done.stdout


def cues(path):
    items = [e.item for e in SessionFile(path) if isinstance(e, Consumed) and e.stream == "cues"]
    return [item.value for item in items if isinstance(item, Marker)]


def steered(path):
    """Return the decisions of a recording that steered towards a talker."""
    decisions = [item for item in replayed(path)["attend"] if isinstance(item, Decision)]
    return [one for one in decisions if one.situation == Situation.STEERED and one.talker >= 0]


def test_calibration_gives_a_decoder_with_its_accuracy(calibrated):
    path, output = calibrated
    given = [cue for cue in cues(path.parent / "calibration-1.xdf") if cue != "attend:"]
    assert sorted(given) == ["attend:Ada"] * 2 + ["attend:Joe"] * 2
    assert {p.name for p in (path.parent / "decoder").iterdir()} == {"decoder.toml", "weights.safetensors"}
    accuracy, n = re.search(r"one run out\): ([\d.]+) % of (\d+) decisions", output).groups()
    assert int(n) >= 10
    assert 0 <= float(accuracy) <= 100
    assert f": earmark run {path}" in output
    assert re.search(r"Next: (run \(20 s\)|discard)", output)
    assert "FAILED" not in output
    about = SessionFile(path.parent / "calibration-1.xdf").about
    assert (about.mode, about.subject) == ("calibration", path.parent.name)
    assert about.protocol["seed"] == 3


def test_without_a_sound_device_everything_else_is_checked(listener, tmp_path):
    path = new_session(tmp_path / "unheard", f"{listener}-eeg")
    path.write_text(path.read_text().replace('"null"', '"no such card"'))
    done = earmark("calibrate", path)
    assert done.returncode == 1
    for check in ("ok +eeg", "(ok|FAILED) +electrodes", "ok +disk", "ok +shared memory", "FAILED +sound"):
        assert re.search(rf"{check}: ", done.stdout), f"{check}: {done.stdout}"
    assert "no such card" in done.stdout
    assert not list(path.parent.glob("calibration-*"))


def test_exported_calibration_is_the_same_runs(calibrated, tmp_path):
    path, _ = calibrated
    done = earmark("export", "bids", path.parent, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    one = read_recording(path.parent / "calibration-1.xdf", EEG)
    other = read_recording(next((tmp_path / "out").rglob("*_task-calibration_run-01_eeg.vhdr")), EEG)
    assert len(one) == len(other) == 4
    for a, b in zip(one, other, strict=True):
        n = len(a.neural)
        np.testing.assert_array_equal(a.neural, b.neural[:n])
        np.testing.assert_array_equal(a.attended, b.attended[:n])
        np.testing.assert_allclose(a.talkers, b.talkers[:, :n], atol=0.01 * np.abs(a.talkers).max())


def test_accuracy_so_far_is_measured_from_the_recording(calibrated):
    path, _ = calibrated
    file = path.parent / "calibration-1.xdf"
    job = LearningJob("eeg", "eeg", "speech", "cues", "")
    found = measure_files([file], job)
    facts = tomllib.loads((path.parent / "decoder" / "decoder.toml").read_text())["facts"]
    assert (found.n_trials, found.n) == (4, facts["n_decisions"])
    assert found.accuracy == pytest.approx(facts["accuracy"]), "4 trials: each was held out, as for the decoder"
    points, failures = [], []
    watch = LearningWatch(job, points.append, failures.append)
    try:
        for _ in range(3):
            watch.trial_ended([file])
        busy = Queueing(watch._process.pid)
        with busy.excuses():  # its priority is the lowest
            wait_until(lambda: points)
        assert all(repr(point) == repr(found) for point in points)
        watch._process.kill()
        watch._process.join()
        watch.trial_ended([file])
        wait_until(lambda: failures)
        assert failures == ["The accuracy so far is not measured any more: its process ended unexpectedly"]
    finally:
        watch.close()
    assert watch._process.exitcode is not None


def test_process_that_measures_ends_with_the_watch_and_reports_nothing_about_unusable_files(tmp_path):
    (tmp_path / "calibration-1.xdf").write_text("not a recording")
    points, failures = [], []
    watch = LearningWatch(LearningJob("eeg", "eeg", "speech", "cues", ""), points.append, failures.append)
    watch.trial_ended([tmp_path / "calibration-1.xdf"])
    watch.trial_ended([tmp_path / "missing.xdf"])
    time.sleep(0.2)
    watch.close()
    assert watch._process.exitcode is not None
    assert not watch._thread.is_alive()
    assert (points, failures) == ([], [])


def test_decoder_is_not_overwritten(calibrated):
    path, _ = calibrated
    before = (path.parent / "decoder" / "decoder.toml").read_bytes()
    done = earmark("calibrate", path)
    assert done.returncode == 1
    assert "already exists" in done.stderr
    assert (path.parent / "decoder" / "decoder.toml").read_bytes() == before


def test_closed_loop_is_recorded_reported_and_replayed(calibrated):
    path, _ = calibrated
    done = earmark("run", path, "--headless")
    assert done.returncode == 0, done.stdout + done.stderr
    place = re.search(r"Wrote (\S+)report\.html", done.stdout).group(1)
    page = path.parent.joinpath(place, "report.html")
    assert "closed loop: decisions set gains" in page.read_text()
    recording = page.with_name("loop.xdf")
    assert "identical" in earmark("replay", recording, "--verify").stdout
    assert [cue for cue in cues(recording) if cue != "attend:"] == ["attend:Ada"]
    found = steered(recording)
    assert found
    assert any(one.gains.max() > one.gains.min() for one in found)
    for one in found:
        assert one.gains.argmax() == one.talker or one.gains.max() == one.gains.min()


def test_sham_favours_the_other_talker_and_ctrl_c_leaves_a_complete_recording(calibrated):
    path, _ = calibrated
    command = [sys.executable, "-m", "earmark.app.cli", "run", str(path), "--mode", "sham", "--seconds", "600"]
    process = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "Cue: attend" in line:
                break
        time.sleep(11)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=600)[0]
    finally:
        process.kill()
    assert process.returncode == 0, said
    page = path.parent.joinpath(re.search(r"Wrote (\S+report\.html)", said).group(1))
    assert "SHAM" in page.read_text()
    recording = page.with_name("loop.xdf")
    file = SessionFile(recording)
    found = steered(recording)
    assert file.about.mode == "sham"
    list(file)
    assert file.whole
    assert found
    assert any(one.gains.max() > one.gains.min() for one in found)
    for one in found:
        assert one.gains.argmax() != one.talker or one.gains.max() == one.gains.min()


def on_a_terminal(command):
    """Run a command on a terminal of 200 columns until it ends; return its output."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    process = subprocess.Popen(command, env=ENV | {"TERM": "xterm"}, stdin=there, stdout=there, stderr=there,
                               start_new_session=True)  # fmt: skip
    os.close(there)
    said = b""
    try:
        with contextlib.suppress(OSError):  # raised when the other end of the terminal is closed
            while piece := os.read(here, 4096):
                said += piece
        assert process.wait(600) == 0, said.decode()
    finally:
        process.kill()
        process.wait()
        os.close(here)
    return said.decode()


def test_end_of_a_run_is_not_shown_as_a_fault_on_a_terminal(calibrated):
    path, _ = calibrated
    said = on_a_terminal([sys.executable, "-m", "earmark.app.cli", "run", str(path), "--seconds", "12"])
    assert "running 0:0" in said, "the status line was printed"
    assert "ending: the recording is being completed" in said
    assert "NO ENGINE" not in said
    assert "chance limit" in said
    assert re.search(r"ok\s+decoder: .* fits\. The decoder is (no )?better than guessing", said)


def test_closed_terminal_ends_a_run_normally_with_a_report(calibrated):
    path, _ = calibrated
    before = set(path.parent.glob("run-*"))
    here, there = pty.openpty()
    command = [sys.executable, "-m", "earmark.app.cli", "run", str(path), "--seconds", "600"]
    process = subprocess.Popen(
        command, env=ENV, stdin=there, stdout=there, stderr=there, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - this process has one thread
    )  # fmt: skip
    os.close(there)
    said = b""
    try:
        while b"Cue: attend" not in said:
            said += os.read(here, 4096)
        end = time.monotonic() + 11
        while time.monotonic() < end:
            said += os.read(here, 4096)
        os.close(here)
        assert process.wait(600) == 0, said.decode()
    finally:
        process.kill()
        process.wait()
    (place,) = set(path.parent.glob("run-*")) - before
    assert (place / "report.html").exists()
    file = SessionFile(place / "loop.xdf")
    list(file)
    assert file.whole


@contextlib.contextmanager
def amplifier(source_id, names):
    """Send from an amplifier other than the calibrated one."""
    spec = StreamSpec("other", 250.0, names, ("eeg",) * len(names), ("uV",) * len(names))
    outlet = Outlet(spec, "EEG", source_id)
    stop = threading.Event()

    def send():
        rng, index = np.random.default_rng(0), 0
        outlet.push(ClockMap(0.0, pylsl.local_clock(), 1 / 250))
        while not stop.wait(0.02):
            outlet.push(Block(index, rng.normal(size=(5, len(names))) @ np.ones((len(names),) * 2)))
            index += 5

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_channels_that_differ_from_the_decoders_are_named(calibrated, tmp_path):
    path, _ = calibrated
    other = f"test-{uuid.uuid4().hex[:12]}"
    session = new_session(tmp_path / other, other)
    session.write_text(session.read_text().replace("[attention]", f'[attention]\ndecoder = "{path.parent}/decoder"'))
    with amplifier(other, ("Fp1", "Cz", "XX9")):
        done = earmark("run", session)
    assert done.returncode == 1
    assert "channels the decoder does not know: XX9" in done.stdout
    assert "channels missing: " in done.stdout
    assert "FAILED" in done.stderr
    assert not list(tmp_path.glob("*/run-*"))


def test_missing_requirements_are_named(tmp_path):
    name = f"test-{uuid.uuid4().hex[:12]}"
    path = new_session(tmp_path / name, f"{name}-eeg")
    done = earmark("run", path)
    assert done.returncode == 1
    assert f"earmark calibrate {path}" in done.stderr
    text = path.read_text().replace("resolve_s = 15", "resolve_s = 1")
    path.write_text(text)
    done = earmark("calibrate", path)
    assert done.returncode == 1
    assert "no LSL stream with" in done.stderr
    assert f"{name}-eeg" in done.stderr
    path.write_text(text.replace('"null"', '"no such device"'))
    done = earmark("calibrate", path)
    assert done.returncode == 1
    assert "no such device" in done.stderr
    assert "earmark devices" in done.stderr
    protocol = path.parent / "protocol.toml"
    protocol.write_text(PROTOCOL.replace("trial_s = 8.8", "trial_s = 8.0"))
    done = earmark("calibrate", path)
    assert done.returncode == 1
    assert "hold 8 decision windows" in done.stderr
    protocol.unlink()
    done = earmark("calibrate", path)
    assert done.returncode == 1
    assert "protocol.toml" in done.stderr


class Serving:
    """``earmark serve`` in a separate process."""

    def __init__(self, path, *options):
        self.folder = path.parent
        command = [sys.executable, "-m", "earmark.app.cli", "serve", str(path), *options]
        self.process = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + 180
        while not is_served(self.folder):
            assert self.process.poll() is None, self.process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        self.client = Client(self.folder)

    def wait_for(self, condition, seconds=180.0):
        end = time.monotonic() + seconds
        while not condition(state := self.client.send("state")):
            assert time.monotonic() < end, state
            time.sleep(0.1)
        return state

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def loud(folder, state):
    """Return the audible gains in dB."""
    status = Seqlock(Status, state["sound"]["status"])
    found = [round(float(gain), 1) for gain in status.read().gains_db[:2]]
    status.close()
    return found


def test_served_session_is_controlled_from_another_terminal(calibrated):
    path, _ = calibrated
    with Serving(path) as serving:
        folder, client = serving.folder, serving.client
        second = earmark("run", path)
        assert second.returncode == 1
        assert "a session is already under way" in second.stderr
        assert earmark("control", folder, "pause").stderr.startswith("error: the session is idle and cannot be paused")
        assert "there is no command 'dance'; choose from accept, " in earmark("control", folder, "dance").stderr
        assert earmark("control", folder, "mute", "on").returncode == 1, "an argument has a name"
        client.send("trim", talker="Ada", mute=True)
        wrong = [words for _, ok, words, _ in client.send("check") if not ok]
        assert len(wrong) == 1
        assert "the operator muted Ada" in wrong[0]
        client.send("trim", talker="Ada", mute=False)
        assert all(ok for _, ok, *_ in client.send("check"))
        place = client.send("run", mode="closed", seconds=600.0)
        serving.wait_for(lambda state: state["task"] and state["engine"]["alive"] and state["task"]["attend"] == "Ada")
        for wrong in ({"talker": 2}, {"talker": "Bob"}):
            with pytest.raises(ChannelError, match=r"there is no talker .*; choose 0 or Joe, 1 or Ada"):
                client.send("override", **wrong)
        for command, wrong in (
            ("mute", {"on": "perhaps"}), ("master", {"db": 6.0}), ("note", {}), ("pause", {"x": 1}),
            ("trim", {"talker": 0, "db": 1.0}), ("trim", {"talker": 0, "db": -41.0}), ("trim", {"talker": 0}),
            ("trim", {"talker": True, "mute": True}), ("trim", {"talker": 0, "mute": 1}),
        ):  # fmt: skip
            with pytest.raises(ChannelError, match=f"^{command}: "):
                client.send(command, **wrong)
        assert earmark("control", folder, "override", "talker=Joe").returncode == 0
        serving.wait_for(lambda state: loud(folder, state) == [3.0, -9.0])
        assert earmark("control", folder, "trim", "talker=Ada", "db=-6").returncode == 0
        serving.wait_for(lambda state: loud(folder, state) == [3.0, -15.0])
        client.send("trim", talker=0, mute=True)
        state = serving.wait_for(lambda state: loud(folder, state) == [-math.inf, -15.0])
        assert state["trims"] == [{"db": 0.0, "mute": True}, {"db": -6.0, "mute": False}]
        client.send("trim", talker=0, mute=False)
        client.send("trim", talker="Ada", db=0.0)
        client.send("pause")
        client.send("note", text="a door slammed")
        client.send("override", talker=None)
        state = serving.wait_for(lambda state: loud(folder, state) == [0.0, 0.0])
        assert (state["state"], state["override"]) == ("paused", None)
        client.send("resume")
        client.send("mute")
        board = StatusBoard(SessionStatus, json.loads((folder / ADDRESS).read_text())["board"])
        end = time.monotonic() + 180
        while not ((status := board.read()) and status.muted and status.recording.bytes > 100_000):
            assert time.monotonic() < end
            time.sleep(0.05)
        board.close()
        client.send("stop")
        state = serving.wait_for(lambda state: state["state"] == "review")
        assert state["task"]["failure"] == ""
        client.send("trim", talker="Ada", mute=True)
        done = earmark("control", folder, "run", "seconds=600")
        assert done.returncode == 1, "the problem is reported, and no run starts"
        assert "the operator muted Ada" in done.stderr
        client.send("trim", talker="Ada", mute=False)
        done = earmark("control", folder, "run", "seconds=600")
        assert done.returncode == 0, done.stderr
        serving.wait_for(lambda state: state["state"] == "running")
        client.send("stop")
        serving.wait_for(lambda state: state["state"] == "review")
        assert earmark("control", folder, "shutdown").returncode == 0
        assert serving.process.wait(600) == 0
        printed = serving.process.stdout.read()
    assert not is_served(folder)
    assert (Path(place) / "report.html").exists()
    assert printed.count("Writing the report of ") == 2, "of both runs"
    recording = Path(place) / "loop.xdf"
    situations = [item.situation for item in replayed(recording)["attend"] if isinstance(item, Decision)]
    for word in ("override", "paused", "muted"):
        assert word in situations
    markers = [e.item.value for e in SessionFile(recording) if isinstance(e, Consumed) and e.stream == "cues"]
    assert "note:a door slammed" in markers
    events = [words for _, words in read_events(recording)]
    assert "operator: Joe" in events
    assert [words for words in events if words.startswith("trim")] == [
        "trim: Ada -6 dB", "trim: Joe muted", "trim: Joe 0 dB", "trim: Ada 0 dB",
    ]  # fmt: skip
    assert "MUTED" in events
    assert "note: a door slammed" in events


def test_signal_is_shown_while_nothing_is_recorded(calibrated):
    path, _ = calibrated
    with Serving(path) as serving:
        state = serving.wait_for(lambda state: state["engine"] and state["engine"]["alive"])
        first = state["engine"]["pid"]
        board = StatusBoard(EngineStatus, state["engine"]["board"])
        wait_until(lambda: (status := board.read()) is not None and status.stream("eeg").n_samples > 1000)
        status = board.read()
        reader = SignalReader(status.signals, 1.0)
        wait_until(lambda: len(reader.read().data) > 0)
        assert reader.ring.n_channels == len(status.ch_names) > 0
        assert status.decision is None
        reader.close()
        board.close()
        name = status.ch_names[3]
        with pytest.raises(EarmarkError, match="there is no electrode 'Nose'"):
            serving.client.send("bad", channel="Nose")
        before = path.read_text()
        assert earmark("control", serving.folder, "bad", f"channel={name}").returncode == 0
        state = serving.wait_for(lambda state: state["bads"] == [name])
        assert state["engine"]["pid"] == first, "it is assessed as before, to show when it is good again"
        assert tomllib.loads(path.read_text())["streams"]["eeg"]["bads"] == [name]
        assert earmark("control", serving.folder, "bad", f"channel={name}", "on=false").returncode == 0
        assert path.read_text() == before, "comments and order are kept"
        assert serving.client.send("state")["bads"] == []
        assert all(ok for _, ok, *_ in serving.client.send("check"))
        wait_until(lambda: not running(first))
        state = serving.wait_for(lambda state: state["engine"] and state["engine"]["alive"])
        second = state["engine"]["pid"]
        serving.client.send("run", mode="closed", seconds=600.0)
        state = serving.wait_for(lambda state: state["state"] == "running" and state["engine"]["alive"])
        assert state["engine"]["pid"] not in (first, second)
        wait_until(lambda: not running(second))
        serving.client.send("stop")
        state = serving.wait_for(lambda state: state["state"] == "review" and state["engine"]["alive"])
        third = state["engine"]["pid"]
        os.kill(third, signal.SIGKILL)
        serving.wait_for(lambda state: state["engine"]["alive"] and state["engine"]["pid"] != third)
        assert "The signal cannot be shown: its process ended with exit code -9" in [
            event["text"] for event in serving.client.send("state")["events"]
        ]
        earmark("control", serving.folder, "shutdown")
        assert serving.process.wait(600) == 0


def test_process_that_waits_for_a_stream_ends_with_a_killed_session(tmp_path):
    path = new_session(tmp_path / f"test-{uuid.uuid4().hex[:12]}", f"none-{uuid.uuid4().hex}")
    before = set(os.listdir("/dev/shm"))
    with Serving(path) as serving:
        state = serving.wait_for(lambda state: state["engine"] and state["engine"]["pid"])
        assert not state["engine"]["alive"], "there is no such stream"
        pid, name = state["engine"]["pid"], state["engine"]["board"]
        assert name in set(os.listdir("/dev/shm")) - before
        time.sleep(5.0)  # it searches
        assert running(pid)
        serving.process.kill()
        wait_until(lambda: not running(pid))
        wait_until(lambda: name not in os.listdir("/dev/shm"))


def test_killed_supervisor_leaves_no_process_and_no_shared_memory(calibrated):
    path, _ = calibrated
    before = set(os.listdir("/dev/shm"))
    with Serving(path) as serving:
        assert all(ok for _, ok, *_ in serving.client.send("check"))
        place = serving.client.send("run", mode="closed", seconds=600.0)
        state = serving.wait_for(lambda state: state["recording"] and state["recording"]["bytes"] > 200_000)
        about = json.loads((serving.folder / ADDRESS).read_text())
        audio = Seqlock(Status, state["sound"]["status"])
        pids = [state["engine"]["pid"], state["recording"]["pid"], audio.read().pid]
        names = [about["board"], state["engine"]["board"], state["sound"]["status"], state["sound"]["pcm"]]
        audio.close()
        assert set(names) <= set(os.listdir("/dev/shm")) - before
        serving.process.kill()
        wait_until(lambda: not any(running(pid) for pid in pids))
        wait_until(lambda: not set(names) & set(os.listdir("/dev/shm")))
    assert not is_served(serving.folder), "the address file is stale"
    steps = [e.item for e in SessionFile(Path(place) / "loop.xdf") if isinstance(e, Consumed) and e.stream == "eeg"]
    assert steps, "the recording can be read"
    with Serving(path):
        assert is_served(serving.folder), "and the folder can be used again"


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_checks_immediately(tmp_path, name):
    """The command ends before the timeout of the search for the missing amplifier."""
    path = new_session(tmp_path / f"test-{uuid.uuid4().hex[:12]}", f"none-{uuid.uuid4().hex}")
    path.write_text(path.read_text().replace("resolve_s = 15", "resolve_s = 300"))
    command = [sys.executable, "-m", "earmark.app.cli", "calibrate", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV) as process:
        while "Checking everything" not in process.stdout.readline():
            assert process.poll() is None
        until = time.monotonic() + 5  # during the search
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(name)
        said = process.communicate(timeout=600)[0]
    assert process.returncode == 130, said
    assert "ended before anything was recorded" in said
    assert "Traceback" not in said
    assert not list(path.parent.glob("*.xdf"))

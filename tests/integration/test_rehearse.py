"""``earmark rehearse``: a configured session with a simulated listener, in real processes, over real LSL."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid

import psutil
import pylsl
import pytest
from rig import ENV, replayed

from earmark.app.engine.events_file import read_events
from earmark.app.report.study import find_runs
from earmark.app.session.channel import ChannelError, Client, is_served
from earmark.devices.files.session_file import SessionFile
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.stream import Decision, StreamSpec

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

#: Another number of channels and another rate than those of the simulated listener, and units in steps.
EEG = 'name = "{name}-amp"\ntype = "EEG"\nn_channels = 21\nsfreq = 250.0\nunit = "0.5 uV"\nchannels = ["!EKG"]'
PROTOCOL = """
[calibration]
n_trials = 6
trial_s = 8.0
pause_s = 0.0
questions = []
[run]
seconds = 30.0
switch_every_s = 12.0
"""


def earmark(*arguments):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=600, check=False)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Files of a session without a sound device."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("study") / name
    done = earmark("new", folder)
    assert done.returncode == 0, done.stderr
    path = folder / "session.toml"
    path.write_text(path.read_text().replace('type = "EEG"', EEG.format(name=name)).replace('"default"', '"null"'))
    (folder / "protocol.toml").write_text(PROTOCOL)
    return path


@contextlib.contextmanager
def rehearsing(session, folder, *options):
    """Start a rehearsal; yield its process and a client. Whatever is left of it at the end is a failure."""
    command = [sys.executable, "-m", "earmark.app.cli", "rehearse", session, "--headless", "--out", folder, *options]
    with (session.parent / f"{folder.name}.txt").open("w") as said:
        process = subprocess.Popen([*map(str, command)], env=ENV, stdout=said, stderr=subprocess.STDOUT)
    tree = []
    try:
        until(lambda: is_served(folder), process)
        client = Client(folder)
        tree = psutil.Process(process.pid).children(recursive=True)
        yield process, client
        client.close()
        tree += [one for one in descendants(process.pid) if one not in tree]
    finally:
        process.kill()
        process.wait()
        _, left = psutil.wait_procs(tree, timeout=60)
        for one in left:
            one.kill()
        assert not left


def command(process):
    """Return the command line of a process; empty if it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def descendants(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def until(condition, process):
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)


def state(client, name="state"):
    return client.send("state")[name]


def recording(client, wanted):
    found = client.send("state")
    return found["state"] == wanted and (found["task"] or {}).get("recording_now", False)


@pytest.fixture(scope="module")
def rehearsed(session):
    """Rehearse with faults, while the real amplifier is on the network; return the folder, and whether it was heard."""
    folder = session.parent / "rehearsal-1"
    name = f"{session.parent.name}-amp"
    real = Outlet(StreamSpec(name, 250.0, ("Cz",), ("eeg",), ("uV",)), "EEG", f"{name}-serial")
    connected, over = [], threading.Event()

    def watch():
        while not over.wait(0.05):
            if real.has_listeners():
                connected.append(pylsl.local_clock())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with rehearsing(session, folder) as (process, client):
            until(lambda: recording(client, "calibrating"), process)
            with pytest.raises(ChannelError, match="choose from blinks, muscle, loose"):
                client.send("fault", name="coffee")
            client.send("fault", name="blinks")
            client.send("fault", name="blinks", on=False)
            until(lambda: recording(client, "running"), process)
            assert state(client, "kind") == "rehearsal"
            client.send("attend", talker="Ada")
            client.send("fault", name="flat")
            client.send("fault", name="cable")
            assert state(client, "faults") == ["flat", "cable"]
            until(lambda: "lost" in str(state(client, "events")), process)
            client.send("fault", name="cable", on=False)
            until(lambda: "is back" in str(state(client, "events")), process)
            assert process.wait(600) == 0
    finally:
        over.set()
        watching.join()
    return folder, connected


def test_rehearsal_is_the_session_with_another_listener(session, rehearsed):
    folder, connected = rehearsed
    assert not connected, "the real amplifier must never be connected"
    output = (session.parent / "rehearsal-1.txt").read_text()
    assert "Traceback" not in output
    assert "21 channels at 250 Hz" in output
    recording = folder / "run-1" / "loop.xdf"
    file = SessionFile(recording)
    spec, sent = file.streams["eeg"].spec, file.streams["eeg"].sent
    assert (spec.n_channels, sent.n_channels, spec.sfreq) == (20, 21, 250.0)
    assert set(spec.units) == {"0.5 uV"}
    assert "EKG" not in spec.ch_names
    assert "simulated listener" in file.streams["eeg"].xml
    assert file.about.subject == "simulated listener"
    assert file.streams["eeg"].spec.name == f"{session.parent.name}-amp"
    assert file.about.talkers == ("Joe", "Ada")
    assert [one for one in replayed(recording)["attend"] if isinstance(one, Decision)]
    assert "simulated listener" in (folder / "run-1" / "report.html").read_text()
    events = [words for _, words in read_events(recording)]
    assert "rehearsal: Cable out on" in events
    assert "rehearsal: Cable out off" in events
    assert any(words.startswith("rehearsal: Flat channel (") for words in events)
    assert not (session.parent / "decoder").exists()
    assert not [*session.parent.glob("*.xdf")], "nothing among the participant's recordings"


def test_rehearsal_is_left_out_of_study_training_and_export(session, rehearsed, tmp_path):
    study = session.parent.parent
    assert [run.path for run in find_runs(study)] == [session.parent.name], "only the session, which has no run"
    copied = study / "bob" / "run-1"
    shutil.copytree(rehearsed[0] / "run-1", copied)
    assert not [run for run in find_runs(study) if "bob" in run.path]
    done = earmark("train", study, "--out", tmp_path / "decoder")
    assert done.returncode == 1
    assert "is a rehearsal: its listener was simulated" in done.stderr
    done = earmark("export", "bids", study, "--out", tmp_path / "bids")
    assert done.returncode == 1
    assert "it is a rehearsal: its listener was simulated" in done.stderr
    shutil.rmtree(copied.parent)


def test_channels_are_those_of_an_earlier_recording(session, rehearsed, tmp_path):
    """The stream of a recording in the session's folder is taken before what the session states."""
    from earmark.app.config.session import load_config
    from earmark.app.session.rehearsal import configured_amplifier

    folder = tmp_path / "again"
    shutil.copytree(rehearsed[0] / "run-1", folder / "run-1")
    text = session.read_text().replace('type = "EEG"\nn_channels = 21\nsfreq = 250.0', 'type = "EEG"')
    (folder / "session.toml").write_text(text)
    amplifier = configured_amplifier(load_config(folder / "session.toml"))
    sent = SessionFile(folder / "run-1" / "loop.xdf").streams["eeg"].sent
    assert (amplifier.spec.ch_names, amplifier.spec.sfreq) == (sent.ch_names, 250.0)
    assert "EKG" in amplifier.spec.ch_names


def test_ctrl_c_ends_a_rehearsal(session, tmp_path):
    with rehearsing(session, tmp_path / "rehearsal-2") as (process, client):
        until(lambda: recording(client, "calibrating"), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130


def test_killed_listener_ends_the_stream_but_not_the_session(session, tmp_path):
    folder = tmp_path / "rehearsal-3"
    with rehearsing(session, folder, "--serve") as (process, client):
        until(lambda: state(client) == "idle", process)
        children = [one for one in psutil.Process(process.pid).children() if "spawn_main" in command(one)]
        min(children, key=lambda one: one.create_time()).kill()  # the listener is started first
        with pytest.raises(ChannelError, match="the simulated listener has ended"):
            until(lambda: client.send("fault", name="mains") is not None, process)
        client.send("shutdown")
        assert process.wait(120) == 0


def test_killed_rehearsal_leaves_no_process(session, tmp_path):
    with rehearsing(session, tmp_path / "rehearsal-4", "--serve") as (process, _):
        process.kill()
        process.wait(60)

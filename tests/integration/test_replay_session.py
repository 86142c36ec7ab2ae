"""Replay of a recorded run in real time, with sound, window and commands."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pylsl
import pytest
import senders
from planted import planted
from rig import CHAIN, ENV, ROOT, replayed, sender
from too_busy import Queueing

from earmark.app.config.session import ConfigError, parse_config
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.replay.session import ReplaySession
from earmark.app.replay.sound import TalkerPositions
from earmark.app.session.channel import ADDRESS, ChannelError, Client, is_served
from earmark.app.status import EngineStatus, SessionStatus, StatusBoard, Trim
from earmark.devices.audio.control_block import Seqlock, Status
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.prepare import prepare
from earmark.devices.files import xdf
from earmark.devices.files.decoder_folder import Facts, save_decoder
from earmark.devices.files.journal import About, HeardLine
from earmark.devices.files.session_file import Noted, SessionFile
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.stream import Decision, Marker, StreamSpec

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
SECONDS = 9.0
SESSION = """
[streams.eeg]
source_id = "{name}"
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"
[streams.cues]
name = "{name}-cues"
[attention]
decoder = "decoder"
hold_s = 0.0
dead_band_db = 0.0
enter = 0.55
leave = 0.5
[engine]
resolve_s = 20
[sound]
device = "null"
space = "itd_ild"
[[sound.talkers]]
name = "Joe"
source = "speech:joe"
loop = true
[[sound.talkers]]
name = "Ada"
source = "speech:ada"
loop = true
"""


def make_decoder(folder):
    """Save a decoder for the senders' electrodes. Its decisions are random but confident."""
    runs = [planted(k, n_channels=senders.N_CHANNELS, sfreq=EEG.sfreq) for k in range(3)]
    names = tuple(f"E{k}" for k in range(senders.N_CHANNELS))
    rest = [(run.neural, run.talker_names, run.talkers, run.attended, run.stimuli) for run in runs]
    runs = [
        run.__class__(run.name, run.subject, run.sfreq, names, *others) for run, others in zip(runs, rest, strict=True)
    ]
    fitted = LinearDecoder(EEG, [1.0], [0.2]).fit(runs)
    save_decoder(folder, fitted, Facts(0.5, 0.5, 40, ("made up",), 120.0, Emissions(0.1, -0.1, 0.05, 0.0, 100.0)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Record a run with real processes: two cues, decisions, gains; return its folder."""
    home = tmp_path_factory.mktemp("session")
    make_decoder(home / "decoder")
    (home / "run-1").mkdir()
    name = f"test-{os.getpid()}-replay"
    config = parse_config(SESSION.format(name=name), "test", home)
    events = []
    cues = Outlet(StreamSpec(f"{name}-cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", f"{name}-cues")
    audio = AudioEngine(prepare(config.sound.scene(home)), config.sound.sink(home))
    outlets = SoundOutlets(audio, name, EnvelopeConfig())
    with sender("plain", name):
        audio.start()
        about = About("", mode="closed", protocol={"participant": {"listen": "Hör auf {name}"}})
        loop = ClosedLoop(config, audio, home / "run-1" / "loop.xdf", events.append, about=about)
        loop.start()
        cues.push(Marker(pylsl.local_clock(), "attend:Joe"))
        begun, cued_again = time.monotonic(), False
        while time.monotonic() < begun + SECONDS or not steered(loop.engine_status):
            assert time.monotonic() < begun + 60, events
            if not cued_again and time.monotonic() > begun + SECONDS / 2:
                cues.push(Marker(pylsl.local_clock(), "attend:Ada"))
                loop.record_event("a door slammed")
                audio.trim([-4.0, 0.0], [False, True])
                cued_again = True
            time.sleep(0.05)
        assert not loop.stop()
    audio.stop()
    outlets.stop()
    return home / "run-1"


def steered(engine):
    return engine is not None and engine.decision is not None and engine.decision.situation == "steered"


def copied(run, tmp_path):
    """Return a copy of the run that can be damaged."""
    return shutil.copytree(run, tmp_path / "copy" / "run-1")


def wait_for(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)
    return found


def event_texts(session):
    return [event.text for event in session.status().events]


class Watched:
    """``earmark replay --watch`` in a separate process."""

    def __init__(self, recording, folder):
        command = [
            sys.executable,
            "-m",
            "earmark.app.cli",
            "replay",
            str(recording),
            "--watch",
            "--folder",
            str(folder),
        ]
        self.process = subprocess.Popen(command, env=ENV, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: is_served(folder) or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stdout.read()
        self.client = Client(folder)
        self.board = StatusBoard(SessionStatus, json.loads((folder / ADDRESS).read_text())["board"])

    def engine(self):
        return wait_for(self.board.read).engine.board

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.board.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def test_replay_repeats_decisions_sound_and_events(run, tmp_path):
    recorded = [item for item in replayed(run / "loop.xdf")["attend"] if isinstance(item, Decision)]
    found, gains, cued, trims = {}, [], set(), []
    with Watched(run, tmp_path / "watched") as watched:
        engine = StatusBoard(EngineStatus, watched.engine())
        status = Seqlock(Status, wait_for(lambda: watched.board.read().sound).status)
        busy = Queueing(os.getpid(), watched.process.pid)
        while (state := watched.board.read()).state != "review":
            assert watched.process.poll() is None
            cued.add(state.task.attend)
            if state.trims and state.trims not in trims:
                trims.append(state.trims)
            seen = engine.read()
            if seen and (decision := seen.decision):
                found[decision.n] = decision
                gains.append((decision.gains, list(status.read().gains_db[:2])))
                assert seen.neural == "eeg"
                assert {one.status for one in seen.streams} == {"live"}
                latency = seen.latency.p50
            time.sleep(0.02)
        busy.note()
        assert state.kind == "replay"
        assert (state.texts["listen"], state.texts["rest"]) == ("Hör auf {name}", "Rest"), "as the participant saw them"
        assert state.task.complete
        assert not state.task.failure
        words = [event.text for event in state.events]
        status.close()
        engine.close()
        watched.client.send("shutdown")
        assert watched.process.wait(600) == 0
        printed = watched.process.stdout.read()
    assert len(recorded) > 10
    with busy.excuses():
        assert len(found) > len(recorded) / 2
    for number, decision in found.items():
        then = recorded[number - 1]
        assert decision.probability == tuple(then.probability)
        assert decision.gains == tuple(then.gains)
        assert decision.talker == then.talker
        assert decision.situation == then.situation
        np.testing.assert_array_equal(decision.scores, then.scores)
    with busy.excuses():
        assert any(np.allclose(asked, heard, atol=0.01) and heard[0] != heard[1] for asked, heard in gains), "followed"
    assert {"Joe", "Ada"} <= cued
    assert trims == [(Trim(), Trim()), (Trim(-4.0), Trim(mute=True))], "trims of the operator during the run"
    turned = [(asked[0] - 4, heard[0]) for asked, heard in gains if heard[1] == -np.inf]
    with busy.excuses():
        assert gains[-1][1][1] == -np.inf
        assert any(abs(heard - wanted) < 0.01 for wanted, heard in turned), "the trim is added to the target gain"
    least, most = min(wanted for wanted, _ in turned), max(wanted for wanted, _ in turned)
    assert least - 0.01 <= turned[-1][1] <= most + 0.01, "also during a ramp"
    assert 0 < latency < 0.25, "the recorded latency is shown"
    for wanted in ("Cue: attend to Joe.", "a door slammed", "Cue: attend to Ada."):
        assert words.count(wanted) == 1
    assert words[-1].endswith("loop.xdf: identical: the replay gave the live output, bit for bit")
    assert words[-1] in printed
    assert not is_served(tmp_path / "watched")


def loudness(player):
    """Return the peak of the sound that a replay plays; 0 until it plays."""
    audio = player.sound.audio
    return 0.0 if audio is None else max(audio.status().out_peak)


def in_step(session):
    """Return a function that tells whether the first talker's position equals the recorded one."""
    player, sfreq = session.player, session.player.config.sound.sfreq
    length = len(prepare(player.config.sound.scene(ROOT)).pcm[0]) / sfreq
    heard = [e.line for e in SessionFile(player.path) if isinstance(e, Noted) and isinstance(e.line, HeardLine)]
    where = TalkerPositions(heard, sfreq)

    def positions_agree():
        if player.sound.audio is None:
            return False
        off = player.sound.audio.status().positions[0] / sfreq - where.at(player.clock.now)[0]
        return abs((off + length / 2) % length - length / 2) < 0.15

    return positions_agree


def test_pause_stops_everything_and_unsuitable_commands_are_refused(run, tmp_path):
    tmp_path = tmp_path / "here"
    tmp_path.mkdir()
    with ReplaySession(run / "loop.xdf", tmp_path) as session:
        client, together = Client(tmp_path), in_step(session)
        assert client.about["kind"] == "replay"
        wait_for(lambda: session.status().task.elapsed > 3.5)
        wait_for(lambda: loudness(session.player) > 0.001)
        wait_for(together)
        client.send("pause")
        engine = session.player.engine
        wait_for(lambda: loudness(session.player) < 1e-4)
        before = client.send("state"), engine.ledger.n, engine.beat, session.player.monitor.status()
        time.sleep(1.5)
        after = client.send("state"), engine.ledger.n, engine.beat, session.player.monitor.status()
        assert before[1:3] == after[1:3]
        assert before[0]["task"]["elapsed"] == after[0]["task"]["elapsed"]
        assert repr(before[3].streams) == repr(after[3].streams), "including the ages of samples"
        assert after[0]["state"] == "paused"
        with pytest.raises(ChannelError, match="paused already"):
            client.send("pause")
        for command in ("run", "calibrate", "note", "override", "attend", "answer", "check"):
            with pytest.raises(ChannelError, match=f"this is a replay, which has no command '{command}'"):
                client.send(command)
        with pytest.raises(ChannelError, match=r"^master: "):
            client.send("master", db=6.0)
        client.send("mute")
        client.send("resume")
        wait_for(lambda: session.status().task.elapsed > before[0]["task"]["elapsed"] + 0.5)
        assert client.send("state")["muted"]
        assert loudness(session.player) < 1e-4, "it stays muted"
        client.send("mute", on=False)
        wait_for(lambda: loudness(session.player) > 0.001)
        assert engine.ledger.n >= before[1]
        wait_for(together)
        client.send("stop")
        assert client.send("state")["state"] == "review"
        assert event_texts(session)[-1].endswith("identical, bit for bit, up to the point where the replay was stopped")
        with pytest.raises(ChannelError, match="over"):
            client.send("resume")
        client.close()
        assert session.player.status == 0
    assert not os.listdir(tmp_path), "no file is left"


def test_what_is_sought_is_what_was_decided_wherever_one_comes_from(run, tmp_path):
    recorded = [item for item in replayed(run / "loop.xdf")["attend"] if isinstance(item, Decision)]
    with ReplaySession(run, tmp_path) as session:
        client, player = Client(tmp_path), session.player
        client.send("pause")

        def there(seconds):
            waits = player.clock.again.is_set() or player.clock.seeking or player.monitor is None
            return not waits and session.status().task.elapsed == pytest.approx(seconds, abs=1e-6)

        seen = []
        for seconds in (7.0, 3.5, 6.0, 0.0, 3.5):
            client.send("seek", seconds=seconds)
            wait_for(lambda seconds=seconds: there(seconds))
            decision = player.monitor.status().decision
            seen.append((seconds, player.engine.ledger.n))
            if decision is not None:
                then = recorded[decision.n - 1]
                assert decision.probability == tuple(then.probability)
                np.testing.assert_array_equal(decision.scores, then.scores)
            words = event_texts(session)
            assert words.count("a door slammed") == (seconds > SECONDS / 2 + 1)
            assert words[-1] == f"Replay from {seconds:.1f} s on"
            wait_for(lambda: loudness(player) < 1e-4)  # it is paused
        assert seen[1] == seen[4]
        assert len({n for _, n in seen}) == 4, "other instants, other numbers of decisions"
        client.send("speed", factor=4.0)
        client.send("resume")
        begun, at = time.monotonic(), session.status().task.elapsed
        wait_for(lambda: session.status().task.elapsed > at + 3)
        assert loudness(player) < 1e-4, "not heard at this speed"
        assert time.monotonic() - begun > 0.6
        client.send("speed")
        wait_for(lambda: session.status().state == "review")
        wait_for(lambda: event_texts(session)[-1].endswith("identical: the replay gave the live output, bit for bit"))
        client.send("seek", seconds=2.0)
        wait_for(lambda: session.status().state == "running")
        engine = wait_for(lambda: player.engine)
        client.send("loop")
        wait_for(lambda: player.engine is not None and player.engine is not engine)
        client.send("speed", factor=1.0)
        wait_for(lambda: loudness(player) > 0.001)
        client.send("loop", on=False)
        client.send("speed")
        wait_for(lambda: session.status().state == "review")
        wait_for(lambda: event_texts(session)[-1].endswith("identical: the replay gave the live output, bit for bit"))
        client.send("stop")
        with pytest.raises(ChannelError, match="the replay was stopped: start it again"):
            client.send("seek", seconds=1.0)
        client.close()


def flip(path, share):
    """Flip one bit of an EEG sample, in the first chunk after the given share of the file."""
    data, at = bytearray(path.read_bytes()), 0
    for chunk in xdf.read_chunks(path):
        at = data.index(chunk.raw, at) if chunk.raw else at
        if at > share * len(data) and chunk.tag == xdf.SAMPLES and chunk.stream_id == 1:
            data[at + len(chunk.raw) - 2] ^= 1
            path.write_bytes(data)
            return
        at += len(chunk.raw)
    raise AssertionError("no such chunk")


def test_difference_raises_an_alarm_immediately(run, tmp_path):
    place = copied(run, tmp_path)
    flip(place / "loop.xdf", 0.4)
    with ReplaySession(place, tmp_path / "copy") as session:
        assert any(words.startswith("ALARM: loop.xdf is damaged: bytes ") for words in event_texts(session))
        wait_for(lambda: any("differs from the live output, from" in words for words in event_texts(session)))
        wait_for(lambda: session.status().state == "review")
        assert event_texts(session)[-1].startswith("ALARM: Replay of loop.xdf: the recording is damaged"), (
            "the last event"
        )
        assert "damaged" in session.status().task.failure
        assert session.player.status == 3


def test_truncated_run_is_replayed_as_far_as_it_goes(run, tmp_path):
    place = copied(run, tmp_path)
    data = (place / "loop.xdf").read_bytes()
    (place / "loop.xdf").write_bytes(data[: len(data) // 3])
    with ReplaySession(place, tmp_path / "copy") as session:
        assert any("was cut short: the replay ends there" in words for words in event_texts(session))
        wait_for(lambda: session.status().state == "review")
        assert event_texts(session)[-1].endswith(
            "identical, bit for bit, up to the point where the recording was cut short"
        )
        assert session.player.status == 4


def test_unusable_runs_are_errors(run, tmp_path):
    place = copied(run, tmp_path)
    with pytest.raises(ConfigError, match="no such file; name a recorded run"):
        ReplaySession(tmp_path, tmp_path)
    (place / "loop.decoder").rename(place / "elsewhere")
    with pytest.raises(ConfigError, match=r"copy the folder loop\.decoder beside it"):
        ReplaySession(place, tmp_path)
    (place / "elsewhere").rename(place / "loop.decoder")
    (place / "loop.decoder" / "decoder.toml").write_text("changed")
    with pytest.raises(ConfigError, match="is not the decoder that"):
        ReplaySession(place, tmp_path)
    (place / "loop.xdf").write_bytes(b"nothing of the kind")
    with pytest.raises(xdf.XdfError):
        ReplaySession(place, tmp_path)
    command = [sys.executable, "-m", "earmark.app.cli", "replay", str(place), "--watch"]
    done = subprocess.run(command, env=ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    done = subprocess.run([*command, "--verify"], env=ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not is_served(tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CHAIN.format(source_id="x"), r"has no \[attention\]"),
        (SESSION.format(name="x").replace('decoder = "decoder"', ""), "is a calibration, in which nothing was decided"),
    ],
)
def test_recordings_without_decisions_are_errors(run, tmp_path, monkeypatch, config, words):
    cued_again = SessionFile.__init__

    def another(self, path):
        cued_again(self, path)
        self.about = replace(self.about, config=config)

    monkeypatch.setattr(SessionFile, "__init__", another)
    with pytest.raises(ConfigError, match=words):
        ReplaySession(run, tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("speech:joe", "gone.wav"), "is not there"),
        (("speech:joe", "input:1"), "which was not recorded"),
        (('device = "null"', 'device = "no such device"'), "nothing is audible, but levels are shown"),
    ],
)
def test_replay_continues_without_sound_and_reports_it(run, tmp_path, monkeypatch, change, words):
    about = SessionFile.__init__

    def changed(self, path):
        about(self, path)
        self.about = replace(self.about, config=self.about.config.replace(*change))

    monkeypatch.setattr(SessionFile, "__init__", changed)
    with ReplaySession(run, tmp_path) as session:
        assert any(words in one for one in event_texts(session)), event_texts(session)
        wait_for(lambda: session.player.engine is not None and session.player.engine.decision is not None)
        assert session.status().state == "running"


def test_window_replays_the_selected_run(run, tmp_path, qtbot, qapp, monkeypatch):
    pytest.importorskip("pyqtgraph", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QFileDialog

    from earmark.app.dashboard.frame.window import Window

    chosen = str(run / "loop.xdf"), ""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: chosen)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    shown = Window(settings)
    shown.show()

    def until(condition):
        qtbot.waitUntil(condition, timeout=120_000)

    shown.start.buttons["replay"].click()
    assert not shown.start.buttons["replay"].isEnabled(), "a second click is not possible"
    until(lambda: shown.now.session_live)
    assert shown.pages.currentWidget() is shown.live
    assert settings.value("session/last") is None, "a replay is not remembered as the last session"
    until(lambda: shown.top.chip.words == "REPLAY" and shown.top.state.full_text == "running, closed loop")
    sweep = shown.live.traces.sweep
    until(lambda: len(sweep.ch_names) == senders.N_CHANNELS and not sweep.notice)
    until(lambda: shown.recent.last(1.0).shape == (senders.SFREQ, senders.N_CHANNELS))
    until(lambda: len(shown.history.decisions) > 3 and shown.now.decision.situation == "steered")
    assert np.isfinite(shown.history.decisions[-1].probability).all()
    assert 0 <= shown.now.time - shown.now.decision.time < shown.now.seconds, "times are shifted to the present"
    until(lambda: "of 250 ms" in shown.bottom.latency.full_text and "–" not in shown.bottom.latency.full_text)
    until(lambda: shown.now.sound.live)
    assert shown.bottom.record.full_text == "not recording"
    meters = shown.live.meters
    for button in (meters.equal, meters.decode, meters._strips[0].solo, shown.live.controls.run):
        assert not button.isEnabled()
    until(lambda: not shown.live.events.note.isEnabled())
    shown.live.controls.pause.click()
    until(lambda: shown.now.state == "paused" and sweep.notice.startswith("Paused"))
    shown.mute(True)
    until(lambda: shown.now.muted)
    shown.live.controls.pause.click()
    until(lambda: shown.now.state == "running" and not sweep.notice)
    shown.send("override", {"talker": 0})
    until(lambda: "this is a replay" in shown.notice.full_text)
    shown.go("review")
    until(shown.review.score.isEnabled)
    assert shown.review._run == run
    until(lambda: shown.now.state == "review" and shown.now.complete)
    until(lambda: shown.events.events[-1].text.endswith("identical: the replay gave the live output, bit for bit"))
    first = shown.launcher.launched
    shown.start.buttons["replay"].click()
    until(lambda: first.status is not None)
    until(lambda: shown.now.session_live and shown.now.state == "running")
    launched = shown.launcher.launched
    assert launched is not first, "a new process replaces the first"
    assert shown.close(), "the window closes without asking"
    until(lambda: launched.status is not None)
    assert not launched.folder.exists()
    shown.deleteLater()

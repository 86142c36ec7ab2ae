"""Audible effects of faults, as in the table of docs/faults.md, with real processes while sound plays.

The sound is written to a file in real time, and must equal the sound rendered from the log of gains sample by sample:
so no fault causes a glitch.
"""

import contextlib
import itertools
import math
import os
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import senders
import soundfile
from planted import planted
from rig import ENV, check_tiling, consumed, replayed, sender, small_disk
from sound_scenes import TOLERANCE, noise_scene, rerendered, running
from sound_servers import jack

from earmark.app.config.session import parse_config
from earmark.app.engine.closed_loop import LIMITS, ClosedLoop
from earmark.app.replay.verify import Replay
from earmark.app.status import DecisionStatus
from earmark.devices.audio.control_block import PLAYING
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.sinks import DeviceSink, FileSink
from earmark.devices.files.decoder_folder import Facts, save_decoder
from earmark.devices.files.journal import EventLine, HeardLine
from earmark.devices.files.session_file import Noted, SessionFile
from earmark.devices.sources.lsl_search import StreamSelector, find_streams
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.gain_control import LOST_S
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.stream import Decision

SESSION = """
[streams.eeg]
source_id = "{name}"
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"
[attention]
decoder = "decoder"
hold_s = 0.0
dead_band_db = 0.0
enter = 0.55
leave = 0.5
{more}
[engine]
resolve_s = 20
"""
NEUTRAL, STEERED = "neutral", "steered"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """Save a decoder for the senders' electrodes. Its decisions are random but confident."""
    folder = tmp_path_factory.mktemp("decoder") / "decoder"
    runs = [planted(k, n_channels=senders.N_CHANNELS, sfreq=EEG.sfreq) for k in range(3)]
    names = tuple(f"E{k}" for k in range(senders.N_CHANNELS))
    runs = [run.__class__(run.name, run.subject, run.sfreq, names, *_rest(run)) for run in runs]
    fitted = LinearDecoder(EEG, [1.0], [0.2]).fit(runs)
    facts = Facts(0.5, 0.5, 40, ("made up",), 120.0, Emissions(0.1, -0.1, 0.05, 0.0, 100.0))
    save_decoder(folder, fitted, facts)
    return folder


def _rest(run):
    return run.neural, run.talker_names, run.talkers, run.attended, run.stimuli


class Rig:
    """A closed loop on simulated signals."""

    def __init__(self, folder, name, decoder, more="", sink=None):
        self.folder, self.events = folder, []
        (folder / "decoder").symlink_to(decoder)
        config = parse_config(SESSION.format(name=name, more=more), "test", folder)
        self.prepared = noise_scene()
        self.audio = AudioEngine(self.prepared, sink or FileSink(folder / "heard.wav"), self.events.append)
        self._outlets = SoundOutlets(self.audio, name, EnvelopeConfig())
        self.audio.start()
        self.loop = ClosedLoop(config, self.audio, folder / "loop.xdf", self.events.append)
        self.loop.start()

    @property
    def gains(self):
        return self.audio.status().gains_db[:2]

    @property
    def engine_pid(self):
        return self.loop.engine_process.pid

    def decision(self):
        status = self.loop.engine_status
        return (status and status.decision) or DecisionStatus(0, math.nan, (), (), -1, (), "")

    @property
    def beat(self):
        status = self.loop.engine_status
        return 0 if status is None else status.beat

    def wait_for(self, condition, seconds=180.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"timed out; events: {self.events}; decision: {self.decision()}"
            assert not self.loop.failure
            time.sleep(0.02)

    def wait_until_steered(self):
        """Wait for a new decision that steers, and for gains that differ from the neutral mix."""
        n = self.decision().n
        self.wait_for(lambda: self.decision().n > n + 1 and self.decision().situation == STEERED)
        self.wait_for(lambda: abs(self.gains[0] - self.gains[1]) > 1.0)

    def wait_until_neutral(self):
        self.wait_for(lambda: np.abs(self.gains).max() < 0.01)

    def has_event(self, words):
        return any(words in event for event in self.events)

    def finish(self):
        wrong = self.loop.stop()
        self.audio.stop()
        self._outlets.stop()
        assert not wrong

    def check_sound(self):
        """Assert that the sound equals the one rendered from the log, and that the audio process never restarted."""
        heard, _ = soundfile.read(self.folder / "heard.wav", dtype="float32")
        assert len(heard) == self.audio.status().frames
        assert abs(heard - rerendered(self.prepared, self.audio)).max() < TOLERANCE
        assert self.audio.restarts == 0


@contextlib.contextmanager
def closed_loop(*about, **options):
    rig = Rig(*about, **options)
    try:
        yield rig
    finally:
        rig.finish()


@pytest.fixture
def about(tmp_path, source_id, decoder):
    return tmp_path, source_id, decoder


def decisions(path):
    return [item for item in replayed(path)["attend"] if isinstance(item, Decision)]


class LoopWithBusyOperator(ClosedLoop):
    """A closed loop in which the operator moves a trim continuously during the start."""

    def start(self):
        begun = threading.Event()
        trims = threading.Thread(target=self._move, args=(begun,))
        trims.start()
        try:
            super().start()
            time.sleep(0.5)
        finally:
            begun.set()
            trims.join()

    def _move(self, begun):
        for k in itertools.count():
            self._audio.trim([-0.1 * (k % 50), 0.0], [False, False])
            if begun.wait(0.005):
                return


def test_recording_contains_every_sound_control_from_the_start(about, source_id, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ClosedLoop", LoopWithBusyOperator)
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
    rig.check_sound()
    lines = [event.line for event in SessionFile(rig.loop.path) if isinstance(event, Noted)]
    noted = [(line.frame, line.trims_db) for line in lines if isinstance(line, HeardLine)]
    applied = [(entry.applied.frame, entry.applied.control.trims_db) for entry in rig.audio.applied()]
    assert noted == applied[: len(noted)]
    assert len(noted) > 100
    assert noted[-1][1] == applied[-1][1], "up to the last trim of the operator"


def test_sender_killed_and_back(about, source_id):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(sender("plain", source_id))
        with closed_loop(*about) as rig:
            rig.wait_until_steered()
            first.kill()
            rig.wait_for(lambda: "stream lost" in rig.decision().situation)
            rig.wait_until_neutral()
            stack.enter_context(sender("plain", source_id))
            rig.wait_until_steered()
        rig.check_sound()
    situations = [one.situation for one in decisions(rig.loop.path)]
    assert situations.index("neutral: stream lost") < len(situations) - 1 - situations[::-1].index(STEERED)


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "the engine died"), (signal.SIGSTOP, "not responded")])
def test_dead_or_hanging_engine_is_replaced_and_gains_hold_then_go_to_neutral(about, source_id, number, words):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
        pid, held = rig.engine_pid, None
        os.kill(pid, number)
        killed = time.monotonic()
        time.sleep(0.7)  # until pending gains have arrived
        held = rig.gains
        while time.monotonic() < killed + LOST_S - 0.5:
            np.testing.assert_array_equal(rig.gains, held)
            time.sleep(0.05)
        rig.wait_until_neutral()
        rig.wait_until_steered()
        assert rig.engine_pid != pid
        assert not running(pid)
    rig.check_sound()
    assert rig.has_event(words)
    assert rig.loop.restarts == 1
    assert [path.name for path in rig.loop.files] == ["loop.xdf", "loop-2.xdf"]
    assert decisions(rig.loop.files[0])[-1].situation == STEERED
    later = decisions(rig.loop.files[1])
    lines = [event.line for event in SessionFile(rig.loop.files[1]) if isinstance(event, Noted)]
    assert any(isinstance(line, EventLine) and words in line.event for line in lines), (
        "the next recording reports the fault"
    )
    assert later[0].situation.startswith("waiting")
    assert STEERED in [one.situation for one in later]


def test_spare_engine_takes_over_and_a_new_spare_starts(about, source_id, monkeypatch):
    monkeypatch.setattr("earmark.app.engine.closed_loop.SPARE_S", 0.5)
    with sender("plain", source_id), closed_loop(*about) as rig:
        for _ in range(2):
            rig.wait_for(lambda: rig.loop._spare is not None)
            spare, pid = rig.loop._spare.pid, rig.engine_pid
            os.kill(pid, signal.SIGKILL)
            rig.wait_for(lambda gone=pid: rig.engine_pid not in (None, gone))
            assert rig.engine_pid == spare
            rig.wait_until_steered()
        rig.wait_for(lambda: rig.loop._spare is not None)
        os.kill(rig.loop._spare.pid, signal.SIGKILL)  # not noticed until the spare is needed
        os.kill(rig.engine_pid, signal.SIGKILL)
        rig.wait_until_steered()
    rig.check_sound()


def test_processes_ignore_signals_to_end_or_pause(about, source_id):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
        pids = rig.engine_pid, rig.loop.recording.pid, rig.audio.status().pid
        for pid in pids:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
                os.kill(pid, number)
        rig.wait_until_steered()
        assert pids == (rig.engine_pid, rig.loop.recording.pid, rig.audio.status().pid)
    rig.check_sound()
    assert not rig.has_event("ALARM")
    _, gaps = check_tiling(consumed(rig.loop.path))
    assert not gaps


def test_new_engine_reconnects_to_the_same_sender_despite_a_duplicate(about, source_id):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
        with sender("plain", source_id):
            selector, end = StreamSelector(source_id=source_id), time.monotonic() + 180
            while len(find_streams(selector, 0.5, at_least=2)) < 2:
                assert time.monotonic() < end
            pid = rig.engine_pid
            os.kill(pid, signal.SIGKILL)
            rig.wait_for(lambda: rig.engine_pid not in (pid, None) and rig.beat)
            rig.wait_until_steered()
    assert rig.loop.restarts == 1
    assert not rig.has_event("more than one LSL stream")


def test_killed_recorder_is_replaced_without_loss(about, source_id):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
        for _ in range(2):
            pid = rig.loop.recording.pid
            os.kill(pid, signal.SIGKILL)
            rig.wait_for(lambda gone=pid: rig.loop.recording.pid not in (None, gone))
        rig.wait_until_steered()
    rig.check_sound()
    assert rig.has_event("ALARM: the recorder died and was replaced")
    assert rig.loop.recording.restarts == 2
    _, gaps = check_tiling(consumed(rig.loop.path))
    assert not gaps
    file = SessionFile(rig.loop.path)
    Replay(file).run()
    assert file.whole


SLOW = """
import time
from dataclasses import replace
from earmark.pipeline.decoders import linear
project = linear.LinearDecoder.project_neural
def slowly(self, neural):
    time.sleep(0.4 if self.grid.penalties == (1.0,) else 0.0)
    return project(self, neural)
linear.LinearDecoder.project_neural = slowly
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Make decoders with penalty 1 miss their deadline in the engine process."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'slow'}{os.pathsep}{ENV['PYTHONPATH']}")


def test_slow_decoder_is_dropped_and_gains_hold_then_go_to_neutral(about, source_id, slow):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_for(lambda: rig.has_event("there is no faster decoder"))
        rig.wait_for(lambda: rig.decision().situation.startswith(("waiting", "neutral")))
        time.sleep(1.0)
        assert np.abs(rig.gains).max() < 0.01
        counts = rig.loop.engine_status.decisions
        assert counts.dropped >= 3
        rig.audio.override([3.0, -9.0])  # an override does not wait for the decoder
        rig.wait_for(lambda: np.allclose(rig.gains, [3.0, -9.0]))
    rig.check_sound()
    assert decisions(rig.loop.path), "late decisions are replayed"


def test_slow_decoder_is_replaced_by_its_fallback(about, source_id, slow, tmp_path, decoder):
    quick = LinearDecoder(EEG, [2.0], [0.2])
    runs = [planted(k, n_channels=senders.N_CHANNELS, sfreq=EEG.sfreq) for k in range(3)]
    names = tuple(f"E{k}" for k in range(senders.N_CHANNELS))
    quick.fit([run.__class__(run.name, run.subject, run.sfreq, names, *_rest(run)) for run in runs])
    facts = Facts(0.5, 0.5, 40, ("made up",), 120.0, Emissions(0.1, -0.1, 0.05, 0.0, 100.0))
    save_decoder(tmp_path / "quick", quick, facts)
    with sender("plain", source_id), closed_loop(*about, more='fallback = "quick"') as rig:
        rig.wait_for(lambda: rig.has_event("the fallback decoder takes over"))
        rig.wait_until_steered()
        dropped = rig.loop.engine_status.decisions.dropped
        rig.wait_until_steered()
        counts = rig.loop.engine_status.decisions
        assert (counts.dropped, counts.demoted) == (dropped, 1)
    rig.check_sound()
    assert STEERED in [one.situation for one in decisions(rig.loop.path)]


def test_nan_burst_on_all_channels_is_masked_and_the_mix_is_neutral_meanwhile(about, source_id):
    with sender("nan-burst", source_id), closed_loop(*about) as rig:
        rig.wait_for(lambda: "bad channels" in rig.decision().situation)
        rig.wait_until_neutral()
        rig.wait_until_steered()
    rig.check_sound()
    for one in decisions(rig.loop.path):
        assert np.isfinite(one.probability).all()
        assert np.isfinite(one.gains).all()


def test_changed_stream_is_refused_in_a_closed_loop(about, source_id):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(sender("plain", source_id))
        with closed_loop(*about) as rig:
            rig.wait_until_steered()
            first.kill()
            first.wait()
            with sender("other-channels", source_id):
                rig.wait_for(lambda: rig.has_event("6 channels instead of 8: refused"))
                rig.wait_until_neutral()
                time.sleep(1.0)
                assert np.abs(rig.gains).max() < 0.01
            stack.enter_context(sender("plain", source_id))
            rig.wait_until_steered()
        rig.check_sound()
    assert decisions(rig.loop.path)


def test_full_disk_raises_an_alarm_and_steering_continues_without_loss(source_id, tmp_path, decoder):
    with small_disk(tmp_path / "disk", "500k") as disk:
        (tmp_path / "decoder").symlink_to(decoder)
        with (
            sender("plain", source_id),
            closed_loop(disk, source_id, decoder, sink=FileSink(tmp_path / "heard.wav")) as rig,
        ):
            rig.folder = tmp_path
            ballast = disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            rig.wait_for(lambda: rig.has_event("No space left"))
            rig.wait_until_steered()
            assert "No space left" in rig.loop.recording.alarm
            ballast.unlink()
            rig.wait_for(lambda: not rig.loop.recording.alarm)
            time.sleep(1.0)
        rig.check_sound()
        _, gaps = check_tiling(consumed(rig.loop.path))
        assert not gaps
        assert decisions(rig.loop.path)


def fill(path):
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def test_full_disk_and_dead_engine_recover_once_space_is_freed(source_id, tmp_path, decoder):
    with small_disk(tmp_path / "disk", "600k") as disk:
        (tmp_path / "decoder").symlink_to(decoder)
        with (
            sender("plain", source_id),
            closed_loop(disk, source_id, decoder, sink=FileSink(tmp_path / "heard.wav")) as rig,
        ):
            rig.folder = tmp_path
            rig.wait_until_steered()
            time.sleep(2.0)
            fill(disk / "ballast")
            rig.wait_for(lambda: rig.has_event("No space left"))
            os.kill(rig.engine_pid, signal.SIGKILL)
            rig.wait_for(lambda: rig.has_event("NOTHING IS RECORDED OR DECODED"))
            rig.wait_until_neutral()
            assert rig.audio.status().state == PLAYING
            assert not (disk / "loop-2.xdf").exists(), "no empty file is left"
            (disk / "ballast").unlink()
            rig.wait_until_steered()
        rig.check_sound()
        assert [path.name for path in rig.loop.files] == ["loop.xdf", "loop-2.xdf"]
        for path in rig.loop.files:
            assert decisions(path), "both files can be replayed"


def test_full_disk_and_dead_engine_until_the_end(source_id, tmp_path, decoder):
    """The session ends normally, and reports what is missing."""
    with small_disk(tmp_path / "disk", "600k") as disk, sender("plain", source_id):
        rig = Rig(disk, source_id, decoder, sink=FileSink(tmp_path / "heard.wav"))
        rig.folder = tmp_path
        rig.wait_until_steered()
        fill(disk / "ballast")
        os.kill(rig.engine_pid, signal.SIGKILL)
        rig.wait_for(lambda: rig.has_event("NOTHING IS RECORDED OR DECODED"))
        wrong = rig.loop.stop()
        rig.audio.stop()
        rig._outlets.stop()
        assert "No space left" in wrong or "were not recorded" in wrong
        assert not (disk / "loop-2.xdf").exists()


def test_engine_that_keeps_dying_is_restarted_after_a_pause_while_sound_plays(about, source_id, monkeypatch):
    limits = replace(LIMITS, most=2, within_s=600.0, rest_s=3.0)
    monkeypatch.setattr("earmark.app.engine.closed_loop.LIMITS", limits)
    with sender("plain", source_id), closed_loop(*about) as rig:
        for _ in range(3):
            rig.wait_for(lambda: rig.loop.engine_process.alive and rig.beat)
            pid = rig.engine_pid
            os.kill(pid, signal.SIGKILL)
            rig.wait_for(lambda gone=pid: rig.engine_pid != gone)
        rig.wait_for(lambda: rig.has_event("the engine was replaced 2 times"))
        rig.wait_until_neutral()
        rig.wait_until_steered()
    rig.check_sound()
    assert len(rig.loop.files) >= 2
    assert decisions(rig.loop.files[-1])


def test_deleted_recording_raises_an_alarm_and_is_restored(about, source_id):
    with sender("plain", source_id), closed_loop(*about) as rig:
        rig.wait_until_steered()
        rig.loop.path.unlink()
        rig.wait_for(lambda: rig.has_event("was deleted, renamed or replaced while it was recorded"))
        rig.wait_until_steered()
        os.kill(rig.loop.recording.pid, signal.SIGKILL)
        rig.wait_until_steered()
    rig.check_sound()
    _, gaps = check_tiling(consumed(rig.loop.path))
    assert not gaps
    assert decisions(rig.loop.path)


def test_wrong_sender_clock_makes_the_mix_neutral_and_loses_no_sample(about, source_id):
    with sender("clock-off", source_id), closed_loop(*about) as rig:
        rig.wait_for(lambda: rig.has_event("clock stepped by +10"))
        rig.wait_until_neutral()
        rig.wait_for(lambda: rig.has_event("clock stepped by -10"))
        rig.wait_until_steered()
    rig.check_sound()
    _, gaps = check_tiling(consumed(rig.loop.path))
    assert not gaps
    assert decisions(rig.loop.path)


def test_loop_continues_without_a_lost_sound_device_and_reports_it(about, source_id, tmp_path, monkeypatch):
    with sender("plain", source_id), jack(tmp_path, monkeypatch) as server:
        with closed_loop(*about, sink=DeviceSink(server.device)) as rig:
            rig.wait_until_steered()
            server.kill()
            rig.wait_for(lambda: rig.audio.restarts == 1)
            assert rig.has_event("GOING ON WITHOUT SOUND")
            rig.wait_until_steered()
        assert decisions(rig.loop.path)


def test_loop_leaves_no_process_and_no_shared_memory(about, source_id):
    with sender("plain", source_id), closed_loop(*about) as rig:
        pids = rig.engine_pid, rig.loop.recording.pid, rig.audio.status().pid
        board = rig.loop.engine_process.board
        assert all(map(running, pids))
        assert os.path.exists(f"/dev/shm/{board}")
    assert not any(map(running, pids))
    assert not os.path.exists(f"/dev/shm/{board}")

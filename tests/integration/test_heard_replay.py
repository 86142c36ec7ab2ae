"""A run with recorded microphones: envelopes are computed again bit for bit, and the window's replay is heard."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pylsl
import pytest
import soundfile
from mixtures import arrive, speech
from rig import ENV, ROOT, sender
from sound_scenes import wait_until
from test_replay_session import make_decoder

from earmark.app.config.session import parse_config
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.replay.heard import sound_of
from earmark.app.replay.sound import RecordedSound, TalkerPositions
from earmark.app.replay.verdict import DIFFERENT, assess
from earmark.app.replay.verify import Replay
from earmark.app.session.preflight import _disk
from earmark.app.session.sound import SessionSound
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.heard_log import read_heard
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.prepare import prepare
from earmark.devices.files.journal import About, HeardLine
from earmark.devices.files.session_file import Noted, SessionFile
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.scene.array import preset
from earmark.pipeline.stream import Marker, StreamSpec

SFREQ, ARRAY, AZIMUTHS = 48_000, preset("glasses6"), (-40.0, 35.0)
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
record_audio = "all"
[[sound.talkers]]
name = "Joe"
source = "place:1"
azimuth = -40.0
[[sound.talkers]]
name = "Ada"
source = "place:2"
[array]
preset = "glasses6"
microphones = "mix.wav"
loop = true
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Record a run from a mixture while sound plays already, with a sound process that dies; return its folder."""
    home = tmp_path_factory.mktemp("heard")
    make_decoder(home / "decoder")
    (home / "run-1").mkdir()
    heard = sum(0.01 * arrive(ARRAY, speech(4.0, k, SFREQ), at, SFREQ) for k, at in enumerate(AZIMUTHS))
    soundfile.write(home / "mix.wav", heard.T, SFREQ, subtype="FLOAT")
    name = f"test-{os.getpid()}-heard"
    config = parse_config(SESSION.format(name=name), "test", home)
    events = []
    cues = Outlet(StreamSpec(f"{name}-cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", f"{name}-cues")
    audio = AudioEngine(prepare(config.sound.scene(home)), config.sound.sink(home), heard=True)
    outlets = SoundOutlets(audio, name, EnvelopeConfig())
    with sender("plain", name):
        audio.start()
        wait_until(lambda: audio.status().frames > 3 * SFREQ)
        about = About("", mode="closed", protocol={"participant": {"listen": "Listen to {name}"}})
        loop = ClosedLoop(config, audio, home / "run-1" / "loop.xdf", events.append, about=about)
        loop.start()
        cues.push(Marker(pylsl.local_clock(), "attend:Joe"))
        time.sleep(5)
        audio.move([20.0, AZIMUTHS[1]])
        assert loop.recording.bytes > 4 * 6 * SFREQ
        os.kill(audio.status().pid, signal.SIGKILL)
        wait_until(lambda: audio.restarts == 1)
        time.sleep(5)
        assert not loop.stop(), events
    audio.stop()
    outlets.stop()
    return home / "run-1"


def heard_again(path):
    replay = Replay(SessionFile(path))
    replay.run()
    replay.hear()
    return replay


def test_envelopes_of_places_are_computed_again_bit_for_bit(run):
    replay = heard_again(run / "loop.xdf")
    found = replay.heard
    assert found is not None, replay.heard_words
    assert found.identical, replay.heard_words
    assert found.n_compared > 0.85 * found.n_samples > 400, replay.heard_words
    assert assess(replay).status == 0
    assert [one.start for one in read_heard(run / "loop.xdf").renewals] == [False, True]


def test_command_reports_a_row_and_a_sentence(run, tmp_path):
    command = [sys.executable, "-m", "earmark.app.cli", "replay", str(run), "--verify", "--json", str(tmp_path / "x")]
    done = subprocess.run(command, check=False, env=ENV, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loop.microphones.wav" in done.stdout
    assert "are those computed again from loop.microphones.wav" in " ".join(done.stdout.split())
    found = json.loads((tmp_path / "x").read_text())["heard"]
    assert found["identical"]
    assert found["n_same"] == found["n_compared"] > 400


def test_other_sound_is_found_out(run, tmp_path):
    copy = shutil.copytree(run.parent, tmp_path / "copy") / "run-1"
    path = copy / "loop.microphones.wav"
    heard, _ = soundfile.read(path, dtype="float32")
    heard[3 * SFREQ : 4 * SFREQ] *= 0.5
    soundfile.write(path, heard, SFREQ, subtype="FLOAT")
    replay = heard_again(copy / "loop.xdf")
    assert not replay.heard.identical
    verdict = assess(replay)
    assert verdict.status == DIFFERENT
    assert "others differ by up to" in verdict.details[0]
    (copy / "loop.microphones.jsonl").write_text("{}\n")
    replay = heard_again(copy / "loop.xdf")
    assert replay.heard is None
    assert "the sound cannot be used" in replay.heard_words
    path.unlink()
    replay = heard_again(copy / "loop.xdf")
    assert replay.heard_words == "recorded envelopes were taken: no sound was recorded"
    assert assess(replay).status == 0


def test_recorded_microphones_are_heard_in_a_replay(run):
    file = SessionFile(run / "loop.xdf")
    lines = [one.line for one in file if isinstance(one, Noted) and isinstance(one.line, HeardLine)]
    text = file.about.config.replace('"mix.wav"', '"lsl:gone"').replace("loop = true", "")
    config = parse_config(text, "test", run).sound
    events = []
    silent = RecordedSound(config, (run, run.parent), lines, events.append)
    silent.start()
    assert "The microphones were lsl:gone, which was not recorded" in events[-1]
    sound = RecordedSound(config, (run, run.parent), lines, events.append, sound_of(run / "loop.xdf"))
    sound.start()
    try:
        assert sound.audio is not None, events
        where, began = TalkerPositions(lines, SFREQ), read_heard(run / "loop.xdf").about.first
        instant = next(one.dac for one in lines if one.dac is not None)
        sound.go(instant + (began + SFREQ - where.frame(instant)) / SFREQ)
        wait_until(lambda: min(sound.audio.status().rms[:2]) > 1e-3)
        wait_until(lambda: min(sound.audio.status().out_rms) > 1e-3)
        sound.go(instant + 3600)
        wait_until(lambda: max(sound.audio.status().rms[:2]) < 1e-5)
    finally:
        sound.stop()
    assert "without a sound device" in events[-1]


def test_a_session_keeps_microphones_only_where_they_are_recorded(run):
    for words, kept in (("all", True), ("features", False)):
        text = SESSION.format(name=f"test-{os.getpid()}-kept").replace('"all"', f'"{words}"')
        config = parse_config(text, "test", run.parent)
        sound = SessionSound(config.sound, run.parent, print)
        try:
            assert bool(sound.play().names.heard) == kept
        finally:
            sound.stop()
        check = _disk(config, {}, run, 1800.0)
        assert ("of which sound up to 4.1 GB an hour" in check.words) == kept
        assert ("takes up to 2074 MB" in check.words) == kept

"""A real sound process that steers from a mixture: microphones from a file, from LSL, and in a simulated room."""

import os
import re
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pylsl
import pytest
import soundfile
from mixtures import arrive, speech
from sound_scenes import left_behind, wait_until

from earmark.devices.audio.control_block import PLAYING
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import CLEAN, ENVELOPES, SoundOutlets
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.rings import PcmReader
from earmark.devices.audio.scene import AudioError, Microphones, Room, RoomTalker, Scene, Talker
from earmark.devices.audio.sinks import FileSink, NullSink
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.scene.array import preset

SFREQ, DELAY = 48_000, 384 + 144
ARRAY = preset("glasses6")
AZIMUTHS = (-40.0, 35.0)
TALKERS = tuple(Talker(f"t{k + 1}", f"place:{k + 1}", at) for k, at in enumerate(AZIMUTHS))


def scene_of(source, **fields):
    positions = tuple(map(tuple, ARRAY.positions.tolist()))
    mics = Microphones(str(source), positions, ARRAY.ears, starts=AZIMUTHS, loop=True, **fields)
    return Scene(TALKERS, microphones=mics)


@pytest.fixture(scope="module")
def mixture():
    """Two talkers as glasses hear them, shape (6, n)."""
    return sum(0.01 * arrive(ARRAY, speech(4.0, k, SFREQ), at, SFREQ) for k, at in enumerate(AZIMUTHS)).astype("f4")


def test_file_is_steered_and_neutral_gains_give_the_ears(tmp_path, mixture):
    soundfile.write(tmp_path / "m.wav", mixture.T, SFREQ, subtype="FLOAT")
    with AudioEngine(scene_of(tmp_path / "m.wav"), FileSink(tmp_path / "x.wav")) as engine:
        time.sleep(1.5)
        neutral = engine.status()
        np.testing.assert_allclose(neutral.delivered_db[:2], 0, atol=1e-9)
        engine.set_gains([3.0, -9.0], ramp_s=0.05)
        time.sleep(3.0)
        status, names = engine.status(), engine.names
        assert status.state == PLAYING
        assert np.abs(np.array(status.azimuths[:2]) - AZIMUTHS).max() < 8
        assert status.delivered_db[0] > 2
        assert min(status.rms[:2]) > 0
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    changed = next(entry.applied.frame for entry in engine.applied() if entry.applied.kind == "control")
    frames = np.arange(20_000, changed)
    wanted = mixture[list(ARRAY.ears)][:, (frames - DELAY) % mixture.shape[1]].T
    np.testing.assert_array_equal(heard[frames], wanted)
    assert not left_behind(names)


def test_talkers_who_are_found_are_reported_once(tmp_path, mixture):
    soundfile.write(tmp_path / "m.wav", mixture.T, SFREQ, subtype="FLOAT")
    scene, said = scene_of(tmp_path / "m.wav"), []
    scene = replace(scene, microphones=replace(scene.microphones, starts=(None, AZIMUTHS[1])))
    with AudioEngine(scene, NullSink(), said.append) as engine:
        wait_until(lambda: said)
        wait_until(lambda: engine.status().frames > 4 * SFREQ)
        azimuth = engine.status().azimuths[0]
    assert abs(azimuth - AZIMUTHS[0]) < 15
    (found,) = [text for text in said if "was found" in text]
    assert re.fullmatch(r"t1 was found \d+ degrees to the left", found)


def test_a_killed_process_is_replaced_and_goes_on(tmp_path, mixture):
    soundfile.write(tmp_path / "m.wav", mixture.T, SFREQ, subtype="FLOAT")
    with AudioEngine(scene_of(tmp_path / "m.wav"), NullSink()) as engine:
        wait_until(lambda: engine.status().frames > 20_000)
        os.kill(engine.status().pid, signal.SIGKILL)
        wait_until(lambda: engine.restarts == 1 and engine.status().frames > 60_000)
        assert engine.status().positions[0] == engine.status().positions[1] > 0


def test_clean_talkers_of_a_room_are_published_beside_the_separated(tmp_path, mixture):
    pytest.importorskip("pyroomacoustics")
    for k in range(2):
        soundfile.write(tmp_path / f"{k}.wav", speech(4.0, k, SFREQ) * 0.05, SFREQ)
    names = ("Joe", "Ada")
    voices = tuple(RoomTalker(names[k], str(tmp_path / f"{k}.wav"), at) for k, at in enumerate(AZIMUTHS))
    prefix = f"mixture-{os.getpid()}"
    engine = AudioEngine(prepare(scene_of("room", room=Room(voices, 0.0, seconds=4.0))), NullSink())
    readers = [PcmReader(engine.names.pcm, 4800), PcmReader(engine.names.clean, 4800)]
    outlets = SoundOutlets(engine, prefix, EnvelopeConfig())
    try:
        engine.start()
        for suffix in (ENVELOPES, CLEAN):
            (info,) = pylsl.resolve_byprop("name", prefix + suffix, 1, 60)
            assert info.channel_count() == 2
        wait_until(lambda: engine.status().frames > 4 * SFREQ)
        wait_until(lambda: 0 <= outlets.behind_s < 0.3)
    finally:
        engine.stop()
        outlets.stop()
    parts, clean = (blocks(reader) for reader in readers)
    n = min(len(parts), len(clean))
    for k in range(2):
        lags = range(-30, 31)  # the reference is some centimetres nearer than the middle of the head
        match = [
            max(np.corrcoef(np.roll(parts[SFREQ:n, place], lag), clean[SFREQ:n, k])[0, 1] for lag in lags)
            for place in range(2)
        ]
        assert match[k] > 0.7, "aligned with what is separated"
        assert match[1 - k] < 0.5
    for reader in readers:
        reader.close()


def blocks(reader):
    found = []
    while (block := reader.read()) is not None:
        found.append(block.data)
    return np.concatenate(found)


def test_microphones_come_from_lsl(mixture):
    name, stop = f"mics-{os.getpid()}", threading.Event()
    info = pylsl.StreamInfo(name, "Audio", 6, SFREQ, "float32", name)
    outlet = pylsl.StreamOutlet(info)

    def send():
        begun, n = time.monotonic(), 0
        while not stop.wait(0.02):
            due = round((time.monotonic() - begun) * SFREQ)
            outlet.push_chunk(np.ascontiguousarray(mixture[:, np.arange(n, due) % mixture.shape[1]].T))
            n = due

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with AudioEngine(scene_of(f"lsl:{name}"), NullSink()) as engine:
            wait_until(lambda: min(engine.status().rms[:2]) > 1e-4)
            names = engine.names
        assert not left_behind(names)
        few = Scene(TALKERS, microphones=Microphones(f"lsl:{name}", ((0, 0, 0), (0.1, 0, 0)) * 1))
        AudioEngine(few, NullSink()).stop()  # fewer microphones than channels: the first ones
        many = tuple((0.01 * k, 0.0, 0.0) for k in range(7))
        with pytest.raises(AudioError, match=r"has 6 channels, but the array has 7 microphones"):
            AudioEngine(Scene(TALKERS, microphones=Microphones(f"lsl:{name}", many)), NullSink())
    finally:
        stop.set()
        sender.join()


def test_howl_in_live_microphones_is_turned_down_and_reported():
    name, stop, said = f"howl-{os.getpid()}", threading.Event(), []
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Audio", 6, SFREQ, "float32", name))

    def send():
        begun, n = time.monotonic(), 0
        while not stop.wait(0.02):
            due = round((time.monotonic() - begun) * SFREQ)
            howl = 0.2 * np.sin(2 * np.pi * 3000 * np.arange(n, due) / SFREQ)
            outlet.push_chunk(np.tile(howl[:, None], (1, 6)).astype(np.float32))
            n = due

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with AudioEngine(scene_of(f"lsl:{name}"), NullSink(), said.append) as engine:
            wait_until(lambda: any(text.startswith("HOWLING") for text in said))
            wait_until(lambda: engine.status().out_rms[0] < 0.02)
    finally:
        stop.set()
        sender.join()

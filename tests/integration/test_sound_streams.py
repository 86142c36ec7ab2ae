"""Sound and LSL: published gains, markers and envelopes, and talkers from LSL streams."""

import itertools
import os
import signal
import threading
import time
import uuid

import numpy as np
import pylsl
import pytest
from sound_scenes import noise_scene, wait_until

from earmark.devices.audio import feeds
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.rings import PcmReader
from earmark.devices.audio.scene import AudioError, Prepared, Scene, Talker
from earmark.devices.audio.sinks import NullSink
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope
from earmark.pipeline.stream import Block


class Listener:
    """Receives a stream."""

    def __init__(self, name):
        (info,) = pylsl.resolve_byprop("name", name, 1, 10.0)
        self._inlet = pylsl.StreamInlet(info, recover=False)
        self._inlet.open_stream(10.0)
        self.info = self._inlet.info(10.0)

    def all(self, seconds=0.5):
        samples, stamps = [], []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            more, at = self._inlet.pull_chunk(timeout=0.1)
            samples += more
            stamps += at
        return samples, np.array(stamps)


def test_gains_markers_and_envelopes_are_published_with_their_audible_times():
    prepared, name = noise_scene(space="left_right"), f"test-{uuid.uuid4().hex[:8]}"
    config = EnvelopeConfig(n_bands=6)
    engine = AudioEngine(prepared, NullSink())
    outlets = SoundOutlets(engine, name, config)
    listeners = {kind: Listener(f"{name}-{kind}") for kind in ("gains", "markers", "envelopes")}
    assert [listener.info.type() for listener in listeners.values()] == ["Gain", "Markers", "Envelope"]
    assert listeners["gains"].info.get_channel_units() == ["dB"] * 4
    assert listeners["gains"].info.get_channel_labels() == ["t0", "t1", "master", "limiter"]
    with engine:
        time.sleep(0.3)
        engine.set_gains([-3.0, -12.0], decision=7)
        time.sleep(0.4)
        engine.mute()
        engine.seek([1.5, 2.5])
        wait_until(lambda: engine.status().frames > 60_000)
        engine.mute(False)
    time.sleep(0.15)  # nothing more is published after the end of the sound
    outlets.stop()
    status = engine.status()
    clock = status.clock

    gains, at = listeners["gains"].all()
    assert len(gains) > 12
    assert gains[-1] == pytest.approx([-3.0, -12.0, 0.0, 0.0])
    assert clock.time(0) < at[0] < at[-1] <= clock.time(status.frames)
    assert (np.diff(at) > 0).all()

    markers, at = listeners["markers"].all()
    texts = [text for (text,) in markers]
    assert sorted(texts) == sorted(
        ["start", f"device {NullSink()}", "mute", "seek t0 1.5 s, t1 2.5 s", "unmute", "stop"]
    )
    applied = {entry.applied.kind: entry.applied.frame for entry in engine.applied()}
    times = dict(zip(texts, at, strict=True))
    assert times["start"] == pytest.approx(clock.time(0), abs=1e-3)
    assert times["stop"] == pytest.approx(clock.time(applied["stop"]), abs=1e-3)

    envelopes, at = listeners["envelopes"].all()
    envelopes = np.array(envelopes)
    frames = np.arange(48_000)
    spoken = prepared.pcm[0][frames % len(prepared.pcm[0])].astype(float)
    expected = speech_envelope(spoken, 48_000.0, config)[:, 0]
    n = 40  # before the seek
    assert envelopes[:n, 0] == pytest.approx(expected[:n], rel=1e-5)
    assert np.diff(at[:n]) == pytest.approx(1 / 64, abs=2e-4)


def test_reader_of_talkers_samples_gets_gaps_for_unplayed_frames(tmp_path):
    prepared = noise_scene(space="left_right")
    with AudioEngine(prepared, NullSink()) as engine:
        reader = PcmReader(engine.names.pcm, 480)
        items = []

        def read():
            while (item := reader.read()) is not None:
                items.append(item)

        def until(frame):
            while engine.status().frames < frame or not engine.status().heartbeat:
                read()
                time.sleep(0.01)

        until(24_000)
        os.kill(engine.status().pid, signal.SIGKILL)
        wait_until(lambda: engine.restarts)
        until(engine.status().first_frame + 24_000)
        reader.close()
        entries = engine.applied()
    starts = [entry.applied for entry in entries if entry.applied.kind == "start"]
    gaps = [item for item in items if not isinstance(item, Block)]
    assert [gap.stop for gap in gaps] == [starts[1].frame]
    for before, after in itertools.pairwise(items):
        assert after.start == before.stop
    for item in items:
        if isinstance(item, Block):
            start = starts[item.start >= starts[1].frame]
            for k, pcm in enumerate(prepared.pcm):
                at = (start.positions[k] + np.arange(item.start, item.stop) - start.frame) % len(pcm)
                np.testing.assert_array_equal(item.data[:, k], pcm[at])


@pytest.mark.parametrize("rate", [48_000.0, 44_100.0])
def test_talker_from_lsl_is_played(rate):
    name = f"voice-{uuid.uuid4().hex[:8]}"
    info = pylsl.StreamInfo(name, "Audio", 2, rate, "float32", name)
    outlet, stop = pylsl.StreamOutlet(info), threading.Event()

    def speak():
        start, n = pylsl.local_clock(), 0
        while not stop.wait(0.01):
            due = int((pylsl.local_clock() - start) * rate)
            tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(n, due) / rate)
            outlet.push_chunk(np.stack([tone, 0 * tone], axis=1).astype(np.float32))
            n = due

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        scene = Scene((Talker("live", f"lsl:{name}"),), space="left_right")
        prepared = Prepared(scene, (None,), *impulse_responses(scene.space, scene.sfreq))
        with AudioEngine(prepared, NullSink()) as engine:
            wait_until(lambda: engine.status().peak[0] > 0.05)
            reader, heard = PcmReader(engine.names.pcm, 4800), []
            while len(heard) < 8:
                item = reader.read()
                if item is None:
                    time.sleep(0.02)
                elif isinstance(item, Block):
                    heard.append(item.data[:, 0])
            reader.close()
            status = engine.status()
    finally:
        stop.set()
        speaker.join()
    heard = np.concatenate(heard)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 48_000 / len(heard) == pytest.approx(440, abs=3)
    assert status.missing[0] < 24_000


def test_missing_lsl_talker_is_an_error(monkeypatch):
    monkeypatch.setattr(feeds, "FIND_S", 1.0)
    scene = Scene((Talker("live", "lsl:nobody at all"),), space="left_right")
    with pytest.raises(AudioError, match="no LSL stream with name 'nobody at all'"):
        AudioEngine(Prepared(scene, (None,), *impulse_responses(scene.space, scene.sfreq)), NullSink())

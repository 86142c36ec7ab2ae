"""What is played on real sound servers, heard by another process, is what the log says."""

import os
import signal
import time

import numpy as np
import pytest
import sound_servers
from sound_scenes import heavy_load, left_behind, matched, noise_scene, rerendered, running, wait_until
from too_busy import Queueing

from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.rings import PcmReader
from earmark.devices.audio.scene import AudioError, Prepared, Scene, Talker
from earmark.devices.audio.sinks import DeviceSink, NullSink
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.stream import Block

GAINS = [(0.0, -12.0), (-12.0, 0.0), (-3.0, -40.0), (6.0, -6.0)]


@pytest.fixture(params=["jack", "pulse"])
def server(request, tmp_path, monkeypatch):
    with getattr(sound_servers, request.param)(tmp_path, monkeypatch) as running_server:
        yield running_server


@pytest.fixture
def jack(tmp_path, monkeypatch):
    with sound_servers.jack(tmp_path, monkeypatch) as running_server:
        yield running_server


def sink_of(server):
    return DeviceSink(server.device, latency_s=server.latency)


def heard_under_load(server, prepared, path, seconds=3.0):
    """What a server was given to play beside a heavy load, the engine that played it, the number of decisions, and how
    long server and sound were kept waiting."""
    with (
        sound_servers.capture(server, path) as capture,
        AudioEngine(prepared, sink_of(server)) as engine,
        heavy_load(),
    ):
        began, k = time.monotonic(), 0
        queueing = Queueing(server.pid, engine.status().pid)
        while time.monotonic() - began < seconds:
            engine.set_gains(GAINS[k % 4], ramp_s=(0.02, 0.1, 0.3)[k % 3], decision=k)
            if k == 5:
                engine.move([10.0, -70.0])
            if k == 9:
                engine.seek([1.0, 2.0])
            time.sleep(0.11)
            k += 1
        queueing.note()
        engine.stop()
        time.sleep(0.2)
        return capture.finish(), engine, k, queueing


def test_what_is_heard_equals_the_rerendering_beside_a_burning_core_and_a_held_lock(server, tmp_path):
    prepared = noise_scene()
    for _ in range(3):  # a server that itself gets no processor for 0.3 s is given up, and decisions meanwhile unheard
        heard, engine, k, queueing = heard_under_load(server, prepared, tmp_path / "heard.raw")
        if not engine.restarts:
            break
    with queueing.excuses():
        assert not engine.restarts
    rendered = rerendered(prepared, engine).astype(np.float32)
    stretches, strange = matched(heard, rendered)
    n_matched = sum(n for _, _, n in stretches)
    assert {entry.decision for entry in engine.applied()} >= set(range(k)), "every decision was applied"
    assert strange == 0, "nothing was heard that was not rendered"
    with queueing.excuses():
        assert n_matched > 0.97 * len(rendered), "beside what a driver dropped whole, all of it was heard"
    assert abs(heard).max() > 0.05


def test_a_killed_server_that_returns_is_played_on_again_at_the_right_position(server, tmp_path):
    prepared, events = noise_scene(), []
    with AudioEngine(prepared, sink_of(server), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 24_000)
        first = engine.status()
        server.kill()
        server.start()
        wait_until(lambda: engine.restarts or engine.failure)
        if engine.playing == str(NullSink()):  # the server took longer than the watchdog waits
            engine.switch(sink_of(server))
        wait_until(lambda: engine.status().pid != first.pid and engine.status().frames > engine.status().first_frame)
        assert server.device in engine.status().sink.decode()
        starts = [entry.applied for entry in engine.applied() if entry.applied.kind in ("start", "lost")]
        assert not running(first.pid)
        names, pid = engine.names, engine.status().pid
    assert [entry.kind for entry in starts[:3]] == ["start", "lost", "start"]
    lost, again = starts[1], starts[2]
    assert again.positions == tuple(lost.frame % len(pcm) for pcm in prepared.pcm), "where it stopped"
    assert again.frame > lost.frame, "frames go on with the clock"
    assert not left_behind(names)
    assert not running(pid)


def test_when_the_server_is_gone_sound_time_goes_on_with_a_loud_warning_and_back_on_request(jack):
    prepared, events = noise_scene(), []
    with AudioEngine(prepared, sink_of(jack), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 12_000)
        pid = engine.status().pid
        jack.kill()
        wait_until(lambda: engine.restarts)
        assert any("WITHOUT SOUND" in event for event in events)
        assert engine.playing == str(NullSink())
        assert not running(pid)
        with pytest.raises(AudioError, match="no sound output"):
            engine.switch(sink_of(jack))
        wait_until(lambda: engine.status().state == 1)
        jack.start()
        engine.switch(sink_of(jack))
        wait_until(lambda: engine.status().sink == b"system")


def test_a_stalled_process_is_replaced(jack):
    with AudioEngine(noise_scene(), sink_of(jack)) as engine:
        wait_until(lambda: engine.status().frames > 12_000)
        pid = engine.status().pid
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: engine.restarts)
        wait_until(lambda: engine.status().pid != pid)
        assert not running(pid)
        assert engine.playing == "sound device 'system'"


def test_frames_are_said_to_sound_when_they_do_to_a_millisecond(jack, tmp_path):
    prepared, maps = noise_scene(), []
    with (
        sound_servers.capture(jack, tmp_path / "heard.raw") as capture,
        AudioEngine(prepared, sink_of(jack)) as engine,
        heavy_load(),
    ):
        wait_until(lambda: engine.status().frames > 24_000)
        queueing = Queueing(jack.pid, engine.status().pid)
        while engine.status().frames < 120_000:
            maps.append(engine.status())
            time.sleep(0.01)
        queueing.note()
        engine.stop()
        heard = capture.finish()
    stretches, _ = matched(heard, rendered := rerendered(prepared, engine).astype(np.float32))
    assert len(rendered) > 120_000
    place = np.full(len(rendered), -1)
    for at, frame, n in stretches:
        place[frame : frame + n] = np.arange(at, at + n)
    off = []
    for status in maps:
        at = place[status.frames]
        if at >= 0:
            really = capture.times[at // sound_servers.BLOCK] + at % sound_servers.BLOCK / sound_servers.SFREQ
            off.append(status.clock.time(status.frames) - really)
    off = np.array(off)
    with queueing.excuses():
        assert len(off) > 10, (len(heard), len(stretches), len(maps))
    # From the server handing it out to the ear, the driver says: two periods with a dummy driver.
    two_periods = 2 * sound_servers.BLOCK / sound_servers.SFREQ
    with queueing.excuses():
        assert np.mean(abs(off - two_periods) < 1e-3) > 0.9, "but for a tenth of a second after a skipped buffer"


def test_a_talker_at_the_sound_input_is_heard(jack, tmp_path):
    rng = np.random.default_rng(5)
    voice = (0.05 * rng.standard_normal(48_000)).astype(np.float32)
    voice.tofile(tmp_path / "voice.raw")
    talkers = (Talker("a", "input:2"), Talker("b", "b.wav", loop=True))
    scene = Scene(talkers, space="left_right")
    prepared = Prepared(scene, (None, voice), *impulse_responses(scene))
    sink = DeviceSink("system", input_device="system")
    with sound_servers.jack_speaker(tmp_path / "voice.raw"), AudioEngine(prepared, sink) as engine:
        wait_until(lambda: engine.status().peak[0] > 0.01)
        reader, heard = PcmReader(engine.names.pcm, 24_000), None
        while not isinstance(heard, Block):
            heard = reader.read()
            time.sleep(0.01)
        reader.close()
        status = engine.status()
    said = np.stack([heard.data[:, 0]] * 2, axis=1)
    stretches, strange = matched(said, np.stack([np.tile(voice, 3)] * 2, axis=1))
    assert strange == 0
    assert sum(n for _, _, n in stretches) > 0.97 * len(said)
    assert status.missing[0] < 48_000


def test_what_a_device_cannot_is_said_with_the_fix(jack):
    with pytest.raises(AudioError, match=r"does not play 44100 Hz, but accepts 48000"):
        AudioEngine(noise_scene(sfreq=44_100.0), sink_of(jack)).start()
    with pytest.raises(AudioError, match=r"'no such card'.*outputs are .*system"):
        AudioEngine(noise_scene(), DeviceSink("no such card")).start()

"""Sound on real sound servers, captured by another process, equals the sound rendered from the log."""

import os
import signal
import time

import numpy as np
import pytest
import sound_servers
from sound_scenes import heavy_load, left_behind, matched, noise_scene, rerendered, running, wait_until
from too_busy import Queueing

from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.places import acoustic_delay
from earmark.devices.audio.rings import PcmReader
from earmark.devices.audio.scene import AudioError, Microphones, Prepared, Scene, Talker
from earmark.devices.audio.sinks import DeviceSink, NullSink
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.scene.array import preset
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
    """Play on a server under heavy load; return captured sound, engine, number of decisions and scheduling waits."""
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


def test_captured_sound_under_load_equals_the_reference_rendering(server, tmp_path):
    prepared = noise_scene()
    for _ in range(3):  # a server without CPU time for 0.3 s is abandoned, and the decisions meanwhile are not heard
        heard, engine, k, queueing = heard_under_load(server, prepared, tmp_path / "heard.raw")
        if not engine.restarts:
            break
    with queueing.excuses():
        assert not engine.restarts
    rendered = rerendered(prepared, engine).astype(np.float32)
    stretches, unmatched = matched(heard, rendered)
    n_matched = sum(n for _, _, n in stretches)
    assert {entry.decision for entry in engine.applied()} >= set(range(k)), "every decision was applied"
    assert unmatched == 0, "all captured sound was rendered"
    with queueing.excuses():
        assert n_matched > 0.97 * len(rendered), "all was captured, except buffers that the driver dropped"
    assert abs(heard).max() > 0.05


def test_playback_continues_at_the_right_position_on_a_restarted_server(server, tmp_path):
    prepared, events = noise_scene(), []
    with AudioEngine(prepared, sink_of(server), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 24_000)
        first = engine.status()
        server.kill()
        server.start()
        wait_until(lambda: engine.restarts or engine.failure)
        if engine.playing == str(NullSink()):  # the server took longer than the watchdog's timeout
            engine.switch(sink_of(server))
        wait_until(lambda: engine.status().pid != first.pid and engine.status().frames > engine.status().first_frame)
        assert server.device in engine.status().sink.decode()
        starts = [entry.applied for entry in engine.applied() if entry.applied.kind in ("start", "lost")]
        assert not running(first.pid)
        names, pid = engine.names, engine.status().pid
    assert [entry.kind for entry in starts[:3]] == ["start", "lost", "start"]
    lost, again = starts[1], starts[2]
    assert again.positions == tuple(lost.frame % len(pcm) for pcm in prepared.pcm), "the position of the stop"
    assert again.frame > lost.frame, "frames follow the clock"
    assert not left_behind(names)
    assert not running(pid)


def test_lost_server_raises_a_warning_and_playback_returns_on_request(jack):
    prepared, events = noise_scene(), []
    with AudioEngine(prepared, sink_of(jack), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 12_000)
        pid = engine.status().pid
        jack.kill()
        wait_until(lambda: engine.restarts)
        wait_until(lambda: any("WITHOUT SOUND" in event for event in events))
        assert engine.playing == str(NullSink())
        assert not running(pid)
        with pytest.raises(AudioError, match="no sound output"):
            engine.switch(sink_of(jack))
        wait_until(lambda: engine.status().state == 1)
        jack.start()
        engine.switch(sink_of(jack))
        wait_until(lambda: engine.status().sink == b"system")


def test_stalled_audio_process_is_replaced(jack):
    with AudioEngine(noise_scene(), sink_of(jack)) as engine:
        wait_until(lambda: engine.status().frames > 12_000)
        pid = engine.status().pid
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: engine.restarts)
        wait_until(lambda: engine.status().pid != pid)
        assert not running(pid)
        assert engine.playing == "sound device 'system'"


def test_frame_times_are_accurate_to_a_millisecond(jack, tmp_path):
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
    for number, (at, frame, n) in enumerate(stretches, 1):
        place[frame : frame + n] = np.arange(at, at + n)
        if number > 1:  # within 0.1 s after a skipped buffer, the time may be wrong
            place[frame : frame + sound_servers.SFREQ // 10] = -1
        if number < len(stretches):  # nobody knows of a buffer that will be skipped before the frame is heard
            place[frame + n - 3 * sound_servers.BLOCK : frame + n] = -1
    off = []
    for status in maps:
        at = place[status.frames]
        if at >= 0:
            really = capture.times[at // sound_servers.BLOCK] + at % sound_servers.BLOCK / sound_servers.SFREQ
            off.append(status.clock.time(status.frames) - really)
    off = np.array(off)
    with queueing.excuses():
        assert len(off) > 10, (len(heard), len(stretches), len(maps))
    # Output latency of the dummy driver: two periods.
    two_periods = 2 * sound_servers.BLOCK / sound_servers.SFREQ
    with queueing.excuses():
        assert np.mean(abs(off - two_periods) < 1e-3) > 0.9


def test_talker_at_the_sound_input_is_played(jack, tmp_path):
    rng = np.random.default_rng(5)
    voice = (0.05 * rng.standard_normal(48_000)).astype(np.float32)
    voice.tofile(tmp_path / "voice.raw")
    talkers = (Talker("a", "input:2"), Talker("b", "b.wav", loop=True))
    scene = Scene(talkers, space="left_right")
    prepared = Prepared(scene, (None, voice), *impulse_responses(scene.space, scene.sfreq))
    sink = DeviceSink("system", input_device="system")
    with sound_servers.jack_speaker(tmp_path / "voice.raw"), AudioEngine(prepared, sink) as engine:
        wait_until(lambda: engine.status().peak[0] > 0.01)
        reader, heard = PcmReader(engine.names.pcm, 24_000), None
        while not isinstance(heard, Block):
            heard = reader.read()
            time.sleep(0.01)
        reader.close()
        status = engine.status()
    played = np.stack([heard.data[:, 0]] * 2, axis=1)
    stretches, unmatched = matched(played, np.stack([np.tile(voice, 3)] * 2, axis=1))
    assert unmatched == 0
    assert sum(n for _, _, n in stretches) > 0.97 * len(played)
    assert status.missing[0] < 48_000


def delays(path, scene, prepared, jack):
    """Frames after which each click into the input came out of the output; by a server that counts them itself."""
    period, n = 24_000, 240_000
    sink = DeviceSink("system", input_device="system")
    with AudioEngine(prepared, sink) as engine, sound_servers.jack_loop(path, period, n) as loop:
        wait_until(lambda: loop.poll() is not None)
        assert engine.status().out_peak[0] > 0
    sent, heard = np.fromfile(path, np.float32).reshape(2, -1)
    clicks = np.flatnonzero(sent)
    found = [int(np.abs(heard[at : at + period // 2]).argmax()) for at in clicks]
    loud = [float(np.abs(heard[at : at + period // 2]).max()) for at in clicks]
    return np.array([delay for delay, peak in zip(found, loud, strict=True) if peak > 0.05])


def test_click_takes_the_stated_time_from_microphone_to_ear(jack, tmp_path):
    """A loop through the server: what a mixture takes longer than a talker at the same input is its window."""
    alone = Scene((Talker("a", "input:1", -90.0),), space="left_right")
    places = tuple(Talker(f"t{k + 1}", f"place:{k + 1}") for k in range(2))
    ears = preset("ears2")
    mics = Microphones("input:1-2", tuple(map(tuple, ears.positions.tolist())), ears.ears, span=ears.span)
    mixture = Scene(places, space="left_right", microphones=mics)
    responses = impulse_responses("left_right", alone.sfreq)
    separated, lookahead = acoustic_delay(mixture)
    assert (separated, lookahead) == (384, 144)
    plain = delays(tmp_path / "plain", alone, Prepared(alone, (None,), *responses), jack)
    mixed = delays(tmp_path / "mixed", mixture, Prepared(mixture, (None, None), *responses, ears), jack)
    assert len(plain) > 5
    assert len(mixed) > 5
    assert np.median(mixed) - np.median(plain) == separated
    buffers = (np.median(plain) - lookahead) / sound_servers.BLOCK
    assert buffers == round(buffers) <= 6, "the rest are the buffers of the server"


def test_unsupported_settings_are_errors_with_the_fix(jack):
    with pytest.raises(AudioError, match=r"does not play 44100 Hz, but accepts 48000"):
        AudioEngine(noise_scene(sfreq=44_100.0), sink_of(jack)).start()
    with pytest.raises(AudioError, match=r"'no such card'.*outputs are .*system"):
        AudioEngine(noise_scene(), DeviceSink("no such card")).start()

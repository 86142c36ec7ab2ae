"""What microphones and live talkers gave, in a file beside a recording: exact, and never at the cost of sound."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pylsl
import pytest
import soundfile
from mixtures import arrive, speech
from rerender import rerender
from sound_scenes import TOLERANCE, left_behind, wait_until

from earmark.devices.audio import heard_file
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.heard_again import again
from earmark.devices.audio.heard_file import HeardFile
from earmark.devices.audio.heard_log import read_heard
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import AudioError, Microphones, Prepared, Room, RoomTalker, Scene, Talker
from earmark.devices.audio.sinks import FileSink, NullSink
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.scene.array import preset

SFREQ, WINDOW = 48_000, 384
ARRAY = preset("glasses6")
AZIMUTHS = (-40.0, 35.0)
TALKERS = tuple(Talker(f"t{k + 1}", f"place:{k + 1}", at) for k, at in enumerate(AZIMUTHS))


def scene_of(source, room=None):
    positions = tuple(map(tuple, ARRAY.positions.tolist()))
    mics = Microphones(str(source), positions, ARRAY.ears, starts=AZIMUTHS, loop=True, room=room)
    return Scene(TALKERS, microphones=mics)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Two talkers as glasses hear them: a file of 4 s, and its samples, shape (6, n)."""
    heard = sum(0.01 * arrive(ARRAY, speech(4.0, k, SFREQ), at, SFREQ) for k, at in enumerate(AZIMUTHS)).astype("f4")
    path = tmp_path_factory.mktemp("mixture") / "m.wav"
    soundfile.write(path, heard.T, SFREQ, subtype="FLOAT")
    return path, heard


def applied(engine):
    return [entry.applied for entry in engine.applied()]


def let_play(engine, seconds):
    end = engine.status().frames + seconds * SFREQ
    wait_until(lambda: engine.status().frames > end)


def test_output_is_rendered_again_bit_for_bit_from_the_file(tmp_path, mixture):
    path, heard = mixture
    events = []
    engine = AudioEngine(scene_of(path), FileSink(tmp_path / "x.wav"), heard=True)
    file = HeardFile(engine, tmp_path / "loop.xdf", events.append)
    names = engine.names
    with engine:
        for gains in ([3.0, -9.0], [-6.0, 2.0]):
            let_play(engine, 1)
            engine.set_gains(gains, ramp_s=0.05)
        engine.move([10.0, AZIMUTHS[1]])
        let_play(engine, 1)
    assert file.stop() == ""
    assert not events
    assert not left_behind(names)
    sound = read_heard(tmp_path / "loop.xdf")
    assert sound.about.first == 0
    assert [one.start for one in sound.renewals] == [True]
    recorded, sfreq = soundfile.read(tmp_path / "loop.microphones.wav", dtype="float32")
    assert (recorded.shape[1], sfreq) == (6, SFREQ)
    np.testing.assert_array_equal(recorded, heard[:, np.arange(len(recorded)) % heard.shape[1]].T)
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    found = np.concatenate([piece.ears for piece in again(engine.scene, sound, applied(engine))])
    assert len(found) == len(played) == sound.end
    np.testing.assert_array_equal(found, played)
    assert np.abs(played).max() > 0.001


@pytest.mark.parametrize("gains", [[0.0, 0.0], [3.0, -9.0]])
def test_a_file_that_begins_later_gives_the_parts_bit_for_bit(tmp_path, mixture, gains):
    """A recording begins while sound plays: it asks for a renewal, which the ears do not hear."""
    engine = AudioEngine(scene_of(mixture[0]), FileSink(tmp_path / "x.wav"), heard=True)
    reader = heard_file.PcmRing(name=engine.names.pcm)
    with engine:
        wait_until(lambda: engine.status().frames > 40_000)
        engine.set_gains(gains, ramp_s=0.05)
        let_play(engine, 1)
        file = HeardFile(engine, tmp_path / "loop.xdf", print)
        let_play(engine, 2)
        assert file.stop() == ""
        begin = reader.oldest()
        parts = reader.copy(begin, reader.written - begin)
    reader.close()
    sound = read_heard(tmp_path / "loop.xdf")
    (renewal,) = sound.renewals
    assert not renewal.start
    assert (renewal.frame % (WINDOW // 2), sound.about.first <= renewal.frame - WINDOW) == (0, True)
    pieces = list(again(engine.scene, sound, applied(engine)))
    assert (pieces[0].frame, pieces[-1].stop) == (renewal.frame + WINDOW, sound.end)
    found = np.concatenate([piece.pcm for piece in pieces], axis=1).T
    np.testing.assert_array_equal(found, parts[pieces[0].frame - begin : sound.end - begin])
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    for piece in pieces:  # and the ears, once the fade-in is over
        if piece.frame > renewal.frame + SFREQ // 2:
            np.testing.assert_array_equal(piece.ears, played[piece.frame : piece.stop])
    if any(gains):
        return
    frames = np.arange(20_000, len(played) - 10_000)
    wanted = mixture[1][list(ARRAY.ears)][:, (frames - WINDOW - 144) % mixture[1].shape[1]].T
    np.testing.assert_array_equal(played[frames], wanted, "nothing was heard of the renewal")


def test_a_replaced_process_leaves_a_gap_and_is_rendered_again(tmp_path, mixture):
    engine = AudioEngine(scene_of(mixture[0]), FileSink(tmp_path / "x.wav"), heard=True)
    file = HeardFile(engine, tmp_path / "loop.xdf", print)
    with engine:
        wait_until(lambda: engine.status().frames > 2 * SFREQ)
        os.kill(engine.status().pid, signal.SIGKILL)
        wait_until(lambda: engine.restarts == 1)
        let_play(engine, 1)
    assert file.stop() == ""
    sound = read_heard(tmp_path / "loop.xdf")
    (loss,) = sound.losses
    assert (loss.why, [one.start for one in sound.renewals]) == ("not played", [True, True])
    assert sound.renewals[1].frame == loss.to
    assert np.isfinite(sound.renewals[1].azimuths[:2]).all(), "talkers are where they were"
    recorded, _ = soundfile.read(tmp_path / "loop.microphones.wav", dtype="float32")
    assert not recorded[loss.lost : loss.to].any()
    assert np.abs(recorded[loss.to : loss.to + SFREQ]).max() > 0
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    for piece in again(engine.scene, sound, applied(engine)):
        np.testing.assert_array_equal(piece.ears, played[piece.frame : piece.stop])


def test_a_slow_disk_costs_samples_of_the_file_only_and_separation_goes_on_after_them(tmp_path, mixture, monkeypatch):
    monkeypatch.setattr("earmark.devices.audio.engine.PCM_S", 0.5)
    held, free = threading.Event(), threading.Event()
    events = []
    engine = AudioEngine(scene_of(mixture[0]), NullSink(), heard=True)
    file = HeardFile(engine, tmp_path / "loop.xdf", events.append)
    write = file._file.write

    def slow(frame, samples):
        if frame > SFREQ and not free.is_set():
            held.set()
            free.wait()
        write(frame, samples)

    file._file.write = slow
    with engine:
        wait_until(held.is_set)
        late, missed = engine.status().late, engine.status().missed
        let_play(engine, 2)
        assert engine.status().missed - missed <= engine.status().late - late + 1
        assert engine.restarts == 0
        free.set()
        let_play(engine, 1)
    assert "lacks" in file.stop()
    assert len(events) == 2, events
    assert "too slow for loop.microphones.wav. Sound is missing in that file only" in events[0]
    assert "is written again" in events[1]
    sound = read_heard(tmp_path / "loop.xdf")
    assert [loss.why for loss in sound.losses] == ["too slow"] * len(sound.losses) != []
    assert file.lost == sum(loss.to - loss.lost for loss in sound.losses) > SFREQ
    assert [one.start for one in sound.renewals] == [True, False]
    recorded, _ = soundfile.read(tmp_path / "loop.microphones.wav", dtype="float32")
    wanted = mixture[1][:, np.arange(len(recorded)) % mixture[1].shape[1]].T.copy()
    for loss in sound.losses:
        wanted[loss.lost : loss.to] = 0
    np.testing.assert_array_equal(recorded, wanted)
    begins = [piece.begins for piece in again(engine.scene, sound, applied(engine)) if piece.begins]
    assert begins == ["start", "renewal"]


def test_a_full_disk_is_reported_once_and_the_file_goes_on_when_there_is_room(tmp_path, mixture):
    events, full = [], threading.Event()
    engine = AudioEngine(scene_of(mixture[0]), NullSink(), heard=True)
    file = HeardFile(engine, tmp_path / "loop.xdf", events.append)
    write = file._file.write

    def maybe(frame, samples):
        if full.is_set():
            raise AudioError("cannot write it: No space left on device")
        write(frame, samples)

    file._file.write = maybe
    with engine:
        wait_until(lambda: engine.status().frames > SFREQ)
        full.set()
        let_play(engine, 1)
        full.clear()
        let_play(engine, 1)
    assert "lacks" in file.stop()
    assert ["No space left" in events[0], len(events)] == [True, 2]
    (loss,) = read_heard(tmp_path / "loop.xdf").losses
    assert loss.why == "not written"


@contextlib.contextmanager
def sent(samples):
    """Send samples, shape (n_channels, n), again and again, as an LSL stream; yield its name."""
    name, stop = f"voices-{os.getpid()}-{len(samples)}", threading.Event()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Audio", len(samples), SFREQ, "float32", name))

    def send():
        begun, n = time.monotonic(), 0
        while not stop.wait(0.02):
            due = round((time.monotonic() - begun) * SFREQ)
            outlet.push_chunk(np.ascontiguousarray(samples[:, np.arange(n, due) % samples.shape[1]].T))
            n = due

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield name
    finally:
        stop.set()
        sender.join()


def test_live_talkers_are_kept_as_they_came_and_the_output_is_rendered_again(tmp_path):
    voice = (0.05 * np.random.default_rng(0).standard_normal((1, 4 * SFREQ))).astype("f4")
    with sent(voice) as name:
        talkers = (Talker("live", f"lsl:{name}", -30.0), Talker("file", "file.wav", 30.0, loop=True))
        scene = Scene(talkers, space="itd_ild")
        prepared = Prepared(scene, (None, voice[0, :SFREQ]), *impulse_responses(scene.space, scene.sfreq))
        engine = AudioEngine(prepared, FileSink(tmp_path / "x.wav"), heard=True)
        file = HeardFile(engine, tmp_path / "loop.xdf", print)
        with engine:
            let_play(engine, 1)
            engine.set_gains([3.0, -9.0])
            let_play(engine, 1)
        assert file.stop() == ""
    recorded, _ = soundfile.read(tmp_path / "loop.talkers.wav", dtype="float32", always_2d=True)
    assert recorded.shape[1] == 1, "talkers from files are there already"
    assert np.abs(recorded).max() > 0.1
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    wanted = rerender(prepared, applied(engine), len(played), {0: recorded[:, 0]})
    assert np.abs(played - wanted).max() < TOLERANCE


def test_microphones_of_a_stream_are_kept_as_they_came_and_the_output_is_rendered_again(tmp_path, mixture):
    with sent(mixture[1]) as name:
        engine = AudioEngine(scene_of(f"lsl:{name}"), FileSink(tmp_path / "x.wav"), heard=True)
        file = HeardFile(engine, tmp_path / "loop.xdf", print)
        with engine:
            wait_until(lambda: min(engine.status().rms[:2]) > 1e-4)
            engine.set_gains([3.0, -9.0])
            let_play(engine, 2)
        assert file.stop() == ""
    sound = read_heard(tmp_path / "loop.xdf")
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    found = np.concatenate([piece.ears for piece in again(engine.scene, sound, applied(engine))])
    np.testing.assert_array_equal(found, played)
    assert np.abs(played).max() > 0.001


def test_a_file_is_never_overwritten(tmp_path, mixture):
    (tmp_path / "loop.microphones.wav").write_bytes(b"")
    engine = AudioEngine(prepare(scene_of(mixture[0])), NullSink(), heard=True)
    with pytest.raises(AudioError, match="exists already"):
        HeardFile(engine, tmp_path / "loop.xdf", print)
    names = engine.names
    engine.stop()
    assert not left_behind(names)


def test_microphones_of_a_room_are_rendered_again(tmp_path):
    pytest.importorskip("pyroomacoustics")
    for k in range(2):
        soundfile.write(tmp_path / f"{k}.wav", speech(2.0, k, SFREQ) * 0.05, SFREQ)
    voices = tuple(RoomTalker(f"t{k}", str(tmp_path / f"{k}.wav"), at) for k, at in enumerate(AZIMUTHS))
    room = Room(voices, 0.0, seconds=2.0)
    scene = scene_of("room", room)
    engine = AudioEngine(scene, FileSink(tmp_path / "x.wav", realtime=False, n_frames=2 * SFREQ), heard=True)
    file = HeardFile(engine, tmp_path / "loop.xdf", print)
    with engine:
        wait_until(lambda: engine.status().frames == 2 * SFREQ)
    assert file.stop() == ""
    played, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    pieces = list(again(engine.scene, read_heard(tmp_path / "loop.xdf"), applied(engine)))
    np.testing.assert_array_equal(np.concatenate([piece.ears for piece in pieces]), played)

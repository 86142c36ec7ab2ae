import builtins
import errno
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.devices.audio import sinks
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.sinks import DeviceSink, FileSink, NullSink, other_outputs, portaudio
from earmark.devices.audio.wav_file import WavFile

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((200_000, 2)).astype(np.float32)


# The file


def test_file_is_readable_while_it_is_written(tmp_path):
    path = tmp_path / "x.wav"
    file = WavFile(path, 48_000.0)
    assert len(soundfile.read(path)[0]) == 0
    for at in range(0, len(NOISE), 1000):
        file.write(at, NOISE[at : at + 1000])
        so_far, rate = soundfile.read(path, dtype="float32")
        assert rate == 48_000
        assert len(so_far) >= at + 1000 - 25_000, "missing at most half a second"
        np.testing.assert_array_equal(so_far, NOISE[: len(so_far)])
    file.close()
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], NOISE)
    assert soundfile.info(path).subtype == "FLOAT"


def test_second_process_continues_a_file_with_silence_in_between(tmp_path):
    path = tmp_path / "x.wav"
    file = WavFile(path, 44_100.0)
    file.write(0, NOISE[:1000])
    file._file.close()  # as after a kill
    heir = WavFile(path, 44_100.0, go_on=True)
    heir.write(1500, NOISE[1500:3000])
    heir.close()
    found, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(found[:1000], NOISE[:1000])
    assert not found[1000:1500].any()
    np.testing.assert_array_equal(found[1500:], NOISE[1500:3000])


def test_file_above_4_gib_declares_its_length(tmp_path):
    path = tmp_path / "x.wav"
    file = WavFile(path, 48_000.0)
    far = 600_000_000  # 4.8 GB, as a sparse file
    file.write(far, NOISE[:1000])
    file.close()
    with soundfile.SoundFile(path) as found:
        assert found.frames == far + 1000
        found.seek(far)
        np.testing.assert_array_equal(found.read(dtype="float32"), NOISE[:1000])
    path.unlink()


def test_full_disk_is_reported(tmp_path):
    with pytest.raises(AudioError, match="cannot write /dev/full: No space left on device"):
        WavFile(Path("/dev/full"), 48_000.0, go_on=True)


# Clocks


class Play:
    """Count the buffers that a sink requests."""

    def __init__(self, n_finish=None):
        self.asked, self.frame, self._n = [], 0, n_finish
        self.scene = type("Scene", (), {"sfreq": 48_000.0, "block": 480})
        self.resumed = False

    @property
    def finished(self):
        return self._n is not None and self.frame >= self._n

    def describe(self, sink, latency_s):
        self.sink = sink

    def buffer(self, n, time_at_ear, underflow=False):
        self.asked.append((time.monotonic(), n, time_at_ear))
        self.frame += n
        return NOISE[self.frame - n : self.frame]


def test_virtual_clock_runs_ahead_and_ends_at_the_exact_frame(tmp_path):
    play, opened = Play(), []
    FileSink(tmp_path / "x.wav", realtime=False, n_frames=48_100).run(play, 7.0, lambda: opened.append(play.frame))
    assert opened == [480], "with the first buffer"
    assert play.frame == 48_100
    assert play.asked[-1][1] == 100
    times = np.array([at for _, _, at in play.asked])
    np.testing.assert_allclose(times - times[0], np.arange(len(times)) * 0.01, atol=1e-9)
    assert abs(times[0] - 7.0 - play.asked[0][0]) < 1.0, "on the parent's clock"
    np.testing.assert_array_equal(soundfile.read(tmp_path / "x.wav", dtype="float32")[0], NOISE[:48_100])


def test_paced_clock_keeps_pace_and_catches_up_after_delays():
    play = Play(n_finish=48_000)

    def hold_up():
        time.sleep(0.2)

    NullSink().run(play, 0.0, hold_up)
    assert play.frame == 48_000
    asked = np.array([now for now, _, _ in play.asked])
    due = np.array([at for _, _, at in play.asked])
    assert (asked >= due - 1e-6).all(), "never early"
    assert asked[-1] - due[-1] < 0.15, "deadlines do not drift"


# Devices


class FakeError(Exception):
    pass


class FakePortAudio:
    """A fake PortAudio with the given cards, none of which can be opened."""

    PortAudioError = FakeError

    def __init__(self, error=None, names=("HDMI", "Headphones", "USB card"), rates=(48_000,), default=1):
        self._error, self._names, self._rates = error, names, rates
        self.default = type("default", (), {"device": [0, default]})

    def query_devices(self, device=None):
        found = [
            {"name": name, "index": k, "max_output_channels": 0 if name == "Microphone" else 2}
            for k, name in enumerate(self._names)
        ]
        return found if device is None else found[device]

    def check_output_settings(self, device, channels, dtype, samplerate):
        if samplerate not in self._rates or device == 0:
            raise FakeError("Invalid sample rate", -9997)

    def OutputStream(self, **_):
        raise self._error

    Stream = OutputStream


class Quiet:
    scene = type("Scene", (), {"sfreq": 44_100.0, "block": 256})
    microphone = type("Microphone", (), {"n_channels": 0})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FakeError("x", -9997), r"does not play 44100 Hz, but accepts 48000; set sfreq in \[sound\], or give --sfreq"),
        (FakeError("x", -9985), "it is busy; close the program that uses it"),
        (FakeError("x", -9998), "lacks channels: 2 to play and 0 to record are needed"),
        (FakeError("x", -9993), "do not work together"),
        (FakeError("Unanticipated host error", -9999), "Unanticipated host error"),
        (ValueError("No output device matching 'USB'"), "outputs are HDMI, Headphones, USB card"),
    ],
)
def test_every_refusal_names_the_fix(monkeypatch, error, words):
    monkeypatch.setattr(sinks, "portaudio", lambda: FakePortAudio(error))
    with pytest.raises(AudioError, match=words) as found:
        DeviceSink(2).run(Quiet(), 0.0, lambda: None)
    assert str(found.value).startswith("cannot open sound device 2: ")


class SilentStream:
    latency = 0.01
    device = 0

    def __init__(self, **settings):
        self.callback = settings["callback"]

    def start(self):
        SilentStream.last = self


def test_card_that_requests_no_buffers_is_abandoned(monkeypatch):
    monkeypatch.setattr(sinks, "OPEN_S", 0.05)
    monkeypatch.setattr(FakePortAudio, "OutputStream", SilentStream)
    monkeypatch.setattr(sinks, "portaudio", FakePortAudio)
    play = Play()
    play.microphone = Quiet.microphone
    with pytest.raises(AudioError, match="asks for no sound"):
        DeviceSink(0).run(play, 0.0, lambda: pytest.fail("it does not play"))
    out = np.ones((256, 2), np.float32)
    SilentStream.last.callback(out, 256, None, None)
    assert not out.any()
    assert not play.asked


def test_missing_sound_card_is_reported(monkeypatch):
    monkeypatch.setattr(sinks, "portaudio", lambda: FakePortAudio(FakeError("x", -9996), names=("Microphone",)))
    with pytest.raises(
        AudioError, match=r"cannot open the default sound device: there is no sound output; plug one in"
    ):
        DeviceSink().run(Quiet(), 0.0, lambda: None)


def test_missing_portaudio_names_the_package(monkeypatch):
    def refuse(name, *args, real=builtins.__import__):
        if name == "sounddevice":
            raise OSError(errno.ENOENT, "PortAudio library not found")
        return real(name, *args)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(AudioError, match="PortAudio library not found: apt-get install libportaudio2"):
        portaudio()


def test_other_devices_support_the_rate_with_the_default_first(monkeypatch):
    cards = ("HDMI", "Headphones", "USB card", "Microphone", "Line out")
    monkeypatch.setattr(sinks, "portaudio", lambda: FakePortAudio(names=cards))
    assert [sink.device for sink in other_outputs(DeviceSink("usb"), 48_000.0)] == [1, 4]
    assert [sink.device for sink in other_outputs(DeviceSink(4, latency_s=0.1), 48_000.0)] == [1, 2]
    assert [sink.device for sink in other_outputs(DeviceSink(), 48_000.0)] == [2, 4]
    assert other_outputs(DeviceSink(4, latency_s=0.1), 48_000.0)[0].latency_s == 0.1
    assert other_outputs(DeviceSink(4), 44_100.0) == []
    monkeypatch.setattr(sinks, "portaudio", lambda: FakePortAudio(names=cards, default=4))
    assert [sink.device for sink in other_outputs(DeviceSink("usb"), 48_000.0)] == [4, 1]
    monkeypatch.setattr(sinks, "portaudio", lambda: FakePortAudio(names=("card",) * 9))
    assert len(other_outputs(DeviceSink(3), 48_000.0)) == 4


def test_where_nothing_is_heard_is_named():
    assert f"Playing Joe on {NullSink()}." == "Playing Joe on the null device (no sound)."

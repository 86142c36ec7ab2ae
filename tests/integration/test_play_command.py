"""``earmark play`` as a process on a terminal: keys and signals."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pylsl
import pytest
import sound_servers
import soundfile
from rig import ENV
from sound_scenes import running

SFREQ = 48_000
COMMAND = [sys.executable, "-m", "earmark.app.cli", "play"]


def tone(path, hz, seconds=20.0, channels=1, level=0.1):
    x = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * SFREQ)) / SFREQ)
    soundfile.write(path, np.stack([x] * channels, axis=1), SFREQ, subtype="FLOAT")


@pytest.fixture
def config(tmp_path):
    """Write a configuration with a tone hard left and one hard right, without loudness matching."""
    tone(tmp_path / "low.wav", 500)
    tone(tmp_path / "high.wav", 1500)
    path = tmp_path / "sound.toml"
    path.write_text(
        f"""
[sound]
device = "file:out.wav"
space = "left_right"
loudness_lufs = "none"
publish = "test-{uuid.uuid4().hex[:8]}"
[[sound.talkers]]
name = "low"
source = "low.wav"
azimuth = -90
loop = true
[[sound.talkers]]
name = "high"
source = "high.wav"
azimuth = 90
loop = true
"""
    )
    return path


class Playing:
    """A running command with its output and its keyboard."""

    def __init__(self, *words, env=None, screen=False):
        self._keys, there = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdin=there,
            stdout=there if screen else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**ENV, "TERM": "xterm", "COLUMNS": "120", "LINES": "40", **(env or {})},
            start_new_session=True,
        )
        os.close(there)
        self._from = self._keys if screen else self.process.stdout.fileno()
        self.output = ""
        self._new = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while True:
            try:
                part = os.read(self._from, 4096)
            except OSError:  # the other side of the terminal is closed
                part = b""
            with self._new:
                self.output += part.decode(errors="replace")
                self._new.notify_all()
            if not part:
                return

    def wait_for(self, words, seconds=180.0):
        with self._new:
            assert self._new.wait_for(lambda: re.search(words, self.output), seconds), (words, self.output)

    def press(self, keys):
        os.write(self._keys, keys.encode())

    def end(self, seconds=180.0):
        code = self.process.wait(seconds)
        self._reader.join(180)
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(180)
        if self.process.stdout:
            self.process.stdout.close()
        with contextlib.suppress(OSError):
            os.close(self._keys)


@contextlib.contextmanager
def playing(*words, **more):
    it = Playing(*words, **more)
    try:
        yield it
    finally:
        it.close()


def run(*words, env=None):
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
        env={**ENV, **(env or {})},
        check=False,
    )


def levels(path):
    """Return the amplitude of the low tone (left) and high tone (right) per 20 ms, shape (n, 2), and the sound."""
    heard, rate = soundfile.read(path)
    assert rate == SFREQ
    n = 960
    pieces = heard[: len(heard) // n * n].reshape(-1, n, 2)
    basis = np.exp(-2j * np.pi * np.outer([500, 1500], np.arange(n)) / SFREQ)
    return np.stack([2 * abs(pieces[:, :, ear] @ basis[ear]) / n for ear in range(2)], axis=1), heard


def test_keys_change_the_sound(config, tmp_path):
    with playing(config, "--no-publish") as play:
        play.wait_for("1-8 favour")
        time.sleep(0.5)
        for key, words in (
            ("2", r"low -9 dB, high \+3 dB"),
            ("1", r"low \+3 dB, high -9 dB"),
            ("-", r"master -1 dB"),
        ):
            play.press(key)
            play.wait_for(words)
            time.sleep(0.5)
        for key, words in (("\x1b", "MUTED"), ("m", "unmuted"), ("m", "MUTED.*unmuted.*MUTED"), ("\x1b", "MUTED$")):
            play.press(key)
            play.wait_for(f"(?s){words}")
            time.sleep(0.3)
        play.press("q")
        assert play.end() == 0
    assert re.search(r"Played 0:\d\d\.\d; ", play.output)
    level, heard = levels(tmp_path / "out.wav")
    decibel = np.round(20 * np.log10(level.clip(1e-6) / 0.1), 1)

    def lasted(left, right):
        return (abs(decibel - (left, right)) < 0.2).all(axis=1).sum() / 50

    assert lasted(0, 0) > 0.2
    assert lasted(-9, 3) > 0.2
    assert lasted(3, -9) > 0.2
    assert lasted(2, -10) > 0.2
    silent = (abs(heard).max(axis=1) == 0).astype(int)
    edges = np.flatnonzero(np.diff(silent))
    longest = sorted(np.diff(edges)[silent[edges[:-1] + 1] == 1])[::-1]
    assert longest[0] > 0.2 * SFREQ, "Esc and m mute"
    assert silent[-round(0.5 * SFREQ) :].all(), "Esc does not unmute"


def test_arrow_keys_move_a_talker(config, tmp_path):
    with playing(config, "--no-publish") as play:
        play.wait_for("1-8 favour")
        play.press("1\x1b[C")
        play.wait_for("low at 85° left")
        play.press("\x1bOD")
        play.wait_for("low at 90° left")
        play.press("0" + "\x1b[C" * 36)
        play.wait_for("low at 90° right")
        time.sleep(0.5)
        play.press("q")
        assert play.end() == 0
    level, _ = levels(tmp_path / "out.wav")
    assert level[-25:-15, 0].max() < 1e-4, "the left ear is silent"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_playback_with_a_fade(config, tmp_path, number):
    with playing(config, "--no-publish") as play:
        play.wait_for("Playing low, high on the file")
        time.sleep(0.5)
        play.process.send_signal(number)
        assert play.end() == 0, play.output
    _, heard = levels(tmp_path / "out.wav")
    assert np.abs(heard).max() > 0.09
    envelope = np.abs(heard[-4800 - 960 :]).max(axis=1).reshape(-1, 240).max(axis=1)
    assert envelope[0] > 0.08
    assert (np.diff(envelope) <= 1e-3).all(), "a fade of 0.1 s, not a cut"
    assert envelope[-1] < 0.002
    assert np.abs(np.diff(heard, axis=0)).max() < 0.1 * 2 * np.pi * 1500 / SFREQ + 1e-3, "no click anywhere"


def test_ctrl_c_on_the_terminal_ends_all_processes_normally(config):
    with playing(config, "--device", "null", "--no-publish", screen=True) as play:
        play.wait_for("1-8 favour")
        play.wait_for("(?s)of 0:20.0.*xruns")
        os.killpg(play.process.pid, signal.SIGINT)
        assert play.end() == 0
        play.wait_for("Played")
    for words in (
        "▸1",
        "+0.0 dB",
        "90° left",
        "output peak",
        "the null device",
        "limiter",
        "xruns",
        "late",
        "from here to the ear",
    ):
        assert words in play.output


def test_killed_audio_process_is_reported_and_replaced(config):
    with playing(config, "--device", "null", "--no-publish") as play:
        play.wait_for("1-8 favour")
        children = f"/proc/{play.process.pid}/task/{play.process.pid}/children"
        pids = Path(children).read_text().split()
        (audio,) = [int(pid) for pid in pids if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(audio, signal.SIGKILL)
        play.wait_for("the audio process died.*back after|the audio process died.*GOING ON WITHOUT SOUND")
        play.press("q")
        assert play.end() == 0
    assert "1 restarts" in play.output
    assert not running(audio)


def test_without_a_terminal_it_plays_the_given_time_and_publishes(config, tmp_path):
    (name,) = re.findall(r'publish = "(.+)"', config.read_text())
    found = []

    def resolve():
        for kind in ("gains", "markers", "envelopes"):
            found.extend(info.name() for info in pylsl.resolve_byprop("name", f"{name}-{kind}", 1, 30.0))

    resolving = threading.Thread(target=resolve)
    resolving.start()
    begun = time.monotonic()
    result = run(config, "--seconds", "2")
    took = time.monotonic() - begun
    resolving.join()
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert found == [f"{name}-gains", f"{name}-markers", f"{name}-envelopes"]
    assert f"Published on LSL: {name}-gains" in result.stdout
    seconds = soundfile.info(tmp_path / "out.wav").duration
    assert 1.5 < seconds < took, "it ends after the given time"
    assert "favour" not in result.stdout, "there is no keyboard"


def test_playback_ends_when_all_talkers_have_ended(config, tmp_path):
    tone(tmp_path / "low.wav", 500, 0.5)
    tone(tmp_path / "high.wav", 1500, 0.7)
    config.write_text(config.read_text().replace("loop = true\n", ""))
    result = run(config, "--no-publish")
    assert result.returncode == 0, result.stderr
    assert "All talkers have played to the end" in result.stdout
    level, _ = levels(tmp_path / "out.wav")
    assert level[5:20].min() > 0.05


def test_default_is_the_included_speech(tmp_path):
    result = run("--device", f"file:{tmp_path / 'x.wav'}", "--seconds", "0.5", "--no-publish")
    assert result.returncode == 0, result.stderr
    assert "Playing joe, ada" in result.stdout
    heard, _ = soundfile.read(tmp_path / "x.wav")
    assert np.abs(heard).max() > 0.01


def no_card(tmp_path):
    """Return environment variables that hide all sound servers and cards."""
    (tmp_path / ".asoundrc").write_text("")
    return {"HOME": str(tmp_path), "JACK_DEFAULT_SERVER": "none", "JACK_NO_START_SERVER": "1", "PULSE_SERVER": "none"}


def test_unknown_device_is_an_error_with_the_available_ones(config, tmp_path):
    result = run(config, "--device", "no such card", "--no-publish", env=no_card(tmp_path))
    assert result.returncode == 1
    assert re.search(
        "cannot open sound device 'no such card': .*(outputs are|there is no sound output; plug)", result.stderr
    )


def test_missing_library_is_an_error_with_the_fix(config, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    path = os.pathsep.join([str(tmp_path), ENV["PYTHONPATH"]])
    result = run(config, "--device", "default", "--no-publish", env={"PYTHONPATH": path})
    assert result.returncode == 1
    assert "PortAudio library not found: apt-get install libportaudio2" in result.stderr


def test_play_on_a_sound_server(config, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    with sound_servers.jack(home, monkeypatch) as server:
        config.write_text(config.read_text().replace("file:out.wav", server.device))
        env = {key: os.environ[key] for key in ("HOME", "JACK_DEFAULT_SERVER", "JACK_NO_AUDIO_RESERVATION")}
        result = run(config, "--seconds", "1", "--no-publish", env=env)
        assert result.returncode == 0, result.stderr
        assert "Playing low, high on system" in result.stdout
        config.write_text(config.read_text().replace("[sound]", "[sound]\nsfreq = 44100"))
        result = run(config, "--seconds", "1", "--no-publish", env=env)
        assert result.returncode == 1
        assert re.search("does not play 44100 Hz, but accepts 48000", result.stderr)


def test_closing_the_terminal_ends_playback(config):
    with playing(config, "--device", "null", "--no-publish") as play:
        play.wait_for("1-8 favour")
        os.close(play._keys)
        assert play.end() == 0, play.output


def test_terminal_settings_are_restored(config):
    import termios

    keys, there = pty.openpty()
    before = termios.tcgetattr(there)
    with subprocess.Popen(
        [*COMMAND, str(config), "--device", "null", "--no-publish", "--seconds", "0.5"],
        stdin=there,
        stdout=subprocess.PIPE,
        env=ENV,
    ) as process:
        seen = process.stdout.read()
    assert process.returncode == 0
    assert b"1-8 favour" in seen
    assert termios.tcgetattr(there) == before
    assert not select.select([keys], [], [], 0)[0], "nothing was echoed"
    os.close(keys)
    os.close(there)


def test_key_pressed_during_preparation_takes_effect_afterwards():
    with playing("--device", "null", "--no-publish", screen=True) as it:
        it.wait_for("Preparing")
        it.press("q")
        assert it.end() == 0
        assert "Played 0:" in it.output

"""Simulated sound cards: JACK and PulseAudio servers in separate home folders, and capture of what they play."""

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SFREQ, BLOCK = 48_000, 256


def _need(*programs):
    for program, package in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install {package}")
    if (
        ctypes.util.find_library("portaudio") is None
    ):  # not by importing sounddevice, which would freeze its list of devices
        pytest.skip("PortAudio is not installed: apt-get install libportaudio2")


def stop(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A running sound server; ``device`` is its name in PortAudio."""

    def __init__(self, home, device, command, answers, latency):
        self.home, self.device, self.latency = home, device, latency
        self._command, self._answers = command, answers
        self.start()

    def start(self):
        with open(self.home / "server.log", "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + 180
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                stop(self._process)
                pytest.skip(f"{self._command[0]} does not run here: {(self.home / 'server.log').read_text()[-500:]}")
            time.sleep(0.02)

    @property
    def pid(self):
        return self._process.pid

    @property
    def killed(self):
        return self._process.poll() is not None

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        stop(self._process)


@contextlib.contextmanager
def environment(monkeypatch, **values):
    with monkeypatch.context() as patch:
        for key, value in values.items():
            patch.setenv(key, str(value))
        yield


@contextlib.contextmanager
def jack(home, monkeypatch):
    """Run a JACK server with the dummy driver and a unique server name."""
    _need(("jackd", "jackd2"))
    pytest.importorskip("jack", reason="pip install JACK-Client")
    name = f"earmark{os.getpid()}"
    with environment(monkeypatch, HOME=home, JACK_NO_AUDIO_RESERVATION=1, JACK_DEFAULT_SERVER=name):
        realtime = "-R" if os.geteuid() == 0 else "-r"
        command = ["jackd", realtime, *(["-P40"] if realtime == "-R" else []), "-n", name]
        command += ["-d", "dummy", "-r", str(SFREQ), "-p", str(BLOCK), "-C", "2", "-P", "2"]

        def answers():
            return subprocess.run(["jack_wait", "-c", "-s", name], capture_output=True, check=False).stdout == (
                b"running\n"
            )

        server = Server(home, "system", command, answers, "low")
        try:
            yield server
        finally:
            if server.killed:  # JACK has eight name slots, and frees a slot only if its server ends normally
                server.start()
            server.stop()
            for left in Path("/dev/shm").glob(f"jack_*{name}_*"):
                left.unlink()  # left by killed servers


@contextlib.contextmanager
def pulse(home, monkeypatch):
    """Run a PulseAudio server with a null sink, and configure ALSA to use it."""
    _need(("pulseaudio", "pulseaudio"), ("parec", "pulseaudio-utils"))
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA has no PulseAudio plugin: apt-get install libasound2-plugins")
    (home / "run").mkdir(mode=0o700)
    socket = home / "native"
    (home / ".asoundrc").write_text(
        f'pcm.pulsefake {{ type pulse server "unix:{socket}" device "fake" hint {{ show on description "fake" }} }}\n'
    )
    values = {"HOME": home, "XDG_RUNTIME_DIR": home / "run", "PULSE_SERVER": f"unix:{socket}"}
    with environment(monkeypatch, **values):
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit"]
        command += ["--use-pid-file=no", "--realtime=no"]
        # Without norewinds, the sink sometimes stalls for a second.
        sink = f"module-null-sink sink_name=fake norewinds=1 rate={SFREQ} channels=2 format=float32le"
        command += ["-L", sink, "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"]

        def answers():
            return not subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode

        server = Server(home, "pulsefake", command, answers, 0.03)
        try:
            yield server
        finally:
            server.stop()


JACK_CAPTURE = """
import sys, threading, time
import jack, numpy as np
client = jack.Client("capture")
ports = [client.inports.register(name) for name in ("left", "right")]
done, file = threading.Event(), open(sys.argv[1], "wb", buffering=0)
blocks, times, to_connect, both = [], [], threading.Event(), threading.Event()

@client.set_process_callback
def process(n_frames):
    if both.is_set():
        begun = time.monotonic() - client.frames_since_cycle_start / client.samplerate
        times.append((client.last_frame_time / client.samplerate, begun))
        blocks.append(np.stack([port.get_array().copy() for port in ports], axis=1))

@client.set_port_registration_callback
def registered(port, register):
    if "PortAudio" in port.name:
        to_connect.set()

def connect():
    for port, here in zip(("PortAudio:out_0", "PortAudio:out_1"), ports):
        try:
            if here not in client.get_all_connections(client.get_port_by_name(port)):
                client.connect(port, here)
        except jack.JackError:  # missing, or not active yet
            both.clear()
            return
    if not both.is_set():
        time.sleep(0.02)  # a connection takes effect in the next period
        both.set()

with client:
    print("ready", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    connect()
    while not done.wait(0.01):
        if to_connect.is_set():
            connect()
file.write(np.concatenate(blocks).tobytes())
np.array(times).tofile(sys.argv[1] + ".times")
"""


JACK_SPEAKER = """
import sys, threading, time
import jack, numpy as np
voice, at = np.fromfile(sys.argv[1], np.float32), 0
client = jack.Client("speaker")
port = client.outports.register("voice")

@client.set_process_callback
def process(n_frames):
    global at
    port.get_array()[:] = np.take(voice, np.arange(at, at + n_frames), mode="wrap")
    at += n_frames

with client:
    print("ready", flush=True)
    while True:
        for here in client.get_ports("PortAudio:in_1"):
            if here not in client.get_all_connections(port):
                try:
                    client.connect(port, here)
                except jack.JackError:  # not active yet
                    pass
        time.sleep(0.02)
"""


@contextlib.contextmanager
def jack_speaker(path):
    """Play a file in a loop into the second input of PortAudio's stream."""
    process = subprocess.Popen([sys.executable, "-c", JACK_SPEAKER, str(path)], stdout=subprocess.PIPE)
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            stop(process)


JACK_LOOP = """
import sys, threading, time
import jack, numpy as np
period, n = int(sys.argv[2]), int(sys.argv[3])
sent, heard, at = np.zeros(n, np.float32), np.zeros(n, np.float32), 0
sent[period // 2 :: period] = 0.3
client = jack.Client("loop")
click, ear = client.outports.register("click"), client.inports.register("ear")
connected, done = threading.Event(), threading.Event()

@client.set_process_callback
def process(n_frames):
    global at
    click.get_array()[:] = 0
    if connected.is_set() and at + n_frames <= n:
        click.get_array()[:] = sent[at : at + n_frames]
        heard[at : at + n_frames] = ear.get_array()
        at += n_frames
    elif connected.is_set():
        done.set()

def connect():
    mine = client.get_all_connections
    try:
        for port in client.get_ports("PortAudio:in_[01]"):
            if port not in mine(click):
                client.connect(click, port)
        for port in client.get_ports("PortAudio:out_0"):
            if port not in mine(ear):
                client.connect(port, ear)
    except jack.JackError:  # not active yet
        return
    if mine(click) and mine(ear):
        time.sleep(0.5)  # fade-in of the sound
        connected.set()

with client:
    print("ready", flush=True)
    while not done.wait(0.02):
        if not connected.is_set():
            connect()
np.stack([sent, heard]).tofile(sys.argv[1])
"""


@contextlib.contextmanager
def jack_loop(path, period, n_frames):
    """Play clicks into both inputs of PortAudio's stream and record its left output, frame by frame."""
    command = [sys.executable, "-c", JACK_LOOP, str(path), str(period), str(n_frames)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            stop(process)


class Capture:
    """A process that captures the output of the server."""

    def __init__(self, process, path):
        self._process, self._path = process, path

    def finish(self):
        """Stop the capture; return the sound, shape (n_frames, 2)."""
        if self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(20)
        else:
            self._process.terminate()
            self._process.wait(20)
        times = self._path.with_name(self._path.name + ".times")
        if times.exists():
            counted, begun = np.fromfile(times).reshape(-1, 2).T
            late = np.pad(begun - counted, 15, mode="edge")  # the capture thread may have been delayed
            #: Time at which the JACK server delivered each block, s.
            self.times = counted + np.median(np.lib.stride_tricks.sliding_window_view(late, 31), axis=1)
        heard = np.fromfile(self._path, np.float32)
        return heard[: len(heard) // 2 * 2].reshape(-1, 2)


@contextlib.contextmanager
def capture(server, path):
    """Capture the output of a server."""
    if server.device == "system":
        process = subprocess.Popen(
            [sys.executable, "-c", JACK_CAPTURE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"ready\n"
    else:
        command = ["parec", "-d", "fake.monitor", "--format=float32le", f"--rate={SFREQ}", "--channels=2", "--raw"]
        with open(path, "wb") as file:
            process = subprocess.Popen([*command, "--latency-msec=20"], stdout=file)
        end = time.monotonic() + 180
        while not path.stat().st_size:  # the monitor of an idle sink gives zeros
            assert time.monotonic() < end
            time.sleep(0.02)
    try:
        yield Capture(process, path)
    finally:
        stop(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

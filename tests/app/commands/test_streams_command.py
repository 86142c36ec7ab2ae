import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager

import numpy as np
import pylsl
import pytest
import typer
from typer.testing import CliRunner

from earmark.app.commands import streams as module
from earmark.app.commands.streams import NO_STREAMS, measure, streams
from earmark.app.terminal.foreign import plain
from earmark.devices.sources.lsl_log import quiet_liblsl

quiet_liblsl()


def run(*arguments):
    command = typer.Typer()
    command.command()(streams)
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def send():
    """Announce a stream; if it has a rate, samples are sent in chunks until the test ends."""
    stop = threading.Event()
    threads = []

    def announce(name, n_channels=2, sfreq=0.0, *, fmt="float32", chunk=1, kind="EEG"):
        outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, kind, n_channels, sfreq, fmt, f"id of {name}"))

        def push():
            data = np.zeros((chunk, n_channels), np.float32)
            due = time.monotonic()
            while not stop.wait(max(0.0, due - time.monotonic())):
                outlet.push_chunk(data)
                due += chunk / sfreq

        if sfreq:
            threads.append(threading.Thread(target=push, daemon=True))
            threads[-1].start()
        return outlet

    yield announce
    stop.set()
    for thread in threads:
        thread.join(180)


def unique():
    return f"streams-{uuid.uuid4().hex}"


def resolve(name):
    (info,) = pylsl.resolve_byprop("name", name, timeout=60.0)
    return info


def test_streams_are_listed_with_measured_rate_and_age(send, tmp_path):
    tag = uuid.uuid4().hex
    outlets = [
        send(f"[bold]amp\x1b[2J {tag}", 8, 250.0, chunk=5),
        send(f"silent {tag}", 3, fmt="int16"),
        send(f"events {tag}", 1, fmt="string", kind="Markers"),
    ]
    report = tmp_path / "streams.json"
    for outlet in outlets:  # on a busy machine, a new outlet answers late
        resolve(outlet.get_info().name())
    result = run("--seconds", "1", "--json", str(report))
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "[bold]" in result.output
    amp, events, silent = (each for each in json.loads(report.read_text()) if tag in each["name"])
    assert amp["name"] == outlets[0].get_info().name()
    assert (amp["type"], amp["channels"], amp["format"], amp["nominal_rate"]) == ("EEG", 8, "float32", 250.0)
    assert amp["source_id"] == f"id of {amp['name']}"
    assert 0.5 < amp["effective_rate"] / 250.0 < 2.0
    assert amp["age"] is not None
    assert (silent["channels"], silent["format"], silent["effective_rate"], silent["age"]) == (3, "int16", None, None)
    assert (events["type"], events["format"], events["nominal_rate"]) == ("Markers", "string", 0.0)
    assert amp["host"]
    assert not any(each["problem"] for each in (amp, events, silent))


class ChunkedInlet:
    """An inlet whose chunks of 40 come every 0.2 s, the first sample of each a moment before the others."""

    def __init__(self, _info, **_settings):
        self.start = time.monotonic()
        self.given = 0

    def open_stream(self, timeout):
        pass

    def close_stream(self):
        pass

    def time_correction(self, timeout):
        return 0.0

    def flush(self):
        return 0

    def pull_chunk(self, timeout, max_samples, min_samples=None, as_numpy=True):
        until = time.monotonic() + timeout
        while True:
            chunks, within = divmod(time.monotonic() - self.start, 0.2)
            ready = 40 * int(chunks) + (40 if within > 0.002 else 1) - self.given
            if ready or time.monotonic() >= until:
                self.given += ready
                return None, np.full(ready, pylsl.local_clock())
            time.sleep(0.0005)


def test_chunk_that_arrives_in_two_parts_counts_as_one(monkeypatch):
    monkeypatch.setattr(pylsl, "StreamInlet", ChunkedInlet)
    found = measure(pylsl.StreamInfo("chunks", "EEG", 4, 200.0, "float32", ""), 0.7)
    # If the rest of the first chunk counted, but not the time before it, this would be a third more.
    assert 0.75 < found.effective_rate / 200.0 < 1.25


@contextmanager
def pushing(push):
    """Call ``push`` every few ms."""
    stop = threading.Event()

    def loop():
        while not stop.wait(0.02):
            push()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(180)


def test_strings_that_are_not_utf_8_are_counted(send):
    name = unique()
    outlet = send(name, 1, fmt="string", kind="Markers")
    info = resolve(name)
    with pushing(lambda: outlet.push_sample([b"\xff\xfe"])):
        found = measure(info, 0.5)
    assert found.problem == ""
    assert found.effective_rate is not None


def test_age_is_that_of_the_newest_stamp(send):
    name = unique()
    outlet = send(name, 1, fmt="double64")
    info = resolve(name)
    with pushing(lambda: outlet.push_sample([1.0], pylsl.local_clock() - 1000.0)):
        found = measure(info, 0.5)
    assert 990.0 < found.age < 1100.0


@pytest.mark.parametrize("stamp", [math.inf, -1e308])
def test_impossible_time_stamp_is_harmless(send, stamp):
    name = unique()
    outlet = send(name, 1, fmt="double64")
    info = resolve(name)
    with pushing(lambda: outlet.push_sample([1.0], stamp)):
        found = measure(info, 0.3)
    assert found.problem == ""
    assert found.age is None or math.isfinite(found.age)


def test_lost_stream_is_listed_with_the_reason(send, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    name = unique()
    outlet = send(name)
    info = resolve(name)
    del outlet
    found = measure(info, 0.2)
    assert found.name == name
    assert found.problem
    assert (found.effective_rate, found.age) == (None, None)


def test_stream_with_an_impossible_rate_is_not_opened(monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError("opened")

    monkeypatch.setattr(pylsl, "StreamInlet", never)
    for n_channels, sfreq in ((1, 1e12), (100_000, 1e6), (2 * 10**8, 0.0)):
        found = measure(pylsl.StreamInfo("big", "EEG", n_channels, sfreq, "float32", ""), 0.1)
        assert "impossible" in found.problem
        assert found.channels == n_channels


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 脳波", "Größe 脳波"),
        ("a\x1b[31mb\n\x9b", "a\\x1b[31mb\\n\\x9b"),
        ("right\u202eto left", "right\\u202eto left"),
        ("half \ud800", "half \\ud800"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("", ""),
    ],
)
def test_plain_escapes_what_does_not_print(text, shown):
    assert plain(text, 80) == shown


def test_no_stream_is_exit_status_3_and_names_the_fix(tmp_path):
    # With a session ID of its own, no other stream is found; liblsl reads its configuration once per process.
    config = tmp_path / "alone.cfg"
    config.write_text(f"[log]\nlevel=-2\n[lab]\nSessionID={uuid.uuid4().hex}\n")
    code = "import typer; from earmark.app.commands.streams import streams; typer.run(streams)"
    report = tmp_path / "streams.json"
    done = subprocess.run(
        [sys.executable, "-c", code, "--json", str(report)],
        env={**os.environ, "LSLAPICFG": str(config)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == NO_STREAMS == 3, done.stderr
    assert "earmark doctor" in done.stderr
    assert json.loads(report.read_text()) == []


def test_unwritable_list_is_an_error(send, tmp_path):
    _outlet = send(unique())
    result = run("--seconds", "0.1", "--json", str(tmp_path))
    assert result.exit_code == 1
    assert "cannot be written" in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_does_not_wait_for_the_measurement(send):
    name = unique()
    outlet = send(name, 2, 100.0)
    command = [sys.executable, "-m", "earmark.app.cli", "streams", "--seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not outlet.have_consumers():
            assert process.poll() is None
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.endswith("error: ended by Ctrl-C\n")
    assert "Traceback" not in said
    assert time.monotonic() - begun < 60, "it ends before --seconds"

"""``earmark demo --free`` goes on until it is ended, and ``earmark demo`` opens the window where there is a screen."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from rig import ENV

from earmark.app.report.read_session import session_figures
from earmark.app.session.channel import Client, is_served
from earmark.app.terminal.display import why_no_window

COMMAND = [sys.executable, "-m", "earmark.app.cli", "demo", "--device", "null", "--seconds", "100"]


def until(condition, process):
    end = time.monotonic() + 400
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)


def begun(client):
    found = client.send("state")
    return found["state"] == "running" and found["task"]["recording_now"]


def test_free_demo_goes_on_until_it_is_stopped_and_scores_the_clicks(tmp_path):
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        [*COMMAND, "--free", "--headless", "--out", str(folder)], env=ENV, stdout=subprocess.PIPE, text=True
    )
    try:
        until(lambda: is_served(folder), process)
        client = Client(folder)
        until(lambda: begun(client), process)
        until(lambda: client.send("state")["task"]["elapsed"] > 12, process)
        client.send("attend", talker="Ada")
        until(lambda: client.send("state")["task"]["attend"] == "Ada", process)
        until(lambda: client.send("state")["task"]["elapsed"] > 55, process)  # longer than the usual loop
        assert client.send("state")["task"]["seconds"] is None, "no end"
        client.send("stop")
        client.close()
        said, _ = process.communicate(timeout=600)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    found = session_figures(folder / "run-1" / "loop.xdf")
    assert [name for _, name in found.cues if name] == ["Joe", "Ada"]
    assert found.n_windows >= 15
    assert (folder / "run-1" / "report.html").exists()
    assert "decision windows were correct" in said


@contextlib.contextmanager
def screen():
    """A virtual screen; its name."""
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb")
    read, write = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"], pass_fds=[write],
                              stderr=subprocess.DEVNULL)  # fmt: skip
    os.close(write)
    try:
        with os.fdopen(read) as numbers:
            yield f":{numbers.readline().strip()}"
    finally:
        server.kill()
        server.wait()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is for Linux")
def test_demo_opens_the_window_and_ends_with_it(tmp_path, monkeypatch):
    folder = tmp_path / "demo"
    with screen() as display:
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
        if why := why_no_window():
            pytest.skip(why)
        environment = {**ENV, "DISPLAY": display, "XDG_CONFIG_HOME": str(tmp_path)}
        environment.pop("QT_QPA_PLATFORM", None)
        process = subprocess.Popen([*COMMAND, "--out", str(folder)], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            until(lambda: is_served(folder), process)
            client = Client(folder)
            until(lambda: client.send("state")["state"] in ("checking", "calibrating"), process)
            client.close()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0
        assert f"The window shows the demo. Everything goes to {folder}." in said
        end = time.monotonic() + 120
        while is_served(folder):
            assert time.monotonic() < end, "the demo must end with its window"
            time.sleep(0.2)

"""A core is kept busy during a measurement only."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from earmark.devices.processes.latency import busy_core

HOLDING = """
import time
from earmark.devices.processes.latency import busy_core
with busy_core():
    print("busy", flush=True)
    time.sleep(600)
"""


def command(process):
    """Return the command line of a process; empty if it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def burners(parent):
    return [child for child in psutil.Process(parent).children() if child.is_running()]


def test_core_is_busy_only_within_the_context():
    with busy_core():
        (burner,) = [one for one in psutil.Process().children() if "getppid" in command(one)]
        until = time.monotonic() + 180
        while burner.cpu_times().user < 0.2 and time.monotonic() < until:
            time.sleep(0.05)
        assert burner.cpu_times().user >= 0.2
    assert not burner.is_running()


@pytest.mark.skipif(sys.platform == "win32", reason="a process keeps its parent's number on Windows")
def test_busy_process_ends_when_its_parent_is_killed():
    holder = subprocess.Popen([sys.executable, "-c", HOLDING], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "busy\n"
    (burner,) = burners(holder.pid)
    holder.kill()
    holder.communicate()
    psutil.wait_procs([burner], timeout=600)
    assert not burner.is_running()

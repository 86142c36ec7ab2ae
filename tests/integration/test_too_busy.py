"""The helper hides no failure on an idle machine, and skips tests of starved processes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from too_busy import LIMIT, Queueing

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the kernel has no scheduling statistics"
)
SPIN = "import os\nparent = os.getppid()\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
SPIN += "while os.getppid() == parent: pass"


def test_process_that_does_not_wait_is_not_excused():
    sleeping = [sys.executable, "-c", "print(flush=True); input()"]  # never ready to run, however busy the machine is
    with subprocess.Popen(sleeping, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(1.0)
        queueing = Queueing(process.pid)
        time.sleep(1.0)
        queueing.note()
        process.communicate(b"\n")
    assert queueing.share < LIMIT
    with pytest.raises(AssertionError, match="wrong"), queueing.excuses():
        raise AssertionError("wrong")


def test_process_that_shares_a_core_with_three_others_is_excused():
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(4)]
    try:
        time.sleep(0.5)
        queueing = Queueing(spinning[0].pid)
        time.sleep(2.0)
        queueing.note()
    finally:
        for process in spinning:
            process.kill()
            process.wait()
    assert queueing.share > 2 * LIMIT
    with pytest.raises(pytest.skip.Exception, match="too busy"), queueing.excuses():
        raise AssertionError("late")
    with queueing.excuses():
        pass

import os
import sys
from pathlib import Path

import pytest

from benchmarks.burn import main

COUNT = """
import os, sys, time
from pathlib import Path
time.sleep(1.0)
seconds = [0.0]
for child in Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split():
    user = int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[11])
    seconds.append(user / os.sysconf("SC_CLK_TCK"))
Path(sys.argv[1]).write_text(f"{len(seconds) - 2 - int(sys.argv[2])} {sum(seconds)}")
sys.exit(7)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_command_runs_with_busy_processes_and_keeps_its_status(tmp_path):
    out = tmp_path / "out"
    before = len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    assert main(["--processes", "2", "--", sys.executable, "-c", COUNT, str(out), str(before)]) == 7
    n, seconds = out.read_text().split()
    assert int(n) == 2
    assert float(seconds) > 0.1, "the processes use CPU time"
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        left = file.read().split()
    assert not [child for child in left if "getppid" in Path(f"/proc/{child}/cmdline").read_text()]

"""Too low limits of a machine are reported with the fix, before anything else fails."""

import json
import subprocess
import sys

import pytest
from rig import ENV

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
EARMARK = [sys.executable, "-m", "earmark.app.cli"]


def limited(limits, *command):
    """Run a command under limits of the shell, such as ``-n 128``."""
    script = "".join(f"ulimit {limit} && " for limit in limits) + 'exec "$@"'
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *map(str, command)],
        capture_output=True, text=True, env=ENV, timeout=600, check=False,
    )  # fmt: skip


def python(limits, code):
    done = limited(limits, sys.executable, "-c", f"from earmark.devices.processes.limits import *\n{code}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_open_file_limit_is_raised_to_the_maximum():
    """The default on macOS is 256, and processes may raise it far beyond."""
    found = python(["-S -n 128"], "raise_open_files(); print(too_few_files() or open_files()[1])")
    assert int(found) > 128


def test_exhausted_open_files_are_reported():
    code = "print(files_are_used_up() == '')\nheld = [open('/dev/null') for _ in range(28)]\nprint(files_are_used_up())"
    before, after = python(["-n 32"], code).splitlines()
    assert before == "True"
    assert after.endswith("of 32 files that may be open at a time are open: ulimit -n 1024, before it starts")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("-n 128", "only 128 files may be open at a time, but a session needs 256: ulimit -n 1024"),
        ("-v 1500000", "address space is limited to 1465 MiB, but 3072 MiB are needed: ulimit -v unlimited"),
        ("-v 100000", "address space is limited to 98 MiB"),
    ],
)
def test_session_is_refused_if_limits_are_too_low(tmp_path, limit, words):
    done = limited([limit], *EARMARK, "demo", "--headless", "--device", "null", "--out", tmp_path / "d")
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_advised_limits_are_enough(tmp_path):
    """With the advised limits, this limit is no longer reported."""
    (tmp_path / "session.toml").write_text("")
    done = limited(["-n 1024"], *EARMARK, "calibrate", tmp_path / "session.toml")
    assert "files may be open" not in done.stderr
    assert python(["-n 1024", "-v unlimited"], "check_limits(); print('begins')") == "begins"


def test_doctor_reports_low_limits():
    done = limited(["-n 100", "-v 2500000"], *EARMARK, "doctor", "--json", "-")
    assert done.returncode == 1
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["open files"]["status"] == found["address space"]["status"] == "fail"
    assert found["open files"]["fix"].startswith("ulimit -n 1024")

"""A typo in a session is reported before slow imports."""

import subprocess
import sys

import pytest

from earmark.app.session.templates import write_session

#: What takes a second or more to import, together: filters, linear algebra, networks, sound, the supervisor.
HEAVY = {"scipy", "numba", "torch", "mne", "earmark.app.session.supervisor", "earmark.pipeline.graph"}


@pytest.mark.parametrize("command", ["calibrate", "run"])
def test_typo_is_reported_before_slow_imports(tmp_path, command):
    session = write_session(tmp_path / "s")
    session.write_text(session.read_text().replace("\npreset =", "\nprset ="))
    program = (
        "import sys; from earmark.app.command_line import app\n"
        f"try: app([{command!r}, {str(session)!r}])\n"
        f"finally: print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert "unknown key 'prset': did you mean 'preset'" in done.stderr
    assert done.returncode == 1
    assert done.stdout.strip() == "[]"

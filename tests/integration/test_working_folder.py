"""Nothing that lies in the folder where a command is started, or the window is opened, is ever imported or run."""

import os
import subprocess
import sys
import time

import pytest

from earmark.app.session.channel import Client

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
#: What the installer writes for a command.
SCRIPT = "import sys\nfrom earmark.app.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
#: Our own top-level names, and those of others that a folder with analysis scripts may well hold.
NAMES = ("earmark", "app", "pipeline", "devices", "kernels", "signal", "random", "socket", "numpy", "queue")
NOBODY = f"nobody-{os.getpid()}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, full of programs that leave a trace when they are run."""
    place = tmp_path / "lab"
    place.mkdir()
    for name in NAMES:
        trace = tmp_path / f"ran-{name}"
        (place / f"{name}.py").write_text(f"open({str(trace)!r}, 'w').write(__name__)\n")
    monkeypatch.chdir(place)
    yield place
    assert sorted(path.name for path in tmp_path.glob("ran-*")) == []


def wait_until(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def checked(place):
    """Have a served session look at everything: its sound is a process of its own, and there is no amplifier."""
    client = Client(place)
    try:
        return client.send("check")
    finally:
        client.send("shutdown")
        client.close()


def new_session(place):
    from earmark.app.session.templates import write_session

    path = write_session(place)
    text = path.read_text().replace('type = "EEG"', f'source_id = "{NOBODY}"').replace('"default"', '"null"')
    path.write_text(text + "\n[engine]\nresolve_s = 1\n")
    return path


def test_by_the_command(folder, tmp_path):
    script = tmp_path / "bin" / "earmark"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    command = [sys.executable, str(script)]
    path = new_session(tmp_path / "alice")
    with subprocess.Popen([*command, "serve", str(path)], env=environment, stdout=subprocess.PIPE) as process:
        try:
            wait_until((tmp_path / "alice" / ".earmark-session.json").exists)
            assert [check[0] for check in checked(tmp_path / "alice")][:1] == ["streams"]
            assert process.wait(600) == 0
        finally:
            process.kill()


#: A notebook's worth: children are started by the parts alone, without the command.
BY_THE_PARTS = """
import multiprocessing, runpy, sys
from earmark.devices.processes.spawn import born_deaf, clean_birth
if __name__ == "__main__":
    for birth in (born_deaf, clean_birth):
        with birth():
            child = multiprocessing.get_context("spawn").Process(target=runpy.run_path, args=(sys.argv[1],))
            child.start()
        child.join()
        assert child.exitcode == 0
"""
CHILD = """
import os, sys
assert sys.flags.safe_path
assert not {"", os.getcwd()} & set(sys.path), sys.path
"""


def test_by_a_script_that_uses_the_parts(folder, tmp_path):
    script, child = tmp_path / "bin" / "script.py", tmp_path / "bin" / "child.py"
    script.parent.mkdir()
    script.write_text(BY_THE_PARTS)
    child.write_text(CHILD)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    subprocess.run([sys.executable, str(script), str(child)], env=environment, check=True, timeout=600)


def test_by_the_window(folder, tmp_path, request):
    pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
    from earmark.app.dashboard.launch.background_job import BackgroundJob
    from earmark.app.dashboard.launch.sessions import LaunchedSession, board_of

    path = new_session(tmp_path / "alice")
    launched = LaunchedSession(["serve", str(path)], path.parent)
    try:
        wait_until(lambda: board_of(path.parent) or launched.status is not None)
        assert board_of(path.parent), launched.ended
        assert [check[0] for check in checked(path.parent)][:1] == ["streams"]
        wait_until(lambda: launched.status is not None)
    finally:
        launched.end()
    qtbot = request.getfixturevalue("qtbot")
    work = BackgroundJob("earmark.app.cli", ["--help"])
    with qtbot.waitSignals([work.done], timeout=120_000):
        pass

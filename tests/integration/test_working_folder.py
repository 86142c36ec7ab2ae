"""Files in the working folder of a command or of the window are never imported or run."""

import os
import subprocess
import sys
import time

import pytest

from earmark.app.session.channel import Client

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
#: The script that pip installs for a command.
SCRIPT = "import sys\nfrom earmark.app.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
#: Module names of Earmark and of other packages that a folder with analysis scripts may contain.
NAMES = ("earmark", "app", "pipeline", "devices", "kernels", "signal", "random", "socket", "numpy", "queue")
NOBODY = f"nobody-{os.getpid()}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Create a working folder with modules that leave a trace when they are imported."""
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
        assert time.monotonic() < end, "timed out"
        time.sleep(0.1)


def checked(place):
    """Run the checks of a served session, which starts its audio process, and shut it down."""
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


def test_command_ignores_the_working_folder(folder, tmp_path):
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


#: A script, as in a notebook, that starts child processes without the command.
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


def test_child_processes_of_a_script_ignore_the_working_folder(folder, tmp_path):
    script, child = tmp_path / "bin" / "script.py", tmp_path / "bin" / "child.py"
    script.parent.mkdir()
    script.write_text(BY_THE_PARTS)
    child.write_text(CHILD)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    subprocess.run([sys.executable, str(script), str(child)], env=environment, check=True, timeout=600)


def test_window_ignores_the_working_folder(folder, tmp_path, request):
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

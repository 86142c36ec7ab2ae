"""The command line as a whole: help, version, Ctrl-C, JSON, broken pipes, encodings and permissions."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from earmark.app.command_line import app

RUNNER = CliRunner()
EARMARK = [sys.executable, "-m", "earmark.app.cli"]


def commands(group=None, name=()):
    group = group or get_command(app)
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*name, word))
        yield (*name, word), command


def words(text):
    return " ".join(text.split())


def help_of(name, columns):
    result = RUNNER.invoke(app, [*name, "--help"], env={"COLUMNS": str(columns), "TERMINAL_WIDTH": str(columns)})
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(("name", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_help_shows_all_text_unchanged(name, command):
    shown = help_of(name, 80)
    assert not [line for line in shown.splitlines() if len(line) > 80 and " " in line.split(maxsplit=1)[-1]]
    assert words(inspect.getdoc(command.callback)) in words(shown)
    for option in command.params:
        assert words(option.help or "") in words(shown), option.name
        assert all(spelling in shown for spelling in option.opts if spelling.startswith("-"))


def test_help_keeps_brackets_and_colons():
    assert "NAME=FILE.npz:KEY:HZ" in words(help_of(["import"], 80))
    assert "[sound]" in help_of(["play"], 80)
    assert "[sound]" in help_of(["level"], 80)


@pytest.mark.parametrize("name", [(), ("bench",)])
def test_lists_of_commands_cut_nothing_off(name):
    _usage, *lines = help_of(name, 80).splitlines()
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_that_of_the_package(option):
    result = RUNNER.invoke(app, [option])
    assert (result.exit_code, result.output) == (0, f"earmark {version('earmark')}\n")


def test_typing_errors_get_a_suggestion():
    assert "Did you mean 'run'?" in RUNNER.invoke(app, ["rn"]).output
    assert "--verify" in RUNNER.invoke(app, ["replay", "x", "--verfy"]).output
    assert "python -m" not in subprocess.run([*EARMARK, "rn"], capture_output=True, text=True, check=False).stderr


#: Sends itself Ctrl-C while it imports a module.
INTERRUPTED = """\
import os, signal, sys
module = sys.argv.pop(1)
class Finder:
    def find_spec(self, name, *more):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from earmark.app.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    "module",
    [
        "earmark.app.command_line",
        "typer",
        "rich.table",
        "earmark.app.commands.evaluate",
        "pylsl",
        "earmark.app.config.session",
    ],
)
def test_ctrl_c_during_imports_ends_without_a_traceback(module, tmp_path):
    (tmp_path / "session.toml").write_text("")
    (tmp_path / "protocol.toml").write_text("")
    command = [sys.executable, "-c", INTERRUPTED, module, "calibrate", str(tmp_path / "session.toml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 130, found.stderr
    assert "Traceback" not in found.stderr


def test_json_goes_to_standard_output_and_messages_to_standard_error(monkeypatch):
    from earmark.app import doctor
    from earmark.app.doctor.check import Check

    monkeypatch.setattr(doctor, "CHECKS", {"one": lambda: Check("one", "ok", "fine")})
    result = RUNNER.invoke(app, ["doctor", "--json", "-"])
    assert json.loads(result.stdout)["checks"][0]["found"] == "fine"
    assert "No problems found" in result.stderr
    result = RUNNER.invoke(app, ["doctor"])
    assert "No problems found" in result.stdout, "and only then"


def test_unwritable_json_file_is_an_error(tmp_path, monkeypatch):
    from earmark.app import doctor

    monkeypatch.setattr(doctor, "CHECKS", {})
    result = RUNNER.invoke(app, ["doctor", "--json", str(tmp_path / "no" / "x.json")])
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_broken_pipe_ends_a_command_that_only_prints():
    script = """if 1:
        from earmark.app.terminal.console import console
        for n in range(10**9):
            console.print(n)
    """
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(600) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="process states of Linux")
def test_ctrl_z_does_not_stop_a_session_and_prints_a_message():
    script = """if 1:
        import sys
        from earmark.app.terminal.signals import stop_on_signals
        stop = stop_on_signals()
        print("ready", flush=True)
        stop.wait()
        print("ended", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTSTP)
        os.set_blocking(process.stderr.fileno(), True)
        assert process.stderr.readline() == "\n"
        assert "Ctrl-Z is ignored" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "ended\n"
        assert process.wait(600) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="process states of Linux")
def test_ctrl_z_does_not_stop_the_processes_of_a_session():
    """They belong to the terminal's process group, which gets the same signals as the command."""
    import multiprocessing

    from earmark.devices.processes.spawn import clean_birth

    with clean_birth():
        ready = multiprocessing.get_context("spawn").Event()
        process = multiprocessing.get_context("spawn").Process(target=_child, args=(ready,))
        process.start()
    try:
        os.kill(process.pid, signal.SIGTSTP)  # while it loads, too
        assert ready.wait(180)
        os.kill(process.pid, signal.SIGTSTP)
        with open(f"/proc/{process.pid}/stat") as file:
            state = re.search(r"\) (\w)", file.read())[1]
        assert state != "T"
    finally:
        process.kill()
        process.join()


def _child(ready):
    from earmark.devices.processes.spawn import leave_signals_to_parent

    leave_signals_to_parent()
    ready.set()
    time.sleep(600)


def test_typer_interprets_no_markup():
    assert isinstance(app, typer.Typer)
    assert app.rich_markup_mode is None


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and locales of POSIX")
def test_files_are_readable_by_their_user_only(tmp_path):
    os.umask(previous := os.umask(0))
    assert previous != 0o077, "or this test proves nothing"
    subprocess.run([*EARMARK, "new", tmp_path / "alice"], check=True, capture_output=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "alice", *(tmp_path / "alice").iterdir())}
    assert modes == {"alice": 0o700, "session.toml": 0o600, "protocol.toml": 0o600}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and locales of POSIX")
@pytest.mark.parametrize(
    "foreign",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1:strict"}],
)
def test_terminal_of_another_encoding_causes_no_error(foreign, tmp_path):
    env = {**os.environ, **foreign}
    done = subprocess.run([*EARMARK, "new", tmp_path / "é…"], env=env, capture_output=True, check=False)
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr
    said = "print_event('a \\u2026 b \\u2192 c \\u65e5'); console.print('\\u00b7')"
    script = f"from earmark.app.terminal.console import *; replace_unencodable(); {said}"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"a ... b -> c \\u65e5" in done.stdout


@pytest.mark.parametrize("name", ["calibrate", "run", "serve", "describe", "record", "play"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sound\n", "is not valid TOML: "),
        (None, "no such file"),
        (b"\xff", "not UTF-8"),
        ("folder", "is a folder, not a file: name "),
    ],
)
def test_invalid_toml_is_reported_before_slow_imports(name, text, words, tmp_path):
    path = tmp_path / "session.toml"
    if text == "folder":
        path.write_text("")
        path = tmp_path
    elif text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    more = ["-o", str(tmp_path / "out")] if name == "record" else []
    script = (
        "import sys\nfrom earmark.app.command_line import app\n"
        "try:\n  app()\nfinally:\n  print('LOADED' if {'numba', 'scipy.signal'} & set(sys.modules) else 'light')"
    )
    command = [sys.executable, "-c", script, name, str(path), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout.strip().endswith("light")


@pytest.mark.parametrize("path", ["nowhere.xdf", "."])
def test_replay_of_a_missing_file_says_what_to_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, ["replay", path])
    assert done.exit_code == 1
    assert "no such file; name a recorded run" in done.output

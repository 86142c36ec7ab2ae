"""``--verbose`` and ``--log-file``, for a command and its engine; and completion with the Tab key."""

import logging
import os
import subprocess
import sys

import pytest

from earmark.app.terminal import log
from earmark.app.terminal.warned import forward_warnings


def earmark(*words, cwd, **variables):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, words)]
    environment = {**os.environ, "COLUMNS": "200", **variables}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch):
    """Restore handlers and environment after each test."""
    monkeypatch.setenv("EARMARK_VERBOSE", "")
    monkeypatch.setenv("EARMARK_LOG_FILE", "")
    root, ours = logging.getLogger(), logging.getLogger("earmark")
    before = root.handlers[:], root.level, ours.level
    yield
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], root.level = before[:2]
    ours.setLevel(before[2])


def test_log_file_contains_the_messages_of_a_command(tmp_path):
    done = earmark("--log-file", "x.log", "describe", "no.toml", cwd=tmp_path)
    assert done.returncode == 1
    first, last = (tmp_path / "x.log").read_text().splitlines()
    assert "Python" in first
    assert first.endswith("--log-file x.log describe no.toml")
    assert "no.toml: no such file" in last
    assert "INFO" not in done.stderr
    earmark("--log-file", "x.log", "describe", "no.toml", cwd=tmp_path)
    assert len((tmp_path / "x.log").read_text().splitlines()) == 4, "appended"


def test_no_log_is_written_by_default(tmp_path):
    done = earmark("describe", "no.toml", cwd=tmp_path)
    assert done.stderr.splitlines() == ["error: no.toml: no such file; 'earmark new' writes one"]
    assert list(tmp_path.iterdir()) == []


def test_unwritable_log_file_is_refused_first(tmp_path):
    done = earmark("--log-file", tmp_path / "no" / "x.log", "describe", "no.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "x.log cannot be written: No such file or directory" in done.stderr


def test_verbose_shows_our_log_lines_and_repeats_nothing(capsys):
    warnings = []
    forward_warnings(warnings.append)
    log.enable_log(True, None)
    logging.getLogger("earmark.devices.sources.lsl").info("stream %r is here", "x\x1b")
    logging.getLogger("earmark.devices.sources.lsl").warning("odd")
    logging.getLogger("matplotlib").info("fonts")
    log.MESSAGES.info("printed already")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO earmark.devices.sources.lsl: stream 'x\\x1b' is here")
    assert warnings == ["odd"]


def test_child_process_logs_to_the_file_of_its_parent(tmp_path):
    file = tmp_path / "x.log"
    log.enable_log(False, file)
    code = (
        "from earmark.app.terminal.warned import forward_warnings; import logging\n"
        "forward_warnings(lambda text: None)\n"
        "logging.getLogger('earmark.app.engine').info('from a child')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "from a child" in file.read_text()


@pytest.mark.parametrize(
    ("typed", "found"), [("earmark cal", "calibrate"), ("earmark record x.toml --sec", "--seconds")]
)
def test_tab_completes_commands_and_options(tmp_path, typed, found):
    position = str(len(typed.split()) - 1)
    done = earmark(cwd=tmp_path, _EARMARK_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position)
    assert found in done.stdout.split()


def test_completion_can_be_shown(tmp_path, monkeypatch):
    monkeypatch.setenv(
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1"
    )  # a test may have no shell among its ancestors
    done = earmark("--show-completion", "bash", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "complete -o default -F _earmark_completion earmark" in done.stdout

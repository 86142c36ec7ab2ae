"""Log lines on the terminal (``--verbose``) and in a file (``--log-file``), of the command and of its engine."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from earmark.app.terminal.foreign import PlainFormatter

#: What is asked for, for child processes: they inherit the environment.
_VERBOSE, _FILE = "EARMARK_VERBOSE", "EARMARK_LOG_FILE"
#: Logger of what commands say on the terminal, so that it is in the file, too.
SAID = logging.getLogger("earmark.said")


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "earmark"


def _only_in_a_file(record: logging.LogRecord) -> bool:
    """Select what the terminal does not show anyway: no warnings or errors, nothing that was said."""
    return _is_ours(record) and record.levelno < logging.WARNING and record.name != SAID.name


def ask_for_log(verbose: bool, file: Path | None) -> None:
    """Begin to log in this process, and have its children do so.

    Parameters
    ----------
    verbose : bool
        Show what this program logs on standard error.
    file : Path or None
        Append it to this file, with what commands say and with warnings of libraries.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    if verbose:
        os.environ[_VERBOSE] = "1"
    if file is not None:
        file.open("a").close()
        os.environ[_FILE] = str(file.resolve())
    log_as_asked()


def log_as_asked() -> None:
    """Add the handlers that this process or its parent was asked for."""
    root, ours = logging.getLogger(), logging.getLogger("earmark")
    if os.environ.get(_VERBOSE):
        terminal = logging.StreamHandler()
        terminal.addFilter(_only_in_a_file)
        terminal.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
        root.addHandler(terminal)
        ours.setLevel(logging.DEBUG)
    if name := os.environ.get(_FILE):
        kept = logging.FileHandler(name, encoding="utf-8")
        kept.setFormatter(PlainFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(kept)
        ours.setLevel(logging.DEBUG)

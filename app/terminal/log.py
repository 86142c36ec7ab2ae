"""Logging to the terminal (``--verbose``) and to a file (``--log-file``), in the command and its child processes."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from earmark.app.terminal.foreign import PlainFormatter

#: Environment variables with the options, which child processes inherit.
_VERBOSE, _FILE = "EARMARK_VERBOSE", "EARMARK_LOG_FILE"
#: Logger of what commands print on the terminal, so that the log file has it, too.
MESSAGES = logging.getLogger("earmark.said")


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "earmark"


def _is_not_on_terminal(record: logging.LogRecord) -> bool:
    """Select records that the terminal does not show anyway: no warnings or errors, no copies of messages."""
    return _is_ours(record) and record.levelno < logging.WARNING and record.name != MESSAGES.name


def enable_log(verbose: bool, file: Path | None) -> None:
    """Start logging in this process and in its later child processes.

    Parameters
    ----------
    verbose : bool
        Show log messages of this program on standard error.
    file : Path or None
        Append them to this file, with messages of commands and warnings of libraries.

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
    add_log_handlers()


def add_log_handlers() -> None:
    """Add the log handlers that were enabled in this process or its parent."""
    root, ours = logging.getLogger(), logging.getLogger("earmark")
    if os.environ.get(_VERBOSE):
        terminal = logging.StreamHandler()
        terminal.addFilter(_is_not_on_terminal)
        terminal.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
        root.addHandler(terminal)
        ours.setLevel(logging.DEBUG)
    if name := os.environ.get(_FILE):
        kept = logging.FileHandler(name, encoding="utf-8")
        kept.setFormatter(PlainFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(kept)
        ours.setLevel(logging.DEBUG)

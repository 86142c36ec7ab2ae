"""Console output of commands: events, warnings, JSON, and errors without traceback."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from earmark.app.terminal.exit_status import ExitStatus
from earmark.app.terminal.foreign import plain
from earmark.app.terminal.log import MESSAGES
from earmark.app.terminal.warned import WARNING
from earmark.kernels.errors import EarmarkError

#: Replacements for characters that the terminal's encoding lacks; other characters are written as numbers.
_PLAIN = {"…": "...", "→": "->", "←": "<-", "·": "|", "▏": "|", "█": "#", "▸": ">", "°": " deg", "∞": "inf", "–": "-"}


class _Safe(Console):
    """Prints text literally: no markup is interpreted, and no control sequence reaches the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, markup=False, emoji=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Convert any string that is printed, alone or in a table, to rich text."""
        return super().render_str(plain(text, lines=True), **how)


class _Console(_Safe):
    #: Whether the command continues when the reader of its output goes away: this must not end a recording.
    ignores_broken_pipe = False

    def on_broken_pipe(self) -> None:
        """End the command, or let it continue without output."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if not self.ignores_broken_pipe:
            raise SystemExit(ExitStatus.BROKEN_PIPE)


console = _Console()
_errors = _Safe(stderr=True)


def replace_unencodable() -> None:
    """Replace characters that the terminal's encoding lacks, instead of failing."""
    codecs.register_error("earmark", _replacement)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="earmark")


def _replacement(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in found), error.end


def fail(text: str, status: int = ExitStatus.FAILED) -> NoReturn:
    """Print an error on stderr and end the command."""
    _errors.print("error:", style="bold red", end=" ")
    _errors.print(text, markup=False, highlight=False)
    MESSAGES.info("error: %s", text)
    raise typer.Exit(status)


def warn(text: str) -> None:
    """Print a warning on stderr, once: several readers and processes may give the same one."""
    if text not in _warned:
        _warned.add(text)
        _errors.print("warning:", style="bold yellow", end=" ")
        _errors.print(text, markup=False, highlight=False)


#: Warnings that were printed.
_warned: set[str] = set()


def print_event(text: str) -> None:
    """Print an event on one line, with the time of day; if it is a warning of another process, print a warning."""
    if text.startswith(WARNING):
        warn(text.removeprefix(WARNING))
        return
    console.print(f"{datetime.now():%H:%M:%S} {plain(text)}", markup=False, highlight=False)
    MESSAGES.info("%s", text)


def clock(seconds: float) -> str:
    """Format seconds as minutes and seconds."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def rate(sfreq: float) -> str:
    """Format a sampling rate in Hz as text; 0 is that of irregular streams, such as markers."""
    return f"{sfreq:g} Hz" if sfreq else "irregular"


def _where_json(path: Path | None) -> Path | None:
    console.stderr = path == Path("-")  # standard output must hold nothing but the JSON
    return path


#: Option of every command that reports figures or a list.
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        callback=_where_json,
        help="Write the results as JSON to this file; - is standard output.",
    ),
]


def write_json(path: Path | None, value: Any) -> None:
    """Write ``value`` to the file of :data:`JsonFile`, if one was given; end the command if that fails."""
    if path is None:
        return
    text = json.dumps(value, indent=1) + "\n"
    try:
        if path == Path("-"):
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            path.write_text(text, encoding="utf-8")
            console.print(f"Wrote {path}", markup=False, highlight=False)
    except BrokenPipeError:
        console.on_broken_pipe()
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")


@contextmanager
def failures() -> Iterator[None]:
    """Turn errors that the user can fix into a message and the exit status of their class."""
    try:
        yield
    except EarmarkError as error:
        fail(str(error), error.exit_status)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

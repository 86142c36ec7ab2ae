"""How commands speak: one console, errors in words and without traceback."""

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
from earmark.app.terminal.log import SAID
from earmark.app.terminal.warned import WARNING
from earmark.kernels.errors import EarmarkError

#: What stands for characters that the terminal's encoding lacks; others are written as numbers.
_PLAIN = {"…": "...", "→": "->", "←": "<-", "·": "|", "▏": "|", "█": "#", "▸": ">", "°": " deg", "∞": "inf", "–": "-"}


class _Safe(Console):
    """Shows text as it is: no markup in it is obeyed, and nothing in it steers the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, markup=False, emoji=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Make rich text of any string that is printed, alone or in a table."""
        return super().render_str(plain(text, lines=True), **how)


class _Console(_Safe):
    #: Whether the command goes on where nobody reads what it says: whoever stops reading must not end a recording.
    goes_on = False

    def on_broken_pipe(self) -> None:
        """End the command, or let it go on in silence."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if not self.goes_on:
            raise SystemExit(ExitStatus.BROKEN_PIPE)


console = _Console()
_errors = _Safe(stderr=True)


def speak_any_encoding() -> None:
    """Let no character be a reason to fail, whatever the terminal's encoding is."""
    codecs.register_error("earmark", _in_plain)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="earmark")


def _in_plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in found), error.end


def fail(text: str, status: int = ExitStatus.FAILED) -> NoReturn:
    """Say what is wrong on stderr and end the command."""
    _errors.print("error:", style="bold red", end=" ")
    _errors.print(text, markup=False, highlight=False)
    SAID.info("error: %s", text)
    raise typer.Exit(status)


def warn(text: str) -> None:
    """Say on stderr what may be amiss, once: several readers and processes may find the same."""
    if text not in _warned:
        _warned.add(text)
        _errors.print("warning:", style="bold yellow", end=" ")
        _errors.print(text, markup=False, highlight=False)


#: What was warned of.
_warned: set[str] = set()


def say(text: str) -> None:
    """Print one event, on one line, with the time of day; a warning of another process as a warning."""
    if text.startswith(WARNING):
        warn(text.removeprefix(WARNING))
        return
    console.print(f"{datetime.now():%H:%M:%S} {plain(text)}", markup=False, highlight=False)
    SAID.info("%s", text)


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def _where_json(path: Path | None) -> Path | None:
    console.stderr = path == Path("-")  # what is for people leaves standard output to what is for programs
    return path


#: The option of every command that has figures or a list.
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", callback=_where_json, help="Write it all as JSON to this file; - is standard output."
    ),
]


def write_json(path: Path | None, value: Any) -> None:
    """Write what :data:`JsonFile` asks for, if it does; end the command where that cannot be done."""
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
    """Turn the errors that a person can do something about into a message and the exit status that goes with it."""
    try:
        yield
    except EarmarkError as error:
        fail(str(error), error.exit_status)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

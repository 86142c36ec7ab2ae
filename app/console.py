"""How commands speak: one console, errors in words and without traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

import typer
from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on in silence: whoever stops reading must not end a recording."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = _Console(soft_wrap=True)
_errors = Console(stderr=True, soft_wrap=True)


def fail(text: str, status: int = 1) -> NoReturn:
    """Say what is wrong on stderr and end the command."""
    _errors.print("error:", style="bold red", end=" ")
    _errors.print(text, markup=False, highlight=False)
    raise typer.Exit(status)


def say(text: str) -> None:
    """Print one event with the time of day."""
    console.print(f"{datetime.now():%H:%M:%S} {text}", markup=False, highlight=False)


@contextmanager
def failures() -> Iterator[None]:
    """Turn the errors that a person can do something about into a message and exit status 1."""
    from app.config import ConfigError
    from devices.audio.scene import AudioError
    from devices.lsl_info import StreamError
    from devices.recorder import RecordingFailed
    from devices.recordings import RecordingError
    from devices.xdf import XdfError
    from pipeline.decoders.decoder import DecoderError
    from pipeline.stream import WiringError

    try:
        yield
    except (
        AudioError,
        ConfigError,
        DecoderError,
        StreamError,
        RecordingFailed,
        RecordingError,
        WiringError,
        XdfError,
    ) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

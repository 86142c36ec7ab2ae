"""``earmark stream``: play a recording as a live LSL stream."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.options import Bads, Channels, ChType, Sfreq, Unit, overrides
from earmark.app.terminal.exit_status import ExitStatus
from earmark.kernels.words import counted

if TYPE_CHECKING:
    from earmark.devices.simulate.player import Player


def stream(
    file: Annotated[Path, typer.Argument(help="Recording: .fif, .edf, .bdf, .vhdr or .xdf.", show_default=False)],
    *,
    speed: Annotated[float, typer.Option(help="Speed relative to the recording.")] = 1.0,
    name: Annotated[str | None, typer.Option(help="Name of the stream; by default, that of the file.")] = None,
    source_id: Annotated[
        str | None, typer.Option(help="source_id of the stream; by default, earmark-NAME_OF_FILE.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Which stream of an XDF file: its name, source_id or number.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Start when a consumer connects, not at once.")] = False,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
) -> None:
    """Play a recording as a live LSL stream, in real time.

    Its annotations become a stream of markers. No samples are sent during gaps in the recording. At a speed other than
    1, the description of the stream states it, and time stamps advance as in the recording. Exit status: 0 played to
    the end, 1 could not be played, 2 wrong usage, 130 ended by Ctrl-C.
    """
    from earmark.app.terminal.console import console, fail, failures
    from earmark.devices.files.recordings import open_recording
    from earmark.devices.simulate.player import Player
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    if not (math.isfinite(speed) and speed > 0):
        fail(f"speed is {speed}, but must be a positive number")
    try:
        with failures():
            recording = open_recording(file, stream, overrides(unit, ch_type, channels, bads, sfreq))
            patience = math.inf if wait else None
            with Player(recording, speed, name=name, source_id=source_id, wait_for_consumer_s=patience) as player:
                spec = recording.spec
                n_gaps = recording.n_gaps
                beside = (
                    f"; {len(recording.annotations)} markers as {player.marker_name!r}" if player.marker_name else ""
                )
                console.print(
                    f"Publishing {player.name!r} (type {player.type}, source_id {player.source_id!r}): "
                    f"{spec.n_channels} channels at {spec.sfreq:g} Hz, {_clock(recording.duration)}"
                    f"{' with ' + counted(n_gaps, 'gap') if n_gaps else ''}, speed {speed:g}{beside}. Ctrl-C ends.",
                    markup=False,
                    highlight=False,
                )
                _play(player, recording.duration, wait)
    except KeyboardInterrupt:
        console.print("Ended by Ctrl-C.")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None


def _play(player: Player, duration: float, wait: bool) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    from earmark.app.terminal.console import console

    columns = (
        TextColumn("{task.fields[played]} / {task.fields[total_time]}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[listening]}", markup=False),
    )

    def listening() -> str:
        return "connected" if player.has_consumer else "no consumer"

    shown = 0.0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(
            "",
            total=duration,
            played=_clock(0),
            total_time=_clock(duration),
            listening="waiting for a consumer" if wait else listening(),
        )

        def progress(seconds: float) -> None:
            nonlocal shown
            if time.monotonic() - shown > 0.1 or seconds >= duration:
                shown = time.monotonic()
                bar.update(task, completed=seconds, played=_clock(seconds), listening=listening())

        player.play(threading.Event(), progress)
        bar.update(task, completed=duration, played=_clock(duration), listening=listening())
    console.print("Played to the end.")


def _clock(seconds: float) -> str:
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{int(seconds % 60):02d}"

"""``earmark record``: run the graph on live streams and record its input."""

from __future__ import annotations

import shlex
import threading
import time
from collections import deque
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.terminal.exit_status import ExitStatus
from earmark.kernels.words import counted

if TYPE_CHECKING:
    from earmark.app.engine.engine import Engine
    from earmark.devices.processes.recorder import Recorder


def record(
    config: Annotated[Path, typer.Argument(help="Session file (TOML).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the recording; created if it does not exist.")],
    seconds: Annotated[float, typer.Option(help="Stop after this many seconds; 0 runs until Ctrl-C.", min=0)] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No live display, only events.")] = False,
) -> None:
    """Run the graph on live LSL streams and record its input.

    The recording can be replayed bit for bit. Writes DIR/session-DATE-TIME.xdf. Ctrl-C (or SIGTERM) ends the recording
    cleanly. Exit status: 0 recorded, 1 could not start or the recording is incomplete, 2 wrong usage.
    """
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(config)
    from earmark.app.config.session import load_config
    from earmark.app.engine.engine import Engine
    from earmark.app.engine.environment import environment
    from earmark.app.engine.events_file import copied_decoders
    from earmark.app.engine.live_table import live_table
    from earmark.app.terminal.console import console, fail, failures, print_event, rate
    from earmark.app.terminal.foreign import plain
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.files.journal import About
    from earmark.devices.files.subjects import whose
    from earmark.devices.processes.recorder import Recorder, RecordingFailed
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    with failures():
        settings = load_config(config)
        events: deque[str] = deque(maxlen=1000)  # a slow terminal must not delay the graph
        engine = Engine(settings, on_event=events.append)
        console.print(f"Searching for {counted(len(settings.streams), 'stream')} …")
        try:
            engine.connect()
        except KeyboardInterrupt:
            fail("ended before anything was recorded", ExitStatus.INTERRUPTED)
        stop = stop_on_signals()
        for name, description in engine.descriptions.items():
            spec = description.spec
            console.print(
                f"  {name}: {plain(description.origin)}, {spec.n_channels} channels, {rate(spec.sfreq)}, "
                f"{description.format}",
                markup=False,
            )
        path = out / f"session-{datetime.now():%Y%m%d-%H%M%S}.xdf"
        about = About(settings.text, environment=environment(), subject=whose(path)[0])
        try:
            out.mkdir(parents=True, exist_ok=True)
            about = replace(about, decoders=copied_decoders(settings.decoders, path))
        except OSError as error:
            engine.close()
            fail(f"cannot write into {out}: {error.strerror}")
        writer = engine.writer(about)
        try:
            recorder = Recorder(path, writer.headers)
        except RecordingFailed:
            engine.close()
            raise
        writer.begin(recorder.put)
        engine.start(writer)
    print_event(f"Recording to {path}. Ctrl-C ends it.")
    begun = time.monotonic()
    try:
        _watch(engine, recorder, stop, events, seconds, quiet=quiet)
    finally:  # even if the terminal is gone, what was recorded must reach the disk
        engine.stop()
        failure, path = _close(recorder), recorder.path  # it moves if its file is replaced
    while events:
        print_event(events.popleft())
    console.print(live_table(engine, None, time.monotonic() - begun))
    broken = [name for name, inlet in engine.inlets.items() if inlet.status == "failed"]
    empty = [name for name, status in engine.streams.items() if engine.graph.specs[name].sfreq and not status.n_samples]
    if engine.failure is not None:
        fail(f"the graph failed: {engine.failure}. The recording up to that point is in {path}")
    for wrong, names in ((failure, [""]), ("receiving failed for", broken), ("nothing was received from", empty)):
        if wrong and names:
            fail(f"{wrong} {', '.join(names)}".strip())
    size = path.stat().st_size / 1e6
    print_event(f"Recorded {path} ({size:.1f} MB). Check it: earmark replay {shlex.quote(str(path))} --verify")


def _watch(
    engine: Engine, recorder: Recorder, stop: threading.Event, events: deque[str], seconds: float, *, quiet: bool
) -> None:
    """Show events and statistics, and watch the recorder, until there is a reason to end."""
    from rich.live import Live

    from earmark.app.engine.live_table import live_table
    from earmark.app.terminal.console import console, print_event

    begun = time.monotonic()
    watched = begun
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stop.wait(0.1) and engine.failure is None:
            now = time.monotonic()
            while events:
                print_event(events.popleft())
            if seconds and now - begun >= seconds:
                return
            if now - watched >= 1.0:
                watched = now
                for alarm in recorder.watch():
                    print_event(f"ALARM: {alarm}")
                if not quiet and console.is_terminal:
                    live.update(live_table(engine, recorder, now - begun), refresh=True)


def _close(recorder: Recorder) -> str:
    from earmark.devices.processes.recorder import RecordingFailed

    try:
        recorder.close()
    except RecordingFailed as error:
        return str(error)
    return ""

"""``earmark record``: run the graph on live streams and keep everything."""

from __future__ import annotations

import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def record(
    config: Annotated[Path, typer.Argument(help="Session configuration, TOML.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the recording; made if it is not there.")],
    seconds: Annotated[float, typer.Option(help="Stop after so many seconds; 0 runs until Ctrl-C.", min=0)] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No live display, only events.")] = False,
) -> None:
    """Run the graph on live LSL streams and record all it consumed, so that it can be replayed bit for bit.

    Writes DIR/session-DATE-TIME.xdf. Ctrl-C (or SIGTERM) ends the recording in good order. Exit status: 0 recorded,
    1 could not start or the recording is not whole, 2 wrong usage.
    """
    from rich.live import Live

    from app.config import load_config
    from app.console import console, fail, failures, say
    from app.describe import live_table
    from app.engine import Engine
    from app.environment import environment
    from devices.lsl_log import quiet_liblsl
    from devices.recorder import Recorder, RecordingFailed
    from devices.session_file import SessionWriter

    quiet_liblsl()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with failures():
        settings = load_config(config)
        engine = Engine(settings, on_event=say)
        console.print(f"Looking for {len(settings.streams)} stream(s) …")
        engine.connect()
        for name, description in engine.descriptions.items():
            spec = description.spec
            console.print(
                f"  {name}: {spec.name} from {description.host or '?'}, {spec.n_channels} channels, "
                f"{spec.sfreq:g} Hz, {description.format}",
                markup=False,
            )
        writer = SessionWriter(
            engine.descriptions,
            engine.recorded_outputs(),
            {
                "config": settings.text,
                "units": {name: s.unit for name, s in settings.streams.items()},
                "environment": environment(),
            },
        )
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(f"cannot make the folder {out}: {error.strerror}")
        path = out / f"session-{datetime.now():%Y%m%d-%H%M%S}.xdf"
        recorder = Recorder(path, writer.headers)
        writer.begin(recorder.put)
        engine.start(writer)
    console.print(f"Recording to {path}. Ctrl-C ends it.", markup=False)
    begun, watched = time.monotonic(), 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stop.wait(0.1) and engine.failure is None:
            now = time.monotonic()
            if seconds and now - begun >= seconds:
                break
            if now - watched >= 1.0:
                watched = now
                for alarm in recorder.watch():
                    say(f"ALARM: {alarm}")
                if not quiet and console.is_terminal:
                    live.update(live_table(engine, recorder, now - begun), refresh=True)
    engine.stop()
    try:
        recorder.close()
    except RecordingFailed as error:
        fail(str(error))
    if engine.failure is not None:
        fail(f"the graph failed: {engine.failure}. What was recorded until then is in {path}")
    console.print(live_table(engine, None, time.monotonic() - begun))
    size = path.stat().st_size / 1e6
    console.print(f"Recorded {path} ({size:.1f} MB). Check it: earmark replay {path} --verify", markup=False)

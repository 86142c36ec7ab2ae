"""``earmark replay``: run the graph of a recording again and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.terminal.console import JsonFile
from earmark.app.terminal.exit_status import ExitStatus

if TYPE_CHECKING:
    from earmark.app.engine.live_network import RecordedNetwork
    from earmark.app.replay.verdict import Verdict
    from earmark.app.replay.verify import Replay
    from earmark.pipeline.stream import Item


def replay(
    session: Annotated[Path, typer.Argument(help="Recording (.xdf) or folder of a run.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare with what ran live, bit for bit.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the outputs to this .npz file.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Replay a run in real time, with sound, for the window.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="With --watch: folder for 'dashboard' and 'control'; by default, a temporary one."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Replay a recording through its graph, and verify it.

    The graph, its configuration and all of its input come from the file. With --verify, each digest and each recorded
    output sample is compared; if sound was recorded, envelopes are computed again from it and compared, too.

    Exit status: 0 done and, with --verify, identical (on another machine or with other
    library versions: within 1e-9 of the largest sample, which is reported); 3 not identical, or the file is damaged; 4
    identical as far as it goes, but the recording was cut short; 1 the file cannot be replayed.

    With --watch, a run plays back in real time: 'earmark dashboard' shows it, its talkers are heard, and it is verified
    as it plays. 'earmark control' takes pause, resume, seek, speed, loop, mute, master, stop and shutdown; nothing is
    recorded. It runs until shutdown or Ctrl-C; the exit status is that of --verify.
    """
    import numpy as np
    from rich.table import Table

    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.terminal.foreign import plain
    from earmark.app.terminal.outputs import must_be_writable

    if watch:
        if verify or out is not None or json_file is not None:
            fail(
                "--watch always verifies and writes no outputs: leave out --verify, --out and --json", ExitStatus.USAGE
            )
        watch_replay(session, folder)
        return
    if folder is not None:
        fail("--folder is only for --watch: add --watch, or leave it out", ExitStatus.USAGE)
    from earmark.app.replay.verdict import DIFFERENT, assess
    from earmark.app.replay.verify import Replay
    from earmark.devices.files.journal import EventLine, MaskedLine
    from earmark.devices.files.session_file import SessionFile

    must_be_writable(out, json_file)
    session = session / "loop.xdf" if session.is_dir() else session
    if not session.exists():
        fail(f"{session}: no such file; name a recorded run, as DIR/run-1")
    kept: dict[str, list[Any]] = {}

    def keep(name: str, item: Item) -> None:
        kept.setdefault(name, []).append(item)

    with failures():
        file = SessionFile(session)
        run = Replay(file)
        with console.status(f"Replaying {session.name} …"):
            run.run(None if out is None else keep)
            if verify:
                run.hear()
    table = Table(title=f"Replay of {session.name}")
    for column in ("output", "samples", "compared", "digests matched", "largest difference"):
        table.add_column(column)
    for name, found in run.outputs.items():
        table.add_row(
            name,
            str(found.n_samples),
            str(found.n_compared),
            f"{found.n_digests - found.n_wrong} of {found.n_digests}",
            f"{found.difference:.3g}" if found.n_compared else "not recorded",
        )
    if run.heard is not None:
        one = run.heard
        same = f"{one.n_same} of {one.n_compared} samples"
        table.add_row("envelopes", str(one.n_samples), str(one.n_compared), same, f"{one.difference:.3g}")
    console.print(table)
    if run.network is not None:
        console.print(network_line(run.network), markup=False, highlight=False)
    for _, noted in run.events:
        match noted:
            case EventLine(words):
                console.print(f"  {plain(words)}", markup=False, highlight=False)
            case MaskedLine(masked):
                words = f"masked channels: {', '.join(masked) or 'none'}"
                console.print(f"  {plain(words)}", markup=False, highlight=False)
    for words in file.damage:
        console.print(f"DAMAGED: {words}", markup=False, highlight=False, style="bold red")
    if out is not None:
        try:
            np.savez(out, **as_arrays(kept))
        except OSError as error:
            fail(f"cannot write {out}: {error.strerror}")
        console.print(f"Wrote {out}", markup=False)
    verdict = assess(run) if verify else None
    write_json(json_file, replayed(run, verdict))
    if verdict is None:
        return
    if verdict.status == DIFFERENT:
        for words in verdict.details:
            console.print(words, markup=False, style="bold red")
        fail(verdict.words, DIFFERENT)
    console.print(verdict.words, markup=False, style="yellow" if verdict.status or verdict.details else "green")
    for words in verdict.details:
        console.print(f"  {words}", markup=False)
    if run.heard_words:
        console.print(f"  {plain(run.heard_words)}", markup=False, highlight=False)
    if verdict.status:
        raise typer.Exit(verdict.status)


def replayed(run: Replay, verdict: Verdict | None) -> dict[str, Any]:
    """Return outputs, events, damage and verdict of a replay, ready for JSON; None stands for what was not measured."""
    from dataclasses import asdict

    from earmark.devices.files.journal import EventLine

    return {
        "recording": str(run.session.path),
        "whole": run.session.whole,
        "damage": list(run.session.damage),
        "outputs": {
            name: {
                "samples": found.n_samples,
                "compared": found.n_compared,
                "digests": found.n_digests,
                "digests_matched": found.n_digests - found.n_wrong,
                "largest_difference": found.difference if found.n_compared else None,
            }
            for name, found in run.outputs.items()
        },
        "network": None if run.network is None else network_line(run.network),
        "events": [noted.event for _, noted in run.events if isinstance(noted, EventLine)],
        "heard": None if run.heard is None else asdict(run.heard) | {"identical": run.heard.identical},
        "verdict": None
        if verdict is None
        else {"status": int(verdict.status), "words": verdict.words, "details": list(verdict.details)},
    }


def watch_replay(recording: Path, folder: Path | None) -> None:
    """Replay a run in real time, as a session that ``folder`` makes reachable, until asked to end."""
    import contextlib
    import tempfile

    from earmark.app.replay.session import ReplaySession
    from earmark.app.session.terminal import in_window
    from earmark.app.terminal.console import console, failures, print_event
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    with contextlib.ExitStack() as stack, failures():
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="earmark-replay-")))
        place.mkdir(parents=True, exist_ok=True)
        with console.status(f"Reading {recording} …"):
            session = stack.enter_context(ReplaySession(recording, place))  # Ctrl-C ends this at once
        stop = stop_on_signals()
        print_event(in_window(place))
        while not stop.wait(0.1) and not session.ended.is_set():
            for text in session.events.poll():
                print_event(text)
        session.player.stop()
        for text in session.events.poll():
            print_event(text)
    if session.player.status:
        raise typer.Exit(session.player.status)


def network_line(network: RecordedNetwork) -> str:
    """Say which backends scored live, and how far the network's own answers differ."""
    off = network.difference / network.largest if network.largest else 0.0
    return (
        f"Scored live by {' or '.join(network.backends)}: {network.n_answers} windows, {network.n_missed} not in time. "
        f"Computed again here, scores differ by at most {off:.1g} of the largest; {network.n_wrong} wrong"
    )


def as_arrays(outputs: dict[str, list[Any]]) -> dict[str, Any]:
    """Convert the items of outputs to named arrays.

    Parameters
    ----------
    outputs : dict of list of Item
        All items in order, by output.

    Returns
    -------
    arrays : dict of array
        ``NAME``, shape (n_samples, n_channels), and ``NAME_times``, shape (n_samples,), LSL seconds; for epochs
        ``NAME``, shape (n_epochs, n_samples, n_channels), ``NAME_times`` and ``NAME_events``, shape (n_epochs,).
    """
    import numpy as np

    from earmark.pipeline.stream import Block, ClockMap, Epoch

    arrays: dict[str, Any] = {}
    for name, items in outputs.items():
        data, times, events = [], [], []
        clock = ClockMap(0.0, 0.0, 1.0)
        for item in items:
            if isinstance(item, ClockMap):
                clock = item
            elif isinstance(item, Block):
                data.append(item.data)
                times += [clock.time(index) for index in range(item.start, item.stop)]
            elif isinstance(item, Epoch) and item.data is not None:
                data.append(item.data[None])
                times.append(item.marker.time)
                events.append(item.marker.value)
        if data:
            arrays[name], arrays[f"{name}_times"] = np.concatenate(data), np.array(times)
        if events:
            arrays[f"{name}_events"] = np.array(events)
    return arrays

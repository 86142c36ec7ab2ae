"""``earmark replay``: the same graph over a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.network import RecordedNetwork
    from pipeline.stream import Item


#: Exit status where all is identical, but the recording ends before it should.
CUT_SHORT = 4


def replay(
    session: Annotated[Path, typer.Argument(help="Recording made by 'earmark record', .xdf.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare with what ran live, bit for bit.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the outputs to this .npz file.")] = None,
) -> None:
    """Run the graph of a recording over it again.

    The graph, its configuration and every item it consumed come from the file. With --verify, each digest and each
    recorded output sample is compared. Exit status: 0 done, and identical where --verify was asked (on another
    machine or other library versions: within 1e-9 of the largest sample, and it says so); 3 not identical, or the
    file is damaged; 4 identical as far as it goes, but the recording was cut short; 1 the file cannot be replayed.
    """
    import numpy as np
    from rich.table import Table

    from app.console import console, fail, failures
    from app.environment import environment
    from app.verify import TOLERANCE, Replay
    from devices.session_file import SessionFile

    kept: dict[str, list[Any]] = {}

    def keep(name: str, item: Item) -> None:
        kept.setdefault(name, []).append(item)

    with failures():
        file = SessionFile(session)
        run = Replay(file)
        with console.status(f"Replaying {session.name} …"):
            run.run(None if out is None else keep)
    table = Table(title=f"Replay of {session.name}")
    for column in ("output", "samples", "compared", "digests met", "largest difference"):
        table.add_column(column)
    for name, found in run.outputs.items():
        table.add_row(
            name,
            str(found.n_samples),
            str(found.n_compared),
            f"{found.n_digests - found.n_wrong} of {found.n_digests}",
            f"{found.difference:.3g}" if found.n_compared else "not recorded",
        )
    console.print(table)
    if run.network is not None:
        console.print(network_line(run.network), markup=False, highlight=False)
    for _, entry in run.events:
        if not {"event", "masked"} & set(entry):
            continue
        masked = f"masked channels: {', '.join(entry.get('masked', [])) or 'none'}"
        console.print(f"  {entry.get('event') or masked}", markup=False, highlight=False)
    for words in file.damage:
        console.print(f"[bold red]damaged[/]: {words}")
    if out is not None:
        try:
            np.savez(out, **as_arrays(kept))
        except OSError as error:
            fail(f"cannot write {out}: {error.strerror}")
        console.print(f"Wrote {out}", markup=False)
    if not verify:
        return
    if file.damage:
        fail("the recording is damaged: what it holds is not what ran live", 3)
    if run.network is not None and run.network.n_wrong:
        fail(f"{run.network.n_wrong} answers recorded of the network are not those of this decoder", 3)
    then, now = file.about.get("environment", {}), environment()
    changed = [f"{k}: {then.get(k)} then, {now[k]} now" for k in now if then.get(k) != now[k]]
    if not run.outputs or not any(c.n_digests for c in run.outputs.values()):
        fail("nothing to compare: the recording ended before its first digest", 3)
    if all(c.identical or (c.n_digests == 0 and c.n_samples == 0) for c in run.outputs.values()):
        if file.whole:
            console.print("[bold green]identical[/]: the replay gave the live output, bit for bit")
            return
        console.print("[bold yellow]identical as far as it goes[/], bit for bit: the recording was cut short")
        raise typer.Exit(CUT_SHORT)
    if changed and all(c.close for c in run.outputs.values() if c.n_compared):
        console.print(f"[bold yellow]equal within {TOLERANCE:g}[/] of the largest sample; not bit for bit, because:")
        for line in changed:
            console.print(f"  {line}", markup=False)
        return
    for name, c in run.outputs.items():
        if not c.identical and c.n_digests:
            where = "" if c.first_wrong is None else f", first at {c.first_wrong:.3f} s (LSL time)"
            console.print(f"[bold red]{name} differs[/]: {c.n_wrong} of {c.n_digests} digests not met{where}")
    for line in changed:
        console.print(f"  {line}", markup=False)
    fail("the replay is not what ran live" + ("" if changed else ", on the same machine and versions"), 3)


def network_line(network: RecordedNetwork) -> str:
    """Who answered live, and whether the network itself answers the same."""
    off = network.difference / network.largest if network.largest else 0.0
    return (
        f"Scores were given by {' or '.join(network.backends)}: {network.n_answers} windows, {network.n_missed} not "
        f"in time. Asked again here, the network differs by {off:.1g} of the largest at most; {network.n_wrong} wrong"
    )


def as_arrays(outputs: dict[str, list[Any]]) -> dict[str, Any]:
    """What came out, as named arrays.

    Parameters
    ----------
    outputs : dict of list of Item
        By output, all items in order.

    Returns
    -------
    arrays : dict of array
        ``NAME``, shape (n_samples, n_channels), and ``NAME_times``, shape (n_samples,), LSL seconds; for epochs
        ``NAME``, shape (n_epochs, n_samples, n_channels), ``NAME_times`` and ``NAME_events``, shape (n_epochs,).
    """
    import numpy as np

    from pipeline.stream import Block, ClockMap, Epoch

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

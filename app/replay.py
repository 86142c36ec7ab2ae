"""``earmark replay``: the same graph over a recording."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from app.config import parse_config
from app.environment import environment
from devices.session_file import Consumed, Digest, Noted, Produced, SessionFile
from pipeline.stream import Block

#: Largest difference, relative to the largest sample of the output, that another machine may make.
TOLERANCE = 1e-9


@dataclass
class Comparison:
    """What became of one output.

    Attributes
    ----------
    n_samples, n_compared : int
        Samples that the replay gave, and that were also found in the recording and compared.
    n_digests, n_wrong : int
        Digests in the recording, and those that the replay did not meet.
    first_wrong : float or None
        LSL time of the first digest that was not met.
    difference, largest : float
        Largest absolute difference to the recorded samples, and largest recorded sample, in the unit of the output.
    """

    n_samples: int = 0
    n_compared: int = 0
    n_digests: int = 0
    n_wrong: int = 0
    first_wrong: float | None = None
    difference: float = 0.0
    largest: float = 0.0
    length_differs: bool = False

    @property
    def identical(self) -> bool:
        """Whether every digest was met, and there was one."""
        return self.n_digests > 0 and self.n_wrong == 0 and self.difference == 0 and not self.length_differs

    @property
    def close(self) -> bool:
        """Whether all recorded samples were met within the tolerance."""
        return self.n_compared > 0 and not self.length_differs and self.difference <= TOLERANCE * self.largest


@dataclass
class Replay:
    """A recording, run through its own graph again.

    Parameters
    ----------
    session : SessionFile
        What to replay.
    """

    session: SessionFile
    outputs: dict[str, Comparison] = field(default_factory=dict)
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    n_items: int = 0

    def run(self, keep: dict[str, list[Any]] | None = None) -> None:
        """Feed everything, compare everything.

        Parameters
        ----------
        keep : dict, optional
            Receives, by output, all items that came out.
        """
        config = parse_config(self.session.about["config"], f"configuration in {self.session.path}")
        graph = config.graph()
        graph.open({name: d.spec for name, d in self.session.streams.items()})
        digests = {name: Digest() for name in graph.outputs}
        self.outputs = {name: Comparison() for name in graph.outputs}
        given: dict[str, list[np.ndarray]] = {name: [] for name in self.session.about["outputs"]}
        for event in self.session:
            if isinstance(event, Consumed):
                self.n_items += 1
                for name, item in graph.feed(event.stream, event.item):
                    digests[name].add(item)
                    if isinstance(item, Block):
                        self.outputs[name].n_samples += len(item.data)
                        if name in given:
                            given[name].append(item.data)
                    if keep is not None:
                        keep.setdefault(name, []).append(item)
            elif isinstance(event, Produced):
                self._compare(self.outputs[event.name], given[event.name], event.data)
            else:
                self._note(event, digests)

    def _compare(self, found: Comparison, given: list[np.ndarray], recorded: np.ndarray) -> None:
        if not given or given[0].shape != recorded.shape:
            found.length_differs = True
            return
        replayed = given.pop(0)
        found.n_compared += len(recorded)
        if not np.array_equal(replayed, recorded):
            found.difference = max(found.difference, float(np.max(np.abs(replayed - recorded))))
        found.largest = max(found.largest, float(np.max(np.abs(recorded), initial=0.0)))

    def _note(self, note: Noted, digests: dict[str, Digest]) -> None:
        entry = note.entry
        if "digest" in entry and entry.get("output") in digests:
            found, digest = self.outputs[entry["output"]], digests[entry["output"]]
            found.n_digests += 1
            if (entry.get("items"), entry["digest"]) != (digest.n_items, digest.hexdigest()):
                found.n_wrong += 1
                found.first_wrong = note.time if found.first_wrong is None else found.first_wrong
        else:
            self.events.append((note.time, entry))


def replay(
    session: Annotated[Path, typer.Argument(help="Recording made by 'earmark record', .xdf.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare with what ran live, bit for bit.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the outputs to this .npz file.")] = None,
) -> None:
    """Run the graph of a recording over it again.

    The graph, its configuration and every item it consumed come from the file. With --verify, each digest and each
    recorded output sample is compared. Exit status: 0 done, and identical where --verify was asked (on another
    machine or other library versions: within 1e-9 of the largest sample, and it says so); 3 not identical; 1 the
    file cannot be replayed.
    """
    from rich.table import Table

    from app.console import console, fail, failures

    kept: dict[str, list[Any]] | None = {} if out is not None else None
    with failures():
        file = SessionFile(session)
        run = Replay(file)
        with console.status(f"Replaying {session.name} …"):
            run.run(kept)
    table = Table("output", "samples", "compared", "digests met", "largest difference", title=f"Replay of {session.name}")
    for name, found in run.outputs.items():
        table.add_row(
            name,
            str(found.n_samples),
            str(found.n_compared),
            f"{found.n_digests - found.n_wrong} of {found.n_digests}",
            f"{found.difference:.3g}" if found.n_compared else "not recorded",
        )
    console.print(table)
    for _, entry in run.events:
        console.print(f"  {entry.get('event') or entry}", markup=False)
    if out is not None and kept is not None:
        arrays = {n: np.concatenate([i.data for i in items if isinstance(i, Block)]) for n, items in kept.items()}
        np.savez(out, **arrays)  # type: ignore[arg-type]
        console.print(f"Wrote {out}", markup=False)
    if not verify:
        return
    then, now = file.about.get("environment", {}), environment()
    changed = [f"{k}: {then.get(k)} then, {now[k]} now" for k in now if then.get(k) != now[k]]
    if not run.outputs or not any(c.n_digests for c in run.outputs.values()):
        fail("nothing to compare: the recording ended before its first digest", 3)
    if all(c.identical or (c.n_digests == 0 and c.n_samples == 0) for c in run.outputs.values()):
        console.print("[bold green]identical[/]: the replay gave the live output, bit for bit")
        return
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


if __name__ == "__main__":
    sys.exit("run 'earmark replay'")

"""Check a node against :class:`earmark.pipeline.node.Node`, on simulated signals."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import Node
from earmark.pipeline.stream import Aligned, Block, ClockMap, Gap, Item, Marker, StreamSpec, WiringError
from earmark.testing.failure import (
    CheckFailed,
    bits,
    demand,
    demand_class,
    gives_a_reason,
    run_checks,
    settings_for,
)

#: Scalp EEG as sent by an amplifier, in ragged blocks, and in hops.
RAGGED = StreamSpec("eeg", 250.0, ("Fz", "Cz", "Pz", "Oz"), ("eeg",) * 4, ("uV",) * 4)
HOPS = RAGGED.evolve(hop=10)
MARKERS = StreamSpec("markers", 0.0, ("marker",), ("misc",), ("",))
#: Duration of the signals, start of their gap, and its duration, s.
SECONDS, GAP_AT, GAP_S = 8.0, 4.1, 0.6
#: An item, and the input that receives it.
Script = list[tuple[int, Item]]


def check_node(node: type[Node], config: Any = None, specs: Sequence[StreamSpec] | None = None, seed: int = 0) -> None:
    """Check a class of nodes.

    The node is opened, fed and compared with itself: with other block sizes, restored in the middle, with another
    future, with a gap, in another instance. It must not change its inputs, nor outputs that it has returned.

    Parameters
    ----------
    node : type
        The class.
    config : object, optional
        Settings to check it with; by default ``node.Config()``.
    specs : sequence of StreamSpec, optional
        One stream per input. By default: four channels of EEG at 250 Hz in ragged blocks, or in hops of 10 samples if
        the node refuses ragged ones; markers for a second input.
    seed : int
        Seed of the signals and of the block sizes.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    demand_class(node, "check_node", "node")
    check = _Check(node, config, specs, seed)
    checks = (
        check.has_what_the_graph_uses,
        check.opens_alike,
        check.gives_what_its_spec_says,
        check.repeats_itself,
        check.cutting_does_not_matter,
        check.goes_on_from_its_state,
        check.knows_no_future,
        check.passes_on_what_it_does_not_know,
        check.refuses_in_words,
    )
    run_checks(checks, lambda: check.name)


class _Check:
    def __init__(self, node: type[Node], config: Any, specs: Sequence[StreamSpec] | None, seed: int) -> None:
        self.node, self.name, self.seed = node, node.__name__, seed
        self._config, self._specs = config, specs

    def demand(self, fine: object, found: str) -> None:
        demand(fine, self.name, found)

    # The checks

    def has_what_the_graph_uses(self) -> None:
        for name in ("Config", "open", "process", "state", "restore", "n_inputs"):
            if name != "n_inputs" or self._config is None:  # which may be an attribute of instances only
                self.demand(hasattr(self.node, name) or name == "n_inputs", f"there is no {name}")
        self._config = settings_for("check_node", self.name, self.node.Config, self._config)
        made = self.node(self._config)
        self.demand(isinstance(made, Node), "an instance lacks config, n_inputs, open, process, state or restore")
        self.demand(made.config == self._config, "config is not what it was made from")
        n = made.n_inputs
        self.demand(isinstance(n, int) and n >= 1, f"n_inputs is {n!r}, but must be 1 or more")
        if self._specs is None:
            first = RAGGED if self._opens([RAGGED, *[MARKERS] * (n - 1)]) else HOPS
            self._specs = [first, *[MARKERS] * (n - 1)]
        if isinstance(self._specs, StreamSpec):
            raise CheckFailed(f"{self.name}: specs is one StreamSpec, but must be a list with one for each input")
        self.demand(len(self._specs) == n, f"it has {n} inputs, but {len(self._specs)} specs were given")
        self.specs = list(self._specs)

    def opens_alike(self) -> None:
        node, spec = self._open()
        self.demand(isinstance(spec, StreamSpec), f"open gives {type(spec).__name__}, but must give a StreamSpec")
        self.spec = spec
        self._run(node, self._script())
        self.demand(node.open(*self.specs) == spec, "opened again, it gives another spec")
        again = self._run(node, self._script())
        fresh = self._run(self._open()[0], self._script())
        self._same(again, fresh, "opened again, it has not forgotten what came before")

    def gives_what_its_spec_says(self) -> None:
        found = self._run(self._open()[0], self._script())
        spec, at, clocked = self.spec, None, False
        for item in found:
            clocked = clocked or isinstance(item, ClockMap)
            if not isinstance(item, Block | Aligned | Gap):
                continue
            self.demand(
                at is None or item.start == at,
                f"samples {at} on are to come, but {_named(item)} begins at {item.start}",
            )
            at = item.stop
            if isinstance(item, Block):
                self._fits(item, spec)
                self.demand(clocked, "a block comes before any clock map: pass clock maps on, for its own samples")
        if any(isinstance(item, Block | Aligned) for item in found) and self.specs[0].sfreq:
            gap = any(isinstance(item, Gap) and item.stop > item.start for item in found)
            self.demand(gap, "a gap of the input leaves no gap in the output: nobody would know what is missing")

    def repeats_itself(self) -> None:
        runs = []
        for number in (1, 2):
            np.random.seed(number)  # noqa: NPY002 - which a node must not draw from
            random.seed(number)
            runs.append(self._run(self._open()[0], self._script()))
        self._same(runs[0], runs[1], "fed the same items, another instance gives other ones: it draws or reads a clock")

    def cutting_does_not_matter(self) -> None:
        wanted = self._run(self._open()[0], self._script(cuts=0))
        for cuts in (1, 2, 3):
            found = self._run(self._open()[0], self._script(cuts=cuts))
            what = "the output depends on how the input was cut into blocks"
            if self.spec.hop is None:
                self.demand(_joined(found) == _joined(wanted), what)
            else:
                self._same(found, wanted, what)

    def goes_on_from_its_state(self) -> None:
        script = self._script()
        rng = np.random.default_rng(self.seed)
        for at in sorted(rng.integers(1, len(script), 4).tolist()):
            one, other = self._open()[0], self._open()[0]
            self._run(one, script[:at])
            state = one.state()
            fine = isinstance(state, dict) and all(
                isinstance(key, str) and isinstance(value, np.ndarray) and value.dtype != object
                for key, value in state.items()
            )
            self.demand(fine, "state must be a dict of NumPy arrays by name, none of them of objects")
            kept = bits(state)
            wanted = self._run(one, script[at:])
            self.demand(bits(state) == kept, "what state gave changes while the node goes on: give copies")
            other.restore(state)
            self._same(self._run(other, script[at:]), wanted, "restored from its state, it goes on otherwise")
            self.demand(bits(state) == kept, "a restored node changes the state it was given: take copies")

    def knows_no_future(self) -> None:
        sfreq = self.specs[0].sfreq
        if not (sfreq and self.spec.sfreq):
            return
        wanted = _rows(self._run(self._open()[0], self._script()))
        rng = np.random.default_rng(self.seed)
        for at in rng.integers(int(0.2 * GAP_AT * sfreq), int(0.9 * GAP_AT * sfreq), 6).tolist():
            found = _rows(self._run(self._open()[0], self._script(changed_from=at)))
            for index, row in wanted.items():
                if index / self.spec.sfreq >= at / sfreq:
                    break
                self.demand(
                    index in found and found[index] == row,
                    f"output sample {index} changes with input sample {at}, which comes later",
                )

    def passes_on_what_it_does_not_know(self) -> None:
        if len(self.specs) > 1:
            return
        marker = Marker(1.0, "a marker that no node asks for")
        found = self._run(self._open()[0], [(0, marker)])
        self.demand(found == [marker], f"a marker must be passed on as it is, but {found} came out")

    def refuses_in_words(self) -> None:
        for port, spec in enumerate(self.specs):
            for wrong in (
                MARKERS,
                RAGGED,
                RAGGED.evolve(units=("furlong",) * 4),
                RAGGED.evolve(sfreq=1.0),
                HOPS.evolve(sfreq=2.0, hop=1),
                HOPS.pick([0]).evolve(ch_types=("misc",), units=("",)),
                HOPS.evolve(ch_names=("a", "b", "c", "d")),
            ):
                specs = [*self.specs[:port], wrong, *self.specs[port + 1 :]]
                if wrong != spec:
                    self._opens(specs)

    # Shared by the checks

    def _open(self) -> tuple[Node, StreamSpec]:
        node = self.node(self._config)
        try:
            return node, node.open(*self.specs)
        except WiringError as error:
            raise CheckFailed(f"{self.name}: it cannot be opened: {error}. Give check_node other specs") from None

    def _opens(self, specs: Sequence[StreamSpec]) -> bool:
        """Whether a node accepts such streams; a refusal against the contract fails the check."""
        try:
            self.node(self._config).open(*specs)
        except WiringError as error:
            self.demand(
                gives_a_reason(error), f"it refuses {specs[0]} without saying why: {str(error)!r}; see wiring_error"
            )
            return False
        except Exception as error:
            raise CheckFailed(
                f"{self.name}: open raises {type(error).__name__} ({error}) for {specs}, but must raise a WiringError "
                "that names the key, what was found and what is wanted"
            ) from error
        return True

    def _fits(self, block: Block, spec: StreamSpec) -> None:
        shape = (len(block.data), spec.n_channels)
        self.demand(
            block.data.shape == shape and len(block.data) > 0,
            f"a block has shape {block.data.shape}, but its spec says {spec.n_channels} channels",
        )
        if spec.hop is not None:
            self.demand(len(block.data) <= spec.hop, f"a block has {len(block.data)} samples, but hop is {spec.hop}")
            self.demand(block.data.dtype == np.float64, f"a block is {block.data.dtype}, but must be float64")
        self.demand(
            block.bad is None or block.bad.shape == (spec.n_channels,), "bad must have an entry for each channel"
        )

    def _run(self, node: Node, script: Script) -> list[Item]:
        """Feed items, and check that neither inputs nor earlier outputs change."""
        found, before = [], []
        for port, item in script:
            given = bits(item)
            for out in node.process(item, port):
                found.append(out)
                before.append(bits(out))
            self.demand(bits(item) == given, "it changes the samples it was given: work on a copy")
        self.demand([bits(item) for item in found] == before, "it writes again to memory that it has given out")
        return found

    def _same(self, found: Sequence[Item], wanted: Sequence[Item], what: str) -> None:
        for number, (one, other) in enumerate(zip(found, wanted, strict=False)):
            self.demand(bits(one) == bits(other), f"{what}: item {number} is {_named(one)}, not {_named(other)}")
        self.demand(len(found) == len(wanted), f"{what}: {len(found)} items, not {len(wanted)}")

    def _script(self, cuts: int = 0, changed_from: int | None = None) -> Script:
        """Items for all inputs, in order of time."""
        timed: list[tuple[float, int, Item]] = []
        for port, spec in enumerate(self.specs):
            change = changed_from if port == 0 else None
            timed += [(at, port, item) for at, item in _items(spec, self.seed + port, cuts, change)]
        timed.sort(key=lambda one: one[:2])
        return [(port, item) for _, port, item in timed]


def _items(spec: StreamSpec, seed: int, cuts: int, changed_from: int | None) -> Iterable[tuple[float, Item]]:
    """Yield the items of a stream with the time at which each is known: a signal with a gap, or markers."""
    rng = np.random.default_rng(seed)
    if not spec.sfreq:
        times = np.cumsum(rng.uniform(0.3, 0.9, int(SECONDS / 0.6)))
        return [(float(at), Marker(100.0 + float(at), f"event {k % 3}")) for k, at in enumerate(times)]
    n, (gap, after) = round(SECONDS * spec.sfreq), (round(at * spec.sfreq) for at in (GAP_AT, GAP_AT + GAP_S))
    data = rng.normal(50.0, 20.0, (n, spec.n_channels))
    if changed_from is not None:
        data[changed_from:] += rng.normal(300.0, 50.0, data[changed_from:].shape)
    found: list[tuple[float, Item]] = [(-1.0, ClockMap(0.0, 100.0, 1 / spec.sfreq))]
    cutting = np.random.default_rng(cuts)
    for start, stop in ((0, gap), (after, n)):
        if spec.hop is None:
            steps = np.cumsum(cutting.integers(1, max(2, round(0.08 * spec.sfreq)), stop - start)) + start
            edges = [start, *(int(at) for at in steps if at < stop), stop]
        else:
            edges = [*range(start, stop, spec.hop), stop]
        found += [(b / spec.sfreq, _block(a, data[a:b], spec)) for a, b in pairwise(edges)]
        if stop == gap:
            found.append((after / spec.sfreq - 1e-6, Gap(gap, after)))
    return [*found, (SECONDS, Gap(n, n))]


def _block(start: int, data: NDArray[np.float64], spec: StreamSpec) -> Block:
    masked = spec.hop is not None and start // spec.hop % 7 == 3  # now and then
    return Block(start, np.array(data), np.arange(spec.n_channels) == 0 if masked else None)


def _rows(items: Iterable[Item]) -> dict[int, bytes]:
    """Return samples by index."""
    blocks = [item for item in items if isinstance(item, Block)]
    return {block.start + k: row.tobytes() for block in blocks for k, row in enumerate(block.data)}


def _joined(items: Iterable[Item]) -> list[Any]:
    """Return items, with contiguous blocks joined."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, Block):
            if not (found and isinstance(found[-1], list)):
                found.append([item.start, item.data.dtype.str, b""])
            found[-1][2] += np.ascontiguousarray(item.data).tobytes()
        else:
            found.append(bits(item))
    return found


def _named(item: Item) -> str:
    """Describe an item without its samples."""
    place = f" {item.start} to {item.stop}" if isinstance(item, Block | Aligned | Gap) else ""
    return f"{type(item).__name__}{place}"

"""Nodes wired together, checked before anything starts, run by whoever feeds them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.pipeline.iir import Cascade, Iir
from earmark.pipeline.node import Node, State
from earmark.pipeline.stream import Item, StreamSpec, WiringError


@dataclass(frozen=True)
class Step:
    """A node in its place.

    Attributes
    ----------
    name : str
        Of the node in its graph.
    node : Node
        What does the work.
    inputs : tuple of str
        The streams or earlier nodes that feed it.
    """

    name: str
    node: Node
    inputs: tuple[str, ...]


class Graph:
    """A streaming graph.

    Everything it ever sees is the sequence of items given to :meth:`feed`, and what it gives depends on nothing
    else: fed the same sequence, live or from a recording, it gives the same bits. Recursive filters that follow
    one another, with nobody listening in between, are run as one matrix.

    Parameters
    ----------
    steps : sequence of Step
        In an order in which every step comes after those it listens to.
    outputs : sequence of str
        Names of the steps whose items :meth:`feed` returns.
    """

    def __init__(self, steps: Sequence[Step], outputs: Sequence[str]) -> None:
        self.steps = tuple(steps)
        self.outputs = tuple(outputs)
        #: Spec of every source and step, once open.
        self.specs: dict[str, StreamSpec] = {}

    def open(self, sources: Mapping[str, StreamSpec]) -> dict[str, StreamSpec]:
        """Check the wiring and open every node.

        Parameters
        ----------
        sources : mapping of str to StreamSpec
            The streams that will be fed, by name.

        Returns
        -------
        outputs : dict of str to StreamSpec
            The spec of every output.

        Raises
        ------
        WiringError
            If names do not resolve or a node refuses what it is given; the message names node, key, what was
            found and what was wanted.
        """
        specs = dict(sources)
        for step in self.steps:
            if step.name in specs:
                raise WiringError(f"node {step.name!r}: name is taken already, but must be its own")
            for name in step.inputs:
                if name not in specs:
                    raise WiringError(
                        f"node {step.name!r}: input is {name!r}, but must be a stream or an earlier node"
                        f"{_nearest(name, specs)}"
                    )
            wanted = step.node.n_inputs
            if len(step.inputs) != wanted:
                raise WiringError(f"node {step.name!r}: inputs are {list(step.inputs)}, but must be {wanted} in number")
            try:
                specs[step.name] = step.node.open(*(specs[name] for name in step.inputs)).evolve(name=step.name)
            except WiringError as error:
                raise WiringError(f"node {step.name!r}: {error}") from None
            except (ArithmeticError, MemoryError, ValueError) as error:  # settings so absurd that no node asks for them
                raise WiringError(f"node {step.name!r} cannot be made with these settings: {error}") from None
        for name in self.outputs:
            if name in sources:
                raise WiringError(f"output: node is {name!r}, a stream, but must be a node")
            if name not in specs:
                raise WiringError(f"output: node is {name!r}, but must be a node{_nearest(name, specs)}")
        self.specs = specs
        self._wire(sources)
        return {name: specs[name] for name in self.outputs}

    def _wire(self, sources: Mapping[str, StreamSpec]) -> None:
        runners: dict[str, Node | Cascade] = {step.name: step.node for step in self.steps}
        listeners: dict[str, list[tuple[str, int]]] = {name: [] for name in self.specs}
        for step in self.steps:
            for port, name in enumerate(step.inputs):
                listeners[name].append((step.name, port))
        fused: dict[str, list[Iir]] = {}
        for step in self.steps:
            before = step.inputs[0]
            if not isinstance(step.node, Iir):
                continue
            chain = fused.pop(before, None) if len(listeners[before]) == 1 and before not in self.outputs else None
            fused[step.name] = [*(chain or []), step.node]
            if chain:
                head = next(s for s in self.steps if s.node is chain[0]).inputs[0]
                listeners[head] = [(step.name if n == before else n, port) for n, port in listeners[head]]
                del listeners[before], runners[before]
        for name, chain in fused.items():
            if len(chain) > 1:
                head = next(s for s in self.steps if s.node is chain[0]).inputs[0]
                runners[name] = cascade = Cascade(chain)
                cascade.open(self.specs[head])
        self._runners = runners
        self._edges = {
            name: [(listener, runners[listener], port) for listener, port in found] for name, found in listeners.items()
        }

    def hops(self, source: str) -> tuple[int, ...]:
        """Lengths of the blocks that are cut from a source, once open: nothing happens before one of them is full.

        Nodes that hand blocks on as they come, such as ``pick``, are looked through.

        Returns
        -------
        hops : tuple of int
            In samples, ascending; empty where blocks are used, or leave the graph, as they come.
        """
        found: set[int] = set()
        ahead = [source]
        while ahead:
            name = ahead.pop()
            listeners = [step for step in self.steps if name in step.inputs]
            if not listeners or name in self.outputs:
                return ()
            for step in listeners:
                hop = self.specs[step.name].hop
                if hop is None:
                    ahead.append(step.name)
                else:
                    found.add(hop)
        return tuple(sorted(found))

    def feed(self, source: str, item: Item) -> list[tuple[str, Item]]:
        """Let one item run through, depth first; return what came out, as (output name, item)."""
        found: list[tuple[str, Item]] = []
        self._pass(source, item, found)
        return found

    def _pass(self, name: str, item: Item, found: list[tuple[str, Item]]) -> None:
        if name in self.outputs:
            found.append((name, item))
        for listener, node, port in self._edges[name]:
            for out in node.process(item, port):
                self._pass(listener, out, found)

    def state(self) -> dict[str, State]:
        """State of every node that is run, by name."""
        return {name: node.state() for name, node in self._runners.items()}

    def restore(self, state: Mapping[str, State]) -> None:
        """Put back what :meth:`state` gave, into a graph opened on the same specs."""
        for name, node in self._runners.items():
            node.restore(state[name])


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, [other for other in known if other != name], n=1)
    return f": did you mean {close[0]!r}?" if close else f": {', '.join(map(repr, known))}"

"""Streaming graph: connects nodes, checks the connections before the start, and processes the items it is fed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.pipeline.iir import Cascade, Iir
from earmark.pipeline.node import Node, State
from earmark.pipeline.stream import Item, StreamSpec, WiringError


@dataclass(frozen=True)
class Step:
    """A node in a graph.

    Attributes
    ----------
    name : str
        Name of the node in the graph.
    node : Node
        The node.
    inputs : tuple of str
        Names of its inputs: streams or earlier nodes.
    """

    name: str
    node: Node
    inputs: tuple[str, ...]


class Graph:
    """A streaming graph.

    Its output depends only on the sequence of items given to :meth:`feed`: for the same sequence, live or from a
    recording, it is bit-identical. Consecutive recursive filters, without another listener in between, are combined
    into one matrix.

    Parameters
    ----------
    steps : sequence of Step
        Ordered so that every step comes after its inputs.
    outputs : sequence of str
        Names of the steps whose items :meth:`feed` returns.
    """

    def __init__(self, steps: Sequence[Step], outputs: Sequence[str]) -> None:
        self.steps = tuple(steps)
        self.outputs = tuple(outputs)
        #: Spec of every source and step; empty until :meth:`open`.
        self.specs: dict[str, StreamSpec] = {}

    def open(self, sources: Mapping[str, StreamSpec]) -> dict[str, StreamSpec]:
        """Check the connections and open every node.

        Parameters
        ----------
        sources : mapping of str to StreamSpec
            Specs of the streams that will be fed, by name.

        Returns
        -------
        outputs : dict of str to StreamSpec
            The spec of every output.

        Raises
        ------
        WiringError
            If a name is unknown, or a node rejects its settings or input; the message has the node, the key, its value
            and the requirement.
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
                raise WiringError(f"node {step.name!r}: {str(error).removeprefix(f'{step.name}: ')}") from None
            except (ArithmeticError, MemoryError, ValueError) as error:  # settings the node does not check
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
        """Return the lengths of the blocks into which a source is divided; call it after :meth:`open`.

        Nodes that keep block boundaries, such as ``pick``, are followed to the next node.

        Returns
        -------
        hops : tuple of int
            Lengths in samples, ascending; empty if blocks of any length are used, or leave the graph.
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
        """Process one item, depth first; return the output as (output name, item)."""
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
        """Return the state of every active node, by name."""
        return {name: node.state() for name, node in self._runners.items()}

    def restore(self, state: Mapping[str, State]) -> None:
        """Restore what :meth:`state` returned, in a graph opened with the same specs."""
        for name, node in self._runners.items():
            node.restore(state[name])


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, [other for other in known if other != name], n=1)
    return f": did you mean {close[0]!r}?" if close else f": {', '.join(map(repr, known))}"

"""The contract of a node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.stream import Item, StreamSpec

State = dict[str, NDArray[np.generic]]


def within(name: str, state: State) -> State:
    """State of a part of a node, as a part of the node's own."""
    return {f"{name}.{key}": value for key, value in state.items()}


def below(name: str, state: State) -> State:
    """The state of a part, taken out again."""
    return {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(f"{name}.")}


@runtime_checkable
class Node(Protocol):
    """One step of the graph. Time, threads, files and log lines live elsewhere.

    A node is made from a frozen configuration of its own class ``Config``. It passes on what it does not
    understand. After ``open`` it may depend on the items it was given and on nothing else.
    """

    Config: ClassVar[type]
    config: Any

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Check the stream, design, allocate, forget the past; return the spec of what comes out.

        Raises
        ------
        WiringError
            Naming the key, the value found and the value wanted.
        """

    def process(self, item: Item) -> Iterator[Item]:
        """Turn one item into zero or more."""

    def state(self) -> State:
        """Everything that later output depends on, as arrays that can be kept."""

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave, into a node opened on the same spec."""

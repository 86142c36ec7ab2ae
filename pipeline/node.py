"""The contract of a node, and every node by its name in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.registry import Registry
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

    A node is made from a frozen dataclass of its own, ``Config``. It passes on what it does not understand. After
    ``open`` it may depend on the items it was given and on nothing else. :func:`earmark.testing.check_node` tries all
    of this on a class.

    Attributes
    ----------
    Config : type
        Frozen dataclass of the settings; its fields are the keys in ``[[nodes]]``.
    config : object
        The settings that this node was made from.
    n_inputs : int
        Streams that it listens to, numbered from port 0.
    """

    Config: Any

    def __init__(self, config: Any, /) -> None: ...

    @property
    def config(self) -> Any: ...  # noqa: D102 - above

    @property
    def n_inputs(self) -> int: ...  # noqa: D102 - above

    @property
    def open(self) -> Callable[..., StreamSpec]:
        """Check the streams, one spec per input; design, allocate, forget the past; return the spec of what comes out.

        Raises
        ------
        WiringError
            Naming the key, the value found and the value wanted.
        """

    def process(self, item: Item, port: int = 0, /) -> Iterator[Item]:
        """Turn one item of the stream at an input into zero or more."""

    def state(self) -> State:
        """Everything that later output depends on, as arrays that can be kept."""

    def restore(self, state: State, /) -> None:
        """Put back what :meth:`state` gave, into a node opened on the same spec."""


#: Every node, by its ``type`` in ``[[nodes]]``; packages add to it by entry points of the group ``earmark.nodes``.
NODES: Registry[type[Node]] = Registry(
    "node",
    "earmark.nodes",
    {
        "pick": "earmark.pipeline.nodes.pick:Pick",
        "reblock": "earmark.pipeline.nodes.reblock:Reblock",
        "quality": "earmark.pipeline.nodes.quality:Quality",
        "notch": "earmark.pipeline.nodes.notch:Notch",
        "bandpass": "earmark.pipeline.nodes.bandpass:Bandpass",
        "reference": "earmark.pipeline.nodes.reference:Reference",
        "resample": "earmark.pipeline.nodes.resample:Resample",
        "high_gamma": "earmark.pipeline.nodes.high_gamma:HighGamma",
        "epochs": "earmark.pipeline.nodes.epochs:Epochs",
        "envelope": "earmark.pipeline.nodes.envelope:Envelope",
        "align": "earmark.pipeline.nodes.align:Align",
    },
    ("Config", "open", "process", "state", "restore"),
)

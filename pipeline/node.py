"""Interface of a node, and the registry of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.registry import Registry
from earmark.pipeline.stream import Item, StreamSpec

State = dict[str, NDArray[np.generic]]


def within(name: str, state: State) -> State:
    """Prefix the keys of the state of a component, to include it in the state of a node."""
    return {f"{name}.{key}": value for key, value in state.items()}


def below(name: str, state: State) -> State:
    """Extract the state of a component from the state of a node; inverse of :func:`within`."""
    return {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(f"{name}.")}


@runtime_checkable
class Node(Protocol):
    """One step of the graph. It uses no clock, threads, files or logging.

    A node is created from its own frozen dataclass, ``Config``. It passes on items that it does not process. After
    ``open``, its output must depend only on its input items. :func:`earmark.testing.check_node` tests a class for all
    of this.

    Attributes
    ----------
    Config : type
        Frozen dataclass of the settings; its fields are the keys in ``[[nodes]]``.
    config : object
        The settings of this node.
    n_inputs : int
        Number of input streams, which are numbered from port 0.
    """

    Config: Any

    def __init__(self, config: Any, /) -> None: ...

    @property
    def config(self) -> Any: ...  # noqa: D102 - above

    @property
    def n_inputs(self) -> int: ...  # noqa: D102 - above

    @property
    def open(self) -> Callable[..., StreamSpec]:
        """Check the specs of the inputs, design and allocate, reset the state, and return the spec of the output.

        Raises
        ------
        WiringError
            If a setting or an input is not possible; the message has the key, its value and the requirement.
        """

    def process(self, item: Item, port: int = 0, /) -> Iterator[Item]:
        """Process one item of the input ``port`` and yield zero or more output items."""

    def state(self) -> State:
        """Return everything that later output depends on, as arrays that can be stored."""

    def restore(self, state: State, /) -> None:
        """Restore what :meth:`state` returned, in a node opened with the same spec."""


#: All nodes, by their ``type`` in ``[[nodes]]``. Other packages add nodes by entry points of the group
#: ``earmark.nodes``.
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
        "tilt": "earmark.pipeline.nodes.tilt:Tilt",
        "high_gamma": "earmark.pipeline.nodes.high_gamma:HighGamma",
        "epochs": "earmark.pipeline.nodes.epochs:Epochs",
        "envelope": "earmark.pipeline.nodes.envelope:Envelope",
        "align": "earmark.pipeline.nodes.align:Align",
    },
    ("Config", "open", "process", "state", "restore"),
)

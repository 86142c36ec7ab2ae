"""What all recursive filters have in common: they run as one cascade of second-order sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfreqz

from earmark.kernels.block_filter import BlockFilter
from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, Gap, Item, StreamSpec, wiring_error


class Design(Protocol):
    """A filter as its designer sees it."""

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Second-order sections, shape (n_sections, 6), and the spec of the filtered stream."""


def centre_delay(sos: NDArray[np.float64], spec: StreamSpec) -> float:
    """Group delay in seconds at the geometric centre of the band that ``spec`` says is left; 0 if there is none."""
    if not spec.highpass or spec.lowpass is None:
        return 0.0
    centre = np.sqrt(spec.highpass * spec.lowpass)
    f = centre * np.array([1 - 1e-4, 1 + 1e-4])
    phase = np.unwrap(np.angle(sosfreqz(sos, f, fs=spec.sfreq)[1]))
    return float(-(phase[1] - phase[0]) / (2 * np.pi * (f[1] - f[0])))


class Cascade:
    """Several recursive filters run as one: one matrix product per block instead of one each.

    Starts, and restarts after a gap, settled on the first sample it sees, so that an electrode offset leaves no
    transient. Initial conditions from a chunk's mean, as often seen, make the output depend on the chunking.
    """

    def __init__(self, designs: Sequence[Design]) -> None:
        self._designs = designs

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Design all sections and build their common matrix."""
        if spec.hop is None:
            raise wiring_error("filter", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it")
        sections, out = [], spec
        for design in self._designs:
            sos, out = design.design(out)
            sections.append(sos)
        sos = np.concatenate(sections)
        self._filter = BlockFilter(sos, spec.hop, spec.n_channels)
        self._settled = False
        return out.evolve(group_delay=spec.group_delay + centre_delay(sos, out))

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Filter blocks; forget the past at a gap."""
        if isinstance(item, Block):
            if not self._settled:
                self._filter.settle(item.data[0])
                self._settled = True
            item = Block(item.start, self._filter(item.data), item.bad)
        elif isinstance(item, Gap):
            self._settled = False
        yield item

    def state(self) -> State:
        """Filter memory."""
        return {"settled": np.array(self._settled), "filter": self._filter.state}

    def restore(self, state: State) -> None:
        """Put back the filter memory."""
        self._settled = bool(state["settled"])
        self._filter.state = state["filter"].astype(np.float64)


class Iir(Cascade):
    """A recursive filter as a node: a cascade of itself."""

    Config: Any
    config: Any
    n_inputs = 1

    def __init__(self) -> None:
        super().__init__([self])

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Second-order sections, shape (n_sections, 6), and the spec of the filtered stream."""
        raise TypeError(f"{type(self).__name__} does not say how it is designed")

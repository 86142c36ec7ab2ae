"""Base classes of the recursive filters, which run as one cascade of second-order sections."""

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
    """A filter that can be designed for a stream."""

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Return the second-order sections, shape (n_sections, 6), and the spec of the filtered stream."""


def centre_delay(sos: NDArray[np.float64], spec: StreamSpec) -> float:
    """Return the group delay in seconds at the geometric centre of the pass band of ``spec``; 0 if it has none."""
    if not spec.highpass or spec.lowpass is None:
        return 0.0
    centre = np.sqrt(spec.highpass * spec.lowpass)
    f = centre * np.array([1 - 1e-4, 1 + 1e-4])
    phase = np.unwrap(np.angle(sosfreqz(sos, f, fs=spec.sfreq)[1]))
    return float(-(phase[1] - phase[0]) / (2 * np.pi * (f[1] - f[0])))


class Cascade:
    """Several recursive filters combined into one: one matrix product per block for all of them.

    At the start and after a gap, the state is the steady state for the first sample, so that an electrode offset
    causes no transient. Initial conditions from the mean of the first chunk, which are common elsewhere, would make
    the output depend on the division into chunks.
    """

    def __init__(self, designs: Sequence[Design]) -> None:
        self._designs = designs

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Design all sections and compute their common matrix."""
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
        """Filter blocks; reset the state at a gap."""
        if isinstance(item, Block):
            if not self._settled:
                self._filter.settle(item.data[0])
                self._settled = True
            item = Block(item.start, self._filter(item.data), item.bad)
        elif isinstance(item, Gap):
            self._settled = False
        yield item

    def state(self) -> State:
        """Return the filter memory."""
        return {"settled": np.array(self._settled), "filter": self._filter.state}

    def restore(self, state: State) -> None:
        """Restore the filter memory."""
        self._settled = bool(state["settled"])
        self._filter.state = state["filter"].astype(np.float64)


class Iir(Cascade):
    """A recursive filter as a node: a cascade that consists of this filter."""

    Config: Any
    config: Any
    n_inputs = 1

    def __init__(self) -> None:
        super().__init__([self])

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Return the second-order sections, shape (n_sections, 6), and the spec of the filtered stream."""
        raise TypeError(f"{type(self).__name__} does not define design()")

"""The first node of every chain: equal blocks of finite float64 microvolts, whatever arrives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.stream import ELECTRODES, Block, Gap, Item, StreamSpec, wiring_error
from earmark.pipeline.units import microvolts

#: Longest block, in seconds: filters grow with its square.
MAX_HOP_S = 10.0


@dataclass(frozen=True, slots=True)
class ReblockConfig:
    """How to cut.

    Attributes
    ----------
    hop_s : float
        Length of a block in seconds, rounded to whole samples.
    limit_uv : float
        Electrode samples beyond this are treated as not measured, like NaN: no amplifier delivers a volt.
    """

    hop_s: float = 0.02
    limit_uv: float = 1e6


class Reblock:
    """Cut ragged chunks into blocks of one hop, in float64 microvolts.

    A sample that is not a number, or absurd, is replaced by the last good one of its channel (0 before any), and
    the channel is marked bad for that block: one NaN would otherwise live in a filter's memory for ever. A gap
    ends the block under way, which leaves shorter, and the next starts at the end of the gap. A short gap after which
    samples go on is bridged instead, by a line from the last good sample before to the first one after.
    """

    Config = ReblockConfig
    n_inputs = 1

    def __init__(self, config: ReblockConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Fix the hop and the factor to microvolts of every channel."""
        if not spec.sfreq > 0:
            raise wiring_error(
                "reblock",
                "input",
                f"{spec.name!r} with irregular rate",
                "a regularly sampled stream; where the source does not say its rate, give 'sfreq' in [streams] of a "
                "session, or --sfreq",
            )
        if not 1 / spec.sfreq <= self.config.hop_s <= MAX_HOP_S:
            wanted = f"at least one sample, {1 / spec.sfreq:g} s, and at most {MAX_HOP_S:g} s"
            raise wiring_error("reblock", "hop_s", self.config.hop_s, wanted)
        hop = round(self.config.hop_s * spec.sfreq)
        factor, limit, units = np.ones(spec.n_channels), np.full(spec.n_channels, np.inf), list(spec.units)
        for i, (kind, unit) in enumerate(zip(spec.ch_types, spec.units, strict=True)):
            if kind in ELECTRODES:
                in_microvolts = microvolts(unit)
                if in_microvolts is None:
                    raise wiring_error(
                        "reblock",
                        "unit",
                        f"{unit!r} on channel {spec.ch_names[i]!r} of {spec.name!r}",
                        "V, mV, uV or nV; where the source does not say, give 'unit' in [streams] of a session, or "
                        "--unit",
                    )
                factor[i], limit[i], units[i] = in_microvolts, self.config.limit_uv, "uV"
        self._factor, self._limit = factor, np.minimum(limit, np.finfo(np.float64).max)
        self._least_limit = self._limit.min()
        self._held = np.empty((hop, spec.n_channels))
        self._n_held, self._start = 0, 0
        self._last = np.zeros(spec.n_channels)
        self._begun = False  # whether samples have come since the last gap that was not bridged
        self._bridge: Gap | None = None  # a short gap that waits for the samples after it
        return spec.evolve(units=tuple(units), hop=hop, wait=spec.wait + (hop - 1) / spec.sfreq)

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Collect samples; give a block whenever one is full."""
        if isinstance(item, Gap):
            if item.short and self._begun and self._bridge is None:
                self._bridge = item
            else:
                yield from self._break()
                yield item
        elif isinstance(item, Block):
            if self._bridge is not None:
                yield from self._fill(self._bridge, item)
            self._begun = True
            if not self._n_held and len(item.data) == len(self._held):  # as it should be: no detour
                yield self._block(item.start, self._microvolts(item.data, np.empty(item.data.shape)))
            else:
                yield from self._hold(item.start, item.data)
        else:
            yield item

    def _break(self) -> Iterator[Item]:
        """End the block under way: nothing links what follows to it."""
        if self._n_held:
            yield self._take()
        self._last = np.zeros_like(self._last)
        self._begun = False
        if self._bridge is not None:
            bridge, self._bridge = self._bridge, None
            yield Gap(bridge.start, bridge.stop)

    def _fill(self, gap: Gap, block: Block) -> Iterator[Item]:
        """Draw a line through a gap, on each channel."""
        self._bridge = None
        before = self._held[self._n_held - 1] if self._n_held else self._last
        before = np.where(np.abs(before) <= self._limit, before, self._last)
        after = self._microvolts(block.data[:1], np.empty((1, len(self._last))))[0]
        after = np.where(np.abs(after) <= self._limit, after, before)
        n = gap.stop - gap.start
        share = (np.arange(1, n + 1) / (n + 1))[:, None]
        yield from self._hold(gap.start, before + share * (after - before), np.ones(len(before)))

    def _hold(self, start: int, data: NDArray[Any], factor: NDArray[np.float64] | None = None) -> Iterator[Item]:
        """Collect samples, which ``factor`` brings to microvolts if they are not as they came."""
        taken, hop = 0, len(self._held)
        while taken < len(data):
            if self._n_held == 0:
                self._start = start + taken
            n = min(hop - self._n_held, len(data) - taken)
            self._microvolts(data[taken : taken + n], self._held[self._n_held : self._n_held + n], factor)
            self._n_held += n
            taken += n
            if self._n_held == hop:
                yield self._take()

    def _microvolts(
        self, data: NDArray[Any], out: NDArray[np.float64], factor: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        # Into memory in the usual order, whatever order the data have: products downstream round by it.
        with np.errstate(over="ignore", invalid="ignore"):  # what is absurd is found in _block
            np.multiply(data, self._factor if factor is None else factor, out=out)
        return out

    def _take(self) -> Block:
        data, self._n_held = self._held[: self._n_held].copy(), 0
        return self._block(self._start, data)

    def _block(self, start: int, data: NDArray[np.float64]) -> Block:
        bad = None
        if not np.abs(data).max() <= self._least_limit:  # which is also false for NaN
            valid = np.abs(data) <= self._limit
            if not valid.all():
                bad = ~valid.all(axis=0)
                last = self._last
                for row, ok in zip(data, valid, strict=True):
                    np.copyto(row, last, where=~ok)
                    last = row
        self._last = data[-1]
        return Block(start, data, bad)

    def state(self) -> State:
        """Samples of the block under way, the last good sample of each channel, and a gap to be bridged."""
        return {
            "held": self._held[: self._n_held].copy(),
            "start": np.array(self._start),
            "last": self._last.copy(),
            "begun": np.array(self._begun),
            "bridge": np.array([-1, -1] if self._bridge is None else [self._bridge.start, self._bridge.stop]),
        }

    def restore(self, state: State) -> None:
        """Put back the block under way."""
        self._n_held, self._start = len(state["held"]), int(state["start"])
        self._held[: self._n_held] = state["held"]
        self._last = state["last"].astype(np.float64)
        self._begun = bool(state["begun"])
        start, stop = (int(i) for i in state["bridge"])
        self._bridge = None if start < 0 else Gap(start, stop, short=True)

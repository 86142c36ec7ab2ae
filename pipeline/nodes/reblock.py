"""First node of every chain: converts any input to equal blocks of finite float64 values in microvolts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.stream import ELECTRODES, Block, Gap, Item, StreamSpec, wiring_error
from earmark.pipeline.units import microvolts

#: Maximum block length in seconds: the matrices of filters grow with its square.
MAX_HOP_S = 10.0


@dataclass(frozen=True, slots=True)
class ReblockConfig:
    """Settings of :class:`Reblock`.

    Attributes
    ----------
    hop_s : float
        Length of a block in seconds, rounded to whole samples.
    limit_uv : float
        Electrode samples beyond this are treated as missing, like NaN: no amplifier outputs one volt.
    """

    hop_s: float = 0.02
    limit_uv: float = 1e6


class Reblock:
    """Divide chunks of any length into blocks of one hop, in float64 microvolts.

    A sample that is not finite or beyond the limit is replaced by the last good one of its channel (0 before the
    first), and the channel is marked as bad in that block: otherwise one NaN would stay in the memory of filters for
    ever. A gap ends the current block, which is shorter, and the next block starts at the end of the gap. A short gap
    that is followed by samples is bridged instead, by linear interpolation from the last good sample before it to the
    first one after it.
    """

    Config = ReblockConfig
    n_inputs = 1

    def __init__(self, config: ReblockConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Determine the hop and the factor to microvolts of every channel."""
        if not spec.sfreq > 0:
            raise wiring_error(
                "reblock",
                "input",
                f"{spec.name!r} with irregular rate",
                "a regularly sampled stream; if the source does not report its rate, give 'sfreq' in [streams] of a "
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
                        "V, mV, uV or nV; if the source does not report it, give 'unit' in [streams] of a session, or "
                        "--unit",
                    )
                factor[i], limit[i], units[i] = in_microvolts, self.config.limit_uv, "uV"
        self._factor, self._limit = factor, np.minimum(limit, np.finfo(np.float64).max)
        self._least_limit = self._limit.min()
        self._held = np.empty((hop, spec.n_channels))
        self._n_held, self._start = 0, 0
        self._last = np.zeros(spec.n_channels)
        self._begun = False  # True if samples have arrived since the last gap that was not bridged
        self._bridge: Gap | None = None  # a short gap that waits for the samples after it
        return spec.evolve(units=tuple(units), hop=hop, wait=spec.wait + (hop - 1) / spec.sfreq)

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Collect samples; output each full block."""
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
            if not self._n_held and len(item.data) == len(self._held):  # the usual case, without the buffer
                yield self._block(item.start, self._microvolts(item.data, np.empty(item.data.shape)))
            else:
                yield from self._hold(item.start, item.data)
        else:
            yield item

    def _break(self) -> Iterator[Item]:
        """Output the current block and reset: later samples do not continue it."""
        if self._n_held:
            yield self._take()
        self._last = np.zeros_like(self._last)
        self._begun = False
        if self._bridge is not None:
            bridge, self._bridge = self._bridge, None
            yield Gap(bridge.start, bridge.stop)

    def _fill(self, gap: Gap, block: Block) -> Iterator[Item]:
        """Bridge a gap by linear interpolation on each channel."""
        self._bridge = None
        before = self._held[self._n_held - 1] if self._n_held else self._last
        before = np.where(np.abs(before) <= self._limit, before, self._last)
        after = self._microvolts(block.data[:1], np.empty((1, len(self._last))))[0]
        after = np.where(np.abs(after) <= self._limit, after, before)
        n = gap.stop - gap.start
        share = (np.arange(1, n + 1) / (n + 1))[:, None]
        yield from self._hold(gap.start, before + share * (after - before), np.ones(len(before)))

    def _hold(self, start: int, data: NDArray[Any], factor: NDArray[np.float64] | None = None) -> Iterator[Item]:
        """Collect samples; ``factor`` converts them to microvolts (default: the factors of the input units)."""
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
        # The output is always C-contiguous, because the rounding of later products depends on the memory order.
        with np.errstate(over="ignore", invalid="ignore"):  # _block finds invalid values
            np.multiply(data, self._factor if factor is None else factor, out=out)
        return out

    def _take(self) -> Block:
        data, self._n_held = self._held[: self._n_held].copy(), 0
        return self._block(self._start, data)

    def _block(self, start: int, data: NDArray[np.float64]) -> Block:
        bad = None
        if not np.abs(data).max() <= self._least_limit:  # written with not <=, so that NaN is found too
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
        """Return the samples of the current block, the last good sample of each channel, and a gap to bridge."""
        return {
            "held": self._held[: self._n_held].copy(),
            "start": np.array(self._start),
            "last": self._last.copy(),
            "begun": np.array(self._begun),
            "bridge": np.array([-1, -1] if self._bridge is None else [self._bridge.start, self._bridge.stop]),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._n_held, self._start = len(state["held"]), int(state["start"])
        self._held[: self._n_held] = state["held"]
        self._last = state["last"].astype(np.float64)
        self._begun = bool(state["begun"])
        start, stop = (int(i) for i in state["bridge"])
        self._bridge = None if start < 0 else Gap(start, stop, short=True)

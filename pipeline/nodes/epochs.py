"""Node that cuts epochs around markers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, ClockMap, Epoch, Gap, Item, Marker, StreamSpec, wiring_error

#: Maximum number of markers that wait for their samples; further markers are rejected.
MAX_PENDING = 256
#: Maximum duration of stored signal in seconds.
MAX_SPAN_S = 600.0
#: Maximum sample index. No recording is this long, so a larger index comes from a wrong time stamp of a marker.
MAX_INDEX = 2**53


@dataclass(frozen=True, slots=True)
class EpochsConfig:
    """Settings of :class:`Epochs`.

    Attributes
    ----------
    tmin, tmax : float
        Start and end of the epoch, in seconds relative to the marker.
    events : tuple of str
        Marker values to use; empty means all.
    late_s : float
        Maximum delay in seconds of a marker relative to its samples.
    """

    tmin: float = -0.2
    tmax: float = 0.8
    events: tuple[str, ...] = ()
    late_s: float = 2.0


class Epochs:
    """Cut an epoch around every marker. Inputs: a signal, then a stream of markers.

    A marker waits until its last sample has arrived. No marker is dropped silently: if an epoch is impossible, because
    of a gap or because its samples are no longer stored, the output is an epoch without data that gives the reason.
    """

    Config = EpochsConfig
    n_inputs = 2

    def __init__(self, config: EpochsConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec, markers: StreamSpec) -> StreamSpec:
        """Allocate memory for one epoch and for late markers."""
        c = self.config
        if spec.hop is None:
            raise wiring_error("epochs", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it")
        if markers.sfreq != 0:
            raise wiring_error("epochs", "inputs[1]", f"{markers.name!r} at {markers.sfreq:g} Hz", "a marker stream")
        if not c.tmin < c.tmax:
            raise wiring_error("epochs", "tmin", c.tmin, f"below tmax, {c.tmax:g} s")
        if c.late_s < 0:
            raise wiring_error("epochs", "late_s", c.late_s, "0 or more")
        if not c.tmax - c.tmin + max(0.0, c.tmin) + c.late_s <= MAX_SPAN_S:
            raise wiring_error("epochs", "tmax", c.tmax, f"such that less than {MAX_SPAN_S:g} s are held in memory")
        self._first = round(c.tmin * spec.sfreq)
        self._n = round(c.tmax * spec.sfreq) - self._first + 1
        size = max(self._n, -self._first) + round(c.late_s * spec.sfreq) + spec.hop
        self._data = np.zeros((size, spec.n_channels))
        self._bad = np.zeros((size, spec.n_channels), dtype=bool)
        self._begin = self._end = 0  # indices of the stored samples, which have no gap
        self._clock: ClockMap | None = None
        self._pending: list[tuple[int, Marker]] = []
        return spec.evolve(wait=spec.wait + max(0.0, c.tmax))

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Store samples, queue markers, and output epochs."""
        if isinstance(item, Block):
            self._keep(item)
            yield from self._due()
        elif isinstance(item, Gap):
            held, self._pending = self._pending, []
            for start, marker in held:
                if item.start < item.stop <= start:  # the epoch is after the gap; an empty gap may be the end
                    self._pending.append((start, marker))
                else:
                    yield Epoch(marker, start, None, reason="gap in the signal")
            self._begin = self._end = item.stop
        elif isinstance(item, ClockMap):
            self._clock = item if port == 0 else self._clock
        elif isinstance(item, Marker) and (not self.config.events or item.value in self.config.events):
            if self._clock is None:
                yield Epoch(item, 0, None, reason="marker before the first sample")
                return
            index = self._clock.index(item.time)
            if not abs(index) < MAX_INDEX:  # true for NaN
                yield Epoch(item, 0, None, reason="marker at an impossible time")
                return
            start = round(index) + self._first
            if len(self._pending) >= MAX_PENDING:
                yield Epoch(item, start, None, reason=f"more than {MAX_PENDING} markers waiting")
                return
            self._pending.append((start, item))
            yield from self._due()

    def _keep(self, block: Block) -> None:
        if block.start != self._end:  # first block, or the first after a gap
            self._begin = block.start
        rows = np.arange(block.start, block.stop) % len(self._data)
        self._data[rows] = block.data
        self._bad[rows] = False if block.bad is None else block.bad
        self._end = block.stop
        self._begin = max(self._begin, self._end - len(self._data))

    def _due(self) -> Iterator[Epoch]:
        waiting = []
        for start, marker in self._pending:
            if start + self._n > self._end:
                waiting.append((start, marker))
            elif start < self._begin:
                yield Epoch(marker, start, None, reason="samples before a gap or no longer held")
            else:
                rows = np.arange(start, start + self._n) % len(self._data)
                bad: NDArray[np.bool_] = np.any(self._bad[rows], axis=0)
                yield Epoch(marker, start, self._data[rows], bad if bad.any() else None)
        self._pending = waiting

    def state(self) -> State:
        """Return the stored samples, the clock map and the waiting markers."""
        clock = self._clock
        return {
            "data": self._data.copy(),
            "bad": self._bad.copy(),
            "held": np.array([self._begin, self._end]),
            "clock": np.array([] if clock is None else [clock.index0, clock.time0, clock.period]),
            "pending_start": np.array([start for start, _ in self._pending], dtype=np.int64),
            "pending_time": np.array([marker.time for _, marker in self._pending], dtype=np.float64),
            "pending_value": np.array([marker.value for _, marker in self._pending], dtype=np.str_),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._data[:], self._bad[:] = state["data"], state["bad"]
        self._begin, self._end = (int(i) for i in state["held"])
        self._clock = ClockMap(*(float(v) for v in state["clock"])) if len(state["clock"]) else None
        columns = zip(state["pending_start"], state["pending_time"], state["pending_value"], strict=True)
        self._pending = [(int(start), Marker(float(time), str(value))) for start, time, value in columns]

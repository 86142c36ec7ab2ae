"""Node that interpolates talker features at the times of the neural samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.stream import ELECTRODES, Aligned, Block, ClockMap, Gap, Item, StreamSpec, wiring_error

#: Maximum distance of consecutive talker samples in periods, because corrections of the clock map can move them apart.
#: A larger distance is a clock step, across which features are not interpolated.
MAX_APART = 3.0


@dataclass(frozen=True, slots=True)
class AlignConfig:
    """Settings of :class:`Align`.

    Attributes
    ----------
    n_streams : int
        Number of streams of talker features, after the neural one. A stream may contain several talkers.
    n_features : int
        Features per talker: a stream of C channels contains C / n_features talkers, with the features of a talker in
        adjacent channels.
    max_wait_s : float
        Maximum time in seconds to wait for a late input. After that, the samples are replaced by a gap.
    """

    n_streams: int = 1
    n_features: int = 1
    max_wait_s: float = 1.0


class Align:
    """Interpolate talker features at the times of the neural samples. Inputs: the neural signal, then talker features.

    The time of a sample is that of the latest clock map of its stream on arrival; later maps do not change it.
    Features are interpolated linearly between adjacent talker samples. They are band-limited far below their rate:
    halfway between samples at 64 Hz, a modulation of 4 Hz loses 2 %, one of 8 Hz loses 8 %. Cubic interpolation
    would lose less, but needs one more future sample, which would delay every decision by 16 ms.

    Neural blocks keep their boundaries. Each is output when the features of all talkers have reached its last sample.
    Where a talker has a gap, a masked sample or no clock, or is too late, the output is a gap on the neural axis;
    missing values are never filled in. When all inputs have ended, each with an empty gap, waiting ends. Of the talker
    streams only the features are passed on, because their sample indices have no meaning on the neural axis.
    """

    Config = AlignConfig

    def __init__(self, config: AlignConfig) -> None:
        self.config = config
        self.n_inputs = 1 + config.n_streams

    def open(self, spec: StreamSpec, *talkers: StreamSpec) -> StreamSpec:
        """Check that the inputs are compatible, and compute the latency.

        The returned spec has the neural channels first, then the features of all talkers, with type ``misc``.
        """
        c = self.config
        if c.n_streams < 1:
            raise wiring_error("align", "n_streams", c.n_streams, "1 or more")
        if c.n_features < 1:
            raise wiring_error("align", "n_features", c.n_features, "1 or more")
        for port, one in enumerate((spec, *talkers)):
            if one.hop is None:
                raise wiring_error(
                    "align", f"inputs[{port}]", f"{one.name!r} in ragged blocks", "reblocked: put reblock before it"
                )
        if not set(spec.ch_types) <= set(ELECTRODES):
            found = f"{spec.name!r} with channel types {sorted(set(spec.ch_types))}"
            raise wiring_error("align", "inputs[0]", found, "electrodes only: pick them before it")
        self._streams: list[_Talkers] = []
        arrival, own = 0.0, spec.delay + spec.wait
        hop = spec.hop or 1
        for port, one in enumerate(talkers, 1):
            if one.sfreq != talkers[0].sfreq:
                wanted = f"that of {talkers[0].name!r}, {talkers[0].sfreq:g} Hz"
                raise wiring_error("align", f"sfreq of inputs[{port}]", f"{one.sfreq:g} Hz in {one.name!r}", wanted)
            if not set(one.ch_types) <= {"misc"}:
                found = f"{one.name!r} with channel types {sorted(set(one.ch_types))}"
                raise wiring_error("align", f"inputs[{port}]", found, "misc: features of talkers")
            if one.n_channels % c.n_features:
                found = f"{c.n_features}, with {one.n_channels} channels in {one.name!r}"
                raise wiring_error("align", "n_features", found, "a divisor of the number of channels")
            size = round((c.max_wait_s + own) * one.sfreq) + (one.hop or 1) + 2
            self._streams.append(_Talkers(size, one.n_channels, 1 / one.sfreq))
            arrival = max(arrival, one.delay + one.wait + 1 / one.sfreq)  # of the next talker sample
        latency = max(own, arrival + (hop - 1) / spec.sfreq)  # the first sample of a block waits for the last
        if not c.max_wait_s > latency - own:
            wanted = f"above {latency - own:.3g} s, the delay of the talker features relative to {spec.name!r}"
            raise wiring_error("align", "max_wait_s", c.max_wait_s, wanted)
        self._max_waiting = round(c.max_wait_s * spec.sfreq) + hop
        self._waiting: deque[_Waiting] = deque()
        self._clock: ClockMap | None = None
        self._told: ClockMap | None = None
        self._n_channels = spec.n_channels
        names = tuple(f"{one.name}/{name}" for one in talkers for name in one.ch_names)
        units = tuple(unit for one in talkers for unit in one.units)
        unplaced = ((np.nan, np.nan, np.nan),) * len(names)
        return spec.evolve(
            ch_names=spec.ch_names + names,
            ch_types=spec.ch_types + ("misc",) * len(names),
            units=spec.units + units,
            positions=None if spec.positions is None else spec.positions + unplaced,
            wait=latency - spec.delay,
        )

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Queue items that need another input; output those that are complete, in order."""
        if port:
            self._streams[port - 1].take(item)
        elif isinstance(item, ClockMap):
            self._clock = item
        elif isinstance(item, Block | Gap):
            self._waiting.append(_Waiting(item, self._clock))
        else:
            yield item
        while self._waiting and self._is_due(self._waiting[0]):
            yield from self._give(self._waiting.popleft())

    def _is_due(self, head: _Waiting) -> bool:
        if isinstance(head.item, Gap) or not any(talkers.newest < head.times[-1] for talkers in self._streams):
            return True
        if _is_end(self._waiting[-1].item) and all(talkers.ended for talkers in self._streams):
            return True
        newer = self._waiting[-1].item.stop - head.item.stop
        return newer >= self._max_waiting or len(self._waiting) > 2 * self._max_waiting  # a run of empty gaps

    def _give(self, head: _Waiting) -> Iterator[Item]:
        if head.clock is not None and head.clock != self._told:
            self._told = head.clock
            yield head.clock
        item = head.item
        if isinstance(item, Gap):
            yield item
            return
        n, found, features = len(item.data), np.ones(len(item.data), dtype=bool), []
        for talkers in self._streams:
            known, values = talkers.at(head.times)
            found &= known
            features.append(values.reshape(n, -1, self.config.n_features).swapaxes(0, 1))
        together = np.concatenate(features)
        bad = item.bad if item.bad is not None and item.bad.any() else None
        edges = [0, *(np.flatnonzero(np.diff(found)) + 1), n]
        for a, b in pairwise(edges):
            start, stop = item.start + int(a), item.start + int(b)
            if found[a]:
                yield Aligned(start, item.data[a:b], np.ascontiguousarray(together[:, a:b]), bad)
            else:
                yield Gap(start, stop)

    def state(self) -> State:
        """Return the queued neural items and the stored talker samples."""
        waiting = list(self._waiting)
        blocks = [w.item for w in waiting if isinstance(w.item, Block)]
        none = np.zeros(self._n_channels, dtype=bool)
        state: State = {
            "waiting": np.array([(w.item.start, w.item.stop, isinstance(w.item, Block)) for w in waiting]).reshape(
                -1, 3
            ),
            "waiting_clock": np.array([_numbers(w.clock) for w in waiting]).reshape(-1, 3),
            "waiting_data": np.concatenate([np.empty((0, self._n_channels)), *(b.data for b in blocks)]),
            "waiting_bad": np.array([none if b.bad is None else b.bad for b in blocks], dtype=bool),
            "clock": np.array([_numbers(self._clock), _numbers(self._told)]),
        }
        for i, talkers in enumerate(self._streams):
            state |= {f"talkers{i}_{key}": value for key, value in talkers.state().items()}
        return state

    def restore(self, state: State) -> None:
        """Restore the queued neural items and the stored talker samples."""
        self._clock, self._told = (_clock(row) for row in state["clock"])
        self._waiting.clear()
        at, masks = 0, iter(state["waiting_bad"])
        for (start, stop, is_block), numbers in zip(state["waiting"], state["waiting_clock"], strict=True):
            item: Block | Gap = Gap(int(start), int(stop))
            if is_block:
                n = int(stop - start)
                item = Block(
                    int(start), state["waiting_data"][at : at + n].astype(np.float64), next(masks).astype(bool)
                )
                at += n
            self._waiting.append(_Waiting(item, _clock(numbers)))
        for i, talkers in enumerate(self._streams):
            talkers.restore({key: state[f"talkers{i}_{key}"] for key in talkers.state()})


class _Waiting:
    """An item of the neural stream, and the latest clock map on its arrival."""

    def __init__(self, item: Block | Gap, clock: ClockMap | None) -> None:
        self.item, self.clock = item, clock
        self.times = _times(item.start, item.stop, clock)


class _Talkers:
    """The latest samples of a stream of talker features, with their times."""

    def __init__(self, size: int, n_channels: int, period: float) -> None:
        self._size, self._period = size, period
        self._clock: ClockMap | None = None
        self.newest = -np.inf  # features up to this time have arrived
        self._time = np.empty(0)
        self._data = np.empty((0, n_channels))
        self._follows = np.empty(0, dtype=bool)  # True if nothing is missing between this sample and the one before
        self._whole = False  # True if nothing has been missing since the latest sample
        self.ended = False  # True if the stream has ended

    def take(self, item: Item) -> None:
        if isinstance(item, Block | Gap):
            self.ended = _is_end(item)
        if isinstance(item, ClockMap):
            self._clock = item
        elif isinstance(item, Gap):
            self._whole = self._whole and item.start == item.stop
        elif isinstance(item, Block):
            times = _times(item.start, item.stop, self._clock)
            if not np.isfinite(times).all():
                self._whole = False
                return
            if times[-1] < self.newest - self._size * self._period:  # the clock of the sender has changed
                self.newest, self._time, self._data = -np.inf, self._time[:0], self._data[:0]
                self._follows, self._whole = self._follows[:0], False
            fresh = times > self.newest  # a map that moves back in time repeats earlier times
            if not fresh.any():
                return
            self.newest = times[-1]
            if item.bad is not None and item.bad.any():
                self._whole = False
                return
            follows = np.ones(fresh.sum(), dtype=bool)
            follows[0], self._whole = self._whole, True
            self._time = np.concatenate([self._time, times[fresh]])[-self._size :]
            self._data = np.concatenate([self._data, item.data[fresh]])[-self._size :]
            self._follows = np.concatenate([self._follows, follows])[-self._size :]

    def at(self, times: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return which of the times have features, and the features at these times, shape (n, n_channels)."""
        if not len(self._time):
            return np.zeros(len(times), dtype=bool), np.zeros((len(times), self._data.shape[1]))
        index = np.searchsorted(self._time, times, side="right") - 1
        before, after = np.maximum(index, 0), np.minimum(index + 1, len(self._time) - 1)
        late, apart = times - self._time[before], self._time[after] - self._time[before]
        between = (apart > 0) & (apart <= MAX_APART * self._period) & self._follows[after]
        weight = np.divide(late, apart, out=np.zeros(len(times)), where=between)
        values = self._data[before] + weight[:, None] * (self._data[after] - self._data[before])
        return between | (late == 0), values

    def state(self) -> State:
        return {
            "time": self._time.copy(),
            "data": self._data.copy(),
            "follows": self._follows.copy(),
            "whole": np.array(self._whole),
            "ended": np.array(self.ended),
            "newest": np.array(self.newest),
            "clock": np.array(_numbers(self._clock)),
        }

    def restore(self, state: State) -> None:
        self._time, self._data = state["time"].astype(np.float64), state["data"].astype(np.float64)
        self._follows, self._whole = state["follows"].astype(bool), bool(state["whole"])
        self.ended = bool(state["ended"])
        self.newest, self._clock = float(state["newest"]), _clock(state["clock"])


def _is_end(item: Item) -> bool:
    return isinstance(item, Gap) and item.start == item.stop


def _times(start: int, stop: int, clock: ClockMap | None) -> NDArray[np.float64]:
    if clock is None:
        return np.full(stop - start, np.nan)
    return clock.time0 + (np.arange(start, stop, dtype=np.float64) - clock.index0) * clock.period


def _numbers(clock: ClockMap | None) -> tuple[float, float, float]:
    return (np.nan,) * 3 if clock is None else (clock.index0, clock.time0, clock.period)


def _clock(numbers: NDArray[np.generic]) -> ClockMap | None:
    return None if np.isnan(numbers[0]) else ClockMap(*(float(v) for v in numbers))

"""From the stamps of a stream to sample indices, gaps and a clock map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.clock_fit import ClockFit
from pipeline.stream import Block, ClockMap, Gap

#: Seconds by which stamps may stray from their line before it means something.
TOLERANCE_S = 0.1
#: Seconds of stream between updates of the clock map.
UPDATE_S = 1.0


class Continuity:
    """Decide which samples are missing, and when samples happened.

    A regular stream is a line: stamp against index. Stamps scatter around it; a fit with exponential forgetting
    follows it, and tells the graph by a clock map every second. Where a stamp leaves the line for good, either
    samples are missing or the sender's clock was set. The pause in arrival decides: a jump of the stamps that
    came with a pause at least half as long is a gap; one without is a step of the clock, after which the line
    starts anew and no sample is invented. Samples that merely come late, early or in bursts change nothing.

    Parameters
    ----------
    name : str
        Name of the stream, for events.
    sfreq : float
        Nominal rate in Hz.
    speed : float
        How many times faster than real time the samples arrive (recordings played out).
    """

    def __init__(self, name: str, sfreq: float, speed: float = 1.0) -> None:
        self._name, self._sfreq, self._speed = name, sfreq, speed
        self._period = 1.0 / sfreq
        self._tolerance = max(TOLERANCE_S, 1.5 * self._period)
        #: Index of the next sample.
        self.index = 0
        self.n_gaps = self.n_steps = 0
        self._fit = ClockFit(sfreq)
        self._arrival: float | None = None
        self._told = 0
        self._steps: NDArray[np.float64] = np.zeros(0)

    def add(
        self, data: NDArray[Any], stamps: NDArray[np.float64], arrival: float
    ) -> list[tuple[Block | Gap | ClockMap | str, slice]]:
        """Place one chunk.

        Parameters
        ----------
        data : array, shape (n_samples, n_channels)
            Samples as they came.
        stamps : array, shape (n_samples,)
            Their stamps in LSL seconds of this machine.
        arrival : float
            When they came, in LSL seconds.

        Returns
        -------
        items : list of (Block, Gap, ClockMap or str, slice)
            For the graph, each with the rows of the chunk that it holds; a string is an event in words.
        """
        n = len(data)
        pause = 0.0
        if self._arrival is not None:
            pause = (arrival - self._arrival) * self._speed - n * self._period
        self._arrival = arrival
        if self._fit.known:  # the usual case, cheaply: all stamps on one line, near ours
            off = (stamps - self._ramp(n)).tolist()
            low, high, mean, expected = min(off), max(off), sum(off) / n, self._fit.time(self.index)
            near = expected - self._tolerance < low <= high < expected + self._tolerance
            if near and high - low < self._period / 2 and math.isfinite(mean):
                self._fit.add(self.index, n, mean + (n - 1) / 2 * self._period)
                return self._take(data, slice(0, n))
        return self._add_slowly(data, stamps, arrival, pause)

    def _ramp(self, n: int) -> NDArray[np.float64]:
        if len(self._steps) < n:
            self._steps = np.arange(2 * n, dtype=np.float64) * self._period
        return self._steps[:n]

    def _take(self, data: NDArray[Any], rows: slice) -> list[tuple[Block | Gap | ClockMap | str, slice]]:
        found: list[tuple[Block | Gap | ClockMap | str, slice]] = [(Block(self.index, data[rows]), rows)]
        self.index += rows.stop - rows.start
        if self.index - self._told >= UPDATE_S * self._sfreq:
            found.append((self._map(), rows))
        return found

    def _add_slowly(
        self, data: NDArray[Any], stamps: NDArray[Any], arrival: float, pause: float
    ) -> list[tuple[Block | Gap | ClockMap | str, slice]]:
        if not np.isfinite(stamps).all():
            guess = self._fit.time(self.index) if self._fit.known else arrival
            stamps = np.where(np.isfinite(stamps), stamps, guess + self._ramp(len(stamps)))
        stamps = _mend(stamps, self._period)
        if self._fit.known:
            line = self._fit.time(self.index) + np.arange(len(stamps)) * self._fit.slope
            if abs(stamps[-1] - line[-1]) <= self._tolerance:  # strays before it are broken stamps, no more
                stamps = np.where(np.abs(stamps - line) <= self._tolerance, stamps, line)
        found: list[tuple[Block | Gap | ClockMap | str, slice]] = []
        done = 0
        while done < len(data):
            if not self._fit.known:
                self._fit.anchor(self.index, float(stamps[done]))
                found.append((self._map(), slice(done, done)))
            off = stamps[done:] - (self._fit.time(self.index) + np.arange(len(data) - done) * self._fit.slope)
            strays = np.abs(off) > self._tolerance
            n = int(np.argmax(strays)) if strays.any() else len(off)
            if n:
                self._fit.add(self.index, n, float(stamps[done : done + n].mean()))
                found += self._take(data, slice(done, done + n))
                done += n
            else:
                for item in self._jump(float(off[0]), pause):
                    found.append((item, slice(done, done)))
                    if isinstance(item, Gap):
                        pause -= (item.stop - item.start) * self._period
                        self.index = item.stop
        return found

    def _jump(self, off: float, pause: float) -> list[Gap | str]:
        if pause > off / 2 and off > 0:
            missing = off
        elif pause > self._tolerance:
            missing = pause  # the sender came back with another clock: only the pause tells
        else:
            missing = 0.0
        n = round(missing * self._sfreq)
        found: list[Gap | str] = []
        if abs(off - missing) > self._tolerance or n < 1:
            self.n_steps += 1
            self._fit.forget()
            found.append(f"{self._name}: the sender's clock stepped by {off - missing:+.4g} s at sample {self.index}")
        if n >= 1:
            self.n_gaps += 1
            found.append(Gap(self.index, self.index + n))
        return found

    def _map(self) -> ClockMap:
        self._told = self.index
        return self._fit.map(self.index)


def _mend(stamps: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Spread runs of equal stamps, which some senders give to a whole chunk: LSL stamps its last sample."""
    same = np.diff(stamps) == 0
    if not same.any():
        return stamps
    ends = np.flatnonzero(np.append(~same, True))
    rows = np.arange(len(stamps))
    end = ends[np.searchsorted(ends, rows)]
    return np.asarray(stamps[end] - (end - rows) * period)

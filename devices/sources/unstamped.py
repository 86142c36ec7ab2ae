"""Time samples without stamps by a line through their arrivals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.clock_fit import ClockFit
from earmark.devices.sources.continuity import UPDATE_S
from earmark.devices.sources.lsl_description import DTYPES, StreamDescription
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.source import Arrival
from earmark.devices.sources.stamps import STEP_S
from earmark.pipeline.stream import Block, Gap


class Unstamped:
    """Turn counted samples into arrivals; the source only has to receive them.

    Times of samples are late by the transmission delay.

    Parameters
    ----------
    stream : str
        Name of the stream in the configuration.
    description : StreamDescription
    sink : callable
        Receives every :class:`earmark.devices.sources.source.Arrival`.

    Attributes
    ----------
    rate : RateWatch
    """

    def __init__(self, stream: str, description: StreamDescription, sink: Callable[[Arrival], None]) -> None:
        self.stream, self.description, self._sink = stream, description, sink
        self._dtype = DTYPES[description.format]
        self._sfreq = description.spec.sfreq
        self._fit, self._first, self._told = ClockFit(self._sfreq), -1, 0
        self.rate, self._scatter = RateWatch(stream, self._sfreq), 0.0

    def block(self, start: int, data: NDArray[Any], arrival: float) -> None:
        """Pass on samples.

        Parameters
        ----------
        start : int
            Number of the first sample, as counted by the sender.
        data : array, shape (n_samples, n_channels)
            Samples as sent.
        arrival : float
            LSL time at which the last of them arrived.
        """
        start = self._place(start)
        n = len(data)
        stamps = arrival - (np.arange(n) / self._sfreq)[::-1]
        fresh = not self._fit.known
        if fresh:
            self._fit.anchor(start, float(stamps[0]))
        off = abs(float(stamps.mean()) - self._fit.time(start + (n - 1) / 2))
        self._scatter += 0.05 * (off - self._scatter)
        self._fit.add(start, n, float(stamps.mean()))
        self.rate.count(n)
        if fresh or start - self._told >= UPDATE_S * self._sfreq:
            self._told = start
            self.tell(self._fit.map(start), arrival)
            for words in self.rate.look(start, self._fit.slope, self._scatter, blind=False):
                self.tell(words, arrival)
        sent = data.astype(self._dtype)
        self._sink(Arrival(self.stream, Block(start, self.description.take(sent)), arrival, stamps, sent))

    def gap(self, start: int, stop: int, arrival: float) -> None:
        """Pass on that samples ``start`` to ``stop``, as counted by the sender, are lost."""
        start, stop = self._place(start), self._place(stop)
        self.rate.lose(stop - start)
        self.tell(Gap(start, stop, stop - start <= STEP_S * self._sfreq), arrival)

    def tell(self, item: Any, time: float) -> None:
        """Pass on anything else, such as a message."""
        self._sink(Arrival(self.stream, item, time))

    def _place(self, number: int) -> int:
        if self._first < 0:
            self._first = number
        return number - self._first

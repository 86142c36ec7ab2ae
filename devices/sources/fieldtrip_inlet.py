"""A FieldTrip buffer in the place of an LSL inlet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pylsl

from earmark.devices.sources.clock_fit import ClockFit
from earmark.devices.sources.continuity import UPDATE_S, Continuity
from earmark.devices.sources.fieldtrip import FieldTripSource
from earmark.devices.sources.lsl import Arrival
from earmark.devices.sources.lsl_description import DTYPES, StreamDescription, StreamError, describe_xml, make_info
from earmark.devices.sources.overrides import Overrides
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.stamps import STEP_S
from earmark.pipeline.stream import Block, Gap

#: Format in which LSL and XDF, which know no unsigned numbers, carry those of the buffer.
_SIGNED = {"uint8": "int16", "uint16": "int32", "uint32": "int64"}
_FORMATS = {np.dtype(dtype).name: fmt for fmt, dtype in DTYPES.items() if dtype}


class FieldTripInlet:
    """A FieldTrip buffer, received like an LSL stream: same attributes, same arrivals.

    The buffer carries no time stamps: samples are timed by a line through their arrivals, later than the truth by
    what the way took.

    Parameters
    ----------
    stream : str
        Name of the stream in the configuration.
    address : str
        ``host:port``.
    sink : callable
        Receives an :class:`earmark.devices.sources.lsl.Arrival` for everything, on a thread of its own.
    overrides : Overrides
        What the user says of it; unit and type of the channels the buffer does not tell.
    timeout : float
        Seconds to look for the buffer.

    Raises
    ------
    StreamError
        If there is none, or it holds no signal.
    """

    continuity: Continuity | None = None

    def __init__(
        self, stream: str, address: str, sink: Callable[[Arrival], None], overrides: Overrides, timeout: float
    ) -> None:
        host, _, port = address.rpartition(":")
        self.stream, self.status, self._sink = stream, "live", sink
        kind = overrides.ch_type or "eeg"
        self._source = FieldTripSource(
            host, int(port), timeout=timeout, ch_types=kind, unit=overrides.unit, name=f"fieldtrip {address}"
        )
        name = self._source.dtype.name
        fmt = _SIGNED.get(name) or _FORMATS.get(name, "double64")
        info = make_info(self._source.spec, kind.upper(), f"fieldtrip-{address}", fmt)
        self.description: StreamDescription = describe_xml(info.as_xml()).overridden(overrides)
        self._dtype = DTYPES[fmt]
        self._sfreq = self.description.spec.sfreq
        self._fit, self._first, self._told = ClockFit(self._sfreq), -1, 0
        self.rate, self._scatter = RateWatch(stream, self._sfreq), 0.0

    def start(self, hops: Sequence[int] = ()) -> None:
        """Begin to receive; the buffer gives whatever has come, so that ``hops`` changes nothing."""
        self._source.start(self._deliver, self._fail)

    def stop(self) -> None:
        """Stop receiving and close the connection."""
        self._source.stop()

    def _deliver(self, item: Block | Gap, arrival: float) -> None:
        if self._first < 0:
            self._first = item.start
        start = item.start - self._first
        if isinstance(item, Gap):
            self.rate.lose(item.stop - item.start)
            short = item.stop - item.start <= STEP_S * self._sfreq
            self._tell(Gap(start, item.stop - self._first, short), arrival)
            return
        n = len(item.data)
        steps = np.arange(n) / self._sfreq
        stamps = arrival - steps[::-1]
        fresh = not self._fit.known
        if fresh:
            self._fit.anchor(start, float(stamps[0]))
        off = abs(float(stamps.mean()) - self._fit.time(start + (n - 1) / 2))
        self._scatter += 0.05 * (off - self._scatter)
        self._fit.add(start, n, float(stamps.mean()))
        self.rate.count(n)
        if fresh or start - self._told >= UPDATE_S * self._sfreq:
            self._told = start
            self._tell(self._fit.map(start), arrival)
            for words in self.rate.look(start, self._fit.slope, self._scatter, blind=False):
                self._tell(words, arrival)
        data = item.data.astype(self._dtype)
        self._tell(Block(start, self.description.take(data)), arrival, stamps, data)

    def _fail(self, error: StreamError) -> None:
        self.status = "lost"
        self._tell(str(error), pylsl.local_clock())

    def _tell(self, item: Any, time: float, stamps: Any = None, sent: Any = None) -> None:
        self._sink(Arrival(self.stream, item, time, stamps, sent))

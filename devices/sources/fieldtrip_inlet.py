"""A FieldTrip buffer as a source of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pylsl

from earmark.devices.sources.fieldtrip import FieldTripSource
from earmark.devices.sources.lsl_description import DTYPES, StreamDescription, StreamError
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.source import Sender, Wanted, describe
from earmark.devices.sources.unstamped import Unstamped
from earmark.pipeline.stream import Block, Gap

#: Formats in which LSL and XDF, which have no unsigned numbers, carry those of the buffer.
_SIGNED = {"uint8": "int16", "uint16": "int32", "uint32": "int64"}
_FORMATS = {np.dtype(dtype).name: fmt for fmt, dtype in DTYPES.items() if dtype}


@dataclass(frozen=True, slots=True)
class FieldTripConfig:
    """Address of a buffer.

    Attributes
    ----------
    fieldtrip : str
        ``host:port``.
    """

    fieldtrip: str

    def __str__(self) -> str:
        return f"FieldTrip buffer {self.fieldtrip}"


class FieldTripInlet:
    """A FieldTrip buffer as a source; it has no time stamps: see :class:`earmark.devices.sources.unstamped.Unstamped`.

    Unit and type of the channels, which the buffer does not state, are set by the user.

    Parameters
    ----------
    wanted : Wanted
        Its ``config`` is a :class:`FieldTripConfig`.

    Raises
    ------
    StreamError
        By :meth:`connect`, if there is no such buffer, or it holds no signal.
    """

    Config = FieldTripConfig
    sender: Sender | None = None

    def __init__(self, wanted: Wanted) -> None:
        self.stream, self.status, self._wanted = wanted.stream, "live", wanted
        self._source: FieldTripSource | None = None

    def connect(self, timeout: float) -> None:
        """Find the buffer and read its header."""
        address, words = self._wanted.config.fieldtrip, self._wanted.overrides
        host, _, port = address.rpartition(":")
        kind = words.ch_type or "eeg"
        source = FieldTripSource(
            host, int(port), timeout=timeout, ch_types=kind, unit=words.unit, name=f"fieldtrip {address}"
        )
        self._source, name = source, source.dtype.name
        fmt = _SIGNED.get(name) or _FORMATS.get(name, "double64")
        self.description: StreamDescription = describe(
            source.spec, f"fieldtrip-{address}", kind.upper(), fmt, overrides=words
        )
        self._samples = Unstamped(self.stream, self.description, self._wanted.sink)

    @property
    def rate(self) -> RateWatch:
        """The measured sample rate."""
        return self._samples.rate

    def start(self, hops: Sequence[int] = ()) -> None:
        """Start to receive; the buffer sends whatever has arrived, so ``hops`` has no effect."""
        assert self._source is not None
        self._source.start(self._deliver, self._fail, self._change)

    def stop(self) -> None:
        """Stop receiving and close the connection."""
        if self._source is not None:
            self._source.stop()

    def _deliver(self, item: Block | Gap, arrival: float) -> None:
        if isinstance(item, Gap):
            self._samples.gap(item.start, item.stop, arrival)
        else:
            self._samples.block(item.start, item.data, arrival)

    def _fail(self, error: StreamError) -> None:
        self._change("lost", str(error))

    def _change(self, status: str, words: str) -> None:
        self.status = status
        self._samples.tell(words, pylsl.local_clock())

"""The interface of a source of signals, such as an amplifier, and the registry of all kinds of sources."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.lsl_description import StreamDescription, StreamError, describe_xml, make_info
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.devices.sources.rate import RateWatch
from earmark.pipeline.control import TimedControl
from earmark.pipeline.registry import Registry
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec


@dataclass(frozen=True, slots=True)
class Sender:
    """Origin of a stream, so that the same sender can be found again.

    Attributes
    ----------
    xml : str
        Its description.
    seen : float
        LSL time of its last sample.
    """

    xml: str
    seen: float


@dataclass(slots=True)
class Arrival:
    """An item delivered by a source.

    Attributes
    ----------
    stream : str
        Name of the stream in the configuration.
    item : Block, Gap, ClockMap, Marker, TimedControl, float, str or None
        Item for the graph; a float is a new measurement of the clock offset in seconds, a string a message about an
        event. None if there are only ``values``: samples of an irregular numeric stream.
    time : float
        LSL time of arrival.
    stamps : array or None
        Raw stamps of a block or marker, as sent.
    values : list of str, array or None
        As sent: a sample of an irregular stream, and the samples of a block that the user's corrections changed.
    """

    stream: str
    item: Block | Gap | ClockMap | Marker | TimedControl | float | str | None
    time: float
    stamps: NDArray[np.float64] | None = None
    values: list[str] | NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Arguments of a source.

    Attributes
    ----------
    stream : str
        Name of the stream in the configuration.
    config : object
        Location of the stream: an instance of the source's own ``Config``.
    sink : callable
        Receives every :class:`Arrival`, from one thread at a time; it may block if the graph hangs.
    overrides : Overrides
        The user's corrections.
    before : Sender, optional
        Previous sender of the stream, as given by :attr:`Source.sender`: the source searches for it.
    stop : threading.Event, optional
        Once set, all waits for the stream end.
    table : str
        Where the user can specify the stream further, for messages.
    """

    stream: str
    config: Any
    sink: Callable[[Arrival], None]
    overrides: Overrides = NOTHING
    before: Sender | None = None
    stop: threading.Event | None = None
    table: str = ""


@runtime_checkable
class Source(Protocol):
    """An input stream, received by threads of its own.

    After construction it may begin to search for its sender; :meth:`connect` waits until the sender is there and has
    described itself; from :meth:`start` on the source passes to the sink, from one thread at a time,

    - blocks of samples, numbered from 0 without gap or overlap, in the number format of its description, with one raw
      stamp per sample; if the user's corrections change samples, also the samples as sent, in ``values``;
    - a clock map before the first block, and whenever a better one is known: LSL times of the samples;
    - a gap in place of lost samples, as soon as the loss is known;
    - messages, whenever the sender is lost, found again or not as expected.

    :func:`earmark.testing.check_source` checks all of this for a class.

    Attributes
    ----------
    Config : type
        Frozen dataclass of the settings that locate it; its fields are the keys in ``[streams.NAME]``, in addition to
        those of every source: ``source``, ``unit``, ``ch_type``, ``channels``, ``bads``, ``sfreq``, ``n_channels``.
    description : StreamDescription
        Description with the user's corrections applied; available once connected. See :func:`describe`.
    status : str
        ``live``; or ``silent``, ``lost``, ``refused`` or ``failed``: gains then become neutral.
    rate : RateWatch or None
        The measured sample rate; None for irregular streams.
    sender : Sender or None
        Current sender, for a source that takes over from this one; None if any sender will do.
    """

    Config: Any

    def __init__(self, wanted: Wanted, /) -> None: ...

    @property
    def description(self) -> StreamDescription: ...  # noqa: D102 - above

    @property
    def status(self) -> str: ...  # noqa: D102 - above

    @property
    def rate(self) -> RateWatch | None: ...  # noqa: D102 - above

    @property
    def sender(self) -> Sender | None: ...  # noqa: D102 - above

    def connect(self, timeout: float, /) -> None:
        """Wait until the sender is there and has described itself.

        Raises
        ------
        StreamError
            If no sender is found within ``timeout`` seconds, more than one is, or the user's corrections do not fit.
        """

    def start(self, hops: Sequence[int] = (), /) -> None:
        """Receive everything sent from now on; return at once.

        Parameters
        ----------
        hops : sequence of int
            Lengths of the blocks that the receiver cuts, counted from the first sample and from the end of every gap:
            a source may wait until one of them is full. Without any, samples are passed on as they arrive.
        """

    def stop(self) -> None:
        """Stop receiving, and release the sender: nothing is passed on after this returns."""


#: Every source, by ``source`` in ``[streams.NAME]``; other packages add sources by entry points of the group
#: ``earmark.sources``.
SOURCES: Registry[type[Source]] = Registry(
    "source",
    "earmark.sources",
    {
        "lsl": "earmark.devices.sources.lsl:Inlet",
        "fieldtrip": "earmark.devices.sources.fieldtrip_inlet:FieldTripInlet",
    },
    ("Config", "connect", "start", "stop", "sender"),
)


def describe(
    spec: StreamSpec, source_id: str, kind: str = "EEG", fmt: str = "float32", overrides: Overrides = NOTHING
) -> StreamDescription:
    """Describe a stream that does not come from LSL, so that recordings and their readers know it.

    Parameters
    ----------
    spec : StreamSpec
        Name, rate, channels, units, positions.
    source_id : str
        Lasting identity of the sender.
    kind : str
        Content type: ``EEG``, ``Markers``, ...
    fmt : str
        Number format of samples: ``float32``, ``double64``, ``int8``, ``int16``, ``int32``, ``int64`` or ``string``.
    overrides : Overrides
        The user's corrections.

    Returns
    -------
    StreamDescription

    Raises
    ------
    StreamError
        If the rate is not a finite number of 0 Hz or more, or the user's corrections do not fit.
    """
    if not 0 <= spec.sfreq < math.inf:
        raise StreamError(f"stream {spec.name!r}: its rate is {spec.sfreq:g} Hz, but must be 0 or more")
    return describe_xml(make_info(spec, kind, source_id, fmt).as_xml()).overridden(overrides)

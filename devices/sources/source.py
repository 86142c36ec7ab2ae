"""What an amplifier, or whatever else sends signals, has to offer; and every kind of source by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.lsl_description import StreamDescription, describe_xml, make_info
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.devices.sources.rate import RateWatch
from earmark.pipeline.control import TimedControl
from earmark.pipeline.registry import Registry
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a stream came from, for whoever has to find the same one again.

    Attributes
    ----------
    xml : str
        Its description.
    seen : float
        LSL time at which it sent last.
    """

    xml: str
    seen: float


@dataclass(slots=True)
class Arrival:
    """What a source hands on.

    Attributes
    ----------
    stream : str
        Name of the stream in the configuration.
    item : Block, Gap, ClockMap, Marker, TimedControl, float, str or None
        For the graph; a float is a newly measured clock offset in seconds, a string an event in words. None where
        ``values`` are all there is: samples of an irregular stream of numbers.
    time : float
        LSL time of arrival.
    stamps : array or None
        Raw stamps of a block or marker, as sent.
    values : list of str, array or None
        As sent: a sample of an irregular stream, and the samples of a block that the user's word has changed.
    """

    stream: str
    item: Block | Gap | ClockMap | Marker | TimedControl | float | str | None
    time: float
    stamps: NDArray[np.float64] | None = None
    values: list[str] | NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a source is made for.

    Attributes
    ----------
    stream : str
        Name of the stream in the configuration.
    config : object
        Where it is: an instance of the source's own ``Config``.
    sink : callable
        Receives an :class:`Arrival` for everything, from one thread at a time; it may wait, where the graph hangs.
    overrides : Overrides
        What the user says of the stream.
    before : Sender, optional
        Where the stream came from until now, as :attr:`Source.sender` said: it is looked for there.
    stop : threading.Event, optional
        Once set, nobody waits for the stream any longer.
    table : str
        Where the user can say more of the stream, for messages.
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
    """A stream that comes in, received by threads of its own.

    Made, it may begin to look for its sender; :meth:`connect` waits until it is there and describes itself; from
    :meth:`start` on it hands to the sink, from one thread at a time,

    - blocks of samples, numbered from 0 without hole or overlap, in the number format of its description, with one raw
      stamp for each sample; where the user's word changes samples, also as they were sent, in ``values``;
    - a clock map before the first block, and whenever a better one is known: when samples happened, in LSL time;
    - a gap in the place of samples that are lost, as soon as that is known;
    - words, whenever the sender is lost, found again or not as it should be.

    :func:`earmark.testing.check_source` tries all of this on a class.

    Attributes
    ----------
    Config : type
        Frozen dataclass of what says where it is; its fields are the keys in ``[streams.NAME]``, beside those that
        every source has: ``source``, ``unit``, ``ch_type``, ``channels``, ``bads``, ``sfreq``, ``n_channels``.
    description : StreamDescription
        What is known of the stream, after the user's word; there once it is connected. See :func:`describe`.
    status : str
        ``live``; or ``silent``, ``lost``, ``refused`` or ``failed``: then gains go to neutral.
    rate : RateWatch or None
        The rate at which samples come; None of an irregular stream.
    sender : Sender or None
        Where the stream comes from now, for a source that takes over from this one; None if any sender will do.
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
            If it is not there within ``timeout`` seconds, not the only one, or not as the user says.
        """

    def start(self, hops: Sequence[int] = (), /) -> None:
        """Receive whatever is sent from now on; return at once.

        Parameters
        ----------
        hops : sequence of int
            Lengths of the blocks that the receiver cuts, counted from the first sample and from the end of every gap:
            a source may wait until one of them is full. Without any, samples are handed on as they come.
        """

    def stop(self) -> None:
        """Receive no more, and let go of the sender: from when this returns, nothing is handed on."""


#: Every source, by ``source`` in ``[streams.NAME]``; packages add to it by entry points of the group
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
        What the user says of it.

    Returns
    -------
    StreamDescription

    Raises
    ------
    StreamError
        If the user's word does not fit.
    """
    return describe_xml(make_info(spec, kind, source_id, fmt).as_xml()).overridden(overrides)

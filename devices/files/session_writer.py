"""Writing a recorded session: what the graph consumes, in the order in which it does, as chunks of XDF."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files import xdf
from earmark.devices.files.journal import (
    FORMAT,
    JOURNAL,
    About,
    Clock,
    ClockLine,
    ControlLine,
    EventLine,
    GapLine,
    Line,
    OffsetLine,
    SkipLine,
    Span,
    Timed,
    about_text,
    line_text,
    this_program,
)
from earmark.devices.files.sealed import Sealer
from earmark.devices.sources.lsl_description import StreamDescription, make_info
from earmark.devices.sources.source import Arrival
from earmark.pipeline.control import TimedControl
from earmark.pipeline.stream import (
    Aligned,
    Block,
    ChannelQuality,
    ClockMap,
    Decision,
    Epoch,
    Gap,
    Item,
    Marker,
    StreamSpec,
)


class Digest:
    """A running fingerprint of the items of one output: two are equal only if every bit of every item is equal."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.n_items = 0

    def add(self, item: Item) -> None:
        """Add an item."""
        self.n_items += 1
        self._hash.update(type(item).__name__.encode())
        if isinstance(item, Block):
            self._numbers(item.start, item.data, item.bad)
        elif isinstance(item, Gap):
            self._numbers(item.start, item.stop)
        elif isinstance(item, ClockMap):
            self._numbers(item.index0, item.time0, item.period)
        elif isinstance(item, Marker):
            self._numbers(item.time, item.value)
        elif isinstance(item, Epoch):
            self._numbers(item.marker.time, item.marker.value, item.start, item.data, item.bad, item.reason)
        elif isinstance(item, Aligned):
            self._numbers(item.start, item.neural, item.talkers, item.bad)
        elif isinstance(item, ChannelQuality):
            self._numbers(item.stop, item.score, item.bad, *item.faults)
        elif isinstance(item, Decision):
            self._numbers(item.newest, item.time, item.scores, item.probability, item.talker, item.gains, item.ramp_s)
            self._numbers(item.situation)

    def _numbers(self, *values: Any) -> None:
        for value in values:
            raw = np.ascontiguousarray(value).tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            self._hash.update(len(raw).to_bytes(8, "little") + raw)

    def hexdigest(self) -> str:
        """Return the fingerprint of all items so far."""
        return self._hash.hexdigest()


class SessionWriter:
    """Convert the events of a session to XDF chunks.

    Parameters
    ----------
    streams : mapping of str to StreamDescription
        Received streams, by their name in the configuration.
    outputs : mapping of str to StreamSpec
        Outputs of the graph to record, by node.
    about : About
        Header of the recording; streams, outputs, format and program are filled in.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamDescription],
        outputs: Mapping[str, StreamSpec],
        about: About,
    ) -> None:
        names = [*streams, JOURNAL, *outputs]
        self._ids = {name: number for number, name in enumerate(names, 1)}
        self._own = [self._ids[name] for name in (JOURNAL, *outputs)]
        self._irregular = {name for name, d in streams.items() if d.spec.sfreq == 0}
        self._count = dict.fromkeys(names, 0)
        self._first = dict.fromkeys(names, 0.0)
        self._last = dict.fromkeys(names, 0.0)
        self._clocks: dict[str, ClockMap] = {}
        self._hand_over: Callable[[bytes], None] = lambda chunk: None
        about = replace(about, streams=tuple(streams), outputs=tuple(outputs), format=FORMAT, written_by=this_program())
        self.headers = xdf.file_header()
        for name, description in streams.items():
            self.headers += xdf.stream_header(self._ids[name], description.xml)
        self.headers += xdf.stream_header(self._ids[JOURNAL], _journal_xml(about))
        for name, spec in outputs.items():
            info = make_info(spec.evolve(name=f"earmark-{name}"), "Filtered", f"earmark-{name}", "double64")
            self.headers += xdf.stream_header(self._ids[name], info.as_xml())
        self._sealer = Sealer(self.headers)
        #: Index of the next sample of each regular stream: now, and at the last seal.
        self._reached = {name: 0 for name, d in streams.items() if d.spec.sfreq}
        self._sealed = dict(self._reached)

    def begin(self, put: Callable[[bytes], None]) -> None:
        """Pass every chunk to ``put`` from now on."""
        self._hand_over = put

    def _put(self, chunk: bytes) -> None:
        self._sealer.add(chunk)
        self._hand_over(chunk)

    def arrival(self, arrival: Arrival, skipped: bool = False) -> None:
        """Write what an inlet delivered; ``skipped`` if the graph got a gap instead."""
        name, item = arrival.stream, arrival.item
        if isinstance(item, str):
            self.journal(arrival.time, EventLine(item))
        elif isinstance(item, TimedControl):
            self.journal(arrival.time, ControlLine(Timed(item.time, item.control)))
        elif isinstance(item, float):
            self._put(xdf.clock_offset(self._ids[name], arrival.time - item, item))
            for own in self._own:  # already stamped by this machine's clock, but readers expect an offset
                self._put(xdf.clock_offset(own, arrival.time, 0.0))
            if name in self._irregular:
                self.journal(arrival.time, OffsetLine(name, item))
        elif isinstance(item, Gap):
            self.journal(arrival.time, GapLine(name, Span(item.start, item.stop), item.short))
            self._reached[name] = item.stop
        elif isinstance(item, ClockMap):
            self.journal(arrival.time, ClockLine(name, Clock(item.index0, item.time0, item.period)))
        elif isinstance(item, Block) and arrival.stamps is not None:
            if skipped:
                self.journal(arrival.time, SkipLine(name, Span(item.start, item.stop)))
            self._samples(name, arrival.stamps, item.data if arrival.values is None else np.asarray(arrival.values))
            self._reached[name] = item.stop
        elif isinstance(item, Marker) and arrival.stamps is not None:
            if isinstance(arrival.values, list):
                self._put(xdf.text_sample(self._ids[name], arrival.stamps[0], arrival.values))
                self._counted(name, arrival.stamps)
            else:
                self._samples(name, arrival.stamps, np.asarray(arrival.values))

    def output(self, name: str, item: Item) -> None:
        """Write an output of a node, stamped by the newest clock map of that output."""
        if name not in self._ids:
            return
        if isinstance(item, ClockMap):
            self._clocks[name] = item
        elif isinstance(item, Block):
            clock = self._clocks[name]
            stamps = np.array([clock.time(index) for index in range(item.start, item.stop)])
            self._samples(name, stamps, item.data)
        elif isinstance(item, Decision):
            self._samples(name, np.array([item.time]), decision_row(item))

    def journal(self, time: float, line: Line) -> None:
        """Write a line to the journal."""
        self._write(time, line_text(line))

    def _write(self, time: float, said: str) -> None:
        self._put(xdf.text_sample(self._ids[JOURNAL], time, [said]))
        self._counted(JOURNAL, np.array([time]))

    def seal(self, time: float) -> None:
        """Write the fingerprints of everything written so far, by which a reader finds any damage before it."""
        self._write(time, json.dumps(self._sealer.seal(self._sealed)))
        self._sealer.begin()
        self._sealed = dict(self._reached)

    def boundary(self) -> None:
        """Write a boundary, at which readers recover after damage."""
        self._put(xdf.boundary())

    def end(self) -> None:
        """Write the footers, and then the last seal."""
        for name, number in self._ids.items():
            count = self._count[name] + (name == JOURNAL)  # the seal is one more
            self._put(xdf.stream_footer(number, self._first[name], self._last[name], count))
        self.seal(self._last[JOURNAL])

    def _samples(self, name: str, stamps: NDArray[np.float64], data: NDArray[Any]) -> None:
        self._put(xdf.samples(self._ids[name], stamps, data))
        self._counted(name, stamps)

    def _counted(self, name: str, stamps: NDArray[np.float64]) -> None:
        if not self._count[name]:
            self._first[name] = float(stamps[0])
        self._last[name] = float(stamps[-1])
        self._count[name] += len(stamps)


def decision_row(decision: Decision) -> NDArray[np.float64]:
    """Return a decision as one sample: scores, probabilities, gains, shape (1, 3 * n_talkers)."""
    return np.concatenate([decision.scores, decision.probability, decision.gains])[None]


def _journal_xml(about: About) -> str:
    info = ET.Element("info")
    fields = {
        "name": JOURNAL,
        "type": "Journal",
        "channel_count": "1",
        "nominal_srate": "0",
        "channel_format": "string",
        "source_id": JOURNAL,
        "version": "1.0",
        "uid": "",
    }
    for key, value in fields.items():
        ET.SubElement(info, key).text = value
    ET.SubElement(ET.SubElement(info, "desc"), "earmark").text = about_text(about)
    return ET.tostring(info, encoding="unicode", xml_declaration=True)

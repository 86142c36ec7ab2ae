"""A recorded session: an XDF file that holds what the graph consumed, in the order in which it did.

Raw streams are stored as delivered, one chunk each time the graph consumed one. What else the graph consumed, gaps,
clock maps, skipped chunks, is written to a stream of text called the journal, as JSON, between those chunks. So the
order of chunks in the file is the order of events, and reading it through gives the graph the very same sequence.
The journal also keeps, every second, a digest of all that came out.
"""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices import xdf
from devices.lsl import Arrival
from devices.lsl_info import DTYPES, StreamDescription, StreamError, describe_xml, make_info
from devices.old_sessions import describe_old
from devices.overrides import Overrides
from pipeline.decoding_graph import CONTROL
from pipeline.stream import Aligned, Block, ChannelQuality, ClockMap, Decision, Epoch, Gap, Item, Marker, StreamSpec

JOURNAL = "earmark-journal"
#: Key of the lines in the journal that hold answers of a network, and of what a recording says of who gave them.
ANSWER, ANSWERED_BY = "answer", "network"
#: Key of what the user said of the streams, by name in the configuration.
OVERRIDES = "overrides"


class Digest:
    """A running fingerprint of the items of one output: equal only if every bit of every item was."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.n_items = 0

    def add(self, item: Item) -> None:
        """Take in one more item."""
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
        """Fingerprint of all items so far."""
        return self._hash.hexdigest()


class SessionWriter:
    """Turns what happens in a session into XDF chunks.

    Parameters
    ----------
    streams : mapping of str to StreamDescription
        Streams that come in, by their name in the configuration.
    outputs : mapping of str to StreamSpec
        Outputs of the graph to be kept, by node.
    about : mapping
        Whatever shall be stored with the session: configuration, versions.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamDescription],
        outputs: Mapping[str, StreamSpec],
        about: Mapping[str, Any],
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
        about = {**about, "streams": list(streams), "outputs": list(outputs)}
        self.headers = xdf.file_header()
        for name, description in streams.items():
            self.headers += xdf.stream_header(self._ids[name], description.xml)
        self.headers += xdf.stream_header(self._ids[JOURNAL], _journal_xml(about))
        for name, spec in outputs.items():
            info = make_info(spec.evolve(name=f"earmark-{name}"), "Filtered", f"earmark-{name}", "double64")
            self.headers += xdf.stream_header(self._ids[name], info.as_xml())
        self._file = hashlib.blake2b(self.headers, digest_size=16)

    def begin(self, put: Callable[[bytes], None]) -> None:
        """From here on hand every chunk to ``put``."""
        self._hand_over = put

    def _put(self, chunk: bytes) -> None:
        self._file.update(chunk)
        self._hand_over(chunk)

    def arrival(self, arrival: Arrival, skipped: bool = False) -> None:
        """Keep what an inlet delivered; ``skipped`` if the graph was spared it, as a gap."""
        name, item = arrival.stream, arrival.item
        if isinstance(item, str):
            self.journal(arrival.time, {"event": item})
        elif name == CONTROL and isinstance(item, Marker):
            self.journal(arrival.time, {"control": [item.time, item.value]})
        elif isinstance(item, float):
            self._put(xdf.clock_offset(self._ids[name], arrival.time - item, item))
            for own in self._own:  # already stamped by this machine's clock; readers expect it said
                self._put(xdf.clock_offset(own, arrival.time, 0.0))
            if name in self._irregular:
                self.journal(arrival.time, {"stream": name, "offset": item})
        elif isinstance(item, Gap):
            self.journal(arrival.time, {"stream": name, "gap": [item.start, item.stop]})
        elif isinstance(item, ClockMap):
            self.journal(arrival.time, {"stream": name, "clock": [item.index0, item.time0, item.period]})
        elif isinstance(item, Block) and arrival.stamps is not None:
            if skipped:
                self.journal(arrival.time, {"stream": name, "skip": [item.start, item.stop]})
            self._samples(name, arrival.stamps, item.data if arrival.values is None else np.asarray(arrival.values))
        elif isinstance(item, Marker) and arrival.stamps is not None:
            if isinstance(arrival.values, list):
                self._put(xdf.text_sample(self._ids[name], arrival.stamps[0], arrival.values))
                self._counted(name, arrival.stamps)
            else:
                self._samples(name, arrival.stamps, np.asarray(arrival.values))

    def output(self, name: str, item: Item) -> None:
        """Keep what a node gave out, stamped by the newest clock map of that output."""
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

    def journal(self, time: float, entry: Mapping[str, Any]) -> None:
        """Write a line into the journal."""
        self._put(xdf.text_sample(self._ids[JOURNAL], time, [json.dumps(entry)]))
        self._counted(JOURNAL, np.array([time]))

    def seal(self, time: float) -> None:
        """Write the fingerprint of every byte so far, by which a reader finds any damage before it."""
        self.journal(time, {"file": self._file.hexdigest()})

    def boundary(self) -> None:
        """Write a mark at which readers recover."""
        self._put(xdf.boundary())

    def end(self) -> None:
        """Write the footers."""
        for name, number in self._ids.items():
            self._put(xdf.stream_footer(number, self._first[name], self._last[name], self._count[name]))

    def _samples(self, name: str, stamps: NDArray[np.float64], data: NDArray[Any]) -> None:
        self._put(xdf.samples(self._ids[name], stamps, data))
        self._counted(name, stamps)

    def _counted(self, name: str, stamps: NDArray[np.float64]) -> None:
        if not self._count[name]:
            self._first[name] = float(stamps[0])
        self._last[name] = float(stamps[-1])
        self._count[name] += len(stamps)


def decision_row(decision: Decision) -> NDArray[np.float64]:
    """A decision as one sample: scores, probabilities, gains, shape (1, 3 * n_talkers)."""
    return np.concatenate([decision.scores, decision.probability, decision.gains])[None]


def is_session(path: Path) -> bool:
    """Whether a file is a recorded session, damaged or not."""
    try:
        SessionFile(path)
    except (xdf.XdfError, OSError):
        return False
    return True


def _journal_xml(about: Mapping[str, Any]) -> str:
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
    ET.SubElement(ET.SubElement(info, "desc"), "earmark").text = json.dumps(about)
    return ET.tostring(info, encoding="unicode", xml_declaration=True)


@dataclass(frozen=True, slots=True)
class Consumed:
    """The graph was fed ``item`` as coming from ``stream``."""

    stream: str
    item: Item


@dataclass(frozen=True, slots=True)
class Produced:
    """Output ``name`` gave a block with these samples."""

    name: str
    data: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noted:
    """A line of the journal about anything else."""

    time: float
    entry: dict[str, Any]


class SessionFile:
    """A recorded session, read in the order of events.

    Parameters
    ----------
    path : Path
        XDF file written through :class:`SessionWriter`, whole or cut short.

    Raises
    ------
    devices.xdf.XdfError
        If the file is not such a recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: What reading through it found wrong, and whether it ends as it should: with a footer for each stream.
        self.damage: list[str] = []
        self.whole = False
        headers: dict[int, str] = {}
        for chunk in xdf.read_chunks(path):
            if chunk.tag == xdf.STREAM_HEADER:
                headers[chunk.stream_id] = chunk.content.decode("utf-8", "replace")
            elif chunk.tag != xdf.FILE_HEADER:
                break
        found = [i for i, text in headers.items() if _is_journal(text)]
        if not found:
            raise xdf.XdfError(
                f"{path} was not recorded by 'earmark record': it has no journal to replay. Play a recording of "
                "another program with 'earmark stream', or make a run of it with 'earmark import'"
            )
        self._journal_id = found[-1]  # ours comes after what came in, whatever that calls itself
        try:
            text = ET.fromstring(headers[self._journal_id]).findtext("desc/earmark")  # noqa: S314 - expat is bounded
            self.about: dict[str, Any] = json.loads(text or "")
            names = [*self.about["streams"], JOURNAL, *self.about["outputs"]]
            self._names = dict(enumerate(names, 1))
            words, units = self.about.get(OVERRIDES), self.about.get("units", {})
            #: What came in, by name in the configuration.
            self.streams: dict[str, StreamDescription] = {
                name: describe_old(headers[number], units.get(name, ""))
                if words is None
                else describe_xml(headers[number]).overridden(Overrides.from_json(words.get(name, {})))
                for number, name in self._names.items()
                if name in self.about["streams"]
            }
            self._outputs = {
                number: describe_xml(headers[number])
                for number, name in self._names.items()
                if name in self.about["outputs"]
            }
        except (ET.ParseError, ValueError, KeyError, TypeError, AttributeError, StreamError) as error:
            raise xdf.XdfError(f"{path}: a header is damaged: {error}") from None

    def __iter__(self) -> Iterator[Consumed | Produced | Noted]:
        following = dict.fromkeys(self.streams, 0)
        offsets = dict.fromkeys(self.streams, 0.0)
        skips: dict[str, Gap] = {}
        self.damage, self.whole = [], False
        footers: set[int] = set()
        file = hashlib.blake2b(xdf.MAGIC, digest_size=16)
        for chunk in xdf.read_chunks(self.path):
            if chunk.tag == xdf.STREAM_FOOTER:
                footers.add(chunk.stream_id)
            if chunk.tag == xdf.SAMPLES and chunk.stream_id == self._journal_id and b'{"file": "' in chunk.content:
                time, (line,) = xdf.parse_text(chunk.content, 1)
                if json.loads(line)["file"] != file.hexdigest():
                    self.damage.append(f"the file is damaged somewhere before {time:.3f} s (LSL time)")
                    return
            file.update(chunk.raw)
            if chunk.tag != xdf.SAMPLES:
                continue
            name = self._names.get(chunk.stream_id, "")
            if chunk.stream_id in self._outputs:
                channels = self._outputs[chunk.stream_id].spec.n_channels
                yield Produced(name, xdf.parse_samples(chunk.content, "<f8", channels)[1])
            elif chunk.stream_id == self._journal_id:
                yield from self._entry(chunk.content, following, offsets, skips)
            elif name in self.streams:
                description = self.streams[name]
                if description.spec.sfreq == 0:
                    stamp, text = _irregular(chunk.content, description)
                    yield Consumed(name, Marker(stamp + offsets[name], text))
                    continue
                n_channels = description.sent.n_channels
                _, data = xdf.parse_samples(chunk.content, str(DTYPES[description.format]), n_channels)
                block = Block(following[name], description.take(data))
                following[name] = block.stop
                yield Consumed(name, skips.pop(name, block))
        self.whole = footers == set(self._names)

    def _entry(
        self, content: bytes, following: dict[str, int], offsets: dict[str, float], skips: dict[str, Gap]
    ) -> Iterator[Consumed | Noted]:
        time, (line,) = xdf.parse_text(content, 1)
        try:
            entry = json.loads(line)
            name = entry.get("stream", "")
            if "gap" in entry:
                gap = Gap(*entry["gap"])
                following[name] = gap.stop
                yield Consumed(name, gap)
            elif "clock" in entry:
                yield Consumed(name, ClockMap(*entry["clock"]))
            elif "control" in entry:
                at, value = entry["control"]
                yield Consumed(CONTROL, Marker(at, value))
            elif "offset" in entry:
                offsets[name] = entry["offset"]
            elif "skip" in entry:
                skips[name] = Gap(*entry["skip"])
            elif "file" not in entry:
                yield Noted(time, entry)
        except (ValueError, TypeError, AttributeError) as error:
            raise xdf.XdfError(f"{self.path}: line {line!r} of the journal is damaged: {error}") from None


def _is_journal(xml: str) -> bool:
    try:
        info = ET.fromstring(xml)  # noqa: S314 - expat bounds entity expansion
    except ET.ParseError:
        return False
    return info.findtext("name") == JOURNAL and info.find("desc/earmark") is not None


def _irregular(content: bytes, description: StreamDescription) -> tuple[float, str]:
    dtype, n_channels = DTYPES[description.format], description.sent.n_channels
    if dtype is None:
        stamp, values = xdf.parse_text(content, n_channels)
        return stamp, description.marker(values)
    stamps, data = xdf.parse_samples(content, dtype, n_channels)
    return float(stamps[0]), description.marker(data[0])

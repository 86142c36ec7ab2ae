"""Read a recorded session: an XDF file with everything that the graph consumed, in that order.

Raw streams are stored as delivered, one chunk each time the graph consumed one. Everything else that the graph consumed
(gaps, clock maps, skipped chunks) is written as JSON to a text stream, the journal, between those chunks. The order of
chunks in the file is therefore the order of events, and reading it gives the graph exactly the same sequence.
Every second the journal also holds a digest of all outputs, and seals: see :mod:`earmark.devices.files.sealed`.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files import xdf
from earmark.devices.files.journal import (
    JOURNAL,
    About,
    ClockLine,
    ControlLine,
    GapLine,
    Line,
    NewerFormatError,
    OffsetLine,
    SkipLine,
    read_about,
    read_line,
)
from earmark.devices.files.old_sessions import describe_old
from earmark.devices.files.sealed import Soundness, Stretch, seal_text, stretches
from earmark.devices.sources.lsl_description import DTYPES, StreamDescription, describe_xml
from earmark.devices.sources.overrides import NOTHING
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.decoding_graph import CONTROL
from earmark.pipeline.control import TimedControl
from earmark.pipeline.stream import Block, ClockMap, Gap, Item, Marker


@dataclass(frozen=True, slots=True)
class Consumed:
    """The graph consumed ``item`` from ``stream``."""

    stream: str
    item: Item


@dataclass(frozen=True, slots=True)
class Produced:
    """Output ``name`` produced a block with these samples."""

    name: str
    data: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noted:
    """Any other line of the journal, and the LSL time at which it was written."""

    time: float
    line: Line


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something that was recorded here cannot be read, or not be trusted.

    Attributes
    ----------
    time : float
        LSL time of the last event before it; NaN if unknown.
    words : str
        Location and kind of the damage.
    lost : tuple of str
        Streams that may lack samples or markers. For regular streams, a gap says how many.
    """

    time: float
    words: str
    lost: tuple[str, ...]


#: Maximum length of a gap, s; a longer one is damage.
LONGEST_S = 7 * 86_400.0
#: Any event of a recording.
Event = Consumed | Produced | Noted | Damaged


@dataclass
class _Place:
    """Reading position by stream."""

    following: dict[str, int]
    offsets: dict[str, float]
    skips: dict[str, Gap] = field(default_factory=dict)
    #: Streams with an unknown number of lost samples, until a later line gives the index.
    unknown: set[str] = field(default_factory=set)
    time: float = math.nan

    def copy(self) -> _Place:
        return _Place(dict(self.following), dict(self.offsets), dict(self.skips), set(self.unknown), self.time)


class SessionFile:
    """A recorded session, read in the order of events.

    Damaged parts are left out, listed in :attr:`damage`, and returned as events; samples missing in them become a
    gap. Later samples keep their index.

    Parameters
    ----------
    path : Path
        XDF file written by :class:`SessionWriter`, complete or cut short.

    Raises
    ------
    earmark.devices.files.xdf.XdfError
        If the file is not such a recording, or its headers are damaged.
    earmark.devices.files.journal.NewerFormatError
        If it was made by a newer version of the program in a format that this one cannot read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Damage found so far, and whether the file ends properly: with a footer for each stream.
        self.damage: list[str] = []
        self.whole = False
        #: Bytes at the end that no fingerprint covers, and a message about the point where the file was cut.
        self.unsealed, self.cut = 0, ""
        headers: dict[int, str] = {}
        why = ""
        for chunk in xdf.read_chunks(path):
            if chunk.tag == xdf.STREAM_HEADER:
                # A second header of a stream is data with a damaged tag.
                headers.setdefault(chunk.stream_id, chunk.content.decode("utf-8", "replace"))
            elif chunk.tag == xdf.DAMAGE:
                why = chunk.content.decode()
                break
            elif chunk.tag != xdf.FILE_HEADER:
                break
        found = [i for i, text in headers.items() if _is_journal(text)]
        if why and not found:
            raise xdf.XdfError(f"{path}: its headers are damaged: {why}")
        if not found:
            raise xdf.XdfError(
                f"{path} was not recorded by 'earmark record': it has no journal to replay. Play a recording of "
                "another program with 'earmark stream', or make a run of it with 'earmark import'"
            )
        self._journal_id = found[-1]  # our journal comes after the received streams, whatever their names
        try:
            text = ET.fromstring(headers[self._journal_id]).findtext("desc/earmark")  # noqa: S314 - expat is bounded
            self.about: About = read_about(text or "")
            names = [*self.about.streams, JOURNAL, *self.about.outputs]
            self._names = dict(enumerate(names, 1))
            words, units = self.about.overrides, self.about.units
            #: Received streams, by name in the configuration.
            self.streams: dict[str, StreamDescription] = {
                name: describe_old(headers[number], units.get(name, ""))
                if words is None
                else describe_xml(headers[number]).overridden(words.get(name, NOTHING))
                for number, name in self._names.items()
                if name in self.about.streams
            }
            self._outputs = {
                number: describe_xml(headers[number])
                for number, name in self._names.items()
                if name in self.about.outputs
            }
        except NewerFormatError as error:
            raise NewerFormatError(f"{path}: {error}") from None
        except (EarmarkError, ET.ParseError, KeyError) as error:
            what = f"stream {error} has none" if isinstance(error, KeyError) else str(error)
            raise xdf.XdfError(f"{path}: a header is damaged: {what}") from None

    def __iter__(self) -> Iterator[Event]:
        regular = [name for name, one in self.streams.items() if one.spec.sfreq]
        place = _Place(dict.fromkeys(regular, 0), dict.fromkeys(self.streams, 0.0))
        self.damage, self.whole, self.unsealed = [], False, 0
        footers: set[int] = set()
        end = sealed = 0
        for stretch in stretches(self.path, partial(seal_text, {self._journal_id})):
            footers |= {chunk.stream_id for chunk in stretch.chunks if chunk.tag == xdf.STREAM_FOOTER}
            events: list[Event] | None = None
            after = place.copy()
            if stretch.last and stretch.found is Soundness.DAMAGED:
                # Data before the damage are as valid as data at the end of a file that was cut, except for the chunk
                # just before it: bytes that are missing within a chunk shift its end, too.
                upto = next(k for k, chunk in enumerate(stretch.chunks) if chunk.tag == xdf.DAMAGE)
                yield from self._try(Stretch(stretch.chunks[: max(0, upto - 1)]), place) or []
            elif stretch.found is not Soundness.DAMAGED:
                events = self._try(stretch, after)
            if events is None:
                yield self._damaged(stretch, place)
            else:
                place = after
                yield from events
                if stretch.why:
                    self.damage.append(f"bytes {stretch.start} to {stretch.stop}: {stretch.why}")
            if not stretch.last:
                sealed = stretch.stop
            end = max(end, stretch.stop)
        self.whole = footers == set(self._names)
        size = self.path.stat().st_size
        self.unsealed, self.cut = size - sealed, _cut(self.path, end, size)

    def _try(self, stretch: Stretch, place: _Place) -> list[Event] | None:
        """Return the events of a stretch; None if it is damaged, with the reason stored in the stretch."""
        try:
            return self._events(stretch, place)
        except xdf.XdfError as error:
            if stretch.found is Soundness.AS_WRITTEN:  # the fingerprint is valid, so it was written like this
                raise xdf.XdfError(f"{self.path}: {error}") from None
            stretch.why = str(error)
            return None

    def _damaged(self, stretch: Stretch, place: _Place) -> Damaged:
        """Leave out a stretch; later lines show how many samples of each stream it had."""
        framed = all(chunk.tag != xdf.DAMAGE for chunk in stretch.chunks)
        there = {self._names.get(chunk.stream_id, "") for chunk in stretch.chunks}
        lost = tuple(name for name in self.streams if not framed or name in there)
        place.unknown |= {name for name in lost if name in place.following}
        place.skips.clear()
        after = "" if math.isnan(place.time) else f", after {place.time:.3f} s (LSL time)"
        words = f"bytes {stretch.start} to {stretch.stop}{after}: {stretch.why}; left out"
        self.damage.append(words)
        return Damaged(place.time, words, lost)

    def _events(self, stretch: Stretch, place: _Place) -> list[Event]:
        """Convert a stretch to events, and advance ``place``."""
        found: list[Event] = []
        if place.unknown:
            starts = stretch.reached or self._anchors(stretch.chunks)
            for name in sorted(place.unknown & set(starts)):
                start = place.following[name]
                if starts[name] < start:
                    raise xdf.XdfError(f"sample {starts[name]} of {name!r} comes again")
                found.append(Consumed(name, Gap(start, starts[name])))
                place.following[name] = starts[name]
                place.unknown.discard(name)
        for chunk in stretch.chunks:
            if chunk.tag != xdf.SAMPLES:
                continue
            name = self._names.get(chunk.stream_id, "")
            if chunk.stream_id in self._outputs:
                channels = self._outputs[chunk.stream_id].spec.n_channels
                found.append(Produced(name, xdf.parse_samples(chunk.content, "<f8", channels)[1]))
            elif chunk.stream_id == self._journal_id:
                found += self._entry(chunk.content, place)
            elif name in place.following:
                description = self.streams[name]
                dtype = DTYPES[description.format]
                if dtype is None:
                    raise xdf.XdfError(f"{name!r} is text at a regular rate, which was never recorded")
                _, data = xdf.parse_samples(chunk.content, dtype, description.sent.n_channels)
                block = Block(place.following[name], description.take(data))
                if name not in place.unknown:
                    place.following[name] = block.stop
                    found.append(Consumed(name, place.skips.pop(name, block)))
            elif name in self.streams:
                stamp, text = _irregular(chunk.content, self.streams[name])
                found.append(Consumed(name, Marker(stamp + place.offsets[name], text)))
        return found

    def _anchors(self, chunks: list[xdf.Chunk]) -> dict[str, int]:
        """Return the index of each stream's first sample in a stretch, from a journal line that gives it."""
        counts: dict[str, int] = dict.fromkeys(self.streams, 0)
        found: dict[str, int] = {}
        for chunk in chunks:
            name = self._names.get(chunk.stream_id, "")
            if chunk.tag == xdf.SAMPLES and name in self.streams:
                counts[name] += xdf.count_samples(chunk.content)
            elif chunk.tag == xdf.SAMPLES and chunk.stream_id == self._journal_id:
                match self._line(chunk.content)[1]:
                    case GapLine(name, (index, _)) | SkipLine(name, (index, _)) | ClockLine(name, (index, _, _)):
                        if index == int(index) and name in counts:
                            found.setdefault(name, int(index) - counts[name])
        return {name: index for name, index in found.items() if index >= 0}

    def _line(self, content: bytes) -> tuple[float, Line]:
        time, (said,) = xdf.parse_text(content, 1)
        return time, read_line(said, len(self.about.talkers))

    def _entry(self, content: bytes, place: _Place) -> list[Event]:
        time, line = self._line(content)
        if not math.isfinite(time):
            raise xdf.XdfError(f"a line of the journal was written at {time} s")
        place.time = time
        match line:
            case GapLine(name, (start, stop), short):
                return self._gap(Gap(start, stop, short), name, place)
            case ClockLine(name, clock):
                if not 0.01 < clock.period * self._sfreq(name, place) < 100:
                    raise xdf.XdfError(f"a sample of {name!r} every {clock.period:g} s is not its rate")
                return [Consumed(name, ClockMap(*clock))]
            case SkipLine(name, (start, stop)):
                self._sfreq(name, place)
                if name not in place.unknown:
                    place.skips[name] = Gap(start, stop)
                return []
            case OffsetLine(name, offset):
                if name not in place.offsets:
                    raise xdf.XdfError(f"a line of the journal is about {name!r}, which is not a stream")
                place.offsets[name] = offset
                return []
            case ControlLine(timed):
                return [Consumed(CONTROL, TimedControl(*timed))]
        return [Noted(time, line)]

    def _sfreq(self, name: str, place: _Place) -> float:
        if name not in place.following:
            raise xdf.XdfError(f"a line of the journal is about {name!r}, which is not a stream of samples")
        return self.streams[name].spec.sfreq

    def _gap(self, gap: Gap, name: str, place: _Place) -> list[Event]:
        if gap.stop - gap.start > LONGEST_S * self._sfreq(name, place):
            raise xdf.XdfError(f"{gap.stop - gap.start} samples of {name!r} missing are more than can be believed")
        if name in place.unknown:
            return []
        if gap.start != place.following[name]:
            raise xdf.XdfError(f"samples of {name!r} are missing from {gap.start} on, but {place.following[name]}")
        place.following[name] = gap.stop
        return [Consumed(name, gap)]


def _cut(path: Path, end: int, size: int) -> str:
    """Return a message about a file that ends within a chunk."""
    with path.open("rb") as file:
        file.seek(end)
        rest = file.read(min(size - end, 11))
    if rest and size - end < 11 and 0 <= len(rest) - 1 - rest[0] < 2:
        return (
            "it ends within the kind of a chunk, which pyxdf and all that read by it refuse: shorten it to "
            f"{end} bytes (truncate --size), and they read it"
        )
    return ""


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
    if not len(stamps):
        raise xdf.XdfError("a marker without a value")
    return float(stamps[0]), description.marker(data[0])


def is_session(path: Path) -> bool:
    """Whether a file is a recorded session, also if it is damaged or of a newer version."""
    try:
        SessionFile(path)
    except NewerFormatError:
        return True
    except (xdf.XdfError, OSError):
        return False
    return True

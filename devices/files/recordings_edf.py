"""Read EDF and BDF recordings: every signal keeps its unit and rate, trigger channels become markers.

Layout of both: https://www.edfplus.info/specs/edfplus.html and https://www.biosemi.com/faq/file_format.htm
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.channel_labels import is_place, kind_by_label, split_label
from earmark.devices.files.recording import Recording, RecordingError, Segment, in_words, segments_of, time_at
from earmark.devices.files.timeline import Timeline, even_timeline, read_timeline
from earmark.devices.files.triggers import codes, markers_of, untold
from earmark.devices.sources.lsl_description import unique_names
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts, stated_unit

log = logging.getLogger(__name__)

#: One time-stamped annotation list: onset, duration, texts.
_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15[\d.]*)?\x14([^\x00]*?)\x14?\x00")
#: Trigger inputs in a BioSemi status channel; the bits above are the amplifier's status.
_TRIGGER_BITS = 0xFFFF
#: Bytes per read when a whole channel is searched.
_PIECE = 1 << 22
_BRAIN = ("eeg", "seeg", "ecog")


@dataclass(frozen=True, slots=True)
class Channel:
    """A signal as described by the header.

    Attributes
    ----------
    label, name, dimension : str
        Label; the label without its type prefix, unique in the file; unit, as written.
    kind : str
        A channel type, or ``trigger``.
    sure : bool
        Whether the label certainly means an electrode.
    n : int
        Samples per data record.
    at : int
        Index of the first sample in a data record.
    gain, offset : float
        Conversion of raw values to the unit.
    """

    label: str
    name: str
    dimension: str
    kind: str
    sure: bool
    n: int
    at: int
    gain: float
    offset: float


@dataclass(frozen=True, slots=True)
class EdfLayout:
    """Header of an EDF or BDF file.

    Attributes
    ----------
    path : Path
        The file.
    discontinuous : bool
        Whether there may be gaps between data records.
    record_s : float
        Seconds of one data record.
    channels : tuple of Channel
        Signals that are not annotations.
    texts : tuple of (int, int)
        Byte ranges of the annotations in a data record: first byte, and after the last one.
    width : int
        Bytes of a sample: 2 in EDF, 3 in BDF.
    header_bytes, record_bytes, n_records : int
        Size of the header and of one data record; number of complete data records.
    """

    path: Path
    discontinuous: bool
    record_s: float
    channels: tuple[Channel, ...]
    texts: tuple[tuple[int, int], ...]
    width: int
    header_bytes: int
    record_bytes: int
    n_records: int

    def records(self) -> Iterator[list[tuple[float, list[str]]]]:
        """Yield onset in seconds and texts of every annotation, record by record."""
        with self.path.open("rb") as file:
            for i in range(self.n_records):
                found = []
                for first, last in self.texts:
                    file.seek(self.header_bytes + i * self.record_bytes + first)
                    for onset, texts in _TAL.findall(file.read(last - first)):
                        found.append((float(onset), [t for t in _decoded(texts).split("\x14") if t]))
                yield found

    def numbers(self, channels: Sequence[Channel], start: int, stop: int) -> NDArray[np.int32]:
        """Read whole data records of channels with the same rate, as raw values.

        Returns
        -------
        array of int32, shape (n_samples, n_channels)
        """
        # Not memory-mapped: if the file shrank, an access would kill the program.
        with self.path.open("rb") as file:
            file.seek(self.header_bytes + start * self.record_bytes)
            raw = np.frombuffer(file.read((stop - start) * self.record_bytes), np.uint8)
        if len(raw) < (stop - start) * self.record_bytes:
            raise RecordingError(f"{self.path} has been truncated since it was opened")
        records = raw.reshape(stop - start, -1)
        out = np.empty((stop - start, channels[0].n, len(channels)), np.int32)
        for k, channel in enumerate(channels):
            out[:, :, k] = self._integers(records[:, channel.at * self.width :][:, : channel.n * self.width])
        return out.reshape(-1, len(channels))

    def column(self, channel: Channel, start: int, stop: int) -> NDArray[np.int32]:
        """Read whole data records of one channel only, shape (n_samples,)."""
        with self.path.open("rb") as file:
            raw = bytearray()
            for i in range(start, stop):
                file.seek(self.header_bytes + i * self.record_bytes + channel.at * self.width)
                raw += file.read(channel.n * self.width)
        if len(raw) < (stop - start) * channel.n * self.width:
            raise RecordingError(f"{self.path} has been truncated since it was opened")
        return self._integers(np.frombuffer(raw, np.uint8).reshape(stop - start, -1)).reshape(-1)

    def _integers(self, octets: NDArray[np.uint8]) -> NDArray[np.int32]:
        if self.width == 2:
            return np.ascontiguousarray(octets).view("<i2").astype(np.int32)
        low, middle, high = (octets[:, i::3] for i in range(3))
        return high.view(np.int8).astype(np.int32) << 16 | middle.astype(np.int32) << 8 | low


def open_edf(path: Path, wanted: str | None = None, kinds: Mapping[str, str] | None = None) -> Recording:
    """Open an EDF or BDF file, without loading it.

    If signals have several rates, that of the electrodes is used. Channels with another rate are left out, which is
    logged. Codes on a trigger channel become markers, unless an annotation has the same event.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str or None
        Rate in Hz to read, if electrodes have several.
    kinds : mapping of str to str, optional
        Channel types known from other sources, by label with or without its type prefix.

    Raises
    ------
    RecordingError
        If the file is damaged or empty, or electrodes have several rates and none is chosen.
    """
    with in_words(path):
        layout = read_layout(path, kinds or {})
        if not layout.n_records:
            raise RecordingError(f"{path}: has no samples")
        channels = layout.channels
        _say_types(path, channels, kinds or {})
        n = _rate(path, layout, channels, wanted)
        chosen = [channel for channel in channels if channel.n == n]
        spec, scale, offset = _describe(path.stem, n / layout.record_s, chosen)
        timeline, annotations = _records(layout, n, spec.sfreq)
        segments = segments_of(timeline)
        annotations += untold(_triggers(layout, channels, segments, n), annotations, 1.5 / spec.sfreq)
    signals = [k for k, channel in enumerate(chosen) if channel.kind == "trigger"]

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with in_words(path):
            first = start // n
            numbers = layout.numbers(chosen, first, -(-stop // n))[start - first * n : stop - first * n]
            numbers[:, signals] = _code(layout, numbers[:, signals])
            return (numbers * scale + offset).astype(np.float32, order="C")

    stated = [stated_unit(channel.dimension) for channel in chosen]
    return Recording(spec, layout.n_records * n, segments, annotations, read, timeline, stated)


def _say_types(path: Path, channels: Sequence[Channel], known: Collection[str]) -> None:
    """Log the channels that are not brain electrodes by their label alone."""
    by_label = [
        c.name
        for c in channels
        if c.kind in ("eog", "misc")
        and c.label not in known
        and c.name not in known
        and microvolts(c.dimension) is not None
        and split_label(c.label)[0] in ("", *_BRAIN)
    ]
    if by_label:
        log.warning("%s: not brain electrodes, by their labels: %s", path.name, ", ".join(by_label))


def _rate(path: Path, layout: EdfLayout, channels: Sequence[Channel], wanted: str | None) -> int:
    """Choose the number of samples per data record, and log channels with another one."""

    def hz(n: int) -> str:
        return f"{n / layout.record_s:g}"

    electrodes = [c for c in channels if c.kind in _BRAIN]
    electrodes = [c for c in electrodes if c.sure] or electrodes
    rates = Counter(c.n for c in electrodes or [c for c in channels if c.kind != "trigger"] or channels)
    if wanted is not None:
        chosen = [n for n in {c.n for c in channels} if hz(n) == wanted.lower().removesuffix("hz").strip()]
        if not chosen:
            there = ", ".join(hz(n) for n in sorted({c.n for c in channels}))
            raise RecordingError(f"{path}: no channel is sampled at {wanted!r} Hz; there are: {there}")
        n = chosen[0]
    elif electrodes and len(rates) > 1:
        groups = "; ".join(f"{hz(n)} Hz: {', '.join(c.name for c in electrodes if c.n == n)}" for n in sorted(rates))
        most = hz(max(rates, key=lambda n: (rates[n], n)))
        raise RecordingError(
            f"{path}: electrodes have several sampling rates, choose one as the stream, such as '{most} Hz': {groups}"
        )
    else:
        n = max(rates, key=lambda n: (rates[n], n))
    other = [f"{c.name} ({hz(c.n)} Hz)" for c in channels if c.n != n and c.kind != "trigger"]
    if other:
        log.warning("%s: left out, as their sampling rate is not %s Hz: %s", path.name, hz(n), ", ".join(other))
    return n


def _describe(
    name: str, sfreq: float, channels: Sequence[Channel]
) -> tuple[StreamSpec, NDArray[np.float64], NDArray[np.float64]]:
    """Return the spec, and factor and offset for the raw values of each channel."""
    kinds, units, factors = [], [], []
    for channel in channels:
        factor = microvolts(channel.dimension)
        if channel.kind == "trigger":
            kind, unit, factor = "misc", "", None
        elif factor is None:
            kind, unit = channel.kind, stated_unit(channel.dimension)
        elif channel.kind in ELECTRODES:
            kind, unit = channel.kind, "uV"
        else:
            kind, unit, factor = channel.kind, "V", factor * 1e-6
        kinds.append(kind)
        units.append(unit)
        factors.append(1.0 if factor is None else factor)
    spec = StreamSpec(
        name=name,
        sfreq=sfreq,
        ch_names=tuple(channel.name for channel in channels),
        ch_types=tuple(kinds),
        units=tuple(units),
    )
    gain, offset = (np.array([getattr(channel, key) for channel in channels]) for key in ("gain", "offset"))
    return spec, gain * factors, offset * factors


def _code(layout: EdfLayout, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    return numbers & _TRIGGER_BITS if layout.width == 3 else numbers


def _triggers(
    layout: EdfLayout, channels: Sequence[Channel], segments: Sequence[Segment], n: int
) -> list[tuple[float, str]]:
    """Return codes and times of all trigger channels."""
    found: dict[str, list[tuple[float, float]]] = {}
    for channel in channels:
        if channel.kind != "trigger":
            continue
        step = max(1, _PIECE // (channel.n * layout.width))
        pieces = (
            _code(layout, layout.column(channel, i, min(i + step, layout.n_records)))
            for i in range(0, layout.n_records, step)
        )
        changes = codes(pieces)
        if changes is None:
            log.warning("%s: channel %r is called a trigger, but has no codes", layout.path.name, channel.name)
            continue
        values = np.array([value for _, value in changes], float)
        # Exporters scale codes like signals, or write them unscaled, outside the declared range.
        scaled = np.rint(values * channel.gain + channel.offset)
        if layout.width == 2 and np.allclose(values * channel.gain + channel.offset, scaled, atol=abs(channel.gain)):
            values = scaled
        sfreq, here = n / layout.record_s, n / channel.n
        times = [time_at(segments, sfreq, i * here) for i, _ in changes]
        found[channel.name] = list(zip(times, values.tolist(), strict=True))
    return markers_of(layout.path, found)


def _records(layout: EdfLayout, per_record: int, sfreq: float) -> tuple[Timeline, list[tuple[float, str]]]:
    """Return when samples were taken, and the annotations. Only discontinuous files have stamps per data record."""
    n_samples = layout.n_records * per_record
    annotations: list[tuple[float, str]] = []
    onsets: list[float] = []
    for i, found in enumerate(layout.records() if layout.texts else ()):
        if not found and layout.discontinuous:
            raise RecordingError(f"{layout.path}: data record {i} does not say when it began")
        onsets.append(found[0][0] if found else math.nan)
        first = 0.0 if math.isnan(onsets[0]) else onsets[0]
        annotations += [(time - first, text) for time, texts in found for text in texts]
    if not (onsets and layout.discontinuous):
        return even_timeline([(0, n_samples, 0.0)], sfreq), annotations
    within = np.arange(per_record) / sfreq
    stamps = (np.array(onsets)[:, None] - onsets[0] + within).ravel()
    timeline = read_timeline(layout.path.name, stamps, sfreq)
    for words in timeline.words:
        log.warning("%s: %s", layout.path.name, words)
    return timeline, annotations


def read_layout(path: Path, kinds: Mapping[str, str]) -> EdfLayout:
    """Read the header of an EDF or BDF file.

    Parameters
    ----------
    path : Path
        The file.
    kinds : mapping of str to str
        Channel types known from other sources.

    Raises
    ------
    RecordingError
        If there are no signals. Other errors in the header raise ValueError.
    """
    with path.open("rb") as file:
        head = file.read(256)
        n_signals = int(head[252:256])
        rest = file.read(256 * n_signals).decode("latin-1")
    if n_signals < 1 or len(rest) < 256 * n_signals:
        raise RecordingError(f"{path}: the header ends before it has described {n_signals} signals")

    def column(at: int, width: int) -> list[str]:
        return [rest[at * n_signals + i * width :][:width].split("\0")[0].strip() for i in range(n_signals)]

    labels, sizes = column(0, 16), [int(n) for n in column(216, 8)]
    width = 3 if path.suffix.lower() == ".bdf" else 2
    signals = [i for i, label in enumerate(labels) if label not in ("EDF Annotations", "BDF Annotations")]
    if not signals:
        raise RecordingError(f"{path}: has annotations only, no signal")
    record_s, header_bytes = float(head[244:252]), int(head[184:192])
    if min(sizes) < 1 or not 0 < record_s < math.inf:
        raise RecordingError(
            f"{path}: data records of {record_s:g} s with {min(sizes)} samples of a signal are invalid"
        )
    if header_bytes != 256 * (n_signals + 1):
        raise RecordingError(f"{path}: {header_bytes} bytes are not a header of {n_signals} signals")
    starts = [sum(sizes[:i]) for i in range(n_signals + 1)]
    record_bytes = width * starts[-1]
    n_records = max(0, path.stat().st_size - header_bytes) // record_bytes
    claimed = int(head[236:244].strip() or -1)
    if claimed not in (-1, n_records):
        log.warning("%s: has %d data records, but its header says %d", path.name, n_records, claimed)
    ranges = [[float(text.replace(",", ".")) for text in column(at, 8)] for at in (104, 112, 120, 128)]
    channels = _channels(path, labels, column(96, 8), sizes, starts, ranges, signals, kinds)
    return EdfLayout(
        path=path,
        discontinuous=head[192:197] in (b"EDF+D", b"BDF+D"),
        record_s=record_s,
        channels=channels,
        texts=tuple((width * starts[i], width * starts[i + 1]) for i in range(n_signals) if i not in signals),
        width=width,
        header_bytes=header_bytes,
        record_bytes=record_bytes,
        n_records=n_records,
    )


def _channels(
    path: Path,
    labels: Sequence[str],
    dimensions: Sequence[str],
    sizes: Sequence[int],
    starts: Sequence[int],
    ranges: Sequence[Sequence[float]],
    signals: Sequence[int],
    kinds: Mapping[str, str],
) -> tuple[Channel, ...]:
    said = [split_label(labels[i]) for i in signals]
    names = unique_names([name for _, name in said])
    # If some signals are in volts, one without a unit is not a voltage.
    volts = any(microvolts(dimensions[i]) is not None for i in signals)
    channels = []
    for (typed, short), name, i in zip(said, names, signals, strict=True):
        unit = dimensions[i]
        may_be = microvolts(unit) is not None or (not stated_unit(unit) and (typed in _BRAIN or not volts))
        # Clinical systems prefix everything with EEG; and a channel in percent is not an electrode.
        kind = kind_by_label(short) or ((typed or "eeg") if may_be else "misc")
        kind = kind if may_be or kind == "trigger" else "misc"
        known = kinds.get(labels[i]) or kinds.get(name)
        kind = known or kind
        low, high, least, most = (float(column[i]) for column in ranges)
        gain = (high - low) / (most - least) if most != least else 0.0
        if not gain or not math.isfinite(gain):
            log.warning("%s: channel %r declares no range: its values are not scaled", path.name, name)
            gain, low, least, unit = 1.0, 0.0, 0.0, ""
        if kind == "trigger" and path.suffix.lower() == ".bdf":
            gain, low, least = 1.0, 0.0, 0.0  # bits, whatever range is declared
        sure = kind in _BRAIN and (bool(known) or bool(typed) or is_place(short))
        channels.append(Channel(labels[i], name, unit, kind, sure, sizes[i], starts[i], gain, low - least * gain))
    return tuple(channels)


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:  # required by the standard; older programs wrote Latin-1
        return text.decode("latin-1")

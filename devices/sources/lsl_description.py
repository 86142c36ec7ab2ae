"""Read and write the descriptions of LSL streams."""

from __future__ import annotations

import logging
import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pylsl
from numpy.typing import NDArray

from earmark.devices.sources.marker_values import marker_text
from earmark.devices.sources.overrides import NOTHING, Applied, OverrideError, Overrides
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts, stated_unit

log = logging.getLogger(__name__)

#: Formats of LSL samples, as XDF and LSL spell them, and their NumPy dtypes; strings have none.
DTYPES = {
    "float32": "<f4",
    "double64": "<f8",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "string": None,
}
#: Maximum numbers of channels, and of values per second: no amplifier exceeds them, and larger ones are refused before
#: memory is allocated.
MAX_CHANNELS, MAX_RATE = 100_000, 100e6
#: Maximum characters of a description: the cost of nested XML elements grows with the square of their number.
MAX_XML = 16 << 20
#: Words for channel types that are not electrodes of the kinds above.
_NO_ELECTRODES = (
    *("misc", "aux", "auxiliary", "stim", "trig", "trigger", "triggers", "marker", "markers", "event", "events"),
    *("status", "digital", "counter", "packet", "battery", "time", "timestamp", "annotations", "audio", "envelope"),
    *("ecg", "ekg", "emg", "gsr", "eda", "resp", "ppg", "nirs", "fnirs", "bvp", "temp", "temperature", "pulse"),
    *("acc", "accel", "accelerometer", "gyro", "gyroscope", "mag", "magnetometer", "imu", "gaze", "pupil", "mocap"),
)


class StreamError(EarmarkError):
    """Raised when a live stream is missing, ambiguous, or not what was expected."""


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """Description of a stream.

    Attributes
    ----------
    spec : StreamSpec
        Channels, rate, units, positions, with the user's corrections applied.
    sent : StreamSpec
        The same as declared by the stream.
    type, source_id, uid, host : str
        Content type, the sender's lasting identity, the identity of this outlet, and the name of its computer.
    format : str
        Number format of the samples, a key of ``DTYPES``; the rate of text is 0, whatever is declared.
    speed : float
        How many times faster than real time a recording is played back; 1 for live streams.
    xml : str
        The whole description, as carried by LSL and stored in XDF.
    untyped : tuple of int
        Channels whose type is not declared or not known.
    applied : Applied or None
        Result of applying the user's corrections; None without corrections.
    """

    spec: StreamSpec
    sent: StreamSpec
    type: str
    source_id: str
    uid: str
    host: str
    format: str
    speed: float
    xml: str
    untyped: tuple[int, ...] = ()
    applied: Applied | None = None

    @property
    def origin(self) -> str:
        """Name of the stream, and of its computer if the source knows it."""
        return f"{self.spec.name} from {self.host}" if self.host else self.spec.name

    def overridden(self, overrides: Overrides) -> StreamDescription:
        """Return the same stream with the user's corrections applied.

        Raises
        ------
        StreamError
            If they do not fit the stream.
        """
        if overrides == NOTHING:
            return self
        try:
            if overrides.sfreq and self.format == "string":
                raise OverrideError(f"sfreq is {overrides.sfreq:g}, but text has no rate")
            applied = overrides.apply(self.sent, self.untyped)
        except OverrideError as error:
            raise StreamError(f"stream {self.sent.name!r}: {error}") from None
        return replace(self, spec=applied.spec, applied=applied)

    def take(self, data: NDArray[Any]) -> NDArray[Any]:
        """Convert samples as sent to samples as in ``spec``, shape (n_samples, n_channels)."""
        return data if self.applied is None else self.applied.take(data)

    def marker(self, values: Iterable[Any]) -> str:
        """Return the marker text of one sample of an irregular stream."""
        if self.type.lower() == "annotations" and self.format != "string":
            # MNE-LSL's player: one column per description, all 0 except the one of the marker.
            return " ".join(name for name, value in zip(self.sent.ch_names, values, strict=True) if value)
        return marker_text(values)

    def differences(self, other: StreamDescription) -> list[str]:
        """Say in words how ``other`` differs where this stream is expected."""
        mine, its = self.sent, other.sent
        found = []
        if mine.n_channels != its.n_channels:
            found.append(f"{its.n_channels} channels instead of {mine.n_channels}")
        elif mine.ch_names != its.ch_names:
            moved = [f"{b!r} for {a!r}" for a, b in zip(mine.ch_names, its.ch_names, strict=True) if a != b]
            found.append(f"other channel names ({', '.join(moved[:3])}{', ...' if len(moved) > 3 else ''})")
        for what, a, b in (
            ("rate", f"{mine.sfreq:g} Hz", f"{its.sfreq:g} Hz"),
            ("format", self.format, other.format),
            ("units", mine.units, its.units),
            ("channel types", mine.ch_types, its.ch_types),
        ):
            if a != b and not (isinstance(a, tuple) and len(a) != len(b)):
                found.append(f"{what} {b} instead of {a}" if isinstance(a, str) else f"other {what}")
        return found


def describe_xml(xml: str) -> StreamDescription:
    """Read a stream's own description.

    A description of only some channels applies to the first ones; the others have type ``misc``.

    Parameters
    ----------
    xml : str
        The ``<info>`` element, from an LSL inlet or an XDF stream header.

    Raises
    ------
    If it is not the description of a stream.
        If it is not the description of a stream.
    """
    info, n_channels, sfreq, fmt = _parse(xml)
    kind, name = info.findtext("type") or "", info.findtext("name") or "stream"
    channels: list[ET.Element] = info.findall("desc/channels/channel")[:n_channels]
    n_described = len(info.findall("desc/channels/channel"))
    if n_described and n_described != n_channels:
        rest = "those left are not taken for electrodes" if n_described < n_channels else "the first ones count"
        log.warning("stream %r describes %d channels but has %d: %s", name, n_described, n_channels, rest)
    kinds = [_channel_type(c.findtext("type") or kind) for c in channels] or [_channel_type(kind)] * n_channels
    untyped = tuple(i for i, known in enumerate(kinds) if not known)
    n_left = n_channels - len(kinds)
    channels += [ET.Element("channel")] * (n_channels - len(channels))
    labels = [_text(c, "label") or _text(c, "name") or f"{kind or 'ch'}{i + 1}" for i, c in enumerate(channels)]
    types = tuple(known or "misc" for known in kinds) + ("misc",) * n_left
    spec = StreamSpec(
        name=name,
        sfreq=sfreq,
        ch_names=unique_names(labels),
        ch_types=types,
        units=tuple(_unit(c, t, fmt) for c, t in zip(channels, types, strict=True)),
        positions=_positions(channels),
    )
    return StreamDescription(
        spec=spec,
        sent=spec,
        type=kind,
        source_id=info.findtext("source_id") or "",
        uid=info.findtext("uid") or "",
        host=info.findtext("hostname") or "",
        format=fmt,
        speed=_number(info.findtext("desc/playback/speed")) or 1.0,
        xml=xml,
        untyped=untyped,
    )


def _parse(xml: str) -> tuple[ET.Element, int, float, str]:
    """Return element, number of channels, rate and format of a stream."""
    if len(xml) > MAX_XML:
        raise StreamError(f"a description of {len(xml)} characters is not that of a stream: {MAX_XML} at most")
    try:
        info = ET.fromstring(xml)  # noqa: S314 - expat bounds entity expansion
        n_channels, sfreq = int(info.findtext("channel_count", "")), float(info.findtext("nominal_srate", ""))
    except (ET.ParseError, ValueError) as error:
        raise StreamError(f"not the description of a stream: {error}") from None
    name, fmt = info.findtext("name") or "stream", info.findtext("channel_format") or ""
    if n_channels > MAX_CHANNELS or n_channels * sfreq > MAX_RATE:
        raise StreamError(f"stream {name!r}: {n_channels} channels at {sfreq:g} Hz are more than can be received")
    if n_channels < 1 or not math.isfinite(sfreq) or sfreq < 0 or fmt not in DTYPES:
        raise StreamError(f"stream {name!r}: {n_channels} channels of {fmt!r} at {sfreq} Hz is not a valid stream")
    return info, n_channels, 0.0 if fmt == "string" else sfreq, fmt


def _text(channel: ET.Element, tag: str) -> str:
    return (channel.findtext(tag) or "").strip()


def _unit(channel: ET.Element, kind: str, fmt: str) -> str:
    said, step = _text(channel, "unit"), _number(channel.findtext("scaling_factor"))
    if fmt.startswith("int") and step and step != 1 and microvolts(said):  # raw counts: BrainAmp connector
        return f"{step:g} {said}"
    # MNE-LSL writes the power of ten of volts. 0 means "no unit" too, unless the types show MNE channels: then volts.
    return "V" if said == "0" and kind in ELECTRODES and channel.find("coil_type") is not None else stated_unit(said)


def make_info(
    spec: StreamSpec, kind: str, source_id: str, fmt: str = "float32", *, speed: float = 1.0, model: str = ""
) -> pylsl.StreamInfo:
    """Describe a stream for LSL, in the terms of the XDF specification; :func:`describe_xml` reads it back.

    Parameters
    ----------
    spec : StreamSpec
        Name, rate, channels, units, positions (written in millimetres, as specified).
    kind : str
        Content type: ``EEG``, ``Markers``, ...
    source_id : str
        Lasting identity of the sender.
    fmt : str
        A key of ``DTYPES``.
    speed : float
        How many times faster than real time the stream is sent.
    model : str
        What sends it, for reports.
    """
    info = pylsl.StreamInfo(spec.name, kind, spec.n_channels, spec.sfreq, fmt, source_id)
    desc = info.desc()
    desc.append_child_value("manufacturer", "Earmark")
    if model:
        desc.append_child_value("model", model)
    channels = desc.append_child("channels")
    for i, label in enumerate(spec.ch_names):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", spec.ch_types[i].upper())
        channel.append_child_value("unit", spec.units[i])
        if spec.positions is not None and all(math.isfinite(v) for v in spec.positions[i]):
            location = channel.append_child("location")
            for axis, metres in zip("XYZ", spec.positions[i], strict=True):
                location.append_child_value(axis, repr(metres * 1e3))
    if speed != 1.0:
        desc.append_child("playback").append_child_value("speed", repr(speed))
    return info


def _channel_type(text: str) -> str:
    """Return the channel type for a word; an empty string for an unknown word."""
    text = text.strip().lower()
    if text in _NO_ELECTRODES:
        return "misc"
    return {"ieeg": "seeg", "dbs": "seeg", "veog": "eog", "heog": "eog"}.get(text, text if text in ELECTRODES else "")


def unique_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Make channel names unique by appending a number to repeated ones, as MNE does."""
    total, seen, names = Counter(labels), Counter[str](), []
    for label in labels:
        names.append(f"{label}-{seen[label]}" if total[label] > 1 else label)
        seen[label] += 1
    return tuple(names)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _positions(channels: Sequence[ET.Element]) -> tuple[tuple[float, float, float], ...] | None:
    nan = math.nan
    rows = []
    for channel in channels:
        places = [_number(channel.findtext(f"location/{axis}")) for axis in "XYZ"]
        if channel.findtext("coord_frame") == "4":  # MNE-LSL, metres in head coordinates
            places = [_number(channel.findtext(f"loc/R0{axis}")) for axis in "xyz"]
        x, y, z = places if any(places) else (None, None, None)
        rows.append((nan, nan, nan) if x is None or y is None or z is None else (x, y, z))
    known = [abs(v) for row in rows for v in row if math.isfinite(v)]
    if not known:
        return None
    scale = 1e-3 if max(known) > 1 else 1.0  # the specification says mm, but some senders write metres
    return tuple((x * scale, y * scale, z * scale) for x, y, z in rows)

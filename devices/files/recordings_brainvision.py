"""Read BrainVision recordings: a text header, a file of samples, and a file of markers.

Format: https://www.brainproducts.com/support-resources/brainvision-core-data-format-1-0/
"""

from __future__ import annotations

import itertools
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.channel_labels import is_place, kind_by_label
from earmark.devices.files.recording import Recording, RecordingError, Segment, in_words, time_at
from earmark.devices.files.regular_file import MAX_TEXT, open_regular
from earmark.devices.files.triggers import codes, markers_of, untold
from earmark.devices.sources.lsl_description import unique_names
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts, stated_unit

log = logging.getLogger(__name__)

_FORMATS = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4", "IEEE_FLOAT_64": "<f8"}
#: Head radius in metres, for headers with directions only.
_HEAD_M = 0.095
_SEGMENT = "New Segment"
#: Samples per read when searching for codes.
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Marker:
    """An entry of the marker file; sample ``index`` counts from 0."""

    kind: str
    text: str
    index: int
    date: str


def open_brainvision(path: Path, kinds: Mapping[str, str] | None = None) -> Recording:
    """Open a BrainVision recording, without loading it (unless its samples are text).

    If a data or marker file does not exist under the name in the header, but one with the header's own name lies beside
    it, that one is used: the three files were renamed together.

    Parameters
    ----------
    path : Path
        The header.
    kinds : mapping of str to str, optional
        Channel types known from other sources.

    Raises
    ------
    RecordingError
        If a file is missing or damaged, or has no samples.
    """
    with in_words(path):
        header = _sections(_text(path))
        common = header.get("common infos", {})
        interval = _number(path, common, "SamplingInterval")
        if not 0 < interval < math.inf:
            raise RecordingError(f"{path}: SamplingInterval is {interval:g} microseconds, but must be above 0")
        data = _companion(path, common, "DataFile", (".eeg", ".dat", ".avg", ".seg"))
        if data is None:
            raise RecordingError(f"{path}: the header has no line DataFile=, which names the file with the samples")
        n_channels = int(_number(path, common, "NumberOfChannels"))
        if n_channels < 1:
            raise RecordingError(f"{path}: NumberOfChannels is {n_channels}, but must be above 0")
        n_samples, numbers = _samples(path, header, data, n_channels)
        if not n_samples:
            raise RecordingError(f"{path}: has no samples")
        spec, scale, triggers, stated = _describe(path, header, n_channels, 1e6 / interval, kinds or {})
        markers = _markers(path, common)
        segments = _segments(markers, n_samples, spec.sfreq, path)
        annotations = [
            (time_at(segments, spec.sfreq, m.index), f"{m.kind}/{m.text}")
            for i, m in enumerate(markers)
            if i or m.kind != _SEGMENT  # the first one is the start of the recording
        ]
        changes = {}
        for k in triggers:
            at = range(0, n_samples, _PIECE)
            found = codes(numbers(i, min(i + _PIECE, n_samples))[:, k].astype(np.int64) for i in at)
            changes[spec.ch_names[k]] = [(time_at(segments, spec.sfreq, i), v * scale[k]) for i, v in found or ()]
        annotations += untold(markers_of(path, changes), annotations, 1.5 / spec.sfreq)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with in_words(path):
            return (numbers(start, stop) * scale).astype(np.float32, order="C")

    return Recording(spec, n_samples, segments, annotations, read, stated=stated)


def _text(path: Path) -> str:
    with open_regular(path, MAX_TEXT) as file:
        raw = file.read()
    said = re.search(rb"^\s*Codepage\s*=\s*([\w-]+)", raw, re.MULTILINE | re.IGNORECASE)
    for encoding in (said[1].decode().lower() if said else "utf-8", "utf-8-sig", "cp1252"):
        try:
            return raw.decode({"ansi": "cp1252", "utf-8": "utf-8-sig"}.get(encoding, encoding))
        except (UnicodeDecodeError, LookupError):  # older recorders used Windows encodings without declaring them
            continue
    return raw.decode("latin-1")


def _sections(text: str) -> dict[str, dict[str, str]]:
    """Return keys and values of each section; section names and keys are in lower case."""
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.splitlines():
        if name := re.fullmatch(r"\s*\[(.+)\]\s*", line):
            section = found.setdefault(name[1].strip().lower(), {})
        elif "=" in line and not line.lstrip().startswith(";"):
            key, _, value = line.partition("=")
            section.setdefault(key.strip().lower(), value.strip())
    found.pop("comment", None)
    return found


def _number(path: Path, section: dict[str, str], key: str) -> float:
    try:
        return float(section[key.lower()].replace(",", "."))
    except KeyError:
        raise RecordingError(f"{path}: the header has no line {key}=") from None
    except ValueError:
        raise RecordingError(f"{path}: {key}={section[key.lower()]} is not a number") from None


def _companion(path: Path, common: dict[str, str], key: str, suffixes: tuple[str, ...]) -> Path | None:
    """Return the file named by a line of the header, or the one that was renamed with the header."""
    named = common.get(key.lower(), "")
    if not named:
        return None
    # The name at the time of recording: with a placeholder for the header's name, or a path of that machine.
    name = PureWindowsPath(named.replace("$b", path.stem)).name
    suffix = Path(name).suffix.lower()
    there = {file.name.lower(): file for file in sorted(path.parent.iterdir(), reverse=True)}
    for wanted in (name, *(path.stem + s for s in dict.fromkeys((suffix, *suffixes)) if s)):
        exact = path.parent / wanted
        found = exact if exact.is_file() else there.get(wanted.lower())
        if found is not None and found.is_file():
            if wanted != name:
                log.warning("%s: %s=%s does not exist; %s is used instead", path.name, key, named, wanted)
            return found
    words = (
        f"{path}: the header says {key}={named}, but neither that file nor {path.stem}{suffix or suffixes[0]} lies "
        f"beside it. Put it there, or correct the line {key}= in {path.name}: the files were renamed"
    )
    if key == "MarkerFile":
        log.warning("%s. There are no markers", words)
        return None
    raise RecordingError(words)


def _samples(
    path: Path, header: dict[str, dict[str, str]], data: Path, n_channels: int
) -> tuple[int, Callable[[int, int], NDArray[np.floating | np.integer]]]:
    """Return the number of samples, and a function that reads raw values, shape (n_samples, n_channels)."""
    common = header.get("common infos", {})
    vectorized = common.get("dataorientation", "MULTIPLEXED").upper() == "VECTORIZED"
    if common.get("dataformat", "BINARY").upper() == "ASCII":
        values = _ascii(header.get("ascii infos", {}), data, vectorized)
        if values.ndim != 2 or values.shape[1] != n_channels:
            raise RecordingError(f"{data}: {values.shape} numbers are not samples of {n_channels} channels")
        return len(values), lambda start, stop: values[start:stop]
    name = header.get("binary infos", {}).get("binaryformat", "INT_16").upper()
    if name not in _FORMATS:
        raise RecordingError(f"{path}: BinaryFormat={name} is not one of {', '.join(_FORMATS)}")
    dtype = np.dtype(_FORMATS[name])
    size = data.stat().st_size
    n_samples, rest = divmod(size, dtype.itemsize * n_channels)
    if rest:
        log.warning("%s: %s ends within a sample: the incomplete one is ignored", path.name, data.name)
    if vectorized and (rest or ("datapoints" in common and _number(path, common, "DataPoints") != n_samples)):
        raise RecordingError(
            f"{data}: {size} bytes are not {common.get('datapoints', 'so many')} points of each channel"
        )

    def read(start: int, stop: int) -> NDArray[np.floating | np.integer]:
        # Not memory-mapped: if the file shrank, an access would kill the program.
        with data.open("rb") as file:
            if not vectorized:
                file.seek(start * dtype.itemsize * n_channels)
                values = np.fromfile(file, dtype, (stop - start) * n_channels).reshape(-1, n_channels)
            else:
                rows = []
                for k in range(n_channels):
                    file.seek((k * n_samples + start) * dtype.itemsize)
                    rows.append(np.fromfile(file, dtype, stop - start))
                values = np.stack(rows, axis=1)
        if len(values) < stop - start:
            raise RecordingError(f"{data} has been truncated since it was opened")
        return values

    return n_samples, read


def _ascii(infos: dict[str, str], data: Path, vectorized: bool) -> NDArray[np.float64]:
    text = _text(data)
    if infos.get("decimalsymbol", ".") == ",":
        text = text.replace(",", ".")
    lines = [line.split() for line in text.splitlines()[int(infos.get("skiplines", 0)) :] if line.strip()]
    skipped = int(infos.get("skipcolumns", 0))
    values = np.array([[float(v) for v in line[skipped:]] for line in lines])
    return values.T if vectorized else values


def _describe(
    path: Path, header: dict[str, dict[str, str]], n_channels: int, sfreq: float, known: Mapping[str, str]
) -> tuple[StreamSpec, NDArray[np.float64], list[int], list[str]]:
    """Return the spec, factors for the samples, trigger channels, and units as stated."""
    rows = []
    for i in range(n_channels):
        line = header.get("channel infos", {}).get(f"ch{i + 1}")
        if line is None:
            raise RecordingError(f"{path}: the header has {n_channels} channels, but no line Ch{i + 1}=")
        name, _, resolution, unit = (*line.split(","), "", "", "")[:4]
        # The format's default unit is microvolts.
        rows.append((name.replace(r"\1", ","), float(resolution or 1), unit.strip() or "uV"))
    places = header.get("coordinates", {})
    has_places = any(not _position(line)[1] for line in places.values())
    volts = any(microvolts(unit) is not None for _, _, unit in rows)
    kinds, units, scale, positions, by_label, triggers = [], [], [], [], [], []
    for i, (name, step, unit) in enumerate(rows):
        factor, said = microvolts(unit), known.get(name) or kind_by_label(name)
        place, nowhere = _position(places.get(f"ch{i + 1}"))
        kind = (said or "eeg") if factor is not None or not (stated_unit(unit) or volts) else "misc"
        if said == "trigger":
            kind, unit, factor = "misc", "", None  # noqa: PLW2901
            triggers.append(i)
        elif kind == "eeg" and nowhere and has_places and not (name in known or is_place(name)):
            kind = "misc"
            by_label.append(f"{name} (without a place)")
        elif kind != "eeg" and factor is not None and name not in known:
            by_label.append(name)
        if factor is not None:
            unit, factor = ("uV", factor) if kind in ELECTRODES else ("V", factor * 1e-6)  # noqa: PLW2901
        kinds.append(kind)
        units.append(stated_unit(unit))
        scale.append(step if factor is None else step * factor)
        positions.append(place if kind in ELECTRODES else (math.nan,) * 3)
    if by_label:
        log.warning("%s: not brain electrodes, by their labels: %s", path.name, ", ".join(by_label))
    spec = StreamSpec(
        name=path.stem,
        sfreq=sfreq,
        ch_names=unique_names([name for name, _, _ in rows]),
        ch_types=tuple(kinds),
        units=tuple(units),
        positions=tuple(positions) if any(math.isfinite(p[0]) for p in positions) else None,
    )
    return spec, np.array(scale), triggers, [unit for _, _, unit in rows]


def _position(line: str | None) -> tuple[tuple[float, float, float], bool]:
    """Return the position of an electrode in metres, and whether the header states that it has none."""
    if line is None:
        return (math.nan,) * 3, False
    radius, theta, phi = (float(v) for v in line.split(",")[:3])
    if not radius:
        return (math.nan,) * 3, True
    # On a unit sphere, or in millimetres; theta from the vertex, phi from the right ear to the nose, in degrees.
    radius = _HEAD_M if radius == 1 else radius / 1e3
    theta, phi = math.radians(theta), math.radians(phi)
    flat = radius * math.sin(theta)
    return (flat * math.cos(phi), flat * math.sin(phi), radius * math.cos(theta)), False


def _markers(path: Path, common: dict[str, str]) -> list[_Marker]:
    file = _companion(path, common, "MarkerFile", (".vmrk", ".amrk"))
    if file is None:
        return []
    return list(_marker_lines(file))


def _marker_lines(file: Path) -> Iterator[_Marker]:
    for line in _text(file).splitlines():
        if not re.match(r"Mk\d+\s*=", line):
            continue
        kind, text, index, _, _, date = (*line.partition("=")[2].split(","), "", "", "", "")[:6]
        try:
            at = int(index) - 1
        except ValueError:
            log.warning("%s: left out, a marker at no sample: %s", file.name, line)
            continue
        yield _Marker(kind.replace(r"\1", ","), text.replace(r"\1", ","), at, date.strip())


def _segments(markers: list[_Marker], n_samples: int, sfreq: float, path: Path) -> list[Segment]:
    """Split where the recording was resumed after a pause; its length follows from the dates there."""
    begun = {}
    for marker in markers:
        if marker.kind == _SEGMENT:
            begun[marker.index] = _date(marker.date)
            if begun[marker.index] is None and marker.index > 0:
                log.warning("%s: a pause before sample %d has no date, and is left out", path.name, marker.index)
    first = begun.get(0)
    edges = [0, *sorted(i for i in begun if 0 < i < n_samples), n_samples]
    segments, paused = [], 0.0
    for start, stop in itertools.pairwise(edges):
        date = begun.get(start)
        if start and date is not None and first is not None:
            paused = max(paused, (date - first).total_seconds() - start / sfreq)
        segments.append(Segment(start, stop, start / sfreq + paused))
    return segments


def _date(text: str) -> datetime | None:
    if not re.fullmatch(r"\d{14,20}", text):
        return None
    try:
        return datetime.strptime(text.ljust(20, "0"), "%Y%m%d%H%M%S%f")
    except ValueError:  # mostly all zeros: anonymised
        return None

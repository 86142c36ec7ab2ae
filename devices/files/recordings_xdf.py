"""Read XDF recordings through pyxdf: one stream is the recording, its marker streams are annotations."""

from __future__ import annotations

import io
import logging
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files import xdf
from earmark.devices.files.journal import NewerFormatError, read_about
from earmark.devices.files.recording import Recording, RecordingError, Segment, in_words, segments_of, warnings_logged
from earmark.devices.files.sealed import undamaged
from earmark.devices.files.timeline import Timeline, read_timeline
from earmark.devices.files.xdf import XdfError
from earmark.devices.sources.lsl_description import StreamDescription, describe_xml
from earmark.devices.sources.overrides import MAX_CORRECTION, NOTHING, Overrides

log = logging.getLogger(__name__)

#: Maximum seconds from the recorder's last clock measurement to the end of the recording.
SPARE_S = 60.0
_EEG_TYPES = ("eeg", "seeg", "ecog", "ieeg")
#: Words in a stream type that make irregular numeric streams marker streams.
_MARKER_TYPES = ("marker", "stim", "event", "trigger", "annotation")
#: Types of streams that a session adds to those it received.
_OWN_TYPES = ("journal", "filtered")


def open_xdf(path: Path, wanted: str | None, sfreq: float | None = None) -> Recording:
    """Load a stream of an XDF file.

    Samples are placed by their stamps, like those of a live stream; see :mod:`earmark.devices.files.timeline`.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str or None
        Name, ``source_id`` or number of a stream; None takes the only one of type EEG, or the only regular one.
    sfreq : float, optional
        Rate in Hz to use instead of the declared one, if the stamps agree.

    Raises
    ------
    RecordingError
        If the file is damaged, or several streams could be meant.
    """
    import pyxdf

    with in_words(path), warnings_logged(path):
        with (
            _opened(path) as file,
            _without(logging.getLogger(pyxdf.load_xdf.__module__), "clock-segments differ", path),
        ):
            streams, _ = pyxdf.load_xdf(file, synchronize_clocks=True, dejitter_timestamps=False)
        recorded = _recorded_words(streams, path)
        chosen = _choose(streams, wanted, path, lambda stream: sfreq or recorded.get(_number(stream), NOTHING).sfreq)
        words = recorded.get(_number(chosen), NOTHING)
        sfreq = sfreq or words.sfreq
        description = _describe(chosen["info"])
        spec = description.spec.evolve(name=path.stem)
        stamps = np.asarray(chosen["time_stamps"], float)
        if sfreq is not None:
            _check_rate(path, stamps, sfreq, spec.sfreq)
            spec = spec.evolve(sfreq=sfreq)
        data = np.asarray(chosen["time_series"])
        if data.shape != (len(chosen["time_stamps"]), spec.n_channels):
            raise RecordingError(f"{path}: {data.shape} numbers are not samples of {spec.n_channels} channels")
        timeline, segments, time_of = _timeline(chosen, streams, spec.sfreq, path)
        annotations = [
            (time_of(float(stamp)), said.marker(sample))
            for stream in _markers([s for s in streams if s is not chosen], path)
            for said in [_describe(stream["info"])]
            for stamp, sample in zip(stream["time_stamps"], stream["time_series"], strict=True)
        ]

    def read(start: int, stop: int) -> NDArray[Any]:
        return data[start:stop]

    return Recording(spec, len(data), segments, annotations, read, timeline, None, description.untyped, words)


def _opened(path: Path) -> BinaryIO:
    """Open the file without its damaged parts, which are logged; the remaining streams have gaps there."""
    try:
        words, rest = undamaged(path)
    except xdf.XdfError as error:
        raise RecordingError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    for damage in words:
        log.warning("%s is damaged: %s; left out", path, damage)
    return path.open("rb") if rest is None else io.BytesIO(rest)


@contextmanager
def _without(logger: logging.Logger, words: str, path: Path) -> Iterator[None]:
    """Suppress the log line that applies to every file with unchanged stamps; log errors as warnings."""

    def other(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:  # text only, without the traceback
            log.warning("%s: pyxdf: %s", path.name, record.getMessage().strip())
            return False
        return words not in record.getMessage()

    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


def _field(stream: dict[str, Any], key: str) -> str:
    return str(stream["info"].get(key, [""])[0] or "")


def _is_own(stream: dict[str, Any]) -> bool:
    """Whether a session added this stream to those it received."""
    return _field(stream, "type").lower() in _OWN_TYPES and _field(stream, "source_id").startswith("earmark-")


def _markers(streams: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Return the marker streams: text, or numbers whose type says markers or that are single integers.

    The journal and the decisions of a recorded session are not markers.
    """
    found: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    for stream in streams:
        kind, fmt = _field(stream, "type").lower(), _field(stream, "channel_format")
        if _is_own(stream):
            continue
        if fmt == "string":
            found.append(stream)
        elif float(_field(stream, "nominal_srate")) == 0 and len(stream["time_stamps"]):
            called = any(word in kind for word in _MARKER_TYPES)
            code = "int" in fmt and _field(stream, "channel_count") == "1" and kind not in _EEG_TYPES
            (found if called or code else other).append(stream)
    if other:
        names = ", ".join(f"{_field(s, 'name')!r} (type {_field(s, 'type') or 'none'})" for s in other)
        log.warning("%s: left out, numbers at no regular rate that are no markers by their type: %s", path.name, names)
    return found


def _check_rate(path: Path, stamps: NDArray[np.float64], sfreq: float, declared: float) -> None:
    """Refuse a rate given by the user that contradicts the stamps."""
    steps, seconds = np.diff(stamps), float(stamps[-1] - stamps[0])
    found = [
        1 / step for step in (float(np.median(steps)) if len(steps) else 0.0, seconds / max(1, len(steps))) if step > 0
    ]
    if found and all(abs(sfreq / rate - 1) > MAX_CORRECTION for rate in found):
        said = " or ".join(f"{rate:.6g} Hz" for rate in dict.fromkeys(found))
        raise RecordingError(f"{path}: sfreq is {sfreq:g}, but its time stamps say {said}")
    if declared and sfreq != declared:
        log.warning("%s: sfreq %g Hz is used instead of %g Hz", path.stem, sfreq, declared)


def _number(stream: dict[str, Any]) -> int:
    return int(stream["info"]["stream_id"])


def _recorded_words(streams: list[dict[str, Any]], path: Path) -> dict[int, Overrides]:
    """Return the user's corrections stored in a session, by stream number."""
    for stream in streams:
        if _is_own(stream) and _field(stream, "type") == "Journal":
            described = next(iter(stream["info"]["desc"]), None)
            if not described or "earmark" not in described:  # the seals of a run, of which nothing is said
                continue
            try:
                about = read_about(described["earmark"][0])
                return {n: (about.overrides or {}).get(name, NOTHING) for n, name in enumerate(about.streams, 1)}
            except NewerFormatError as error:
                raise RecordingError(f"{path}: {error}") from None
            except (XdfError, KeyError, TypeError, IndexError) as error:
                log.warning("%s: what was said of its streams cannot be read: %s", path.name, error)
    return {}


def _choose(
    streams: list[dict[str, Any]],
    wanted: str | None,
    path: Path,
    sfreq: Callable[[dict[str, Any]], float | None],
) -> dict[str, Any]:
    """Choose the stream; ``sfreq`` is a rate given by the user for a stream without one."""

    def signal(stream: dict[str, Any]) -> bool:
        if _field(stream, "channel_format") == "string" or not len(stream["time_stamps"]):
            return False
        kind = _field(stream, "type").lower()
        marker = any(word in kind for word in _MARKER_TYPES)
        return float(_field(stream, "nominal_srate")) > 0 or (sfreq(stream) is not None and not marker)

    regular = [stream for stream in streams if signal(stream)]
    if wanted is not None:
        found = [
            s for s in regular if wanted in (_field(s, "name"), _field(s, "source_id"), str(s["info"]["stream_id"]))
        ]
    else:
        received = [s for s in regular if not _is_own(s)]
        found = [s for s in received if _field(s, "type").lower() in _EEG_TYPES] or received
    if len(found) == 1:
        return found[0]
    there = "; ".join(
        f"number {s['info']['stream_id']}, name {_field(s, 'name')!r}, type {_field(s, 'type')!r}, source_id "
        f"{_field(s, 'source_id')!r}, {_field(s, 'channel_count')} channels at {float(_field(s, 'nominal_srate')):g} Hz"
        for s in found or regular
    )
    if not regular:
        raise RecordingError(f"{path}: no stream has samples at a regular rate. {_why_not(streams)}")
    if not found:
        raise RecordingError(f"{path}: no stream {wanted!r}; there are: {there}")
    raise RecordingError(f"{path}: {len(found)} streams could be meant, choose one by its number or name: {there}")


def _why_not(streams: list[dict[str, Any]]) -> str:
    """Say why no stream is a regular signal."""
    said = []
    for stream in streams:
        what = f"{_field(stream, 'name')!r} (type {_field(stream, 'type') or 'none'})"
        if _field(stream, "channel_format") == "string":
            said.append(f"{what} is text")
        elif not len(stream["time_stamps"]):
            said.append(f"{what} was announced, but not one sample of it was recorded")
        else:
            n = len(stream["time_stamps"])
            said.append(f"{what} has {n} samples, but says no rate: if they are regular, give it by 'sfreq'")
    return "; ".join(said) or "It has no streams at all"


def _describe(info: Mapping[str, Any]) -> StreamDescription:
    # pyxdf returns the description as dictionaries of lists, and adds results of its own that are neither.
    root = _element("info", {k: v for k, v in info.items() if isinstance(v, list) and k not in _PYXDF_KEYS})
    return describe_xml(ET.tostring(root, encoding="unicode"))


_PYXDF_KEYS = ("stream_id", "effective_srate", "segments", "clock_segments")


def _element(tag: str, value: Any) -> ET.Element:
    element = ET.Element(tag)
    if isinstance(value, Mapping):
        element.extend(_element(key, child) for key, children in value.items() for child in children)
    else:
        element.text = value
    return element


def _timeline(
    stream: dict[str, Any], streams: list[dict[str, Any]], sfreq: float, path: Path
) -> tuple[Timeline, list[Segment], Callable[[float], float]]:
    """Place the samples by their stamps.

    Returns
    -------
    timeline : Timeline
        Times relative to the first sample.
    segments : list of Segment
        Its contiguous pieces.
    time_of : callable
        Converts a time stamp of any stream to that time.
    """
    stamps = np.asarray(stream["time_stamps"], float)
    if not np.isfinite(stamps).all():
        raise RecordingError(f"{path}: {np.count_nonzero(~np.isfinite(stamps))} time stamps are not numbers")
    found = read_timeline(path.name, stamps, sfreq, _latest(streams, len(stamps) / sfreq))
    for words in found.words:
        log.warning("%s: %s", path.name, words)
    begun = float(found.at(np.zeros(1))[0])
    timeline = found._replace(times=found.times - begun)
    set_at = [float(stamps[row]) for row, _ in found.steps]
    set_by = np.cumsum([0.0, *(by for _, by in found.steps)])

    def time_of(stamp: float) -> float:
        before = [k for k, at in enumerate(set_at, 1) if at - 0.5 / sfreq <= stamp]
        return stamp - float(set_by[before[-1] if before else 0]) - begun

    return timeline, segments_of(timeline), time_of


def _latest(streams: list[dict[str, Any]], seconds: float) -> float:
    """Return the latest clock measurement of the recorder, which makes them regularly."""
    looks = sorted(float(at) for stream in streams for at in stream.get("clock_times", []))
    if len(looks) < 3 or looks[-1] - looks[0] < seconds / 2:
        return math.inf
    return looks[-1] + SPARE_S

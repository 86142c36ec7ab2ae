"""Read FIF recordings through MNE."""

from __future__ import annotations

import gzip
import itertools
import logging
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recording import Recording, RecordingError, Segment, in_words, time_at, warnings_logged
from earmark.devices.files.triggers import codes, markers_of, untold
from earmark.pipeline.stream import ELECTRODES, StreamSpec

log = logging.getLogger(__name__)

#: FIFF unit codes and their names on LSL.
_FIFF_UNITS = {101: "Hz", 107: "V", 110: "S", 112: "T", 114: "degC", 201: "T/m"}
_SKIP = "BAD_ACQ_SKIP"  # MNE's annotation of samples that were not acquired, which it fills with zeros
_FIFF_HEAD = 4  # the coordinate frame to convert positions to
#: Trigger channels that combine the codes of all others.
_WHOLE = ("STI101", "STI014")
#: Samples per read when searching for codes.
_PIECE = 1 << 20


def open_fif(path: Path) -> Recording:
    """Open a FIF file, without loading it.

    Channels marked as bad become NaN. Codes on a trigger channel become markers, unless an annotation has the same
    event.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        If it is damaged or empty.
    """
    import mne

    with in_words(path), warnings_logged(path):
        _refuse_circle(path)
        raw = mne.io.read_raw_fif(path, preload=False, verbose="WARNING")
        if raw.n_times == 0:
            raise RecordingError(f"{path}: has no samples")
        n_samples = int(raw.n_times)
        spec, scale = _describe(raw, path.stem)
        # MNE counts onsets from the start of the acquisition, which may precede the first sample of the file.
        notes = [(a["onset"] - raw.first_time, a["duration"], str(a["description"])) for a in raw.annotations]
        segments = _segments(notes, n_samples, spec.sfreq)
        if not segments:
            raise RecordingError(f"{path}: the file marks all samples as not acquired")
        annotations = [
            (time_at(segments, spec.sfreq, onset * spec.sfreq), text)
            for onset, _, text in notes
            if text.upper() != _SKIP  # represented by the gap
        ]
        annotations += untold(_triggers(raw, path, segments, spec.sfreq), annotations, 1.5 / spec.sfreq)
    bads = [i for i, name in enumerate(raw.ch_names) if name in raw.info["bads"]]
    if bads:
        log.warning("%s: bad channels, by the file: %s", path.name, ", ".join(raw.ch_names[i] for i in bads))

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with in_words(path):
            data: NDArray[np.float64] = raw[:, start:stop][0].T * scale
        data[:, bads] = np.nan
        return data.astype(np.float32, order="C")

    stated = [_FIFF_UNITS.get(int(channel["unit"]), "") for channel in raw.info["chs"]]
    return Recording(spec, n_samples, segments, annotations, read, stated=stated)


def _refuse_circle(path: Path) -> None:
    """Refuse a file whose tags lead back to an earlier one: MNE would follow them for ever."""
    seen: set[int] = set()
    at = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while at >= 0:
            file.seek(at)
            if len(head := file.read(16)) < 16:
                return
            if at in seen:
                raise RecordingError(f"{path} is damaged: its tags lead back to byte {at}; copy the file again")
            seen.add(at)
            _, _, size, following = struct.unpack(">iIii", head)
            at = following or at + 16 + size


def _describe(raw: Any, name: str) -> tuple[StreamSpec, NDArray[np.float64]]:
    """Describe the channels, and return the factor for each by which MNE's values are multiplied."""
    nan = math.nan
    types, units, scale, positions = [], [], [], []
    for channel, kind in zip(raw.info["chs"], raw.get_channel_types(), strict=True):
        unit, factor = _FIFF_UNITS.get(int(channel["unit"]), ""), 1.0
        kind = {"dbs": "seeg"}.get(kind, kind if kind in ELECTRODES else "misc")  # noqa: PLW2901
        if kind in ELECTRODES and unit == "V":
            unit, factor = "uV", factor * 1e6
        x, y, z = (float(v) for v in channel["loc"][:3])
        if kind not in ELECTRODES or int(channel["coord_frame"]) != _FIFF_HEAD or x == y == z == 0:
            x = y = z = nan
        types.append(kind)
        units.append(unit)
        scale.append(factor)
        positions.append((x, y, z) if math.isfinite(x + y + z) else (nan, nan, nan))
    spec = StreamSpec(
        name=name,
        sfreq=float(raw.info["sfreq"]),
        ch_names=tuple(raw.ch_names),
        ch_types=tuple(types),
        units=tuple(units),
        positions=tuple(positions) if any(math.isfinite(p[0]) for p in positions) else None,
    )
    return spec, np.array(scale)


def _segments(notes: list[tuple[float, float, str]], n_samples: int, sfreq: float) -> list[Segment]:
    """Split where annotations mark missing samples or joined recordings.

    Parameters
    ----------
    notes : list of (float, float, str)
        Onset and duration in seconds, and description.
    """
    cuts, skips = set(), []
    for onset, duration, text in notes:
        start, stop = round(onset * sfreq), round((onset + duration) * sfreq)
        if text.upper() == _SKIP:
            skips.append((start, stop))
            cuts |= {start, stop}
        elif text == "EDGE boundary":
            cuts.add(start)
    edges = sorted({0, n_samples, *(i for i in cuts if 0 < i < n_samples)})
    return [
        Segment(start, stop, start / sfreq)
        for start, stop in itertools.pairwise(edges)
        if not any(a <= start < b for a, b in skips)
    ]


def _triggers(raw: Any, path: Path, segments: list[Segment], sfreq: float) -> list[tuple[float, str]]:
    """Return codes and times of the trigger channels; of the combined channel if there is one."""
    kinds = raw.get_channel_types()
    stim = [i for i, kind in enumerate(kinds) if kind == "stim"]
    whole = [i for name in _WHOLE for i in stim if raw.ch_names[i].replace(" ", "") == name]
    found = {}
    for i in whole[:1] or stim:
        pieces = (raw[i, at : at + _PIECE][0][0] for at in range(0, raw.n_times, _PIECE))
        changes = codes(np.rint(piece).astype(np.int64) for piece in pieces)
        if changes is None:
            log.warning("%s: channel %r is called a trigger, but has no codes", path.name, raw.ch_names[i])
            continue
        # Some systems stored 16-bit codes as signed numbers.
        found[raw.ch_names[i]] = [(time_at(segments, sfreq, at), v & 0xFFFF if v < 0 else v) for at, v in changes]
    return markers_of(path, found)

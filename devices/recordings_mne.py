"""FIF and BrainVision recordings through MNE's readers, and the gaps these do not tell of."""

from __future__ import annotations

import itertools
import logging
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.recordings import (
    Recording,
    RecordingError,
    Segment,
    in_words,
    time_at,
    warn_of_unknown_units,
    warnings_logged,
)
from pipeline.stream import ELECTRODES, StreamSpec
from pipeline.units import microvolts

log = logging.getLogger(__name__)

_READERS = {".fif": "read_raw_fif", ".vhdr": "read_raw_brainvision"}
#: FIFF unit codes and what they are called on LSL.
_FIFF_UNITS = {101: "Hz", 107: "V", 110: "S", 112: "T", 114: "degC", 201: "T/m"}
_SKIP = "BAD_ACQ_SKIP"  # how MNE calls samples that were not acquired; it fills in zeros
_FIFF_HEAD = 4  # the coordinate frame in which positions are wanted


def open_mne(path: Path) -> Recording:
    """Open a recording that MNE can read, without loading it.

    Parameters
    ----------
    path : Path
        A ``.fif`` or ``.vhdr`` file.

    Raises
    ------
    RecordingError
        If it is broken or empty.
    """
    suffix = path.suffix.lower()
    with in_words(path), warnings_logged(path):
        raw = _raw(path)
        if raw.n_times == 0:
            raise RecordingError(f"{path}: has no samples")
        n_samples = int(raw.n_times)
        spec, scale = _describe(raw, path.stem)
        # MNE counts onsets from the start of the acquisition, which may precede the first sample of the file.
        notes = [(a["onset"] - raw.first_time, a["duration"], str(a["description"])) for a in raw.annotations]
        pauses = _pauses(path) if suffix == ".vhdr" else {}
        segments = _segments(notes, pauses, n_samples, spec.sfreq)
        if not segments:
            raise RecordingError(f"{path}: nothing was acquired, it says of itself")
        annotations = [
            (time_at(segments, spec.sfreq, onset * spec.sfreq), text)
            for onset, _, text in notes
            if text.upper() != _SKIP  # the gap says it
        ]

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with in_words(path):
            data: NDArray[np.float64] = raw[:, start:stop][0].T * scale
        return data.astype(np.float32, order="C")

    return Recording(spec, n_samples, segments, annotations, read)


def _raw(path: Path) -> Any:
    import mne

    return getattr(mne.io, _READERS[path.suffix.lower()])(path, preload=False, verbose="WARNING")


def _describe(raw: Any, name: str) -> tuple[StreamSpec, NDArray[np.float64]]:
    """Describe the channels, and say by what to multiply the numbers that MNE returns for each."""
    nan = math.nan
    types, units, scale, positions = [], [], [], []
    for channel, kind in zip(raw.info["chs"], raw.get_channel_types(), strict=True):
        unit, factor = _FIFF_UNITS.get(int(channel["unit"]), ""), 1.0
        kind = {"dbs": "seeg"}.get(kind, kind if kind in ELECTRODES else "misc")  # noqa: PLW2901
        if not unit and microvolts(raw._orig_units.get(channel["ch_name"], "")):
            unit = "V"  # MNE forgets the unit of BrainVision channels without coordinates
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
    warn_of_unknown_units(spec)
    return spec, np.array(scale)


def _segments(
    notes: list[tuple[float, float, str]], pauses: dict[int, float], n_samples: int, sfreq: float
) -> list[Segment]:
    """Cut where annotations say that samples are missing or that recordings were joined.

    Parameters
    ----------
    notes : list of (float, float, str)
        Onset and duration in seconds, and description.
    pauses : dict
        Time in seconds at which a sample was taken, by its index, where a recording was resumed after a pause.
        A join whose time is not known takes none.
    """
    cuts, skips = set(pauses), []
    for onset, duration, text in notes:
        start, stop = round(onset * sfreq), round((onset + duration) * sfreq)
        if text.upper() == _SKIP:
            skips.append((start, stop))
            cuts |= {start, stop}
        elif text == "EDGE boundary" or text.startswith("New Segment/"):
            cuts.add(start)
    edges = sorted({0, n_samples, *(i for i in cuts if 0 < i < n_samples)})
    segments = []
    paused = 0.0
    for start, stop in itertools.pairwise(edges):
        paused = max(paused, pauses.get(start, 0.0) - start / sfreq)
        if not any(a <= start < b for a, b in skips):
            segments.append(Segment(start, stop, start / sfreq + paused))
    return segments


def _pauses(path: Path) -> dict[int, float]:
    """Seconds since sample 0 at which a BrainVision recording was resumed, by sample index."""
    named = re.search(r"^MarkerFile\s*=\s*(.+?)\s*$", _text(path), re.MULTILINE)
    markers = path.parent / named.group(1).replace("$b", path.stem) if named else None
    if markers is None or not markers.is_file():
        return {}
    found = re.findall(r"^Mk\d+=New Segment,[^,]*,(\d+),[^,]*,[^,]*,(\d{14,20})\s*$", _text(markers), re.MULTILINE)
    begun = {}
    for index, date in found:
        try:
            begun[int(index) - 1] = datetime.strptime(date.ljust(20, "0"), "%Y%m%d%H%M%S%f")
        except ValueError:  # all zeros, mostly: anonymised
            log.info("%s: sample %s began at no date, %s: any pause before it is left out", path.name, index, date)
    if 0 not in begun:
        return {}
    return {i: (date - begun[0]).total_seconds() for i, date in begun.items() if i}


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:  # older BrainVision recorders wrote Latin-1
        return data.decode("latin-1")

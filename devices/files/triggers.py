"""Turn the codes of a trigger channel into markers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.marker_values import marker_text

log = logging.getLogger(__name__)

#: A channel that changes in more than this share of its samples (and more than this number) is a waveform.
_MOST_CHANGES, _LEAST = 0.05, 100


def codes(pieces: Iterable[NDArray[np.integer]]) -> list[tuple[int, int]] | None:
    """Return the changes of a trigger channel.

    Parameters
    ----------
    pieces : iterable of array, shape (n,)
        All samples of the channel, in pieces.

    Returns
    -------
    list of (int, int) or None
        Index of the first sample with each new value, and that value. The initial value is not included: its onset is
        unknown. None if the channel is a waveform.
    """
    found: list[tuple[int, int]] = []
    last: int | None = None
    n = 0
    for piece in pieces:
        if not len(piece):
            continue
        before = np.concatenate([piece[:1] if last is None else [last], piece[:-1]])
        changed = np.flatnonzero(piece != before)
        found += [(n + int(i), int(piece[i])) for i in changed]
        last, n = int(piece[-1]), n + len(piece)
        if len(found) > max(_LEAST, _MOST_CHANGES * n):
            return None
    return found


def markers_of(path: Path, found: Mapping[str, Sequence[tuple[float, float]]]) -> list[tuple[float, str]]:
    """Return markers for the changes of a recording's trigger channels, and log their number.

    Parameters
    ----------
    path : Path
        The recording.
    found : mapping of str to sequence of (float, float)
        Time and value of each change, by channel. A return to 0 is not a marker.

    Returns
    -------
    list of (float, str)
        Time, and the value as text, with the channel before it (``NAME/VALUE``) if several channels have codes.
    """
    markers = {name: [(t, marker_text([v])) for t, v in changes if v] for name, changes in found.items()}
    markers = {name: marks for name, marks in markers.items() if marks}
    for name, marks in markers.items():
        log.warning("%s: %d codes on trigger channel %r are markers", path.name, len(marks), name)
    several = len(markers) > 1
    return [(t, f"{name}/{text}" if several else text) for name, marks in markers.items() for t, text in marks]


def untold(
    markers: Sequence[tuple[float, str]], annotations: Sequence[tuple[float, str]], slack: float
) -> list[tuple[float, str]]:
    """Return the markers without an annotation within ``slack`` seconds, so that no event is listed twice."""
    told = np.sort([time for time, text in annotations if not text.lower().startswith(("bad", "edge"))])
    if not len(told):
        return list(markers)
    times = np.array([time for time, _ in markers])
    after = np.searchsorted(told, times)
    behind, before = told[np.minimum(after, len(told) - 1)] - times, times - told[np.maximum(after - 1, 0)]
    far = np.minimum(np.abs(behind), np.abs(before)) > slack
    return [marker for marker, is_far in zip(markers, far, strict=True) if is_far]

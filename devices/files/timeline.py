"""Determine when the samples of a recording were taken, with the same processing of stamps as in a live stream.

Arrival times are unknown, so only stamps count: a lasting jump forward is a gap; a jump backward, or to a time that
cannot have been reached, is a step of the clock; stamps that jump and return are ignored. The time of a sample is
estimated from the stamps before and after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.clock_fit import MEMORY_S, ClockFit
from earmark.devices.sources.continuity import JITTERY_S, Continuity
from earmark.devices.sources.rate import LOST, percent, rate_words
from earmark.devices.sources.stamps import STEP_S, spread_equal
from earmark.kernels.words import counted
from earmark.pipeline.stream import Block, Gap

#: Seconds of stamps per step of the placement.
PIECE_S = 0.1
#: Seconds between points at which the rate may change, and minimum memory on either side of them.
KNOT_S = 1.0
#: Stamps that jump by more than this, in seconds, may jump and return.
LEAP_S = 1.0
#: Maximum difference in seconds to the nominal rate for stamps that were computed from it.
EXACT_S = 1e-6
#: Maximum distance of exact stamps, in seconds, from the lines by which they are replaced.
CORNER_S = 1e-9
#: Maximum number of further jumps until stamps return.
MOST_JUMPS = 64


class Timeline(NamedTuple):
    """When samples were taken, and which are missing.

    Attributes
    ----------
    starts, stops : array of int, shape (n_pieces,)
        First sample of each contiguous piece, and index after its last one.
    missing : array of int, shape (n_pieces,)
        Samples missing before each piece; 0 where a clock was set or pieces were joined.
    rows : array, shape (n_knots,)
        Rows of the knots, between which time is linear.
    times : array, shape (n_knots,)
        Times of the knots in seconds: by the stamps, on the clock of the first one.
    steps : tuple of (int, float)
        First sample after each step of the clock of the stamps, and the step in seconds.
    period : float
        Mean seconds per sample.
    words : tuple of str
        Messages for the user of the recording.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    missing: NDArray[np.int64]
    rows: NDArray[np.float64]
    times: NDArray[np.float64]
    steps: tuple[tuple[int, float], ...]
    period: float
    words: tuple[str, ...]

    def at(self, rows: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Return when samples were taken, in seconds; extrapolated linearly before the first and after the last one."""
        return interpolate(np.asarray(rows, np.float64), self.rows, self.times)


def interpolate(x: NDArray[np.float64], knots: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between two or more knots, and extrapolate from the outermost two."""
    k = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    slope = (values[k + 1] - values[k]) / (knots[k + 1] - knots[k])
    return np.asarray(values[k] + (x - knots[k]) * slope)


class _Kept(ClockFit):
    """A fit that keeps its input: index, number and mean stamp, on the clock of the first stamp."""

    def __init__(self, sfreq: float) -> None:
        super().__init__(sfreq)
        self.points: list[tuple[float, int, float]] = []
        self._set_by = 0.0

    def anchor(self, index: float, stamp: float) -> None:
        super().anchor(index, stamp)
        self.points.clear()

    def shift(self, seconds: float) -> None:
        super().shift(seconds)
        self._set_by += seconds if abs(seconds) > STEP_S else 0.0

    def add(self, index: int, n: int, stamp: float) -> None:
        super().add(index, n, stamp)
        self.points.append((index + (n - 1) / 2, n, stamp - self._set_by))


def read_timeline(name: str, stamps: NDArray[np.float64], sfreq: float, until: float = math.inf) -> Timeline:
    """Place the samples of a recording.

    Parameters
    ----------
    name : str
        Name of the recording.
    stamps : array, shape (n_samples,)
        In seconds, finite.
    sfreq : float
        Nominal rate in Hz.
    until : float
        Latest time, on the clock of the stamps, at which something was recorded.
    """
    stamps = spread_equal(np.asarray(stamps, np.float64), 1 / sfreq)
    n = len(stamps)
    leaps = _leaps(stamps, sfreq)
    for start, stop in leaps:
        stamps[start:stop] = np.nan
    fit = _Kept(sfreq)
    continuity = Continuity(name, sfreq, fit=fit, until=until)
    step, rows, index = max(1, round(PIECE_S * sfreq)), np.arange(n), 0
    edges, missing = [0], [0]
    placed = [
        item
        for start in range(0, n, step)
        for item, _ in continuity.add(rows[start : start + step], stamps[start : start + step], None)
    ]
    for item in (*placed, *(item for item, _ in continuity.flush())):
        if isinstance(item, Gap):
            edges.append(index)
            missing.append(item.stop - item.start)
        elif isinstance(item, Block):
            index += len(item.data)
    starts, stops, lost = np.array(edges), np.array([*edges[1:], n]), np.array(missing)
    moved = np.cumsum(lost)  # index minus row, by piece
    points = np.array(fit.points) if fit.points else np.array([[0.0, 1, float(stamps[0])]])
    period, scatter = _whole(points, 1 / sfreq)
    steps = tuple(
        (int(at - moved[np.searchsorted(starts + moved, at, side="right") - 1]), by) for at, by in continuity.steps
    )
    ideal = stamps[starts].repeat(stops - starts) + (rows - starts.repeat(stops - starts)) / sfreq
    if np.abs(stamps - ideal).max() < EXACT_S:
        period, (at_rows, times) = 1 / sfreq, _even(starts, stops, stamps[starts], 1 / sfreq)
    else:
        at_rows, times = _knots(points, starts, stops, moved, period, scatter)
    words = [f"the clock of its stamps was set by {by:+.4g} s at sample {row}" for row, by in steps]
    words += _words(points, n, lost, sfreq, period, scatter, continuity.rate.blind)
    words += [continuity.rate.regular_words] if continuity.rate.regular_words else []
    if leaps:
        count = sum(stop - start for start, stop in leaps)
        words.append(f"{count} time stamps jump and return: these samples are placed by their number")
    return Timeline(starts, stops, lost, at_rows, times, steps, period, tuple(words))


def even_timeline(pieces: Sequence[tuple[int, int, float]], sfreq: float) -> Timeline:
    """Return times for a file without stamps: each piece, (start, stop, seconds), runs at the nominal rate."""
    starts, stops = (np.array([piece[k] for piece in pieces], np.int64) for k in (0, 1))
    begun = np.array([piece[2] for piece in pieces])
    ends = begun + (stops - starts) / sfreq
    missing = np.concatenate([[0], np.round((begun[1:] - ends[:-1]) * sfreq)]).astype(np.int64)
    rows, times = _even(starts, stops, begun, 1 / sfreq)
    return Timeline(starts, stops, np.maximum(missing, 0), rows, times, (), 1 / sfreq, ())


def exact_timeline(pieces: Sequence[NDArray[np.float64]], sfreq: float) -> Timeline:
    """Return times for stamps that are known exactly, such as converted ones, and are not smoothed.

    Parameters
    ----------
    pieces : sequence of array, shape (n_samples,)
        Stamps of each contiguous piece in seconds, not decreasing.
    sfreq : float
        Nominal rate in Hz.
    """
    lengths = np.array([len(stamps) for stamps in pieces])
    starts = np.cumsum(lengths) - lengths
    ends = [float(stamps[-1]) + 1 / sfreq for stamps in pieces]
    jumps = [float(stamps[0]) - end for stamps, end in zip(pieces[1:], ends, strict=False)]
    missing = np.array([0, *(max(0, round(jump * sfreq)) for jump in jumps)])
    rows, times = [], []
    for start, stamps in zip(starts.tolist(), pieces, strict=True):
        if len(stamps) == 1:
            rows.append(start + np.array([0.0, 0.5]))
            times.append(stamps[0] + np.array([0.0, 0.5 / sfreq]))
        else:
            corners = _corners(stamps)
            rows.append(start + corners.astype(np.float64))
            times.append(stamps[corners])
    period = sum(float(stamps[-1] - stamps[0]) for stamps in pieces) / max(1, int((lengths - 1).sum())) or 1 / sfreq
    return Timeline(starts, starts + lengths, missing, np.concatenate(rows), np.concatenate(times), (), period, ())


def _corners(stamps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return samples between which stamps lie on lines, to within :data:`CORNER_S`."""
    found, stack = {0, len(stamps) - 1}, [(0, len(stamps) - 1)]
    while stack:
        a, b = stack.pop()
        line = stamps[a] + np.arange(b - a + 1) * ((stamps[b] - stamps[a]) / (b - a))
        off = np.abs(stamps[a : b + 1] - line)
        k = a + int(np.argmax(off))
        if off[k - a] > CORNER_S:
            found.add(k)
            stack += [(a, k), (k, b)]
    return np.array(sorted(found))


def _even(
    starts: NDArray[np.int64], stops: NDArray[np.int64], begun: NDArray[np.float64], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place knots at both ends of each piece; there are no samples between pieces."""
    last = np.maximum(stops - 1, starts + 0.5)
    rows = np.column_stack([starts, last]).ravel()
    return rows, np.column_stack([begun, begun + (last - starts) * period]).ravel()


def _leaps(stamps: NDArray[np.float64], sfreq: float) -> list[tuple[int, int]]:
    """Find stamps that jump away and return to where they would have been."""
    moves = np.diff(stamps) - 1 / sfreq
    jumps = (np.flatnonzero(np.abs(moves) > LEAP_S) + 1).tolist()
    found: list[tuple[int, int]] = []
    free = 0
    for k, start in enumerate(jumps):
        if start < free:
            continue
        size = moves[start - 1]
        for stop in jumps[k + 1 : k + 1 + MOST_JUMPS]:
            off = stamps[stop] - stamps[start - 1] - (stop - start + 1) / sfreq
            if moves[stop - 1] * size < 0 and abs(off) < min(abs(size) / 2, LEAP_S + 1e-3 * (stop - start) / sfreq):
                found.append((start, stop))
                free = stop
                break
    return found


def _whole(points: NDArray[np.float64], nominal: float) -> tuple[float, float]:
    """Return seconds per sample over all points, and the scatter of neighbouring points around that."""
    index, weight, stamp = points.T
    off = stamp - index * nominal
    if len(points) < 3:
        return nominal, 0.0
    x, y = index - np.average(index, weights=weight), off - np.average(off, weights=weight)
    spread = float(weight @ (x * x))
    period = nominal + (float(weight @ (x * y)) / spread if spread else 0.0)
    moves = np.diff(stamp) - np.diff(index) * period
    return period, float(np.median(np.abs(moves - np.median(moves))))


def _knots(
    points: NDArray[np.float64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    moved: NDArray[np.int64],
    period: float,
    scatter: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit time around a knot in each second: a weighted line through the neighbouring points."""
    memory = min(MEMORY_S, max(KNOT_S / 2, MEMORY_S * (scatter / JITTERY_S) ** 2)) / period
    every = max(KNOT_S / period, memory / 4)
    prior = (max(scatter, 1e-6) / 2e-4) ** 2 / period**2
    index, weight, stamp = points.T
    off = stamp - stamp[0] - (index - index[0]) * period
    far = np.flatnonzero(np.diff(moved, prepend=moved[0]) * period > STEP_S)  # no line is fitted across a long gap
    bounds = np.concatenate([[-np.inf], (starts + moved)[far].astype(float), [np.inf]])
    rows, times = [], []
    for start, stop, shift in zip(starts.tolist(), stops.tolist(), moved.tolist(), strict=True):
        last = max(stop - 1, start + 0.5)
        for row in np.linspace(start, last, 1 + max(1, round((last - start) / every))).tolist():
            at = row + shift
            k = np.searchsorted(bounds, at, side="right")
            reach = max(bounds[k - 1], at - 8 * memory), min(bounds[k], at + 8 * memory)
            near = slice(*np.searchsorted(index, reach))
            if near.start == near.stop:
                near = slice(max(0, near.start - 1), near.start + 1)
            distance = index[near] - at
            w = weight[near] * np.exp(-np.abs(distance) / memory)
            w = w if w.sum() > 0 else weight[near]
            x, y = float(w @ distance) / w.sum(), float(w @ off[near]) / w.sum()
            slope = float(w @ ((distance - x) * off[near])) / (float(w @ (distance - x) ** 2) + prior)
            rows.append(row)
            times.append(float(stamp[0] + (at - index[0]) * period + y - x * slope))
    return np.array(rows), np.maximum.accumulate(times)


def _words(
    points: NDArray[np.float64],
    n: int,
    lost: NDArray[np.int64],
    sfreq: float,
    period: float,
    scatter: float,
    blind: bool,
) -> list[str]:
    words = []
    seconds = points[-1, 0] * period
    off = abs(1 / (period * sfreq) - 1)
    if seconds > 2 and 4 * scatter / seconds < off and (said := rate_words(1 / period, sfreq, blind)):
        words.append(f"{said}. Each sample has the time of its stamp")
    share = float(lost.sum()) / (n + float(lost.sum()))
    if share > LOST:
        gaps = counted(int(np.count_nonzero(lost)), "gap")
        words.append(f"{lost.sum()} samples are missing in {gaps}, {percent(share)}")
    return words

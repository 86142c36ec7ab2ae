"""A recording that can be read piece by piece, whatever kind of file it comes from."""

from __future__ import annotations

import copy
import logging
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.timeline import Timeline, even_timeline
from earmark.devices.sources.overrides import NOTHING, OverrideError, Overrides, few
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts

log = logging.getLogger(__name__)

SUFFIXES = (".fif", ".edf", ".bdf", ".vhdr", ".xdf")


class RecordingError(EarmarkError, ValueError):
    """Raised when a recording is missing, damaged, ambiguous or of an unknown format."""


class Segment(NamedTuple):
    """Samples ``start`` to ``stop`` follow each other without a gap.

    Attributes
    ----------
    start, stop : int
        Indices of the first sample and after the last one.
    time : float
        When the first sample was taken, in seconds since sample 0.
    """

    start: int
    stop: int
    time: float


class Recording:
    """A recording that can be read piece by piece.

    Made by :func:`earmark.devices.files.recordings.open_recording`.

    Parameters
    ----------
    read : callable
        Returns the samples from the first to before the second number given, shape (n, n_channels).

    Attributes
    ----------
    spec : StreamSpec
        Name of the file without suffix, rate, channels; electrodes in ``uV``, everything else in its own unit.
        Where a file does not say in which unit an electrode is, the unit is empty and the numbers are the file's.
    n_samples : int
        Number of samples that can be read.
    segments : list of Segment
        The contiguous pieces in order of time, never empty. What lies between them was not recorded.
    timeline : Timeline
        When samples were taken, to begin with the first one; samples outside all segments have no time.
    annotations : list of (float, str)
        Onset in seconds since sample 0, and description; sorted, none outside the recording.
    stated : tuple of str
        Unit of each channel as the file states it.
    untyped : tuple of int
        Channels whose type it does not say, or by a word that is not known.
    words : Overrides
        What the user said of it when it was recorded.
    """

    def __init__(
        self,
        spec: StreamSpec,
        n_samples: int,
        segments: Sequence[Segment],
        annotations: Iterable[tuple[float, str]],
        read: Callable[[int, int], NDArray[Any]],
        timeline: Timeline | None = None,
        stated: Sequence[str] | None = None,
        untyped: Sequence[int] = (),
        words: Overrides = NOTHING,
    ) -> None:
        self.spec, self.n_samples, self.segments = spec, n_samples, list(segments)
        self.timeline = timeline or even_timeline(self.segments, spec.sfreq)
        self.stated, self.untyped = tuple(spec.units if stated is None else stated), tuple(untyped)
        self.words = words
        self._read = read
        # Formats round onsets: what is off by less than a sample is not outside.
        slack, end = 1 / spec.sfreq, self.duration
        inside = [(float(t), text) for t, text in annotations if -slack < t < end + slack]
        self.annotations = sorted((min(max(t, 0.0), end), text) for t, text in inside)

    @property
    def duration(self) -> float:
        """Seconds from sample 0 to the end of the last sample, gaps included."""
        return self.time_at(self.segments[-1].stop)

    @property
    def n_gaps(self) -> int:
        """How often samples are missing."""
        return int(np.count_nonzero(self.timeline.missing))

    def time_at(self, index: float) -> float:
        """When a sample was taken, in seconds since sample 0."""
        return float(self.timeline.at(np.array([index]))[0])

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """When samples ``start`` to ``stop`` of one segment were taken, in seconds since sample 0."""
        return self.timeline.at(np.arange(start, stop))

    def changed(
        self,
        spec: StreamSpec,
        annotations: Iterable[tuple[float, str]],
        read: Callable[[int, int], NDArray[np.float32]],
        stated: Sequence[str],
    ) -> Recording:
        """Return a recording of the same samples, in time, that is described otherwise.

        Parameters
        ----------
        spec, annotations, read, stated
            As when it was made.
        """
        other = copy.copy(self)
        other.spec, other.annotations, other._read = spec, sorted(annotations), read
        other.stated = tuple(stated)
        return other

    def overridden(self, overrides: Overrides) -> Recording:
        """Return the same recording after the user's word, now and when it was recorded.

        Raises
        ------
        RecordingError
            If that does not fit.
        """
        try:
            applied = overrides.over(self.words).apply(self.spec.evolve(units=self.stated), self.untyped)
        except OverrideError as error:
            raise RecordingError(f"{self.spec.name}: {error}") from None
        kept = range(self.spec.n_channels) if applied.indices is None else applied.indices
        units, scale = [], []
        for i, kind, unit in zip(kept, applied.spec.ch_types, applied.spec.units, strict=True):
            factor = microvolts(unit) if kind in ELECTRODES else None
            # The numbers as the file has them, of which the reader may have made microvolts.
            stated, read = microvolts(self.stated[i]), microvolts(self.spec.units[i])
            units.append(self.spec.units[i] if factor is None else "uV")
            scale.append(1.0 if factor is None else factor / (stated / read if stated and read else 1.0))
        spec, slower = applied.spec.evolve(units=tuple(units)), self.spec.sfreq / applied.spec.sfreq
        segments = [segment._replace(time=segment.time * slower) for segment in self.segments]
        timeline = self.timeline._replace(times=self.timeline.times * slower, period=self.timeline.period * slower)
        notes = [(time * slower, text) for time, text in self.annotations]
        factors = None if all(factor == 1 for factor in scale) else np.array(scale)

        def read_taken(start: int, stop: int) -> NDArray[Any]:
            data = applied.take(self._read(start, stop))
            return data if factors is None else data * factors

        applied.warn(self.spec.name)
        _warn_of_unknown_units(spec)
        return Recording(spec, self.n_samples, segments, notes, read_taken, timeline)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read samples.

        Parameters
        ----------
        start, stop : int
            Index of the first sample and after the last one.

        Returns
        -------
        array of float32, shape (stop - start, n_channels)
            In the units of the spec. Samples outside all segments are not data.

        Raises
        ------
        RecordingError
            If the recording has no such samples, or its file can no longer be read.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise RecordingError(f"{self.spec.name}: no samples {start} to {stop}, it has {self.n_samples}")
        if start == stop:
            return np.empty((0, self.spec.n_channels), np.float32)
        return self._read(start, stop).astype(np.float32, order="C")


def segments_of(timeline: Timeline) -> list[Segment]:
    """Return the contiguous pieces of a timeline."""
    begun = timeline.at(timeline.starts)
    pieces = zip(timeline.starts.tolist(), timeline.stops.tolist(), begun.tolist(), strict=True)
    return [Segment(*piece) for piece in pieces]


def time_at(segments: Sequence[Segment], sfreq: float, index: float) -> float:
    """When a sample of a file without stamps was taken, in seconds since sample 0; the index may lie in a gap."""
    segment = segments[max(bisect_right(segments, index, key=lambda s: s.start) - 1, 0)]
    return segment.time + (index - segment.start) / sfreq


def _warn_of_unknown_units(spec: StreamSpec) -> None:
    """Log which electrodes are in no unit of voltage."""
    channels = zip(spec.ch_names, spec.ch_types, spec.units, strict=True)
    unknown = [f"{name} ({unit or 'none'})" for name, kind, unit in channels if kind in ELECTRODES and unit != "uV"]
    if unknown:
        log.warning(
            "%s: numbers left as they are, as their unit is not known: %s. Give it by 'unit'", spec.name, few(unknown)
        )


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn whatever a reader makes of a broken file into a RecordingError."""
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:  # a broken file may break its parser in any way
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise RecordingError(f"{path}: broken, or not what its suffix says ({said})") from error


@contextmanager
def warnings_logged(path: Path) -> Iterator[None]:
    """Turn a reader's warnings into log lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        yield
    for warning in caught:
        if "naming conventions" not in str(warning.message):
            log.warning("%s: %s", path.name, warning.message)

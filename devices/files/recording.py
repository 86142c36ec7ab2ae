"""A recording that can be read piece by piece, independent of its file format."""

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

from earmark.devices.files.regular_file import must_be_regular
from earmark.devices.files.timeline import Timeline, even_timeline
from earmark.devices.sources.overrides import NOTHING, OverrideError, Overrides, few
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts

log = logging.getLogger(__name__)

SUFFIXES = (".fif", ".edf", ".bdf", ".vhdr", ".xdf")


class RecordingError(EarmarkError, ValueError):
    """Raised when a recording is missing, damaged, ambiguous or of an unknown format."""


def must_be_readable(path: Path) -> None:
    """Check that a path is a file that can be read, and not a device or a pipe; raise RecordingError if not."""
    try:
        must_be_regular(path)
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from None


class Segment(NamedTuple):
    """Samples ``start`` to ``stop``, which are contiguous.

    Attributes
    ----------
    start, stop : int
        Index of the first sample, and index after the last one.
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
        Returns samples ``start`` to ``stop``, shape (stop - start, n_channels).

    Attributes
    ----------
    spec : StreamSpec
        Name of the file without suffix, rate, channels; electrodes in ``uV``, other channels in their own units. If a
        file does not state the unit of an electrode, the unit is empty and the values are those of the file.
    n_samples : int
        Number of samples that can be read.
    segments : list of Segment
        The contiguous pieces in order of time, never empty. Nothing was recorded between them.
    timeline : Timeline
        When samples were taken, relative to the first one; samples outside all segments have no time.
    annotations : list of (float, str)
        Onset in seconds since sample 0, and description; sorted, none outside the recording.
    stated : tuple of str
        Unit of each channel as stated by the file.
    untyped : tuple of int
        Channels whose type is not stated or not known.
    words : Overrides
        The user's corrections stored in the recording.
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
        # Formats round onsets: an onset less than a sample outside counts as inside.
        slack, end = 1 / spec.sfreq, self.duration
        inside = [(float(t), text) for t, text in annotations if -slack < t < end + slack]
        self.annotations = sorted((min(max(t, 0.0), end), text) for t, text in inside)

    @property
    def duration(self) -> float:
        """Seconds from sample 0 to the end of the last sample, gaps included."""
        return self.time_at(self.segments[-1].stop)

    @property
    def n_gaps(self) -> int:
        """Number of gaps."""
        return int(np.count_nonzero(self.timeline.missing))

    def time_at(self, index: float) -> float:
        """Return when a sample was taken, in seconds since sample 0."""
        return float(self.timeline.at(np.array([index]))[0])

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return when samples ``start`` to ``stop`` of one segment were taken, in seconds since sample 0."""
        return self.timeline.at(np.arange(start, stop))

    def changed(
        self,
        spec: StreamSpec,
        annotations: Iterable[tuple[float, str]],
        read: Callable[[int, int], NDArray[np.float32]],
        stated: Sequence[str],
    ) -> Recording:
        """Return a recording with the same samples and times but other metadata.

        Parameters
        ----------
        spec, annotations, read, stated
            As in the constructor.
        """
        other = copy.copy(self)
        other.spec, other.annotations, other._read = spec, sorted(annotations), read
        other.stated = tuple(stated)
        return other

    def overridden(self, overrides: Overrides) -> Recording:
        """Return the same recording with the user's corrections applied, those stored in it and these.

        Raises
        ------
        RecordingError
            If they do not fit the recording.
        """
        try:
            applied = overrides.over(self.words).apply(self.spec.evolve(units=self.stated), self.untyped)
        except OverrideError as error:
            raise RecordingError(f"{self.spec.name}: {error}") from None
        kept = range(self.spec.n_channels) if applied.indices is None else applied.indices
        units, scale = [], []
        for i, kind, unit in zip(kept, applied.spec.ch_types, applied.spec.units, strict=True):
            factor = microvolts(unit) if kind in ELECTRODES else None
            # The values in the file, which the reader may have converted to microvolts.
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
            Index of the first sample, and index after the last one.

        Returns
        -------
        array of float32, shape (stop - start, n_channels)
            Values in the units of the spec; invalid outside all segments.

        Raises
        ------
        RecordingError
            If the recording does not have these samples, or its file can no longer be read.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise RecordingError(f"{self.spec.name}: no samples {start} to {stop}, it has {self.n_samples}")
        if start == stop:
            return np.empty((0, self.spec.n_channels), np.float32)
        return self._read(start, stop).astype(np.float32, order="C")


def segments_of(timeline: Timeline) -> list[Segment]:
    """Return the contiguous pieces of a timeline as segments."""
    begun = timeline.at(timeline.starts)
    pieces = zip(timeline.starts.tolist(), timeline.stops.tolist(), begun.tolist(), strict=True)
    return [Segment(*piece) for piece in pieces]


def time_at(segments: Sequence[Segment], sfreq: float, index: float) -> float:
    """Return when a sample of a file without stamps was taken, in seconds since sample 0; also inside gaps."""
    segment = segments[max(bisect_right(segments, index, key=lambda s: s.start) - 1, 0)]
    return segment.time + (index - segment.start) / sfreq


def _warn_of_unknown_units(spec: StreamSpec) -> None:
    """Log the electrodes whose unit is not a voltage."""
    channels = zip(spec.ch_names, spec.ch_types, spec.units, strict=True)
    unknown = [f"{name} ({unit or 'none'})" for name, kind, unit in channels if kind in ELECTRODES and unit != "uV"]
    if unknown:
        log.warning(
            "%s: values are not scaled, because their unit is not known: %s. Set it by 'unit'", spec.name, few(unknown)
        )


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn any error of a reader on a damaged file into a RecordingError, and log what the reader said."""
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:  # a damaged file may cause any error in its parser
        log.info("%s: %s: %s", path, type(error).__name__, error)
        if isinstance(error, OSError) and error.strerror:
            raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
        kind = {".vhdr": "BrainVision"}.get(path.suffix.lower(), path.suffix[1:].upper())
        why = (
            "needs more memory than there is"
            if isinstance(error, MemoryError)
            else f"is damaged or not in {kind} format"
        )
        raise RecordingError(
            f"{path} cannot be read, because it {why}: copy or export it again ('earmark --verbose' shows details)"
        ) from error


@contextmanager
def warnings_logged(path: Path) -> Iterator[None]:
    """Log the warnings of a reader."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        yield
    for warning in caught:
        if "naming conventions" not in str(warning.message):
            log.warning("%s: %s", path.name, warning.message)

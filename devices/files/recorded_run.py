"""Turn a recording and the speech that was heard during it into runs for training and evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.timeline import Timeline, read_timeline
from earmark.devices.sources.stamps import STEP_S
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.decoding_graph import NEURAL, decoding_graph
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.graph import Graph
from earmark.pipeline.run import Run
from earmark.pipeline.stream import Aligned, Block, ClockMap, Gap, Item, StreamSpec, WiringError

log = logging.getLogger(__name__)

#: Maximum number of values of one recording at the decoding rate: 36 h of 64 channels at 64 Hz.
MAX_NUMBERS = 1 << 29
#: Seconds of each stream per step.
PIECE_S = 0.5


class RunError(EarmarkError, ValueError):
    """Raised when a file is not a run, or not a usable one."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One stream of a recording.

    Attributes
    ----------
    spec : StreamSpec
        Spec of the source.
    stamps : array, shape (n_samples,)
        When each sample was taken, in seconds; samples are missing where they jump.
    read : callable
        Returns samples ``start`` to ``stop``, shape (stop - start, n_channels); NaN where nothing was measured.
    timeline : Timeline, optional
        When each sample was taken, if that is known better than by fitting a clock to the stamps.
    """

    spec: StreamSpec
    stamps: NDArray[np.float64]
    read: Callable[[int, int], NDArray[Any]]
    timeline: Timeline | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A part of a recording during which the same talkers spoke; it becomes a run.

    Attributes
    ----------
    name : str
        Name of the run.
    start, stop : float
        Seconds on the time axis of the recording.
    talkers, stimuli : tuple of str
        Name of each talker, and identity of what the talker said.
    attended : tuple of (float, str)
        Times in seconds from which each talker was attended; ``""`` for none.
    """

    name: str
    start: float
    stop: float
    talkers: tuple[str, ...]
    stimuli: tuple[str, ...]
    attended: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One recording, independent of its file format.

    Attributes
    ----------
    source : str
        Name of the recording in error messages.
    subject : str
        Identity of the listener.
    neural : Signal
        Electrodes.
    speech : tuple of Signal
        Envelopes of all first talkers of the trials, of all second talkers, ...
    trials : tuple of Trial
        In order of time, one or more.
    ends : bool
        Whether its end is known, so that filters and the alignment release the samples that they hold back. It is not
        in a recorded session, whose decoder never received them.
    """

    source: str
    subject: str
    neural: Signal
    speech: tuple[Signal, ...]
    trials: tuple[Trial, ...]
    ends: bool = True


def prepare(recorded: RecordedRun, preset: Preset) -> list[Run]:
    """Make one run per trial from a recording, with the same nodes that a live session uses.

    Channels that live decoding would mask are zero here too.

    Raises
    ------
    RunError
        If the preset does not fit the rate or channels, or no trial has data.
    """
    sources = {"neural": recorded.neural, **{f"talker {k}": signal for k, signal in enumerate(recorded.speech)}}
    n_features = recorded.speech[0].spec.n_channels
    graph = decoding_graph(preset, "neural", [*sources][1:], n_features, 4 * PIECE_S)
    specs = {name: signal.spec for name, signal in sources.items()}
    items = _interleave(sources, recorded.ends)
    return cut(recorded.source, recorded.subject, graph, specs, items, recorded.trials)


def cut(
    source: str,
    subject: str,
    graph: Graph,
    specs: Mapping[str, StreamSpec],
    items: Iterable[tuple[str, Item]],
    trials: Sequence[Trial],
) -> list[Run]:
    """Feed a decoding graph with a whole recording and cut its output into one run per trial.

    Parameters
    ----------
    source, subject : str
        Name of the recording in error messages, and the listener.
    graph : Graph
        From :func:`earmark.pipeline.attention.decoding_graph.decoding_graph`, not yet open.
    specs : mapping of str to StreamSpec
        Specs of the streams that the graph is fed with.
    items : iterable of (str, Item)
        The whole recording, in order.
    trials : sequence of Trial
        In order of time.

    Raises
    ------
    RunError
        If the graph does not fit, or no trial has data. A single trial without data is logged and left out.
    """
    try:
        graph.open(specs)
    except WiringError as error:
        raise RunError(f"{source}: {error}") from None
    found = [item for name, piece in items for _, item in graph.feed(name, piece)]
    pieces = [item for item in found if isinstance(item, Aligned)]
    if not pieces:
        raise RunError(f"{source}: neural signal and talkers do not overlap in time")
    first, stop = pieces[0].start, pieces[-1].stop
    ch_names = graph.specs[NEURAL].ch_names
    n_talkers, _, n_features = pieces[0].talkers.shape
    if (stop - first) * len(ch_names) > MAX_NUMBERS:
        hours = (stop - first) / graph.specs[NEURAL].sfreq / 3600
        raise RunError(f"{source} spans {hours:.3g} h of {len(ch_names)} channels, gaps included: cut it into parts")
    x, y = np.zeros((stop - first, len(ch_names))), np.zeros((n_talkers, stop - first, n_features))
    known = np.zeros(stop - first, dtype=bool)
    for piece in pieces:
        rows = slice(piece.start - first, piece.stop - first)
        x[rows] = piece.neural if piece.bad is None else np.where(piece.bad, 0.0, piece.neural)
        y[:, rows], known[rows] = piece.talkers, True
    times = _times(found, first, stop)
    runs: list[Run] = []
    empty: list[str] = []
    sfreq = graph.specs[NEURAL].sfreq
    for trial in trials:
        inside = np.flatnonzero((times >= trial.start) & (times < trial.stop))
        rows = slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0)
        if not known[rows].any():
            empty.append(trial.name)
            continue
        attended = _attended(trial, times[rows])
        attended[~known[rows]] = -1
        runs.append(
            Run(
                trial.name,
                subject,
                sfreq,
                ch_names,
                x[rows],
                trial.talkers,
                y[:, rows],
                attended,
                trial.stimuli,
            )
        )
    if empty and not runs:
        raise RunError(f"{source}: nothing was recorded of {', '.join(map(repr, empty))}")
    if empty:
        log.warning("%s: nothing was recorded of %s: left out", source, ", ".join(map(repr, empty)))
    return runs


def _times(items: Sequence[Item], first: int, stop: int) -> NDArray[np.float64]:
    """Return when samples ``first`` to ``stop`` were taken, each by the last clock map before it."""
    times = np.empty(stop - first)
    clock: ClockMap | None = None
    done = first
    for item in items:
        if isinstance(item, ClockMap):
            clock = item
        elif isinstance(item, Aligned) and clock is not None:
            # Missing samples before it are timed by the same map.
            times[done - first : item.stop - first] = (
                clock.time0 + (np.arange(done, item.stop) - clock.index0) * clock.period
            )
            done = item.stop
    return times


def _attended(trial: Trial, times: NDArray[np.floating]) -> NDArray[np.int64]:
    attended = np.full(len(times), -1)
    for time, name in sorted(trial.attended, key=lambda event: event[0]):
        attended[times >= time] = trial.talkers.index(name) if name else -1
    return attended


def _interleave(sources: dict[str, Signal], ends: bool) -> Iterator[tuple[str, Item]]:
    """Merge all streams in order of time, in pieces, so that no stream waits long for another."""
    pieces = [(time, name, what) for name, signal in sources.items() for time, what in _pieces(name, signal, ends)]
    pieces.sort(key=lambda piece: piece[0])
    for _, name, what in pieces:
        if isinstance(what, tuple):
            at, start, stop = what
            yield name, Block(at, sources[name].read(start, stop))
        else:
            yield name, what


def _pieces(name: str, signal: Signal, ends: bool) -> Iterator[tuple[float, ClockMap | Gap | tuple[int, int, int]]]:
    """Yield gaps, clock maps, and blocks as (index, first row, last row), each with the time at which it is due."""
    sfreq, stamps = signal.spec.sfreq, signal.stamps
    found = signal.timeline or read_timeline(name, stamps, sfreq)
    step = max(1, round(PIECE_S * sfreq))
    index, at = 0, float(stamps[0])
    for start, stop, missing in zip(found.starts.tolist(), found.stops.tolist(), found.missing.tolist(), strict=True):
        ahead = index + missing - start  # index minus row
        first = float(found.at(np.array([start]))[0])
        if missing:
            yield first, Gap(index, index + missing, missing / sfreq <= STEP_S)
        inside = found.rows[(found.rows >= start) & (found.rows < stop)]
        at_knots = found.at(inside)
        lines = np.column_stack([inside[:-1] + ahead, at_knots[:-1], np.diff(at_knots) / np.diff(inside)]).tolist()
        edges = [start, *np.ceil(inside[1:-1]).astype(int).tolist(), stop]
        for numbers, (begin, end) in zip(lines, pairwise(edges), strict=True):
            line = ClockMap(*numbers)
            yield line.time(begin + ahead), line
            for row in range(begin, end, step):
                last = min(row + step, end)
                at = line.time(last - 1 + ahead)
                yield at, (row + ahead, row, last)
        index = stop + ahead
    if ends:
        yield at, Gap(index, index)  # release held samples

"""A recording with what was heard during it, and the way from there to runs that decoders learn from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.timeline import read_timeline
from earmark.devices.sources.stamps import STEP_S
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.decoding_graph import NEURAL, decoding_graph
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.graph import Graph
from earmark.pipeline.run import Run
from earmark.pipeline.stream import Aligned, Block, ClockMap, Gap, Item, StreamSpec, WiringError

log = logging.getLogger(__name__)

#: Most numbers of one recording at the rate of decoding: 36 h of 64 channels at 64 Hz.
MAX_NUMBERS = 1 << 29
#: Seconds of each stream that are fed at a time.
PIECE_S = 0.5


class RunError(EarmarkError, ValueError):
    """Raised when a file is no run, or none that can be used as asked for."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One stream of a recording.

    Attributes
    ----------
    spec : StreamSpec
        As it comes from its source.
    stamps : array, shape (n_samples,)
        When each sample was taken, in seconds; where they jump, samples are missing.
    read : callable
        Gives samples ``start`` to ``stop``, shape (stop - start, n_channels); NaN where nothing was measured.
    """

    spec: StreamSpec
    stamps: NDArray[np.float64]
    read: Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A part of a recording during which the same talkers spoke; it becomes a run.

    Attributes
    ----------
    name : str
        Of the run.
    start, stop : float
        Seconds on the time axis of the recording.
    talkers, stimuli : tuple of str
        Name of each talker, and identity of what was said.
    attended : tuple of (float, str)
        From when on, in seconds, which talker was attended; ``""`` for nobody.
    """

    name: str
    start: float
    stop: float
    talkers: tuple[str, ...]
    stimuli: tuple[str, ...]
    attended: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One recording, whatever format it came in.

    Attributes
    ----------
    source : str
        What errors call it.
    subject : str
        Who listened.
    neural : Signal
        Electrodes.
    speech : tuple of Signal
        Envelopes of the first talker of every trial, of the second, ...
    trials : tuple of Trial
        In order of time, one or more.
    """

    source: str
    subject: str
    neural: Signal
    speech: tuple[Signal, ...]
    trials: tuple[Trial, ...]


def prepare(recorded: RecordedRun, preset: Preset) -> list[Run]:
    """Make runs from a recording, through the very nodes that a live session uses: one for each trial.

    A channel that live decoding would not trust counts as zero here too.

    Raises
    ------
    RunError
        If the preset does not fit the rate or channels, or nothing is left of any trial.
    """
    sources = {"neural": recorded.neural, **{f"talker {k}": signal for k, signal in enumerate(recorded.speech)}}
    n_features = recorded.speech[0].spec.n_channels
    graph = decoding_graph(preset, "neural", [*sources][1:], n_features, 4 * PIECE_S)
    specs = {name: signal.spec for name, signal in sources.items()}
    return cut(recorded.source, recorded.subject, graph, specs, _interleave(sources), recorded.trials)


def cut(
    source: str,
    subject: str,
    graph: Graph,
    specs: Mapping[str, StreamSpec],
    items: Iterable[tuple[str, Item]],
    trials: Sequence[Trial],
) -> list[Run]:
    """Feed a decoding graph with all of a recording and cut what comes out into one run for each trial.

    Parameters
    ----------
    source, subject : str
        What errors call the recording, and who listened.
    graph : Graph
        From :func:`earmark.pipeline.attention.decoding_graph.decoding_graph`, not yet open.
    specs : mapping of str to StreamSpec
        Of the streams that it is fed.
    items : iterable of (str, Item)
        All of the recording, in order.
    trials : sequence of Trial
        In order of time.

    Raises
    ------
    RunError
        If the graph does not fit, or nothing is left of any trial. One of which nothing is left is logged, and left
        out.
    """
    try:
        graph.open(specs)
    except WiringError as error:
        raise RunError(f"{source}: {error}") from None
    found = [item for name, piece in items for _, item in graph.feed(name, piece)]
    pieces = [item for item in found if isinstance(item, Aligned)]
    if not pieces:
        raise RunError(f"{source}: neural signal and talkers have no instant in common")
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
    """When samples ``first`` to ``stop`` were taken, each by the clock map that came before it."""
    times = np.empty(stop - first)
    clock: ClockMap | None = None
    done = first
    for item in items:
        if isinstance(item, ClockMap):
            clock = item
        elif isinstance(item, Aligned) and clock is not None:
            # What is missing before it has its time by the same map.
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


def _interleave(sources: dict[str, Signal]) -> Iterator[tuple[str, Item]]:
    """All streams in pieces, in order of time: nothing has to wait long for anything."""
    pieces = [(time, name, what) for name, signal in sources.items() for time, what in _pieces(name, signal)]
    pieces.sort(key=lambda piece: piece[0])
    for _, name, what in pieces:
        if isinstance(what, tuple):
            at, start, stop = what
            yield name, Block(at, sources[name].read(start, stop))
        else:
            yield name, what


def _pieces(name: str, signal: Signal) -> Iterator[tuple[float, ClockMap | Gap | tuple[int, int, int]]]:
    """Gaps, clock maps, and blocks as (index, first row, last row), each with the time at which it is due."""
    sfreq, stamps = signal.spec.sfreq, signal.stamps
    found = read_timeline(name, stamps, sfreq)
    step = max(1, round(PIECE_S * sfreq))
    index, at = 0, float(stamps[0])
    for start, stop, missing in zip(found.starts.tolist(), found.stops.tolist(), found.missing.tolist(), strict=True):
        ahead = index + missing - start  # of a row, its index
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
    yield at, Gap(index, index)  # the end: let what is held go

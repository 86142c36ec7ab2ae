"""Figures of a recorded session: pure functions of decisions, cues, gains and journal lines.

Nothing here opens a file; :mod:`earmark.app.report.read_session` reads and replays a recording and calls
:func:`measure`. Times are in seconds from the first decision and may be negative, unless stated to be LSL times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.app.engine.latency_stages import STAGES, TOTAL, StageTimer
from earmark.devices.files.journal import About, DecisionLine, HeardLine, Line, PlacesLine, SoundLine
from earmark.devices.files.session_run import REORIENT_S
from earmark.devices.sources.rate import BLIND, LOST, percent, rate_words
from earmark.pipeline.attention.gain_control import STALE_S, Situation
from earmark.pipeline.evaluation.metrics import Reliability, chance_limit, switch_latencies
from earmark.pipeline.stream import Decision

#: Seconds after a cue before decisions are expected to be correct.
STEADY_S = 10.0
#: Sampling interval for shares of time, s.
GRID_S = 0.5
#: Gain that stands for silence, dB.
SILENCE_DB = -60.0
#: Clock maps to skip, at one per second, before the measured rate is reliable.
SETTLED = 10

#: Journal lines in order, one sequence per engine.
Journals = Sequence[Sequence[Line]]


@dataclass(frozen=True)
class Decisions:
    """All decisions, in columns, ordered by time.

    Attributes
    ----------
    times : array, shape (n,)
        Time from which each decision holds, s, ascending.
    newest : array, shape (n,)
        Time of the newest sample of its window, s; NaN for a decision that was triggered by a control command alone.
    scores, probability, gains : array, shape (n, n_talkers)
        Scores (NaN for a decision that was triggered by a control command alone), posterior, and target gain in dB
        (minus infinity: silence).
    talker : array of int, shape (n,)
        Index of the decided talker; -1 for none.
    steered : array of bool, shape (n,)
        Whether gains followed the posterior and were set.
    """

    times: NDArray[np.float64]
    newest: NDArray[np.float64]
    scores: NDArray[np.float64]
    probability: NDArray[np.float64]
    gains: NDArray[np.float64]
    talker: NDArray[np.int64]
    steered: NDArray[np.bool_]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether each decision has a score; shape (n,)."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))


@dataclass(frozen=True)
class Cues:
    """Cues: which talker the listener was told to attend to, and when.

    Attributes
    ----------
    times : array, shape (m,)
        Time of each cue, s, ascending.
    talkers : array of int, shape (m,)
        Index of the cued talker; -1 for none.
    """

    times: NDArray[np.float64]
    talkers: NDArray[np.int64]

    def at(self, times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the cued talker at each time (-1: none), and the seconds since that cue (-inf before the first)."""
        newest = np.searchsorted(self.times, times, side="right") - 1
        if not len(self.times):
            return np.full(len(times), -1), np.full(len(times), -np.inf)
        cued = np.where(newest >= 0, self.talkers[newest.clip(0)], -1)
        return cued, np.where(newest >= 0, times - self.times[newest.clip(0)], -np.inf)


@dataclass(frozen=True)
class Grid:
    """Cue and newest decision at regular instants, so that time without decisions is counted too.

    Attributes
    ----------
    times : array, shape (n,)
        The instants, s.
    cued : array of int, shape (n,)
        Index of the cued talker; -1 for none.
    since : array, shape (n,)
        Seconds since that cue.
    newest : array of int, shape (n,)
        Index of the newest scored decision; -1 if there is none yet.
    fresh : array of bool, shape (n,)
        Whether that decision is at most :data:`earmark.pipeline.attention.gain_control.STALE_S` old.
    """

    times: NDArray[np.float64]
    cued: NDArray[np.int64]
    since: NDArray[np.float64]
    newest: NDArray[np.int64]
    fresh: NDArray[np.bool_]

    @property
    def steady(self) -> NDArray[np.bool_]:
        """Whether the cue is at least :data:`STEADY_S` old; shape (n,)."""
        return (self.cued >= 0) & (self.since >= STEADY_S)


@dataclass(frozen=True)
class Measured:
    """Figures of decisions compared with cues.

    Attributes
    ----------
    times : array, shape (n,)
        Time of each decision, in seconds from the first one.
    probability, gains : array, shape (n, n_talkers)
        Posterior, and target gain in dB (minus infinity: silence).
    decided, cued : array of int, shape (n,)
        Index of the decided talker, and of the cued talker; -1 for none.
    n_windows, n_right : int
        Number of non-overlapping decision windows that begin at least two seconds after a cue, and of those in which
        the cued talker had the highest score.
    chance_limit : float
        Share of correct windows that guessing reaches with p = 0.05; NaN if there are too few windows.
    covered : float
        Share of the cued time with a decision at most one second old; NaN without cues.
    steady, tmr_db : float
        From ten seconds after each cue: share of the time with a decision for the cued talker (time without a decision
        counts as wrong); and mean gain of the cued talker relative to the loudest other one in dB, while gains followed
        decisions. NaN if there is no such time.
    latencies : array, shape (n_switches,)
        Seconds from each switch to the first correct decision that lasts; NaN if there was none.
    stages : dict of str to array
        Durations in s of each stage of :mod:`earmark.app.engine.latency_stages`, and of their total.
    n_dropped : int
        Decisions that came too late to set gains.
    delivered_db : float
        Of a mixture: mean change of the level of the cued talker against the others at the ears in dB, in the time of
        ``tmr_db``; NaN if talkers are played one by one.
    """

    times: NDArray[np.float64]
    probability: NDArray[np.float64]
    gains: NDArray[np.float64]
    decided: NDArray[np.int64]
    cued: NDArray[np.int64]
    n_windows: int
    n_right: int
    chance_limit: float
    covered: float
    steady: float
    tmr_db: float
    latencies: NDArray[np.float64]
    stages: dict[str, NDArray[np.float64]]
    n_dropped: int
    delivered_db: float


@dataclass(frozen=True)
class SessionFigures(Measured):
    """Figures and description of one recording.

    Attributes
    ----------
    talkers : tuple of str
        Names of the talkers.
    begin : float
        LSL time of the first decision; all other times are seconds from there.
    cues : tuple of (float, str)
        Time and talker of each cue.
    accuracy : dict or str
        Accuracy by decision window, as returned by
        :meth:`earmark.pipeline.evaluation.results.Evaluation.to_json`; or the reason why it was not measured.
    masked : dict of str to float
        Share of the time in which each electrode was masked.
    gaps : dict of str to (int, int)
        Number of gaps and of missing samples, for each stream with gaps.
    rates : dict of str to str
        Remarks on the sampling rate and on missing samples, for each stream that needs one.
    sound : dict
        Counters of the audio process at the end.
    events : tuple of (float, str)
        Time and text of the messages during the session.
    n_files, whole : int, bool
        Number of files: more than one if the engine was replaced. Whether the last file is complete.
    damage : tuple of str
        Damaged parts of the files, which were left out.
    about : About
        Configuration, environment and other metadata of the recording.
    posterior, smoothed : Reliability or None
        How true the posterior was, live, and with the scores that followed; None if that was not measured.
    subject : str
        The listener.
    ended, seconds : float
        Time at which the recording was last written, in seconds since 1970, and its length in s; NaN if not known.
    amplifier : str
        The stream of the brain signals in words; empty if not known.
    """

    talkers: tuple[str, ...]
    begin: float
    cues: tuple[tuple[float, str], ...]
    accuracy: dict[str, Any] | str
    masked: dict[str, float]
    gaps: dict[str, tuple[int, int]]
    rates: dict[str, str]
    sound: dict[str, Any]
    events: tuple[tuple[float, str], ...]
    n_files: int
    whole: bool
    damage: tuple[str, ...]
    about: About
    posterior: Reliability | None = None
    smoothed: Reliability | None = None
    subject: str = ""
    ended: float = float("nan")
    seconds: float = float("nan")
    amplifier: str = ""


def measure(
    decisions: Decisions,
    cues: Cues,
    journals: Journals,
    *,
    end: float,
    window_s: float,
    hop_s: float,
    begin: float = 0.0,
) -> Measured:
    """Compute all figures of decisions compared with cues.

    Parameters
    ----------
    decisions : Decisions
        At least one.
    cues : Cues
        May be empty.
    journals : sequence of sequences of Line
        Journal lines, one sequence per engine.
    end : float
        Time at which the recording ends, s.
    window_s, hop_s : float
        Length of a decision window, and interval between decisions, s.
    begin : float
        LSL time that became 0.
    """
    grid = sample(decisions, cues, end)
    n_windows, n_right = count_windows(decisions, cues, window_s, hop_s)
    return Measured(
        times=decisions.times,
        probability=decisions.probability,
        gains=decisions.gains,
        decided=decisions.talker,
        cued=cues.at(decisions.times)[0],
        n_windows=n_windows,
        n_right=n_right,
        chance_limit=chance_limit(n_windows, decisions.scores.shape[1]) if n_windows else float("nan"),
        covered=covered(grid),
        steady=steady_share(decisions, grid),
        tmr_db=steady_tmr(decisions, grid),
        latencies=latencies_of_switches(decisions, cues, hop_s),
        stages=stage_latencies(journals),
        n_dropped=count_dropped(journals),
        delivered_db=steady_delivered(decisions, grid, journals, begin),
    )


def in_columns(decisions: Sequence[Decision], begin: float, *, steering: bool = True) -> Decisions:
    """Put decisions into columns, ordered by time.

    Parameters
    ----------
    decisions : sequence of Decision
        At least one, with LSL times.
    begin : float
        LSL time that becomes 0.
    steering : bool
        Whether decisions set gains; False in an open loop.
    """
    ordered = sorted(decisions, key=lambda one: one.time)
    return Decisions(
        np.array([one.time for one in ordered]) - begin,
        np.array([one.newest_time for one in ordered]) - begin,
        np.stack([one.scores for one in ordered]),
        np.stack([one.probability for one in ordered]),
        np.stack([one.gains for one in ordered]),
        np.array([one.talker for one in ordered], np.int64),
        np.array([steering and one.situation == Situation.STEERED for one in ordered]),
    )


def count_windows(decisions: Decisions, cues: Cues, window_s: float, hop_s: float) -> tuple[int, int]:
    """Count decision windows, and those in which the cued talker had a higher score than any other.

    A window ends at its newest sample. Only windows are counted that do not overlap (within half a hop, because times
    jitter) and that begin at least :data:`earmark.devices.files.session_run.REORIENT_S` after the newest cue.
    """
    cued, since = cues.at(decisions.newest)
    usable = decisions.scored & (cued >= 0) & (since >= REORIENT_S + window_s)
    n, right, last = 0, 0, -np.inf
    for i in np.flatnonzero(usable):
        if decisions.newest[i] - last >= window_s - hop_s / 2:
            n, last = n + 1, decisions.newest[i]
            others = np.delete(decisions.scores[i], cued[i])
            right += int(decisions.scores[i, cued[i]] > others.max())
    return n, right


def sample(decisions: Decisions, cues: Cues, end: float) -> Grid:
    """Sample cue and newest decision every :data:`GRID_S`, from the first cue (or else first decision) to ``end``."""
    times = np.arange(cues.times[0] if len(cues.times) else 0.0, end, GRID_S)
    cued, since = cues.at(times)
    scored = np.flatnonzero(decisions.scored)
    at = np.searchsorted(decisions.times[scored], times, side="right") - 1
    newest = np.where(at >= 0, scored[at.clip(0)], -1) if len(scored) else np.full(len(times), -1)
    fresh = (newest >= 0) & (times - decisions.times[newest] <= STALE_S)
    return Grid(times, cued, since, newest, fresh)


def covered(grid: Grid) -> float:
    """Return the share of the cued time with a fresh decision; NaN without cues."""
    return _mean(grid.fresh[grid.cued >= 0])


def steady_share(decisions: Decisions, grid: Grid) -> float:
    """Return the share of steady time with a fresh decision for the cued talker; NaN without steady time."""
    right = grid.fresh & (decisions.talker[grid.newest] == grid.cued)
    return _mean(right[grid.steady])


def steady_tmr(decisions: Decisions, grid: Grid) -> float:
    """Return the mean :func:`tmr` of the cued talker in steady time while gains followed fresh decisions, or NaN."""
    followed = grid.steady & grid.fresh & decisions.steered[grid.newest]
    return _mean(tmr(decisions.gains[grid.newest[followed]], grid.cued[followed]))


def steady_delivered(decisions: Decisions, grid: Grid, journals: Journals, begin: float) -> float:
    """Return the mean change of the cued talker's level against the others, in the time of :func:`steady_tmr`, or NaN.

    Parameters
    ----------
    decisions : Decisions
    grid : Grid
    journals : sequence of sequences of Line
        Journal lines, one sequence per engine.
    begin : float
        LSL time that became 0.
    """
    followed = grid.steady & grid.fresh & decisions.steered[grid.newest]
    found = []
    for line in (line for lines in journals for line in lines if isinstance(line, PlacesLine)):
        at = int(np.searchsorted(grid.times, line.at - begin, side="right")) - 1
        if at >= 0 and line.at - begin - grid.times[at] <= GRID_S and followed[at]:
            change = line.delivered_db[grid.cued[at]] if grid.cued[at] < len(line.delivered_db) else None
            found += [] if change is None else [change]
    return _mean(np.array(found))


def tmr(gains: NDArray[np.float64], talker: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the target-to-masker ratio in dB that gains cause between equally loud talkers.

    Parameters
    ----------
    gains : array, shape (n, n_talkers)
        dB; silence counts as :data:`SILENCE_DB`.
    talker : array of int, shape (n,)
        Index of the target. The masker is the loudest other talker.
    """
    loud = np.maximum(gains, SILENCE_DB)
    rows = np.arange(len(loud))
    others = loud.copy()
    others[rows, talker] = -np.inf
    return np.asarray(loud[rows, talker] - others.max(axis=1))


def latencies_of_switches(decisions: Decisions, cues: Cues, hop_s: float) -> NDArray[np.float64]:
    """Return the seconds from each switch to the first correct decision that lasts; NaN if none before the next cue.

    A switch is a cue that names another talker than the previous cue that named one. The first cue is no switch, and
    neither is a cue that repeats the talker after a pause.
    """
    cued, _ = cues.at(decisions.times)
    usable = decisions.scored & (cued >= 0)
    right = (decisions.talker == cued)[usable]
    named = cues.talkers >= 0
    found = switch_latencies(decisions.times[usable], right, cues.times[named].tolist(), hop_s)
    talkers = cues.talkers[named]
    return np.asarray(found[1:][talkers[1:] != talkers[:-1]])


def at_newest_sample(lines: Sequence[Line], decisions: Sequence[Decision]) -> list[Line]:
    """Return the journal lines of one engine, with each decision's newest-sample time corrected where needed.

    Older recordings stored the time from which a decision held instead. That is later than the newest sample if a
    control command arrived in between, which made the first latency stage appear too short.
    """
    found: list[Line] = []
    for line in lines:
        if isinstance(line, DecisionLine) and line.scored and 0 < line.decision <= len(decisions):
            decision = decisions[line.decision - 1]
            found.append(replace(line, newest=decision.newest_time) if decision.time == line.newest else line)
        else:
            found.append(line)
    return found


def stage_latencies(journals: Journals) -> dict[str, NDArray[np.float64]]:
    """Return the durations in s of every latency stage, and of their total, for scored decisions that set gains.

    Every engine numbers its decisions from one, so decisions are never matched across engines.
    """
    found: dict[str, list[float]] = {name: [] for name in (*STAGES, TOTAL)}
    for lines in journals:
        timer = StageTimer()
        for line in lines:
            if isinstance(line, DecisionLine) and line.scored and line.set_at is not None:
                times = (line.newest, line.arrival, line.decided, line.set_at)
                for name, seconds in timer.decided(line.decision, *times).items():
                    found[name].append(seconds)
            elif isinstance(line, HeardLine) and line.heard_at is not None:
                last = timer.heard(line.decision, line.heard_at)
                if last is not None:
                    found[STAGES[-1]].append(last)
    return {name: np.array(values) for name, values in found.items()}


def count_dropped(journals: Journals) -> int:
    """Count the decisions that came too late to set gains."""
    return sum(isinstance(line, DecisionLine) and line.set_at is None for lines in journals for line in lines)


def sound_counters(journals: Journals) -> dict[str, Any]:
    """Return the last recorded counters of the audio process."""
    found: dict[str, Any] = {}
    for lines in journals:
        for line in lines:
            found |= line.sound.named() if isinstance(line, SoundLine) else {}
    return found


def stream_rates(
    nominal: Mapping[str, float],
    periods: Mapping[str, Sequence[float]],
    n_samples: Mapping[str, int],
    n_missing: Mapping[str, int],
    events: Iterable[str],
) -> dict[str, str]:
    """Describe each stream whose measured rate is off or that lost samples, by its clock maps after ten seconds.

    Parameters
    ----------
    nominal : mapping of str to float
        Declared rate in Hz of each regular stream.
    periods : mapping of str to sequence of float
        Seconds between samples, from each clock map in turn.
    n_samples, n_missing : mapping of str to int
        Number of received and of missing samples.
    events : iterable of str
        Messages of the live session: they tell whether lost samples of a stream could not be located.

    Returns
    -------
    dict of str to str
        Remarks by stream; streams without remarks are left out.
    """
    found, messages = {}, list(events)
    for name, declared in nominal.items():
        remarks, settled = [], periods.get(name, [])[SETTLED:]
        lost, n = n_missing.get(name, 0), n_samples.get(name, 0)
        blind = any(f"{name}: " in words and BLIND in words for words in messages)
        if settled and (words := rate_words(1 / float(np.median(settled)), declared, blind)):
            remarks.append(words)
        if lost > LOST * (n + lost):
            remarks.append(f"{percent(lost / (n + lost))} of the samples are missing")
        if remarks:
            found[name] = "; ".join(remarks)
    return found


def sometimes_masked(masked: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the electrodes that were masked for part of the time, worst first."""
    return sorted(((name, share) for name, share in masked.items() if share), key=lambda one: -one[1])


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")

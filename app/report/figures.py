"""Figures of a recorded session: pure functions of decisions, cues, gains and lines of the journal.

Nothing here opens a file; :mod:`earmark.app.report.read_session` reads and replays a recording and calls
:func:`measure`. All times are seconds from the first decision, which may be negative, unless they are said to be LSL
times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.app.engine.latency_stages import STAGES, TOTAL, StageTimer
from earmark.devices.files.journal import About, DecisionLine, HeardLine, Line, SoundLine
from earmark.devices.files.session_run import REORIENT_S
from earmark.devices.sources.rate import BLIND, LOST, percent, rate_words
from earmark.pipeline.attention.gain_control import STALE_S, Situation
from earmark.pipeline.evaluation.metrics import chance_limit, switch_latencies
from earmark.pipeline.stream import Decision

#: Seconds after a cue from which on decisions are expected to be right.
STEADY_S = 10.0
#: Seconds between the instants at which the share of time is sampled.
GRID_S = 0.5
#: What silence counts as, in dB.
SILENCE_DB = -60.0
#: Clock maps, of which there is one a second, until a rate is known.
SETTLED = 10

#: What engines noted beside signals, in order: the lines of the journal, one sequence per engine.
Journals = Sequence[Sequence[Line]]


@dataclass(frozen=True)
class Decisions:
    """All decisions, in columns, ordered by time.

    Attributes
    ----------
    times : array, shape (n,)
        Since when each holds, ascending.
    newest : array, shape (n,)
        When the newest sample of its window was; NaN where a decision comes from control alone.
    scores, probability, gains : array, shape (n, n_talkers)
        Scores (NaN where a decision comes from control alone), posterior, and target gain in dB (minus infinity is
        silence).
    talker : array of int, shape (n,)
        Who was decided for; -1 for nobody.
    steered : array of bool, shape (n,)
        Whether gains followed the posterior, and were set.
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
        """Which come from a score; shape (n,)."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))


@dataclass(frozen=True)
class Cues:
    """Who was to be attended to from when on.

    Attributes
    ----------
    times : array, shape (m,)
        When each cue was given, ascending.
    talkers : array of int, shape (m,)
        Whom it named; -1 for nobody.
    """

    times: NDArray[np.float64]
    talkers: NDArray[np.int64]

    def at(self, times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tell who was to be attended to at some times (-1 is nobody), and for how many seconds that had been so."""
        newest = np.searchsorted(self.times, times, side="right") - 1
        if not len(self.times):
            return np.full(len(times), -1), np.full(len(times), -np.inf)
        cued = np.where(newest >= 0, self.talkers[newest.clip(0)], -1)
        return cued, np.where(newest >= 0, times - self.times[newest.clip(0)], -np.inf)


@dataclass(frozen=True)
class Grid:
    """What held at regular instants, so that time without decisions counts as what it is.

    Attributes
    ----------
    times : array, shape (n,)
        The instants.
    cued : array of int, shape (n,)
        Who was to be attended to; -1 for nobody.
    since : array, shape (n,)
        Seconds since that cue.
    newest : array of int, shape (n,)
        Index of the newest scored decision; -1 if there is none.
    fresh : array of bool, shape (n,)
        Whether that one is at most :data:`earmark.pipeline.attention.gain_control.STALE_S` old.
    """

    times: NDArray[np.float64]
    cued: NDArray[np.int64]
    since: NDArray[np.float64]
    newest: NDArray[np.int64]
    fresh: NDArray[np.bool_]

    @property
    def steady(self) -> NDArray[np.bool_]:
        """Where a cue has been there for :data:`STEADY_S`; shape (n,)."""
        return (self.cued >= 0) & (self.since >= STEADY_S)


@dataclass(frozen=True)
class Measured:
    """Figures of decisions against cues.

    Attributes
    ----------
    times : array, shape (n,)
        Of every decision, in seconds from the first one.
    probability, gains : array, shape (n, n_talkers)
        Posterior, and target gain in dB (minus infinity is silence).
    decided, cued : array of int, shape (n,)
        Who was decided for, and who was to be attended to; -1 for nobody.
    n_windows, n_right : int
        Decision windows that do not overlap, begun at least two seconds after a cue, and those in which the talker
        cued had the highest score.
    chance_limit : float
        Share that guessing reaches one time in twenty; NaN if there are too few windows to tell.
    covered : float
        Share of the time under a cue in which a decision was there that was no older than a second; NaN without cues.
    steady, tmr_db : float
        From ten seconds after each cue on: share of the time in which the talker cued was decided for, which it was not
        where no decision was there; and how much louder than the loudest other one it was made, on average, while
        gains followed decisions. NaN where there is no such time.
    latencies : array, shape (n_switches,)
        Seconds from each switch to the first right decision that lasts; NaN if there was none.
    stages : dict of str to array
        Seconds of each stage of :mod:`earmark.app.engine.latency_stages`, and of its total.
    n_dropped : int
        Decisions that came too late.
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


@dataclass(frozen=True)
class SessionFigures(Measured):
    """One recording: its figures, and what else there is to say of it.

    Attributes
    ----------
    talkers : tuple of str
        Names.
    begin : float
        LSL time of the first decision; all other times are seconds from there.
    cues : tuple of (float, str)
        When who.
    accuracy : dict or str
        By decision window, as :meth:`earmark.pipeline.evaluation.results.Evaluation.to_json` gives it; or why it is not
        measured.
    masked : dict of str to float
        Share of the time for which each electrode was not trusted.
    gaps : dict of str to (int, int)
        Gaps of each stream that has some, and samples missing in them.
    rates : dict of str to str
        Of each stream that needs it, what there is to say of its rate and of the share of its samples that is missing.
    sound : dict
        Counters of the audio process at the end.
    events : tuple of (float, str)
        What was said during the session.
    n_files, whole : int, bool
        Files of the recording: more than one, if engines had to be replaced. Whether the last one came to its end.
    damage : tuple of str
        What of the files is damaged, and was left out.
    about : About
        Configuration, environment and whatever else the recording says of itself.
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


def measure(
    decisions: Decisions, cues: Cues, journals: Journals, *, end: float, window_s: float, hop_s: float
) -> Measured:
    """Compute all figures of decisions against cues.

    Parameters
    ----------
    decisions : Decisions
        At least one.
    cues : Cues
        Perhaps none.
    journals : sequence of sequences of Line
        Lines of the journal, by engine.
    end : float
        When the recording ends.
    window_s, hop_s : float
        Seconds of a decision window, and between decisions.
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
    )


def in_columns(decisions: Sequence[Decision], begin: float, *, steering: bool = True) -> Decisions:
    """Put decisions into columns, ordered by time.

    Parameters
    ----------
    decisions : sequence of Decision
        At least one; their times are LSL times.
    begin : float
        LSL time that becomes 0.
    steering : bool
        Whether decisions set gains; in an open loop they do not.
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
    """Count decision windows, and those in which the talker cued had a higher score than any other.

    A window ends with its newest sample. Those count that do not overlap (give or take half a hop, since times
    scatter) and that begin at least :data:`earmark.devices.files.session_run.REORIENT_S` after the newest cue.
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
    """Look every half second at what held, from the first cue (without any, from the first decision) to ``end``."""
    times = np.arange(cues.times[0] if len(cues.times) else 0.0, end, GRID_S)
    cued, since = cues.at(times)
    scored = np.flatnonzero(decisions.scored)
    at = np.searchsorted(decisions.times[scored], times, side="right") - 1
    newest = np.where(at >= 0, scored[at.clip(0)], -1) if len(scored) else np.full(len(times), -1)
    fresh = (newest >= 0) & (times - decisions.times[newest] <= STALE_S)
    return Grid(times, cued, since, newest, fresh)


def covered(grid: Grid) -> float:
    """Share of the time under a cue in which a fresh decision was there; NaN without cues."""
    return _mean(grid.fresh[grid.cued >= 0])


def steady_share(decisions: Decisions, grid: Grid) -> float:
    """Share of steady time in which a fresh decision was for the talker cued; NaN if there is no such time."""
    right = grid.fresh & (decisions.talker[grid.newest] == grid.cued)
    return _mean(right[grid.steady])


def steady_tmr(decisions: Decisions, grid: Grid) -> float:
    """Mean :func:`tmr` of the talker cued, over steady time in which gains followed fresh decisions; NaN if none."""
    followed = grid.steady & grid.fresh & decisions.steered[grid.newest]
    return _mean(tmr(decisions.gains[grid.newest[followed]], grid.cued[followed]))


def tmr(gains: NDArray[np.float64], talker: NDArray[np.int64]) -> NDArray[np.float64]:
    """Target-to-masker ratio that gains make of talkers equally loud, dB.

    Parameters
    ----------
    gains : array, shape (n, n_talkers)
        dB; silence counts as :data:`SILENCE_DB`.
    talker : array of int, shape (n,)
        The target. The masker is the loudest of the others.
    """
    loud = np.maximum(gains, SILENCE_DB)
    rows = np.arange(len(loud))
    others = loud.copy()
    others[rows, talker] = -np.inf
    return np.asarray(loud[rows, talker] - others.max(axis=1))


def latencies_of_switches(decisions: Decisions, cues: Cues, hop_s: float) -> NDArray[np.float64]:
    """Seconds from each switch to the first right decision that lasts; NaN if there was none before the next cue.

    A switch is a cue that names another talker than the newest cue that named one. So the first cue is none, nor is
    one that repeats a talker after a pause.
    """
    cued, _ = cues.at(decisions.times)
    usable = decisions.scored & (cued >= 0)
    right = (decisions.talker == cued)[usable]
    named = cues.talkers >= 0
    found = switch_latencies(decisions.times[usable], right, cues.times[named].tolist(), hop_s)
    whom = cues.talkers[named]
    return np.asarray(found[1:][whom[1:] != whom[:-1]])


def at_newest_sample(lines: Sequence[Line], decisions: Sequence[Decision]) -> list[Line]:
    """Lines of the journal of one engine, with the time of the newest sample of each decision where they say another.

    Older recordings noted the time from which a decision held. That is the time of the newest control where this is
    later, so that the first stage of latency seemed shorter than it was.
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
    """Seconds of every stage of latency of the scores that were acted on, and of their total.

    Every engine counts its decisions from one: what was set by one is not heard of by the next.
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
    """How many decisions came too late to set gains."""
    return sum(isinstance(line, DecisionLine) and line.set_at is None for lines in journals for line in lines)


def sound_counters(journals: Journals) -> dict[str, Any]:
    """Counters of the audio process, as they were noted last."""
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
    """Say what there is to say of each stream's rate, by its clock maps once these had ten seconds to settle.

    Parameters
    ----------
    nominal : mapping of str to float
        Declared rate in Hz of each regular stream.
    periods : mapping of str to sequence of float
        Seconds between samples, by each clock map in turn.
    n_samples, n_missing : mapping of str to int
        Samples that came, and that are missing.
    events : iterable of str
        What was said live: where losses cannot be placed, that was said.
    """
    found, told = {}, list(events)
    for name, declared in nominal.items():
        said, settled = [], periods.get(name, [])[SETTLED:]
        lost, n = n_missing.get(name, 0), n_samples.get(name, 0)
        blind = any(f"{name}: " in words and BLIND in words for words in told)
        if settled and (words := rate_words(1 / float(np.median(settled)), declared, blind)):
            said.append(words)
        if lost > LOST * (n + lost):
            said.append(f"{percent(lost / (n + lost))} of the samples are missing")
        if said:
            found[name] = "; ".join(said)
    return found


def shaky(masked: Mapping[str, float]) -> list[tuple[str, float]]:
    """Electrodes that were not always trusted, the worst first."""
    return sorted(((name, share) for name, share in masked.items() if share), key=lambda one: -one[1])


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")

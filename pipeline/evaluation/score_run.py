"""Scores a fitted decoder on one test run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.evidence import Evidence
from earmark.pipeline.attention.smoothing import smoothed
from earmark.pipeline.decoders.decoder import Decoder, correlate
from earmark.pipeline.evaluation.metrics import switch_latencies
from earmark.pipeline.run import Run

#: Maximum correlation of shifted and true talkers; a shift with a larger one is not valid for the null distribution.
SIMILAR = 0.5
#: Maximum number of draws to find a valid shift.
N_DRAWS = 20


@dataclass(frozen=True, slots=True)
class WindowResult:
    """Decisions on non-overlapping windows of one length.

    Attributes
    ----------
    seconds : float
        Length of the windows.
    scores : array, shape (n, n_talkers)
        Columns in the order of the run's talkers, regardless of the order given to the decoder.
    correlations : array, shape (n, n_talkers, n_components)
        Correlations of the components, from which the scores were computed.
    attended, said : array of int, shape (n,)
        Index of the attended talker, and of the talker with the highest score; the latter is -1 if a score was not
        finite, which counts as wrong.
    n_unknown, n_switching : int
        Number of windows left out because attention was unknown, or switched within them.
    n_null, n_null_right : int
        Number of decisions on talkers shifted in time, over all shifts, and number of correct ones.
    """

    seconds: float
    scores: NDArray[np.float64]
    correlations: NDArray[np.float64]
    attended: NDArray[np.int64]
    said: NDArray[np.int64]
    n_unknown: int
    n_switching: int
    n_null: int
    n_null_right: int

    @property
    def n(self) -> int:
        """Number of decisions."""
        return len(self.attended)

    @property
    def n_right(self) -> int:
        """Number of correct decisions."""
        return int(np.sum(self.said == self.attended))


@dataclass(frozen=True, slots=True)
class RunResult:
    """Result of one test run.

    Attributes
    ----------
    name, subject : str
        Name and listener of the run.
    r_attended, r_ignored : float
        Correlation of the first component with that of the attended talker, and mean correlation with those of the
        ignored ones, over all samples with known attention.
    windows : tuple of WindowResult
        One for each length.
    posterior, smoothed : array, shape (n, n_talkers)
        Posterior at each hop with known attention, live and smoothed (:mod:`earmark.pipeline.attention.smoothing`);
        empty without evidence.
    posterior_attended : array of int, shape (n,)
        Index of the attended talker at these hops.
    latencies : tuple of float
        For each switch of attention, seconds to the first lasting correct decision; NaN if there was none.
    """

    name: str
    subject: str
    r_attended: float
    r_ignored: float
    windows: tuple[WindowResult, ...]
    posterior: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    posterior_attended: NDArray[np.int64]
    latencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Projected:
    """Components of a test run, computed by a decoder.

    Attributes
    ----------
    sfreq : float
        Sampling rate in Hz.
    neural : array, shape (n_samples, n_components)
        Components of the neural signal.
    talkers : array, shape (n_talkers, n_talkers, n_samples, n_components)
        Components of all talkers for each cyclic order: ``talkers[o, k]`` is talker ``(k + o) % n_talkers``. The order
        of each decision is drawn at random, because the position in the list must not be a cue.
    attended : array of int, shape (n_samples,)
        Index of the attended talker.
    behind : float
        Seconds from the last stimulus sample of a decision until the decision is available.
    """

    sfreq: float
    neural: NDArray[np.float64]
    talkers: NDArray[np.float64]
    attended: NDArray[np.int64]
    behind: float

    @classmethod
    def of(cls, decoder: Decoder, run: Run) -> Self:
        """Project the neural signal and the talkers of a run; raises DecoderMismatch if the run does not fit."""
        decoder.spec.check_run(run)
        n_talkers = len(run.talker_names)
        neural = decoder.project_neural(run.neural)
        orders = [(np.arange(n_talkers) + first) % n_talkers for first in range(n_talkers)]
        talkers = np.stack([decoder.project_talkers(run.talkers[order]) for order in orders])
        attended = run.attended[decoder.spec.ahead :][: len(neural)]
        return cls(run.sfreq, neural, talkers, attended, decoder.spec.behind / run.sfreq)

    def grid(self, length: int) -> tuple[NDArray[np.int64], int, int]:
        """Divide the run into adjacent windows, from the first sample with known attention.

        Returns
        -------
        starts : array of int
            First sample of each window in which a single talker was attended.
        n_unknown, n_switching : int
            Number of windows left out because attention is unknown in part of them, or switches.
        """
        first = int(np.argmax(self.attended >= 0)) if len(self.attended) else 0  # a trial may end as it begins
        starts = np.arange(first, len(self.neural) - length + 1, length)
        inside = self.attended[starts[:, None] + np.arange(length)]
        unknown = (inside < 0).any(axis=1)
        steady = (inside == inside[:, :1]).all(axis=1)
        return starts[steady & ~unknown], int(unknown.sum()), int((~steady & ~unknown).sum())

    def score(
        self, decoder: Decoder, starts: NDArray[np.int64], length: int, rng: np.random.Generator, shift: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Score windows, each with a random order of the talkers.

        Parameters
        ----------
        decoder : Decoder
            The decoder that computed the components.
        starts : array of int, shape (n,)
            First sample of each window.
        length : int
            Window length in samples.
        rng : Generator
            Draws the orders.
        shift : int
            Circular shift of the talkers in samples.

        Returns
        -------
        scores : array, shape (n, n_talkers)
            Columns in the order of the run's talkers.
        said : array of int, shape (n,)
            Talker with the highest score; -1 if a score is not finite.
        correlations : array, shape (n, n_talkers, n_components)
            Of the components, before they are combined to scores; columns as for scores.
        """
        n_talkers, n = len(self.talkers), len(starts)
        rows = starts[:, None] + np.arange(length)
        neural = self.neural[rows]
        shown = (rows - shift) % len(self.neural)
        centred = decoder.spec.centred
        found = [correlate(neural, talkers[:, shown], centred) for talkers in self.talkers]
        by_order = np.stack([decoder.combine(r).T for r in found])
        order = rng.integers(n_talkers, size=n)
        at_place = by_order[order, np.arange(n)]
        talker = (np.arange(n_talkers) + order[:, None]) % n_talkers
        said = talker[np.arange(n), at_place.argmax(axis=1)]
        said[~np.isfinite(at_place).all(axis=1)] = -1
        scores = np.empty_like(at_place)
        np.put_along_axis(scores, talker, at_place, axis=1)
        return scores, said, np.moveaxis(found[0], 0, 1)

    def shifts(self, rng: np.random.Generator, n_shifts: int, min_shift: float) -> list[int]:
        """Draw circular shifts of the talkers that remove only their relation to the neural signal.

        Parameters
        ----------
        rng : Generator
            Draws the shifts.
        n_shifts : int
            Number of shifts; there are fewer, or none, if the run is too short.
        min_shift : float
            Minimum shift in seconds, in either direction.

        Notes
        -----
        A shift that aligns a talker with similar true audio is drawn again. This happens if a sentence is repeated, or
        an imposter is the talker itself at another time.
        """
        n, least = len(self.neural), round(min_shift * self.sfreq)
        if n < 2 * least + 1:
            return []
        true = self.talkers[0, :, :, 0]
        found = []
        for _ in range(n_shifts):
            for _ in range(N_DRAWS):
                shift = int(rng.integers(least, n - least + 1))
                shifted = np.roll(true, shift, axis=1)
                alike = [correlate(t[:, None], shifted[:, :, None]) for t in true]
                if not np.any(np.abs(alike) > SIMILAR):
                    found.append(shift)
                    break
        return found

    def whole(self) -> tuple[float, float]:
        """Return the correlation of the first component with the attended talker's, and its mean with the others'."""
        known = np.flatnonzero(self.attended >= 0)
        n_talkers = len(self.talkers)
        by_distance = np.stack(
            [self.talkers[0, (self.attended[known] + k) % n_talkers, known, 0] for k in range(n_talkers)]
        )
        if not len(known):
            return float("nan"), float("nan")
        r = correlate(self.neural[known, :1], by_distance[:, :, None])[:, 0]
        return float(r[0]), float(r[1:].mean())

    def switches(self) -> list[float]:
        """Return the times at which attention switched to another talker, in seconds."""
        known = np.flatnonzero(self.attended >= 0)
        moved = np.flatnonzero(np.diff(self.attended[known])) + 1
        return [float(at) / self.sfreq for at in known[moved]]


def judge(
    decoder: Decoder,
    run: Run,
    windows: Sequence[float],
    rng: np.random.Generator,
    n_shifts: int,
    min_shift: float,
    evidence: Evidence | None = None,
) -> RunResult:
    """Score a fitted decoder on a run that it was not fitted to.

    Parameters
    ----------
    decoder : Decoder
        A fitted decoder.
    run : Run
        The test run.
    windows : sequence of float
        Lengths of the decision windows in seconds.
    rng : Generator
        Draws orders of talkers and shifts for the null distribution.
    n_shifts : int
        Number of shifts.
    min_shift : float
        Minimum shift in seconds.
    evidence : Evidence, optional
        In its initial state. It gives posteriors, and the decisions from which switch latencies are measured. Without
        it, these decisions use sliding windows of the decoder's own length, with a hop of ``min(windows)``.
    """
    seen = Projected.of(decoder, run)
    shifts = seen.shifts(rng, n_shifts, min_shift)
    results = tuple(_judge_windows(decoder, seen, seconds, rng, shifts) for seconds in windows)
    n_talkers = len(run.talker_names)
    posterior = later = np.empty((0, n_talkers))
    posterior_attended = np.empty(0, dtype=np.int64)
    moved, latencies = seen.switches(), np.empty(0)
    if evidence is not None or moved:
        length_s, hop_s = decoder.spec.window, min(windows)
        if evidence is not None:
            length_s, hop_s = evidence.config.window_s, evidence.config.hop_s
        length, hop = round(length_s * run.sfreq), round(hop_s * run.sfreq)
        starts = np.arange(0, len(seen.neural) - length + 1, hop)
        scores, said, _ = seen.score(decoder, starts, length, rng)
        last = seen.attended[starts + length - 1]
        if evidence is not None:
            every = [
                evidence.update(row) if np.isfinite(row).all() else evidence.gap(hop / run.sfreq) for row in scores
            ]
            probability = np.array([one.probability for one in every]).reshape(len(every), n_talkers)
            top = probability.max(axis=1, initial=0)
            tied = (probability == top[:, None]).sum(axis=1) > 1
            said = np.where(tied, -1, probability.argmax(axis=1))
            inside = seen.attended[starts[:, None] + np.arange(length)]
            steady = (inside == last[:, None]).all(axis=1) & (last >= 0)
            posterior, posterior_attended = probability[steady], last[steady]
            later = smoothed(evidence.config, evidence.emissions, scores)[steady]
        times = (starts + length) / run.sfreq + seen.behind
        latencies = switch_latencies(times, (said == last) & (last >= 0), moved, hop / run.sfreq)
    return RunResult(
        run.name, run.subject, *seen.whole(), results, posterior, later, posterior_attended, tuple(latencies.tolist())
    )


def _judge_windows(
    decoder: Decoder, seen: Projected, seconds: float, rng: np.random.Generator, shifts: Sequence[int]
) -> WindowResult:
    length = round(seconds * seen.sfreq)
    starts, n_unknown, n_switching = seen.grid(length)
    attended = seen.attended[starts]
    scores, said, correlations = seen.score(decoder, starts, length, rng)
    n_null = n_null_right = 0
    for shift in shifts:
        # Leave out windows that contain the seam of the circular shift, which is not real speech.
        whole = (starts >= shift) | (starts + length <= shift)
        _, guess, _ = seen.score(decoder, starts[whole], length, rng, shift)
        n_null += int(whole.sum())
        n_null_right += int(np.sum(guess == attended[whole]))
    return WindowResult(seconds, scores, correlations, attended, said, n_unknown, n_switching, n_null, n_null_right)

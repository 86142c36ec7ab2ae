"""Judge a fitted decoder on one run that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.evidence import AttentionFilter
from earmark.pipeline.decoders.decoder import Decoder, correlate
from earmark.pipeline.evaluation.metrics import switch_latencies
from earmark.pipeline.run import Run

#: A shift that makes talkers this similar to what was really heard is no null.
SIMILAR = 0.5
#: How often a shift is drawn before there is taken to be none.
N_DRAWS = 20


@dataclass(frozen=True, slots=True)
class WindowResult:
    """Decisions with windows of one length that do not overlap.

    Attributes
    ----------
    seconds : float
        Length of the windows.
    scores : array, shape (n, n_talkers)
        Columns in the order of the run's talkers, whatever order the decoder was shown.
    attended, said : array of int, shape (n,)
        Who was attended, and who had the highest score; -1 if a score was not finite, which counts as wrong.
    n_unknown, n_switching : int
        Windows left out because attention was not known, or moved inside.
    n_null, n_null_right : int
        Decisions on talkers shifted in time, over all shifts, and how many were right.
    """

    seconds: float
    scores: NDArray[np.float64]
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
        """How many were right."""
        return int(np.sum(self.said == self.attended))


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of one test run.

    Attributes
    ----------
    name, subject : str
        Which run.
    r_attended, r_ignored : float
        Correlation of the first component with that of the attended talker, over all samples whose attention is
        known, and the mean over the others.
    windows : tuple of WindowResult
        One for each length.
    posterior : array, shape (n, n_talkers)
        At each hop with known attention; empty without evidence.
    posterior_attended : array of int, shape (n,)
        Who was attended there.
    latencies : tuple of float
        For each switch of attention, seconds to the first right decision that lasts; NaN if none did.
    """

    name: str
    subject: str
    r_attended: float
    r_ignored: float
    windows: tuple[WindowResult, ...]
    posterior: NDArray[np.float64]
    posterior_attended: NDArray[np.int64]
    latencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Projected:
    """A test run as the decoder sees it.

    Attributes
    ----------
    sfreq : float
        In Hz.
    neural : array, shape (n_samples, n_components)
        Components of the neural side.
    talkers : array, shape (n_talkers, n_talkers, n_samples, n_components)
        Components of all talkers, for each order in which they were shown: ``talkers[o, k]`` is talker ``k + o``,
        counted round. The place in a list must not be a cue, so each decision is made on an order drawn at random.
    attended : array of int, shape (n_samples,)
        Who was attended.
    behind : float
        Seconds by which a decision comes after the last sample it speaks of.
    """

    sfreq: float
    neural: NDArray[np.float64]
    talkers: NDArray[np.float64]
    attended: NDArray[np.int64]
    behind: float

    @classmethod
    def of(cls, decoder: Decoder, run: Run) -> Self:
        """Project both sides of a run; raises DecoderMismatch if it does not fit."""
        decoder.spec.check_run(run)
        n_talkers = len(run.talker_names)
        neural = decoder.project_neural(run.neural)
        orders = [(np.arange(n_talkers) + first) % n_talkers for first in range(n_talkers)]
        talkers = np.stack([decoder.project_talkers(run.talkers[order]) for order in orders])
        attended = run.attended[decoder.spec.ahead :][: len(neural)]
        return cls(run.sfreq, neural, talkers, attended, decoder.spec.behind / run.sfreq)

    def grid(self, length: int) -> tuple[NDArray[np.int64], int, int]:
        """Lay windows end to end, from the first sample whose attention is known.

        Returns
        -------
        starts : array of int
            Of windows through which one talker was attended.
        n_unknown, n_switching : int
            Windows left out because attention is not known in all of them, or moves.
        """
        first = int(np.argmax(self.attended >= 0))
        starts = np.arange(first, len(self.neural) - length + 1, length)
        inside = self.attended[starts[:, None] + np.arange(length)]
        unknown = (inside < 0).any(axis=1)
        steady = (inside == inside[:, :1]).all(axis=1)
        return starts[steady & ~unknown], int(unknown.sum()), int((~steady & ~unknown).sum())

    def score(
        self, decoder: Decoder, starts: NDArray[np.int64], length: int, rng: np.random.Generator, shift: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Score windows, each with the talkers in an order of its own.

        Parameters
        ----------
        decoder : Decoder
            The same one.
        starts : array of int, shape (n,)
            First sample of each window.
        length : int
            Samples.
        rng : Generator
            Draws the orders.
        shift : int
            Samples by which the talkers are shifted, round the end and in at the start.

        Returns
        -------
        scores : array, shape (n, n_talkers)
            Columns in the order of the run's talkers.
        said : array of int, shape (n,)
            Talker of the highest score; -1 if one is not finite.
        """
        n_talkers, n = len(self.talkers), len(starts)
        rows = starts[:, None] + np.arange(length)
        neural = self.neural[rows]
        shown = (rows - shift) % len(self.neural)
        by_order = np.stack([decoder.combine(correlate(neural, talkers[:, shown])).T for talkers in self.talkers])
        order = rng.integers(n_talkers, size=n)
        at_place = by_order[order, np.arange(n)]
        talker = (np.arange(n_talkers) + order[:, None]) % n_talkers
        said = talker[np.arange(n), at_place.argmax(axis=1)]
        said[~np.isfinite(at_place).all(axis=1)] = -1
        scores = np.empty_like(at_place)
        np.put_along_axis(scores, talker, at_place, axis=1)
        return scores, said

    def shifts(self, rng: np.random.Generator, n_shifts: int, min_shift: float) -> list[int]:
        """Draw shifts that take away what links talkers to the brain, and nothing else.

        Parameters
        ----------
        rng : Generator
            Draws them.
        n_shifts : int
            How many; fewer, or none, where the run is too short.
        min_shift : float
            Least shift in seconds, either way round.

        Notes
        -----
        A shift that lays a talker onto the true audio, as where a sentence is repeated or an imposter is the talker
        itself at another time, is drawn again.
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
        """Correlation of the first component with the attended talker's and, on average, with the others'."""
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
        """When attention moved to another talker, in seconds."""
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
    evidence: AttentionFilter | None = None,
) -> RunResult:
    """Judge a fitted decoder on a run that it has not seen.

    Parameters
    ----------
    decoder : Decoder
        Fitted.
    run : Run
        The test run.
    windows : sequence of float
        Lengths in seconds.
    rng : Generator
        Draws orders of talkers and shifts of the null.
    n_shifts : int
        Number of shifts.
    min_shift : float
        Least shift in seconds.
    evidence : AttentionFilter, optional
        As new; gives posteriors, and the decisions by which the latency of switches is told. Without it these are
        made with sliding windows of the decoder's own length, each shortest of ``windows``.
    """
    seen = Projected.of(decoder, run)
    shifts = seen.shifts(rng, n_shifts, min_shift)
    results = tuple(_judge_windows(decoder, seen, seconds, rng, shifts) for seconds in windows)
    n_talkers = len(run.talker_names)
    posterior, posterior_attended = np.empty((0, n_talkers)), np.empty(0, dtype=np.int64)
    moved, latencies = seen.switches(), np.empty(0)
    if evidence is not None or moved:
        length_s, hop_s = decoder.spec.window, min(windows)
        if evidence is not None:
            length_s, hop_s = evidence.config.window_s, evidence.config.hop_s
        length, hop = round(length_s * run.sfreq), round(hop_s * run.sfreq)
        starts = np.arange(0, len(seen.neural) - length + 1, hop)
        scores, said = seen.score(decoder, starts, length, rng)
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
        times = (starts + length) / run.sfreq + seen.behind
        latencies = switch_latencies(times, (said == last) & (last >= 0), moved, hop / run.sfreq)
    return RunResult(
        run.name, run.subject, *seen.whole(), results, posterior, posterior_attended, tuple(latencies.tolist())
    )


def _judge_windows(
    decoder: Decoder, seen: Projected, seconds: float, rng: np.random.Generator, shifts: Sequence[int]
) -> WindowResult:
    length = round(seconds * seen.sfreq)
    starts, n_unknown, n_switching = seen.grid(length)
    attended = seen.attended[starts]
    scores, said = seen.score(decoder, starts, length, rng)
    n_null = n_null_right = 0
    for shift in shifts:
        # Across the seam, where the end of the talkers meets their start, nobody ever spoke like that.
        whole = (starts >= shift) | (starts + length <= shift)
        _, guess = seen.score(decoder, starts[whole], length, rng, shift)
        n_null += int(whole.sum())
        n_null_right += int(np.sum(guess == attended[whole]))
    return WindowResult(seconds, scores, attended, said, n_unknown, n_switching, n_null, n_null_right)

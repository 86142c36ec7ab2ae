"""How accurate a decoder is with the runs so far, and how much more of them can help."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from earmark.pipeline.decoders.decoder import Learner
from earmark.pipeline.evaluation.metrics import chance_limit, dprime, leads
from earmark.pipeline.evaluation.score_run import Projected
from earmark.pipeline.run import EvaluationError, Run

#: Parts of the runs that are tested in turn.
N_PARTS = 5
#: Fewest runs to measure an accuracy, and fewest training runs of which half is enough to train on.
LEAST_RUNS, LEAST_TO_HALVE = 3, 4
#: More runs do not help if twice as many raise the accuracy by less than this.
HELPFUL = 0.02
#: Quantile of the normal distribution for a one-sided limit with p = 0.05.
ONE_SIDED = 1.645


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """Cross-validated accuracy with a number of runs, and the gain from the last doubling of training data.

    Attributes
    ----------
    n_runs : int
        Number of runs.
    seconds : float
        Duration of known attention, s.
    n : int
        Number of decisions.
    accuracy : float
        Proportion of correct decisions; each was made by a decoder that had not seen its run.
    chance_limit : float
        Accuracy that guessing reaches with p = 0.05; NaN if there are too few decisions.
    gain, gain_limit : float
        Increase of the proportion of correct decisions when the training data was doubled, and its upper limit with
        p = 0.05; NaN if there are too few runs.
    """

    n_runs: int
    seconds: float
    n: int
    accuracy: float
    chance_limit: float
    gain: float
    gain_limit: float

    @property
    def enough(self) -> bool:
        """Whether more runs would not help: even the last doubling helped little.

        A linear decoder that is better than guessing gains less from each doubling than from the one before.
        """
        return self.accuracy >= self.chance_limit and self.gain_limit < HELPFUL


def measure(runs: Sequence[Run], make: Callable[[], Learner], window: float, seed: int = 0) -> LearningPoint:
    """Cross-validate a decoder on the runs so far, trained on all and on half of the other runs.

    Parameters
    ----------
    runs : sequence of Run
        Three or more runs of one listener, in the order in which they were recorded.
    make : callable
        Returns a new, untrained decoder at each call.
    window : float
        Decision window in seconds.
    seed : int
        Seed of the order in which talkers are given to the decoder.

    Raises
    ------
    EvaluationError
        If there are fewer than three runs, or no decision window.
    earmark.pipeline.decoders.decoder.DecoderError
        If there is too little data to train on.

    Notes
    -----
    Both decoders of a fold decide on the same windows. The sensitivity d′ of each is the mean of the lead of the
    attended talker's score divided by its standard deviation. The standard error of their difference is that of the
    mean difference of their influence functions; it is converted to accuracy by the normal distribution.
    """
    if len(runs) < LEAST_RUNS:
        raise EvaluationError(
            f"there are {len(runs)} runs, but at least {LEAST_RUNS} are needed to measure an accuracy"
        )
    n_parts, right, attended, scores, doublings = min(len(runs), N_PARTS), [], [], [], []
    for part in range(n_parts):
        train = [run for i, run in enumerate(runs) if i % n_parts != part]
        sets = [train]
        if len(train) >= LEAST_TO_HALVE:
            # Two of every four, because protocols often alternate between talkers.
            sets.append([run for i, run in enumerate(train) if (i + 1) // 2 % 2])
            doublings.append(math.log2(_known(train) / _known(sets[1])))
        decoders = [make().fit(some) for some in sets]
        for i in range(part, len(runs), n_parts):
            both = []
            for decoder in decoders:
                seen = Projected.of(decoder, runs[i])
                length = round(window * seen.sfreq)
                starts, _, _ = seen.grid(length)
                found, said, _ = seen.score(decoder, starts, length, np.random.default_rng([seed, i]))
                both.append((found, said == seen.attended[starts]))
            right.append(both[0][1])
            attended.append(seen.attended[starts])
            scores.append(np.stack([found for found, _ in both]))
    correct = np.concatenate(right)
    if not len(correct):
        raise EvaluationError(f"no run holds a decision window of {window:g} s")
    gain = limit = math.nan
    if doublings:
        gain, limit = _gain(np.concatenate(scores, axis=1), np.concatenate(attended), float(np.mean(doublings)))
    return LearningPoint(
        n_runs=len(runs),
        seconds=_known(runs),
        n=len(correct),
        accuracy=float(correct.mean()),
        chance_limit=chance_limit(len(correct), len(runs[0].talker_names)),
        gain=gain,
        gain_limit=limit,
    )


def _known(runs: Sequence[Run]) -> float:
    """Return the seconds of known attention."""
    return sum(float((run.attended >= 0).sum()) / run.sfreq for run in runs)


def _gain(scores: NDArray[np.float64], attended: NDArray[np.int64], doublings: float) -> tuple[float, float]:
    """Return the gain in accuracy per doubling, and its upper limit, from scores of shape (2, n, n_talkers).

    The first scores are of the decoders trained on all data.
    """
    usable = np.isfinite(scores).all(axis=(0, 2))
    ahead = np.stack([leads(one[usable], attended[usable]).mean(axis=1) for one in scores])
    n = ahead.shape[1]
    d = np.array([dprime(one, n).value for one in ahead])
    if not np.isfinite(d).all():
        return math.nan, math.nan
    z = (ahead - ahead.mean(axis=1, keepdims=True)) / ahead.std(axis=1, ddof=1, keepdims=True)
    influence = z - d[:, None] / 2 * (z**2 - 1)
    slope = math.exp(-(d.mean() ** 2) / 2) / math.sqrt(2 * math.pi)
    se = slope * float(np.std(influence[0] - influence[1], ddof=1)) / math.sqrt(n)
    gain = float(ndtr(d[0]) - ndtr(d[1]))
    return gain / doublings, (gain + ONE_SIDED * se) / doublings

"""Metrics of decoders: chance limits, switch durations, information transfer rate and calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import binom, rankdata

#: Accuracies closer to chance than this count as chance: the switch duration would be hours.
BARELY_ABOVE_CHANCE = 1e-3
#: Maximum correlation, so that Fisher's z stays finite.
LARGEST_CORRELATION = 1 - 1e-12
#: Number of window lengths at which accuracy is interpolated to find the best one.
N_INTERPOLATED = 1000


def chance_limit(n: int, n_talkers: int = 2, alpha: float = 0.05) -> float:
    """Return the smallest accuracy that guessing reaches with a probability of at most ``alpha``.

    This is the critical value of a one-sided binomial test.

    Parameters
    ----------
    n : int
        Number of decisions. They must be independent, that is, their windows must not overlap.
    n_talkers : int
        Number of talkers; the chance level is ``1 / n_talkers``.
    alpha : float
        Level of the one-sided test.

    Returns
    -------
    float
        Accuracy, 0 to 1; NaN if ``n`` is so small that even a perfect score is not significant.

    Examples
    --------
    >>> chance_limit(20)
    0.75
    """
    if n < 0 or n_talkers < 2 or not 0 < alpha < 1:
        raise ValueError(f"no chance limit for n={n}, n_talkers={n_talkers}, alpha={alpha}")
    enough = int(binom.isf(alpha, n, 1 / n_talkers)) + 1  # P(X >= enough) <= alpha
    return enough / n if 0 < enough <= n else math.nan


@dataclass(frozen=True, slots=True)
class Mesd:
    """Minimal expected switch duration.

    Attributes
    ----------
    seconds : float
        Time from a switch of attention until the gain is comfortable for the newly attended talker; infinite at chance.
    window : float
        The best decision window in seconds.
    n_levels : int
        The best number of gain levels; 0 at chance.
    """

    seconds: float
    window: float
    n_levels: int


def mesd(
    windows: ArrayLike,
    accuracy: ArrayLike,
    n_min: int = 5,
    p0: float = 0.8,
    comfort: float = 0.65,
) -> Mesd:
    """Minimal expected switch duration of an adaptive gain control for two talkers [1]_.

    The gain performs a random walk over ``n_levels`` levels between the talkers: one step towards the attended talker
    after each correct decision, one step away from it otherwise. ``n_levels`` is the smallest number for which the
    gain is above ``comfort`` for the fraction ``p0`` of the time. The expected switch duration is the mean time from a
    switch until the gain passes ``comfort``, given that it was below. Short windows give fast but inaccurate
    decisions, long windows accurate but late ones; the window with the minimum duration is used.

    Parameters
    ----------
    windows : array-like, shape (n,)
        Decision windows in seconds, ascending.
    accuracy : array-like, shape (n,)
        Accuracy at each window, 0 to 1; interpolated linearly between windows, not extrapolated.
    n_min : int
        Minimum number of gain levels.
    p0 : float
        Fraction of the time during which the gain must be comfortable.
    comfort : float
        Lowest comfortable gain of the attended talker, from 0 (only the ignored one is audible) to 1 (only the
        attended one).

    Returns
    -------
    Mesd

    References
    ----------
    .. [1] Geirnaert, Francart, Bertrand (2020). An interpretable performance metric for auditory attention decoding
       algorithms in a context of neuro-steered gain control. IEEE Trans. Neural Syst. Rehabil. Eng. 28, 307-317.
    """
    tau, p = np.asarray(windows, dtype=float), np.asarray(accuracy, dtype=float)
    if tau.ndim != 1 or tau.shape != p.shape or not len(tau) or tau[0] <= 0 or np.any(np.diff(tau) <= 0):
        raise ValueError("windows must be positive and ascending, with one accuracy for each")
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("an accuracy must be between 0 and 1")
    if len(tau) > 1:
        fine = np.union1d(tau, np.linspace(tau[0], tau[-1], N_INTERPOLATED))
        tau, p = fine, np.interp(fine, tau, p)
    best = Mesd(math.inf, math.nan, 0)
    for window, right in zip(tau, p, strict=True):
        if right <= 0.5 + BARELY_ABOVE_CHANCE:
            continue
        n_levels = _gain_levels(right, n_min, p0, comfort)
        seconds = window * _steps_to_switch(right, n_levels, comfort)
        if seconds < best.seconds:
            best = Mesd(float(seconds), float(window), n_levels)
    return best


def _gain_levels(p: float, n_min: int, p0: float, comfort: float) -> int:
    """Return the smallest number of levels for which the gain is above ``comfort`` for the fraction ``p0`` of time."""
    log_r = math.log(p / max(1 - p, 1e-12))
    first, last = n_min, 2 * n_min
    while True:
        n = np.arange(first, last)
        # The highest level at or above which the stationary distribution, a geometric series, has probability p0.
        level = np.floor(np.logaddexp(n * log_r + math.log(1 - p0), math.log(p0)) / log_r + 1 + 1e-9)
        enough = np.flatnonzero((level - 1) / (n - 1) >= comfort - 1e-9)
        if len(enough):
            return int(n[enough[0]])
        first, last = last, 2 * last


def _steps_to_switch(p: float, n_levels: int, comfort: float) -> float:
    """Return the mean number of decisions to pass ``comfort``, starting in the other talker's steady state."""
    target = math.ceil(comfort * (n_levels - 1) + 1 - 1e-9)
    rho = (1 - p) / p
    below = np.arange(1, target)
    up_one = (1 - rho**below) / (2 * p - 1)
    steps = np.cumsum(up_one[::-1])[::-1]
    start = rho ** (below - 1.0)
    return float(start @ steps / start.sum())


def information_transfer_rate(accuracy: float, window: float, n_talkers: int = 2) -> float:
    """Return the bits per minute by Wolpaw's formula [1]_, which assumes equally likely errors; 0 at or below chance.

    Parameters
    ----------
    accuracy : float
        Accuracy, 0 to 1.
    window : float
        Duration of one decision in seconds.
    n_talkers : int
        Number of choices.

    Returns
    -------
    float
        Bits per minute.

    References
    ----------
    .. [1] Wolpaw et al. (2000). Brain-computer interface technology: a review of the first international meeting.
       IEEE Trans. Rehabil. Eng. 8, 164-173.
    """
    if math.isnan(accuracy):
        return math.nan
    if accuracy <= 1 / n_talkers:
        return 0.0
    bits = math.log2(n_talkers) + accuracy * math.log2(accuracy)
    if accuracy < 1:
        bits += (1 - accuracy) * math.log2((1 - accuracy) / (n_talkers - 1))
    return 60 / window * bits


@dataclass(frozen=True, slots=True)
class Reliability:
    """Reliability curve: accuracy as a function of confidence.

    Attributes
    ----------
    confidence, accuracy : tuple of float
        Mean posterior of the most probable talker, and fraction of decisions in which it was attended, in each bin
        that is not empty.
    n : tuple of int
        Number of decisions in each of these bins.
    ece : float
        Expected calibration error: mean absolute difference of the two, weighted by ``n``; NaN without decisions.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    n: tuple[int, ...]
    ece: float

    @property
    def share(self) -> float:
        """Fraction of all decisions in which the most probable talker was attended; NaN without decisions."""
        right = sum(n * accuracy for n, accuracy in zip(self.n, self.accuracy, strict=True))
        return right / sum(self.n) if self.n else math.nan


def reliability(posterior: NDArray[np.float64], attended: NDArray[np.int64], n_bins: int = 20) -> Reliability:
    """Compute the reliability curve and the expected calibration error [1]_.

    Parameters
    ----------
    posterior : array, shape (n, n_talkers)
        Rows sum to 1.
    attended : array of int, shape (n,)
        Index of the attended talker.
    n_bins : int
        Number of bins of equal width between 0 and 1; with two talkers the lower half is empty.

    Returns
    -------
    Reliability

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger (2017). On calibration of modern neural networks. ICML.
    """
    sure = posterior.max(axis=1)
    if not np.all((posterior >= 0) & (posterior <= 1)) or not np.allclose(posterior.sum(axis=1), 1):
        raise ValueError("posteriors must be between 0 and 1 and sum to 1")
    # A tie between talkers is no decision: it counts as half right if there are two.
    likeliest = posterior == sure[:, None]
    right = likeliest[np.arange(len(attended)), attended] / likeliest.sum(axis=1)
    which = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    bins = np.unique(which)
    n = [int(np.sum(which == b)) for b in bins]
    confidence = [float(np.mean(sure[which == b])) for b in bins]
    accuracy = [float(np.mean(right[which == b])) for b in bins]
    apart = [k * abs(c - a) for k, c, a in zip(n, confidence, accuracy, strict=True)]
    return Reliability(tuple(confidence), tuple(accuracy), tuple(n), sum(apart) / sum(n) if n else math.nan)


def switch_latencies(
    times: NDArray[np.float64],
    correct: NDArray[np.bool_],
    switches: Sequence[float],
    hop: float,
    hold: float = 3.0,
) -> NDArray[np.float64]:
    """Return the seconds from each switch of attention to the first decision that stays correct for ``hold`` seconds.

    Parameters
    ----------
    times : array, shape (n,)
        Times at which the decisions are available, in seconds, ascending.
    correct : array of bool, shape (n,)
        True if the decision is the talker attended at that time.
    switches : sequence of float
        Times at which attention switches, in seconds, ascending.
    hop : float
        Seconds between decisions; a missing decision ends a series of correct ones.
    hold : float
        Duration in seconds for which decisions must stay correct.

    Returns
    -------
    array, shape (n_switches,)
        NaN where this did not happen before the next switch.
    """
    needed = max(1, math.ceil(hold / hop - 1e-9))
    found = np.full(len(switches), math.nan)
    for i, switch in enumerate(switches):
        end = switches[i + 1] if i + 1 < len(switches) else math.inf
        streak, last = 0, -math.inf
        for time, right in zip(times, correct, strict=True):
            if not switch <= time < end:
                continue
            unbroken = time - last < 1.5 * hop
            streak = (streak + 1 if unbroken else 1) if right else 0
            last = time
            if streak == needed:
                found[i] = time - (needed - 1) * hop - switch
                break
    return found


def fisher_z(correlation: ArrayLike) -> NDArray[np.float64]:
    """Return Fisher's z of correlations, limited to finite values; any shape."""
    z: NDArray[np.float64] = np.arctanh(np.clip(correlation, -LARGEST_CORRELATION, LARGEST_CORRELATION))
    return z


def leads(scores: NDArray[np.float64], attended: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how much the attended talker's score exceeds that of each other talker, in Fisher's z if possible.

    Parameters
    ----------
    scores : array, shape (n, n_talkers)
        Finite; they are correlations if none exceeds 1.
    attended : array of int, shape (n,)
        Index of the attended talker.

    Returns
    -------
    array, shape (n, n_talkers - 1)
    """
    n_talkers = scores.shape[1]
    if np.all(np.abs(scores) <= 1):
        scores = fisher_z(scores)
    own = scores[np.arange(len(attended)), attended]
    others = scores[np.arange(n_talkers) != attended[:, None]].reshape(len(attended), n_talkers - 1)
    lead: NDArray[np.float64] = own[:, None] - others
    return lead


@dataclass(frozen=True, slots=True)
class DPrime:
    """Sensitivity: how well one decision window separates attended from other speech.

    Unlike a correlation, it can be compared between frequency bands and decoders.

    Attributes
    ----------
    value : float
        Mean of the differences between attended and ignored talkers, divided by their standard deviation (n - 1).
    se : float
        Standard error of the value.
    """

    value: float
    se: float


def dprime(differences: NDArray[np.float64], n: int) -> DPrime:
    """Return the sensitivity from differences of Fisher's z, each of one window.

    Parameters
    ----------
    differences : array, shape (n_differences,)
    n : int
        Number of windows, which is smaller than the number of differences if there are several ignored talkers.

    Returns
    -------
    DPrime
        NaN for fewer than two differences, or if they do not vary. The standard error is that of a standardised mean
        of ``n`` independent Gaussian differences, ``sqrt(1 / n + value ** 2 / (2 n))``.
    """
    sd = float(np.std(differences, ddof=1)) if len(differences) > 1 else 0.0
    if not sd > 0:
        return DPrime(math.nan, math.nan)
    value = float(np.mean(differences)) / sd
    return DPrime(value, math.sqrt((1 + value**2 / 2) / n))


def expected_accuracy(differences: NDArray[np.float64], window: float, wanted: float, n_talkers: int = 2) -> float:
    """Extrapolate accuracy to a window length that was not measured, based on an idea in [1]_.

    The difference in Fisher's z between the attended talker and an ignored one is assumed to be Gaussian, with a mean
    that is independent of the window and a variance that is inversely proportional to its length. The noise has the
    same variance for each talker.

    Parameters
    ----------
    differences : array, shape (n,)
        Differences measured with windows of ``window`` seconds.
    window, wanted : float
        Length of the measured window and of the window to predict, in seconds.
    n_talkers : int
        Number of choices.

    Returns
    -------
    float
        Accuracy, 0 to 1; NaN for fewer than two differences.

    References
    ----------
    .. [1] Geirnaert et al. (2025), on extrapolating accuracy of attention decoding across window lengths.
    """
    if len(differences) < 2:
        return math.nan
    mean, sd = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if sd == 0:
        return 1 / n_talkers if mean == 0 else float(mean > 0)
    d = mean / sd * math.sqrt(wanted / window)
    if n_talkers == 2:
        return float(ndtr(d))
    # Differences from the same attended talker share half of their variance; given this share they are independent.
    x, weight = np.polynomial.hermite_e.hermegauss(101)
    return float(weight @ ndtr(math.sqrt(2) * d + x) ** (n_talkers - 1) / weight.sum())


def auc(scores: NDArray[np.float64], attended: NDArray[np.int64]) -> float:
    """Area under the ROC curve of separating attended from ignored talkers by how far their score exceeds the others'.

    Parameters
    ----------
    scores : array, shape (n, n_talkers)
        One row per decision.
    attended : array of int, shape (n,)
        Index of the attended talker.

    Returns
    -------
    float
        Probability that the lead of an attended talker's score over the others is larger than that of an ignored
        talker; ties count half; NaN without decisions. It does not depend on the order of the talkers.
    """
    n, n_talkers = scores.shape
    if n == 0:
        return math.nan
    lead = scores - (scores.sum(axis=1, keepdims=True) - scores) / (n_talkers - 1)
    is_attended = np.arange(n_talkers) == attended[:, None]
    ranks = rankdata(lead)[is_attended.ravel()]
    n_ignored = n * (n_talkers - 1)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * n_ignored))

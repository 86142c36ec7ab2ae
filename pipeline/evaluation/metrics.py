"""What is said about a decoder: chance, speed, information, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import binom, rankdata

#: A decoder this close to a coin toss is taken for one: its switch would last for hours.
BARELY_ABOVE_CHANCE = 1e-3
#: Keeps Fisher's z of a perfect correlation finite.
LARGEST_CORRELATION = 1 - 1e-12
#: Accuracies are interpolated at this many windows to find the best one.
N_INTERPOLATED = 1000


def chance_limit(n: int, n_talkers: int = 2, alpha: float = 0.05) -> float:
    """Smallest accuracy that guessing reaches with a probability of at most ``alpha``: a binomial test, one-sided.

    Parameters
    ----------
    n : int
        Number of decisions. They must be independent: windows that do not overlap.
    n_talkers : int
        Guessing is right one time in as many: the chance level.
    alpha : float
        Level of the one-sided test.

    Returns
    -------
    float
        Accuracy, 0 to 1; NaN where ``n`` is so small that even a perfect score proves nothing.

    Examples
    --------
    >>> chance_limit(20)
    0.75
    """
    if n < 0 or n_talkers < 2 or not 0 < alpha < 1:
        raise ValueError(f"no chance limit for n={n}, n_talkers={n_talkers}, alpha={alpha}")
    enough = int(binom.isf(alpha, n, 1 / n_talkers)) + 1  # whose probability, or that of more, is at most alpha
    return enough / n if 0 < enough <= n else math.nan


@dataclass(frozen=True, slots=True)
class Mesd:
    """Minimal expected switch duration.

    Attributes
    ----------
    seconds : float
        From a switch of attention until the gain suits the newly attended talker; infinite at chance.
    window : float
        Decision window in seconds with which it is reached.
    n_levels : int
        Number of gain levels with which it is reached; 0 at chance.
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

    The gain walks over ``n_levels`` levels between the talkers, a step to the right one after each correct decision
    and a step to the wrong one otherwise. There are as few levels as keep it above ``comfort`` for the share ``p0`` of
    the time. Expected is the time from a switch until the gain passes ``comfort``, given that it was below. Small
    windows decide fast and wrong, large ones right and late: the best one counts.

    Parameters
    ----------
    windows : array-like, shape (n,)
        Decision windows in seconds, ascending.
    accuracy : array-like, shape (n,)
        Accuracy at each, 0 to 1; straight lines are drawn between them, and nothing beyond.
    n_min : int
        Fewest gain levels.
    p0 : float
        Share of the time.
    comfort : float
        Lowest comfortable gain of the attended talker, where 0 is all ignored and 1 all attended.

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
    """Fewest levels for which the gain stays above ``comfort`` for the share ``p0`` of the time."""
    log_r = math.log(p / max(1 - p, 1e-12))
    first, last = n_min, 2 * n_min
    while True:
        n = np.arange(first, last)
        # The highest level such that the stationary distribution, a geometric series, has p0 at or above it.
        level = np.floor(np.logaddexp(n * log_r + math.log(1 - p0), math.log(p0)) / log_r + 1 + 1e-9)
        enough = np.flatnonzero((level - 1) / (n - 1) >= comfort - 1e-9)
        if len(enough):
            return int(n[enough[0]])
        first, last = last, 2 * last


def _steps_to_switch(p: float, n_levels: int, comfort: float) -> float:
    """Mean number of decisions from below ``comfort`` to above, started as the walk to the other talker left it."""
    target = math.ceil(comfort * (n_levels - 1) + 1 - 1e-9)
    rho = (1 - p) / p
    below = np.arange(1, target)
    up_one = (1 - rho**below) / (2 * p - 1)
    steps = np.cumsum(up_one[::-1])[::-1]
    start = rho ** (below - 1.0)
    return float(start @ steps / start.sum())


def information_transfer_rate(accuracy: float, window: float, n_talkers: int = 2) -> float:
    """Bits per minute by Wolpaw's formula [1]_, which takes all errors for equally likely; 0 at chance and below.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    window : float
        Seconds for one decision.
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
    """How often a decoder is right when it is that sure.

    Attributes
    ----------
    confidence, accuracy : tuple of float
        Mean posterior of the likeliest talker, and how often it was the attended one, in each bin that holds any.
    n : tuple of int
        Decisions in each.
    ece : float
        Expected calibration error: their mean distance, weighted by ``n``; NaN without decisions.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    n: tuple[int, ...]
    ece: float


def reliability(posterior: NDArray[np.float64], attended: NDArray[np.int64], n_bins: int = 20) -> Reliability:
    """Reliability curve and expected calibration error [1]_.

    Parameters
    ----------
    posterior : array, shape (n, n_talkers)
        Rows sum to 1.
    attended : array of int, shape (n,)
        Index of the attended talker.
    n_bins : int
        Bins of equal width between 0 and 1; with two talkers the lower half stays empty.

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
    # Between talkers that are equally likely nothing was decided: half right, if there are two.
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
    """Seconds from each switch of attention to the first decision that is right and stays so for ``hold`` seconds.

    Parameters
    ----------
    times : array, shape (n,)
        When each decision was there, in seconds, ascending.
    correct : array of bool, shape (n,)
        Whether it named the talker attended at that time.
    switches : sequence of float
        When attention moved, in seconds, ascending.
    hop : float
        Seconds between decisions; where one is missing, being right does not carry on.
    hold : float
        Seconds.

    Returns
    -------
    array, shape (n_switches,)
        NaN where it did not happen before the next switch.
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
    """Fisher's z of correlations, finite for perfect ones; any shape."""
    z: NDArray[np.float64] = np.arctanh(np.clip(correlation, -LARGEST_CORRELATION, LARGEST_CORRELATION))
    return z


def expected_accuracy(differences: NDArray[np.float64], window: float, wanted: float, n_talkers: int = 2) -> float:
    """Accuracy to expect at a window that was not measured, after an idea in [1]_.

    Fisher's z of the attended talker's correlation less that of an ignored one is taken for normal, with a mean that
    does not depend on the window and a variance that falls with its length. Each talker brings the same noise.

    Parameters
    ----------
    differences : array, shape (n,)
        Such differences, measured with windows of ``window`` seconds.
    window, wanted : float
        Seconds measured, and asked for.
    n_talkers : int
        Number of choices.

    Returns
    -------
    float
        0 to 1; NaN from fewer than two differences.

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
    # Differences to one attended talker share half of their variance. Given that share they are independent.
    x, weight = np.polynomial.hermite_e.hermegauss(101)
    return float(weight @ ndtr(math.sqrt(2) * d + x) ** (n_talkers - 1) / weight.sum())


def auc(scores: NDArray[np.float64], attended: NDArray[np.int64]) -> float:
    """Area under the curve of telling attended from ignored talkers by how far their score is above the others'.

    Parameters
    ----------
    scores : array, shape (n, n_talkers)
        One row per decision.
    attended : array of int, shape (n,)
        Index of the attended talker.

    Returns
    -------
    float
        Probability that an attended talker's score stands out more than an ignored one's; ties count half; NaN
        without decisions. It does not depend on the order of the talkers.
    """
    n, n_talkers = scores.shape
    if n == 0:
        return math.nan
    lead = scores - (scores.sum(axis=1, keepdims=True) - scores) / (n_talkers - 1)
    is_attended = np.arange(n_talkers) == attended[:, None]
    ranks = rankdata(lead)[is_attended.ravel()]
    n_ignored = n * (n_talkers - 1)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * n_ignored))

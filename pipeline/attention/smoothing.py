"""Smoothed posterior: who was attended, given also the scores of the seconds that followed.

It is for what can wait, such as a report or a transcript. Sound cannot: gains follow the live posterior.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import DwellFilter, EvidenceConfig

#: Seconds of later scores that the smoothed posterior uses.
SMOOTHING_S = 5.0


def smoothed(
    config: EvidenceConfig, emissions: Emissions, scores: NDArray[np.float64], lag_s: float = SMOOTHING_S
) -> NDArray[np.float64]:
    """Compute the posterior of each hop from all scores up to ``lag_s`` seconds later, by forward–backward recursions.

    Parameters
    ----------
    config : EvidenceConfig
        Times, and the law of the dwell; its ``cap`` is not used.
    emissions : Emissions
        Emission model of the listener.
    scores : array, shape (n, n_talkers)
        Correlations at adjacent hops. A row with NaN is a hop without a score.
    lag_s : float
        Seconds of later scores, rounded to whole hops; 0 gives the posterior of the filter. The last rows have fewer.

    Returns
    -------
    array, shape (n, n_talkers)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If a score is not a correlation, the shape is wrong, or the lag is negative or not finite.

    References
    ----------
    .. [1] Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech recognition. Proc.
       IEEE 77, 257-286.
    """
    if not 0 <= lag_s < math.inf:
        raise ValueError(f"the lag is {lag_s} s, but must be finite and not negative")
    if scores.ndim != 2 or scores.shape[1] != config.n_talkers:
        raise ValueError(f"scores have shape {scores.shape}, but must have (n, {config.n_talkers})")
    live = DwellFilter(config, emissions)
    n, shape = len(scores), live.stages.shape
    stages, likelihood = np.ones((n, *shape)), np.ones((n, config.n_talkers))
    for t, row in enumerate(scores):
        if np.isfinite(row).all():
            likelihood[t] = config.likelihood(emissions, row)
        live.weigh(likelihood[t])
        stages[t] = live.stages
    later = np.ones((n, *shape))  # likelihood of the later scores given each state, up to a factor
    for ahead in range(min(round(lag_s / config.hop_s), n - 1), 0, -1):
        known = (later[: n - ahead] * likelihood[ahead:, :, None]).reshape(n - ahead, -1) @ live.hop
        later[: n - ahead] = (known / known.max(axis=1, keepdims=True)).reshape(n - ahead, *shape)
    both: NDArray[np.float64] = (stages * later).sum(axis=2)
    both /= both.sum(axis=1, keepdims=True)
    return np.minimum(both, 1.0)  # rounding can give slightly more

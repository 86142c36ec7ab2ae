"""Computes the probability that each talker is attended from their scores.

A score is the correlation between the decoded speech feature and that of a talker, one per talker and hop. Scores of
one second barely distinguish talkers, and attention stays with a talker for many seconds: a hidden Markov model
accumulates the evidence of the scores and forgets it as listeners switch (Heintz et al. 2025, arXiv:2506.24024).
:class:`DwellFilter` also knows that attention hardly switches back at once; :class:`MemorylessFilter` does not, and is
used where a configuration states a ``switch_rate``, as all recordings of format 0 and 1 did or meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.dwell import UNKNOWN, Dwell
from earmark.pipeline.attention.emissions import N_TALKERS, TALKERS, Emissions
from earmark.pipeline.node import State

#: Largest difference of log-likelihoods, in nats: a talker is never ruled out by one score, whatever it is.
MAX_EVIDENCE = 600.0


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """Settings of the accumulation of evidence, and thresholds of the decision.

    Attributes
    ----------
    n_talkers : int
        Number of talkers, 2 to 8.
    hop_s : float
        Seconds between scores.
    window_s : float
        Length of the window of a score in seconds, at least ``hop_s``: the window that the emissions were fitted for.
    switch_rate : float or None
        Rate at which attention leaves a talker, per second, however long it has stayed; None to use a law of the dwell
        instead. Higher values follow switches faster but cause more errors; 0.02 corresponds to a switch every 50 s.
    expected_dwell_s : float or None
        Mean time for which attention stays with a talker, in seconds, where it is known; None if it is not.
    cap : float
        With a ``switch_rate``: maximum log odds, in nats, of the most probable talker, which lets new evidence overcome
        an earlier certainty quickly. 2.5 corresponds to a probability of 0.92. A law of the dwell needs no cap.
    enter, leave : float
        A talker is chosen when its probability reaches ``enter``, until it falls below ``leave``.
    """

    n_talkers: int = 2
    hop_s: float = 0.5
    window_s: float = 1.0
    switch_rate: float | None = None
    expected_dwell_s: float | None = None
    cap: float = 2.5
    enter: float = 0.7
    leave: float = 0.55

    def __post_init__(self) -> None:
        for key, right, wanted in (
            ("n_talkers", self.n_talkers in TALKERS, N_TALKERS),
            ("hop_s", 0 < self.hop_s < math.inf, "positive"),
            ("window_s", self.hop_s <= self.window_s < math.inf, "at least hop_s"),
            ("switch_rate", self.switch_rate is None or 0 < self.switch_rate < math.inf, "positive"),
            ("expected_dwell_s", self.expected_dwell_s is None or 0 < self.expected_dwell_s < math.inf, "positive"),
            ("cap", self.cap > 0, "positive"),
            ("leave", 0.5 <= self.leave <= 1, "0.5 to 1: only one talker can be chosen"),
            ("enter", self.leave <= self.enter < 1, "at least leave, and below 1"),
        ):
            if not right:
                raise ValueError(f"evidence: {key} is {getattr(self, key)}, but must be {wanted}")
        if self.switch_rate is not None and self.expected_dwell_s is not None:
            raise ValueError("evidence: there are switch_rate and expected_dwell_s: leave out one of them")
        if self.switch_rate is not None and self.cap < math.log(self.enter / (1 - self.enter)):
            raise ValueError(f"evidence: enter is {self.enter}, which log odds capped at {self.cap} never reach")

    @property
    def temper(self) -> float:
        """Fraction of a score's log-likelihood that is new information.

        Scores of overlapping windows share data. The correlation of two scores falls linearly with their distance, to
        zero at one window, and these correlations sum to ``window_s / hop_s``: that many scores together carry as
        much information as one independent score.
        """
        return self.hop_s / self.window_s

    @property
    def dwell(self) -> Dwell:
        """Law of the dwell."""
        if self.switch_rate is not None:
            return Dwell.memoryless(self.switch_rate)
        return UNKNOWN if self.expected_dwell_s is None else Dwell.known(self.expected_dwell_s)

    def likelihood(self, emissions: Emissions, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the likelihood of each talker given the scores of one hop, relative to the largest.

        Parameters
        ----------
        emissions : Emissions
            Emission model of the listener.
        scores : array, shape (n_talkers,)
            Correlations.

        Returns
        -------
        array, shape (n_talkers,)
            At most 1, and never 0. Only the fraction ``temper`` of the log-likelihood counts.
        """
        evidence = self.temper * emissions.log_likelihood(scores)
        found: NDArray[np.float64] = np.exp(np.maximum(evidence - evidence.max(), -MAX_EVIDENCE))
        return found


@dataclass(frozen=True, slots=True)
class Posterior:
    """Estimate of the attended talker.

    Attributes
    ----------
    probability : array, shape (n_talkers,)
        Probability that each talker is attended; sums to 1.
    talker : int or None
        Index of the chosen talker; None if undecided.
    """

    probability: NDArray[np.float64]
    talker: int | None

    @property
    def confidence(self) -> float:
        """Probability of the most probable talker."""
        return float(self.probability.max())


class Evidence(Protocol):
    """Accumulates scores into a posterior."""

    config: EvidenceConfig
    emissions: Emissions

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Add the scores of one hop, shape (n_talkers,)."""

    def gap(self, seconds: float) -> Posterior:
        """Advance the time by ``seconds`` without scores."""

    def state(self) -> State:
        """Return everything that later output depends on."""

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""


class _Decision:
    """Decision with hysteresis: two thresholds, so that noise around one does not toggle the decision."""

    def __init__(self, config: EvidenceConfig) -> None:
        self.config = config
        self.talker: int | None = None

    def __call__(self, probability: NDArray[np.float64]) -> Posterior:
        best = int(probability.argmax())
        if probability[best] >= self.config.enter:
            self.talker = best
        elif self.talker is not None and probability[self.talker] < self.config.leave:
            self.talker = None
        return Posterior(probability.copy(), self.talker)

    def state(self) -> State:
        return {"talker": np.array(-1 if self.talker is None else self.talker)}

    def restore(self, state: State) -> None:
        talker = int(state["talker"])
        self.talker = None if talker < 0 else talker


def _check(config: EvidenceConfig, scores: NDArray[np.float64]) -> None:
    if np.shape(scores) != (config.n_talkers,):
        raise ValueError(f"scores have shape {np.shape(scores)}, but must have ({config.n_talkers},)")


def _check_seconds(seconds: float) -> None:
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a gap lasts {seconds} s, but must last a finite time that is not negative")


def _kept(state: State, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if state[key].shape != shape:
        raise ValueError(f"state of the evidence: {key} has shape {state[key].shape}, but must have {shape}")
    return state[key].astype(np.float64)


def make_evidence(config: EvidenceConfig, emissions: Emissions) -> Evidence:
    """Create the filter of a configuration: without memory if it has a ``switch_rate``.

    Parameters
    ----------
    config : EvidenceConfig
        Times and thresholds.
    emissions : Emissions
        Emission model of this listener.
    """
    return (DwellFilter if config.switch_rate is None else MemorylessFilter)(config, emissions)


class DwellFilter:
    """Forward filter of a hidden semi-Markov model: who is attended, and how far the dwell has come.

    Parameters
    ----------
    config : EvidenceConfig
        Times and thresholds; its ``cap`` is not used.
    emissions : Emissions
        Emission model of this listener.

    Notes
    -----
    The state is the probability of every talker and stage of the dwell, shape (n_talkers, n_stages); see
    :class:`earmark.pipeline.attention.dwell.Dwell`. At each hop it advances by ``hop_s`` and is multiplied by the
    likelihoods raised to the power ``config.temper``. Hops and gaps of any length are consistent.

    There is no cap on the log odds. Without memory, the cap makes up for a wrong law: certainty grows for as long as
    attention stays, and a switch then takes long to be believed. With a dwell, the switch is expected the more, the
    longer attention has stayed, which bounds the certainty and keeps it calibrated.
    """

    def __init__(self, config: EvidenceConfig, emissions: Emissions) -> None:
        self.config = config
        self.emissions = emissions
        self._decide = _Decision(config)
        self._hop = config.dwell.advance(config.n_talkers, config.hop_s)
        self._stages = config.dwell.at_rest(config.n_talkers)

    @property
    def stages(self) -> NDArray[np.float64]:
        """Probability of each talker and stage of the dwell, shape (n_talkers, n_stages)."""
        return self._stages.copy()

    @property
    def hop(self) -> NDArray[np.float64]:
        """What :meth:`earmark.pipeline.attention.dwell.Dwell.advance` returns for one hop."""
        return self._hop

    def _moved(self, matrix: NDArray[np.float64], likelihood: NDArray[np.float64] | float) -> Posterior:
        stages = (matrix @ self._stages.ravel()).reshape(self._stages.shape) * likelihood
        self._stages = stages / stages.sum()
        return self._decide(np.minimum(self._stages.sum(axis=1), 1.0))  # rounding can give slightly more

    def weigh(self, likelihood: NDArray[np.float64]) -> Posterior:
        """Advance by a hop and multiply by likelihoods of the talkers, shape (n_talkers,), of which one is positive."""
        return self._moved(self._hop, likelihood[:, None])

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Add the scores of one hop.

        Parameters
        ----------
        scores : array, shape (n_talkers,)
            Correlations.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, or the shape is wrong. The state of the filter does not change then.
        """
        _check(self.config, scores)
        return self.weigh(self.config.likelihood(self.emissions, scores))

    def gap(self, seconds: float) -> Posterior:
        """Advance by some seconds without scores: probabilities approach equality.

        Raises
        ------
        ValueError
            If the time is negative or not finite.
        """
        _check_seconds(seconds)
        if seconds == self.config.hop_s:
            return self._moved(self._hop, 1.0)
        return self._moved(self.config.dwell.advance(self.config.n_talkers, seconds), 1.0)

    def state(self) -> State:
        """Return the probabilities of talkers and stages, and the decision."""
        return {"stages": self._stages.copy(), **self._decide.state()}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._stages = _kept(state, "stages", self._stages.shape)
        self._decide.restore(state)


class MemorylessFilter:
    """Forward filter of a hidden Markov model: one state per talker, all switches equally likely at any time.

    Parameters
    ----------
    config : EvidenceConfig
        Times and thresholds, with a ``switch_rate``.
    emissions : Emissions
        Emission model of this listener.

    Notes
    -----
    Attention is a Markov chain in continuous time, so that hops and gaps of any length are consistent. At each hop,
    the probabilities relax towards equality for ``hop_s`` and are multiplied by the likelihoods raised to the power
    ``config.temper``. For two talkers this is the model of Heintz et al. 2025 (arXiv:2506.24024), with the cap added.
    """

    def __init__(self, config: EvidenceConfig, emissions: Emissions) -> None:
        self.config = config
        self.emissions = emissions
        self._decide = _Decision(config)
        self._probability = np.full(config.n_talkers, 1 / config.n_talkers)
        self._most = 1 / (1 + math.exp(-config.cap))
        if config.switch_rate is None:
            raise ValueError("evidence: a filter without memory needs a switch_rate")
        self._switch_rate = config.switch_rate

    def _relaxed(self, seconds: float) -> NDArray[np.float64]:
        n = self.config.n_talkers
        kept = math.exp(-self._switch_rate * seconds * n / (n - 1))
        return 1 / n + kept * (self._probability - 1 / n)

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Add the scores of one hop.

        Parameters
        ----------
        scores : array, shape (n_talkers,)
            Correlations.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, or the shape is wrong. The state of the filter does not change then.
        """
        _check(self.config, scores)
        evidence = self.config.temper * self.emissions.log_likelihood(scores)
        weighed = self._relaxed(self.config.hop_s) * np.exp(evidence - evidence.max())
        probability = weighed / weighed.sum()
        if probability.max() > self._most:
            # Move towards equality until the cap holds; this keeps the order of talkers.
            n = self.config.n_talkers
            probability = 1 / n + (self._most - 1 / n) / (probability.max() - 1 / n) * (probability - 1 / n)
        self._probability = probability
        return self._decide(probability)

    def gap(self, seconds: float) -> Posterior:
        """Relax towards equal probabilities for some seconds without scores.

        Raises
        ------
        ValueError
            If the time is negative or not finite.
        """
        _check_seconds(seconds)
        self._probability = self._relaxed(seconds)
        return self._decide(self._probability)

    def state(self) -> State:
        """Return probabilities and decision."""
        return {"probability": self._probability.copy(), **self._decide.state()}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._probability = _kept(state, "probability", (self.config.n_talkers,))
        self._decide.restore(state)

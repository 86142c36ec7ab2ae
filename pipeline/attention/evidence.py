"""From scores to the probability that each talker is attended.

A score is the correlation of what was decoded with what a talker said, one per talker and decision. Scores of
one second barely tell talkers apart, and attention stays where it is for many seconds: a hidden Markov model
adds up what they say and forgets it at the rate at which listeners switch (Heintz et al. 2025, arXiv:2506.24024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.emissions import N_TALKERS, TALKERS, Emissions
from earmark.pipeline.node import State


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """How decisions follow each other, and when they are decisions.

    Attributes
    ----------
    n_talkers : int
        2 to 8.
    hop_s : float
        Seconds from one score to the next.
    window_s : float
        Seconds that a score rests on, at least ``hop_s``: the window that emissions were fitted for.
    switch_rate : float
        How often attention leaves a talker, per second. Higher follows faster and errs more often; 0.02 is right
        for switches every 50 s, and 0.02 to 0.05 were found to suit EEG.
    cap : float
        Most log odds, in nats, of the likeliest talker: what was once certain can still be overcome quickly.
        2.5 is a probability of 0.92.
    enter, leave : float
        A talker is decided for when its probability reaches the first, and until it falls below the second.
    """

    n_talkers: int = 2
    hop_s: float = 0.5
    window_s: float = 1.0
    switch_rate: float = 0.02
    cap: float = 2.5
    enter: float = 0.7
    leave: float = 0.55

    def __post_init__(self) -> None:
        for key, right, wanted in (
            ("n_talkers", self.n_talkers in TALKERS, N_TALKERS),
            ("hop_s", 0 < self.hop_s < math.inf, "positive"),
            ("window_s", self.hop_s <= self.window_s < math.inf, "at least hop_s"),
            ("switch_rate", 0 < self.switch_rate < math.inf, "positive"),
            ("cap", self.cap > 0, "positive"),
            ("leave", 0.5 <= self.leave <= 1, "0.5 to 1: only one talker can be decided for"),
            ("enter", self.leave <= self.enter < 1, "at least leave, and below 1"),
        ):
            if not right:
                raise ValueError(f"evidence: {key} is {getattr(self, key)}, but must be {wanted}")
        if self.cap < math.log(self.enter / (1 - self.enter)):
            raise ValueError(f"evidence: enter is {self.enter}, which log odds capped at {self.cap} never reach")

    @property
    def temper(self) -> float:
        """Part of a score's log-likelihood that is new.

        Scores of windows that overlap repeat each other. With overlap the correlation of two scores falls
        linearly to zero at one window apart, and the sum of those correlations is ``window_s / hop_s``: so many
        scores are worth one.
        """
        return self.hop_s / self.window_s


@dataclass(frozen=True, slots=True)
class Posterior:
    """Who is attended, as far as is known.

    Attributes
    ----------
    probability : array, shape (n_talkers,)
        That each talker is the attended one; sums to 1.
    talker : int or None
        The talker decided for; None is undecided.
    """

    probability: NDArray[np.float64]
    talker: int | None

    @property
    def confidence(self) -> float:
        """Probability of the likeliest talker."""
        return float(self.probability.max())


class Evidence(Protocol):
    """What adds scores up."""

    config: EvidenceConfig

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Take the scores of one hop, shape (n_talkers,)."""

    def gap(self, seconds: float) -> Posterior:
        """Let time pass without scores."""

    def state(self) -> State:
        """Everything that later output depends on."""

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""


class _Decision:
    """The undecided zone: two thresholds, so that noise at one does not toggle the decision."""

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


class AttentionFilter:
    """Forward filter of a hidden Markov model: one state per talker, all switches equally likely.

    Parameters
    ----------
    config : EvidenceConfig
        Times and thresholds.
    emissions : Emissions
        What scores say in this listener.

    Notes
    -----
    Attention is a Markov chain in continuous time, so that hops and gaps of any length agree. Each hop, the
    probabilities relax towards equal ones for ``hop_s`` and are multiplied by likelihoods to the power of
    ``config.temper``. Over two talkers this is Heintz et al. 2025 (arXiv:2506.24024), but for the cap.
    """

    def __init__(self, config: EvidenceConfig, emissions: Emissions) -> None:
        self.config = config
        self.emissions = emissions
        self._decide = _Decision(config)
        self._probability = np.full(config.n_talkers, 1 / config.n_talkers)
        self._most = 1 / (1 + math.exp(-config.cap))

    def _relaxed(self, seconds: float) -> NDArray[np.float64]:
        n = self.config.n_talkers
        kept = math.exp(-self.config.switch_rate * seconds * n / (n - 1))
        return 1 / n + kept * (self._probability - 1 / n)

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Take the scores of one hop.

        Parameters
        ----------
        scores : array, shape (n_talkers,)
            Correlations.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, or the shape is wrong. The filter is then as before.
        """
        _check(self.config, scores)
        evidence = self.config.temper * self.emissions.log_likelihood(scores)
        weighed = self._relaxed(self.config.hop_s) * np.exp(evidence - evidence.max())
        probability = weighed / weighed.sum()
        if probability.max() > self._most:
            # Towards equal ones until the cap holds: the order of talkers stays.
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
        """Probabilities and decision."""
        return {"probability": self._probability.copy(), **self._decide.state()}

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""
        self._probability = _kept(state, "probability", (self.config.n_talkers,))
        self._decide.restore(state)

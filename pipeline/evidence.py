"""From scores to the probability that each talker is attended.

A score is the correlation of what was decoded with what a talker said, one per talker and decision. Scores of
one second barely tell talkers apart, and attention stays where it is for many seconds: a hidden Markov model
adds up what they say and forgets it at the rate at which listeners switch (Heintz et al. 2025, arXiv:2506.24024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.node import State

#: How many talkers there can be.
TALKERS = range(2, 5)
#: A correlation counts as at most this: the Fisher transform of 1 is infinite.
MAX_CORRELATION = 0.999
#: No window says more than one this many standard deviations away: artefacts are not Gaussian.
MAX_SD = 4.0
#: Fewest windows that an emission model is fitted on.
MIN_WINDOWS = 10
#: Median absolute deviation of a Gaussian of standard deviation 1, inverted.
MAD_TO_SD = 1.4826


def _fisher(scores: NDArray[np.float64], shape: str, ndim: int) -> NDArray[np.float64]:
    """Fisher-transform correlations, or say why they are none."""
    r = np.asarray(scores, np.float64)
    if r.ndim != ndim or r.shape[-1] not in TALKERS:
        raise ValueError(f"scores have shape {r.shape}, but must have {shape} with 2 to 4 talkers")
    # Not (|r| <= ...) is also true of NaN.
    if not np.all(np.abs(r) <= 1 + 1e-6):
        raise ValueError("scores must be correlations between -1 and 1, without NaN; report missing ones as a gap")
    return np.arctanh(np.clip(r, -MAX_CORRELATION, MAX_CORRELATION))


@dataclass(frozen=True, slots=True)
class Emissions:
    """How scores of one window scatter for one listener: Gaussian after the Fisher z-transform.

    The z of the attended talker has one mean, those of ignored talkers another; all have the same standard
    deviation, because that is what the transform is for, and any two the same correlation. So the evidence is
    linear in the scores: a higher score never speaks against its talker, however much of an outlier it is.

    Attributes
    ----------
    attended_mean, ignored_mean : float
        Mean z. The first is never below the second: a listener in whom it seems so gives no evidence.
    sd : float
        Standard deviation of z given who is attended.
    correlation : float
        Correlation between the z of two talkers given who is attended; above -1/3, what four talkers can have.
    n_windows : float
        Number of windows that the means rest on. Of a prior (:meth:`pool`): how many it is worth.
    """

    attended_mean: float
    ignored_mean: float
    sd: float
    correlation: float
    n_windows: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise ValueError(f"emissions: {field.name} is {getattr(self, field.name)}, but must be finite")
        if self.attended_mean < self.ignored_mean:
            raise ValueError("emissions: attended_mean is below ignored_mean: evidence would point the wrong way")
        if self.sd <= 0:
            raise ValueError(f"emissions: sd is {self.sd}, but must be positive")
        if not -1 / 3 < self.correlation < 1:
            raise ValueError(f"emissions: correlation is {self.correlation}, but must be between -1/3 and 1")
        if self.n_windows <= 0:
            raise ValueError(f"emissions: n_windows is {self.n_windows}, but must be positive")

    @classmethod
    def fit(cls, scores: NDArray[np.float64], attended: NDArray[np.int64], prior: Emissions | None = None) -> Self:
        """Learn from windows with known attention.

        Parameters
        ----------
        scores : array, shape (n, n_talkers)
            Cross-validated: no decoder was trained on the window that it scores. The windows do not overlap.
        attended : array of int, shape (n,)
            Index of the attended talker.
        prior : Emissions, optional
            From other listeners (:meth:`pool`). The fit is their weighted mean: n windows of this listener
            against ``prior.n_windows``.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, shapes do not agree, an index is no talker, there are fewer
            than ten windows, or scores do not vary.

        Notes
        -----
        z more than four robust standard deviations from the median of their class are pulled in to there.
        """
        z = _fisher(scores, "(n, n_talkers)", 2)
        n, n_talkers = z.shape
        who = np.asarray(attended)
        if who.shape != (n,) or not np.issubdtype(who.dtype, np.integer):
            raise ValueError(f"attended is {who.dtype} of shape {who.shape}, but must be integers of shape ({n},)")
        if n < MIN_WINDOWS:
            raise ValueError(f"{n} windows are too few for an emission model: at least {MIN_WINDOWS} are wanted")
        if who.min() < 0 or who.max() >= n_talkers:
            raise ValueError(f"attended goes from {who.min()} to {who.max()}, but talkers from 0 to {n_talkers - 1}")
        is_attended = who[:, None] == np.arange(n_talkers)
        centre = np.where(is_attended, np.median(z[is_attended]), np.median(z[~is_attended]))
        reach = MAX_SD * MAD_TO_SD * np.median(np.abs(z - centre))
        z = np.clip(z, centre - reach, centre + reach)
        means = float(z[is_attended].mean()), float(z[~is_attended].mean())
        rest = z - np.where(is_attended, *means)
        covariance = rest.T @ rest / n
        variance = float(np.trace(covariance)) / n_talkers
        if not variance > 0:
            raise ValueError("scores do not vary: there is nothing to fit an emission model on")
        between = (float(covariance.sum()) / n_talkers - variance) / (n_talkers - 1)
        own = (*means, variance, between / variance)
        if prior is None:
            return cls._of(*own, float(n))
        known = (prior.attended_mean, prior.ignored_mean, prior.sd**2, prior.correlation)
        weight = n / (n + prior.n_windows)
        attended_z, ignored_z, variance, correlation = (
            weight * np.array(own) + (1 - weight) * np.array(known)
        ).tolist()
        return cls._of(attended_z, ignored_z, variance, correlation, n + prior.n_windows)

    @classmethod
    def pool(cls, listeners: Sequence[Emissions]) -> Self:
        """Make a prior for a listener of whom little is known, from others of whom much is.

        Parameters
        ----------
        listeners : sequence of Emissions
            Each fitted without a prior, at least two of them, on windows of one length.

        Returns
        -------
        Emissions
            Means over listeners. ``n_windows`` is the variance of the difference between attended and ignored
            z from window to window over its variance from listener to listener: after so many windows, a
            listener's own figure is as good as that of the others (empirical Bayes, method of moments).

        Raises
        ------
        ValueError
            If there are fewer than two listeners.
        """
        if len(listeners) < 2:
            raise ValueError(f"a prior is pooled from at least two listeners, not {len(listeners)}")
        variance = float(np.mean([one.sd**2 for one in listeners]))
        correlation = float(np.mean([one.correlation for one in listeners]))
        within = 2 * variance * (1 - correlation)
        differences = [one.attended_mean - one.ignored_mean for one in listeners]
        # What listeners seem to differ by includes the error of each one's mean.
        across = float(np.var(differences, ddof=1)) - float(np.mean([within / one.n_windows for one in listeners]))
        total = sum(one.n_windows for one in listeners)
        return cls._of(
            float(np.mean([one.attended_mean for one in listeners])),
            float(np.mean([one.ignored_mean for one in listeners])),
            variance,
            correlation,
            within / across if across > within / total else total,
        )

    @classmethod
    def _of(cls, attended: float, ignored: float, variance: float, correlation: float, n_windows: float) -> Self:
        """Keep estimates within what a model can be."""
        if attended < ignored:
            attended = ignored = (attended + ignored) / 2
        return cls(attended, ignored, math.sqrt(variance), min(max(correlation, -0.3), 0.95), n_windows)

    @property
    def dprime(self) -> float:
        """Mean over standard deviation of the difference of z, attended minus ignored, in one window."""
        return (self.attended_mean - self.ignored_mean) / (self.sd * math.sqrt(2 * (1 - self.correlation)))

    def log_likelihood(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log density of the z of one window, were each talker in turn the attended one.

        Parameters
        ----------
        scores : array, shape (n_talkers,)
            Correlations.

        Returns
        -------
        array, shape (n_talkers,)
            In nats. Differences between talkers are bounded.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, or there are not 2 to 4.
        """
        z = _fisher(scores, "(n_talkers,)", 1)
        z = np.clip(z, self.ignored_mean - MAX_SD * self.sd, self.attended_mean + MAX_SD * self.sd)
        n = len(z)
        # Row k: deviations if talker k is attended. Equal correlations make the inverse covariance a formula.
        rest = z - self.ignored_mean - (self.attended_mean - self.ignored_mean) * np.eye(n)
        common = 1 + (n - 1) * self.correlation
        alone = 1 - self.correlation
        square = (rest**2).sum(axis=1) - self.correlation / common * rest.sum(axis=1) ** 2
        log_det = 2 * n * math.log(self.sd) + (n - 1) * math.log(alone) + math.log(common)
        density: NDArray[np.float64] = -0.5 * (n * math.log(2 * math.pi) + log_det + square / (self.sd**2 * alone))
        return density

    def to_dict(self) -> dict[str, float]:
        """Give all fields as plain floats."""
        return {key: float(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """Make from what :meth:`to_dict` gave.

        Raises
        ------
        ValueError
            Naming keys that are missing or unknown, or the value that cannot be.
        """
        wanted = {field.name for field in fields(cls)}
        if set(values) != wanted:
            missing, unknown = sorted(wanted - set(values)), sorted(set(values) - wanted)
            raise ValueError(f"emissions: keys missing {missing}, keys unknown {unknown}")
        return cls(**{key: float(value) for key, value in values.items()})


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """How decisions follow each other, and when they are decisions.

    Attributes
    ----------
    n_talkers : int
        2 to 4.
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
            ("n_talkers", self.n_talkers in TALKERS, "2 to 4"),
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


class MovingAverage:
    """The usual comparison: the mean of the last scores, and nothing before them.

    Parameters
    ----------
    config : EvidenceConfig
        ``switch_rate`` and ``cap`` are not used.
    emissions : Emissions
        What scores say in this listener.
    length_s : float
        Seconds averaged over, at least one hop; rounded to whole hops.

    Notes
    -----
    Probabilities are those of a listener who did not switch within the average. Log-likelihoods are linear in
    Fisher-z, so the likeliest talker is the one of the highest mean z (but for what :data:`MAX_SD` pulls in).

    Raises
    ------
    ValueError
        If ``length_s`` is shorter than a hop.
    """

    def __init__(self, config: EvidenceConfig, emissions: Emissions, length_s: float) -> None:
        if not config.hop_s <= length_s < math.inf:
            raise ValueError(f"moving average: length_s is {length_s}, but must be at least hop_s, {config.hop_s}")
        self.config = config
        self.emissions = emissions
        self._decide = _Decision(config)
        self._recent = np.zeros((round(length_s / config.hop_s), config.n_talkers))
        self._silence = 0.0

    def _posterior(self) -> Posterior:
        evidence = self._recent.sum(axis=0)
        weighed = np.exp(evidence - evidence.max())
        return self._decide(weighed / weighed.sum())

    def _push(self, evidence: NDArray[np.float64] | float) -> None:
        self._recent[:-1] = self._recent[1:]
        self._recent[-1] = evidence

    def update(self, scores: NDArray[np.float64]) -> Posterior:
        """Take the scores of one hop, shape (n_talkers,). Raises as :meth:`AttentionFilter.update` does."""
        _check(self.config, scores)
        evidence = self.config.temper * self.emissions.log_likelihood(scores)
        self._push(evidence - evidence.mean())
        return self._posterior()

    def gap(self, seconds: float) -> Posterior:
        """Let the average move on over seconds that say nothing."""
        _check_seconds(seconds)
        self._silence += seconds
        # A hop made of parts is a hop, though their floating-point sum may fall short of it.
        hops = int(self._silence / self.config.hop_s + 1e-9)
        self._silence -= hops * self.config.hop_s
        for _ in range(min(hops, len(self._recent))):
            self._push(0.0)
        return self._posterior()

    def state(self) -> State:
        """Recent evidence and decision."""
        return {"recent": self._recent.copy(), "silence": np.array(self._silence), **self._decide.state()}

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""
        self._recent = _kept(state, "recent", self._recent.shape)
        self._silence = float(state["silence"])
        self._decide.restore(state)

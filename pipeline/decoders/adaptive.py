"""A linear decoder that adapts online without labels of the attended talker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, Projections, check_window, correlate
from earmark.pipeline.decoders.linear import LinearDecoder, leave_one_run_out
from earmark.pipeline.decoders.moments import Moments, lagged_product, moments
from earmark.pipeline.run import Run

#: Minimum number of windows to estimate the distribution of scores.
MIN_WINDOWS = 8
#: Evidence, in nats, below which learning stops: odds of seven to one against attention to any talker.
STOP = -2.0


@dataclass(frozen=True, slots=True)
class Confidence:
    """Distribution of scores after the Fisher transform: Gaussians with the same standard deviation.

    Attributes
    ----------
    attended, other, null : float
        Mean for the attended talker, for the others, and for speech from another time.
    sd : float
        Standard deviation of all three.
    """

    attended: float
    other: float
    null: float
    sd: float

    def posterior(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that each talker is attended, from one window alone, shape (n_talkers,)."""
        # A decoder that seems to prefer the wrong talker gives no evidence.
        odds = max(0.0, self.attended - self.other) / self.sd**2 * _fisher(scores)
        weights = np.exp(odds - odds.max())
        posterior: NDArray[np.float64] = weights / weights.sum()
        return posterior

    def evidence(self, scores: NDArray[np.float64]) -> float:
        """Return the log-likelihood ratio, in nats, of attention to any talker versus to none."""
        z = _fisher(scores)
        nobody = -((z - self.null) ** 2) / (2 * self.sd**2)
        other = -((z - self.other) ** 2) / (2 * self.sd**2)
        attended = -((z - self.attended) ** 2) / (2 * self.sd**2)
        each = other.sum() - other + attended
        return float(each.max() + np.log(np.mean(np.exp(each - each.max()))) - nobody.sum())


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Result of adapting to one window.

    Attributes
    ----------
    scores : array, shape (n_talkers,)
        Scores before adaptation to the window.
    posterior : array, shape (n_talkers,)
        Posterior by which the talkers were weighted.
    evidence : float
        Evidence for attention to any talker, in nats, summed over the last minutes with forgetting.
    learned : bool
        False if the guard stopped learning.
    went_back : bool
        True if the last good state was restored.
    """

    scores: NDArray[np.float64]
    posterior: NDArray[np.float64]
    evidence: float
    learned: bool
    went_back: bool


class AdaptiveLinear(Projections):
    """Start from a fitted decoder and adapt it slowly to the listener and the current session [1]_, [2]_.

    The covariance of the neural signal needs no labels and is updated with every window. Cross-covariances are updated
    with the most probable talker, weighted by how much its probability exceeds chance, so that a window without
    evidence changes nothing. The posterior comes from the window itself, before adaptation, or from the caller.

    Self-training can drift to a wrong solution. Every window is therefore first a test: how much more likely are its
    scores if a talker is attended than if the talkers are unrelated speech? These log-likelihood ratios are summed over
    the last minutes. If the sum is clearly against attention, learning stops and the last state that passed the test
    is restored. Learning resumes when the scores of that state give evidence for attention.

    Parameters
    ----------
    decoder : LinearDecoder
        Fitted to runs of this or of other listeners; it is not modified.
    confidence : Confidence
        Result of :func:`calibrate`.
    half_life : float
        Seconds after which the weight of learned data is halved.
    memory : float
        Seconds after which the weight of evidence is halved.

    References
    ----------
    .. [1] Geirnaert, Francart & Bertrand, Time-adaptive unsupervised auditory attention decoding using EEG-based
       stimulus reconstruction, IEEE Journal of Biomedical and Health Informatics 26 (2022).
    .. [2] Yao et al., unsupervised attention decoding with soft labels, arXiv:2509.14764 (2025).
    """

    kind = "adaptive"

    def __init__(
        self, decoder: LinearDecoder, confidence: Confidence, half_life: float = 300.0, memory: float = 60.0
    ) -> None:
        if not (half_life > 0 and memory > 0):
            raise DecoderError("adaptive decoder: half_life and memory must be above 0 s")
        self.spec, self.confidence = decoder.spec, confidence
        self._decoder = decoder
        self._half_life, self._memory = half_life, memory
        self.moments: Moments = decoder.moments
        self.weights: NDArray[np.float64] = decoder.weights
        self.evidence = 0.0
        self._good: tuple[Moments, NDArray[np.float64]] = (self.moments, self.weights)
        self._stopped = False

    def fit(self, runs: Sequence[Run]) -> Self:
        """Restart from runs with known attention."""
        self._decoder = LinearDecoder(self._decoder.preset, self._decoder.penalties, self._decoder.shrinks).fit(runs)
        self.spec, self.confidence = self._decoder.spec, calibrate(self._decoder, runs)
        self.moments, self.weights = self._decoder.moments, self._decoder.weights
        self.evidence, self._stopped = 0.0, False
        self._good = (self.moments, self.weights)
        return self

    def frozen(self) -> LinearDecoder:
        """Return the current state as a decoder that does not adapt and can be saved."""
        d = self._decoder
        copy = LinearDecoder(d.preset, d.penalties, d.shrinks)
        copy.spec, copy.chosen, copy.votes = self.spec, d.chosen, d.votes
        copy.moments, copy.weights = self.moments, self.weights
        return copy

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruct talker features with the current weights."""
        return lagged_product(neural, self.spec.lags, self.spec, self.weights)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the talker features at the reconstructed instants."""
        return self._decoder.project_talkers(talkers)

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean over features."""
        return self._decoder.combine(correlations)

    def adapt(
        self,
        neural: NDArray[np.float64],
        talkers: NDArray[np.float64],
        posterior: NDArray[np.float64] | None = None,
    ) -> Adaptation:
        """Score one window, then adapt to it.

        Windows must not overlap, because samples in two windows would count twice.

        Parameters
        ----------
        neural : array, shape (n_samples, n_channels)
        talkers : array, shape (n_talkers, n_samples, n_features)
            Two or more talkers.
        posterior : array, shape (n_talkers,), optional
            A posterior based on more than this window; by default that of its scores.

        Raises
        ------
        DecoderMismatch
            If the arrays do not fit.
        DecoderError
            If there is only one talker, samples are not finite, or the posterior is invalid.
        """
        check_window(self.spec, neural, talkers)
        n_talkers = len(talkers)
        if n_talkers < 2:
            raise DecoderError("adaptive decoder: there is one talker, but two or more are needed")
        if not (np.isfinite(neural).all() and np.isfinite(talkers).all()):
            raise DecoderError("adaptive decoder: samples are not finite; leave the window out")
        scores = self.score(neural, talkers)
        if posterior is None:
            posterior = self.confidence.posterior(scores)
        elif posterior.shape != (n_talkers,) or not (posterior >= 0).all() or abs(posterior.sum() - 1) > 1e-6:
            raise DecoderError(f"adaptive decoder: {posterior} is not a posterior for {n_talkers} talkers")
        seconds = (len(neural) - self.spec.reach) / self.spec.sfreq
        self.evidence = 0.5 ** (seconds / self._memory) * self.evidence + self.confidence.evidence(scores)
        went_back = False
        if self.evidence < STOP:
            went_back, self._stopped = not self._stopped, True
            if went_back:
                self.moments, self.weights = self._good
        elif self.evidence > 0:
            self._stopped = False
        if not self._stopped:
            if self.evidence > 0:
                self._good = (self.moments, self.weights)
            self._learn(neural, talkers, posterior, seconds)
        return Adaptation(scores, posterior, self.evidence, not self._stopped, went_back)

    def _learn(
        self,
        neural: NDArray[np.float64],
        talkers: NDArray[np.float64],
        posterior: NDArray[np.float64],
        seconds: float,
    ) -> None:
        excess = (posterior - 1 / len(talkers)).clip(0.0) / (1 - 1 / len(talkers))
        best = int(np.argmax(excess))
        spec = self.spec
        run = Run(
            "window",
            "",
            spec.sfreq,
            spec.ch_names,
            neural,
            tuple(map(str, range(len(talkers)))),
            talkers,
            np.full(len(neural), best),
            ("",) * len(talkers),
            spec.features,
        )
        new, sure = moments(run, spec), float(excess[best])
        # The neural covariance counts in full, the cross-covariance with the talker by its excess probability.
        old = self.moments.scaled(0.5 ** (seconds / self._half_life))
        new_cross = new.xy - np.outer(new.x, new.y / new.n)
        old_cross = old.xy - np.outer(old.x, old.y / old.n)
        merged = old + new
        cross = old_cross + sure * new_cross + np.outer(merged.x, merged.y / merged.n)
        self.moments = Moments(merged.n, merged.x, merged.xx, merged.y, merged.yy, cross)
        self.weights = self._decoder.solve(self.moments)


def _fisher(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    z: NDArray[np.float64] = np.arctanh(np.clip(scores, -0.999, 0.999))
    return z


def calibrate(decoder: LinearDecoder, runs: Sequence[Run]) -> Confidence:
    """Estimate the distribution of scores from training runs that are held out in turn.

    Parameters
    ----------
    decoder : LinearDecoder
        Its preset and settings are used; its weights are not.
    runs : sequence of Run
        Two or more runs with two or more talkers.

    Raises
    ------
    DecoderError
        If there are too few windows.
    """
    attended, other, nulls = [], [], []
    for fitted, run in zip(leave_one_run_out(decoder, runs), runs, strict=True):
        n, reach = fitted.spec.n_window, fitted.spec.reach
        x, y = fitted.project_neural(np.nan_to_num(run.neural)), fitted.project_talkers(np.nan_to_num(run.talkers))
        for start in range(0, len(x) - n + 1, n):
            who = run.attended[start : start + n + reach]
            if who[0] < 0 or (who != who[0]).any() or len(y) < 2:
                continue
            here = x[start : start + n]
            z = _fisher(fitted.combine(correlate(here, y[:, start : start + n])))
            attended.append(z[who[0]])
            other += [z[k] for k in range(len(z)) if k != who[0]]
            elsewhere = (start + len(x) // 2) % (len(x) - n + 1)
            if abs(elsewhere - start) >= n:
                nulls.append(_fisher(fitted.combine(correlate(here, y[:, elsewhere : elsewhere + n]))))
    if len(attended) < MIN_WINDOWS or len(nulls) < MIN_WINDOWS:
        raise DecoderError(
            f"adaptive decoder: {len(attended)} windows with two or more talkers are too few to estimate the "
            f"distribution of scores; {MIN_WINDOWS} are needed"
        )
    # Artificial data can have a standard deviation of 0, which would cause a division by zero.
    sd = max(float(np.sqrt((np.var(attended) + np.var(other)) / 2)), 1e-3)
    return Confidence(float(np.mean(attended)), float(np.mean(other)), float(np.mean(nulls)), sd)

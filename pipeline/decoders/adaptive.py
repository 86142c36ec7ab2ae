"""A linear decoder that goes on learning from what it hears, without being told who is attended."""

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

#: Below this many windows nothing is said about how scores scatter.
MIN_WINDOWS = 8
#: Evidence, in nats, at which learning stops: seven to one against anybody being attended.
STOP = -2.0


@dataclass(frozen=True, slots=True)
class Confidence:
    """How scores scatter after the Fisher transform: Gaussians of one standard deviation.

    Attributes
    ----------
    attended, other, null : float
        Mean for the attended talker, for the others, and for speech from another time.
    sd : float
        Standard deviation of each.
    """

    attended: float
    other: float
    null: float
    sd: float

    def posterior(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that each talker is attended, from one window alone, shape (n_talkers,)."""
        # A decoder that seems to prefer the wrong talker knows nothing.
        odds = max(0.0, self.attended - self.other) / self.sd**2 * _fisher(scores)
        weights = np.exp(odds - odds.max())
        posterior: NDArray[np.float64] = weights / weights.sum()
        return posterior

    def evidence(self, scores: NDArray[np.float64]) -> float:
        """Log-likelihood ratio, in nats, of somebody being attended against nobody."""
        z = _fisher(scores)
        nobody = -((z - self.null) ** 2) / (2 * self.sd**2)
        other = -((z - self.other) ** 2) / (2 * self.sd**2)
        attended = -((z - self.attended) ** 2) / (2 * self.sd**2)
        each = other.sum() - other + attended
        return float(each.max() + np.log(np.mean(np.exp(each - each.max()))) - nobody.sum())


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What one window did.

    Attributes
    ----------
    scores : array, shape (n_talkers,)
        Before anything was learned from the window.
    posterior : array, shape (n_talkers,)
        Weights that the talkers were learned with.
    evidence : float
        That somebody was attended, in nats, summed over the last minutes with forgetting.
    learned : bool
        False where the guard stopped it.
    went_back : bool
        True where the last good state was put back.
    """

    scores: NDArray[np.float64]
    posterior: NDArray[np.float64]
    evidence: float
    learned: bool
    went_back: bool


class AdaptiveLinear(Projections):
    """Start from a fitted decoder; forget it slowly, in favour of the listener and the day at hand [1]_, [2]_.

    The covariance of the neural signal needs no labels and follows every window. Cross-covariances are added for all
    talkers, each by how much more likely than chance it is to be the attended one, so a window that says nothing
    teaches nothing. The posterior comes from the window itself, before it is learned from, or from whoever knows
    more.

    Self-training can talk itself into anything. So every window is first a test: how much likelier are its scores if
    somebody is attended than if the talkers are unrelated speech? The answers are added up over the last minutes. Once
    they speak clearly against attention, nothing more is learned and the decoder goes back to the state that last
    stood the test. It learns again when that state's scores speak for attention.

    Parameters
    ----------
    decoder : LinearDecoder
        Fitted on the runs, or on those of other listeners; it is not changed.
    confidence : Confidence
        From :func:`calibrate`.
    half_life : float
        Seconds after which what was learned counts half.
    memory : float
        Seconds after which evidence counts half.

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
        """Begin anew from runs with known attention."""
        self._decoder = LinearDecoder(self._decoder.preset, self._decoder.penalties, self._decoder.shrinks).fit(runs)
        self.spec, self.confidence = self._decoder.spec, calibrate(self._decoder, runs)
        self.moments, self.weights = self._decoder.moments, self._decoder.weights
        self.evidence, self._stopped = 0.0, False
        self._good = (self.moments, self.weights)
        return self

    def frozen(self) -> LinearDecoder:
        """What it is now, as a decoder that stays so and can be saved."""
        d = self._decoder
        copy = LinearDecoder(d.preset, d.penalties, d.shrinks)
        copy.spec, copy.chosen, copy.votes = self.spec, d.chosen, d.votes
        copy.moments, copy.weights = self.moments, self.weights
        return copy

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruct with the weights of now."""
        return lagged_product(neural, self.spec.lags, self.spec, self.weights)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Talker features of the instants reconstructed."""
        return self._decoder.project_talkers(talkers)

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average over features."""
        return self._decoder.combine(correlations)

    def adapt(
        self,
        neural: NDArray[np.float64],
        talkers: NDArray[np.float64],
        posterior: NDArray[np.float64] | None = None,
    ) -> Adaptation:
        """Score one window, then learn from it.

        Windows must not overlap: what is learned twice counts twice.

        Parameters
        ----------
        neural : array, shape (n_samples, n_channels)
        talkers : array, shape (n_talkers, n_samples, n_features)
            Two or more talkers.
        posterior : array, shape (n_talkers,), optional
            From whoever has seen more than this window; by default from its scores.

        Raises
        ------
        DecoderMismatch
            If the arrays do not fit.
        DecoderError
            If there is one talker only, samples are not finite, or the posterior is none.
        """
        check_window(self.spec, neural, talkers)
        n_talkers = len(talkers)
        if n_talkers < 2:
            raise DecoderError("adaptive decoder: one talker alone leaves nothing to decide")
        if not (np.isfinite(neural).all() and np.isfinite(talkers).all()):
            raise DecoderError("adaptive decoder: samples are not finite; leave the window out")
        scores = self.score(neural, talkers)
        if posterior is None:
            posterior = self.confidence.posterior(scores)
        elif posterior.shape != (n_talkers,) or not (posterior >= 0).all() or abs(posterior.sum() - 1) > 1e-6:
            raise DecoderError(f"adaptive decoder: posterior {posterior} is none for {n_talkers} talkers")
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
        # The covariance of the neural side counts in full, its product with a talker by how sure we are.
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
    """Learn how scores scatter, on training runs that are held out in turn.

    Parameters
    ----------
    decoder : LinearDecoder
        Its preset and settings are used; its weights are not.
    runs : sequence of Run
        Two or more, with two talkers or more.

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
            f"adaptive decoder: {len(attended)} windows with two talkers or more are too few to know how scores "
            f"scatter; {MIN_WINDOWS} are needed"
        )
    # A standard deviation of 0 can only be made up; it must not divide.
    sd = max(float(np.sqrt((np.var(attended) + np.var(other)) / 2)), 1e-3)
    return Confidence(float(np.mean(attended)), float(np.mean(other)), float(np.mean(nulls)), sd)

"""Emission model: the distribution of scores of attended and of ignored talkers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: Supported numbers of talkers, also as text for messages.
TALKERS = range(2, 9)
N_TALKERS = f"{TALKERS[0]} to {TALKERS[-1]}"
#: Correlations are limited to this value, because the Fisher transform of 1 is infinite.
MAX_CORRELATION = 0.999
#: Scores are limited to this many standard deviations from the mean, because artefacts are not Gaussian.
MAX_SD = 4.0
#: Minimum number of windows to fit an emission model.
MIN_WINDOWS = 10
#: Maximum number of talkers for which every correlation that a model allows is possible.
FITTED = 4
#: Minimum sum of one talker's correlations with all others; at -1 each score would be determined by the others.
LEAST_CORRELATION = -0.9
#: Standard deviation of a Gaussian divided by its median absolute deviation.
MAD_TO_SD = 1.4826


class EmissionsError(EarmarkError, ValueError):
    """Raised when no emission model can be fitted to the scores, or the values of a model are invalid."""


def fisher_scores(scores: NDArray[np.float64], shape: str, ndim: int) -> NDArray[np.float64]:
    """Return the Fisher transform of correlations; raise ValueError if the values are not correlations."""
    r = np.asarray(scores, np.float64)
    if r.ndim != ndim or r.shape[-1] not in TALKERS:
        raise ValueError(f"scores have shape {r.shape}, but must have {shape} with {N_TALKERS} talkers")
    # Written as not (|r| <= ...), so that NaN is also rejected.
    if not np.all(np.abs(r) <= 1 + 1e-6):
        raise ValueError("scores must be correlations between -1 and 1, without NaN; report missing ones as a gap")
    return np.arctanh(np.clip(r, -MAX_CORRELATION, MAX_CORRELATION))


@dataclass(frozen=True, slots=True)
class Emissions:
    """Distribution of the scores of one window for one listener: Gaussian after the Fisher z-transform.

    The z of the attended talker has one mean, those of ignored talkers another. All have the same standard deviation,
    because the transform stabilises the variance, and every pair has the same correlation. The evidence is therefore
    linear in the scores: a higher score is never evidence against its talker, even if it is an outlier.

    Attributes
    ----------
    attended_mean, ignored_mean : float
        Mean z. The first is at least the second: scores that suggest otherwise give no evidence.
    sd : float
        Standard deviation of z given the attended talker.
    correlation : float
        Correlation between the z of two talkers given the attended talker; above -1/3. For more than four talkers it
        is limited to what is possible for that number.
    n_windows : float
        Number of windows that the means are estimated from. For a prior (:meth:`pool`): its weight in windows.
    """

    attended_mean: float
    ignored_mean: float
    sd: float
    correlation: float
    n_windows: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise EmissionsError(f"emissions: {field.name} is {getattr(self, field.name)}, but must be finite")
        if self.attended_mean < self.ignored_mean:
            raise EmissionsError("emissions: attended_mean is below ignored_mean: evidence would point the wrong way")
        if self.sd <= 0:
            raise EmissionsError(f"emissions: sd is {self.sd}, but must be positive")
        if not -1 / 3 < self.correlation < 1:
            raise EmissionsError(f"emissions: correlation is {self.correlation}, but must be between -1/3 and 1")
        if self.n_windows <= 0:
            raise EmissionsError(f"emissions: n_windows is {self.n_windows}, but must be positive")

    @classmethod
    def fit(cls, scores: NDArray[np.float64], attended: NDArray[np.int64], prior: Emissions | None = None) -> Self:
        """Fit the model to windows with known attention.

        Parameters
        ----------
        scores : array, shape (n, n_talkers)
            Cross-validated scores: no decoder was trained on the window that it scores. The windows do not overlap.
        attended : array of int, shape (n,)
            Index of the attended talker.
        prior : Emissions, optional
            Model of other listeners (:meth:`pool`). The result is the weighted mean of this prior and the listener's
            own estimates, with weights ``prior.n_windows`` and n.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, shapes do not agree, an index is not a talker, there are fewer
            than ten windows, or scores do not vary.

        Notes
        -----
        z values more than four robust standard deviations from the median of their class are clipped to that distance.
        """
        z = fisher_scores(scores, "(n, n_talkers)", 2)
        n, n_talkers = z.shape
        who = np.asarray(attended)
        if who.shape != (n,) or not np.issubdtype(who.dtype, np.integer):
            raise EmissionsError(f"attended is {who.dtype} of shape {who.shape}, but must be integers of shape ({n},)")
        if n < MIN_WINDOWS:
            raise EmissionsError(f"{n} windows are too few for an emission model: at least {MIN_WINDOWS} are needed")
        if who.min() < 0 or who.max() >= n_talkers:
            raise EmissionsError(
                f"attended ranges from {who.min()} to {who.max()}, but must range from 0 to {n_talkers - 1}"
            )
        is_attended = who[:, None] == np.arange(n_talkers)
        centre = np.where(is_attended, np.median(z[is_attended]), np.median(z[~is_attended]))
        reach = MAX_SD * MAD_TO_SD * np.median(np.abs(z - centre))
        z = np.clip(z, centre - reach, centre + reach)
        means = float(z[is_attended].mean()), float(z[~is_attended].mean())
        rest = z - np.where(is_attended, *means)
        covariance = rest.T @ rest / n
        variance = float(np.trace(covariance)) / n_talkers
        if not variance > 0:
            raise EmissionsError("scores do not vary: an emission model cannot be fitted")
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
        """Compute a prior for a listener with little data from the models of other listeners.

        Parameters
        ----------
        listeners : sequence of Emissions
            At least two models, each fitted without a prior on windows of the same length.

        Returns
        -------
        Emissions
            Means over listeners. ``n_windows`` is the variance across windows of the difference between attended and
            ignored z, divided by its variance across listeners: with this many windows, a listener's own estimate
            is as accurate as the prior (empirical Bayes, method of moments).

        Raises
        ------
        ValueError
            If there are fewer than two listeners.
        """
        if len(listeners) < 2:
            raise EmissionsError(f"a prior is pooled from at least two listeners, not {len(listeners)}")
        variance = float(np.mean([one.sd**2 for one in listeners]))
        correlation = float(np.mean([one.correlation for one in listeners]))
        within = 2 * variance * (1 - correlation)
        differences = [one.attended_mean - one.ignored_mean for one in listeners]
        # The observed variance across listeners includes the estimation error of each listener's mean.
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
        """Limit estimates to valid values."""
        if attended < ignored:
            attended = ignored = (attended + ignored) / 2
        return cls(attended, ignored, math.sqrt(variance), min(max(correlation, -0.3), 0.95), n_windows)

    @property
    def dprime(self) -> float:
        """Mean divided by standard deviation of the difference in z, attended minus ignored, in one window."""
        return (self.attended_mean - self.ignored_mean) / (self.sd * math.sqrt(2 * (1 - self.correlation)))

    def log_likelihood(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log density of the z of one window under each hypothesis of who is attended.

        Parameters
        ----------
        scores : array, shape (n_talkers,)
            Correlations.

        Returns
        -------
        array, shape (n_talkers,)
            In nats; element k assumes that talker k is attended. Differences between talkers are bounded.

        Raises
        ------
        ValueError
            If a score is NaN or not a correlation, or the number of scores is not 2 to 8.
        """
        z = fisher_scores(scores, "(n_talkers,)", 1)
        z = np.clip(z, self.ignored_mean - MAX_SD * self.sd, self.attended_mean + MAX_SD * self.sd)
        n = len(z)
        # Row k: deviations if talker k is attended. With equal correlations the inverse covariance has a closed form.
        rest = z - self.ignored_mean - (self.attended_mean - self.ignored_mean) * np.eye(n)
        sd, correlation = self._among(n)
        common = 1 + (n - 1) * correlation
        alone = 1 - correlation
        square = (rest**2).sum(axis=1) - correlation / common * rest.sum(axis=1) ** 2
        log_det = 2 * n * math.log(sd) + (n - 1) * math.log(alone) + math.log(common)
        density: NDArray[np.float64] = -0.5 * (n * math.log(2 * math.pi) + log_det + square / (sd**2 * alone))
        return density

    def _among(self, n_talkers: int) -> tuple[float, float]:
        """Return standard deviation and correlation for ``n_talkers``, which limits how negative the latter can be.

        The variance of the difference between two talkers stays that of the fitted model.
        """
        least = LEAST_CORRELATION / (n_talkers - 1)
        if n_talkers <= FITTED or self.correlation >= least:
            return self.sd, self.correlation
        return self.sd * math.sqrt((1 - self.correlation) / (1 - least)), least

    def to_dict(self) -> dict[str, float]:
        """Return all fields as plain floats."""
        return {key: float(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """Create a model from the result of :meth:`to_dict`.

        Raises
        ------
        ValueError
            If keys are missing or unknown, or a value is invalid; the message names them.
        """
        wanted = {field.name for field in fields(cls)}
        if set(values) != wanted:
            missing, unknown = sorted(wanted - set(values)), sorted(set(values) - wanted)
            raise EmissionsError(f"emissions: keys missing {missing}, keys unknown {unknown}")
        return cls(**{key: float(value) for key, value in values.items()})

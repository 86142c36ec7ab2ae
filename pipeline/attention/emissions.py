"""What scores look like when a talker is attended, and when it is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: How many talkers there can be, and in words.
TALKERS = range(2, 9)
N_TALKERS = f"{TALKERS[0]} to {TALKERS[-1]}"
#: A correlation counts as at most this: the Fisher transform of 1 is infinite.
MAX_CORRELATION = 0.999
#: No window says more than one this many standard deviations away: artefacts are not Gaussian.
MAX_SD = 4.0
#: Fewest windows that an emission model is fitted on.
MIN_WINDOWS = 10
#: Most talkers whose correlation may be any that a model can have.
FITTED = 4
#: Least sum of one talker's correlations with all others: at -1 all scores would be a matter of the others.
LEAST_CORRELATION = -0.9
#: Median absolute deviation of a Gaussian of standard deviation 1, inverted.
MAD_TO_SD = 1.4826


class EmissionsError(EarmarkError, ValueError):
    """Raised when scores do not allow an emission model to be fitted, or numbers are not those of one."""


def fisher_scores(scores: NDArray[np.float64], shape: str, ndim: int) -> NDArray[np.float64]:
    """Fisher-transform correlations, or say why they are none."""
    r = np.asarray(scores, np.float64)
    if r.ndim != ndim or r.shape[-1] not in TALKERS:
        raise ValueError(f"scores have shape {r.shape}, but must have {shape} with {N_TALKERS} talkers")
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
        Correlation between the z of two talkers given who is attended; above -1/3. Among more talkers than four it
        counts as what so many can have.
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
        z = fisher_scores(scores, "(n, n_talkers)", 2)
        n, n_talkers = z.shape
        who = np.asarray(attended)
        if who.shape != (n,) or not np.issubdtype(who.dtype, np.integer):
            raise EmissionsError(f"attended is {who.dtype} of shape {who.shape}, but must be integers of shape ({n},)")
        if n < MIN_WINDOWS:
            raise EmissionsError(f"{n} windows are too few for an emission model: at least {MIN_WINDOWS} are wanted")
        if who.min() < 0 or who.max() >= n_talkers:
            raise EmissionsError(
                f"attended goes from {who.min()} to {who.max()}, but talkers from 0 to {n_talkers - 1}"
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
            raise EmissionsError("scores do not vary: there is nothing to fit an emission model on")
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
            raise EmissionsError(f"a prior is pooled from at least two listeners, not {len(listeners)}")
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
            If a score is NaN or not a correlation, or there are not 2 to 8.
        """
        z = fisher_scores(scores, "(n_talkers,)", 1)
        z = np.clip(z, self.ignored_mean - MAX_SD * self.sd, self.attended_mean + MAX_SD * self.sd)
        n = len(z)
        # Row k: deviations if talker k is attended. Equal correlations make the inverse covariance a formula.
        rest = z - self.ignored_mean - (self.attended_mean - self.ignored_mean) * np.eye(n)
        sd, correlation = self._among(n)
        common = 1 + (n - 1) * correlation
        alone = 1 - correlation
        square = (rest**2).sum(axis=1) - correlation / common * rest.sum(axis=1) ** 2
        log_det = 2 * n * math.log(sd) + (n - 1) * math.log(alone) + math.log(common)
        density: NDArray[np.float64] = -0.5 * (n * math.log(2 * math.pi) + log_det + square / (sd**2 * alone))
        return density

    def _among(self, n_talkers: int) -> tuple[float, float]:
        """Standard deviation and correlation among so many talkers, who cannot all have any negative correlation.

        The difference of two talkers scatters as it did among those whom the model was fitted on.
        """
        least = LEAST_CORRELATION / (n_talkers - 1)
        if n_talkers <= FITTED or self.correlation >= least:
            return self.sd, self.correlation
        return self.sd * math.sqrt((1 - self.correlation) / (1 - least)), least

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
            raise EmissionsError(f"emissions: keys missing {missing}, keys unknown {unknown}")
        return cls(**{key: float(value) for key, value in values.items()})

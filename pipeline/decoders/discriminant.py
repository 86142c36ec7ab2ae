"""Weights of the components of a score, learned from how well each separates attended from other speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import correlate


def fisher(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Fisher transform, limited to finite values."""
    z: NDArray[np.float64] = np.arctanh(np.clip(correlations, -0.999999, 0.999999))
    return z


def differences(
    neural: NDArray[np.float64],
    talkers: NDArray[np.float64],
    attended: NDArray[np.int64],
    length: int,
    hop: int,
    centred: bool = True,
) -> NDArray[np.float64]:
    """Return how much better the attended talker matches than others, window by window and component by component.

    Others are the other talkers at the same time or, if there are none, the attended talker elsewhere in the run.

    Parameters
    ----------
    neural : array, shape (n_rows, n_components)
        Components of the neural signal.
    talkers : array, shape (n_talkers, n_rows, n_components)
        Components of the talkers.
    attended : array of int, shape (n_rows + reach,)
        Attended talker; a window is used if it is one and the same from its first row to ``reach`` after its last.
    length, hop : int
        Length of a window, and distance between windows, in rows.
    centred : bool
        See :func:`earmark.pipeline.decoders.decoder.correlate`.

    Returns
    -------
    array, shape (n_differences, n_components)
        Differences of Fisher-transformed correlations.
    """
    reach = len(attended) - len(neural)
    starts = np.arange(0, len(neural) - length + 1, hop)
    inside = attended[starts[:, None] + np.arange(length + reach)]
    steady = (inside == inside[:, :1]).all(axis=1) & (inside[:, 0] >= 0)
    starts, who = starts[steady], inside[steady, 0]
    n, n_talkers = len(starts), len(talkers)
    if not n:
        return np.empty((0, neural.shape[1]))
    rows = starts[:, None] + np.arange(length)
    x = neural[rows]
    if n_talkers > 1:
        z = fisher(correlate(x, talkers[:, rows], centred))
        own = z[who, np.arange(n)]
        return np.concatenate([own - z[(who + k) % n_talkers, np.arange(n)] for k in range(1, n_talkers)])
    own, found = fisher(correlate(x, talkers[:, rows], centred))[0], []
    for quarter in (1, 2, 3):
        other = np.roll(starts, n * quarter // 4)
        z = fisher(correlate(x, talkers[:, other[:, None] + np.arange(length)], centred))[0]
        found.append((own - z)[np.abs(other - starts) >= length])
    return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class Separation:
    """How components separate attended from other speech in one window.

    Attributes
    ----------
    n : int
        Number of differences.
    mean : array, shape (n_components,)
        Mean difference between attended and other speech.
    covariance : array, shape (n_components, n_components)
        Covariance of the differences.
    """

    n: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, found: NDArray[np.float64]) -> Self:
        """Compute both from the result of :func:`differences` on held-out runs; 0 if there are fewer than two."""
        n, n_components = found.shape
        if n < 2:
            return cls(n, np.zeros(n_components), np.zeros((n_components, n_components)))
        return cls(n, found.mean(axis=0), np.atleast_2d(np.cov(found.T)))

    @property
    def dprime(self) -> NDArray[np.float64]:
        """Sensitivity of each component alone; 0 if it is constant."""
        sd = np.sqrt(np.diag(self.covariance))
        return np.divide(self.mean, sd, out=np.zeros(len(sd)), where=sd > 0)

    def mixed(self, other: Separation, share: float) -> Separation:
        """Return the weighted mean of both; ``share`` is the weight of the other."""
        return Separation(
            self.n + other.n,
            (1 - share) * self.mean + share * other.mean,
            (1 - share) * self.covariance + share * other.covariance,
        )

    def discriminant(self, shrinkage: float) -> NDArray[np.float64]:
        """Return Fisher's linear discriminant, with weights that are not negative and sum to 1.

        Parameters
        ----------
        shrinkage : float
            Weight of the identity, times the mean variance, in the covariance.

        Returns
        -------
        array, shape (n_components,)
            Equal weights if there are too few differences, or if no component is larger for the attended talker.
        """
        n_components = len(self.mean)
        equal = np.full(n_components, 1 / n_components)
        if self.n < 2 * n_components + 2 or not self.covariance.any():
            return equal
        covariance = self.covariance + shrinkage * np.trace(self.covariance) / n_components * np.eye(n_components)
        # The fit determines the sign of a component, so one with a smaller correlation for the attended talker is
        # noise.
        weights: NDArray[np.float64] = np.maximum(np.linalg.solve(covariance, self.mean), 0.0)
        if not weights.any():
            return equal
        weights /= weights.sum()
        return weights

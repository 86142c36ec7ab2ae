"""Ridge regression with the covariance of lagged neural samples, and denoising of cross-covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.moments import Moments

#: Regularisation of the temporal and of the spatial whitening of cross-covariances, relative to the variance of an
#: average lagged channel. The spatial value is large, so that only the strongest sources determine topographies.
TIME_FLOOR, SPACE_FLOOR = 0.05, 10.0


class Ridge:
    """Solve with ``covariance + penalty * identity`` for several penalties and right-hand sides.

    Channels are first scaled to unit variance, computed from the given moments only. A penalty of 1 therefore equals
    the variance of the average lagged channel, independently of units and of the length of the recording.

    Parameters
    ----------
    moments : Moments
        Centred moments.
    n_channels : int
        Number of channels; all lags of a channel have the same scale.
    variance : float, optional
        Keep only the principal components with this fraction of the variance.
    single : bool
        Solve in single precision, which takes half the time. With penalties of 0.1 or more, weights differ by less than
        a thousandth.

    Attributes
    ----------
    scale : array, shape (n_x,)
        Factor of each lagged channel.
    """

    def __init__(self, moments: Moments, n_channels: int, variance: float | None = None, single: bool = False) -> None:
        self._moments, self._variance = moments, variance
        power = np.diag(moments.xx).reshape(-1, n_channels).mean(axis=0) / moments.n
        # A dead channel gets scale 0, so that its noise is not amplified.
        alive = power > 1e-12 * power.max(initial=0.0)
        if not alive.any():
            raise DecoderError("the neural signal is constant: nothing can be learned from it")
        scale = np.where(alive, 1.0, 0.0) / np.sqrt(np.where(alive, power, 1.0))
        self.scale = np.tile(scale, len(moments.x) // n_channels)
        self._matrix = moments.xx * (self.scale / moments.n)
        self._matrix *= self.scale[:, None]
        n_lags = len(self._matrix) // n_channels
        blocks = self._matrix.reshape(n_lags, n_channels, n_lags, n_channels)
        self._time = np.einsum("icjc->ij", blocks) / n_channels
        self._space = np.einsum("icid->cd", blocks) / n_lags
        if single:
            self._matrix = self._matrix.astype(np.float32)
        self._bases: dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def _covariance(self, separable: float) -> NDArray[np.float64]:
        """Return the matrix in Fortran order, in which LAPACK needs no copy; the matrix is symmetric."""
        if not separable:
            return self._matrix.T
        time, space = self._time.astype(self._matrix.dtype), self._space.astype(self._matrix.dtype)
        product = np.einsum("ij,cd->icjd", time, space).reshape(self._matrix.shape)
        product *= separable
        product += (1 - separable) * self._matrix
        transposed: NDArray[np.float64] = product.T
        return transposed

    def _basis(self, separable: float, variance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if separable not in self._bases:
            values, vectors = eigh(self._covariance(separable), check_finite=False)
            values, vectors = values[::-1].clip(0.0), vectors[:, ::-1]
            n = int(np.searchsorted(np.cumsum(values), variance * values.sum())) + 1
            self._bases[separable] = values[:n], vectors[:, :n]
        return self._bases[separable]

    def solve(
        self, rhs: NDArray[np.float64], penalties: Sequence[float], separable: float = 0.0
    ) -> list[NDArray[np.float64]]:
        """Return weights of scaled channels for a right-hand side that is also scaled.

        Parameters
        ----------
        rhs : array, shape (n_x, n_columns)
        penalties : sequence of float
        separable : float
            Fraction of the covariance that is replaced by one topography times one time course, which can be estimated
            well from few samples [1]_.

        Returns
        -------
        list of array, shape (n_x, n_columns)
            One per penalty.

        Raises
        ------
        DecoderError
            If a penalty is too small.

        References
        ----------
        .. [1] Sosulski & Tangermann, Introducing block-Toeplitz covariance matrices to remaster linear discriminant
           analysis for event-related potential brain-computer interfaces, Journal of Neural Engineering 19 (2022).
        """
        if self._variance is not None:
            values, vectors = self._basis(separable, self._variance)
            projected = vectors.T @ rhs
            return [vectors @ (projected / (values + penalty)[:, None]) for penalty in penalties]
        covariance, found = self._covariance(separable), []
        for penalty in penalties:
            matrix = covariance.copy(order="F")
            matrix.flat[:: len(matrix) + 1] += penalty
            try:
                factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
            except np.linalg.LinAlgError:
                raise DecoderError(
                    f"penalty {penalty:g} is too small: the covariance of the lagged neural signal has no inverse"
                ) from None
            weights = cho_solve(factor, rhs.astype(matrix.dtype), check_finite=False)
            found.append(weights.astype(np.float64))
        return found

    def shrunk(self, amounts: Sequence[float]) -> list[NDArray[np.float64]]:
        """Return scaled cross-covariances, denoised to a few topographies with one time course each.

        As a matrix of lags by channels, the response to speech has low rank while noise has full rank. Noise has the
        same covariance as the signal. The matrix is whitened, its singular values are reduced by ``amount`` times the
        largest (soft thresholding, the proximal step of the nuclear norm [1]_), and the whitening is inverted.

        Parameters
        ----------
        amounts : sequence of float
            0 changes nothing; close to 1, only the strongest topography remains.

        Returns
        -------
        list of array, shape (n_x, n_y)
            One per amount.

        References
        ----------
        .. [1] Cai, Candès & Shen, A singular value thresholding algorithm for matrix completion, SIAM Journal on
           Optimization 20 (2010).
        """
        cross: NDArray[np.float64] = self._moments.xy * (self.scale / self._moments.n)[:, None]
        if not any(amounts):
            return [cross] * len(amounts)
        n_lags, n_y = len(self._time), cross.shape[1]
        time, untime = _whitening(self._time, TIME_FLOOR)
        space, unspace = _whitening(self._space, SPACE_FLOOR)
        white = np.einsum("ij,jcy,cd->iyd", time, cross.reshape(n_lags, -1, n_y), space)
        # One row per lag and column, so that all columns share topographies.
        u, s, v = np.linalg.svd(white.reshape(n_lags * n_y, -1), full_matrices=False)
        result = []
        for amount in amounts:
            kept = ((u * np.maximum(s - amount * s[0], 0.0)) @ v).reshape(n_lags, n_y, -1)
            smooth = np.einsum("ij,jyc,cd->idy", untime, kept, unspace).reshape(cross.shape)
            result.append(smooth if amount else cross)
        return result


def _whitening(covariance: NDArray[np.float64], floor: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the symmetric whitening matrix of a covariance, and its inverse."""
    values, vectors = eigh(covariance, check_finite=False)
    root = np.sqrt(values.clip(0.0) + floor)
    return (vectors / root) @ vectors.T, (vectors * root) @ vectors.T


@dataclass(frozen=True, slots=True)
class Grid:
    """Settings of ridge regression to choose from or to average over: all combinations.

    Attributes
    ----------
    separables, penalties, shrinks : tuple of float
        See :meth:`Ridge.solve` and :meth:`Ridge.shrunk`.
    single : bool
        See :class:`Ridge`.
    """

    separables: tuple[float, ...]
    penalties: tuple[float, ...]
    shrinks: tuple[float, ...]
    single: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of values of each setting."""
        return len(self.separables), len(self.penalties), len(self.shrinks)

    def at(self, index: int) -> tuple[float, float, float]:
        """Return a combination by its index in the flattened grid."""
        i, j, k = np.unravel_index(index, self.shape)
        return self.separables[i], self.penalties[j], self.shrinks[k]


def backward(
    centred: Moments,
    n_channels: int,
    grid: Grid,
    variance: float | None = None,
    needed: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Fit ridge backward models, from neural lags to talker features, for a grid of settings.

    Parameters
    ----------
    centred : Moments
    n_channels : int
    grid : Grid
    variance : float, optional
        See :class:`Ridge`.
    needed : array of bool, shape grid.shape, optional
        Combinations to fit; by default all.

    Returns
    -------
    array, shape (*grid.shape, n_x, n_y)
        Weights for unscaled neural samples; zeros where they are not needed.
    """
    ridge = Ridge(centred, n_channels, variance, grid.single)
    rhs = np.concatenate(ridge.shrunk(grid.shrinks), axis=1)
    n_x, n_y = centred.xy.shape
    weights = np.zeros((*grid.shape, n_x, n_y))
    for i, separable in enumerate(grid.separables):
        some = range(grid.shape[1]) if needed is None else np.flatnonzero(needed[i].any(axis=1)).tolist()
        for j, solution in zip(some, ridge.solve(rhs, [grid.penalties[j] for j in some], separable), strict=True):
            scaled = solution * ridge.scale[:, None]
            weights[i, j] = scaled.reshape(n_x, len(grid.shrinks), n_y).transpose(1, 0, 2)
    return weights

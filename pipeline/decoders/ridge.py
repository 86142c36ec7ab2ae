"""Regularised solves with the covariance of lagged neural samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from pipeline.decoders.decoder import DecoderError
from pipeline.decoders.moments import Moments


class Ridge:
    """Solve with ``covariance + penalty * identity`` for several penalties and right-hand sides.

    Channels are scaled to unit variance first, each by the rows at hand alone, so a penalty of 1 weighs as much as
    the average lagged channel and means the same whatever the units and the length of the recording.

    Parameters
    ----------
    moments : Moments
        Centred.
    n_channels : int
        The scale of a channel is common to its lags.
    variance : float or None
        Keep only the principal components that hold this share of the variance; None keeps all.

    Attributes
    ----------
    scale : array, shape (n_x,)
        What each lagged channel is multiplied by.
    """

    def __init__(self, moments: Moments, n_channels: int, variance: float | None) -> None:
        power = np.diag(moments.xx).reshape(-1, n_channels).mean(axis=0) / moments.n
        # A dead channel has no scale: it is left out rather than blown up.
        alive = power > 1e-12 * power.max(initial=0.0)
        if not alive.any():
            raise DecoderError("the neural signal is constant: nothing can be learned from it")
        scale = np.where(alive, 1.0, 0.0) / np.sqrt(np.where(alive, power, 1.0))
        self.scale = np.tile(scale, len(moments.x) // n_channels)
        self._matrix = moments.xx * (self.scale / moments.n)
        self._matrix *= self.scale[:, None]
        self._basis = None
        if variance is not None:
            values, vectors = eigh(self._matrix, overwrite_a=True, check_finite=False)
            values, vectors = values[::-1].clip(0.0), vectors[:, ::-1]
            n = int(np.searchsorted(np.cumsum(values), variance * values.sum())) + 1
            self._basis = values[:n], vectors[:, :n]

    def solve(self, rhs: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
        """Weights of scaled channels: shape (n_x, n_columns), as ``rhs``, which is scaled too."""
        if self._basis is not None:
            values, vectors = self._basis
            solution: NDArray[np.float64] = vectors @ ((vectors.T @ rhs) / (values + penalty)[:, None])
            return solution
        matrix = self._matrix.T.copy(order="F")  # symmetric: a copy that LAPACK need not turn around
        matrix.flat[:: len(matrix) + 1] += penalty
        try:
            factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise DecoderError(
                f"penalty {penalty:g} is too small: the covariance of the lagged neural signal has no inverse"
            ) from None
        weights: NDArray[np.float64] = cho_solve(factor, rhs, check_finite=False)
        return weights


def shrink(cross: NDArray[np.float64], n_channels: int, amount: float) -> NDArray[np.float64]:
    """Denoise cross-covariances: a few topographies with a time course each, not a value per channel and lag.

    Seen as a matrix of lags by channels, the response to speech has low rank while noise has full rank. Singular
    values lose ``amount`` times the largest (soft thresholding, the proximal step of the nuclear norm [1]_).

    Parameters
    ----------
    cross : array, shape (n_lags * n_channels, n_columns)
    n_channels : int
    amount : float
        0 leaves all as it is; towards 1 only the strongest topography stays.

    References
    ----------
    .. [1] Cai, Candès & Shen, A singular value thresholding algorithm for matrix completion, SIAM Journal on
       Optimization 20 (2010).
    """
    if amount == 0:
        return cross
    n_x, n_y = cross.shape
    # One row per lag and column: topographies are shared by all columns.
    table = cross.reshape(n_x // n_channels, n_channels, n_y).transpose(0, 2, 1).reshape(-1, n_channels)
    u, s, v = np.linalg.svd(table, full_matrices=False)
    table = (u * np.maximum(s - amount * s[0], 0.0)) @ v
    smooth: NDArray[np.float64] = table.reshape(-1, n_y, n_channels).transpose(0, 2, 1).reshape(n_x, n_y)
    return smooth


def backward(
    centred: Moments, n_channels: int, penalties: Sequence[float], shrinks: Sequence[float], variance: float | None
) -> NDArray[np.float64]:
    """Ridge backward models for a grid of settings: neural lags to talker features.

    Parameters
    ----------
    centred : Moments
    n_channels : int
    penalties, shrinks : sequence of float
        See :class:`Ridge` and :func:`shrink`.
    variance : float or None
        See :class:`Ridge`.

    Returns
    -------
    array, shape (n_penalties, n_shrinks, n_x, n_y)
        Weights for neural samples as they are, channels not scaled.
    """
    ridge = Ridge(centred, n_channels, variance)
    cross = centred.xy * (ridge.scale / centred.n)[:, None]
    rhs = np.concatenate([shrink(cross, n_channels, amount) for amount in shrinks], axis=1)
    n_x, n_y = cross.shape
    weights = np.empty((len(penalties), len(shrinks), n_x, n_y))
    for at, penalty in enumerate(penalties):
        solution = ridge.solve(rhs, penalty) * ridge.scale[:, None]
        weights[at] = solution.reshape(n_x, len(shrinks), n_y).transpose(1, 0, 2)
    return weights

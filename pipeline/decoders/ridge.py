"""Ridge regression with the covariance of lagged neural samples, and denoising of cross-covariances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.moments import Moments
from earmark.pipeline.decoders.presets import Preset

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
    preset : Preset
        ``variance``: keep only the principal components with this fraction of the variance. ``separable``: replace
        this fraction of the covariance by one topography times one time course, which can be estimated well from few
        samples [1]_.

    Attributes
    ----------
    scale : array, shape (n_x,)
        Factor of each lagged channel.

    References
    ----------
    .. [1] Sosulski & Tangermann, Introducing block-Toeplitz covariance matrices to remaster linear discriminant
       analysis for event-related potential brain-computer interfaces, Journal of Neural Engineering 19 (2022).
    """

    def __init__(self, moments: Moments, n_channels: int, preset: Preset) -> None:
        self._moments, self._n_channels = moments, n_channels
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
        if preset.separable:
            self._matrix *= 1 - preset.separable
            blocks += preset.separable * np.einsum("ij,cd->icjd", self._time, self._space)
        self._basis = None
        if preset.variance is not None:
            values, vectors = eigh(self._matrix, overwrite_a=True, check_finite=False)
            values, vectors = values[::-1].clip(0.0), vectors[:, ::-1]
            n = int(np.searchsorted(np.cumsum(values), preset.variance * values.sum())) + 1
            self._basis = values[:n], vectors[:, :n]

    def solve(self, rhs: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
        """Return weights of scaled channels, shape (n_x, n_columns), for a right-hand side that is also scaled."""
        if self._basis is not None:
            values, vectors = self._basis
            solution: NDArray[np.float64] = vectors @ ((vectors.T @ rhs) / (values + penalty)[:, None])
            return solution
        matrix = self._matrix.T.copy(order="F")  # symmetric; in Fortran order LAPACK needs no copy
        matrix.flat[:: len(matrix) + 1] += penalty
        try:
            factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise DecoderError(
                f"penalty {penalty:g} is too small: the covariance of the lagged neural signal has no inverse"
            ) from None
        weights: NDArray[np.float64] = cho_solve(factor, rhs, check_finite=False)
        return weights

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


def backward(
    centred: Moments, n_channels: int, penalties: Sequence[float], shrinks: Sequence[float], preset: Preset
) -> NDArray[np.float64]:
    """Fit ridge backward models, from neural lags to talker features, for a grid of settings.

    Parameters
    ----------
    centred : Moments
    n_channels : int
    penalties, shrinks : sequence of float
        See :class:`Ridge` and :meth:`Ridge.shrunk`.
    preset : Preset
        See :class:`Ridge`.

    Returns
    -------
    array, shape (n_penalties, n_shrinks, n_x, n_y)
        Weights for unscaled neural samples.
    """
    ridge = Ridge(centred, n_channels, preset)
    rhs = np.concatenate(ridge.shrunk(shrinks), axis=1)
    n_x, n_y = centred.xy.shape
    weights = np.empty((len(penalties), len(shrinks), n_x, n_y))
    for at, penalty in enumerate(penalties):
        solution = ridge.solve(rhs, penalty) * ridge.scale[:, None]
        weights[at] = solution.reshape(n_x, len(shrinks), n_y).transpose(1, 0, 2)
    return weights

"""Decoder by canonical correlation analysis: filters of both neural signal and speech that maximise correlation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec, Projections
from earmark.pipeline.decoders.discriminant import Separation, differences, fisher
from earmark.pipeline.decoders.linear import PENALTIES, SHRINKS, Chosen, make_spec
from earmark.pipeline.decoders.moments import Moments, lagged_product, leave_one_out, moments, total
from earmark.pipeline.decoders.presets import IEEG, Preset
from earmark.pipeline.decoders.ridge import Ridge
from earmark.pipeline.decoders.saved import Saved, make, numbers
from earmark.pipeline.run import Run

#: Ridge on the stimulus side, relative to its average variance: adjacent lags of an envelope are almost equal.
STIMULUS_PENALTY = 0.03
#: Weight of the identity in the covariance of the discriminant.
DISCRIMINANT_SHRINKAGE = 1.0


class CcaDecoder(Projections):
    """Regularised canonical correlation analysis [1]_ of the lagged neural signal and the lagged attended stimulus.

    The score is a linear discriminant between attended and other speech, applied to the Fisher-transformed
    correlations of the components. It is fitted to held-out training runs, because the correlations in runs that the
    components were fitted to are biased. Other speech is that of the other talkers at the same time or, if there are
    none, that of the attended talker elsewhere in the run.

    Parameters
    ----------
    preset : Preset
        Lags, fraction of variance kept, window and context.
    n_components : int
        Maximum number of components; there are fewer if the stimulus has fewer lags.
    penalties, shrinks : sequence of float
        Values to choose from, by the summed correlations of components in held-out training runs; see
        :mod:`earmark.pipeline.decoders.ridge`.

    Attributes
    ----------
    neural_weights : array, shape (n_lags * n_channels, n_components)
    talker_weights : array, shape (n_stimulus_lags * n_features, n_components)
    discriminant : array, shape (n_components,)
        Weights of the Fisher-transformed correlations.
    chosen : Chosen

    References
    ----------
    .. [1] de Cheveigné et al., Decoding the auditory brain with canonical component analysis, NeuroImage 172 (2018).
    """

    kind = "cca"
    spec: DecoderSpec
    neural_weights: NDArray[np.float64]
    talker_weights: NDArray[np.float64]
    discriminant: NDArray[np.float64]
    chosen: Chosen

    def __init__(
        self,
        preset: Preset = IEEG,
        n_components: int = 3,
        penalties: Sequence[float] = PENALTIES,
        shrinks: Sequence[float] = SHRINKS,
    ) -> None:
        if n_components < 1 or not penalties or not shrinks:
            raise DecoderError(
                "cca decoder: n_components must be 1 or more, and penalties and shrinks must have one value or more"
            )
        self.preset, self.n_components = preset, n_components
        self.penalties, self.shrinks = tuple(penalties), tuple(shrinks)

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what :meth:`settings` and :meth:`arrays` gave."""
        spec, (penalties, shrinks) = saved.spec, (numbers(saved.settings, key) for key in ("penalties", "shrinks"))
        decoder = cls(saved.preset, int(saved.settings["n_components"]), penalties, shrinks)
        n_x, n_y = len(spec.lags) * len(spec.ch_names), len(spec.stimulus_lags) * spec.n_features
        n = min(decoder.n_components, n_y)
        decoder.neural_weights = saved.array("neural_weights", (n_x, n))
        decoder.talker_weights = saved.array("talker_weights", (n_y, n))
        decoder.discriminant = saved.array("discriminant", (n,))
        decoder.spec, decoder.chosen = spec, make(Chosen, saved.chosen)
        return decoder

    def settings(self) -> dict[str, Any]:
        """Return how many components there are, and what was chosen from."""
        return {"n_components": self.n_components, "penalties": self.penalties, "shrinks": self.shrinks}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights of both sides, and of the components."""
        return {
            "neural_weights": self.neural_weights,
            "talker_weights": self.talker_weights,
            "discriminant": self.discriminant,
        }

    def fit(self, runs: Sequence[Run]) -> Self:
        """Fit the decoder to two or more runs with known attention.

        Raises
        ------
        DecoderMismatch
            If the runs differ in rate, channels or features.
        DecoderError
            If the runs have too little data with known attention.
        """
        if len(runs) < 2:
            raise DecoderError("cca decoder: two runs or more are needed, since scores are learned from held-out ones")
        self.spec = make_spec(self.kind, runs[0], self.preset, context=self.preset.context)
        parts = [moments(run, self.spec) for run in runs]
        runs = [run for run, part in zip(runs, parts, strict=True) if part.n]
        parts = [part for part in parts if part.n]
        if len(parts) < 2:
            raise DecoderError("cca decoder: fewer than two runs have a known attended talker for longer than the lags")
        folds, grid = [], list(product(self.penalties, self.shrinks))
        r = np.zeros(len(grid))
        for run, part, others in zip(runs, parts, leave_one_out(parts), strict=True):
            fits, held_out = self._canonical(others, self.penalties, self.shrinks), part.centred()
            r += [canonical_r(x, y, held_out).sum() / len(parts) for x, y in fits]
            folds.append((run, fits))
        best = int(np.argmax(r))
        self.chosen = Chosen(*grid[best], float(r[best]))
        found, n = [], self.spec.n_window
        for run, fits in folds:
            self.neural_weights, self.talker_weights = fits[best]
            x, y = self.project_neural(np.nan_to_num(run.neural)), self.project_talkers(np.nan_to_num(run.talkers))
            found.append(differences(x, y, run.attended, n, n))
        self.discriminant = Separation.of(np.concatenate(found)).discriminant(DISCRIMINANT_SHRINKAGE)
        self.neural_weights, self.talker_weights = self._canonical(
            total(parts), [self.chosen.penalty], [self.chosen.shrink]
        )[0]
        return self

    def _canonical(
        self, data: Moments, penalties: Sequence[float], shrinks: Sequence[float]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return the weights of both sides for each penalty and, nested in it, each shrinkage."""
        centred, n_channels = data.centred(), len(self.spec.ch_names)
        ridge = Ridge(centred, n_channels, self.preset.variance)
        crosses = ridge.shrunk(shrinks)
        yy = centred.yy / centred.n
        if not np.trace(yy) > 0:
            raise DecoderError("cca decoder: the features of the attended talker are constant")
        yy.flat[:: len(yy) + 1] += STIMULUS_PENALTY * np.trace(yy) / len(yy)
        n, result = min(self.n_components, len(yy)), []
        for solution in ridge.solve(np.concatenate(crosses, axis=1), penalties, self.preset.separable):
            for one, solved in zip(crosses, np.split(solution, len(crosses), axis=1), strict=True):
                # After solving for the neural side, the remaining eigenproblem has the size of the stimulus side.
                gain = one.T @ solved
                _, vectors = eigh((gain + gain.T) / 2, yy)
                y = np.ascontiguousarray(vectors[:, ::-1][:, :n])
                result.append((solved @ y * ridge.scale[:, None], y))
        return result

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the canonical components of the neural signal."""
        return lagged_product(neural, self.spec.lags, self.spec, self.neural_weights)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the canonical components of each talker."""
        back = range(0, -self.spec.stimulus_lags[-1] - 1, -self.spec.lag_step)
        return np.stack([lagged_product(talker, back, self.spec, self.talker_weights) for talker in talkers])

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean of the components' correlations, averaged as Fisher's z: again a correlation."""
        score: NDArray[np.float64] = np.tanh(fisher(correlations) @ self.discriminant)
        return score


def canonical_r(x: NDArray[np.float64], y: NDArray[np.float64], centred: Moments) -> NDArray[np.float64]:
    """Return the correlation of each component in another run, computed from its sums."""
    cross: NDArray[np.float64] = np.einsum("xc,xc->c", x, centred.xy @ y)
    power = np.einsum("xc,xc->c", x, centred.xx @ x) * np.einsum("yc,yc->c", y, centred.yy @ y)
    r = np.zeros(len(cross))
    np.divide(cross, np.sqrt(np.maximum(power, 0.0)), out=r, where=power > 0)
    return r

"""Linear decoder: a ridge backward model reconstructs the attended talker's features from the lagged neural signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec, Projections, ratio
from earmark.pipeline.decoders.moments import Moments, lagged_product, leave_one_out, moments, total
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.decoders.ridge import Grid, backward
from earmark.pipeline.decoders.saved import Saved, make, numbers
from earmark.pipeline.run import Run

#: Penalties to try, relative to the variance of an average lagged channel.
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
#: Shrinkages of the cross-covariance to try.
SHRINKS = (0.0, 0.2, 0.4, 0.6, 0.8)
#: Assumed number of independent samples per second in a held-out correlation: syllables rather than samples.
VOTES_PER_S = 2.0
#: Weights for all settings, and the power of their reconstructions.
Fits = tuple[NDArray[np.float64], NDArray[np.float64]]
#: Settings with a smaller vote are omitted.
LEAST_VOTE = 1e-3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings with the best result within the training runs.

    Attributes
    ----------
    penalty, shrink : float
        See :mod:`earmark.pipeline.decoders.ridge`.
    r : float
        Mean correlation with the attended talker over the training runs, each held out in turn. It is optimistic,
        because the settings were chosen to maximise it. NaN if there was only one setting.
    separable : float or None
        See :meth:`earmark.pipeline.decoders.ridge.Ridge.solve`; None for that of the preset.
    """

    penalty: float
    shrink: float
    r: float
    separable: float | None = None


def make_spec(kind: str, run: Run, preset: Preset, *, context: float = 0.0, centred: bool = True) -> DecoderSpec:
    """Return the spec of a decoder for runs like this one."""
    if run.sfreq != preset.sfreq:
        raise DecoderError(f"run {run.name!r} is at {run.sfreq:g} Hz, but preset {preset.name} needs {preset.sfreq:g}")
    return DecoderSpec(
        kind,
        run.sfreq,
        run.ch_names,
        run.features,
        run.talkers.shape[2],
        preset.tmin,
        preset.tmax,
        preset.window,
        preset.lag_step,
        context,
        centred,
    )


class LinearDecoder(Projections):
    """Linear stimulus reconstruction [1]_, trained on the features of the attended talker.

    A talker's score is the correlation of its features with their reconstruction, averaged over features. Each
    combination of penalty and shrinkage is tested on training runs that are held out in turn, by the correlation with
    the *attended* talker: unlike a difference of two correlations, this works with a single talker and is less noisy.
    A few minutes of data do not show which combination is best, so none is selected: the reconstructions of all are
    averaged, weighted by their likelihood on the held-out runs, the votes (pseudo-Bayesian model averaging [2]_).
    Everything, including the scale of channels, is computed from the sums over the training runs.

    Parameters
    ----------
    preset : Preset
        Lags and window.
    penalties, shrinks : sequence of float
        Settings to average over; with one value each, there is no nested cross-validation.
    separables : sequence of float, optional
        Also to average over; by default the value of the preset alone.
    single : bool
        See :class:`earmark.pipeline.decoders.ridge.Ridge`.

    Attributes
    ----------
    weights : array, shape (n_lags * n_channels, n_features)
    votes : array, shape (n_separables, n_penalties, n_shrinks)
        Weight of each combination; they sum to 1.
    held_out : list of array, shape (n_lags * n_channels, n_features)
        For each training run, the weights fitted to the others; only after fitting.
    chosen : Chosen
    moments : Moments
        Sums over the training data, with which training can be continued.

    References
    ----------
    .. [1] O'Sullivan et al., Attentional selection in a cocktail party environment can be decoded from single-trial
       EEG, Cerebral Cortex 25 (2015). Crosse et al., The multivariate temporal response function toolbox, Frontiers
       in Human Neuroscience 10 (2016).
    .. [2] Yao, Vehtari, Simpson & Gelman, Using stacking to average Bayesian predictive distributions, Bayesian
       Analysis 13 (2018).
    """

    kind = "linear"
    spec: DecoderSpec
    weights: NDArray[np.float64]
    votes: NDArray[np.float64]
    chosen: Chosen
    moments: Moments
    held_out: list[NDArray[np.float64]]

    def __init__(
        self,
        preset: Preset = EEG,
        penalties: Sequence[float] = PENALTIES,
        shrinks: Sequence[float] = SHRINKS,
        separables: Sequence[float] | None = None,
        single: bool = False,
    ) -> None:
        separables = (preset.separable,) if separables is None else separables
        if not penalties or not shrinks or not separables:
            raise DecoderError("linear decoder: penalties, shrinks and separables must have one value or more")
        self.preset, self.grid = preset, Grid(tuple(separables), tuple(penalties), tuple(shrinks), single)

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what :meth:`settings` and :meth:`arrays` gave."""
        spec, (penalties, shrinks) = saved.spec, (numbers(saved.settings, key) for key in ("penalties", "shrinks"))
        old = "separables" not in saved.settings
        separables = None if old else numbers(saved.settings, "separables")
        decoder = cls(saved.preset, penalties, shrinks, separables, saved.settings.get("single") is True)
        n_x, n_y = len(spec.lags) * len(spec.ch_names), len(spec.stimulus_lags) * spec.n_features
        shapes = {"n": (1,), "x": (n_x,), "xx": (n_x, n_x), "y": (n_y,), "yy": (n_y, n_y), "xy": (n_x, n_y)}
        sums = {name: saved.array(f"moments.{name}", shape) for name, shape in shapes.items()}
        decoder.moments = Moments(**{**sums, "n": float(sums["n"][0])})  # type: ignore[arg-type]
        decoder.weights = saved.array("weights", (n_x, n_y))
        shape = decoder.grid.shape
        decoder.votes = saved.array("votes", shape[1:] if old else shape).reshape(shape)
        decoder.spec, decoder.chosen = spec, make(Chosen, saved.chosen)
        return decoder

    def settings(self) -> dict[str, Any]:
        """Return what is averaged over."""
        return asdict(self.grid)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return weights, votes and sums."""
        sums = {f"moments.{f.name}": np.atleast_1d(getattr(self.moments, f.name)) for f in fields(Moments)}
        return {"weights": self.weights, "votes": self.votes, **sums}

    def fit(self, runs: Sequence[Run]) -> Self:
        """Fit the decoder to runs with known attention.

        Parameters
        ----------
        runs : sequence of Run
            Two or more, unless there is only one setting.

        Raises
        ------
        DecoderMismatch
            If the runs differ in rate, channels or features.
        DecoderError
            If the runs have too little data with known attention.
        """
        if not runs:
            raise DecoderError("linear decoder: no run to learn from")
        self.spec = make_spec(self.kind, runs[0], self.preset)
        return self.fit_moments(self.spec, [moments(run, self.spec) for run in runs])

    def fit_moments(
        self,
        spec: DecoderSpec,
        parts: Sequence[Moments],
        prior: Moments | None = None,
        fits: Sequence[Fits] | None = None,
        whole: Fits | None = None,
    ) -> Self:
        """Fit the decoder to the sums of runs, computed by :func:`earmark.pipeline.decoders.moments.moments`.

        Parameters
        ----------
        spec : DecoderSpec
        parts : sequence of Moments
            One or more for each run.
        prior : Moments, optional
            Sums that are added in every fit and never held out.
        fits : sequence of Fits, optional
            From :meth:`fits`, for all parts but one in turn, if they are known already.
        whole : Fits, optional
            For all parts, if they are known already.
        """
        self.spec = spec
        parts = [part for part in parts if part.n]
        if not parts:
            raise DecoderError("linear decoder: no run has a known attended talker for longer than the lags")
        everything = total(parts)
        return self._learn(spec, everything if prior is None else everything + prior, parts, prior, fits, whole)

    def _learn(
        self,
        spec: DecoderSpec,
        everything: Moments,
        parts: Sequence[Moments],
        prior: Moments | None = None,
        fits: Sequence[Fits] | None = None,
        whole: Fits | None = None,
    ) -> Self:
        self.spec, self.moments = spec, everything
        self.votes, self.chosen = self._vote(parts, prior, fits)
        self.weights = self.solve(everything) if whole is None else average(*whole, self.votes)
        return self

    def fits(self, spec: DecoderSpec, sums: Moments) -> Fits:
        """Return the weights for all settings, shape (*grid, n_x, n_y), and their power, shape (*grid, n_y)."""
        centred = sums.centred()
        weights = backward(centred, len(spec.ch_names), self.grid, self.preset.variance)
        return weights, power(weights, centred)

    def _vote(
        self, parts: Sequence[Moments], prior: Moments | None, fits: Sequence[Fits] | None
    ) -> tuple[NDArray[np.float64], Chosen]:
        """Hold out each run in turn and test how well each combination predicts it."""
        if np.prod(self.grid.shape) == 1:
            separable, penalty, shrink = self.grid.at(0)
            return np.ones((1, 1, 1)), Chosen(penalty, shrink, np.nan, separable)
        if len(parts) < 2:
            raise DecoderError("linear decoder: one run alone cannot choose a penalty; record two or more, or cut it")
        if fits is None:
            trains = (train if prior is None else train + prior for train in leave_one_out(parts))
            fits = [self.fits(self.spec, train) for train in trains]
        r = np.zeros(self.grid.shape)
        for held_out, (weights, _) in zip(parts, fits, strict=True):
            r += reconstruction_r(weights, held_out.centred()) / len(parts)
        n = VOTES_PER_S * sum(part.n for part in parts) / self.spec.sfreq
        votes = np.exp(n / 2 * (r * np.abs(r) - np.max(r * np.abs(r))))
        votes[votes < LEAST_VOTE * votes.sum()] = 0.0
        votes /= votes.sum()
        self.held_out = [average(weights, size, votes) for weights, size in fits]
        separable, penalty, shrink = self.grid.at(int(np.argmax(r)))
        return votes, Chosen(penalty, shrink, float(r.max()), separable)

    def solve(self, sums: Moments) -> NDArray[np.float64]:
        """Compute the weights for these sums, averaged over settings according to the votes."""
        centred = sums.centred()
        weights = backward(centred, len(self.spec.ch_names), self.grid, self.preset.variance, self.votes > 0)
        return average(weights, power(weights, centred), self.votes)

    def update(self, run: Run, forgetting: float = 1.0) -> Self:
        """Continue training with one more run, with unchanged votes.

        Parameters
        ----------
        run : Run
            A few seconds are enough.
        forgetting : float
            Weight of all earlier data, 0 to 1; 1 forgets nothing.
        """
        if not 0 <= forgetting <= 1:
            raise DecoderError(f"linear decoder: forgetting is {forgetting}, but must be 0 to 1")
        self.moments = self.moments.scaled(forgetting) + moments(run, self.spec)
        self.weights = self.solve(self.moments)
        return self

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruct the attended talker's features, shape (n_samples - reach, n_features)."""
        return lagged_product(neural, self.spec.lags, self.spec, self.weights)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the talker features at the reconstructed instants."""
        return talkers[:, self.spec.ahead : max(talkers.shape[1] - self.spec.behind, self.spec.ahead)]

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean over features."""
        mean: NDArray[np.float64] = correlations.mean(axis=-1)
        return mean


def power(weights: NDArray[np.float64], centred: Moments) -> NDArray[np.float64]:
    """Return the power of reconstructions of the samples behind these sums, from (..., n_x, n_y) to (..., n_y)."""
    n_x, n_y = centred.xy.shape
    flat = np.moveaxis(weights, -2, 0).reshape(n_x, -1)  # all settings in one product
    found: NDArray[np.float64] = np.einsum("xi,xi->i", flat, centred.xx @ flat)
    return found.reshape(*weights.shape[:-2], n_y)


def average(
    weights: NDArray[np.float64], power: NDArray[np.float64], votes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average weights according to the votes for their settings, from (*votes.shape, n_x, n_y) to (n_x, n_y).

    Reconstructions are scaled to equal power first, because a high penalty makes them smaller.
    """
    size = np.sqrt(power.clip(0.0))
    share = np.divide(votes[..., None], size, out=np.zeros(size.shape), where=size > 0)
    share *= (votes[..., None] * size).sum(axis=(0, 1, 2))
    n_x, n_y = weights.shape[-2:]
    flat, share = weights.reshape(-1, n_x, n_y), share.reshape(-1, n_y)
    return np.stack([share[:, y] @ flat[..., y] for y in range(n_y)], axis=1)


def reconstruction_r(weights: NDArray[np.float64], centred: Moments) -> NDArray[np.float64]:
    """Return the correlation of reconstructions with the attended talker, from sums alone; mean over features.

    Parameters
    ----------
    weights : array, shape (..., n_x, n_y)
    centred : Moments
        Centred sums of the run to reconstruct.

    Returns
    -------
    array, shape (...)
    """
    cross = np.stack([weights[..., y] @ xy for y, xy in enumerate(centred.xy.T)], axis=-1)
    mean: NDArray[np.float64] = ratio(cross, power(weights, centred), np.diag(centred.yy)).mean(axis=-1)
    return mean


def leave_one_run_out(decoder: LinearDecoder, runs: Sequence[Run]) -> list[LinearDecoder]:
    """Fit one decoder per run, each to all other runs, with one pass over all samples.

    Settings are chosen separately within the training runs of each fold.

    Returns
    -------
    list of LinearDecoder
        The decoder at index ``i`` is not fitted to run ``i``.
    """
    if len(runs) < 2:
        raise DecoderError("leave-one-run-out needs two runs or more")
    spec = make_spec(decoder.kind, runs[0], decoder.preset)
    parts = [moments(run, spec) for run in runs]
    for run, part in zip(runs, parts, strict=True):
        if not part.n:
            raise DecoderError(f"run {run.name!r} has no known attended talker for longer than the lags: leave it out")
    return [
        LinearDecoder(decoder.preset, **asdict(decoder.grid))._learn(
            spec, others, [part for j, part in enumerate(parts) if j != i]
        )
        for i, others in enumerate(leave_one_out(parts))
    ]

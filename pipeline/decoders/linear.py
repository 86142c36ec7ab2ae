"""Linear decoder: a ridge backward model reconstructs the attended talker's features from the lagged neural signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec, Projections, ratio
from earmark.pipeline.decoders.moments import Moments, lagged_product, leave_one_out, moments, total
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.decoders.ridge import backward
from earmark.pipeline.decoders.saved import Saved, make, numbers
from earmark.pipeline.run import Run

#: Penalties to try, relative to the variance of an average lagged channel.
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
#: Shrinkages of the cross-covariance to try.
SHRINKS = (0.0, 0.2, 0.4, 0.6, 0.8)
#: Assumed number of independent samples per second in a held-out correlation: syllables rather than samples.
VOTES_PER_S = 2.0
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
    """

    penalty: float
    shrink: float
    r: float


def make_spec(kind: str, run: Run, preset: Preset) -> DecoderSpec:
    """Return the spec of a decoder for runs like this one."""
    if run.sfreq != preset.sfreq:
        raise DecoderError(f"run {run.name!r} is at {run.sfreq:g} Hz, but preset {preset.name} needs {preset.sfreq:g}")
    context = preset.context if kind == "cca" else 0.0
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

    Attributes
    ----------
    weights : array, shape (n_lags * n_channels, n_features)
    votes : array, shape (n_penalties, n_shrinks)
        Weight of each combination; they sum to 1.
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

    def __init__(
        self, preset: Preset = EEG, penalties: Sequence[float] = PENALTIES, shrinks: Sequence[float] = SHRINKS
    ) -> None:
        if not penalties or not shrinks:
            raise DecoderError("linear decoder: penalties and shrinks must have one value or more")
        self.preset, self.penalties, self.shrinks = preset, tuple(penalties), tuple(shrinks)

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what :meth:`settings` and :meth:`arrays` gave."""
        spec, (penalties, shrinks) = saved.spec, (numbers(saved.settings, key) for key in ("penalties", "shrinks"))
        decoder = cls(saved.preset, penalties, shrinks)
        n_x, n_y = len(spec.lags) * len(spec.ch_names), len(spec.stimulus_lags) * spec.n_features
        shapes = {"n": (1,), "x": (n_x,), "xx": (n_x, n_x), "y": (n_y,), "yy": (n_y, n_y), "xy": (n_x, n_y)}
        sums = {name: saved.array(f"moments.{name}", shape) for name, shape in shapes.items()}
        decoder.moments = Moments(**{**sums, "n": float(sums["n"][0])})  # type: ignore[arg-type]
        decoder.weights = saved.array("weights", (n_x, n_y))
        decoder.votes = saved.array("votes", (len(penalties), len(shrinks)))
        decoder.spec, decoder.chosen = spec, make(Chosen, saved.chosen)
        return decoder

    def settings(self) -> dict[str, Any]:
        """Return what is averaged over."""
        return {"penalties": self.penalties, "shrinks": self.shrinks}

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

    def fit_moments(self, spec: DecoderSpec, parts: Sequence[Moments]) -> Self:
        """Fit the decoder to the sums of runs, computed by :func:`earmark.pipeline.decoders.moments.moments`."""
        self.spec = spec
        parts = [part for part in parts if part.n]
        if not parts:
            raise DecoderError("linear decoder: no run has a known attended talker for longer than the lags")
        return self._learn(spec, total(parts), parts)

    def _learn(self, spec: DecoderSpec, everything: Moments, parts: Sequence[Moments]) -> Self:
        self.spec, self.moments = spec, everything
        self.votes, self.chosen = self._vote(parts)
        self.weights = self.solve(everything)
        return self

    def _vote(self, parts: Sequence[Moments]) -> tuple[NDArray[np.float64], Chosen]:
        """Hold out each run in turn and test how well each combination predicts it."""
        if len(self.penalties) * len(self.shrinks) == 1:
            return np.ones((1, 1)), Chosen(self.penalties[0], self.shrinks[0], np.nan)
        if len(parts) < 2:
            raise DecoderError("linear decoder: one run alone cannot choose a penalty; record two or more, or cut it")
        r = np.zeros((len(self.penalties), len(self.shrinks)))
        for held_out, train in zip(parts, leave_one_out(parts), strict=True):
            weights = backward(train.centred(), len(self.spec.ch_names), self.penalties, self.shrinks, self.preset)
            r += reconstruction_r(weights, held_out.centred()) / len(parts)
        n = VOTES_PER_S * sum(part.n for part in parts) / self.spec.sfreq
        votes = np.exp(n / 2 * (r * np.abs(r) - np.max(r * np.abs(r))))
        votes[votes < LEAST_VOTE * votes.sum()] = 0.0
        best = np.unravel_index(np.argmax(r), r.shape)
        return votes / votes.sum(), Chosen(self.penalties[best[0]], self.shrinks[best[1]], float(r[best]))

    def solve(self, sums: Moments) -> NDArray[np.float64]:
        """Compute the weights for these sums, averaged over settings according to the votes."""
        centred, some = sums.centred(), np.flatnonzero(self.votes.sum(axis=1))
        penalties = [self.penalties[i] for i in some]
        weights = backward(centred, len(self.spec.ch_names), penalties, self.shrinks, self.preset)
        n_x, n_y = centred.xy.shape
        flat = np.moveaxis(weights, -2, 0).reshape(n_x, -1)
        power = np.einsum("xi,xi->i", flat, centred.xx @ flat).reshape(*weights.shape[:2], 1, n_y)
        # Reconstructions are scaled to equal power before averaging, because a high penalty makes them smaller.
        size = np.sqrt(power.clip(0.0))
        votes = self.votes[some][:, :, None, None]
        share = np.divide(votes, size, out=np.zeros(size.shape), where=size > 0)
        mean: NDArray[np.float64] = np.einsum("psxy,psxy->xy", weights, share * (votes * size).sum(axis=(0, 1)))
        return mean

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
    n_x, n_y = centred.xy.shape
    flat = np.moveaxis(weights, -2, 0).reshape(n_x, -1)  # all settings in one product
    power = np.einsum("xi,xi->i", flat, centred.xx @ flat).reshape(-1, n_y)
    cross = np.einsum("xsy,xy->sy", flat.reshape(n_x, -1, n_y), centred.xy)
    mean: NDArray[np.float64] = ratio(cross, power, np.diag(centred.yy)).mean(axis=-1)
    return mean.reshape(weights.shape[:-2])


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
        LinearDecoder(decoder.preset, decoder.penalties, decoder.shrinks)._learn(
            spec, others, [part for j, part in enumerate(parts) if j != i]
        )
        for i, others in enumerate(leave_one_out(parts))
    ]

"""Filter bank: ridge backward models of several frequency bands, weighted by how well each works for the listener."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec, Projections
from earmark.pipeline.decoders.discriminant import Separation, differences, fisher
from earmark.pipeline.decoders.group import GROUP, WORTH_S, Group
from earmark.pipeline.decoders.linear import Fits, LinearDecoder, make_spec
from earmark.pipeline.decoders.moments import Moments, leave_one_out, moments, total
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.decoders.saved import Saved, make, numbers
from earmark.pipeline.run import Run

#: Length of the filters in seconds: after it, the impulse response of the slowest is below a thousandth of its peak.
MEMORY_S = 1.0
#: Settings to average over, see :class:`earmark.pipeline.decoders.ridge.Grid`.
SEPARABLES, PENALTIES, SHRINKS = (0.0, 0.7), (0.2, 1.0, 5.0), (0.0, 0.3)
#: Groups of runs that are held out in turn.
N_GROUPS = 4
#: Windows from which the weights of bands are learned, in seconds, and time between them.
WINDOW_S, HOP_S = 2.0, 0.5
#: Weight of the identity in the covariance of the discriminant.
SHRINKAGE = 0.3


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the signal's spectrum.

    Attributes
    ----------
    low_hz, high_hz : float
        Corner frequencies; 0 and infinity for those of the signal.
    lag_s : float
        Time between lags in seconds; 0 for that of the preset. A low frequency needs few lags.
    """

    low_hz: float
    high_hz: float
    lag_s: float

    @property
    def name(self) -> str:
        """The band in words."""
        if self.low_hz == 0:
            return "all" if np.isinf(self.high_hz) else f"below {self.high_hz:g} Hz"
        return f"above {self.low_hz:g} Hz" if np.isinf(self.high_hz) else f"{self.low_hz:g} to {self.high_hz:g} Hz"

    def taps(self, sfreq: float, n: int) -> NDArray[np.float64]:
        """Return the first ``n`` samples of the impulse response of a Butterworth filter of order 2."""
        match self.low_hz > 0, self.high_hz < np.inf:
            case True, True:
                sos = butter(2, (self.low_hz, self.high_hz), "bandpass", fs=sfreq, output="sos")
            case True, False:
                sos = butter(2, self.low_hz, "highpass", fs=sfreq, output="sos")
            case False, True:
                sos = butter(2, self.high_hz, "lowpass", fs=sfreq, output="sos")
            case _:
                return np.array(np.eye(1, n)[0])
        found: NDArray[np.float64] = sosfilt(sos, np.eye(1, n)[0])
        return found


#: The first band is the whole signal.
BANDS = (Band(0.0, np.inf, 0.0), Band(0.0, 2.0, 0.125), Band(2.0, 5.0, 0.0625), Band(5.0, np.inf, 0.0))


@dataclass(frozen=True, slots=True)
class ChosenBands:
    """What was learned about each band, within the training runs.

    Attributes
    ----------
    bands : tuple of str
    weights : tuple of float
        Weight of each band in the score; they sum to 1.
    dprime : tuple of float
        Of each band alone: mean of the difference between attended and other speech in windows of 2 s, divided by its
        standard deviation, in runs that are held out in turn.
    penalties, separables, shrinks, r : tuple of float
        See :class:`earmark.pipeline.decoders.linear.Chosen`. A larger correlation does not mean a better band.
    group_listeners : int
        Number of other listeners whose mean was mixed in.
    group_share : float
        Weight of that mean, 0 to 1.
    """

    bands: tuple[str, ...]
    weights: tuple[float, ...]
    dprime: tuple[float, ...]
    penalties: tuple[float, ...]
    separables: tuple[float, ...]
    shrinks: tuple[float, ...]
    r: tuple[float, ...]
    group_listeners: int = 0
    group_share: float = 0.0

    def words(self) -> str:
        """Return the weight and the sensitivity of each band, for display."""
        each = zip(self.bands, self.weights, self.dprime, strict=True)
        return ", ".join(f"{band} {100 * weight:.0f} % (d′ {d:.2f})" for band, weight, d in each)


class FilterBankDecoder(Projections):
    """Linear reconstruction of the attended talker's features in several frequency bands.

    Neural signal and features are divided into bands by the same filters. Each band has a backward model of its own,
    see :class:`earmark.pipeline.decoders.linear.LinearDecoder`. The score is the weighted mean of the bands'
    correlations, as Fisher's z. Weights are a linear discriminant between attended and other speech in held-out
    training runs [1]_: listeners differ in the band that follows speech.

    A backward model and a filter can be applied in either order. So the filters are applied to one reconstruction per
    band instead of to all channels.

    Parameters
    ----------
    preset : Preset
        Lags and window; lags must not be negative.
    group : Group, optional
        Mean over other listeners, which counts as much as :data:`earmark.pipeline.decoders.group.WORTH_S` seconds of
        the runs that the decoder is fitted to.

    Attributes
    ----------
    taps : array, shape (n_bands, n_taps)
        Impulse response of each filter.
    lag_steps : tuple of int
        Samples between the lags of each backward model.
    weights : list of array, shape (n_lags * n_channels, n_features)
        Backward model of each band.
    shares : array, shape (n_bands,)
        Weights of the bands.
    separation : Separation
        How the bands separate attended from other speech in held-out training runs; only after fitting.
    lent : Group or None
        Mean over the listeners of the training runs, for the training of decoders for others; see :func:`group_of`.
    chosen : ChosenBands

    References
    ----------
    .. [1] Ang, Chin, Zhang & Guan, Filter bank common spatial pattern (FBCSP) in brain-computer interface, IEEE
       International Joint Conference on Neural Networks (2008), weighs bands in the same way for another task.
    """

    kind = "filterbank"
    spec: DecoderSpec
    taps: NDArray[np.float64]
    lag_steps: tuple[int, ...]
    weights: list[NDArray[np.float64]]
    shares: NDArray[np.float64]
    separation: Separation
    chosen: ChosenBands

    def __init__(self, preset: Preset = EEG, group: Group | None = None) -> None:
        if preset.tmin < 0:
            raise DecoderError(f"filter bank: tmin is {preset.tmin:g} s, but must be 0 or more")
        if not preset.sfreq > 2 * max(band.low_hz for band in BANDS):
            raise DecoderError(
                f"filter bank: sfreq is {preset.sfreq:g} Hz, but must be above {2 * BANDS[-1].low_hz:g} Hz"
            )
        self.preset, self.group = preset, group
        self.lent: Group | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the bands; of several features, also the number of the feature."""
        names, n = self.chosen.bands, self.spec.n_features
        return names if n == 1 else tuple(f"{name}, feature {k + 1}" for name in names for k in range(n))

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what :meth:`settings` and :meth:`arrays` gave."""
        decoder = cls(saved.preset)
        decoder.spec, decoder.chosen = saved.spec, make(ChosenBands, saved.chosen)
        decoder.lag_steps = tuple(int(step) for step in numbers(saved.settings, "lag_steps"))
        n_bands, n_channels, n_features = len(decoder.lag_steps), len(saved.spec.ch_names), saved.spec.n_features
        if len(decoder.chosen.bands) != n_bands:
            raise ValueError(f"chosen.bands names {len(decoder.chosen.bands)} bands, but settings have {n_bands}")
        decoder.taps = saved.array("taps", (n_bands, saved.spec.ahead + 1))
        decoder.shares = saved.array("shares", (n_bands,))
        shapes = [(len(band.lags) * n_channels, n_features) for band in decoder._band_specs()]
        decoder._use([saved.array(f"weights.{number}", shape) for number, shape in enumerate(shapes)])
        if any(name.startswith(f"{GROUP}.") for name in saved.arrays):
            decoder.lent = Group.rebuild(saved, shapes)
        return decoder

    def settings(self) -> dict[str, Any]:
        """Return the distances of lags."""
        return {"lag_steps": self.lag_steps}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the filters, the backward models, the weights of bands, and the group if there is one to lend."""
        weights = {f"weights.{number}": one for number, one in enumerate(self.weights)}
        lent = {} if self.lent is None else self.lent.arrays()
        return {"taps": self.taps, "shares": self.shares, **weights, **lent}

    def fit(self, runs: Sequence[Run]) -> Self:
        """Fit the decoder to two or more runs with known attention.

        Raises
        ------
        DecoderMismatch
            If the runs differ in rate, channels or features.
        DecoderError
            If the runs have too little data with known attention.
        """
        if not runs:
            raise DecoderError("filter bank: no run to learn from")
        spec = bank_spec(runs[0], self.preset)
        return self.fit_moments(spec, runs, [band_moments(run, spec) for run in runs])

    def _band_specs(self) -> list[DecoderSpec]:
        """Return the spec of each backward model, for signals that are filtered already."""
        return [replace(self.spec, context=0.0, lag_step=step) for step in self.lag_steps]

    def _use(self, weights: list[NDArray[np.float64]]) -> None:
        """Set the weights, and join those of all bands by lag, so that one product per lag computes all bands."""
        self.weights, n_channels, n_features = weights, len(self.spec.ch_names), self.spec.n_features
        joined: dict[int, NDArray[np.float64]] = {}
        for k, (band, own) in enumerate(zip(self._band_specs(), weights, strict=True)):
            for lag, one in zip(band.lags, own.reshape(-1, n_channels, n_features), strict=True):
                both = joined.setdefault(lag, np.zeros((n_channels, len(weights) * n_features)))
                both[:, k * n_features : (k + 1) * n_features] = one
        self._by_lag = sorted(joined.items())

    def fit_moments(
        self,
        spec: DecoderSpec,
        runs: Sequence[Run],
        parts: Sequence[Sequence[Moments]],
        known_fits: dict[tuple[int, frozenset[int]], Fits] | None = None,
    ) -> Self:
        """Fit the decoder to runs whose moments in each band are known, from :func:`band_moments`.

        Parameters
        ----------
        spec : DecoderSpec
            From :func:`bank_spec`.
        runs, parts : sequence
            Runs, and the moments of each.
        known_fits : dict, optional
            Fits that decoders without a group share, fitted to other selections of the same ``parts``: by number of
            the band, and identities of the parts. New fits are added.
        """
        self.spec, self.taps, self.lag_steps = spec, filters(spec), lag_steps(spec)
        known = [(run, bands) for run, bands in zip(runs, parts, strict=True) if bands[0].n]
        if len(known) < 2:
            raise DecoderError(
                f"filter bank: {len(known)} of {len(runs)} runs have a known attended talker for longer than the lags, "
                "but two or more are needed"
            )
        groups = [known[g::N_GROUPS] for g in range(min(N_GROUPS, len(known)))]
        sums = [[total([bands[k] for _, bands in group]) for group in groups] for k in range(len(self.lag_steps))]
        priors: Sequence[Moments | None] = [None] * len(sums)
        if self.group is not None:
            self.group.check(spec.ch_names)
            priors = self.group.prior([total(band) for band in sums], spec.sfreq)
        everyone = frozenset(id(bands) for _, bands in known)
        trains = [everyone - {id(bands) for _, bands in group} for group in groups]
        shared, fits = {} if known_fits is None else known_fits, []
        for k, (band, of_groups, prior) in enumerate(zip(self._band_specs(), sums, priors, strict=True)):
            one = LinearDecoder(self.preset, PENALTIES, SHRINKS, SEPARABLES, single=True)
            for train, others in zip(trains, leave_one_out(of_groups), strict=True):
                if (k, train) not in shared:
                    shared[k, train] = one.fits(band, others if prior is None else others + prior)
            held_out = [shared[k, train] for train in trains]
            fits.append(one.fit_moments(band, of_groups, prior, held_out, shared.get((k, everyone))))
        found = []
        length, hop = round(WINDOW_S * self.spec.sfreq), round(HOP_S * self.spec.sfreq)
        for k, group in enumerate(groups):
            self._use([one.held_out[k] for one in fits])
            for run, _ in group:
                x, y = self.project_neural(np.nan_to_num(run.neural)), self.project_talkers(np.nan_to_num(run.talkers))
                z = differences(x, y, run.attended[self.spec.ahead :], length, hop, self.spec.centred)
                found.append(z.reshape(len(z), len(BANDS), self.spec.n_features).mean(axis=-1))
        self.separation = Separation.of(np.concatenate(found))
        self._use([one.weights for one in fits])
        share, separation = 0.0, self.separation
        if self.group is not None:
            share = WORTH_S / (WORTH_S + sum(one.n for one in sums[0]) / spec.sfreq)
            separation = separation.mixed(self.group.separation, share)
        self.shares = separation.discriminant(SHRINKAGE)
        self.chosen = ChosenBands(
            bands=tuple(band.name for band in BANDS),
            weights=tuple(self.shares.tolist()),
            dprime=tuple(self.separation.dprime.tolist()),
            penalties=tuple(one.chosen.penalty for one in fits),
            separables=tuple(one.chosen.separable or 0.0 for one in fits),
            shrinks=tuple(one.chosen.shrink for one in fits),
            r=tuple(one.chosen.r for one in fits),
            group_listeners=0 if self.group is None else self.group.n_listeners,
            group_share=share,
        )
        return self

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruct the features in each band, shape (n_samples - reach, n_bands * n_features)."""
        n_rows, n_features = max(len(neural) - self.spec.behind, 0), self.spec.n_features
        found = np.zeros((n_rows, len(self.weights) * n_features))
        for lag, weights in self._by_lag:
            found += neural[lag : lag + n_rows] @ weights
        bands = (found[:, k * n_features : (k + 1) * n_features] for k in range(len(self.weights)))
        return np.concatenate([_valid(band, taps) for band, taps in zip(bands, self.taps, strict=True)], axis=-1)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features of the talkers in each band at the reconstructed instants."""
        n_rows = max(talkers.shape[1] - self.spec.behind, 0)
        return np.concatenate([_valid(talkers[:, :n_rows], taps) for taps in self.taps], axis=-1)

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean of the bands' correlations, averaged as Fisher's z: again a correlation."""
        shape = (*correlations.shape[:-1], len(self.shares), self.spec.n_features)
        by_band = fisher(correlations).reshape(shape).mean(axis=-1)
        score: NDArray[np.float64] = np.tanh(by_band @ self.shares)
        return score


def bank_spec(run: Run, preset: Preset) -> DecoderSpec:
    """Return the spec of a filter bank for runs like this one."""
    return make_spec(FilterBankDecoder.kind, run, preset, context=MEMORY_S, centred=False)


def filters(spec: DecoderSpec) -> NDArray[np.float64]:
    """Return the filter of each band, shape (n_bands, n_taps), as long as the spec allows."""
    return np.stack([band.taps(spec.sfreq, spec.ahead + 1) for band in BANDS])


def lag_steps(spec: DecoderSpec) -> tuple[int, ...]:
    """Return the samples between the lags of each band."""
    return tuple(max(spec.lag_step, round(band.lag_s * spec.sfreq)) for band in BANDS)


def band_moments(run: Run, spec: DecoderSpec) -> list[Moments]:
    """Return the moments of a run in each band; parameters and errors as for :func:`~.moments.moments`."""
    spec.check_run(run)
    found = []
    for taps, step in zip(filters(spec), lag_steps(spec), strict=True):
        filtered = replace(run, neural=_filtered(run.neural, taps), talkers=_filtered(run.talkers, taps))
        found.append(moments(filtered, replace(spec, context=0.0, lag_step=step)))
    return found


def group_of(runs: Sequence[Run], preset: Preset) -> Group:
    """Compute the mean over listeners from their runs.

    Parameters
    ----------
    runs : sequence of Run
        Two or more of each listener.
    preset : Preset

    Raises
    ------
    DecoderError, DecoderMismatch
        If a listener has too little data, or the runs differ in rate, channels or features.
    """
    spec = bank_spec(runs[0], preset)
    listeners, separations = [], []
    for subject in dict.fromkeys(run.subject for run in runs):
        own = [run for run in runs if run.subject == subject]
        parts = [band_moments(run, spec) for run in own]
        separations.append(FilterBankDecoder(preset).fit_moments(spec, own, parts).separation)
        listeners.append([total(band) for band in zip(*parts, strict=True)])
    return Group.of(spec.ch_names, listeners, separations)


def leave_one_run_out(preset: Preset, runs: Sequence[Run]) -> tuple[FilterBankDecoder, list[FilterBankDecoder]]:
    """Fit a decoder to all runs, and for each run one to all other runs, with one pass over all samples.

    Decoders share the fits to the same runs: those that leave out two runs serve the decoders without either of them.

    Returns
    -------
    FilterBankDecoder
        Fitted to all runs.
    list of FilterBankDecoder
        The decoder at index ``i`` is not fitted to run ``i``.
    """
    spec = bank_spec(runs[0], preset)
    parts = [band_moments(run, spec) for run in runs]
    fits: dict[tuple[int, frozenset[int]], Fits] = {}
    whole = FilterBankDecoder(preset).fit_moments(spec, runs, parts, fits)
    others = [[j for j in range(len(runs)) if j != i] for i in range(len(runs))]
    return whole, [
        FilterBankDecoder(preset).fit_moments(spec, [runs[j] for j in some], [parts[j] for j in some], fits)
        for some in others
    ]


def _filtered(signal: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter along the second to last axis from a silent start; the shape does not change."""
    if not taps[1:].any():
        return signal
    whole: NDArray[np.float64] = oaconvolve(
        np.nan_to_num(signal), taps.reshape(*(1,) * (signal.ndim - 2), -1, 1), axes=-2
    )
    return whole[..., : signal.shape[-2], :]


def _valid(signal: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter along the second to last axis; return the samples for which all taps have a sample."""
    n = signal.shape[-2] - len(taps) + 1
    if n < 1 or not taps[1:].any():
        return signal[..., len(taps) - 1 :, :]
    columns = np.swapaxes(signal, -1, -2)
    found = np.empty((*columns.shape[:-1], n))
    for at in np.ndindex(columns.shape[:-1]):  # for short signals much quicker than a filter of several columns
        found[at] = np.convolve(columns[at], taps, "valid")
    return np.swapaxes(found, -1, -2)

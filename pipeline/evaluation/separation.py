"""How well talkers of a mixture are told apart: the mixture, what separators make of it, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope
from earmark.pipeline.scene.array import Array
from earmark.pipeline.scene.motion import turn
from earmark.pipeline.scene.remix import Directions, bounded_change
from earmark.pipeline.scene.separator import Separator
from earmark.pipeline.scene.transform import Analysis, Framing, Synthesis

Samples = NDArray[np.float64]
Spectra = NDArray[np.complex64]
#: Gains of the talker that is turned up and of the others, dB.
ASKED_DB = (3.0, -9.0)
#: Directions are found if they are as near as this to the talkers, degrees.
NEAR_DEG = 15.0
#: From so many degrees on, talkers count as apart.
APART_DEG = 30.0
#: Envelopes are compared between these frequencies, Hz.
BAND_HZ = (1.0, 9.0)
#: Draws of the bootstrap.
N_DRAWS = 2000


@dataclass(frozen=True)
class Mixture:
    """Talkers at an array, each alone.

    Attributes
    ----------
    array : Array
    sfreq : float
        Sampling rate in Hz.
    talkers : array, shape (n_talkers, n_mics, n_samples)
        What each microphone hears of each talker.
    early : array, shape (n_talkers, n_samples)
        Direct sound and early reflections at the reference microphone, which separation is measured against.
    noise : array, shape (n_mics, n_samples)
        Noise of the microphones.
    azimuths : array, shape (n_talkers, n_samples)
        Where the talkers are, degrees.
    """

    array: Array
    sfreq: float
    talkers: Samples
    early: Samples
    noise: Samples
    azimuths: Samples

    @property
    def mics(self) -> Samples:
        """What the microphones hear, shape (n_mics, n_samples)."""
        return np.asarray(self.talkers.sum(axis=0) + self.noise)


def spectra(x: Samples, framing: Framing) -> Spectra:
    """Return the spectra of all whole hops of channels, shape (n_hops, n_channels, n_bins)."""
    analysis, hop, x32 = Analysis(framing, len(x)), framing.hop, x.astype(np.float32)
    return np.stack([analysis.push(x32[:, a : a + hop]).copy() for a in range(0, x.shape[1] - hop + 1, hop)])


def samples(heard: Spectra, factors: NDArray[np.floating], framing: Framing) -> Samples:
    """Return what spectra become by factors, in step with the samples that the spectra were computed from.

    Parameters
    ----------
    heard : array, shape (n_hops, n_channels, n_bins)
    factors : array, shape (n_hops, n_bins)
    framing : Framing

    Returns
    -------
    x : array, shape (n_channels, n_samples)
        One hop less: the last one needs a window that begins later.
    """
    synthesis = Synthesis(framing, heard.shape[1])
    changed = (heard * factors[:, None]).astype(np.complex64)
    out = np.concatenate([synthesis.push(one).copy() for one in changed], axis=1)
    return np.asarray(out[:, framing.hop :], np.float64)  # the first hop is older than the sound


def separate(separator: Separator, directions: Directions, heard: Spectra) -> tuple[NDArray[np.float32], Samples]:
    """Return the masks of a separator, and the directions that it was given.

    Parameters
    ----------
    separator : Separator
    directions : Directions
    heard : array, shape (n_hops, n_mics, n_bins)

    Returns
    -------
    masks : array, shape (n_places, n_hops, n_bins)
        In step with the spectra, whatever the delay of the separator; where it is not done at the end, all are equal.
    azimuths : array, shape (n_hops, n_places)
    """
    masks, azimuths = [], []
    for one in heard:
        azimuths.append(directions.process(one).copy())
        masks.append(separator.process(one, azimuths[-1]).copy())
    late = separator.delay // separator.hop
    masks = masks[late:] + [np.full_like(masks[0], 1 / len(masks[0]))] * late
    return np.stack(masks, axis=1), np.array(azimuths)


def oracle_masks(talkers: Samples, framing: Framing) -> NDArray[np.float32]:
    """Return the share of each talker in the power, from what one microphone hears of each alone.

    Parameters
    ----------
    talkers : array, shape (n_talkers, n_samples)

    Returns
    -------
    masks : array, shape (n_talkers, n_hops, n_bins)
    """
    power = np.abs(spectra(talkers, framing)) ** 2
    return np.asarray(np.moveaxis(power / (power.sum(axis=1, keepdims=True) + 1e-12), 1, 0), np.float32)


def change_factors(masks: NDArray[np.float32], gains_db: Sequence[float]) -> Samples:
    """Return what a remix with these masks multiplies the spectrum of each hop by, shape (n_hops, n_bins)."""
    gains, out = 10 ** (np.asarray(gains_db, np.float64) / 20), np.empty(masks.shape[1:], np.float32)
    for hop, row in enumerate(out):
        bounded_change(masks[:, hop], gains, row)
    return np.asarray(1 + out, np.float64)


class Given:
    """Directions of each hop, one after the other: shape (n_hops, n_places)."""

    def __init__(self, azimuths: Samples) -> None:
        self._azimuths, self._at = azimuths, 0

    def process(self, spectra: Spectra, /) -> Samples:
        """Return the next directions."""
        self._at += 1
        return np.asarray(self._azimuths[self._at - 1], np.float64)

    def reset(self) -> None:
        """Begin with the first again."""
        self._at = 0


def si_sdr(found: Samples, wanted: Samples) -> float:
    """Return the scale-invariant ratio of signal and distortion in dB [1]_, over the samples that both have.

    References
    ----------
    .. [1] Le Roux et al. 2019, ICASSP, doi:10.1109/ICASSP.2019.8683855.
    """
    n = min(len(found), len(wanted))
    found, wanted = found[:n], wanted[:n]
    target = (found @ wanted) / (wanted @ wanted) * wanted
    with np.errstate(divide="ignore"):
        return float(10 * np.log10((target @ target) / np.sum((found - target) ** 2)))


def delivered(talkers: Sequence[Samples], changed: Sequence[Samples], target: int) -> float:
    """Return by how much the ratio of a talker to all others changed, dB.

    Parameters
    ----------
    talkers, changed : sequence of array, shape (n_ears, n_samples)
        Each talker alone at the ears, as it was and as it became.
    target : int
        The talker that counts as wanted.

    Returns
    -------
    float
        Mean over the ears.
    """

    def ratio(sounds: Sequence[Samples]) -> Samples:
        powers = np.array([np.mean(one**2, axis=1) for one in sounds])
        return np.asarray(powers[target] / (powers.sum(axis=0) - powers[target]))

    return float(np.mean(10 * np.log10(ratio(changed) / ratio(talkers))))


def modulation(x: Samples, sfreq: float) -> tuple[Samples, Samples]:
    """Return the envelope of a talker as a session publishes it, and the same from 1 to 9 Hz, to compare it."""
    config = EnvelopeConfig()
    found = speech_envelope(np.asarray(x, np.float64), sfreq, config).mean(axis=1)
    band = butter(2, BAND_HZ, "bandpass", fs=config.sfreq, output="sos")
    return found, np.asarray(sosfiltfilt(band, found))


def alike(one: Samples, other: Samples) -> float:
    """Return the correlation of two signals, over the samples that both have."""
    n = min(len(one), len(other))
    return float(np.corrcoef(one[:n], other[:n])[0, 1])


def owners(found: Samples, truth: Samples) -> NDArray[np.intp]:
    """Return which of two talkers each place belongs to: the one that it is nearest to most of the time.

    Parameters
    ----------
    found, truth : array, shape (n_hops, 2)
        Azimuths of places and talkers in degrees; NaN where a place is unused.
    """
    straight, crossed = (np.nansum(np.abs(turn(found, one))) for one in (truth, truth[:, ::-1]))
    return np.array([0, 1] if straight <= crossed else [1, 0], np.intp)


def tracking(found: Samples, truth: Samples, hop_s: float) -> dict[str, float]:
    """Return how well two talkers were followed.

    Parameters
    ----------
    found, truth : array, shape (n_hops, 2)
        Azimuths found for the talkers, and where they were, in degrees; NaN where nothing was found.
    hop_s : float
        Time between them, s.

    Returns
    -------
    dict
        ``near``: share of the time in which both are within 15 degrees. ``swaps``: how often per minute they exchanged
        talkers, where it is clear who is who. ``exchanges``: the same while talkers are at least 30 degrees apart, so
        that a place that is late while talkers pass each other does not count.
    """
    away = np.abs(np.stack([turn(found, truth), turn(found, truth[:, ::-1])]))  # (order, hop, talker)
    near = np.all(away <= NEAR_DEG, axis=2)
    sure = near[0] != near[1]  # which order it is
    apart = np.abs(turn(truth[:, 0], truth[:, 1])) >= APART_DEG
    minutes = len(found) * hop_s / 60
    return {
        "near": float(near[0].mean()),
        "swaps": float(np.count_nonzero(np.diff(near[1][sure])) / minutes),
        "exchanges": float(np.count_nonzero(np.diff(near[1][sure & apart])) / minutes),
    }


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        NaN if there is no value; the interval also if there is a single one.
    n : int
        Number of values.
    """

    mean: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return the values; None for NaN."""
        ends = {name: getattr(self, name) for name in ("mean", "low", "high")}
        return {name: value if np.isfinite(value) else None for name, value in ends.items()} | {"n": self.n}


def interval(values: Sequence[float], weights: Sequence[float] | None = None) -> Interval:
    """Return the mean of values with its bootstrap 95 % interval.

    Parameters
    ----------
    values : sequence of float
        One for each pair of talkers; those that are not finite are left out.
    weights : sequence of float, optional
        If given, the sum of ``values`` is divided by the sum of these: correct decisions and decisions of each pair.
        Pairs without any are left out.
    """
    x = np.asarray(values, np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    usable = np.isfinite(x) & (w > 0)
    x, w, n = x[usable], w[usable], int(usable.sum())
    if not n:
        return Interval(np.nan, np.nan, np.nan, 0)
    drawn = np.random.default_rng(0).integers(0, n, (N_DRAWS, n))
    means = x[drawn].sum(axis=1) / w[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975]) if n > 1 else (np.nan, np.nan)
    return Interval(float(x.sum() / w.sum()), float(low), float(high), n)

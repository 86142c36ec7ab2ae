"""Positions of a simulated listener's electrodes, and the weight of each source in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The cap from which scalp electrodes are taken.
MONTAGE = "biosemi64"
#: Depth electrodes in the left temporal lobe: name, entry point and target in metres, head coordinates.
SHAFTS = (
    ("LH", (-0.068, -0.008, 0.045), (-0.028, -0.016, 0.040)),  # along Heschl's gyrus
    ("LT", (-0.070, 0.005, 0.030), (-0.026, 0.010, 0.018)),  # middle temporal to amygdala
    ("LP", (-0.067, -0.035, 0.050), (-0.024, -0.030, 0.034)),  # posterior temporal to hippocampus
)
CONTACTS = 12  # per shaft
_OWN = 0.02  # share of the background that is independent in each electrode
_BLUR = 1.4  # the skull blurs potentials: electrodes are moved outwards by this factor, in radii of the head
_AUDITORY = (-0.052, -0.012, 0.043)  # where the shafts' response is largest, metres
_REACH = 0.012  # metres over which it decreases


@dataclass(frozen=True, slots=True)
class Electrodes:
    """Channels, and the weight of each source in each channel.

    Attributes
    ----------
    ch_names : tuple of str
    ch_type : str
        ``eeg`` or ``seeg``.
    positions : array, shape (n_channels, 3)
        Metres, head coordinates.
    response : array, shape (n_channels, 3)
        Weights of P1, N1 and P2; the largest of each is 1 in magnitude. The signs of the waves are in the waveforms.
    high_gamma : array, shape (n_channels,)
        Weight of the high-gamma response, 0 to 1; all 0 on the scalp.
    alpha : array, shape (n_channels, 2)
        Weights of two occipital sources; all 0 inside the temporal lobe.
    blink : array, shape (n_channels,)
        Weight of blinks; all 0 inside the head.
    mixing : array, shape (n_channels, n_sources)
        Weights of independent noise sources, which make the background correlated between neighbours. Mean variance 1.
    """

    ch_names: tuple[str, ...]
    ch_type: str
    positions: NDArray[np.float64]
    response: NDArray[np.float64]
    high_gamma: NDArray[np.float64]
    alpha: NDArray[np.float64]
    blink: NDArray[np.float64]
    mixing: NDArray[np.float64]


def scalp_names() -> tuple[str, ...]:
    """Return the names of all electrodes of the cap."""
    import mne

    return tuple(mne.channels.make_standard_montage(MONTAGE).ch_names)


def scalp(ch_names: Sequence[str]) -> Electrodes:
    """Return electrodes of a cap.

    Sources are current dipoles in an unbounded conductor: two of auditory cortex, mirror images of each other, that
    point to the top of the forehead, so that the vertex and the mastoids see opposite signs; two of occipital cortex;
    the eyes; and 300 of the background, anywhere in the outer brain and pointing anywhere.

    Parameters
    ----------
    ch_names : sequence of str
        Electrodes of the cap to use.

    Raises
    ------
    ValueError
        If the cap has no electrode of a name, or a name is repeated.
    """
    import mne

    montage = mne.channels.make_standard_montage(MONTAGE)
    picked = _pick(ch_names, montage.ch_names, MONTAGE)
    info = mne.create_info(montage.ch_names, 1.0, "eeg")
    info.set_montage(montage)
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    centre, radius = _sphere(places)
    unit = (places - centre) / radius

    auditory = [
        _dipole(unit, (0.5, 0.0, 0.0), moment) + _dipole(unit, (-0.5, 0.0, 0.0), (-moment[0], *moment[1:]))
        for moment in ((-0.4, 0.35, 1.0), (-0.4, 0.5, 1.0), (-0.5, 0.15, 1.0))  # P1, N1, P2
    ]
    alpha = [_dipole(unit, (side * 0.25, -0.7, 0.1), (side * 0.2, -1.0, 0.3)) for side in (-1, 1)]
    eyes = _dipole(unit, (0.3, 1.0, -0.2), (0.0, 1.0, 0.4)) + _dipole(unit, (-0.3, 1.0, -0.2), (0.0, 1.0, 0.4))
    rng = np.random.default_rng(0)  # always the same head: another seed is another session, not another person
    ways = rng.normal(size=(300, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    ways[:, 2] = np.maximum(ways[:, 2], -0.3)  # no brain below the ears
    depths = rng.uniform(0.4, 0.9, 300)
    field = np.column_stack(
        [
            _dipole(unit, way * depth, moment)
            for way, depth, moment in zip(ways, depths, rng.normal(size=(300, 3)), strict=True)
        ]
    )
    covariance = field @ field.T
    return Electrodes(
        tuple(ch_names),
        "eeg",
        places[picked],
        np.column_stack([_scaled(one) for one in auditory])[picked],
        np.zeros(len(picked)),
        np.column_stack([_scaled(one) for one in alpha])[picked],
        _scaled(eyes)[picked],
        _mixing(covariance / np.mean(np.diag(covariance)) + _OWN * np.eye(len(covariance)))[picked],
    )


def shafts(ch_names: Sequence[str] | None = None) -> Electrodes:
    """Return depth electrodes of a patient: 36 contacts, of which those in auditory cortex respond.

    Parameters
    ----------
    ch_names : sequence of str or None
        Contacts to use; None for all.

    Raises
    ------
    ValueError
        If there is no contact of a name, or a name is repeated.
    """
    steps = np.linspace(0.0, 1.0, CONTACTS)[:, None]
    places = np.concatenate([(1 - steps) * np.array(entry) + steps * np.array(target) for _, entry, target in SHAFTS])
    names = tuple(f"{name}{i + 1}" for name, _, _ in SHAFTS for i in range(CONTACTS))
    near = np.exp(-((np.linalg.norm(places - _AUDITORY, axis=1) / _REACH) ** 2))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    picked = _pick(ch_names or names, names, "the depth electrodes")
    n = len(picked)
    return Electrodes(
        tuple(names[i] for i in picked),
        "seeg",
        places[picked],
        np.tile(near[picked, None], (1, 3)),
        near[picked],
        np.zeros((n, 2)),
        np.zeros(n),
        _mixing(np.exp(-apart / 0.006))[picked],
    )


def _pick(wanted: Sequence[str], there: Sequence[str], where: str) -> list[int]:
    wrong = sorted({name for name in wanted if name not in there or list(wanted).count(name) > 1})
    if wrong:
        raise ValueError(f"ch_names has {', '.join(wrong)}, but must be distinct names of {where}")
    return [there.index(name) for name in wanted]


def _sphere(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return centre and radius of the best-fitting sphere."""
    left = np.column_stack([2 * places, np.ones(len(places))])
    *centre, rest = np.linalg.lstsq(left, np.sum(places**2, axis=1), rcond=None)[0]
    return np.array(centre), float(np.sqrt(rest + np.sum(np.square(centre))))


def _dipole(
    unit: NDArray[np.float64], place: Sequence[float] | NDArray[np.float64], moment: Sequence[float]
) -> NDArray[np.float64]:
    """Potential of a current dipole at points on the unit sphere, relative to their average."""
    away = _BLUR * unit - np.asarray(place)
    potential = away @ np.asarray(moment) / np.linalg.norm(away, axis=1) ** 3
    against_average: NDArray[np.float64] = potential - potential.mean()
    return against_average


def _scaled(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    largest: NDArray[np.float64] = weights / np.abs(weights).max()
    return largest


def _mixing(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance / np.mean(np.diag(covariance)))
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root

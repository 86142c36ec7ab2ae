"""Simulate talkers in a room as an array of microphones hears them (image sources of pyroomacoustics)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from earmark.devices.audio.room import make_room, room_responses
from earmark.devices.files.kemar import in_front, read_kemar
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.evaluation.separation import Mixture, Samples
from earmark.pipeline.scene.array import PRESETS, SOUND, Array, Responses, preset

#: Sampling rate of simulated rooms, Hz.
SFREQ = 16000
#: Distance of talkers from the array, m; noise of the microphones relative to a talker, dB.
DISTANCE, NOISE_DB = 1.2, -25.0
#: Talkers are in front, within this azimuth, and at least so far apart; degrees.
WIDEST, APART = 75.0, 30.0
#: Early reflections that belong to a talker, s.
EARLY_S = 0.05
#: Reverberation times that rooms of this size can have, and for which the order of image sources is enough, s.
LEAST_RT60, MOST_RT60 = 0.15, 1.0
#: Speed of a talker who walks, degrees per second, and distance of simulated positions, degrees.
SPEED, STEP = 30.0, 5.0
#: The array of the two ears of KEMAR, which hears and steers by responses measured there.
KEMAR = "ears2-kemar"
#: Arrays that scenes can be simulated for.
ARRAYS = (*PRESETS, KEMAR)
#: Taps on either side of a fractional delay.
_HALF = 16


class RoomError(EarmarkError, ValueError):
    """Raised when a room or an array cannot be simulated."""


@dataclass(frozen=True)
class Head:
    """A head with measured responses.

    Attributes
    ----------
    towards : array, shape (n_directions, 3)
        Unit vectors of the directions: to the right, to the front, up.
    taps : array, shape (n_directions, n_mics, n_taps)
        Impulse responses at the rate of simulated rooms.
    """

    towards: Samples
    taps: Samples


@cache
def kemar_head() -> Head:
    """Return the head of KEMAR, with all directions that were measured."""
    azimuths, elevations, taps = read_kemar(SFREQ)
    a, e = np.deg2rad(azimuths), np.deg2rad(elevations)
    return Head(np.stack([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)], axis=1), taps)


def check_rt60(rt60: float) -> None:
    """Check that a reverberation time can be simulated.

    Raises
    ------
    RoomError
        If it cannot.
    """
    if rt60 != 0 and not LEAST_RT60 <= rt60 <= MOST_RT60:
        raise RoomError(
            f"a reverberation time of {rt60:g} s cannot be simulated: give 0, or {LEAST_RT60:g} to {MOST_RT60:g} s"
        )


def array_of(name: str) -> tuple[Array, Head | None]:
    """Return an array by its name, and the head that it is on; None in the open.

    Raises
    ------
    RoomError
        If there is none of that name.
    """
    if name not in ARRAYS:
        raise RoomError(f"there is no array {name!r}: choose from {', '.join(ARRAYS)}")
    if name != KEMAR:
        return preset(name), None
    ears = preset("ears2")
    azimuths, _, taps = read_kemar(SFREQ, in_front)
    return Array(ears.positions, span=ears.span, responses=Responses(azimuths, taps, SFREQ)), kemar_head()


def ways(key: tuple[int, ...], n_samples: int, walking: bool = False) -> Samples:
    """Draw where two talkers are at each sample, in degrees, shape (2, n_samples); the first one may walk."""
    rng = np.random.default_rng([*key, 3])
    while True:
        start = rng.uniform(-WIDEST, WIDEST, 2)
        if abs(start[0] - start[1]) >= APART:
            break
    azimuths = np.repeat(start[:, None], n_samples, axis=1)
    if walking:  # to and fro over 120 degrees, past the other
        phase = (start[0] + 60 + SPEED * np.arange(n_samples) / SFREQ) % 240
        azimuths[0] = np.where(phase < 120, phase - 60, 180 - phase)
    return azimuths


def paths(
    array: Array, rt60: float, azimuths: list[float], key: tuple[int, ...], head: Head | None = None
) -> list[list[Samples]]:
    """Return impulse responses from azimuths to microphones in a room drawn by a key, as [azimuth][microphone].

    Parameters
    ----------
    array : Array
    rt60 : float
        Reverberation time in s; 0 is a room without reflections.
    azimuths : list of float
        Azimuths of sources in degrees.
    key : tuple of int
        The same key gives the same room, whatever the array.
    head : Head, optional
        If given, each reflection arrives through the response of its nearest direction, at the middle of the head.

    Raises
    ------
    RoomError
        If the reverberation time is not possible.
    AudioError
        If pyroomacoustics is not installed.
    """
    check_rt60(rt60)
    rng = np.random.default_rng([*key, 2])
    size = np.array([6.0, 5.0, 2.8]) + rng.uniform(-0.8, 0.8, 3)
    centre = np.array([*(size[:2] / 2 + rng.uniform(-0.4, 0.4, 2)), 1.25])
    if head is None:
        return room_responses(array.positions, SFREQ, rt60, size, centre, azimuths, DISTANCE)
    room = make_room(SFREQ, rt60, size, centre, azimuths, DISTANCE)
    room.add_microphone_array(centre[:, None])
    room.image_source_model()
    return [_through(head, source, centre) for source in room.sources]


def _through(head: Head, source: Any, centre: Samples) -> list[Samples]:
    """Return the responses of both ears to a source with its reflections."""
    away = np.asarray(source.images, np.float64).T - centre  # (n_images, 3)
    distance = np.linalg.norm(away, axis=1)
    level = np.asarray(source.damping, np.float64)[0] / distance
    nearest = (away / distance[:, None] @ head.towards.T).argmax(axis=1)
    arrival = distance / SOUND * SFREQ
    whole = np.floor(arrival).astype(np.int64)
    n = int(whole.max()) + 2 * _HALF + head.taps.shape[2]
    n_fft = 1 << (n - 1).bit_length()
    lags = np.arange(-_HALF + 1, _HALF + 1)
    at = lags - (arrival - whole)[:, None]
    pulse = level[:, None] * np.sinc(at) * (0.5 + 0.5 * np.cos(np.pi * at / _HALF))
    total = np.zeros((head.taps.shape[1], n_fft // 2 + 1), np.complex128)
    for direction in np.unique(nearest):
        here = nearest == direction
        train = np.zeros(n_fft)
        np.add.at(train, whole[here, None] + _HALF + lags, pulse[here])
        total += np.fft.rfft(train) * np.fft.rfft(head.taps[direction], n_fft)
    return list(np.fft.irfft(total, n_fft)[:, :n])


def mixture(
    array: Array,
    speech: list[Samples],
    azimuths: Samples,
    rt60: float,
    key: tuple[int, ...],
    head: Head | None = None,
) -> Mixture:
    """Simulate talkers at equal level at an array in a room.

    Parameters
    ----------
    array : Array
    speech : list of array, shape (n_samples,)
        What each talker says, at :data:`SFREQ`.
    azimuths : array, shape (n_talkers, n_samples)
        Where each talker is, in degrees.
    rt60 : float
        Reverberation time in s.
    key : tuple of int
        Draws the room and the noise of the microphones.
    head : Head, optional
        The head that the microphones are on, see :func:`paths`.

    Raises
    ------
    RoomError
        If the room cannot be simulated, or a talker is silent.
    """
    n = azimuths.shape[1]
    talkers, early = np.zeros((len(speech), array.n_mics, n)), np.zeros((len(speech), n))
    for k, sound in enumerate(speech):
        moves = np.ptp(azimuths[k]) > 0
        places = np.arange(-WIDEST, WIDEST + 0.1, STEP) if moves else azimuths[k, :1]
        heard = paths(array, rt60, list(map(float, places)), key, head)
        for place, taps in zip(places, heard, strict=True):
            part = sound * np.clip(1 - np.abs(azimuths[k] - place) / STEP, 0, 1) if moves else sound
            talkers[k] += np.stack([fftconvolve(part, one)[:n] for one in taps])
            direct = taps[array.reference]
            until = int(np.abs(direct).argmax()) + round(EARLY_S * SFREQ)
            early[k] += fftconvolve(part, direct[:until])[:n]
    level = np.sqrt(np.mean(talkers[:, array.reference] ** 2, axis=1))
    if not (level > 0).all():
        raise RoomError(f"talker {int(np.argmin(level)) + 1} of the mixture is silent: give other speech")
    talkers, early = talkers / level[:, None, None], early / level[:, None]
    rng = np.random.default_rng([*key, 4])
    noise: NDArray[np.float64] = rng.standard_normal(talkers.shape[1:]) * 10 ** (NOISE_DB / 20)
    return Mixture(array, SFREQ, talkers, early, noise, azimuths)

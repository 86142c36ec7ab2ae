"""A simulated room as a source: talkers who stand or walk, heard by microphones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from earmark.devices.audio.scene import AudioError, Room, RoomTalker
from earmark.devices.audio.sound_file import LOUDNESS_S, matched, read_talker
from earmark.kernels.extras import install
from earmark.pipeline.scene.array import SOUND, Array

#: Height of microphones and mouths, m; greatest order of reflections; and distance of directions between which the
#: responses of a walking talker are cross-faded, degrees.
HEIGHT, MOST_REFLECTIONS, STEP = 1.25, 25, 4.0
#: Crossfade at the seam of a repetition, s.
SEAM_S = 0.05
#: Samples by which responses are late: pyroomacoustics puts a fractional delay of 81 taps at every reflection.
LATE = 40


def room_responses(
    positions: NDArray[np.float64],
    sfreq: float,
    rt60_s: float,
    size: NDArray[np.float64],
    centre: NDArray[np.float64],
    azimuths: Sequence[float],
    distance: float,
) -> list[list[NDArray[np.float64]]]:
    """Return impulse responses [azimuth][microphone] of a shoebox room, by image sources.

    Parameters
    ----------
    positions : array, shape (n_mics, 3)
        Microphones relative to the listener, m.
    sfreq : float
        Sampling rate, Hz.
    rt60_s : float
        Reverberation time, s; 0 for the open.
    size, centre : array, shape (3,)
        Size of the room, and where in it the listener is, m.
    azimuths : sequence of float
        Directions of the talkers, degrees to the right.
    distance : float
        Their distance, m.

    Raises
    ------
    AudioError
        If pyroomacoustics is not installed, or the room cannot reverberate so.
    """
    room = make_room(sfreq, rt60_s, size, centre, azimuths, distance)
    room.add_microphone_array((np.asarray(positions) + centre).T)
    room.compute_rir()
    return [[np.asarray(room.rir[mic][k]) for mic in range(len(positions))] for k in range(len(azimuths))]


def make_room(
    sfreq: float,
    rt60_s: float,
    size: NDArray[np.float64],
    centre: NDArray[np.float64],
    azimuths: Sequence[float],
    distance: float,
) -> Any:
    """Return a shoebox room of pyroomacoustics with a source at each azimuth, as for :func:`room_responses`.

    Raises
    ------
    AudioError
        If pyroomacoustics is not installed, or the room cannot reverberate so.
    """
    try:
        import pyroomacoustics
    except ImportError as error:
        raise AudioError(
            f"room: rooms are simulated by pyroomacoustics, which is not installed: {install('scene')}"
        ) from error

    try:
        absorption, order = pyroomacoustics.inverse_sabine(rt60_s, size) if rt60_s else (1.0, 0)
    except ValueError as error:
        raise AudioError(
            f"room: a room of {' x '.join(f'{one:g}' for one in size)} m cannot have rt60_s {rt60_s:g}: {error}; raise "
            "rt60_s, or make the room smaller"
        ) from error
    room = pyroomacoustics.ShoeBox(
        size,
        fs=round(sfreq),
        materials=pyroomacoustics.Material(absorption),
        max_order=min(order, MOST_REFLECTIONS),
    )
    for azimuth in np.deg2rad(azimuths):
        room.add_source(centre + distance * np.array([np.sin(azimuth), np.cos(azimuth), 0]))
    return room


def way(talker: RoomTalker, n: int, sfreq: float) -> NDArray[np.float64]:
    """Return the azimuth of a talker at each of ``n`` samples, which are repeated: whole walks to and fro."""
    if talker.azimuth_to is None or talker.azimuth_to == talker.azimuth:
        return np.full(n, talker.azimuth)
    path = talker.azimuth_to - talker.azimuth
    walks = max(1, round(n / sfreq * talker.speed / abs(2 * path)))
    phase = np.arange(n) * walks / n % 1
    return np.asarray(talker.azimuth + path * (1 - np.abs(1 - 2 * phase)))


def hear_room(room: Room, array: Array, sfreq: float, lufs: float | None, delay: int) -> NDArray[np.float32]:
    """Simulate what microphones hear in a room.

    Parameters
    ----------
    room : Room
    array : Array
    sfreq : float
        Sampling rate of the result, Hz.
    lufs : float or None
        Loudness to which talkers are matched, LUFS; None leaves files as they are.
    delay : int
        Samples by which the clean talkers are later than the direct sound, as the parts of a remix are.

    Returns
    -------
    array, shape (n_mics + n_talkers, n_samples)
        Microphones, and below them the clean talkers. Repeated, it has no seam. At the reference, each talker has the
        power that the file has.

    Raises
    ------
    AudioError
        If a file cannot be used, or pyroomacoustics is not installed.
    """
    n = round(room.seconds * sfreq)
    size = np.array(room.size)
    centre = np.array([size[0] / 2, size[1] / 2, min(HEIGHT, size[2] / 2)])
    out = np.zeros((array.n_mics + len(room.talkers), n), np.float32)
    power = 0.0
    for index, talker in enumerate(room.talkers):
        speech = _speech(talker, n, sfreq, lufs)
        heard = np.zeros((array.n_mics, n), np.float32)
        for azimuth, weight in _weights(way(talker, n, sfreq)):
            (paths,) = room_responses(array.positions, sfreq, room.rt60_s, size, centre, [azimuth], talker.distance)
            _add(heard, speech if weight is None else speech * weight, paths)
        level = math.sqrt(np.mean(speech**2) / max(np.mean(heard[array.reference] ** 2, dtype=np.float64), 1e-30))
        out[: array.n_mics] += np.float32(level) * heard
        out[array.n_mics + index] = np.roll(speech, round(talker.distance / SOUND * sfreq) + LATE + delay)
        power += float(np.mean(speech**2)) / len(room.talkers)
    noise = np.random.default_rng(room.seed).standard_normal((array.n_mics, n), np.float32)
    out[: array.n_mics] += noise * np.float32(math.sqrt(power) * 10 ** (room.noise_db / 20))
    return out


def _weights(azimuths: NDArray[np.float64]) -> list[tuple[float, NDArray[np.float64] | None]]:
    """Return directions and the share of each at every sample; None for one direction alone."""
    if np.ptp(azimuths) == 0:
        return [(float(azimuths[0]), None)]
    low = np.floor(azimuths.min() / STEP) * STEP
    grid = np.arange(low, azimuths.max() + STEP, STEP)
    found = ((float(at), np.clip(1 - np.abs(azimuths - at) / STEP, 0, 1)) for at in grid)
    return [(at, weight) for at, weight in found if weight.any()]


def _add(heard: NDArray[np.float32], x: NDArray[np.float64], paths: list[NDArray[np.float64]]) -> None:
    """Add what a talker is at each microphone; what is left at the end goes on at the beginning."""
    from scipy.signal import oaconvolve

    taps = np.zeros((len(paths), max(map(len, paths))), np.float32)
    for mic, path in enumerate(paths):
        taps[mic, : len(path)] = path
    n = heard.shape[1]
    edges = np.flatnonzero(np.diff(x != 0, prepend=False, append=False))
    # A walking talker is at each place now and then: only that is convolved, and short pauses with it.
    apart = np.flatnonzero(edges[2::2] - edges[1:-1:2] > taps.shape[1])
    kept = np.concatenate([[0], 2 * apart + 1, 2 * apart + 2, [len(edges) - 1]]) if len(edges) else edges
    for begin, end in edges[np.sort(kept)].reshape(-1, 2):
        long = oaconvolve(x[None, begin:end].astype(np.float32), taps, axes=1)
        at = int(begin)
        while long.shape[1]:
            piece, long = long[:, : n - at], long[:, n - at :]
            heard[:, at : at + piece.shape[1]] += piece
            at = 0


def _speech(talker: RoomTalker, n: int, sfreq: float, lufs: float | None) -> NDArray[np.float64]:
    """Return ``n`` samples of a talker that can be repeated."""

    def error(problem: str) -> AudioError:
        return AudioError(f"room: talker {talker.name!r}: {talker.source} {problem}")

    x, rate = read_talker(talker.source, error)
    x = x[round(talker.start_s * rate) :]
    if len(x) < LOUDNESS_S * rate:
        raise error(f"lasts {len(x) / rate:.3f} s from start_s on, but must last {LOUDNESS_S} s; lower start_s")
    n_seam = round(SEAM_S * sfreq)
    x = x[: math.ceil((n + n_seam) * rate / sfreq) + 1]
    if rate != sfreq:
        x = soxr.resample(x, rate, sfreq, quality="VHQ")
    if lufs is not None:
        loud = matched(x, sfreq, lufs)
        if loud is None:
            raise error("is silent, so there is no loudness to match; use another file")
        x = loud
    n_own = min(len(x) - n_seam, n)
    rise = np.sin(np.pi / 2 * (np.arange(n_seam) + 0.5) / n_seam)
    own = x[:n_own].copy()
    own[:n_seam] = own[:n_seam] * rise + x[n_own : n_own + n_seam] * rise[::-1]
    times = n // n_own  # a short file is repeated as often as it fits, and silence follows
    return np.concatenate([np.tile(own, times), np.zeros(n - times * n_own)])

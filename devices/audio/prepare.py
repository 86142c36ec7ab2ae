"""Prepare a scene: read files, resample, match loudness, and load impulse responses."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from earmark.devices.audio.microphones import hear
from earmark.devices.audio.ramp import raised_cosine
from earmark.devices.audio.scene import AudioError, Prepared, Scene, Talker
from earmark.devices.audio.sound_file import LOUDNESS_S, matched, read_talker
from earmark.devices.audio.space import impulse_responses, speech_gain
from earmark.devices.files.kemar import in_front, read_kemar

#: Fade at the end of a file that does not loop, s.
END_S = 0.005


def prepare(scene: Scene) -> Prepared:
    """Do everything that takes time or needs libraries.

    Raises
    ------
    AudioError
        If a file cannot be used, impulse responses are missing, or microphones cannot be prepared; names talker, file
        and fix.
    """
    if scene.microphones is not None:  # ears are among them, so that there is no space
        array, mics = hear(scene)
        return Prepared(scene, (None,) * len(scene.talkers), np.zeros(1), np.zeros((1, 2, 1)), array, mics)
    azimuths, hrir = impulse_responses(scene.space, scene.sfreq)
    pcm = tuple(None if talker.is_live else _pcm(talker, scene) for talker in scene.talkers)
    return Prepared(scene, pcm, azimuths, hrir)


def _error(talker: Talker, problem: str) -> AudioError:
    return AudioError(f"talker {talker.name!r}: {talker.source} {problem}")


def _pcm(talker: Talker, scene: Scene) -> NDArray[np.float32]:
    """Return a talker's samples at the scene's rate and loudness."""
    x, sfreq = read_talker(talker.source, lambda problem: _error(talker, problem))
    if talker.start_s * sfreq >= len(x):
        raise _error(talker, f"lasts {len(x) / sfreq:.3f} s, but start_s is {talker.start_s:g} s; lower start_s")
    if sfreq != scene.sfreq:
        x = soxr.resample(x, sfreq, scene.sfreq, quality="VHQ")
        if not len(x):
            raise _error(talker, f"is too short to be brought to {scene.sfreq:g} Hz; use a longer file")
    if scene.loudness_lufs is not None:
        if len(x) < LOUDNESS_S * scene.sfreq:
            problem = f"lasts {len(x) / scene.sfreq:.3f} s, but loudness is defined from {LOUDNESS_S} s on"
            raise _error(talker, f'{problem}; use a longer file, or set loudness_lufs = "none" in [sound]')
        loud = matched(x, scene.sfreq, scene.loudness_lufs)
        if loud is None:
            raise _error(talker, "is silent, so there is no loudness to match; use another file")
        x = loud
    if not talker.loop:  # a file may end in the middle of a word
        n_end = min(len(x), round(END_S * scene.sfreq))
        x[-n_end:] *= raised_cosine(n_end)[-2::-1]
    return np.ascontiguousarray(x, np.float32)


def kemar(sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the frontal horizontal plane of the MIT KEMAR responses that slab ships.

    They are used at full length: the first sound arrives after 0.7 ms, and the half that could be cut holds -26 dB.
    Straight ahead, the gain between 0.5 and 4 kHz is 1.

    Returns
    -------
    azimuths : array, shape (37,)
        -90 to 90, degrees to the right.
    responses : array, shape (37, 2, n_taps)
        Left and right ear.

    Raises
    ------
    AudioError
        If slab is not installed.

    References
    ----------
    Gardner & Martin 1995, J. Acoust. Soc. Am. 97(6), doi:10.1121/1.412407.
    """
    try:
        azimuths, _, responses = read_kemar(sfreq, in_front)
    except ImportError as error:
        raise AudioError(
            "audio: space is 'hrtf', whose impulse responses come with slab, which is not installed; "
            'pip install slab, or set space = "itd_ild" in [sound]'
        ) from error
    ahead = responses[np.abs(azimuths).argmin()]
    return azimuths, responses / speech_gain(ahead, sfreq)

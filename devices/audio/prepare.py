"""Prepare a scene: read files, resample, match loudness, and load impulse responses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
import soxr
from numpy.typing import NDArray

from earmark.devices.audio.ramp import raised_cosine
from earmark.devices.audio.scene import AudioError, Prepared, Scene, Talker
from earmark.devices.audio.space import impulse_responses, speech_gain
from earmark.devices.files.regular_file import must_be_regular

#: Limits of sample rate and of frames per file: larger files are refused before memory is allocated.
MIN_HZ, MAX_HZ, MAX_FRAMES = 1_000, 1_000_000, 1 << 29
#: Fade at the end of a file that does not loop, s.
END_S = 0.005
#: Minimum duration for which loudness is defined, s: one gating block of BS.1770.
LOUDNESS_S = 0.4


def prepare(scene: Scene) -> Prepared:
    """Do everything that takes time or needs libraries.

    Raises
    ------
    AudioError
        If a file cannot be used, or impulse responses are missing; names talker, file and fix.
    """
    azimuths, hrir = impulse_responses(scene.space, scene.sfreq)
    pcm = tuple(None if talker.is_live else _pcm(talker, scene) for talker in scene.talkers)
    return Prepared(scene, pcm, azimuths, hrir)


def _error(talker: Talker, problem: str) -> AudioError:
    return AudioError(f"talker {talker.name!r}: {talker.source} {problem}")


def _pcm(talker: Talker, scene: Scene) -> NDArray[np.float32]:
    """Return a talker's samples at the scene's rate and loudness."""
    x, sfreq = _read(talker)
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
        loud = _matched(x, scene.sfreq, scene.loudness_lufs)
        if loud is None:
            raise _error(talker, "is silent, so there is no loudness to match; use another file")
        x = loud
    if not talker.loop:  # a file may end in the middle of a word
        n_end = min(len(x), round(END_S * scene.sfreq))
        x[-n_end:] *= raised_cosine(n_end)[-2::-1]
    return np.ascontiguousarray(x, np.float32)


def _read(talker: Talker) -> tuple[NDArray[np.float64], float]:
    """Return the only channel of a file, or the one given after ``#``, and its rate."""
    path, channel = Path(talker.source), None
    if (found := re.fullmatch(r"(.+)#(\d+)", talker.source)) and not path.exists():
        path, channel = Path(found[1]), int(found[2])
    try:
        must_be_regular(path)
        with soundfile.SoundFile(path) as file:
            sfreq, n_frames = file.samplerate, file.frames
            if not MIN_HZ <= sfreq <= MAX_HZ or not n_frames <= MAX_FRAMES:
                raise _error(
                    talker,
                    f"says that it has {n_frames} frames at {sfreq} Hz, but must have {MAX_FRAMES} at most, at "
                    f"{MIN_HZ} to {MAX_HZ} Hz; cut it, or export it again",
                )
            x = file.read(dtype="float64", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        problem = "is not there" if not path.exists() else f"cannot be read as sound ({why})"
        raise _error(talker, f"{problem}; give the path of a WAV, FLAC, Ogg or MP3 file") from error
    if not len(x):
        raise _error(talker, "holds no samples; use another file")
    n_channels = x.shape[1]
    if channel is None and n_channels > 1:
        raise _error(talker, f"has {n_channels} channels; mix it to mono, or name one channel as {path}#1")
    if channel is not None and not 1 <= channel <= n_channels:
        raise _error(talker, f"names channel {channel}, but the file has {n_channels}, counted from 1")
    x = x[:, (channel or 1) - 1]
    if not np.isfinite(x).all():
        first = int(np.flatnonzero(~np.isfinite(x))[0])
        raise _error(talker, f"has a sample that is not finite, at {first / sfreq:.3f} s; export it again")
    return np.array(x), float(sfreq)


def _matched(x: NDArray[np.float64], sfreq: float, lufs: float) -> NDArray[np.float64] | None:
    """Return samples at an integrated loudness (ITU-R BS.1770-4); None if it is undefined for them."""
    peak = np.abs(x).max()
    if not peak > 0:
        return None
    x = x / peak  # far above the absolute gate at -70 LUFS, so that quiet files work too
    loudness = pyloudnorm.Meter(sfreq).integrated_loudness(x)
    return x * 10 ** ((lufs - loudness) / 20) if np.isfinite(loudness) else None


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
        import slab
    except ImportError as error:
        raise AudioError(
            "audio: space is 'hrtf', whose impulse responses come with slab, which is not installed; "
            'pip install slab, or set space = "itd_ild" in [sound]'
        ) from error
    hrtf = slab.HRTF.kemar()
    to_left, elevation, _ = np.asarray(hrtf.sources.vertical_polar).T  # slab counts azimuth to the left
    azimuths = (180 - to_left) % 360 - 180
    azimuths = np.where(np.isclose(azimuths, -180), 180, azimuths)
    wanted = np.flatnonzero(np.isclose(elevation, 0) & (np.abs(azimuths) <= 90))
    wanted = wanted[np.argsort(azimuths[wanted])]
    responses = np.stack([np.asarray(hrtf.data[index].data).T for index in wanted])
    if hrtf.samplerate != sfreq:
        flat = responses.reshape(-1, responses.shape[2]).T  # (tap, response)
        flat = soxr.resample(flat, hrtf.samplerate, sfreq, quality="VHQ")
        responses = flat.T.reshape(*responses.shape[:2], -1)
    ahead = responses[np.abs(azimuths[wanted]).argmin()]
    return azimuths[wanted], responses / speech_gain(ahead, sfreq)

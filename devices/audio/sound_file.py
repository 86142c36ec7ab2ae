"""Read sound files of users, and match their loudness."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
from numpy.typing import NDArray

from earmark.devices.audio.scene import AudioError
from earmark.devices.files.regular_file import must_be_regular

#: Limits of sample rate and of samples per file: larger files are refused before memory is allocated.
MIN_HZ, MAX_HZ, MAX_SAMPLES = 1_000, 1_000_000, 1 << 29
#: Minimum duration for which loudness is defined, s: one gating block of BS.1770.
LOUDNESS_S = 0.4
#: Makes an error of a problem with a file.
Complain = Callable[[str], AudioError]


def read_talker(source: str, error: Complain) -> tuple[NDArray[np.float64], float]:
    """Return the only channel of a file, or the one given after ``#``, and its rate.

    Parameters
    ----------
    source : str
        Path, with ``#2`` after it for the second channel.
    error : callable
        Makes the error of a problem.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    path, first, last = _channels(source)
    x, sfreq = _read(path, error)
    n_channels = x.shape[1]
    if not first and n_channels > 1:
        raise error(f"has {n_channels} channels; mix it to mono, or name one channel as {path}#1")
    if first and (last or not 1 <= first <= n_channels):
        name = f"channels {first} to {last}" if last else f"channel {first}"
        raise error(f"names {name}, but the file has {n_channels}, counted from 1")
    return np.array(x[:, max(first, 1) - 1]), sfreq


def read_microphones(source: str, n_mics: int, error: Complain) -> tuple[NDArray[np.float64], float]:
    """Return the channels of a file, or those given after ``#``, shape (n_frames, n_mics), and its rate.

    Parameters
    ----------
    source : str
        Path, with ``#1-6`` after it for some of the channels.
    n_mics : int
        Number of channels that there must be.
    error : callable
        Makes the error of a problem.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    path, first, last = _channels(source)
    x, sfreq = _read(path, error)
    n_channels = x.shape[1]
    if first and not 1 <= first <= last <= n_channels:
        raise error(f"names channels {first} to {last}, but the file has {n_channels}, counted from 1")
    if first:
        x = x[:, first - 1 : last]
    if x.shape[1] != n_mics:
        raise error(
            f"has {x.shape[1]} channels, but the array has {n_mics} microphones; choose the preset or the positions "
            f"that it was recorded with, or name its channels as {path}#1-{n_mics}"
        )
    return x, sfreq


def _channels(source: str) -> tuple[Path, int, int]:
    path = Path(source)
    if (found := re.fullmatch(r"(.+)#(\d+)(?:-(\d+))?", source)) and not path.exists():
        return Path(found[1]), int(found[2]), int(found[3] or 0)
    return path, 0, 0


def _read(path: Path, error: Complain) -> tuple[NDArray[np.float64], float]:
    """Return all samples, shape (n_frames, n_channels), and the rate."""
    try:
        must_be_regular(path)
        with soundfile.SoundFile(path) as file:
            sfreq, n_frames, n_channels = file.samplerate, file.frames, file.channels
            if not MIN_HZ <= sfreq <= MAX_HZ or not n_frames * n_channels <= MAX_SAMPLES:
                channels = f" of {n_channels} channels" if n_channels > 1 else ""
                raise error(
                    f"says that it has {n_frames} frames{channels} at {sfreq} Hz, but must have {MAX_SAMPLES} samples "
                    f"at most, at {MIN_HZ} to {MAX_HZ} Hz; cut it, or export it again"
                )
            x = file.read(dtype="float64", always_2d=True)
    except (OSError, soundfile.SoundFileError) as why:
        words = why.strerror if isinstance(why, OSError) else str(why)
        problem = "is not there" if not path.exists() else f"cannot be read as sound ({words})"
        raise error(f"{problem}; give the path of a WAV, FLAC, Ogg or MP3 file") from why
    if not len(x):
        raise error("holds no samples; use another file")
    broken = ~np.isfinite(x).all(axis=1)
    if broken.any():
        raise error(f"has a sample that is not finite, at {int(broken.argmax()) / sfreq:.3f} s; export it again")
    return np.asarray(x), float(sfreq)


def matched(x: NDArray[np.float64], sfreq: float, lufs: float) -> NDArray[np.float64] | None:
    """Return samples at an integrated loudness (ITU-R BS.1770-4); None if it is undefined for them."""
    peak = np.abs(x).max()
    if not peak > 0:
        return None
    x = x / peak  # far above the absolute gate at -70 LUFS, so that quiet files work too
    loudness = pyloudnorm.Meter(sfreq).integrated_loudness(x)
    return x * 10 ** ((lufs - loudness) / 20) if np.isfinite(loudness) else None

"""What a talker said, from sound files and stored envelopes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recorded_run import RunError
from pipeline.envelope import Envelope, EnvelopeConfig, speech_envelope
from pipeline.stream import StreamSpec, WiringError

#: Rate in Hz at which envelopes are made: above what any preset needs.
STORED_HZ = 128.0


def read_speech(path: Path, key: str = "envelope", sfreq: float | None = None) -> tuple[NDArray[np.float64], float]:
    """Read what a talker said.

    Parameters
    ----------
    path : Path
        Any sound file, or an ``.npz``.
    key : str
        Which array of an ``.npz``.
    sfreq : float, optional
        Its rate in Hz; by default its array ``sfreq``.

    Returns
    -------
    envelope : array, shape (n_samples, n_features)
        Cochlear envelope before any band-pass; the first row is that of the first sample of sound.
    sfreq : float
        Its rate in Hz.

    Raises
    ------
    RunError
        If the file is not there or is neither.
    """
    return _from_npz(path, key, sfreq) if path.suffix.lower() == ".npz" else (_from_sound(path), STORED_HZ)


def _from_npz(path: Path, key: str, sfreq: float | None) -> tuple[NDArray[np.float64], float]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [k for k in (key, *([] if sfreq else ["sfreq"])) if k not in arrays]
            if missing:
                raise RunError(f"{path} has no {' and no '.join(map(repr, missing))}; it has {', '.join(arrays)}")
            envelope, rate = np.asarray(arrays[key], dtype=np.float64), float(sfreq or arrays["sfreq"])
    except RunError:
        raise
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is not a usable .npz file: {error}") from None
    if envelope.ndim not in (1, 2) or not len(envelope) or not np.isfinite(envelope).all() or not rate > 0:
        raise RunError(f"{path}: envelope of shape {envelope.shape} at {rate:g} Hz, but must be (n_samples,), finite")
    return envelope.reshape(len(envelope), -1), rate


def _from_sound(path: Path) -> NDArray[np.float64]:
    import soundfile

    # Its own low-pass is left wide: the band-pass that decoding wants comes later, for both sides alike.
    config = EnvelopeConfig(sfreq=STORED_HZ, passband_hz=0.4 * STORED_HZ)
    try:
        audio, rate = soundfile.read(path, dtype="float64", always_2d=True)
        envelope = speech_envelope(audio.mean(axis=1), float(rate), config)
        sound = StreamSpec("audio", float(rate), ("audio",), ("misc",), ("",), hop=rate)
        delay = Envelope(config).open(sound).delay * STORED_HZ
    except (soundfile.LibsndfileError, OSError) as error:
        raise RunError(f"{path} cannot be read as sound: {error}") from None
    except (WiringError, ValueError) as error:
        raise RunError(f"{path}: {error}") from None
    rows = np.arange(len(envelope))
    return np.column_stack([np.interp(rows + delay, rows, column) for column in envelope.T])

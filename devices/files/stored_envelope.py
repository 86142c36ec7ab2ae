"""Read envelopes stored as arrays in an .npz file from any source; everything in it is checked."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recorded_run import RunError

#: Limits of length, features and rate for an envelope of speech: larger arrays are refused before memory is allocated.
MAX_S, MAX_FEATURES, MAX_HZ = 86_400.0, 1024, 48_000.0
_MAX_BYTES = 1 << 31
#: Array with the seconds from the onset of an envelope to each of its samples.
HEARD = "heard_s"
#: Errors that NumPy and the standard library raise for invalid files.
_BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, OverflowError, NotImplementedError),
    *(RuntimeError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def read_npz(path: Path, key: str, sfreq: float | None) -> tuple[NDArray[np.float64], float]:
    """Read an envelope.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        Name of the array.
    sfreq : float, optional
        Rate in Hz; by default the file's array ``sfreq``.

    Returns
    -------
    envelope : array, shape (n_samples, n_features)
        Finite numbers.
    sfreq : float
        Its rate in Hz.

    Raises
    ------
    RunError
        If there is no such numeric array, or its rate or shape does not fit an envelope.
    """
    wanted = [key, *([] if sfreq else ["sfreq"])]
    try:
        _check_size(path, wanted)
        with np.load(path, allow_pickle=False) as arrays:
            missing = [k for k in wanted if k not in arrays]
            if missing:
                there = ", ".join(arrays) or "nothing"
                raise RunError(f"{path} has no {' and no '.join(map(repr, missing))}; it has {there}")
            envelope = np.asarray(arrays[key])  # bytes, if the member is not an array
            rate = float(sfreq or np.asarray(arrays["sfreq"]).item())
    except RunError:
        raise
    except _BROKEN as error:
        raise RunError(f"{path} is not a usable .npz file: {error or type(error).__name__}") from None
    shape = " x ".join(map(str, envelope.shape)) or "one number"
    if envelope.dtype.kind not in "iufb" or not math.isfinite(rate) or not 0 < rate <= MAX_HZ:
        raise RunError(f"{path}: {key!r} ({envelope.dtype}) at {rate:g} Hz is not an envelope at 0 to {MAX_HZ:g} Hz")
    if envelope.ndim not in (1, 2) or not envelope.size or (envelope.ndim == 2 and len(envelope) == 1):
        raise RunError(f"{path}: {key!r} is {shape}, but must be (n_samples,) or (n_samples, n_features)")
    if len(envelope) / rate > MAX_S or envelope.size / len(envelope) > MAX_FEATURES:
        raise RunError(f"{path}: {key!r} is {shape} at {rate:g} Hz: longer or wider than any envelope")
    numbers = envelope.astype(np.float64).reshape(len(envelope), -1)
    if not np.isfinite(numbers).all():
        first = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
        raise RunError(f"{path}: {key!r} is not finite from {first / rate:g} s on")
    return numbers, rate


def read_heard(path: Path, n_samples: int, sfreq: float) -> NDArray[np.float64] | None:
    """Return when samples of a stored envelope were heard, in seconds from its onset; None if the file does not say.

    Raises
    ------
    RunError
        If the array has fewer than ``n_samples`` numbers, falls, or does not fit the rate ``sfreq`` in Hz.
    """
    try:
        _check_size(path, [HEARD])
        with np.load(path, allow_pickle=False) as arrays:
            if HEARD not in arrays:
                return None
            times = np.asarray(arrays[HEARD])
    except RunError:
        raise
    except _BROKEN as error:
        raise RunError(f"{path} is not a usable .npz file: {error or type(error).__name__}") from None
    if times.dtype.kind != "f" or times.ndim != 1 or len(times) < n_samples:
        raise RunError(f"{path}: {HEARD!r} must be one number for each sample of the envelope")
    times = times[:n_samples].astype(np.float64)
    steps = (n_samples - 1) / sfreq
    fits = np.isfinite(times).all() and abs(times[0]) <= 1 and 0.5 * steps <= times[-1] - times[0] <= 2 * steps
    if not fits or (np.diff(times) < 0).any():
        raise RunError(f"{path}: {HEARD!r} must be seconds from the onset that never fall, at about {sfreq:g} Hz")
    return times


def stored_rate(path: Path) -> float | None:
    """Return the rate in Hz stored with an envelope; None if there is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rate = float(np.asarray(arrays["sfreq"]).item())
    except _BROKEN:
        return None  # the reader of the envelope raises the error
    return rate if 0 < rate <= MAX_HZ else None


def _check_size(path: Path, wanted: list[str]) -> None:
    """Refuse oversized arrays before they are unpacked, by the sizes declared in the file."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.removesuffix(".npy") in wanted and info.file_size > _MAX_BYTES:
                raise RunError(
                    f"{path}: {info.filename} would be {info.file_size / 1e9:.1f} GB, too large for an envelope"
                )

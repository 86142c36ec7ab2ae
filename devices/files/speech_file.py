"""Read what talkers said, as envelopes, from sound files and stored envelopes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.stored_envelope import read_npz, stored_rate
from earmark.pipeline.nodes.envelope import Envelope, EnvelopeConfig, speech_envelope
from earmark.pipeline.stream import StreamSpec, WiringError

log = logging.getLogger(__name__)

#: Rate in Hz of computed envelopes: higher than any preset needs.
STORED_HZ = 128.0
#: Limits of sample rate and frames of a sound file: others are refused before memory is allocated.
MIN_SOUND_HZ, MAX_SOUND_HZ, MAX_FRAMES = 1_000, 1_000_000, 1 << 29
#: Frames per read.
_BLOCK = 1 << 20


def read_speech(
    path: Path, key: str = "envelope", sfreq: float | None = None, channel: int | None = None, hz: float = STORED_HZ
) -> tuple[NDArray[np.float64], float]:
    """Read what a talker said, as an envelope.

    Parameters
    ----------
    path : Path
        Any sound file, or an ``.npz``.
    key : str
        Name of the array in an ``.npz``.
    sfreq : float, optional
        Rate in Hz of a stored envelope; by default the file's array ``sfreq``.
    channel : int, optional
        Channel of a sound file, counted from 1; by default the mean of all.
    hz : float
        Rate in Hz of an envelope computed from sound, see :func:`common_rate`.

    Returns
    -------
    envelope : array, shape (n_samples, n_features)
        Cochlear envelope before any band-pass; the first row belongs to the first sample of the sound.
    sfreq : float
        Its rate in Hz.

    Raises
    ------
    RunError
        If the file is missing, or is neither a sound file nor a stored envelope.
    """
    if not path.exists():
        raise RunError(f"{path}: no such file")
    if not path.is_file():
        raise RunError(f"{path} is not a file")
    return read_npz(path, key, sfreq) if _is_stored(path) else (_from_sound(path, channel, hz), hz)


def common_rate(files: Iterable[tuple[Path, float | None]]) -> float:
    """Return the rate in Hz for envelopes computed from sound, so that they match the stored ones of the same run.

    Parameters
    ----------
    files : iterable of (Path, float or None)
        Files of all talkers of a run, and the rates of stored envelopes, if known.

    Raises
    ------
    RunError
        If the stored envelopes have different rates.
    """
    files = list(files)
    stored = {path: known or stored_rate(path) for path, known in files if _is_stored(path) and path.is_file()}
    rates = {path: rate for path, rate in stored.items() if rate}
    if len(set(rates.values())) > 1:
        each = ", ".join(f"{path} {rate:g} Hz" for path, rate in rates.items())
        raise RunError(f"envelopes of the talkers of a run must have one rate, but they differ: {each}")
    sounds = [str(path) for path, _ in files if not _is_stored(path)]
    if rates and sounds:
        log.warning("envelopes of %s are computed, the others are stored: they may differ in method", ", ".join(sounds))
    return next(iter(rates.values()), STORED_HZ)


def _is_stored(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _from_sound(path: Path, channel: int | None, hz: float) -> NDArray[np.float64]:
    import soundfile

    # The low-pass of the envelope is left wide: the band-pass for decoding follows later, for both signals alike.
    config = EnvelopeConfig(sfreq=hz, passband_hz=0.4 * hz)
    try:
        with soundfile.SoundFile(path) as file:
            rate, n_channels = file.samplerate, file.channels
            if not MIN_SOUND_HZ <= rate <= MAX_SOUND_HZ:
                raise RunError(f"{path} says {rate} Hz, but sound has {MIN_SOUND_HZ} to {MAX_SOUND_HZ} Hz")
            if not 0 < file.frames <= MAX_FRAMES:
                raise RunError(f"{path} says that it has {file.frames} frames, but must have 1 to {MAX_FRAMES}: cut it")
            if channel is not None and not 1 <= channel <= n_channels:
                raise RunError(f"{path} has no channel {channel}, but {n_channels}, counted from 1")
            pieces = file.blocks(_BLOCK, dtype="float64", always_2d=True)
            one = np.concatenate([p.mean(axis=1) if channel is None else p[:, channel - 1] for p in pieces])
        if channel is None and n_channels > 1:
            words = "%s: the mean of its %d channels is used; 'earmark import' selects one with FILE:CHANNEL"
            log.warning(words, path, n_channels)
        envelope = speech_envelope(one, float(rate), config)
        sound = StreamSpec("audio", float(rate), ("audio",), ("misc",), ("",), hop=rate)
        delay = Envelope(config).open(sound).delay * hz
    except RunError:
        raise
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise RunError(f"{path} cannot be read as sound: {error}") from None
    except (WiringError, ValueError) as error:
        raise RunError(f"{path}: {error}") from None
    rows = np.arange(len(envelope))
    return np.column_stack([np.interp(rows + delay, rows, column) for column in envelope.T])

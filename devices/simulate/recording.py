"""Generate recordings of simulated EEG for demonstrations and tests; the file states that it is simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: MNE montages that can be used, by their number of electrodes.
_MONTAGES = {16: "biosemi16", 32: "biosemi32", 64: "biosemi64", 128: "biosemi128", 256: "biosemi256"}
_HEAD_RADIUS = 0.095  # metres, that of the standard montages


def generate_recording(
    path: str | Path, *, seconds: float, sfreq: float = 500.0, n_channels: int = 32, seed: int = 0
) -> Path:
    """Write a FIF file of simulated EEG.

    Background with a 1/f spectrum, correlated between neighbours (about 10 µV); a 10 Hz alpha rhythm of varying
    amplitude at the back of the head; blinks at the front; 50 Hz from the mains; a constant offset per electrode. One
    channel (a third of the way down the list) is noisy during the second quarter, another (two thirds down) is flat
    during the third. Every 5 s an annotation says ``tone/left`` or ``tone/right``; the EEG holds no response to it.

    Parameters
    ----------
    path : path
        File to write; its name should end in ``_raw.fif`` or ``_eeg.fif``. It must not exist yet.
    seconds : float
        Duration.
    sfreq : float
        Sampling rate in Hz, at least 120 Hz so that the mains frequency can be simulated.
    n_channels : int
        4 to 256 electrodes of a BioSemi cap, spread over the head.
    seed : int
        Equal seeds give equal samples and annotations.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    ValueError
        If a parameter is out of bounds.
    FileExistsError
        If the file exists already.
    """
    import mne

    if not 4 <= n_channels <= max(_MONTAGES):
        raise ValueError(f"n_channels is {n_channels}, but must be 4 to {max(_MONTAGES)}")
    if sfreq < 120:
        raise ValueError(f"sfreq is {sfreq:g} Hz, but must be at least 120 Hz")
    if seconds * sfreq < n_channels:
        raise ValueError(f"seconds is {seconds:g}, too short for {n_channels} channels at {sfreq:g} Hz")
    rng = np.random.default_rng(seed)
    montage = mne.channels.make_standard_montage(_MONTAGES[min(n for n in _MONTAGES if n >= n_channels)])
    names = [montage.ch_names[i] for i in np.linspace(0, len(montage.ch_names) - 1, n_channels).round().astype(int)]
    info = mne.create_info(names, sfreq, "eeg")
    info.set_montage(montage)
    info["description"] = "Simulated by Earmark. Not the recording of a person."
    places = np.array([channel["loc"][:3] for channel in info["chs"]])

    volts = _background(rng, places, round(seconds * sfreq), sfreq)
    _faults(rng, volts)
    raw = mne.io.RawArray(volts, info, verbose="ERROR")
    onsets = np.arange(5.0, seconds, 5.0)
    raw.set_annotations(mne.Annotations(onsets, 0.0, rng.choice(["tone/left", "tone/right"], len(onsets))))
    raw.save(path, verbose="ERROR")
    return Path(path)


def _background(
    rng: np.random.Generator, places: NDArray[np.float64], n_samples: int, sfreq: float
) -> NDArray[np.float64]:
    """Everything except the faults, in volts, shape (n_channels, n_samples)."""
    n_channels = len(places)
    time = np.arange(n_samples) / sfreq
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    # Neighbouring electrodes are correlated: a kernel of 5 cm, plus a little independent noise.
    mixing = np.linalg.cholesky(np.exp(-apart / 0.05) + 0.02 * np.eye(n_channels))
    volts = mixing @ _pink(rng, n_channels, n_samples, sfreq) * 10e-6

    def seen_from(x: float, y: float, z: float, reach: float) -> NDArray[np.float64]:
        source = np.array([x, y, z]) * _HEAD_RADIUS
        seen: NDArray[np.float64] = np.exp(-((np.linalg.norm(places - source, axis=1) / reach) ** 2))
        return seen

    waxing = np.clip(1 + 0.8 * _pink(rng, 1, n_samples, sfreq)[0], 0, None)
    wandering = 10 + 0.3 * _pink(rng, 1, n_samples, sfreq)[0]
    alpha = 12e-6 * waxing * np.sin(2 * np.pi * np.cumsum(wandering) / sfreq)
    volts += np.outer(seen_from(0, -0.9, 0.4, 0.06), alpha)

    blinks = np.zeros(n_samples)
    at = rng.uniform(1, 4)
    while at < time[-1]:
        phase = (time - at) / 0.3
        blinks += rng.uniform(80e-6, 160e-6) * np.where(np.abs(phase) < 0.5, np.cos(np.pi * phase) ** 2, 0)
        at += rng.uniform(2, 6)
    volts += np.outer(seen_from(0, 1, 0.2, 0.06), blinks)

    mains = rng.uniform(0.5e-6, 4e-6, n_channels)[:, None]
    volts += mains * np.sin(2 * np.pi * 50 * time + rng.uniform(0, 2 * np.pi, (n_channels, 1)))
    volts += rng.normal(0, 5e-3, (n_channels, 1))
    return volts


def _pink(rng: np.random.Generator, n: int, n_samples: int, sfreq: float) -> NDArray[np.float64]:
    """Noise with a 1/f power spectrum above 0.5 Hz, unit variance, shape (n, n_samples)."""
    spectrum = np.fft.rfft(rng.normal(size=(n, n_samples)))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n_samples, 1 / sfreq), 0.5))
    spectrum[:, 0] = 0
    noise: NDArray[np.float64] = np.fft.irfft(spectrum, n_samples)
    noise /= noise.std(axis=1, keepdims=True)
    return noise


def _faults(rng: np.random.Generator, volts: NDArray[np.float64]) -> None:
    n_channels, n_samples = volts.shape
    quarter = n_samples // 4
    volts[n_channels // 3, quarter : 2 * quarter] += rng.normal(0, 150e-6, quarter)
    volts[2 * n_channels // 3, 2 * quarter : 3 * quarter] = volts[2 * n_channels // 3, 2 * quarter]

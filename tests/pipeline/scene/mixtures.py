"""Mixtures without recordings: modulated noise that arrives as plane waves."""

import numpy as np
from scipy.signal import lfilter

from earmark.pipeline.scene.transform import Analysis, Framing

FRAMING = Framing(16000)


def speech(seconds, seed, sfreq=16000):
    """Noise as sparse as speech: in each of twelve bands syllables that begin at once and fade, and pauses between."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sfreq)
    out = np.zeros(n)
    for centre in np.geomspace(250, 6000, 12):
        bursts = np.where(rng.random(n) < 4 / sfreq, rng.exponential(1, n), 0.0)
        level = lfilter([1], [1, -np.exp(-1 / (0.05 * sfreq))], bursts)
        pole = (1 - 0.1 * np.pi * centre / sfreq) * np.exp(2j * np.pi * centre / sfreq)
        sound = lfilter([1, -1], [1, -2 * pole.real, abs(pole) ** 2], rng.standard_normal(n))
        out += level * sound / sound.std() / (1 + centre / 1500)
    return out / np.sqrt(np.mean(out**2))


def arrive(array, signal, azimuth, sfreq=16000):
    """A plane wave at each microphone, shape (n_mics, n_samples); delayed in the frequency domain, with room for it."""
    padded = np.concatenate([signal, np.zeros(512)])
    frequencies = np.fft.rfftfreq(len(padded), 1 / sfreq)
    angle = np.deg2rad(azimuth)
    delays = -(array.positions @ [np.sin(angle), np.cos(angle), 0]) / 343.0
    spectrum = np.fft.rfft(padded) * np.exp(-2j * np.pi * frequencies * delays[:, None])
    return np.fft.irfft(spectrum, len(padded))[:, : len(signal)]


def moving(array, signal, azimuths, sfreq=16000):
    """A talker whose azimuth is given for each sample, by crossfading between positions 2 degrees apart."""
    out = np.zeros((array.n_mics, len(signal)))
    low = np.floor(azimuths / 2) * 2
    share = (azimuths - low) / 2
    for at in np.unique([low, low + 2]):
        weight = np.where(low == at, 1 - share, 0) + np.where(low + 2 == at, share, 0)
        if weight.any():
            out += arrive(array, signal * weight, at, sfreq)
    return out


def mixture(array, azimuths, seconds=2.0, noise_db=-30.0, seed=0):
    """Talkers at the microphones, shape (n_talkers, n_mics, n_samples), and the noise of the microphones."""
    talkers = np.stack([arrive(array, speech(seconds, 10 * seed + k), at) for k, at in enumerate(azimuths)])
    noise = np.random.default_rng(seed + 99).standard_normal(talkers.shape[1:]) * 10 ** (noise_db / 20)
    return talkers, noise


def spectra_of(x, framing=FRAMING):
    """Spectra of each hop, shape (n_hops, n_mics, n_bins)."""
    analysis = Analysis(framing, len(x))
    n = x.shape[1] // framing.hop
    return np.stack([analysis.push(x[:, k * framing.hop : (k + 1) * framing.hop]).copy() for k in range(n)])


def masks_of(separator, spectra, azimuths):
    """Masks of each hop, shape (n_hops, n_places, n_bins)."""
    return np.stack([separator.process(one, np.asarray(azimuths, float)).copy() for one in spectra])


def separated(masks, talkers, ear=0):
    """Change of the ratio of each talker to the others by its mask, in dB, shape (n_talkers,)."""
    power = np.stack([np.abs(spectra_of(one)[:, ear]) ** 2 for one in talkers])  # (n_talkers, n_hops, n_bins)
    kept = np.einsum("tkf,jtf->kj", masks.astype(float) ** 2, power)
    before = power.sum(axis=(1, 2))
    own, own_before = np.diag(kept), before
    return 10 * np.log10(own / (kept.sum(axis=1) - own) / (own_before / (before.sum() - before)))

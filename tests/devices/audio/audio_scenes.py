"""Scenes and signals for tests of sound."""

import numpy as np

from earmark.devices.audio.scene import Microphones, Prepared, Scene, Talker
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.scene.array import preset

SFREQ = 48_000
GLASSES = preset("glasses6")


def noise(seed, n, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def tone(n, frequency=440.0, sfreq=SFREQ):
    return np.sin(2 * np.pi * frequency * np.arange(n) / sfreq)


def responses(n_taps=100):
    """Impulse responses that differ in every tap, every 15 degrees."""
    decay = np.exp(-np.arange(n_taps) / 20)
    azimuths = np.arange(-90.0, 91.0, 15.0)
    return azimuths, np.random.default_rng(7).standard_normal((len(azimuths), 2, n_taps)) * decay * 0.3


def prepared(*pcm, talkers=None, **scene):
    """Build a scene of samples in memory; None stands for a live talker."""
    scene.setdefault("space", "left_right")
    if talkers is None:
        talkers = tuple(Talker(f"t{i}", "f.wav" if x is not None else f"input:{i + 1}") for i, x in enumerate(pcm))
    scene = Scene(talkers, **scene)
    hrir = responses() if scene.space == "hrtf" else impulse_responses(scene.space, scene.sfreq)
    return Prepared(scene, tuple(None if x is None else np.asarray(x, np.float32) for x in pcm), *hrir)


def mixture_scene(
    mics=None, array=GLASSES, source="mics.wav", n=2, room=None, starts=(-40.0, 30.0), separator="beams", **fields
):
    """Build a scene of microphones that hear a mixture, with what they hear."""
    positions = tuple(map(tuple, array.positions.tolist()))
    loop = fields.pop("loop", True)
    heard = Microphones(
        source,
        positions,
        array.ears,
        array.reference,
        array.span,
        separator=separator,
        starts=starts,
        room=room,
        loop=loop,
    )
    talkers = tuple(Talker(f"t{k + 1}", f"place:{k + 1}", (-40.0, 30.0, 80.0)[k]) for k in range(n))
    return Prepared(
        Scene(talkers, microphones=heard, **fields), (None,) * n, np.zeros(1), np.zeros((1, 2, 1)), array, mics
    )


def sizes_of(total, sizes):
    """Cut a length into pieces of the given sizes, in a cycle."""
    left, at = total, 0
    while left:
        n = min(left, sizes[at % len(sizes)])
        yield n
        left -= n
        at += 1


def beyond_db(x, hz=2000.0, sfreq=SFREQ):
    """Peak in dB above a frequency, with faded ends."""
    window = np.kaiser(len(x), 28)
    spectrum = np.fft.rfft(x * window)
    spectrum[np.fft.rfftfreq(len(x), 1 / sfreq) < hz] = 0
    return 20 * np.log10(np.abs(np.fft.irfft(spectrum, len(x))).max() + 1e-30)

"""The figures of the benchmark of scenes, where their values are known."""

import numpy as np
import pytest

from benchmarks.scene import SFREQ, directions_of, measured, settled, summary, utterances
from earmark.pipeline.evaluation.separation import Mixture
from earmark.pipeline.scene.array import preset


def test_talkers_who_are_nowhere_together_are_told_apart():
    """One below 4 kHz, the other above: the oracle delivers nearly all that was asked."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3 * SFREQ))
    low = np.fft.rfftfreq(x.shape[1], 1 / SFREQ) < 4000
    spectrum = np.fft.rfft(x)
    apart = np.stack([np.fft.irfft(spectrum[0] * low), np.fft.irfft(spectrum[1] * ~low)])
    talkers = np.repeat(apart[:, None], 2, axis=1)
    azimuths = np.repeat([[-40.0], [40.0]], x.shape[1], axis=1)
    scene = Mixture(preset("ears2"), SFREQ, talkers, apart, 0 * talkers[0], azimuths)
    found = measured(scene, False, 0, ["beams"])["beams"]
    assert found["oracle"] == pytest.approx(12, abs=0.5)
    assert (found["near"], found["swaps"]) == (1, 0)
    known, owner = directions_of(None, azimuths[:, :5].T, None, False, 0)
    assert np.abs(known - [-40, 40]).max() < 12
    assert owner.tolist() == [0, 1]


def test_the_first_second_is_left_out():
    assert settled(np.zeros((2, 3 * SFREQ))).shape == (2, 2 * SFREQ)


def test_intervals_enclose_the_mean():
    found = summary([{"a": value, "b": 1.0} for value in (1.0, 2.0, 3.0)])
    assert found["n"] == 3
    low, high = found["a"]["interval"]
    assert 1 <= low < found["a"]["mean"] == 2 < high <= 3
    assert found["b"]["interval"] == [1, 1]


def test_missing_speech_is_said(tmp_path):
    with pytest.raises(Exception, match="has no speech"):
        utterances(tmp_path, 0)

"""The figures of the benchmark of scenes, where their values are known."""

import numpy as np
import pytest

from benchmarks.scene import (
    FRAMING,
    SFREQ,
    Mixture,
    delivered,
    factors,
    samples,
    si_sdr,
    spectra,
    summary,
    tracking,
    utterances,
    way,
)
from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.remix import Known

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3 * SFREQ))


def test_transform_and_back_is_in_step_with_the_sound():
    again = samples(spectra(X), np.ones((len(spectra(X)), FRAMING.n_bins)))
    np.testing.assert_allclose(again, X[:, : again.shape[1]], atol=1e-5)


def test_ratio_is_that_of_signal_and_noise_whatever_the_scale():
    wanted, noise = X
    assert si_sdr(5 * (wanted + 0.1 * noise), wanted) == pytest.approx(20, abs=0.1)


def test_delivered_is_what_a_known_factor_delivers():
    """One talker below 4 kHz, the other above, and factors that change these."""
    array = preset("ears2")
    low = np.fft.rfftfreq(X.shape[1], 1 / SFREQ) < 4000
    spectrum = np.fft.rfft(X)
    talkers = np.stack([np.fft.irfft(spectrum * low), np.fft.irfft(spectrum * ~low)])
    scene = Mixture(array, talkers, talkers[:, 0], 0 * X, np.zeros((1, 2)))
    bins = np.where(FRAMING.frequencies < 4000, 2.0, 0.5)
    changes = np.repeat(bins[None], X.shape[1] // FRAMING.hop, axis=0)
    assert delivered(scene, changes, 0) == pytest.approx(20 * np.log10(4), abs=0.3)
    assert delivered(scene, changes, 1) == pytest.approx(-20 * np.log10(4), abs=0.3)
    equal = factors(scene, Known(np.array([-40.0, 40.0])), np.array([-6.0, -6.0]))
    assert delivered(scene, equal, 0) == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(equal, 10 ** (-6 / 20), rtol=1e-4)


def test_swaps_are_counted_where_the_order_is_clear():
    truth = np.repeat([[-40.0, 40.0]], 15000, axis=0)
    found = truth + 5
    found[6000:9000] = found[6000:9000, ::-1]
    found[9000:9100] = 0.0
    figures = tracking(found, truth)
    assert figures["swaps"] == pytest.approx(2 / ((15000 - 250) * 0.004 / 60))
    assert figures["near"] == pytest.approx(1 - 3100 / 14750)


def test_talkers_are_apart_and_one_walks_to_and_fro():
    for number in range(20):
        standing, walking = way(number, False), way(number, True)
        assert abs(standing[0, 0] - standing[1, 0]) >= 30
        np.testing.assert_allclose(walking[:, 0][1], standing[:, 0][1])
        assert np.abs(walking).max() <= 75
        assert np.abs(np.diff(walking[0])).max() == pytest.approx(30 / SFREQ, rel=1e-3)


def test_intervals_enclose_the_mean():
    found = summary([{"a": value, "b": 1.0} for value in (1.0, 2.0, 3.0)])
    assert found["n"] == 3
    low, high = found["a"]["interval"]
    assert 1 <= low < found["a"]["mean"] == 2 < high <= 3
    assert found["b"]["interval"] == [1, 1]


def test_missing_speech_is_said(tmp_path):
    with pytest.raises(Exception, match="has no speech"):
        utterances(tmp_path, 0)

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import freqz, gammatone, hilbert

from earmark.kernels.gammatone import erb, erb_spaced, gammatone_envelopes, gammatone_poles

RATES = [8000.0, 16000.0, 22050.0, 44100.0, 48000.0]


def envelopes(x, rate, centres, power=1.0, step=1, first=0, per_band=True, state=None):
    """Compute envelopes from zero initial state; x has shape (n_samples,) or (n_samples, n_channels)."""
    x = np.ascontiguousarray(x if x.ndim == 2 else x[:, None], dtype=np.float64)
    n_channels, n_bands = x.shape[1], len(centres)
    if state is None:
        state = np.zeros((n_channels, n_bands, 4), dtype=np.complex128)
    out = np.zeros((len(range(first, len(x), step)), n_channels * (n_bands if per_band else 1)))
    gammatone_envelopes(x, first, step, gammatone_poles(np.asarray(centres), rate), power, per_band, state, out)
    return out


def test_erb_bandwidth_and_scale_equal_published_values():
    # Glasberg & Moore 1990: bandwidth 132.6 Hz and ERB number 15.6 at 1 kHz
    assert erb(np.array(1000.0)) == pytest.approx(132.64, abs=0.01)
    hz = erb_spaced(50.0, 5000.0, 28)
    np.testing.assert_allclose(hz[[0, -1]], [50, 5000], rtol=1e-12)
    number = 21.4 * np.log10(4.37e-3 * hz + 1)
    np.testing.assert_allclose(np.diff(number), np.diff(number)[0], rtol=1e-9)
    assert 21.4 * np.log10(4.37 + 1) == pytest.approx(15.6, abs=0.05)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("centre", [100.0, 300.0, 1000.0, 2500.0])
def test_magnitude_response_equals_scipy_near_the_centre(rate, centre):
    at = centre + np.linspace(-0.75, 0.75, 13) * erb(np.array(centre))
    n = round(rate * (0.05 + 20 / erb(np.array(centre))))
    x = np.sin(2 * np.pi * at * np.arange(n)[:, None] / rate)
    steady = envelopes(x, rate, [centre])[-round(rate / centre) * 4 :]
    found = 20 * np.log10(np.sqrt(np.mean(steady**2, axis=0)))
    if centre > rate / 60:
        b, a = gammatone(centre, "iir", fs=rate)
    else:  # in direct form, the eight poles are too close together for float64
        b, a = gammatone(centre, "fir", order=4, numtaps=n, fs=rate)[0], 1.0
    wanted = 20 * np.log10(np.abs(freqz(b, a, worN=np.r_[centre, at], fs=rate)[1]))
    np.testing.assert_allclose(found, wanted[1:] - wanted[0], rtol=0, atol=1.0)
    assert abs(found[len(at) // 2]) < 0.1  # a sine of amplitude 1 gives 1


@pytest.mark.parametrize("centre", [300.0, 1000.0, 4000.0])
def test_impulse_response_is_a_gammatone(centre):
    rate, n = 48000.0, 4096
    found = envelopes(np.r_[1.0, np.zeros(n - 1)], rate, [centre])[:, 0]
    b, _ = gammatone(centre, "fir", order=4, numtaps=n, fs=rate)
    wanted = np.abs(hilbert(b, 2 * n)[:n])
    assert np.corrcoef(found, wanted)[0, 1] > 0.995
    assert abs(int(np.argmax(found)) - int(np.argmax(wanted))) <= 3


@pytest.mark.parametrize("rate", RATES)
def test_tone_is_loudest_in_its_own_band(rate):
    centres = erb_spaced(50.0, min(5000.0, 0.45 * rate), 28)
    t = np.arange(round(rate * 0.4))[:, None] / rate
    found = envelopes(np.sin(2 * np.pi * centres * t), rate, centres)
    energy = np.mean(found[len(found) // 2 :] ** 2, axis=0).reshape(len(centres), len(centres))  # tone, band
    np.testing.assert_array_equal(np.argmax(energy, axis=1), np.arange(len(centres)))


@pytest.mark.parametrize("power", [1.0, 0.6])
@pytest.mark.parametrize("centre", [500.0, 1500.0, 4000.0])
def test_envelope_of_modulated_tone_is_its_modulation_raised_to_the_power_and_delayed(power, centre):
    rate = 16000.0
    t = np.arange(16000) / rate
    late = 4 / (2 * np.pi * 1.0186 * erb(np.array(centre)))  # of four one-pole filters in continuous time

    def modulation(t):
        return 0.3 * (1 + 0.5 * np.sin(2 * np.pi * 4 * t))

    found = envelopes(modulation(t) * np.sin(2 * np.pi * centre * t), rate, [centre], power)[:, 0]
    np.testing.assert_allclose(found[8000:], modulation(t - late)[8000:] ** power, rtol=0.01)
    assert np.abs(found[8000:] - modulation(t)[8000:] ** power).max() > 3e-3  # without the delay the error is large


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(0, 500), max_size=6), st.integers(1, 9), st.booleans())
def test_division_into_blocks_does_not_change_a_bit(seed, cuts, step, per_band):
    rate, centres = 16000.0, erb_spaced(50.0, 5000.0, 5)
    x = np.random.default_rng(seed).normal(size=(500, 2))
    whole = envelopes(x, rate, centres, 0.6, step, 0, per_band)
    state = np.zeros((2, 5, 4), dtype=np.complex128)
    edges = [0, *sorted(cuts), 500]
    pieces = [envelopes(x[a:b], rate, centres, 0.6, step, -a % step, per_band, state) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    np.testing.assert_array_equal(whole, envelopes(x, rate, centres, 0.6, 1, 0, per_band)[::step])


def test_sum_equals_the_sum_of_the_bands():
    x = np.random.default_rng(0).normal(size=(300, 3))
    centres = erb_spaced(100.0, 3000.0, 7)
    bands = envelopes(x, 8000.0, centres, 0.6)
    np.testing.assert_allclose(
        envelopes(x, 8000.0, centres, 0.6, per_band=False), bands.reshape(300, 3, 7).sum(axis=2), rtol=1e-12
    )


def test_silence_gives_exactly_zero():
    centres, state = erb_spaced(50.0, 5000.0, 28), np.zeros((1, 28, 4), dtype=np.complex128)
    x = np.zeros(16000 * 4)
    x[:100] = np.random.default_rng(0).normal(size=100)
    found = envelopes(x, 16000.0, centres, 0.6, state=state)
    assert found[200].min() > 0
    assert not found[-1].any()
    assert not state.any()

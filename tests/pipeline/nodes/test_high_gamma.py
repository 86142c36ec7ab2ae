import numpy as np
import pytest
from scipy.signal import firwin, kaiserord, lfilter
from streams import assert_close, eeg, hops, join, noise, seeg, through

from earmark.pipeline.nodes.high_gamma import HighGamma, HighGammaConfig
from earmark.pipeline.stream import Block, ClockMap, Gap, WiringError


def opened(spec, **config):
    node = HighGamma(HighGammaConfig(**config))
    return node, node.open(spec)


def one_shot(x, sfreq, low, high, transition):
    """SciPy's answer with complex taps for the whole signal at once, settled on its first sample."""
    n_taps, beta = kaiserord(40, transition / (sfreq / 2))
    n_taps |= 1
    taps = 2 * firwin(n_taps, (high - low) / 2, window=("kaiser", beta), fs=sfreq)
    taps = taps * np.exp(1j * np.pi * (low + high) / sfreq * (np.arange(n_taps) - n_taps // 2))
    padded = np.concatenate([np.tile(x[0], (n_taps, 1)), x])
    return np.abs(lfilter(taps, 1.0, padded, axis=0)[n_taps:])


@pytest.mark.parametrize(
    ("sfreq", "hop", "config"),
    [(1000.0, 20, (70, 150, 20)), (512.0, 7, (70, 150, 20)), (2048.0, 41, (60, 90, 10)), (400.0, 1, (70, 150, 50))],
)
def test_output_equals_scipy(sfreq, hop, config):
    x = noise(0, 1503, 5)
    node, _ = opened(seeg(5, sfreq, hop=hop), **dict(zip(("low_hz", "high_hz", "transition_hz"), config, strict=True)))
    assert_close(join(through(node, hops(x, hop))), one_shot(x, sfreq, *config))


def test_gap_resets_the_filter():
    x, y = noise(2, 205), noise(3, 300)
    node, _ = opened(seeg(4, hop=20))
    through(node, [*hops(x, 20), Gap(205, 900)])
    assert_close(join(through(node, hops(y, 20, start=900))), one_shot(y, 1000.0, 70, 150, 20))


def test_sine_gives_its_amplitude_only_within_the_band():
    t = np.arange(2000) / 1000
    x = np.stack([5 * np.sin(2 * np.pi * f * t + f) for f in (85, 110, 135, 50, 170)], axis=1)
    node, _ = opened(seeg(5, hop=20))
    steady = join(through(node, hops(x, 20)))[500:]
    np.testing.assert_allclose(steady[:, :3], 5, rtol=0.02)
    assert steady[:, 3:].max() < 0.1


def test_delay_is_exact():
    x = np.zeros((600, 1))
    x[200] = 1.0
    node, spec = opened(seeg(1, hop=20))
    y = join(through(node, hops(x, 20)))[:, 0]
    late = np.sum(np.arange(600) * y) / np.sum(y) - 200
    assert spec.delay * spec.sfreq == pytest.approx(late, abs=1e-9)
    assert np.argmax(y) == 200 + round(late)


def test_clock_map_is_corrected_for_the_delay():
    node, spec = opened(seeg(1, hop=20))
    (clock,) = node.process(ClockMap(7.0, 50.0, 1e-3))
    assert clock.time(7.0) == pytest.approx(50.0 - spec.delay, abs=1e-12)
    assert clock.period == 1e-3


def test_mask_is_kept():
    node, _ = opened(seeg(2, hop=20))
    bad = np.array([False, True])
    (block,) = node.process(Block(0, noise(0, 20, 2), bad))
    np.testing.assert_array_equal(block.bad, bad)


def test_low_band_equals_scipy_and_does_not_change_the_amplitude():
    x = noise(5, 1503, 3)
    alone, _ = opened(seeg(3, hop=20))
    both, spec = opened(seeg(3, hop=20), below_hz=30.0)
    y = join(through(both, hops(x, 20)))
    n_taps, beta = kaiserord(40, 20 / 500)
    n_taps |= 1
    taps = firwin(n_taps, 40.0, window=("kaiser", beta), fs=1000.0)
    padded = np.concatenate([np.tile(x[0], (n_taps, 1)), x])
    assert_close(y[:, 3:], lfilter(taps, 1.0, padded, axis=0)[n_taps:])
    assert_close(y[:, :3], join(through(alone, hops(x, 20))), 1e-12)
    assert spec.ch_names == ("A1 high-gamma", "A2 high-gamma", "A3 high-gamma", "A1 low", "A2 low", "A3 low")
    assert (spec.ch_types, spec.units) == (("seeg",) * 6, ("uV",) * 6)


def test_both_bands_have_the_same_delay():
    x = np.zeros((600, 1))
    x[200] = 1.0
    node, spec = opened(seeg(1, hop=20), below_hz=30.0)
    assert np.argmax(join(through(node, hops(x, 20))), axis=0).tolist() == [200 + round(spec.delay * spec.sfreq)] * 2


def test_low_band_has_slow_sines_but_no_line_noise_or_high_gamma():
    t = np.arange(3000) / 1000
    x = np.stack([5 * np.sin(2 * np.pi * f * t) for f in (2, 15, 29, 50, 60, 110)], axis=1)
    node, _ = opened(seeg(6, hop=20), below_hz=30.0)
    steady = np.abs(join(through(node, hops(x, 20)))[500:, 6:]).max(axis=0)
    np.testing.assert_allclose(steady[:3], 5, rtol=0.02)
    assert steady[3:].max() < 0.1


def test_mask_applies_to_both_bands():
    node, _ = opened(seeg(2, hop=20), below_hz=30.0)
    (block,) = node.process(Block(0, noise(0, 20, 2), np.array([False, True])))
    assert block.bad.tolist() == [False, True, False, True]


def test_spec_has_the_pass_band():
    _, spec = opened(seeg(hop=20, highpass=1.0))
    assert (spec.highpass, spec.lowpass) == (0.0, 80.0)


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (seeg(), {}, "high_gamma: input is 'seeg' in ragged blocks, but must be reblocked"),
        (eeg(hop=10), {}, r"input is channel types \['eeg'\], but must be seeg or ecog: pick them before it"),
        (seeg(8, 300.0, hop=6), {}, "input is 'seeg' at 300 Hz, but must be sampled at more than 300 Hz"),
        (seeg(hop=20), {"low_hz": 150.0}, "high_hz is 150.0, but must be above low_hz"),
        (seeg(hop=20), {"below_hz": 0.0}, "below_hz is 0.0, but must be above 0, at most low_hz, 70 Hz"),
        (seeg(hop=20), {"below_hz": 71.0}, "below_hz is 71.0, but must be above 0, at most low_hz, 70 Hz"),
        (seeg(hop=20), {"transition_hz": 0}, "transition_hz is 0, but must be above 0, at most 140 Hz"),
        (seeg(hop=20), {"low_hz": -5.0}, "transition_hz is 20.0, but must be above 0, at most -10 Hz"),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)

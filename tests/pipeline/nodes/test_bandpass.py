import numpy as np
import pytest
from scipy.signal import butter, hilbert
from streams import assert_close, eeg, hops, join, noise, one_shot, through

from earmark.pipeline.nodes.bandpass import Bandpass, BandpassConfig
from earmark.pipeline.stream import Gap, WiringError


def opened(spec, **config):
    node = Bandpass(BandpassConfig(**config))
    return node, node.open(spec)


@pytest.mark.parametrize(
    ("sfreq", "low", "high", "order", "hop"),
    [(500.0, 1, 9, 2, 10), (64.0, 1, 9, 4, 7), (1000.0, 0.5, 32, 1, 20), (2048.0, 70, 150, 8, 41), (128.0, 2, 8, 3, 1)],
)
def test_output_equals_scipy(sfreq, low, high, order, hop):
    x = noise(1, 4003, 5)
    node, _ = opened(eeg(5, sfreq, hop=hop), low_hz=low, high_hz=high, order=order)
    sos = butter(order, [low, high], "bandpass", fs=sfreq, output="sos")
    assert_close(join(through(node, hops(x, hop))), one_shot(sos, x))


def test_offset_causes_no_transient():
    node, _ = opened(eeg(2, hop=10))
    y = join(through(node, hops(np.tile([3e5, -1e4], (500, 1)), 10)))
    assert np.abs(y).max() < 1e-5


def test_gap_resets_the_filter():
    x, y = noise(2, 205), noise(3, 100)
    node, _ = opened(eeg(hop=10))
    through(node, [*hops(x, 10), Gap(205, 900)])
    sos = butter(2, [1, 9], "bandpass", fs=500, output="sos")
    assert_close(join(through(node, hops(y, 10, start=900))), one_shot(sos, y))


@pytest.mark.parametrize(("low", "high", "order", "burst_s"), [(1, 9, 2, 3.0), (4, 8, 2, 2.0), (1, 32, 1, 2.0)])
def test_delay_of_a_burst_at_the_centre_equals_the_declared_one(low, high, order, burst_s):
    sfreq, hop = 250.0, 5
    t = np.arange(int(16 * burst_s * sfreq)) / sfreq - 8 * burst_s
    x = np.exp(-0.5 * (t / burst_s) ** 2) * np.cos(2 * np.pi * np.sqrt(low * high) * t)
    node, spec = opened(eeg(1, sfreq, hop=hop), low_hz=low, high_hz=high, order=order)
    envelope = np.abs(hilbert(join(through(node, hops(x[:, None], hop)))[:, 0]))
    late = np.sum(t * envelope**2) / np.sum(envelope**2)
    assert spec.group_delay == pytest.approx(late, rel=0.04)
    assert spec.delay == 0.0


def test_spec_has_the_pass_band():
    _, spec = opened(eeg(hop=10), low_hz=1, high_hz=40)
    assert (spec.highpass, spec.lowpass) == (1, 40)
    _, narrower = opened(spec, low_hz=0.5, high_hz=20)
    assert (narrower.highpass, narrower.lowpass) == (1, 20)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"low_hz": 0}, "bandpass: low_hz is 0, but must be above 0 and below high_hz, 9 Hz"),
        ({"low_hz": 9}, "bandpass: low_hz is 9, but must be"),
        ({"high_hz": 250}, "bandpass: high_hz is 250, but must be below the Nyquist frequency, 250 Hz"),
        ({"order": 0}, "bandpass: order is 0, but must be 1 to 8"),
    ],
)
def test_invalid_settings_are_rejected(config, message):
    with pytest.raises(WiringError, match=message):
        opened(eeg(hop=10), **config)


def test_blocks_of_varying_length_are_rejected():
    with pytest.raises(WiringError, match="in ragged blocks, but must be reblocked: put reblock before it"):
        opened(eeg())

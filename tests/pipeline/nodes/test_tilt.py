import math

import numpy as np
import pytest
from scipy.signal import lfilter
from streams import assert_close, eeg, hops, join, noise, through

from earmark.pipeline.nodes.tilt import Tilt, TiltConfig
from earmark.pipeline.stream import Gap, WiringError


def opened(spec, **config):
    node = Tilt(TiltConfig(**config))
    return node, node.open(spec)


def tilted(x, a):
    """The leaky difference, with the first sample before the start."""
    return np.concatenate([(1 - a) * x[:1], x[1:] - a * x[:-1]])


@pytest.mark.parametrize(("sfreq", "hop", "corner"), [(64.0, 4, 2.3), (100.0, 1, 5.0), (500.0, 10, 2.3)])
def test_output_is_the_leaky_difference(sfreq, hop, corner):
    x = noise(1, 403, 3)
    node, spec = opened(eeg(3, sfreq, hop=hop), corner_hz=corner)
    assert_close(join(through(node, hops(x, hop))), tilted(x, math.exp(-2 * math.pi * corner / sfreq)))
    assert (spec.sfreq, spec.delay) == (sfreq, 0.0)


def test_default_is_the_difference_of_the_published_recipe():
    """0.8 at 64 Hz, and 0.8 to the power of 64 / f at other rates."""
    for sfreq in (64.0, 100.0, 128.0):
        x = noise(2, 64, 1)
        node, _ = opened(eeg(1, sfreq, hop=8))
        found, published = join(through(node, hops(x, 8))), tilted(x, 0.8 ** (64 / sfreq))
        np.testing.assert_allclose(found, published, atol=5e-3 * np.abs(x).max())


def test_signal_of_that_autocorrelation_becomes_white():
    rng = np.random.default_rng(3)
    x = lfilter([1.0], [1.0, -math.exp(-2 * math.pi * 2.3 / 64)], rng.normal(size=(20_000, 1)), axis=0)
    node, _ = opened(eeg(1, 64.0, hop=8))
    y = join(through(node, hops(x, 8)))[:, 0]
    lagged = [np.corrcoef(y[:-k], y[k:])[0, 1] for k in (1, 2, 5)]
    assert np.abs(lagged).max() < 0.03


def test_offset_causes_no_transient_and_a_gap_resets():
    node, _ = opened(eeg(2, 64.0, hop=8))
    x = np.tile([3e5, -1e4], (80, 1))
    before, after = join(through(node, [*hops(x, 8)])), join(through(node, [Gap(80, 200), *hops(-x, 8, start=200)]))
    np.testing.assert_allclose(before, before[:1].repeat(80, axis=0), rtol=1e-12)
    np.testing.assert_allclose(after, -before, rtol=1e-12)


@pytest.mark.parametrize("corner", [0.0, -1.0, 32.0])
def test_invalid_corner_is_rejected(corner):
    with pytest.raises(WiringError, match=r"tilt: corner_hz is .* but must be above 0 and below the Nyquist"):
        opened(eeg(1, 64.0, hop=8), corner_hz=corner)

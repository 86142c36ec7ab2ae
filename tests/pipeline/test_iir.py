import numpy as np
import pytest
from scipy.signal import butter, iirnotch, sosfreqz
from streams import assert_close, eeg, hops, join, noise, one_shot, seeg, through

from earmark.pipeline.iir import Cascade, Iir, centre_delay
from earmark.pipeline.nodes.bandpass import Bandpass, BandpassConfig
from earmark.pipeline.nodes.high_gamma import HighGamma, HighGammaConfig
from earmark.pipeline.nodes.notch import Notch, NotchConfig


def test_cascade_equals_scipy():
    x = noise(0, 2003)
    cascade = Cascade([Notch(NotchConfig(harmonics=1)), Bandpass(BandpassConfig())])
    cascade.open(eeg(hop=10))
    sos = np.concatenate([[np.concatenate(iirnotch(50, 25, 500))], butter(2, [1, 9], "bandpass", fs=500, output="sos")])
    assert_close(join(through(cascade, hops(x, 10))), one_shot(sos, x))


def test_cascade_keeps_the_mask():
    cascade = Cascade([Notch(NotchConfig())])
    cascade.open(eeg(2, hop=10))
    (block,) = hops(noise(0, 10, 2), 10)
    block = type(block)(block.start, block.data, np.array([False, True]))
    (out,) = cascade.process(block)
    np.testing.assert_array_equal(out.bad, [False, True])


def test_delay_at_the_centre_is_the_sum_over_all_sections():
    sos = butter(1, [1, 9], "bandpass", fs=500, output="sos")
    spec = eeg(highpass=1.0, lowpass=9.0)
    # An analogue first-order resonator of bandwidth B, in rad/s, has group delay 2 / B at its centre.
    assert centre_delay(sos, spec) == pytest.approx(2 / (2 * np.pi * 8), rel=0.01)
    assert centre_delay(np.concatenate([sos, sos]), spec) == pytest.approx(2 * centre_delay(sos, spec), rel=1e-6)


def test_delays_of_consecutive_filters_add_up():
    """Computed from the phase of both filters together at the centre of the pass band, plus earlier delays."""
    first, second = Bandpass(BandpassConfig(1.0, 9.0, 2)), Bandpass(BandpassConfig(1.0, 9.0, 1))
    spec = second.open(first.open(eeg(hop=10, group_delay=0.03)))
    both = [butter(order, [1, 9], "bandpass", fs=500, output="sos") for order in (2, 1)]
    centre = np.array([3.0 - 1e-3, 3.0 + 1e-3])
    low, high = np.unwrap(np.angle(sosfreqz(np.concatenate(both), centre, fs=500)[1]))
    assert spec.group_delay == pytest.approx(0.03 + (low - high) / (2 * np.pi * 2e-3), rel=1e-3)


def test_delay_is_zero_without_a_band():
    assert centre_delay(butter(1, 9, fs=500, output="sos"), eeg()) == 0.0


def test_filter_after_an_envelope_has_a_finite_delay():
    envelope = HighGamma(HighGammaConfig()).open(seeg(hop=20))
    assert Notch(NotchConfig(line_hz=30, harmonics=1)).open(envelope).group_delay == 0.0


def test_filter_without_design_is_an_error():
    with pytest.raises(TypeError, match="Iir does not define design"):
        Iir().open(eeg(hop=10))

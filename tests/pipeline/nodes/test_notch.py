import numpy as np
import pytest
from scipy.signal import iirnotch
from streams import assert_close, eeg, hops, join, noise, one_shot, through

from earmark.pipeline.nodes.notch import Notch, NotchConfig
from earmark.pipeline.stream import WiringError


def sections(sfreq, frequencies, width):
    return np.array([np.concatenate(iirnotch(f, f / width, sfreq)) for f in frequencies])


@pytest.mark.parametrize(
    ("sfreq", "config", "frequencies"),
    [
        (500.0, NotchConfig(), (50, 100, 150)),
        (512.0, NotchConfig(line_hz=60, harmonics=9, width_hz=4), (60, 120, 180, 240)),
        (128.0, NotchConfig(harmonics=1), (50,)),
        (100.5, NotchConfig(harmonics=2, width_hz=0.4), (50,)),
    ],
)
def test_output_equals_scipy(sfreq, config, frequencies):
    x = noise(0, 4003, 5)
    node = Notch(config)
    spec = node.open(eeg(5, sfreq, hop=10))
    sos = sections(sfreq, frequencies, config.width_hz)
    assert_close(join(through(node, hops(x, 10))), one_shot(sos, x))
    assert (spec.sfreq, spec.delay, spec.group_delay) == (sfreq, 0.0, 0.0)


def test_line_noise_is_removed_and_the_rest_kept():
    t = np.arange(5000) / 500
    line = sum(np.sin(2 * np.pi * f * t) for f in (50, 100, 150))
    signal = np.sin(2 * np.pi * 8 * t)
    node = Notch(NotchConfig())
    node.open(eeg(1, hop=10))
    y = join(through(node, hops((1000 + signal + 30 * line)[:, None], 10)))[2500:, 0]
    assert np.std(y - 1000 - signal[2500:]) < 0.02


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NotchConfig(line_hz=0), "notch: line_hz is 0, but must be above 0.* below the Nyquist frequency, 250 Hz"),
        (NotchConfig(line_hz=250), "notch: line_hz is 250, but must be"),
        (NotchConfig(harmonics=0), "notch: harmonics is 0, but must be at least 1"),
        (NotchConfig(width_hz=0), "notch: width_hz is 0, but must be above 0 and below line_hz, 50 Hz"),
        (NotchConfig(line_hz=249.5), "notch: width_hz is 2.0, but must be such that the notch ends below 250 Hz"),
    ],
)
def test_invalid_settings_are_rejected(config, message):
    with pytest.raises(WiringError, match=message):
        Notch(config).open(eeg(hop=10))


def test_blocks_of_varying_length_are_rejected():
    with pytest.raises(WiringError, match="input is 'eeg' in ragged blocks, but must be reblocked"):
        Notch(NotchConfig()).open(eeg())

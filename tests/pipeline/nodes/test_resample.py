from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import firwin, kaiserord, upfirdn
from streams import assert_close, eeg, hops, join, noise, through

from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Gap, Marker, WiringError

RATIOS = [(500, 64), (512, 64), (2048, 100), (1000, 64), (64, 128), (128, 64), (96, 64.5)]


def opened(spec, **config):
    node = Resample(ResampleConfig(**config))
    return node, node.open(spec)


def design(old, new, passband):
    """Ratio and taps, so that every phase sums to 1."""
    ratio = Fraction(new / old).limit_denominator(10_000)
    low = min(old, new)
    n_taps, beta = kaiserord(60, (low - 2 * passband) / (ratio.numerator * old / 2))
    taps = firwin(n_taps | 1, low / 2, window=("kaiser", beta), fs=ratio.numerator * old)
    for phase in range(ratio.numerator):
        taps[phase :: ratio.numerator] /= taps[phase :: ratio.numerator].sum()
    return ratio.numerator, ratio.denominator, taps


def one_shot(x, up, down, taps, start=0):
    """SciPy's answer for the whole signal at once, settled on its first sample, on the grid of index 0."""
    past = len(taps)  # more than the filter remembers
    fine = upfirdn(taps, np.concatenate([np.tile(x[0], (past, 1)), x]), up=up, axis=0)
    first, stop = (-(-i * up // down) for i in (start, start + len(x)))
    return fine[[past * up + j * down - start * up for j in range(first, stop)]]


@pytest.mark.parametrize(("old", "new"), RATIOS)
@pytest.mark.parametrize("start", [0, 12_347])
def test_output_equals_scipy(old, new, start):
    x = noise(0, 2 * old + 3, 3)
    node, spec = opened(eeg(3, float(old), hop=max(1, old // 50)), sfreq=float(new))
    items = through(node, hops(x, max(1, old // 50), start))
    up, down, taps = design(old, new, 0.4 * min(old, new))
    assert_close(join(items), one_shot(x, up, down, taps, start))
    assert items[0].start == -(-start * up // down)
    assert all(len(item.data) <= spec.hop for item in items)
    assert spec.sfreq == new
    assert spec.delay == pytest.approx((len(taps) - 1) / 2 / (up * old), rel=1e-12)


def test_gap_resets_the_filter_and_keeps_the_grid():
    x, y = noise(1, 1001), noise(2, 999)
    node, _ = opened(eeg(hop=10))
    items = through(node, [*hops(x, 10), Gap(1001, 1506), *hops(y, 10, 1506)])
    gap = next(item for item in items if isinstance(item, Gap))
    up, down, taps = design(500, 64, 0.4 * 64)
    assert gap == Gap(129, 193)  # 1001 * 16 / 125 = 128.1 and 1506 * 16 / 125 = 192.8
    assert_close(join(items[items.index(gap) :]), one_shot(y, up, down, taps, 1506))


@pytest.mark.parametrize(("old", "new"), RATIOS)
def test_passband_is_kept_and_aliases_are_removed(old, new):
    t = np.arange(8 * old) / old
    node, spec = opened(eeg(3, float(old), hop=10), sfreq=float(new))
    low = min(old, new)
    passed = 0.9 * spec.lowpass
    folds = np.minimum(old / 2 - 0.3, low - 0.9 * spec.lowpass)  # for upsampling, there is nothing to fold
    x = np.c_[np.sin(2 * np.pi * passed * t), np.sin(2 * np.pi * folds * t), np.full(len(t), 3e5)]
    y = join(through(node, hops(x, 10)))
    steady = slice(int(4 * spec.delay * new) + 2, None)
    at = np.arange(len(y)) / new - spec.delay
    np.testing.assert_allclose(y[steady, 0], np.sin(2 * np.pi * passed * at[steady]), atol=2e-3)
    np.testing.assert_allclose(y[steady, 2], 3e5, rtol=1e-13)
    if new < old:
        assert np.abs(y[steady, 1]).max() < 2e-3


def test_same_rate_adds_no_delay():
    x = noise(3, 100)
    node, spec = opened(eeg(hop=10, highpass=1.0), sfreq=500.0)
    np.testing.assert_array_equal(
        join(through(node, [*hops(x[:45], 10), Gap(45, 50), *hops(x[50:], 10, 50)])),
        np.delete(x, range(45, 50), axis=0),
    )
    assert spec == eeg(hop=10, highpass=1.0)


def test_earlier_lowpass_allows_a_shorter_filter():
    _, plain = opened(eeg(hop=10))
    _, narrow = opened(eeg(hop=10, lowpass=9.0))
    assert narrow.delay < plain.delay / 2
    assert (plain.lowpass, narrow.lowpass) == (0.4 * 64, 9.0)


@pytest.mark.parametrize(("old", "new"), [(512, 64), (500, 250), (96, 32)])
def test_delay_of_a_decimator_is_exact(old, new):
    node, spec = opened(eeg(1, float(old), hop=8), sfreq=float(new))
    ramp = np.arange(4.0 * old)[:, None]
    y = join(through(node, hops(ramp, 8)))[:, 0]
    late = np.arange(len(y)) * old / new - y
    np.testing.assert_allclose(late[len(y) // 2 :], spec.delay * old, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("old", "new"), [(500, 64), (1000, 64), (64, 128), (2048, 100)])
def test_delay_between_samples_is_exact_to_a_hundredth_of_a_sample(old, new):
    node, spec = opened(eeg(1, float(old), hop=8), sfreq=float(new))
    ramp = np.arange(4.0 * old)[:, None]
    y = join(through(node, hops(ramp, 8)))[:, 0]
    late = np.arange(len(y)) * old / new - y
    np.testing.assert_allclose(late[len(y) // 2 :], spec.delay * old, rtol=0, atol=0.01 * max(1, old / new))


@pytest.mark.parametrize(("old", "new"), [(500, 64), (512, 64), (64, 128)])
def test_clock_map_is_corrected_for_the_delay(old, new):
    node, spec = opened(eeg(1, float(old), hop=8), sfreq=float(new))
    clock = ClockMap(1000.0, 50.0, 1 / old)
    (out,) = node.process(clock)
    for j in (0, 1, 17, 10_000):
        assert out.time(j) == pytest.approx(clock.time(j * old / new) - spec.delay, abs=1e-9)


def test_mask_waits_for_an_output():
    node, _ = opened(eeg(3, sfreq=100.0, hop=2), sfreq=10.0)
    bad = {2: np.array([False, True, False]), 3: np.array([True, False, False])}
    items = through(node, [Block(2 * i, np.ones((2, 3)), bad.get(i)) for i in range(12)])
    assert [(item.start, None if item.bad is None else list(item.bad)) for item in items] == [
        (0, None),
        (1, [True, True, False]),
        (2, None),
    ]


def test_gap_clears_the_mask():
    node, _ = opened(eeg(2, sfreq=100.0, hop=2), sfreq=10.0)
    bad, x = np.array([False, True]), np.ones((2, 2))
    *_, block = through(node, [Block(0, x), Block(2, x, bad), Gap(4, 8), Block(8, x), Block(10, x)])
    assert (block.start, block.bad) == (1, None)


def test_channel_qualities_are_converted_to_the_new_rate_and_markers_pass():
    node, _ = opened(eeg(2, sfreq=100.0, hop=2), sfreq=10.0)
    verdict = ChannelQuality(50, np.ones(2), np.zeros(2, dtype=bool), ("", ""))
    found, marker = through(node, [verdict, Marker(1.0, "a")])
    assert found.stop == 5
    assert marker == Marker(1.0, "a")


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (eeg(), {}, "resample: input is 'eeg' in ragged blocks, but must be reblocked"),
        (eeg(hop=10), {"sfreq": 0}, "resample: sfreq is 0, but must be above 0 Hz"),
        (
            eeg(hop=10),
            {"sfreq": 500 / np.pi},
            "sfreq is 159.15.*, but must be a ratio of integers below 20000 of .* 500",
        ),
        (eeg(hop=10), {"passband_hz": 32}, "passband_hz is 32, but must be above 0 and below 32 Hz"),
        (eeg(hop=10), {"passband_hz": 0.0}, "passband_hz is 0.0, but must be above 0"),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)

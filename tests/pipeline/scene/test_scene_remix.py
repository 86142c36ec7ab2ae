from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.remix import Known, Remix, bounded_change
from earmark.pipeline.scene.transform import Framing

FRAMING = Framing(48000)
DELAY = FRAMING.delay


class Given:
    """A separator whose masks a test gives, one after the other."""

    sfreq, hop, n_bins, delay, n_mics, n_places, memory = 48000, 192, 193, 0, 3, 2, 0

    def __init__(self, masks):
        self.masks, self.at = masks, 0

    def process(self, spectra, directions):
        self.at += 1
        return self.masks(self.at, spectra)

    def reset(self):
        self.at = 0


def shares(at, spectra):
    """Masks that depend on the spectra and on the time, and sum to one."""
    one = np.float32(0.5) + np.float32(0.5) * np.sin(np.float32(at) + np.abs(spectra[0]))
    return np.stack([one, 1 - one])


def halves(at, spectra):
    return np.full((2, 193), 0.5, np.float32)


def opened(masks=shares, ears=(1, 2)):
    return Remix(FRAMING, Given(masks), Known(np.array([-30.0, 30.0])), ears)


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal((3, n)).astype(np.float32)


def wild(n, seed=1):
    return np.exp(np.random.default_rng(seed).normal(0, 0.5, (2, n)))


BROKEN = {
    "shares": shares,
    "not a number": lambda at, spectra: np.full((2, 193), np.nan, np.float32),
    "infinite": lambda at, spectra: np.full((2, 193), np.inf, np.float32) * np.array([[1], [-1]], np.float32),
    "huge": lambda at, spectra: np.full((2, 193), 3e38, np.float32),
    "negative": lambda at, spectra: np.full((2, 193), -5, np.float32),
}


@pytest.mark.parametrize("masks", BROKEN.values(), ids=BROKEN)
def test_neutral_gains_give_the_delayed_microphones_to_the_last_bit(masks):
    x = noise(5000)
    x[1, 700:900] = -0.0
    x[2, 900:1000] = 1e-42  # subnormal
    y = opened(masks).process(x, np.ones((2, 5000)))
    assert y[:, DELAY:].tobytes() == x[[1, 2], :-DELAY].tobytes()
    assert not y[:, :DELAY].any()


def test_back_at_neutral_the_last_bit_is_back_after_two_hops():
    x, gains = noise(6000), np.ones((2, 6000))
    gains[0, 1000:3000] = 2.0
    y = opened().process(x, gains)
    last = 3000 + 2 * FRAMING.hop  # the last window with a gain ends at 3000 at the latest and sounds for two hops
    assert y[:, last:].tobytes() == x[[1, 2], last - DELAY : -DELAY].tobytes()
    assert y[:, :1000].tobytes() == np.concatenate([np.zeros((2, DELAY), "f4"), x[[1, 2], : 1000 - DELAY]], 1).tobytes()
    assert not np.array_equal(y[:, 1500:2500], x[[1, 2], 1500 - DELAY : 2500 - DELAY])


@settings(max_examples=40)
@given(st.lists(st.integers(0, 900), max_size=12))
def test_samples_do_not_depend_on_chunks(sizes):
    x, gains = noise(4000), wild(4000)
    whole = opened().process(x, gains)
    remix, cuts = opened(), np.cumsum([0, *sizes, 4000]).clip(0, 4000)
    parts = [remix.process(x[:, a:b], gains[:, a:b]) for a, b in pairwise(cuts)]
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


@given(st.integers(1, 3999))
def test_the_future_changes_nothing_earlier(now):
    x, gains = noise(4000), wild(4000)
    before = opened().process(x, gains)
    x[:, now:], gains[:, now:] = 7 * noise(4000 - now, 5), 3.0
    after = opened().process(x, gains)
    assert before[:, :now].tobytes() == after[:, :now].tobytes()


def test_equal_gains_are_the_gain_of_the_microphones():
    x = noise(4000)
    y = opened().process(x, np.full((2, 4000), 0.25))
    np.testing.assert_allclose(y[:, DELAY:], 0.25 * x[[1, 2], :-DELAY], atol=1e-5)


def test_a_talker_with_a_mask_of_its_own_gets_its_gain_and_the_other_none():
    def low_and_high(at, spectra):
        low = (FRAMING.frequencies < 6000).astype(np.float32)
        return np.stack([low, 1 - low])

    t = np.arange(9600) / 48000
    tones = np.array([np.sin(2 * np.pi * f * t) for f in (1000, 12000)]).astype(np.float32)
    x = np.stack([0 * t, tones[0] + tones[1], tones[0] - tones[1]]).astype(np.float32)
    y = opened(low_and_high).process(x, np.repeat([[2.0], [0.5]], 9600, axis=1))
    wanted = np.stack([2 * tones[0] + 0.5 * tones[1], 2 * tones[0] - 0.5 * tones[1]])
    np.testing.assert_allclose(y[:, 2 * DELAY :], wanted[:, DELAY:-DELAY], atol=2e-3)


def test_gains_glide_from_hop_to_hop():
    """A constant through a step of gain follows the square of the window: no step of more than its steepest slope."""
    gains = np.ones((2, 4000))
    gains[:, 2000:] = 0.25
    level = opened(halves).process(np.ones((3, 4000), np.float32), gains)[0, DELAY:]
    assert np.diff(level).min() == pytest.approx(-0.75 * np.pi / 2 / 192, rel=0.01)
    assert np.diff(level).max() < 1e-6
    np.testing.assert_allclose(level[:1000], 1, atol=1e-6)
    np.testing.assert_allclose(level[2200:], 0.25, atol=1e-6)


@pytest.mark.parametrize("masks", BROKEN.values(), ids=BROKEN)
def test_no_mask_takes_a_frequency_beyond_the_gains(masks):
    remix = opened(masks)
    rng = np.random.default_rng(3)
    for _ in range(30):
        gains = rng.uniform(0.1, 2.0, 2)
        y = remix.process(noise(192), np.repeat(gains[:, None], 192, axis=1))
        assert np.isfinite(y).all()
        assert min(1, gains.min()) - 1e-6 <= (1 + remix.factor).min()
        assert (1 + remix.factor).max() <= max(1, gains.max()) + 1e-6


def test_both_ears_get_the_same_factor():
    """Cues stay: two ears with the same sound, one twice as loud, stay so."""
    x = noise(4000)
    x[2] = 2 * x[1]
    y = opened().process(x, wild(4000))
    np.testing.assert_allclose(y[1], 2 * y[0], atol=1e-5)


def test_samples_that_are_not_finite_are_silence_and_counted():
    x = noise(4000)
    x[0, 100], x[1, 200], x[2, 3000] = np.nan, np.inf, -np.inf
    cleaned = np.where(np.isfinite(x), x, 0)
    remix, gains = opened(), wild(4000)
    y = remix.process(x, gains)
    assert remix.n_bad == 3
    assert np.array_equal(y, opened().process(cleaned, gains))
    neutral = opened().process(x, np.ones((2, 4000)))
    assert neutral[:, DELAY:].tobytes() == cleaned[[1, 2], :-DELAY].tobytes()


@pytest.mark.parametrize("gain", [np.nan, np.inf, -np.inf])
def test_a_gain_that_is_not_finite_is_neutral(gain):
    x, gains, neutral = noise(3000), wild(3000), wild(3000)
    gains[1, 500:1500], neutral[1, 500:1500] = gain, 1.0
    assert np.array_equal(opened().process(x, gains), opened().process(x, neutral))


def test_reset_is_a_new_start():
    remix, x, gains = opened(), noise(3000), wild(3000)
    first = remix.process(x, gains)
    remix.process(x[:, :1111], gains[:, :1111])
    remix.reset()
    assert np.array_equal(remix.process(x, gains), first)


def test_delay_is_declared():
    assert opened().delay == 384
    x = np.zeros((3, 1000), np.float32)
    x[:, 10] = 1
    assert opened().process(x, np.ones((2, 1000))).argmax() == 10 + 384


@pytest.mark.parametrize("ears", [(0, 3), (-1, 0), (0,)])
def test_an_ear_without_a_microphone_is_refused(ears):
    with pytest.raises(SceneError, match="two microphones of 3"):
        opened(ears=ears)


@pytest.mark.parametrize("delay", [-192, 100, 193, 192 * 26])
def test_a_delay_that_is_not_some_hops_is_refused(delay):
    separator = Given(halves)
    separator.delay = delay
    with pytest.raises(SceneError, match=f"its delay is {delay} samples, but must be 0 or whole hops of 192, 100 ms"):
        Remix(FRAMING, separator, Known(np.zeros(2)), (0, 1))


def test_masks_that_come_later_are_those_of_the_spectra_that_they_belong_to():
    x, gains = noise(8000), wild(1).repeat(8000, axis=1)
    late = Given(lambda at, spectra: shares(at - 2, asked[at - 3]) if at > 2 else halves(at, spectra))
    late.delay, asked = 384, []
    now = Remix(FRAMING, Given(lambda *args: asked.append(args[1].copy()) or shares(*args)), Known(np.zeros(2)))
    parts, late_parts = np.zeros((2, 8000), np.float32), np.zeros((2, 8000), np.float32)
    y, remix = now.process(x, gains, parts), Remix(FRAMING, late, Known(np.zeros(2)))
    z = remix.process(x, gains, late_parts)
    assert remix.delay == now.delay + 384
    assert z[:, 384:].tobytes() == y[:, :-384].tobytes()
    assert late_parts[:, 384:].tobytes() == parts[:, :-384].tobytes()
    assert not z[:, :384].any()


def test_neutral_gains_are_exact_however_late_masks_are():
    late, x = Given(shares), noise(6000)
    late.delay = 384
    remix, gains = Remix(FRAMING, late, Known(np.zeros(2)), (1, 2)), np.ones((2, 6000))
    gains[0, :1000] = 2.0
    y = remix.process(x, gains)
    first, total = 1000 + 384 + 2 * FRAMING.hop, DELAY + 384
    assert y[:, first:].tobytes() == x[[1, 2], first - total : -total].tobytes()


@pytest.mark.parametrize(("what", "value"), [("sfreq", 16000), ("hop", 96)])
def test_a_separator_that_does_not_fit_is_refused(what, value):
    separator = Given(halves)
    setattr(separator, what, value)
    with pytest.raises(SceneError, match=f"of {value}, but must have"):
        Remix(FRAMING, separator, Known(np.zeros(2)), (0, 1))


@pytest.mark.parametrize(("mics", "gains"), [((2, 9), (2, 9)), ((3, 9), (2, 8)), ((3, 9), (3, 9))])
def test_shapes_that_do_not_fit_are_errors(mics, gains):
    with pytest.raises(ValueError, match="but must have"):
        opened().process(np.zeros(mics, np.float32), np.ones(gains))


def test_change_is_the_sum_over_talkers():
    masks = np.array([[1, 0, 0.25], [0, 1, 0.75]], np.float32)
    out = bounded_change(masks, np.array([2.0, 0.5]), np.empty(3, np.float32))
    np.testing.assert_allclose(out, [1, -0.5, 0.25 - 0.375])


@pytest.mark.parametrize("sizes", [(5000,), (1, 100, 500), (192,)])
def test_parts_sum_to_the_delayed_reference_whatever_the_gains(sizes):
    x, gains = noise(5000), wild(5000)
    remix = Remix(FRAMING, Given(shares), Known(np.array([-30.0, 30.0])), (1, 2), 2)
    parts, at = np.empty((2, 5000), np.float32), 0
    while at < 5000:
        n = min(sizes[at % len(sizes)], 5000 - at)
        remix.process(x[:, at : at + n], gains[:, at : at + n], parts[:, at : at + n])
        at += n
    np.testing.assert_allclose(parts.sum(axis=0)[DELAY + 192 :], x[2, 192:-DELAY], atol=2e-6)
    assert np.abs(parts[0] - parts[1]).max() > 0.1


@pytest.mark.parametrize("masks", BROKEN.values(), ids=BROKEN)
def test_parts_are_finite_whatever_the_separator_says(masks):
    x = noise(3000)
    x[0, 1000] = np.nan
    parts = np.empty((2, 3000), np.float32)
    opened(masks).process(x, np.ones((2, 3000)), parts)
    assert np.isfinite(parts).all()


def test_a_reference_without_a_microphone_is_refused():
    with pytest.raises(SceneError, match="the reference is microphone 3, but must be 0 to 2"):
        Remix(FRAMING, Given(shares), Known(np.array([-30.0, 30.0])), (1, 2), 3)

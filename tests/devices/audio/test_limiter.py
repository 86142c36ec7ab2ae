import numpy as np
import pytest
from audio_scenes import sizes_of
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.audio.limiter import Limiter, ceiling
from earmark.devices.audio.scene import HARD_CEILING_DBFS, Scene, Talker


def scene_of(**keys):
    return Scene((Talker("a", "f"),), space="left_right", **keys)


def run(limiter, x, sizes=(256,)):
    pieces, at = [], 0
    for n in sizes_of(x.shape[1], sizes):
        pieces.append(limiter.process(x[:, at : at + n]))
        at += n
    return np.concatenate(pieces, axis=1)


def one_by_one(x, scene):
    """The limiter as a loop over frames."""
    late = round(scene.lookahead_s * scene.sfreq)
    top = 10 ** (scene.ceiling_dbfs / 20)
    taps = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, late + 2) / (late + 2))
    taps /= taps.sum()
    keep = np.exp(-1 / (scene.release_s * scene.sfreq))
    asked, held = [0.0] * late, [0.0] * late
    y = np.zeros_like(x)
    for now in range(x.shape[1]):
        peak = max(abs(x[0, now]), abs(x[1, now]))
        asked.append(0.0 if peak <= top else 1 - top / peak)
        held.append(max(*asked[-late - 1 :], held[-1] * keep))
        gain = 1 - np.dot(held[-late - 1 :], taps[::-1])
        if now >= late:
            y[:, now] = np.clip(x[:, now - late] * gain, -top, top)
    return y


def bursts(seed, n, level):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, n)) * np.repeat(10 ** rng.uniform(-3, level, n // 50 + 1), 50)[:n]


@given(st.integers(0, 1000), st.floats(-1, 2), st.sampled_from([0.002, 0.0037]), st.sampled_from([0.01, 0.15]))
@settings(max_examples=15, deadline=None)
def test_equals_a_loop_over_frames(seed, level, lookahead, release):
    scene = scene_of(sfreq=8000.0, lookahead_s=lookahead, release_s=release)
    x = bursts(seed, 2000, level)
    np.testing.assert_allclose(run(Limiter(scene), x, (100, 7)), one_by_one(x, scene), rtol=0, atol=1e-7)


samples = st.floats(-1e300, 1e300) | st.sampled_from([0.0, 1.0, -1.0, 1e30, -1e30, 1e300, 1e-300])
pieces = st.lists(st.tuples(samples, samples, st.integers(1, 300)), max_size=12)


@given(pieces, st.floats(-60, -1) | st.sampled_from([-1.0, -6.0]), st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_output_never_exceeds_the_ceiling(pieces, ceiling_dbfs, block):
    x = np.concatenate([np.zeros((2, 10)), *(np.tile([[a], [b]], n) for a, b, n in pieces)], axis=1)
    x[:, ::2] *= -1
    scene = scene_of(ceiling_dbfs=ceiling_dbfs)
    y = run(Limiter(scene), np.concatenate([x, np.zeros((2, 500))], axis=1), (block,)).astype(np.float32)
    assert np.isfinite(y).all()
    assert float(np.abs(y).max()) <= 10 ** (ceiling_dbfs / 20), "also after rounding to float32"


def test_the_ceiling_cannot_be_raised():
    scene = scene_of()
    object.__setattr__(scene, "ceiling_dbfs", 20.0)
    y = run(Limiter(scene), np.full((2, 4000), 5.0)).astype(np.float32)
    assert float(np.abs(y).max()) <= 10 ** (HARD_CEILING_DBFS / 20)
    assert ceiling(scene) == pytest.approx(10 ** (HARD_CEILING_DBFS / 20), rel=1e-6)


@pytest.mark.parametrize("level", [-80.0, -6.1, -6.0, -1.0])
def test_signal_below_the_ceiling_is_only_delayed(level):
    scene = scene_of(ceiling_dbfs=level if level > -60 else -6.0)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3000)) * ceiling(scene)
    limiter = Limiter(scene)
    assert limiter.delay == 144
    y = run(limiter, x, (100, 33))
    np.testing.assert_array_equal(y[:, 144:], x[:, :-144])
    assert not y[:, :144].any()
    assert limiter.reduction_db == 0


def gain_around(peak, at=2000, n=60_000, **keys):
    """Gain over time around one loud sample in the left channel, measured in the right channel."""
    scene = scene_of(**keys)
    x = np.zeros((2, n))
    x[1] = 1e-3
    x[0, at] = peak
    limiter = Limiter(scene)
    y = run(limiter, x)
    return y[1, limiter.delay :] / 1e-3, y[0, limiter.delay + at], limiter.delay


@pytest.mark.parametrize("peak", [0.6, 1.0, -4.0, 100.0])
def test_gain_falls_smoothly_before_the_peak(peak):
    gain, played, delay = gain_around(peak)
    wanted = ceiling(scene_of()) / abs(peak)
    assert gain[2000] == pytest.approx(wanted, rel=1e-9), "no more than needed, and not by the clip"
    assert abs(played) == pytest.approx(ceiling(scene_of()), rel=1e-9)
    np.testing.assert_array_equal(gain[: 2000 - delay], 1)
    assert np.all(np.diff(gain[2000 - delay - 1 : 2001]) <= 1e-15)
    assert np.abs(np.diff(gain, 2)).max() < 10 * (1 - wanted) / delay**2, "smooth at both ends of the attack"


def test_release_is_exponential():
    gain, _, delay = gain_around(4.0, release_s=0.15)
    reduction = 1 - gain
    first = 2000 + 2 * delay
    later = first + 7200
    assert reduction[later] / reduction[first] == pytest.approx(np.exp(-1), rel=1e-9)
    assert np.all(np.diff(gain[2000 + delay :]) >= -1e-15)


def test_limiter_becomes_idle_after_release():
    limiter = Limiter(scene_of(release_s=0.01))
    x = np.zeros((2, 48_000))
    x[0, 0] = 10
    x[1] = 0.3
    assert limiter.process(x[:, :200]).shape == (2, 200)
    assert limiter.reduction_db == pytest.approx(26, abs=0.1)
    y = run(limiter, x[:, 200:])
    np.testing.assert_array_equal(y[1, 30 * 480 :], 0.3)  # 30 time constants later, exactly
    assert limiter.reduction_db == 0


@given(st.integers(0, 1000), st.lists(st.integers(1, 700), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_does_not_depend_on_blocks(seed, sizes):
    x = bursts(seed, 5000, 1)
    one, two = Limiter(scene_of()), Limiter(scene_of())
    np.testing.assert_allclose(run(one, x, sizes), run(two, x, (5000,)), rtol=0, atol=1e-11)


def test_zero_frames_are_accepted():
    limiter = Limiter(scene_of())
    assert limiter.process(np.zeros((2, 0))).shape == (2, 0)
    limiter.process(np.full((2, 10), 9.0))
    assert limiter.process(np.zeros((2, 0))).shape == (2, 0)

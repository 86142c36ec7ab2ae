import numpy as np
import pytest
from audio_scenes import SFREQ, beyond_db, sizes_of, tone
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from earmark.devices.audio.ramp import GainRamps, Switch, rounding_taps

#: Rounding error in dB: sums exceed 1e4 dB for a ramp of zero duration.
TINY = 1e-10

gains = st.floats(-40, 12)
durations = st.sampled_from([0.0, 0.005, 0.02, 0.05, 0.1, 0.5])
scripts = st.lists(st.tuples(st.integers(0, 4000), gains, durations), max_size=8)


def run(script, start=0.0, total=12_000, sizes=(256,), sfreq=SFREQ):
    """Gains in dB of one talker, retargeted at the given frames, rendered in blocks of the given sizes."""
    ramps = GainRamps(sfreq, np.array([start]))
    pieces, at = [], 0
    for frame, target, ramp_s in [*sorted(script, key=lambda one: one[0]), (total, None, None)]:
        for n in sizes_of(frame - at, sizes):
            pieces.append(ramps.read(n)[0])
        at = frame
        if target is not None:
            ramps.retarget(0, target, ramp_s)
    return 20 * np.log10(np.concatenate(pieces))


@given(scripts, gains)
@settings(max_examples=40, deadline=None)
def test_is_a_straight_line_of_db_convolved_with_a_window(script, start):
    total = 32_000
    line, target = np.full(total, start), start
    taps = np.hanning(962)[1:-1] / np.hanning(962).sum()
    for frame, wanted, ramp_s in sorted(script, key=lambda one: one[0]):
        if wanted != target:
            n_line = max(1, round(ramp_s * SFREQ) - 959)
            line[frame:] = np.interp(np.arange(total - frame), [0, n_line], [line[frame], wanted])
            target = wanted
    wanted = fftconvolve(np.concatenate([np.full(959, start), line]), taps, "valid")
    np.testing.assert_allclose(run(script, start, total), wanted, rtol=0, atol=TINY)


@given(gains, gains, durations, st.integers(0, 3000))
@settings(max_examples=40, deadline=None)
def test_from_rest_a_ramp_is_monotone_in_time_and_arrives_exactly(start, target, ramp_s, frame):
    found = run([(frame, target, ramp_s)], start, total=30_000)
    last = frame + max(round(ramp_s * SFREQ), 960)
    np.testing.assert_allclose(found[: frame + 1], start, rtol=0, atol=TINY)
    assert np.all(np.diff(found) * np.sign(target - start) >= -TINY)
    np.testing.assert_allclose(found[last:], target, rtol=0, atol=TINY)
    if abs(target - start) > 1:
        assert abs(found[last - 200] - target) > 1e-9, "it takes the requested time"


@given(scripts, gains)
@settings(max_examples=40, deadline=None)
def test_never_leaves_the_range_of_its_targets(script, start):
    found = run(script, start, total=32_000)
    reached = [start, *(target for _, target, _ in script)]
    assert min(reached) - 1e-9 <= found.min()
    assert found.max() <= max(reached) + 1e-9


@given(scripts, st.lists(st.integers(1, 700), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_does_not_depend_on_blocks(script, sizes):
    np.testing.assert_allclose(run(script, sizes=sizes), run(script), rtol=0, atol=TINY)


@pytest.mark.parametrize(
    "script",
    [
        [(24_000, -12.0, 0.1)],
        [(24_000, -12.0, 0.1), (26_400, 0.0, 0.1)],
        [(24_000, -12.0, 0.1), (26_400, -20.0, 0.1)],
        [(24_000, -12.0, 0.05), (25_000, 6.0, 1.0)],
        [(24_000, -12.0, 0.5), (28_800, 6.0, 0.05)],
        [(20_000 + 256 * k, float(6 * np.sin(k * k)), 0.1) for k in range(30)],
    ],
)
def test_a_full_scale_tone_makes_no_zipper_noise_at_any_retarget(script):
    steady = tone(2 * 24_000)
    assert beyond_db(steady * 10 ** (run(script, total=48_000) / 20)) < -150  # -120 is asked


def test_fastest_change_has_no_audible_click():
    assert beyond_db(tone(48_000) * 10 ** (run([(24_000, -12.0, 0.0)], total=48_000) / 20)) < -120


def test_repeated_target_has_no_effect():
    again = [(1000, -12.0, 0.1), *((frame, -12.0, 0.5) for frame in range(1000, 4000, 256))]
    np.testing.assert_array_equal(run(again), run(again[:1]))


def test_talkers_have_independent_ramps():
    ramps = GainRamps(SFREQ, np.array([0.0, -6.0]))
    ramps.retarget(1, 3.0, 0.1)
    assert list(ramps.targets_db) == [0, 3]
    both = 20 * np.log10(ramps.read(3000))
    np.testing.assert_array_equal(both[0], 0)
    np.testing.assert_allclose(both[1], run([(0, 3.0, 0.1)], -6.0, 3000), atol=1e-12)
    np.testing.assert_allclose(ramps.gains_db, both[:, -1], atol=1e-12)
    ramps.read(5000)
    assert list(ramps.gains_db) == [0, 3]
    assert ramps.read(0).shape == (2, 0)


def test_the_window_is_20_ms_at_any_rate_and_never_negative():
    for sfreq in (8000, 44_100, 48_000, 192_000):
        taps = rounding_taps(sfreq)
        assert abs(len(taps) / sfreq - 0.02) < 1 / sfreq
        assert taps.min() > 0
        assert taps.sum() == pytest.approx(1, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_switch_follows_its_curve_when_turned_midway(turns, on):
    switch, at, found, wanted = Switch(100, on), 100 * on, [], []
    for up, n in turns:
        switch.on = up
        x = np.ones((2, n))
        switch.apply(x)
        found.extend(x[1])
        for _ in range(n):
            at = min(max(at + (1 if up else -1), 0), 100)
            wanted.append(0.5 - 0.5 * np.cos(np.pi * at / 100))
        assert switch.settled == (at == 100 * up)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-15)


def test_off_is_exactly_silent():
    switch = Switch(10, on=True)
    switch.on = False
    x = np.full(11, 1e30)
    switch.apply(x)
    assert list(x[9:]) == [0, 0]

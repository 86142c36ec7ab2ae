import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.audio.dac_clock import DacClock

SFREQ = 48_000.0


def driver(rng, seconds, block, ppm, jitter, skips):
    """True and reported times of buffers; the driver skips buffers at some instants."""
    n = round(seconds * SFREQ / block)
    true = 1000.0 + np.arange(n) * block / SFREQ * (1 + ppm * 1e-6)
    for at, n_skipped in skips:
        true[round(at * SFREQ / block) :] += n_skipped * block / SFREQ
    said = true + jitter(rng, n)
    return true, said


def held_up(rng, n):
    """Callbacks that begin late, up to a whole buffer; never early."""
    return rng.exponential(0.15e-3, n) + np.where(rng.random(n) < 0.05, rng.uniform(0, 5e-3, n), 0)


def even(rng, n):
    return rng.normal(0, 0.1e-3, n)


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-100, 100),
    st.sampled_from([held_up, even]),
    st.lists(st.integers(1, 4), max_size=3),
    st.sampled_from([128, 256, 512]),
)
@settings(max_examples=20, deadline=None)
def test_times_are_accurate_to_a_millisecond_despite_delayed_and_skipped_buffers(seed, ppm, jitter, skipped, block):
    rng = np.random.default_rng(seed)
    skips = [(3.0 + 4 * k, n) for k, n in enumerate(skipped)]
    true, said = driver(rng, 12.0, block, ppm, jitter, skips)
    clock, off = DacClock(SFREQ, block), np.empty(len(true))
    for k, stamp in enumerate(said):
        clock.add(k * block, block, stamp)
        off[k] = clock.time(k * block) - true[k]
    seconds = np.arange(len(true)) * block / SFREQ
    judged = seconds > 0.5
    for at, _ in skips:
        judged &= (seconds < at - 0.02) | (seconds > at + 0.3)
    assert abs(off[judged]).max() < 1e-3
    lost = sum(n for _, n in skips) * block / SFREQ
    assert clock.lost_s == pytest.approx(lost, abs=1e-3 * (1 + len(skips)))
    assert clock.period * SFREQ == pytest.approx(1 + ppm * 1e-6, abs=1.5e-4)
    if skips:
        assert clock.since / SFREQ == pytest.approx(skips[-1][0], abs=0.25)
    later = clock.map(1234)
    assert later.time(5000.0) == pytest.approx(clock.time(5000.0), abs=1e-9)


def test_rate_is_estimated_and_kept_over_a_skip():
    rng = np.random.default_rng(1)
    true, said = driver(rng, 60.0, 256, 80.0, held_up, [(50.0, 2)])
    clock = DacClock(SFREQ, 256)
    for k, stamp in enumerate(said):
        clock.add(k * 256, 256, stamp)
    assert (clock.period * SFREQ - 1) * 1e6 == pytest.approx(80, abs=5)
    ahead = len(true) * 256 + round(10 * SFREQ)
    exact = true[-1] + 256 / SFREQ * (1 + 80e-6) + 10 * (1 + 80e-6)
    assert clock.time(ahead) == pytest.approx(exact, abs=1e-3), "good for ten seconds on its own"


def test_one_late_buffer_does_not_shift_the_clock():
    clock = DacClock(SFREQ, 256)
    held = []
    for k in range(400):
        clock.add(k * 256, 256, k * 256 / SFREQ + (0.006 if k in (200, 201) else 0.0))
        held.append(clock.held_up_s)
    assert [k for k, late in enumerate(held) if late > 1e-3] == [200]
    assert held[200] == pytest.approx(0.006, abs=1e-5)
    assert clock.lost_s == 0
    assert clock.since == 0
    assert clock.time(0) == pytest.approx(0, abs=1e-4)


def test_late_report_of_the_first_buffer_is_ignored():
    clock = DacClock(SFREQ, 256)
    for k in range(30):
        clock.add(k * 256, 256, k * 256 / SFREQ + (0.02 if k == 0 else 0.0))
        if k:
            assert clock.time(k * 256) == pytest.approx(k * 256 / SFREQ, abs=2e-3)
    assert clock.lost_s == 0


def test_busy_stretch_of_mostly_late_buffers_does_not_shift_the_clock():
    rng = np.random.default_rng(2)
    true, said = driver(rng, 12.0, 256, 20.0, held_up, [])
    busy = (true > 1006.0) & (true < 1006.4) & (rng.random(len(true)) < 0.7)
    said[busy] = true[busy] + rng.uniform(2e-3, 5e-3, busy.sum())
    busy = rng.random(len(true)) < 0.3
    said[busy] += rng.uniform(0, 5e-3, busy.sum())
    clock = DacClock(SFREQ, 256)
    off = []
    for k, stamp in enumerate(said):
        clock.add(k * 256, 256, stamp)
        off.append(clock.time(k * 256) - true[k])
    assert clock.lost_s == 0
    assert clock.since == 0
    assert abs(np.array(off)[200:]).max() < 0.5e-3

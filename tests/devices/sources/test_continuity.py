import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.sources.continuity import Continuity
from earmark.devices.sources.stamps import STEP_S
from earmark.pipeline.stream import Block, ClockMap, Gap

SFREQ, CHUNK = 500.0, 10


def run(continuity, chunks):
    """Feed (stamps, arrival) pairs; return the items."""
    items = []
    for stamps, arrival in chunks:
        data = np.zeros((len(stamps), 2), np.float32)
        items += [item for item, _ in continuity.add(data, np.asarray(stamps, float), arrival)]
    return items


def chunks(n, *, start=0.0, stamp0=0.0, arrival0=0.0, drift=0.0, jitter=None):
    """Chunks of a sender whose clock runs ``1 + drift`` times as fast as ours."""
    for k in range(n):
        end = start + (k + 1) * CHUNK / SFREQ * (1 + drift)
        late = 0.0 if jitter is None else jitter[k]
        yield stamp0 + end + late - (CHUNK - 1 - np.arange(CHUNK)) / SFREQ, arrival0 + end


def gaps(items):
    return [item for item in items if isinstance(item, Gap)]


def tiles(items):
    at = 0
    for item in items:
        if isinstance(item, Block | Gap):
            assert item.start == at
            at = item.stop
    return at


@pytest.mark.parametrize("drift", [0.0, 100e-6, -100e-6])
def test_the_clock_map_follows_drift_and_ignores_jitter(drift):
    rng = np.random.default_rng(1)
    continuity = Continuity("x", SFREQ)
    items = run(continuity, chunks(9000, stamp0=77.0, drift=drift, jitter=rng.normal(0, 2e-3, 9000)))
    maps = [item for item in items if isinstance(item, ClockMap)]
    assert not gaps(items)
    assert continuity.n_steps == 0
    for clock in maps[5:]:
        truth = 77.0 + (clock.index0 + 1) / SFREQ * (1 + drift)
        assert abs(clock.time(clock.index0) - truth) < 1.5e-3, "half a sample at 64 Hz is 7.8 ms"
    assert maps[-1].period * SFREQ == pytest.approx(1 + drift, abs=10e-6)


@given(st.lists(st.floats(0, STEP_S / 3), min_size=50, max_size=50))
@settings(max_examples=50, deadline=None)
def test_jitter_within_the_tolerance_never_makes_a_gap(jitter):
    continuity = Continuity("x", SFREQ)
    items = run(continuity, chunks(50, jitter=jitter))
    assert not gaps(items)
    assert tiles(items) == 50 * CHUNK


@given(st.floats(0.15, 60), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_a_pause_with_a_jump_of_the_stamps_is_a_gap_of_that_length(seconds, share):
    continuity = Continuity("x", SFREQ)
    items = run(continuity, chunks(20))
    end = 20 * CHUNK / SFREQ
    items += run(continuity, chunks(20, start=end + seconds))
    (gap,) = gaps(items)
    assert gap.start == 20 * CHUNK
    assert gap.stop - gap.start == pytest.approx(seconds * SFREQ, abs=1)
    assert tiles(items) == gap.stop + 20 * CHUNK


@pytest.mark.parametrize("late", [0.0, 0.004, 0.05])
@pytest.mark.parametrize("step", [10.0, -10.0, 0.5, -0.5])
def test_clock_step_invents_and_drops_no_sample(step, late):
    """Also if the chunk with the step, and later ones, arrive a little later than those before."""
    continuity = Continuity("x", SFREQ)
    items = run(continuity, chunks(20))
    items += run(continuity, chunks(20, start=20 * CHUNK / SFREQ, stamp0=step, arrival0=late))
    assert not gaps(items)
    assert continuity.n_steps == 1
    assert [item for item in items if isinstance(item, str)] == [
        f"x: the sender's clock stepped by {step:+.4g} s at sample 200"
    ]
    assert tiles(items) == 40 * CHUNK
    newest = [item for item in items if isinstance(item, ClockMap)][-1]
    assert newest.time(399) == pytest.approx(step + 0.8, abs=1e-3), "the map is correct again at once"


@given(
    jump=st.floats(0.5, 20),
    passed=st.one_of(st.floats(0.0, 0.45), st.floats(0.55, 1.0)),
    late=st.floats(0, 0.02),
)
@settings(max_examples=60, deadline=None)
def test_stamp_jump_is_a_gap_only_if_half_of_that_time_passed_locally(jump, passed, late):
    """Otherwise the sender's clock was set, and only as much is missing as time has passed."""
    continuity = Continuity("x", SFREQ)
    before, end = chunks(20), 20 * CHUNK / SFREQ
    items = run(continuity, before)
    items += run(continuity, chunks(80, start=end, stamp0=jump, arrival0=passed * jump + late))
    missing = sum(gap.stop - gap.start for gap in gaps(items)) / SFREQ
    if passed > 0.5:
        assert missing == pytest.approx(jump, abs=1 / SFREQ)
        assert continuity.n_steps == 0
    else:
        assert missing <= passed * jump + late + 1 / SFREQ
        assert continuity.n_steps == 1


def test_burst_of_late_chunks_is_not_a_gap():
    continuity = Continuity("x", SFREQ)
    plan = [(stamps, max(arrival, 3.0) if 0.4 < arrival < 3.0 else arrival) for stamps, arrival in chunks(400)]
    assert not gaps(run(continuity, plan))
    assert continuity.n_steps == 0


def test_a_sender_that_returns_with_another_clock_leaves_a_gap_as_long_as_its_absence():
    continuity = Continuity("x", SFREQ)
    items = run(continuity, chunks(20, stamp0=1e6))
    items += run(continuity, chunks(20, start=20 * CHUNK / SFREQ + 5.0, stamp0=3.0))
    (gap,) = gaps(items)
    assert gap.stop - gap.start == pytest.approx(5.0 * SFREQ, abs=CHUNK + 1)
    assert continuity.n_steps == 1


def test_a_gap_within_a_chunk_splits_it():
    continuity = Continuity("x", SFREQ)
    run(continuity, chunks(40))
    stamps = 0.8 + np.arange(1, 71) / SFREQ
    stamps[6:] += 2.0
    data = np.arange(140.0).reshape(70, 2)
    (first, kept), *rest = continuity.add(data[:10], stamps[:10], 2.82)
    assert (first.start, first.stop) == (400, 406)
    np.testing.assert_array_equal(kept, stamps[:6])
    assert continuity.n_held == 4, "until it is certain that the stamps do not return"
    rest += continuity.add(data[10:], stamps[10:], 2.94)
    (gap,) = gaps([item for item, _ in rest])
    assert gap == Gap(406, 1406)
    blocks = [(item, raw) for item, raw in rest if isinstance(item, Block)]
    assert [(item.start, item.stop) for item, _ in blocks] == [(1406, 1410), (1410, 1470)], "in the received chunks"
    np.testing.assert_array_equal(np.concatenate([item.data for item, _ in blocks]), data[6:])
    np.testing.assert_array_equal(np.concatenate([raw for _, raw in blocks]), stamps[6:])


def test_equal_stamps_are_spread_backwards_from_the_last_sample():
    continuity = Continuity("x", SFREQ)
    plan = [(np.full(CHUNK, stamps[-1]), arrival) for stamps, arrival in chunks(200)]
    items = run(continuity, plan)
    assert not gaps(items)
    assert continuity.n_steps == 0
    newest = [item for item in items if isinstance(item, ClockMap)][-1]
    assert newest.time(1999) == pytest.approx(4.0, abs=1e-3)


@given(st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e300, -1e300, 5.0]), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_absurd_stamps_lose_no_sample(absurd):
    continuity = Continuity("x", SFREQ)
    before = list(chunks(20))
    after = list(chunks(60, start=20 * CHUNK / SFREQ))
    for value, (stamps, _) in zip(absurd, after, strict=False):
        stamps[3:7] = value
    items = run(continuity, before + after)
    blocks = [item for item in items if isinstance(item, Block)]
    assert sum(len(block.data) for block in blocks) == 80 * CHUNK
    tiles(items)
    newest = [item for item in items if isinstance(item, ClockMap)][-1]
    assert np.isfinite([newest.index0, newest.time0, newest.period]).all()
    assert newest.time(continuity.index - 1) == pytest.approx(80 * CHUNK / SFREQ, abs=0.01)
    assert continuity.n_steps == 0, "broken stamps between good ones are not a clock step"


def test_a_recording_played_faster_keeps_its_gaps():
    speed = 10.0
    continuity = Continuity("x", SFREQ, speed)
    plan = [(stamps, arrival / speed) for stamps, arrival in [*chunks(20), *chunks(20, start=3.4)]]
    (gap,) = gaps(run(continuity, plan))
    assert gap == Gap(200, 1700)


def packets(n, size, *, lose=0.0, jitter=None, drift=0.0, seed=0, sfreq=256.0):
    """Packets of a headset, as (first index, stamps); one in so many is lost, except in the first second."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        late = 0.0 if jitter is None else jitter(rng)
        if k * size > sfreq and rng.random() < lose:
            continue
        last = ((k + 1) * size - 1) / sfreq * (1 + drift) + late
        yield k * size, 500.0 + last - np.arange(size)[::-1] / sfreq


def received(sent, cuts=(), arrival=lambda stamps: stamps[-1] + 0.01, sfreq=256.0):
    """Pull packets in pieces that need not be packets; return indices found, true ones, times, and the continuity."""
    rows = np.concatenate([first + np.arange(len(stamps)) for first, stamps in sent])
    stamps = np.concatenate([stamps for _, stamps in sent])
    continuity = Continuity("x", sfreq)
    items, edges = [], [0, *sorted(c for c in set(cuts) if 0 < c < len(rows)), len(rows)]
    if not cuts:
        edges = [0, *np.cumsum([len(s) for _, s in sent]).tolist()]
    for a, b in itertools.pairwise(edges):
        items += continuity.add(rows[a:b, None], stamps[a:b], arrival(stamps[a:b]))
    items = [item for item, _ in items + continuity.flush()]
    tiles(items)
    found, true, times, clock = [], [], [], None
    for item in items:
        if isinstance(item, ClockMap):
            clock = item
        elif isinstance(item, Block):
            found += range(item.start, item.stop)
            true += item.data[:, 0].tolist()
            times += [clock.time(i) for i in range(item.start, item.stop)]
    return np.array(found), np.array(true), np.array(times), continuity


@given(
    size=st.sampled_from([1, 4, 12, 20]),
    lose=st.sampled_from([0.0, 0.02, 0.05]),
    drift=st.floats(-5e-3, 5e-3),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=30, deadline=None)
def test_lost_packets_are_gaps_of_the_right_length_where_stamps_are_exact(size, lose, drift, seed):
    sent = list(packets(20 * 256 // size, size, lose=lose, drift=drift, seed=seed))
    found, true, times, continuity = received(sent)
    np.testing.assert_array_equal(found, true)
    assert continuity.n_steps == 0
    np.testing.assert_allclose(times[512:], 500 + true[512:] / 256 * (1 + drift), rtol=0, atol=2e-3)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_result_does_not_depend_on_chunking(cuts, seed):
    sent = list(packets(5000 // 12, 12, lose=0.05, drift=1e-3, seed=seed))
    found, true, times, _ = received(sent, cuts)
    np.testing.assert_array_equal(found, true)
    np.testing.assert_allclose(times[512:], 500 + true[512:] / 256 * 1.001, rtol=0, atol=2e-3)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_lost_packets_are_found_despite_late_bursts(seed):
    sent = list(packets(60 * 256 // 12, 12, lose=0.05, seed=seed))
    found, true, _, _ = received(sent, arrival=lambda stamps: np.ceil(stamps[-1] / 0.125) * 0.125 + 0.02)
    np.testing.assert_array_equal(found, true)


REGIMES = {
    "stamped by a busy sender": (5, lambda rng: rng.exponential(2e-4) + (rng.random() < 0.03) * rng.uniform(0, 0.08)),
    "stamped on arrival": (32, lambda rng: rng.exponential(0.025)),
    "one by one, on arrival": (1, lambda rng: rng.exponential(5e-4)),
    "radio with retries": (12, lambda rng: rng.choice([0.0, 0.0, 0.0, 0.0075, 0.015, 0.03])),
}


@pytest.mark.parametrize("regime", REGIMES)
@given(seed=st.integers(0, 10_000), drift=st.sampled_from([0.0, 2e-3, -4e-4]))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_jitter_causes_no_gap(regime, seed, drift):
    size, jitter = REGIMES[regime]
    sent = list(packets(30 * 256 // size, size, jitter=jitter, drift=drift, seed=seed))
    _, _, _, continuity = received(sent)
    assert (continuity.n_gaps, continuity.n_steps) == (0, 0)


def test_losses_are_found_if_jitter_is_small_in_comparison():
    sent = list(packets(120 * 256 // 12, 12, lose=0.05, jitter=lambda rng: abs(rng.normal(0, 1e-3))))
    found, true, _, _ = received(sent)
    assert abs((true[-1] - found[-1]) / (true[-1] - len(true))) < 0.05
    missing = sum(int(b) - int(a) - 1 for a, b in itertools.pairwise(true))
    assert found[-1] + 1 - len(found) == pytest.approx(missing, rel=0.05)


def test_samples_are_held_back_only_until_their_position_is_certain():
    continuity, held = Continuity("x", 256.0), []
    for first, stamps in packets(600, 12, lose=0.05):
        continuity.add(first + np.arange(12)[:, None], stamps, stamps[-1])
        held.append(continuity.n_held)
    assert max(held[20:]) < 0.1 * 256 + 12
    continuity.flush()
    assert continuity.n_held == 0

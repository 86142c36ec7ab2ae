"""Samples of a recording are placed by their stamps, for any rate, drift, losses and jitter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.files.timeline import even_timeline, exact_timeline, read_timeline

SFREQ = 250.0


def lossy(seed, n, packet, share):
    """Return which of n samples arrive when packets are lost; never the first ones."""
    rng = np.random.default_rng(seed)
    kept = rng.random(-(-n // packet)) >= share
    kept[:2] = True
    return np.flatnonzero(np.repeat(kept, packet)[:n])


def indices(timeline, n):
    """Index of each sample."""
    shift = np.cumsum(timeline.missing)
    return np.arange(n) + np.repeat(shift, timeline.stops - timeline.starts)


@given(
    drift=st.floats(-5e-3, 5e-3),
    share=st.sampled_from([0.0, 0.02, 0.05]),
    packet=st.sampled_from([1, 4, 12, 20]),
    begun=st.floats(0, 1e6),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_exact_stamps_show_every_loss_and_give_every_time(drift, share, packet, begun, seed):
    rows = lossy(seed, 15_000, packet, share)
    true = begun + rows / SFREQ * (1 + drift)
    found = read_timeline("x", true, SFREQ)
    np.testing.assert_array_equal(indices(found, len(rows)), rows)
    np.testing.assert_allclose(found.at(np.arange(len(rows))), true, atol=1e-4, rtol=0)
    assert found.steps == ()
    assert any("real rate" in words for words in found.words) == (abs(1 / (1 + drift) - 1) > 2e-4)


@given(drift=st.floats(-5e-3, 5e-3), packet=st.sampled_from([5, 12]), seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_stamps_deduced_by_lsl_within_a_packet_are_as_good(drift, packet, seed):
    rows = lossy(seed, 15_000, packet, 0.05)
    last = (rows // packet + 1) * packet - 1
    stamps = 50 + last / SFREQ * (1 + drift) - (last - rows) / SFREQ
    found = read_timeline("x", stamps, SFREQ)
    np.testing.assert_array_equal(indices(found, len(rows)), rows)
    true = 50 + rows / SFREQ * (1 + drift)
    np.testing.assert_allclose(found.at(np.arange(len(rows))), true, atol=1e-3, rtol=0)


@given(jitter=st.sampled_from([2e-4, 1e-3, 5e-3]), drift=st.floats(-5e-3, 5e-3), seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_jitter_is_not_a_loss_and_is_averaged(jitter, drift, seed):
    rng, n = np.random.default_rng(seed), 15_000
    true = np.arange(n) / SFREQ * (1 + drift)
    found = read_timeline("x", true + np.repeat(rng.normal(0, jitter, n // 5), 5), SFREQ)
    assert not found.missing.any()
    np.testing.assert_allclose(found.at(np.arange(n))[500:-500], true[500:-500], atol=max(1e-3, 0.7 * jitter), rtol=0)


# Fixed draws: about one in 1,500 begins so that no rule could tell delays from lost packets. The first five once did.
@pytest.mark.parametrize("seed", [967, 1009, 1142, 1835, 3005, *range(12)])
def test_chunks_stamped_on_arrival_are_contiguous(seed):
    rng, n, sfreq = np.random.default_rng(seed), 256 * 60, 256.0
    arrived = np.repeat((np.arange(n // 32) + 1) * 0.125 + rng.exponential(0.025, n // 32), 32)
    found = read_timeline("x", arrived - (31 - np.arange(n) % 32) / sfreq, sfreq)
    assert not found.missing.any()
    assert found.steps == ()


def test_a_chunk_stamped_as_a_whole_counts_back_from_its_last_sample():
    stamps = np.repeat((np.arange(600) + 1) * 0.04, 10)
    found = read_timeline("x", stamps, SFREQ)
    assert not found.missing.any()
    np.testing.assert_allclose(found.at(np.arange(6000)), (np.arange(6000) + 1) / SFREQ, atol=1e-6)


def test_losses_with_stamps_made_on_arrival_show_in_the_rate():
    rng, sfreq = np.random.default_rng(0), 256.0
    n = 256 * 300 // 32
    kept = rng.random(n) >= 0.05
    arrived = ((np.arange(n) + 1) * 0.125 + rng.exponential(0.06, n))[kept]
    stamps = (np.repeat(arrived, 32).reshape(-1, 32) - np.arange(32)[::-1] / sfreq).ravel()
    found = read_timeline("x", stamps, sfreq)
    (words,) = (words for words in found.words if "Hz" in words)
    assert "of the samples are missing, and where cannot be told" in words


@pytest.mark.parametrize("leap", [200_000.0, -200_000.0, 5.0, -5.0])
def test_stamps_that_jump_and_return_are_ignored(leap):
    true = 5000 + np.arange(7500) / SFREQ
    stamps = true.copy()
    stamps[3000:4000] += leap
    found = read_timeline("x", stamps, SFREQ)
    assert not found.missing.any()
    np.testing.assert_allclose(found.at(np.arange(7500)), true, atol=1e-6)
    assert found.words == ("1000 time stamps jump and return: these samples are placed by their number",)


@pytest.mark.parametrize("drift", [0.0, 2e-3, -4e-4])
@pytest.mark.parametrize("seconds", [0.2, 3.0, 600.0])
def test_lasting_jump_forward_is_a_gap(seconds, drift):
    true = np.arange(7500) / SFREQ * (1 + drift)
    true[3000:] += round(seconds * SFREQ) / SFREQ * (1 + drift)
    found = read_timeline("x", true, SFREQ)
    assert found.starts.tolist() == [0, 3000]
    assert found.missing.tolist() == [0, pytest.approx(seconds * SFREQ, abs=1)]
    np.testing.assert_allclose(found.at(np.arange(7500)), true, atol=1e-3)


@pytest.mark.parametrize("by", [-30.0, -0.5])
def test_jump_backward_is_a_clock_step(by):
    stamps = 100 + np.arange(7500) / SFREQ
    stamps[3000:] += by
    found = read_timeline("x", stamps, SFREQ)
    assert not found.missing.any()
    assert found.steps == ((3000, pytest.approx(by, abs=1e-3)),)
    np.testing.assert_allclose(found.at(np.arange(7500)), 100 + np.arange(7500) / SFREQ, atol=1e-3)
    assert "was set by" in found.words[0]


def test_jump_beyond_the_end_of_the_recording_is_not_a_gap():
    stamps = 100 + np.arange(7500) / SFREQ
    stamps[7000:] += 1e6
    found = read_timeline("x", stamps, SFREQ, until=200.0)
    assert not found.missing.any()
    assert found.steps == ((7000, pytest.approx(1e6)),)
    assert found.at(np.array([7499]))[0] == pytest.approx(100 + 7499 / SFREQ)


def test_drifting_rate_is_followed():
    n = 300 * 250
    warming = np.cumsum(np.full(n, 1 / SFREQ) * (1 + 2e-3 * np.arange(n) / n))
    found = read_timeline("x", warming, SFREQ)
    assert not found.missing.any()
    np.testing.assert_allclose(found.at(np.arange(n)), warming, atol=1e-4)


def test_files_without_stamps_run_at_the_nominal_rate():
    found = even_timeline([(0, 100, 0.0), (150, 250, 3.0), (250, 251, 4.0)], 100.0)
    np.testing.assert_allclose(found.at(np.array([0, 99, 150, 249, 250])), [0, 0.99, 3, 3.99, 4])
    assert found.missing.tolist() == [0, 200, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_recordings_of_a_few_samples_have_times(n):
    true = 7 + np.arange(n) / SFREQ
    np.testing.assert_allclose(read_timeline("x", true, SFREQ).at(np.arange(n)), true, atol=1e-9)


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    lost=st.lists(st.integers(0, 50), min_size=3, max_size=3),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_exact_times_are_kept_through_every_correction_of_a_clock(lengths, lost, seed):
    rng = np.random.default_rng(seed)
    pieces, at = [], 0.0
    for length, missing in zip(lengths, [0, *lost], strict=False):
        at += missing / SFREQ
        corrections = np.cumsum(rng.normal(0, 1e-4, length // 64 + 1))  # as of the clock maps of a live session
        stamps = at + np.arange(length) / SFREQ + np.repeat(corrections, 64)[:length] - corrections[0]
        pieces.append(np.maximum.accumulate(stamps))
        at = pieces[-1][-1] + 1 / SFREQ
    found = exact_timeline(pieces, SFREQ)
    every = np.concatenate(pieces)
    np.testing.assert_allclose(found.at(np.arange(len(every))), every, atol=2e-9, rtol=0)
    assert found.missing.tolist() == [0, *lost][: len(lengths)]
    assert len(found.rows) <= 4 * (len(every) // 64 + 2 * len(lengths)), "few lines, not one for each sample"

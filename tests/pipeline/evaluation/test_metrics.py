from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from earmark.pipeline.evaluation.metrics import (
    auc,
    chance_limit,
    dprime,
    expected_accuracy,
    fisher_z,
    information_transfer_rate,
    mesd,
    reliability,
    switch_latencies,
)

SCORES = Path(__file__).parents[3].parent / "shared" / "data" / "scores" / "kul_linear_sub01-08.npz"


# Threshold


@pytest.mark.parametrize(("n", "wanted"), [(20, 15 / 20), (30, 20 / 30), (60, 37 / 60)])
def test_chance_limits_of_two_talkers_equal_published_tables(n, wanted):
    assert chance_limit(n) == wanted


@given(n=st.integers(0, 500), n_talkers=st.integers(2, 5))
def test_chance_limit_is_the_smallest_significant_accuracy(n, n_talkers):
    threshold = chance_limit(n, n_talkers)
    if math.isnan(threshold):
        assert (1 / n_talkers) ** n > 0.05
        return
    k = round(threshold * n)
    assert binomtest(k, n, 1 / n_talkers, alternative="greater").pvalue <= 0.05
    assert k == 0 or binomtest(k - 1, n, 1 / n_talkers, alternative="greater").pvalue > 0.05


def test_four_decisions_have_no_chance_limit():
    assert math.isnan(chance_limit(4))
    assert chance_limit(5) == 1
    with pytest.raises(ValueError, match="n=-1"):
        chance_limit(-1)


# Minimal expected switch duration


@pytest.mark.parametrize(
    ("percent", "wanted"),
    [((55.1, 58.6, 62.7, 68.0, 73.7, 81.1, 84.0), 42.0), ((60.6, 64.6, 71.4, 78.1, 84.1, 88.7, 93.5), 12.7)],
)
def test_mesd_equals_published_values(percent, wanted):
    """Group curves of a ridge decoder and a CNN on 17 listeners, and the results of the authors' own program."""
    found = mesd((1, 2, 5, 10, 20, 30, 60), np.array(percent) / 100)
    assert found.seconds == pytest.approx(wanted, abs=0.05)
    assert found.n_levels == 7


def walk(p: float, n_min: int, p0: float, comfort: float) -> tuple[int, float]:
    """Compute levels and steps by linear algebra on the transition matrix, without the closed form."""
    for n in range(n_min, 10_000):
        move = np.diag(np.full(n - 1, p), 1) + np.diag(np.full(n - 1, 1 - p), -1)
        move[0, 0], move[-1, -1] = 1 - p, p
        stationary = np.linalg.lstsq(
            np.vstack([move.T - np.eye(n), np.ones(n)]), np.concatenate([np.zeros(n), [1]]), rcond=None
        )[0]
        gains = np.linspace(0, 1, n)
        tails = np.cumsum(stationary[::-1])[::-1]
        if gains[np.flatnonzero(tails >= p0)[-1]] < comfort - 1e-9:
            continue
        below = gains < comfort - 1e-9
        steps = np.linalg.solve(np.eye(below.sum()) - move[np.ix_(below, below)], np.ones(below.sum()))
        start = stationary[::-1][below]
        return n, float(start @ steps / start.sum())
    raise AssertionError


@pytest.mark.parametrize("p", [0.53, 0.58, 0.6, 0.65, 0.7, 0.8, 0.9, 0.99])
@pytest.mark.parametrize(("n_min", "p0", "comfort"), [(5, 0.8, 0.65), (3, 0.9, 0.5), (9, 0.7, 0.75)])
def test_mesd_at_one_window_equals_the_hitting_time_of_its_markov_chain(p, n_min, p0, comfort):
    found = mesd([2.0], [p], n_min, p0, comfort)
    n_levels, steps = walk(p, n_min, p0, comfort)
    assert (found.n_levels, found.window) == (n_levels, 2.0)
    assert found.seconds == pytest.approx(2 * steps, rel=1e-6)


def test_mesd_without_errors_is_the_number_of_steps_up():
    # Five levels, 0 to 1: comfort 0.65 is passed at the fourth, three steps up from the first.
    found = mesd([1.0], [1.0])
    assert (found.seconds, found.window, found.n_levels) == (pytest.approx(3.0), 1.0, 5)


def test_mesd_at_chance_is_infinite():
    found = mesd([1, 10], [0.5, 0.4])
    assert math.isinf(found.seconds)
    assert math.isnan(found.window)
    assert found.n_levels == 0


@settings(deadline=None, max_examples=15)
@given(st.lists(st.floats(0.51, 0.99), min_size=2, max_size=5), st.floats(0.0, 0.009))
def test_mesd_is_shorter_for_a_better_decoder(accuracy, better):
    tau = np.arange(1, len(accuracy) + 1)
    assert mesd(tau, np.array(accuracy) + better).seconds <= mesd(tau, accuracy).seconds * (1 + 1e-9)


def test_mesd_rejects_invalid_curves():
    for tau, p, match in (
        ([2, 1], [0.6, 0.7], "ascending"),
        ([0, 1], [0.6, 0.7], "positive"),
        ([1], [0.6, 0.7], "one accuracy for each"),
        ([1], [1.2], "between 0 and 1"),
        ([1], [math.nan], "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=match):
            mesd(tau, p)


@pytest.mark.skipif(not SCORES.exists(), reason="needs the development data: shared/data/scores")
def test_mesd_and_expectation_on_real_scores_of_eight_listeners():
    """16 listeners have a median of 23.9 s (8.9 to 89) with correlations over whole windows; here are 8 of them, and
    windows are made of means of Fisher's z over 1 s."""
    data = np.load(SCORES)
    tau = np.array([1, 2, 5, 10, 20, 30, 60])
    seconds, curves, expected = [], [], []
    for i in range(8):
        difference = np.subtract(*fisher_z(data[f"sub{i + 1:02d}"]).T)
        means = [difference[: len(difference) // t * t].reshape(-1, t).mean(axis=1) for t in tau]
        curves.append([np.mean(one > 0) for one in means])
        expected.append([expected_accuracy(difference, 1, t) for t in tau])
        seconds.append(mesd(tau, curves[-1]).seconds)
    assert 12 < np.median(seconds) < 48
    assert np.median(seconds) > 8
    assert np.mean(curves, axis=0)[[0, 2, 3]] == pytest.approx([0.579, 0.666, 0.726], abs=0.05)
    assert np.abs(np.mean(expected, axis=0) - np.mean(curves, axis=0)).max() < 0.03


# Information


def test_itr_equals_known_values():
    assert information_transfer_rate(1.0, 1.0) == 60
    assert information_transfer_rate(1.0, 2.0, 4) == 60
    assert information_transfer_rate(0.5, 1.0) == information_transfer_rate(0.1, 1.0) == 0
    assert information_transfer_rate(0.25, 1.0, 4) == 0
    # 1 - H(0.75), and 2 + 0.7 log2 0.7 + 0.3 log2 0.1.
    assert information_transfer_rate(0.75, 60.0) == pytest.approx(0.18872187554)
    assert information_transfer_rate(0.7, 60.0, 4) == pytest.approx(0.64322035055)
    assert math.isnan(information_transfer_rate(math.nan, 1.0))


# Calibration


def test_reliability_equals_hand_computed_values():
    posterior = np.array([[0.6, 0.4], [0.62, 0.38], [0.1, 0.9], [0.08, 0.92]])
    found = reliability(posterior, np.array([0, 1, 1, 1]), n_bins=10)
    assert found.n == (2, 2)
    assert found.confidence == pytest.approx((0.61, 0.91))
    assert found.accuracy == (0.5, 1.0)
    assert found.ece == pytest.approx((0.11 + 0.09) / 2)


def test_undecided_posterior_is_calibrated():
    found = reliability(np.full((6, 2), 0.5), np.array([0, 0, 0, 0, 1, 0]))
    assert found.ece == 0
    assert math.isnan(reliability(np.empty((0, 2)), np.empty(0, int)).ece)


def test_true_posteriors_have_no_calibration_error():
    rng = np.random.default_rng(1)
    first = rng.uniform(size=100_000)
    attended = (rng.uniform(size=first.size) > first).astype(int)
    honest = np.stack([first, 1 - first], axis=1)
    assert reliability(honest, attended).ece < 0.01
    bold = honest**4 / (honest**4).sum(axis=1, keepdims=True)
    assert reliability(bold, attended).ece > 0.1


def test_reliability_rejects_invalid_posteriors():
    for wrong in ([[0.6, 0.6]], [[1.5, -0.5]], [[math.nan, 1.0]]):
        with pytest.raises(ValueError, match="sum to 1"):
            reliability(np.array(wrong), np.array([0]))


# Switches


def test_switch_latency_is_the_start_of_three_correct_seconds():
    times = np.arange(1.0, 21.0)
    right = np.isin(times, [1, 2, 3, 4, 7, 8, 12, 13, 14, 15])
    assert switch_latencies(times, right, [4.5], hop=1.0).tolist() == [12 - 4.5]
    assert switch_latencies(times, right, [4.5], hop=1.0, hold=2.0).tolist() == [7 - 4.5]
    assert np.isnan(switch_latencies(times, right, [4.5, 9.5], hop=1.0)).tolist() == [True, False]
    assert np.isnan(switch_latencies(times, right, [15.5], hop=1.0)).all()
    assert not len(switch_latencies(times, right, [], hop=1.0))


def test_missing_decision_ends_a_series_of_correct_ones():
    times = np.array([1.0, 2.0, 4.0, 5.0, 6.0])
    assert switch_latencies(times, np.ones(5, bool), [0.0], hop=1.0).tolist() == [4.0]


def test_switch_latency_with_half_second_hops():
    times = np.arange(0.5, 12, 0.5)
    assert switch_latencies(times, times >= 4.0, [1.0], hop=0.5).tolist() == pytest.approx([3.0])


# Expected accuracy


def test_expected_accuracy_equals_the_gaussian_model():
    rng = np.random.default_rng(2)
    differences = rng.normal(0.2, 1.0, 200_000)
    for wanted in (0.5, 1.0, 10.0, 60.0):
        assert expected_accuracy(differences, 1.0, wanted) == pytest.approx(norm.cdf(0.2 * wanted**0.5), abs=0.005)


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5])
def test_expected_accuracy_at_chance_and_by_simulation(n_talkers):
    rng = np.random.default_rng(n_talkers)
    z = rng.normal(size=(200_000, n_talkers))
    differences = (z[:, :1] - z[:, 1:]).ravel()
    centred = differences - differences.mean()
    assert expected_accuracy(centred, 1.0, 9.0, n_talkers) == pytest.approx(1 / n_talkers, abs=1e-6)
    z[:, 0] += 0.8
    right = np.mean(z.argmax(axis=1) == 0)
    assert expected_accuracy(differences + 0.8, 1.0, 1.0, n_talkers) == pytest.approx(right, abs=0.005)


def test_expected_accuracy_without_spread():
    assert math.isnan(expected_accuracy(np.array([0.1]), 1.0, 2.0))
    assert expected_accuracy(np.full(3, 0.5), 1.0, 2.0) == 1
    assert expected_accuracy(np.zeros(3), 1.0, 2.0, 4) == 0.25


def test_fisher_z():
    assert fisher_z([0.0, 0.5, -0.5]) == pytest.approx([0, math.log(3) / 2, -math.log(3) / 2])
    assert np.isfinite(fisher_z([1.0, -1.0])).all()


# AUC


def test_auc_equals_counted_pairs():
    rng = np.random.default_rng(3)
    for n_talkers in (2, 3):
        scores = rng.integers(-9, 10, (30, n_talkers)).astype(float)
        attended = rng.integers(n_talkers, size=30)
        lead = scores - np.array([[np.mean(np.delete(row, k)) for k in range(n_talkers)] for row in scores])
        own = lead[np.arange(30), attended]
        others = np.concatenate([np.delete(row, k) for row, k in zip(lead, attended, strict=True)])
        pairs = np.sign(own[:, None] - others)
        assert auc(scores, attended) == pytest.approx(np.mean((pairs + 1) / 2))


def test_auc_of_simple_cases():
    attended = np.array([0, 1, 0])
    perfect = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5]])
    assert auc(perfect, attended) == 1
    assert auc(-perfect, attended) == 0
    assert auc(np.zeros((3, 2)), attended) == 0.5
    assert math.isnan(auc(np.empty((0, 2)), np.empty(0, int)))


def test_dprime_is_the_standardised_mean_and_its_error_covers_the_truth():
    rng = np.random.default_rng(0)
    found = [dprime(rng.normal(0.3, 2.0, 400), 400) for _ in range(2000)]
    values, errors = np.array([one.value for one in found]), np.array([one.se for one in found])
    assert values.mean() == pytest.approx(0.15, abs=0.005)
    assert values.std() == pytest.approx(errors.mean(), rel=0.05)
    assert dprime(np.array([1.0, 3.0]), 2).value == pytest.approx(2 / np.sqrt(2))
    assert dprime(np.array([1.0, 3.0, 1.0, 3.0]), 2).se == pytest.approx(
        dprime(np.array([1.0, 3.0, 1.0, 3.0]), 8).se * 2
    )
    for useless in (np.empty(0), np.ones(1), np.ones(5)):
        assert math.isnan(dprime(useless, len(useless)).value)

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.stats import poisson

from benchmarks.dwell import DWELLS, FILTERS, measure, posteriors
from earmark.pipeline.attention.dwell import KNOWN_SHAPE, UNKNOWN, Dwell
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import DwellFilter, EvidenceConfig, MemorylessFilter, make_evidence
from earmark.pipeline.attention.smoothing import smoothed
from earmark.pipeline.evaluation.metrics import reliability

#: As of a listener with EEG: d' is 0.22 in one second.
WEAK = Emissions(0.10, 0.04, 0.2, 0.05, 300)
SHARP = Emissions(0.5, 0.1, 0.2, -0.1, 300)
SECONDS = {"hop_s": 1.0, "window_s": 1.0}
SCORES = Path(__file__).parents[3].parent / "shared" / "data" / "scores" / "kul_linear_sub01-08.npz"
seeds = st.integers(0, 1000)


def drawn(seed, attended, n_talkers, model=SHARP):
    rng = np.random.default_rng(seed)
    covariance = model.sd**2 * ((1 - model.correlation) * np.eye(n_talkers) + model.correlation)
    z = rng.multivariate_normal(np.full(n_talkers, model.ignored_mean), covariance, len(attended))
    z[np.arange(len(attended)), attended] += model.attended_mean - model.ignored_mean
    return np.tanh(z)


def dwelling(seed, n, n_talkers, law):
    """Who is attended at each second, with dwells of a law."""
    rng = np.random.default_rng(seed)
    found, talker, left = np.empty(n, int), 0, 0.0
    for t in range(n):
        while left <= 0:
            talker = (talker + rng.integers(1, n_talkers)) % n_talkers
            left += sum(rng.exponential(seconds) for seconds in law.stages_s)
        found[t], left = talker, left - 1
    return found


def probabilities(evidence, scores):
    return np.array([evidence.update(row).probability for row in scores])


def by_counting(shape, mean_s, n_talkers, seconds):
    """What :meth:`Dwell.advance` returns, from the number of stages that end in this time, which is Poisson."""
    n = n_talkers * shape
    found = np.zeros((n, n))
    for ended in range(200):
        chance = poisson.pmf(ended, shape / mean_s * seconds)
        for talker, stage in itertools.product(range(n_talkers), range(shape)):
            switches, now = divmod(stage + ended, shape)
            back = 1 / n_talkers + (1 - 1 / n_talkers) * (-1 / (n_talkers - 1)) ** switches
            for other in range(n_talkers):
                share = back if other == talker else (1 - back) / (n_talkers - 1)
                found[other * shape + now, talker * shape + stage] += chance * share
    return found


# Law


@pytest.mark.parametrize("n_talkers", [2, 3, 8])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 1.0, 45.0])
def test_a_known_dwell_is_gamma(n_talkers, seconds):
    law = Dwell.known(60.0)
    assert law.mean_s == pytest.approx(60, rel=1e-12)
    expected = by_counting(KNOWN_SHAPE, 60.0, n_talkers, seconds)
    np.testing.assert_allclose(law.advance(n_talkers, seconds), expected, rtol=0, atol=1e-13)


@given(st.lists(st.floats(0.1, 200), min_size=1, max_size=5), st.integers(2, 5), st.floats(0, 200))
@settings(max_examples=30, deadline=None)
def test_advancing_equals_the_matrix_exponential(stages, n_talkers, seconds):
    n, rates = len(stages), 1 / np.array(stages)
    generator = np.zeros((n_talkers, n, n_talkers, n))
    for talker, stage in itertools.product(range(n_talkers), range(n)):
        generator[talker, stage, talker, stage] = -rates[stage]
        if stage < n - 1:
            generator[talker, stage + 1, talker, stage] = rates[stage]
        else:
            generator[np.arange(n_talkers) != talker, 0, talker, stage] = rates[stage] / (n_talkers - 1)
    expected = expm(generator.reshape(n_talkers * n, -1) * seconds)
    np.testing.assert_allclose(Dwell(tuple(stages)).advance(n_talkers, seconds), expected, rtol=0, atol=1e-12)


def test_tiny_probabilities_are_accurate():
    """In 0.5 s hardly anybody passes seven stages, but some scores would make even that count."""
    found = Dwell.known(60.0).advance(2, 0.5)
    expected = by_counting(4, 60.0, 2, 0.5)
    assert 0 < found.min() < 1e-12
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(st.lists(st.floats(0.1, 200), min_size=1, max_size=5), st.integers(2, 8), st.floats(0, 1e6), st.floats(0, 100))
@settings(max_examples=50, deadline=None)
def test_time_advances_alike_in_any_parts_and_forgets_in_the_end(stages, n_talkers, first, second):
    law = Dwell(tuple(stages))
    whole = law.advance(n_talkers, first + second)
    assert (whole >= 0).all()
    np.testing.assert_allclose(whole.sum(axis=0), 1, rtol=1e-9)
    np.testing.assert_allclose(law.advance(n_talkers, second) @ law.advance(n_talkers, first), whole, atol=1e-9)
    rest = law.at_rest(n_talkers).ravel()
    assert rest.sum() == pytest.approx(1)
    np.testing.assert_allclose(whole @ rest, rest, rtol=0, atol=1e-9)
    long = law.advance(n_talkers, 1e9)
    np.testing.assert_allclose(long, np.tile(rest[:, None], len(rest)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("stages", [(), (1.0, 0.0), (1.0, math.nan), (math.inf,)])
def test_stages_that_cannot_be_are_refused(stages):
    with pytest.raises(ValueError, match="stages are"):
        Dwell(stages)


def test_key_of_the_configuration_chooses_law_and_filter():
    plain, told, rate = EvidenceConfig(), EvidenceConfig(expected_dwell_s=40.0), EvidenceConfig(switch_rate=0.05)
    assert plain.dwell == UNKNOWN
    assert told.dwell == Dwell((10.0,) * 4)
    assert rate.dwell == Dwell((20.0,))
    assert [type(make_evidence(one, WEAK)) for one in (plain, told, rate)] == [
        DwellFilter,
        DwellFilter,
        MemorylessFilter,
    ]
    with pytest.raises(ValueError, match="needs a switch_rate"):
        MemorylessFilter(plain, WEAK)


# Filter


@pytest.mark.parametrize(("n_talkers", "n"), [(2, 4), (3, 3)])
@pytest.mark.parametrize("lag", [0, 1, 2, 9])
@pytest.mark.parametrize("missing", [False, True])
def test_posterior_equals_the_sum_over_all_histories(n_talkers, n, lag, missing):
    """With no lag it is that of the filter; with more, each hop is judged by the scores of ``lag`` hops more."""
    config = EvidenceConfig(n_talkers, 0.5, 2.0, expected_dwell_s=6.0)
    scores = drawn(7, np.arange(n) % n_talkers, n_talkers)
    if missing:
        scores[1] = np.nan
    step = by_counting(KNOWN_SHAPE, 6.0, n_talkers, 0.5)
    likelihood = [np.exp(0.25 * SHARP.log_likelihood(row)) if np.isfinite(row).all() else None for row in scores]
    states = list(itertools.product(range(n_talkers), range(KNOWN_SHAPE)))
    found = smoothed(config, SHARP, scores, 0.5 * lag)
    for t in range(n):
        total, last = np.zeros(n_talkers), min(t + lag, n - 1)
        for path in itertools.product(range(len(states)), repeat=last + 1):
            weight = 1.0
            before = None
            for k, state in enumerate(path):
                # At rest, before and after the first hop, all states are equally likely.
                weight *= 1 / len(states) if before is None else step[state, before]
                if likelihood[k] is not None:
                    weight *= likelihood[k][states[state][0]]
                before = state
            total[states[path[t]][0]] += weight
        np.testing.assert_allclose(found[t], total / total.sum(), rtol=0, atol=1e-12)


@given(st.integers(2, 8), seeds, st.floats(0.01, 2), st.floats(1, 4), st.floats(1e-3, 1), st.floats(0, 50))
@settings(max_examples=50, deadline=None)
def test_one_stage_equals_the_filter_without_memory(n_talkers, seed, hop_s, overlap, rate, gap):
    config = EvidenceConfig(n_talkers, hop_s, overlap * hop_s, rate, cap=60.0)
    with_stages, memoryless = DwellFilter(config, SHARP), MemorylessFilter(config, SHARP)
    for t, row in enumerate(drawn(seed, np.arange(20) // 7 % n_talkers, n_talkers)):
        if t == 10:
            with_stages.gap(gap), memoryless.gap(gap)
        found, expected = with_stages.update(row), memoryless.update(row)
        np.testing.assert_allclose(found.probability, expected.probability, rtol=0, atol=1e-9)
        assert found.talker == expected.talker


@given(st.integers(2, 5), seeds, st.lists(st.floats(0, 3), min_size=10, max_size=10))
@settings(max_examples=30, deadline=None)
def test_posterior_does_not_depend_on_how_time_is_cut_into_hops(n_talkers, seed, pauses):
    """Scores at the same times, of windows that do not overlap, whether a hop is 1 s, or less after a gap."""
    scores = drawn(seed, np.zeros(10, int), n_talkers)
    coarse, fine = (DwellFilter(EvidenceConfig(n_talkers, hop_s, hop_s), SHARP) for hop_s in (1.0, 0.125))
    for row, pause in zip(scores, pauses, strict=True):
        coarse.gap(pause), fine.gap(pause + 0.5), fine.gap(0.25), fine.gap(0.125)
        expected, found = coarse.update(row), fine.update(row)
        np.testing.assert_allclose(found.probability, expected.probability, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_talkers", [2, 3, 8])
@pytest.mark.parametrize("hop_s", [1e-3, 0.5])
def test_extreme_scores_leave_finite_probabilities(n_talkers, hop_s):
    certain = Emissions(2.0, -2.0, 1e-3, 0.0, 300)
    evidence = DwellFilter(EvidenceConfig(n_talkers, hop_s, hop_s), certain)
    for talker in (0, 1, 0, 0, n_talkers - 1, 0):
        scores = np.full(n_talkers, -1.0)
        scores[talker] = 1.0
        found = evidence.update(scores)
        assert found.talker == talker
        assert found.probability.sum() == pytest.approx(1, abs=1e-12)
        assert np.isfinite(evidence.state()["stages"]).all()


@pytest.mark.parametrize("n_talkers", [2, 3])
def test_no_probability_exceeds_one(n_talkers):
    """Certain posteriors are rounded, and a calibration curve refuses more than 1."""
    config = EvidenceConfig(n_talkers, **SECONDS)
    certain = Emissions(0.9, 0.0, 0.03, 0.0, 100)
    scores = drawn(0, np.random.default_rng(0).integers(0, n_talkers, 300).repeat(5), n_talkers, certain)
    live, later = probabilities(DwellFilter(config, certain), scores), smoothed(config, certain, scores)
    assert max(live.max(), later.max()) == 1.0


def test_just_after_a_switch_attention_hardly_switches_back():
    """The same evidence for a switch is worth less where the listener has just switched."""

    def after(seconds):
        evidence = DwellFilter(EvidenceConfig(**SECONDS), SHARP)
        for talker in [0] * 30 + [1] * seconds:
            evidence.update(np.tanh(np.where(np.arange(2) == talker, 0.5, 0.1)))
        return evidence.gap(5.0).probability[0]

    chance = [after(seconds) for seconds in (4, 10, 30)]
    assert chance == sorted(chance)
    assert chance[2] > 2 * chance[0]


def test_certainty_that_steering_and_decision_need_is_reached_without_a_cap():
    """A configuration may ask for more certainty than the cap of the filter without memory allows."""
    scores = np.tanh([WEAK.attended_mean + 0.5, WEAK.ignored_mean])
    evidence = make_evidence(EvidenceConfig(enter=0.95, **SECONDS), WEAK)
    found = [evidence.update(scores) for _ in range(60)]
    assert max(one.confidence for one in found) > 0.97
    assert found[-1].talker == 0


@pytest.mark.parametrize("n_talkers", [2, 3, 4])
def test_posterior_is_calibrated_where_the_law_is_right_and_not_where_it_is_wrong(n_talkers):
    n = 12000
    attended = dwelling(3, n, n_talkers, UNKNOWN)
    scores = drawn(4, attended, n_talkers, replace(WEAK, attended_mean=0.16))
    model = Emissions.fit(scores[:2000], attended[:2000])

    def ece(**law):
        evidence = make_evidence(EvidenceConfig(n_talkers, **SECONDS, **law), model)
        return reliability(probabilities(evidence, scores)[2000:], attended[2000:]).ece

    right = ece()
    assert right < 0.025
    assert ece(expected_dwell_s=400.0) > max(0.04, 2 * right)


def test_posterior_of_overlapping_windows_is_calibrated():
    """As in a live session: windows of 2 s, one every 0.5 s. Without temper, each score would count four times."""
    hop, window, n = 0.5, 2.0, 16000
    attended = dwelling(3, n, 2, Dwell(tuple(seconds / hop for seconds in UNKNOWN.stages_s)))
    rng = np.random.default_rng(1)
    z = rng.normal(0, 0.28, (n, 2))
    z[np.arange(n), attended] += 0.06
    scores = np.tanh(np.stack([np.convolve(one, np.full(4, 0.25), "valid") for one in z.T], axis=1))
    model = Emissions(0.06, 0.0, 0.14, 0.0, 1000)

    def ece(config):
        return reliability(probabilities(DwellFilter(config, model), scores), attended[3:]).ece

    assert ece(EvidenceConfig(2, hop, window)) < 0.03
    assert ece(EvidenceConfig(2, hop, hop)) > 0.1


# Smoothed posterior


def test_smoothed_posterior_is_more_often_right_and_still_calibrated():
    attended = dwelling(5, 6000, 2, UNKNOWN)
    scores = drawn(6, attended, 2, WEAK)
    config = EvidenceConfig(**SECONDS)
    right, ece = [], []
    for lag in (0.0, 2.0, 8.0):
        found = smoothed(config, WEAK, scores, lag)
        curve = reliability(found, attended)
        right.append(curve.share), ece.append(curve.ece)
    assert right[0] + 0.01 < right[1] < right[2] - 0.01
    assert max(ece) < 0.03
    live = probabilities(make_evidence(config, WEAK), scores)
    np.testing.assert_allclose(smoothed(config, WEAK, scores, 0.0), live, rtol=0, atol=1e-12)


def test_smoothed_posterior_depends_on_nothing_after_its_lag():
    config = EvidenceConfig(3, 0.5, 1.0)
    scores = drawn(8, np.arange(40) // 9 % 3, 3)
    changed = scores.copy()
    changed[30:] = changed[30:, ::-1]
    before, after = (smoothed(config, SHARP, one, 2.0) for one in (scores, changed))
    np.testing.assert_array_equal(before[:26], after[:26])
    assert not np.array_equal(before[26], after[26])


@pytest.mark.parametrize(
    ("shape", "lag", "match"),
    [((9, 3), 5.0, "shape"), ((9,), 5.0, "shape"), ((9, 2), -1.0, "lag"), ((9, 2), math.nan, "lag")],
)
def test_invalid_input_of_the_smoothing_is_rejected(shape, lag, match):
    with pytest.raises(ValueError, match=match):
        smoothed(EvidenceConfig(), WEAK, np.zeros(shape), lag)
    assert smoothed(EvidenceConfig(), WEAK, np.zeros((0, 2))).shape == (0, 2)


# Real scores of eight listeners, 72 min each; switches are simulated, emissions are those of the other seven


@pytest.fixture(scope="module")
def on_real_scores():
    if not SCORES.exists():
        pytest.skip(f"no decoder scores of real listeners at {SCORES}")
    with np.load(SCORES) as file:
        listeners = {key: file[key].astype(float) for key in file.files if file[key].ndim == 2}
    known = {}

    def figures(name, law):
        if (name, law) not in known:
            known[name, law] = measure(listeners, lambda e, s: posteriors(FILTERS[name], e, s), DWELLS[law], 2)
        return known[name, law]

    return figures


BEFORE, NOW, TOLD = "switch_rate 0.02 (before)", "default", "expected_dwell_s 60"


def test_switches_every_minute_are_followed_sooner_and_decisions_are_right_more_often(on_real_scores):
    before, now, told = (on_real_scores(name, "every 60 s") for name in (BEFORE, NOW, TOLD))
    assert now["steady"] > 82.9
    assert told["steady"] > 84.0
    assert now["median_s"] <= 8
    assert told["median_s"] <= 7
    assert max(now["ece"], told["ece"]) <= 0.02
    assert now["overall"] > before["overall"] + 2
    assert told["overall"] > now["overall"] + 2
    assert now["nll"] < before["nll"] - 0.02
    assert now["full"] > before["full"], "without a cap, certainty is reached as often"


@pytest.mark.parametrize(
    ("law", "gain"), [("every 90 s", 0.5), ("uniform 30-90 s", 1.0), ("exponential, mean 60 s", -1.0)]
)
def test_dwell_that_is_not_the_expected_one_costs_little(on_real_scores, law, gain):
    before, now = on_real_scores(BEFORE, law), on_real_scores(NOW, law)
    assert now["overall"] > before["overall"] + gain
    assert now["median_s"] <= before["median_s"]
    assert now["ece"] < 0.03

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_average import MovingAverage
from scipy.stats import multivariate_normal

from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import DwellFilter, EvidenceConfig, MemorylessFilter, make_evidence
from earmark.pipeline.evaluation.metrics import reliability, switch_latencies

MODEL = Emissions(0.13, 0.04, 0.3, 0.05, 300)
SHARP = Emissions(0.5, 0.1, 0.2, -0.1, 300)
SCORES = Path(__file__).parents[3].parent / "shared" / "data" / "scores" / "kul_linear_sub01-08.npz"


def drawn(seed, n, n_talkers, model=SHARP, attended=None):
    """Scores of a model, and who was attended."""
    rng = np.random.default_rng(seed)
    if attended is None:
        attended = rng.integers(n_talkers, size=n)
    covariance = model.sd**2 * ((1 - model.correlation) * np.eye(n_talkers) + model.correlation)
    z = rng.multivariate_normal(np.full(n_talkers, model.ignored_mean), covariance, n)
    z[np.arange(n), attended] += model.attended_mean - model.ignored_mean
    return np.tanh(z), attended


def probabilities(evidence, scores):
    return np.array([evidence.update(row).probability for row in scores])


def makers(n_talkers, **config):
    config = EvidenceConfig(n_talkers=n_talkers, **config)
    memoryless = replace(config, switch_rate=0.02)
    return [
        lambda: MemorylessFilter(memoryless, SHARP),
        lambda: MovingAverage(config, SHARP, 4.0),
        lambda: DwellFilter(config, SHARP),
    ]


kinds = pytest.mark.parametrize("kind", [0, 1, 2], ids=["memoryless", "average", "dwell"])


# Emissions


@pytest.mark.parametrize(
    ("n_talkers", "correlation"), [(2, -0.1), (3, -0.1), (4, -0.1), (5, -0.1), (8, -0.1), (4, -0.33)]
)
def test_log_likelihood_equals_scipy(n_talkers, correlation):
    model = replace(SHARP, correlation=correlation)
    scores, _ = drawn(0, 20, n_talkers, model)
    covariance = model.sd**2 * ((1 - correlation) * np.eye(n_talkers) + correlation)
    for row in scores:
        expected = []
        for talker in range(n_talkers):
            mean = np.full(n_talkers, model.ignored_mean)
            mean[talker] = model.attended_mean
            expected.append(multivariate_normal.logpdf(np.arctanh(row), mean, covariance))
        np.testing.assert_allclose(model.log_likelihood(row), expected, rtol=1e-9)


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("correlation", [-0.3, -0.2, 0.5])
def test_variance_of_differences_is_independent_of_the_number_of_talkers(n_talkers, correlation):
    model = replace(SHARP, correlation=correlation)
    scores = np.tanh(np.linspace(model.ignored_mean, model.attended_mean, n_talkers))
    found = model.log_likelihood(scores)
    assert np.isfinite(found).all(), "eight cannot all go against each other by 0.3"
    z, step = np.arctanh(scores), model.attended_mean - model.ignored_mean
    evidence = step * (z - z[0]) / (model.sd**2 * (1 - correlation))
    np.testing.assert_allclose(found - found[0], evidence, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_fit_recovers_the_model(n_talkers):
    scores, attended = drawn(1, 20000, n_talkers)
    found = Emissions.fit(scores, attended)
    assert found.n_windows == 20000
    for key, tolerance in (("attended_mean", 0.005), ("ignored_mean", 0.005), ("sd", 0.003), ("correlation", 0.03)):
        assert getattr(found, key) == pytest.approx(getattr(SHARP, key), abs=tolerance), key


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=4), st.integers(0, 3), st.floats(0, 1))
def test_higher_score_is_never_evidence_against_its_talker(scores, talker, more):
    before = np.array(scores)
    talker %= len(before)
    after = before.copy()
    after[talker] = min(1, after[talker] + more)
    gain = MODEL.log_likelihood(after) - MODEL.log_likelihood(before)
    assert np.all(gain[talker] - gain >= -1e-12)


def test_evidence_of_perfect_correlations_is_bounded():
    worst = MODEL.log_likelihood(np.array([1.0, -1.0]))
    assert np.all(np.isfinite(worst))
    # 8 standard deviations and the difference of the means apart, no more.
    apart = MODEL.attended_mean - MODEL.ignored_mean
    expected = apart * (apart + 8 * MODEL.sd) / (MODEL.sd**2 * (1 - MODEL.correlation))
    assert worst[0] - worst[1] == pytest.approx(expected, rel=1e-12)
    scores, attended = drawn(2, 400, 2, MODEL)
    spoilt = scores.copy()
    spoilt[:4] = [1.0, -1.0]
    clean, found = Emissions.fit(scores, attended), Emissions.fit(spoilt, attended)
    assert abs(found.attended_mean - clean.attended_mean) < 0.02
    # As they are, they would add 0.18.
    assert abs(found.sd - clean.sd) < 0.03


def test_prior_has_the_weight_of_its_number_of_windows():
    scores, attended = drawn(3, 100, 2, MODEL)
    own, prior = Emissions.fit(scores, attended), replace(MODEL, attended_mean=0.3, n_windows=300.0)
    found = Emissions.fit(scores, attended, prior)
    assert found.attended_mean == pytest.approx(0.25 * own.attended_mean + 0.75 * 0.3, rel=1e-12)
    assert found.sd**2 == pytest.approx(0.25 * own.sd**2 + 0.75 * prior.sd**2, rel=1e-12)
    assert found.n_windows == 400


def test_weight_of_pooled_prior_depends_on_variance_across_listeners():
    # Listeners' differences of z have standard deviation 0.05, windows' 0.4: worth (0.4 / 0.05) ** 2 windows.
    rng = np.random.default_rng(4)
    sd = 0.4 / math.sqrt(2)
    listeners = []
    for seed in range(200):
        model = Emissions(0.3 + rng.normal(0, 0.05), 0.0, sd, 0.0, 1.0)
        listeners.append(Emissions.fit(*drawn(seed, 300, 2, model)))
    prior = Emissions.pool(listeners)
    assert prior.n_windows == pytest.approx(64, rel=0.35)
    assert prior.attended_mean == pytest.approx(0.3, abs=0.015)
    # All alike: nothing to be learnt from one that others do not know.
    same = [replace(MODEL, n_windows=500.0)] * 3
    assert Emissions.pool(same).n_windows == 1500
    with pytest.raises(ValueError, match="two listeners"):
        Emissions.pool([MODEL])


def test_listener_with_reversed_means_gives_no_evidence():
    scores, attended = drawn(5, 100, 2, SHARP)
    found = Emissions.fit(scores, 1 - attended)
    assert found.attended_mean == found.ignored_mean
    assert found.dprime == 0
    evidence = make_evidence(EvidenceConfig(), found)
    assert evidence.update(np.array([0.9, -0.9])).probability.tolist() == [0.5, 0.5]


def test_dprime_equals_that_of_the_difference():
    scores, attended = drawn(6, 50000, 2)
    z = np.arctanh(scores)
    rows = np.arange(len(z))
    difference = z[rows, attended] - z[rows, 1 - attended]
    assert SHARP.dprime == pytest.approx(difference.mean() / difference.std(), rel=0.02)


def test_emissions_survive_a_round_trip_through_a_dict():
    kept = MODEL.to_dict()
    assert Emissions.from_dict(json.loads(json.dumps(kept))) == MODEL
    assert all(type(value) is float for value in kept.values())
    with pytest.raises(ValueError, match=r"missing \['sd'\], keys unknown \['std'\]"):
        Emissions.from_dict({("std" if key == "sd" else key): value for key, value in kept.items()})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sd": 0.0}, "sd is 0.0"),
        ({"sd": math.nan}, "sd is nan"),
        ({"attended_mean": -1.0}, "wrong way"),
        ({"correlation": 1.0}, "correlation is 1.0"),
        ({"n_windows": 0.0}, "n_windows is 0.0"),
    ],
)
def test_invalid_emissions_are_rejected(change, match):
    with pytest.raises(ValueError, match=match):
        replace(MODEL, **change)


@pytest.mark.parametrize(
    ("scores", "attended", "match"),
    [
        (np.full((20, 2), np.nan), np.zeros(20, int), "NaN"),
        (np.full((20, 2), 1.5), np.zeros(20, int), "between -1 and 1"),
        (np.zeros((20, 9)), np.zeros(20, int), "2 to 8 talkers"),
        (np.zeros(20), np.zeros(20, int), "2 to 8 talkers"),
        (np.zeros((20, 2)), np.zeros(19, int), "attended"),
        (np.zeros((20, 2)), np.zeros(20), "integers"),
        (np.zeros((20, 2)), np.full(20, 2), "from 0 to 1"),
        (np.zeros((20, 2)), np.full(20, -1), "from 0 to 1"),
        (np.zeros((5, 2)), np.zeros(5, int), "too few"),
        (np.zeros((20, 2)), np.zeros(20, int), "do not vary"),
    ],
)
def test_fit_to_invalid_scores_is_rejected(scores, attended, match):
    with pytest.raises(ValueError, match=match):
        Emissions.fit(scores, attended)


# Filter and moving average


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("window_s", [0.5, 2.0])
def test_filter_equals_the_sum_over_all_state_sequences(n_talkers, window_s):
    hop, rate, n = 0.5, 0.1, {2: 9, 3: 6, 4: 5, 5: 4, 8: 3}[n_talkers]
    scores, _ = drawn(7, n, n_talkers)
    config = EvidenceConfig(n_talkers, hop, window_s, switch_rate=rate, cap=60.0)
    found = probabilities(MemorylessFilter(config, SHARP), scores)
    # Continuous-time chain: rate of each switch is rate / (n_talkers - 1).
    stay = 1 / n_talkers + (1 - 1 / n_talkers) * math.exp(-rate * hop * n_talkers / (n_talkers - 1))
    leave = (1 - stay) / (n_talkers - 1)
    likelihood = np.exp([SHARP.log_likelihood(row) for row in scores]) ** (hop / window_s)
    for stop in range(1, n + 1):
        total = np.zeros(n_talkers)
        for path in itertools.product(range(n_talkers), repeat=stop):
            weight = 1 / n_talkers
            for t, state in enumerate(path):
                weight *= likelihood[t, state]
                if t:
                    weight *= stay if state == path[t - 1] else leave
            total[path[-1]] += weight
        np.testing.assert_allclose(found[stop - 1], total / total.sum(), rtol=0, atol=1e-12)


def test_moving_average_equals_the_posterior_without_switches():
    scores, _ = drawn(8, 30, 3)
    found = probabilities(makers(3, window_s=2.0)[1](), scores)
    for t in range(30):
        recent = [SHARP.log_likelihood(row) for row in scores[max(0, t - 7) : t + 1]]
        weight = np.exp(0.25 * np.sum(recent, axis=0))
        np.testing.assert_allclose(found[t], weight / weight.sum(), rtol=0, atol=1e-12)
        mean = np.arctanh(scores[max(0, t - 7) : t + 1]).mean(axis=0)
        assert found[t].argmax() == mean.argmax()


@kinds
@given(st.integers(2, 8), st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_probabilities_sum_to_one_and_permute_with_the_talkers(kind, n_talkers, seed, random):
    order = list(range(n_talkers))
    random.shuffle(order)
    scores, _ = drawn(seed, 25, n_talkers)
    one, other = makers(n_talkers)[kind](), makers(n_talkers)[kind]()
    for t, row in enumerate(scores):
        if t == 12:
            one.gap(0.7), other.gap(0.7)
        a, b = one.update(row), other.update(row[order])
        assert a.probability.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(a.probability[order], b.probability, rtol=0, atol=1e-12)
        assert (a.talker is None) == (b.talker is None)
        assert a.talker is None or a.talker == order[b.talker]


@kinds
@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_probabilities_become_equal_without_evidence(kind, n_talkers):
    evidence = makers(n_talkers)[kind]()
    certain = evidence.update(np.array([0.9] + [-0.5] * (n_talkers - 1)))
    assert certain.talker == 0
    confidence = [certain.confidence] + [evidence.gap(seconds).confidence for seconds in (0.5, 3.0, 1e4)]
    assert np.all(np.diff(confidence) <= 0)
    last = evidence.gap(0.0)
    np.testing.assert_allclose(last.probability, 1 / n_talkers, atol=1e-12)
    assert last.talker is None


@kinds
@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_gap_equals_the_sum_of_its_parts(kind, n_talkers):
    whole, parts = makers(n_talkers)[kind](), makers(n_talkers)[kind]()
    for evidence in (whole, parts):
        for score in (0.9, 0.5, 0.2, 0.4):
            evidence.update(np.array([score] + [-0.5] * (n_talkers - 1)))
    for seconds in (0.3, 0.3, 0.1, 1.8):
        last = parts.gap(seconds)
    np.testing.assert_allclose(whole.gap(2.5).probability, last.probability, rtol=1e-12)


@kinds
@given(st.integers(1, 39), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_output_is_causal_and_restoring_does_not_change_it(kind, cut, seed):
    scores, _ = drawn(seed, 40, 3)
    make = makers(3)[kind]

    def step(evidence, row):
        found = evidence.update(row)
        # Not a whole number of hops.
        return evidence.gap(0.2) if row[0] > row[1] else found

    whole, first, before, after = (make() for _ in range(4))
    expected = [step(whole, row) for row in scores]
    for row, one in zip(scores[:cut], expected, strict=False):
        np.testing.assert_array_equal(step(first, row).probability, one.probability)
        step(before, row)
    kept = {key: value.copy() for key, value in before.state().items()}
    step(before, scores[0]), before.gap(5)
    after.restore(kept)
    for row, one in zip(scores[cut:], expected[cut:], strict=True):
        found = step(after, row)
        np.testing.assert_array_equal(found.probability, one.probability)
        assert found.talker == one.talker


def test_cap_limits_log_odds_and_keeps_the_order():
    evidence = MemorylessFilter(EvidenceConfig(n_talkers=3, switch_rate=0.02, cap=2.0), SHARP)
    for _ in range(50):
        found = evidence.update(np.array([0.9, 0.1, -0.4])).probability
    assert math.log(found[0] / (1 - found[0])) == pytest.approx(2.0, rel=1e-12)
    assert found[0] > found[1] > found[2] > 0


def test_decision_has_hysteresis():
    evidence = MemorylessFilter(EvidenceConfig(hop_s=1.0, enter=0.8, leave=0.6, switch_rate=0.05), SHARP)
    towards = np.array([0.32, 0.22])
    seen = [evidence.update(towards) for _ in range(20)]
    first = next(i for i, one in enumerate(seen) if one.talker == 0)
    assert seen[first].confidence >= 0.8 > seen[first - 1].confidence
    assert all(one.talker is None for one in seen[:first])
    falling = [evidence.gap(0.5) for _ in range(60)]
    for one in falling:
        assert one.talker == (0 if one.confidence >= 0.6 else None)
    assert falling[0].talker == 0
    assert falling[-1].talker is None
    # From one talker straight to the other when evidence is overwhelming.
    for _ in range(20):
        evidence.update(towards)
    assert evidence.update(np.array([-0.9, 0.95])).talker == 1


@kinds
def test_rejected_score_does_not_change_the_state(kind):
    one, other = makers(2)[kind](), makers(2)[kind]()
    good = np.array([0.3, 0.1])
    one.update(good), other.update(good)
    for bad in (np.array([np.nan, 0.1]), np.array([2.0, 0.1]), np.array([0.1, 0.1, 0.1])):
        with pytest.raises(ValueError, match="scores"):
            one.update(bad)
    np.testing.assert_array_equal(one.update(good).probability, other.update(good).probability)
    for seconds in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="gap"):
            one.gap(seconds)
    state = one.state()
    key = next(iter(state))
    with pytest.raises(ValueError, match=f"{key} has shape"):
        one.restore(state | {key: np.zeros(7)})


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"n_talkers": 1}, "n_talkers is 1"),
        ({"hop_s": 0.0}, "hop_s is 0.0"),
        ({"hop_s": 2.0}, "window_s is 1.0"),
        ({"switch_rate": math.nan}, "switch_rate is nan"),
        ({"cap": 0.0}, "cap is 0.0"),
        ({"enter": 0.5}, "enter is 0.5"),
        ({"leave": 0.3}, "leave is 0.3"),
        ({"enter": 0.95, "switch_rate": 0.02}, "never reach"),
        ({"expected_dwell_s": 0.0}, "expected_dwell_s is 0.0"),
        ({"expected_dwell_s": math.inf}, "expected_dwell_s is inf"),
        ({"expected_dwell_s": 60.0, "switch_rate": 0.02}, "leave out one"),
    ],
)
def test_invalid_settings_are_rejected(config, match):
    with pytest.raises(ValueError, match=match):
        EvidenceConfig(**config)


def test_moving_average_shorter_than_a_hop_is_rejected():
    with pytest.raises(ValueError, match=r"length_s is 0\.1"):
        MovingAverage(EvidenceConfig(), MODEL, 0.1)


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_posterior_is_calibrated_if_listeners_switch_as_modelled(n_talkers):
    rng = np.random.default_rng(9)
    n = 8000
    attended = np.cumsum(rng.integers(1, n_talkers, n) * (rng.random(n) < 0.02)) % n_talkers
    scores, _ = drawn(10, n, n_talkers, Emissions(0.25, 0.05, 0.3, 0.1, 1), attended)
    fitted = Emissions.fit(scores[:1000], attended[:1000])
    config = EvidenceConfig(n_talkers, hop_s=1.0, window_s=1.0, switch_rate=0.02, cap=8.0)
    found = probabilities(MemorylessFilter(config, fitted), scores[1000:])
    assert reliability(found, attended[1000:]).ece < 0.03


# Real scores of eight listeners, 72 min each, a switch simulated every 60 s

PERIOD = 60


@pytest.fixture(scope="module")
def listeners():
    if not SCORES.exists():
        pytest.skip(f"no decoder scores of real listeners at {SCORES}")
    with np.load(SCORES) as file:
        return {key: file[key].astype(float) for key in file.files if file[key].ndim == 2}


def from_others(listeners, name):
    return Emissions.pool(
        [Emissions.fit(scores, np.zeros(len(scores), int)) for other, scores in listeners.items() if other != name]
    )


def figures(listeners, make, skip=0):
    """Accuracy in the last 30 s before each switch, latencies, expected calibration error.

    Parameters
    ----------
    make : callable
        Evidence from the name of a listener.
    skip : int
        Seconds at the beginning that are not tested on.
    """
    posteriors, everyone, steady, latencies = [], [], [], []
    for name, scores in listeners.items():
        test = scores[skip:].copy()
        attended = np.arange(len(test)) // PERIOD % 2
        test[attended == 1] = test[attended == 1][:, ::-1]
        found = probabilities(make(name), test)
        right = found.argmax(axis=1) == attended
        steady.append(right.reshape(-1, PERIOD)[1:, 30:].mean())
        times = np.arange(1.0, len(test) + 1)
        # A score is there when its second is over: the one at the instant of a switch is about before.
        switches = list(times[PERIOD - 1 : -1 : PERIOD] + 1e-6)
        latencies.append(np.nan_to_num(switch_latencies(times, right, switches, 1.0), nan=np.inf))
        posteriors.append(found)
        everyone.append(attended)
    ece = reliability(np.concatenate(posteriors), np.concatenate(everyone)).ece
    return float(np.mean(steady)), np.concatenate(latencies), ece


def of_seconds(rate=0.02):
    return EvidenceConfig(hop_s=1.0, window_s=1.0, switch_rate=rate)


def test_accuracy_on_real_scores_with_emissions_of_other_listeners(listeners):
    emissions = {name: from_others(listeners, name) for name in listeners}
    steady, latency, ece = figures(listeners, lambda name: MemorylessFilter(of_seconds(), emissions[name]))
    assert steady >= 0.82
    assert np.median(latency) <= 10
    assert ece <= 0.05
    average = figures(listeners, lambda name: MovingAverage(of_seconds(), emissions[name], 22.0))
    # An average that is as often right takes longer to follow, and does not know how often it is right.
    assert average[0] == pytest.approx(steady, abs=0.005)
    assert np.median(average[1]) > np.median(latency)
    assert average[2] > 2 * ece


def test_accuracy_on_real_scores_with_emissions_of_the_first_minutes(listeners):
    emissions = {
        name: Emissions.fit(scores[:600], np.zeros(600, int), from_others(listeners, name))
        for name, scores in listeners.items()
    }
    steady, latency, ece = figures(listeners, lambda name: MemorylessFilter(of_seconds(), emissions[name]), skip=600)
    assert steady >= 0.81
    assert np.median(latency) <= 10
    assert ece <= 0.05


def test_switch_rate_trades_accuracy_for_speed_on_real_scores(listeners):
    emissions = {name: from_others(listeners, name) for name in listeners}
    quick = figures(listeners, lambda name: MemorylessFilter(of_seconds(0.05), emissions[name]))
    steady = figures(listeners, lambda name: MemorylessFilter(of_seconds(0.02), emissions[name]))
    assert quick[0] < steady[0]
    assert np.median(quick[1]) < np.median(steady[1])

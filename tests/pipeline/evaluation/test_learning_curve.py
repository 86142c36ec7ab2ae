"""Accuracy with the runs so far, and the gain from the last doubling of training data."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from planted import SMALL, planted
from scipy.special import ndtr

from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.evaluation.learning_curve import ONE_SIDED, LearningPoint, _gain, measure
from earmark.pipeline.evaluation.metrics import chance_limit
from earmark.pipeline.run import EvaluationError

MAKE = partial(LinearDecoder, SMALL, (0.3, 3.0), (0.0,))


def trials(n, noise, seconds=10.0, **how):
    return [planted(seed, seconds=seconds, noise=noise, attended=seed % 2, **how) for seed in range(n)]


@pytest.mark.parametrize("n_talkers", [2, 3])
def test_accuracy_is_that_of_leave_one_run_out(n_talkers):
    runs = trials(5, 6.0, n_talkers=n_talkers)
    found = measure(runs, MAKE, 2.0)
    wanted = evaluate(runs, MAKE, "leave-one-run-out", (2.0,), n_shifts=0)
    assert found.accuracy == pytest.approx(wanted.accuracy[2.0])
    assert found.n == wanted.n_windows[2.0]
    assert found.chance_limit == chance_limit(found.n, n_talkers)
    assert (found.n_runs, found.seconds) == (5, pytest.approx(50.0))


def test_accuracy_and_gain_follow_the_amount_of_data():
    """With many weights to learn, a few seconds are too few and some minutes are enough."""
    few, many = (measure(trials(n, 80.0, seconds, n_channels=24), MAKE, 2.0) for n, seconds in ((6, 6.0), (60, 30.0)))
    assert few.accuracy < many.accuracy
    assert few.gain > many.gain
    assert few.gain_limit > few.gain
    assert not few.enough
    assert many.enough


def test_chance_is_never_enough():
    runs = [replace(run, neural=np.random.default_rng(5).normal(size=run.neural.shape)) for run in trials(30, 1.0)]
    found = measure(runs, MAKE, 2.0)
    assert found.accuracy < found.chance_limit
    assert not found.enough
    assert abs(found.gain) < 0.1


@pytest.mark.parametrize(("n", "halved"), [(3, False), (4, False), (5, True)])
def test_gain_needs_enough_training_runs(n, halved):
    found = measure(trials(n, 2.0), MAKE, 2.0)
    assert np.isfinite(found.gain) == np.isfinite(found.gain_limit) == halved
    assert not LearningPoint(n, 1.0, 10, 0.9, 0.6, np.nan, np.nan).enough


def test_half_of_the_training_runs_has_both_talkers_of_an_alternating_protocol():
    seen = []

    class Spy(LinearDecoder):
        def fit(self, runs):
            seen.append([int(run.attended[0]) for run in runs])
            return super().fit(runs)

    measure(trials(12, 2.0), partial(Spy, SMALL, (1.0,), (0.0,)), 2.0)
    for whole, half in zip(seen[::2], seen[1::2], strict=True):
        assert abs(len(whole) - 2 * len(half)) <= 2
        assert set(half) == {0, 1}


def test_too_few_runs_or_windows_are_refused():
    with pytest.raises(EvaluationError, match="there are 2 runs, but at least 3"):
        measure(trials(2, 2.0), MAKE, 2.0)
    with pytest.raises(EvaluationError, match="no run holds a decision window of 20 s"):
        measure(trials(3, 2.0), MAKE, 20.0)


def test_limit_of_the_gain_is_exceeded_one_time_in_twenty():
    """Simulated scores of two decoders that are alike: the true gain is known."""
    rng, n, over = np.random.default_rng(1), 200, []
    true = ndtr(0.8) - ndtr(0.6)
    for _ in range(400):
        common, own = rng.normal(size=n), rng.normal(size=(2, n))
        ahead = np.array([0.8, 0.6])[:, None] + 0.9 * common + np.sqrt(1 - 0.81) * own
        scores = np.stack([ahead, np.zeros((2, n))], axis=-1) * 5 + 10  # larger than correlations: used as they are
        gain, limit = _gain(scores, np.zeros(n, np.int64), 1.0)
        over.append(true > limit)
        assert limit > gain
    assert 0.02 < np.mean(over) < 0.09
    half = _gain(scores, np.zeros(n, np.int64), 0.5)
    assert half == pytest.approx((2 * gain, 2 * limit))
    assert pytest.approx(1.645) == ONE_SIDED


def test_windows_without_score_do_not_count_for_the_gain():
    rng = np.random.default_rng(2)
    scores, attended = rng.normal(size=(2, 50, 2)) * 2, rng.integers(2, size=50)
    more = np.concatenate([scores, np.full((2, 1, 2), np.nan)], axis=1)
    assert _gain(more, np.append(attended, 0), 1.0) == _gain(scores, attended, 1.0)
    assert np.isnan(_gain(np.ones((2, 5, 2)) * 3, np.zeros(5, np.int64), 1.0)).all()

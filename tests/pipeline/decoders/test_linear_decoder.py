"""The linear decoder against direct solutions and simulated runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import SMALL, accuracy, planted
from scipy.signal import lfilter
from test_moments import plain

from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch
from earmark.pipeline.decoders.linear import LinearDecoder, leave_one_run_out, make_spec
from earmark.pipeline.decoders.moments import moments
from earmark.pipeline.decoders.ridge import Grid, Ridge, backward
from earmark.pipeline.run import Run


def direct(runs: list[Run], decoder: LinearDecoder, penalty: float) -> np.ndarray:
    """Ridge regression as a least-squares problem with extra rows, solved by QR without a covariance matrix."""
    pairs = [plain(run, decoder.spec) for run in runs]
    x, y = np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    n_channels = len(decoder.spec.ch_names)
    power = (x**2).mean(axis=0).reshape(-1, n_channels).mean(axis=0)
    scale = np.tile(power**-0.5, len(decoder.spec.lags))
    x = x * scale
    extra = np.sqrt(penalty * len(x)) * np.eye(x.shape[1])
    solution = np.linalg.lstsq(np.vstack([x, extra]), np.vstack([y, np.zeros((x.shape[1], y.shape[1]))]), rcond=None)
    return solution[0] * scale[:, None]


@pytest.mark.parametrize("penalty", [1e-3, 0.3, 30.0])
@pytest.mark.parametrize("preset", [SMALL, replace(SMALL, tmin=-0.0625, lag_step=2)])
@pytest.mark.parametrize("n_features", [1, 3])
def test_weights_equal_a_direct_solution(penalty, preset, n_features):
    runs = [planted(i, n_features=n_features, switch_every=7.0) for i in range(2)]
    decoder = LinearDecoder(preset, [penalty], [0.0]).fit(runs)
    wanted = direct(runs, decoder, penalty)
    np.testing.assert_allclose(decoder.weights, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


def test_all_principal_components_equal_plain_ridge():
    runs = [planted(i) for i in range(2)]
    a = LinearDecoder(SMALL, [0.3], [0.0]).fit(runs)
    b = LinearDecoder(replace(SMALL, variance=1.0), [0.3], [0.0]).fit(runs)
    np.testing.assert_allclose(a.weights, b.weights, rtol=0, atol=1e-10)
    few = LinearDecoder(replace(SMALL, variance=0.5), [0.3], [0.0]).fit(runs)
    assert np.linalg.norm(few.weights) < np.linalg.norm(a.weights)


def coloured(n: int, n_channels: int, response: np.ndarray) -> Run:
    """Noise that is coloured in time and space, and one source that responds to the talker."""
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(n_channels, n_channels)) * 1.5 ** -np.arange(n_channels)
    talker = rng.normal(size=n)
    noise = lfilter([1.0], [1.0, -0.9], rng.normal(size=(n, n_channels)), axis=0) @ mix.T
    answer = np.stack([lfilter(row, [1.0], talker) for row in response.T], axis=1)
    names = tuple(f"E{i}" for i in range(n_channels))
    return Run("a", "1", SMALL.sfreq, names, noise + answer, ("her",), talker[None, :, None], np.zeros(n, int), ("s",))


def test_shrinkage_improves_the_cross_covariance_of_few_samples():
    """The cross-covariance of few samples gets closer to that of many samples; shrinkage 0 changes nothing."""
    response = np.outer([0.0, 1.0, -0.5], np.linspace(1, -1, 6))
    many, few = coloured(200_000, 6, response), coloured(1_000, 6, response)
    spec = make_spec("linear", few, SMALL)
    (truth,) = Ridge(moments(many, spec).centred(), 6).shrunk([0.0])
    ridge = Ridge(moments(few, spec).centred(), 6)
    plain, kept, one = ridge.shrunk([0.0, 0.4, 0.99])
    centred = moments(few, spec).centred()
    np.testing.assert_array_equal(plain, centred.xy * (ridge.scale / centred.n)[:, None])
    assert np.linalg.matrix_rank(one.reshape(-1, 6)) == 1

    def alike(found: np.ndarray) -> float:
        return float(np.corrcoef(found.ravel(), truth.ravel())[0, 1])

    assert alike(kept) > alike(plain) + 0.05


def test_single_precision_changes_weights_by_less_than_a_thousandth():
    run = coloured(2_000, 6, np.ones((1, 6)))
    centred = moments(run, make_spec("linear", run, SMALL)).centred()
    exact, single = (backward(centred, 6, Grid((0.0, 0.7), (0.1, 5.0), (0.0, 0.4), one)) for one in (False, True))
    size = np.linalg.norm(exact, axis=-2)
    assert 0 < (np.linalg.norm(single - exact, axis=-2) / size).max() < 1e-3


def test_separable_covariance_is_topography_times_time_course():
    """At 1 it is exactly one time course times one topography; separable noise is estimated more accurately."""
    run = coloured(100, 6, np.zeros((1, 6)))
    spec = make_spec("linear", run, SMALL)
    few, many = moments(run, spec).centred(), moments(coloured(200_000, 6, np.zeros((1, 6))), spec).centred()
    scale = Ridge(few, 6).scale

    def error(separable: float) -> float:
        (inverse,) = Ridge(few, 6).solve(np.eye(len(few.x)), [0.01], separable)
        wanted = np.linalg.inv(many.xx * scale * scale[:, None] / many.n + 0.01 * np.eye(len(few.x)))
        return float(np.linalg.norm(inverse - wanted) / np.linalg.norm(wanted))

    blocks = (few.xx * scale * scale[:, None] / few.n).reshape(len(few.x) // 6, 6, -1, 6)
    time, space = np.trace(blocks, axis1=1, axis2=3) / 6, np.trace(blocks, axis1=0, axis2=2) / len(blocks)
    (whole,) = Ridge(few, 6).solve(np.eye(len(few.x)), [0.1], 1.0)
    np.testing.assert_allclose(whole, np.linalg.inv(np.kron(time, space) + 0.1 * np.eye(len(few.x))), atol=1e-9)
    assert error(0.5) < 0.8 * error(0.0)


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_recovers_the_attended_talker_of_simulated_runs(n_talkers):
    runs = [planted(i, n_talkers, switch_every=11.0) for i in range(3)]
    decoder = LinearDecoder(SMALL).fit(runs)
    assert accuracy(decoder, planted(9, n_talkers, attended=n_talkers - 1)) > 0.95


def test_shuffled_labels_give_chance_accuracy():
    right = []
    for seed in range(6):
        runs = [planted(100 * seed + i, seconds=60, switch_every=4.0) for i in range(4)]
        rng = np.random.default_rng(seed)
        for run in runs:
            # Draw the attended talker of each segment of four seconds at random.
            run.attended[:] = np.repeat(rng.integers(0, 2, 15), 128)
        for decoder, run in zip(leave_one_run_out(LinearDecoder(SMALL), runs), runs, strict=True):
            right.append(accuracy(decoder, run))
    assert 0.4 < np.mean(right) < 0.6  # 4 sd of the mean of 720 fair coin tosses is 0.075


def test_held_out_runs_do_not_affect_the_fit():
    runs = [planted(i) for i in range(4)]
    wanted = LinearDecoder(SMALL).fit(runs[1:])
    found = leave_one_run_out(LinearDecoder(SMALL), runs)[0]
    assert found.chosen.penalty == wanted.chosen.penalty
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-9)
    other = [replace(runs[0], neural=1e6 * runs[0].neural[::-1], talkers=-runs[0].talkers), *runs[1:]]
    again = leave_one_run_out(LinearDecoder(SMALL), other)[0]
    assert np.array_equal(found.weights, again.weights)
    assert found.chosen == again.chosen


def test_runs_that_are_not_finite_are_rejected():
    runs = [planted(i) for i in range(3)]
    runs[1].neural[50, 2] = np.nan
    with pytest.raises(DecoderError, match="run 1"):
        LinearDecoder(SMALL).fit(runs)
    # As the run that is tested on, it can spoil nothing but its own scores.
    assert np.isfinite(LinearDecoder(SMALL).fit([runs[0], runs[2]]).weights).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(80, 200))
def test_future_samples_do_not_change_past_scores(seed, cut):
    decoder, run = LinearDecoder(SMALL, [1.0], [0.2]).fit([planted(1)]), planted(2)
    changed = run.neural.copy()
    changed[cut:] = np.random.default_rng(seed).normal(size=changed[cut:].shape)
    before, after = decoder.project_neural(run.neural), decoder.project_neural(changed)
    n = cut - decoder.spec.reach
    assert np.array_equal(before[:n], after[:n])
    assert not np.array_equal(before[n], after[n])


def test_update_equals_fitting_to_all_runs():
    runs = [planted(i) for i in range(3)]
    settings_ = SMALL, [0.3], [0.2]
    step_by_step = LinearDecoder(*settings_).fit(runs[:2]).update(runs[2])
    np.testing.assert_allclose(step_by_step.weights, LinearDecoder(*settings_).fit(runs).weights, rtol=1e-9, atol=1e-12)
    forgot = LinearDecoder(*settings_).fit(runs[:2]).update(runs[2], forgetting=0.0)
    np.testing.assert_allclose(forgot.weights, LinearDecoder(*settings_).fit(runs[2:]).weights, rtol=1e-9, atol=1e-12)
    with pytest.raises(DecoderError, match="0 to 1"):
        forgot.update(runs[0], 1.5)


def test_units_and_order_of_channels_do_not_change_scores():
    runs = [planted(i) for i in range(3)]
    volts = [replace(run, neural=run.neural * 1e-6) for run in runs]
    a, b = LinearDecoder(SMALL).fit(runs), LinearDecoder(SMALL).fit(volts)
    assert a.chosen.penalty == b.chosen.penalty
    np.testing.assert_allclose(a.weights, b.weights * 1e-6, rtol=1e-6)


def test_dead_channel_is_left_out():
    runs = [planted(i) for i in range(3)]
    for run in runs:
        run.neural[:, 2] = 0.0
    decoder = LinearDecoder(SMALL).fit(runs)
    assert not decoder.weights.reshape(-1, 6)[:, 2].any()
    assert accuracy(decoder, planted(9)) > 0.9


def test_silence_gives_zero_scores():
    decoder, run = LinearDecoder(SMALL).fit([planted(0), planted(1)]), planted(2)
    talkers = run.talkers[:, :100].copy()
    talkers[1] = 3.0
    assert decoder.score(run.neural[:100], talkers)[1] == 0.0
    assert not decoder.score(np.zeros((100, 6)), talkers).any()


@pytest.mark.parametrize(
    ("neural", "talkers", "words"),
    [
        ((100, 5), (2, 100, 1), ["5 channels instead of 6"]),
        ((100, 6), (2, 90, 3), ["3 features per talker instead of 1", "90 samples of the talkers for 100"]),
        ((4, 6), (2, 4, 1), ["4 samples, too few for lags that reach over 4"]),
        ((100,), (2, 100, 1), ["(100,)"]),
    ],
)
def test_error_lists_every_mismatch(neural, talkers, words):
    decoder = LinearDecoder(SMALL).fit([planted(0), planted(1)])
    with pytest.raises(DecoderMismatch) as error:
        decoder.score(np.zeros(neural), np.zeros(talkers))
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LinearDecoder(SMALL).fit([]), "no run"),
        (lambda: LinearDecoder(SMALL).fit([planted(0)]), "one run alone"),
        (lambda: LinearDecoder(SMALL, []), "one value"),
        (lambda: LinearDecoder(SMALL).fit([planted(0, sfreq=64.0)]), "64 Hz"),
        (lambda: LinearDecoder(SMALL, [0.0], [0.0]).fit([twin(planted(0))]), "too small"),
        (lambda: LinearDecoder(SMALL).fit([flat(planted(0)), flat(planted(1))]), "constant"),
        (lambda: leave_one_run_out(LinearDecoder(SMALL), [planted(0)]), "two runs"),
    ],
)
def test_data_that_cannot_be_learned_from_are_rejected(make, words):
    with pytest.raises(DecoderError, match=words):
        make()


def twin(run: Run) -> Run:
    run.neural[:, 1] = run.neural[:, 0]
    return run


def flat(run: Run) -> Run:
    run.neural[:] = 0
    return run

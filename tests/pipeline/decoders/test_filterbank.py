"""Filter bank: its bands, their weights, and that nothing but the training runs determines them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import SMALL, accuracy, planted
from scipy.signal import butter, sosfilt

from earmark.pipeline.decoders.decoder import DecoderError, correlate
from earmark.pipeline.decoders.discriminant import Separation, differences, fisher
from earmark.pipeline.decoders.filterbank import (
    BANDS,
    SHRINKAGE,
    FilterBankDecoder,
    band_moments,
    bank_spec,
    group_of,
    leave_one_run_out,
)
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.moments import total
from earmark.pipeline.run import Run

WIDE = replace(SMALL, sfreq=64.0, lag_step=2, tmax=0.25)


def banded(seed: int, low_hz: float, high_hz: float, seconds: float = 60.0, noise: float = 1.0) -> Run:
    """A run whose channels follow the attended talker in one band only; otherwise everything is white."""
    rng, same = np.random.default_rng(seed), np.random.default_rng(0)
    n, n_channels = round(seconds * WIDE.sfreq), 5
    talkers = rng.normal(size=(2, n, 1))
    heard = sosfilt(butter(4, (low_hz, high_hz), "bandpass", fs=WIDE.sfreq, output="sos"), talkers[0, :, 0])
    neural = noise * rng.normal(size=(n, n_channels))
    neural[6:] += heard[: n - 6, None] / heard.std() * same.normal(size=n_channels)
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    return Run(f"run {seed}", "banded", WIDE.sfreq, names, neural, ("a", "b"), talkers, np.zeros(n, np.int64),
               (f"{seed}-a", f"{seed}-b"))  # fmt: skip


@pytest.mark.parametrize(("low_hz", "high_hz", "band"), [(0.5, 1.6, 1), (2.5, 4.5, 2), (7.0, 12.0, 3)])
def test_band_that_speaks_gets_the_largest_weight(low_hz, high_hz, band):
    decoder = FilterBankDecoder(WIDE).fit([banded(seed, low_hz, high_hz, 240.0, 5.0) for seed in range(3)])
    assert int(np.argmax(decoder.shares[1:])) + 1 == band
    assert int(np.argmax(decoder.chosen.dprime[1:])) + 1 == band
    assert decoder.shares.sum() == pytest.approx(1)
    assert (decoder.shares >= 0).all()
    assert decoder.shares[3 if band == 1 else 1] < 0.4 * decoder.shares[band]


def test_bands_are_causal_butterworth_filters_of_both_sides():
    """A component of a talker is what SciPy's recursive filter gives, but for the end of its response."""
    decoder = FilterBankDecoder(WIDE).fit([banded(seed, 2, 5, 20) for seed in range(2)])
    spec = decoder.spec
    talkers = np.random.default_rng(5).normal(size=(2, 400, 1))
    found = decoder.project_talkers(talkers)
    assert found.shape == (2, 400 - spec.reach, len(BANDS))
    inside = slice(spec.ahead, 400 - spec.behind)
    np.testing.assert_array_equal(found[..., 0], talkers[:, inside, 0])
    for k, kind, hz in ((1, "lowpass", 2.0), (2, "bandpass", (2.0, 5.0)), (3, "highpass", 5.0)):
        wanted = sosfilt(butter(2, hz, kind, fs=64.0, output="sos"), talkers[..., 0], axis=1)[:, inside]
        assert np.abs(found[..., k] - wanted).max() < 0.05 * wanted.std()
    # The backward model and the filter can change places.
    neural = np.random.default_rng(6).normal(size=(400, 5))
    bands = FilterBankDecoder(WIDE).fit([banded(seed, 2, 5, 20) for seed in range(2)]).project_neural(neural)
    for k, kind, hz in ((1, "lowpass", 2.0), (3, "highpass", 5.0)):
        filtered = sosfilt(butter(2, hz, kind, fs=64.0, output="sos"), neural, axis=0)
        lags = range(0, 17, decoder.lag_steps[k])
        wanted = sum(
            np.roll(filtered, -lag, axis=0) @ decoder.weights[k][i * 5 : (i + 1) * 5] for i, lag in enumerate(lags)
        )[inside, 0]
        assert np.abs(bands[:, k] - wanted).max() < 0.02 * wanted.std()


def test_held_out_run_does_not_affect_the_fit_and_the_future_does_not_affect_the_past():
    runs = [planted(seed) for seed in range(4)]
    before = FilterBankDecoder(SMALL).fit(runs[:3])
    changed = replace(runs[3], neural=runs[3].neural * 100)
    np.testing.assert_array_equal(FilterBankDecoder(SMALL).fit(runs[:3]).shares, before.shares)
    assert accuracy(before, runs[3]) > 0.95
    later = runs[3].neural.copy()
    later[600:] = 1e3
    n = 600 - before.spec.reach
    np.testing.assert_array_equal(before.project_neural(later)[:n], before.project_neural(runs[3].neural)[:n])
    assert changed.neural.shape == runs[3].neural.shape


@pytest.mark.parametrize("n_runs", [3, 5, 6])
def test_leave_one_run_out_equals_fitting_without_the_run(n_runs):
    """Shared fits add up the same runs in another order, and are solved in single precision."""
    runs = [planted(seed, noise=4.0) for seed in range(n_runs)]
    whole, left_out = leave_one_run_out(SMALL, runs)
    alone = [FilterBankDecoder(SMALL).fit(runs[:i] + runs[i + 1 :]) for i in range(n_runs)]
    for one, wanted in zip([whole, *left_out], [FilterBankDecoder(SMALL).fit(runs), *alone], strict=True):
        np.testing.assert_allclose(one.shares, wanted.shares, rtol=1e-4)
        for band, as_wanted in zip(one.weights, wanted.weights, strict=True):
            np.testing.assert_allclose(band, as_wanted, atol=1e-4 * np.abs(as_wanted).max())
    assert np.abs(alone[0].weights[0] - alone[1].weights[0]).max() > 0.01 * np.abs(alone[0].weights[0]).max()


def test_leave_one_run_out_solves_each_selection_of_runs_once(monkeypatch):
    solved, fits = [], LinearDecoder.fits

    def spy(self, spec, sums):
        solved.append((spec.lag_step, float(sums.xx[0, 0])))
        return fits(self, spec, sums)

    monkeypatch.setattr(LinearDecoder, "fits", spy)
    leave_one_run_out(WIDE, [banded(seed, 2, 5, 20) for seed in range(5)])
    assert len(solved) == len(BANDS) * (10 + 3), "ten pairs of runs left out, and three single runs"
    assert len(set(solved)) == len(solved)


def test_shuffled_labels_give_chance_accuracy():
    right = []
    for seed in range(4):
        runs = [planted(100 * seed + i, seconds=60, switch_every=4.0) for i in range(4)]
        rng = np.random.default_rng(seed)
        for run in runs:
            run.attended[:] = np.repeat(rng.integers(0, 2, 15), 128)
        for i, run in enumerate(runs):
            right.append(accuracy(FilterBankDecoder(SMALL).fit(runs[:i] + runs[i + 1 :]), run))
    assert 0.38 < np.mean(right) < 0.62  # 4 sd of the mean of some 200 fair coin tosses is 0.14


@pytest.mark.parametrize("n_talkers", [2, 4])
def test_recovers_the_attended_talker_with_several_features(n_talkers):
    runs = [planted(i, n_talkers, switch_every=11.0, n_features=2) for i in range(3)]
    decoder = FilterBankDecoder(SMALL).fit(runs)
    assert accuracy(decoder, planted(9, n_talkers, attended=n_talkers - 1, n_features=2)) > 0.95
    assert decoder.components[:3] == ("all, feature 1", "all, feature 2", "below 2 Hz, feature 1")


def test_too_few_runs_and_impossible_presets_are_refused():
    with pytest.raises(DecoderError, match=r"1 of 2 runs have a known attended talker .* but two or more are needed"):
        FilterBankDecoder(SMALL).fit([planted(0), replace(planted(1), attended=np.full(1280, -1))])
    with pytest.raises(DecoderError, match=r"tmin is -0.125 s, but must be 0 or more"):
        FilterBankDecoder(replace(SMALL, tmin=-0.125))
    with pytest.raises(DecoderError, match=r"sfreq is 10 Hz, but must be above 10 Hz"):
        FilterBankDecoder(replace(SMALL, sfreq=10.0))


def test_no_window_is_no_score_and_short_runs_give_equal_weights():
    decoder = FilterBankDecoder(SMALL).fit([planted(i) for i in range(3)])
    assert decoder.combine(np.empty((2, 0, 4))).shape == (2, 0)
    short = FilterBankDecoder(SMALL).fit([planted(i, seconds=2.5) for i in range(3)])  # no window of 2 s fits
    np.testing.assert_array_equal(short.shares, np.full(4, 0.25))


def test_unknown_attention_may_hold_anything():
    """Samples of unknown attention may be missing; the rest is used."""
    runs = [planted(i) for i in range(3)]
    for run in runs:
        run.attended[:200] = -1
        run.neural[:150] = np.nan
    assert accuracy(FilterBankDecoder(SMALL).fit(runs), planted(9)) > 0.95


# Discriminant


def test_differences_are_those_of_single_windows():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(100, 3)), rng.normal(size=(3, 100, 3))
    attended = np.repeat([1, -1, 2], [50, 10, 45])
    found = differences(x, y, attended, 20, 10, centred=False)
    wanted = {1: [], 2: []}
    for start in range(0, 81, 10):
        inside = attended[start : start + 25]
        if (inside == inside[0]).all() and inside[0] >= 0:
            window = slice(start, start + 20)
            z = fisher(correlate(x[window], y[:, window], centred=False))
            for k in (1, 2):
                wanted[k].append(z[inside[0]] - z[(inside[0] + k) % 3])
    np.testing.assert_allclose(found, np.concatenate([wanted[1], wanted[2]]))


def test_single_talker_is_compared_with_its_own_speech_elsewhere():
    rng = np.random.default_rng(2)
    talker = rng.normal(size=(1, 400, 1))
    found = differences(talker[0] + rng.normal(size=(400, 1)), talker, np.zeros(400, np.int64), 40, 20)
    assert len(found) > 40
    assert 0.6 < found.mean() < 1.2  # the correlation is 0.7, and z is 0.88


def test_discriminant_weighs_by_mean_over_variance_and_drops_what_points_the_wrong_way():
    rng = np.random.default_rng(3)
    found = rng.normal([0.4, 0.2, -0.3, 0.4], [1, 1, 1, 2], size=(50_000, 4))
    measured = Separation.of(found)
    np.testing.assert_allclose(measured.dprime, [0.4, 0.2, -0.3, 0.2], atol=0.02)
    np.testing.assert_allclose(measured.discriminant(0.0), np.array([0.4, 0.2, 0, 0.1]) / 0.7, atol=0.02)
    assert measured.discriminant(SHRINKAGE)[3] > 0.15  # closer to equal weights
    for useless in (-np.abs(found), found[:9], found[:0], np.zeros((50, 4))):
        np.testing.assert_array_equal(Separation.of(useless).discriminant(0.3), np.full(4, 0.25))


# Group


def listener(subject: int, seconds: float = 40.0, n_runs: int = 3, noise: float = 40.0) -> list[Run]:
    """Runs of one of several listeners with similar topographies, in units of their own."""
    runs = [planted(100 * subject + i, seconds=seconds, noise=noise, n_channels=16) for i in range(n_runs)]
    unit = np.random.default_rng(subject).uniform(0.1, 10, 16)
    return [replace(run, neural=run.neural * unit, subject=f"{subject}") for run in runs]


def test_group_helps_after_a_short_calibration_and_does_not_harm_after_a_long_one():
    group = group_of([run for subject in (1, 2, 3, 4) for run in listener(subject)], SMALL)
    assert group.n_listeners == 4
    gains = {}
    for seconds in (6.0, 120.0):
        test = [run for subject in range(10, 16) for run in listener(subject, 60.0, 4)[3:]]
        scores = []
        for prior in (None, group):
            fitted = [FilterBankDecoder(SMALL, prior).fit(listener(subject, seconds)) for subject in range(10, 16)]
            scores.append(np.mean([accuracy(one, run) for one, run in zip(fitted, test, strict=True)]))
        gains[seconds] = scores[1] - scores[0]
        share = fitted[0].chosen.group_share
        assert share == pytest.approx(100 / (100 + 3 * (seconds - 0.125)), rel=0.05)
    assert gains[6.0] > 0.05
    assert gains[120.0] > -0.02


def test_group_does_not_depend_on_units_and_is_as_much_signal_as_it_is_worth():
    runs = [run for subject in (1, 2) for run in listener(subject)]
    other = [replace(run, neural=run.neural * 1000, talkers=run.talkers * 7) for run in runs]
    own = [total(band) for band in zip(*(band_moments(run, bank_spec(run, SMALL)) for run in listener(3)), strict=True)]
    a, b = (group_of(some, SMALL).prior(own, 32.0) for some in (runs, other))
    for one, same, mine in zip(a, b, own, strict=True):
        np.testing.assert_allclose(one.xx, same.xx, rtol=1e-9)
        np.testing.assert_allclose(one.xy, same.xy, rtol=1e-9)
        assert one.n == 3200
        centred = mine.centred()
        np.testing.assert_allclose(np.diag(one.xx) / one.n, np.diag(centred.xx) / centred.n, rtol=0.2)
        np.testing.assert_allclose(np.diag(one.yy) / one.n, np.diag(centred.yy) / centred.n, rtol=1e-9)


def test_group_of_other_channels_is_refused():
    group = group_of(listener(1), SMALL)
    runs = [replace(run, ch_names=(*run.ch_names[:-1], "X")) for run in listener(2)]
    with pytest.raises(DecoderError, match="does not have the channels of the group: without E16, with X"):
        FilterBankDecoder(SMALL, group).fit(runs)
    turned = [replace(run, ch_names=run.ch_names[::-1]) for run in listener(2)]
    with pytest.raises(DecoderError, match="they are in another order"):
        FilterBankDecoder(SMALL, group).fit(turned)

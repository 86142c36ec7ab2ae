from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Self

import numpy as np
import pytest
from listeners import SFREQ, Ridge, listen
from numpy.typing import NDArray
from scipy.stats import binom

from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.decoders.decoder import DecoderMismatch, correlate
from earmark.pipeline.decoders.filterbank import FilterBankDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.evaluation.fold import FoldWork
from earmark.pipeline.evaluation.metrics import mesd
from earmark.pipeline.evaluation.score_run import Projected, judge
from earmark.pipeline.evaluation.splits import PROTOCOLS, plan, time_halves, with_imposter
from earmark.pipeline.run import Run

LORO, LOSO, LOPEO, LOSEO = PROTOCOLS


def runs_of(n_subjects: int = 1, n_runs: int = 4, **how: object) -> list[Run]:
    return [listen(f"run-{r}", f"{s:02d}", **how) for s in range(n_subjects) for r in range(n_runs)]


def by_chance(accuracy: float, n: int, n_talkers: int = 2, alpha: float = 1e-4) -> bool:
    """True if the result is within the range that guessing gives with probability 0.9999."""
    low, high = binom.ppf([alpha / 2, 1 - alpha / 2], n, 1 / n_talkers)
    return low <= round(accuracy * n) <= high


# Folds


def test_each_protocol_separates_training_and_test_as_documented():
    stimuli = [("a", "b"), ("c", "d"), ("a", "e"), ("f", "g")]
    runs = [listen(f"run-{r}", s, seconds=2, stimuli=stimuli[r]) for s in ("01", "02") for r in range(4)]
    for protocol in PROTOCOLS:
        folds = plan(runs, protocol)
        tested = [i for fold in folds for i in fold.test]
        assert sorted(tested) == list(range(8))
        for fold in folds:
            assert not set(fold.train) & set(fold.test)
            for i in fold.test:
                for j in fold.train:
                    same = runs[i].subject == runs[j].subject
                    assert same == (protocol in (LORO, LOPEO))
                    assert protocol in (LORO, LOSO) or not set(runs[i].stimuli) & set(runs[j].stimuli)
    assert [fold.train for fold in plan(runs, LORO)][:2] == [(1, 2, 3), (0, 2, 3)]
    # Runs 0 and 2 share audio: neither may train for the other, and both learn from the rest.
    assert next((fold.train, fold.test) for fold in plan(runs, LOPEO)) == ((1, 3), (0, 2))
    assert [len(fold.test) for fold in plan(runs, LOSO)] == [4, 4]
    assert plan(runs, LOSEO)[0].train == (5, 7)


def test_parts_of_a_run_are_never_in_training_and_test():
    halves = [half for run in runs_of(1, 3, stimuli=("x", "y")) for half in time_halves(run)]
    for fold in plan(halves, LOPEO):
        (i,) = fold.test
        assert len(fold.train) == 2
        assert all(halves[j].stimuli != halves[i].stimuli for j in fold.train)
        assert all(halves[j].name.partition("[")[0] != halves[i].name.partition("[")[0] for j in fold.train)


def test_impossible_plans_are_rejected():
    with pytest.raises(ValueError, match="unknown protocol 'leave-all-in': choose from leave-one-run-out"):
        plan(runs_of(), "leave-all-in")
    with pytest.raises(ValueError, match="no run is left to train for 'run-0' of subject '00'"):
        plan(runs_of(1, 2), LOSO)
    with pytest.raises(ValueError, match="two runs of subject '00' are called 'run-0'"):
        plan(runs_of(1, 2) + runs_of(1, 1), LORO)
    with pytest.raises(ValueError, match="leave-one-paired-envelope-out: no run is left"):
        plan(runs_of(1, 2, stimuli=("x", "y")), LOPEO)


# Runs of one talker


def test_halves_are_separated_and_have_different_stimuli():
    run = listen("run-0", seconds=10)
    first, second = time_halves(run, guard=0.5)
    gap = len(run.neural) - len(first.neural) - len(second.neural)
    assert gap == round(0.5 * SFREQ)
    assert np.array_equal(first.neural, run.neural[: len(first.neural)])
    assert np.array_equal(second.talkers, run.talkers[:, -len(second.neural) :])
    assert not set(first.stimuli) & set(second.stimuli)


@pytest.mark.parametrize("seed", range(20))
def test_imposter_is_the_talker_at_another_time(seed):
    run = listen("run-0", seconds=6, n_talkers=1)
    pair = with_imposter(run, np.random.default_rng(seed))
    own, other = pair.talkers[..., 0]
    (shift,) = [k for k in range(len(own)) if np.array_equal(np.roll(own, k), other)]
    assert SFREQ <= shift <= len(own) - SFREQ
    edge = round(0.5 * SFREQ)
    left_out = set(range(edge)) | set(range(len(own) - edge, len(own))) | set(range(shift - edge, shift + edge))
    assert set(np.flatnonzero(pair.attended < 0)) == left_out
    assert pair.stimuli == run.stimuli * 2
    assert (run.attended == 0).all()


def test_imposter_needs_a_long_run_with_one_talker():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="too short for an imposter"):
        with_imposter(listen("run-0", seconds=2, n_talkers=1), rng)
    with pytest.raises(ValueError, match="has 2 talkers, but must have one"):
        with_imposter(listen("run-0"), rng)


# Scores


def test_window_correlations_equal_pearsons_r():
    rng = np.random.default_rng(0)
    neural, talkers = rng.normal(size=(3, 20, 2)), rng.normal(size=(2, 3, 20, 2))
    talkers[1, 2, :, 0], talkers[0, 1, :, 1] = 0.1, 0.0  # pauses
    found = correlate(neural, talkers)
    for w, k, c in np.ndindex(3, 2, 2):
        wanted = 0 if (w, k, c) in ((2, 1, 0), (1, 0, 1)) else np.corrcoef(neural[w, :, c], talkers[k, w, :, c])[0, 1]
        assert found[k, w, c] == pytest.approx(wanted)


def test_scores_equal_those_of_the_decoder_for_each_window():
    train, test = runs_of(1, 2, n_talkers=3)
    decoder = Ridge().fit([train])
    seen = Projected.of(decoder, test)
    starts, _, _ = seen.grid(32)
    scores, said, correlations = seen.score(decoder, starts, 32, np.random.default_rng(0))
    np.testing.assert_array_equal(correlations[..., 0], scores)
    for start, row, talker in zip(starts, scores, said, strict=True):
        part = test.part(start, start + 32 + decoder.spec.reach)
        assert row == pytest.approx(decoder.score(part.neural, part.talkers))
        assert talker == row.argmax()


def test_windows_without_one_attended_talker_are_left_out_and_counted():
    run = listen("run-0", "00", seconds=30.25, switch_s=7)
    attended = run.attended.copy()
    attended[16:20] = -1
    run = replace(run, attended=attended)
    found = evaluate([run, *runs_of(1, 3)[1:]], Ridge, LORO, [1, 5], min_shift=2)
    first = next(t for fold in found.folds for t in fold["test"] if t["run"] == "run-0")
    # Of 30 and 6 whole windows: 1 unknown at 1 s; switches at 7, 14, 21 and 28 s fall between windows of 1 s.
    assert first["n_windows"] == {1.0: 29, 5.0: 1}
    assert found.n_left_out == {1.0: {"unknown": 1, "switching": 0}, 5.0: {"unknown": 1, "switching": 4}}
    assert found.n_windows[1.0] == 29 + 2 * 59


def test_windows_start_where_attention_is_known():
    run = listen("run-0", seconds=20)
    attended = run.attended.copy()
    attended[:10] = -1
    decoder = Ridge().fit([run])
    starts, n_unknown, n_switching = Projected.of(decoder, replace(run, attended=attended)).grid(160)
    assert (starts.tolist(), n_unknown, n_switching) == ([10], 0, 0)
    nobody = replace(run, attended=np.full_like(attended, -1))
    assert Projected.of(decoder, nobody).grid(100)[1:] == (3, 0)


def test_scores_that_are_not_finite_count_as_wrong():
    good, bad = runs_of(1, 2)
    broken = replace(bad, neural=bad.neural.copy())
    broken.neural[100:120] = np.nan
    rng = np.random.default_rng
    decoder = Ridge().fit([good])
    before = judge(decoder, bad, [2.0], rng(0), 0, 5.0).windows[0]
    after = judge(decoder, broken, [2.0], rng(0), 0, 5.0).windows[0]
    assert after.n == before.n
    assert np.flatnonzero(after.said < 0).tolist() == [3]
    assert np.array_equal(np.delete(after.said, 3), np.delete(before.said, 3))


# What comes out


def test_working_decoder_is_above_chance():
    found = evaluate(runs_of(3), Ridge, LORO, [1, 2, 5, 10], seed=1)
    assert found.r_attended > 0.3 > abs(found.r_ignored) * 3
    accuracy = list(found.accuracy.values())
    assert accuracy == sorted(accuracy)
    for window in found.windows:
        assert found.accuracy[window] > found.chance_limit[window]
        assert by_chance(found.null_accuracy[window], found.n_windows[window])
        assert found.expected_accuracy[window] == pytest.approx(found.accuracy[window], abs=0.06)
        assert found.auc[window] >= found.accuracy[window] - 0.03
    assert found.n_windows == {1.0: 708, 2.0: 348, 5.0: 132, 10.0: 60}
    assert found.n_null[1.0] > 19 * found.n_windows[1.0] * 0.95
    assert found.mesd_s == np.median(
        [mesd(list(s.accuracy), list(s.accuracy.values())).seconds for s in found.subjects]
    )
    assert math.isnan(found.ece)
    assert math.isnan(found.switch_latency_s)
    assert np.std([s.accuracy[1.0] for s in found.subjects], ddof=1) == found.accuracy_sd[1.0]


def test_evaluation_with_four_talkers():
    found = evaluate(runs_of(1, n_talkers=4), Ridge, LOPEO, [5])
    assert found.accuracy[5.0] > 0.6
    assert found.chance_limit[5.0] < 0.5
    assert by_chance(found.null_accuracy[5.0], found.n_windows[5.0], 4)
    assert math.isnan(found.mesd_s)
    assert found.itr[5.0] > 0


def test_same_seed_repeats_bit_for_bit_and_others_differ():
    runs = runs_of(2)
    first, again, other = (evaluate(runs, Ridge, LORO, [1, 5], seed=seed).to_json() for seed in (3, 3, 4))
    assert json.dumps(first) == json.dumps(again)
    assert first["null_accuracy"] != other["null_accuracy"]
    assert first["accuracy"] == other["accuracy"]


def test_json_is_plain_and_unrounded():
    found = evaluate(runs_of(3, 2, seconds=20), Ridge, LOSO, [1, 30], evidence=EvidenceConfig())
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain == found.to_json()
    assert plain["accuracy"]["1.0"] == found.accuracy[1.0]
    assert plain["accuracy"]["30.0"] is None
    assert plain["n_windows"]["30.0"] == 0
    assert plain["r_attended"] == found.r_attended
    assert plain["ece"] == found.ece
    assert plain["reliability"]["ece"] == found.ece
    assert plain["protocol"] == LOSO
    assert {fold["decoder_window_s"] for fold in plain["folds"]} == {2.0}
    for key in ("r_ignored", "chance_limit", "null_accuracy", "mesd_s", "seed", "subjects", "n_left_out"):
        assert key in plain


def test_progress_is_reported():
    told = []
    evaluate(runs_of(1, 3, seconds=10), Ridge, LORO, [1], progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(sfreq=32.0), "sfreq is 32.0, not 16.0"),
        (dict(ch_names=("A", "B", "C", "D")), "ch_names is"),
        (dict(features="onsets"), "features is onsets, not envelope"),
    ],
)
def test_incompatible_runs_are_rejected(change, match):
    runs = runs_of()
    runs[2] = replace(runs[2], **change)
    with pytest.raises(ValueError, match=f"run 'run-2' of subject '00': {match}"):
        evaluate(runs, Ridge, LORO)


def test_other_invalid_input_is_rejected():
    with pytest.raises(ValueError, match="no runs"):
        evaluate([], Ridge, LORO)
    with pytest.raises(ValueError, match="one talker"):
        evaluate(runs_of(n_talkers=1), Ridge, LORO)
    with pytest.raises(ValueError, match="two samples or more"):
        evaluate(runs_of(), Ridge, LORO, [0.01])
    with pytest.raises(ValueError, match="evidence is for 3 talkers"):
        evaluate(runs_of(), Ridge, LORO, evidence=EvidenceConfig(n_talkers=3))
    with pytest.raises(ValueError, match="within the training runs, but leave-one-run-out: no run is left"):
        evaluate(runs_of(1, 2), Ridge, LORO, evidence=EvidenceConfig())
    wrong = [replace(run, features="onsets") for run in runs_of()]
    with pytest.raises(DecoderMismatch, match="onsets"):
        evaluate(wrong, Ridge, LORO)


# Evidence and switches


def test_posterior_is_calibrated_and_switches_are_followed():
    runs = runs_of(2, 3, seconds=180, switch_s=30, gain=0.3)
    found = evaluate(runs, Ridge, LORO, [1, 5], evidence=EvidenceConfig(), n_shifts=2)
    assert found.n_switches == 6 * 5
    assert found.n_followed > 20
    assert 1 < found.switch_latency_s < 15
    assert found.ece < 0.1
    assert found.reliability is not None
    assert sum(found.reliability.n) > 6 * 300
    assert found.posterior_accuracy == found.reliability.share > 0.8
    errors = 1 - found.posterior_accuracy, 1 - found.smoothed_accuracy
    assert errors[1] < errors[0] / 2, "the scores that follow are worth something"
    assert found.smoothed_ece < 0.1
    assert found.smoothing_s == 5
    without = evaluate(runs, Ridge, LORO, [1, 5], n_shifts=2)
    assert math.isnan(without.posterior_accuracy)
    assert math.isnan(without.smoothed_accuracy)
    assert without.accuracy == found.accuracy
    assert without.n_switches == 30
    # The decoder's window is 2 s: half of it has to be past before the new talker can win, and lags to come.
    assert 0.5 < without.switch_latency_s < found.switch_latency_s + 5


def test_emissions_do_not_use_the_test_run(monkeypatch):
    fitted = []
    monkeypatch.setattr(
        "earmark.pipeline.evaluation.fold.Emissions.fit",
        lambda *known: fitted.append(known) or Emissions(0.2, 0.0, 0.3, 0.0, 50.0),
    )
    runs = runs_of()
    evaluate(runs, Ridge, LORO, [1], evidence=EvidenceConfig())
    clean = list(fitted)
    fitted.clear()
    broken = [replace(runs[0], neural=np.full_like(runs[0].neural, np.nan)), *runs[1:]]
    with np.errstate(all="ignore"):
        evaluate(broken, Blind, LORO, [1], evidence=EvidenceConfig())
    assert len(clean) == 5  # one for each fold, and one of all held-out scores
    assert len(clean[0][0]) == 3 * 59
    fitted.clear()
    evaluate([replace(runs[0], neural=runs[0].neural * 1e6), *runs[1:]], Ridge, LORO, [1], evidence=EvidenceConfig())
    assert np.array_equal(clean[0][0], fitted[0][0])
    assert not np.array_equal(clean[1][0], fitted[1][0])


# Leaks


class Blind(Ridge):
    """Learns nothing and outputs unrelated noise."""

    def fit(self, runs: Sequence[Run]) -> Self:
        return self

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.random.default_rng(5).normal(size=(len(neural) - self.spec.behind, 1))


def remembering() -> tuple[list[Ridge], Callable[[], Ridge]]:
    made: list[Ridge] = []

    def make() -> Ridge:
        made.append(Ridge())
        return made[-1]

    return made, make


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("protocol", [LORO, LOSO, LOPEO])
def test_test_runs_do_not_affect_training(protocol, poison):
    runs = runs_of(2, 3, seconds=20)
    made, make = remembering()
    evaluate(runs, make, protocol, [1], n_shifts=1, min_shift=2)
    for index, fold in enumerate(plan(runs, protocol)):
        poisoned = list(runs)
        for i in fold.test:
            neural, talkers = (np.full_like(a, poison) for a in (runs[i].neural, runs[i].talkers))
            poisoned[i] = replace(runs[i], neural=neural, talkers=talkers, attended=1 - runs[i].attended)
        again, make_again = remembering()
        with np.errstate(all="ignore"):
            evaluate(poisoned, make_again, protocol, [1], n_shifts=1, min_shift=2)
        assert np.array_equal(again[index].weights, made[index].weights)


def test_decoder_that_modifies_its_input_has_no_effect():
    class Vandal(Ridge):
        def fit(self, runs: Sequence[Run]) -> Self:
            super().fit(runs)
            for run in runs:
                run.neural[:] = run.talkers[:] = 0
                run.attended[:] = 0
            return self

    runs = runs_of(1, 3, seconds=20)
    before = [run.neural.copy() for run in runs]
    assert evaluate(runs, Vandal, LORO, [1]).to_json() == evaluate(runs, Ridge, LORO, [1]).to_json()
    assert all(np.array_equal(a, run.neural) for a, run in zip(before, runs, strict=True))


class AlwaysFirst(Ridge):
    """Always chooses the first talker in the list."""

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.zeros(correlations.shape[:-1])
        scores[..., 0] = 1
        return scores


@pytest.mark.parametrize("n_talkers", [2, 3])
def test_position_in_the_list_is_not_a_cue(n_talkers):
    runs = [replace(run, attended=np.zeros_like(run.attended)) for run in runs_of(2, n_talkers=n_talkers)]
    found = evaluate(runs, AlwaysFirst, LORO, [1, 2])
    for window in found.windows:
        assert by_chance(found.accuracy[window], found.n_windows[window], n_talkers)
        assert abs(found.auc[window] - 0.5) < 0.1


class Memory(Ridge):
    """Recognises audio that was attended in training, and ignores the neural signal."""

    def fit(self, runs: Sequence[Run]) -> Self:
        self.known = [run.talkers[k] for run in runs for k in np.unique(run.attended)]
        return self

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.arange(len(neural) - self.spec.behind, dtype=float)[:, None] % 7

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        sign = [1 if any(np.array_equal(talker, one) for one in self.known) else -1 for talker in talkers]
        ramp = np.arange(talkers.shape[1] - self.spec.behind, dtype=float)[:, None] % 7
        return np.array(sign)[:, None, None] * ramp


def test_leaving_the_pair_out_exposes_a_decoder_that_recognises_audio():
    pairs = [("a", "b"), ("c", "d"), ("e", "f")]
    runs = [listen(f"run-{2 * i + j}", seconds=120, stimuli=pair) for i, pair in enumerate(pairs) for j in range(2)]
    runs = [replace(run, attended=np.zeros_like(run.attended)) for run in runs]
    leaky, honest = (evaluate(runs, Memory, protocol, [1, 2]) for protocol in (LORO, LOPEO))
    assert leaky.accuracy == {1.0: 1.0, 2.0: 1.0}
    assert all(set(fold["shared_stimuli"]) for fold in leaky.folds)
    assert not any(fold["shared_stimuli"] for fold in honest.folds)
    for window in honest.windows:
        assert by_chance(honest.accuracy[window], honest.n_windows[window])


class Fingerprint(Ridge):
    """Recognises a run by the offset of its channels, and the attended talker by the position in the list."""

    def fit(self, runs: Sequence[Run]) -> Self:
        self.offsets = np.array([run.neural.mean(axis=0) for run in runs])
        self.places = [int(run.attended[0]) for run in runs]
        return self

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        self.place = self.places[int(((self.offsets - neural.mean(axis=0)) ** 2).sum(axis=1).argmin())]
        return np.zeros((len(neural) - self.spec.behind, 1))

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.eye(correlations.shape[-2])[self.place] + correlations[..., 0]


def test_decoder_that_recognises_runs_is_at_chance():
    runs = []
    for i in range(6):
        run = listen(f"run-{i}", seconds=120)
        place = i // 3  # one block after the other
        runs.append(replace(run, neural=run.neural + 10 * place, attended=np.full_like(run.attended, place)))
    found = evaluate(runs, Fingerprint, LORO, [1, 2])
    for window in found.windows:
        assert by_chance(found.accuracy[window], found.n_windows[window])


def test_shuffled_labels_give_chance_accuracy():
    rng = np.random.default_rng(7)
    runs = [replace(run, attended=np.repeat(rng.integers(2, size=60), 16)) for run in runs_of(3)]
    found = evaluate(runs, Ridge, LORO, [1])
    assert by_chance(found.accuracy[1.0], found.n_windows[1.0])
    assert found.n_windows[1.0] == 708


def test_imposter_is_at_chance_without_neural_response():
    deaf = [listen(f"run-{i}", seconds=60, n_talkers=1, gain=0.0) for i in range(8)]
    rng = np.random.default_rng(8)
    runs = [with_imposter(half, rng) for run in deaf for half in time_halves(run)]
    found = evaluate(runs, Ridge, LOPEO, [1, 2], min_shift=2)
    for window in found.windows:
        assert by_chance(found.accuracy[window], found.n_windows[window])
        assert by_chance(found.null_accuracy[window], found.n_windows[window])


# The null


def test_shifts_are_long_and_never_align_a_talker_with_true_audio():
    period = 10 * round(SFREQ)
    run = listen("run-0", seconds=40)
    repeated = replace(run, talkers=np.tile(run.talkers[:, :period], (1, 4, 1)))
    decoder = Ridge().fit([run])
    # Rows end three samples early, so that only whole periods within the run can be met again.
    shifts = Projected.of(decoder, repeated).shifts(np.random.default_rng(0), 200, 5.0)
    n = len(run.neural) - 3
    assert len(shifts) == 200
    assert min(shifts) >= 5 * SFREQ
    assert max(shifts) <= n - 5 * SFREQ
    assert not any(shift % period == 0 or (shift + 3) % period == 0 for shift in shifts)
    assert Projected.of(decoder, run.part(0, 160)).shifts(np.random.default_rng(0), 5, 5.0) == []


def test_null_distribution_leaves_out_the_seam():
    run = listen("run-0", seconds=30)
    decoder = Ridge().fit([run])
    found = judge(decoder, run, [5.0], np.random.default_rng(0), 40, 5.0).windows[0]
    # 5 windows of 80 samples in 477 rows; a shift that is no multiple of 80 cuts one of them, unless past the last.
    assert 40 * 4 <= found.n_null < 40 * 5


def test_each_band_of_a_filter_bank_is_judged_alone():
    """d' of the whole score and of each band, from the scores and correlations of single windows."""
    runs = [replace(run, sfreq=SFREQ) for run in runs_of(2, 3)]
    found = evaluate(runs, partial(FilterBankDecoder, replace(EEG, sfreq=SFREQ, lag_step=1)), LORO, (1.0, 2.0))
    assert list(found.dprime_by_component) == ["all", "below 2 Hz", "2 to 5 Hz", "above 5 Hz"]
    for window in (1.0, 2.0):
        assert found.dprime[window] == np.mean([s.dprime[window].value for s in found.subjects])
        errors = [s.dprime[window].se for s in found.subjects]
        assert found.dprime_se[window] == pytest.approx(np.hypot(*errors) / 2)
    assert found.dprime[2.0] > found.dprime[1.0] > 0.5
    whole = found.dprime_by_component["all"]
    assert whole.value > 0.5
    assert 0 < whole.se < 0.3
    assert not evaluate(runs, Ridge, LORO, (1.0,)).dprime_by_component
    assert json.loads(json.dumps(found.to_json()))["dprime_by_component"]["all"] == {
        "value": whole.value,
        "se": whole.se,
    }


def test_emissions_are_those_of_a_cross_validation_within_the_runs():
    """The same as for the evidence of a fold whose training runs these are."""
    runs = runs_of(2, 4)
    found = evaluate(runs, Ridge, LORO, (2.0,))
    work = FoldWork(Ridge, LORO, (2.0,), 0, 0, 5.0, EvidenceConfig(hop_s=2.0, window_s=2.0))
    assert found.emissions == work.emissions(runs)
    assert evaluate(runs[:3], Ridge, LORO, (25.0,)).emissions is None  # too few windows


@pytest.mark.parametrize("n", [1, 3])
def test_run_that_ends_as_it_begins_has_no_window(n):
    """A cue just before the end of a recording makes such a run."""
    *train, run = runs_of(1, 4)
    decoder = FilterBankDecoder(replace(EEG, sfreq=SFREQ, lag_step=1)).fit(train)
    tiny = replace(run, neural=run.neural[:n], talkers=run.talkers[:, :n], attended=run.attended[:n])
    result = judge(decoder, tiny, (1.0, 2.0), np.random.default_rng(0), 3, 1.0)
    assert [len(one.said) for one in result.windows] == [0, 0]
    assert [(one.n_unknown, one.n_switching) for one in result.windows] == [(0, 0)] * 2

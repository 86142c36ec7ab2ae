"""Figures of small constructed runs, compared with values derived by hand (in the comments) or independently.

README.md in this folder lists possible mistakes in figures.py, and the test that catches each.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_lines import heard as heard_line

from earmark.app.engine.latency_stages import N_WAITING, STAGES, TOTAL
from earmark.app.engine.ledger import Ledger
from earmark.app.report.figures import (
    Cues,
    at_newest_sample,
    count_dropped,
    count_windows,
    covered,
    in_columns,
    latencies_of_switches,
    measure,
    sample,
    sometimes_masked,
    sound_counters,
    stage_latencies,
    steady_share,
    steady_tmr,
    tmr,
)
from earmark.devices.files.journal import DecisionLine, EventLine, HeardLine, PlacesLine, SoundCounters, SoundLine
from earmark.pipeline.stream import Decision

NOBODY = -1
SILENCE = -math.inf


def decision(
    at, *, talker=0, best=None, gains=(0.0, -12.0), newest=None, scores=None, scored=True, situation="steered"
):
    """Return a decision for one talker, who also has the highest score unless ``best`` names another."""
    n = len(gains)
    if scores is None:
        scores = np.where(np.arange(n) == (talker if best is None else best), 0.2, 0.1)
    scores = np.asarray(scores, float) if scored else np.full(n, np.nan)
    newest = (at if newest is None else newest) if scored else math.nan
    probability = np.full(n, 1 / n)
    return Decision(0, at, scores, probability, talker, np.array(gains, float), None, situation, newest)


def each(start, stop, step=0.5, **settings):
    """Return decisions at regular instants, from start to stop inclusive."""
    return [decision(float(at), **settings) for at in np.arange(start, stop + step / 2, step)]


def cues(*given):
    """Return cues from pairs of time and talker."""
    return Cues(np.array([at for at, _ in given], float), np.array([index for _, index in given], np.int64))


def columns(decisions, **settings):
    return in_columns(decisions, 0.0, **settings)


def windows(decisions, given, window_s=2.0, hop_s=0.5):
    return count_windows(columns(decisions), given, window_s, hop_s)


# Windows


def test_windows_do_not_overlap():
    # The first window of 2 s may end at 0 + 2 + 2 = 4 s. Of the windows that end at 4, 4.5, … 20 s, those at 4, 6, 8,
    # … 20 do not overlap: (20 - 4) / 2 + 1 = 9. The cued talker has the highest score until 11 s: 4, 6, 8, 10 count.
    run = [*each(0, 11), *each(11.5, 20, best=1)]
    assert windows(run, cues((0, 0))) == (9, 4)


def test_windows_begin_two_seconds_after_each_cue():
    # First cue: windows end at 4, 6, 8; the next one would end at 10, after the second cue at 9.
    # Second cue: the first window ends at 9 + 2 + 2 = 13, so 13, 15, 17, 19.
    assert windows([*each(0, 8.5), *each(9, 20, talker=1)], cues((0, 0), (9, 1))) == (3 + 4, 7)
    # One hop earlier is too early: a window that ends at 3.5 s began 1.5 s after the cue.
    assert windows(each(0, 3.5), cues((0, 0))) == (0, 0)
    assert windows(each(0, 4.0), cues((0, 0))) == (1, 1)


def test_window_ends_at_its_newest_sample_not_when_the_decision_holds():
    # The decision holds from 4 s, the time of a tick, but its newest sample is at 3.8 s: its window began at 1.8 s.
    assert windows([decision(4.0, newest=3.8)], cues((0, 0))) == (0, 0)
    # The second cue lies between sample and decision: the window belongs to the first cue.
    assert windows([decision(9.1, newest=8.9, talker=0)], cues((0, 0), (9, 1))) == (1, 1)


def test_jitter_below_half_a_hop_does_not_make_windows_overlap():
    # 4.0, 5.8, 7.9 are 1.8 and 2.1 s apart, and 2 - 0.25 s suffice; 5.7 is too close.
    assert windows([decision(at) for at in (4.0, 5.7, 5.8, 7.9)], cues((0, 0))) == (3, 3)


def test_decisions_without_a_score_are_not_windows():
    # The decision at 4 s comes from a control command alone, so windows end at 4.5 s and 6.5 s.
    run = [*each(0, 3.5), decision(4.0, scored=False), *each(4.5, 7)]
    assert windows(run, cues((0, 0))) == (2, 2)


def test_decision_with_a_missing_score_is_not_scored():
    assert windows([decision(4.0, scores=(0.2, np.nan)), decision(9.0)], cues((0, 0))) == (1, 1)


def test_equal_scores_are_not_correct():
    # A flat signal gives every talker a correlation of zero.
    assert windows([decision(4.0, scores=(0.0, 0.0)), decision(6.0, scores=(0.0, 0.0))], cues((0, 0))) == (2, 0)


def test_with_three_talkers_the_cued_one_must_beat_both_others():
    run = [decision(at, scores=scores, gains=(0, 0, 0)) for at, scores in ((4, (1, 2, 3)), (6, (1, 3, 2)))]
    assert windows(run, cues((0, 1))) == (2, 1)
    assert windows(run, cues((0, 2))) == (2, 1)
    assert windows(run, cues((0, 0))) == (2, 0)


def test_time_without_a_cue_has_no_windows():
    # The first window after the cue ends at 4 + 2 + 2 = 8 s; the next would end at 10 s, where no talker is cued.
    assert windows(each(0, 20), cues((4, 0), (10, NOBODY))) == (1, 1)


@given(
    ticks=st.sets(st.integers(0, 80)),
    moves=st.lists(st.tuples(st.integers(0, 80), st.integers(-1, 1)), max_size=4, unique_by=lambda move: move[0]),
    window=st.sampled_from([2, 4, 10]),
)
@settings(max_examples=200, deadline=None)
def test_number_of_windows_is_the_most_that_fit_without_overlap(ticks, moves, window):
    """Find the largest number of non-overlapping windows by dynamic programming, in ticks of half a second.

    Each window lies within one cue and begins at least 2 s after it.
    """
    moves = sorted(moves)

    def usable(end):
        before = [move for move in moves if move[0] <= end]
        return bool(before) and before[-1][1] >= 0 and end - window >= before[-1][0] + 4

    ends = [tick for tick in sorted(ticks) if usable(tick)]
    most = [0] * 82  # most[t]: largest number of windows that end before tick t
    for t in range(1, 82):
        take = 1 + most[max(t - 1 - window, 0) + (t - 1 >= window)] if t - 1 in ends else 0
        most[t] = max(most[t - 1], take)
    run = [decision(tick / 2, talker=0) for tick in sorted(ticks)]
    given_cues = cues(*((tick / 2, index) for tick, index in moves))
    n, right = windows(run, given_cues, window / 2) if run else (0, 0)
    assert n == most[-1]
    if all(index <= 0 for _, index in moves):
        assert right == n


# Cued time


def test_steady_time_begins_ten_seconds_after_a_cue():
    # Sampled at 0, 0.5, … 19.5; of these 10, 10.5, … 19.5 are steady: 20. Correct from 15 s: 10 of 20.
    run = columns([*each(0, 14.5, talker=1), *each(15, 20, talker=0)])
    grid = sample(run, cues((0, 0)), 20.0)
    assert np.count_nonzero(grid.steady) == 20
    assert grid.times[grid.steady].min() == 10.0
    assert steady_share(run, grid) == 10 / 20
    # A second cue at 14 s ends the steady time, and its own begins only at 24 s: 10, 10.5, … 13.5.
    assert np.count_nonzero(sample(run, cues((0, 0), (14, 1)), 20.0).steady) == 8


def test_time_without_decisions_is_neither_covered_nor_correct():
    # Decisions until 10 s. Fresh at 0, 0.5, … 10 and, up to a second later, at 10.5 and 11: 23 of 40 samples.
    run = columns(each(0, 10))
    grid = sample(run, cues((0, 0)), 20.0)
    assert covered(grid) == 23 / 40
    # Steady at 10, 10.5, … 19.5: fresh and correct at 10, 10.5, 11.
    assert steady_share(run, grid) == 3 / 20


def test_time_before_the_first_decision_counts_from_the_first_cue():
    # The cue is 3 s before the first decision: sampled at -3, -2.5, … 2.5; of these 0, 0.5, … 2.5 are covered.
    assert covered(sample(columns(each(0, 3)), cues((-3, 0)), 3.0)) == 6 / 12


def test_time_without_a_cue_is_not_counted():
    # The samples at 0, 0.5, … 4.5 are cued; from 5 s there is neither a cue nor a decision.
    assert covered(sample(columns(each(0, 4.5)), cues((0, 0), (5, NOBODY)), 20.0)) == 10 / 10


def test_decisions_from_control_alone_cover_nothing():
    # Scored decisions at 0 … 2 s are fresh for a second: 0, 0.5, … 3 of 0, 0.5, … 5.5.
    run = columns([*each(0, 2), *each(2.5, 6, scored=False)])
    assert covered(sample(run, cues((0, 0)), 6.0)) == 7 / 12


def test_decision_for_no_talker_is_not_correct():
    run = columns(each(0, 20, talker=NOBODY))
    assert steady_share(run, sample(run, cues((0, 0)), 20.0)) == 0.0


# Gains


def test_tmr_is_the_gain_of_the_cued_talker_minus_that_of_the_loudest_other():
    gains = np.array([[0.0, -6.0, -12.0]] * 3)
    # 0 - max(-6, -12) = 6; -6 - 0 = -6; -12 - 0 = -12
    assert tmr(gains, np.array([0, 1, 2])).tolist() == [6.0, -6.0, -12.0]


def test_silence_counts_as_minus_60_db():
    gains = np.array([[SILENCE, 0.0], [SILENCE, 0.0], [SILENCE, SILENCE], [SILENCE, -80.0]])
    assert tmr(gains, np.array([1, 0, 0, 0])).tolist() == [60.0, -60.0, 0.0, 0.0]


def test_tmr_of_a_run_is_of_the_cued_talker_in_steered_steady_time():
    # First cue: steady at 10 … 14.5 s (10 samples), talker 0 is 12 dB louder: +12.
    # Cue for talker 1 at 15 s: 15 … 24.5 s are not steady, although gains favour talker 0 until 20 s.
    # Steady from 25 s: +6 for talker 1 until 27.5 s (6 samples); then an override of -30 dB, which is not steered.
    run = columns(
        [
            *each(0, 19.5, gains=(0, -12)),
            *each(20, 27.5, talker=1, gains=(-6, 0)),
            *each(28, 30, talker=1, gains=(0, -30), situation="override"),
        ]
    )
    grid = sample(run, cues((0, 0), (15, 1)), 30.0)
    assert steady_tmr(run, grid) == pytest.approx((10 * 12 + 6 * 6) / 16)


def test_tmr_of_a_run_ignores_gains_without_a_fresh_decision():
    # Decisions until 12 s; steady and fresh at 10, 10.5, … 13. Later gains may not have been steered.
    run = columns([*each(0, 11, gains=(0, -12)), decision(11.5, gains=(0, -6)), decision(12.0, gains=(0, -6))])
    # 10, 10.5, 11: 12 dB. 11.5, 12, 12.5, 13: 6 dB.
    assert steady_tmr(run, sample(run, cues((0, 0)), 40.0)) == pytest.approx((3 * 12 + 4 * 6) / 7)


def test_sham_run_has_correct_decisions_and_a_negative_tmr():
    run, given_cues = columns(each(0, 20, talker=0, gains=(-12, 0))), cues((0, 0))
    found = measure(run, given_cues, [], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.n_right, found.steady, found.tmr_db) == (9, 9, 1.0, -12.0)


def test_open_loop_has_no_tmr():
    decisions = each(0, 20)
    for steering, wanted in ((True, 12.0), (False, math.nan)):
        run = columns(decisions, steering=steering)
        found = measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5)
        assert (found.n_windows, found.n_right, found.steady, found.covered) == (9, 9, 1.0, 1.0)
        assert found.tmr_db == pytest.approx(wanted, nan_ok=True)


def test_delivered_is_that_of_the_cued_talker_where_gains_followed():
    # Steady and steered from 10 to 20 s with talker 0, from 30 to 35 s with talker 1; then an override.
    run = [*each(0, 20), *each(20, 35, talker=1), *each(35.5, 45, talker=1, situation="override")]
    at = {5: (1, -1), 12: (6.0, -6.0), 18: (8.0, -8.0), 25: (20, 20), 32: (-3.0, 4.0), 33: (None, None), 40: (9, 9)}
    journal = [PlacesLine((0.0, 0.0), change, 1000.0 + time) for time, change in at.items()]
    figures = {"end": 45.0, "window_s": 2.0, "hop_s": 0.5}
    given = cues((0, 0), (20, 1))
    assert measure(columns(run), given, [journal], begin=1000.0, **figures).delivered_db == pytest.approx(6.0)
    assert measure(columns(run), given, [journal[:2], journal[2:]], begin=1000.0, **figures).delivered_db == 6.0
    assert math.isnan(measure(columns(run), given, [JOURNAL], **figures).delivered_db), "no mixture"
    assert math.isnan(measure(columns(run), given, [journal], **figures).delivered_db), "another time"


# Switches


def follows(at, index, n=4):
    """Return one decision per second for a talker."""
    return [decision(float(at + k), talker=index) for k in range(n)]


def switches(run, *given_cues):
    return latencies_of_switches(columns(run), cues(*given_cues), 1.0).tolist()


def test_first_cue_is_not_a_switch():
    run = [*follows(0, 0, 20)]
    assert switches(run, (0, 0)) == []
    # Cued at 10.5, followed from 14 (14, 15, 16 are correct: 3 s): 14 - 10.5.
    run = [*follows(0, 0, 14), *follows(14, 1, 8)]
    assert switches(run, (0, 0), (10.5, 1)) == [3.5]


def test_cue_that_repeats_a_talker_is_not_a_switch_even_after_a_pause():
    run = follows(0, 0, 40)
    assert switches(run, (0, 0), (10, 0)) == []
    assert switches(run, (0, 0), (10, NOBODY), (20, 0)) == []
    # After a pause from 10 to 20 the other talker is cued, and decided from 22.
    run = [*follows(0, 0, 22), *follows(22, 1, 10)]
    assert switches(run, (0, 0), (10, NOBODY), (20, 1)) == [2.0]


def test_correct_decision_must_last_three_seconds():
    # Correct at 12 and 13 only, then wrong, then correct from 16: 16 - 10.
    run = [*follows(0, 0, 12), *follows(12, 1, 2), *follows(14, 0, 2), *follows(16, 1, 5)]
    assert switches(run, (0, 0), (10, 1)) == [6.0]


def test_switch_not_followed_before_the_next_cue_has_no_latency():
    # Talker 1 is cued from 10 to 20 and decided from 18: two decisions are not enough before the cue at 20.
    run = [*follows(0, 0, 18), *follows(18, 1, 4), *follows(22, 0, 5)]
    first, second = switches(run, (0, 0), (10, 1), (20, 0))
    assert math.isnan(first)
    assert second == 2.0
    # The next cue also ends the search if it names the same talker again, or none.
    assert np.isnan(switches(run, (0, 0), (10, 1), (20, 1))).tolist() == [True]
    assert np.isnan(switches([*follows(0, 0, 18), *follows(18, 1, 9)], (0, 0), (10, 1), (20, NOBODY))).all()


def test_decisions_from_control_alone_do_not_follow_a_switch():
    run = [*follows(0, 0, 12), *[decision(float(at), talker=1, scored=False) for at in range(12, 20)]]
    assert np.isnan(switches(run, (0, 0), (10, 1))).tolist() == [True]


# The journal


def line(number, newest, arrival, decided, done, scored=True):
    return DecisionLine(number, newest, arrival, decided, done, scored)


def heard(number, dac, kind="control"):
    return heard_line(kind, decision=number, dac=dac)


JOURNAL = [
    heard(0, 0.5, "start"),
    line(1, 1.000, 1.050, 1.060, 1.065),
    heard(1, 1.085),
    EventLine("something else"),
    line(2, 2.000, 2.100, 2.400, None),  # late: dropped
    heard(2, 2.5),
    line(3, 2.500, 2.500, 2.500, 2.500, scored=False),  # from a control command alone
    heard(3, 2.6),
    line(4, 3.000, 3.070, 3.090, 3.092),
    heard(4, None),  # time unknown
    heard(4, 3.102),
    heard(4, 9.0),  # same gains with another trim
]


def spans(found):
    return {name: values.round(6).tolist() for name, values in found.items()}


def test_stages_of_latency():
    # Decision 1: 1.050 - 1.000, 1.060 - 1.050, 1.065 - 1.060, 1.085 - 1.065; 4: 3.070 - 3.000, …; 2 and 3: none.
    assert spans(stage_latencies([JOURNAL])) == {
        "sample to arrival": [0.05, 0.07],
        "arrival to decision": [0.01, 0.02],
        "decision to gains set": [0.005, 0.002],
        "gains set to sound": [0.02, 0.01],
        "arrival to gains set": [0.015, 0.022],
    }


def test_stages_are_consecutive_and_the_total_is_the_middle_two():
    found = stage_latencies([JOURNAL])
    assert list(found) == [*STAGES, TOTAL]
    ends = [name.split(" to ") for name in STAGES]
    assert [a[1] for a in ends[:-1]] == ["arrival", "decision", "gains set"]
    assert [b[0] for b in ends[1:]] == ["arrival", "decision", "gains set"]
    np.testing.assert_allclose(found[TOTAL], found[STAGES[1]] + found[STAGES[2]])


def test_window_and_report_agree_on_latency():
    ledger = Ledger()
    for one in JOURNAL:
        if isinstance(one, DecisionLine):
            ledger.count()
            if one.scored and one.set_at is not None:
                ledger.record_times(one.newest, one.arrival, one.decided, one.set_at)
        elif isinstance(one, HeardLine) and one.heard == "control" and one.dac is not None:
            ledger.heard(one.decision, one.dac)
    report = stage_latencies([JOURNAL])
    for name, kept in {**ledger.stages, TOTAL: ledger.latency}.items():
        assert kept.n == len(report[name]) == 2
        assert kept.max == report[name].max()
        assert kept.percentiles(0, 50) == tuple(np.percentile(report[name], [0, 50]))


def test_second_engine_numbers_its_decisions_from_one():
    # The gains of the first engine's decision 1 were never heard. The second engine's decision 1 has no score.
    first = [line(1, 1.0, 1.1, 1.2, 1.3)]
    second = [line(1, 50.0, 50.0, 50.0, 50.0, scored=False), heard(1, 50.1), line(2, 51.0, 51.1, 51.2, 51.3)]
    found = stage_latencies([first, [*second, heard(2, 51.4)]])
    assert spans(found)["gains set to sound"] == [0.1]
    assert spans(found)["sample to arrival"] == [0.1, 0.1]


def test_unheard_gains_are_forgotten_after_n_waiting_decisions():
    lines = [line(n, float(n), float(n), float(n), float(n)) for n in range(1, N_WAITING + 2)]
    found = stage_latencies([[*lines, heard(1, 500.0), heard(2, N_WAITING + 2.0)]])
    # Decision 1 is N_WAITING decisions old; decision 2 is not: it was set at 2 s.
    assert spans(found)["gains set to sound"] == [float(N_WAITING)]


def test_dropped_decisions_are_those_that_set_no_gains():
    missed = line(5, 4.0, 4.0, 4.5, None, scored=False)  # the network gave no answer in time
    assert count_dropped([JOURNAL]) == 1
    assert count_dropped([[*JOURNAL, missed], JOURNAL]) == 3
    assert count_dropped([[], [heard(1, 1.0)]]) == 0


def test_newest_sample_times_of_older_journals_are_corrected():
    decisions = [decision(1.0, newest=0.8), decision(2.0, scored=False), decision(3.0, newest=2.9)]
    lines = [
        line(1, 1.0, 1.1, 1.2, 1.3),
        line(2, 2.0, 2.0, 2.0, 2.0, scored=False),
        line(3, 2.9, 3.1, 3.2, 3.3),  # current format
        line(4, 4.0, 4.1, 4.2, 4.3),  # the replay has no such decision
        heard(3, 3.4),
    ]
    found = at_newest_sample(lines, decisions)
    assert [one.newest for one in found[:4]] == [0.8, 2.0, 2.9, 4.0]
    assert found[4] == lines[4]
    assert lines[0].newest == 1.0, "the input lines are not modified"


def test_sound_counters_are_the_last_ones():
    first, last = SoundCounters("null", 1, 0, 0, 0, 0, 0, 0), SoundCounters("card", 3, 0, 0, 0, 0, 0, 1)
    found = sound_counters([[SoundLine(first), EventLine("x")], [SoundLine(last)], []])
    assert (found["went to"], found["xruns"], found["replaced"]) == ("card", 3, 1)
    assert sound_counters([[EventLine("x")]]) == {}


def test_worst_electrodes_come_first():
    assert sometimes_masked({"E1": 0.1, "E2": 0.0, "E3": 0.7}) == [("E3", 0.7), ("E1", 0.1)]


# All together


def test_decisions_are_sorted_by_time():
    run = in_columns([decision(12.0, talker=1, newest=11.5), decision(10.0, talker=0, gains=(SILENCE, 3))], 10.0)
    assert run.times.tolist() == [0.0, 2.0]
    assert run.newest.tolist() == [0.0, 1.5]
    assert run.talker.tolist() == [0, 1]
    assert run.gains.tolist() == [[SILENCE, 3.0], [0.0, -12.0]]


def test_all_figures_of_a_run():
    # Talker 0 is cued at 0 s, talker 1 at 20 s, none from 40 s; decisions follow at 1 and at 24 s.
    run = [*each(0, 0.5, talker=1), *each(1, 23.5, talker=0), *each(24, 45, talker=1, gains=(-9, 0))]
    found = measure(
        columns(run), cues((0, 0), (20, 1), (40, NOBODY)), [JOURNAL, JOURNAL], end=45.0, window_s=2.0, hop_s=0.5
    )
    # First cue: windows end at 4, 6, … 18, since 20 belongs to the next cue: 8, all correct. Second cue: at 24, 26,
    # … 38: 8, all correct; the last decision at 39.5 is too close to 38 for another.
    assert (found.n_windows, found.n_right) == (16, 16)
    # 16 guesses between two: P(12 or more correct) = 2517 / 65536 = 3.8 %, P(11 or more) = 6885 / 65536 = 10.5 %.
    assert found.chance_limit == 12 / 16
    assert found.covered == 1.0
    # Steady: 10 … 19.5 and 30 … 39.5, all correct; gains +12 and +9 dB.
    assert found.steady == 1.0
    assert found.tmr_db == pytest.approx((12 + 9) / 2)
    assert found.latencies.tolist() == [4.0]
    assert found.n_dropped == 2
    assert [len(found.stages[name]) for name in (*STAGES, TOTAL)] == [4] * 5
    assert found.cued[[0, 39, 40, 79, 80, 90]].tolist() == [0, 0, 1, 1, NOBODY, NOBODY]
    assert found.decided[[0, 2, 48]].tolist() == [1, 0, 1]
    assert found.gains[-1].tolist() == [-9.0, 0.0]


def test_chance_limit_depends_on_the_number_of_talkers():
    # 9 guesses between three: P(6 or more correct) = 835 / 19683 = 4.2 %, P(5 or more) = 2851 / 19683 = 14.5 %.
    run = columns(each(0, 20, gains=(0, -6, -6)))
    assert measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5).chance_limit == 6 / 9


def test_without_cues_figures_that_need_one_are_nan():
    found = measure(columns(each(0, 20)), cues(), [JOURNAL], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.n_right) == (0, 0)
    assert np.isnan([found.chance_limit, found.covered, found.steady, found.tmr_db]).all()
    assert len(found.latencies) == 0
    assert set(found.cued.tolist()) == {NOBODY}
    assert found.n_dropped == 1
    assert len(found.stages[TOTAL]) == 2


def test_without_scored_decisions_no_time_is_covered():
    run = columns(each(0, 20, scored=False))
    found = measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.covered, found.steady) == (0, 0.0, 0.0)
    assert np.isnan([found.chance_limit, found.tmr_db]).all()


def test_recording_that_ends_at_its_only_decision_has_nan_shares():
    found = measure(columns([decision(0.0)]), cues((0, 0)), [], end=0.0, window_s=2.0, hop_s=0.5)
    assert np.isnan([found.covered, found.steady, found.tmr_db]).all()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_shares_of_time_agree_with_a_plain_loop(data):
    """Compute steady and covered shares again, by plain loops over instants, decisions and cues."""
    moves = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 2)), max_size=4, unique_by=lambda m: m[0]))
    ticks = data.draw(st.lists(st.integers(0, 80), min_size=1, max_size=60, unique=True))
    talkers = data.draw(st.lists(st.integers(-1, 2), min_size=len(ticks), max_size=len(ticks)))
    run = [
        decision(tick / 2, talker=index, gains=(0, 0, 0)) for tick, index in zip(sorted(ticks), talkers, strict=True)
    ]
    end = 40.0
    moves = sorted(moves)
    under = fresh = steady = right = 0
    for look in itertools.count():
        at = (moves[0][0] if moves else 0) / 2 + look / 2
        if at >= end:
            break
        cue = [move for move in moves if move[0] / 2 <= at][-1:]
        before = [one for one in run if one.time <= at][-1:]
        if not cue or cue[0][1] < 0:
            continue
        new = bool(before) and at - before[0].time <= 1.0
        under, fresh = under + 1, fresh + new
        if at - cue[0][0] / 2 >= 10.0:
            steady, right = steady + 1, right + (new and before[0].talker == cue[0][1])
    given_cues = cues(*((tick / 2, index) for tick, index in moves))
    grid = sample(columns(run), given_cues, end)
    assert covered(grid) == pytest.approx(fresh / under if under else math.nan, nan_ok=True)
    assert steady_share(columns(run), grid) == pytest.approx(right / steady if steady else math.nan, nan_ok=True)

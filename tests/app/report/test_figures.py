"""Figures of small runs made by hand, against values worked out by hand (in the comments) or in an independent way.

README.md in this folder lists mistakes that somebody might make in figures.py, and the test that each one fails.
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
    shaky,
    sound_counters,
    stage_latencies,
    steady_share,
    steady_tmr,
    tmr,
)
from earmark.devices.files.journal import DecisionLine, EventLine, HeardLine, SoundCounters, SoundLine
from earmark.pipeline.stream import Decision

NOBODY = -1
SILENCE = -math.inf


def decision(
    at, *, talker=0, best=None, gains=(0.0, -12.0), newest=None, scores=None, scored=True, situation="steered"
):
    """A decision for one talker; the highest score is that talker's too, unless ``best`` names another."""
    n = len(gains)
    if scores is None:
        scores = np.where(np.arange(n) == (talker if best is None else best), 0.2, 0.1)
    scores = np.asarray(scores, float) if scored else np.full(n, np.nan)
    newest = (at if newest is None else newest) if scored else math.nan
    probability = np.full(n, 1 / n)
    return Decision(0, at, scores, probability, talker, np.array(gains, float), None, situation, newest)


def each(start, stop, step=0.5, **settings):
    """Decisions at regular instants, from start to stop, both included."""
    return [decision(float(at), **settings) for at in np.arange(start, stop + step / 2, step)]


def cues(*given):
    """Cues from pairs of a time and a talker."""
    return Cues(np.array([at for at, _ in given], float), np.array([whom for _, whom in given], np.int64))


def columns(decisions, **settings):
    return in_columns(decisions, 0.0, **settings)


def windows(decisions, given, window_s=2.0, hop_s=0.5):
    return count_windows(columns(decisions), given, window_s, hop_s)


# Windows


def test_windows_do_not_overlap():
    # Windows of 2 s may end from 0 + 2 + 2 = 4 s on. Of those that end at 4, 4.5, … 20 s, 4, 6, 8, … 20 do not
    # overlap: (20 - 4) / 2 + 1 = 9. The talker cued has the highest score until 11 s: 4, 6, 8, 10 are right.
    run = [*each(0, 11), *each(11.5, 20, best=1)]
    assert windows(run, cues((0, 0))) == (9, 4)


def test_windows_begin_two_seconds_after_each_cue():
    # Of the first cue: windows that end at 4, 6, 8; the next one would end at 10, after the second cue at 9.
    # Of the second cue: from 9 + 2 + 2 = 13 on, so 13, 15, 17, 19.
    assert windows([*each(0, 8.5), *each(9, 20, talker=1)], cues((0, 0), (9, 1))) == (3 + 4, 7)
    # One hop less than that is too early: a window that ends at 3.5 s began 1.5 s after the cue.
    assert windows(each(0, 3.5), cues((0, 0))) == (0, 0)
    assert windows(each(0, 4.0), cues((0, 0))) == (1, 1)


def test_a_window_ends_with_its_newest_sample_not_when_the_decision_holds():
    # It holds from 4 s on, when a tick came, but its newest sample is of 3.8 s: it began at 1.8 s.
    assert windows([decision(4.0, newest=3.8)], cues((0, 0))) == (0, 0)
    # Sample and decision lie on either side of the second cue: the window is of the first one.
    assert windows([decision(9.1, newest=8.9, talker=0)], cues((0, 0), (9, 1))) == (1, 1)


def test_times_that_scatter_by_less_than_half_a_hop_leave_windows_apart():
    # 4.0, 5.8, 7.9: 1.8 and 2.1 s apart, and 2 - 0.25 are enough; 5.7 is not.
    assert windows([decision(at) for at in (4.0, 5.7, 5.8, 7.9)], cues((0, 0))) == (3, 3)


def test_decisions_without_a_score_are_no_windows():
    # From control alone at 4 s, so the first window ends at 4.5 s, the next at 6.5 s.
    run = [*each(0, 3.5), decision(4.0, scored=False), *each(4.5, 7)]
    assert windows(run, cues((0, 0))) == (2, 2)


def test_one_score_that_is_missing_is_no_score():
    assert windows([decision(4.0, scores=(0.2, np.nan)), decision(9.0)], cues((0, 0))) == (1, 1)


def test_equal_scores_are_not_right():
    # A flat signal gives every talker a correlation of zero.
    assert windows([decision(4.0, scores=(0.0, 0.0)), decision(6.0, scores=(0.0, 0.0))], cues((0, 0))) == (2, 0)


def test_with_three_talkers_the_one_cued_must_beat_both():
    run = [decision(at, scores=scores, gains=(0, 0, 0)) for at, scores in ((4, (1, 2, 3)), (6, (1, 3, 2)))]
    assert windows(run, cues((0, 1))) == (2, 1)
    assert windows(run, cues((0, 2))) == (2, 1)
    assert windows(run, cues((0, 0))) == (2, 0)


def test_time_under_no_cue_has_no_windows():
    # The first window under the cue ends at 4 + 2 + 2 = 8 s; the next one would at 10 s, where nobody is cued.
    assert windows(each(0, 20), cues((4, 0), (10, NOBODY))) == (1, 1)


@given(
    ticks=st.sets(st.integers(0, 80)),
    moves=st.lists(st.tuples(st.integers(0, 80), st.integers(-1, 1)), max_size=4, unique_by=lambda move: move[0]),
    window=st.sampled_from([2, 4, 10]),
)
@settings(max_examples=200, deadline=None)
def test_there_are_as_many_windows_as_fit_without_overlap(ticks, moves, window):
    """By trying: the most windows, in ticks of half a second, that lie apart, all under one cue and 2 s after it."""
    moves = sorted(moves)

    def usable(end):
        before = [move for move in moves if move[0] <= end]
        return bool(before) and before[-1][1] >= 0 and end - window >= before[-1][0] + 4

    ends = [tick for tick in sorted(ticks) if usable(tick)]
    most = [0] * 82  # most[t]: windows that end at t or before
    for t in range(1, 82):
        take = 1 + most[max(t - 1 - window, 0) + (t - 1 >= window)] if t - 1 in ends else 0
        most[t] = max(most[t - 1], take)
    run = [decision(tick / 2, talker=0) for tick in sorted(ticks)]
    given_cues = cues(*((tick / 2, whom) for tick, whom in moves))
    n, right = windows(run, given_cues, window / 2) if run else (0, 0)
    assert n == most[-1]
    if all(whom <= 0 for _, whom in moves):
        assert right == n


# Time under cues


def test_steady_time_begins_ten_seconds_after_a_cue():
    # Looks at 0, 0.5, … 19.5; of these 10, 10.5, … 19.5 are steady: 20. Right from 15 s on: 10 of 20.
    run = columns([*each(0, 14.5, talker=1), *each(15, 20, talker=0)])
    grid = sample(run, cues((0, 0)), 20.0)
    assert np.count_nonzero(grid.steady) == 20
    assert grid.times[grid.steady].min() == 10.0
    assert steady_share(run, grid) == 10 / 20
    # A second cue at 14 s ends that, and has no steady time of its own until 24 s: 10, 10.5, … 13.5.
    assert np.count_nonzero(sample(run, cues((0, 0), (14, 1)), 20.0).steady) == 8


def test_time_without_decisions_is_neither_covered_nor_right():
    # Decisions until 10 s. Fresh at 0, 0.5, … 10 and, up to a second after, at 10.5 and 11: 23 of 40 looks.
    run = columns(each(0, 10))
    grid = sample(run, cues((0, 0)), 20.0)
    assert covered(grid) == 23 / 40
    # Steady at 10, 10.5, … 19.5: fresh, and right, at 10, 10.5, 11.
    assert steady_share(run, grid) == 3 / 20


def test_time_before_the_first_decision_counts_from_the_first_cue():
    # The cue came 3 s before the first decision: looks at -3, -2.5, … 2.5, of which 0, 0.5, … 2.5 are covered.
    assert covered(sample(columns(each(0, 3)), cues((-3, 0)), 3.0)) == 6 / 12


def test_time_under_no_cue_is_not_counted():
    # Looks at 0, 0.5, … 4.5 are under a cue; those from 5 on, without decisions, are nobody's.
    assert covered(sample(columns(each(0, 4.5)), cues((0, 0), (5, NOBODY)), 20.0)) == 10 / 10


def test_decisions_from_control_alone_cover_nothing():
    # Fresh scores at 0 … 2 s and up to a second after: 0, 0.5, … 3 of 0, 0.5, … 5.5.
    run = columns([*each(0, 2), *each(2.5, 6, scored=False)])
    assert covered(sample(run, cues((0, 0)), 6.0)) == 7 / 12


def test_nobody_decided_for_is_not_right():
    run = columns(each(0, 20, talker=NOBODY))
    assert steady_share(run, sample(run, cues((0, 0)), 20.0)) == 0.0


# Gains


def test_tmr_is_the_gain_of_the_talker_cued_less_that_of_the_loudest_other():
    gains = np.array([[0.0, -6.0, -12.0]] * 3)
    # 0 - max(-6, -12) = 6; -6 - 0 = -6; -12 - 0 = -12
    assert tmr(gains, np.array([0, 1, 2])).tolist() == [6.0, -6.0, -12.0]


def test_silence_counts_as_minus_60_db():
    gains = np.array([[SILENCE, 0.0], [SILENCE, 0.0], [SILENCE, SILENCE], [SILENCE, -80.0]])
    assert tmr(gains, np.array([1, 0, 0, 0])).tolist() == [60.0, -60.0, 0.0, 0.0]


def test_tmr_of_a_run_is_of_the_talker_cued_while_steered_in_steady_time():
    # Steady under the first cue: 10 … 14.5 s (10 looks), gains of talker 0 are 12 dB above: +12.
    # The cue for talker 1 at 15 s: 15 … 24.5 s do not count, though gains are those of talker 0 until 20 s.
    # Steady from 25 s: until 27.5 s (6 looks) +6 for talker 1; then an override of -30 dB, which is not steered.
    run = columns(
        [
            *each(0, 19.5, gains=(0, -12)),
            *each(20, 27.5, talker=1, gains=(-6, 0)),
            *each(28, 30, talker=1, gains=(0, -30), situation="override"),
        ]
    )
    grid = sample(run, cues((0, 0), (15, 1)), 30.0)
    assert steady_tmr(run, grid) == pytest.approx((10 * 12 + 6 * 6) / 16)


def test_tmr_of_a_run_does_not_count_gains_that_no_fresh_decision_asked_for():
    # Until 12 s; steady and fresh at 10, 10.5, … 13. What was asked for after that is not known to have been steered.
    run = columns([*each(0, 11, gains=(0, -12)), decision(11.5, gains=(0, -6)), decision(12.0, gains=(0, -6))])
    # 10, 10.5, 11: 12 dB. 11.5, 12, 12.5, 13: 6 dB.
    assert steady_tmr(run, sample(run, cues((0, 0)), 40.0)) == pytest.approx((3 * 12 + 4 * 6) / 7)


def test_a_sham_run_is_decided_rightly_and_made_the_wrong_talker_louder():
    run, given_cues = columns(each(0, 20, talker=0, gains=(-12, 0))), cues((0, 0))
    found = measure(run, given_cues, [], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.n_right, found.steady, found.tmr_db) == (9, 9, 1.0, -12.0)


def test_an_open_loop_has_no_tmr_since_its_decisions_set_no_gains():
    decisions = each(0, 20)
    for steering, wanted in ((True, 12.0), (False, math.nan)):
        run = columns(decisions, steering=steering)
        found = measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5)
        assert (found.n_windows, found.n_right, found.steady, found.covered) == (9, 9, 1.0, 1.0)
        assert found.tmr_db == pytest.approx(wanted, nan_ok=True)


# Switches


def follows(at, whom, n=4):
    """Decisions once a second for somebody."""
    return [decision(float(at + k), talker=whom) for k in range(n)]


def switches(run, *given_cues):
    return latencies_of_switches(columns(run), cues(*given_cues), 1.0).tolist()


def test_the_first_cue_is_no_switch():
    run = [*follows(0, 0, 20)]
    assert switches(run, (0, 0)) == []
    # Cued at 10.5, followed from 14 on (14, 15, 16 are right: 3 s): 14 - 10.5.
    run = [*follows(0, 0, 14), *follows(14, 1, 8)]
    assert switches(run, (0, 0), (10.5, 1)) == [3.5]


def test_a_cue_that_repeats_a_talker_is_no_switch_even_after_a_pause():
    run = follows(0, 0, 40)
    assert switches(run, (0, 0), (10, 0)) == []
    assert switches(run, (0, 0), (10, NOBODY), (20, 0)) == []
    # After a pause from 10 to 20 another talker is cued: decided for from 22 on.
    run = [*follows(0, 0, 22), *follows(22, 1, 10)]
    assert switches(run, (0, 0), (10, NOBODY), (20, 1)) == [2.0]


def test_a_right_decision_must_last_three_seconds():
    # Right at 12 and 13 only, then wrong, then right from 16 on: 16 - 10.
    run = [*follows(0, 0, 12), *follows(12, 1, 2), *follows(14, 0, 2), *follows(16, 1, 5)]
    assert switches(run, (0, 0), (10, 1)) == [6.0]


def test_a_switch_that_was_not_followed_before_the_next_cue_has_no_latency():
    # Talker 1 from 10 to 20, decided for from 18 on, two decisions before the cue at 20 takes that back.
    run = [*follows(0, 0, 18), *follows(18, 1, 4), *follows(22, 0, 5)]
    first, second = switches(run, (0, 0), (10, 1), (20, 0))
    assert math.isnan(first)
    assert second == 2.0
    # The next cue ends the search, too, if it names the same talker again, or nobody.
    assert np.isnan(switches(run, (0, 0), (10, 1), (20, 1))).tolist() == [True]
    assert np.isnan(switches([*follows(0, 0, 18), *follows(18, 1, 9)], (0, 0), (10, 1), (20, NOBODY))).all()


def test_decisions_from_control_alone_follow_no_switch():
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
    line(3, 2.500, 2.500, 2.500, 2.500, scored=False),  # from control alone
    heard(3, 2.6),
    line(4, 3.000, 3.070, 3.090, 3.092),
    heard(4, None),  # when that was is not known
    heard(4, 3.102),
    heard(4, 9.0),  # the same gains again, with another trim
]


def spans(found):
    return {name: values.round(6).tolist() for name, values in found.items()}


def test_stages_of_latency():
    # 1: 1.050 - 1.000, 1.060 - 1.050, 1.065 - 1.060, 1.085 - 1.065; 4: 3.070 - 3.000, and so on. 2 and 3 have none.
    assert spans(stage_latencies([JOURNAL])) == {
        "sample to arrival": [0.05, 0.07],
        "arrival to decision": [0.01, 0.02],
        "decision to gains set": [0.005, 0.002],
        "gains set to sound": [0.02, 0.01],
        "arrival to gains set": [0.015, 0.022],
    }


def test_stages_follow_one_another_and_the_total_is_two_of_them():
    found = stage_latencies([JOURNAL])
    assert list(found) == [*STAGES, TOTAL]
    ends = [name.split(" to ") for name in STAGES]
    assert [a[1] for a in ends[:-1]] == ["arrival", "decision", "gains set"]
    assert [b[0] for b in ends[1:]] == ["arrival", "decision", "gains set"]
    np.testing.assert_allclose(found[TOTAL], found[STAGES[1]] + found[STAGES[2]])


def test_window_and_report_measure_the_same():
    ledger = Ledger()
    for one in JOURNAL:
        if isinstance(one, DecisionLine):
            ledger.count()
            if one.scored and one.set_at is not None:
                ledger.time(one.newest, one.arrival, one.decided, one.set_at)
        elif isinstance(one, HeardLine) and one.heard == "control" and one.dac is not None:
            ledger.heard(one.decision, one.dac)
    report = stage_latencies([JOURNAL])
    for name, kept in {**ledger.stages, TOTAL: ledger.latency}.items():
        assert kept.n == len(report[name]) == 2
        assert kept.max == report[name].max()
        assert kept.percentiles(0, 50) == tuple(np.percentile(report[name], [0, 50]))


def test_a_second_engine_counts_its_decisions_from_one_again():
    # Gains of decision 1 of the first engine were never heard. Decision 1 of the second one has no score.
    first = [line(1, 1.0, 1.1, 1.2, 1.3)]
    second = [line(1, 50.0, 50.0, 50.0, 50.0, scored=False), heard(1, 50.1), line(2, 51.0, 51.1, 51.2, 51.3)]
    found = stage_latencies([first, [*second, heard(2, 51.4)]])
    assert spans(found)["gains set to sound"] == [0.1]
    assert spans(found)["sample to arrival"] == [0.1, 0.1]


def test_gains_that_were_never_heard_of_are_not_waited_for_without_end():
    lines = [line(n, float(n), float(n), float(n), float(n)) for n in range(1, N_WAITING + 2)]
    found = stage_latencies([[*lines, heard(1, 500.0), heard(2, N_WAITING + 2.0)]])
    # 1 is N_WAITING decisions old; 2 is not: it was set at 2 s.
    assert spans(found)["gains set to sound"] == [float(N_WAITING)]


def test_dropped_decisions_are_those_that_set_no_gains():
    missed = line(5, 4.0, 4.0, 4.5, None, scored=False)  # no answer of a network
    assert count_dropped([JOURNAL]) == 1
    assert count_dropped([[*JOURNAL, missed], JOURNAL]) == 3
    assert count_dropped([[], [heard(1, 1.0)]]) == 0


def test_older_journals_noted_when_a_decision_held_and_get_the_time_of_its_newest_sample():
    decisions = [decision(1.0, newest=0.8), decision(2.0, scored=False), decision(3.0, newest=2.9)]
    lines = [
        line(1, 1.0, 1.1, 1.2, 1.3),
        line(2, 2.0, 2.0, 2.0, 2.0, scored=False),
        line(3, 2.9, 3.1, 3.2, 3.3),  # noted as it is now
        line(4, 4.0, 4.1, 4.2, 4.3),  # nothing came out of the replay for it
        heard(3, 3.4),
    ]
    found = at_newest_sample(lines, decisions)
    assert [one.newest for one in found[:4]] == [0.8, 2.0, 2.9, 4.0]
    assert found[4] == lines[4]
    assert lines[0].newest == 1.0, "what was read is left as it is"


def test_counters_of_sound_are_those_noted_last():
    first, last = SoundCounters("null", 1, 0, 0, 0, 0, 0, 0), SoundCounters("card", 3, 0, 0, 0, 0, 0, 1)
    found = sound_counters([[SoundLine(first), EventLine("x")], [SoundLine(last)], []])
    assert (found["went to"], found["xruns"], found["replaced"]) == ("card", 3, 1)
    assert sound_counters([[EventLine("x")]]) == {}


def test_the_worst_electrodes_come_first():
    assert shaky({"E1": 0.1, "E2": 0.0, "E3": 0.7}) == [("E3", 0.7), ("E1", 0.1)]


# All together


def test_decisions_are_put_in_order_of_time():
    run = in_columns([decision(12.0, talker=1, newest=11.5), decision(10.0, talker=0, gains=(SILENCE, 3))], 10.0)
    assert run.times.tolist() == [0.0, 2.0]
    assert run.newest.tolist() == [0.0, 1.5]
    assert run.talker.tolist() == [0, 1]
    assert run.gains.tolist() == [[SILENCE, 3.0], [0.0, -12.0]]


def test_all_figures_of_a_run():
    # Talker 0 is cued at 0 s, talker 1 at 20 s, nobody from 40 s on; decisions follow at 1 and at 24 s.
    run = [*each(0, 0.5, talker=1), *each(1, 23.5, talker=0), *each(24, 45, talker=1, gains=(-9, 0))]
    found = measure(
        columns(run), cues((0, 0), (20, 1), (40, NOBODY)), [JOURNAL, JOURNAL], end=45.0, window_s=2.0, hop_s=0.5
    )
    # Windows end at 4, 6, … 18 and, since 20 is under the next cue, no later: 8, all right. Under the second cue
    # at 24, 26, … 38: 8, all right. 39.5 - 38 is not enough for another.
    assert (found.n_windows, found.n_right) == (16, 16)
    # Of 16 guesses between two, P(12 or more right) = 2517 / 65536 = 3.8 %, P(11 or more) = 6885 / 65536 = 10.5 %.
    assert found.chance_limit == 12 / 16
    assert found.covered == 1.0
    # Steady: 10 … 19.5 and 30 … 39.5, all right; gains +12 and +9 dB.
    assert found.steady == 1.0
    assert found.tmr_db == pytest.approx((12 + 9) / 2)
    assert found.latencies.tolist() == [4.0]
    assert found.n_dropped == 2
    assert [len(found.stages[name]) for name in (*STAGES, TOTAL)] == [4] * 5
    assert found.cued[[0, 39, 40, 79, 80, 90]].tolist() == [0, 0, 1, 1, NOBODY, NOBODY]
    assert found.decided[[0, 2, 48]].tolist() == [1, 0, 1]
    assert found.gains[-1].tolist() == [-9.0, 0.0]


def test_the_chance_limit_is_that_of_as_many_talkers_as_there_are():
    # 9 windows between three: P(6 or more right) = 835 / 19683 = 4.2 %, P(5 or more) = 2851 / 19683 = 14.5 %.
    run = columns(each(0, 20, gains=(0, -6, -6)))
    assert measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5).chance_limit == 6 / 9


def test_without_cues_nothing_is_measured_that_needs_one():
    found = measure(columns(each(0, 20)), cues(), [JOURNAL], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.n_right) == (0, 0)
    assert np.isnan([found.chance_limit, found.covered, found.steady, found.tmr_db]).all()
    assert len(found.latencies) == 0
    assert set(found.cued.tolist()) == {NOBODY}
    assert found.n_dropped == 1
    assert len(found.stages[TOTAL]) == 2


def test_without_any_score_no_time_is_covered():
    run = columns(each(0, 20, scored=False))
    found = measure(run, cues((0, 0)), [], end=20.0, window_s=2.0, hop_s=0.5)
    assert (found.n_windows, found.covered, found.steady) == (0, 0.0, 0.0)
    assert np.isnan([found.chance_limit, found.tmr_db]).all()


def test_a_recording_that_ends_at_its_only_decision_has_no_time_to_measure():
    found = measure(columns([decision(0.0)]), cues((0, 0)), [], end=0.0, window_s=2.0, hop_s=0.5)
    assert np.isnan([found.covered, found.steady, found.tmr_db]).all()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_shares_of_time_agree_with_counting_one_look_at_a_time(data):
    """Steadiness and coverage again, by plain loops over looks, decisions and cues."""
    moves = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 2)), max_size=4, unique_by=lambda m: m[0]))
    ticks = data.draw(st.lists(st.integers(0, 80), min_size=1, max_size=60, unique=True))
    talkers = data.draw(st.lists(st.integers(-1, 2), min_size=len(ticks), max_size=len(ticks)))
    run = [decision(tick / 2, talker=whom, gains=(0, 0, 0)) for tick, whom in zip(sorted(ticks), talkers, strict=True)]
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
    given_cues = cues(*((tick / 2, whom) for tick, whom in moves))
    grid = sample(columns(run), given_cues, end)
    assert covered(grid) == pytest.approx(fresh / under if under else math.nan, nan_ok=True)
    assert steady_share(columns(run), grid) == pytest.approx(right / steady if steady else math.nan, nan_ok=True)

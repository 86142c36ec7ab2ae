"""Answers are checked against a time budget, with times as plain numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.kernels.runtime.deadline import Counts, Deadline

BUDGET, HOP = 0.125, 0.5  # exact in binary, so that sums have no rounding error


def hop(deadline, k, after):
    """Run one hop answered after ``after`` s (None: never); return whether the answer counts, None without answer."""
    now = k * HOP
    number, backend = deadline.begin(now)
    if backend is None or after is None:
        return None
    return deadline.answer(number, backend, now + after)


def test_answer_in_time_counts_and_its_age_grows():
    deadline = Deadline(["fast"], BUDGET)
    assert deadline.age(0.0) == float("inf")
    assert hop(deadline, 0, 0.05) is True
    assert deadline.age(0.7) == pytest.approx(0.7)
    assert hop(deadline, 1, BUDGET) is True
    assert deadline.age(0.7) == pytest.approx(0.2)
    assert deadline.counts == Counts(hops=2, in_time=2, late=0, missed=0, demotions=0)


def test_late_answer_is_dropped_and_the_previous_one_keeps_its_age():
    deadline = Deadline(["slow", "next"], BUDGET)
    hop(deadline, 0, 0.05)
    assert hop(deadline, 1, 0.25) is False
    assert deadline.age(0.7) == pytest.approx(0.7), "the age of the answer to hop 0"
    assert deadline.counts == Counts(hops=2, in_time=1, late=1, missed=1, demotions=0)
    assert hop(deadline, 2, 0.05) is True, "two more misses are allowed"
    assert deadline.backend == "slow"


def test_three_misses_within_a_hundred_hops_demote_between_hops():
    deadline = Deadline(["slow", "next", "last"], BUDGET)
    for k in range(3):
        hop(deadline, k, 0.2)
        assert deadline.backend == "slow", "no change within a hop"
    number, backend = deadline.begin(3 * HOP)
    assert backend == "next"
    assert deadline.answer(number, "next", 3 * HOP + 0.01) is True
    assert deadline.counts == Counts(hops=4, in_time=1, late=3, missed=3, demotions=1)


def test_rare_misses_do_not_demote():
    deadline = Deadline(["jittery", "next"], BUDGET)
    for k in range(1000):
        hop(deadline, k, 0.2 if k % 50 == 0 else 0.01)
    assert deadline.backend == "jittery"
    assert deadline.counts.missed == 20
    for k in range(1000, 1100):
        hop(deadline, k, 0.2 if k % 49 == 0 else 0.01)
    assert deadline.counts.demotions <= 1


def test_hanging_backend_gets_no_requests_and_is_replaced():
    deadline = Deadline(["hung", "next"], BUDGET)
    hop(deadline, 0, 0.01)
    number, _ = deadline.begin(1 * HOP)
    assert [hop(deadline, k, 0.01) for k in (2, 3)] == [None, None]
    assert deadline.age(3 * HOP) == pytest.approx(3 * HOP)
    assert hop(deadline, 4, 0.01) is True
    assert deadline.backend == "next"
    assert deadline.answer(number, "hung", 5 * HOP) is False, "the answer arrives later and is dropped"
    assert deadline.counts == Counts(hops=5, in_time=2, late=1, missed=3, demotions=1)


def test_backend_that_hung_briefly_gets_requests_again():
    deadline = Deadline(["hung", "next"], BUDGET)
    number, _ = deadline.begin(0.0)
    assert hop(deadline, 1, 0.01) is None
    assert deadline.answer(number, "hung", 0.6) is False
    assert hop(deadline, 2, 0.01) is True
    assert deadline.counts == Counts(hops=3, in_time=1, late=1, missed=2, demotions=0)


def test_giving_up_counts_one_miss_and_the_answer_is_late():
    deadline = Deadline(["slow"], BUDGET)
    number, backend = deadline.begin(0.0)
    deadline.give_up()
    deadline.give_up()
    assert deadline.answer(number, backend, 0.05) is False, "no longer waited for"
    assert deadline.counts == Counts(hops=1, in_time=0, late=1, missed=1, demotions=0)


def test_alternating_backends_demote_to_the_last_and_stay_there():
    """Every backend is late in every other hop: each is used in turn, and none is used again."""
    deadline = Deadline(["a", "b", "c"], BUDGET)
    seen = []
    for k in range(200):
        hop(deadline, k, 0.2 if k % 2 else 0.01)
        if not seen or seen[-1] != deadline.backend:
            seen.append(deadline.backend)
    assert seen == ["a", "b", "c"]
    assert deadline.counts.demotions == 2
    assert deadline.counts.in_time == 100


@given(
    st.lists(st.sampled_from([0.0, 0.0625, BUDGET, 0.25, 0.4375, None]), max_size=300),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_every_hop_is_in_time_or_missed(delays, n_backends, misses):
    deadline = Deadline([str(i) for i in range(n_backends)], BUDGET, misses, 100)
    before = 0
    for k, after in enumerate(delays):
        counted = hop(deadline, k, after)
        assert deadline.counts.demotions - before in (0, 1)
        before = deadline.counts.demotions
        assert counted is None or counted == (after <= BUDGET)
    deadline.give_up()
    counts = deadline.counts
    assert counts.hops == len(delays) == counts.in_time + counts.missed
    assert counts.late <= counts.missed
    assert counts.demotions < n_backends
    assert counts.demotions <= counts.missed // misses


@pytest.mark.parametrize(
    ("backends", "budget", "misses", "within"),
    [([], 1, 3, 100), (["a"], 0, 3, 100), (["a"], 1, 0, 9), (["a"], 1, 9, 8)],
)
def test_invalid_arguments_are_rejected(backends, budget, misses, within):
    with pytest.raises(ValueError, match="deadline: "):
        Deadline(backends, budget, misses, within)

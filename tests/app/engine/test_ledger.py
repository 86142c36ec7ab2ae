"""When a decoder is too slow, and how latencies are kept."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from earmark.app.engine.ledger import N_LATENCIES, Latencies, Ledger
from earmark.kernels.misses import AMONG, MISSES


def test_three_late_scores_among_a_hundred_are_too_many():
    ledger = Ledger()
    assert [ledger.add_score(late) for late in (True, False, True, False, True)] == [False, False, False, False, True]
    assert ledger.n_dropped == 3


def test_late_scores_that_are_further_apart_are_not():
    ledger = Ledger()
    # The first one has left the newest hundred when the third one comes.
    late = {0, 50, AMONG}
    assert not any(ledger.add_score(k in late) for k in range(AMONG + 1))
    assert Ledger().add_score(True) is False


def test_after_a_demotion_the_next_decoder_is_judged_by_its_own_scores():
    ledger = Ledger()
    assert [ledger.add_score(True) for _ in range(MISSES)][-1]
    # The next decoder is late once, and twice: not yet too often. Only its own third time is.
    assert [ledger.add_score(True) for _ in range(MISSES)] == [False] * (MISSES - 1) + [True]
    assert ledger.n_dropped == 2 * MISSES


@given(st.lists(st.booleans(), max_size=400))
def test_demotions_are_those_of_counting_since_the_one_before(late):
    ledger, since = Ledger(), deque[bool]()
    for one in late:
        since.append(one)
        wanted = one and sum(list(since)[-AMONG:]) >= MISSES
        assert ledger.add_score(one) == wanted
        if wanted:
            since.clear()


def test_percentiles_are_of_the_newest_and_the_largest_is_of_all():
    kept = Latencies()
    assert kept.percentiles(50, 99) == (None, None)
    kept.add(9.0)
    for _ in range(N_LATENCIES):
        kept.add(1.0)
    assert kept.percentiles(0, 100) == (1.0, 1.0)
    assert (kept.n, kept.max) == (N_LATENCIES + 1, 9.0)

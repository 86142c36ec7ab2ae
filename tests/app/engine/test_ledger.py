"""Detection of a decoder that is too slow, and percentiles of latencies."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from earmark.app.engine.ledger import N_LATENCIES, Latencies, Ledger
from earmark.kernels.misses import AMONG, MISSES


def test_three_late_scores_in_a_hundred_are_too_many():
    ledger = Ledger()
    assert [ledger.add_score(late) for late in (True, False, True, False, True)] == [False, False, False, False, True]
    assert ledger.n_dropped == 3


def test_late_scores_further_apart_are_accepted():
    ledger = Ledger()
    # When the third one arrives, the first one is no longer among the newest hundred.
    late = {0, 50, AMONG}
    assert not any(ledger.add_score(k in late) for k in range(AMONG + 1))
    assert Ledger().add_score(True) is False


def test_late_scores_are_counted_anew_after_a_demotion():
    ledger = Ledger()
    assert [ledger.add_score(True) for _ in range(MISSES)][-1]
    # Late scores of the previous decoder do not count: only the third late score of the new one is too many.
    assert [ledger.add_score(True) for _ in range(MISSES)] == [False] * (MISSES - 1) + [True]
    assert ledger.n_dropped == 2 * MISSES


@given(st.lists(st.booleans(), max_size=400))
def test_demotions_match_a_reference_count(late):
    ledger, since = Ledger(), deque[bool]()
    for one in late:
        since.append(one)
        wanted = one and sum(list(since)[-AMONG:]) >= MISSES
        assert ledger.add_score(one) == wanted
        if wanted:
            since.clear()


def test_percentiles_cover_the_newest_and_max_covers_all():
    kept = Latencies()
    assert kept.percentiles(50, 99) == (None, None)
    kept.add(9.0)
    for _ in range(N_LATENCIES):
        kept.add(1.0)
    assert kept.percentiles(0, 100) == (1.0, 1.0)
    assert (kept.n, kept.max) == (N_LATENCIES + 1, 9.0)

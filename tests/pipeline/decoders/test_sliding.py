"""Scores of a sliding window against the same windows scored separately."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import SMALL, planted

from earmark.pipeline.decoders.cca import CcaDecoder
from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch
from earmark.pipeline.decoders.filterbank import FilterBankDecoder
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.sliding import SlidingScores

RUNS = [planted(i) for i in range(3)]
DECODERS = {
    "linear": LinearDecoder(SMALL, [1.0], [0.0]).fit(RUNS),
    "early": LinearDecoder(replace(SMALL, tmin=-0.125), [1.0], [0.0]).fit(RUNS),
    "cca": CcaDecoder(SMALL, 2).fit(RUNS),
    "filterbank": FilterBankDecoder(SMALL).fit(RUNS),
}
RUN = planted(7, 3, seconds=12)


def push(sliding, run, start, edges):
    found = []
    for a, b in zip([0, *edges], [*edges, len(run.neural)], strict=True):
        found += list(sliding.push(start + a, run.neural[a:b], run.talkers[:, a:b]))
    return found


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=20, deadline=None)
@given(start=st.integers(-100, 10**9), offset=st.sampled_from([0.0, 1e4]))
def test_streaming_equals_batch(kind, start, offset):
    decoder = DECODERS[kind]
    run = replace(RUN, neural=RUN.neural + offset)
    scores = push(SlidingScores(decoder, 3, 0.25), run, start, [])
    assert len(scores) > 30
    spec = decoder.spec
    for one in scores:
        assert one.stop - one.start == spec.n_window
        assert one.stop % 8 == 0
        assert one.newest == one.stop - 1 + spec.behind
        a, b = one.start - spec.ahead - start, one.newest + 1 - start
        assert a >= 0
        assert b - a == spec.n_window + spec.reach
        wanted = decoder.score(run.neural[a:b], run.talkers[:, a:b])
        np.testing.assert_allclose(one.scores, wanted, rtol=0, atol=1e-9)
    assert scores[-1].newest + 8 >= start + len(run.neural)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 384), max_size=30).map(sorted), st.integers(0, 384))
def test_chunking_and_restoring_do_not_change_a_bit(edges, at):
    wanted = push(SlidingScores(DECODERS["cca"], 3, 0.25), RUN, 5, [])
    first = SlidingScores(DECODERS["cca"], 3, 0.25)
    found = list(first.push(5, RUN.neural[:at], RUN.talkers[:, :at]))
    second = SlidingScores(DECODERS["cca"], 3, 0.25)
    second.restore(first.state())
    rest = replace(RUN, neural=RUN.neural[at:], talkers=RUN.talkers[:, at:], attended=RUN.attended[at:])
    found += push(second, rest, 5 + at, [e - at for e in edges if e > at])
    assert [(s.start, s.stop, s.scores.tobytes()) for s in found] == [
        (s.start, s.stop, s.scores.tobytes()) for s in wanted
    ]


def test_gap_restarts_on_the_same_grid():
    sliding = SlidingScores(DECODERS["linear"], 3, 0.25)
    whole = {s.stop: s for s in push(SlidingScores(DECODERS["linear"], 3, 0.25), RUN, 0, [])}
    list(sliding.push(0, RUN.neural[:150], RUN.talkers[:, :150]))
    after = list(sliding.push(161, RUN.neural[161:], RUN.talkers[:, 161:]))
    assert min(s.start for s in after) == 168  # the first multiple of the hop after the gap
    assert all(s.scores.tobytes() == whole[s.stop].scores.tobytes() for s in after)
    assert len(whole) == (384 - 4) // 8 - 7


def test_future_samples_do_not_change_past_scores():
    changed = replace(RUN, neural=RUN.neural.copy(), talkers=RUN.talkers.copy())
    changed.neural[200:] = np.nan
    changed.talkers[:, 200:] = np.nan
    wanted = push(SlidingScores(DECODERS["linear"], 3, 0.25), RUN, 0, [])
    found = push(SlidingScores(DECODERS["linear"], 3, 0.25), changed, 0, [])
    n = sum(s.newest < 200 for s in wanted)
    assert n > 10
    assert all(a.scores.tobytes() == b.scores.tobytes() for a, b in zip(wanted[:n], found[:n], strict=True))


def test_bad_samples_affect_only_windows_that_contain_them():
    changed = replace(RUN, neural=RUN.neural.copy())
    changed.neural[100] = 1e12
    wanted = {s.stop: s for s in push(SlidingScores(DECODERS["linear"], 3, 0.25), RUN, 0, [])}
    late = [s for s in push(SlidingScores(DECODERS["linear"], 3, 0.25), changed, 0, []) if s.start > 100]
    assert len(late) > 10
    assert all(s.scores.tobytes() == wanted[s.stop].scores.tobytes() for s in late)


@pytest.mark.parametrize(("hop", "words"), [(0.3, "whole samples"), (0.75, "multiple"), (0.0, "whole samples")])
def test_invalid_hops_are_rejected(hop, words):
    with pytest.raises(DecoderError, match=words):
        SlidingScores(DECODERS["linear"], 2, hop)


def test_wrong_shapes_are_rejected():
    with pytest.raises(DecoderMismatch, match=r"\(3, 9, 1\)"):
        list(SlidingScores(DECODERS["linear"], 3, 0.25).push(0, np.zeros((9, 6)), np.zeros((2, 9, 1))))
    with pytest.raises(DecoderError, match="n_talkers"):
        SlidingScores(DECODERS["linear"], 0, 0.25)

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.app.dashboard.panels.columns import Columns, draw_bars
from earmark.app.dashboard.panels.display_filter import DisplayFilter


def cut(data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [(begin, data[begin:stop]) for begin, stop in pairwise(edges)]


def gathered(columns, pieces, offset=0):
    found = [columns.add(offset + begin, piece) for begin, piece in pieces]
    found = [bars for bars in found if len(bars.low)]
    for one, other in pairwise(found):
        assert other.first == one.first + len(one.low)
    first = found[0].first if found else 0
    return first, *(
        np.concatenate([getattr(bars, end) for bars in found] or [np.zeros((0, 2))]) for end in ("low", "high")
    )


@given(
    st.integers(1, 400),
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(0, 10**9),
    st.lists(st.integers(0, 1000), max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_columns_hold_extremes_of_their_samples_for_any_split_into_blocks(n, n_samples, n_columns, offset, cuts):
    data = np.random.default_rng(n).standard_normal((n, 2)).astype(np.float32)
    columns = Columns(n_samples, n_columns)
    first, low, high = gathered(columns, cut(data, cuts), offset)
    if n_columns > n_samples:  # interpolated between the samples
        at = (first + np.arange(len(low))) * n_samples / n_columns - offset
        wanted = np.stack([np.interp(at, np.arange(n), data[:, k]) for k in range(2)], 1)
        np.testing.assert_allclose(low, wanted.reshape(-1, 2), atol=1e-5)
        np.testing.assert_array_equal(low, high)
        return
    of = [(offset + i) * n_columns // n_samples for i in range(n)]
    complete = [c for c in sorted(set(of)) if (offset + n) * n_columns // n_samples > c]
    assert len(low) == len(complete)
    assert not complete or first == complete[0]
    for row, c in enumerate(complete):
        mine = data[[i for i in range(n) if of[i] == c]]
        np.testing.assert_array_equal(low[row], mine.min(0))
        np.testing.assert_array_equal(high[row], mine.max(0))


def test_column_restarts_after_a_gap_and_missing_samples_give_no_bar():
    columns = Columns(100, 10)
    assert len(columns.add(0, np.full((5, 1), 9.0, np.float32)).low) == 0
    bars = columns.add(7, np.full((3, 1), 1.0, np.float32))
    assert (bars.first, bars.low.tolist(), bars.high.tolist()) == (0, [[1.0]], [[1.0]])
    missing = np.full((20, 1), np.nan, np.float32)
    missing[3] = 4.0
    bars = columns.add(10, missing)
    np.testing.assert_array_equal(bars.low, [[4.0], [np.nan]])


@given(st.integers(0, 2**32 - 1), st.integers(0, 29))
@settings(max_examples=50, deadline=None)
def test_bars_form_one_line_within_their_limits(seed, column):
    rng = np.random.default_rng(seed)
    middle = rng.uniform(-20, 60, (9, 3))
    half = rng.uniform(0, 8, (9, 3))
    top, bottom = middle - half, middle + half
    gone = rng.random((9, 3)) < 0.2
    top[gone], bottom[gone] = np.nan, np.nan
    limits = np.array([[0, 5, 10], [39, 30, 39]])
    pixels = np.zeros((40, 30), np.uint32)
    draw_bars(pixels, column, top, bottom, limits, np.array([1, 2, 3], np.uint32))
    wanted = np.zeros((40, 30), np.uint32)
    for k in range(1, 9):
        for channel in range(3):
            if gone[k, channel]:
                continue
            begin, end = top[k, channel], bottom[k, channel]
            if not gone[k - 1, channel]:
                begin, end = min(begin, bottom[k - 1, channel]), max(end, top[k - 1, channel])
            begin, end = (int(min(max(y, limits[0, channel]), limits[1, channel])) for y in (begin, end))
            wanted[begin : end + 1, (column + k - 1) % 30] = channel + 1
    np.testing.assert_array_equal(pixels, wanted)


@given(st.lists(st.integers(0, 1000), max_size=6), st.integers(0, 200), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_display_filter_is_independent_of_block_size_and_restarts_after_a_gap(cuts, at, n_missing):
    data = np.random.default_rng(at).standard_normal((300, 2)).astype(np.float32) + 1000
    data[at : at + n_missing] = np.nan
    whole = DisplayFilter((1.0, 40.0), 250.0)(data)
    cutting = DisplayFilter((1.0, 40.0), 250.0)
    np.testing.assert_array_equal(np.concatenate([cutting(piece) for _, piece in cut(data, cuts)]), whole)
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(data))
    assert np.nanmax(np.abs(whole)) < 50, "an offset of a millivolt is removed"
    np.testing.assert_array_equal(DisplayFilter((1.0, 40.0), 250.0)(data[at + n_missing :]), whole[at + n_missing :])


@pytest.mark.parametrize(("band", "sfreq"), [(None, 500.0), ((1.0, 40.0), 1.5)])
def test_without_a_usable_band_the_filter_returns_its_input(band, sfreq):
    data = np.ones((5, 2), np.float32)
    assert DisplayFilter(band, sfreq)(data) is data

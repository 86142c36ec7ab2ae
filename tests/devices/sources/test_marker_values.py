"""Markers keep their value in every format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.devices.sources.marker_values import marker_text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["go"], "go"),
        (["ev", "7"], "ev 7"),
        ([b"\xc3\x9cbung", b"\xff"], "Übung \N{REPLACEMENT CHARACTER}"),
        ([1], "1"),
        (np.array([1234567, 1234568], np.int32), "1234567 1234568"),
        (np.array([2**62 + 1], np.int64), str(2**62 + 1)),
        (np.array([16777216.0], np.float32), "16777216"),
        (np.array([-0.0, 0.1, 2.5], np.float32), "0 0.1 2.5"),
        (np.array([0.1, 1e-5, 0.0001], np.float64), "0.1 1e-05 0.0001"),
        (np.array([np.nan, np.inf, 1e300]), "nan inf 1e+300"),
    ],
)
def test_marker_values_keep_their_text(values, text):
    assert marker_text(values) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_keep_every_digit(n):
    assert marker_text(np.array([n], np.int64)) == str(n)


@given(st.floats(width=32), st.floats(width=32))
def test_different_numbers_have_different_texts(a, b):
    if a != b and not (np.isnan(a) and np.isnan(b)):
        assert marker_text(np.array([a], np.float32)) != marker_text(np.array([b], np.float32))

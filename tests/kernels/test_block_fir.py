import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from earmark.kernels.block_fir import BlockFir


def apply(fir, x, lengths):
    """Filter ``x`` in blocks of these lengths, and the rest in blocks of five samples."""
    edges = [i for i in np.cumsum([*lengths, *[5] * len(x)]) if i < len(x)]
    return np.concatenate([fir(piece) for piece in np.split(x, edges) if len(piece)], axis=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 3), st.integers(1, 70), st.lists(st.integers(1, 8)))
def test_equals_lfilter(seed, n_taps, n_filters, n_channels, lengths):
    rng = np.random.default_rng(seed)
    taps, x = rng.normal(size=(n_filters, n_taps)), rng.normal(size=(100, n_channels))
    fir = BlockFir(taps, 8, n_channels)
    wanted = [lfilter(h, 1.0, x, axis=0) for h in taps]
    np.testing.assert_allclose(apply(fir, x, lengths), wanted, rtol=0, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 70))
def test_division_into_blocks_does_not_change_a_bit(seed, n_taps, n_channels):
    rng = np.random.default_rng(seed)
    taps, x = rng.normal(size=n_taps), rng.normal(size=(100, n_channels))
    one, other = BlockFir(taps, 8, n_channels), BlockFir(taps, 8, n_channels)
    for block in np.split(x, range(8, 100, 8)):
        held = one.state
        whole = one(block)
        for n in range(1, len(block) + 1):
            other.state = held
            np.testing.assert_array_equal(other(block[:n]), whole[:, :n])


def test_settled_filter_has_no_transient_for_a_constant():
    fir = BlockFir(np.array([0.5, 0.25, 0.25]), 4, 2)
    fir.settle(np.array([1e5, -3.0]))
    np.testing.assert_allclose(fir(np.tile([1e5, -3.0], (4, 1)))[0], np.tile([1e5, -3.0], (4, 1)), rtol=1e-14)


def test_restored_state_continues_bit_for_bit():
    rng = np.random.default_rng(0)
    taps, x = rng.normal(size=(2, 30)), rng.normal(size=(60, 5))
    first, second = BlockFir(taps, 6, 5), BlockFir(taps, 6, 5)
    apply(first, x[:30], [])
    second.state = first.state
    np.testing.assert_array_equal(apply(second, x[30:], []), apply(first, x[30:], []))

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt, sosfilt_zi

from earmark.kernels.block_filter import BlockFilter

SOS = butter(2, [1, 9], "bandpass", fs=500, output="sos")


def pieces(x, lengths):
    """Divide ``x`` into blocks of these lengths, and one block of the rest."""
    return [piece for piece in np.split(x, np.cumsum(lengths)) if len(piece)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.lists(st.sampled_from([10, 10, 10, 1, 3, 9, 17]), max_size=30), st.integers(1, 70))
def test_blocks_of_any_length_equal_sosfilt(seed, lengths, n_channels):
    x = np.random.default_rng(seed).normal(300, 20, (400, n_channels))
    run = BlockFilter(SOS, 10, n_channels)
    run.settle(x[0])
    y = np.concatenate([run(piece) for piece in pieces(x, [n for n in lengths if n])])
    wanted = sosfilt(SOS, x, axis=0, zi=sosfilt_zi(SOS)[:, :, None] * x[0])[0]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


def test_settled_filter_has_no_transient_for_a_constant():
    low = butter(2, 5, fs=500, output="sos")
    run = BlockFilter(low, 10, 3)
    offset = np.array([1e5, -2.0, 0.0])
    run.settle(offset)
    for _ in range(100):
        y = run(np.tile(offset, (10, 1)))
    np.testing.assert_allclose(y, np.tile(offset, (10, 1)), rtol=1e-12)


def test_restored_state_continues_bit_for_bit():
    x = np.random.default_rng(0).normal(size=(10, 10, 5))
    first, second = BlockFilter(SOS, 10, 5), BlockFilter(SOS, 10, 5)
    for block in x[:4]:
        first(block)
    kept = first.state
    wanted = [first(block) for block in x[4:]]
    second.state = kept
    np.testing.assert_array_equal([second(block) for block in x[4:]], wanted)


def test_output_is_not_overwritten_by_the_next_block():
    run = BlockFilter(SOS, 10, 2)
    y = run(np.ones((10, 2)))
    kept = y.copy()
    run(np.full((10, 2), 5.0))
    np.testing.assert_array_equal(y, kept)


def test_state_decays_to_zero_not_to_denormal_numbers():
    run = BlockFilter(SOS, 10, 2)
    run(np.full((10, 2), 100.0))
    for _ in range(20_000):
        run(np.zeros((10, 2)))
    assert not run.state.any()

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from earmark.kernels.cascade import sos_inplace


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(0, 60), st.integers(1, 40), st.integers(1, 4))
def test_output_and_state_equal_sosfilt(seed, n_samples, n_channels, order):
    rng = np.random.default_rng(seed)
    sos = butter(order, [2, 40], "bandpass", fs=500, output="sos")
    x, zi = rng.normal(size=(n_samples, n_channels)), rng.normal(size=(order, 2, n_channels))
    y, state = x.copy(), zi.reshape(-1, n_channels).copy()
    sos_inplace(sos, y, state)
    wanted, zf = sosfilt(sos, x, axis=0, zi=zi) if n_samples else (x, zi)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state, zf.reshape(-1, n_channels), rtol=0, atol=1e-12)

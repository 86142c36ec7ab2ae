"""Triton kernels equal the CPU kernels; without a GPU they run in Triton's interpreter."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter

from earmark.kernels.cascade import sos_inplace

if find_spec("triton") is None:
    pytest.skip("triton is not installed (pip install triton)", allow_module_level=True)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module", autouse=True)
def interpreted():
    """Enable Triton's interpreter without a GPU: Triton reads the variable on definition and on the first call."""
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            patch.setenv("TRITON_INTERPRET", "1")
        yield


with pytest.MonkeyPatch.context() as defining:
    if DEVICE == "cpu":
        defining.setenv("TRITON_INTERPRET", "1")
    gpu = importlib.import_module("benchmarks.triton_kernels")


def on_device(array, dtype):
    return torch.tensor(array, dtype=dtype, device=DEVICE)


@pytest.mark.parametrize("n_channels", [1, 33])
def test_sos_equals_the_cascade_on_the_cpu(n_channels):
    rng = np.random.default_rng(0)
    sos = butter(4, [1, 9], "bandpass", fs=64, output="sos")
    blocks = 300 + 20 * rng.normal(size=(3, 16, n_channels))
    state = np.zeros((2 * len(sos), n_channels))
    mine = on_device(state, torch.float64)
    for block in blocks:
        wanted, found = block.copy(), on_device(block, torch.float64)
        sos_inplace(sos, wanted, state)
        gpu.sos_inplace(on_device(sos, torch.float64), found, mine)
        np.testing.assert_allclose(found.cpu().numpy(), wanted, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mine.cpu().numpy(), state, rtol=0, atol=1e-10)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 2), st.integers(1, 4), st.integers(0, 9))
def test_lagged_covariance(n_samples, n_channels, n_features, n_lags, seed):
    rng, n_lags = np.random.default_rng(seed), min(n_lags, n_samples)
    x = rng.normal(size=(n_samples, n_channels)).astype(np.float32)
    y = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    found = gpu.lagged_covariance(on_device(x, torch.float32), on_device(y, torch.float32), n_lags).cpu().numpy()
    wide = x.astype(np.float64), y.astype(np.float64)
    wanted = [wide[0][lag:].T @ wide[1][: n_samples - lag] for lag in range(n_lags)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 200), st.integers(1, 40), st.integers(1, 3), st.integers(1, 60), st.data())
def test_windowed_correlation(n_samples, n_components, n_talkers, hop, data):
    window = data.draw(st.integers(2, n_samples))
    hop = max(hop, (n_samples - window) // 4, 1)
    rng = np.random.default_rng(0)
    x = 1000 + rng.normal(size=(n_samples, n_components)).astype(np.float32)
    y = rng.normal(size=(n_talkers, n_samples, n_components)).astype(np.float32)
    y[0, :, 0] = 7.0
    found = (
        gpu.windowed_correlation(on_device(x, torch.float32), on_device(y, torch.float32), window, hop).cpu().numpy()
    )
    assert found.shape == ((n_samples - window) // hop + 1, n_talkers, n_components)
    for k in range(len(found)):
        part = slice(k * hop, k * hop + window)
        for talker in range(n_talkers):
            for c in range(n_components):
                a, b = x[part, c].astype(np.float64), y[talker, part, c].astype(np.float64)
                wanted = 0.0 if np.ptp(b) == 0 else np.corrcoef(a, b)[0, 1]
                assert found[k, talker, c] == pytest.approx(wanted, abs=1e-9)


def test_wrong_types_shapes_and_layouts_are_rejected():
    x, y = torch.zeros(10, 2), torch.zeros(10, 1)
    with pytest.raises(ValueError, match=r"x is torch\.float64"):
        gpu.lagged_covariance(x.double(), y, 2)
    with pytest.raises(ValueError, match=r"y is torch\.float32 \(9, 1\)"):
        gpu.lagged_covariance(x, y[:9], 2)
    with pytest.raises(ValueError, match="contiguous: False"):
        gpu.lagged_covariance(torch.zeros(2, 10).T, y, 2)
    with pytest.raises(ValueError, match="n_lags is 11"):
        gpu.lagged_covariance(x, y, 11)
    with pytest.raises(ValueError, match="window is 11"):
        gpu.windowed_correlation(x, x[None].contiguous(), 11, 1)
    with pytest.raises(ValueError, match="state is"):
        gpu.sos_inplace(torch.zeros(1, 6).double(), x.double(), torch.zeros(1, 2).double())

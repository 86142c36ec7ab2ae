"""Moments against sums over the full matrix of lagged samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import planted

from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch, DecoderSpec
from earmark.pipeline.decoders.moments import leave_one_out, moments


def spec(tmin: int, tmax: int, step: int, context: int, n_channels: int = 3, n_features: int = 1) -> DecoderSpec:
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    return DecoderSpec("linear", 32.0, names, "envelope", n_features, tmin / 32, tmax / 32, 2.0, step, context / 32)


def plain(run, spec):
    """Compute every row separately, in a simple loop."""
    rows_x, rows_y = [], []
    for t in range(spec.ahead, len(run.neural) - spec.behind):
        reach = run.attended[t - spec.ahead : t + spec.behind + 1]
        if reach[0] < 0 or (reach != reach[0]).any():
            continue
        rows_x.append(np.concatenate([run.neural[t + lag] for lag in spec.lags]))
        rows_y.append(np.concatenate([run.talkers[reach[0], t - back] for back in spec.stimulus_lags]))
    return np.array(rows_x), np.array(rows_y)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(-5, 4),
    st.integers(0, 8),
    st.integers(1, 3),
    st.integers(0, 4),
    st.sampled_from([None, 0.7, 1.3]),
    st.integers(1, 2),
)
def test_moments_equal_those_of_the_full_matrix(seed, tmin, span, step, context, switch, n_features):
    run = planted(seed, seconds=5, n_channels=3, switch_every=switch, n_features=n_features)
    hidden = np.random.default_rng(seed).integers(0, 160, 2)
    run.attended[hidden[0] : hidden[0] + 7] = -1
    s = spec(tmin, tmin + span, step, context, n_features=n_features)
    x, y = plain(run, s)
    found = moments(run, s)
    assert found.n == len(x)
    if len(x):
        for what, wanted in (("x", x.sum(0)), ("xx", x.T @ x), ("y", y.sum(0)), ("yy", y.T @ y), ("xy", x.T @ y)):
            np.testing.assert_allclose(getattr(found, what), wanted, rtol=0, atol=1e-11 * len(x) * 100)


def test_folds_equal_sums_of_moments():
    runs, s = [planted(i) for i in range(3)], spec(0, 4, 1, 0, n_channels=6)
    parts = [moments(run, s) for run in runs]
    for n in (2, 3, 7):
        many = [parts[i % 3].scaled(i + 1) for i in range(n)]
        for i, others in enumerate(leave_one_out(many)):
            wanted = sum(part.xx for j, part in enumerate(many) if j != i)
            np.testing.assert_allclose(others.xx, wanted, rtol=1e-12, atol=1e-9)
    with pytest.raises(DecoderError, match="one run"):
        list(leave_one_out(parts[:1]))
    np.testing.assert_allclose(parts[0].scaled(0.5).xy, parts[0].xy / 2)
    assert parts[0].scaled(0.5).n == parts[0].n / 2


def test_masked_samples_do_not_matter():
    run, s = planted(1), spec(0, 4, 1, 0, n_channels=6)
    run.attended[100:110] = -1
    clean = moments(run, s)
    run.neural[100:110] = np.nan
    run.talkers[:, 100:110] = np.inf
    dirty = moments(run, s)
    assert np.array_equal(clean.xx, dirty.xx)
    run.attended[100:110] = 0
    with pytest.raises(DecoderError, match=r"run 1.*not finite.*-1"):
        moments(run, s)


def test_error_lists_every_difference_of_a_run():
    s = spec(0, 4, 1, 0, n_channels=6)
    run = planted(1, n_channels=5, n_features=2, sfreq=64.0)
    with pytest.raises(DecoderMismatch, match="run 1") as error:
        moments(replace(run, features="spectrogram"), s)
    for words in ("64 Hz instead of 32 Hz", "channels missing: E6", "'spectrogram'", "2 features per talker"):
        assert words in str(error.value)


def test_unknown_attention_gives_no_rows():
    run, s = planted(1), spec(0, 4, 1, 0, n_channels=6)
    run.attended[:] = -1
    assert moments(run, s).n == 0
    with pytest.raises(DecoderError, match="not known at any time"):
        moments(run, s).centred()

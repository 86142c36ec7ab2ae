"""The CCA decoder against simulated runs and a direct solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import SMALL, accuracy, planted
from scipy.linalg import eigh
from test_moments import plain

from earmark.pipeline.decoders.cca import STIMULUS_PENALTY, CcaDecoder
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.presets import IEEG


def test_weights_equal_the_joint_eigenvalue_problem():
    """Both sides at once: [0 Cxy; Cyx 0] w = rho [Cxx 0; 0 Cyy] w, as in the definition."""
    runs, penalty = [planted(i) for i in range(3)], 0.2
    decoder = CcaDecoder(SMALL, 2, [penalty], [0.0]).fit(runs)
    pairs = [plain(run, decoder.spec) for run in runs]
    x, y = (np.concatenate([p[side] for p in pairs]) for side in (0, 1))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.tile((x**2).mean(axis=0).reshape(-1, 6).mean(axis=0) ** -0.5, len(decoder.spec.lags))
    n, (n_x, n_y) = len(x), (x.shape[1], y.shape[1])
    cross = (x * scale).T @ y / n
    xx = (x * scale).T @ (x * scale) / n + penalty * np.eye(n_x)
    yy = y.T @ y / n
    yy += STIMULUS_PENALTY * np.trace(yy) / n_y * np.eye(n_y)
    left = np.block([[np.zeros((n_x, n_x)), cross], [cross.T, np.zeros((n_y, n_y))]])
    right = np.block([[xx, np.zeros((n_x, n_y))], [np.zeros((n_y, n_x)), yy]])
    vectors = eigh(left, right)[1][:, ::-1]
    for i in range(2):
        for found, wanted in (
            (decoder.neural_weights[:, i], vectors[:n_x, i] * scale),
            (decoder.talker_weights[:, i], vectors[n_x:, i]),
        ):
            cosine = found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted)
            assert abs(abs(cosine) - 1) < 1e-9


@pytest.mark.parametrize("n_talkers", [2, 3, 4, 5, 8])
def test_recovers_the_attended_talker_of_simulated_runs(n_talkers):
    runs = [planted(i, n_talkers, switch_every=11.0) for i in range(3)]
    decoder = CcaDecoder(SMALL, 2).fit(runs)
    assert accuracy(decoder, planted(9, n_talkers, attended=n_talkers - 1)) > 0.95


def test_intracranial_preset_works():
    """100 Hz, lags to 0.4 s, principal components, spectrogram of two bands."""
    many = {"sfreq": 100.0, "seconds": 60, "n_features": 2, "answer": (5, 9, 14)}
    decoder = CcaDecoder(IEEG).fit([planted(i, **many) for i in range(2)])
    assert decoder.spec.n_window == 400
    assert decoder.spec.lags[-1] == 40
    assert accuracy(decoder, planted(9, **many)) > 0.9


def test_single_talker_is_compared_with_another_time():
    decoder = CcaDecoder(SMALL, 2).fit([planted(i, 1) for i in range(3)])
    assert accuracy(decoder, planted(9, 2)) > 0.95


def test_shuffled_labels_give_chance_accuracy():
    right = []
    for seed in range(4):
        runs = [planted(100 * seed + i, seconds=60) for i in range(4)]
        for run in runs:
            run.attended[:] = np.repeat(np.random.default_rng(seed).integers(0, 2, 15), 128)
        right += [accuracy(CcaDecoder(SMALL, 2).fit(runs[:i] + runs[i + 1 :]), runs[i]) for i in range(4)]
    assert 0.38 < np.mean(right) < 0.62


def test_scores_are_correlations():
    decoder = CcaDecoder(SMALL, 2).fit([planted(i) for i in range(2)])
    assert decoder.discriminant.min() >= 0
    assert decoder.discriminant.sum() == pytest.approx(1)
    assert decoder.combine(np.ones((3, 2))) == pytest.approx(1, abs=1e-5)
    assert decoder.combine(np.zeros((4, 3, 2))).shape == (4, 3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CcaDecoder(SMALL).fit([planted(0)]), "two runs"),
        (lambda: CcaDecoder(SMALL, 0), "n_components"),
        (lambda: CcaDecoder(SMALL, 2).fit([silent(0), silent(1)]), "constant"),
        (lambda: CcaDecoder(SMALL, 2).fit([planted(0), nobody(1)]), "fewer than two"),
    ],
)
def test_data_that_cannot_be_learned_from_are_rejected(make, words):
    with pytest.raises(DecoderError, match=words):
        make()


def silent(seed):
    run = planted(seed)
    return replace(run, talkers=np.zeros_like(run.talkers))


def nobody(seed):
    run = planted(seed)
    return replace(run, attended=np.full_like(run.attended, -1))

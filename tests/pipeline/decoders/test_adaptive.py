"""Adaptation without labels follows changes and stops when there is no evidence for attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import SMALL, planted

from earmark.pipeline.decoders.adaptive import STOP, AdaptiveLinear, Confidence, calibrate
from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch
from earmark.pipeline.decoders.linear import LinearDecoder

RUNS = [planted(i, noise=4.0) for i in range(3)]
START = LinearDecoder(SMALL).fit(RUNS)
SURE = calibrate(START, RUNS)


def windows(decoder, run):
    n = decoder.spec.n_window + decoder.spec.reach
    return [run.part(start, start + n) for start in range(0, len(run.neural) - n + 1, n)]


def live(decoder, run):
    return [decoder.adapt(part.neural, part.talkers) for part in windows(decoder, run)]


def drifting(seed, amount, **kwargs):
    """A run in which the topography of the response has partly changed."""
    old, new = planted(seed, **kwargs), planted(seed, topography_seed=1, **kwargs)
    return replace(old, neural=(1 - amount) * old.neural + amount * new.neural)


def right(results, attended=0):
    return np.mean([one.scores.argmax() == attended for one in results])


def test_adapts_to_a_change_that_the_fixed_decoder_misses():
    found, fixed = [], []
    for seed in range(3):
        adaptive = AdaptiveLinear(START, SURE, half_life=60.0)
        for step in range(10):
            run = drifting(50 + 20 * seed + step, step / 9, noise=4.0, seconds=60)
            results = live(adaptive, run)
        found.append(right(results))
        fixed.append(np.mean([START.score(p.neural, p.talkers).argmax() == 0 for p in windows(START, run)]))
    assert np.mean(found) > np.mean(fixed) + 0.1


def test_stops_learning_on_unrelated_speech_and_restores_the_good_state():
    adaptive = AdaptiveLinear(START, SURE, half_life=60.0)
    before = live(adaptive, planted(60, noise=4.0, seconds=60))
    assert all(one.learned for one in before)
    good = adaptive.weights
    strange = planted(61, noise=4.0, seconds=240)
    strange = replace(strange, talkers=planted(62, seconds=240).talkers)
    during = live(adaptive, strange)
    assert sum(one.went_back for one in during) >= 1
    assert not during[-1].learned
    assert during[-1].evidence < STOP
    # Back at a state from when all was well, give or take the windows until it was noticed.
    assert np.corrcoef(adaptive.weights.ravel(), good.ravel())[0, 1] > 0.9
    after = live(adaptive, planted(63, noise=4.0, seconds=120))
    assert after[-1].learned
    assert right(after) > 0.85


def test_window_without_evidence_does_not_change_cross_covariances():
    adaptive = AdaptiveLinear(START, SURE)
    part = windows(START, planted(64))[0]
    adaptive.adapt(part.neural, part.talkers, np.array([0.5, 0.5]))
    old, new = START.moments.centred().xy, adaptive.moments.centred().xy
    np.testing.assert_allclose(new, old * 0.5 ** (2.0 / 300.0), rtol=1e-9, atol=1e-9)
    assert adaptive.moments.n > START.moments.n * 0.99


def test_certain_posterior_equals_learning_with_labels():
    adaptive = AdaptiveLinear(START, SURE)
    part = windows(START, planted(64))[0]
    adaptive.adapt(part.neural, part.talkers, np.array([1.0, 0.0]))
    wanted = LinearDecoder(SMALL).fit(RUNS).update(part, 0.5 ** (2.0 / 300.0))
    # Means are removed from both parts by themselves, not from their sum.
    assert np.corrcoef(adaptive.weights.ravel(), wanted.weights.ravel())[0, 1] > 0.999


def test_window_is_scored_before_learning():
    adaptive = AdaptiveLinear(START, SURE)
    part = windows(START, planted(64))[0]
    assert (
        adaptive.adapt(part.neural, part.talkers).scores.tobytes() == START.score(part.neural, part.talkers).tobytes()
    )
    assert not np.array_equal(adaptive.weights, START.weights)


def test_frozen_decoder_gives_equal_scores():
    adaptive = AdaptiveLinear(START, SURE)
    live(adaptive, planted(64))
    part = windows(START, planted(65))[0]
    frozen = adaptive.frozen()
    assert np.array_equal(frozen.score(part.neural, part.talkers), adaptive.score(part.neural, part.talkers))


def test_fit_resets_the_state():
    adaptive = AdaptiveLinear(START, SURE)
    live(adaptive, planted(64))
    assert np.array_equal(adaptive.fit(RUNS).weights, START.weights)
    assert adaptive.confidence == SURE


def test_posterior_and_evidence_equal_hand_computed_values():
    sure = Confidence(0.2, 0.0, 0.0, 0.1)
    posterior = sure.posterior(np.tanh([0.2, 0.0, 0.0]))
    # Log-odds of two Gaussians: (0.2 * 0.2 - 0.2 ** 2 / 2 + 0.2 ** 2 / 2) / 0.01 = 4.
    assert posterior[0] / posterior[1] == pytest.approx(np.exp(4))
    assert posterior.sum() == pytest.approx(1)
    assert sure.evidence(np.tanh([0.2, 0.0])) == pytest.approx(np.log((np.exp(2) + np.exp(-2)) / 2))
    assert sure.evidence(np.zeros(2)) == pytest.approx(-2)
    assert Confidence(0.0, 0.1, 0.0, 0.1).posterior(np.array([0.9, -0.9])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda a, p: a.adapt(p.neural, p.talkers[:1]), "one talker"),
        (lambda a, p: a.adapt(np.full_like(p.neural, np.nan), p.talkers), "not finite"),
        (lambda a, p: a.adapt(p.neural, p.talkers, np.array([0.7, 0.7])), "posterior"),
        (lambda a, p: a.adapt(p.neural, p.talkers, np.array([np.nan, 1])), "posterior"),
        (lambda a, p: AdaptiveLinear(START, SURE, half_life=0.0), "above 0"),
        (lambda a, p: calibrate(START, [r.part(0, 150) for r in RUNS]), "too few"),
    ],
)
def test_invalid_input_is_rejected_and_changes_nothing(do, words):
    adaptive = AdaptiveLinear(START, SURE)
    with pytest.raises(DecoderError, match=words):
        do(adaptive, windows(START, planted(64))[0])
    assert adaptive.weights is START.weights
    assert adaptive.evidence == 0
    with pytest.raises(DecoderMismatch):
        adaptive.adapt(np.zeros((100, 5)), np.zeros((2, 100, 1)))

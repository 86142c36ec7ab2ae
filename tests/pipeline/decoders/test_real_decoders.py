"""What the decoders reach on real recordings, held out in full, with causal filters.

Judged by decisions and by d', never by correlations: these cannot be compared between frequency bands. Figures of all
folds are measured by ``benchmarks/real_recordings.py``; here are some of the folds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from real_data import cocktail, listener, needs
from scipy.stats import binom

from benchmarks.real_recordings import DECODERS, WINDOWS, bank_moments, fit_bank, match_mismatch, on_cocktail
from earmark.pipeline.decoders.cca import CcaDecoder
from earmark.pipeline.decoders.decoder import correlate
from earmark.pipeline.decoders.filterbank import group_of
from earmark.pipeline.decoders.presets import EEG

#: Held-out repetitions that are tested, of ten.
TESTED = (0, 5)
#: Listeners of the group, and listeners with a short calibration.
GROUP, NEW = (1, 2, 3, 4, 5), (6, 7, 8, 9, 10)


@lru_cache(8)
def by_listener(name: str) -> np.ndarray:
    """Share of correct pairs, shape (n_listeners, n_windows)."""
    preset, prepared, fit = DECODERS[name]
    found = []
    for number in range(1, 11):
        pairs = listener(number, preset)
        parts = [[prepared(half) for half in pair] for pair in pairs]
        folds = [
            match_mismatch(fit([(pairs[j][1 - half], parts[j][1 - half]) for j in range(10) if j != i]), pairs[i][half])
            for half in (0, 1)
            for i in TESTED
        ]
        found.append(np.mean(folds, axis=0))
    return np.array(found)


def test_filter_bank_tells_what_was_heard():
    """Ten listeners, one talker: the held-out half of a held-out repetition."""
    needs("match_mismatch")
    reached = by_listener("filter bank")
    # Of all folds it reaches 67.1, 73.0, 76.8, 82.5 and 89.2 %; these are a fifth of them.
    for share, floor in zip(reached.mean(axis=0), (0.64, 0.70, 0.735, 0.79, 0.85), strict=True):
        assert share > floor


def test_filter_bank_is_better_than_the_linear_decoder_before_it():
    needs("match_mismatch")
    gain = (by_listener("filter bank") - by_listener("linear, before")).mean(axis=1)
    assert gain.mean() > 0.04
    assert (gain > 0).sum() >= 8


def test_filter_bank_on_two_talkers():
    """One listener, four runs of a minute, each held out: three minutes to learn from."""
    found = on_cocktail(needs("cocktail"), "filter bank")
    assert found["dprime"] > 0.2  # standard error 0.07; plain ridge of 1 to 9 Hz: 0.18
    n = found["n"][0]
    assert found["accuracy"][0] > binom.isf(1e-2, n, 0.5) / n


def test_group_makes_up_for_a_short_calibration():
    """49 s of calibration of five listeners, with the mean over five others."""
    needs("match_mismatch")
    group = group_of([pair[0] for number in GROUP for pair in listener(number)], EEG)
    found = {False: [], True: []}
    for number in NEW:
        pairs = listener(number)
        for i in (0, 3, 6):
            train = [(pairs[j][0], bank_moments(pairs[j][0])) for j in (i + 1, i + 2)]
            for helped, shares in found.items():
                shares.append(match_mismatch(fit_bank(group if helped else None, train), pairs[i][1]))
    gain = np.mean(found[True], axis=0) - np.mean(found[False], axis=0)
    assert gain.mean() > 0.01
    assert np.mean(found[True], axis=0)[0] > 0.55


def test_reversed_time_gives_chance_accuracy():
    """The same fold with the neural signal turned around in time: nothing is left to find."""
    needs("match_mismatch")
    chance = []
    for number in (1, 2, 3):
        pairs = listener(number)
        decoder = fit_bank(None, [(pairs[j][0], bank_moments(pairs[j][0])) for j in range(1, 10)])
        for pair in pairs:
            chance.append(match_mismatch(decoder, replace(pair[1], neural=pair[1].neural[::-1].copy())))
    assert np.mean(chance, axis=0)[WINDOWS.index(2.0)] == pytest.approx(0.5, abs=0.05)


def test_cca_decoder_on_two_talkers():
    runs, said = cocktail(), []
    for i, run in enumerate(runs):
        decoder = CcaDecoder(EEG).fit(runs[:i] + runs[i + 1 :])
        x, y = decoder.project_neural(run.neural), decoder.project_talkers(run.talkers)
        windows = (slice(a, a + 64) for a in range(0, len(x) - 63, 64))
        said += [int(decoder.combine(correlate(x[w], y[:, w])).argmax()) for w in windows]
    assert np.mean(np.array(said) == 0) > binom.isf(1e-2, len(said), 0.5) / len(said)

"""Figures of separation, where their values are known."""

import numpy as np
import pytest

from earmark.pipeline.evaluation.separation import (
    ASKED_DB,
    Given,
    alike,
    change_factors,
    delivered,
    interval,
    modulation,
    oracle_masks,
    owners,
    samples,
    separate,
    si_sdr,
    spectra,
    tracking,
)
from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.remix import Known, Remix
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.transform import Framing

SFREQ = 16000
FRAMING = Framing(SFREQ)
X = np.random.default_rng(0).standard_normal((2, 2 * SFREQ))


def test_transform_and_back_is_in_step_with_the_sound():
    heard = spectra(X, FRAMING)
    again = samples(heard, np.ones((len(heard), FRAMING.n_bins)), FRAMING)
    np.testing.assert_allclose(again, X[:, : again.shape[1]], atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, -3.0, 1e-4, 1e5])
def test_ratio_is_that_of_signal_and_noise_whatever_the_scale(scale):
    """Exact: noise that is made orthogonal to the signal, at a known power."""
    wanted, noise = X
    noise = noise - (noise @ wanted) / (wanted @ wanted) * wanted
    noise *= np.sqrt((wanted @ wanted) / (noise @ noise) / 10)
    assert si_sdr(scale * (wanted + noise), wanted) == pytest.approx(10, abs=1e-9)
    assert si_sdr(wanted + noise, scale * wanted) == pytest.approx(10, abs=1e-9)


def test_ratio_of_the_signal_itself_has_no_bound_and_that_of_a_mixture_is_zero():
    assert si_sdr(X[0], X[0]) > 250
    assert si_sdr(X[0] + X[1], X[0]) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize(("gains", "wanted"), [((1.0, 1.0), 0.0), ((10**0.15, 10**-0.45), 12.0), ((0.1, 1.0), -20.0)])
def test_exact_gains_deliver_exactly_what_they_are(gains, wanted):
    talkers = [X, 0.3 * X[::-1]]
    changed = [gain * one for gain, one in zip(gains, talkers, strict=True)]
    assert delivered(talkers, changed, 0) == pytest.approx(wanted)
    assert delivered(talkers, changed, 1) == pytest.approx(-wanted)
    assert delivered([5 * one for one in talkers], [7 * one for one in changed], 0) == pytest.approx(wanted)


def test_delivered_is_against_all_others():
    talkers = [X, X, X]
    assert delivered(talkers, [2 * X, X, 0 * X], 0) == pytest.approx(20 * np.log10(2) + 10 * np.log10(2))


def test_factors_are_those_of_the_remix():
    """The whole utterance at once and the remix of the sound process agree, hop by hop, on the masks."""
    array = preset("ears2")
    heard = spectra(X[:, :8000], FRAMING)
    directions = np.repeat([[-40.0, 40.0]], len(heard), axis=0)
    masks, azimuths = separate(BeamMasks(array, FRAMING), Given(directions), heard)
    np.testing.assert_array_equal(azimuths, directions)
    found = change_factors(masks, ASKED_DB)
    remix = Remix(FRAMING, BeamMasks(array, FRAMING), Known(directions[0]), array.ears)
    gains = np.repeat(10 ** (np.array(ASKED_DB)[:, None] / 20), FRAMING.hop, axis=1)
    for hop, row in enumerate(found):
        at = hop * FRAMING.hop
        remix.process(X[:, at : at + FRAMING.hop].astype(np.float32), gains)
        np.testing.assert_allclose(row, 1 + remix.factor, atol=1e-6)
    np.testing.assert_allclose(change_factors(masks, (-6.0, -6.0)), 10 ** (-6 / 20), rtol=1e-4)


def test_masks_of_a_late_separator_are_brought_into_step():
    class Late:
        hop, delay = FRAMING.hop, 2 * FRAMING.hop
        past = [-1.0, -2.0]  # noqa: RUF012

        def process(self, spectra, directions):
            self.past.append(float(spectra[0, 0].real))
            return np.full((2, FRAMING.n_bins), self.past[-3], np.float32)

    heard = np.zeros((10, 2, FRAMING.n_bins), np.complex64)
    heard[:, 0, 0] = np.arange(10)
    masks, _ = separate(Late(), Given(np.zeros((10, 2))), heard)
    assert masks[0, :, 0].tolist() == [*range(8), 0.5, 0.5]


def test_oracle_masks_are_shares_of_the_power():
    masks = oracle_masks(np.stack([X[0], 2 * X[0]]), FRAMING)
    for mask, share in zip(masks, (0.2, 0.8), strict=True):
        np.testing.assert_allclose(mask[10:, 5:60], share, atol=1e-3)
    np.testing.assert_allclose(masks.sum(axis=0)[2:], 1, atol=1e-3)


def test_swaps_are_counted_where_the_order_is_clear():
    truth = np.repeat([[-40.0, 40.0]], 15000, axis=0)
    found = truth + 5
    found[6000:9000] = found[6000:9000, ::-1]
    found[9000:9100] = 0.0
    figures = tracking(found, truth, 0.004)
    assert figures["swaps"] == pytest.approx(2 / (15000 * 0.004 / 60))
    assert figures["near"] == pytest.approx(1 - 3100 / 15000)
    assert figures["exchanges"] == figures["swaps"]
    assert tracking(np.full_like(truth, np.nan), truth, 0.004) == {"near": 0, "swaps": 0, "exchanges": 0}


def test_who_is_late_at_a_crossing_is_no_exchange():
    walker = np.linspace(-60, 60, 1000)
    truth = np.stack([walker, 0 * walker], axis=1)
    late = np.stack([walker - 14, 0 * walker], axis=1)
    late[480:680] = [0, 0]
    late[620:680] = [-12, 12]
    figures = tracking(late, truth, 0.004)
    assert figures["swaps"] > 0
    assert figures["exchanges"] == 0
    late[900:] = truth[900:, ::-1]
    assert tracking(late, truth, 0.004)["exchanges"] > 0


def test_places_belong_to_the_nearest_talker():
    truth = np.repeat([[-40.0, 40.0]], 100, axis=0)
    found = truth[:, ::-1].copy()
    found[:10] = np.nan
    found[10:30] = truth[10:30]
    assert owners(found, truth).tolist() == [1, 0]
    assert owners(truth, truth).tolist() == [0, 1]


def test_envelopes_are_alike_whatever_the_level():
    noise = X[0] * (1.2 + np.sin(2 * np.pi * 4 * np.arange(X.shape[1]) / SFREQ))
    one, shape = modulation(noise, SFREQ)
    _, louder = modulation(9 * noise, SFREQ)
    _, other = modulation(X[1], SFREQ)
    assert len(one) == len(shape) == 128
    assert alike(shape, louder[:-3]) == pytest.approx(1)
    assert abs(alike(shape, other)) < 0.5


def test_intervals_hold_the_mean_and_divide_sums():
    found = interval([1.0, 2.0, 3.0, np.nan])
    assert (found.mean, found.n) == (2, 3)
    assert 1 <= found.low < 2 < found.high <= 3
    assert interval([3, 1, 5], [4, 4, 0]).mean == 0.5
    assert interval([3, 1, 5], [4, 4, 0]).n == 2
    assert interval([2.0]).to_json() == {"mean": 2, "low": None, "high": None, "n": 1}
    assert interval([]).to_json() == {"mean": None, "low": None, "high": None, "n": 0}

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import FRAMING, masks_of, mixture, separated, spectra_of

from earmark.devices.audio.mask_network import mask_network
from earmark.pipeline.scene.array import PRESETS, preset
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.network import LIMIT, N_BINS, SHAPES, BeamFeatures, Gates, NetworkMasks
from earmark.pipeline.scene.remix import Known, Remix
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.transform import Framing

TWO, THREE = (-30.0, 40.0), (-60.0, 0.0, 60.0)
GLASSES = preset("glasses6")
SHIPPED = mask_network()
NOTHING = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
every_array = pytest.mark.parametrize("name", PRESETS)


def drawn(seed=0, size=0.3):
    """Weights of a network that says much, and nothing of sense."""
    rng = np.random.default_rng(seed)
    return {name: (size * rng.standard_normal(shape)).astype(np.float32) for name, shape in SHAPES.items()}


def opened(array=GLASSES, n_places=2, weights=SHIPPED, framing=FRAMING):
    return NetworkMasks(array, framing, weights, n_places)


def assert_shares(masks):
    """Defined whatever came in: finite, none below zero, and together one."""
    assert np.isfinite(masks).all()
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(axis=-2), 1, atol=1e-5)


def heard(array=GLASSES, azimuths=TWO, seconds=0.3):
    return spectra_of(sum(mixture(array, azimuths, seconds)[0]))


# Masks


@every_array
def test_two_talkers_are_told_apart_nearly_as_well_as_anybody_could(name):
    """Modulated noise as waves in the open, not the speech in rooms that it was trained with."""
    array = preset(name)
    talkers, noise = mixture(array, TWO)
    masks = masks_of(opened(array), spectra_of(talkers.sum(axis=0) + noise), TWO)
    assert_shares(masks)
    power = np.stack([np.abs(spectra_of(one)[:, 0]) ** 2 for one in talkers], axis=1)
    best = separated(power / power.sum(axis=1, keepdims=True), talkers)
    assert best.min() > 6
    assert (separated(masks, talkers) > best - 2.5).all()


def test_three_talkers_on_six_microphones():
    talkers, noise = mixture(GLASSES, THREE)
    masks = masks_of(opened(n_places=3), spectra_of(talkers.sum(axis=0) + noise), THREE)
    assert_shares(masks)
    assert separated(masks, talkers).min() > 4


@pytest.mark.parametrize("n_places", [2, 3, 4])
def test_a_network_that_says_nothing_leaves_the_masks_of_the_beams(n_places):
    azimuths = (-60.0, 0.0, 60.0, 120.0)[:n_places]
    spectra = heard(azimuths=azimuths)
    found = masks_of(opened(n_places=n_places, weights=NOTHING), spectra, azimuths)
    np.testing.assert_allclose(found, masks_of(BeamMasks(GLASSES, FRAMING, n_places), spectra, azimuths), atol=1e-6)


def test_masks_are_the_formula():
    network, spectra = opened(weights=drawn()), heard()
    features, gates = BeamFeatures(GLASSES, FRAMING), Gates(drawn(), 2)
    for one in spectra:
        beams = features.push(one, np.array(TWO)).astype(float)
        change = np.clip(gates.step(features.values.reshape(2, -1)).astype(float), -LIMIT, LIMIT)
        wanted = beams * np.exp(change) / np.sum(beams * np.exp(change), axis=0)
        np.testing.assert_allclose(network.process(one, np.array(TWO)), wanted, atol=1e-5)


def test_features_are_the_formula():
    spectra = heard(seconds=1.0).astype(np.complex128)
    features = BeamFeatures(GLASSES, FRAMING)
    level = np.nan
    for one in spectra:
        masks = features.push(one.astype(np.complex64), np.array(TWO)).astype(float)
        power = np.abs(np.stack([one[0], *np.einsum("kmf,mf->kf", features.beams.weights, one)])) ** 2
        loud = np.log(power[0].mean())
        level = loud if np.isnan(level) else level
        level += np.clip(loud - level, -7, 7) * (1 - np.exp(-0.004 / (0.1 if loud > level else 3.0)))
        logs = 0.2 * np.log(power / np.exp(level) + 1e-5)
        ratio = 0.4 * np.log(masks[0] / masks[1])
        wanted = np.array([[logs[0], logs[1], logs[2], ratio], [logs[0], logs[2], logs[1], -ratio]])
        np.testing.assert_allclose(features.values, np.clip(wanted, -3, 3), atol=2e-4)


def test_the_strongest_other_beam_counts():
    features = BeamFeatures(GLASSES, FRAMING, 4)
    for one in heard(azimuths=THREE):
        masks = features.push(one, np.array([-60.0, np.nan, 0.0, 60.0]))
    own = features.values[:, 1]
    np.testing.assert_allclose(features.values[0, 2], np.maximum(own[2], own[3]), atol=1e-6)
    np.testing.assert_allclose(features.values[3, 2], np.maximum(own[0], own[2]), atol=1e-6)
    np.testing.assert_allclose(
        features.values[2, 3], 0.4 * np.log(masks[2] / np.maximum(masks[0], masks[3])), atol=1e-4
    )
    assert not features.values[1].any()


@pytest.mark.parametrize("weights", [SHIPPED, drawn()], ids=["shipped", "drawn"])
def test_the_same_as_in_torch(weights):
    """Single precision through 300 steps of feedback; gates forget, so that differences do not grow."""
    torch = pytest.importorskip("torch")
    from benchmarks.train_mask import Network

    network = Network()
    network.load_state_dict({name: torch.from_numpy(np.array(one, np.float32)) for name, one in weights.items()})
    x = np.random.default_rng(0).normal(-0.5, 0.6, (300, 2, 4 * N_BINS)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(x.transpose(1, 0, 2).copy())).numpy().transpose(1, 0, 2)
    gates = Gates(weights, 2)
    found = np.stack([np.clip(gates.step(one), -LIMIT, LIMIT) for one in x])
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert np.abs(found).max() > 0.5


# Streams


@pytest.mark.parametrize("n_places", [2, 3])
def test_state_is_all_that_later_masks_depend_on(n_places):
    azimuths = THREE[:n_places]
    spectra = heard(azimuths=azimuths)
    one, other = opened(n_places=n_places), opened(n_places=n_places)
    masks_of(one, spectra[:30], azimuths)
    other.restore(one.state())
    assert np.array_equal(masks_of(one, spectra[30:], azimuths), masks_of(other, spectra[30:], azimuths))
    one.reset()
    assert np.array_equal(masks_of(one, spectra, azimuths), masks_of(opened(n_places=n_places), spectra, azimuths))


def test_a_state_that_was_taken_does_not_change():
    network, spectra = opened(), heard()
    masks_of(network, spectra[:30], TWO)
    state = network.state()
    kept = {name: one.copy() for name, one in state.items()}
    masks_of(network, spectra[30:], TWO)
    for name, one in state.items():
        np.testing.assert_array_equal(one, kept[name])


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_levels_do_not_matter(factor):
    spectra = heard()
    np.testing.assert_allclose(
        masks_of(opened(), (factor * spectra).astype(np.complex64), TWO), masks_of(opened(), spectra, TWO), atol=1e-3
    )


def remix():
    return Remix(FRAMING, opened(), Known(np.array(TWO)), GLASSES.ears)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 700), max_size=8), st.integers(1, 3999))
def test_the_remix_depends_on_neither_chunks_nor_the_future(sizes, now):
    talkers, noise = mixture(GLASSES, TWO, 0.25)
    x = (talkers.sum(axis=0) + noise).astype(np.float32)
    gains = np.repeat([[1.41], [0.35]], x.shape[1], axis=1)
    whole = remix().process(x, gains)
    cut, at, parts = remix(), 0, []
    for size in (*sizes, x.shape[1]):
        parts.append(cut.process(x[:, at : at + size], gains[:, at : at + size]))
        at = min(at + size, x.shape[1])
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    x[:, now:] = x[:, now:] * 3 + 0.1
    assert remix().process(x, gains)[:, :now].tobytes() == whole[:, :now].tobytes()


# Places


def test_an_unused_place_gets_nothing_and_the_others_all():
    spectra = heard()
    three = masks_of(opened(n_places=3), spectra, (-30.0, np.nan, 40.0))
    assert_shares(three)
    assert not three[:, 1].any()
    np.testing.assert_allclose(three[:, [0, 2]], masks_of(opened(), spectra, TWO), atol=1e-4)


def test_who_comes_later_starts_anew():
    network, spectra = opened(n_places=3), heard(azimuths=THREE)
    masks_of(network, spectra[:30], THREE)
    network.process(spectra[30], np.array([-60.0, np.nan, 60.0]))
    assert not network.state()["hidden"][:, 1].any()
    assert network.state()["hidden"][:, [0, 2]].any(axis=2).all()


@pytest.mark.parametrize("azimuths", [(np.nan, np.nan), (20.0, np.nan)])
def test_with_fewer_than_two_directions_all_masks_are_equal(azimuths):
    network, spectra = opened(), heard()
    masks_of(network, spectra[:30], TWO)
    np.testing.assert_array_equal(masks_of(network, spectra[30:], azimuths), 0.5)
    assert not network.state()["hidden"].any()


def test_two_talkers_at_one_place_are_one():
    masks = masks_of(opened(), heard(), (20.0, 20.0))
    assert_shares(masks)
    np.testing.assert_allclose(masks, 0.5, atol=1e-3)


# What goes wrong


@every_array
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e30, 1e-40])
@pytest.mark.parametrize("weights", [SHIPPED, drawn(size=30.0)], ids=["shipped", "wild"])
def test_what_is_not_sound_gives_masks_nevertheless(name, value, weights):
    array = preset(name)
    network, good = opened(array, weights=weights), heard(array, seconds=0.1)
    for mics in (slice(None), slice(1), slice(1, 2)):
        masks_of(network, good, TWO)
        spectra = good[-1].copy()
        spectra[mics] = value
        assert_shares(network.process(spectra, np.array(TWO)))
        hidden = network.state()["hidden"]
        assert np.isfinite(hidden).all()
        assert np.abs(hidden).max() <= 1
    assert_shares(masks_of(network, good, TWO))


@pytest.mark.parametrize("value", [np.nan, 0.0, 1e30])
@pytest.mark.parametrize("n", [1, 2500])
def test_after_ten_seconds_of_what_is_not_sound_all_is_as_before(value, n):
    network, good = opened(), heard(seconds=2.0)
    before = masks_of(network, good, TWO)[-250:]
    for _ in range(n):
        network.process(np.full_like(good[0], value), np.array(TWO))
    after = masks_of(network, [*good, *good], TWO)[-250:]
    assert np.abs(after - before).mean() < 0.02


@settings(max_examples=50)
@given(st.lists(st.one_of(st.floats(-400, 400), st.just(float("nan"))), min_size=4, max_size=4), st.integers(0, 99))
def test_masks_are_shares_for_any_directions(azimuths, seed):
    rng = np.random.default_rng(seed)
    spectra = (rng.standard_normal((6, 65)) + 1j * rng.standard_normal((6, 65))).astype(np.complex64)
    assert_shares(opened(n_places=4).process(spectra, np.array(azimuths)))


# Rates


@pytest.mark.parametrize("sfreq", [32000, 44100, 48000])
def test_at_every_rate_the_same_frequencies_have_the_same_masks(sfreq):
    """Up to 7.5 kHz; of 44.1 kHz, whose frequencies are 0.2 % higher, within a little."""
    low = heard(seconds=1.0)
    framing = Framing(sfreq)
    high = np.zeros((len(low), 6, framing.n_bins), np.complex64)
    high[:, :, :N_BINS] = low * (framing.window / FRAMING.window)
    wanted = masks_of(opened(), low, TWO)
    found = masks_of(opened(framing=framing), high, TWO)
    assert_shares(found)
    assert np.abs(found[:, :, :60] - wanted[:, :, :60]).mean() < (0.01 if sfreq == 44100 else 1e-4)


def test_above_8_khz_the_masks_of_the_beams_get_the_mean_change_below():
    framing, rng = Framing(48000), np.random.default_rng(0)
    spectra = (rng.standard_normal((50, 6, 193)) + 1j * rng.standard_normal((50, 6, 193))).astype(np.complex64)
    network, beams = opened(framing=framing), BeamMasks(GLASSES, framing)
    for one in spectra:
        found = network.process(one, np.array(TWO)).astype(float)
        before = beams.process(one, np.array(TWO)).astype(float)
    change = np.log(found[0] / found[1]) - np.log(before[0] / before[1])
    np.testing.assert_allclose(change[N_BINS:], change[56:N_BINS].mean(), atol=1e-3)
    assert np.ptp(change[:N_BINS]) > 0.1


@pytest.mark.parametrize("framing", [Framing(8000), Framing(16000, 0.016), Framing(48000, 0.004), Framing(12000)])
def test_frequencies_that_it_was_not_trained_with_are_refused(framing):
    with pytest.raises(SceneError, match="use windows of 8 ms at 16 kHz or more, or masks from beams"):
        opened(framing=framing)


# Settings


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("outward.bias", None, "outward.bias is missing"),
        ("inward.weight", np.zeros((128, 195)), r"has shape \(128, 195\), but must have \(128, 260\)"),
        ("recurrent.bias_hh_l1", np.full(384, np.nan), "not finite"),
    ],
)
def test_weights_of_another_network_are_refused(name, found, words):
    weights = {**NOTHING, name: found} if found is not None else {k: v for k, v in NOTHING.items() if k != name}
    with pytest.raises(SceneError, match=words):
        opened(weights=weights)


def test_it_declares_what_it_is():
    network = opened(n_places=3)
    assert (network.sfreq, network.hop, network.n_bins, network.delay) == (16000, 64, 65, 0)
    assert (network.n_mics, network.n_places) == (6, 3)
    assert network.memory > 4 * sum(np.prod(shape) for shape in SHAPES.values())


@pytest.mark.parametrize("n_places", [1, 5])
def test_numbers_of_places_out_of_range_are_refused(n_places):
    with pytest.raises(SceneError, match=f"{n_places} places"):
        opened(n_places=n_places)

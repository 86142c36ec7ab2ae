import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import FRAMING, masks_of, mixture, separated, spectra_of
from scipy.signal import lfilter

from earmark.pipeline.scene import separator
from earmark.pipeline.scene.array import PRESETS, Array, preset
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.remix import Known, Remix
from earmark.pipeline.scene.separator import BeamMasks, lcmv

TWO, THREE = (-30.0, 40.0), (-60.0, 0.0, 60.0)
GLASSES = preset("glasses6")
every_array = pytest.mark.parametrize("name", PRESETS)


def opened(array=GLASSES, n_places=2, **settings):
    return BeamMasks(array, FRAMING, n_places, **settings)


def assert_shares(masks):
    """Defined whatever came in: finite, none below zero, and together one."""
    assert np.isfinite(masks).all()
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(axis=-2), 1, atol=1e-5)


# Beams


def beams(vectors, noise_inverse, slack):
    """Weights, shape (n_bins, n_mics, n_talkers), of steering vectors of that shape."""
    return lcmv(vectors.transpose(2, 1, 0), (noise_inverse @ vectors).transpose(2, 1, 0), slack).transpose(2, 1, 0)


@every_array
@pytest.mark.parametrize("azimuths", [TWO, (-80.0, 10.0), (15.0, 75.0)])
def test_a_beam_hears_its_talker_as_it_is_and_the_other_not(name, azimuths):
    array, frequencies = preset(name), FRAMING.frequencies
    vectors = array.steering(azimuths, frequencies)
    noise = np.linalg.inv(array.diffuse(frequencies) + 0.1 * np.eye(array.n_mics))
    response = np.einsum("fmk,fml->fkl", beams(vectors, noise, 0.0).conj(), vectors)
    apart = np.abs(np.linalg.det(np.einsum("fmk,fml->fkl", vectors.conj(), vectors))) > 1e-3  # not at 0 Hz
    assert apart.mean() > 0.9
    np.testing.assert_allclose(response[apart], np.broadcast_to(np.eye(2), response[apart].shape), atol=1e-5)


def test_of_all_such_beams_it_hears_the_least_noise():
    """Closed form of Frost: nothing that keeps the constraints does better."""
    frequencies = FRAMING.frequencies[4:5]
    vectors, noise = GLASSES.steering(TWO, frequencies)[0], GLASSES.diffuse(frequencies)[0] + 0.1 * np.eye(6)
    beam = beams(vectors[None], np.linalg.inv(noise)[None], 0.0)[0, :, 0]
    free = np.linalg.svd(vectors.conj().T)[2][2:].conj()  # changes of the beam that neither talker is heard by
    best = (beam.conj() @ noise @ beam).real
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = beam + 0.1 * free.T @ (rng.standard_normal(4) + 1j * rng.standard_normal(4))
        np.testing.assert_allclose(other.conj() @ vectors, [1, 0], atol=1e-8)
        assert (other.conj() @ noise @ other).real > best


def test_slack_keeps_beams_moderate_where_talkers_look_alike():
    gain = [
        np.abs(beams(GLASSES.steering([0.0, 3.0], FRAMING.frequencies), np.eye(6)[None], slack)[:10]).max()
        for slack in (0.0, 0.01)
    ]
    assert gain[0] > 20
    assert gain[1] < 5


# Masks


@every_array
def test_two_talkers_are_told_apart_nearly_as_well_as_anybody_could(name):
    array = preset(name)
    talkers, noise = mixture(array, TWO)
    masks = masks_of(opened(array), spectra_of(talkers.sum(axis=0) + noise), TWO)
    assert_shares(masks)
    assert masks.min() >= 0.025 - 1e-6
    power = np.stack([np.abs(spectra_of(one)[:, 0]) ** 2 for one in talkers], axis=1)
    best = separated(power / power.sum(axis=1, keepdims=True), talkers)
    found = separated(masks, talkers)
    assert best.min() > 6
    assert (found > best - 2).all()


def test_three_talkers_on_six_microphones():
    talkers, noise = mixture(GLASSES, THREE)
    masks = masks_of(opened(n_places=3), spectra_of(talkers.sum(axis=0) + noise), THREE)
    assert_shares(masks)
    assert separated(masks, talkers).min() > 5


def test_three_talkers_on_two_microphones_are_told_apart_less_but_are_defined():
    """Not refused: no beam has two zeros here, and each does what least squares allow."""
    array = preset("ears2")
    talkers, noise = mixture(array, THREE)
    masks = masks_of(opened(array, 3), spectra_of(talkers.sum(axis=0) + noise), THREE)
    assert_shares(masks)
    assert separated(masks, talkers).min() > 1.5


def test_masks_are_the_formula():
    spectra = spectra_of(sum(mixture(GLASSES, TWO, 0.3)[0])).astype(np.complex128)
    separator = opened(floor=0.1, smooth_s=0.012)
    found = masks_of(separator, spectra.astype(np.complex64), TWO)
    keep = np.exp(-64 / 16000 / 0.012)
    power = np.abs(np.einsum("kmf,tmf->tkf", separator.weights, spectra)) ** 2
    mean = lfilter([1 - keep], [1, -keep], power, axis=0) + 1e-30
    share = mean**2 / np.sum(mean**2, axis=1, keepdims=True)
    np.testing.assert_allclose(found, 0.9 * share + 0.05, atol=1e-4)


def test_state_is_all_that_later_masks_depend_on():
    spectra = spectra_of(sum(mixture(GLASSES, TWO, 0.3)[0]))
    one, other = opened(), opened()
    masks_of(one, spectra[:30], TWO)
    other.restore(one.state())
    assert np.array_equal(masks_of(one, spectra[30:], TWO), masks_of(other, spectra[30:], TWO))
    one.reset()
    assert np.array_equal(masks_of(one, spectra, TWO), masks_of(opened(), spectra, TWO))


def test_weights_are_computed_when_somebody_moves(monkeypatch):
    opener, spectra = opened(), spectra_of(sum(mixture(GLASSES, TWO, 0.1)[0]))
    asked = []
    monkeypatch.setattr(separator, "lcmv", lambda *args: asked.append(args) or lcmv(*args))
    for azimuths in ([-30, 40], [-30.2, 40.4], [-30, 40], [-31, 40], [-31, 40]):
        opener.process(spectra[0], np.array(azimuths, float))
    assert len(asked) == 2


@pytest.mark.parametrize("azimuths", [TWO, (-170.0, 0.0, 100.0), (180.0, 300.0)])
def test_weights_are_those_of_the_steering_vectors(azimuths):
    n = len(azimuths)
    found = opened(n_places=n)
    found.process(np.zeros((6, FRAMING.n_bins), np.complex64), np.array(azimuths))
    noise = np.linalg.inv(GLASSES.diffuse(FRAMING.frequencies) + 0.03 * np.eye(6))
    vectors = GLASSES.steering(azimuths, FRAMING.frequencies)
    filtered = noise @ vectors
    gram = vectors.conj().swapaxes(1, 2) @ filtered
    mean = np.trace(gram, axis1=1, axis2=2).real[:, None, None] / n
    wanted = filtered @ np.linalg.inv(gram + 0.01 * mean * np.eye(n))
    np.testing.assert_allclose(found.weights, wanted.conj().transpose(2, 1, 0), atol=2e-4)


def test_an_unused_place_gets_nothing_and_the_others_all():
    spectra = spectra_of(sum(mixture(GLASSES, TWO, 0.3)[0]))
    three = masks_of(opened(n_places=3), spectra, (-30.0, np.nan, 40.0))
    assert_shares(three)
    assert not three[:, 1].any()
    np.testing.assert_array_equal(three[:, [0, 2]], masks_of(opened(), spectra, TWO))


@pytest.mark.parametrize("azimuths", [(np.nan, np.nan), (20.0, np.nan)])
def test_with_fewer_than_two_directions_all_masks_are_equal(azimuths):
    masks = masks_of(opened(), spectra_of(sum(mixture(GLASSES, TWO, 0.1)[0])), azimuths)
    np.testing.assert_array_equal(masks, 0.5)


def test_two_talkers_at_one_place_are_one():
    masks = masks_of(opened(), spectra_of(sum(mixture(GLASSES, TWO, 0.1)[0])), (20.0, 20.0))
    assert_shares(masks)
    np.testing.assert_allclose(masks, 0.5, atol=1e-3)


# What goes wrong


@every_array
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e30, 1e-40])
def test_what_is_not_sound_gives_masks_nevertheless(name, value):
    array = preset(name)
    separator, good = opened(array), spectra_of(sum(mixture(array, TWO, 0.1)[0]))
    before = masks_of(separator, good, TWO)[-1]
    for mics in (slice(None), slice(1), slice(1, 2)):
        spectra = good[-1].copy()
        spectra[mics] = value
        assert_shares(separator.process(spectra, np.array(TWO)))
    after = masks_of(separator, [*good, *good, *good, *good, *good, *good, *good, *good], TWO)  # 0.8 s
    np.testing.assert_allclose(after[-1], before, atol=1e-3)


@settings(max_examples=50)
@given(st.lists(st.one_of(st.floats(-400, 400), st.just(float("nan"))), min_size=4, max_size=4), st.integers(0, 99))
def test_masks_are_shares_for_any_directions(azimuths, seed):
    rng = np.random.default_rng(seed)
    spectra = (rng.standard_normal((6, 65)) + 1j * rng.standard_normal((6, 65))).astype(np.complex64)
    assert_shares(opened(n_places=4).process(spectra, np.array(azimuths)))


@every_array
@pytest.mark.parametrize("fault", ["dead microphone", "swapped pair", "clipped", "one talker silent", "sensor noise"])
def test_faults_cost_decibels_only(name, fault):
    """With a dead microphone beams are wrong: the bound is that nothing gets worse than without them."""
    array = preset(name)
    talkers, noise = mixture(array, TWO)
    x = talkers.sum(axis=0) + noise
    right = separated(masks_of(opened(array), spectra_of(x), TWO), talkers)
    if fault == "dead microphone":
        x[-1] = 0
        least = np.full(2, -0.1)
    elif fault == "swapped pair":
        x[[0, -1]] = x[[-1, 0]]
        least = np.full(2, -10.0)  # the talkers may be exchanged: that is what wrong wiring does
    elif fault == "clipped":
        x = np.clip(x, -x.std(), x.std())
        least = right - 2
    elif fault == "one talker silent":
        x, least = talkers[0] + noise, None
    else:
        x += np.random.default_rng(5).standard_normal(x.shape) * 0.3 * x.std()
        least = right - 4
    masks = masks_of(opened(array), spectra_of(x), TWO)
    assert_shares(masks)
    if least is not None:
        assert (separated(masks, talkers) > least).all()
    else:  # the one who talks has nearly all of what is there
        power = np.abs(spectra_of(x)[:, 0]) ** 2
        assert (power * masks[:, 0]).sum() > 0.85 * power.sum()


@every_array
def test_positions_that_are_wrong_by_5_mm_cost_few_decibels(name):
    """Up to 2 dB; 4 dB where microphones are only 15 mm apart."""
    array = preset(name)
    talkers, noise = mixture(array, TWO)
    spectra = spectra_of(talkers.sum(axis=0) + noise)
    right = separated(masks_of(opened(array), spectra, TWO), talkers)
    rng = np.random.default_rng(0)
    for _ in range(3):
        off = rng.standard_normal(array.positions.shape)
        off *= 0.005 / np.linalg.norm(off, axis=1, keepdims=True)
        wrong = Array(array.positions + off, array.reference, array.ears, array.span)
        assert (separated(masks_of(opened(wrong), spectra, TWO), talkers) > right - (4 if name == "aids4" else 2)).all()


# In the remix


def remix(masks_off=0.0):
    return Remix(FRAMING, opened(), Known(np.array(TWO) + masks_off), GLASSES.ears)


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


def test_the_remix_turns_one_talker_up_and_the_other_down():
    """Each talker alone through the factors that the mixture got."""
    talkers, noise = mixture(GLASSES, TWO)
    x = (talkers.sum(axis=0) + noise).astype(np.float32)
    steered, gains = remix(), np.repeat(10 ** (np.array([[3.0], [-9.0]]) / 20), FRAMING.hop, axis=1)
    factors = []
    for at in range(0, x.shape[1] - FRAMING.hop, FRAMING.hop):
        steered.process(x[:, at : at + FRAMING.hop], gains)
        factors.append(1 + steered.factor)
    power = [np.abs(spectra_of(one)[: len(factors), GLASSES.ears[0]]) ** 2 for one in talkers]
    ratio = [np.sum(np.square(factors) * one) / one.sum() for one in power]
    assert 10 * np.log10(ratio[0] / ratio[1]) > 4
    assert ratio[0] > 1 > ratio[1]


# Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_places": 1}, "1 places"),
        ({"n_places": 5}, "5 places"),
        ({"floor": -0.1}, "floor"),
        ({"floor": np.nan}, "floor"),
        ({"loading": 0.0}, "loading"),
        ({"smooth_s": np.inf}, "smooth_s"),
        ({"slack": 2.0}, "slack"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(SceneError, match=words):
        opened(**settings)


def test_it_declares_what_it_is():
    separator = opened(n_places=3)
    assert (separator.sfreq, separator.hop, separator.n_bins, separator.delay) == (16000, 64, 65, 0)
    assert (separator.n_mics, separator.n_places) == (6, 3)
    assert separator.memory > separator.weights.nbytes

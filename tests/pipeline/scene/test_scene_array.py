import numpy as np
import pytest

from earmark.pipeline.scene.array import PRESETS, Array, Responses, preset
from earmark.pipeline.scene.errors import SceneError

PAIR = np.array([[-0.09, 0, 0], [0.09, 0, 0]])
FREQUENCIES = np.array([0.0, 500.0, 2000.0])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_symmetric_arrays_with_a_left_and_a_right_ear(name):
    array = preset(name)
    left, right = array.positions[list(array.ears)]
    assert left[0] < 0 < right[0]
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-9)
    mirrored = array.positions * [-1, 1, 1]
    for one in mirrored:
        assert np.abs(array.positions - one).sum(axis=1).min() < 1e-9


def test_the_right_microphone_hears_the_right_first():
    """Azimuths rise to the right, as in the spaces that talkers are placed in."""
    vectors = Array(PAIR).steering([90.0, -90.0, 0.0], FREQUENCIES)
    delay = 0.18 / 343.0
    wanted = np.exp(2j * np.pi * FREQUENCIES[:, None] * delay * [1, -1, 0])
    np.testing.assert_allclose(vectors[:, 1], wanted, atol=1e-12)
    np.testing.assert_allclose(vectors[:, 0], 1, atol=1e-12)


def test_the_front_is_the_second_coordinate_and_height_does_not_matter():
    array = Array(np.array([[0, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]))
    vectors = array.steering([0.0, 180.0], FREQUENCIES)
    np.testing.assert_allclose(vectors[:, 1, 0], np.exp(2j * np.pi * FREQUENCIES * 0.1 / 343.0))
    np.testing.assert_allclose(vectors[:, 1, 1], vectors[:, 1, 0].conj(), atol=1e-12)
    np.testing.assert_allclose(vectors[:, 2], 1)


def test_diffuse_sound_is_what_arrives_from_everywhere():
    rng = np.random.default_rng(0)
    towards = rng.standard_normal((20000, 3))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    waves = np.exp(2j * np.pi * FREQUENCIES[:, None, None] / 343.0 * (PAIR @ towards.T))
    found = waves @ waves.conj().swapaxes(1, 2) / 20000
    np.testing.assert_allclose(Array(PAIR).diffuse(FREQUENCIES), found, atol=0.03)


def measured(azimuths, sfreq=48000.0, delay=40, gain=3.0):
    """Impulse responses of the pair, with a common delay and gain that do not matter."""
    frequencies = np.fft.rfftfreq(256, 1 / sfreq)
    vectors = Array(PAIR).steering(azimuths, frequencies) * gain
    vectors *= np.exp(-2j * np.pi * frequencies * delay / sfreq)[:, None, None]
    return Responses(np.asarray(azimuths, float), np.fft.irfft(vectors, 256, axis=0).transpose(2, 1, 0), sfreq)


def test_measured_responses_are_used_instead_of_plane_waves():
    azimuths = np.arange(-180.0, 180.0, 5.0)
    array = Array(PAIR, responses=measured(azimuths))
    for asked, nearest in ((30.0, 30.0), (31.0, 30.0), (178.0, -180.0), (-182.0, 180.0)):
        np.testing.assert_allclose(
            array.steering([asked], FREQUENCIES), Array(PAIR).steering([nearest], FREQUENCIES), atol=0.02
        )
    coherence = array.diffuse(FREQUENCIES)
    np.testing.assert_allclose(np.einsum("fmm->f", coherence), 2)
    np.testing.assert_allclose(coherence[0], 1, atol=1e-3)


def test_a_shadowed_microphone_counts_less():
    taps = np.zeros((2, 2, 8))
    taps[:, 0, 0], taps[:, 1, 0] = 1.0, 0.5
    vectors = Array(PAIR, responses=Responses(np.array([0.0, 90.0]), taps, 16000)).steering([0.0], FREQUENCIES)
    np.testing.assert_allclose(vectors[0, :, 0], np.array([1, 0.5]) / np.sqrt(0.625))


@pytest.mark.parametrize(
    ("positions", "settings", "words"),
    [
        ([[0, 0, 0]], {}, "at least 2 microphones"),
        ([[0, 0], [1, 0]], {}, r"must have \(n_mics, 3\)"),
        ([[0, 0, 0], [0, 0]], {}, "must be numbers"),
        ("glasses", {}, "must be numbers"),
        ([[0, 0, 0], [np.nan, 0, 0]], {}, "finite"),
        ([[0, 0, 0], [90, 0, 0]], {}, "give metres"),
        ([[0, 0, 0], [0, 0, 0]], {}, "the same place"),
        (PAIR, {"reference": 2}, "reference is microphone 2"),
        (PAIR, {"ears": (0, 2)}, r"ears are \(0, 2\)"),
        (PAIR, {"ears": (0,)}, r"ears are \(0,\)"),
        (PAIR, {"span": (90, -90)}, "must rise"),
        (PAIR, {"span": (np.nan, 90)}, "must rise"),
        (PAIR, {"responses": Responses(np.zeros(1), np.zeros((1, 2, 8)), 16000)}, r"azimuths \(n,\)"),
        (PAIR, {"responses": Responses(np.arange(3), np.zeros((3, 4, 8)), 16000)}, r"taps \(n, 2, n_taps\)"),
        (PAIR, {"responses": Responses(np.arange(3), np.full((3, 2, 8), np.inf), 16000)}, "finite"),
        (PAIR, {"responses": Responses(np.array([0, 2, 1]), np.ones((3, 2, 8)), 16000)}, "ascending"),
        (PAIR, {"responses": Responses(np.arange(3), np.ones((3, 2, 8)), 0.0)}, "above 0 Hz"),
    ],
)
def test_arrays_that_are_none_are_refused(positions, settings, words):
    with pytest.raises(SceneError, match=words):
        Array(positions, **settings)


def test_an_unknown_preset_is_an_error_that_lists_the_known():
    with pytest.raises(SceneError, match=r"no preset 'hat': choose glasses6, aids4, ears2, table"):
        preset("hat")

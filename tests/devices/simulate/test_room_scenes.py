"""Simulated rooms: what arrives where, and when."""

import importlib.util
import sys

import numpy as np
import pytest

from earmark.devices.audio.scene import AudioError
from earmark.devices.simulate import room_scenes
from earmark.devices.simulate.room_scenes import DISTANCE, KEMAR, SFREQ, RoomError, array_of, mixture, paths, ways

needs_rooms = pytest.mark.skipif(
    importlib.util.find_spec("pyroomacoustics") is None, reason="pyroomacoustics (extra scene) is not installed"
)
X = np.random.default_rng(0).standard_normal((2, SFREQ))


def test_talkers_are_apart_and_one_walks_to_and_fro():
    for number in range(20):
        standing, walking = ways((number,), 7 * SFREQ), ways((number,), 7 * SFREQ, walking=True)
        assert abs(standing[0, 0] - standing[1, 0]) >= 30
        np.testing.assert_allclose(walking[1, 0], standing[1, 0])
        assert np.abs(walking).max() <= 75
        assert np.abs(np.diff(walking[0])).max() == pytest.approx(30 / SFREQ, rel=1e-3)


@needs_rooms
def test_sound_arrives_first_where_the_talker_is_nearest():
    array, _ = array_of("ears2")
    (left, right), (left2, right2) = paths(array, 0.0, [-90.0, 90.0], (0,))
    early = np.array([np.abs(one).argmax() for one in (left, right, left2, right2)])
    assert early[1] - early[0] == early[2] - early[3] == pytest.approx(0.18 / 343 * SFREQ, abs=1)


@needs_rooms
def test_head_hears_direct_sound_as_measured_and_reflections_after_it():
    array, head = array_of(KEMAR)
    (open_ears,) = paths(array, 0.0, [-90.0], (0,), head)
    (in_room,) = paths(array, 0.3, [-90.0], (0,), head)
    nearest = int((head.towards @ [-1.0, 0, 0]).argmax())
    measured = head.taps[nearest]
    lag = DISTANCE / 343 * SFREQ + 16
    for ear in range(2):
        direct = np.abs(measured[ear]).argmax()
        assert np.abs(open_ears[ear]).argmax() == pytest.approx(lag + direct, abs=1)
        energy = np.sum(open_ears[ear] ** 2) * DISTANCE**2
        assert energy == pytest.approx(np.sum(measured[ear] ** 2), rel=0.1)
        assert np.sum(in_room[ear] ** 2) > 1.5 * np.sum(open_ears[ear] ** 2)
        np.testing.assert_allclose(in_room[ear][:60], open_ears[ear][:60], atol=1e-3)
    assert np.sum(open_ears[0] ** 2) > 4 * np.sum(open_ears[1] ** 2)  # the left ear is near


@needs_rooms
@pytest.mark.parametrize("name", ["aids4", KEMAR])
def test_mixture_has_equal_levels_and_repeats(name):
    array, head = array_of(name)
    scene = mixture(array, list(X), ways((3, 1), SFREQ), 0.2, (3, 1), head)
    assert scene.talkers.shape == (2, array.n_mics, SFREQ)
    np.testing.assert_allclose(np.mean(scene.talkers[:, array.reference] ** 2, axis=1), 1)
    assert np.mean(scene.noise**2) == pytest.approx(10**-2.5, rel=0.05)
    again = mixture(array, list(X), ways((3, 1), SFREQ), 0.2, (3, 1), head)
    np.testing.assert_array_equal(scene.mics, again.mics)


@needs_rooms
def test_silent_talker_is_refused():
    array, _ = array_of("ears2")
    with pytest.raises(RoomError, match="talker 2 of the mixture is silent"):
        mixture(array, [X[0], 0 * X[1]], ways((0,), SFREQ), 0.0, (0,))


@pytest.mark.parametrize("rt60", [0.05, 3.0, -1.0, np.nan])
def test_reverberation_that_cannot_be_is_refused(rt60):
    with pytest.raises(RoomError, match=r"give 0, or 0\.15 to 1 s"):
        paths(array_of("ears2")[0], rt60, [0.0], (0,))


def test_unknown_array_is_refused():
    with pytest.raises(RoomError, match="choose from glasses6"):
        array_of("glasses7")


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(AudioError, match=r"pyroomacoustics, which is not installed: pip install '\.\[scene\]'"):
        paths(room_scenes.array_of("ears2")[0], 0.0, [0.0], (0,))

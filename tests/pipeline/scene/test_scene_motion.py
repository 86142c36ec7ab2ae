import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.pipeline.scene.motion import FASTEST, WORST, Motion, turn, wrapped

HOP_S = 0.004


def placed(*azimuths):
    motion = Motion(len(azimuths), HOP_S)
    for place, azimuth in enumerate(azimuths):
        if np.isfinite(azimuth):
            motion.start(place, azimuth)
    return motion


def heard(motion, truths, share=0.2, scatter=8.0, seed=0):
    """Azimuths after each hop, while each talker, shape (n_hops, n_talkers), is heard in a share of the hops."""
    rng = np.random.default_rng(seed)
    out = []
    for truth in np.asarray(truths, float):
        motion.predict()
        some = truth[rng.random(len(truth)) < share]
        if len(some):
            motion.update(wrapped(some + rng.normal(0, scatter, len(some))), np.ones(len(some)))
        out.append(motion.azimuths.copy())
    return np.array(out)


def test_talkers_who_stand_stay_where_they_are():
    found = heard(placed(-30.0, 40.0), np.repeat([[-30.0, 40.0]], 5000, axis=0))
    assert np.sqrt(np.mean((found - [-30, 40]) ** 2)) < 3


@pytest.mark.parametrize("speed", [10.0, 30.0, -30.0])
def test_a_talker_who_walks_is_followed_around_the_head(speed):
    way = wrapped(150 + speed * HOP_S * np.arange(5000))[:, None]
    away = np.abs(turn(heard(placed(150.0), way), way))
    assert away[500:].mean() < 10


def test_a_single_direction_from_elsewhere_moves_nobody_far():
    motion = placed(0.0, 90.0)
    before = motion.azimuths.copy()
    for away in (60.0, 180.0, -45.0):
        motion.update(np.array([away]), np.ones(1))
        np.testing.assert_allclose(motion.azimuths, before, atol=1)


def test_a_direction_between_two_is_shared():
    motion = placed(-10.0, 10.0)
    motion.update(np.zeros(1), np.ones(1))
    assert -10 < motion.azimuths[0] < 0 < motion.azimuths[1] < 10
    np.testing.assert_allclose(motion.azimuths.sum(), 0, atol=1e-9)


def test_an_unused_place_stays_unused():
    motion = placed(np.nan, 20.0)
    found = heard(motion, np.repeat([[20.0]], 100, axis=0))
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 1]).all()


def test_speed_fades_in_silence():
    motion = placed(0.0)
    motion.speeds[:] = 30
    for _ in range(2500):
        motion.predict()
    assert abs(motion.speeds[0]) < 0.01
    assert motion.azimuths[0] == pytest.approx(30 * 0.6, abs=0.5)


def test_a_nudge_turns_over_the_back():
    motion = placed(175.0)
    motion.nudge(0, 10.0)
    assert motion.azimuths[0] == pytest.approx(-175)


@given(st.lists(st.lists(st.floats(-180, 180), max_size=5), max_size=60))
def test_uncertainty_stays_one(directions):
    motion = placed(0.0, 120.0)
    for some in directions:
        motion.predict()
        if some:
            motion.update(np.array(some), np.ones(len(some)))
        variance, both, speed = motion.spread
        assert (variance > 0).all()
        assert (variance <= WORST**2 * (1 + 1e-9)).all()
        assert (speed > 0).all()
        assert (both**2 <= variance * speed * (1 + 1e-9)).all()
        assert (np.abs(motion.speeds) <= FASTEST).all()


@pytest.mark.parametrize(("start", "end", "way"), [(0, 90, 90), (170, -170, 20), (-170, 170, -20), (350, 10, 20)])
def test_turns_are_the_short_way(start, end, way):
    assert turn(start, end) == way
    assert wrapped(start + way) == wrapped(end)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.pipeline.scene.motion import FASTEST, Paths, turn, wrapped

STEP_S, HOPS = 0.032, 8
ROUND, FRONT = (-180.0, 180.0), (-90.0, 90.0)


def placed(*azimuths, span=ROUND, n_guesses=1000):
    paths = Paths(len(azimuths), span, STEP_S, n_guesses)
    for place, azimuth in enumerate(azimuths):
        if np.isfinite(azimuth):
            paths.start(place, azimuth)
    return paths


def told(paths, directions, width=8.0):
    """Densities of azimuths around the directions that were heard, relative to an even one."""
    low = -180.0 if paths.n_cells == 360 else -90.0
    away = turn(low + np.arange(paths.n_cells), np.asarray(directions, float)[:, None])
    density = np.exp(-0.5 * (away / width) ** 2)
    return (density / density.mean(axis=1, keepdims=True)).astype(np.float32)


def followed(paths, truths, share=0.15, scatter=6.0, seed=0):
    """Azimuths after each step, while each talker, shape (n_steps, n_talkers), NaN if silent, is heard now and then."""
    rng = np.random.default_rng(seed)
    out = []
    for truth in np.asarray(truths, float):
        for _ in range(HOPS):
            talking = truth[(rng.random(len(truth)) < share) & np.isfinite(truth)]
            if len(talking):
                heard = rng.choice(talking) + rng.normal(0, scatter, 6)
                paths.hear(told(paths, heard), np.full(6, 0.3, np.float32))
        paths.step()
        out.append(paths.azimuths.copy())
    return np.array(out)


def walk(start, speed, seconds, still=None):
    """Azimuths of somebody who walks, and of somebody who stands, shape (n_steps, n_talkers)."""
    way = start + speed * STEP_S * np.arange(round(seconds / STEP_S))
    return way[:, None] if still is None else np.stack([way, np.full(len(way), still)], axis=1)


def test_talkers_who_stand_stay_where_they_are():
    found = followed(placed(-30.0, 40.0), np.repeat([[-30.0, 40.0]], 600, axis=0))
    assert np.sqrt(np.mean((found - [-30, 40]) ** 2)) < 4


@pytest.mark.parametrize("speed", [10.0, 30.0, -30.0])
def test_a_talker_who_walks_is_followed_around_the_head(speed):
    way = wrapped(walk(150.0, speed, 15))
    away = np.abs(turn(followed(placed(150.0), way), way))
    assert away[30:].mean() < 8


@pytest.mark.parametrize("seed", range(6))
def test_who_walks_past_another_goes_on(seed):
    truth = walk(-60.0, 30.0, 4.0, still=0.0)
    paths = placed(-60.0, 0.0)
    found = followed(paths, truth, seed=seed)
    assert np.abs(found[-1] - truth[-1]).max() < 12


@pytest.mark.parametrize("seed", range(6))
def test_who_is_silent_while_passing_is_found_behind_the_other(seed):
    truth = walk(-60.0, 30.0, 4.0, still=0.0)
    heard = truth.copy()
    heard[np.abs(truth[:, 0]) < 10, 0] = np.nan
    assert np.abs(followed(placed(-60.0, 0.0), heard, seed=seed)[-1] - truth[-1]).max() < 12


@pytest.mark.parametrize("seed", range(4))
def test_who_turns_back_before_another_is_not_taken_for_them(seed):
    there = walk(-60.0, 30.0, 1.0, still=0.0)
    back = walk(-30.0, -30.0, 1.5, still=0.0)
    truth = np.concatenate([there, back])
    assert np.abs(followed(placed(-60.0, 0.0), truth, seed=seed)[-1] - truth[-1]).max() < 12


def test_a_silent_talker_stays_and_does_not_go_to_the_one_who_talks():
    truth = np.repeat([[np.nan, 20.0]], round(10 / STEP_S), axis=0)
    paths = placed(-30.0, 20.0)
    found = followed(paths, truth)
    assert np.abs(found[:, 0] + 30).max() < 15
    assert np.abs(found[:, 1] - 20).max() < 6
    assert paths.since[0] == pytest.approx(10, abs=0.5)
    assert paths.since[1] < 1


def test_places_are_exchanged_when_sound_says_so():
    """Guesses of both orders, as after talkers came too close; what comes next fits the other order."""
    paths = placed(-20.0, 20.0)
    swapped = placed(20.0, -20.0).state()["guesses"]
    state = paths.state()
    state["guesses"][:, ::3] = swapped[:, ::3]
    state["speeds"][:] = [[30.0], [0.0]]
    state["speeds"][:, ::3] = [[-30.0], [0.0]]
    state["weights"] = np.where(np.arange(1000) % 3 == 0, 0.5, 1.0)
    state["weights"] /= state["weights"].sum()
    paths.restore(state)
    steps = np.arange(20) * STEP_S
    found = followed(paths, np.stack([20 - 30 * steps, np.full(20, -20.0)], axis=1), share=0.5)
    assert paths.n_exchanged == 1
    assert np.abs(found[-1] - [2, -20]).max() < 10


def test_an_unused_place_stays_unused_until_somebody_starts():
    paths = placed(np.nan, 20.0)
    found = followed(paths, np.repeat([[np.nan, 20.0]], 60, axis=0))
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 1]).all()
    paths.start(0, -50.0)
    assert np.abs(followed(paths, np.repeat([[-50.0, 20.0]], 60, axis=0))[-1] - [-50, 20]).max() < 8
    paths.forget(0)
    assert np.isnan(followed(paths, np.repeat([[-50.0, 20.0]], 9, axis=0))[:, 0]).all()


def test_a_pinned_place_does_not_move_and_others_do():
    paths = placed(-30.0, 20.0)
    paths.pinned[0] = True
    truth = walk(20.0, 30.0, 2.0)
    found = followed(paths, np.concatenate([truth * 0 - 60, truth], axis=1))
    assert (found[:, 0] == -30).all()
    assert abs(found[-1, 1] - truth[-1, 0]) < 12


def test_nobody_is_beyond_the_span():
    paths = placed(70.0, -20.0, span=FRONT)
    found = followed(paths, np.minimum(walk(70.0, 30.0, 3.0, still=-20.0), 90))
    assert found.max() <= 90
    assert found[-1, 0] > 80


def test_the_state_is_all_that_counts():
    truth = walk(-60.0, 30.0, 3.0, still=0.0)
    one = placed(-60.0, 0.0)
    followed(one, truth[:40])
    one.hear(told(one, [3.0]), np.full(1, 0.3, np.float32))  # in the middle of a step
    other = Paths(2, ROUND, STEP_S)
    other.restore(one.state())
    assert followed(one, truth[40:]).tobytes() == followed(other, truth[40:]).tobytes()
    for name, value in one.state().items():
        np.testing.assert_array_equal(other.state()[name], value, name)
    one.reset()
    for name, value in Paths(2, ROUND, STEP_S).state().items():
        np.testing.assert_array_equal(one.state()[name], value, name)


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.tuples(st.floats(-180, 180), st.floats(0.01, 0.99)), max_size=8), max_size=40),
    st.sampled_from([ROUND, FRONT]),
)
def test_guesses_stay_guesses_whatever_is_heard(steps, span):
    paths = placed(0.0, 60.0, np.nan, span=span, n_guesses=50)
    for some in steps:
        directions, doubts = zip(*some, strict=True) if some else ((), ())
        paths.hear(told(paths, directions), np.array(doubts, np.float32))
        paths.step()
        state = paths.state()
        assert state["weights"].sum() == pytest.approx(1)
        assert (state["weights"] >= 0).all()
        assert np.isfinite(state["guesses"]).all()
        assert (state["guesses"] >= span[0]).all()
        assert (state["guesses"] <= span[1]).all()
        assert (np.abs(state["speeds"]) <= FASTEST).all()
        assert np.isfinite(paths.azimuths[:2]).all()
        assert np.isnan(paths.azimuths[2])


@pytest.mark.parametrize(("start", "end", "way"), [(0, 90, 90), (170, -170, 20), (-170, 170, -20), (350, 10, 20)])
def test_turns_are_the_short_way(start, end, way):
    assert turn(start, end) == way
    assert wrapped(start + way) == wrapped(end)

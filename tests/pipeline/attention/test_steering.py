import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.pipeline.attention.evidence import Posterior
from earmark.pipeline.attention.gain_control import FALLBACKS, GainControl, Situation, Stream, situation
from earmark.pipeline.attention.steering import FiveStateChain, FiveStateConfig, Steering, SteeringConfig
from earmark.pipeline.control import Session

SURE, UNSURE = [0.95, 0.05], [0.5, 0.5]


def posterior(*probability, talker="likeliest"):
    p = np.array(probability)
    return Posterior(p, int(p.argmax()) if talker == "likeliest" else talker)


def followed(law, steps):
    """Gains after each (time, posterior)."""
    out = []
    for at, one in steps:
        law.update(one, at)
        out.append(law.gains)
    return np.array(out)


# Steering


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        ([0.9, 0.1], [3.0, -9.0]),
        ([0.99, 0.01], [3.0, -9.0]),
        ([0.7, 0.3], [1.5, -4.5]),
        ([0.3, 0.7], [-4.5, 1.5]),
        ([0.9, 0.05, 0.05], [3.0, -9.0, -9.0]),
        # From 1/3 to 0.9 and from 1/3 to 0.05.
        ([0.6, 0.3, 0.1], [3 * (0.6 - 1 / 3) / (0.9 - 1 / 3), -9 * (1 / 3 - 0.3) / (1 / 3 - 0.05), -9 * 14 / 17]),
    ],
)
def test_gains_are_linear_in_the_probability(probability, expected):
    law = Steering(n_talkers=len(probability))
    law.update(posterior(*probability), 0.0)
    np.testing.assert_allclose(law.gains, expected, rtol=1e-12)


def test_undecided_posterior_gives_neutral_gains():
    law = Steering()
    law.update(posterior(0.65, 0.35, talker=None), 0.0)
    assert law.gains.tolist() == [0, 0]
    law.update(posterior(*SURE), 10.0)
    law.update(posterior(0.52, 0.48, talker=None), 20.0)
    assert law.gains.tolist() == [0, 0]


def test_changes_within_the_dead_band_are_ignored():
    law = Steering(SteeringConfig(dead_band_db=1.5))
    found = followed(law, [(10.0 * i, posterior(p, 1 - p)) for i, p in enumerate((0.7, 0.72, 0.68, 0.76, 0.79, 0.84))])
    # The ignored talker's gain moves by 22.5 dB per 1: 1.5 dB are 0.067.
    np.testing.assert_allclose(found[:, 1], [-4.5, -4.5, -4.5, -4.5, -6.525, -6.525], rtol=1e-12)


def test_hold_time_delays_change_of_favoured_talker():
    law = Steering(SteeringConfig(hold_s=2.0, dead_band_db=0.0))
    one, other, nobody = posterior(*SURE), posterior(*SURE[::-1]), posterior(*UNSURE, talker=None)
    found = followed(law, [(0.0, one), (0.5, other), (1.5, nobody), (1.9, posterior(0.8, 0.2)), (2.0, other)])
    np.testing.assert_allclose(found[:, 0], [3, 3, 3, 2.25, -9], rtol=1e-12)
    # Time that jumps back does not hold for longer.
    law.update(one, -1e6)
    assert law.gains.tolist() == [3.0, -9.0]


def test_ignored_talkers_are_muted_only_on_request():
    for n_talkers in (2, 3, 4, 5, 8):
        rest = [0.0] * (n_talkers - 1)
        law = Steering(n_talkers=n_talkers)
        law.update(posterior(1.0, *rest), 0.0)
        assert np.all(law.gains >= -9)
        asked = Steering(SteeringConfig(mute_ignored=True), n_talkers)
        asked.update(posterior(1.0, *rest), 0.0)
        assert asked.gains.tolist() == [3.0] + [-math.inf] * (n_talkers - 1)
        asked.update(posterior(0.7, *[0.3 / (n_talkers - 1)] * (n_talkers - 1)), 1.0)
        assert np.all(np.isfinite(asked.gains))
        assert asked.favour(0).tolist() == [3.0] + [-math.inf] * (n_talkers - 1)


@given(st.integers(2, 8), st.lists(st.tuples(st.floats(0, 1e3), st.integers(0, 1000)), max_size=20), st.booleans())
@settings(max_examples=60, deadline=None)
def test_gains_stay_in_bounds_and_permute_with_the_talkers(n_talkers, steps, decided):
    one, other = Steering(n_talkers=n_talkers), Steering(n_talkers=n_talkers)
    config = one.config
    for at, seed in steps:
        p = np.random.default_rng(seed).dirichlet(np.full(n_talkers, 0.5))
        talker = int(p.argmax()) if decided or seed % 3 else None
        one.update(Posterior(p, talker), at)
        other.update(Posterior(p[::-1], None if talker is None else n_talkers - 1 - talker), at)
        assert np.all((one.gains >= config.cut_db) & (one.gains <= config.boost_db))
        np.testing.assert_array_equal(one.gains[::-1], other.gains)


@given(st.lists(st.floats(0.5, 1), min_size=2, max_size=2))
def test_higher_certainty_never_reduces_the_gain_difference(confidence):
    low, high = sorted(confidence)
    gains = []
    for p in (low, high):
        law = Steering()
        law.update(posterior(p, 1 - p), 0.0)
        gains.append(law.gains[0] - law.gains[1])
    assert gains[0] <= gains[1]


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"boost_db": 7.0}, "boost_db is 7.0"),
        ({"cut_db": -60.0}, "cut_db is -60.0"),
        ({"cut_db": math.nan}, "cut_db is nan"),
        ({"full_at": 1.0}, "full_at is 1.0"),
        ({"dead_band_db": -1.0}, "dead_band_db is -1.0"),
        ({"hold_s": math.nan}, "hold_s is nan"),
    ],
)
def test_invalid_settings_are_rejected(config, match):
    with pytest.raises(ValueError, match=match):
        SteeringConfig(**config)


@pytest.mark.parametrize(
    ("law", "n", "wanted"), [(Steering, 9, "2 to 8"), (Steering, 1, "2 to 8"), (FiveStateChain, 3, "2")]
)
def test_numbers_of_talkers_that_a_law_does_not_know_are_refused(law, n, wanted):
    with pytest.raises(ValueError, match=f"n_talkers is {n}, but must be {wanted}"):
        law(law.Config(), n)


# Five-state chain


def test_five_state_chain_has_the_published_gains():
    law = FiveStateChain()
    assert law.tmr_db.tolist() == [-9, -4.5, 0, 4.5, 9]
    seen = followed(law, [(0.5 * i, posterior(0.51, 0.49)) for i in range(4)])
    np.testing.assert_allclose(seen[:, 0] - seen[:, 1], [4.5, 9, 9, 9], rtol=1e-12)
    np.testing.assert_allclose(seen[1], [0, -9], atol=1e-12)
    law.update(posterior(*UNSURE), 2.0)
    np.testing.assert_array_equal(law.gains, seen[1])
    back = followed(law, [(3 + 0.5 * i, posterior(0.1, 0.9)) for i in range(6)])
    np.testing.assert_allclose(back[:, 0] - back[:, 1], [4.5, 0, -4.5, -9, -9, -9], atol=1e-12)


def test_five_state_chain_conserves_power():
    law = FiveStateChain()
    seen = [law.gains] + [gains for gains in followed(law, [(i, posterior(0.9, 0.1)) for i in range(2)])]
    power = (10 ** (np.array(seen) / 10)).sum(axis=1)
    np.testing.assert_allclose(power, 1 + 10**-0.9, rtol=1e-12)


def test_five_state_chain_has_the_published_gains_for_a_weaker_target():
    assert FiveStateChain(FiveStateConfig(scene_tmr_db=-6.0)).tmr_db.tolist() == [-9, -7.5, -6, 1.5, 9]


@pytest.mark.parametrize("config", [{"max_tmr_db": 0.0}, {"max_tmr_db": math.nan}, {"scene_tmr_db": 9.0}])
def test_invalid_five_state_settings_are_rejected(config):
    with pytest.raises(ValueError, match="five-state chain"):
        FiveStateConfig(**config)


laws = pytest.mark.parametrize("make", [Steering, FiveStateChain])


@laws
def test_wrong_number_of_talkers_is_rejected(make):
    law = make()
    with pytest.raises(ValueError, match=r"shape \(3,\), but must have \(2,\)"):
        law.update(posterior(0.5, 0.3, 0.2), 0.0)
    with pytest.raises(ValueError, match="talker is 2"):
        law.favour(2)


# The table. Ages in seconds; None: no posterior yet.

AGES = (None, -0.5, 0.0, 1.0, 1.001, 3.0, 3.001, 1e6, -1.5, math.nan, math.inf)
FRESH, LATE = {-0.5, 0.0, 1.0}, {1.001, 3.0}


def expected_situation(session, age, stream, override, mute):
    """The table, written a second time, from the bottom up."""
    found = Situation.STALE
    if age in LATE:
        found = Situation.HELD
    if age in FRESH:
        found = Situation.STEERED
    if age is None:
        found = Situation.WAITING
    found = {Stream.LOST: Situation.STREAM_LOST, Stream.BAD_CHANNELS: Situation.BAD_CHANNELS}.get(stream, found)
    if session != "running":
        found = Situation(session.value)
    if override is not None:
        found = Situation.OVERRIDE
    return Situation.MUTED if mute else found


EVERYTHING = list(itertools.product(Session, AGES, Stream, (None, "equal", 0, 1), (False, True)))


@laws
def test_every_row_of_the_table_of_situations(make):
    """Each combination, entered from a law that favours talker 0 to the full."""
    seen = set()
    for session, age, stream, override, mute in EVERYTHING:
        law = make()
        control = GainControl(law)
        if age is not None and math.isfinite(age):
            for at in (100 - age - 10, 100 - age - 5, 100 - age):
                control.observe(posterior(*SURE), at)
            now = 100.0
        elif age is None:
            now = 100.0
        else:
            control.observe(posterior(*SURE), 100.0)
            now = age
        full = law.favour(0)
        target = control.target(now, session, stream, override, mute)
        wanted = expected_situation(session, age, stream, override, mute)
        seen.add(wanted)
        what = (session, age, stream, override, mute)
        assert target.situation is wanted, what
        assert situation(session, age, stream, override, mute) is wanted, what
        if mute:
            assert np.all(target.gains == -np.inf), what
            assert target.ramp_s == 0.02
            continue
        assert target.ramp_s == (1.0 if wanted in FALLBACKS else None), what
        if override == "equal":
            np.testing.assert_array_equal(target.gains, law.neutral)
        elif override is not None:
            np.testing.assert_array_equal(target.gains, law.favour(override))
        elif wanted in (Situation.STEERED, Situation.HELD):
            np.testing.assert_array_equal(target.gains, full)
        else:
            np.testing.assert_array_equal(target.gains, law.neutral)
    assert seen == set(Situation)


def test_lost_stream_gives_neutral_gains_until_the_next_decision():
    control = GainControl(Steering())
    sure, neutral = [3.0, -9.0], [0.0, 0.0]

    def gains(now, **others):
        target = control.target(now, Session.RUNNING, **others)
        return target.gains.tolist(), target.situation

    assert gains(0.0) == (neutral, Situation.WAITING)
    control.observe(posterior(*SURE), 1.0)
    assert gains(1.5) == (sure, Situation.STEERED)
    assert gains(2.5) == (sure, Situation.HELD)
    assert gains(4.5) == (neutral, Situation.STALE)
    assert gains(4.6) == (neutral, Situation.STALE)
    control.observe(posterior(*SURE[::-1]), 5.0)
    assert gains(5.0) == (sure[::-1], Situation.STEERED)
    assert gains(5.2, stream=Stream.LOST) == (neutral, Situation.STREAM_LOST)
    # What is left of the time before the loss does not steer again.
    assert gains(5.4) == (neutral, Situation.WAITING)
    control.observe(posterior(*SURE[::-1]), 5.5)
    assert gains(5.5) == (sure[::-1], Situation.STEERED)


def test_law_is_up_to_date_after_override_or_mute():
    control = GainControl(Steering())
    control.observe(posterior(*SURE), 0.0)
    for at in (1.0, 2.0):
        control.observe(posterior(*SURE[::-1]), at)
        assert control.target(at, Session.RUNNING, override=0, mute=at > 1).situation is not Situation.STEERED
    assert control.target(2.5, Session.RUNNING).gains.tolist() == [-9.0, 3.0]


def test_resumed_session_waits_for_a_new_decision():
    control = GainControl(Steering())
    control.observe(posterior(*SURE), 0.0)
    control.target(0.1, Session.PAUSED)
    assert control.target(0.2, Session.RUNNING).situation is Situation.WAITING


def test_override_works_without_a_decoder_and_mute_takes_precedence():
    control = GainControl(Steering())
    assert control.target(0.0, Session.NO_DECODER, Stream.LOST, 1).gains.tolist() == [-9.0, 3.0]
    assert control.target(0.0, Session.NO_DECODER, Stream.LOST, 1, True).gains.tolist() == [-math.inf] * 2
    for wrong in (2, -1, "both", 1.0):
        with pytest.raises(ValueError, match=r"talker|override"):
            control.target(0.0, Session.RUNNING, override=wrong)


@laws
def test_posterior_or_time_with_nan_is_ignored(make):
    control = GainControl(make())
    control.observe(posterior(*SURE), 0.0)
    before = control.target(0.5, Session.RUNNING)
    control.observe(posterior(math.nan, 0.5, talker=1), 0.9)
    control.observe(posterior(math.nan, math.nan, talker=1), 0.9)
    control.observe(posterior(*SURE[::-1]), math.nan)
    control.observe(posterior(*SURE[::-1]), math.inf)
    # Their instants do not count either.
    assert control.target(1.5, Session.RUNNING).situation is Situation.HELD
    np.testing.assert_array_equal(control.target(1.5, Session.RUNNING).gains, before.gains)
    lost = control.target(math.nan, Session.RUNNING)
    assert lost.situation is Situation.STALE
    assert np.all(np.isfinite(lost.gains))


@laws
@given(st.integers(0, 29), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_restored_state_continues_bit_for_bit(make, cut, seed):
    rng = np.random.default_rng(seed)
    steps = [(t * 0.5, rng.dirichlet([0.5, 0.5]), rng.random()) for t in range(30)]

    def step(control, at, p, luck):
        if luck > 0.3:
            control.observe(posterior(*p, talker=None if luck < 0.5 else int(p.argmax())), at)
        target = control.target(at, Session.RUNNING, Stream.LOST if luck < 0.05 else Stream.GOOD)
        return target.gains.tolist(), target.ramp_s, target.situation

    whole, before, after = (GainControl(make()) for _ in range(3))
    expected = [step(whole, *one) for one in steps]
    for one in steps[:cut]:
        step(before, *one)
    kept = {key: value.copy() for key, value in before.state().items()}
    step(before, *steps[0])
    after.restore(kept)
    assert [step(after, *one) for one in steps[cut:]] == expected[cut:]


def test_returned_gains_are_copies():
    law = Steering()
    control = GainControl(law)
    for override in (None, "equal"):
        control.target(0.0, Session.RUNNING, override=override).gains[:] = 99
    law.favour(0)[:] = 99
    assert control.target(0.0, Session.RUNNING).gains.tolist() == [0, 0]

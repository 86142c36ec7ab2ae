"""The Attend node: scores, posterior, gains, and the table of situations."""

from __future__ import annotations

import numpy as np
import pytest
from planted import SMALL, planted

from earmark.pipeline.attention.attend import Attend, AttendConfig, LawChoice
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.steering import FiveStateConfig
from earmark.pipeline.control import ControlError, Override, TimedControl, parse
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.stream import Aligned, ClockMap, Decision, Gap, Marker, StreamSpec, WiringError

DECODER = LinearDecoder(SMALL, [1.0], [0.2]).fit([planted(0), planted(1)])
EMISSIONS = Emissions(0.5, 0.0, 0.3, 0.0, 100.0)
RUN = planted(7, seconds=24)
SWITCHING = planted(8, seconds=60, switch_every=30.0)
CONTROL = StreamSpec("control", 0.0, ("control",), ("misc",), ("",))
CLOCK = ClockMap(0.0, 100.0, 1 / 32)


def aligned(n_talkers=2):
    names = tuple(f"E{i + 1}" for i in range(6)) + tuple(f"a/{k}" for k in range(n_talkers))
    types = ("eeg",) * 6 + ("misc",) * n_talkers
    return StreamSpec("align", 32.0, names, types, ("uV",) * len(names), hop=8, wait=0.25)


def node(**config):
    made = Attend(AttendConfig(**{"hop_s": 0.25, "hold_s": 0.0, **config}), [(DECODER, EMISSIONS)])
    made.open(aligned(), CONTROL)
    return made


def items(run, start=0, stop=None, bad=None):
    stop = len(run.neural) if stop is None else stop
    return [
        Aligned(i, run.neural[i : i + 8], run.talkers[:, i : i + 8], bad) for i in range(start, stop, 8)
    ]  # fmt: skip


def play(one, found):
    """Feed items, messages to the control port."""
    return [out for item in found for out in one.process(item, int(isinstance(item, TimedControl)))]


def control(time, said):
    return TimedControl(time, parse(said))


def test_gains_follow_attention():
    decisions = play(node(), [CLOCK, *items(SWITCHING)])
    assert all(isinstance(one, Decision) for one in decisions)
    right = [one.talker == (one.newest / 32 >= 30) for one in decisions if one.newest / 32 % 30 > 15]
    assert np.mean(right) > 0.9
    last = decisions[-1]
    assert last.probability.sum() == pytest.approx(1.0)
    assert last.time == pytest.approx(CLOCK.time(last.newest))
    assert last.gains[1] > 2 > -8 > last.gains[0]
    assert last.situation == "steered"
    assert decisions[1].newest - decisions[0].newest == 8


def test_newest_time_is_that_of_the_sample_despite_a_later_control_message():
    one = node()
    (last, *_), at = play(one, [CLOCK, *items(RUN, stop=512)])[::-1], CLOCK.time(512)
    (held,) = play(one, [control(last.time + 1.5, "tick")])
    (after, *_) = play(one, items(RUN, 512, 520))
    assert np.isnan(held.newest_time), "it comes from control alone"
    assert after.newest_time == CLOCK.time(after.newest) < at + 0.25
    assert after.time == held.time == last.time + 1.5, "time does not go back"


def test_sham_favours_the_other_talker():
    true, sham = play(node(), [CLOCK, *items(RUN)])[-1], play(node(sham=True), [CLOCK, *items(RUN)])[-1]
    np.testing.assert_array_equal(sham.probability, true.probability)
    np.testing.assert_array_equal(sham.gains, true.gains[::-1])
    assert true.gains[0] > true.gains[1]


def test_gains_are_held_then_neutral_without_scores():
    """Gains are held after one second without scores, neutral after three, and steered again with new scores."""
    one = node()
    steered = play(one, [CLOCK, *items(RUN, stop=512)])[-1]

    def tick(after):
        return play(one, [control(steered.time + after, "tick")])

    assert tick(0.9) == []
    (held,) = tick(1.5)
    assert held.situation.startswith("held")
    np.testing.assert_array_equal(held.gains, steered.gains)
    assert np.isnan(held.scores).all()
    assert tick(2.9) == []
    (stale,) = tick(3.1)
    assert "too long" in stale.situation
    np.testing.assert_array_equal(stale.gains, 0.0)
    assert stale.ramp_s == 1.0
    late = ClockMap(512.0, stale.time + 1, 1 / 32)
    assert play(one, [late, *items(RUN, 512, 700)])[-1].situation == "steered"


@pytest.mark.parametrize(
    ("said", "situation", "gains"),
    [
        ("mute on", "muted", [-np.inf, -np.inf]),
        ("override 2", "override", [-9.0, 3.0]),
        ("override equal", "override", [0.0, 0.0]),
        ("session paused", "paused", [0.0, 0.0]),
        ("stream lost", "neutral: stream lost", [0.0, 0.0]),
    ],
)
def test_operator_and_losses_take_precedence_over_decisions(said, situation, gains):
    one = node()
    before = play(one, [CLOCK, *items(RUN, stop=400)])[-1]
    (now,) = play(one, [control(before.time + 0.1, said)])
    assert now.situation == situation
    np.testing.assert_allclose(now.gains, gains, atol=0.3)
    assert all(later.situation == situation for later in play(one, items(RUN, 400, 600)))
    what, value = said.split()
    undo = {"mute": "off", "override": "none", "session": "running", "stream": "good"}[what]
    assert value != undo
    play(one, [control(before.time + 6.4, f"{what} {undo}")])
    assert play(one, items(RUN, 600, 760))[-1].situation == "steered"


def test_too_many_masked_channels_give_neutral_gains():
    one, bad = node(), np.array([True] * 4 + [False] * 2)
    play(one, [CLOCK, *items(RUN, stop=400)])
    assert play(one, items(RUN, 400, 480, bad))[-1].situation == "neutral: too many bad channels"
    few = np.array([True] * 3 + [False] * 3)
    assert play(one, items(RUN, 480, 560, few))[-1].situation == "steered"


def test_gap_lowers_confidence():
    one = node()
    before = play(one, [CLOCK, *items(RUN, stop=400)])[-1]
    assert before.probability.max() > 0.9
    (told,) = play(one, [Gap(400, 400 + 32 * 60), control(before.time + 1, "override equal")])
    assert told.probability.max() < 0.65


def test_no_decision_before_the_first_clock_map():
    assert play(node(), items(RUN)) == []


def test_restored_state_continues_bit_for_bit():
    script = [CLOCK, *items(RUN, stop=360), control(111.2, "override 1"), *items(RUN, 360, 400)]
    rest = [*items(RUN, 400, 500), control(115.6, "override none"), *items(RUN, 500), control(140.0, "tick")]
    one, other = node(), node()
    play(one, script)
    other.restore(one.state())
    for a, b in zip(play(one, rest), play(other, rest), strict=True):
        for key in Decision.__slots__:
            np.testing.assert_array_equal(getattr(a, key), getattr(b, key))


@pytest.mark.parametrize(
    ("config", "match"),
    [({"hop_s": 0.3}, "hop"), ({"enter": 0.4}, "enter"), ({"boost_db": 20.0}, "boost_db")],
)
def test_invalid_settings_are_rejected(config, match):
    with pytest.raises(WiringError, match=match):
        node(**config)


def test_stream_that_does_not_fit_the_decoder_is_rejected():
    spec = aligned()
    with pytest.raises(WiringError, match="32"):
        Attend(AttendConfig(0.25), [(DECODER, EMISSIONS)]).open(spec.evolve(sfreq=64.0), CONTROL)
    with pytest.raises(WiringError, match="control"):
        Attend(AttendConfig(0.25), [(DECODER, EMISSIONS)]).open(spec, spec)


def test_late_score_does_not_change_gains_but_counts_as_evidence():
    told, untold = node(dead_band_db=0.0), node(dead_band_db=0.0)
    start = [CLOCK, *items(SWITCHING, stop=640)]
    steered = play(told, start)[-1]
    play(untold, start)
    for at in range(640, 760, 8):
        (found,), (wanted,) = (play(one, items(SWITCHING, at, at + 8)) for one in (told, untold))
        np.testing.assert_array_equal(found.probability, wanted.probability)
        age = found.time - steered.time
        last = [found, *play(told, [control(found.time, "late")])][-1]
        situation = "steered" if age <= 1 else "held" if age <= 3 else "neutral"
        assert last.situation.startswith(situation)
        np.testing.assert_array_equal(last.gains, [0, 0] if age > 3 else steered.gains)
    assert age > 3
    assert play(told, items(SWITCHING, 760, 768))[-1].situation == "steered"


def test_after_demotion_results_equal_those_of_the_next_decoder():
    other = LinearDecoder(SMALL, [1.0], [0.2]).fit([planted(3), planted(4)])
    emissions = Emissions(0.4, 0.0, 0.3, 0.0, 80.0)
    both = Attend(AttendConfig(0.25, hold_s=0.0), [(DECODER, EMISSIONS), (other, emissions)])
    alone = Attend(AttendConfig(0.25, hold_s=0.0), [(other, emissions)])
    for one in (both, alone):
        one.open(aligned(), CONTROL)
    first = [CLOCK, *items(RUN, stop=400), Gap(400, 404), *items(RUN, 404, 548)]
    assert not np.array_equal(play(both, first)[-1].probability, play(alone, first)[-1].probability)
    assert both.n_left == 1
    play(both, [control(0.0, "demote")])
    assert both.n_left == 0
    rest = items(RUN, 548, 700)
    state = both.state()
    again = Attend(AttendConfig(0.25, hold_s=0.0), [(DECODER, EMISSIONS), (other, emissions)])
    again.open(aligned(), CONTROL)
    again.restore(state)
    for found, wanted, restored in zip(play(both, rest), play(alone, rest), play(again, rest), strict=True):
        for key in ("newest", "time", "talker"):
            assert getattr(found, key) == getattr(wanted, key) == getattr(restored, key)
        np.testing.assert_array_equal(found.scores, wanted.scores)
        np.testing.assert_array_equal(found.probability, wanted.probability)
        np.testing.assert_array_equal(found.probability, restored.probability)
    play(both, [control(0.0, "demote")])
    assert both.n_left == 0, "there is nothing below the last"


@pytest.mark.parametrize("item", [Marker(1.0, "tick"), TimedControl(1.0, "tick"), TimedControl(1.0, Override(2))])
def test_unknown_control_message_is_an_error_and_changes_nothing(item):
    one = node()
    before = one.state()
    with pytest.raises(ControlError, match=r"control is|there are 2"):
        list(one.process(item, 1))
    for key, value in one.state().items():
        np.testing.assert_array_equal(value, before[key])


def test_decisions_are_late_by_their_signals_and_the_lags_of_the_decoder():
    made = Attend(AttendConfig(hop_s=0.25), [(DECODER, EMISSIONS)])
    signals = aligned().evolve(delay=0.04, group_delay=0.05)
    spec = made.open(signals, CONTROL)
    assert DECODER.spec.behind > 0
    assert (spec.delay, spec.group_delay) == (0.04, 0.05)
    assert spec.wait == pytest.approx(0.25 + DECODER.spec.behind / 32)


@pytest.mark.parametrize(
    ("config", "n_talkers", "words"),
    [
        ({"law": LawChoice("five_state", FiveStateConfig())}, 3, "attend: law 'five_state': .*n_talkers is 3"),
        ({"boost_db": 9.0}, 2, "attend: law: steering: boost_db is 9.0, but must be 0 to 6"),
        ({"enter": 0.5, "leave": 0.6}, 2, "attend: evidence: enter is 0.5, but must be at least leave"),
    ],
)
def test_unusable_settings_are_named(config, n_talkers, words):
    made = Attend(AttendConfig(**{"hop_s": 0.25, **config}), [(DECODER, EMISSIONS)])
    with pytest.raises(WiringError, match=words) as error:
        made.open(aligned(n_talkers), CONTROL)
    assert "as said" not in str(error.value)

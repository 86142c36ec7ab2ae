import numpy as np
import pytest
from audio_scenes import GLASSES, SFREQ, noise
from audio_scenes import mixture_scene as scene
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import arrive, speech

from earmark.devices.audio.inputs import Microphone
from earmark.devices.audio.render import LOUDEST, Renderer
from earmark.devices.audio.scene import SEPARATORS, AudioError, Control, Room, RoomTalker, Scene, Talker
from earmark.devices.audio.sources import LiveSource
from earmark.pipeline.scene.array import Array, preset

WINDOW, LOOKAHEAD = 384, 144
LATE, FADED_IN = WINDOW + LOOKAHEAD, 9600 + WINDOW + LOOKAHEAD
NEUTRAL = Control((0.0, 0.0))
EARS = list(GLASSES.ears)


def heard(n=30_000, seed=0, level=0.05):
    return (level * np.random.default_rng(seed).standard_normal((6, n))).astype(np.float32)


def two_talkers(seconds=3.0, level=0.05):
    """Return two talkers alone at the microphones, shape (2, 6, n)."""
    talkers = [arrive(GLASSES, speech(seconds, k, SFREQ), azimuth, SFREQ) for k, azimuth in enumerate((-40.0, 30.0))]
    return (level * np.stack(talkers)).astype(np.float32)


def play(renderer, n, control, sizes=(256,)):
    out, parts, at = [], [], 0
    while n:
        size = min(n, sizes[at % len(sizes)])
        out.append(renderer.render(size, control))
        parts.append(renderer.pcm.copy())
        n, at = n - size, at + 1
    return np.concatenate(out), np.concatenate(parts, axis=1)


@pytest.fixture(params=["beams", "broken", "huge"])
def separator(request, monkeypatch):
    """Change what a separator says, to anything."""
    if request.param == "beams":
        return
    value = {"broken": np.nan, "huge": 3e38}[request.param]
    kind = SEPARATORS.get("beams")

    class Wrong(kind):
        def process(self, spectra, directions):
            return np.full((self.n_places, self.n_bins), value, np.float32)

    monkeypatch.setattr(SEPARATORS, "get", lambda name: Wrong)


@pytest.mark.usefixtures("separator")
def test_neutral_gains_give_the_ears_delayed_to_the_last_bit():
    mics = heard()
    renderer = Renderer(scene(mics))
    assert renderer.delay == LATE
    out, _ = play(renderer, 30_000, NEUTRAL)
    wanted = mics[EARS, FADED_IN - LATE : 30_000 - LATE].T
    assert out[FADED_IN:].tobytes() == np.ascontiguousarray(wanted).tobytes()
    assert renderer.limiter_db == 0
    assert renderer.n_repaired == 0


def test_back_at_neutral_the_last_bit_is_back():
    mics = heard(60_000)
    renderer = Renderer(scene(mics))
    play(renderer, 15_000, Control((3.0, -9.0)))
    play(renderer, 10_000, NEUTRAL)  # ramp of 0.1 s, and two hops
    out, _ = play(renderer, 20_000, NEUTRAL)
    assert out.tobytes() == np.ascontiguousarray(mics[EARS, 25_000 - LATE : 45_000 - LATE].T).tobytes()


controls = st.builds(
    Control,
    gains_db=st.tuples(st.floats(-20, 10), st.floats(-20, 10)),
    ramp_s=st.sampled_from([0.0, 0.05, 0.1]),
    azimuths=st.just(()) | st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    mutes=st.sampled_from([(), (True, False)]),
    seek_id=st.integers(0, 2),
    seek_s=st.tuples(st.floats(0, 0.5), st.just(np.nan)),
)


@given(
    st.lists(st.tuples(controls, st.integers(1, 5000)), min_size=1, max_size=4), st.tuples(*[st.integers(1, 900)] * 2)
)
@settings(max_examples=15, deadline=None)
def test_output_does_not_depend_on_blocks(script, sizes):
    mics = heard(7000, level=0.3)
    first, second = Renderer(scene(mics)), Renderer(scene(mics, block=100))
    for control, n in script:
        (out, parts), (other, other_parts) = play(first, n, control, sizes), play(second, n, control)
        np.testing.assert_allclose(out, other, rtol=0, atol=1e-6)
        assert parts.tobytes() == other_parts.tobytes()
    assert first.positions == second.positions
    np.testing.assert_array_equal(first.places.azimuths, second.places.azimuths)


def test_gains_turn_talkers_up_and_down_and_parts_are_theirs():
    talkers = two_talkers()
    n = talkers.shape[2]
    renderer = Renderer(scene(talkers.sum(axis=0)))
    out, parts = play(renderer, n, Control((3.0, -9.0)))
    with_them = [
        np.abs(np.corrcoef(part[48_000:], one[0, 48_000 - WINDOW : -WINDOW])[0, 1])
        for part, one in zip(np.repeat(parts, 2, axis=0), np.tile(talkers, (2, 1, 1)), strict=True)
    ]
    assert min(with_them[0], with_them[3]) > 0.8
    assert max(with_them[1], with_them[2]) < 0.4
    np.testing.assert_allclose(parts.sum(axis=0)[WINDOW:], talkers.sum(axis=0)[0, :-WINDOW], atol=1e-5)
    db = renderer.places.delivered_db
    assert 4 < db[0] <= 12
    assert db[1] == pytest.approx(-db[0], abs=1e-6)
    assert np.abs(renderer.places.azimuths - [-40, 30]).max() < 6
    louder, quieter = (np.corrcoef(out[48_000:, 0], one[4, 48_000 - LATE : -LATE])[0, 1] for one in talkers)
    assert louder > 0.85
    assert quieter < 0.5


def test_parts_do_not_depend_on_gains():
    mics = heard()
    neutral = play(Renderer(scene(mics)), 30_000, NEUTRAL)[1]
    steered = play(Renderer(scene(mics)), 30_000, Control((6.0, -40.0)))[1]
    assert neutral.tobytes() == steered.tobytes()
    assert neutral.any()


@pytest.mark.parametrize("control", [NEUTRAL, Control((3.0, -9.0))])
def test_silent_microphones_are_silent(control):
    renderer = Renderer(scene(np.zeros((6, 1000), np.float32)))
    out, parts = play(renderer, 20_000, control)
    assert not out.any()
    assert not parts.any()
    assert np.isnan(renderer.places.delivered_db).all()


def test_dead_microphone_costs_separation_only():
    talkers = two_talkers(2.0, 0.01)
    mics = talkers.sum(axis=0)
    mics[2] = 0
    out, parts = play(Renderer(scene(mics)), 90_000, Control((3.0, -9.0)))
    assert np.isfinite(out).all()
    own = [np.corrcoef(parts[k, 40_000:], talkers[k, 0, 40_000 - WINDOW : 90_000 - WINDOW])[0, 1] for k in range(2)]
    assert min(own) > 0.6
    plain, _ = play(Renderer(scene(mics)), 30_000, NEUTRAL)
    assert plain[FADED_IN:].tobytes() == np.ascontiguousarray(mics[EARS, FADED_IN - LATE : 30_000 - LATE].T).tobytes()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e30, LOUDEST * 2])
def test_invalid_samples_are_silenced_and_counted(wrong):
    mics = heard(15_000)
    mics[3, 12_000:12_010] = wrong
    renderer = Renderer(scene(mics, loop=False))
    out, parts = play(renderer, 20_000, Control((3.0, -9.0)))
    assert renderer.n_repaired == 10
    assert np.isfinite(out).all()
    assert np.isfinite(parts).all()


def test_clipped_input_stays_below_the_ceiling():
    mics = np.clip(heard(30_000, level=3.0), -1, 1)
    renderer = Renderer(scene(mics))
    out, _ = play(renderer, 30_000, Control((12.0, 12.0)))
    assert np.abs(out).max() <= 10 ** (-6 / 20)
    assert renderer.limiter_db > 6


def test_mute_master_stop_and_start_are_as_for_other_talkers():
    renderer = Renderer(scene(heard(), loop=True))
    out, _ = play(renderer, 12_000, NEUTRAL)
    assert not out[0].any()
    muted, _ = play(renderer, 1000, Control((0.0, 0.0), mute=True))
    assert not muted[400:].any()
    play(renderer, 1000, Control((0.0, 0.0), master_db=-20.0))
    quiet, _ = play(renderer, 8000, Control((0.0, 0.0), master_db=-20.0))
    assert renderer.master_db == -20
    assert 0 < np.abs(quiet[6000:]).max() < 0.06
    renderer.stop()
    play(renderer, 5000, NEUTRAL)
    assert renderer.finished


def test_a_jump_moves_all_microphones_together():
    renderer = Renderer(scene(heard()), positions=(500, 500))
    assert renderer.positions == (500, 500)
    renderer.render(100, NEUTRAL)
    renderer.render(256, Control((0.0, 0.0), seek_id=1, seek_s=(0.1, 0.1)))
    assert renderer.positions == (4800 + 256,) * 2


def test_an_operator_may_say_where_a_talker_is():
    renderer = Renderer(scene(np.zeros((6, 100), np.float32)))
    renderer.render(1000, Control((0.0, 0.0), azimuths=(-40.0, 30.0)))
    np.testing.assert_allclose(renderer.places.azimuths, [-40, 30], atol=1)
    renderer.render(1000, Control((0.0, 0.0), azimuths=(-40.0, 100.0)))
    np.testing.assert_allclose(renderer.places.azimuths, [-40, 100], atol=1)


def test_a_replacement_looks_where_the_talkers_were():
    renderer = Renderer(scene(np.zeros((6, 100), np.float32)))
    renderer.places.look((np.nan, 70.0))
    renderer.render(1000, NEUTRAL)
    np.testing.assert_allclose(renderer.places.azimuths, [-40, 70], atol=1)


@pytest.mark.parametrize("fault", ["positions wrong by 5 mm", "a swapped pair"])
def test_a_wrong_array_costs_separation_only(fault):
    talkers = two_talkers(2.0, 0.01)
    mics, positions = talkers.sum(axis=0), GLASSES.positions.copy()
    if fault == "a swapped pair":
        positions[[1, 2]] = positions[[2, 1]]
    else:
        positions += 0.005 * np.sign(np.random.default_rng(0).standard_normal(positions.shape))
    wrong = Array(positions, GLASSES.reference, GLASSES.ears)
    neutral, _ = play(Renderer(scene(mics, wrong)), 30_000, NEUTRAL)
    assert neutral[FADED_IN:].tobytes() == np.ascontiguousarray(mics[EARS, FADED_IN - LATE : 30_000 - LATE].T).tobytes()
    renderer = Renderer(scene(mics, wrong))
    out, parts = play(renderer, 90_000, Control((3.0, -9.0)))
    assert np.isfinite(out).all()
    own = [np.corrcoef(parts[k, 40_000:], talkers[k, 0, 40_000 - WINDOW : 90_000 - WINDOW])[0, 1] for k in range(2)]
    assert min(own) > (0.7 if fault.startswith("positions") else 0.3)


def test_three_talkers_on_two_microphones_are_defined():
    ears = preset("ears2")
    mics = heard(30_000)[:2]
    prepared = scene(mics, ears, n=3, starts=(-40.0, 30.0, 80.0))
    out, parts = play(Renderer(prepared), 30_000, Control((3.0, -9.0, -9.0)))
    assert np.isfinite(out).all()
    np.testing.assert_allclose(parts.sum(axis=0)[WINDOW:], mics[0, :-WINDOW], atol=1e-5)


def test_live_microphones_are_channels_of_the_input():
    prepared = scene(None, source="input:2-7")
    microphone = Microphone(prepared.scene)
    assert microphone.n_channels == 7
    renderer = Renderer(prepared, {0: LiveSource(microphone.array, SFREQ, 6)})
    frames = np.random.default_rng(1).standard_normal((40_000, 7)).astype(np.float32) * 0.05
    out = []
    for at in range(0, 30_000, 256):
        microphone.hear(frames[at : at + 256])
        out.append(renderer.render(256, NEUTRAL))
    out = np.concatenate(out)
    wanted = frames[FADED_IN - LATE : len(out) - LATE, [5, 6]]
    assert out[FADED_IN:].tobytes() == np.ascontiguousarray(wanted).tobytes()
    for _ in range(20):  # the input ends
        microphone.hear(frames[:0])
        end = renderer.render(256, Control((3.0, -9.0)))
    assert not end.any()


def test_clean_talkers_of_a_room_are_given_beside():
    room = Room((RoomTalker("x", "x.wav"), RoomTalker("y", "y.wav")))
    rows = np.concatenate([heard(5000), noise(1, 10_000).reshape(2, 5000)])
    renderer = Renderer(scene(rows, source="room", room=room))
    renderer.warm_up()
    renderer.render(256, NEUTRAL)
    np.testing.assert_array_equal(renderer.clean, rows[6:, :256])


@pytest.mark.parametrize("sizes", [(256,), (1, 7, 300)])
def test_parts_after_a_renewal_follow_from_the_microphones_since_a_window_before(sizes):
    mics, control = two_talkers().sum(axis=0), Control((3.0, -9.0))
    one, other = Renderer(scene(mics)), Renderer(scene(mics))
    play(one, 50_000, control)
    play(other, 50_000, control)
    one.places.renew()
    out, parts = play(one, 40_000, control, sizes)
    ((frame, azimuths),) = one.places.renewals
    assert frame == -(-50_000 // (WINDOW // 2)) * (WINDOW // 2)
    again = Renderer(scene(np.roll(mics, -(frame - WINDOW), axis=1)))
    play(again, WINDOW, control)
    again.places.renew(tuple(azimuths))
    _, wanted = play(again, 30_000, control)
    begin = frame + WINDOW - 50_000
    assert parts[:, begin : begin + 20_000].tobytes() == wanted[:, WINDOW : WINDOW + 20_000].tobytes()
    before, _ = play(other, 40_000, control)
    heard_of_it = out - before
    assert np.sqrt(np.mean(heard_of_it**2)) < 0.1 * np.sqrt(np.mean(before**2))
    assert np.abs(np.diff(heard_of_it, axis=0)).max() < np.abs(np.diff(before, axis=0)).max()


def test_live_microphones_need_a_source():
    with pytest.raises(AudioError, match=r"array: input:1-6 is live, but no source"):
        Renderer(scene(None, source="input:1-6"))


@pytest.mark.parametrize("source", ["input:1", "input:6-1", "input:1-1", "input:0-5", "input:1-6-7"])
def test_wrong_channels_are_refused(source):
    with pytest.raises(AudioError, match="not input:FIRST-LAST"):
        Microphone(scene(None, source=source).scene)


@pytest.mark.parametrize(
    ("talkers", "message"),
    [
        ((Talker("a", "place:1"),), "must be 2 to 4 places"),
        ((Talker("a", "place:1"), Talker("b", "b.wav")), r"place:1, b\.wav, but where \[array\] hears a mixture"),
        ((Talker("a", "place:2"), Talker("b", "place:1")), "in order"),
        (tuple(Talker(f"t{k}", f"place:{k + 1}") for k in range(5)), "2 to 4 places"),
    ],
)
def test_a_mixture_has_two_to_four_places_and_nothing_else(talkers, message):
    mics = scene(None, source="input:1-6").scene.microphones
    with pytest.raises(AudioError, match=message):
        Scene(talkers, microphones=mics)


def test_places_need_microphones():
    with pytest.raises(AudioError, match=r"talker 'a': place:1 is a place of a mixture.*add \[array\]"):
        Scene((Talker("a", "place:1"), Talker("b", "place:2")))

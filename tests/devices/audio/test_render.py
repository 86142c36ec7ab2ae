import subprocess
import sys

import numpy as np
import pytest
from audio_scenes import SFREQ, noise, prepared, tone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rerender import rerender

from earmark.devices.audio.render import LOUDEST, Renderer
from earmark.devices.audio.scene import SPACES, Applied, AudioError, Control, Talker
from earmark.devices.audio.sources import LiveSource, PcmSource
from earmark.devices.audio.space import impulse_responses

LATE = 144  # frames of the limiter's look-ahead
FADED_IN = 9600 + LATE


class Played:
    """Drive a renderer and keep what a recorder would."""

    def __init__(self, scene, live=None, frame=0, positions=None, sizes=(256,)):
        self.renderer = Renderer(scene, live, frame, positions)
        self.scene, self.sizes, self.turn = scene, sizes, 0
        self.frame, self.applied = frame, []
        self.out, self.pcm = np.zeros((0, 2), np.float32), np.zeros((len(scene.scene.talkers), 0), np.float32)

    def play(self, n_frames, control):
        if not self.applied:
            self.applied.append(Applied(self.frame, control, "start", self.renderer.positions))
        elif self.applied[-1].control is not control:
            self.applied.append(Applied(self.frame, control))
        pieces, pcm = [self.out], [self.pcm]
        while n_frames:
            n = min(n_frames, self.sizes[self.turn % len(self.sizes)])
            self.turn += 1
            pieces.append(self.renderer.render(n, control))
            pcm.append(self.renderer.pcm.copy())
            n_frames -= n
            self.frame += n
        self.out, self.pcm = np.concatenate(pieces), np.concatenate(pcm, axis=1)
        return pieces[-1]

    def stop(self):
        self.renderer.stop()
        self.applied.append(Applied(self.frame, self.applied[-1].control, "stop"))


def three(kind="left_right", **scene):
    talkers = (
        Talker("a", "a.wav", azimuth=-45, loop=True),
        Talker("b", "b.wav", azimuth=30, start_s=0.01),
        Talker("c", "input:1", azimuth=0),
    )
    return prepared(noise(0, 5000, 0.3), noise(1, 20_000, 0.3), None, talkers=talkers, space=kind, **scene)


def live(x=None):
    return {2: PcmSource(noise(2, 100_000, 0.3) if x is None else x, SFREQ)}


def quiet(n=48_000, **scene):
    """One talker at the far right, whose samples are unchanged after the fade-in."""
    return prepared(noise(3, n, 0.05), talkers=(Talker("a", "a.wav", azimuth=90),), **scene)


numbers = st.floats(-60, 20)
controls = st.builds(
    Control,
    gains_db=st.tuples(numbers, numbers, numbers),
    ramp_s=st.sampled_from([0.0, 0.03, 0.1, 1.0]),
    master_db=st.floats(-70, 5),
    mute=st.sampled_from([False, False, False, True]),
    azimuths=st.just(()) | st.tuples(*[st.floats(-90, 90)] * 3),
    seek_id=st.integers(0, 3),
    seek_s=st.tuples(*[st.floats(0, 0.6)] * 3),
)
scripts = st.lists(st.tuples(controls, st.integers(1, 4000)), min_size=1, max_size=8)
blocks = st.tuples(st.integers(1, 1500), st.integers(1, 1500), st.integers(200, 1500))


@given(scripts, blocks, st.sampled_from(SPACES.built_in), st.sampled_from([16, 100, 256]), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_equals_the_offline_rendering_and_does_not_depend_on_blocks(script, sizes, kind, block, stop_at):
    scene = three(kind, block=block)
    first, second = Played(scene, live(), sizes=sizes), Played(scene, live())
    for index, (control, n) in enumerate(script):
        for played in (first, second):
            if index == stop_at and index:
                played.stop()
            played.play(n, control)
    wanted = rerender(scene, first.applied, first.frame, {2: first.pcm[2]})
    np.testing.assert_allclose(first.out, wanted, rtol=0, atol=1e-6)
    np.testing.assert_allclose(first.out, second.out, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(first.pcm, second.pcm)
    assert first.renderer.positions == second.renderer.positions
    assert first.renderer.n_repaired == first.renderer.n_refused == 0


def test_offline_rendering_is_not_silent():
    played = Played(three("hrtf"), live())
    played.play(40_000, Control((0.0, 0.0, 0.0)))
    wanted = rerender(played.scene, played.applied, played.frame, {2: played.pcm[2]})
    assert np.sqrt((wanted[FADED_IN:] ** 2).mean()) > 0.1
    np.testing.assert_allclose(played.out, wanted, rtol=0, atol=1e-6)


def test_session_continues_after_a_restart():
    scene = three()
    before = Played(scene, live())
    before.play(20_000, Control((0.0, 0.0, 0.0)))
    positions = before.renderer.positions
    assert positions == (0, 20_000, 20_000), "looped four times; begun at 480 and ended; live"
    after = Played(scene, live(noise(5, 50_000)), before.frame, (700, 600, 0))
    after.play(15_000, Control((-6.0, 0.0, 3.0), seek_id=4, seek_s=(9.0, 9.0, 9.0), azimuths=(90.0, 0.0, 0.0)))
    wanted = rerender(
        scene,
        [*before.applied, *after.applied],
        after.frame,
        {2: np.concatenate([before.pcm[2], after.pcm[2]])},
    )
    np.testing.assert_allclose(np.concatenate([before.out, after.out]), wanted, rtol=0, atol=1e-6)
    assert after.renderer.frame == 35_000
    assert list(after.renderer.gains_db) == [-6, 0, 3], "from the first frame on"
    assert after.renderer.positions[0] == (700 + 15_000) % 5000, "a start does not jump"


def test_the_offline_rendering_is_silent_while_sound_is_lost():
    scene = three()
    control = Control((0.0, 0.0, 0.0))
    before = Played(scene, live())
    before.play(12_000, control)
    lost = [*before.applied, Applied(6_000, control, "lost"), Applied(9_000, control, "start", (0, 0, 0))]
    out = rerender(scene, lost, 12_000, {2: before.pcm[2]})
    np.testing.assert_allclose(out[:6_000], before.out[:6_000], rtol=0, atol=1e-6)
    assert np.all(out[6_000:9_000] == 0)
    assert np.any(out[9_100:] != 0)


def test_single_talker_is_only_delayed():
    scene = quiet()
    played = Played(scene)
    played.play(40_000, Control((0.0,)))
    np.testing.assert_allclose(played.out[FADED_IN:, 1], scene.pcm[0][FADED_IN - LATE : 40_000 - LATE], atol=1e-8)
    np.testing.assert_allclose(played.out[:, 0], 0, atol=1e-9)
    np.testing.assert_array_equal(played.pcm[0], scene.pcm[0][:40_000])
    assert played.renderer.delay == LATE


@pytest.mark.parametrize("kind", SPACES.built_in)
def test_left_and_right_are_not_swapped(kind):
    pytest.importorskip("slab")
    from earmark.devices.audio.scene import Prepared, Scene

    scene = Scene((Talker("left", "l", azimuth=-60), Talker("right", "r", azimuth=60)), space=kind)
    for speaking in (0, 1):
        pcm = [np.zeros(30_000, np.float32), np.zeros(30_000, np.float32)]
        pcm[speaking] = noise(0, 30_000, 0.02)
        renderer = Renderer(Prepared(scene, tuple(pcm), *impulse_responses(scene.space, scene.sfreq)))
        renderer.render(30_000, Control((0.0, 0.0)))
        assert renderer.out_rms[speaking] > 1.7 * renderer.out_rms[1 - speaking]
        assert renderer.rms[speaking] > 0.01
        assert renderer.rms[1 - speaking] == 0


broken = st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 0.0, 1.0, -1.0, 1e-40])


@given(
    st.lists(st.tuples(broken, st.integers(1, 400)), min_size=1, max_size=12),
    st.sampled_from(SPACES.built_in),
    st.sampled_from([-1.0, -6.0]),
)
@settings(max_examples=40, deadline=None)
def test_no_input_makes_output_exceed_the_ceiling(pieces, kind, ceiling_dbfs):
    x = np.concatenate([noise(0, 10_000, 1.0), *(np.full(n, value, np.float32) for value, n in pieces)])
    played = Played(three(kind, ceiling_dbfs=ceiling_dbfs), live(x))
    played.play(len(x) + 1000, Control((12.0, 12.0, 12.0)))
    assert np.isfinite(played.out).all()
    assert float(np.abs(played.out).max()) <= 10 ** (ceiling_dbfs / 20)
    assert np.isfinite(played.pcm).all()
    assert np.abs(played.pcm).max() <= LOUDEST
    assert played.renderer.n_repaired == np.count_nonzero(~(np.abs(x) <= LOUDEST))
    wanted = rerender(played.scene, played.applied, played.frame, {2: np.append(x, np.zeros(1000, np.float32))})
    np.testing.assert_allclose(played.out, wanted, rtol=0, atol=1e-6)


def test_one_invalid_sample_silences_one_sample():
    x = noise(0, 40_000, 0.05)
    x[30_000] = np.nan
    x[30_010] = 1e30
    scene = prepared(None, talkers=(Talker("a", "input:1", azimuth=90),))
    played = Played(scene, {0: PcmSource(x, SFREQ)})
    played.play(40_000, Control((0.0,)))
    x[[30_000, 30_010]] = 0
    np.testing.assert_allclose(played.out[FADED_IN:, 1], x[FADED_IN - LATE : -LATE], atol=1e-8)
    assert played.renderer.n_repaired == 2


def test_invalid_impulse_responses_are_silent():
    scene = three("hrtf")
    scene.hrir[:] = np.nan
    played = Played(scene, live())
    played.play(3000, Control((0.0,) * 3))
    assert not played.out.any()
    assert played.renderer.n_repaired == 6000


@given(st.integers(0, 15_000), st.booleans(), st.integers(64, 600))
@example(0, False, 256)
@settings(max_examples=15, deadline=None)
def test_mute_silences_within_20_ms_from_any_state(at, busy, block):
    played = Played(three("hrtf"), live(), sizes=(block,))
    loud = (12.0, 12.0, 12.0)
    played.play(at, Control(loud))
    if busy:  # ramping, moving, jumping, limiting
        played.play(300, Control((-20.0, 5.0, 0.0), 0.5, -3.0, False, (60.0, -80.0, 10.0), 1, (0.05, 0.0, 0.0)))
    muted = played.frame
    played.play(3000, Control(loud, mute=True))
    assert not played.out[muted + 960 :].any()
    played.play(3000, Control(loud))
    assert played.out[-1000:].any()


def test_scene_can_start_muted():
    played = Played(quiet())
    played.play(20_000, Control((0.0,), mute=True))
    assert not played.out.any()


def envelope(out, scene, delay=LATE):
    """Gain from the input to the right output channel."""
    x = np.concatenate([np.zeros(delay), scene.pcm[0]])[: len(out)]
    audible = np.abs(x) > 1e-3
    return np.interp(np.arange(len(x)), np.flatnonzero(audible), (out[:, 1][audible] / x[audible]))


def test_start_and_stop_fade():
    scene = quiet()
    played = Played(scene)
    played.play(20_000, Control((0.0,)))
    assert not played.renderer.finished
    played.stop()
    played.play(4700, Control((0.0,)))
    assert not played.renderer.finished
    played.play(2000, Control((0.0,)))
    assert played.renderer.finished
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, 9601) / 9600)
    found = envelope(played.out, scene)
    np.testing.assert_allclose(found[200:9600], rise[200:], atol=1e-3)
    np.testing.assert_allclose(found[9700:20_000], 1, atol=1e-3)
    fall = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, 4801) / 4800)
    np.testing.assert_allclose(found[20_000:24_700], fall[:4700], atol=2e-3)
    assert not played.out[24_800:].any()


junk = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.complex_numbers(),
    st.lists(st.floats(), max_size=4).map(tuple),
    st.tuples(st.floats(), st.text(max_size=2), st.none()),
    st.builds(lambda: np.full((2, 2), np.nan)),
    st.builds(object),
)


@given(st.lists(st.builds(Control, junk, junk, junk, junk, junk, junk, junk), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_control_raises_or_exceeds_the_bounds(found):
    renderer = Renderer(three(), live())
    for control in found:
        out = renderer.render(300, control)
        assert np.isfinite(out).all()
        assert float(np.abs(out).max()) <= 10 ** (-6 / 20)
        assert renderer.gains_db.min() >= -40 - 1e-9
        assert renderer.gains_db.max() <= 12 + 1e-9
        assert -60 - 1e-9 <= renderer.master_db <= 1e-9


def settled(*controls):
    renderer = Renderer(three(), live())
    for control in controls:
        renderer.render(12_000, control)
    return renderer


@pytest.mark.parametrize(
    ("control", "gains", "refused"),
    [
        (Control((1.0, 2.0, 3.0)), [1, 2, 3], 0),
        (Control((np.nan, 2.0, np.inf)), [-3, 2, -3], 2),
        (Control((-np.inf, 99.0, -99.0)), [-40, 12, -40], 0),
        (Control((1.0, 2.0)), [-3, -3, -3], 3),
        (Control(("loud", 1.0, 2.0)), [-3, -3, -3], 3),
        (Control(None), [-3, -3, -3], 3),
        (Control(()), [-3, -3, -3], 0),
        (Control((1.0, 2.0, 3.0), ramp_s=np.nan), [1, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), master_db=np.inf), [1, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), mute="yes"), [1, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), azimuths=(0.0, 0.0)), [1, 2, 3], 3),
        (Control((1.0, 2.0, 3.0), azimuths=(0.0, 0.0, np.nan)), [1, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), seek_id=1.5), [1, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), seek_id=1, seek_s=(0.0,)), [1, 2, 3], 3),
        (Control((1.0, 2.0, 3.0), trims_db=(-6.0, np.nan, 20.0)), [-5, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), trims_db=(-np.inf, -99.0)), [1, 2, 3], 3),
        (Control((1.0, 2.0, 3.0), trims_db=(-np.inf, -99.0, 0.0)), [-39, -38, 3], 0),
        (Control((1.0, 2.0, 3.0), mutes=(True, False, "yes")), [-np.inf, 2, 3], 1),
        (Control((1.0, 2.0, 3.0), mutes=(True,)), [1, 2, 3], 3),
        (Control((1.0, 2.0, 3.0), mutes=None), [1, 2, 3], 3),
    ],
)
def test_invalid_control_values_are_ignored_and_counted(control, gains, refused):
    renderer = settled(Control((-3.0, -3.0, -3.0)), control)
    np.testing.assert_allclose(renderer.gains_db, gains, atol=1e-12)
    assert renderer.n_refused == refused
    renderer.render(10, control)
    assert renderer.n_refused == refused, "once per control"


def test_master_is_bounded_and_mute_holds():
    assert settled(Control((0.0,) * 3, master_db=20.0)).master_db == 0
    assert settled(Control((0.0,) * 3, master_db=-np.inf)).master_db == -60
    renderer = settled(Control((0.0,) * 3, mute=True), Control((0.0,) * 3, mute=None))
    assert renderer.out_peak.max() == 0
    renderer = settled(Control((0.0,) * 3, mute=1))
    assert renderer.out_peak.max() == 0


def test_partly_invalid_jump_moves_the_other_talkers():
    renderer = settled(Control((0.0,) * 3), Control((0.0,) * 3, seek_id=1, seek_s=(0.01, np.nan, np.nan)))
    assert renderer.positions == ((480 + 12_000) % 5000, 20_000, 24_000)
    again = renderer.positions[0]
    renderer.render(100, Control((0.0,) * 3, seek_id=1, seek_s=(0.5, 0.5, 0.5)))
    assert renderer.positions[0] == (again + 100) % 5000, "an unchanged seek_id has no effect"
    renderer.render(100, Control((0.0,) * 3, seek_id=2, seek_s=(np.nan, 0.0, np.nan)))
    assert renderer.positions[:2] == ((again + 200) % 5000, 100), "an earlier jump is not repeated"


def test_levels_are_those_of_the_call():
    x = 0.25 * tone(96_000, 1000.0)
    scene = prepared(x, np.zeros(96_000), talkers=(Talker("a", "a", azimuth=90), Talker("b", "b")))
    renderer = Renderer(scene)
    renderer.render(12_000, Control((6.0, 0.0)))
    renderer.render(4800, Control((6.0, 0.0)))
    level = 0.25 * 10 ** (6 / 20)
    np.testing.assert_allclose(renderer.peak, [level, 0], rtol=1e-6)
    np.testing.assert_allclose(renderer.rms, [level / np.sqrt(2), 0], rtol=1e-6)
    np.testing.assert_allclose(renderer.out_peak, [0, level], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(renderer.out_rms, [0, level / np.sqrt(2)], rtol=1e-4, atol=1e-12)
    assert renderer.limiter_db == 0
    renderer.render(24_000, Control((12.0, 0.0)))
    assert renderer.limiter_db == pytest.approx(12 - 20 * np.log10(4) + 6, abs=0.05)
    np.testing.assert_allclose(renderer.gains_db, [12, 0])
    renderer.render(0, Control((12.0, 0.0)))
    assert renderer.pcm.shape == (2, 0)
    assert renderer.frame == 40_800


def test_long_call_keeps_all_samples_and_the_maximum_reduction():
    x = noise(0, 30_000, 0.01)
    x[12_000:12_100] = 2.0
    scene = prepared(x, talkers=(Talker("a", "a", azimuth=90),), release_s=0.01)
    renderer = Renderer(scene)
    renderer.render(30_000, Control((0.0,)))
    np.testing.assert_array_equal(renderer.pcm[0], x)
    assert renderer.limiter_db == pytest.approx(12, abs=0.1)
    assert renderer.peak[0] == 2


def test_warm_up_does_not_change_state():
    cold, warm = Renderer(three("hrtf"), live()), Renderer(three("hrtf"), live())
    warm.warm_up()
    for control in (Control((0.0,) * 3), Control((-9.0, 3.0, 0.0), azimuths=(0.0, 10.0, 20.0))):
        np.testing.assert_array_equal(warm.render(1000, control), cold.render(1000, control))
    assert warm.positions == cold.positions


def test_live_source_is_silent_in_an_underrun():
    there = [noise(0, 256, 0.1)] * 40 + [np.zeros(0, np.float32)] * 20
    source = LiveSource(lambda n: there.pop(0)[:n], SFREQ)
    played = Played(prepared(None), {0: source})
    played.play(60 * 256, Control((0.0,)))
    assert played.out[40 * 256 - 100 : 40 * 256].any()
    assert not played.out[41 * 256 + LATE + 144 :].any()
    assert source.n_missing == 20 * 256


def test_a_live_talker_needs_a_source():
    with pytest.raises(AudioError, match="talker 't1': input:2 is live, but no source for it"):
        Renderer(prepared(noise(0, 10), None))


@pytest.mark.parametrize(
    "applied", [[], [Applied(0, Control((0.0,)))], [Applied(5, Control((0.0,)), "start"), Applied(3, Control((0.0,)))]]
)
def test_log_out_of_order_is_refused(applied):
    with pytest.raises(ValueError, match="must begin with a start"):
        rerender(quiet(), applied, 10)


def test_output_is_silent_before_the_first_start():
    out = rerender(quiet(), [Applied(500, Control((0.0,)), "start", (0,))], 20_000)
    assert not out[:500].any()
    assert out[12_000:].any()


def test_rendering_child_imports_nothing_heavier_than_numpy():
    code = """if True:
        import sys
        import earmark.devices.audio.render
        print(*(name for name in sys.modules if sys.modules[name] is not None))
    """
    found = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "numpy" in found
    heavy = {"scipy", "numba", "torch", "mne", "pylsl", "soundfile", "sounddevice", "soxr", "slab", "pyloudnorm"}
    assert not {name.split(".")[0] for name in found} & heavy
    assert "earmark.app" not in found
    pipeline = {name.removeprefix("earmark.pipeline.") for name in found if name.startswith("earmark.pipeline.")}
    assert {name for name in pipeline if name.partition(".")[0] != "scene"} == {"registry", "node", "stream", "control"}

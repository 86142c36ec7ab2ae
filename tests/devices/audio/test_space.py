import numpy as np
import pytest
from audio_scenes import beyond_db, noise, prepared, responses, sizes_of, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.audio.scene import SPACES
from earmark.devices.audio.space import Space, nearest, spherical_head

FADE = 1440  # frames of 30 ms


def run(space, x, sizes=(256,)):
    pieces, at = [], 0
    for n in sizes_of(x.shape[1], sizes):
        pieces.append(space.process(x[:, at : at + n]))
        at += n
    return np.concatenate(pieces, axis=1)


def convolved(x, pairs):
    """Return both ears, from whole signals at once."""
    return np.stack([sum(np.convolve(row, pair[ear]) for row, pair in zip(x, pairs, strict=True)) for ear in (0, 1)])[
        :, : x.shape[1]
    ]


def placed(scene):
    """Azimuths and impulse responses of a prepared scene."""
    return scene.hrir_azimuths, scene.hrir


def scene_of(kind, n_talkers=3, **scene):
    return prepared(*[noise(k, 10) for k in range(n_talkers)], space=kind, **scene)


@given(
    st.sampled_from(SPACES.built_in),
    st.lists(st.integers(1, 900), min_size=1, max_size=5),
    st.sampled_from([16, 100, 256]),
)
@settings(max_examples=30, deadline=None)
def test_equals_convolution_of_whole_signals_in_any_blocks(kind, sizes, block):
    scene = scene_of(kind, block=block)
    azimuths, pairs = placed(scene)
    places = np.array([-90.0, 15.0, 60.0])
    x = np.random.default_rng(0).standard_normal((3, 3000))
    wanted = convolved(x, pairs[[int(np.abs(azimuths - one).argmin()) for one in places]])
    np.testing.assert_allclose(run(Space(scene, places), x, sizes), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", SPACES.built_in)
def test_a_move_crossfades_over_30_ms(kind):
    scene = scene_of(kind, 2)
    azimuths, pairs = placed(scene)
    x = np.random.default_rng(0).standard_normal((2, 6000))
    space = Space(scene, np.array([-60.0, 0.0]))
    first = run(space, x[:, :1000])
    space.place(np.array([30.0, 0.0]))
    found = np.concatenate([first, run(space, x[:, 1000:], (333,))], axis=1)
    old, new = (convolved(x, pairs[nearest(azimuths, np.array([one, 0.0]))]) for one in (-60.0, 30.0))
    age = (np.arange(6000) - 1000 + 1).clip(0, FADE)
    rise = 0.5 - 0.5 * np.cos(np.pi * age / FADE)
    np.testing.assert_allclose(found, old * (1 - rise) + new * rise, rtol=0, atol=1e-12)


def test_moves_during_a_move_wait_and_the_last_one_wins():
    scene = scene_of("left_right", 1)
    x = np.ones((1, 4000))
    space = Space(scene, np.array([-90.0]))
    space.place(np.array([0.0]))
    start = run(space, x[:, :700])
    space.place(np.array([45.0]))
    space.place(np.array([90.0]))
    left, right = np.concatenate([start, run(space, x[:, 700:])], axis=1)
    half = np.sqrt(0.5)
    assert left[FADE - 1] == pytest.approx(half)
    assert right[FADE - 1] == pytest.approx(half)
    assert left[2 * FADE - 1] == pytest.approx(0, abs=1e-12)
    assert right[2 * FADE - 1] == pytest.approx(1)
    assert np.all(np.diff(right) >= -1e-12)


def test_move_to_the_current_position_is_no_move():
    scene = scene_of("left_right", 1)
    x = np.ones((1, 4000))
    space = Space(scene, np.array([-90.0]))
    space.place(np.array([0.0]))
    start = run(space, x[:, :700])
    space.place(np.array([90.0]))
    space.place(np.array([0.0]))
    _, right = np.concatenate([start, run(space, x[:, 700:])], axis=1)
    np.testing.assert_allclose(right[FADE:], np.sqrt(0.5), atol=1e-12)


def test_at_once_skips_the_crossfade():
    space = Space(scene_of("left_right", 1), np.array([-90.0]))
    space.place(np.array([90.0]), at_once=True)
    np.testing.assert_allclose(space.process(np.ones((1, 100))), [[0] * 100, [1] * 100], atol=1e-12)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_moves_do_not_depend_on_blocks(sizes):
    scene = scene_of("hrtf")
    x = np.random.default_rng(1).standard_normal((3, 6000))

    def moved(sizes):
        space, pieces, at = Space(scene, np.zeros(3)), [], 0
        for frame, places in ((500, [10, 20, 30]), (900, [-60, 0, 60]), (2500, [-60, 90, 0]), (6000, None)):
            pieces.append(run(space, x[:, at:frame], sizes))
            at = frame
            if places:
                space.place(np.array(places, float))
        return np.concatenate(pieces, axis=1)

    np.testing.assert_allclose(moved(sizes), moved([256]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["itd_ild", "left_right"])
def test_a_moving_tone_does_not_click(kind):
    scene = scene_of(kind, 1)
    x = tone(48_000)[None]
    space = Space(scene, np.array([-60.0]))
    first = run(space, x[:, :24_000])
    space.place(np.array([60.0]))
    assert beyond_db(np.concatenate([first, run(space, x[:, 24_000:])], axis=1)[0]) < -90


@pytest.mark.parametrize("kind", ["itd_ild", "left_right"])
def test_source_on_the_right_is_louder_and_not_later_in_the_right_ear(kind):
    azimuths, pairs = placed(scene_of(kind))
    power = (pairs**2).sum(axis=2)
    assert np.all(power[azimuths > 0, 1] > power[azimuths > 0, 0])
    onset = (np.abs(pairs) > 0.1 * np.abs(pairs).max(axis=2, keepdims=True)).argmax(axis=2)
    assert np.all(onset[azimuths >= 10, 0] >= onset[azimuths >= 10, 1])
    assert onset[-1, 0] - onset[-1, 1] > 25 or kind == "left_right"
    np.testing.assert_allclose(pairs, pairs[::-1, ::-1], atol=1e-12)
    assert power[azimuths == 30, 1] > 1.5 * power[azimuths == 30, 0]
    ahead = pairs[azimuths == 0][0]
    np.testing.assert_allclose(ahead[0], ahead[1], atol=1e-12)


def test_left_right_keeps_the_power():
    _, pairs = placed(scene_of("left_right"))
    np.testing.assert_allclose((pairs**2).sum(axis=(1, 2)), 1, atol=1e-12)
    np.testing.assert_allclose(pairs[[0, -1], :, 0], [[1, 0], [0, 1]], atol=1e-12)


@pytest.mark.parametrize("sfreq", [16_000.0, 44_100.0, 48_000.0])
def test_the_spherical_head_delays_the_far_ear_by_woodworths_formula(sfreq):
    azimuths = np.arange(-90.0, 91.0, 10.0)
    for azimuth, pair in zip(azimuths, spherical_head(azimuths, sfreq), strict=True):
        # The shadow filter is minimum-phase; the remaining delay at the highest frequencies is that of the model.
        spectrum = np.fft.rfft(pair, 1 << 14)
        frequency = np.fft.rfftfreq(1 << 14, 1 / sfreq)
        angle = np.deg2rad(azimuth)
        itd = 0.0875 / 343 * (angle + np.sin(angle))
        far = np.deg2rad(np.array([90 + azimuth, 90 - azimuth]))
        alpha = 1.05 + 0.95 * np.cos(far * 180 / 150)
        warped = 2 * sfreq * np.tan(np.pi * frequency / sfreq) * 0.0875 / 343 / 2
        shadow = (1 + 1j * alpha[:, None] * warped) / (1 + 1j * warped)
        found = spectrum[0] / shadow[0] / (spectrum[1] / shadow[1])
        within = (frequency > 200) & (frequency < 0.35 * sfreq)
        wanted = np.exp(-2j * np.pi * frequency * itd)
        np.testing.assert_allclose(found[within], wanted[within], atol=0.02)


def test_nearest_direction_is_used():
    azimuths, _ = responses()
    wanted = np.array([-90, -88, 8, 7, 82.6, 90.0])
    assert list(azimuths[nearest(azimuths, wanted)]) == [-90, -90, 15, 0, 90, 90]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import FRAMING, arrive, mixture, moving, spectra_of, speech

from earmark.pipeline.scene.array import PRESETS, Array, Responses, preset
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.motion import turn
from earmark.pipeline.scene.remix import Remix
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.tracker import Tracker, TrackerConfig
from earmark.pipeline.scene.transform import Framing

GLASSES = preset("glasses6")
#: Hops per second.
RATE = 16000 / 64


def tracked(array, x, n_places=2, tracker=None):
    """Azimuths after each hop, shape (n_hops, n_places)."""
    tracker = tracker or Tracker(array, FRAMING, n_places)
    return np.array([tracker.process(one) for one in spectra_of(x)])


def start(tracker, azimuths):
    """Put talkers at azimuths; NaN leaves a place as it is."""
    for place in np.flatnonzero(~np.isnan(azimuths)):
        tracker.start(int(place), float(azimuths[place]))


def heard(array, azimuths, seconds=3.0, seed=1):
    talkers, noise = mixture(array, azimuths, seconds, seed=seed)
    return talkers.sum(axis=0) + noise


def error(azimuths, truth):
    """Distance of each place from the nearest talker, and of each talker from the nearest place, degrees."""
    away = np.abs(turn(np.asarray(truth, float)[:, None], azimuths))
    return max(away.min(axis=0).max(), away.min(axis=1).max())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("truth", [(-30.0, 40.0), (-70.0, -35.0), (0.0, 55.0)])
def test_two_talkers_are_found(name, truth):
    array = preset(name)
    assert error(tracked(array, heard(array, truth))[-1], truth) < 6


@pytest.mark.parametrize("truth", [(-150.0, 40.0), (175.0, 90.0), (180.0, 0.0)])
@pytest.mark.parametrize("name", ["glasses6", "table"])
def test_arrays_in_two_dimensions_find_talkers_behind(name, truth):
    array = preset(name)
    assert error(tracked(array, heard(array, truth))[-1], truth) < 6


def test_measured_responses_of_ears_that_are_shadowed():
    """Ten decibels at the far ear: louder directions must not win for being loud."""
    positions, azimuths = preset("ears2").positions, np.arange(-90.0, 91.0, 5.0)

    def levels(azimuth):
        return 10 ** (np.sin(np.deg2rad(azimuth)) * np.array([-5.0, 5.0]) / 20)

    frequencies = np.fft.rfftfreq(256, 1 / 16000)
    vectors = Array(positions).steering(azimuths, frequencies) * np.stack([levels(one) for one in azimuths], axis=1)
    vectors = vectors * np.exp(-2j * np.pi * frequencies * 40 / 16000)[:, None, None]
    taps = np.fft.irfft(vectors, 256, axis=0).transpose(2, 1, 0)
    array = Array(positions, span=(-90.0, 90.0), responses=Responses(azimuths, taps, 16000.0))
    for truth in ((-60.0, 35.0), (50.0, 85.0)):
        x = sum(levels(one)[:, None] * arrive(array, speech(3, k), one) for k, one in enumerate(truth))
        assert error(tracked(array, x)[-1], truth) < 8


def test_of_a_restricted_array_nobody_is_behind():
    array = preset("aids4")
    azimuths = tracked(array, heard(array, (-150.0, 40.0)))
    assert np.nanmax(np.abs(azimuths)) <= 90
    assert error(azimuths[-1], (-30.0, 40.0)) < 10  # where it would be in front


@pytest.mark.parametrize("name", ["glasses6", "table"])
def test_three_talkers_are_found(name):
    truth = (-50.0, 0.0, 60.0)
    array = preset(name)
    assert error(tracked(array, heard(array, truth, 4.0), 3)[-1], truth) < 10


def test_nobody_is_found_in_silence_and_one_talker_has_one_place():
    assert np.isnan(tracked(GLASSES, np.zeros((6, 16000)))).all()
    alone = tracked(GLASSES, arrive(GLASSES, speech(2, 3), 30.0))[-1]
    assert np.abs(alone[np.isfinite(alone)] - 30).max() < 5


@pytest.mark.parametrize("speed", [7.5, 15.0, 30.0])
def test_a_talker_who_moves_is_followed(speed):
    n = round(60 / speed * 16000) + 16000
    way = np.clip(-70 + speed * (np.arange(n) / 16000 - 1), -70, None)
    x = moving(GLASSES, speech(n / 16000, 5), way) + arrive(GLASSES, speech(n / 16000, 6), 60.0)
    azimuths = tracked(GLASSES, x)
    late = azimuths[round(1.5 * RATE) :]
    truth = way[::64][round(1.5 * RATE) : len(azimuths)]
    mover = int(np.abs(late[0] - truth[0]).argmin())  # its place from then on: nobody swaps
    assert np.abs(late[:, 1 - mover] - 60).max() < 10
    assert np.abs(late[:, mover] - truth).mean() < 2 + 0.6 * speed  # late by the time that votes last


def test_a_place_waits_for_a_talker_who_pauses():
    one, other = (arrive(GLASSES, speech(6, seed), at) for seed, at in ((1, -40.0), (2, 30.0)))
    one[:, 32000:64000] = 0
    azimuths = tracked(GLASSES, one + other + 0.003 * np.random.default_rng(0).standard_normal(one.shape))
    place = int(np.abs(azimuths[round(1.9 * RATE)] + 40).argmin())
    late = azimuths[round(1.9 * RATE) :]
    assert np.abs(late[:, place] + 40).max() < 12
    assert np.abs(late[:, 1 - place] - 30).max() < 12


def crossing(seconds=6.0, speed=30.0, seeds=(11, 12), silent=None):
    """One who walks past another in the middle of the time; azimuths of each hop, shape (n_hops, 2)."""
    n = round(seconds * 16000)
    way = speed * (np.arange(n) / 16000 - seconds / 2)
    walker, other = (speech(seconds, seed) for seed in seeds)
    if silent:
        walker[round(silent[0] * 16000) : round(silent[1] * 16000)] = 0
    noise = 0.01 * np.random.default_rng(0).standard_normal((6, n))
    return moving(GLASSES, walker, way) + arrive(GLASSES, other, 0.0) + noise, np.stack([way[::64], 0 * way[::64]], 1)


@pytest.mark.parametrize("silent", [None, (2.7, 3.3)])
@pytest.mark.parametrize("seeds", [(11, 12), (13, 14), (15, 16)])
def test_who_walks_past_another_keeps_their_place(seeds, silent):
    x, truth = crossing(seeds=seeds, silent=silent)
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, truth[0])
    azimuths = tracked(GLASSES, x, tracker=tracker)
    away = np.abs(azimuths - truth[: len(azimuths)])
    apart = np.abs(truth[: len(azimuths), 0]) > 30
    assert away[apart].max() < 25
    assert away[-1].max() < 12


@pytest.mark.parametrize("seeds", [(21, 22), (23, 24)])
def test_who_turns_back_before_another_keeps_their_place(seeds):
    """The same until they meet: what is believed then must come from what is heard, not from a rule."""
    n = 6 * 16000
    way = -np.abs(30 * (np.arange(n) / 16000 - 3)) - 12
    x = moving(GLASSES, speech(6, seeds[0]), way) + arrive(GLASSES, speech(6, seeds[1]), 12.0)
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, np.array([way[0], 12.0]))
    assert np.abs(tracked(GLASSES, x, tracker=tracker)[-1] - [way[-1], 12]).max() < 12


def test_a_place_survives_a_pause_of_ten_seconds():
    one, other = (arrive(GLASSES, speech(14, seed), at) for seed, at in ((31, -40.0), (32, 30.0)))
    one[:, 32000:192000] = 0
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, np.array([-40.0, 30.0]))
    azimuths = tracked(GLASSES, one + other + 0.003 * np.random.default_rng(0).standard_normal(one.shape), 2, tracker)
    assert np.abs(azimuths[:, 0] + 40).max() < 20
    assert np.abs(azimuths[:, 1] - 30).max() < 20
    assert np.abs(azimuths[-1] - [-40, 30]).max() < 6


@pytest.mark.parametrize("order", [(-40.0, 30.0), (30.0, -40.0)])
def test_places_start_where_somebody_says(order):
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, np.array(order))
    azimuths = tracked(GLASSES, heard(GLASSES, (-40.0, 30.0)), tracker=tracker)
    assert np.abs(azimuths - order).max() < 20  # from the first hop on, and never the other way
    assert np.abs(azimuths[-1] - order).max() < 6


def test_places_that_are_left_open_are_found():
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, np.array([np.nan, -40.0]))
    assert np.abs(tracked(GLASSES, heard(GLASSES, (-40.0, 30.0)), tracker=tracker)[-1] - [30, -40]).max() < 6


def test_a_place_can_be_pinned_forgotten_and_exchanged():
    tracker = Tracker(GLASSES, FRAMING)
    start(tracker, np.array([-40.0, 30.0]))
    x = heard(GLASSES, (-40.0, 30.0))
    tracker.pin(0, -60.0)
    assert (tracked(GLASSES, x, tracker=tracker)[:, 0] == -60).all()
    start(tracker, np.array([-40.0, np.nan]))
    assert np.abs(tracked(GLASSES, x, tracker=tracker)[-1] - [-40, 30]).max() < 6
    tracker.exchange(0, 1)
    assert np.abs(tracker.azimuths - [30, -40]).max() < 6
    assert np.abs(tracked(GLASSES, x, tracker=tracker)[-1] - [30, -40]).max() < 6
    tracker.pin(1)
    at = tracker.azimuths[1]
    assert (tracked(GLASSES, x, tracker=tracker)[:, 1] == at).all()
    tracker.forget(0)
    assert np.isnan(tracker.azimuths[0])
    assert np.abs(tracked(GLASSES, x, tracker=tracker)[-1] - [30, at]).max() < 6


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda tracker: tracker.pin(0), "cannot be at nan"),
        (lambda tracker: tracker.pin(2, 0.0), "no place 2"),
        (lambda tracker: tracker.forget(-1), "no place -1"),
        (lambda tracker: tracker.exchange(0, 5), "no place 5"),
    ],
)
def test_what_an_operator_cannot_ask_is_refused(ask, words):
    tracker = Tracker(preset("aids4"), FRAMING)
    before = tracker.state()
    with pytest.raises(SceneError, match=words):
        ask(tracker)
    for name, value in tracker.state().items():
        np.testing.assert_array_equal(before[name], value, name)


def test_a_talker_who_jumps_is_found_again_by_the_same_place():
    first, then, other = (arrive(GLASSES, speech(6, seed), at) for seed, at in ((1, -80.0), (1, 0.0), (2, 60.0)))
    first[:, 32000:], then[:, :32000] = 0, 0
    azimuths = tracked(GLASSES, first + then + other)
    place = int(np.abs(azimuths[round(1.9 * RATE)] + 80).argmin())
    assert abs(azimuths[-1, place]) < 10
    assert abs(azimuths[-1, 1 - place] - 60) < 10


def test_activity_tells_who_talks():
    one, other = (arrive(GLASSES, speech(6, seed), at) for seed, at in ((1, -40.0), (2, 30.0)))
    one[:, 48000:] = 0
    tracker = Tracker(GLASSES, FRAMING)
    assert not tracker.activity.any()
    azimuths = tracked(GLASSES, one + other, tracker=tracker)
    place = int(np.abs(azimuths[-1] + 40).argmin())
    assert tracker.activity[place] < 0.05
    assert tracker.activity[1 - place] > 0.7


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e30])
def test_what_is_not_sound_moves_nobody(value):
    tracker = Tracker(GLASSES, FRAMING)
    before = tracked(GLASSES, heard(GLASSES, (-30.0, 40.0)), tracker=tracker)[-1]
    for mics in (slice(None), slice(2, 3)):
        spectra = np.ones((6, FRAMING.n_bins), np.complex64)
        spectra[mics] = value
        np.testing.assert_allclose(tracker.process(spectra), before, atol=3)
    assert error(tracked(GLASSES, heard(GLASSES, (-30.0, 40.0)), tracker=tracker)[-1], (-30.0, 40.0)) < 6


def test_a_dead_microphone_of_six_is_survived():
    x = heard(GLASSES, (-30.0, 40.0))
    x[2] = 0
    assert error(tracked(GLASSES, x)[-1], (-30.0, 40.0)) < 10


@pytest.mark.parametrize("name", PRESETS)
def test_the_state_is_all_that_counts(name):
    array = preset(name)
    spectra = spectra_of(heard(array, (-30.0, 40.0), 1.5))
    one = Tracker(array, FRAMING)
    for spectrum in spectra[:200]:
        one.process(spectrum)
    other = Tracker(array, FRAMING)
    other.restore(one.state())
    for spectrum in spectra[200:]:
        np.testing.assert_array_equal(one.process(spectrum), other.process(spectrum))
    one.reset()
    fresh = Tracker(array, FRAMING)
    for spectrum in spectra[:100]:
        np.testing.assert_array_equal(one.process(spectrum), fresh.process(spectrum))


def test_what_is_returned_is_not_what_is_kept():
    tracker = Tracker(GLASSES, FRAMING)
    tracker.process(spectra_of(heard(GLASSES, (-30.0, 40.0), 0.1))[-1])[:] = 7
    assert np.isnan(tracker.azimuths).all()


@given(st.lists(st.integers(0, 2000), max_size=6), st.integers(1, 15999))
def test_tracked_remix_depends_on_neither_chunks_nor_the_future(sizes, now):
    x = HEARD.copy()
    whole = REMIXED
    cut, at, parts = remix(), 0, []
    for size in (*sizes, x.shape[1]):
        parts.append(cut.process(x[:, at : at + size], GAINS[:, at : at + size]))
        at = min(at + size, x.shape[1])
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    x[:, now:] = x[::-1, now:]
    assert remix().process(x, GAINS)[:, :now].tobytes() == whole[:, :now].tobytes()


def remix():
    return Remix(FRAMING, BeamMasks(GLASSES, FRAMING), Tracker(GLASSES, FRAMING), GLASSES.ears)


HEARD = heard(GLASSES, (-30.0, 40.0), 1.0).astype(np.float32)
GAINS = np.repeat([[1.41], [0.35]], HEARD.shape[1], axis=1)
REMIXED = remix().process(HEARD, GAINS)


@pytest.mark.parametrize(
    ("config", "n_places", "words"),
    [
        ({}, 1, "1 places"),
        ({}, 5, "5 places"),
        ({"forget_s": 0.0}, 2, "forget_s is 0.0"),
        ({"apart": np.nan}, 2, "apart is nan"),
        ({"apart": 120.0}, 2, "below 90"),
        ({"lowest_hz": 5000.0}, 2, "rise"),
        ({"lowest_hz": 9000.0, "highest_hz": 9900.0}, 2, "no frequency"),
    ],
)
def test_settings_out_of_range_are_refused(config, n_places, words):
    with pytest.raises(SceneError, match=words):
        Tracker(GLASSES, FRAMING, n_places, TrackerConfig(**config))


def test_other_rates_and_a_span_of_a_quarter():
    framing = Framing(48000)
    array = Array(GLASSES.positions, span=(0.0, 90.0))
    rng = np.random.default_rng(0)
    source = rng.standard_normal((1, framing.n_bins)) + 1j * rng.standard_normal((1, framing.n_bins))
    tracker = Tracker(array, framing)
    for _ in range(300):
        spectra = (array.steering([50.0], framing.frequencies)[:, :, 0].T * source).astype(np.complex64)
        found = tracker.process(spectra)
    assert found[0] == pytest.approx(50, abs=3)


def test_a_place_can_be_told_where_to_look():
    tracker = Tracker(preset("glasses6"), FRAMING)
    tracker.start(1, 300.0)
    np.testing.assert_array_equal(tracker.azimuths, [np.nan, -60])
    front = Tracker(preset("aids4"), FRAMING)
    front.start(0, -120.0)
    assert front.azimuths[0] == -90, "within the span"
    named = Tracker(preset("glasses6"), FRAMING)
    for place, azimuth in enumerate((40.0, -35.0)):
        named.start(place, azimuth)
    found = tracked(preset("glasses6"), heard(preset("glasses6"), (-35.0, 40.0)), tracker=named)
    assert np.abs(turn(found[-1], np.array([40.0, -35.0]))).max() < 6, "places keep the talkers that they were given"

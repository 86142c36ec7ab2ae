import numpy as np
import pytest
import soundfile
from mixtures import speech

from earmark.devices.audio import room
from earmark.devices.audio.scene import AudioError, Room, RoomTalker
from earmark.pipeline.scene.array import preset

SFREQ = 16_000.0
EARS = preset("ears2")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    pytest.importorskip("pyroomacoustics")
    folder = tmp_path_factory.mktemp("voices")
    for k in range(2):
        soundfile.write(folder / f"{k}.wav", 0.05 * speech(3.0, k), 16_000)
    return [str(folder / f"{k}.wav") for k in range(2)]


def two(files, **fields):
    talkers = (RoomTalker("a", files[0], -40.0), RoomTalker("b", files[1], 30.0))
    return Room(**{"talkers": talkers, "rt60_s": 0.2, "seconds": 2.0, **fields})


def test_same_seed_gives_the_same_room(files):
    first, again = (room.hear_room(two(files, seed=3), EARS, SFREQ, -26.0, 128) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.shape == (4, 32_000)
    other = room.hear_room(two(files, seed=4), EARS, SFREQ, -26.0, 128)
    assert not np.array_equal(other[:2], first[:2])
    np.testing.assert_array_equal(other[2:], first[2:])


def test_clean_talkers_are_as_late_as_the_direct_sound_and_the_parts(files):
    talker = RoomTalker("a", files[0], 0.0, distance=1.0)
    heard = room.hear_room(Room((talker,), 0.0, noise_db=-100, seconds=2.0), EARS, SFREQ, None, 128)
    lags = np.arange(-5, 6)
    match = [np.corrcoef(np.roll(heard[0], 128 + lag), heard[2])[0, 1] for lag in lags]
    assert max(match) > 0.95
    assert abs(lags[int(np.argmax(match))]) <= 1


def test_each_talker_has_the_power_of_its_file_at_the_reference(files):
    talker = RoomTalker("a", files[0], 20.0)
    heard = room.hear_room(Room((talker,), 0.3, noise_db=-100, seconds=2.0), EARS, SFREQ, None, 0)
    assert np.sqrt(np.mean(heard[0] ** 2)) == pytest.approx(np.sqrt(np.mean(heard[2] ** 2)), rel=1e-3)


def test_repetition_has_no_seam(files):
    heard = room.hear_room(two(files, noise_db=-100), EARS, SFREQ, -26.0, 0)
    twice = np.concatenate([heard, heard], axis=1)[0]
    steps = np.abs(np.diff(twice, 2))
    assert steps[31_990:32_010].max() < steps.max()


def test_walkers_go_to_and_fro_and_end_where_they_began():
    talker = RoomTalker("a", "a.wav", -60.0, 60.0, speed=25.0)
    azimuths = room.way(talker, 160_000, SFREQ)
    assert (azimuths.min(), azimuths[0]) == (-60, -60)
    assert azimuths.max() == pytest.approx(60, abs=0.01)
    assert abs(azimuths[-1] - azimuths[0]) < 0.01
    assert np.abs(np.diff(azimuths)).max() * SFREQ == pytest.approx(24, rel=0.01), "a whole walk in 10 s"
    assert np.ptp(room.way(RoomTalker("a", "a.wav", 10.0), 100, SFREQ)) == 0


def test_walker_is_heard_from_side_to_side(files):
    talker = RoomTalker("a", files[0], -80.0, 80.0, speed=80.0)
    heard = room.hear_room(Room((talker,), 0.0, noise_db=-100, seconds=4.0), EARS, SFREQ, None, 0)
    for part, sign in ((slice(0, 6000), 1), (slice(28_000, 36_000), -1)):
        lags = np.arange(-9, 10)
        match = [np.dot(heard[0, part], np.roll(heard[1], lag)[part]) for lag in lags]
        assert np.sign(lags[int(np.argmax(match))]) == -sign, "the nearer ear hears it first"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rt60_s": 0.05}, r"room: rt60_s is 0\.05, but must be 0, or 0\.1 to 1 s"),
        ({"size": (6.0, 5.0, 1.0)}, "room: size is"),
        ({"noise_db": 3.0}, r"room: noise_db is 3\.0"),
        ({"seconds": 1000.0}, "room: seconds"),
        ({"talkers": ()}, "room: talkers is 0, but must be 1 to 4 of them"),
        (
            {"talkers": (RoomTalker("a", "a", distance=5.0),)},
            r"talker 'a': distance is 5\.0, but must be 0\.3 to 2\.3 m",
        ),
        ({"talkers": (RoomTalker("a", "a", azimuth_to=np.nan),)}, "talker 'a': azimuth is"),
        ({"talkers": (RoomTalker("a", "a", speed=0.0),)}, "talker 'a': speed is"),
        ({"talkers": (RoomTalker("a", "a"), RoomTalker("a", "b"))}, "different names"),
    ],
)
def test_impossible_rooms_are_refused(fields, message):
    with pytest.raises(AudioError, match=message):
        two(["a", "b"], **fields)


def test_files_that_cannot_be_used_are_named(files, tmp_path):
    with pytest.raises(AudioError, match=r"room: talker 'a': .*none\.wav is not there"):
        room.hear_room(Room((RoomTalker("a", str(tmp_path / "none.wav")),)), EARS, SFREQ, None, 0)
    with pytest.raises(AudioError, match="lower start_s"):
        room.hear_room(Room((RoomTalker("a", files[0], start_s=2.9),)), EARS, SFREQ, None, 0)


def test_a_room_without_pyroomacoustics_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyroomacoustics", None)
    with pytest.raises(AudioError, match=r"pip install '\.\[scene\]'"):
        room.hear_room(two(files), EARS, SFREQ, None, 0)


def test_a_room_that_cannot_reverberate_so_is_refused(files):
    with pytest.raises(AudioError, match="raise rt60_s, or make the room smaller"):
        room.hear_room(two(files, size=(30.0, 30.0, 30.0), rt60_s=0.1), EARS, SFREQ, None, 0)

"""The log beside a file of what was heard: what is read is what was written, and nothing else is believed."""

import json

import numpy as np
import pytest
import soundfile
from audio_scenes import mixture_scene

from earmark.devices.audio.heard import EnvelopeStates, Renewal, Renewals
from earmark.devices.audio.heard_again import HeardSamples, again
from earmark.devices.audio.heard_log import (
    LIVE_TALKERS,
    MICROPHONES,
    HeardAbout,
    HeardLog,
    Lost,
    read_heard,
    sound_beside,
)
from earmark.devices.audio.scene import AudioError

ABOUT = HeardAbout(MICROPHONES, tuple(f"microphone {k + 1}" for k in range(6)), 48_000.0, 1000)
STATE = {"memory": np.array([[1 / 3 + 2j, -0.0]]), "bad": np.array([True, False]), "at": np.array(7)}


@pytest.fixture
def recording(tmp_path):
    """A recording with 0.1 s of sound, and its log."""
    path = tmp_path / "loop.xdf"
    sound = sound_beside(path, MICROPHONES)
    soundfile.write(sound, np.full((4800, 6), 0.25, "f4"), 48_000, subtype="FLOAT")
    log = HeardLog(sound, ABOUT)
    log.renewal(Renewal(2000, (-30.1, np.nan)))
    log.renewal(Renewal(1500, (), start=True))
    log.state(2400, STATE)
    log.lost(Lost(3000, 3500, "too slow"))
    log.end(5800)
    log.close()
    return path


def test_log_is_read_as_written(recording):
    found = read_heard(recording)
    assert (found.about, found.end) == (ABOUT, 5800)
    assert [one.frame for one in found.renewals] == [1500, 2000]
    assert found.renewals[1].azimuths[0] == -30.1
    assert np.isnan(found.renewals[1].azimuths[1])
    assert found.losses == (Lost(3000, 3500, "too slow"),)
    ((frame, state),) = found.states
    assert frame == 2400
    for key, value in STATE.items():
        assert (state[key].dtype, state[key].tobytes()) == (value.dtype, value.tobytes())


def test_a_log_that_was_cut_short_is_read_without_its_end(recording, tmp_path):
    path = tmp_path / "loop.microphones.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert read_heard(recording).end is None


def test_without_a_file_there_is_nothing(tmp_path):
    assert read_heard(tmp_path / "loop.xdf") is None


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"end": -1}',
        '{"end": 1, "more": 2}',
        '{"unknown": 1}',
        '{"lost": 1, "to": 2, "why": "because"}',
        '{"renewal": 1, "azimuths": ["x"], "start": true}',
        '{"envelopes": 1, "state": {"memory": {"dtype": "|O8", "shape": [1], "data": "AAAA"}}}',
        '{"envelopes": 1, "state": {"memory": {"dtype": "<f8", "shape": [9], "data": "AAAA"}}}',
        '{"envelopes": 1, "state": {"memory": {"dtype": "<f8", "shape": [1], "data": "é"}}}',
    ],
)
def test_damage_is_named(recording, tmp_path, line):
    path = tmp_path / "loop.microphones.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(AudioError, match=r"loop.microphones.jsonl is damaged"):
        read_heard(recording)


def test_a_log_without_a_description_or_of_another_file_is_refused(recording, tmp_path):
    path = tmp_path / "loop.microphones.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    for text in ("", "".join(lines[1:]), lines[0] + lines[0], lines[0].replace('"microphones"', '"talkers"')):
        path.write_text(text)
        with pytest.raises(AudioError, match="does not say which microphones"):
            read_heard(recording)
    path.unlink()
    with pytest.raises(AudioError, match=r"cannot be read: No such file"):
        read_heard(recording)


def test_another_file_or_scene_is_refused(recording, tmp_path):
    sound = read_heard(recording)
    with pytest.raises(AudioError, match="does not hold the talkers or microphones"):
        next(again(mixture_scene(sfreq=44_100.0).scene, sound, []))
    soundfile.write(sound.path, np.zeros((10, 2), "f4"), 48_000)
    with pytest.raises(AudioError, match="has 2 channels at 48000 Hz, but its log says 6 at 48000 Hz"):
        HeardSamples(sound)
    sound.path.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="cannot be read as sound"):
        HeardSamples(sound)


def test_samples_that_the_file_lacks_are_silent(recording):
    samples = HeardSamples(read_heard(recording))
    found = samples.read(900, 300)
    assert not found[:100].any()
    assert (found[100:] == 0.25).all()
    assert not samples.read(10_000, 5).any()
    samples.close()


def test_a_log_is_never_overwritten(recording):
    with pytest.raises(AudioError, match="File exists"):
        HeardLog(sound_beside(recording, MICROPHONES), ABOUT)
    HeardLog(sound_beside(recording, LIVE_TALKERS), ABOUT).close()


def test_lines_are_strict_json(recording, tmp_path):
    for line in (tmp_path / "loop.microphones.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_renewals_pass_in_order_and_the_oldest_are_lost():
    log = Renewals()
    there = Renewals(log.name)
    assert (log.since(0), there.asked) == ([], 0)
    log.ask()
    assert there.asked == 1
    for frame in range(300):
        there.put(frame, (1.5,), start=frame == 299)
    found = log.since(0)
    assert [one.frame for one in found] == list(range(44, 300))
    assert (found[-1].start, found[-1].azimuths[0]) == (True, 1.5)
    assert log.since(300) == []
    there.close()
    log.close()


def test_states_are_kept_when_they_are_wanted_only():
    states = EnvelopeStates()
    states.offer(10, dict)
    states.want(20)
    states.offer(19, dict)
    assert states.take() == []
    states.offer(25, dict)
    states.offer(35, dict)
    assert states.take() == [(25, {})]
    assert states.take() == []

"""Talkers in a folder, and pairs of what they say."""

import numpy as np
import pytest
import soundfile

from earmark.devices.files.talker_speech import Segment, SpeechError, find_voices, pair_up, read_segment


@pytest.fixture
def folder(tmp_path):
    """Three talkers: a file of 10 s, a subfolder with 4 s and 5 s, a file of 7 s in two channels."""
    rng = np.random.default_rng(0)
    (tmp_path / "bea" / "deep").mkdir(parents=True)
    for name, seconds, rate, channels in (
        ("ann.wav", 10, 16000, 1),
        ("bea/1.flac", 4, 8000, 1),
        ("bea/deep/2.flac", 5, 16000, 1),
        ("cleo.wav", 7, 16000, 2),
    ):
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal((seconds * rate, channels)), rate)
    (tmp_path / "README.md").write_text("not speech")
    return tmp_path


def test_files_and_subfolders_are_talkers(folder):
    voices = find_voices(folder)
    assert [(one.name, one.seconds) for one in voices] == [("ann", 10), ("bea", 9), ("cleo", 7)]


def test_no_segment_is_used_twice_and_no_talker_speaks_to_itself(folder):
    pairs = pair_up(find_voices(folder), 6, 2.0)
    names = [segment.name for pair in pairs for segment in pair]
    assert len(set(names)) == 12
    assert all(one.voice.name != other.voice.name for one, other in pairs)
    assert pairs == pair_up(find_voices(folder), 6, 2.0)


def test_too_little_speech_is_refused(folder):
    with pytest.raises(SpeechError, match=r"3 talkers is enough for 2 pairs of 4 s, not for 9: give fewer pairs"):
        pair_up(find_voices(folder), 9, 4.0)


def test_segment_runs_over_the_end_of_a_file(folder):
    _, bea, cleo = find_voices(folder)
    found = read_segment(Segment(bea, 3.0, 4.0), 16000)
    assert len(found) == 64000
    assert np.mean(found**2) == pytest.approx(1)
    second = soundfile.read(folder / "bea" / "deep" / "2.flac")[0][:48000]
    assert np.corrcoef(found[16000:], second)[0, 1] > 0.999
    both = soundfile.read(folder / "cleo.wav")[0].mean(axis=1)
    assert np.corrcoef(read_segment(Segment(cleo, 0.0, 7.0), 16000), both)[0, 1] > 0.999


def test_what_is_no_speech_is_refused(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(SpeechError, match="speech of 0 talkers, but two are needed"):
        find_voices(empty)
    with pytest.raises(SpeechError, match="no such folder"):
        find_voices(empty / "missing")
    soundfile.write(empty / "a.wav", np.zeros(16000), 16000)
    soundfile.write(empty / "b.wav", np.zeros(16000), 16000)
    with pytest.raises(SpeechError, match="nothing is heard"):
        read_segment(Segment(find_voices(empty)[0], 0.0, 1.0), 16000)
    (folder / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(SpeechError, match=r"bad\.wav cannot be read as sound"):
        find_voices(folder)

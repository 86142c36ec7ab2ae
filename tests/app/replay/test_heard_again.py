"""Envelopes that were computed again are aligned with recorded ones, whatever the recording counts."""

import numpy as np
import pytest
import soundfile

from earmark.app.replay.heard import _both, _computed, _offsets, _runs
from earmark.devices.audio.heard_again import again
from earmark.devices.audio.heard_log import LIVE_TALKERS, HeardAbout, HeardLog, Lost, read_heard, sound_beside
from earmark.devices.audio.outlets import envelopes
from earmark.devices.audio.scene import AudioError, Scene, Talker
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.stream import Block, Gap

RNG = np.random.default_rng(0)
ROWS = RNG.random((500, 2)).astype("f4")
INDEX = np.concatenate([np.arange(1000, 1200), np.arange(1300, 1600)])


def recorded(first, n):
    """Return what a recording holds of computed indices; NaN-free noise where there is no sound."""
    out = RNG.random((n, 2)).astype("f4")
    for k in range(n):
        if first + k in INDEX:
            out[k] = ROWS[np.searchsorted(INDEX, first + k)]
    return out


def test_indices_differ_by_a_constant_that_a_gap_may_change():
    segments = [(0, recorded(990, 150)), (160, recorded(1149, 100)), (280, recorded(1270, 20))]
    assert _offsets(segments, INDEX, ROWS) == [990, 989, pytest.approx(989, abs=3)]
    wanted, found = _both(990, segments[0][1], INDEX, ROWS)
    assert len(wanted) == 140
    np.testing.assert_array_equal(wanted, found)


def test_a_stretch_that_differs_is_compared_by_its_neighbour():
    other = recorded(1400, 100) * 1.01
    offsets = _offsets([(0, recorded(1300, 90)), (100, other)], INDEX, ROWS)
    assert offsets == [1300, 1300]


def test_without_an_equal_sample_correlation_aligns_and_too_few_samples_do_not():
    assert _offsets([(7, recorded(1350, 200) * 1.001)], INDEX, ROWS) == [1343]
    assert _offsets([(7, recorded(1350, 20) * 1.001)], INDEX, ROWS) == [None]


def test_silence_aligns_nothing():
    rows = ROWS.copy()
    rows[:50] = 0
    assert _offsets([(0, np.zeros((10, 2), "f4")), (20, recorded(1300, 50))], INDEX, rows)[1] == 1280


HOP, SFREQ = 480, 48_000
SCENE = Scene((Talker("file", "a.wav"), Talker("live", "input:1")))


@pytest.mark.parametrize("why", ["not played", "too slow"])
def test_envelopes_of_live_talkers_are_those_that_were_published(tmp_path, why):
    """The sound process was replaced, where envelopes begin anew; or the disk was slow, where nobody noticed."""
    pcm = (0.1 * RNG.standard_normal((4 * SFREQ, 2))).astype("f4")
    begin, lost, back = 10 * HOP + 77, 100 * HOP + 33, 150 * HOP + 50
    node = envelopes(SCENE, "e", EnvelopeConfig())[0]
    sound = sound_beside(tmp_path / "loop.xdf", LIVE_TALKERS)
    log = HeardLog(sound, HeardAbout(LIVE_TALKERS, ("live",), float(SFREQ), begin))
    published, at, gap_done = {}, 0, why != "not played"
    while at + HOP <= len(pcm):
        if not gap_done and at + HOP > lost:
            list(node.process(Gap(at, back)))
            at, gap_done = back, True
        if at == 20 * HOP or (why == "too slow" and at == 160 * HOP):
            log.state(at, node.state())
        for out in node.process(Block(at, pcm[at : at + HOP].astype(float))):
            published |= {out.start + k: row for k, row in enumerate(out.data.astype("f4"))}
        at += HOP
    log.lost(Lost(lost, back, why))
    log.end(len(pcm))
    log.close()
    heard = pcm[begin:, 1].copy()
    heard[lost - begin : back - begin] = 0
    soundfile.write(sound, heard, SFREQ, subtype="FLOAT")
    found = read_heard(tmp_path / "loop.xdf")
    index, rows = _runs(_computed(SCENE, again(SCENE, found, []), found.states))
    assert len(index) > 100
    for at, row in zip(index, rows, strict=True):
        assert row[1] == published[at][1]
    covered = set(index.tolist())
    missing = [one for one in published if one not in covered and one / 64 * SFREQ > 20 * HOP]
    assert len(missing) <= (back + HOP * 20 - lost) / SFREQ * 64


def test_a_state_of_other_talkers_is_refused(tmp_path):
    sound = sound_beside(tmp_path / "loop.xdf", LIVE_TALKERS)
    log = HeardLog(sound, HeardAbout(LIVE_TALKERS, ("live",), float(SFREQ), 0))
    log.state(0, {"memory": np.zeros((1, 2, 3))})
    log.close()
    soundfile.write(sound, np.zeros(4800), SFREQ, subtype="FLOAT")
    found = read_heard(tmp_path / "loop.xdf")
    with pytest.raises(AudioError, match="does not fit these talkers"):
        list(_computed(SCENE, again(SCENE, found, []), found.states))

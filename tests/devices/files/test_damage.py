"""Damage of recordings is found and named, costs at most the second that contains it, and shifts nothing."""

import contextlib
import json
import logging

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

import earmark.devices.files.session_writer
from benchmarks.fuzz_inputs import labrecorder
from benchmarks.sessions import SFREQ, SPEECH_HZ, write_session
from earmark.devices.files import xdf
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.sealed import Sealer
from earmark.devices.files.session_file import Consumed, Damaged, SessionFile
from earmark.devices.files.session_run import CUES, read_cues, read_session_runs
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.stream import Block, Gap, Marker

TRIALS = (("Joe", 5.0), ("Ada", 5.0))
#: Bytes after the headers where damage may be attributed to the headers, if there is only one fingerprint.
FIRST_SECOND = 6000
RATES = {"eeg": SFREQ, "speech": SPEECH_HZ}


class OldSealer(Sealer):
    """Seal like recordings of the first version: one fingerprint of everything before it."""

    def seal(self, reached):
        return {"file": super().seal(reached)["file"]}


@pytest.fixture(scope="module", params=["new", "old"])
def whole(request, tmp_path_factory):
    """A recording, its samples, and where its headers end."""
    path = tmp_path_factory.mktemp("damage") / "a" / "calibration-1.xdf"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "old":
            patch.setattr(earmark.devices.files.session_writer, "Sealer", OldSealer)
        write_session(path, TRIALS)
    samples = {name: [] for name in RATES}
    for event in SessionFile(path):
        if isinstance(event, Consumed) and isinstance(event.item, Block):
            samples[event.stream].append(event.item.data)
    heads = [c.stop for c in xdf.read_chunks(path) if c.tag == xdf.STREAM_HEADER]
    return path, {name: np.concatenate(parts) for name, parts in samples.items()}, heads[-1], request.param


def check(path, samples):
    """Check that everything read was written, at its index; return the file and the number of missing samples."""
    file, missing, following = SessionFile(path), dict.fromkeys(RATES, 0), dict.fromkeys(RATES, 0)
    for event in file:
        if not (isinstance(event, Consumed) and event.stream in RATES):
            continue
        if isinstance(event.item, Block):
            assert event.item.start == following[event.stream]
            np.testing.assert_array_equal(event.item.data, samples[event.stream][event.item.start : event.item.stop])
            following[event.stream] = event.item.stop
        elif isinstance(event.item, Gap):
            assert event.item.start == following[event.stream]
            missing[event.stream] += event.item.stop - event.item.start
            following[event.stream] = event.item.stop
    return file, {name: missing[name] + len(samples[name]) - following[name] for name in RATES}


def spoil(whole, tmp_path_factory, change):
    path, samples, head, kind = whole
    raw = bytearray(path.read_bytes())
    change(raw)
    spoilt = tmp_path_factory.mktemp("spoilt") / "calibration-1.xdf"
    spoilt.write_bytes(raw)
    return spoilt, samples, head, kind


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_flipped_bit_is_found_and_costs_only_its_second(whole, tmp_path_factory, data):
    size = whole[0].stat().st_size
    at = data.draw(st.integers(4, size - 1) | st.integers(whole[2], whole[2] + 8))
    bit = data.draw(st.integers(0, 7))

    def flip(raw):
        raw[at] ^= 1 << bit

    path, samples, head, kind = spoil(whole, tmp_path_factory, flip)
    begun = SPEECH_HZ * (3 if kind == "old" else 2)
    if at < head + (FIRST_SECOND if kind == "old" else 0):
        with contextlib.suppress(xdf.XdfError):  # otherwise as below
            check(path, samples)
        return
    file, missing = check(path, samples)
    covered = at < size - file.unsealed if not file.damage else True
    assert file.damage or not covered
    if kind == "new":
        assert file.damage
    for name, rate in RATES.items():
        assert missing[name] / rate <= 1.01 * begun / SPEECH_HZ


def test_chunk_with_bytes_of_a_later_one_is_left_out(whole, tmp_path_factory):
    """Bytes are missing from within a chunk to just before the last boundary, so that the chunk ends inside of it."""
    chunks = list(xdf.read_chunks(whole[0]))
    boundary = max(chunk.start for chunk in chunks if chunk.tag == xdf.BOUNDARY)
    eeg = [chunk for chunk in chunks if chunk.tag == xdf.SAMPLES and len(chunk.content) > 200]

    def cut(raw):
        del raw[eeg[-20].stop - 24 : boundary - 20]

    spoilt, samples, _, _ = spoil(whole, tmp_path_factory, cut)
    file, _ = check(spoilt, samples)
    assert file.damage


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_removed_bytes_do_not_shift_other_samples(whole, tmp_path_factory, data):
    path, samples, head, kind = whole
    size = path.stat().st_size
    first = head + (FIRST_SECOND if kind == "old" else 0)
    start = data.draw(st.integers(min(first, size // 2), size - 2))
    stop = data.draw(st.integers(start + 1, min(size, start + 40_000)))

    def cut(raw):
        del raw[start:stop]

    spoilt, samples, _, _ = spoil(whole, tmp_path_factory, cut)
    file, _ = check(spoilt, samples)
    assert file.damage or file.unsealed or not file.whole


def test_damage_is_reported_wherever_runs_are_read(whole, tmp_path_factory, caplog):
    def flip(raw):
        raw[len(raw) // 2] ^= 1

    path, *_ = spoil(whole, tmp_path_factory, flip)
    with caplog.at_level(logging.WARNING):
        runs = read_session_runs(path, EEG, "eeg", "speech", CUES)
    assert f"{path} is damaged: bytes " in caplog.text
    assert "(LSL time)" in caplog.text
    assert [run.name.rpartition("/")[2] for run in runs] == ["calibration-1 trial 1", "calibration-1 trial 2"]


def test_attention_is_unknown_after_a_lost_cue(whole, tmp_path_factory):
    at = next(c.start for c in xdf.read_chunks(whole[0]) if c.tag == xdf.SAMPLES and b"attend:Ada" in c.content)

    def lose(raw):
        raw[at] = 7  # no chunk begins like this

    path, *_ = spoil(whole, tmp_path_factory, lose)
    cues = read_cues(SessionFile(path), CUES)
    assert [name for _, name in cues] == ["Joe", "", ""], "nobody is attended until the next cue"
    assert any(isinstance(e, Damaged) and CUES in e.lost for e in SessionFile(path))


def test_damaged_samples_do_not_cost_a_cue(whole, tmp_path_factory):
    chunks = [c for c in xdf.read_chunks(whole[0]) if c.tag == xdf.SAMPLES and c.stream_id == 1]
    at = chunks[len(chunks) // 4].stop - 5

    def flip(raw):
        raw[at] ^= 1

    path, *_ = spoil(whole, tmp_path_factory, flip)
    file = SessionFile(path)
    assert [name for _, name in read_cues(file, CUES)] == ["Joe", "Ada", ""]
    assert len(file.damage) == 1


def test_damaged_headers_are_refused(whole, tmp_path_factory):
    raw = whole[0].read_bytes()
    at = raw.index(b"<nominal_srate>") + len(b"<nominal_srate>")  # 128 Hz become 528 Hz

    def other(raw):
        raw[at] = ord("5")

    path, *_ = spoil(whole, tmp_path_factory, other)
    with pytest.raises(xdf.XdfError, match="headers"):
        list(SessionFile(path))


def test_last_seal_covers_everything_before_it(tmp_path):
    path = write_session(tmp_path / "x.xdf", TRIALS)
    file = SessionFile(path)
    list(file)
    assert (file.whole, file.unsealed, file.cut) == (True, 0, "")
    last = [c for c in xdf.read_chunks(path)][-1]
    assert json.loads(xdf.parse_text(last.content, 1)[1][0])["file"]
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    for stream in streams:
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])


def test_cut_that_pyxdf_cannot_open_is_reported_with_the_fix(tmp_path):
    path = write_session(tmp_path / "x.xdf", TRIALS, end=False)
    raw, chunks = path.read_bytes(), list(xdf.read_chunks(path))
    said = 0
    for chunk in chunks[-12:]:
        for n in range(12):
            path.write_bytes(raw[: chunk.start + n])
            file = SessionFile(path)
            list(file)
            try:
                pyxdf.load_xdf(path)
            except Exception:  # noqa: BLE001 - that is the question
                assert f"shorten it to {chunk.start} bytes" in file.cut
                path.write_bytes(raw[: chunk.start])
                pyxdf.load_xdf(path)
                said += 1
            else:
                assert not file.cut
    assert said > 12


def test_markers_between_samples_survive(whole):
    cues = [e.item for e in SessionFile(whole[0]) if isinstance(e, Consumed) and e.stream == CUES]
    assert [type(one) for one in cues] == [Marker] * 3


@pytest.mark.parametrize("kind", ["bit", "lost", "cut"])
@pytest.mark.parametrize("ours", [True, False])
def test_damaged_file_is_played_and_imported_without_the_damage(tmp_path, caplog, kind, ours):
    path = tmp_path / "x.xdf"
    if ours:
        write_session(path, TRIALS)
    else:
        labrecorder(path)
    whole = open_recording(path)
    data, times = whole.read(0, whole.n_samples), whole.times(0, whole.n_samples)
    raw = bytearray(path.read_bytes())
    chunks = [c for c in xdf.read_chunks(path) if c.tag == xdf.SAMPLES and c.stream_id == 1]
    middle = chunks[len(chunks) // 2]
    match kind:
        case "bit":
            raw[middle.stop - 3] ^= 64
        case "lost":
            raw[middle.start] = 7
        case "cut":
            del raw[middle.start + 2 :]  # within the kind of a chunk
    path.write_bytes(raw)
    found = open_recording(path)
    now, then = found.read(0, found.n_samples), found.times(0, found.n_samples)
    if kind == "bit" and not ours:
        return  # such a file has no information on it
    if kind != "cut":
        assert f"{path} is damaged: bytes " in caplog.text
        assert len(now) > len(data) - 12 * 128
    assert len(now) < len(data)
    places = np.searchsorted(times, then + 1e-6) - 1
    np.testing.assert_allclose(then, times[places], atol=2e-3)
    np.testing.assert_array_equal(now, data[places])


def test_pyxdf_errors_are_reported_without_traceback(tmp_path, caplog):
    path = tmp_path / "x.xdf"
    labrecorder(path)
    raw = bytearray(path.read_bytes())
    chunk = [c for c in xdf.read_chunks(path) if c.tag == xdf.SAMPLES and c.stream_id == 1][5]
    raw[chunk.stop - len(chunk.content) + 1] -= 7  # fewer samples than the chunk holds
    path.write_bytes(raw)
    with contextlib.suppress(RecordingError):
        open_recording(path)
    assert "x.xdf: pyxdf: " in caplog.text
    assert not any(record.exc_info for record in caplog.records)

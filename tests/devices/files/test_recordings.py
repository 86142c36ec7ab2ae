"""Recordings written by other libraries (MNE, edfio, pybv) or by hand come back sample for sample."""

from __future__ import annotations

import itertools
import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pybv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.devices.files.journal import About
from earmark.devices.files.recording import RecordingError, Segment
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.session_writer import SessionWriter
from earmark.devices.simulate.recording import generate_recording
from earmark.devices.sources.lsl_description import describe_xml, make_info
from earmark.devices.sources.source import Arrival
from earmark.pipeline.stream import Block, ClockMap, Marker, StreamSpec

COCKTAIL = Path(__file__).parents[3].parent / "shared" / "data" / "cocktail"
RNG = np.random.default_rng(7)


def write_fif(path: Path, *, sfreq: float = 250.0, n: int = 2500, first_samp: int = 0, notes=(), date=None, **save):
    """Four kinds of channels; returns what MNE will read from the file, in volts."""
    info = mne.create_info(["Fz", "Cz", "A1", "EOG1", "STI"], sfreq, ["eeg", "eeg", "seeg", "eog", "stim"])
    raw = mne.io.RawArray(RNG.normal(size=(5, n)) * 1e-5, info, first_samp=first_samp, verbose="ERROR")
    places = {"Fz": [0.01, 0.08, 0.09], "A1": [0.02, -0.03, 0.04]}
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), on_missing="ignore", verbose="ERROR")
    if date:
        raw.set_meas_date(date)
    for onset, duration, text in notes:
        raw.annotations.append(raw.first_time + onset, duration, text)
    raw.save(path, verbose="ERROR", **save)
    return mne.io.read_raw_fif(path, verbose="ERROR").get_data()


# -- FIF -------------------------------------------------------------------------------------------------------


def test_fif_round_trips(tmp_path):
    volts = write_fif(tmp_path / "sub_raw.fif", notes=[(1, 0, "tone"), (9.5, 0.5, "end")])
    recording = open_recording(tmp_path / "sub_raw.fif")
    spec = recording.spec
    assert (spec.name, spec.sfreq) == ("sub_raw", 250)
    assert spec.ch_names == ("Fz", "Cz", "A1", "EOG1", "STI")
    assert spec.ch_types == ("eeg", "eeg", "seeg", "eog", "misc")
    assert spec.units == ("uV", "uV", "uV", "uV", "V")
    np.testing.assert_allclose(spec.positions[0], [0.01, 0.08, 0.09], atol=1e-7)
    np.testing.assert_allclose(spec.positions[2], [0.02, -0.03, 0.04], atol=1e-7)
    assert np.isnan([spec.positions[i] for i in (1, 3, 4)]).all()
    assert recording.segments == [Segment(0, 2500, 0.0)]
    assert recording.duration == 10
    assert recording.annotations == [(1.0, "tone"), (9.5, "end")]
    scale = np.array([1e6] * 4 + [1.0])
    data = recording.read(0, 2500)
    assert data.dtype == np.float32
    assert data.flags.c_contiguous
    np.testing.assert_array_equal(data, (volts.T * scale).astype(np.float32))


@given(st.lists(st.integers(0, 2500), min_size=2, max_size=6))
@settings(max_examples=25, deadline=None)
def test_reading_in_pieces_equals_reading_at_once(fif, cuts):
    recording, whole = fif
    cuts = sorted(cuts)
    pieces = [recording.read(a, b) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole[cuts[0] : cuts[-1]])


@pytest.fixture(scope="module")
def fif(tmp_path_factory):
    path = tmp_path_factory.mktemp("fif") / "x_raw.fif"
    write_fif(path)
    recording = open_recording(path)
    return recording, recording.read(0, 2500)


@pytest.mark.parametrize("first_samp", [0, 1000])
@pytest.mark.parametrize("date", [None, datetime(2024, 5, 1, tzinfo=UTC)])
def test_skipped_acquisition_is_a_gap_and_onsets_count_from_the_first_sample(tmp_path, first_samp, date):
    notes = [(1, 0, "a"), (3, 2, "BAD_ACQ_SKIP"), (7, 0, "b")]
    path = tmp_path / "x_raw.fif"
    write_fif(path, first_samp=first_samp, date=date, notes=notes, buffer_size_sec=0.5)
    recording = open_recording(path)
    assert recording.segments == [Segment(0, 750, 0.0), Segment(1250, 2500, 5.0)]
    assert [text for _, text in recording.annotations] == ["a", "b"]
    np.testing.assert_allclose([t for t, _ in recording.annotations], [1, 7], atol=1e-6)
    assert recording.duration == 10


def test_joined_recordings_are_two_pieces(tmp_path):
    info = mne.create_info(["Cz"], 100.0, "eeg")
    raws = [mne.io.RawArray(RNG.normal(size=(1, 300)) * 1e-5, info, verbose="ERROR") for _ in range(2)]
    mne.concatenate_raws(raws, verbose="ERROR").save(tmp_path / "x_raw.fif", verbose="ERROR")
    assert open_recording(tmp_path / "x_raw.fif").segments == [Segment(0, 300, 0.0), Segment(300, 600, 3.0)]


def test_tags_that_lead_back_are_refused(tmp_path):
    """MNE would follow them without end, and fill the memory."""
    write_fif(path := tmp_path / "a_raw.fif")
    raw = bytearray(path.read_bytes())
    raw[52:56] = struct.pack(">i", -1)  # no directory
    (size,) = struct.unpack(">i", raw[44:48])
    at = 36 + 16 + size
    raw[at + 12 : at + 16] = struct.pack(">i", 36)
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="is damaged: its tags lead back to byte 36"):
        open_recording(path)


def test_reading_beyond_the_recording_is_refused(fif):
    recording, _ = fif
    for start, stop in ((-1, 3), (5, 4), (0, 2501)):
        with pytest.raises(RecordingError, match="no samples"):
            recording.read(start, stop)


# -- EDF, BDF --------------------------------------------------------------------------------------------------


def edf_signal(label: str, sfreq: int, n: int, unit: str = "uV", kind=edfio.EdfSignal):
    top = 8_000_000 if kind is edfio.BdfSignal else 32_000
    digital = RNG.integers(-top, top, n).astype(np.int32 if kind is edfio.BdfSignal else np.int16)
    return kind.from_digital(digital, sfreq, label=label, physical_dimension=unit, physical_range=(-3276.8, 3276.7))


def test_edf_round_trips_with_types_units_and_annotations(tmp_path):
    signals = [
        edf_signal("EEG Fz", 200, 2000),
        edf_signal("Cz", 200, 2000, "mV"),
        edf_signal("EOG left", 200, 2000, "nV"),
        edf_signal("EMG chin", 200, 2000),
        edf_signal("SpO2", 200, 2000, "%"),
    ]
    notes = [edfio.EdfAnnotation(2.25, None, "tone"), edfio.EdfAnnotation(7.0, 1.0, "rest")]
    edfio.Edf(signals, annotations=notes).write(tmp_path / "night.edf")
    recording = open_recording(tmp_path / "night.edf")
    assert recording.spec.ch_names == ("Fz", "Cz", "left", "chin", "SpO2")
    assert recording.spec.ch_types == ("eeg", "eeg", "eog", "misc", "misc")
    assert recording.spec.units == ("uV", "uV", "uV", "V", "%")
    assert recording.spec.positions is None
    assert recording.segments == [Segment(0, 2000, 0.0)]
    assert recording.annotations == [(2.25, "tone"), (7.0, "rest")]
    data = recording.read(300, 900)
    for i, factor in enumerate((1, 1e3, 1e-3, 1e-6, 1)):
        np.testing.assert_allclose(data[:, i], signals[i].data[300:900] * factor, rtol=1e-6, atol=1e-6 * factor)


def test_electrodes_of_unknown_unit_are_not_scaled(tmp_path, caplog):
    signal = edf_signal("Fz", 100, 300, "")
    edfio.Edf([signal]).write(tmp_path / "x.edf")
    recording = open_recording(tmp_path / "x.edf")
    assert (recording.spec.ch_types, recording.spec.units) == (("eeg",), ("",))
    np.testing.assert_allclose(recording.read(0, 300)[:, 0], signal.data, rtol=1e-6, atol=1e-6)
    assert "their unit is not known: Fz (none)" in caplog.text


def test_bdf_round_trips(tmp_path):
    signals = [edf_signal(label, 128, 640, kind=edfio.BdfSignal) for label in ("Fz", "Cz")]
    edfio.Bdf(signals, annotations=[edfio.EdfAnnotation(1.0, None, "go")]).write(tmp_path / "x.bdf")
    recording = open_recording(tmp_path / "x.bdf")
    np.testing.assert_allclose(recording.read(0, 640), np.column_stack([s.data for s in signals]), rtol=1e-6, atol=1e-4)
    assert recording.annotations == [(1.0, "go")]


def test_edf_signals_of_other_rates_are_left_out_not_resampled(tmp_path, caplog):
    signals = [edf_signal("slow", 10, 50, "%"), *(edf_signal(f"E{i}", 200, 1000) for i in range(3))]
    edfio.Edf([*signals, edf_signal("audio", 1000, 5000, "")]).write(tmp_path / "x.edf")
    recording = open_recording(tmp_path / "x.edf")
    assert recording.spec.ch_names == ("E0", "E1", "E2")
    assert (recording.spec.sfreq, recording.n_samples) == (200, 1000)
    np.testing.assert_allclose(recording.read(333, 777)[:, 1], signals[2].data[333:777], rtol=1e-6, atol=1e-6)
    assert "sampling rate is not 200 Hz: slow (10 Hz), audio (1000 Hz)" in caplog.text


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_pauses_of_discontinuous_edf_are_kept(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    kind, file = (edfio.EdfSignal, edfio.Edf) if suffix == "edf" else (edfio.BdfSignal, edfio.Bdf)
    signals = [edf_signal(label, 100, 600, kind=kind) for label in ("Fz", "Cz")]
    notes = [edfio.EdfAnnotation(0.5, None, "first"), edfio.EdfAnnotation(4.25, None, "later")]
    file(signals, annotations=notes, data_record_duration=1).write(path)
    data = path.read_bytes()
    fmt = suffix.upper().encode()
    for old, new in ((fmt + b"+C", fmt + b"+D"), (b"+4\x14\x14", b"+7\x14\x14"), (b"+5\x14\x14", b"+8\x14\x14")):
        assert data.count(old) == 1
        data = data.replace(old, new)
    path.write_bytes(data.replace(b"+4.25\x14", b"+7.25\x14"))
    recording = open_recording(path)
    assert recording.segments == [Segment(0, 400, 0.0), Segment(400, 600, 7.0)]
    assert recording.annotations == [(0.5, "first"), (7.25, "later")]
    assert recording.duration == 9


# -- BrainVision -----------------------------------------------------------------------------------------------


def write_brainvision(folder: Path, **options) -> np.ndarray:
    volts = RNG.normal(size=(3, 1000)) * 1e-5
    events = [{"onset": 250, "duration": 1, "description": 12, "type": "Stimulus"}]
    with pytest.warns(UserWarning, match="non-voltage units"):
        pybv.write_brainvision(
            data=volts,
            sfreq=500,
            ch_names=["Fz", "Cz", "GSR"],
            fname_base="bv",
            folder_out=folder,
            events=events,
            unit=["µV", "µV", "µS"],
            **options,
        )
    return volts


def test_brainvision_round_trips(tmp_path):
    volts = write_brainvision(tmp_path)
    recording = open_recording(tmp_path / "bv.vhdr")
    assert recording.spec.ch_types == ("eeg", "eeg", "misc")
    assert recording.spec.units[:2] == ("uV", "uV")
    np.testing.assert_allclose(recording.read(10, 990)[:, :2], volts[:2, 10:990].T * 1e6, rtol=1e-5, atol=1e-5)
    assert recording.annotations == [(0.5, "Stimulus/S 12")]
    assert recording.segments == [Segment(0, 1000, 0.0)]


def test_pauses_of_brainvision_are_kept(tmp_path):
    write_brainvision(tmp_path, meas_date=datetime(2024, 5, 1, 10, tzinfo=UTC))
    markers = tmp_path / "bv.vmrk"
    text = markers.read_text(encoding="utf-8")
    assert re.search(r"New Segment,.*,20240501100000000000", text)
    markers.write_text(text.rstrip() + "\nMk9=New Segment,,401,1,0,20240501100003500000\n", encoding="utf-8")
    recording = open_recording(tmp_path / "bv.vhdr")
    assert recording.segments == [Segment(0, 400, 0.0), Segment(400, 1000, 3.5)]
    assert recording.annotations == [(0.5, "Stimulus/S 12"), (3.5, "New Segment/")]
    assert recording.duration == 4.7


# -- XDF: the smallest writer that does ------------------------------------------------------------------------


def _chunk(tag: int, content: bytes) -> bytes:
    return struct.pack("<BIH", 4, len(content) + 2, tag) + content


def _stream(number, name, kind, fmt, sfreq, stamps, values, labels=(), unit="microvolts", n_channels=None):
    desc = "".join(
        f"<channel><label>{x}</label><unit>{unit}</unit><type>{kind}</type>"
        "<location><X>10</X><Y>80</Y><Z>90</Z></location></channel>"
        for x in labels
    )
    n_channels = n_channels or len(values[0])
    xml = (
        f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type><channel_count>{n_channels}</channel_count>"
        f"<nominal_srate>{sfreq}</nominal_srate><channel_format>{fmt}</channel_format>"
        f"<source_id>id-{name}</source_id><desc><channels>{desc}</channels></desc></info>"
    )
    samples = bytearray()
    for stamp, row in zip(stamps, values, strict=True):
        samples += struct.pack("<Bd", 8, stamp)
        if fmt == "string":
            samples += b"".join(struct.pack("<BI", 4, len(v.encode())) + v.encode() for v in row)
        else:
            samples += np.asarray(
                row, {"float32": "<f4", "double64": "<f8", "int16": "<i2", "int32": "<i4"}[fmt]
            ).tobytes()
    head = struct.pack("<I", number)
    return _chunk(2, head + xml.encode()) + _chunk(3, head + struct.pack("<BI", 4, len(stamps)) + bytes(samples))


def write_xdf(path: Path, *streams: bytes) -> Path:
    path.write_bytes(b"XDF:" + _chunk(1, b"<info><version>1.0</version></info>") + b"".join(streams))
    return path


def test_xdf_round_trips_with_gaps_and_markers(tmp_path):
    values = RNG.normal(size=(1000, 2)).astype(np.float32)
    stamps = 5000 + np.arange(1000) / 100
    stamps[400:] += 2.5
    eeg = _stream(1, "Amp", "EEG", "float32", 100, stamps, values, ["Fz", "Cz"])
    when = [4000.0, 5001.0, 5005.0, 5000 + 8.5, 9000.0]
    markers = _stream(2, "Stim", "Markers", "string", 0, when, [["early"], ["in"], ["gap"], ["out"], ["late"]])
    recording = open_recording(write_xdf(tmp_path / "s.xdf", eeg, markers))
    assert recording.spec.name == "s"
    assert recording.spec.ch_names == ("Fz", "Cz")
    assert recording.spec.units == ("uV", "uV")
    np.testing.assert_allclose(recording.spec.positions, [[0.01, 0.08, 0.09]] * 2)
    np.testing.assert_array_equal(recording.read(0, 1000), values)
    assert [(s.start, s.stop) for s in recording.segments] == [(0, 400), (400, 1000)]
    np.testing.assert_allclose([s.time for s in recording.segments], [0, 6.5], atol=1e-6)
    assert [text for _, text in recording.annotations] == ["in", "gap", "out"]
    np.testing.assert_allclose([t for t, _ in recording.annotations], [1, 5, 8.5], atol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e6), ("mV", 1e3), ("µV", 1), ("\u03bcV", 1), ("MicroVolts", 1)])
def test_xdf_electrodes_are_in_microvolts(tmp_path, unit, factor):
    values = RNG.integers(-999, 999, size=(50, 1))
    path = write_xdf(tmp_path / "s.xdf", _stream(1, "A", "EEG", "int16", 50, np.arange(50) / 50, values, ["Cz"], unit))
    recording = open_recording(path)
    assert recording.spec.units == ("uV",)
    np.testing.assert_array_equal(recording.read(0, 50), (values * factor).astype(np.float32))


@given(
    jitter=st.floats(0, 0.004),
    drift=st.floats(-5e-3, 5e-3),
    gap=st.sampled_from([0.0, 0.15, 3.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_jittered_drifting_stamps_leave_markers_at_their_samples(tmp_path, jitter, drift, gap, seed):
    rng = np.random.default_rng(seed)
    n, sfreq = 2000, 100
    true = 1e5 + np.arange(n) / sfreq * (1 + drift)
    true[1200:] += gap
    eeg = _stream(1, "A", "EEG", "float32", sfreq, true + rng.uniform(-jitter, jitter, n), np.zeros((n, 1)))
    markers = _stream(2, "M", "Markers", "string", 0, true[[300, 1199, 1200, 1900]], [["a"], ["b"], ["c"], ["d"]])
    recording = open_recording(write_xdf(tmp_path / "s.xdf", eeg, markers))
    assert len(recording.segments) == (2 if gap else 1)
    if gap:
        assert recording.segments[1].time == pytest.approx(12 * (1 + drift) + gap, abs=0.001)
    for (time, _), index in zip(recording.annotations, (300, 1199, 1200, 1900), strict=True):
        assert time == pytest.approx(recording.time_at(index), abs=0.001)


def test_xdf_markers_equal_live_markers(tmp_path, caplog):
    eeg = _stream(1, "Amp", "EEG", "float32", 100, np.arange(1000) / 100, np.zeros((1000, 1)), ["Cz"])
    streams = [
        _stream(2, "Two columns", "Markers", "string", 0, [1.0], [["ev", "7"]]),
        _stream(3, "Codes", "Markers", "int32", 0, [2.0, 3.0], [[1234567], [1234568]]),
        _stream(4, "Floats", "Stimulus", "float32", 0, [4.0, 5.0], [[16777216, 1.0], [0.5, 2.0]]),
        _stream(5, "Buttons", "Response", "int16", 0, [6.0], [[3]]),
        _stream(6, "Pupil", "Gaze", "float32", 0, [7.0], [[1.0, 2.0]]),
    ]
    recording = open_recording(write_xdf(tmp_path / "s.xdf", eeg, *streams))
    assert [text for _, text in recording.annotations] == [
        "ev 7", "1234567", "1234568", "16777216 1", "0.5 2", "3",
    ]  # fmt: skip
    assert "left out, numbers at no regular rate that are no markers by their type: 'Pupil' (type Gaze)" in caplog.text


def test_streams_added_by_a_session_are_neither_markers_nor_recordings(tmp_path):
    spec = StreamSpec("amp", 100.0, ("Cz",), ("misc",), ("",))
    about = describe_xml(make_info(spec, "Other", "amp").as_xml())
    marks = describe_xml(make_info(StreamSpec("m", 0.0, ("m",), ("misc",), ("",)), "Markers", "m", "string").as_xml())
    output = spec.evolve(name="bandpass")
    writer = SessionWriter({"amp": about, "m": marks}, {"bandpass": output}, About(""))
    chunks = [writer.headers]
    writer.begin(chunks.append)
    block = Block(0, np.ones((200, 1), np.float32))
    writer.arrival(Arrival("amp", ClockMap(0, 0, 0.01), 0.0))
    writer.arrival(Arrival("amp", block, 0.0, np.arange(200) / 100))
    writer.arrival(Arrival("m", Marker(1.0, "go"), 1.0, np.array([1.0]), ["go"]))
    writer.output("bandpass", ClockMap(0, 0, 0.01))
    writer.output("bandpass", Block(0, np.zeros((200, 1))))
    writer.end()
    path = tmp_path / "session.xdf"
    path.write_bytes(b"".join(chunks))
    recording = open_recording(path)
    assert recording.annotations == [(1.0, "go")]
    assert recording.read(0, 1)[0, 0] == 1, "the received stream, although an output is regular, too"
    assert open_recording(path, "earmark-bandpass").read(0, 1)[0, 0] == 0


def test_missing_signal_stream_is_explained(tmp_path):
    empty = _stream(1, "Amp", "EEG", "float32", 100, [], np.zeros((0, 1)), ["Cz"], n_channels=1)
    irregular = _stream(2, "BLE", "EEG", "float32", 0, [1.0, 1.1], np.zeros((2, 1)), ["Cz"])
    text = _stream(3, "M", "Markers", "string", 0, [1.0], [["go"]])
    with pytest.raises(RecordingError, match=r"'Amp'.*not one sample.*'BLE'.*2 samples.*give it by 'sfreq'"):
        open_recording(write_xdf(tmp_path / "s.xdf", empty, irregular, text))


def test_ambiguous_xdf_stream_is_refused(tmp_path):
    def stream(number, name, kind):
        return _stream(number, name, kind, "float32", 10, np.arange(20) / 10, np.full((20, 1), number), ["x"])

    markers = _stream(9, "M", "Markers", "string", 0, [1.0], [["go"]])
    two = write_xdf(tmp_path / "two.xdf", stream(1, "left", "EEG"), stream(2, "right", "EEG"), markers)
    with pytest.raises(
        RecordingError, match=r"2 streams could be meant.*number 1, name 'left'.*number 2, name 'right'"
    ):
        open_recording(two)
    for wanted, value in (("left", 1), ("id-right", 2), ("2", 2)):
        assert open_recording(two, wanted).read(0, 1)[0, 0] == value
    with pytest.raises(RecordingError, match=r"no stream 'middle'; there are: number 1"):
        open_recording(two, "middle")
    mixed = write_xdf(tmp_path / "mixed.xdf", stream(1, "gaze", "Gaze"), stream(2, "amp", "EEG"))
    assert open_recording(mixed).read(0, 1)[0, 0] == 2
    assert open_recording(write_xdf(tmp_path / "one.xdf", stream(3, "gaze", "Gaze"))).spec.ch_types == ("misc",)
    with pytest.raises(RecordingError, match="no stream has samples at a regular rate"):
        open_recording(write_xdf(tmp_path / "none.xdf", markers))


# -- what cannot be opened -------------------------------------------------------------------------------------


def test_files_that_are_not_recordings_are_refused(tmp_path):
    for name in ("a.mat", "a.eeg"):
        (tmp_path / name).touch()
    for name, words in (
        ("nowhere", "nowhere: no such file"),
        ("a.mat", "suffix is not one of .fif"),
        ("a.eeg", "open a.vhdr"),
        ("a.fif", "no such file"),
    ):
        with pytest.raises(RecordingError, match=words):
            open_recording(tmp_path / name)
    (tmp_path / "folder.fif").mkdir()
    with pytest.raises(RecordingError, match="it is a folder, not a file"):
        open_recording(tmp_path / "folder.fif")
    write_fif(tmp_path / "x_raw.fif")
    with pytest.raises(RecordingError, match="only XDF, EDF and BDF files have several streams"):
        open_recording(tmp_path / "x_raw.fif", "EEG")


@pytest.mark.parametrize("suffix", ["fif", "edf", "bdf", "vhdr", "xdf"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * 3000, bytes(range(256)) * 20, b"XDF:\x01\x05nonsense"])
def test_broken_files_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=re.escape(str(path))) as error:
        open_recording(path)
    words = str(error.value).replace(str(path), "")
    assert not re.search(r"[A-Z]\w*Error|struct|codec|literal|Posix|None", words), "nothing of Python"


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_fif(folder / "x.fif", n=300)
    edfio.Edf([edf_signal("Fz", 100, 300)], annotations=[edfio.EdfAnnotation(1, None, "a")]).write(folder / "x.edf")
    status = edf_signal("Status", 100, 300, kind=edfio.BdfSignal)
    edfio.Bdf([edf_signal("Fz", 100, 300, kind=edfio.BdfSignal), status]).write(folder / "x.bdf")
    write_brainvision(folder)
    write_xdf(folder / "x.xdf", _stream(1, "A", "EEG", "float32", 50, np.arange(99) / 50, np.ones((99, 2)), "ab"))
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@given(
    suffix=st.sampled_from([".fif", ".edf", ".bdf", ".vhdr", ".vmrk", ".xdf"]),
    cut=st.floats(0, 1),
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=3),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
def test_damage_only_raises_recording_error(sound_files, tmp_path, suffix, cut, damage):
    data = bytearray(sound_files[suffix])
    for where, junk in damage:
        at = int(where * (len(data) - len(junk)))
        data[at : at + len(junk)] = junk
    path = tmp_path / f"x{suffix}"
    for beside in (".vhdr", ".vmrk", ".eeg"):
        path.with_suffix(beside).write_bytes(sound_files[beside])
    path.write_bytes(data[: int(cut * len(data)) + 1] if cut < 0.9 else data)
    path = path.with_suffix(".vhdr") if suffix == ".vmrk" else path
    try:
        recording = open_recording(path)
        recording.read(0, min(recording.n_samples, 500))
    except RecordingError as error:
        assert str(error)  # noqa: PT017


# -- real and simulated data -----------------------------------------------------------------------------------


@pytest.mark.skipif(not COCKTAIL.is_dir(), reason="needs the development data: shared/data/cocktail")
def test_real_recording_is_read():
    path = COCKTAIL / "sub-01_task-cocktail_run-01_raw.fif"
    recording = open_recording(path)
    raw = mne.io.read_raw_fif(path, verbose="ERROR")
    assert (recording.spec.n_channels, recording.n_samples, recording.spec.sfreq) == (130, 7680, 128)
    assert recording.spec.ch_names[-2:] == ("EXG1", "EXG2")
    assert set(recording.spec.units) == {"uV"}
    pieces = [recording.read(a, min(a + 100, 7680)) for a in range(0, 7680, 100)]
    np.testing.assert_array_equal(np.concatenate(pieces), (raw.get_data().T * 1e6).astype(np.float32))
    known = raw.get_montage().get_positions()["ch_pos"]
    for name in ("A1", "D32"):
        place = recording.spec.positions[recording.spec.ch_names.index(name)]
        np.testing.assert_allclose(place, known[name], atol=1e-6)


def test_simulated_recording_is_read(tmp_path):
    path = generate_recording(tmp_path / "demo_raw.fif", seconds=24, seed=3)
    recording = open_recording(path)
    data = recording.read(0, recording.n_samples)
    assert data.shape == (12000, 32)
    assert recording.spec.positions is not None
    assert np.isfinite(recording.spec.positions).all()
    assert [t for t, _ in recording.annotations] == [5, 10, 15, 20]
    assert {text for _, text in recording.annotations} <= {"tone/left", "tone/right"}
    assert "Simulated" in mne.io.read_info(path, verbose="ERROR")["description"]
    # Electrode offsets are far larger than the signal, which resembles EEG except in the noisy channel.
    assert np.abs(data.mean(axis=0)).max() > 1000
    spread = data[:3000].std(axis=0)
    assert spread.min() > 5
    assert spread.max() < 50
    assert data[3000:6000, 32 // 3].std() > 100
    assert np.ptp(data[6000:9000, 64 // 3]) == 0
    names = recording.spec.ch_names
    spectrum = np.abs(np.fft.rfft(data[:, names.index("Oz")] - data[:, names.index("Oz")].mean())) ** 2
    at = np.fft.rfftfreq(len(data), 1 / 500)

    def power(low, high):
        return spectrum[(at >= low) & (at < high)].mean()

    assert power(9, 11) > 5 * power(12, 16)
    assert power(49.9, 50.1) > 5 * power(45, 49)
    assert power(2, 4) > 5 * power(20, 40)
    fp1, pz = names.index("Fp1"), names.index("Pz")
    assert np.ptp(data[:3000, fp1]) > 1.3 * np.ptp(data[:3000, pz])

    again = open_recording(generate_recording(tmp_path / "again_raw.fif", seconds=24, seed=3))
    np.testing.assert_array_equal(again.read(0, 12000), data)
    assert again.annotations == recording.annotations
    other = open_recording(generate_recording(tmp_path / "other_raw.fif", seconds=24, seed=4))
    assert not np.array_equal(other.read(0, 12000), data)


def test_simulation_refuses_invalid_parameters(tmp_path):
    path = generate_recording(tmp_path / "x_raw.fif", seconds=5, n_channels=100, sfreq=128)
    assert open_recording(path).spec.n_channels == 100
    with pytest.raises(FileExistsError):
        generate_recording(path, seconds=5)
    for wrong in ({"n_channels": 3}, {"n_channels": 257}, {"sfreq": 100}, {"seconds": 0.01}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            generate_recording(tmp_path / "y_raw.fif", **{"seconds": 5, **wrong})

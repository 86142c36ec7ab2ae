"""BrainVision files of all ages and programs: encodings, renamed companions, units, formats."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pybv
import pytest

from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording

LABELS = ("Fp1", "Fp2", "C3", "C4")
NEW = "Mk1=New Segment,,1,1,0,20240601120000000000"


def write(
    folder: Path,
    stem="rec",
    *,
    labels=LABELS,
    unit="\u00b5V",
    fmt="INT_16",
    orientation="MULTIPLEXED",
    encoding="utf-8",
    codepage="UTF-8",
    markers=(NEW, "Mk2=Stimulus,S  1,500,1,0"),
    common="",
    sections="",
    named=None,
):
    """Write header, samples and markers by hand; return the header's path and the samples in physical units."""
    dtype = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}[fmt]
    numbers = np.random.default_rng(1).integers(-3000, 3000, (2000, len(labels))).astype(dtype)
    named = named or stem
    page = f"Codepage={codepage}\r\n" if codepage else ""
    header = (
        "Brain Vision Data Exchange Header File Version 1.0\r\n; Übung\r\n\r\n[Common Infos]\r\n"
        f"{page}DataFile={named}.eeg\r\nMarkerFile={named}.vmrk\r\nDataFormat=BINARY\r\n"
        f"DataOrientation={orientation}\r\nNumberOfChannels={len(labels)}\r\nSamplingInterval=2000\r\n{common}\r\n"
        f"[Binary Infos]\r\nBinaryFormat={fmt}\r\n\r\n[Channel Infos]\r\n"
        + "".join(f"Ch{i}={label},,0.1,{unit}\r\n" for i, label in enumerate(labels, 1))
        + sections
        + "\r\n[Comment]\r\nChannels\r\n=====\r\nCh1=nonsense\r\n"
    )
    (folder / f"{stem}.vhdr").write_bytes(header.encode(encoding))
    data = numbers.T if orientation == "VECTORIZED" else numbers
    (folder / f"{stem}.eeg").write_bytes(np.ascontiguousarray(data).tobytes())
    text = f"Brain Vision Data Exchange Marker File, Version 1.0\r\n[Common Infos]\r\n{page}[Marker Infos]\r\n"
    (folder / f"{stem}.vmrk").write_bytes((text + "\r\n".join(markers) + "\r\n").encode(encoding))
    return folder / f"{stem}.vhdr", numbers * 0.1


# -- the files beside ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["VP07_day1", r"C:\data\study\VP07_day1", "/home/x/VP07_day1", "$b", "REC"])
def test_files_renamed_with_the_header_are_found_and_logged(tmp_path, caplog, named):
    path, values = write(tmp_path, named=named)
    recording = open_recording(path)
    np.testing.assert_allclose(recording.read(0, 2000), values, rtol=1e-6)
    assert recording.annotations == [(0.998, "Stimulus/S  1")]
    renamed = "VP07" in named
    for key, suffix in (("DataFile", ".eeg"), ("MarkerFile", ".vmrk")):
        assert (f"{key}={named}{suffix} does not exist; rec{suffix} is used instead" in caplog.text) == (renamed)


def test_file_beside_the_header_replaces_a_path_of_another_machine(tmp_path, caplog):
    path, values = write(tmp_path, named=r"D:\old\raw")
    path.with_suffix(".eeg").rename(tmp_path / "raw.eeg")
    path.with_suffix(".vmrk").rename(tmp_path / "raw.vmrk")
    np.testing.assert_allclose(open_recording(path).read(0, 2000), values, rtol=1e-6)
    assert "is taken" not in caplog.text


def test_missing_files_are_reported_with_the_header_line(tmp_path, caplog):
    path, _ = write(tmp_path, named="old")
    path.with_suffix(".vmrk").unlink()
    assert open_recording(path).annotations == []
    assert r"correct the line MarkerFile= in rec.vhdr" in caplog.text
    path.with_suffix(".eeg").unlink()
    said = (
        r"DataFile=old\.eeg, but neither that file nor rec\.eeg lies beside it.*correct the line DataFile= in rec\.vhdr"
    )
    with pytest.raises(RecordingError, match=said):
        open_recording(path)


# -- encodings and units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "codepage"),
    [("latin-1", None), ("utf-8", None), ("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "ANSI"),
     ("latin-1", "UTF-8"), ("latin-1", "no-such-code")],
)  # fmt: skip
def test_every_encoding_is_read(tmp_path, encoding, codepage):
    marks = (NEW, "Mk2=Comment,Übung\\1 leise,500,1,0")
    path, values = write(tmp_path, encoding=encoding, codepage=codepage, markers=marks, labels=("Fp1", "Große"))
    recording = open_recording(path)
    assert recording.annotations == [(0.998, "Comment/Übung, leise")]
    assert recording.spec.ch_names == ("Fp1", "Große")
    assert recording.spec.units == ("uV", "uV")
    np.testing.assert_allclose(recording.read(5, 9), values[5:9], rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("\u00b5V", 1), ("\u03bcV", 1), ("uV", 1), ("", 1), ("microvolts", 1), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3)],
)
def test_electrodes_are_in_microvolts_for_every_spelling_of_volts(tmp_path, unit, factor):
    path, values = write(tmp_path, unit=unit)
    recording = open_recording(path)
    assert recording.spec.ch_types == ("eeg",) * 4
    assert recording.spec.units == ("uV",) * 4
    np.testing.assert_allclose(recording.read(0, 2000), values * factor, rtol=1e-6)


@pytest.mark.parametrize("unit", ["n/a", "none", "unknown"])
def test_invalid_units_are_unknown(tmp_path, caplog, unit):
    recording = open_recording(write(tmp_path, unit=unit)[0])
    assert (set(recording.spec.ch_types), set(recording.spec.units)) == ({"eeg"}, {""})
    assert "their unit is not known" in caplog.text


def test_labels_identify_channels_that_are_not_electrodes(tmp_path, caplog):
    spec = open_recording(write(tmp_path, labels=("Fz", "ECG", "HEOGL", "VEOG", "aux1"))[0]).spec
    assert spec.ch_types == ("eeg", "misc", "eog", "eog", "misc")
    assert spec.units == ("uV", "V", "uV", "uV", "V")
    assert "not brain electrodes, by their labels: ECG, HEOGL, VEOG, aux1" in caplog.text


# -- formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["INT_16", "INT_32", "IEEE_FLOAT_32"])
@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.filterwarnings("ignore:No info on DataPoints:RuntimeWarning")
def test_values_equal_those_of_an_independent_reader(tmp_path, fmt, orientation):
    path, values = write(tmp_path, fmt=fmt, orientation=orientation, common="DataPoints=2000\r\n")
    recording = open_recording(path)
    data = recording.read(100, 900)
    np.testing.assert_allclose(data, values[100:900], rtol=1e-6)
    raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    np.testing.assert_allclose(data, raw.get_data(start=100, stop=900).T * 1e6, rtol=1e-6)


@pytest.mark.parametrize("symbol", [".", ","])
def test_text_samples_are_read(tmp_path, symbol):
    path, values = write(tmp_path)
    header = path.read_text(encoding="utf-8").replace("DataFormat=BINARY", "DataFormat=ASCII")
    infos = f"[ASCII Infos]\nDecimalSymbol={symbol}\nSkipLines=1\nSkipColumns=0\n[Channel Infos]"
    path.write_text(header.replace("[Channel Infos]", infos), encoding="utf-8")
    rows = [" ".join(f"{v / 0.1:.4f}".replace(".", symbol) for v in row) for row in values]
    path.with_suffix(".eeg").write_text("\n".join(["Fp1 Fp2 C3 C4", *rows]))
    np.testing.assert_allclose(open_recording(path).read(0, 2000), values, rtol=1e-5, atol=1e-5)


def test_positions_equal_those_of_an_independent_reader(tmp_path):
    places = "[Coordinates]\r\nCh1=1,-92,-72\r\nCh2=1,92,72\r\nCh3=1,0,0\r\nCh4=0,0,0\r\n"
    path, _ = write(tmp_path, labels=("Fp1", "Fp2", "Cz", "C4"), sections=places)
    spec = open_recording(path).spec
    raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    for name in ("Fp1", "Fp2", "Cz"):
        loc = raw.info["chs"][raw.ch_names.index(name)]["loc"][:3]
        np.testing.assert_allclose(spec.positions[spec.ch_names.index(name)], loc, atol=1e-6)
    assert np.isnan(spec.positions[3]).all()
    assert spec.ch_types == ("eeg",) * 4, "C4 is a position on the head, with or without coordinates"


def test_pybv_files_round_trip(tmp_path):
    volts = np.random.default_rng(0).normal(size=(3, 1000)) * 1e-5
    pybv.write_brainvision(
        data=volts, sfreq=250, ch_names=["Fz", "Cz", "Pz"], fname_base="x", folder_out=tmp_path, unit="\u00b5V"
    )
    recording = open_recording(tmp_path / "x.vhdr")
    assert recording.spec.sfreq == 250
    np.testing.assert_allclose(recording.read(0, 1000), volts.T * 1e6, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("SamplingInterval=2000", "SamplingInterval=0", "SamplingInterval is 0 microseconds"),
        ("SamplingInterval=2000", "", "no line SamplingInterval="),
        ("SamplingInterval=2000", "SamplingInterval=fast", "SamplingInterval=fast is not a number"),
        ("NumberOfChannels=4", "NumberOfChannels=5", "no line Ch5="),
        ("NumberOfChannels=4", "NumberOfChannels=0", "NumberOfChannels is 0"),
        ("INT_16", "INT_7", "BinaryFormat=INT_7 is not one of INT_16"),
        ("DataFile=rec.eeg", "", "no line DataFile="),
    ],
)
def test_headers_that_cannot_be_read_are_refused_by_name(tmp_path, old, new, said):
    path, _ = write(tmp_path)
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    with pytest.raises(RecordingError, match=said):
        open_recording(path)


# -- time ------------------------------------------------------------------------------------------------------


def test_pauses_take_their_length_from_dates(tmp_path, caplog):
    marks = (
        NEW,
        "Mk2=New Segment,,801,1,0,20240601120005600000",
        "Mk3=New Segment,,1201,1,0",
        "Mk4=Stimulus,S  1,1301,1,0",
    )
    recording = open_recording(write(tmp_path, markers=marks)[0])
    assert [(s.start, s.stop) for s in recording.segments] == [(0, 800), (800, 1200), (1200, 2000)]
    assert [s.time for s in recording.segments] == pytest.approx([0, 5.6, 6.4])
    assert recording.annotations == [
        (5.6, "New Segment/"),
        (pytest.approx(6.4), "New Segment/"),
        (pytest.approx(6.6), "Stimulus/S  1"),
    ]
    assert "a pause before sample 1200 has no date" in caplog.text


def test_trigger_codes_become_markers(tmp_path):
    path, _ = write(tmp_path, labels=("Fz", "Status"), markers=(NEW,))
    data = np.fromfile(path.with_suffix(".eeg"), "<i2").reshape(-1, 2)
    data[:, 1] = 0
    data[500:510, 1], data[700:720, 1] = 70, 120
    path.with_suffix(".eeg").write_bytes(data.tobytes())
    recording = open_recording(path)
    assert recording.annotations == [(1.0, "7"), (1.4, "12")]
    assert recording.spec.ch_types == ("eeg", "misc")

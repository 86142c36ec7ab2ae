"""EDF and BDF files of clinics and sleep laboratories: several rates, labels without types, trigger channels."""

from __future__ import annotations

from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.devices.files.channel_labels import is_place, kind_by_label, split_label
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.triggers import codes

RNG = np.random.default_rng(3)
TOP = {edfio.EdfSignal: 32_000, edfio.BdfSignal: 8_000_000}


def signal(label, sfreq, unit="uV", *, seconds=5, kind=edfio.EdfSignal, data=None, physical=(-3276.8, 3276.7)):
    dtype = np.int16 if kind is edfio.EdfSignal else np.int32
    data = RNG.integers(-TOP[kind], TOP[kind], sfreq * seconds) if data is None else data
    return kind.from_digital(
        np.asarray(data, dtype), sfreq, label=label, physical_dimension=unit, physical_range=physical
    )


def write(path: Path, signals, annotations=()):
    file = edfio.Bdf if path.suffix == ".bdf" else edfio.Edf
    file(signals, annotations=[edfio.EdfAnnotation(*a) for a in annotations] or None).write(path)
    return path


# -- several rates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "others",
    [
        [("Aux1", 16, ""), ("Aux2", 16, ""), ("Aux3", 16, "")],
        [("ECG", 512, "uV")],
        [("EKG1-REF", 512, "mV"), ("Flow", 32, "uV"), ("SpO2", 1, "%")],
        [("EEG EKG1-REF", 512, "uV")],
        [("microphone", 1024, ""), ("Resp thorax", 16, "uV")],
        [("X1", 64, "uV"), ("X2", 64, "uV"), ("X3", 64, "uV")],
    ],
)
@pytest.mark.parametrize("labels", [("EEG Fp1", "EEG Fp2"), ("Fp1-REF", "O2-A1")])
def test_electrodes_are_kept_for_any_rate_of_other_channels(tmp_path, caplog, labels, others):
    brain = [signal(label, 256) for label in labels]
    path = write(tmp_path / "x.edf", [*(signal(*other) for other in others), *brain])
    recording = open_recording(path)
    assert recording.spec.sfreq == 256
    assert recording.spec.ch_types == ("eeg", "eeg")
    np.testing.assert_allclose(recording.read(77, 900), np.column_stack([s.data[77:900] for s in brain]), rtol=1e-6)
    for name, hz, _ in others:
        assert f"{name.removeprefix('EEG ').removeprefix('Resp ')} ({hz} Hz)" in caplog.text


def test_electrodes_of_several_rates_are_refused_by_name_or_chosen(tmp_path):
    signals = [signal("Fp1", 256), signal("Fp2", 256), signal("C3", 128)]
    path = write(tmp_path / "x.edf", signals)
    with pytest.raises(RecordingError, match=r"choose one .*, such as '256 Hz': 128 Hz: C3; 256 Hz: Fp1, Fp2"):
        open_recording(path)
    assert open_recording(path, "256").spec.ch_names == ("Fp1", "Fp2")
    slow = open_recording(path, "128 Hz")
    assert (slow.spec.ch_names, slow.spec.sfreq, slow.n_samples) == (("C3",), 128, 640)
    np.testing.assert_allclose(slow.read(100, 300)[:, 0], signals[2].data[100:300], rtol=1e-6)
    with pytest.raises(RecordingError, match="no channel is sampled at '100' Hz; there are: 128, 256"):
        open_recording(path, "100")


@pytest.mark.parametrize(("suffix", "kind"), [(".edf", edfio.EdfSignal), (".bdf", edfio.BdfSignal)])
@pytest.mark.parametrize("piece", [(0, 1), (0, 500), (99, 101), (250, 499)])
def test_values_equal_those_of_an_independent_reader(tmp_path, suffix, kind, piece):
    units = ["uV", "mV", "V ", "\u00b5V"]
    path = write(tmp_path / f"x{suffix}", [signal(f"C{i}", 100, "uV", kind=kind) for i, _ in enumerate(units)])
    raw = path.read_bytes()
    assert raw.count(b"uV      " * 4) == 1
    path.write_bytes(raw.replace(b"uV      " * 4, b"".join(unit.encode("latin-1").ljust(8) for unit in units)))
    read = mne.io.read_raw_bdf if suffix == ".bdf" else mne.io.read_raw_edf
    wanted = read(path, verbose="ERROR").get_data(start=piece[0], stop=piece[1]).T * 1e6
    np.testing.assert_allclose(open_recording(path).read(*piece), wanted, rtol=1e-6, atol=1e-6)


# -- labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        *((name, "misc") for name in ("EKG", "ECG", "EKG1-REF", "ECG+", "DC1", "DC01", "DC1-DC", "PHOTIC-REF")),
        *((name, "misc") for name in ("EMG", "EMG1", "EMG-REF", "Chin", "Resp", "RESP1", "Thorax", "Abdomen", "IBI")),
        *((name, "misc") for name in ("BURSTS", "SUPPR", "SpO2", "SaO2", "EtCO2", "Pulse", "GSR1", "Erg2", "Plet")),
        *((name, "misc") for name in ("Snore", "Airflow", "Nasal", "Temp", "ACC_X", "AUX1", "Aux 2")),
        *((name, "eog") for name in ("EOG", "HEOG", "VEOG", "EOG-L", "HEOGR", "VEOGb", "LOC-A2", "ROC", "ELOC")),
        *((name, "trigger") for name in ("Status", "STATUS", "TRIG", "Trigger", "STI 014", "Stim", "Event marker")),
        *((name, "") for name in ("Fp1", "Fp1-REF", "EXG1", "A1", "B32", "T3-LE", "Cz-AVG", "E17", "GL1", "X1")),
        # Depth electrodes: anterior cingulate, hippocampus, calcarine, lateral occipital, temporal.
        *((name, "") for name in ("ACC1", "HR2", "CAL3", "LOC4", "TEMP5", "POS6", "STG7", "RES1")),
    ],
)  # fmt: skip
def test_labels_imply_channel_types(label, kind):
    assert kind_by_label(label) == kind


def test_type_prefixes_of_labels_are_split_off():
    assert split_label("EEG Fp1-REF") == ("eeg", "Fp1-REF")
    assert split_label("POL DC01") == ("", "DC01")
    assert split_label("SEEG A1") == ("seeg", "A1")
    assert split_label("Resp oro-nasal") == ("misc", "oro-nasal")
    assert split_label("Event marker") == ("", "Event marker")
    assert split_label("EEG") == ("", "EEG")
    assert is_place("Fp1-REF")
    assert is_place("Cz")
    assert not is_place("DC1")


def test_clinical_labels_do_not_enter_the_average_reference(tmp_path, caplog):
    labels = ("Fp1", "Fp2", "EKG1", "DC1", "PHOTIC", "EOG-L", "EEG EMG-REF", "EMG chin", "SpO2")
    path = write(tmp_path / "x.edf", [signal(label, 200) for label in labels])
    recording = open_recording(path)
    assert recording.spec.ch_names == ("Fp1", "Fp2", "EKG1", "DC1", "PHOTIC", "EOG-L", "EMG-REF", "chin", "SpO2")
    assert recording.spec.ch_types == ("eeg", "eeg", "misc", "misc", "misc", "eog", "misc", "misc", "misc")
    said = [r.message for r in caplog.records]
    assert said == ["x.edf: not brain electrodes, by their labels: EKG1, DC1, PHOTIC, EOG-L, EMG-REF, SpO2"]


def test_channel_without_unit_beside_volts_is_not_an_electrode(tmp_path):
    path = write(tmp_path / "x.edf", [signal("A", 200), signal("B", 200, "none"), signal("EEG C", 200, "")])
    assert open_recording(path).spec.ch_types == ("eeg", "misc", "eeg")
    path = write(tmp_path / "y.edf", [signal("A", 200, "unknown"), signal("B", 200, "")])
    spec = open_recording(path).spec
    assert (spec.ch_types, spec.units) == (("eeg", "eeg"), ("", ""))


# -- triggers --------------------------------------------------------------------------------------------------


def steps(n, at, low=0):
    data = np.full(n, low)
    for start, stop, value in at:
        data[start:stop] |= value
    return data


def test_biosemi_codes_become_markers_without_status_bits(tmp_path, caplog):
    kind = edfio.BdfSignal
    battery = 1 << 22
    data = steps(2560, [(100, 110, 1), (300, 310, 65535), (500, 600, 2), (550, 600, 8), (700, 2560, battery)], 0x190000)
    data = np.where(data >= 1 << 23, data - (1 << 24), data)
    brain, status = signal("A1", 256, kind=kind, seconds=10), signal("Status", 256, "Boolean", kind=kind, data=data)
    recording = open_recording(write(tmp_path / "b.bdf", [brain, status]))
    wanted = [(100 / 256, "1"), (300 / 256, "65535"), (500 / 256, "2"), (550 / 256, "10")]
    assert recording.annotations == [(pytest.approx(t), text) for t, text in wanted]
    assert recording.spec.ch_types == ("eeg", "misc")
    np.testing.assert_array_equal(recording.read(0, 2560)[:, 1], data & 0xFFFF)
    assert "4 codes on trigger channel 'Status' are markers" in caplog.text


@pytest.mark.parametrize("label", ["TRIG", "Status", "STI 014", "Event marker"])
@pytest.mark.parametrize(
    "physical", [(-32768, 32767), (-3276.8, 3276.7), (0, 65535), (0, 255)], ids=["counts", "uV", "unsigned", "byte"]
)
def test_edf_codes_become_markers_for_any_scaling(tmp_path, label, physical):
    gain = (physical[1] - physical[0]) / 65535
    value = {1.0: lambda v: v - 32768 - physical[0]}.get(gain, lambda v: v)  # exporters: physical is the code
    if physical == (0, 255):
        value = lambda v: round(v / gain) - 32768  # noqa: E731
    data = np.full(1000, value(0))
    data[100:120], data[400:405] = value(7), value(200)
    path = write(tmp_path / "x.edf", [signal("Fz", 200), signal(label, 200, "", data=data, physical=physical)])
    recording = open_recording(path)
    assert recording.annotations == [(0.5, "7"), (2.0, "200")]
    assert recording.spec.ch_types == ("eeg", "misc")


def test_triggers_slower_than_electrodes_are_placed_in_time(tmp_path):
    data = steps(50, [(20, 22, 3)])
    path = write(tmp_path / "x.edf", [signal("Fz", 200), signal("TRIG", 10, "", data=data, physical=(-32768, 32767))])
    recording = open_recording(path)
    assert recording.annotations == [(2.0, "3")]
    assert recording.spec.ch_names == ("Fz",)


def test_code_with_an_annotation_is_not_listed_twice(tmp_path):
    data = steps(1000, [(100, 110, 1), (300, 310, 2), (500, 510, 3)])
    trigger = signal("TRIG", 200, "", data=data, physical=(-32768, 32767))
    notes = [(0.5, None, "tone"), (1.5, None, "BAD_blink")]
    recording = open_recording(write(tmp_path / "x.edf", [signal("Fz", 200), trigger], notes))
    assert recording.annotations == [(0.5, "tone"), (1.5, "2"), (1.5, "BAD_blink"), (2.5, "3")]


def test_two_trigger_channels_are_told_apart(tmp_path):
    def code(label, at):
        return signal(label, 200, "", data=steps(1000, [at]), physical=(-32768, 32767))

    signals = [signal("Fz", 200), code("TRIG1", (100, 110, 5)), code("TRIG2", (200, 210, 5)), code("Status", (0, 0, 1))]
    recording = open_recording(write(tmp_path / "x.edf", signals))
    assert recording.annotations == [(0.5, "TRIG1/5"), (1.0, "TRIG2/5")]


def test_waveform_is_not_a_trigger_for_any_label(tmp_path, caplog):
    recording = open_recording(write(tmp_path / "x.edf", [signal("Fz", 200), signal("Trigger", 200, "V")]))
    assert recording.annotations == []
    assert recording.spec.ch_types == ("eeg", "misc")
    assert "'Trigger' is called a trigger, but has no codes" in caplog.text


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 10))
def test_codes_do_not_depend_on_pieces(values, size):
    data = np.array(values)
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    wanted = [(i, v) for i, v in enumerate(values) if i and v != values[i - 1]]
    assert codes(pieces) == wanted


# -- text ------------------------------------------------------------------------------------------------------


def test_annotations_in_latin_1_are_read(tmp_path):
    path = write(tmp_path / "x.edf", [signal("Fz", 200)], [(1.0, None, "Uebung")])
    raw = path.read_bytes()
    assert raw.count(b"Uebung\x14\x00") == 1
    path.write_bytes(raw.replace(b"Uebung\x14\x00", b"\xdcbung\x14\x00\x00"))
    assert open_recording(path).annotations == [(1.0, "Übung")]


def test_truncated_file_is_reported(tmp_path, caplog):
    path = write(tmp_path / "x.edf", [signal("Fz", 200)])
    path.write_bytes(path.read_bytes()[:-100])
    assert open_recording(path).n_samples == 800
    assert "has 4 data records, but its header says 5" in caplog.text

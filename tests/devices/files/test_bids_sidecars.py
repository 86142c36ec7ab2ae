"""Metadata of a BIDS data set are found in all folders that may hold them, and every command uses them."""

import json

import edfio
import numpy as np
import pybv
import pytest

from earmark.devices.files.bids import read_bids
from earmark.devices.files.bids_sidecars import _json, inherited, table
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.pipeline.decoders.presets import EEG

RNG = np.random.default_rng(5)
NAMES = ("A1", "A2", "A3", "X1")


def signal(label, sfreq=256, unit="uV", seconds=24):
    return edfio.EdfSignal(
        RNG.normal(0, 50, sfreq * seconds), sfreq, label=label, physical_dimension=unit, physical_range=(-500, 500)
    )


def write(root, signals=None, session="ses-b", run="run-1"):
    folder = root / "sub-01" / session / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sub-01_{session}_task-x_{run}_eeg.edf"
    edfio.Edf(signals or [signal(name) for name in NAMES]).write(path)
    return path


def write_rows(path, *rows):
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")


def channels(path, bads=(), types=("EEG", "EEG", "EEG", "MISC"), names=NAMES, units="uV"):
    rows = [(n, t, units, "bad" if n in bads else "good") for n, t in zip(names, types, strict=True)]
    write_rows(path, ("name", "type", "units", "status"), *rows)


def events(path, *extra):
    head = ("onset", "duration", "stim_file", "talker", "attended", "trial_type")
    write_rows(
        path, head, ("1", "8", "her.npz", "her", "her", "n/a"), ("1", "8", "him.npz", "him", "n/a", "n/a"), *extra
    )


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    (folder / "stimuli").mkdir(parents=True)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "party", "BIDSVersion": "1.9.0"}))
    for name in ("her", "him"):
        np.savez(folder / "stimuli" / f"{name}.npz", envelope=np.abs(RNG.normal(size=640)), sfreq=64.0)
    return folder


LEVELS = {
    "beside": "sub-01/ses-b/eeg/sub-01_ses-b_task-x_run-1",
    "beside, for all runs": "sub-01/ses-b/eeg/sub-01_ses-b_task-x",
    "session": "sub-01/ses-b/sub-01_ses-b_task-x",
    "subject": "sub-01/sub-01_task-x",
    "root": "task-x",
    "root, for all runs of a number": "task-x_run-1",
}


@pytest.mark.parametrize("stem", LEVELS.values(), ids=LEVELS)
def test_tables_are_found_at_every_level(root, stem):
    path = write(root)
    channels(root / f"{stem}_channels.tsv", bads=("A2",))
    events(root / f"{stem}_events.tsv")
    (run,) = read_bids(path, EEG)
    assert run.ch_names == ("A1", "A2", "A3")
    assert not run.neural[:, 1].any()
    assert run.talker_names == ("her", "him")


@pytest.mark.parametrize(
    "stem",
    ["task-y", "run-2_task-x", "sub-01/sub-01_acq-high_task-x", "sub-02/task-x", "sub-01/ses-c/sub-01_ses-c_task-x"],
)
def test_tables_of_other_recordings_are_ignored(root, stem):
    path = write(root)
    (root / stem).parent.mkdir(parents=True, exist_ok=True)
    channels(root / f"{stem}_channels.tsv", bads=("A2",))
    assert inherited(path, "channels", ".tsv") == []
    assert open_recording(path).spec.ch_types == ("eeg",) * 4


def test_the_nearest_table_wins_and_the_most_specific_in_a_folder(root):
    path = write(root)
    order = ["root", "root, for all runs of a number", "subject", "session", "beside, for all runs", "beside"]
    for level in order:
        channels(root / f"{LEVELS[level]}_channels.tsv")
    found = inherited(path, "channels", ".tsv")
    assert found == [root / f"{LEVELS[level]}_channels.tsv" for level in order]
    channels(found[-1], bads=("A3",))
    assert np.isnan(open_recording(path).read(0, 9)).any(axis=0).tolist() == [False, False, True, False]


def test_two_equally_specific_tables_are_refused_by_name(root):
    path = write(root)
    channels(root / "task-x_channels.tsv")
    channels(root / "run-1_channels.tsv")
    with pytest.raises(RecordingError, match=r"both run-1_channels\.tsv and task-x_channels\.tsv in"):
        open_recording(path)


def test_json_is_merged_key_by_key(root, caplog):
    path = write(root)
    (root / "task-x_eeg.json").write_text(json.dumps({"SamplingFrequency": 500, "RecordingType": "epoched"}))
    (root / "sub-01/sub-01_eeg.json").write_text(json.dumps({"SamplingFrequency": 256}))
    open_recording(path)
    assert "Hz" not in caplog.text
    assert "calls it epoched, but the file does not say where its pieces end" in caplog.text
    (root / "sub-01/sub-01_eeg.json").write_text(json.dumps({"SamplingFrequency": 250}))
    open_recording(path)
    assert "its data set says 250 Hz, but the file 256 Hz, which holds" in caplog.text
    (root / "sub-01/sub-01_eeg.json").write_text("{")
    with pytest.raises(RecordingError, match=r"sub-01_eeg\.json cannot be read"):
        open_recording(path)


def test_every_command_sees_types_and_bad_channels(root, caplog):
    path = write(root)
    channels(root / "task-x_channels.tsv", bads=("A2",), types=("EEG", "EEG", "VEOG", "EMG"))
    recording = open_recording(path)  # what stream and import do
    assert recording.spec.ch_types == ("eeg", "eeg", "eog", "misc")
    assert np.isnan(recording.read(5, 50)[:, 1]).all()
    assert not np.isnan(recording.read(5, 50)[:, [0, 2, 3]]).any()
    assert "bad channels, by task-x_channels.tsv: A2" in caplog.text


def test_table_determines_the_rate_of_the_electrodes(root):
    signals = [*(signal(f"S{i}", 64) for i in range(3)), signal("E1"), signal("E2")]
    path = write(root, signals)
    with pytest.raises(RecordingError, match="electrodes have several sampling rates"):
        open_recording(path)
    names = ("S0", "S1", "S2", "E1", "E2")
    channels(root / "task-x_channels.tsv", names=names, types=("RESP", "MISC", "EMG", "EEG", "EEG"))
    spec = open_recording(path).spec
    assert (spec.ch_names, spec.sfreq) == (("E1", "E2"), 256)


def test_table_supplies_missing_units(root):
    path = write(root, [signal(name, unit="") for name in NAMES])
    channels(root / "task-x_channels.tsv", units="mV")
    recording = open_recording(path)
    assert recording.spec.units == ("uV", "uV", "uV", "")
    plain = path.with_name("plain.edf")
    plain.write_bytes(path.read_bytes())
    np.testing.assert_allclose(recording.read(0, 99)[:, :3], open_recording(plain).read(0, 99)[:, :3] * 1e3, rtol=1e-6)


def test_table_marks_a_trigger_channel(root):
    codes = np.zeros(24 * 256, np.int16)
    codes[256:300] = 9
    kind = edfio.EdfSignal.from_digital(
        codes, 256, label="D1", physical_dimension="", physical_range=(-32768, 32767), digital_range=(-32768, 32767)
    )
    path = write(root, [*(signal(name) for name in NAMES), kind])
    assert open_recording(path).annotations == []
    channels(root / "task-x_channels.tsv", names=(*NAMES, "D1"), types=("EEG", "EEG", "EEG", "MISC", "TRIG"))
    recording = open_recording(path)
    assert recording.annotations == [(1.0, "9")]
    assert recording.spec.ch_types[-1] == "misc"


def test_electrode_positions_come_from_the_data_set(root, caplog):
    path = write(root)
    rows = ("name", "x", "y", "z"), ("A1", "10", "80", "90"), ("A2", "n/a", "n/a", "n/a"), ("A3", "-1", "0", "100")
    write_rows(root / "sub-01/sub-01_space-CapTrak_electrodes.tsv", *rows)
    assert open_recording(path).spec.positions is None
    assert "electrode positions left out, because their unit is 'n/a'" in caplog.text
    system = json.dumps({"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "mm"})
    (root / "sub-01/sub-01_space-Other_coordsystem.json").write_text(json.dumps({"EEGCoordinateUnits": "m"}))
    (root / "sub-01/sub-01_space-CapTrak_coordsystem.json").write_text(system)
    positions = open_recording(path).spec.positions
    np.testing.assert_allclose(positions[0], (0.01, 0.08, 0.09))
    np.testing.assert_allclose(positions[2], (-0.001, 0, 0.1))
    assert np.isnan(positions[1]).all()


def test_events_become_markers_if_the_file_has_none(root):
    path = write(root)
    edfio.Edf([signal("A1")], annotations=[edfio.EdfAnnotation(2.0, None, "tone")]).write(path)
    events(
        root / "task-x_events.tsv",
        ("2", "0", "n/a", "n/a", "n/a", "stimulus"),
        ("3", "0", "n/a", "n/a", "n/a", "rest"),
        ("n/a", "0", "n/a", "n/a", "n/a", "nowhere"),
        ("-3", "0", "n/a", "n/a", "n/a", "before"),
        ("9999", "0", "n/a", "n/a", "n/a", "after"),
    )
    assert open_recording(path).annotations == [(2.0, "tone"), (3.0, "rest")]


@pytest.mark.parametrize("suffix", [".edf", ".vhdr"])
def test_table_overrides_types_derived_from_labels(root, caplog, suffix):
    path = write(root, [signal("A1"), signal("ECG"), signal("Status2")]).with_suffix(suffix)
    names = ["A1", "ECG", "Status2"]
    if suffix == ".vhdr":
        pybv.write_brainvision(
            data=RNG.normal(size=(3, 500)) * 1e-5,
            sfreq=250,
            ch_names=names,
            fname_base=path.stem,
            folder_out=path.parent,
            unit="\u00b5V",
        )
    open_recording(path)
    assert "by their labels: ECG" in caplog.text
    caplog.clear()
    channels(root / "task-x_channels.tsv", names=names, types=("EEG", "ECG", "EEG"))
    assert open_recording(path).spec.ch_types == ("eeg", "misc", "eeg")
    assert "labels" not in caplog.text


@pytest.mark.parametrize(
    ("read", "content", "words"),
    [
        (lambda path: table(path, ()), b"onset\tduration\n\xff\xfe\t1\n", "it is not UTF-8; save it as UTF-8"),
        (lambda path: _json([path]), b'{"a": "\xff"}', "it is not UTF-8; save it as UTF-8"),
        (lambda path: _json([path]), b"{", "it is not valid JSON: "),
    ],
)
def test_damaged_tables_are_errors_in_plain_words(tmp_path, read, content, words):
    path = tmp_path / "x_eeg.json"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=f"cannot be read: {words}"):
        read(path)
    with pytest.raises(RecordingError, match=r"nowhere cannot be read: No such file or directory$"):
        _json([tmp_path / "nowhere"])

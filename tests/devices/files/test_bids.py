"""Read trials, times and labels of BIDS data sets written by edfio and pybv; report what is missing."""

import json

import edfio
import numpy as np
import pybv
import pytest
import soundfile

from earmark.devices.files.bids import find_recordings, read_bids
from earmark.devices.files.bids_sidecars import bids_root, is_recording
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.run_file import Talker, read_run, write_run
from earmark.pipeline.decoders.presets import EEG, IEEG

SFREQ, SECONDS = 256, 24
VOICES = {"her": 1, "him": 2, "she": 3, "he": 4}
#: Onset, duration, stim_file, talker, attended.
TWO_TRIALS = [
    ("1.5", "8", "her.npz", "n/a", "n/a"),
    ("1.5", "8", "sub/him.npz", "man", "her"),
    ("5.5", "0", "n/a", "n/a", "man"),
    ("11", "n/a", "n/a", "n/a", "woman"),
    ("12", "n/a", "she.npz", "woman", "n/a"),
    ("12.25", "n/a", "he.npz", "n/a", "n/a"),
]


def voice(name, sfreq=128.0):
    """A signal of 2 to 6 Hz, 10 s, the same for every sampling rate."""
    rng, t = np.random.default_rng(VOICES[name]), np.arange(round(10 * sfreq)) / sfreq
    f, p = rng.uniform(2, 6, 12), rng.uniform(0, 6, 12)
    return np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1)


def write_table(path, columns, rows):
    path.write_text("\n".join("\t".join(row) for row in (columns, *rows)) + "\n", encoding="utf-8")


def write_events(path, rows=TWO_TRIALS):
    write_table(path, ("onset", "duration", "stim_file", "talker", "attended"), rows)


def brain(heard=(), n=5):
    """Microvolts: a shared reference and, from an onset on, a voice on the first channel."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (SECONDS * SFREQ, n)) + rng.normal(0, 5, (SECONDS * SFREQ, 1))
    for onset, name in heard:
        at = round(onset * SFREQ)
        y = voice(name, SFREQ)[: len(x) - at]
        x[at : at + len(y), 0] += 3 * y
    return x


def write_recording(folder, stem, kind, x, suffix=".edf", types=None, bads=()):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"A{i + 1}" for i in range(x.shape[1])]
    types = types or [{"eeg": "EEG", "ieeg": "SEEG"}[kind]] * len(names)
    name = f"{stem}_{kind}"
    if suffix == ".edf":
        signals = [
            edfio.EdfSignal(y, SFREQ, label=label, physical_dimension="uV", physical_range=(-500, 500))
            for y, label in zip(x.T, names, strict=True)
        ]
        edfio.Edf(signals).write(folder / f"{name}.edf")
    else:
        pybv.write_brainvision(
            data=x.T * 1e-6, sfreq=SFREQ, ch_names=names, fname_base=name, folder_out=str(folder), unit="µV"
        )
    rows = [(n, t, "uV", "bad" if n in bads else "good") for n, t in zip(names, types, strict=True)]
    write_table(folder / f"{stem}_channels.tsv", ("name", "type", "units", "status"), rows)
    return folder / f"{name}{suffix}"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    (folder / "stimuli" / "sub").mkdir(parents=True)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "party", "BIDSVersion": "1.9.0"}))
    for name in VOICES:
        where = "sub/him" if name == "him" else name
        np.savez(folder / "stimuli" / f"{where}.npz", envelope=voice(name), sfreq=128.0)
    return folder


@pytest.mark.parametrize("suffix", [".edf", ".vhdr"])
def test_recording_becomes_the_same_run_as_by_import(root, tmp_path, suffix):
    path = write_recording(root / "sub-7/ses-1/eeg", "sub-7_ses-1_task-x", "eeg", brain(), suffix)
    her, him = ("0", "n/a", "her.npz", "her", "her"), ("0", "n/a", "sub/him.npz", "him", "n/a")
    write_events(path.with_name("sub-7_ses-1_task-x_events.tsv"), [her, him, ("4", "0", "n/a", "n/a", "him")])
    (found,) = read_bids(path, EEG)
    talkers = [Talker(name, voice(name)[:, None], 128.0) for name in ("her", "him")]
    write_run(tmp_path / "r.xdf", open_recording(path), talkers, [(0.0, "her"), (4.0, "him")], "sub-7")
    wanted = read_run(tmp_path / "r.xdf", EEG)
    n = len(found.neural)
    assert n / 64 == pytest.approx(10, abs=0.1)
    assert (found.name, found.subject, found.talker_names) == ("sub-7_ses-1_task-x", "sub-7", ("her", "him"))
    assert (found.ch_names, found.stimuli) == (wanted.ch_names, wanted.stimuli)
    at = next(i for i in range(12) if (found.neural[0] == wanted.neural[i]).all())
    for mine, its in ((found.neural, wanted.neural), (found.talkers[0], wanted.talkers[0])):
        np.testing.assert_array_equal(mine[: n - 8], its[at : at + n - 8])
    np.testing.assert_array_equal(found.attended[: n - 8], wanted.attended[at : at + n - 8])


@pytest.mark.parametrize("suffix", [".edf", ".vhdr"])
def test_trials_follow_the_events(root, suffix):
    x = brain([(1.5, "her"), (12.25, "he")])
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x_run-1", "eeg", x, suffix)
    write_events(path.with_name("sub-01_task-x_run-1_events.tsv"))
    one, two = read_bids(path, EEG)
    assert [run.name for run in (one, two)] == ["sub-01_task-x_run-1 trial 1", "sub-01_task-x_run-1 trial 2"]
    assert (one.talker_names, two.talker_names) == (("her", "man"), ("woman", "he"))
    assert [run.duration for run in (one, two)] == pytest.approx([8, 10], abs=0.1)
    for run, k in ((one, 0), (two, 1)):
        inside = slice(64, 7 * 64)
        r = [
            np.corrcoef(np.roll(run.neural[:, 0], -lag)[inside], run.talkers[k, inside, 0])[0, 1] for lag in (-1, 0, 1)
        ]
        assert r[1] > 0.9
        assert r[1] == max(r)
    # Attended by the row of the other talker, moved by a row without a sound; by a cue before the trial.
    assert np.flatnonzero(np.diff(one.attended[8:-8])).tolist() == [pytest.approx(4 * 64 - 8, abs=2)]
    assert (one.attended[10], one.attended[-10]) == (0, 1)
    assert set(two.attended[24:-24]) == {0}
    assert set(two.attended[:12]) == {-1}, "the second of them speaks from 12.25 s on"


def test_partly_heard_file_is_the_same_stimulus(root):
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    rows = [(at, length, f"{name}.npz", "n/a", "her") for at, length, name in
            (("0", "5", "her"), ("0", "5", "he"), ("6", "7", "her"), ("6", "7", "she"))]  # fmt: skip
    write_events(path.with_name("sub-01_task-x_events.tsv"), rows)
    one, two = read_bids(path, EEG)
    assert one.stimuli[0] == two.stimuli[0]
    assert len({*one.stimuli, *two.stimuli}) == 3


def test_sounds_become_envelopes(root):
    rng = np.random.default_rng(0)
    for name in ("x", "y"):
        soundfile.write(root / "stimuli" / f"{name}.wav", 0.1 * rng.normal(size=5 * 8000), 8000)
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    rows = [("2", "n/a", "x.wav", "n/a", "x"), ("2", "n/a", "y.wav", "n/a", "n/a")]
    write_events(path.with_name("sub-01_task-x_events.tsv"), rows)
    (run,) = read_bids(path, EEG)
    assert run.talker_names == ("x", "y")
    assert run.duration == pytest.approx(5, abs=0.1)
    assert run.talkers.std(axis=1).min() > 0


def test_types_and_bad_channels_come_from_the_table(root):
    path = write_recording(
        root / "sub-01/eeg", "sub-01_task-x", "eeg", brain(n=6), types=["EEG"] * 4 + ["EEG", "VEOG"], bads=("A2",)
    )
    write_events(path.with_name("sub-01_task-x_events.tsv"))
    one, two = read_bids(path, EEG)
    assert one.ch_names == two.ch_names == ("A1", "A2", "A3", "A4", "A5")
    for run in (one, two):
        assert not run.neural[:, 1].any()
        assert run.neural[:, [0, 2, 3, 4]].any(axis=0).all()
    table = path.with_name("sub-01_task-x_channels.tsv")
    table.write_text(table.read_text().replace("A1\t", "EEG A1\t"))
    assert read_bids(path, EEG)[0].ch_names == one.ch_names
    table.unlink()
    assert read_bids(path, EEG)[0].ch_names == (*one.ch_names, "A6")


def test_intracranial_recordings_are_found_and_refused_if_too_slow(root):
    path = write_recording(root / "sub-01/ieeg", "sub-01_task-x", "ieeg", brain(), ".vhdr")
    write_events(path.with_name("sub-01_task-x_events.tsv"))
    with pytest.raises(RunError, match=r"sub-01_task-x_ieeg\.vhdr: .* at 256 Hz, but must be sampled at more than 300"):
        read_bids(path, IEEG)
    with pytest.raises(RunError, match=r"sub-01_task-x_ieeg\.vhdr: node 'pick': .*\['seeg'\]"):
        read_bids(path, EEG)


def test_is_recording_accepts_main_files_only(root, tmp_path):
    paths = [
        write_recording(root / "sub-02/ses-b/eeg", "sub-02_ses-b_task-x", "eeg", brain(n=1)),
        write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain(n=1), ".vhdr"),
        write_recording(root / "sub-03/ieeg", "sub-03_task-x", "ieeg", brain(n=1)),
    ]
    write_recording(root / "derivatives/clean/sub-01/eeg", "sub-01_task-x", "eeg", brain(n=1))
    write_recording(root / "sub-01/other", "sub-01_task-x", "eeg", brain(n=1))
    (root / "sub-01/eeg/sub-01_task-x_eeg.json").write_text("{}")
    outside = write_recording(tmp_path / "elsewhere/sub-01/eeg", "sub-01_task-x", "eeg", brain(n=1))
    wanted = sorted(paths)
    assert find_recordings(root) == wanted
    assert find_recordings(root / "sub-02") == [paths[0]]
    assert all(is_recording(path) for path in paths)
    assert not is_recording(outside)
    assert bids_root(outside) is None
    assert bids_root(paths[0]) == root
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert [p.name for p in find_recordings(tmp_path / "link")] == [p.name for p in wanted]


def test_data_sets_made_of_links_into_a_store_are_read(root, tmp_path):
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    write_events(path.with_name("sub-01_task-x_events.tsv"))
    path.rename(tmp_path / "0123abcd.edf")
    path.symlink_to(tmp_path / "0123abcd.edf")
    assert find_recordings(root) == [path]
    assert len(read_bids(path, EEG)) == 2


def row(at="0", name="he", attended="n/a", duration="8"):
    return (at, duration, f"{name}.npz", "n/a", attended)


HER, HE = row(name="her", attended="her"), row()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("0", "8", "n/a", "n/a", "her")], r"no row has a stim_file: give each talker a row, with its file below .*"),
        ([HER], "from 0 to 8 s talkers are her, but must be two or more"),
        ([HER, HER], "from 0 to 8 s talkers are her, her, but must be two or more, each of its own name"),
        ([HER, row("9", attended="he")], "from 0 to 8 s talkers are her, but must be two"),
        ([HER, row(attended="him")], "'him' is attended at 0 s, but must be one of her, he"),
        ([row(name="her"), HE], "from 0 to 8 s nobody is attended, but a row must name a talker in column 'attended'"),
        ([row(name="her"), HE, ("8", "0", "n/a", "n/a", "her")], "nobody is attended"),
        ([HER, HE, row("9", "her"), row("9")], "from 9 to 17 s nobody is attended"),
        ([HER, row(name="none")], r"stimuli/none\.npz: no such file"),
        ([HER, ("0", "8", "none.wav", "n/a", "n/a")], r"stimuli/none\.wav: no such file"),
        ([HER, row("n/a")], "line 3: onset and duration must be numbers of seconds"),
        ([HER, row(duration="long")], "line 3: onset and duration must be numbers of seconds"),
        ([HER, row(duration="-1")], "line 3: onset and duration must be numbers of seconds"),
        (
            [HER, HE, row("9"), row("9", "her", "her"), row("9", "she")],
            r"trials have \[2, 3\] talkers, but must all have",
        ),
    ],
)
def test_missing_event_information_is_reported(root, rows, said):
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    write_events(path.with_name("sub-01_task-x_events.tsv"), rows)
    with pytest.raises(RunError, match=said):
        read_bids(path, EEG)


def test_missing_file_information_is_reported(root, tmp_path):
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    events = path.with_name("sub-01_task-x_events.tsv")
    with pytest.raises(RunError, match=r"events\.tsv: no such file, .* and a recording needs one"):
        read_bids(path, EEG)
    events.write_text("onset,duration\n1,2\n")
    with pytest.raises(RecordingError, match=r"events\.tsv: columns missing: onset, duration"):
        read_bids(path, EEG)
    write_events(events)
    other = path.with_suffix(".set")
    other.write_bytes(b"")
    with pytest.raises(RunError, match=r"\.set is not read here; convert it to BrainVision or EDF"):
        read_bids(other, EEG)
    table = path.with_name("sub-01_task-x_channels.tsv")
    table.write_text(table.read_text().replace("A3\t", "B3\t"))
    with pytest.raises(RecordingError, match=r"channels\.tsv: channel 'A3' of the recording is not there"):
        read_bids(path, EEG)
    (root / "dataset_description.json").unlink()
    with pytest.raises(RunError, match=r"no folder above has dataset_description\.json"):
        read_bids(path, EEG)


def test_stimuli_of_different_rates_are_refused(root):
    np.savez(root / "stimuli" / "she.npz", envelope=voice("she", 64.0), sfreq=64.0)
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    write_events(path.with_name("sub-01_task-x_events.tsv"))
    with pytest.raises(RunError, match=r"must have one rate, but they differ: .*her\.npz 128 Hz, .*she\.npz 64 Hz"):
        read_bids(path, EEG)


def test_trial_without_data_is_left_out_and_logged(root, caplog):
    path = write_recording(root / "sub-01/eeg", "sub-01_task-x", "eeg", brain())
    write_events(path.with_name("sub-01_task-x_events.tsv"), [HER, HE, row("90"), row("90", "her", "her")])
    (run,) = read_bids(path, EEG)
    assert run.talker_names == ("her", "he")
    assert "nothing was recorded of 'sub-01_task-x trial 2'" in caplog.text

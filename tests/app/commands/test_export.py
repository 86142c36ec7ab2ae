"""A BIDS data set made from sessions is valid, and gives the same runs and the same accuracy as their recordings."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import benchmarks.sessions
from benchmarks.sessions import BEGIN, SFREQ, SPEECH_HZ, write_session
from earmark.app.command_line import app
from earmark.app.training.study import read_study
from earmark.devices.files.bids import _speech
from earmark.devices.files.journal import About, HeardLine, MaskedLine
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.files.stored_envelope import HEARD
from earmark.devices.sources.overrides import Overrides
from earmark.devices.sources.source import Arrival
from earmark.devices.sources.stamps import STEP_S
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker

FOUR = (("Joe", 8.0), ("Ada", 8.0), ("Ada", 8.0), ("Joe", 8.0))


def export(folder, out, *options):
    return CliRunner().invoke(app, ["export", "bids", str(folder), "-o", str(out), *options])


def exported(folder, out, *options):
    done = export(folder, out, *options)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def check_same_runs(one, other, tolerance=1e-9):
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.neural, b.neural)
        np.testing.assert_array_equal(a.attended, b.attended)
        np.testing.assert_allclose(a.talkers, b.talkers, rtol=0, atol=tolerance * np.abs(a.talkers).max())
        assert (a.ch_names, a.talker_names) == (b.ch_names, b.talker_names)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    for seed, who in enumerate(("alice", "bob_2")):
        about = About("", mode="calibration", subject=who)
        write_session(root / who / "calibration-1.xdf", FOUR, seed=seed, about=about)
        write_session(root / who / "run-1" / "loop.xdf", seed=10 + seed, about=About("", mode="closed"))
    return root


def test_runs_and_accuracy_are_those_of_the_recordings(study, tmp_path):
    said = exported(study, tmp_path / "out")
    assert "bob_2/run-1/loop.xdf: sub-bob2_task-listening_run-01" in said
    one, other = (read_study([folder], EEG).runs for folder in (study, tmp_path / "out"))
    assert [run.subject for run in other] == ["sub-alice"] * 6 + ["sub-bob2"] * 6
    check_same_runs(one, other)
    assert len({stimulus for run in other for stimulus in run.stimuli}) == 2 * len(other)
    results = [
        evaluate(runs[:6], lambda: LinearDecoder(EEG), "leave-one-run-out", (1.0,), n_shifts=1) for runs in (one, other)
    ]
    assert results[0].accuracy == results[1].accuracy
    assert results[0].n_windows == results[1].n_windows
    assert results[0].accuracy[1.0] > 0.6


def test_drift_of_the_clocks_is_in_the_speed_of_the_sound(tmp_path, monkeypatch):
    def slow_amplifier(index0, time0, period):
        slower = 1.0005 if period == 1 / SFREQ else 1.0
        return ClockMap(index0, BEGIN + (time0 - BEGIN) * slower, period * slower)

    monkeypatch.setattr(benchmarks.sessions, "ClockMap", slow_amplifier)
    write_session(tmp_path / "a" / "calibration-1.xdf", (("Joe", 25.0), ("Ada", 25.0)))
    exported(tmp_path / "a", tmp_path / "out")
    (events,) = (tmp_path / "out").rglob("*_events.tsv")
    sounds = [row for row in rows(events) if row["trial_type"] == "sound"]
    assert [float(row["stim_speed"]) for row in sounds] == pytest.approx([1.0005, 1.0005], abs=1e-6)
    one = read_study([tmp_path / "a"], EEG).runs
    check_same_runs(one, read_study([tmp_path / "out"], EEG).runs)
    for file in (tmp_path / "out" / "stimuli").rglob("*.npz"):  # as of a program that does not know these times
        with np.load(file) as arrays:
            kept = {name: arrays[name] for name in arrays if name != HEARD}
        np.savez(file, **kept)
    _speech.cache_clear()
    check_same_runs(one, read_study([tmp_path / "out"], EEG).runs, tolerance=2e-3)
    events.write_text(events.read_text().replace(sounds[0]["stim_speed"], "n/a"))
    with pytest.raises(AssertionError):
        check_same_runs(one, read_study([tmp_path / "out"], EEG).runs, tolerance=2e-3)


@pytest.mark.parametrize(("wavering", "tolerance"), [("speech", 1e-9), ("eeg", 5e-3)])
def test_clocks_that_are_corrected_every_second_give_the_same_runs(tmp_path, monkeypatch, wavering, tolerance):
    """A correction of the clock of the electrodes moves the features of a few samples after it, but no others."""
    rng = np.random.default_rng(1)
    period_of = {"eeg": 1 / SFREQ, "speech": 1 / SPEECH_HZ}[wavering]

    def corrected(index0, time0, period):
        off = rng.normal(0, 5e-5, 2) * (period == period_of)
        return ClockMap(index0, time0 + off[0], period * (1 + off[1]))

    monkeypatch.setattr(benchmarks.sessions, "ClockMap", corrected)
    write_session(tmp_path / "a" / "calibration-1.xdf", FOUR)
    exported(tmp_path / "a", tmp_path / "out")
    one, other = (read_study([folder], EEG).runs for folder in (tmp_path / "a", tmp_path / "out"))
    check_same_runs(one, other, tolerance)
    moved = [np.abs(a.talkers - b.talkers) > 1e-9 * np.abs(a.talkers).max() for a, b in zip(one, other, strict=True)]
    assert np.concatenate(moved, axis=1).mean() < 0.1
    results = [
        evaluate(runs, lambda: LinearDecoder(EEG), "leave-one-run-out", (1.0,), n_shifts=1) for runs in (one, other)
    ]
    assert results[0].accuracy == results[1].accuracy


def test_sessions_of_a_listener_are_sessions_of_the_data_set(tmp_path):
    for number, folder in enumerate(("alice/ses-01", "alice/ses-02", "bob")):
        about = About("", mode="calibration", subject=folder.partition("/")[0])
        write_session(tmp_path / "study" / folder / "calibration-1.xdf", FOUR, seed=number, about=about)
    for number in (1, 2):
        path = tmp_path / "study" / "alice" / "ses-02" / f"run-{number}" / "loop.xdf"
        write_session(path, seed=10 + number, about=About("", mode="closed", subject="alice"))
    exported(tmp_path / "study", tmp_path / "out")
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.vhdr"))
    assert names == [
        "sub-alice/ses-01/eeg/sub-alice_ses-01_task-calibration_run-01_eeg.vhdr",
        "sub-alice/ses-02/eeg/sub-alice_ses-02_task-calibration_run-01_eeg.vhdr",
        "sub-alice/ses-02/eeg/sub-alice_ses-02_task-listening_run-01_eeg.vhdr",
        "sub-alice/ses-02/eeg/sub-alice_ses-02_task-listening_run-02_eeg.vhdr",
        "sub-bob/eeg/sub-bob_task-calibration_run-01_eeg.vhdr",
    ]
    assert [row["participant_id"] for row in rows(tmp_path / "out" / "participants.tsv")] == ["sub-alice", "sub-bob"]
    assert not list((tmp_path / "out").glob("ses-*"))
    one, other = (read_study([folder], EEG).runs for folder in (tmp_path / "study", tmp_path / "out"))
    check_same_runs(one, other)
    assert [run.subject for run in other] == [f"sub-{run.subject}" for run in one]


@pytest.fixture
def damaged(tmp_path):
    path = write_session(tmp_path / "study" / "a" / "calibration-1.xdf", FOUR)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    return path


def test_damaged_second_is_a_gap_and_is_named(damaged, tmp_path):
    said = exported(tmp_path / "study", tmp_path / "out")
    assert "calibration-1.xdf is damaged, and exported without that part" in said
    (events,) = (tmp_path / "out").rglob("*_events.tsv")
    (gap,) = [row for row in rows(events) if row["trial_type"] == "BAD_ACQ_SKIP"]
    assert 0.1 < float(gap["duration"]) < 2.1
    recording = open_recording(next((tmp_path / "out").rglob("*.vhdr")))
    missing = np.isnan(recording.read(0, recording.n_samples)).all(axis=1)
    assert missing.sum() / SFREQ == pytest.approx(float(gap["duration"]))
    check_same_runs(*(read_study([folder], EEG).runs for folder in (tmp_path / "study", tmp_path / "out")))


#: Samples lost at the start of chunks of 0.125 s, which has 16 samples.
LOST = {256: 3, 512: 1, 1280: 5, 2048: 16}


@pytest.mark.parametrize("masked", [False, True])
def test_losses_masked_channels_and_notes_are_kept(tmp_path, monkeypatch, masked):
    write = benchmarks.sessions._Live.write

    def lossy(self, arrival):
        item, lost = arrival.item, 0
        if arrival.stream == "eeg" and isinstance(item, Block):
            lost = LOST.get(item.start, 0)
        if lost:
            gap = Gap(item.start, item.start + lost, lost / SFREQ <= STEP_S)
            write(self, dataclasses.replace(arrival, item=gap, stamps=None))
            item = Block(gap.stop, item.data[lost:])
            arrival = dataclasses.replace(arrival, item=item, stamps=arrival.stamps[lost:])
        if lost and masked:
            self._writer.journal(arrival.time, MaskedLine(("E1", "E2") if item.start > 1000 else ("E2",), "quality"))
        if not isinstance(item, Block) or len(item.data):
            write(self, arrival)
        if lost == 1:
            at = BEGIN + 512 / SFREQ
            note = Marker(at, "note:moved\tthe cap")
            write(self, Arrival("cues", note, at, np.array([at]), [note.value]))

    monkeypatch.setattr(benchmarks.sessions._Live, "write", lossy)
    write_session(tmp_path / "study" / "a" / "calibration-1.xdf", FOUR)
    exported(tmp_path / "study", tmp_path / "out")
    (events,) = (tmp_path / "out").rglob("*_events.tsv")
    found = [(row["onset"], row["duration"]) for row in rows(events) if row["trial_type"] == "BAD_ACQ_SKIP"]
    assert [tuple(round(float(v) * SFREQ, 3) for v in pair) for pair in found] == list(LOST.items())
    assert [float(row["onset"]) for row in rows(events) if row["trial_type"] == "note:moved the cap"] == [4.0]
    if not masked:
        check_same_runs(*(read_study([folder], EEG).runs for folder in (tmp_path / "study", tmp_path / "out")))
        return
    (table,) = (tmp_path / "out").rglob("*_channels.tsv")
    said = {row["name"]: (row["status"], row["status_description"]) for row in rows(table)}
    assert [said[name][0] for name in ("E0", "E1", "E2")] == ["good", "good", "bad"]
    assert said["E0"][1] == "n/a"
    assert re.search(r"for 7\d % of", said["E1"][1])


def test_cut_recording_is_exported_up_to_there(tmp_path):
    path = write_session(tmp_path / "study" / "a" / "calibration-1.xdf", FOUR, end=False)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    assert "calibration-1.xdf was cut before its end" in exported(tmp_path / "study", tmp_path / "out")
    check_same_runs(*(read_study([folder], EEG).runs for folder in (tmp_path / "study", tmp_path / "out")))


def test_unusable_recordings_are_left_out_with_the_reason(damaged, tmp_path):
    (tmp_path / "study" / "empty.xdf").write_bytes(b"")
    shutil.copytree(damaged.parent, tmp_path / "study" / "a_")
    said = exported(tmp_path / "study", tmp_path / "out")
    assert "empty.xdf is left out: " in said
    assert "a_/calibration-1.xdf is left out: its listener 'a_' would have the same name" in said
    assert [row["participant_id"] for row in rows(tmp_path / "out" / "participants.tsv")] == ["sub-a"]


def test_nothing_is_written_where_nothing_can_be_exported(tmp_path):
    path = write_session(tmp_path / "study" / "a" / "calibration-1.xdf", FOUR)
    path.write_bytes(path.read_bytes()[:3000])
    done = export(tmp_path / "study", tmp_path / "out")
    assert done.exit_code == 1
    assert [one.name for one in tmp_path.iterdir()] == ["study"]


def test_nothing_is_overwritten(study, tmp_path):
    (tmp_path / "out").mkdir()
    done = export(study, tmp_path / "out")
    assert done.exit_code == 1
    assert "exists already" in done.output
    assert not list((tmp_path / "out").iterdir())


def test_stimuli_are_left_out_on_request(study, tmp_path):
    exported(study, tmp_path / "out", "--without-stimuli")
    assert not (tmp_path / "out" / "stimuli").exists()
    with pytest.raises(RunError, match="no row has a stim_file"):
        read_study([tmp_path / "out"], EEG)


SOUND = """
[sound]
device = "null"
[[sound.talkers]]
name = "Joe"
source = "joe.wav"
[[sound.talkers]]
name = "Ada"
source = "speech:ada"
[attention]
"""


@pytest.fixture
def heard(monkeypatch):
    """Recordings have these talkers, and state which frames of their files were heard."""
    start = HeardLine("start", 0, None, -1, (0.0, 0.0), 0.0, 0.0, False, (0.0, 0.0), 0, (None, None), (48_000, 96_000))
    first = dataclasses.replace(start, heard="control", frame=4800, dac=BEGIN + 0.1, positions=())
    cue, config = benchmarks.sessions._cue, benchmarks.sessions.CONFIG

    def cue_with_sound(live, at, name):
        for line in (start, first) if at == BEGIN + 1 else ():
            live._writer.journal(at, line)
        cue(live, at, name)

    def names(sound):
        monkeypatch.setattr(benchmarks.sessions, "CONFIG", config.replace("[attention]", sound))

    monkeypatch.setattr(benchmarks.sessions, "_cue", cue_with_sound)
    return names


def test_sound_files_are_stimuli_with_their_positions(heard, tmp_path):
    from earmark.app.config.sound import SPEECH

    folder = tmp_path / "study" / "a"
    folder.mkdir(parents=True)
    soundfile.write(folder / "joe.wav", np.zeros(4800), 48_000)
    heard(SOUND)
    for number in (1, 2):
        write_session(folder / f"calibration-{number}.xdf", FOUR, seed=number)
    exported(tmp_path / "study", tmp_path / "out")
    for events in (tmp_path / "out").rglob("*_events.tsv"):
        found = [row for row in rows(events) if row["trial_type"] == "audio"]
        assert [(row["talker"], row["stim_file"], float(row["stim_start"])) for row in found] == [
            ("Joe", "audio/joe.wav", pytest.approx(1.0)),
            ("Ada", "audio/ada.ogg", pytest.approx(2.0)),
        ]
        assert [(float(row["onset"]), float(row["duration"])) for row in found] == [(0.0, 33.0)] * 2
    audio = tmp_path / "out" / "stimuli" / "audio"
    assert sorted(file.name for file in audio.iterdir()) == ["ada.ogg", "joe.wav"]
    assert (audio / "joe.wav").read_bytes() == (folder / "joe.wav").read_bytes()
    assert (audio / "ada.ogg").read_bytes() == (SPEECH / "ada.ogg").read_bytes()
    check_same_runs(*(read_study([place], EEG).runs for place in (tmp_path / "study", tmp_path / "out")))
    exported(tmp_path / "study", tmp_path / "without", "--without-stimuli")
    assert not (tmp_path / "without" / "stimuli").exists()
    assert all(
        row["stim_file"] == "n/a" for events in (tmp_path / "without").rglob("*_events.tsv") for row in rows(events)
    )


def test_recorded_voices_are_not_exported(study, tmp_path):
    copy = shutil.copytree(study, tmp_path / "study")
    for recording in copy.rglob("*.xdf"):
        soundfile.write(recording.with_suffix(".microphones.wav"), np.zeros((4800, 6)), 48_000)
        recording.with_suffix(".microphones.jsonl").write_text("{}")
    exported(copy, tmp_path / "out")
    assert list((tmp_path / "out").rglob("*events.tsv"))
    assert not list((tmp_path / "out").rglob("*microphones*"))


@pytest.mark.parametrize(
    ("source", "words"),
    [("study/a/joe.wav", "it is not sound"), ("id.raw", "it is outside"), ("story.wav", "it is outside")],
)
def test_only_sound_of_the_study_is_copied_unless_its_folder_is_named(heard, tmp_path, source, words):
    """A recording from elsewhere could name any file of this machine, and data sets are published."""
    file = tmp_path / source
    heard(SOUND.replace("joe.wav", str(file)))
    write_session(tmp_path / "study" / "a" / "calibration-1.xdf", FOUR)
    if file.name == "story.wav":
        soundfile.write(file, np.zeros(4800), 48_000)
    else:
        file.write_bytes(b"a secret\n" * 1000)
    said = exported(tmp_path / "study", tmp_path / "out")
    assert words in said
    assert [one.name for one in (tmp_path / "out" / "stimuli" / "audio").iterdir()] == ["ada.ogg"]
    exported(tmp_path / "study", tmp_path / "named", "--sounds", str(tmp_path))
    copied = sorted(one.name for one in (tmp_path / "named" / "stimuli" / "audio").iterdir())
    assert copied == (["ada.ogg", "story.wav"] if file.name == "story.wav" else ["ada.ogg"])
    assert "not copied" not in exported(tmp_path / "study", tmp_path / "without", "--without-stimuli")


def intracranial(monkeypatch):
    known = benchmarks.sessions.descriptions

    def described(n_channels):
        from earmark.devices.sources.lsl_description import describe_xml, make_info

        spec = known(n_channels)["eeg"].spec
        places = tuple((0.01 * k, 0.02, float("nan") if k == 2 else 0.03) for k in range(n_channels))
        spec = spec.evolve(
            ch_types=("seeg",) * (n_channels - 1) + ("misc",),
            units=("mV",) * (n_channels - 1) + ("degC",),
            positions=places,
        )
        return known(n_channels) | {"eeg": describe_xml(make_info(spec, "SEEG", "amp").as_xml())}

    monkeypatch.setattr(benchmarks.sessions, "descriptions", described)


def test_channels_keep_their_kinds_units_places_and_bad_ones_their_samples(tmp_path, monkeypatch):
    intracranial(monkeypatch)
    about = About("", overrides={"eeg": Overrides(bads=("E1",))}, subject="sub-X")
    path = write_session(tmp_path / "study" / "a.xdf", about=about)
    exported(tmp_path / "study", tmp_path / "out")
    (header,) = (tmp_path / "out" / "sub-X" / "ieeg").glob("*_run-01_ieeg.vhdr")
    table = {row["name"]: row for row in rows(header.with_name(header.name.replace("ieeg.vhdr", "channels.tsv")))}
    assert [table[name]["status"] for name in ("E0", "E1", "E2", "E3")] == ["good", "bad", "good", "good"]
    assert [table[name]["type"] for name in ("E0", "E3")] == ["SEEG", "MISC"]
    found = open_recording(header)
    assert found.spec.units[:3] == ("uV",) * 3
    assert found.spec.positions[1] == (0.01, 0.02, 0.03)
    assert np.isnan(found.spec.positions[2]).all()
    first = next(e.item for e in SessionFile(path) if isinstance(e, Consumed) and isinstance(e.item, Block))
    np.testing.assert_allclose(found.read(0, 16)[:, 0], first.data[:, 0] * 1e3, rtol=1e-6)
    raw = np.fromfile(header.with_suffix(".eeg"), "<f4", 16 * 4).reshape(16, 4)
    np.testing.assert_array_equal(raw[:, [0, 2]], first.data[:, [0, 2]])
    assert np.isfinite(raw[:, 1]).all()


def test_mne_bids_reads_samples_and_events(study, tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    exported(study, tmp_path / "out")
    (place,) = mne_bids.find_matching_paths(tmp_path / "out", subjects="alice", tasks="calibration", extensions=".vhdr")
    raw = mne_bids.read_raw_bids(place, verbose="error")
    path = study / "alice" / "calibration-1.xdf"
    blocks = [e.item for e in SessionFile(path) if isinstance(e, Consumed) and e.stream == "eeg"]
    sent = np.concatenate([block.data for block in blocks if isinstance(block, Block)])
    np.testing.assert_allclose(raw.get_data().T * 1e6, sent, rtol=1e-12)
    trials = [(a["onset"], a["duration"]) for a in raw.annotations if a["description"] == "attention_trial"]
    np.testing.assert_allclose(trials, [(1 + 8 * k, 8) for k in range(4)], atol=1e-6)


@pytest.mark.parametrize("kind", ["eeg", "ieeg"])
def test_data_set_is_valid(kind, tmp_path, monkeypatch):
    pytest.importorskip("bids_validator_deno")
    if kind == "ieeg":
        intracranial(monkeypatch)
    for number in (1, 2):
        write_session(tmp_path / "study" / "alice" / f"ses-{number}" / "calibration-1.xdf", seed=number)
    exported(tmp_path / "study", tmp_path / "out")
    command = [Path(sys.executable).with_name("bids-validator-deno"), "--json", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []

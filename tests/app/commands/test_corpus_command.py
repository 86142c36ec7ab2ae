"""Data sets of KU Leuven and DTU, and mapped files, become runs that evaluation can use."""

import json

import numpy as np
import pytest
from corpora_made import (
    LABELS,
    cell,
    dtu_data,
    dtu_table,
    kul_trial,
    kul_trials,
    write_dtu,
    write_dtu_preprocessed,
    write_kul,
    write_sound,
)
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.commands import checked_run, corpus_runs
from earmark.devices.files.run_file import read_origin, read_run
from earmark.pipeline.decoders.presets import EEG

RUNNER = CliRunner()
MAPPING = """
name = "mine"
files = "S*.mat"
subject = "trials/*/subject"
eeg = "trials/*/RawData/EegData"
sfreq = "trials/*/FileHeader/SampleRate"
ch_names = "trials/*/FileHeader/Channels/Label"
unit = "uV"
attended = "trials/*/attended_ear"
attended_values = { L = "left", R = "right" }

[[talkers]]
name = "left"
sound = "trials/*/stimuli/1"

[[talkers]]
name = "right"
sound = "trials/*/stimuli/2"
"""


def earmark(*arguments):
    result = RUNNER.invoke(app, [str(word) for word in arguments])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def runs_in(folder):
    return {path.stem: read_run(path, EEG) for path in sorted(folder.rglob("*.xdf"))}


@pytest.fixture(scope="module")
def kul(tmp_path_factory):
    return write_kul(tmp_path_factory.mktemp("data") / "kul")


@pytest.fixture(scope="module")
def kul_runs(kul, tmp_path_factory):
    out = tmp_path_factory.mktemp("kul") / "runs"
    result = earmark("corpus", "kul", kul, "-o", out)
    assert result.exit_code == 0
    assert "6 written; 1 left out, because it repeats" in result.output
    return out


def test_trials_of_leuven_become_runs(kul_runs):
    runs = runs_in(kul_runs)
    assert sorted(path.relative_to(kul_runs).as_posix() for path in kul_runs.rglob("*.xdf")) == [
        f"S1/trial-{k:02d}.xdf" for k in range(1, 7)
    ]
    for k, run in enumerate(runs.values()):
        part, track = k % 3 + 1, 1 + k // 3
        assert run.subject == "S1"
        assert run.ch_names == LABELS
        assert run.talker_names == ("left", "right")
        left_first = part % 2 == 1
        tracks = (1, 2) if left_first else (2, 1)
        assert run.stimuli == tuple(f"kul part{part} track{t}" for t in tracks)
        assert set(run.attended[32:-64]) == {tracks.index(track)}


def test_a_run_holds_eeg_as_stored_and_where_it_is_from(kul, kul_runs):
    import pyxdf

    path = kul_runs / "S1" / "trial-03.xdf"
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)
    (eeg,) = [one for one in streams if one["info"]["type"] == ["EEG"]]
    np.testing.assert_array_equal(
        eeg["time_series"], kul_trial(3)["RawData"]["EegData"].astype(np.float32), strict=True
    )
    assert float(eeg["info"]["nominal_srate"][0]) == 128
    assert {one["unit"][0] for one in eeg["info"]["desc"][0]["channels"][0]["channel"]} == {"uV"}
    origin = read_origin(path)
    assert origin["corpus"] == "KU Leuven, doi:10.5281/zenodo.4004271"
    assert origin["file"] == "S1.mat"
    assert (origin["condition"], origin["experiment"], origin["part"]) == ("hrtf", "1", "3")


def test_evaluation_can_hold_out_what_was_heard(kul_runs, tmp_path):
    figures = tmp_path / "figures.json"
    how = ("--window", 2, "--json", figures)
    assert earmark("evaluate", kul_runs, *how, "--protocol", "leave-one-paired-envelope-out").exit_code == 0
    found = json.loads(figures.read_text())
    assert not any(fold["shared_stimuli"] for fold in found["folds"])
    assert found["accuracy"]["2.0"] > 0.8
    assert earmark("evaluate", kul_runs, *how).exit_code == 0
    assert all(fold["shared_stimuli"] for fold in json.loads(figures.read_text())["folds"])


def test_a_second_call_keeps_runs_and_refuses_other_settings(kul, kul_runs):
    before = {path: path.stat().st_mtime_ns for path in kul_runs.rglob("*.xdf")}
    result = earmark("corpus", "kul", kul, "-o", kul_runs)
    assert result.exit_code == 0
    assert "6 there already" in result.output
    result = earmark("corpus", "kul", kul, "-o", kul_runs, "--channels", "!Oz")
    assert result.exit_code == 1
    assert "made in another way" in result.output
    assert {path: path.stat().st_mtime_ns for path in kul_runs.rglob("*.xdf")} == before


def test_repetitions_count_as_the_same_stimulus(kul, tmp_path):
    result = earmark("corpus", "kul", kul, "-o", tmp_path / "runs", "--repetitions")
    assert result.exit_code == 0
    runs = runs_in(tmp_path / "runs")
    assert len(runs) == 7
    assert runs["trial-07"].stimuli == runs["trial-01"].stimuli
    assert runs["trial-07"].duration < 10


def test_an_interruption_leaves_no_part_of_a_file(kul, tmp_path, monkeypatch):
    out, write = tmp_path / "runs", checked_run.write_run

    def interrupted(path, *rest):
        write(path, *rest)
        if "trial-03" in path.name:
            raise KeyboardInterrupt

    monkeypatch.setattr(checked_run, "write_run", interrupted)
    assert earmark("corpus", "kul", kul, "-o", out).exit_code == 130
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["trial-01.xdf", "trial-02.xdf"]
    monkeypatch.undo()
    result = earmark("corpus", "kul", kul, "-o", out)
    assert result.exit_code == 0
    assert "4 written" in result.output
    assert "2 there already" in result.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attended_ear": "X"}, "attended_ear is the text 'X', but must be L or R"),
        ({"attended_track": 2.0}, "attended_ear and attended_track contradict each other"),
        ({"stimuli": cell(["a.wav", "b.wav"])}, "names such as part1_track1_dry.wav, and not 'a.wav'"),
        ({"stimuli": cell(["part1_track1_dry.wav"])}, "the names of two sound files"),
        ({"stimuli": cell(["part9_track1_dry.wav", "part9_track2_dry.wav"])}, "no sound file 'part9_track1_dry.wav'"),
        ({"RawData": {"EegDate": np.zeros((9, 6))}}, "has no 'EegData': did you mean 'EegDate'"),
        ({"RawData": {"EegData": "none"}}, "RawData/EegData is the text 'none', but must be numbers"),
        ({"RawData": {"EegData": np.zeros((500, 5))}}, "5 channels, but 6 different names"),
        ({"FileHeader": {"SampleRate": 128.0}}, "FileHeader has no 'Channels'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, change, words):
    folder = write_kul(tmp_path / "kul", [kul_trial(1, seconds=4.0, **change)])
    result = earmark("corpus", "kul", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert words in result.output
    assert not list((tmp_path / "runs").rglob("*.xdf"))


def test_the_unit_is_stated_plausible_or_given(tmp_path):
    def imported(unit, scale, *given):
        trial = kul_trial(1, unit=unit)
        trial["RawData"]["EegData"] *= scale
        name = f"{unit}-{scale}-{len(given)}"
        result = earmark("corpus", "kul", write_kul(tmp_path / name, [trial]), "-o", tmp_path / f"{name}-runs", *given)
        return result, runs_in(tmp_path / f"{name}-runs")

    _, wanted = imported("uV", 1)
    for found in (imported("", 1), imported("V", 1e-6), imported("", 1e-6, "--unit", "V")):
        assert found[0].exit_code == 0, found[0].output
        np.testing.assert_allclose(found[1]["trial-01"].neural, wanted["trial-01"].neural, rtol=1e-3, atol=1e-3)
    for scale in (1e-6, 1000):
        result, runs = imported("", scale)
        assert result.exit_code == 1
        assert "no unit is stated" in result.output
        assert not runs


def test_mains_and_offsets_do_not_make_microvolts_implausible():
    from corpora_made import neural

    from earmark.devices.files.corpus_trials import make_recording
    from earmark.devices.files.recording import RecordingError
    from earmark.devices.sources.overrides import NOTHING

    eeg, t = neural(1, 20.0, 512, 1), np.arange(20 * 512) / 512
    hum = 400 * np.sin(2 * np.pi * 50 * t)[:, None] * np.linspace(0.8, 1.2, 6)
    found = make_recording("S1", eeg + hum + 8000 + 50 * t[:, None], 512.0, LABELS, "", NOTHING)
    assert set(found.spec.units) == {"uV"}
    with pytest.raises(RecordingError, match="not microvolts"):
        make_recording("S1", (8 * eeg + hum) / 0.03125, 512.0, LABELS, "", NOTHING)


def test_one_bad_listener_does_not_stop_the_others(tmp_path):
    folder = write_kul(tmp_path / "kul", [kul_trial(1)], name="S2.mat")
    (folder / "S1.mat").write_bytes(b"x" * 500)
    result = earmark("corpus", "kul", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert "S2.mat: 1 written" in result.output
    assert "S1.mat cannot be read, because it is damaged" in result.output


@pytest.mark.parametrize("form", ["plain", "v7.3"])
@pytest.mark.parametrize("expinfo", ["struct", "columns", "table"])
def test_trials_of_dtu_become_runs(tmp_path, expinfo, form):
    if expinfo == "table" or form == "v7.3":
        pytest.importorskip("matio", reason="needs the extra 'matlab': pip install 'earmark[matlab]'")
    write_dtu(tmp_path / "dtu", expinfo, form=form)
    result = earmark("corpus", "dtu", tmp_path / "dtu", "-o", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert "4 written; 1 left out, because it has one talker" in result.output
    runs = runs_in(tmp_path / "runs")
    assert list(runs) == ["trial-01", "trial-02", "trial-04", "trial-05"]
    for name, attended in zip(runs, ("male", "female", "female", "male"), strict=True):
        run, k = runs[name], int(name[-2:])
        assert run.ch_names == LABELS  # not those of the face, and not the trigger channel
        assert run.talker_names == ("male", "female")
        assert run.stimuli == (f"dtu aske_story1_trial_{k}", f"dtu marianne_story1_trial_{k}")
        assert set(run.attended[32:-64]) == {run.talker_names.index(attended)}
        # The EEG follows the attended talker from the very start of the trial on.
        x, y = run.neural[64:-64, 0], run.talkers[:, :, 0]
        r = [[np.corrcoef(x, np.roll(one, lag)[64:-64])[0, 1] for lag in range(-16, 17)] for one in y]
        best, other = (r[run.talker_names.index(attended)], r[1 - run.talker_names.index(attended)])
        assert max(best) > 0.45 > max(other)
        assert abs(int(np.argmax(best)) - 16 - 0.12 * 64) <= 1.5
    assert read_origin(tmp_path / "runs" / "S1" / "trial-02.xdf")["acoustic_condition"] == "2"


@pytest.mark.parametrize(
    ("table", "data", "words"),
    [
        ({"trigger": [130.0, 131.0, 132.0, 134.0, 133.0]}, {}, "trial 4 starts with event 133, but its trigger"),
        ({"attend_mf": [1.0, 3.0, 1.0, 2.0, 1.0]}, {}, "attend_mf of trial-02 is '3', but must be 1 or 2"),
        ({"wavfile_male": ["none.wav"] * 5}, {}, "no sound file 'none.wav'"),
        ({}, {"rows": ((1, True),)}, "2 events with 2 values, but must be 10"),
    ],
)
def test_contradictions_of_dtu_are_named(tmp_path, table, data, words):
    write_dtu(tmp_path, table={**dtu_table(), **table}, data=dtu_data(**data))
    result = earmark("corpus", "dtu", tmp_path, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert words in result.output


def test_a_table_without_the_extra_names_both_fixes(tmp_path, monkeypatch):
    import sys

    pytest.importorskip("matio", reason="needs the extra 'matlab': pip install 'earmark[matlab]'")
    write_dtu(tmp_path, "table")
    monkeypatch.setitem(sys.modules, "matio", None)
    result = earmark("corpus", "dtu", tmp_path, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert "'expinfo' in" in result.output
    assert "pip install '.[matlab]'" in result.output
    assert "expinfo = table2struct(expinfo)" in result.output


def test_filtered_files_of_dtu_change_the_order_of_talkers(tmp_path):
    folder = write_dtu_preprocessed(tmp_path / "dtu")
    result = earmark("corpus", "dtu", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert "give --preprocessed" in result.output
    assert earmark("corpus", "dtu", folder, "-o", tmp_path / "runs", "--preprocessed").exit_code == 0
    runs = runs_in(tmp_path / "runs")
    assert [int(np.median(run.attended)) for run in runs.values()] == [0, 1, 0, 1]
    assert len({run.stimuli for run in runs.values()}) == 4
    result = earmark("evaluate", tmp_path / "runs", "--window", 2)
    assert result.exit_code == 0, result.output


def test_a_mapping_gives_the_same_runs(tmp_path):
    trials = [trial for trial in kul_trials() if trial["condition"] == "dry" and not trial["repetition"]]
    folder = write_kul(tmp_path / "kul", trials)
    (tmp_path / "mine.toml").write_text(MAPPING)
    assert earmark("corpus", "kul", folder, "-o", tmp_path / "kul-runs").exit_code == 0
    assert earmark("corpus", tmp_path / "mine.toml", folder, "-o", tmp_path / "runs").exit_code == 0
    wanted, found = runs_in(tmp_path / "kul-runs"), runs_in(tmp_path / "runs")
    assert len(found) == len(wanted) == 4
    for one, other in zip(found.values(), wanted.values(), strict=True):
        np.testing.assert_array_equal(one.neural, other.neural)
        np.testing.assert_array_equal(one.talkers, other.talkers)
        np.testing.assert_array_equal(one.attended, other.attended)
        assert (one.ch_names, one.subject, one.talker_names) == (other.ch_names, other.subject, other.talker_names)
        assert [s.removeprefix("mine ").removesuffix("_dry").replace("_", " ") for s in one.stimuli] == [
            s.removeprefix("kul ") for s in other.stimuli
        ]


def test_a_mapping_of_envelopes_in_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs the extra 'matlab': pip install 'earmark[matlab]'")
    from corpora_made import modulation, neural

    with h5py.File(tmp_path / "ann.h5", "w") as file:
        for k in range(3):
            file[f"trial{k}/eeg"] = neural(2 * k + k % 2, 20.0, 64, k).T
            file[f"trial{k}/a"], file[f"trial{k}/b"] = modulation(2 * k, 20.0, 64), modulation(2 * k + 1, 20.0, 64)
            file[f"trial{k}/attended"] = k % 2
    (tmp_path / "mine.toml").write_text(
        'files = "*.h5"\neeg = "*/eeg"\naxes = "channels x samples"\nsfreq = 64\nunit = "uV"\n'
        'attended = "*/attended"\nattended_values = { 0 = "a", 1 = "b" }\n'
        '[[talkers]]\nname = "a"\nenvelope = "*/a"\nsfreq = 64.0\n'
        '[[talkers]]\nname = "b"\nenvelope = "*/b"\nsfreq = 64\n'
    )
    result = earmark("corpus", tmp_path / "mine.toml", tmp_path, "-o", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    runs = runs_in(tmp_path / "runs")
    assert list(runs) == ["trial0", "trial1", "trial2"]
    assert {run.subject for run in runs.values()} == {"ann"}
    assert [int(np.median(run.attended)) for run in runs.values()] == [0, 1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('eeg = "', 'egg = "', "unknown key 'egg': did you mean 'eeg'?"),
        ('unit = "uV"', 'unit = "uA"', "unit is 'uA', but must be V, mV, uV or nV"),
        ('name = "right"', 'name = "left"', "give each a name of its own"),
        ('R = "right"', 'R = "he"', "attended_values has 'he', which is none of the talkers left, right"),
        ('sound = "trials/*/stimuli/2"', "", "talker 'right' needs either 'sound' or 'envelope'"),
        ("RawData/EegData", "RawData/Eeg", "S1.mat/trials/1/RawData has no 'Eeg': did you mean 'EegData'"),
        ("stimuli/2", "stimuli/3", "S1.mat/trials/1/stimuli has no element 3: it has 2"),
        ('R = "right"', 'r = "right"', "attended_ear is the text 'R', but must be one of L, r"),
        ('unit = "uV"', 'unit = "uV"\naxes = "channels x samples"', "is 'axes' the other way round?"),
        ('files = "S*.mat"', 'files = "X*.mat"', "none of the files X*.mat"),
        ('files = "S*.mat"', 'files = "../S*.mat"', "must be a pattern below the folder"),
        (
            "trials/*/RawData",
            "trials/1/RawData",
            "'trials/*/subject' has *, which makes a run of each element, but eeg",
        ),
    ],
)
def test_mistakes_in_a_mapping_are_named(tmp_path, old, new, words):
    folder = write_kul(tmp_path / "kul", [kul_trial(1, seconds=4.0), kul_trial(2, seconds=4.0)])
    (tmp_path / "mine.toml").write_text(MAPPING.replace(old, new, 1))
    result = earmark("corpus", tmp_path / "mine.toml", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert words in result.output


def test_names_in_a_file_cannot_leave_the_folder_of_runs(tmp_path):
    folder = write_kul(tmp_path / "kul", [kul_trial(1, subject="../../elsewhere")])
    (tmp_path / "mine.toml").write_text(MAPPING)
    result = earmark("corpus", tmp_path / "mine.toml", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert "'../../elsewhere' cannot name a file" in result.output


def test_show_lists_what_a_file_holds(kul):
    result = earmark("corpus", "show", kul)
    assert result.exit_code == 0
    assert "EegData: an array of 3072 x 6" in result.output
    assert "attended_ear: the text 'L'" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kull", "."), "there is no corpus 'kull': give kul, dtu, a mapping (FILE.toml), or show"),
        (("kul", "."), "none of the files S1.mat and so on"),
        (("kul", "none"), "none: no such folder"),
        (("kul", ".", "--preprocessed"), "--preprocessed is for dtu only"),
        (("none.toml", "."), "none.toml: no such file"),
        (("show", "."), "no .mat, .h5 or .hdf5 file"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = earmark("corpus", *arguments, "-o", "runs")
    assert result.exit_code == 1
    assert words in result.output


def test_listeners_share_the_envelopes_of_sounds(tmp_path, monkeypatch):
    folder = write_kul(tmp_path / "kul", [kul_trial(1)])
    write_kul(folder, [kul_trial(1, seed=7)], name="S2.mat")
    read, seen = corpus_runs.read_speech, []
    monkeypatch.setattr(corpus_runs, "read_speech", lambda path: seen.append(path.name) or read(path))
    corpus_runs._envelope.cache_clear()
    assert earmark("corpus", "kul", folder, "-o", tmp_path / "runs").exit_code == 0
    assert sorted(seen) == ["part1_track1_dry.wav", "part1_track2_dry.wav"]


def test_two_different_sounds_of_one_name_are_refused(tmp_path):
    folder = write_kul(tmp_path / "kul", [kul_trial(1)])
    write_sound(folder / "more" / "part1_track1_dry.wav", 1, 1.0)
    result = earmark("corpus", "kul", folder, "-o", tmp_path / "runs")
    assert result.exit_code == 1
    assert "sound files of one name differ" in result.output

"""How a user may name runs: files, folders, patterns, BIDS data sets."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from test_bids import VOICES, brain, voice, write_events, write_recording
from test_live_equals_replay import earmark

from earmark.app.training.runs import find_runs, progress
from earmark.devices.files.recorded_run import RunError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b/run10.xdf", "b/run2.xdf", "b/deep/run3.xdf", "c/run[1].xdf", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["b"], ["b/deep/run3.xdf", "b/run10.xdf", "b/run2.xdf"]),
        (["b/run2.xdf", "b/run10.xdf"], ["b/run2.xdf", "b/run10.xdf"]),
        (["b/*.xdf"], ["b/run10.xdf", "b/run2.xdf"]),
        (["b/**/run?.xdf"], ["b/deep/run3.xdf", "b/run2.xdf"]),
        (["?"], ["b/deep/run3.xdf", "b/run10.xdf", "b/run2.xdf", "c/run[1].xdf"]),
        (["c/run[1].xdf"], ["c/run[1].xdf"]),
    ],
)
def test_files_folders_and_patterns(folder, given, wanted):
    assert find_runs([Path(one) for one in given]) == [Path(one) for one in wanted]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere.xdf"], "nowhere.xdf: no such file"),
        (["b/run9*.xdf"], "b/run9*.xdf matches no file"),
        (["b", "b/run2.xdf"], "b/run2.xdf is given twice"),
        (["b/run2.xdf", "b/../b/run2.xdf"], "b/../b/run2.xdf is given twice"),
    ],
)
def test_unusable_paths_are_errors(folder, given, said):
    with pytest.raises(RunError, match=re.escape(said)):
        find_runs([Path(one) for one in given])


def test_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(
        RunError, match=r"contains no \.xdf file, and no sub-\*_eeg .* below a dataset_description\.json"
    ):
        find_runs([tmp_path])


def test_progress_bar_shows_the_count(monkeypatch):
    import io

    from rich.console import Console

    import earmark.app.terminal.console

    screen = io.StringIO()
    monkeypatch.setattr(earmark.app.terminal.console, "console", Console(file=screen, force_terminal=True, width=80))
    with progress("Filtering") as advance:
        for done in range(1, 101):
            advance(done, 100)
    assert "Filtering" in screen.getvalue()
    assert "100/100" in screen.getvalue()


@pytest.fixture(scope="module")
def party(tmp_path_factory):
    """Write a BIDS data set of two listeners with two recordings of two trials each; one has a dead channel."""
    root = tmp_path_factory.mktemp("party")
    (root / "stimuli" / "sub").mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "party", "BIDSVersion": "1.9.0"}))
    for name in VOICES:
        np.savez(root / "stimuli" / f"{'sub/him' if name == 'him' else name}.npz", envelope=voice(name), sfreq=128.0)
    for subject, suffix in (("sub-01", ".edf"), ("sub-02", ".vhdr")):
        for run in (1, 2):
            stem = f"{subject}_task-party_run-{run}"
            x = brain([(1.5, "her"), (12.0, "she")])
            x[:, 1:4] += 5 * x[:, :1] + np.random.default_rng(run).normal(0, 1, (len(x), 1))
            if suffix == ".edf":
                x[:, 4] = 0.0
            write_events(
                (write_recording(root / subject / "eeg", stem, "eeg", x, suffix)).with_name(f"{stem}_events.tsv")
            )
    return root


def test_evaluate_and_train_on_a_bids_data_set(party, tmp_path):
    done = earmark("evaluate", party, "--window", 1, "--window", 2, "--json", tmp_path / "f.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["n_runs"] == 8
    assert [one["subject"] for one in found["subjects"]] == ["sub-01", "sub-02"]
    assert "Bad channels count as zero: " in done.stdout
    assert "most in sub-01" in done.stdout
    pattern = earmark("train", party / "sub-0[1]" / "eeg" / "*_eeg.edf", "-o", tmp_path / "decoder")
    assert pattern.returncode == 0, pattern.stderr
    assert "on 4 runs" in pattern.stdout
    seen = earmark("evaluate", party, "--decoder", tmp_path / "decoder")
    assert seen.returncode == 1
    assert "trained on sub-01_task-party_run-1 trial 1" in seen.stderr
    other = earmark("evaluate", party / "sub-02", "--decoder", tmp_path / "decoder", "--window", 1)
    assert other.returncode == 0, other.stderr
    assert "4 runs" in other.stdout
    refused = earmark("evaluate", party, "--preset", "ieeg")
    assert refused.returncode == 1
    assert "sub-01_task-party_run-1_eeg.edf: node 'pick'" in refused.stderr
    assert "Traceback" not in refused.stderr

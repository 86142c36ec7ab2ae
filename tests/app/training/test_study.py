"""Many recordings at once: their listeners, unusable recordings, and the needs of each protocol."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from listeners import listen

import earmark.app.commands.evaluate
from benchmarks.sessions import write_session
from earmark.app.commands.evaluate import ProtocolName, evaluate
from earmark.app.commands.train import train
from earmark.app.training.study import read_recording, read_study
from earmark.devices.files.journal import About
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.subjects import whose
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.splits import LEAST, PROTOCOLS, few, learnable, plan


@pytest.mark.parametrize(
    ("path", "subject", "name"),
    [
        ("study/alice/run-1/loop.xdf", "alice", "run-1/loop"),
        ("study/alice/calibration-1.xdf", "alice", "calibration-1"),
        ("study/sub-01/ses-02/run-1/loop-2.xdf", "sub-01", "ses-02/run-1/loop-2"),
        ("study/sub-01/recordings/r.xdf", "sub-01", "recordings/r"),
        ("study/all/sub-07_run-1.xdf", "sub-07", "sub-07_run-1"),
        ("study/bob/session-2/run-3/loop.xdf", "bob", "session-2/run-3/loop"),
    ],
)
def test_folder_names_the_listener(tmp_path, path, subject, name):
    assert whose(tmp_path / path) == (subject, name)


def test_session_folder_names_the_listener_at_any_depth(tmp_path):
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "session.toml").touch()
    assert whose(tmp_path / "alice" / "monday" / "run-1" / "loop.xdf") == ("alice", "monday/run-1/loop")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Write two runs each of two listeners, under the same file names."""
    root = tmp_path_factory.mktemp("study")
    for k, (who, run) in enumerate([("alice", 1), ("alice", 2), ("bob", 1), ("bob", 2)]):
        write_session(root / who / f"run-{run}" / "loop.xdf", seed=k)
    return root


def test_runs_are_grouped_by_listener(study, tmp_path, capsys):
    evaluate([study], protocol=ProtocolName.LOSO, window=[1.0], json_file=tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text())
    assert [one["subject"] for one in found["subjects"]] == ["alice", "bob"]
    assert found["n_runs"] == 8
    for fold in found["folds"]:
        assert {one["subject"] for one in fold["train"]}.isdisjoint(one["subject"] for one in fold["test"])
    assert "Runs of each listener: alice (4), bob (4)" in capsys.readouterr().out


def test_listener_of_the_user_or_the_recording_overrides_the_folder(study, tmp_path):
    one = write_session(tmp_path / "moved" / "run-1" / "loop.xdf", seed=9, about=About("", subject="carol"))
    assert {run.subject for run in read_study([one], EEG).runs} == {"carol"}
    said = read_study([study, one], EEG, [f"ann={study / 'alice'}", f"bo={study}", f"ann={one}"]).runs
    assert {(run.subject, run.name.partition(" ")[0]) for run in said} == {
        *(("ann", f"run-{k}/loop") for k in (1, 2)),
        *(("bo", f"run-{k}/loop") for k in (1, 2)),
        *(("ann", f"{one.parent}/run-1/loop") for _ in "x"),
        *(("ann", f"{study / 'alice' / 'run-1'}/run-1/loop") for _ in "x"),
    } - {("ann", "run-1/loop")}
    with pytest.raises(RunError, match="--subject is 'alice', but must be NAME=PATH"):
        read_study([study], EEG, ["alice"])
    with pytest.raises(RunError, match="nowhere does not exist"):
        read_study([study], EEG, ["alice=nowhere"])


@pytest.fixture
def damaged(study, tmp_path):
    """Return the study with an empty recording, one cut in its first second, one that is not XDF, and a copy."""
    root = tmp_path / "damaged"
    shutil.copytree(study, root)
    whole = (root / "alice" / "run-1" / "loop.xdf").read_bytes()
    for name, raw in (("run-3", b""), ("run-4", whole[:9000]), ("run-5", b"no XDF"), ("run-6", whole)):
        (root / "alice" / name).mkdir()
        (root / "alice" / name / "loop.xdf").write_bytes(raw)
    return root


def test_unusable_recordings_are_left_out_and_named(damaged, tmp_path, capsys):
    train([damaged], tmp_path / "decoder")
    out = capsys.readouterr().out
    assert (tmp_path / "decoder").is_dir()
    assert "on 8 runs" in out
    end = out[out.index("Left out: ") :]
    for name in ("run-3", "run-4", "run-5"):
        assert end.count(f"{damaged / 'alice' / name / 'loop.xdf'}: ") == 1
    assert "run-6/loop trial 1" in end
    assert "is the same recording as run-1/loop trial 1 of alice" in end


@pytest.mark.parametrize("name", ["run-3", "run-4", "run-5"])
def test_unusable_recording_alone_is_an_error(damaged, tmp_path, capsys, name):
    path = damaged / "alice" / name / "loop.xdf"
    with pytest.raises(typer.Exit) as ended:
        train([path], tmp_path / "decoder")
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert str(path) in said.err.replace("\n", "")
    assert not (tmp_path / "decoder").exists()


def test_empty_trial_does_not_exclude_the_others(tmp_path):
    path = write_session(tmp_path / "a" / "calibration-1.xdf", [("Joe", 6.0), ("Ada", 6.0), ("Joe", 0.01)])
    found = read_study([path], EEG)
    assert [run.name for run in found.runs] == ["calibration-1 trial 1", "calibration-1 trial 2"]


def said_of(monkeypatch, n_runs, capsys, protocol=ProtocolName.LORO, n_subjects=1):
    runs = [listen(f"run-{r}", f"{s}", seconds=20) for s in range(n_subjects) for r in range(n_runs)]

    def worked(*_args, **_how):
        raise AssertionError("minutes of computing")

    monkeypatch.setattr("earmark.app.training.study.read_study", lambda *_: earmark.app.training.study.Study(runs))
    monkeypatch.setattr("earmark.devices.files.corpus.evaluate_corpus", worked)
    with pytest.raises(typer.Exit):
        evaluate([Path("x")], protocol=protocol)
    return capsys.readouterr().err


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_runs_are_refused_with_numbers_before_computing(monkeypatch, capsys, n):
    said = said_of(monkeypatch, n, capsys)
    assert "leave-one-run-out needs three runs of a listener" in said
    assert f"Available runs: 0 {n}" in said
    assert "two listeners" in said_of(monkeypatch, 3, capsys, ProtocolName.LOSO)


def test_three_runs_are_enough(tmp_path, capsys):
    path = write_session(tmp_path / "a" / "calibration-1.xdf", [("Joe", 6.0), ("Ada", 6.0), ("Joe", 6.0)])
    evaluate([path], window=[1.0], json_file=tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["n_windows"]["1.0"] > 0
    assert found["ece"] is None
    assert "need four runs per listener" in " ".join(capsys.readouterr().out.split())


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=9),
    st.sampled_from(sorted(PROTOCOLS)),
)
def test_folds_separate_listeners_and_have_enough_training_runs(pairs, protocol):
    runs = [
        listen(f"r{i}", who, seconds=1, stimuli=[f"{what}{k}" for k in "12"]) for i, (who, what) in enumerate(pairs)
    ]
    try:
        drop = few(runs, protocol)
    except ValueError:
        return
    kept = [run for i, run in enumerate(runs) if i not in drop]
    folds = plan(kept, protocol)
    assert sorted(i for fold in folds for i in fold.test) == list(range(len(kept)))
    for fold in folds:
        assert len(fold.train) >= LEAST
        test, others = [{kept[i].subject for i in side} for side in (fold.test, fold.train)]
        if "subject" in protocol:
            assert test.isdisjoint(others)
        else:
            assert test == others


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_unwritable_output_is_an_error_before_reading(monkeypatch, tmp_path, capsys, command):
    def read(*_args):
        raise AssertionError("was read first")

    monkeypatch.setattr("earmark.app.training.study.read_study", read)
    (tmp_path / "file").touch()
    begin = {
        "train": partial(train, [Path("x")], tmp_path / "file" / "decoder"),
        "evaluate": partial(evaluate, [Path("x")], html=tmp_path / "nowhere" / "page.html"),
    }
    with pytest.raises(typer.Exit):
        begin[command]()
    assert "cannot write" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_single_run_is_split_for_training():
    run = listen("r", "01", seconds=40)
    pieces = learnable([run])
    assert sum(len(piece.neural) for piece in pieces) == len(run.neural)
    assert min((piece.attended >= 0).sum() for piece in pieces) > 5 * run.sfreq
    slow = replace(EEG, sfreq=run.sfreq, high_hz=6.0)
    alone, both = LinearDecoder(slow).fit(pieces), LinearDecoder(slow).fit([run.part(0, 320), run.part(320, 640)])
    assert np.corrcoef(alone.weights.ravel(), both.weights.ravel())[0, 1] > 0.9
    assert learnable([run, run]) == [run, run]
    with pytest.raises(ValueError, match=r"training needs 2 runs or more, or one in which attention is known for 20 s"):
        learnable([run.part(0, 300)])


@pytest.mark.parametrize("suffix", ["edf", "bdf", "vhdr", "fif"])
def test_error_of_a_raw_recording_names_the_import_command(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(b"0       ")
    with pytest.raises(
        RunError, match=r"does not state who was attended, and is not part of a BIDS .* 'earmark import'"
    ):
        read_recording(path, EEG)


def test_error_of_a_file_that_is_not_a_run_names_the_import_command(tmp_path):
    path = tmp_path / "x.xdf"
    path.write_bytes(b"nonsense")
    words = rf"^{path} is not a run: it is not an XDF file: .*Make one with 'earmark import'"
    with pytest.raises(RunError, match=words):
        read_recording(path, EEG)

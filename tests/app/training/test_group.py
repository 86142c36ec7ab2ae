"""A group of other listeners for a short calibration: from their runs, or from a decoder that was trained on them."""

from __future__ import annotations

import tomllib

import pytest
import typer

from benchmarks.sessions import write_session
from earmark.app.commands.train import train
from earmark.app.config.session import parse_config
from earmark.app.session.training import TrainingError
from earmark.app.session.training import train as train_session
from earmark.devices.files.decoder_folder import TEXT, load_decoder

TRIALS = [("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0), ("Ada", 12.0)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One session each of three listeners, and a decoder of two of them."""
    root = tmp_path_factory.mktemp("study")
    for seed, who in enumerate(("alice", "bob", "carol")):
        write_session(root / "all" / who / "calibration-1.xdf", TRIALS, seed=seed)
    train([root / "all" / "bob", root / "all" / "carol"], root / "group")
    train([root / "all" / "bob"], root / "alone")
    return root


def chosen(folder):
    return tomllib.loads((folder / TEXT).read_text())["chosen"]


def test_listener_who_is_trained_is_not_in_the_group(study, tmp_path, capsys):
    train([study / "all" / "alice"], tmp_path / "d", group=study / "all")
    assert "the mean over 2 other listeners" in capsys.readouterr().out
    assert chosen(tmp_path / "d")["group_listeners"] == 2
    assert 0.5 < chosen(tmp_path / "d")["group_share"] < 0.8  # less than 48 s of 100


def test_decoder_of_others_gives_the_same_group(study, tmp_path):
    train([study / "all" / "alice"], tmp_path / "a", group=study / "all")
    train([study / "all" / "alice"], tmp_path / "b", group=study / "group")
    a, b = (load_decoder(tmp_path / one)[0] for one in "ab")
    assert a.arrays().keys() == b.arrays().keys()
    assert all(a.arrays()[name].tobytes() == b.arrays()[name].tobytes() for name in a.arrays())


def test_calibration_of_a_session_uses_the_group(study, tmp_path):
    text = '[streams.eeg]\nname = "a"\n[streams.speech]\nname = "b"\n[attention]\ngroup = "group"\n'
    config = parse_config(text, "x", study)
    files = [study / "all" / "alice" / "calibration-1.xdf"]
    assert config.group == study / "group"
    facts = train_session(files, config.attention, "cues", tmp_path / "d", config.group)
    assert "all" in facts.bands
    assert chosen(tmp_path / "d")["group_listeners"] == 2
    with pytest.raises(TrainingError, match="is not a filter bank that was trained on two listeners or more"):
        train_session(files, config.attention, "cues", tmp_path / "e", study / "alone")


@pytest.mark.parametrize(
    ("runs", "more", "words"),
    [
        ("alice", {"group": "alone"}, "is not a filter bank that was trained on two listeners or more: train one with"),
        ("bob", {"group": "group"}, r"group was trained on .*trial 1, .* name a decoder of other listeners, or"),
        ("alice", {"group": "all/alice"}, "has no runs of another listener"),
        ("alice", {"group": "nowhere"}, "nowhere: no such file"),
        ("alice", {"group": "group", "decoder": "linear"}, "--group is only for the filter bank, not for linear"),
    ],
)
def test_groups_that_cannot_be_are_refused(study, tmp_path, capsys, runs, more, words):
    with pytest.raises(typer.Exit):
        train([study / "all" / runs], tmp_path / "d", **{**more, "group": study / more["group"]})
    import re

    assert re.search(words, " ".join(capsys.readouterr().err.split()))
    assert not (tmp_path / "d").exists()

"""``earmark train`` with a network: progress, comparison with the linear decoder, resuming after a kill."""

from __future__ import annotations

import json
import signal
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from test_live_equals_replay import start
from test_run_file import recording

from earmark.app.commands.train import train
from earmark.app.training.network import settings
from earmark.app.training.runs import PresetName
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.run_file import Talker, write_run
from earmark.pipeline.run import Run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Write three runs of 40 s in which four channels follow the attended of two talkers, in noise."""
    folder = tmp_path_factory.mktemp("runs")
    for k in range(3):
        rng = np.random.default_rng(k)
        t = np.arange(40 * 250) / 250
        voices = []
        for _ in "ab":
            f, p = rng.uniform(2, 6, 40), rng.uniform(0, 6, 40)
            voices.append(np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1))
        x = rng.normal(0, 8, (len(t), 4)) + rng.normal(0, 12, (len(t), 1))
        x[25:] += voices[k % 2][:-25, None] * [1.0, -0.5, 0.7, -1.2]
        talkers = [Talker(name, voice[:, None], 250.0) for name, voice in zip("ab", voices, strict=True)]
        write_run(folder / f"run-{k}.xdf", recording(x), talkers, [(0.0, "ab"[k % 2])], "sub-1")
    return folder


def trained(runs, out, **options):
    """Run the command in this process; return the decoder and its facts."""
    train([runs], out, PresetName.EEG, "eegnet", epochs=2, seed=5, **options)
    return load_decoder(out)


def test_killed_training_resumes_with_the_same_result(runs, tmp_path, capsys):
    """The decoder equals that of an uninterrupted training, at whatever time the training is killed."""
    states = tmp_path / "broken.training"
    with start("train", runs, "--decoder", "eegnet", "--epochs", 2, "--seed", 5, "-o", tmp_path / "broken") as process:
        # Kill it while the second fold is being trained.
        while len(list(states.glob("*.json"))) < 2 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        output = process.stdout.read()
    assert "eegnet on 2 runs: epoch 1 of 2 at most" in output
    assert not (tmp_path / "broken").exists()
    assert {json.loads(path.read_text())["what"] for path in states.glob("*.json")} == {"eegnet on 2 runs"}
    broken, facts = trained(runs, tmp_path / "broken")
    assert "resuming after epoch" in capsys.readouterr().out
    assert not states.exists()

    whole, whole_facts = trained(runs, tmp_path / "whole")
    output = capsys.readouterr().out
    assert "resuming" not in output
    assert "The default decoder reaches" in output
    assert facts == whole_facts
    for name, value in whole.arrays().items():
        np.testing.assert_array_equal(broken.arrays()[name], value)
    assert facts.emissions is not None
    assert facts.linear_accuracy is not None
    table = tomllib.loads((tmp_path / "whole" / "decoder.toml").read_text())
    assert table["facts"]["experimental"] is (facts.accuracy <= facts.linear_accuracy)
    assert ("EXPERIMENTAL" in output) is facts.experimental

    tuned, _ = trained(runs, tmp_path / "tuned", base=tmp_path / "whole")
    assert any(not np.array_equal(tuned.arrays()[name], value) for name, value in whole.arrays().items())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("linear", {"any_cap": True}), "only for networks, and linear is not one"),
        (("eegnet", {"any_cap": True}), "--any-cap is for the matcher"),
        (("matcher", {"device": "tpu"}), "device is 'tpu'"),
        (("matcher", {"base": Path("nowhere")}), "nowhere"),
    ],
)
def test_contradictory_options_are_errors(runs, tmp_path, capsys, options, words):
    kind, given = options
    with pytest.raises(typer.Exit):
        train([runs], tmp_path / "d", PresetName.EEG, kind, **given)
    assert words in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "d").exists()


def test_matcher_gets_electrode_positions():
    run = Run("r", "s", 64.0, ("Cz", "Oz"), np.zeros((4, 2)), ("a",), np.zeros((1, 4, 1)), np.zeros(4, int), ("a",))
    given = settings("matcher", [run], None, True, 3, 1, "cpu")
    assert set(given["positions"]) == {"Cz", "Oz"}
    assert given["config"].epochs == 3
    assert not given["config"].mixed
    with pytest.raises(ValueError, match="lacks Nowhere"):
        settings("matcher", [replace(run, ch_names=("Cz", "Nowhere"))], None, True, 3, 1, "cpu")

"""``earmark train`` with a network: told, compared with the linear decoder, killed and gone on with."""

from __future__ import annotations

import json
import signal
import time
import tomllib

import numpy as np
import pytest
from test_live_equals_replay import earmark, start
from test_run_file import recording

from devices.decoder_folder import load_decoder
from devices.run_file import Talker, write_run
from pipeline.run import Run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs of 40 s in which four channels follow the attended of two talkers, in noise."""
    folder = tmp_path_factory.mktemp("runs")
    for k in range(3):
        rng = np.random.default_rng(k)
        t = np.arange(40 * 250) / 250
        voices = []
        for _ in "ab":
            f, p = rng.uniform(2, 6, 40), rng.uniform(0, 6, 40)
            voices.append(np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1))
        x = rng.normal(0, 8, (len(t), 4))
        x[25:] += voices[k % 2][:-25, None] * [1.0, -0.5, 0.7, -1.2]
        talkers = [Talker(name, voice[:, None], 250.0) for name, voice in zip("ab", voices, strict=True)]
        write_run(folder / f"run-{k}.xdf", recording(x), talkers, [(0.0, "ab"[k % 2])], "sub-1")
    return folder


def test_killed_and_gone_on_with(runs, tmp_path):
    """Whatever instant it is killed at, the decoder is the one of a training that was left alone."""
    options = (runs, "--decoder", "eegnet", "--epochs", 3, "--seed", 5)
    whole = earmark("train", *options, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert "eegnet on 2 runs: epoch 1 of 3 at most" in whole.stdout
    assert "The linear decoder reaches" in whole.stdout
    assert not (tmp_path / "whole.training").exists()

    states = tmp_path / "broken.training"
    with start("train", *options, "-o", tmp_path / "broken") as process:
        # Killed while the second fold is being trained.
        deadline = time.monotonic() + 100
        while len(list(states.glob("*.json"))) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert not (tmp_path / "broken").exists()
    assert {json.loads(path.read_text())["what"] for path in states.glob("*.json")} == {"eegnet on 2 runs"}
    again = earmark("train", *options, "-o", tmp_path / "broken")
    assert again.returncode == 0, again.stderr
    assert "going on after epoch" in again.stdout
    assert not states.exists()

    one, facts = load_decoder(tmp_path / "whole")
    other, other_facts = load_decoder(tmp_path / "broken")
    assert facts == other_facts
    assert facts.emissions is not None
    assert facts.linear_accuracy is not None
    for name, value in one.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], value)
    table = tomllib.loads((tmp_path / "whole" / "decoder.toml").read_text())
    assert table["facts"]["experimental"] is (facts.accuracy <= facts.linear_accuracy)
    assert ("EXPERIMENTAL" in whole.stdout) is facts.experimental

    tuned = earmark("train", *options, "--base", tmp_path / "whole", "-o", tmp_path / "tuned")
    assert tuned.returncode == 0, tuned.stderr
    found = earmark("evaluate", runs, "--kind", "eegnet", "--window", 2, "--json", tmp_path / "f.json")
    assert found.returncode == 0, found.stderr
    assert json.loads((tmp_path / "f.json").read_text())["decoder"] == "eegnet"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--decoder", "linear", "--any-cap"), "for networks, and linear is none"),
        (("--decoder", "matcher", "--any-cap"), "no standard montage"),
        (("--decoder", "eegnet", "--any-cap"), "--any-cap is for the matcher"),
        (("--decoder", "matcher", "--device", "tpu"), "device is 'tpu'"),
        (("--decoder", "matcher", "--base", "nowhere"), "nowhere"),
    ],
)
def test_what_does_not_go_together_is_said(runs, tmp_path, options, words):
    done = earmark("train", runs, *options, "-o", tmp_path / "d")
    assert done.returncode == 1
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "d").exists()


def test_the_matcher_knows_where_electrodes_are(tmp_path, monkeypatch):
    from app.runs import DecoderKind
    from app.train_network import settings

    run = Run("r", "s", 64.0, ("Cz", "Oz"), np.zeros((4, 2)), ("a",), np.zeros((1, 4, 1)), np.zeros(4, int), ("a",))
    given = settings(DecoderKind.MATCHER, [run], None, True, 3, 1, "cpu")
    assert set(given["positions"]) == {"Cz", "Oz"}
    assert given["config"].epochs == 3
    assert not given["config"].mixed

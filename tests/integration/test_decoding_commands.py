"""The commands import, train and evaluate on real EEG."""

import json

import numpy as np
import pytest
from rig import ROOT
from test_live_equals_replay import earmark

COCKTAIL = ROOT.parent / "shared" / "data" / "cocktail"
SPEECH = ROOT.parent / "shared" / "data" / "speech"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    if not COCKTAIL.exists():
        pytest.skip("the recordings of a real listener are not here")
    folder = tmp_path_factory.mktemp("runs")
    for k in range(1, 5):
        stem = COCKTAIL / f"sub-01_task-cocktail_run-0{k}"
        done = earmark(
            "import", f"{stem}_raw.fif", "--attended", "her", "-o", folder / f"run{k}.xdf",
            "--talker", f"her={stem}_envelopes.npz:attended:128", "--talker", f"him={stem}_envelopes.npz:ignored:128",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def test_decoder_is_trained_evaluated_and_refused_on_its_training_runs(runs, tmp_path):
    three = [runs / f"run{k}.xdf" for k in (1, 2, 3)]
    done = earmark("train", *three, "-o", tmp_path / "decoder")
    assert done.returncode == 0, done.stderr
    assert "Cross-validated (leave one run out)" in done.stdout
    facts = (tmp_path / "decoder" / "decoder.toml").read_text()
    assert "accuracy = 0." in facts
    again = earmark("evaluate", runs / "run4.xdf", "--decoder", tmp_path / "decoder", "--json", tmp_path / "f.json")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "f.json").read_text())["protocol"] == "trained-elsewhere"
    seen = earmark("evaluate", runs / "run2.xdf", "--decoder", tmp_path / "decoder")
    assert seen.returncode == 1
    assert "trained on run2" in seen.stderr
    weights = tmp_path / "decoder" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    broken = earmark("evaluate", runs / "run4.xdf", "--decoder", tmp_path / "decoder")
    assert broken.returncode == 1
    assert "damaged" in broken.stderr


def test_printed_figures_of_a_real_listener_equal_those_in_the_file(runs, tmp_path):
    done = earmark(
        "evaluate", runs, "--window", 1, "--window", 5, "--json", tmp_path / "f.json", "--html", tmp_path / "f.html"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    for key in ("r_attended", "r_ignored", "accuracy", "n_windows", "chance_limit", "null_accuracy", "mesd_s", "ece"):
        assert key in found
    assert found["r_attended"] > 0.09
    assert found["r_attended"] > 2 * found["r_ignored"]
    assert found["accuracy"]["1.0"] > found["chance_limit"]["1.0"], "above chance, with n in the hundreds"
    assert abs(found["null_accuracy"]["1.0"] - 0.5) < 0.05
    for window in ("1.0", "5.0"):
        assert f"{100 * found['accuracy'][window]:.1f}" in done.stdout
    live, smoothed = (100 * found[f"{which}_accuracy"] for which in ("posterior", "smoothed"))
    said = (
        f"Posterior: correct {live:.1f} % of the time, calibration error {found['ece']:.3f}; "
        f"with the 5 s that follow, {smoothed:.1f} % and {found['smoothed_ece']:.3f}"
    )
    assert said in " ".join(done.stdout.split())
    page = (tmp_path / "f.html").read_text()
    assert "<svg" in page
    assert "://" not in page.replace("http://www.w3.org", ""), "no external resources"


def test_sound_files_become_envelopes(tmp_path):
    if not SPEECH.exists():
        pytest.skip("the recordings of speech are not here")
    eeg = COCKTAIL / "sub-01_task-cocktail_run-01_raw.fif"
    voices = sorted(SPEECH.glob("1688/*.flac"))[0], sorted(SPEECH.glob("1998/*.flac"))[0]
    done = earmark(
        "import", eeg, "--talker", f"he={voices[0]}", "--talker", f"she={voices[1]}", "--attended", "he",
        "-o", tmp_path / "r.xdf",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sub-01" in (tmp_path / "r.xdf").read_bytes().decode("latin-1")


def test_mistakes_are_reported_without_a_traceback(tmp_path):
    np.savez(tmp_path / "e.npz", other=np.zeros(5))
    (tmp_path / "x.fif").write_bytes(b"")
    for words, said in (
        (("import", tmp_path / "x.fif", "--talker", "a", "-o", tmp_path / "r.xdf"), "x.fif"),
        (("train", tmp_path / "none.xdf", "-o", tmp_path / "d"), "no such file"),
        (("train", tmp_path, "-o", tmp_path / "d"), "contains no .xdf file"),
        (("train", tmp_path / "r.xdf", "-o", tmp_path), "exists already"),
        (("evaluate", tmp_path / "e.npz"), "not an XDF file"),
    ):
        found = earmark(*words)
        assert found.returncode == 1
        assert said in found.stderr
        assert "Traceback" not in found.stderr
    assert not (tmp_path / "r.xdf").exists()

"""``earmark evaluate-scene``: small evaluations from speech to JSON and HTML, and what is refused."""

import importlib.util
import json

import numpy as np
import pytest
from mixtures import speech as noise_like_speech
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.report.scene_page import scene_html, spread
from earmark.app.scenes.attention import PROTOCOL, of_row
from earmark.app.scenes.evaluation import FIGURES, Evaluating
from earmark.app.scenes.plan import RowKey, Settings
from earmark.app.terminal.console import console
from earmark.devices.files.corpus import InProcess
from earmark.devices.files.talker_speech import find_voices, pair_up
from earmark.testing.decoders import made_up_run

needs_scene = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("pyroomacoustics", "pystoi")),
    reason="pyroomacoustics or pystoi (extra scene) is not installed",
)
needs_pesq = pytest.mark.skipif(importlib.util.find_spec("pesq") is None, reason="pesq (extra pesq) is not installed")


@pytest.fixture(autouse=True)
def text_on_standard_output():
    """Undo what ``--json -`` does to the console of this process."""
    yield
    console.stderr = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two talkers who say 40 s each."""
    soundfile = pytest.importorskip("soundfile")
    place = tmp_path_factory.mktemp("speech")
    for seed, name in enumerate(("ann", "bea")):
        soundfile.write(place / f"{name}.wav", 0.05 * noise_like_speech(40, seed), 16000, subtype="FLOAT")
    return place


def invoke(*arguments, status=0):
    done = CliRunner().invoke(app, ["evaluate-scene", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done


@pytest.fixture(scope="module")
def two_pairs(folder, tmp_path_factory):
    """A small evaluation: what the command wrote and showed."""
    out = tmp_path_factory.mktemp("found")
    done = invoke(
        "--speech", folder, "--arrays", "ears2", "--rt60", "0.2", "--pairs", 2, "--seconds", 6, "--separators", "beams",
        "--json", out / "scene.json", "-o", out / "scene.html",
    )  # fmt: skip
    return json.loads((out / "scene.json").read_text()), (out / "scene.html").read_text(), done.output


@needs_scene
def test_layout_of_the_results(two_pairs):
    found, _, _ = two_pairs
    assert list(found) == ["schema", "whole", "about", "rows", "notes"]
    assert (found["schema"], found["whole"]) == (1, True)
    assert set(found["about"]) == {
        "pairs", "seeds", "seconds", "skipped_s", "arrays", "rt60_s", "separators", "listeners", "windows_s", "decoder",
        "protocol", "asked_db", "distance_m", "noise_db", "directions_wrong_deg", "transform_s", "environment",
    }  # fmt: skip
    assert found["about"]["arrays"] == {"ears2": 2}
    assert [(row["row"], row["directions"]) for row in found["rows"]] == [
        ("clean talkers", None), ("mixture", None), ("oracle mask", None), ("beams", "known"), ("beams", "tracked"),
    ]  # fmt: skip
    for row in found["rows"]:
        assert list(row) == ["row", "array", "microphones", "rt60_s", "directions", "figures", "attention"]
        assert tuple(row["figures"]) == FIGURES
        for one in row["figures"].values():
            assert one is None or set(one) == {"mean", "low", "high", "n", "values"}
    assert "2 pairs, but 3 are needed" in found["notes"][0]


@needs_scene
def test_figures_are_in_order(two_pairs):
    clean, mixed, oracle, known, tracked = (row["figures"] for row in two_pairs[0]["rows"])
    assert clean["delivered_db"]["mean"] == 12
    assert (clean["si_sdri_db"], clean["estoi"]) == (None, None)
    assert mixed["delivered_db"]["mean"] == mixed["si_sdri_db"]["mean"] == 0
    assert mixed["swaps"] is None
    for name in ("si_sdri_db", "delivered_db", "estoi", "envelope_own"):
        assert mixed[name]["mean"] < known[name]["mean"] < oracle[name]["mean"]
        assert known[name]["low"] <= known[name]["mean"] <= known[name]["high"]
        assert known[name]["mean"] == pytest.approx(np.mean(known[name]["values"]))
    assert known["near"]["mean"] == 1
    assert known["swaps"]["mean"] == 0
    assert tracked["delay_ms"]["mean"] == known["delay_ms"]["mean"] == 8
    assert tracked["real_time_factor"]["mean"] > 0


@needs_scene
@needs_pesq
def test_pesq_is_within_its_scale(two_pairs):
    for row in two_pairs[0]["rows"][1:]:
        assert 1 <= row["figures"]["pesq"]["mean"] <= 4.65


@needs_scene
def test_page_and_terminal_show_the_figures(two_pairs):
    found, page, shown = two_pairs
    assert page == scene_html(found)
    delivered = found["rows"][3]["figures"]["delivered_db"]
    assert f"{delivered['mean']:.1f} <small>" in page
    assert "Reverberation of 0.2 s" in page
    assert "<script" not in page
    assert "://" not in page
    for text in ("tracked", "oracle", f"{delivered['mean']:.1f}"):
        assert text in shown
    assert scene_html({**found, "whole": False}).count("Interrupted") == 1


@needs_scene
def test_attention_is_decoded_from_other_pairs_with_the_same_eeg(folder):
    pairs = tuple(pair_up(find_voices(folder), 3, 10.0))
    settings = Settings(pairs, ("glasses6",), (0.0,), ("beams",), ("easy",), 1, 10.0, "linear")
    steps = []
    evaluating = Evaluating(settings, InProcess(), lambda done, of: steps.append((done, of)))
    evaluating.run()
    assert steps[-1] == (9, 9)
    found = json.loads(json.dumps(evaluating.to_json()))
    assert found["about"]["protocol"] == PROTOCOL
    clean, mixed, *rows = found["rows"]
    assert mixed["attention"] == {}
    best = clean["attention"]["easy"]["2"]["clean/clean"]
    assert best["mean"] > best["chance_limit"]
    for row in rows:
        assert list(row["attention"]["easy"]) == ["1", "2", "5"]
        for by_window, reference in zip(
            row["attention"]["easy"].values(), clean["attention"]["easy"].values(), strict=True
        ):
            assert list(by_window) == ["clean/separated", "separated/separated"]
            for one in by_window.values():
                assert one["decisions"] == reference["clean/clean"]["decisions"]
                assert one["loss"]["mean"] == pytest.approx(reference["clean/clean"]["mean"] - one["mean"])
    page = scene_html(found)
    assert "Attention: easy" in page
    assert spread(best, 1, percent=True).partition(" ")[0] in page


def test_rows_of_a_run_are_its_talkers_two_by_two():
    run = made_up_run(0, n_talkers=6)
    for row in (-1, 0, 1):
        np.testing.assert_array_equal(of_row(run, row).talkers, run.talkers[2 * row + 2 : 2 * row + 4])
        assert of_row(run, row).neural is run.neural


def test_interrupted_evaluation_keeps_what_was_finished(folder):
    """The second room is interrupted."""

    class Ends:
        calls = 0

        def run(self, work, items, folds, progress):
            self.calls += 1
            if self.calls > 1:
                raise KeyboardInterrupt
            return [{RowKey("ears2", 0.0, "beams", "known"): Row()} for _ in items]

    class Row:
        figures = {"delivered_db": 5.0}  # noqa: RUF012
        envelopes = None

    pairs = tuple(pair_up(find_voices(folder), 2, 6.0))
    evaluating = Evaluating(Settings(pairs, ("ears2",), (0.0, 0.3), ("beams",), ("easy",), 1, 6.0, "linear"), Ends())
    with pytest.raises(KeyboardInterrupt):
        evaluating.run()
    found = evaluating.to_json()
    assert found["whole"] is False
    assert [row["rt60_s"] for row in found["rows"]] == [0.0]
    assert found["rows"][0]["figures"]["delivered_db"]["mean"] == 5
    assert "Interrupted" in scene_html(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--arrays", "glasses7"), "there is no 'glasses7': choose from glasses6"),
        (("--arrays", ","), "--arrays is empty"),
        (("--rt60", "soon"), "'soon' is no number of seconds"),
        (("--rt60", "0.01"), "give 0, or 0.15 to 1 s"),
        (("--listener", "me"), "there is no 'me': choose from easy"),
        (("--separators", "magic"), "there is no 'magic': choose from beams"),
        (("--speech", "nowhere"), "nowhere: no such folder"),
        (("--pairs", 50, "--seconds", 30), "give fewer pairs, fewer seconds, or more speech"),
    ],
)
@needs_scene
def test_what_cannot_be_is_refused_before_anything_is_simulated(arguments, words):
    done = CliRunner().invoke(app, ["evaluate-scene", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code in (1, 2)
    assert words in " ".join(done.output.replace("│", " ").split())


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("earmark.kernels.extras.find_spec", lambda name: None)
    assert "pip install '.[scene]'" in " ".join(invoke(status=1).output.split())

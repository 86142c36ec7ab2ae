"""Every example runs and does what it describes."""

import importlib.util
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sessions import write_session
from earmark.app.commands.train import train
from earmark.app.config.session import load_config
from earmark.app.session.channel import Server
from earmark.devices import load_decoder
from earmark.pipeline import Block, Gap, StreamSpec

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SOUNDS = [ROOT / "app" / "speech" / f"{name}.ogg" for name in ("joe", "ada")]


def example(name):
    """Import an example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "runs"
    example("simulate_runs").main(folder, seconds=20.0)
    return sorted(folder.glob("run-*.xdf"))


@pytest.fixture(scope="module")
def decoder(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "decoder"
    example("train").main(runs[1:], folder)
    return folder


def test_every_example_is_listed_and_tested():
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md", "__pycache__"}
    listed = set(re.findall(r"^\| `([\w.-]+)", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert files == listed
    text = Path(__file__).read_text()
    assert all(Path(name).stem in text for name in files)


def test_read_recording(runs, capsys, caplog):
    example("read_recording").main(runs[0])
    assert "64 channels, 500 Hz, 20.0 s" in capsys.readouterr().out
    assert caplog.messages == [], "no warnings"


def test_evaluate(runs):
    found = example("evaluate").main(runs)
    assert found.accuracy[2.0] > found.chance_limit[2.0], "an easy listener"


def test_train(runs, decoder):
    loaded, facts = load_decoder(decoder)
    assert loaded.kind == "linear"
    assert facts.n_decisions > 0
    assert facts.accuracy > facts.chance_limit


def test_custom_node(capsys):
    module = example("custom_node")
    module.main()
    assert "500 samples" in capsys.readouterr().out
    x = np.random.default_rng(1).normal(0, 10, (200, 2)).cumsum(axis=0)
    whole, cut = drifted(module, [Block(0, x)]), drifted(module, [Block(0, x[:77]), Block(77, x[77:])])
    np.testing.assert_array_equal(whole, cut)
    after = drifted(module, [Block(0, x), Gap(200, 300), Block(300, x)])
    np.testing.assert_array_equal(after[200:], whole)


def drifted(module, items):
    node = module.Drift(module.DriftConfig())
    node.open(StreamSpec("eeg", 250.0, ("C3", "C4"), ("eeg", "eeg"), ("uV", "uV")))
    return np.concatenate([one.data for item in items for one in node.process(item) if isinstance(one, Block)])


def test_custom_panel(qtbot):
    pytest.importorskip("pyqtgraph")
    from earmark.app.dashboard.data.history import History
    from earmark.app.dashboard.data.recent import Recent
    from earmark.app.dashboard.data.snapshot import Snapshot

    module = example("custom_panel")
    panel = module.NextCue()
    qtbot.addWidget(panel)
    for seconds, words in ((11.7, "in 12 s"), (float("nan"), "no cue is planned")):
        panel.refresh(module.View(Snapshot(next_cue_s=seconds), History(), Recent()))
        assert panel.reading.full_text == words


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_the_custom_panel():
    pytest.importorskip("pyqtgraph")
    script = f"""if 1:
        import runpy
        from PySide6.QtWidgets import QApplication
        execute = QApplication.exec
        QApplication.exec = lambda app: (print("shown", flush=True), execute())
        runpy.run_path({str(EXAMPLES / "custom_panel.py")!r}, run_name="__main__")
    """
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == "shown\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == -signal.SIGINT


@pytest.mark.parametrize(
    ("name", "place"), [("custom_panel", "app/dashboard/panels/mine.py"), ("custom_node", "pipeline/nodes/mine.py")]
)
def test_the_class_that_a_tutorial_shows_passes_ruff_in_its_place(name, place):
    shown = (EXAMPLES / f"{name}.py").read_text().partition("def main")[0].rstrip() + "\n"
    command = [sys.executable, "-m", "ruff", "check", "--stdin-filename", place, "-"]
    done = subprocess.run(command, cwd=ROOT, input=shown, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    ["control_session", "evaluate", "play_and_decode", "read_decisions", "read_recording", "simulate_runs", "train"],
)
def test_without_arguments_an_example_says_how_it_is_used(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: {name}.py [-h] ")


def test_runs_are_simulated_only_into_a_new_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simulate_runs.py", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / "simulate_runs.py"), run_name="__main__")
    assert ended.value.code == 2
    assert f"{tmp_path} exists: name a new folder" in capsys.readouterr().err


def test_simulating_runs_shows_no_log_of_liblsl(tmp_path):
    command = [sys.executable, str(EXAMPLES / "simulate_runs.py"), str(tmp_path / "runs"), "2"]
    environment = {key: value for key, value in os.environ.items() if key != "LSLAPICFG"} | {"HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    assert "INFO|" not in done.stderr


def test_play_and_decode(runs, decoder):
    decided = example("play_and_decode").main(runs[0], decoder, SOUNDS, seconds=12.0)
    assert len(decided) >= 4
    assert np.mean(np.array(decided) == 1) >= 0.8, "run-1 attends to the second talker"


def test_read_decisions(tmp_path):
    write_session(tmp_path / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([tmp_path / "calibration-1.xdf"], tmp_path / "decoder")
    write_session(tmp_path / "loop.xdf", (("Joe", 10.0), ("Ada", 10.0)), seed=3, decoder=tmp_path / "decoder")
    arrays = example("read_decisions").main(tmp_path)
    n = len(arrays["time"])
    assert n > 10
    assert (np.diff(arrays["time"]) > 0).all()
    assert arrays["gains"].shape == arrays["probability"].shape == (n, 2)
    np.testing.assert_allclose(arrays["probability"].sum(axis=1), 1.0)


def test_control_session(tmp_path):
    commands = []

    def handle(command, arguments):
        commands.append((command, arguments))
        return {"state": "running"} if command == "state" else None

    server = Server(tmp_path, handle, {})
    try:
        example("control_session").main(tmp_path)
    finally:
        server.close()
    assert commands == [("state", {}), ("master", {"db": -6.0}), ("note", {"text": "6 dB down"})]


@pytest.mark.parametrize(
    ("name", "ch_type", "sfreq"), [("scalp-eeg", "eeg", 500.0), ("seeg", "seeg", 1000.0), ("filter", "eeg", 500.0)]
)
def test_example_sessions_open_on_their_streams(name, ch_type, sfreq):
    config = load_config(EXAMPLES / f"{name}.toml")
    kinds = {
        "eeg": (ch_type, sfreq, 4),
        "speech": ("misc", 64.0, 2),
        "cues": ("misc", 0.0, 1),
        "markers": ("misc", 0, 1),
    }
    specs = {}
    for stream in config.streams:
        kind, rate, n = kinds[stream]
        names = tuple(f"{'A' if kind == 'seeg' else 'C'}{k}" for k in range(1, n + 1))
        specs[stream] = StreamSpec(stream, rate, names, (kind,) * n, ("uV" if stream == "eeg" else "",) * n)
    outputs = config.graph().open(config.sources(specs))
    assert outputs

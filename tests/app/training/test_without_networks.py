"""Without PyTorch, everything but networks works, and commands that need it name the extra to install."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from without_torch import without_torch

from benchmarks.sessions import write_session
from earmark.app.doctor import media

EXTRA = "pip install '.[networks]'"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write a calibration; commands run in its folder."""
    folder = tmp_path_factory.mktemp("without")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    return folder


@pytest.fixture(scope="module")
def earmark(place):
    environment = without_torch(place / "hidden", {**os.environ, "COLUMNS": "200"})

    def run(*words):
        command = [sys.executable, "-m", "earmark.app.cli", *words]
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def decoder(place, earmark):
    done = earmark("train", "calibration-1.xdf", "-o", "decoder")
    assert done.returncode == 0, done.stderr
    return place / "decoder"


def test_torch_is_hidden(place, earmark):
    code = "import importlib.util; print(importlib.util.find_spec('torch'))"
    environment = without_torch(place / "again", dict(os.environ))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


def test_run_is_recorded_replayed_and_evaluated(place, earmark, decoder):
    write_session(place / "run-1" / "loop.xdf", (("Joe", 10.0), ("Ada", 10.0)), seed=3, decoder=decoder)
    for words in (("report", "run-1"), ("replay", "run-1"), ("evaluate", "run-1", "--decoder", "decoder")):
        done = earmark(*words)
        assert done.returncode == 0, (words, done.stderr)


def test_network_error_names_the_extra(place, earmark, decoder):
    folder = place / "network"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes((decoder / "weights.safetensors").read_bytes())
    text = re.sub(r'kind = "filterbank"', 'kind = "matcher"', (decoder / "decoder.toml").read_text())
    (folder / "decoder.toml").write_text(text)
    for words in (
        ("train", "calibration-1.xdf", "-o", "other", "--decoder", "matcher"),
        ("evaluate", "calibration-1.xdf", "--decoder", "network"),
        ("compile", "network"),
    ):
        done = earmark(*words)
        assert done.returncode == 1, (words, done.stderr)
        assert done.stderr.startswith("error: "), done.stderr
        assert EXTRA in done.stderr


def test_doctor_names_the_extra(monkeypatch):
    monkeypatch.setattr(media, "_has_torch", lambda: False)
    for check in (media.gpu(), media.backend("eager_cpu")):
        assert check.status == "absent"
        assert EXTRA in check.found
    assert np.all([media.backend(name).status == "absent" for name in ("onnx", "inductor")])

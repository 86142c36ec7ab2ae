"""TensorRT compiles every network into one engine, at both precisions; this needs no GPU, as engines are not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from small_networks import KINDS

HERE = Path(__file__).parent
PRECISIONS = ("float32", "float16")


@pytest.fixture(scope="module")
def found():
    if missing := [name for name in ("torch_tensorrt", "tensorrt_rtx") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (make tensorrt)")
    path = os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, str(HERE / "without_gpu.py")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_operator_of_our_networks_is_convertible(found):
    reports = {name: report for name, report in found.items() if name.endswith(PRECISIONS)}
    names = (*KINDS, "matcher", "VLAAI-like", "EEGNet-like")
    assert set(reports) == {f"{name} {precision}" for name in names for precision in PRECISIONS}
    for name, report in reports.items():
        assert (report["n_engines"], report["fallback"]) == (1, []), name
        assert report["n_operators"] > 0
        if not name.startswith(("VLAAI", "EEGNet")):
            assert report["n_bytes"] > 10_000, f"{name}: no engine was built"


def test_operator_without_converter_is_named_and_rejected(found):
    assert "torch.ops.aten._fft_r2c.default" in found["not convertible"]["fallback"]
    assert "the network is not one engine" in found["refused"]
    assert "torch.ops.aten._fft_r2c.default" in found["refused"]

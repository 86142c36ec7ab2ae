"""The script that verifies GPUs, run on the CPU."""

from __future__ import annotations

import importlib
import time

import pytest
import torch

from earmark.devices.files.engine_cache import EngineCache
from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.backend import Policy

gpu = importlib.import_module("benchmarks.gpu")
NETWORK = gpu.Small(4, 96).eval()
EXAMPLE = (torch.randn(1, 4, 96, generator=torch.Generator().manual_seed(0)),)


@pytest.mark.parametrize("name", ["onnx", "eager_cpu"])
def test_backend_is_verified(name, tmp_path):
    if reason := BACKENDS[name].absent():
        pytest.skip(reason)
    row, network = gpu.verify(BACKENDS[name], "small", NETWORK, EXAMPLE, Policy(), EngineCache(tmp_path / "e"))
    assert row["ok"], row
    assert network.info().backend == name
    assert row["lies_believed"] == []
    assert row["found_on_disk"] == (name == "onnx")
    assert row["parity_error"] < 1e-4


def test_unsupported_precision_fails_with_the_reason(tmp_path):
    row, network = gpu.verify(
        BACKENDS["eager_cpu"], "small", NETWORK, EXAMPLE, Policy("float16"), EngineCache(tmp_path / "e")
    )
    assert network is None
    assert not row["ok"]
    assert "computes in float32" in row["error"]


def test_failure_of_one_backend_does_not_stop_the_others(tmp_path, monkeypatch):
    def breaks(*_):
        raise TypeError("never seen")

    monkeypatch.setattr(BACKENDS["onnx"], "build", breaks)
    monkeypatch.setattr(gpu, "_n", lambda _: 10)
    monkeypatch.setattr(gpu, "BEGUN", time.monotonic())  # instead of the time of collection
    report = {"skipped": [], "verified": [], "latency": []}
    gpu.examine("small", NETWORK, EXAMPLE, {"n_channels": 4}, EngineCache(tmp_path / "e"), report)
    rows = {row["backend"].split()[0]: row for row in report["verified"]}
    assert rows["eager_cpu"]["ok"]
    if not BACKENDS["onnx"].absent():
        assert not rows["onnx"]["ok"]
        assert "TypeError: never seen" in rows["onnx"]["error"]
    assert {row["load"] for row in report["latency"]} == {"idle", "busy"}


def test_gpu_requirements():
    def row(run_by, p99, graph):
        common = {"network": "matcher-like", "n_channels": 64, "load": "idle"}
        return {**common, "run_by": run_by, "p99": p99, "graph": graph}

    launched, graph, cpu = (
        row(gpu.LAUNCHED, 1800.0, False),
        row("eager_cuda float32", 500.0, True),
        row("onnx", 9.0, False),
    )
    assert set(gpu.demands([]).values()) == {None}
    assert set(gpu.demands([cpu]).values()) == {None}, "figures of a CPU do not count"
    held = [value for name, value in gpu.demands([launched, graph, cpu]).items() if name.endswith("64 ch")]
    assert held == [True, True]
    held = [
        value for name, value in gpu.demands([launched, {**graph, "p99": 1200.0}]).items() if name.endswith("64 ch")
    ]
    assert held == [False, False]

"""``earmark bench decoder``: there is one labelled figure for every available backend."""

from __future__ import annotations

import importlib
import json
import time

import numpy as np
import pytest
import typer
from faulty_backends import NotFinite
from small_networks import made
from typer.testing import CliRunner

from earmark.devices.processes.latency import measure
from earmark.kernels.runtime import BACKENDS

bench = importlib.import_module("earmark.app.bench.decoder")  # the package has a command of the same name
FIGURES = ("p50", "p99", "p999", "max")


@pytest.fixture
def small(monkeypatch):
    def make(n_channels, sfreq, window):
        return made("convolutions", n_channels, round(window * sfreq))

    monkeypatch.setattr(bench, "networks", lambda: {"small": make})
    monkeypatch.setattr(bench, "SHAPES", ((4, 64.0), (8, 100.0)))


def test_every_decoder_on_every_backend_idle_and_under_load(small, tmp_path):
    command = typer.Typer()
    command.command()(bench.decoder)
    result = CliRunner().invoke(command, ["-n", "100", "--json", str(tmp_path / "x.json")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "x.json").read_text())
    here = [name for name, backend in BACKENDS.items() if not backend.absent()]
    rows = {(r["decoder"], r["n_channels"], r["sfreq"], r["backend"], r["load"]): r for r in found["results"]}
    assert set(rows) == {
        (decoder, *shape, backend, load)
        for shape in ((4, 64.0), (8, 100.0))
        for decoder, backends in (("filterbank", ["NumPy"]), ("linear", ["NumPy"]), ("small", here))
        for backend in backends
        for load in ("idle", "busy")
    }
    for row in rows.values():
        times = [row[key] for key in FIGURES]
        assert times == sorted(times)
        assert times[0] > 0
        assert row["n"] == 100
        assert row["backend"] == "NumPy" or row["parity_error"] < 1e-4
    assert set(found["absent"]) == set(BACKENDS) - set(here)


def test_backend_with_wrong_output_is_not_measured(small, monkeypatch):
    loads = BACKENDS["eager_cpu"].load
    monkeypatch.setattr(BACKENDS["eager_cpu"], "load", lambda *args: NotFinite(loads(*args)))
    rows = bench.case("small", 4, 64.0, 100)
    refused = [row for row in rows if "not_measured" in row]
    assert [row["backend"] for row in refused] == ["eager_cpu"]
    assert "not finite" in refused[0]["not_measured"]
    assert not any(row["backend"] == "eager_cpu" for row in rows if "p50" in row)


def test_times_are_per_call():
    calls = {"slow": 0, "quick": 0}

    def slow():
        calls["slow"] += 1
        time.sleep(0.002)

    def quick():
        calls["quick"] += 1

    found = measure({"slow": slow, "quick": quick}, 100)
    assert found["slow"].p50 > 2000 > found["slow"].cpu_p50, "sleep costs no processor time"
    assert found["quick"].p50 < 2000
    assert found["slow"].p50 <= found["slow"].p99 <= found["slow"].p999 <= found["slow"].max
    assert calls["slow"] == calls["quick"] >= 150


@pytest.mark.parametrize("name", ["matcher", "VLAAI-like", "EEGNet-like"])
def test_decoder_networks_pass_the_parity_gate_on_every_backend(name):
    module, example = bench.networks()[name](16, 64.0, 1.0)
    rows = bench.on_every_backend(module, example, 10)
    assert [row["backend"] for row in rows if "not_measured" in row] == []
    assert {row["backend"] for row in rows} == {each for each, backend in BACKENDS.items() if not backend.absent()}
    assert all(row["parity_error"] < 1e-4 for row in rows)


@pytest.mark.skipif(bool(BACKENDS["onnx"].absent()), reason=f"onnx: {BACKENDS['onnx'].absent()}")
def test_onnx_is_not_slower_than_eager():
    """Compare CPU time, which does not depend on the machine's load; ONNX has a margin of more than a factor of 2."""
    module, example = made("convolutions")
    rows = {row["backend"]: row for row in bench.on_every_backend(module, example, 100) if row["load"] == "idle"}
    assert rows["onnx"]["cpu_p50"] <= rows["eager_cpu"]["cpu_p50"]


@pytest.mark.parametrize("kind", ["filterbank", "linear"])
def test_linear_decoder_scores_both_talkers(kind):
    decision = bench.linear()[kind](4, 64.0)
    for one in (*decision(), *decision()):  # every hop completes a window
        assert one.scores.shape == (2,)
        assert np.isfinite(one.scores).all()
        assert np.ptp(one.scores) > 0
    assert len(decision()) == 1

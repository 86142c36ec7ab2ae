"""Compiling a decoder before a session: what is ready, what is refused, and what needs no compilation."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import numpy as np
import pytest
import typer
from planted import SMALL, planted
from small_networks import made
from typer.testing import CliRunner

from earmark.app.commands.compile import BackendName, PrecisionName, compile_decoder, real_windows
from earmark.app.training.study import Study
from earmark.devices.files.decoder_folder import Facts, save_decoder
from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.backend import TOLERANCE
from earmark.pipeline.decoders.linear import LinearDecoder, make_spec

onnx_only = pytest.mark.skipif(bool(BACKENDS["onnx"].absent()), reason=f"onnx: {BACKENDS['onnx'].absent()}")


class Decoder:
    """A decoder made of a network."""

    kind = "attention"

    preset = SMALL

    def network(self, n_talkers):
        assert n_talkers == 2
        return made("attention", n_channels=8, n_samples=96)


def run(*arguments):
    command = typer.Typer()
    command.command()(compile_decoder)
    return CliRunner().invoke(command, ["d", *arguments])


@pytest.fixture
def network(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setattr("earmark.devices.files.decoder_folder.load_decoder", lambda _: (Decoder(), None))
    return tmp_path


def test_backends_and_precisions_are_those_of_the_runtime():
    assert [name.value for name in BackendName] == list(BACKENDS)
    assert [name.value for name in PrecisionName] == list(TOLERANCE)


def test_linear_decoder_needs_no_compilation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [planted(i) for i in range(2)]
    save_decoder(tmp_path / "d", LinearDecoder(SMALL, [1.0], [0.0]).fit(runs), Facts(0.6, 0.5, 10, (), 80.0))
    result = run()
    assert result.exit_code == 0
    assert "d is a linear decoder: it runs in NumPy" in result.output


def test_missing_decoder_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 1
    assert "d: no such folder" in result.output


@onnx_only
def test_second_compilation_uses_the_cache(network):
    first, second = run("--backend", "onnx"), run("--backend", "onnx")
    assert first.exit_code == second.exit_code == 0, first.output + second.output
    assert "MB, built" in first.output
    assert "from the cache" in second.output
    assert "MB, built" not in second.output
    assert len(list(network.rglob("*.engine"))) == 1


def test_every_available_backend_is_used_by_default(network):
    result = run()
    assert result.exit_code == 0, result.output
    for name, backend in BACKENDS.items():
        assert (f"{name} " in result.output) == (not backend.absent()), "unavailable backends are not shown"


def test_requested_but_unavailable_backend_is_an_error(network):
    if not BACKENDS["tensorrt"].absent():
        pytest.skip("TensorRT is available")
    result = run("--backend", "tensorrt", "--backend", "eager_cpu")
    assert result.exit_code == 1
    assert "not ready: tensorrt" in result.output
    if find_spec("torch_tensorrt") is None:
        assert ".[tensorrt]" in result.output
    assert "ready" in result.output


def test_precision_without_an_available_backend_is_an_error(network):
    if any(not one.absent() and "float16" in one.precisions for one in BACKENDS.values()):
        pytest.skip("a GPU is available")
    result = run("--precision", "float16")
    assert result.exit_code == 1
    assert "no available backend computes in float16: choose another --precision" in result.output


def test_backend_with_wrong_results_is_not_ready(network, monkeypatch):
    from faulty_backends import Swapped

    loads = BACKENDS["eager_cpu"].load
    monkeypatch.setattr(BACKENDS["eager_cpu"], "load", lambda *args: Swapped(loads(*args)))
    result = run("--backend", "eager_cpu")
    assert result.exit_code == 1
    assert "not used" in result.output
    assert "not ready: eager_cpu" in result.output


def test_networks_are_checked_on_windows_of_a_recording(network, monkeypatch):
    recorded = [planted(0, n_channels=8), planted(1, n_channels=8, seconds=4.0), planted(2, n_channels=8, seconds=1.0)]
    monkeypatch.setattr("earmark.app.training.study.read_study", lambda paths, preset: Study(recorded))
    monkeypatch.setattr(Decoder, "spec", make_spec("attention", recorded[0], SMALL), raising=False)
    result = run("--backend", "eager_cpu", "--run", "r.xdf")
    assert result.exit_code == 0, result.output
    assert "Checked on 8 windows of recordings" in result.output, "the third is too short"
    assert "Checked on noise" in run("--backend", "eager_cpu").output
    found = real_windows([], Decoder(), Decoder().network(2)[1])
    assert [x.shape for x in found[0]] == [(1, 8, 96), (2, 1, 96)]
    np.testing.assert_array_equal(found[0][0][0, 3], recorded[0].neural[:96, 3].astype(np.float32))
    np.testing.assert_array_equal(found[3][1][1, 0], recorded[0].talkers[1, -96:, 0].astype(np.float32))
    recorded[:] = [planted(0, n_channels=7)]
    result = run("--run", "r.xdf")
    assert result.exit_code == 1
    assert "channels missing: E8" in result.output
    recorded[:] = [planted(0, n_channels=8, seconds=1.0)]
    assert "no recording holds 96 samples" in run("--run", "r.xdf").output


def test_missing_recording_is_an_error(network):
    result = run("--run", "nowhere.xdf")
    assert result.exit_code == 1
    assert "nowhere.xdf: no such file" in result.output


def test_compile_is_a_command():
    cli = importlib.import_module("earmark.app.command_line")
    assert CliRunner().invoke(cli.app, ["compile", "--help"]).exit_code == 0

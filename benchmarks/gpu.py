"""Verify the network runtime on a machine with a CUDA GPU in under ten minutes, and write the results as JSON.

Needs only PyTorch and NumPy; if Triton, TensorRT or TensorRT-RTX are installed, they are verified too. From the root of
the repository::

    python -m benchmarks.gpu gpu.json

For every available backend, network and precision it verifies the outputs against a float64 reference, the detection of
wrong outputs, and the reuse of the engine on disk, and measures the latency from host memory to host memory, idle and
with a busy core. Without a GPU it does the same on the CPU, which tests the script. Exit status: 0 if everything that
could be verified holds, else 1.
"""

from __future__ import annotations

import sys
import types
from importlib.util import find_spec
from pathlib import Path

if find_spec("lazy_loader") is None:  # on a minimal machine: only public names need it
    sys.modules["lazy_loader"] = types.ModuleType("lazy_loader")
    sys.modules["lazy_loader"].attach_stub = lambda *_: (None, None, [])  # type: ignore[attr-defined]
if find_spec("earmark") is None:  # this package need not be installed
    sys.modules["earmark"] = types.ModuleType("earmark")
    sys.modules["earmark"].__path__ = [str(Path(__file__).parents[1])]

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app  # noqa: F401

# isort: split
import copy
import json
import os
import platform
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from earmark.devices.files.engine_cache import EngineCache
from earmark.devices.processes.latency import busy_core, measure
from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.backend import Arrays, Backend, BackendError, Network, Policy, Tensors, as_tuple
from earmark.kernels.runtime.cuda import no_cuda
from earmark.kernels.runtime.parity import ParityError, check
from earmark.kernels.runtime.precision import tensor_cores

#: Channels, rate in Hz.
SHAPES = ((64, 64.0), (128, 100.0))
WINDOW_S, N_TALKERS = 5.0, 2
N = 2000
#: Seconds after which nothing more is compiled.
BUDGET_S, BEGUN = 420.0, time.monotonic()
#: Requirements on the network that decides live.
MATCHER, LEAST_GAIN, MOST_P99_US = "matcher", 3.0, 1000.0
LAUNCHED = "launched one by one"


class Matcher(nn.Module):
    """A network similar to the matcher, for machines without SciPy and Numba, which the decoders need.

    Dilated causal convolutions on the neural side, fewer on the speech side, correlation over the window: 1.2 million
    parameters.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.front = nn.Conv1d(n_channels, 256, 1)
        self.blocks = nn.ModuleList(nn.Conv1d(256, 256, 3, dilation=2**i) for i in range(5))
        self.norms = nn.ModuleList(nn.BatchNorm1d(256) for _ in range(5))
        self.back = nn.Conv1d(256, 16, 1)
        self.speech = nn.Sequential(nn.Conv1d(1, 32, 32), nn.GELU(), nn.Conv1d(32, 16, 32))

    def forward(self, neural: torch.Tensor, talkers: torch.Tensor) -> torch.Tensor:
        """Score (1, n_channels, n_samples) against (n_talkers, 1, n_samples)."""
        z = self.front(neural)
        for conv, norm in zip(self.blocks, self.norms, strict=True):
            y = nn.functional.gelu(norm(conv(z)))
            z = z[..., z.shape[-1] - y.shape[-1] :] + y
        z, heard = self.back(z), self.speech(talkers)
        z, heard = z - z.mean(-1, keepdim=True), heard - heard.mean(-1, keepdim=True)
        power = torch.sqrt((z * z).sum(-1) + 1e-12) * torch.sqrt((heard * heard).sum(-1) + 1e-12)
        scores: torch.Tensor = ((z * heard).sum(-1) / power).mean(-1)
        return scores


class Small(nn.Module):
    """A few convolutions, as in EEGNet: launching the kernels takes longer than computing them."""

    def __init__(self, n_channels: int, n_samples: int) -> None:
        super().__init__()
        self.time = nn.Conv2d(1, 8, (1, 33), padding=(0, 16), bias=False)
        self.space = nn.Conv2d(8, 16, (n_channels, 1), groups=8, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Linear(16 * (n_samples // 32), N_TALKERS)

    def forward(self, neural: torch.Tensor) -> torch.Tensor:
        """Score (1, n_channels, n_samples)."""
        x = nn.functional.elu(self.norm(self.space(self.time(neural[:, None]))))
        scores: torch.Tensor = self.head(nn.functional.avg_pool2d(x, (1, 32)).flatten(1))
        return scores


def networks(n_channels: int, sfreq: float) -> dict[str, tuple[nn.Module, Tensors]]:
    """Return the decoders' networks if they can be imported, else similar ones."""
    torch.manual_seed(0)
    n = round(WINDOW_S * sfreq)
    neural, talkers = torch.randn(1, n_channels, n), torch.rand(N_TALKERS, 1, n)
    if all(find_spec(name) for name in ("scipy", "numba", "typer")):
        from earmark.app.bench.decoder import networks as decoders  # noqa: PLC0415 - not on a minimal machine

        return {name: make(n_channels, sfreq, WINDOW_S) for name, make in decoders().items()}
    return {
        f"{MATCHER}-like": (Matcher(n_channels).eval(), (neural, talkers)),
        "small": (Small(n_channels, n).eval(), (neural,)),
    }


class Launched(Network):
    """Eager CUDA with one launch per operator: the reference for CUDA graphs."""

    def __init__(self, module: nn.Module, example: Tensors, captured: Network) -> None:
        self._module, self._captured = copy.deepcopy(module).to("cuda"), captured
        self._host = [torch.empty(x.shape, pin_memory=True) for x in example]
        self._device = tuple(x.to("cuda") for x in example)

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Copy the input to the GPU, launch the operators, copy the output back."""
        with torch.no_grad(), tensor_cores("float32"):
            for device, host, given in zip(self._device, self._host, x, strict=True):
                host.numpy()[...] = given
                device.copy_(host, non_blocking=True)
            for wanted, y in zip(out, as_tuple(self._module(*self._device)), strict=True):
                wanted[...] = y.cpu().numpy()

    def info(self) -> Any:
        """Return the info of the captured network, which has the same shapes."""
        return self._captured.info()


class Liar(Network):
    """A network whose output is falsified, to test the parity gate."""

    def __init__(self, honest: Network, lie: Callable[[Network, Arrays, Arrays], None]) -> None:
        self._honest, self._lie = honest, lie

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Run the network and falsify its output."""
        self._lie(self._honest, x, out)

    def info(self) -> Any:
        """Return the info of the unfalsified network."""
        return self._honest.info()


def _zeros(honest: Network, x: Arrays, out: Arrays) -> None:
    for y in out:
        y[...] = 0.0


def _silent(honest: Network, x: Arrays, out: Arrays) -> None:
    pass


def _not_finite(honest: Network, x: Arrays, out: Arrays) -> None:
    honest.run_into(x, out)
    out[0].flat[0] = np.nan


def _swapped(honest: Network, x: Arrays, out: Arrays) -> None:
    honest.run_into([x[0][:, ::-1].copy(), *x[1:]], out)


LIES = {"zeros": _zeros, "stale": _silent, "not finite": _not_finite, "swapped channels": _swapped}


def machine() -> dict[str, Any]:
    """Describe the machine on which the figures are measured."""
    about: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__, "cores": os.cpu_count()}
    if not no_cuda():
        about |= BACKENDS["eager_cuda"].versions()
    return about


def verify(
    backend: Backend, name: str, module: nn.Module, example: Tensors, policy: Policy, cache: EngineCache
) -> tuple[dict[str, Any], Network | None]:
    """Build a network, load it again from disk, warm it up, check its parity, and check that falsified output fails."""
    row: dict[str, Any] = {"network": name, "backend": backend.name, "precision": policy.precision}
    real = [[x.numpy() for x in example]]
    try:
        begun = time.perf_counter()
        first = cache.prepare(backend, module, example, policy)
        row["build_s"] = round(time.perf_counter() - begun, 2)
        begun = time.perf_counter()
        prepared = cache.prepare(backend, module, example, policy)
        row["load_s"] = round(time.perf_counter() - begun, 2)
        network = prepared.network
        network.warmup()
        parity = check(network, module, real)
    except BackendError as error:
        return {**row, "ok": False, "error": str(error)}, None
    row |= {"parity_error": parity.error, "n_windows": parity.n_windows, "n_decisions": parity.n_decisions}
    row |= {"n_bytes": prepared.n_bytes, "n_engines": network.info().n_engines, "graph": network.info().graph}
    row["found_on_disk"] = prepared.cached
    believed = []
    for label, lie in LIES.items():
        try:
            check(Liar(network, lie), module, real)
        except ParityError:
            continue
        believed.append(label)
    row["lies_believed"] = believed
    row["ok"] = not believed and prepared.cached == bool(first.n_bytes)
    return row, network


def triton_kernels() -> list[dict[str, Any]]:
    """Compare Triton kernels with formulas in NumPy, in value and in time including copies to the GPU and back."""
    if no_cuda() or find_spec("triton") is None:
        return []
    from benchmarks import triton_kernels as gpu  # noqa: PLC0415 - needs Triton

    rng, found = np.random.default_rng(0), []
    for n_channels in (64, 256):
        x = rng.normal(size=(500, n_channels)).astype(np.float32)
        y = rng.normal(size=(2, 500, n_channels)).astype(np.float32)
        wide, theirs = x.astype(np.float64), y.astype(np.float64)
        sos = np.array([[0.2, 0.1, 0.05, 1.0, -0.6, 0.2]])

        def filtered(wide: Any = wide, sos: Any = sos) -> Any:
            z, out = np.zeros((2, wide.shape[1])), np.empty_like(wide[:32])
            b0, b1, b2, _, a1, a2 = sos[0]
            for t in range(32):
                out[t] = b0 * wide[t] + z[0]
                z[0] = b1 * wide[t] - a1 * out[t] + z[1]
                z[1] = b2 * wide[t] - a2 * out[t]
            return out

        def gpu_filtered(wide: Any = wide, sos: Any = sos) -> Any:
            block = torch.from_numpy(wide[:32].copy()).to("cuda")
            state = torch.zeros(2, wide.shape[1], dtype=torch.float64, device="cuda")
            gpu.sos_inplace(torch.from_numpy(sos).to("cuda"), block, state)
            return block.cpu().numpy()

        def covariance(wide: Any = wide, theirs: Any = theirs) -> Any:
            return np.stack([wide[lag:].T @ theirs[0, : 500 - lag, :1] for lag in range(16)])

        def gpu_covariance(x: Any = x, y: Any = y) -> Any:
            one = torch.from_numpy(y[0, :, :1].copy()).to("cuda")
            return gpu.lagged_covariance(torch.from_numpy(x).to("cuda"), one, 16).cpu().numpy()

        def correlation(wide: Any = wide, theirs: Any = theirs) -> Any:
            a = wide - wide.mean(axis=0)
            b = theirs - theirs.mean(axis=1, keepdims=True)
            return ((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=1)))[None]

        def gpu_correlation(x: Any = x, y: Any = y) -> Any:
            there = torch.from_numpy(x).to("cuda"), torch.from_numpy(y).to("cuda")
            return gpu.windowed_correlation(*there, 500, 1).cpu().numpy()

        for name, ours, oracle in (
            ("filter, 32 samples", gpu_filtered, filtered),
            ("lagged covariance, 500 samples, 16 lags", gpu_covariance, covariance),
            ("windowed correlation, 500 samples", gpu_correlation, correlation),
        ):
            row: dict[str, Any] = {"kernel": name, "n_channels": n_channels}
            try:
                row["error"] = float(np.abs(ours() - oracle()).max())
            except RuntimeError as error:  # raised by Triton and CUDA if compilation fails
                found.append({**row, "ok": False, "why": str(error).splitlines()[0]})
                continue
            times = measure({"gpu": ours, "cpu": oracle}, 300)
            found.append(
                {**row, "ok": row["error"] < 1e-8}
                | {f"{k}_{q}": asdict(v)[q] for k, v in times.items() for q in ("p50", "p99")}
            )
    return found


def examine(
    name: str, module: nn.Module, example: Tensors, about: dict[str, Any], cache: EngineCache, report: dict[str, Any]
) -> None:
    """Verify one network on every available backend, and time those that passed."""
    ready: dict[str, Network] = {}
    for backend in (one for one in BACKENDS.values() if not one.absent()):
        # Compiling takes most of the time, so lower precisions are verified only for the network that decides live.
        for precision in backend.precisions if name.startswith(MATCHER) else backend.precisions[:1]:
            label = f"{backend.name} {precision}"
            if time.monotonic() - BEGUN > BUDGET_S:
                report["skipped"].append(f"{name}, {about['n_channels']} ch, {label}: out of time")
                continue
            try:
                row, network = verify(backend, name, module, example, Policy(precision), cache)
            except Exception:  # noqa: BLE001 - on an unknown machine, any failure of one backend must not stop the others
                row, network = {"network": name, "backend": label, "ok": False, "error": traceback.format_exc()}, None
            report["verified"].append({**about, **row})
            _print_line(json.dumps({**about, **row}))
            if network is not None:
                ready[label] = network
    if "eager_cuda float32" in ready:
        ready[LAUNCHED] = Launched(module, example, ready["eager_cuda float32"])
    x = [one.numpy() for one in example]
    for load in ("idle", "busy"):
        with busy_core() if load == "busy" else nullcontext():
            times = measure({label: _callable(network, x) for label, network in ready.items()}, _n(ready))
        for label, figures in times.items():
            row = {**about, "network": name, "run_by": label, "load": load, **asdict(figures)}
            row["graph"] = label != LAUNCHED and ready[label].info().graph
            report["latency"].append(row)
            _print_line(json.dumps(row))


def main() -> int:
    """Run all verifications, write the report, and print what failed."""
    torch.set_num_threads(1)
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu.json")
    report: dict[str, Any] = {"machine": machine(), "skipped": [], "verified": [], "latency": []}
    report["absent"] = {name: reason for name, one in BACKENDS.items() if (reason := one.absent())}
    _print_line(f"absent: {report['absent']}")
    report["triton"] = triton_kernels()
    with tempfile.TemporaryDirectory() as folder:
        cache = EngineCache(Path(folder) / "engines")
        for n_channels, sfreq in SHAPES:
            for name, (module, example) in networks(n_channels, sfreq).items():
                examine(name, module, example, {"n_channels": n_channels, "sfreq": sfreq}, cache, report)
                report["demands"] = demands(report["latency"])
                report["seconds"] = round(time.monotonic() - BEGUN, 1)
                target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    wrong = [row for row in report["verified"] + report["triton"] if not row["ok"]]
    missed = [name for name, held in report["demands"].items() if held is False]
    _print_line(f"{json.dumps(report['demands'], indent=1)}\nskipped: {report['skipped']}")
    _print_line(f"{len(report['verified'])} verified, {len(wrong)} wrong, {report['seconds']} s; wrote {target}")
    return 1 if wrong or missed else 0


def demands(latency: list[dict[str, Any]]) -> dict[str, Any]:
    """Check the requirements on a GPU: speed-up by CUDA graphs, and latency of a decision; None: not measured."""
    found: dict[str, Any] = {}
    for n_channels, _ in SHAPES:
        rows = [
            row
            for row in latency
            if row["network"].startswith(MATCHER) and row["n_channels"] == n_channels and row["load"] == "idle"
        ]
        p99 = {row["run_by"]: row["p99"] for row in rows}
        launched, graph = p99.get(LAUNCHED), p99.get("eager_cuda float32")
        on_gpu = [row["p99"] for row in rows if row["graph"]]
        found[f"CUDA graph at least {LEAST_GAIN:g} times lower p99 than eager, {n_channels} ch"] = (
            None if launched is None or graph is None else launched >= LEAST_GAIN * graph
        )
        found[f"p99 of the quickest at most {MOST_P99_US:g} µs, {n_channels} ch"] = (
            min(on_gpu) <= MOST_P99_US if on_gpu else None
        )
    return found


def _callable(network: Network, x: Arrays) -> Callable[[], None]:
    return partial(network.run_into, x, [np.empty(shape, np.float32) for shape in network.info().outputs])


def _n(ready: dict[str, Network]) -> int:
    return N if any(network.info().graph for network in ready.values()) else 50


def _print_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Verify the runtime of networks on a machine with a CUDA GPU, in under ten minutes, and write what was found as JSON.

Needs PyTorch and NumPy, and nothing else; what is installed beside them (Triton, TensorRT, TensorRT-RTX) is verified,
too. From the root of the repository::

    python -m benchmarks.gpu gpu.json

Every backend that is there, on every network and precision: answers against a float64 reference, lies found out, the
engine found again on disk, latency from host memory to host memory, idle and beside a busy core. Without a GPU it does
the same on the CPU, which verifies the script. Exit status: 0 all that could be verified holds, 1 something does not.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import app  # noqa: F401

# isort: split
import copy
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from devices.engine_cache import EngineCache
from devices.latency import busy_core, measure
from kernels.runtime import BACKENDS
from kernels.runtime.backend import Arrays, Backend, BackendError, Network, Policy, Tensors, as_tuple
from kernels.runtime.cuda import no_cuda
from kernels.runtime.parity import ParityError, check
from kernels.runtime.precision import tensor_cores

#: Channels, rate in Hz.
SHAPES = ((64, 64.0), (128, 100.0))
WINDOW_S, N_TALKERS = 5.0, 2
N = 2000
#: Nothing more is begun after so many seconds.
BUDGET_S = 480.0
#: What is demanded of the network that decides live.
MATCHER, LEAST_GAIN, MOST_P99_US = "matcher", 3.0, 1000.0
LAUNCHED = "launched one by one"


class Matcher(nn.Module):
    """A network of the size and kind of the matcher, where the decoders cannot be imported: they need SciPy and Numba.

    Dilated causal convolutions on the brain's side, fewer on that of speech, correlation over the window: 1.2 million
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
        return ((z * heard).sum(-1) / power).mean(-1)


class Small(nn.Module):
    """A few convolutions, as in EEGNet: launching them takes longer than computing them."""

    def __init__(self, n_channels: int, n_samples: int) -> None:
        super().__init__()
        self.time = nn.Conv2d(1, 8, (1, 33), padding=(0, 16), bias=False)
        self.space = nn.Conv2d(8, 16, (n_channels, 1), groups=8, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Linear(16 * (n_samples // 32), N_TALKERS)

    def forward(self, neural: torch.Tensor) -> torch.Tensor:
        """Score (1, n_channels, n_samples)."""
        x = nn.functional.elu(self.norm(self.space(self.time(neural[:, None]))))
        return self.head(nn.functional.avg_pool2d(x, (1, 32)).flatten(1))


def networks(n_channels: int, sfreq: float) -> dict[str, tuple[nn.Module, Tensors]]:
    """Make the decoders' networks where they can be imported, else others like them."""
    torch.manual_seed(0)
    n = round(WINDOW_S * sfreq)
    neural, talkers = torch.randn(1, n_channels, n), torch.rand(N_TALKERS, 1, n)
    if all(find_spec(name) for name in ("scipy", "numba", "typer")):
        from app.bench.decoder import networks as decoders  # noqa: PLC0415 - not on a bare machine

        if factories := decoders():
            return {name: make(n_channels, sfreq, WINDOW_S) for name, make in factories.items()}
    return {
        f"{MATCHER}-like": (Matcher(n_channels).eval(), (neural, talkers)),
        "small": (Small(n_channels, n).eval(), (neural,)),
    }


class Launched(Network):
    """Eager CUDA as most people run it, operator by operator: what a CUDA graph is compared with."""

    def __init__(self, module: nn.Module, example: Tensors, captured: Network) -> None:
        self._module, self._captured = copy.deepcopy(module).to("cuda"), captured
        self._host = [torch.empty(x.shape, pin_memory=True) for x in example]
        self._device = tuple(x.to("cuda") for x in example)

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Copy in, launch, copy out."""
        with torch.no_grad(), tensor_cores("float32"):
            for device, host, given in zip(self._device, self._host, x, strict=True):
                host.numpy()[...] = given
                device.copy_(host, non_blocking=True)
            for wanted, y in zip(out, as_tuple(self._module(*self._device)), strict=True):
                wanted[...] = y.cpu().numpy()

    def info(self) -> Any:
        """Shapes are those of the captured one."""
        return self._captured.info()


class Liar(Network):
    """Another backend, seen through a lie."""

    def __init__(self, honest: Network, lie: Callable[[Network, Arrays, Arrays], None]) -> None:
        self._honest, self._lie = honest, lie

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Lie."""
        self._lie(self._honest, x, out)

    def info(self) -> Any:
        """Look honest."""
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
    """What the figures were measured on."""
    about: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__, "cores": os.cpu_count()}
    if not no_cuda():
        about |= BACKENDS["eager_cuda"].versions()
    return about


def verify(
    backend: Backend, name: str, module: nn.Module, example: Tensors, policy: Policy, cache: EngineCache
) -> tuple[dict[str, Any], Network | None]:
    """Build, load again from disk, warm up, pass the gate, and find out lies."""
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
    for lie, tell in LIES.items():
        try:
            check(Liar(network, tell), module, real)
        except ParityError:
            continue
        believed.append(lie)
    row["lies_believed"] = believed
    row["ok"] = not believed and prepared.cached == bool(first.n_bytes)
    return row, network


def main() -> int:
    """Verify all there is; write the report; say what does not hold."""
    torch.set_num_threads(1)
    target, begun = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu.json"), time.monotonic()
    report: dict[str, Any] = {
        "machine": machine(),
        "absent": {},
        "skipped": [],
        "verified": [],
        "latency": [],
        "demands": {},
    }
    report["absent"] = {name: reason for name, one in BACKENDS.items() if (reason := one.absent())}
    here = [one for name, one in BACKENDS.items() if name not in report["absent"]]
    _say(f"absent: {report['absent']}")
    with tempfile.TemporaryDirectory() as folder:
        cache = EngineCache(Path(folder) / "engines")
        for n_channels, sfreq in SHAPES:
            for name, (module, example) in networks(n_channels, sfreq).items():
                about = {"n_channels": n_channels, "sfreq": sfreq}
                ready: dict[str, Network] = {}
                for backend in here:
                    for precision in backend.precisions:
                        label = f"{backend.name} {precision}"
                        if time.monotonic() - begun > BUDGET_S:
                            report["skipped"].append(f"{name} {n_channels} ch, {label}: out of time")
                            continue
                        row, network = verify(backend, name, module, example, Policy(precision), cache)
                        report["verified"].append({**about, **row})
                        _say(json.dumps({**about, **row}))
                        if network is not None:
                            ready[label] = network
                if "eager_cuda float32" in ready:
                    ready[LAUNCHED] = Launched(module, example, ready["eager_cuda float32"])
                if time.monotonic() - begun > BUDGET_S:
                    report["skipped"].append(f"{name} {n_channels} ch: latency: out of time")
                    continue
                x = [one.numpy() for one in example]
                for load in ("idle", "busy"):
                    with busy_core() if load == "busy" else nullcontext():
                        times = measure({label: _answer(network, x) for label, network in ready.items()}, _n(ready))
                    rows = [
                        {**about, "network": name, "run_by": label, "load": load, **asdict(figures)}
                        | {"graph": label != LAUNCHED and ready[label].info().graph}
                        for label, figures in times.items()
                    ]
                    report["latency"] += rows
                    for row in rows:
                        _say(json.dumps(row))
    report["demands"] = demands(report["latency"])
    report["seconds"] = round(time.monotonic() - begun, 1)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    wrong = [row for row in report["verified"] if not row["ok"]]
    missed = [name for name, held in report["demands"].items() if held is False]
    _say(
        f"{report['demands']}\n{len(report['verified'])} verified, {len(wrong)} wrong, {report['seconds']} s; "
        f"wrote {target}"
    )
    return 1 if wrong or missed else 0


def demands(latency: list[dict[str, Any]]) -> dict[str, Any]:
    """What is asked of a GPU: graphs against launches, and the bound on a decision; None where it was not measured."""
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


def _answer(network: Network, x: Arrays) -> Callable[[], None]:
    return partial(network.run_into, x, [np.empty(shape, np.float32) for shape in network.info().outputs])


def _n(ready: dict[str, Network]) -> int:
    return N if any(network.info().graph for network in ready.values()) else 200


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""``earmark bench decoder``: latency of a decision, by decoder and by backend."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from earmark.app.terminal.console import JsonFile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from earmark.pipeline.decoders.decoder import Decoder
    from earmark.pipeline.decoders.networks import MatchNetwork
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.decoders.sliding import Score

    #: Makes a network and example inputs of one window, from channels, rate in Hz and decision window in s.
    Factory = Callable[[int, float, float], tuple[nn.Module, tuple[Tensor, ...]]]

#: Channels, rate in Hz.
SHAPES = ((64, 64.0), (128, 100.0))
WINDOW_S, LAG_S, N_TALKERS = 5.0, 0.25, 2
FIGURES = ("p50", "p99", "p999", "max", "cpu_p50", "cpu_p99")


def decoder(
    json_file: JsonFile = None,
    n: Annotated[int, typer.Option("-n", help="Decisions measured for each figure.", min=100)] = 1000,
) -> None:
    """Measure decoders on 5 s of signal, on every backend.

    The filter bank and the linear decoder run in NumPy, hop by hop as in a session; networks on every available
    backend, one whole window at a time. Times are from an array in host memory to scores in host memory, idle and under
    load. Compare figures only within one run, not across machines or days.
    """
    from rich.table import Table

    from earmark.app.engine.environment import environment
    from earmark.app.terminal.console import console, failures, write_json
    from earmark.app.training.exporters import quiet_exporter
    from earmark.kernels.extras import require

    quiet_exporter()
    found: list[dict[str, Any]] = []
    with failures():
        require("networks", "this also measures networks, which need PyTorch")
        cases = [(name, shape) for shape in SHAPES for name in (*linear(), *networks())]
        for name, shape in cases:
            with console.status(f"measuring {name}, {shape[0]} ch @ {shape[1]:g} Hz …"):
                found += case(name, *shape, n)
    for name, (n_channels, sfreq) in cases:
        rows = [row for row in found if (row["decoder"], row["n_channels"]) == (name, n_channels)]
        title = f"{name}, {n_channels} ch @ {sfreq:g} Hz, {WINDOW_S:g} s, {n} decisions each, ms"
        table = Table("run by", "load", "p50", "p99", "p99.9", "max", "CPU p50", "CPU p99", "error", title=title)
        for row in rows:
            if "p50" in row:
                times = [f"{row[key] / 1e3:.3g}" for key in FIGURES]
                error = f"{row['parity_error']:.1g}" if "parity_error" in row else ""
                table.add_row(row["backend"], row["load"], *times, error)
        console.print(table)
        for row in rows:
            if "not_measured" in row:
                console.print(f"{row['backend']}: {row['not_measured']}", markup=False)
    report = {"environment": environment(), "absent": absent(), "results": found}
    write_json(json_file, report)


def networks() -> dict[str, Factory]:
    """Return factories of the decoders' networks, untrained: training does not change their speed."""
    from earmark.pipeline.decoders.baselines import eegnet, vlaai
    from earmark.pipeline.decoders.matcher import matcher

    def factory(make: Callable[[int, int, float], MatchNetwork]) -> Factory:
        def made(n_channels: int, sfreq: float, window: float) -> tuple[nn.Module, tuple[Tensor, ...]]:
            import torch

            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = make(n_channels, round(LAG_S * sfreq), sfreq)
            network.eval().requires_grad_(False)
            return network, network.example(round(window * sfreq), N_TALKERS)

        return made

    return {
        "matcher": factory(lambda n_channels, behind, _: matcher(n_channels, 1, behind, behind + 1)),
        "VLAAI-like": factory(lambda n_channels, behind, _: vlaai(n_channels, 1, behind)),
        "EEGNet-like": factory(lambda n_channels, behind, sfreq: eegnet(n_channels, 1, behind, sfreq)),
    }


def absent() -> dict[str, str]:
    """Return the reason why each unavailable backend is unavailable."""
    from earmark.kernels.runtime import BACKENDS

    return {name: reason for name, backend in BACKENDS.items() if (reason := backend.absent())}


def case(name: str, n_channels: int, sfreq: float, n: int) -> list[dict[str, Any]]:
    """Measure one decoder on every backend, idle and under load; linear ones in NumPy."""
    about = {"decoder": name, "n_channels": n_channels, "sfreq": sfreq}
    if name in linear():
        return [{**about, **row} for row in timed({"NumPy": linear()[name](n_channels, sfreq)}, n)]
    module, example = networks()[name](n_channels, sfreq, WINDOW_S)
    return [{**about, **row} for row in on_every_backend(module, example, n)]


def linear() -> dict[str, Callable[[int, float], Callable[[], object]]]:
    """Return for each linear decoder a function of channels and rate; it returns a callable that computes one decision.

    A decision is computed as in a session: the newest hop is projected, and the window is the sum of its hops. Decoders
    are fitted to noise, because their weights do not change their speed.
    """
    from earmark.pipeline.decoders.filterbank import FilterBankDecoder
    from earmark.pipeline.decoders.linear import LinearDecoder

    return {"filterbank": partial(_decisions, FilterBankDecoder), "linear": partial(_decisions, LinearDecoder)}


def _decisions(make: Callable[[Preset], Decoder], n_channels: int, sfreq: float) -> Callable[[], object]:
    from dataclasses import replace

    from earmark.pipeline.decoders.presets import EEG
    from earmark.pipeline.decoders.sliding import SlidingScores
    from earmark.pipeline.run import Run

    rng, n = np.random.default_rng(0), round(20 * sfreq)
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    voices = tuple(f"voice {k + 1}" for k in range(N_TALKERS))
    runs = [
        Run(f"{i}", "noise", sfreq, names, rng.normal(size=(n, n_channels)), voices,
            rng.normal(size=(N_TALKERS, n, 1)), np.zeros(n, np.int64), voices)
        for i in range(2)
    ]  # fmt: skip
    decoder = make(replace(EEG, sfreq=sfreq, tmax=LAG_S, window=WINDOW_S)).fit(runs)
    scores, n_hop, run = SlidingScores(decoder, N_TALKERS, EEG.hop), round(EEG.hop * sfreq), runs[0]
    at = 0

    def decision() -> list[Score]:
        nonlocal at
        rows = slice(at % (n - n_hop), at % (n - n_hop) + n_hop)
        at += n_hop
        return list(scores.push(at - n_hop, run.neural[rows], run.talkers[:, rows]))

    while not decision():  # until the first window is full
        pass
    return decision


def on_every_backend(module: nn.Module, example: tuple[Tensor, ...], n: int) -> list[dict[str, Any]]:
    """Time a network on every available backend that passes the parity gate; give the reason for each that fails."""
    from earmark.kernels.runtime import BACKENDS
    from earmark.kernels.runtime.backend import BackendError, Policy
    from earmark.kernels.runtime.parity import check

    x = [one.numpy() for one in example]
    calls: dict[str, Callable[[], object]] = {}
    errors: dict[str, float] = {}
    refused = []
    for name, backend in BACKENDS.items():
        if backend.absent():
            continue
        try:
            network = backend.prepare(module, example, Policy())
            errors[name] = check(network, module, [x]).error
        except BackendError as error:
            refused.append({"backend": name, "not_measured": str(error)})
            continue
        out = [np.empty(shape, np.float32) for shape in network.info().outputs]
        calls[name] = partial(network.run_into, x, out)
    return [{**row, "parity_error": errors[row["backend"]]} for row in timed(calls, n)] + refused


def timed(calls: dict[str, Callable[[], object]], n: int) -> list[dict[str, Any]]:
    """Measure the latencies of several callables, idle and with a process that keeps a core busy."""
    from earmark.devices.processes.latency import busy_core, measure

    found = []
    for load in ("idle", "busy"):
        with busy_core() if load == "busy" else nullcontext():
            found += [{"backend": k, "load": load, **asdict(times)} for k, times in measure(calls, n).items()]
    return found

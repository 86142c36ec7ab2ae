"""``earmark compile``: make a decoder's network ready for a session, on every backend asked for, and check it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress
    from torch import Tensor, nn

    from devices.engine_cache import EngineCache
    from kernels.runtime.backend import Policy


class BackendName(StrEnum):
    """Backends of ``kernels.runtime``, the quickest first."""

    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"
    INDUCTOR = "inductor"
    EAGER_CUDA = "eager_cuda"
    ONNX = "onnx"
    EAGER_CPU = "eager_cpu"


class PrecisionName(StrEnum):
    """How numbers are held."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    FLOAT16 = "float16"


#: Answers timed at the end.
N_TIMED = 200


def compile_decoder(
    decoder: Annotated[Path, typer.Argument(help="Folder of a decoder.")],
    backend: Annotated[
        list[BackendName] | None, typer.Option(help="May be given several times; every one that is here by default.")
    ] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="tf32 and float16 round products, on GPUs only.")
    ] = PrecisionName.FLOAT32,
) -> None:
    """Compile the network of a decoder before a session, and compare it with a float64 reference.

    What was compiled is kept in your cache folder, and found again for the very same network, GPU, driver and versions
    only. Exit status: 0 at least one backend is ready, and each that was asked for; 1 otherwise.
    """
    from rich.table import Table

    from app.console import console, fail, failures
    from devices.decoder_folder import load_decoder
    from devices.engine_cache import EngineCache
    from kernels.runtime import BACKENDS
    from kernels.runtime.backend import Policy

    quiet_exporter()
    with failures():
        loaded: Any = load_decoder(decoder)[0]
        if not hasattr(loaded, "network"):
            console.print(
                f"{decoder} is a {loaded.kind} decoder: it runs in NumPy, takes microseconds, and needs no compiler.",
                markup=False,
            )
            return
        module, example = loaded.network()
        cache, policy = EngineCache(), Policy(precision.value)
        wanted = [name.value for name in backend or ()] or [
            name for name, one in BACKENDS.items() if not one.absent() and policy.precision in one.precisions
        ]
        table = Table("backend", "", "engine", "error", "p50 (µs)", "p99 (µs)", title=f"{decoder}, {precision.value}")
        failed = []
        with _progress(len(wanted)) as bar:
            for name in wanted:
                row = made_ready(name, module, example, policy, cache, bar)
                if row[1] != "ready":
                    failed.append(name)
                table.add_row(*row)
                bar.advance(bar.task_ids[0])
    console.print(table)
    console.print(f"Engines are kept in {cache.folder}.", markup=False)
    if failed or not wanted:
        fail(f"not ready: {', '.join(failed)}" if failed else f"no backend here computes in {precision.value}")


def made_ready(
    name: str, module: nn.Module, example: tuple[Tensor, ...], policy: Policy, cache: EngineCache, bar: Progress
) -> tuple[str, ...]:
    """Build or load, warm up, check and time one backend: a row for the table."""
    import numpy as np

    from devices.latency import measure
    from kernels.runtime import BACKENDS
    from kernels.runtime.backend import BackendError
    from kernels.runtime.parity import check

    task = bar.task_ids[0]
    try:
        bar.update(task, description=f"{name}: compiling")
        prepared = cache.prepare(BACKENDS[name], module, example, policy)
        bar.update(task, description=f"{name}: checking")
        prepared.network.warmup()
        x = [one.numpy() for one in example]
        parity = check(prepared.network, module, [x])
    except BackendError as error:
        return name, f"not used: {error}", "", "", "", ""
    out = [np.empty(shape, np.float32) for shape in prepared.network.info().outputs]
    bar.update(task, description=f"{name}: timing")
    times = measure({name: lambda: prepared.network.run_into(x, out)}, N_TIMED)[name]
    how = "from the cache" if prepared.cached else "built"
    size = f"{prepared.n_bytes / 1e6:.1f} MB, {how}" if prepared.n_bytes else "none"
    return name, "ready", size, f"{parity.error:.1g}", f"{times.p50:.0f}", f"{times.p99:.0f}"


@contextmanager
def _progress(n: int) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from app.console import console

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("compiling", total=n)
        yield bar


def quiet_exporter() -> None:
    """Keep to itself what torch's exporters say about libraries that nobody asked for."""
    for name in ("torch.onnx._internal.exporter._registration", "torch_tensorrt"):
        logging.getLogger(name).setLevel(logging.ERROR)

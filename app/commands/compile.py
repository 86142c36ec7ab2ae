"""``earmark compile``: compile a decoder's network on the requested backends before a session, and check it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.config.backends import BackendName, PrecisionName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import Progress
    from torch import Tensor, nn

    from earmark.devices.files.engine_cache import EngineCache
    from earmark.kernels.runtime.backend import Arrays, Policy


#: Number of timed answers; windows taken from each recording.
N_TIMED, WINDOWS_PER_RUN = 200, 4


def compile_decoder(
    decoder: Annotated[Path, typer.Argument(help="Folder of a decoder.")],
    backend: Annotated[
        list[BackendName] | None,
        typer.Option(help="Backend; may be given several times. By default, all that are available."),
    ] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="Numeric precision; tf32 and float16 round products, on GPUs only.")
    ] = PrecisionName.FLOAT32,
    talkers: Annotated[int, typer.Option(help="Number of talkers; input shapes are fixed.", min=2)] = 2,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Check on windows of this run instead of noise; may be given several times."),
    ] = None,
) -> None:
    """Compile the network of a decoder before a session.

    It is compared with a float64 reference. Compiled networks are kept in your cache folder, and used again only with
    the same network, GPU, driver and versions. Exit status: 0 at least one backend is ready, and so is each that was
    requested; 1 otherwise.
    """
    from rich.table import Table
    from rich.text import Text

    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.training.exporters import quiet_exporter
    from earmark.devices.files.decoder_folder import load_decoder
    from earmark.kernels.extras import require

    with failures():
        require("networks", "compiling a network needs PyTorch")
    from earmark.devices.files.engine_cache import EngineCache
    from earmark.kernels.runtime import BACKENDS
    from earmark.kernels.runtime.backend import Policy

    quiet_exporter()
    with failures():
        loaded: Any = load_decoder(decoder)[0]
        if not hasattr(loaded, "network"):
            console.print(
                f"{decoder} is a {loaded.kind} decoder: it runs in NumPy, takes microseconds and needs no compilation.",
                markup=False,
            )
            return
        module, example = loaded.network(talkers)
        real = real_windows(run, loaded, example) if run else [[x.numpy() for x in example]]
        cache, policy = EngineCache(), Policy(precision.value)
        wanted = [name.value for name in dict.fromkeys(backend or ())] or [
            name for name, one in BACKENDS.items() if not one.absent() and policy.precision in one.precisions
        ]
        table = Table(
            "backend",
            "",
            "engine",
            "error",
            "p50 (µs)",
            "p99 (µs)",
            title=Text(f"{decoder}, {talkers} talkers, {precision.value}"),
        )
        failed = []
        with _progress(len(wanted)) as bar:
            for name in wanted:
                row = prepare_backend(name, module, example, policy, cache, real, bar)
                if row[1] != "ready":
                    failed.append(name)
                table.add_row(*map(Text, row))  # not markup: extras of pip are in brackets
                bar.advance(bar.task_ids[0])
    console.print(table)
    inputs = f"{len(real)} windows of recordings" if run else "noise; give --run RUN to check on a recording"
    if len(failed) < len(wanted):
        console.print(f"Checked on {inputs}. Engines are kept in {cache.folder}.", markup=False)
    if ready := [name for name in wanted if name not in failed]:
        console.print(f"In a session: backends = {json.dumps(ready)} in [attention]", markup=False)
    if failed or not wanted:
        none = f"no available backend computes in {precision.value}: choose another --precision"
        fail(f"not ready: {', '.join(failed)}" if failed else none)


def real_windows(paths: list[Path], decoder: Any, example: tuple[Tensor, ...]) -> list[list[NDArray[np.float32]]]:
    """Return windows of recordings in the shapes of a network's inputs, spread over each; silent ones are left out.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError, earmark.pipeline.decoders.decoder.DecoderError
        If a recording cannot be read, does not fit the decoder, or holds no window.
    """
    import numpy as np

    from earmark.app.training.study import read_study
    from earmark.pipeline.decoders.decoder import DecoderError

    found = []
    study = read_study(paths, decoder.preset)
    study.print_left_out()
    for recorded in study.runs:
        decoder.spec.check_run(recorded)
        n_talkers, n = example[1].shape[0], example[0].shape[-1]
        if len(recorded.neural) < n or len(recorded.talkers) < n_talkers:
            continue
        for start in np.linspace(0, len(recorded.neural) - n, WINDOWS_PER_RUN).astype(int):
            neural = recorded.neural[start : start + n].T[None]
            talkers = recorded.talkers[:n_talkers, start : start + n].transpose(0, 2, 1)
            if np.ptp(neural) > 0 and np.ptp(talkers) > 0:
                found.append([np.ascontiguousarray(one, dtype=np.float32) for one in (neural, talkers)])
    if not found:
        raise DecoderError(
            f"no recording holds {n} samples with {n_talkers} talkers that are not silent: give a longer one with --run"
        )
    return found


def prepare_backend(
    name: str,
    module: nn.Module,
    example: tuple[Tensor, ...],
    policy: Policy,
    cache: EngineCache,
    real: Sequence[Arrays],
    bar: Progress,
) -> tuple[str, ...]:
    """Build or load a network on one backend, warm it up, check and time it; return a row for the table."""
    import numpy as np

    from earmark.devices.processes.latency import measure
    from earmark.kernels.runtime import BACKENDS
    from earmark.kernels.runtime.backend import BackendError
    from earmark.kernels.runtime.parity import check

    task = bar.task_ids[0]
    try:
        bar.update(task, description=f"{name}: compiling")
        prepared = cache.prepare(BACKENDS[name], module, example, policy)
        bar.update(task, description=f"{name}: checking")
        prepared.network.warmup()
        parity = check(prepared.network, module, real)
    except BackendError as error:
        return name, f"not used: {error}", "", "", "", ""
    out = [np.empty(shape, np.float32) for shape in prepared.network.info().outputs]
    bar.update(task, description=f"{name}: timing")
    times = measure({name: lambda: prepared.network.run_into(real[0], out)}, N_TIMED)[name]
    how = "from the cache" if prepared.cached else "built"
    size = f"{prepared.n_bytes / 1e6:.1f} MB, {how}" if prepared.n_bytes else "none"
    return name, "ready", size, f"{parity.error:.1g}", f"{times.p50:.0f}", f"{times.p99:.0f}"


@contextmanager
def _progress(n: int) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from earmark.app.terminal.console import console

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

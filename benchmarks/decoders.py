"""Compare leave-one-run-out ridge decoding with naplib, mTRFpy and fftrf: same data, lags, folds, penalty, one run.

The peers are installed in a separate Python environment::

    python -m venv peers && peers/bin/pip install naplib mtrf fftrf 'numpy<2'
    python -m benchmarks.decoders --peers peers/bin/python

The data are simulated: 4 runs of a minute, 128 channels at 64 Hz. Each library uses one thread. Times are medians over
repeats; only their ratios within one run on one machine are meaningful.
"""

from __future__ import annotations

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app  # noqa: F401

# isort: split
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from earmark.pipeline.decoders import filterbank
from earmark.pipeline.decoders.linear import PENALTIES, SHRINKS, LinearDecoder, leave_one_run_out, make_spec
from earmark.pipeline.decoders.moments import moments, total
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.decoders.ridge import Ridge
from earmark.pipeline.run import Run

PRESET = replace(EEG, lag_step=1, separable=0.0)  # as in the peers: every lag, no separable covariance model


def made_up(n_runs: int, seconds: float, n_channels: int) -> list[Run]:
    """Simulate coloured noise with a response to the first of two talkers."""
    rng, runs, n = np.random.default_rng(0), [], round(seconds * PRESET.sfreq)
    topography = rng.normal(size=n_channels)
    for i in range(n_runs):
        talkers = np.cumsum(rng.normal(size=(2, n, 1)), axis=1)
        talkers[:, 32:] -= talkers[:, :-32].copy()
        neural = np.cumsum(rng.normal(size=(n, n_channels)), axis=0)
        neural[32:] -= neural[:-32].copy()
        neural[8:] += 0.2 * talkers[0, :-8] * topography
        runs.append(
            Run(f"{i}", "made up", PRESET.sfreq, tuple(f"E{c + 1}" for c in range(n_channels)), neural, ("a", "b"),
                talkers, np.zeros(n, dtype=np.int64), (f"{i}a", f"{i}b"))
        )  # fmt: skip
    return runs


def padded(run: Run, n: int) -> Run:
    """Pad a run with zeros at the end, as the peers do for missing lags."""
    return replace(
        run,
        neural=np.pad(run.neural, ((0, n), (0, 0))),
        talkers=np.pad(run.talkers, ((0, 0), (0, n), (0, 0))),
        attended=np.pad(run.attended, (0, n), mode="edge"),
    )


def median(job: Callable[[], object], repeats: int) -> float:
    """Return the median time of a job in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def ours(runs: list[Run], penalties: tuple[float, ...], shrinks: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Return the held-out reconstruction of every run."""
    decoders = leave_one_run_out(LinearDecoder(PRESET, penalties, shrinks), runs)
    return [decoder.project_neural(run.neural)[:, 0] for decoder, run in zip(decoders, runs, strict=True)]


def fitted_linear(runs: list[Run]) -> None:
    """Fit the linear decoder to all runs but one in turn, and to all."""
    leave_one_run_out(LinearDecoder(EEG), runs)
    LinearDecoder(EEG).fit(runs)


def fitted_bank(runs: list[Run]) -> None:
    """Fit the filter bank to all runs but one in turn, and to all."""
    filterbank.leave_one_run_out(EEG, runs)


def main(
    peers: Annotated[Path, typer.Option(help="Python in which naplib, mtrf and fftrf are installed.")],
    penalty: Annotated[float, typer.Option(help="In units of the average lagged channel.")] = 1.0,
    channels: int = 128,
    seconds: float = 60.0,
    repeats: int = 3,
) -> None:
    """Compare Earmark with the peers, and print a table."""
    behind = round(PRESET.tmax * PRESET.sfreq)
    runs = [padded(run, behind) for run in made_up(4, seconds, channels)]
    single = median(lambda: ours(runs, (penalty,), (0.0,)), repeats)
    predictions = ours(runs, (penalty,), (0.0,))
    grid = median(lambda: ours(runs, PENALTIES, (0.0,)), 1)
    full = median(lambda: ours(runs, PENALTIES, SHRINKS), 1)
    spec = make_spec("linear", runs[0], PRESET)
    parts = [moments(run, spec) for run in runs]
    data: dict[str, object] = {
        "n": len(runs), "sfreq": PRESET.sfreq, "tmax": PRESET.tmax, "repeats": repeats,
        "alpha": penalty * sum(part.n for part in parts[1:]),
    }  # fmt: skip
    for i, run in enumerate(runs):
        centred = total(parts[:i] + parts[i + 1 :]).centred()
        data[f"scale{i}"] = Ridge(centred, channels).scale[:channels]
        data[f"x{i}"], data[f"y{i}"] = run.neural[:-behind], run.talkers[0, :-behind]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, **data)  # type: ignore[arg-type]
        script = Path(__file__).with_name("decoders_peers.py")
        subprocess.run([peers, script, source, target], check=True, env=dict(os.environ))
        with np.load(target) as found:
            peer = dict(found)
    table = Table("", "seconds", "times ours", "largest difference of predictions", "correlation of predictions")
    table.add_row("Earmark, one penalty", f"{single:.2f}", "1", "", "")
    for name in ("naplib", "mtrf", "mtrf_crossval", "fftrf"):
        took = float(np.median(peer[f"{name}_seconds"]))
        row = [name, f"{took:.2f}", f"{took / single:.1f}", "", ""]
        if f"{name}_0" in peer:
            a = [p - p.mean() for p in predictions]
            b = [peer[f"{name}_{i}"] - peer[f"{name}_{i}"].mean() for i in range(len(runs))]
            row[3] = f"{max(np.abs(x - y).max() / np.abs(x).max() for x, y in zip(a, b, strict=True)):.1e}"
            row[4] = f"{min(np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)):.6f}"
        table.add_row(*row)
    table.add_row(f"Earmark, {len(PENALTIES)} penalties nested", f"{grid:.2f}", f"{grid / single:.1f}", "", "")
    table.add_row(
        f"Earmark, {len(PENALTIES)} × {len(SHRINKS)} settings nested", f"{full:.2f}", f"{full / single:.1f}", "", ""
    )
    Console().print(table)
    # As a session trains: settings of the preset, five runs, each held out in turn, and a fit to all of them.
    five = made_up(5, seconds, channels)
    whole = Table(f"fit and leave-one-run-out, 5 × {seconds:g} s, {channels} channels", "seconds")
    whole.add_row("linear", f"{median(lambda: fitted_linear(five), 1):.2f}")
    whole.add_row("filter bank", f"{median(lambda: fitted_bank(five), 1):.2f}")
    Console().print(whole)


if __name__ == "__main__":
    typer.run(main)

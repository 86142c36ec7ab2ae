"""``earmark bench dashboard``: CPU cost of the window and of a naive drawing, and the effect on engine latency."""

from __future__ import annotations

import multiprocessing as mp
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from earmark.app.terminal.console import JsonFile

#: Channels, sampling rate in Hz.
SHAPES = ((64, 500.0), (128, 500.0), (256, 1000.0))
#: Size of the drawing in pixels; length of a sweep in s; frames per second.
SIZE, SWEEP_S, FPS = (1600, 900), 10.0, 30
#: Warm-up frames before the measurement.
WARM = 20


def dashboard(
    json_file: JsonFile = None,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=2)] = 10.0,
) -> None:
    """Measure the window: traces, whole window, effect on the engine.

    Traces are compared with a naive drawing of the same data. CPU is that of the window's process, without the X
    server's. Without a display, Qt draws into memory. Compare figures only within one run, not across machines or days.
    """
    from rich.table import Table

    from earmark.app.engine.environment import environment
    from earmark.app.terminal.console import console, failures, write_json
    from earmark.devices.sources.lsl_log import quiet_liblsl
    from earmark.kernels.extras import require

    with failures():
        require("desktop", "the window needs additional packages")
    quiet_liblsl()
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    found: dict[str, Any] = {"environment": environment(), "seconds": seconds, "size": SIZE}
    steps: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        *((f"traces, {n} ch @ {f:g} Hz", lambda n=n, f=f: traces(n, f, seconds)) for n, f in SHAPES),
        *((f"whole window, {n} ch @ {f:g} Hz", lambda n=n, f=f: window(n, f, seconds)) for n, f in SHAPES),
        ("engine, with and without the window", lambda: beside_engine(*SHAPES[1], seconds)),
    ]
    for name, measure in steps:
        with console.status(f"measuring {name} …"):
            found[name] = measure()
    table = Table("measurement", "figure", "value", title="earmark bench dashboard")
    for name, _ in steps:
        for i, (key, value) in enumerate(found[name].items()):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name if i == 0 else "", key, shown)
        table.add_section()
    console.print(table)
    write_json(json_file, found)


def _run_in_process(target: Callable[..., None], *args: Any) -> Any:
    """Run a function in a new process; return the object that it sends."""
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe(False)
    process = context.Process(target=target, args=(*args, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        return mine.recv()
    except EOFError:
        raise RuntimeError(f"the measurement died (exit code {process.exitcode})") from None
    finally:
        process.join(10)
        process.kill()


# Traces


def traces(n_channels: int, sfreq: float, seconds: float) -> dict[str, Any]:
    """Measure the CPU per frame of both ways to draw the same samples, each twice and in opposite order."""
    ways = {"sweep": _sweep, "naive PlotDataItem": _naive}
    results: dict[str, list[float]] = {name: [] for name in ways}
    for name in (*ways, *reversed(ways)):
        results[name].append(_run_in_process(ways[name], n_channels, sfreq, seconds / 2))
    found: dict[str, Any] = {f"CPU per frame (ms), {name}": float(np.mean(values)) for name, values in results.items()}
    found["CPU, naive / sweep"] = float(np.mean(results["naive PlotDataItem"]) / np.mean(results["sweep"]))
    return found


def _frames(app: Any, draw: Callable[[int], None], seconds: float) -> float:
    """Return the CPU time per frame in ms."""
    for k in range(WARM):
        draw(k)
        app.processEvents()
    k, cpu, end = WARM, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        draw(k)
        app.processEvents()
        k += 1
    return 1e3 * (time.process_time() - cpu) / (k - WARM)


def _application() -> Any:
    from PySide6.QtWidgets import QApplication
    from threadpoolctl import threadpool_limits

    from earmark.app.dashboard.frame import theme

    threadpool_limits(1)
    app = QApplication([])
    theme.apply(app, theme.LIGHT)
    return app


def _sweep(n_channels: int, sfreq: float, seconds: float, out: Any) -> None:
    from earmark.app.bench.published_session import moving_signal
    from earmark.app.dashboard.panels.sweep import Sweep
    from earmark.devices.processes.signal_ring import Samples

    app, data = _application(), moving_signal(n_channels, sfreq)
    view, n = Sweep(), round(sfreq / FPS)
    view.resize(*SIZE)
    view.set_signal(sfreq, tuple(f"E{i + 1}" for i in range(n_channels)))
    view.show()

    def draw(k: int) -> None:
        at = k * n % (len(data) - n)
        view.feed(Samples(k * n, data[at : at + n], 0))

    out.send(_frames(app, draw, seconds))


def _naive(n_channels: int, sfreq: float, seconds: float, out: Any) -> None:
    import pyqtgraph as pg

    from earmark.app.bench.published_session import moving_signal

    app, data = _application(), moving_signal(n_channels, sfreq)
    view, n, n_window = pg.PlotWidget(), round(sfreq / FPS), round(SWEEP_S * sfreq)
    view.resize(*SIZE)
    view.setMouseEnabled(False, False)
    view.setXRange(0, SWEEP_S, padding=0)
    view.setYRange(-1, n_channels, padding=0)
    view.disableAutoRange()
    times = np.arange(n_window) / sfreq
    curves = [view.plot(pen=pg.intColor(i, 8)) for i in range(n_channels)]
    view.show()

    def draw(k: int) -> None:
        at = k * n % (len(data) - n_window)
        for i, curve in enumerate(curves):
            curve.setData(times, data[at : at + n_window, i] / 100 + i)

    out.send(_frames(app, draw, seconds))


# The whole window


def window(n_channels: int, sfreq: float, seconds: float) -> dict[str, Any]:
    """Measure the default window on a session that another process simulates at realistic rates."""
    from earmark.app.bench.published_session import session_to_show

    with session_to_show(n_channels, sfreq) as folder:
        found: dict[str, Any] = _run_in_process(_run_window, str(folder), seconds)
    return found


def _run_window(folder: str, seconds: float, out: Any) -> None:
    from PySide6.QtCore import QSettings, QTimer

    from earmark.app.dashboard.frame.window import Window
    from earmark.app.dashboard.launch.process import lower_priority

    lower_priority()
    app = _application()
    shown = Window(QSettings(f"{folder}/window.ini", QSettings.Format.IniFormat), Path(folder))
    shown.resize(*SIZE)
    shown.show()
    begun: list[tuple[float, float, int, int]] = []

    def begin() -> None:
        begun.append((time.process_time(), time.perf_counter(), shown.frames, shown.lost))

    def end() -> None:
        cpu, at, frames, lost = begun[0]
        spent, passed = time.process_time() - cpu, time.perf_counter() - at
        out.send(
            {
                "CPU (% of a core)": 100 * spent / passed,
                "frames per second": (shown.frames - frames) / passed,
                "CPU per frame (ms)": 1e3 * spent / (shown.frames - frames),
                "samples lost": shown.lost - lost,
                "platform": app.platformName(),
            }
        )
        app.quit()

    QTimer.singleShot(4000, begin)  # the topomap is ready by then
    QTimer.singleShot(4000 + round(1000 * seconds), end)
    app.exec()


# Engine latency with the window open


def beside_engine(n_channels: int, sfreq: float, seconds: float) -> dict[str, Any]:
    """Measure the latency of an engine on a live stream, without and with the window open, each twice in turn."""
    from earmark.app.bench.graph import live
    from earmark.app.bench.published_session import session_to_show

    key = "arrival to output p99 (ms)"
    results: dict[bool, list[float]] = {False: [], True: []}
    with session_to_show(n_channels, sfreq) as folder:
        for with_window in (False, True, True, False):
            with _open_window(folder) if with_window else nullcontext():
                results[with_window].append(live(n_channels, sfreq, seconds)[key])
    return {
        **{
            f"{key}, {'with' if with_window else 'without'}": float(np.mean(values))
            for with_window, values in results.items()
        },
        "each of them": [round(value, 3) for values in results.values() for value in values],
    }


@contextmanager
def _open_window(folder: Path) -> Iterator[None]:
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe(False)
    process = context.Process(target=_run_window, args=(str(folder), 86400.0, theirs), daemon=True)
    process.start()
    theirs.close()
    time.sleep(4)
    try:
        yield
    finally:
        process.kill()
        process.join()
        mine.close()

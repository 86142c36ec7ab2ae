"""``earmark bench audio``: what rendering costs, what a process of its own is good for, how soon a gain is heard."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from earmark.app.terminal.console import JsonFile

if TYPE_CHECKING:
    from earmark.devices.audio.scene import Prepared
    from earmark.devices.audio.sinks import Sink

SFREQ, BLOCK = 48_000, 256
#: Azimuths of the talkers.
AZIMUTHS = (-60.0, 60.0, -20.0, 20.0)
#: Buffers rendered for each figure of cost, and before them.
N_COST, N_WARM = 3000, 200
#: Shortest and longest time between two changes of gain, s.
CHANGE_S = (0.03, 0.09)


def audio(
    json_file: JsonFile = None,
    seconds: Annotated[float, typer.Option(help="Length of each live measurement.", min=1)] = 10.0,
) -> None:
    """Measure live sound: cost, buffers missed, control to DAC.

    Cost per buffer, the sound in this process and in its own under load, and the time from control to DAC. Live
    measurements are made on the default sound output; where there is none, on a clock. Figures of one run can be
    compared with one another, not with those of another machine or day.
    """
    from rich.table import Table

    from earmark.app.engine.environment import environment
    from earmark.app.terminal.console import console, failures, write_json
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    with failures():
        sink, where = _sink()
        console.print(where, markup=False)
        found: dict[str, Any] = {
            "environment": environment(),
            "sink": where,
            "sfreq": SFREQ,
            "block": BLOCK,
            "seconds": seconds,
        }
        steps: list[tuple[str, Callable[[], dict[str, Any]]]] = [
            *(
                (f"cost per buffer, {n} talkers, {space}", lambda n=n, space=space: cost(n, space))
                for n in (2, 4)
                for space in ("hrtf", "itd_ild", "left_right")
            ),
            ("under load, in-process against own process", lambda: against_in_process(sink, seconds)),
            ("control to DAC, idle", lambda: control_to_dac(sink, seconds, load=False)),
            ("control to DAC, under load", lambda: control_to_dac(sink, seconds, load=True)),
        ]
        for name, measure in steps:
            with console.status(f"measuring {name} …"):
                found[name] = measure()
    table = Table("measurement", "figure", "value", title=f"earmark bench audio, {BLOCK} frames at {SFREQ} Hz")
    for name, _ in steps:
        for i, (key, value) in enumerate(found[name].items()):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name if i == 0 else "", key, shown)
        table.add_section()
    console.print(table)
    write_json(json_file, found)


def _sink() -> tuple[Sink, str]:
    """Where to measure, and that in words."""
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.audio.sinks import DeviceSink, NullSink

    sink = DeviceSink()
    try:
        with AudioEngine(_talkers(2, "left_right"), sink) as engine:
            name = engine.status().sink.decode(errors="replace")
    except AudioError as error:
        return NullSink(), f"NO SOUND DEVICE ({error}): live figures are those of a clock in place of a sound card"
    return sink, f"live figures are those of the sound output {name!r}"


def _talkers(n: int, space: str) -> Prepared:
    """Looped noise at the level of speech."""
    from earmark.devices.audio.scene import Prepared, Scene, Talker
    from earmark.devices.audio.space import impulse_responses

    rng = np.random.default_rng(0)
    talkers = tuple(Talker(f"t{k}", "noise", azimuth, loop=True) for k, azimuth in enumerate(AZIMUTHS[:n]))
    pcm = tuple((0.05 * rng.standard_normal(10 * SFREQ + 77 * k)).astype(np.float32) for k in range(n))
    scene = Scene(talkers, SFREQ, BLOCK, space)
    return Prepared(scene, pcm, *impulse_responses(scene))


def cost(n_talkers: int, space: str, n_buffers: int = N_COST) -> dict[str, float]:
    """Time of one call of the renderer, gains on their way half of the time."""
    from earmark.devices.audio.render import Renderer
    from earmark.devices.audio.scene import Control

    renderer = Renderer(_talkers(n_talkers, space))
    controls = [Control((3.0, *[-9.0] * (n_talkers - 1))), Control((*[-9.0] * (n_talkers - 1), 3.0))]
    times = np.zeros((N_WARM + n_buffers, 2))
    gc.collect()
    gc.disable()  # as in the audio process
    try:
        for k in range(len(times)):
            control = controls[k // 38 % 2]  # every 0.2 s, each change taking half of that
            wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
            renderer.render(BLOCK, control)
            times[k] = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
    finally:
        gc.enable()
    found: dict[str, float] = {}
    buffer_us = 1e6 * BLOCK / SFREQ
    for kind, column in (("CPU", times[N_WARM:, 1]), ("wall", times[N_WARM:, 0])):
        for q in (50, 99):
            value = float(np.percentile(column, q)) / 1e3
            found[f"{kind} p{q} (µs)"] = value
            found[f"{kind} p{q} (% of the buffer)"] = 100 * value / buffer_us
    return found


@contextmanager
def _load() -> Iterator[None]:
    """A thread of this process computes in Python, and another process does."""
    from earmark.devices.processes.latency import busy_core

    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        with busy_core():
            yield
    finally:
        stop.set()
        thread.join()


def against_in_process(sink: Sink, seconds: float) -> dict[str, Any]:
    """Buffers that came too late, beside the busy thread in one process and in a process of its own.

    Both run what the audio process runs, on the same sink with the same scene; each twice, in opposite order. A busy
    thread and a busy process are there each time. Jitter is how far the time between two buffers is from a buffer's
    length; drivers that ask for several buffers at once have some by design.
    """
    said: dict[str, list[dict[str, float]]] = {"in-process": [], "own process": []}
    for name in ("in-process", "own process", "own process", "in-process"):
        said[name].append(_played(sink, seconds, own_process=name == "own process"))
    found: dict[str, Any] = {}
    for name, runs in said.items():
        due = sum(run["due"] for run in runs)
        found[f"buffers due, {name}"] = round(due)
        for key in ("late", "missed", "xruns"):
            found[f"{key} (% of them), {name}"] = 100 * sum(run[key] for run in runs) / due
        for key, pool in (("p50", np.mean), ("p99", np.mean), ("max", np.max)):
            found[f"jitter {key} (ms), {name}"] = float(pool([run[key] for run in runs]))
        found[f"real-time priority, {name}"] = bool(runs[0]["fifo"])
    return found


def _played(sink: Sink, seconds: float, own_process: bool) -> dict[str, float]:
    """Play for a while under load; return what came late, and how unevenly buffers were asked for."""
    import multiprocessing as mp

    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.scene import AudioError

    engine = AudioEngine(_talkers(2, "hrtf"), sink)  # for its shared memory; it is never started
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe(False)
    arguments = (engine._prepared.at, engine.names, sink, seconds, not own_process, theirs)
    process = context.Process(target=_run, args=arguments, daemon=True)
    try:
        with _load() if own_process else nullcontext():
            process.start()
            theirs.close()
            try:
                answer: dict[str, float] | str = mine.recv() if mine.poll(seconds + 40) else "it did not end"
            except EOFError:
                answer = f"it died (exit code {process.exitcode})"
            process.join(5)
    finally:
        process.kill()
        process.join()
        engine.stop()
    if isinstance(answer, str):
        raise AudioError(f"the measurement under load failed: {answer}")
    return answer


def _run(at: Any, names: Any, sink: Sink, seconds: float, with_load: bool, out: Any) -> None:
    """Play as the audio process does, and note when each buffer was asked for; the process ends here."""
    from earmark.devices.audio.control_block import Seqlock, Status
    from earmark.devices.audio.inputs import Microphone
    from earmark.devices.audio.playback import Playback
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.audio.shared import SharedPrepared

    asked: list[float] = []

    class Noting(Playback):
        def buffer(self, n_frames: int, time_at_ear: float, underflow: bool = False) -> Any:
            asked.append(time.perf_counter())
            return super().buffer(n_frames, time_at_ear, underflow)

    shared, status = SharedPrepared(at), Seqlock(Status, names.status)
    play = Noting(shared.prepared, names, {}, Microphone(at.scene))
    seen: list[Any] = []

    def measure() -> None:
        time.sleep(1)
        seen.append((len(asked), status.read()))
        time.sleep(seconds)
        seen.append((len(asked), status.read()))
        play.stopping = True

    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with _load() if with_load else nullcontext():
            sink.run(play, 0.0, threading.Thread(target=measure, daemon=True).start)
    except AudioError as error:
        out.send(str(error))
        os._exit(1)
    (first, before), (last, after) = seen
    jitter = 1e3 * np.abs(np.diff(asked[first:last]) - BLOCK / SFREQ)
    out.send(
        {
            "due": seconds * SFREQ / BLOCK,
            **{key: float(getattr(after, key) - getattr(before, key)) for key in ("late", "missed", "xruns")},
            **{key: float(np.percentile(jitter, q)) for key, q in (("p50", 50), ("p99", 99), ("max", 100))},
            "fifo": float(after.fifo),
        }
    )
    os._exit(0)  # as the audio process ends


def control_to_dac(sink: Sink, seconds: float, load: bool) -> dict[str, float]:
    """From setting gains to the instant at which their first frame is heard, by the map from frames to time."""
    import pylsl

    from earmark.devices.audio.engine import AudioEngine

    engine = AudioEngine(_talkers(2, "hrtf"), sink)
    delay = round(engine.scene.lookahead_s * SFREQ)  # gains act before the limiter
    set_at: list[float] = []
    heard: dict[int, float] = {}

    def note(entry: Any, lsl_time: float) -> None:
        if entry.decision >= 0:
            heard.setdefault(entry.decision, lsl_time + delay / SFREQ)

    engine.listen(note)
    rng = np.random.default_rng(0)
    with engine, _load() if load else nullcontext():
        time.sleep(1)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            set_at.append(pylsl.local_clock())
            engine.set_gains([3.0, -9.0] if len(set_at) % 2 else [-9.0, 3.0], 0.02, len(set_at) - 1)
            time.sleep(rng.uniform(*CHANGE_S))
        time.sleep(0.5)
    took = 1e3 * np.array([heard[k] - at for k, at in enumerate(set_at) if k in heard])
    return {
        "p50 (ms)": float(np.median(took)),
        "p99 (ms)": float(np.percentile(took, 99)),
        "max (ms)": float(took.max()),
        "of which limiter's look-ahead (ms)": 1e3 * delay / SFREQ,
        "changes": len(set_at),
        "changes replaced before they were played": len(set_at) - len(heard),
    }

"""``earmark bench audio``: cost of rendering, effect of the separate audio process, latency from control to DAC."""

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
#: Azimuths of the talkers, degrees.
AZIMUTHS = (-60.0, 60.0, -20.0, 20.0)
#: Buffers rendered for each cost figure, and warm-up buffers before them.
N_COST, N_WARM = 3000, 200
#: Shortest and longest interval between two gain changes, s.
CHANGE_S = (0.03, 0.09)


def audio(
    json_file: JsonFile = None,
    seconds: Annotated[float, typer.Option(help="Length of each live measurement.", min=1)] = 10.0,
) -> None:
    """Measure live sound: cost, missed buffers, control to DAC.

    Measures the cost per buffer, playback under load in this process and in a separate process, and the latency from
    control to DAC. Live measurements use the default sound output, or a simulated clock if there is none. Compare
    figures only within one run, not across machines or days.
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
            ("cost per buffer, mixture of 2 on 6 microphones", lambda: cost_of(_mixture())),
            ("under load, in-process against own process", lambda: against_in_process(sink, seconds)),
            ("under load, mixture against talkers", lambda: mixture_against_talkers(sink, seconds)),
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
    """Return the sink to measure on and its description."""
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.audio.sinks import DeviceSink, NullSink

    sink = DeviceSink()
    try:
        with AudioEngine(_talkers(2, "left_right"), sink) as engine:
            name = engine.status().sink.decode(errors="replace")
    except AudioError as error:
        return NullSink(), f"NO SOUND DEVICE ({error}): live figures are measured on a simulated clock"
    return sink, f"live figures are measured on the sound output {name!r}"


def _talkers(n: int, space: str) -> Prepared:
    """Prepare looped noise at the level of speech."""
    from earmark.devices.audio.scene import Prepared, Scene, Talker
    from earmark.devices.audio.space import impulse_responses

    rng = np.random.default_rng(0)
    talkers = tuple(Talker(f"t{k}", "noise", azimuth, loop=True) for k, azimuth in enumerate(AZIMUTHS[:n]))
    pcm = tuple((0.05 * rng.standard_normal(10 * SFREQ + 77 * k)).astype(np.float32) for k in range(n))
    scene = Scene(talkers, SFREQ, BLOCK, space)
    return Prepared(scene, pcm, *impulse_responses(scene.space, scene.sfreq))


def _mixture() -> Prepared:
    """Prepare two voices of noise at glasses with six microphones: one stands, one walks past it to and fro."""
    from earmark.devices.audio.scene import Microphones, Prepared, Scene, Talker
    from earmark.devices.audio.space import impulse_responses
    from earmark.pipeline.scene.array import preset

    rng, array, n = np.random.default_rng(0), preset("glasses6"), SFREQ // 10
    frequencies = np.fft.rfftfreq(n, 1 / SFREQ).astype(np.float64)
    pieces = []
    for k in range(100):
        walking = -60 + 90 * abs(k / 50 - 1)  # 18 degrees per second
        heard = array.steering(np.array([walking, 30.0]), frequencies)
        sound = rng.standard_normal((2, n)) * rng.uniform(0, 0.1, (2, 1))  # voices rise and fall
        pieces.append(np.fft.irfft(np.einsum("fmk,kf->mf", heard, np.fft.rfft(sound)), n))
    mics = np.concatenate(pieces, axis=1).astype(np.float32)
    positions = tuple((float(x), float(y), float(z)) for x, y, z in array.positions)
    heard_by = Microphones("noise", positions, array.ears, starts=(-60.0, 30.0), loop=True)
    talkers = tuple(Talker(f"t{k + 1}", f"place:{k + 1}") for k in range(2))
    scene = Scene(talkers, SFREQ, BLOCK, "left_right", microphones=heard_by)
    return Prepared(scene, (None, None), *impulse_responses("left_right", SFREQ), array, mics)


def cost(n_talkers: int, space: str, n_buffers: int = N_COST) -> dict[str, float]:
    """Measure the time of one renderer call; gains are ramping half of the time."""
    return cost_of(_talkers(n_talkers, space), n_buffers)


def cost_of(prepared: Prepared, n_buffers: int = N_COST) -> dict[str, float]:
    """Measure the time of one renderer call for a scene."""
    from earmark.devices.audio.render import Renderer
    from earmark.devices.audio.scene import Control

    renderer, n_talkers = Renderer(prepared), len(prepared.scene.talkers)
    controls = [Control((3.0, *[-9.0] * (n_talkers - 1))), Control((*[-9.0] * (n_talkers - 1), 3.0))]
    times = np.zeros((N_WARM + n_buffers, 2))
    gc.collect()
    gc.disable()  # the audio process does the same
    try:
        for k in range(len(times)):
            control = controls[k // 38 % 2]  # a change every 0.2 s; each ramp takes half of that
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
    """Run a busy Python thread in this process, and a busy process beside it."""
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
    """Compare late buffers and jitter of playback in the process of the busy thread and in a separate process.

    Both run the code of the audio process, on the same sink with the same scene, each twice and in opposite order. A
    busy thread and a busy process run each time. Jitter is the deviation of the interval between two buffers from the
    length of a buffer; drivers that request several buffers at once have some by design.
    """
    results: dict[str, list[dict[str, float]]] = {"in-process": [], "own process": []}
    for name in ("in-process", "own process", "own process", "in-process"):
        results[name].append(_played(sink, seconds, own_process=name == "own process"))
    return _pooled(results)


def mixture_against_talkers(sink: Sink, seconds: float) -> dict[str, Any]:
    """Compare late and missed buffers of a mixture on six microphones and of two talkers, each twice.

    Both are played by a separate process, beside the same load.
    """
    results: dict[str, list[dict[str, float]]] = {"talkers": [], "mixture": []}
    for name in ("talkers", "mixture", "mixture", "talkers"):
        results[name].append(_played(sink, seconds, True, _mixture() if name == "mixture" else None))
    return _pooled(results)


def _pooled(results: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, runs in results.items():
        due = sum(run["due"] for run in runs)
        found[f"buffers due, {name}"] = round(due)
        for key in ("late", "missed", "xruns"):
            found[f"{key} (% of them), {name}"] = 100 * sum(run[key] for run in runs) / due
        for key, pool in (("p50", np.mean), ("p99", np.mean), ("max", np.max)):
            found[f"jitter {key} (ms), {name}"] = float(pool([run[key] for run in runs]))
        found[f"real-time priority, {name}"] = bool(runs[0]["fifo"])
    return found


def _played(sink: Sink, seconds: float, own_process: bool, prepared: Prepared | None = None) -> dict[str, float]:
    """Play two talkers, or another scene, under load; return counts of late buffers, and jitter of requests in ms."""
    import multiprocessing as mp

    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.scene import AudioError

    engine = AudioEngine(prepared or _talkers(2, "hrtf"), sink)  # provides the shared memory; never started
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe(False)
    arguments = (engine._prepared.at, engine.names, sink, seconds, not own_process, theirs)
    process = context.Process(target=_run, args=arguments, daemon=True)
    try:
        with _load() if own_process else nullcontext():
            process.start()
            theirs.close()
            try:
                answer: dict[str, float] | str = mine.recv() if mine.poll(seconds + 40) else "it timed out"
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
    """Play like the audio process, record the time of each buffer request, and exit the process."""
    from earmark.devices.audio.control_block import Seqlock, Status
    from earmark.devices.audio.inputs import Microphone
    from earmark.devices.audio.playback import Playback
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.audio.shared import SharedPrepared

    requests: list[float] = []

    class TimedPlayback(Playback):
        def buffer(self, n_frames: int, time_at_ear: float, underflow: bool = False) -> Any:
            requests.append(time.perf_counter())
            return super().buffer(n_frames, time_at_ear, underflow)

    shared, status = SharedPrepared(at), Seqlock(Status, names.status)
    play = TimedPlayback(shared.prepared, names, {}, Microphone(at.scene))
    snapshots: list[Any] = []

    def measure() -> None:
        time.sleep(1)
        snapshots.append((len(requests), status.read()))
        time.sleep(seconds)
        snapshots.append((len(requests), status.read()))
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
    (first, before), (last, after) = snapshots
    jitter = 1e3 * np.abs(np.diff(requests[first:last]) - BLOCK / SFREQ)
    out.send(
        {
            "due": seconds * SFREQ / BLOCK,
            **{key: float(getattr(after, key) - getattr(before, key)) for key in ("late", "missed", "xruns")},
            **{key: float(np.percentile(jitter, q)) for key, q in (("p50", 50), ("p99", 99), ("max", 100))},
            "fifo": float(after.fifo),
        }
    )
    os._exit(0)  # the audio process exits in the same way


def control_to_dac(sink: Sink, seconds: float, load: bool) -> dict[str, float]:
    """Measure the latency from setting gains to the DAC time of their first frame."""
    import pylsl

    from earmark.devices.audio.engine import AudioEngine

    engine = AudioEngine(_talkers(2, "hrtf"), sink)
    delay = round(engine.scene.lookahead_s * SFREQ)  # gains are applied before the limiter
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
        "included: limiter look-ahead (ms)": 1e3 * delay / SFREQ,
        "changes": len(set_at),
        "changes replaced before they were played": len(set_at) - len(heard),
    }

"""``earmark bench graph``: cost of the streaming core."""

from __future__ import annotations

import multiprocessing as mp
import random
import time
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, Any

import numpy as np
import typer

from earmark.app.terminal.console import JsonFile
from earmark.kernels.extras import install

#: Channels, sampling rate in Hz.
SHAPES = ((64, 1000.0), (128, 500.0), (256, 2000.0), (512, 5000.0), (170, 10_000.0))
HOP_S = 0.02
#: Channels and rate in Hz of the stream for the comparison with MNE-LSL, and the samples per pushed chunk.
PEER_SHAPE, PEER_CHUNK = (64, 1000.0), 10
#: Rate of the talkers' envelopes in Hz, and number of talkers.
SPEECH_HZ, N_TALKERS = 64.0, 2

#: Streams and [attention] as 'earmark new' writes them, so that the graph is that of a default session.
SESSION = """
[streams.eeg]
source_id = "{source_id}"
[streams.speech]
source_id = "{source_id}-speech"
ch_type = "misc"
[attention]
"""
#: Only the filters that MNE-LSL has too, on the channels that a session picks.
FILTERS = """
[streams.eeg]
source_id = "{source_id}"
[[nodes]]
type = "pick"
[[nodes]]
type = "reblock"
hop_s = {hop_s}
[[nodes]]
type = "notch"
[[nodes]]
type = "bandpass"
low_hz = 1.0
high_hz = 40.0
order = 4
"""


def graph(
    json_file: JsonFile = None,
    seconds: Annotated[float, typer.Option(help="Length of each live measurement.", min=2)] = 15.0,
) -> None:
    """Measure the streaming core: cost, live delivery, memory.

    Measures the cost per hop, the filters against SciPy, live delivery against MNE-LSL, and memory over an hour.
    Compare figures only within one run, not across machines or days.
    """
    from rich.table import Table

    from earmark.app.engine.environment import environment
    from earmark.app.terminal.console import console, write_json
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    found: dict[str, Any] = {"environment": environment(), "hop_s": HOP_S}
    steps: list[tuple[str, Callable[[], Any]]] = [
        *((f"cost per hop, {n} ch @ {f:g} Hz", lambda n=n, f=f: hop_cost(n, f)) for n, f in SHAPES),
        *((f"live, {n} ch @ {f:g} Hz", lambda n=n, f=f: live(n, f, seconds)) for n, f in SHAPES),
        ("against MNE-LSL", lambda: against_mne_lsl(seconds)),
        ("memory over a simulated hour", memory),
    ]
    for name, measure in steps:
        with console.status(f"measuring {name} …"):
            found[name] = measure()
    table = Table("measurement", "figure", "value", title="earmark bench graph")
    for name, _ in steps:
        for i, (key, value) in enumerate(found[name].items()):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name if i == 0 else "", key, shown)
        table.add_section()
    console.print(table)
    write_json(json_file, found)


def _signal(n_channels: int, n_samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 2, (n_samples, 8)), axis=0) @ rng.normal(0, 1, (8, n_channels))
    return np.asarray(300 + walk + rng.normal(0, 5, (n_samples, n_channels)), dtype=np.float32)


def _spec(name: str, sfreq: float, kind: str, n_channels: int, unit: str) -> Any:
    from earmark.pipeline.stream import StreamSpec

    names = tuple(f"E{i}" for i in range(n_channels))
    return StreamSpec(name, sfreq, names, (kind,) * n_channels, (unit,) * n_channels)


def _open(n_channels: int, sfreq: float) -> Any:
    """Open the graph of a session."""
    from earmark.app.config.session import parse_config

    config = parse_config(SESSION.format(source_id="bench"), "bench")
    graph = config.graph()
    eeg, speech = _spec("eeg", sfreq, "eeg", n_channels, "uV"), _spec("speech", SPEECH_HZ, "misc", N_TALKERS, "")
    graph.open(config.sources({"eeg": eeg, "speech": speech}))
    return graph


def _speech(k: int) -> list[Any]:
    """Return the envelope items to feed before EEG hop number ``k``: envelopes that are not late."""
    from earmark.pipeline.stream import Block, ClockMap

    ends = [round((hop + 1) * HOP_S * SPEECH_HZ) + 2 if hop >= 0 else 0 for hop in (k - 1, k)]
    items: list[Any] = [Block(ends[0], np.zeros((ends[1] - ends[0], N_TALKERS)))] if ends[1] > ends[0] else []
    return [ClockMap(0.0, 0.0, 1 / SPEECH_HZ), *items] if k == 0 else items


def hop_cost(n_channels: int, sfreq: float, n_hops: int = 3000) -> dict[str, float]:
    """Measure the cost of one hop of a session's graph, and of its filters and SciPy's on the same blocks in turn."""
    from scipy.signal import sosfilt, sosfilt_zi

    from earmark.pipeline.iir import Cascade
    from earmark.pipeline.nodes.bandpass import Bandpass, BandpassConfig
    from earmark.pipeline.nodes.notch import Notch, NotchConfig
    from earmark.pipeline.stream import Block, ClockMap

    n = round(HOP_S * sfreq)
    data = _signal(n_channels, n * 100)
    blocks = [data[i * n : (i + 1) * n].astype(np.float64) for i in range(100)]
    whole = _open(n_channels, sfreq)
    whole.feed("eeg", ClockMap(0.0, 0.0, 1 / sfreq))
    designs = [Notch(NotchConfig()), Bandpass(BandpassConfig(1.0, 40.0, 4))]
    ours = Cascade(designs)
    spec = whole.specs["reblock"]
    ours.open(spec)
    sos = np.concatenate([design.design(spec)[0] for design in designs])
    zi = sosfilt_zi(sos)[:, :, None] * blocks[0][0]
    times = np.zeros((n_hops, 3))
    worst = 0.0
    for k in range(n_hops):
        block = Block(k * n, blocks[k % 100])
        raw = Block(k * n, data[(k % 100) * n : (k % 100 + 1) * n])
        for item in _speech(k):
            whole.feed("speech", item)
        t0 = time.perf_counter()
        whole.feed("eeg", raw)
        t1 = time.perf_counter()
        (mine,) = (out.data for out in ours.process(block) if isinstance(out, Block))
        t2 = time.perf_counter()
        theirs, zi = sosfilt(sos, block.data, axis=0, zi=zi)
        t3 = time.perf_counter()
        times[k] = t1 - t0, t2 - t1, t3 - t2
        worst = max(worst, float(np.max(np.abs(mine - theirs))))
    times = times[100:] * 1e6
    p50 = np.median(times, axis=0)
    return {
        "whole graph p50 (µs)": float(p50[0]),
        "whole graph p99 (µs)": float(np.percentile(times[:, 0], 99)),
        "times real time": float(HOP_S * 1e6 / times[:, 0].mean()),
        "filters p50 (µs)": float(p50[1]),
        "sosfilt p50 (µs)": float(p50[2]),
        "filters faster than sosfilt by": float(p50[2] / p50[1]),
        "largest difference to sosfilt (µV)": worst,
    }


# Live: one sender process, and one receiver process each for Earmark and MNE-LSL, measured in the same way.


def _send(n_channels: int, sfreq: float, chunk: int, source_id: str, stop: Any) -> None:
    import pylsl

    from earmark.devices.sources.lsl_description import make_info
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    outlet = pylsl.StreamOutlet(make_info(_spec(source_id, sfreq, "eeg", n_channels, "uV"), "EEG", source_id))
    speech = _spec(f"{source_id}-speech", SPEECH_HZ, "misc", N_TALKERS, "")
    envelopes = pylsl.StreamOutlet(make_info(speech, "Envelopes", f"{source_id}-speech"))
    data = _signal(n_channels, chunk * 50)
    t0, k, n_envelopes = pylsl.local_clock(), 0, 0
    while not stop.is_set():
        due = t0 + (k + 1) * chunk / sfreq
        time.sleep(max(0.0, due - pylsl.local_clock()))
        outlet.push_chunk(data[(k % 50) * chunk : (k % 50 + 1) * chunk], due)
        while t0 + n_envelopes / SPEECH_HZ <= due:
            envelopes.push_sample([0.0] * N_TALKERS, t0 + n_envelopes / SPEECH_HZ)
            n_envelopes += 1
        k += 1


def _ages(newest: Callable[[], float | None], seconds: float) -> tuple[np.ndarray, float]:
    """Return ages of the newest sample at random instants, in s, and CPU seconds per second meanwhile."""
    import pylsl

    rng, ages = random.Random(0), []  # noqa: S311 - not security-relevant
    cpu, begun = time.process_time(), time.perf_counter()
    while time.perf_counter() - begun < seconds:
        time.sleep(rng.uniform(0.02, 0.06))
        stamp = newest()
        if stamp is not None:
            ages.append(pylsl.local_clock() - stamp)
    return np.array(ages), (time.process_time() - cpu) / (time.perf_counter() - begun)


def _receive_earmark(source_id: str, hop_s: float, whole: bool, seconds: float, out: Any) -> None:
    from earmark.app.config.session import parse_config
    from earmark.app.engine.engine import Engine
    from earmark.devices.sources.lsl_log import quiet_liblsl
    from earmark.pipeline.stream import Block

    quiet_liblsl()
    text = (SESSION if whole else FILTERS).format(source_id=source_id, hop_s=hop_s)
    engine = Engine(parse_config(text, "bench"), on_event=lambda text: None)
    sizes: list[int] = []

    def count(name: str, item: Any) -> None:
        if name == "eeg" and isinstance(item, Block):
            sizes.append(item.stop - item.start)

    engine.on_item = count
    engine.connect()
    engine.start()
    time.sleep(2)
    engine.latency.n = engine.cost.n = 0
    sizes.clear()
    skipped = engine.streams["eeg"].n_skipped
    ages, cpu = _ages(lambda: engine.streams["eeg"].newest, seconds)
    n, n_skipped = sum(sizes), engine.streams["eeg"].n_skipped - skipped
    latency = [*engine.latency.percentiles(50, 99), n / max(1, len(sizes)), n_skipped / max(1, n + n_skipped)]
    engine.stop()
    out.send((ages, cpu, latency))


def _receive_mne_lsl(source_id: str, delay_s: float, seconds: float, out: Any) -> None:
    import mne_lsl
    from mne_lsl.stream import StreamLSL

    mne_lsl.set_log_level("ERROR")
    stream = StreamLSL(bufsize=2, source_id=source_id).connect(acquisition_delay=delay_s, timeout=10)
    stream.filter(1.0, 40.0, iir_params={"order": 4, "ftype": "butter", "output": "sos"}, verbose="ERROR")
    for line in (50.0, 100.0, 150.0):
        stream.notch_filter(line, verbose="ERROR")
    time.sleep(2)
    ages, cpu = _ages(lambda: float(stream.get_data(winsize=0.05)[1][-1]), seconds)
    stream.disconnect()
    out.send((ages, cpu, None))


def _with_sender(shape: tuple[int, float], chunk: int, receivers: list[tuple[Any, tuple]]) -> list[Any]:
    """Run receivers one after another, twice in opposite order, with one sender; pool their results."""
    context = mp.get_context("spawn")
    source_id, stop = f"earmark-bench-{uuid.uuid4().hex[:8]}", context.Event()
    sender = context.Process(target=_send, args=(*shape, chunk, source_id, stop), daemon=True)
    sender.start()
    results: list[list[Any]] = [[] for _ in receivers]
    try:
        order = list(range(len(receivers)))
        for i in (*order, *reversed(order)) if len(order) > 1 else order:
            target, args = receivers[i]
            mine, theirs = context.Pipe(False)
            process = context.Process(target=target, args=(source_id, *args, theirs), daemon=True)
            process.start()
            theirs.close()
            results[i].append(mine.recv())
            process.join(20)
    finally:
        stop.set()
        sender.join(10)
        sender.kill()
    return [
        (np.concatenate([r[0] for r in runs]), float(np.mean([r[1] for r in runs])), runs[-1][2]) for runs in results
    ]


def live(n_channels: int, sfreq: float, seconds: float) -> dict[str, float]:
    """Measure the graph of a session on live streams over loopback."""
    ((ages, cpu, latency),) = _with_sender(
        (n_channels, sfreq), round(HOP_S * sfreq / 2), [(_receive_earmark, (HOP_S, True, seconds))]
    )
    return {
        "arrival to output p50 (ms)": 1e3 * latency[0],
        "arrival to output p99 (ms)": 1e3 * latency[1],
        "age of newest sample p50 (ms)": 1e3 * float(np.median(ages)),
        "CPU (% of a core)": 100 * cpu,
        "samples in a chunk": latency[2],
        "samples skipped (%)": 100 * latency[3],
    }


def against_mne_lsl(seconds: float) -> dict[str, Any]:
    """Compare the same filters on the same stream, in Earmark and in MNE-LSL's StreamLSL with a buffer of 2 s.

    StreamLSL polls: it is measured with its default interval of 1 ms, and with the length of the sender's chunk.
    """
    if find_spec("mne_lsl") is None:
        return {"skipped": f"MNE-LSL is not installed: {install('bench')}"}
    chunk_s = PEER_CHUNK / PEER_SHAPE[1]
    ours, *theirs = _with_sender(
        PEER_SHAPE,
        PEER_CHUNK,
        [
            (_receive_earmark, (chunk_s, False, seconds)),
            *((_receive_mne_lsl, (delay_s, seconds)) for delay_s in (0.001, chunk_s)),
        ],
    )
    found: dict[str, Any] = {}
    peers = ("MNE-LSL by default (1 ms)", f"MNE-LSL at {1e3 * chunk_s:g} ms")
    for name, (ages, cpu, _) in (("ours", ours), *zip(peers, theirs, strict=True)):
        found[f"CPU (% of a core), {name}"] = 100 * cpu
        found[f"age of newest sample p50 (ms), {name}"] = 1e3 * float(np.median(ages))
        found[f"age of newest sample p99 (ms), {name}"] = 1e3 * float(np.percentile(ages, 99))
        if name != "ours":
            found[f"CPU, ours / {name}"] = ours[1] / cpu
            found[f"age p50, ours / {name}"] = float(np.median(ours[0]) / np.median(ages))
    return found


def memory(n_channels: int = 64, sfreq: float = 1000.0) -> dict[str, Any]:
    """Measure resident memory after a minute and after an hour of simulated stream."""
    if find_spec("psutil") is None:
        return {"skipped": f"psutil is not installed: {install('bench')}"}
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe(False)
    process = context.Process(target=_hour, args=(n_channels, sfreq, theirs), daemon=True)
    process.start()
    theirs.close()
    minute, hour = mine.recv()
    process.join(20)
    return {"after a minute (MB)": minute, "after an hour (MB)": hour, "difference (MB)": hour - minute}


def _hour(n_channels: int, sfreq: float, out: Any) -> None:
    import psutil

    from earmark.devices.files.journal import About
    from earmark.devices.files.session_writer import Digest, SessionWriter
    from earmark.devices.sources.lsl_description import describe_xml, make_info
    from earmark.devices.sources.source import Arrival
    from earmark.pipeline.stream import Block, ClockMap

    graph = _open(n_channels, sfreq)
    description = describe_xml(make_info(graph.specs["eeg"], "EEG", "bench").as_xml())
    writer = SessionWriter({"eeg": description}, {}, About(""))
    digest, n = Digest(), round(HOP_S * sfreq)
    data = _signal(n_channels, n * 50)
    rss = []
    for k in range(round(3600 / HOP_S)):
        items: list[Any] = [Block(k * n, data[(k % 50) * n : (k % 50 + 1) * n])]
        if k % 50 == 0:
            items.insert(0, ClockMap(float(k * n), k * HOP_S, 1 / sfreq))
        for item in _speech(k):
            graph.feed("speech", item)
        for item in items:
            writer.arrival(Arrival("eeg", item, k * HOP_S, np.arange(n) / sfreq + k * HOP_S))
            for _, given in graph.feed("eeg", item):
                digest.add(given)
        if k in (round(60 / HOP_S), round(3600 / HOP_S) - 1):
            rss.append(psutil.Process().memory_info().rss / 1e6)
    out.send(rss)

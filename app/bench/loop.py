"""``earmark bench loop``: latency from the newest sample at the inlet to gains set, and to sound."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from earmark.app.config.backends import BackendName
from earmark.app.terminal.console import JsonFile
from earmark.app.training.runs import KIND_HELP, decoder_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from earmark.devices.simulate.listener import ListenerConfig
    from earmark.pipeline.run import Run

#: Rate of the simulated EEG, Hz.
SFREQ = 1000.0
#: Simulated sessions that the decoder is trained on: number, and length in s.
N_RUNS, RUN_S = 4, 40.0

SESSION = """\
[streams.eeg]
source_id = "{name}-eeg"
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"
[streams.cues]
name = "{name}-cues"
type = "Markers"
[attention]
decoder = "decoder"
backends = {backends}
hold_s = 0.0
dead_band_db = 0.0
"""


def loop(
    json_file: JsonFile = None,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=10)] = 30.0,
    decoder: Annotated[str, typer.Option(metavar="NAME", callback=decoder_kind, help=KIND_HELP)] = "filterbank",
    backend: Annotated[
        list[BackendName] | None,
        typer.Option(help="Backend of a network; may be given several times. Default: PyTorch on the CPU, hop by hop."),
    ] = None,
) -> None:
    """Measure the closed loop with 64 channels at 1 kHz.

    Measured idle, and with a process that keeps one core busy. The decision window (2 s; networks: 3 s) is not part of
    any figure. A network is trained for one epoch only: training does not change its speed. Sound plays on the default
    output, or on a simulated clock if there is none. Compare figures only within one run, not across machines or days.
    """
    from rich.table import Table

    from earmark.app.engine.environment import environment
    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.training.runs import decoder_class
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    if backend and not decoder_class(decoder).by_epochs:
        fail(f"--backend is for networks only, and {decoder} runs in NumPy: leave out --backend")
    backends = [one.value for one in dict.fromkeys(backend or ())]
    if backends:
        from earmark.kernels.runtime import BACKENDS

        for name in backends:
            if reason := BACKENDS[name].absent():
                fail(f"--backend {name} is not available: {reason}")
    found: dict[str, Any] = {"environment": environment(), "seconds": seconds, "channels": 64, "sfreq": SFREQ}
    found |= {"decoder": decoder, "backends": backends}
    with failures(), tempfile.TemporaryDirectory(prefix="earmark-bench-") as folder:
        with console.status("training a decoder on simulated sessions …"):
            listener = _train(Path(folder), decoder, backends)
        for name, burn in (("idle", False), ("one core burned by another process", True)):
            with console.status(f"measuring, {name} …"):
                found[name] = _measure(Path(folder), listener, name.split()[0], seconds, backends, burn=burn)
    what = f"{decoder}{f' by {backends[0]}' if backends else ''}"
    title = f"earmark bench loop, 64 ch at 1 kHz, {what}"
    table = Table("load", "from … to", "p50 ms", "p99 ms", "max ms", "n", title=title)
    for name in [key for key in found if isinstance(found[key], dict) and "stages" in found[key]]:
        for stage, figures in found[name]["stages"].items():
            values = [figures[key] for key in ("p50", "p99", "max")]
            table.add_row(name, stage, *("" if v is None else f"{v:.2f}" for v in values), str(figures["n"]))
        table.add_row(name, "decisions dropped", "", "", "", str(found[name]["n_dropped"]))
    console.print(table)
    console.print(f"Sound went to {found['idle']['sound'].get('went to')}.", markup=False)
    write_json(json_file, found)


def simulated_runs(
    listener: ListenerConfig, n_runs: int, seconds: float, who: tuple[str, ...] = ("Joe", "Ada")
) -> list[Run]:
    """Simulate sessions of a listener to random envelopes, faster than real time."""
    from earmark.devices.files.recorded_run import RecordedRun, Signal, Trial, prepare
    from earmark.devices.simulate.listener import Listener
    from earmark.pipeline.decoders.presets import EEG
    from earmark.pipeline.stream import StreamSpec

    runs, speech_sfreq = [], EEG.sfreq
    for number in range(n_runs):
        rng, n = np.random.default_rng(number), round(seconds * speech_sfreq)
        smooth = np.hanning(9) / np.hanning(9).sum()
        envelopes = [np.convolve(np.abs(rng.standard_normal(n)), smooth, "same") for _ in who]
        person = Listener(listener, len(who), seed=number)
        person.attend(number % len(who), 0.0)
        person.hear(np.arange(n) / speech_sfreq, np.stack(envelopes))
        eeg = person.listen(round(seconds * listener.sfreq))
        spec = StreamSpec("speech", speech_sfreq, ("speech",), ("misc",), ("",))
        stamps = np.array([person.time(i) for i in range(len(eeg))])
        signals = tuple(Signal(spec, np.arange(n) / speech_sfreq, _rows(one[:, None])) for one in envelopes)
        neural = Signal(person.spec, stamps, _rows(eeg))
        heard = tuple(f"{number} {name}" for name in who)
        trial = Trial(f"{number}", -np.inf, np.inf, who, heard, ((0.0, who[number % len(who)]),))
        runs += prepare(RecordedRun("simulated", "simulated", neural, signals, (trial,)), EEG)
    return runs


def _rows(data: NDArray[Any]) -> Callable[[int, int], NDArray[Any]]:
    return lambda start, stop: data[start:stop]


def _train(folder: Path, kind: str, backends: Sequence[str]) -> ListenerConfig:
    from earmark.app.training.fit import train_and_save
    from earmark.app.training.runs import decoder_class, maker
    from earmark.devices.simulate.listener import PRESETS
    from earmark.pipeline.decoders.presets import EEG

    listener = replace(PRESETS["easy"], sfreq=SFREQ)
    runs = simulated_runs(listener, N_RUNS, RUN_S)
    if not decoder_class(kind).by_epochs:
        train_and_save(runs, maker(kind, EEG), EEG, folder / "decoder")
        return listener
    from earmark.app.training.exporters import quiet_exporter
    from earmark.devices.files.decoder_folder import Facts, load_decoder, save_decoder
    from earmark.devices.files.engine_cache import EngineCache
    from earmark.kernels.runtime import BACKENDS
    from earmark.kernels.runtime.backend import Policy
    from earmark.pipeline.attention.emissions import Emissions
    from earmark.pipeline.decoders.training import TrainingConfig

    scatter = Emissions(0.1, -0.1, 0.05, 0.0, 100.0)
    facts = Facts(float("nan"), 0.5, 0, (), N_RUNS * RUN_S, scatter)
    save_decoder(folder / "decoder", maker(kind, EEG, config=TrainingConfig(epochs=1))().fit(runs), facts)
    quiet_exporter()
    network: Any = load_decoder(folder / "decoder")[0]
    for name in backends:
        module, example = network.network()
        EngineCache().prepare(BACKENDS[name], module, example, Policy())
    return listener


def _measure(
    folder: Path, listener: ListenerConfig, part: str, seconds: float, backends: Sequence[str], *, burn: bool
) -> dict[str, Any]:
    from earmark.app.config.session import parse_config
    from earmark.app.engine.closed_loop import ClosedLoop
    from earmark.app.report.read_session import session_figures
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.outlets import SoundOutlets
    from earmark.devices.audio.prepare import prepare
    from earmark.devices.audio.scene import AudioError, Scene, Talker
    from earmark.devices.audio.sinks import DeviceSink, NullSink
    from earmark.devices.processes.latency import busy_core
    from earmark.devices.simulate.live import ListenerProcess, LiveConfig
    from earmark.devices.sources.lsl import Outlet
    from earmark.pipeline.nodes.envelope import EnvelopeConfig
    from earmark.pipeline.stream import StreamSpec

    name, speech = f"bench-{uuid.uuid4().hex[:8]}", Path(__file__).parents[1] / "speech"
    talkers = tuple(Talker(who, str(speech / f"{who.lower()}.ogg"), loop=True) for who in ("Joe", "Ada"))
    prepared = prepare(Scene(talkers))
    cues = Outlet(StreamSpec(f"{name}-cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", f"{name}-cues")
    audio = AudioEngine(prepared, DeviceSink())
    outlets = SoundOutlets(audio, name, EnvelopeConfig())
    try:
        audio.start()
    except AudioError:
        outlets.stop()
        audio = AudioEngine(prepared, NullSink())
        outlets = SoundOutlets(audio, name, EnvelopeConfig())
        audio.start()
    # The listener hears nothing, because only times matter: its EEG need not wait for the sound.
    live = LiveConfig(("Joe", "Ada"), f"{name}-none", source_id=f"{name}-eeg", listener=listener, delivery_s=0.0)
    person = ListenerProcess(live)
    path = folder / f"{part}.xdf"
    try:
        session = ClosedLoop(
            parse_config(SESSION.format(name=name, backends=json.dumps(backends)), "bench", folder),
            audio,
            path,
            lambda text: None,
        )
        session.start()
        with busy_core() if burn else nullcontext():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.5)
        wrong = session.stop()
    finally:
        person.stop()
        audio.stop()
        outlets.stop()
        del cues
    if wrong:
        raise AudioError(wrong)
    figures = session_figures(path)
    return {
        "stages": {
            stage: {
                "p50": 1e3 * float(np.median(values)) if len(values) else None,
                "p99": 1e3 * float(np.percentile(values, 99)) if len(values) else None,
                "max": 1e3 * float(values.max()) if len(values) else None,
                "n": len(values),
            }
            for stage, values in figures.stages.items()
        },
        "n_dropped": figures.n_dropped,
        "sound": figures.sound,
    }

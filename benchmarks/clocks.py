"""Measure decoding accuracy with wrong amplifier clocks and lost packets; neither may lower it.

::

    python -m benchmarks.clocks

A simulated listener with twelve electrodes hears two talkers in four runs of two minutes, and switches attention in the
middle of each. Five amplifiers sample the same signal with a nominal rate of 250 Hz: one is exact, one is 0.04 % slow,
one is 0.2 % fast, one drifts between 0.2 % slow and 0.2 % fast, and one is exact but loses 5 % of its packets of twelve
samples.
Time stamps have a jitter of 0.1 ms. ``imported`` is an XDF file that passes through the code of ``earmark import`` and
``earmark evaluate``; ``live`` are packets that pass through the alignment of live samples and the graph of a session,
in one process and faster than real time, without the network. A linear decoder is trained on three runs and tested on
the fourth, in turn, on windows that do not overlap. Intervals are 95 % Clopper-Pearson intervals; they are somewhat too
narrow, because windows of one run are not independent.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import earmark.app  # noqa: F401

# isort: split
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from scipy.interpolate import CubicSpline
from scipy.stats import binomtest

from benchmarks.listeners import VOICES, correct_windows, voices
from earmark.devices.files import xdf
from earmark.devices.files.recorded_run import Trial, cut
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.run_file import Talker, read_run, write_run
from earmark.devices.simulate.listener import PRESETS, Listener
from earmark.devices.sources.continuity import Continuity
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.attention.decoding_graph import decoding_graph
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.run import Run
from earmark.pipeline.stream import Block, ClockMap, Gap, Item, StreamSpec

SFREQ, PACKET = 250.0, 12
N_RUNS, RUN_S = 4, 120.0
WINDOWS = (1.0, 5.0, 10.0)
ELECTRODES = ("Fz", "Cz", "Pz", "F3", "F4", "C3", "C4", "T7", "T8", "P7", "P8", "Oz")
#: Jitter of time stamps (standard deviation) and delay of live packets, s.
JITTER_S, WAY_S = 1e-4, 0.01
#: Share of lost packets.
LOST = 0.05
#: Relative clock error of each amplifier (positive: fast) as a function of the time in s.
CLOCKS = {
    "exact": lambda t: 0.0,
    "0.04 % slow": lambda t: -4e-4,
    "0.2 % fast": lambda t: 2e-3,
    "drifting by 0.2 %": lambda t: 2e-3 * math.sin(2 * math.pi * t / 200),
    "5 % of packets lost": lambda t: 0.0,
}


@cache
def brain(number: int) -> tuple[StreamSpec, CubicSpline, list[NDArray[np.float64]]]:
    """Return the stream, the EEG of one run as a function of time, and the envelopes of the talkers."""
    sfreq = EnvelopeConfig().sfreq
    n = round((RUN_S + 2) * sfreq)
    starts = np.random.default_rng(number).uniform(0, 200, len(VOICES))
    heard = [one[(round(start * sfreq) + np.arange(n)) % len(one)] for one, start in zip(voices(), starts, strict=True)]
    person = Listener(replace(PRESETS["easy"], ch_names=ELECTRODES), len(VOICES), seed=number)
    person.attend(number % 2, 0.0)
    person.attend(1 - number % 2, RUN_S / 2)
    person.hear(np.arange(n) / sfreq, np.stack(heard))
    eeg = person.listen(int((RUN_S + 1) / person.period))
    times = person.start + np.arange(len(eeg)) * person.period
    return person.spec.evolve(sfreq=SFREQ), CubicSpline(times, eeg), heard


def sampled(number: int, clock: str) -> tuple[StreamSpec, NDArray[np.float64], NDArray[np.float32]]:
    """Return the stream, time stamps and samples of one run from one amplifier."""
    rng = np.random.default_rng([number, 7])
    spec, signal, _ = brain(number)
    at, instants = 0.0, []
    while at < RUN_S:
        instants.append(at)
        at += 1 / (SFREQ * (1 + CLOCKS[clock](at)))
    n = len(instants) // PACKET * PACKET
    times = np.array(instants[:n])
    packets = np.arange(n).reshape(-1, PACKET)
    if "lost" in clock:
        kept = rng.random(len(packets)) >= LOST
        kept[0] = True  # the talkers of an imported run start with its first sample
        packets = packets[kept]
    rows = packets.ravel()
    stamps = times[rows] + np.repeat(rng.normal(0, JITTER_S, len(packets)), PACKET)
    return spec, 1000.0 + stamps, signal(times[rows]).astype(np.float32)


def _attended(number: int) -> tuple[tuple[float, str], ...]:
    return ((0.0, VOICES[number % 2]), (RUN_S / 2, ""), (RUN_S / 2 + 2.0, VOICES[1 - number % 2]))


def imported(number: int, clock: str, folder: Path) -> Run:
    """Return one run as imported from a file."""
    spec, stamps, data = sampled(number, clock)
    path = folder / f"{number}-{clock}.xdf"
    content = [xdf.file_header(), xdf.stream_header(1, make_info(spec, "EEG", "amp").as_xml())]
    content += [xdf.samples(1, stamps[a : a + 120], data[a : a + 120]) for a in range(0, len(stamps), 120)]
    path.write_bytes(b"".join(content))
    heard = brain(number)[2]
    sfreq = EnvelopeConfig().sfreq
    talkers = [Talker(name, one[:, None], sfreq) for name, one in zip(VOICES, heard, strict=True)]
    run = path.with_suffix(".run.xdf")
    write_run(run, open_recording(path), talkers, _attended(number), "simulated")
    return read_run(run, EEG)


def live(number: int, clock: str) -> Run:
    """Return one run as received in packets."""
    spec, stamps, data = sampled(number, clock)
    envelope = np.stack(brain(number)[2], axis=1)
    speech = StreamSpec("speech", EnvelopeConfig().sfreq, VOICES, ("misc",) * 2, ("",) * 2)
    begun = 1000.0

    def items() -> Iterator[tuple[str, Item]]:
        continuity = Continuity("amp", SFREQ)
        sent = 0
        yield "speech", ClockMap(0.0, begun, 1 / speech.sfreq)
        for at in range(0, len(stamps), PACKET):
            arrival = float(stamps[at + PACKET - 1]) + WAY_S
            until = min(len(envelope), int((arrival - begun) * speech.sfreq))
            if until > sent:
                yield "speech", Block(sent, envelope[sent:until])
                sent = until
            for item, _ in continuity.add(data[at : at + PACKET], stamps[at : at + PACKET], arrival):
                if not isinstance(item, str):
                    yield "amp", item
        for item, _ in continuity.flush():
            if not isinstance(item, str):
                yield "amp", item
        yield "amp", Gap(continuity.index, continuity.index)
        yield "speech", Gap(sent, sent)

    graph = decoding_graph(EEG, "amp", ["speech"], 1, 2.0)
    cues = tuple((begun + at, name) for at, name in _attended(number))
    trial = Trial(f"{number}", begun, begun + RUN_S, VOICES, tuple(f"{number} {name}" for name in VOICES), cues)
    return cut("live", "simulated", graph, {"amp": spec, "speech": speech}, items(), [trial])[0]


def figures(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Return the accuracy by window, each run decoded by a decoder trained on the others."""
    right: dict[float, list[bool]] = {seconds: [] for seconds in WINDOWS}
    for run in runs:
        decoder = LinearDecoder(EEG).fit([other for other in runs if other is not run])
        for seconds, one in correct_windows(decoder, [run], WINDOWS).items():
            right[seconds] += one
    found = {}
    for seconds, correct in right.items():
        interval = binomtest(sum(correct), len(correct)).proportion_ci(0.95, "exact")
        found[f"{seconds:g}"] = {
            "n": len(correct),
            "right": sum(correct),
            "accuracy": sum(correct) / len(correct),
            "interval": [float(interval.low), float(interval.high)],
        }
    return found


def main(
    out: Annotated[Path, typer.Argument(help="File for the figures.")] = Path("benchmarks/clocks.json"),
) -> None:
    """Run all measurements and write the figures."""
    console = Console()
    found: dict[str, dict[str, Any]] = {"imported": {}, "live": {}}
    about = {"runs": N_RUNS, "seconds": RUN_S, "sfreq": SFREQ, "packet": PACKET, "listener": "easy"}
    with tempfile.TemporaryDirectory() as folder:
        for clock in CLOCKS:
            ways = {
                "imported": [imported(k, clock, Path(folder)) for k in range(N_RUNS)],
                "live": [live(k, clock) for k in range(N_RUNS)],
            }
            for way, runs in ways.items():
                found[way][clock] = figures(runs)
                text = "; ".join(
                    f"{seconds} s {100 * one['accuracy']:.1f} % ({100 * one['interval'][0]:.1f} to "
                    f"{100 * one['interval'][1]:.1f}, n = {one['n']})"
                    for seconds, one in found[way][clock].items()
                )
                console.print(f"{way}, {clock}: {text}", markup=False, highlight=False)
            out.write_text(json.dumps({"about": about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)

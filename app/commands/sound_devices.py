"""``earmark devices``: list sound inputs and outputs, the rates they accept, and their timing."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from earmark.app.doctor.check import ProbeError, probe
from earmark.app.terminal.console import JsonFile, console, fail, write_json
from earmark.app.terminal.exit_status import ExitStatus
from earmark.app.terminal.foreign import plain

#: Sample rates that are tried, Hz.
RATES = (44_100, 48_000, 96_000)
#: Longest time for listing and for one device, and length of a measurement, s.
LIST_S, DEVICE_S, MEASURE_S = 30.0, 15.0, 2.0
NONE_HERE = (
    "connect a sound card, or start the sound server of this session (PipeWire, PulseAudio, JACK). In a container or "
    "over SSH there is often none: 'earmark play --device null' works without one, and --device file:x.wav writes a "
    "file"
)

#: Both pieces of code run in a process of their own, since a broken driver may crash or hang.
LIST = """
import json, sys
import sounddevice as sd
def accepts(device, kind, rate):
    check = sd.check_output_settings if kind == "output" else sd.check_input_settings
    try:
        check(device["index"], channels=min(2, device[f"max_{kind}_channels"]), dtype="float32", samplerate=rate)
    except (sd.PortAudioError, ValueError):
        return False
    return True
apis = sd.query_hostapis()
found = [
    {"kind": kind, "index": d["index"], "name": d["name"], "api": apis[d["hostapi"]]["name"],
     "channels": d[f"max_{kind}_channels"], "rate": d["default_samplerate"],
     "latency_ms": 1e3 * d[f"default_low_{kind}_latency"],
     "is_default": d["index"] == sd.default.device[kind == "output"],
     "of_api": d["index"] == apis[d["hostapi"]][f"default_{kind}_device"],
     "rates": [rate for rate in map(int, sys.argv[1:]) if accepts(d, kind, rate)]}
    for d in sd.query_devices() for kind in ("input", "output") if d[f"max_{kind}_channels"]
]
print(json.dumps({"portaudio": sd.get_portaudio_version()[1].split(",")[0], "found": found}))
"""

MEASURE = """
import json, os, statistics, sys, threading, time
import sounddevice as sd
index, seconds, block = int(sys.argv[1]), float(sys.argv[2]), 256
ahead, began = [], []
def silence(out, n, times, flags):
    out[:] = 0
    ahead.append(times.outputBufferDacTime - times.currentTime)
    began.append(time.perf_counter())
try:
    rate = sd.query_devices(index)["default_samplerate"]
    stream = sd.OutputStream(device=index, channels=2, blocksize=block, dtype="float32", latency="low",
                             samplerate=rate, callback=silence)
    stream.start()
    threading.Event().wait(seconds)
except sd.PortAudioError as error:
    print(json.dumps({"problem": str(error)}), flush=True)
    os._exit(0)
ahead, began = ahead[5:], began[5:]
steps = sorted(b - a for a, b in zip(began, began[1:]))
if len(steps) < 20:
    answer = {"problem": f"requested only {len(began)} buffers in {seconds:g} s"}
else:
    at = lambda values, q: 1e3 * values[min(len(values) - 1, int(q * len(values)))]
    answer = {"rate": rate, "block_ms": 1e3 * block / rate, "reported_ms": 1e3 * stream.latency,
              "dac_ms": at(sorted(ahead), 0.5), "dac_p99_ms": at(sorted(ahead), 0.99),
              "step_ms": at(steps, 0.5), "step_p99_ms": at(steps, 0.99), "step_max_ms": 1e3 * steps[-1],
              "part": len(steps) * block / rate / sum(steps)}
print(json.dumps(answer), flush=True)
os._exit(0)  # closing hangs if a sound server has died
"""


def devices(
    measure: Annotated[
        bool, typer.Option("--measure", help="Play silence for 2 s on each default output, and measure its timing.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """List sound inputs and outputs, with rates and latencies.

    Latencies are as reported by the driver; with --measure, as measured. Exit status: 0 there is a sound output, 1
    devices cannot be listed, 3 there is no sound output.
    """
    try:
        with console.status("Asking PortAudio …"):
            answer = probe(LIST, *map(str, RATES), timeout=LIST_S)
    except ProbeError as error:
        fail(explain_probe_error(error))
    found: list[dict[str, Any]] = answer["found"]
    outputs = [each for each in found if each["kind"] == "output"]
    write_json(json_file, found)
    if found:
        console.print(_table(found, answer["portaudio"]), soft_wrap=False)
    if not outputs:
        fail(f"there is no sound output: {NONE_HERE}", ExitStatus.NO_MATCH)
    if not any(each["channels"] >= 2 for each in outputs):
        fail("there is no sound output with two channels, one for each ear: connect one", ExitStatus.NO_MATCH)
    if measure:
        console.print(_measured([each for each in outputs if each["of_api"]]), soft_wrap=False)
    else:
        console.print("To measure their timing: earmark devices --measure. To hear one: earmark play --device NAME")


def explain_probe_error(error: ProbeError) -> str:
    """Explain why PortAudio does not answer, and how to fix it."""
    if "PortAudio library not found" in str(error):
        return (
            "the PortAudio library is missing: apt-get install libportaudio2, brew install portaudio or similar; on "
            "Windows and macOS the wheel of sounddevice contains it"
        )
    if "No module named" in str(error):
        return "sounddevice is not installed: pip install sounddevice"
    return (
        f"PortAudio does not answer ({error}): a driver or sound server is stuck. Restart the sound server, unplug "
        "the device that was connected last, and see what 'python -m sounddevice' prints"
    )


def _table(found: list[dict[str, Any]], portaudio: str) -> Table:
    table = Table(
        "",
        Column("index", justify="right"),
        Column("name", overflow="fold"),
        Column("host API", overflow="fold"),
        Column("channels", justify="right"),
        Column("default", justify="right"),
        Column("accepts", overflow="fold"),
        Column("low latency", justify="right"),
        box=None,
        padding=(0, 2, 0, 0),
        caption=f"{portaudio}. *: the system's default. accepts: which of {', '.join(map(str, RATES))} Hz. "
        "low latency: as reported by the driver.",
    )
    for each in sorted(found, key=lambda each: (each["kind"] == "input", each["index"])):
        table.add_row(
            f"{each['kind']}{' *' if each['is_default'] else ''}",
            str(each["index"]),
            Text(plain(each["name"], 80)),
            Text(plain(each["api"], 80)),
            str(each["channels"]),
            f"{each['rate']:g} Hz",
            ", ".join(map(str, each["rates"])) or Text("none of them", style="red"),
            f"{each['latency_ms']:.1f} ms",
        )
    return table


def _measured(outputs: list[dict[str, Any]]) -> Table:
    """Measure the timing of outputs, one after another; return a table."""
    table = Table(
        Column("output", overflow="fold"),
        Column("Hz", justify="right"),
        Column("to the DAC\np50 / p99", justify="right"),
        Column("reported", justify="right"),
        Column("buffer", justify="right"),
        Column("between buffers\np50 / p99 / max", justify="right"),
        Column("requested", justify="right"),
        box=None,
        padding=(0, 2, 0, 0),
        caption="Times in ms. to the DAC: from the callback until its first frame is heard, according to the driver. "
        "reported: latency according to the driver. requested: share of the due buffers that the driver requested.",
    )
    for each in outputs:
        name = Text(f"{each['index']} {plain(each['name'])}")
        try:
            with console.status(f"Measuring device {each['index']} …"):
                answer = probe(MEASURE, str(each["index"]), str(MEASURE_S), timeout=DEVICE_S)
        except ProbeError as error:
            answer = {"problem": f"{error}: it is stuck; restart its sound server"}
        if "problem" in answer:
            table.add_row(name, Text(plain(answer["problem"], 200), style="red"))
            continue
        steps = " / ".join(f"{answer[key]:.1f}" for key in ("step_ms", "step_p99_ms", "step_max_ms"))
        table.add_row(
            name,
            f"{answer['rate']:g}",
            f"{answer['dac_ms']:.1f} / {answer['dac_p99_ms']:.1f}",
            f"{answer['reported_ms']:.1f}",
            f"{answer['block_ms']:.1f}",
            steps,
            f"{100 * answer['part']:.0f} %",
        )
    return table

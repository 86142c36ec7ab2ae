"""``earmark streams``: list LSL streams and measure their sample rates."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from earmark.app.terminal.console import JsonFile, console, fail, write_json
from earmark.app.terminal.exit_status import ExitStatus
from earmark.app.terminal.foreign import plain
from earmark.devices.sources.stamp_clock import FAR_S, other_clock

if TYPE_CHECKING:
    import pylsl

#: Exit status if no stream was found.
NO_STREAMS = ExitStatus.NO_MATCH
#: Longest wait for a stream to open, and for its clock to answer, s.
TIMEOUT = 3.0
#: Longest call to LSL, s: Ctrl-C is handled between calls.
SLICE = 0.2
#: Announced values per second above which a stream is not opened, as its buffer would be huge.
MAX_THROUGHPUT = 100e6


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream on the network, as announced and as received.

    Attributes
    ----------
    name, type, format, host, source_id : str
        As announced by the sender; untrusted text.
    channels : int
        Number of channels.
    nominal_rate : float
        Announced samples per second; 0 for an irregular stream.
    effective_rate : float or None
        Received samples per second, by this machine's clock; None if no sample arrived.
    age : float or None
        Age of the newest sample at the end of the measurement, s, by its time stamp in this machine's clock.
    problem : str
        Why it could not be read; empty if it could.
    """

    name: str
    type: str
    channels: int
    format: str
    nominal_rate: float
    effective_rate: float | None
    age: float | None
    host: str
    source_id: str
    problem: str = ""


def measure(info: pylsl.StreamInfo, seconds: float, stop: threading.Event | None = None) -> Stream:
    """Read a stream and measure what it delivers.

    Parameters
    ----------
    info : pylsl.StreamInfo
        As resolved.
    seconds : float
        How long to count samples, once the stream is open.
    stop : threading.Event, optional
        Ends the measurement early.
    """
    from pylsl.lib import fmt2string

    rate = info.nominal_srate()
    number = info.channel_format()
    effective = age = None
    problem = ""
    if not (number and math.isfinite(rate) and 0 <= info.channel_count() * max(rate, 1.0) <= MAX_THROUGHPUT):
        problem = "announces an impossible format or rate"
    else:
        try:
            effective, age = _receive(info, seconds, stop or threading.Event())
        except RuntimeError as error:  # pylsl raises it for everything: time-outs, lost streams, memory
            problem = str(error)
    return Stream(
        name=info.name(),
        type=info.type(),
        channels=info.channel_count(),
        format=fmt2string[number] if 0 <= number < len(fmt2string) else str(number),
        nominal_rate=rate if math.isfinite(rate) else 0.0,
        effective_rate=effective,
        age=age,
        host=info.hostname(),
        source_id=info.source_id(),
        problem=problem,
    )


def _receive(info: pylsl.StreamInfo, seconds: float, stop: threading.Event) -> tuple[float | None, float | None]:
    """Return the effective rate and the age of the newest sample; None for both if no sample arrived."""
    import pylsl

    inlet = pylsl.StreamInlet(info, max_buflen=max(2, math.ceil(seconds)), recover=False)
    _in_slices(inlet.open_stream, stop)
    try:
        correction = _in_slices(inlet.time_correction, stop)
        inlet.flush()  # samples that arrived while the clock was estimated
        # Limits a chunk to some MB, however many channels there are.
        limit = max(1, min(4096, 2**20 // info.channel_count()))
        arrivals: list[tuple[float, int]] = []
        newest = math.nan
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not stop.is_set():
            _, stamps = inlet.pull_chunk(timeout=min(left, SLICE), max_samples=limit, min_samples=1, as_numpy=True)
            if len(stamps):
                now = time.monotonic()
                time.sleep(0.01)  # lets a chunk arrive whole; single samples would take a whole core
                _, rest = inlet.pull_chunk(timeout=0.0, max_samples=limit, as_numpy=True)
                arrivals.append((now, len(stamps) + len(rest)))
                newest = float((rest if len(rest) else stamps)[-1])
        if not arrivals:
            return None, None
        # By this machine's clock, as stamps may be wrong. Samples of the first pull arrived before the span began.
        span = arrivals[-1][0] - arrivals[0][0]
        n = sum(count for _, count in arrivals[1:])
        effective = n / span if n else arrivals[0][1] / seconds
        age = pylsl.local_clock() - (newest + correction)
        return effective, age if math.isfinite(age) else None
    finally:
        inlet.close_stream()


def _in_slices(call: Callable[..., Any], stop: threading.Event) -> Any:
    """Call for up to ``TIMEOUT`` seconds, in short slices, as a call to LSL cannot be interrupted."""
    from pylsl.util import TimeoutError as TooLate

    end = time.monotonic() + TIMEOUT
    while True:
        try:
            return call(timeout=SLICE)
        except TooLate:
            if stop.is_set() or time.monotonic() > end:
                raise


def _table(found: list[Stream]) -> Table:
    table = Table(
        Column("name", overflow="fold"),
        Column("type", overflow="fold"),
        "channels",
        Column("nominal", justify="right", min_width=9),
        Column("measured", justify="right", overflow="fold"),
        Column("age", justify="right"),
        Column("host", overflow="fold"),
        Column("source_id", overflow="fold"),
        box=None,
        padding=(0, 2, 0, 0),
    )
    for stream in found:
        if stream.problem:
            measured, age = Text(plain(stream.problem, 80), style="red"), ""
        elif stream.effective_rate is None:
            measured, age = Text("no sample", style="dim" if stream.nominal_rate == 0 else "red"), ""
        else:
            measured = Text(f"{stream.effective_rate:.4g} Hz")
            far = stream.age is not None and abs(stream.age) > FAR_S
            age = "" if stream.age is None else "other clock" if far else f"{stream.age * 1e3:.0f} ms"
        table.add_row(
            Text(plain(stream.name, 80)),
            Text(plain(stream.type, 80)),
            f"{stream.channels} {stream.format}",
            f"{stream.nominal_rate:g} Hz" if stream.nominal_rate else "irregular",
            measured,
            age,
            Text(plain(stream.host, 80)),
            Text(plain(stream.source_id, 80)),
        )
    return table


def streams(
    seconds: Annotated[float, typer.Option(min=0.1, max=60.0, help="How long to count samples.")] = 2.0,
    json_file: JsonFile = None,
) -> None:
    """List LSL streams on the network, with measured rates.

    Exit status: 0 listed, 1 the list cannot be written, 3 no stream was found, 130 ended by Ctrl-C.
    """
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    import pylsl

    from earmark.devices.sources.lsl_search import StreamSelector, find_streams

    with console.status("Searching for streams ...") as spinner:
        infos = find_streams(StreamSelector(), 1.0)
        spinner.update(f"Reading {len(infos)} streams for {seconds:g} s ...")
        # One thread per stream: all are measured over the same seconds, and one that does not open delays no other.
        stop = threading.Event()
        with ThreadPoolExecutor(max_workers=max(1, len(infos))) as pool:
            try:
                found = list(pool.map(lambda info: measure(info, seconds, stop), infos))
            except KeyboardInterrupt:
                stop.set()
                raise
    found.sort(key=lambda stream: (stream.name, stream.host, stream.source_id))
    write_json(json_file, [asdict(each) for each in found])
    if not found:
        fail(
            "no LSL stream on the network. Start the sender; if it runs on another machine, connect both to the same "
            "network and open their firewalls. 'earmark doctor' checks this machine",
            NO_STREAMS,
        )
    console.print(_table(found), soft_wrap=False)
    for stream in found:
        now = pylsl.local_clock()
        if stream.age is not None and (words := other_clock(now - stream.age, now)):
            console.print(Text(f"{plain(stream.name)}: {words}", style="red"), soft_wrap=True)

"""Live LSL streams: what comes in, and what is sent out."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from devices.continuity import Continuity, Placed
from devices.limits import files_are_used_up
from devices.lsl_info import (
    DTYPES,
    StreamDescription,
    StreamError,
    StreamSelector,
    describe_xml,
    find_one,
    find_streams,
    make_info,
)
from devices.overrides import Overrides
from pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec

log = logging.getLogger(__name__)

#: Seconds of data that LSL keeps for us should we be held up; older data are lost and come out as a gap.
BUFFER_S = 30
#: Longest wait for a chunk, hence for noticing a request to stop.
PATIENCE_S = 0.2
#: Silence after which the network is searched for a new outlet of the same source.
SILENCE_S = 1.0
#: Seconds between measurements of the clock offset to the sender, as LabRecorder does.
OFFSET_EVERY_S = 5.0


@dataclass(slots=True)
class Arrival:
    """What an inlet hands on.

    Attributes
    ----------
    stream : str
        Name of the stream in the configuration.
    item : Block, Gap, ClockMap, Marker, float, str or None
        For the graph; a float is a newly measured clock offset in seconds, a string an event in words. None where
        ``values`` are all there is: samples of an irregular stream of numbers.
    time : float
        LSL time of arrival.
    stamps : array or None
        Raw stamps of a block or marker, as sent.
    values : list of str, array or None
        As sent: a sample of an irregular stream, and the samples of a block that the user's word has changed.
    """

    stream: str
    item: Block | Gap | ClockMap | Marker | float | str | None
    time: float
    stamps: NDArray[np.float64] | None = None
    values: list[str] | NDArray[Any] | None = None


class Inlet:
    """One LSL stream, received by a thread of its own that blocks until a chunk is there.

    A sender that goes away is looked for, by the selector; one that comes back with the same channels, rate and
    format is taken up again, the missing samples reported as a gap. One that comes back different is refused, and
    the refusal said once, for as long as it is there.

    Parameters
    ----------
    stream : str
        Name of the stream in the configuration.
    selector : StreamSelector
        Which stream.
    sink : callable
        Receives an :class:`Arrival` for everything, on the thread of the inlet.
    overrides : Overrides
        What the user says of it.
    timeout : float
        Seconds to look for the stream at first.

    Raises
    ------
    StreamError
        If the stream is not there, not the only one, or cannot be opened.
    """

    def __init__(
        self,
        stream: str,
        selector: StreamSelector,
        sink: Callable[[Arrival], None],
        overrides: Overrides,
        timeout: float,
    ) -> None:
        self.stream, self.selector = stream, selector
        self._sink, self._sfreq = sink, overrides.sfreq or 0.0
        self._open(find_one(selector, timeout), timeout)
        self.description = self._described.overridden(overrides)
        spec = self.description.spec
        self.offset = self._measured = 0.0
        self._measure()
        self.offset = self._measured
        self.continuity = Continuity(stream, spec.sfreq, self.description.speed) if spec.sfreq else None
        self._dtype = DTYPES[self.description.format]
        #: "live", "silent", "lost", "refused" or "failed", for people.
        self.status = "live"
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, name=f"lsl {stream}", daemon=True),
            threading.Thread(target=self._watch_offset, name=f"lsl {stream} offset", daemon=True),
        ]

    def start(self, hops: Sequence[int] = ()) -> None:
        """Receive whatever is sent from now on.

        Parameters
        ----------
        hops : sequence of int
            Lengths of the blocks that the receiver cuts, counted from the first sample and from the end of every gap:
            a chunk is handed on when one of them is full. Without any, samples are handed on as they come.
        """
        self._hops, self._cut = tuple(hops), 0
        self._tell(self.offset)
        self._inlet.flush()  # what came before the start is no part of the session
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop receiving and close the stream."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=10)
        self._inlet.close_stream()

    def _open(self, info: pylsl.StreamInfo, timeout: float) -> None:
        # Of a stream that states no rate, LSL keeps a hundred samples for each second asked for.
        held = BUFFER_S if info.nominal_srate() else math.ceil(BUFFER_S * max(1.0, self._sfreq / 100))
        inlet = pylsl.StreamInlet(info, max_buflen=held, recover=False)
        try:
            description = describe_xml(inlet.info(timeout).as_xml())
            inlet.open_stream(timeout)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            why = files_are_used_up() or "A firewall may be in the way: see 'earmark doctor'"
            raise StreamError(
                f"stream {info.name()!r} on host {info.hostname()!r} was found but does not answer: {error} {why}"
            ) from None
        self._inlet, self._described = inlet, description

    def _tell(self, item: Any, **fields: Any) -> None:
        self._sink(Arrival(self.stream, item, pylsl.local_clock(), **fields))

    def _measure(self) -> None:
        try:
            self._measured = self._inlet.time_correction(2.0)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            log.warning("stream %r: clock offset not measured: %s", self.stream, error)

    def _watch_offset(self) -> None:
        while not self._stop.wait(OFFSET_EVERY_S):
            if self.status == "live":
                self._measure()

    def _adopt_offset(self) -> None:
        # On the thread that stamps markers: the journal must say a new offset before the first marker that has it.
        if self.offset != self._measured:
            self.offset = self._measured
            self._tell(self.offset)

    # Receiving

    def _receive(self) -> None:
        try:
            self._receive_until_stopped()
            self._release()
        except Exception as error:
            self._set("failed", f"receiving failed: {error!r}")
            raise

    def _receive_until_stopped(self) -> None:
        silent_s = 0.0
        rate = self.description.spec.sfreq * self.description.speed
        wait = max(PATIENCE_S, 2 / rate) if rate else PATIENCE_S
        while not self._stop.is_set():
            self._adopt_offset()
            least, most = self._wanted(rate)
            try:
                values, stamps = self._inlet.pull_chunk(
                    timeout=wait, max_samples=most, min_samples=least, as_numpy=True
                )
            except pylsl.util.LostError:
                self._release()
                self._lost("lost")
                silent_s = 0.0
                continue
            if len(stamps):
                if self.status != "live":
                    self._set("live", "is back")
                silent_s = 0.0
                self._deliver(values, stamps)
            elif rate:
                silent_s += wait
                if silent_s >= SILENCE_S:
                    self._release()
                    if self.status == "live":
                        self._set("silent", f"no data for {silent_s:.1f} s")
                    self._find_again()

    def _wanted(self, rate: float) -> tuple[int, int]:
        """How many samples to wait for, and how many to take.

        To the end of the block under way, since the first samples of the next one would only wait in the reblocker;
        but of a long block, no more than come while patience lasts.
        """
        if self.continuity is None or not self._hops:
            return 1, max(64, math.ceil(PATIENCE_S * rate))
        done = self.continuity.index + self.continuity.n_held - self._cut
        n = min(*(hop - done % hop for hop in self._hops), max(1, int(PATIENCE_S * rate / 2)))
        return n, n

    def _deliver(self, values: Any, stamps: Any) -> None:
        arrival = pylsl.local_clock()
        if self.continuity is not None:
            self._hand_on(self.continuity.add(values, stamps, arrival, self.offset), arrival)
            return
        for row, stamp in zip(values, stamps, strict=True):
            kept: Any
            if self._dtype is None:
                kept = row = [text.decode("utf-8", "replace") for text in row]  # noqa: PLW2901 - any bytes can be sent
            else:
                kept = np.array([row])
            marker = Marker(float(stamp) + self.offset, self.description.marker(row))
            self._sink(Arrival(self.stream, marker, arrival, np.array([stamp]), kept))

    def _release(self) -> None:
        """Hand on what is held back, since nothing more comes for now."""
        if self.continuity is not None:
            self._hand_on(self.continuity.flush(), pylsl.local_clock())

    def _hand_on(self, placed: list[Placed], arrival: float) -> None:
        for item, raw in placed:
            sent = None
            if isinstance(item, Block) and self.description.applied is not None:
                sent, item = item.data, Block(item.start, self.description.take(item.data))  # noqa: PLW2901
            self._sink(Arrival(self.stream, item, arrival, raw, sent))
            if isinstance(item, Gap):
                self._cut = item.stop

    # Loss and return

    def _set(self, status: str, words: str) -> None:
        self.status = status
        log.warning("stream %r: %s", self.stream, words)
        self._tell(f"{self.stream}: {words}")

    def _lost(self, status: str) -> None:
        self._set(status, "sender lost; looking for it")
        while not self._stop.wait(PATIENCE_S) and not self._find_again():
            pass

    def _find_again(self) -> bool:
        """Look for a new outlet of the same source; take it up if it fits."""
        try:
            found = [i for i in find_streams(self.selector, 0.5) if i.uid() != self._described.uid]
        except RuntimeError as error:
            log.warning("stream %r: search failed: %s", self.stream, error)
            return False
        # Not whatever the selector finds, which may be a stream of our own, but the one that was lost.
        lost = self.description.spec.name, self.description.source_id
        return any(self._take_up(info) for info in found if (info.name(), info.source_id()) == lost)

    def _take_up(self, info: pylsl.StreamInfo) -> bool:
        old = self._inlet, self._described
        try:
            self._open(info, 2.0)
        except StreamError as error:
            log.warning("stream %r: %s", self.stream, error)
            return False
        wrong = self.description.differences(self._described)
        if wrong:
            self._inlet, self._described = old
            if self.status != "refused":
                self._set("refused", f"came back with {'; '.join(wrong)}: refused. Restart it as it was")
            return False
        self._measure()
        self._set("live", "is back")
        return True


class Outlet:
    """A stream of blocks or markers, published.

    Parameters
    ----------
    spec : StreamSpec
        What is sent; ``spec.name`` is the name of the stream.
    kind : str
        LSL content type.
    source_id : str
        Lasting identity, by which receivers find the stream again.
    """

    def __init__(self, spec: StreamSpec, kind: str, source_id: str) -> None:
        self._irregular = spec.sfreq == 0
        fmt = "string" if self._irregular else "float32"
        info = make_info(spec, kind, source_id, fmt)
        self.description: StreamDescription = describe_xml(info.as_xml())
        self._outlet = pylsl.StreamOutlet(info, max_buffered=BUFFER_S)
        self._clock: ClockMap | None = None

    def push(self, item: Block | Gap | ClockMap | Marker) -> None:
        """Send blocks, stamped by the newest clock map, and markers; a gap shows in the stamps of what follows it."""
        if isinstance(item, ClockMap):
            self._clock = item
        elif isinstance(item, Marker):
            self._outlet.push_sample([item.value], item.time)
        elif isinstance(item, Block) and self._clock is not None:
            data = np.ascontiguousarray(item.data, dtype=np.float32)
            self._outlet.push_chunk(data, self._clock.time(item.stop - 1))

    def has_listeners(self) -> bool:
        """Whether anybody receives."""
        return bool(self._outlet.have_consumers())

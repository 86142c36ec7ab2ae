"""Receive and publish live LSL streams."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pylsl

from earmark.devices.processes.limits import files_are_used_up
from earmark.devices.sources.continuity import Continuity, Placed
from earmark.devices.sources.lsl_description import (
    DTYPES,
    StreamDescription,
    StreamError,
    describe_xml,
    make_info,
)
from earmark.devices.sources.lsl_search import LOOK_S, Search, StreamSelector, find_one, successor
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.source import Arrival, Sender, Wanted
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec

log = logging.getLogger(__name__)

#: Seconds of data that LSL buffers if this program is delayed; older data are lost and become a gap.
BUFFER_S = 30
#: Maximum wait for a chunk, and therefore for obeying a stop request.
PATIENCE_S = 0.2
#: Silence after which the network is searched for a new outlet of the same source.
SILENCE_S = 1.0
#: Seconds between measurements of the clock offset to the sender, as LabRecorder does.
OFFSET_EVERY_S = 5.0
#: Maximum duration of a single call to liblsl that Ctrl-C has to wait for.
CALL_S = 0.25
#: Maximum seconds by which a sender may have started before the last sample of the one that it replaces.
OVERLAP_S = 1.0

_T = TypeVar("_T")


class Inlet:
    """One LSL stream, received by a thread of its own that blocks until a chunk arrives.

    A lost sender is searched for, see :func:`earmark.devices.sources.lsl_search.successor`; one that returns with the
    same channels, rate and format is reconnected, and the missing samples are reported as a gap. One that returns
    different, or that cannot be the same, is refused, with one message.

    Parameters
    ----------
    wanted : Wanted
        Its ``config`` is a :class:`StreamSelector`. With ``before``, that sender is searched for, whatever else the
        selector finds.

    Raises
    ------
    StreamError
        If no search can be started; by :meth:`connect`, if the stream is missing, not the only one, or cannot be
        opened.
    """

    Config = StreamSelector

    def __init__(self, wanted: Wanted) -> None:
        self.stream, self.selector, self._request = wanted.stream, wanted.config, wanted
        self._sink, self._sfreq = wanted.sink, wanted.overrides.sfreq or 0.0
        self._refused, self._why = set[str](), ""
        self._search: Search | None = Search(self.selector, wanted.stop)
        self._inlet: Any = None
        self.offset = self._measured = 0.0
        self._seen = pylsl.local_clock()
        self.continuity: Continuity | None = None
        #: "live", "silent", "lost", "refused" or "failed", for display.
        self.status = "live"
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, name=f"lsl {self.stream}", daemon=True),
            threading.Thread(target=self._watch_offset, name=f"lsl {self.stream} offset", daemon=True),
        ]

    def connect(self, timeout: float) -> None:
        """Find and open the stream, and measure the offset of its clock."""
        before = self._request.before
        if before is None:
            search, self._search = self._search, None
            self._open(find_one(self.selector, timeout, search, self._request.table), timeout)
        else:
            self._described, self._seen = describe_xml(before.xml), before.seen
            self._await(timeout)
        self.description = self._described.overridden(self._request.overrides)
        spec = self.description.spec
        self._measure()
        self.offset = self._measured
        self.continuity = Continuity(self.stream, spec.sfreq, self.description.speed) if spec.sfreq else None
        self._dtype = DTYPES[self.description.format]

    @property
    def rate(self) -> RateWatch | None:
        """The measured sample rate; None for irregular streams."""
        return None if self.continuity is None else self.continuity.rate

    def start(self, hops: Sequence[int] = ()) -> None:
        """Receive everything sent from now on.

        Parameters
        ----------
        hops : sequence of int
            Lengths of the blocks that the receiver cuts, counted from the first sample and from the end of every gap:
            a chunk is passed on when one of them is full. Without any, samples are passed on as they arrive.
        """
        self._hops, self._cut = tuple(hops), 0
        self._tell(self.offset)
        self._inlet.flush()  # data from before the start do not belong to the session
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop receiving and close the stream."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=10)
        self._end_search()
        if self._inlet is not None:
            self._inlet.close_stream()

    def _open(self, info: pylsl.StreamInfo, timeout: float) -> None:
        # For a stream without a declared rate, LSL buffers a hundred samples per requested second.
        held = BUFFER_S if info.nominal_srate() else math.ceil(BUFFER_S * max(1.0, self._sfreq / 100))
        inlet = pylsl.StreamInlet(info, max_buflen=held, recover=False)
        try:
            description = describe_xml(_patiently(inlet.info, timeout).as_xml())
            _patiently(inlet.open_stream, timeout)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            why = files_are_used_up() or "A firewall may be in the way: see 'earmark doctor'"
            raise StreamError(
                f"stream {info.name()!r} on host {info.hostname()!r} was found but does not answer: {error} {why}"
            ) from None
        self._inlet, self._described = inlet, description

    @property
    def sender(self) -> Sender | None:
        """The current sender."""
        return Sender(self._described.xml, self._seen)

    def _tell(self, item: Any, **fields: Any) -> None:
        self._sink(Arrival(self.stream, item, pylsl.local_clock(), **fields))

    def _measure(self) -> None:
        try:
            self._measured = _patiently(self._inlet.time_correction, 2.0)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            log.warning("stream %r: clock offset not measured: %s", self.stream, error)

    def _watch_offset(self) -> None:
        while not self._stop.wait(OFFSET_EVERY_S):
            if self.status == "live":
                self._measure()

    def _adopt_offset(self) -> None:
        # On the thread that stamps markers: a new offset must enter the journal before the first marker that uses it.
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
                    self._back("is back")
                silent_s = 0.0
                self._deliver(values, stamps)
            elif rate:
                silent_s += wait
                if silent_s >= SILENCE_S:
                    self._release()
                    if self.status == "live":
                        self._set("silent", f"no data for {silent_s:.1f} s")
                    self._find_again(paused=True)

    def _wanted(self, rate: float) -> tuple[int, int]:
        """Return how many samples to wait for, and how many to take at most.

        Up to the end of the current block, since the first samples of the next one would only wait in the reblocker;
        for a long block, no more than arrive within the maximum wait.
        """
        if self.continuity is None or not self._hops:
            return 1, max(64, math.ceil(PATIENCE_S * rate))
        done = self.continuity.index + self.continuity.n_held - self._cut
        n = min(*(hop - done % hop for hop in self._hops), max(1, int(PATIENCE_S * rate / 2)))
        return n, n

    def _deliver(self, values: Any, stamps: Any) -> None:
        self._seen = arrival = pylsl.local_clock()
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
        """Pass on the samples held back, since no more arrive for now."""
        if self.continuity is not None:
            self._hand_on(self.continuity.flush(), pylsl.local_clock())

    def _hand_on(self, placed: list[Placed], arrival: float) -> None:
        for item, raw in placed:
            sent = None
            if isinstance(item, Block) and self.description.applied is not None:
                sent, item = item.data, Block(item.start, self.description.take(item.data))  # noqa: PLW2901
            self._sink(Arrival(self.stream, item, arrival, raw, sent))
            if isinstance(item, Gap) and not item.short:
                self._cut = item.stop

    # Loss and return

    def _set(self, status: str, words: str) -> None:
        self.status = status
        log.info("stream %r: %s", self.stream, words)
        self._tell(f"{self.stream}: {words}")

    def _lost(self, status: str) -> None:
        self._set(status, "sender lost; looking for it")
        while not self._stop.wait(PATIENCE_S) and not self._find_again(paused=False):
            pass

    def _await(self, timeout: float) -> None:
        """Open the stream of the previous sender, once it is there."""
        end = time.monotonic() + timeout
        try:
            while not self._recover(paused=False):
                if time.monotonic() > end:
                    missing = f"no {self._described.spec.name!r} from host {self._described.host!r} answers"
                    raise StreamError(f"stream {self.stream!r} is not back: {self._why or missing}")
                time.sleep(LOOK_S)
        finally:
            self._end_search()

    def _find_again(self, *, paused: bool) -> bool:
        """Reconnect to the lost sender if it is back, and report it; otherwise report once why not."""
        told, before = self._why, self._described.source_id
        back = self._recover(paused=paused)
        if back:
            now = self._described.source_id
            self._back("is back" + (f", as source_id {now!r} instead of {before!r}" if now != before else ""))
        elif self._why != told:
            self._set("refused", self._why)
        return back

    def _back(self, words: str) -> None:
        self._end_search()
        self._set("live", words)

    def _end_search(self) -> None:
        if self._search is not None:
            self._search.close()
        self._search, self._why = None, ""
        self._refused.clear()

    def _recover(self, *, paused: bool) -> bool:
        """Open the stream of the lost sender, if it is there and fits; ``paused`` as in :func:`successor`."""
        lost, old = self._described, (self._inlet, self._measured)
        try:
            self._search = self._search or Search(self.selector)
            info, why = successor(lost, self._search.found(), self._refused, paused)
            if not self._search.settled and (info is None or info.uid() != lost.uid):
                return False
            self._why = why or self._why
            if info is None:
                return False
            self._open(info, 2.0)
        except StreamError as error:
            self._why = str(error)
            return False
        wrong = "; ".join(lost.differences(self._described))
        words = f"came back with {wrong}: refused. Restart it as it was"
        self._measure()
        if not wrong and lost.uid != info.uid() and not (lost.source_id and lost.source_id == info.source_id()):
            wrong = "another" if info.created_at() + self._measured < self._seen - OVERLAP_S else ""
            words = "another stream of that name was there beside it: not taken. Start again the one that was lost"
        if wrong:
            self._described, (self._inlet, self._measured) = lost, old
            self._refused.add(info.uid())
            self._why = words
        return not wrong


def _patiently(call: Callable[[float], _T], timeout: float) -> _T:
    """Call liblsl with a time limit, in short calls: Ctrl-C is not handled during a call."""
    end = time.monotonic() + timeout
    while True:
        try:
            return call(CALL_S)
        except pylsl.util.TimeoutError:
            if time.monotonic() > end:
                raise


def open_lsl(name: str, sink: Callable[[Arrival], None], timeout: float) -> Inlet:
    """Find and open an LSL stream by its name, for internal use.

    Raises
    ------
    StreamError
        If it is not found within ``timeout`` seconds, not the only one, or cannot be opened.
    """
    inlet = Inlet(Wanted(name, StreamSelector(name=name), sink))
    try:
        inlet.connect(timeout)
    except BaseException:
        inlet.stop()
        raise
    return inlet


class Outlet:
    """A published stream of blocks or markers.

    Parameters
    ----------
    spec : StreamSpec
        Spec of the stream; ``spec.name`` is its name.
    kind : str
        LSL content type.
    source_id : str
        Lasting identity, by which receivers find the stream again.
    model : str
        What sends it, for reports.
    """

    def __init__(self, spec: StreamSpec, kind: str, source_id: str, model: str = "") -> None:
        self._irregular = spec.sfreq == 0
        fmt = "string" if self._irregular else "float32"
        info = make_info(spec, kind, source_id, fmt, model=model)
        self.description: StreamDescription = describe_xml(info.as_xml())
        self._outlet = pylsl.StreamOutlet(info, max_buffered=BUFFER_S)
        self._clock: ClockMap | None = None

    def push(self, item: Block | Gap | ClockMap | Marker) -> None:
        """Send blocks, stamped by the newest clock map, and markers; a gap shows in the stamps after it."""
        if isinstance(item, ClockMap):
            self._clock = item
        elif isinstance(item, Marker):
            self._outlet.push_sample([item.value], item.time)
        elif isinstance(item, Block) and self._clock is not None:
            data = np.ascontiguousarray(item.data, dtype=np.float32)
            self._outlet.push_chunk(data, self._clock.time(item.stop - 1))

    def has_listeners(self) -> bool:
        """Whether there is a receiver."""
        return bool(self._outlet.have_consumers())

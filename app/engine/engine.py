"""The engine: live streams through the graph, on one thread, everything it consumes recorded in that order."""

from __future__ import annotations

import gc
import logging
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pylsl

from earmark.app.config.session import Config
from earmark.app.engine.inlets import StreamStatus, check_expected, connect, make_source
from earmark.app.engine.ledger import Latencies, Ledger
from earmark.devices.files.journal import About, AnswerLine, DecisionLine, DigestLine, HeardLine, Line, MaskedLine
from earmark.devices.files.session_writer import Digest, SessionWriter
from earmark.devices.sources.lsl import Outlet
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.devices.sources.source import Arrival, Sender, Source
from earmark.kernels.misses import AMONG, MISSES
from earmark.pipeline.attention.attend import Attend
from earmark.pipeline.attention.decoding_graph import CONTROL
from earmark.pipeline.control import Control, Demote, Late, StreamChanged, Tick, TimedControl
from earmark.pipeline.graph import Graph
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Decision, Gap, Item, Marker, StreamSpec

if TYPE_CHECKING:
    from earmark.app.engine.live_network import LiveNetwork

log = logging.getLogger(__name__)

#: Seconds between digests in the journal.
DIGEST_EVERY_S = 1.0
#: Most arrivals that may wait for the graph: far more than ``max_lag_s`` lets it work off.
MAX_WAITING = 5000
#: Seconds between looks at what has not arrived.
TICK_S = 0.25
#: Most masked channels that an event names.
MAX_NAMED = 8


def warm_up(graph: Graph, specs: Mapping[str, StreamSpec]) -> None:
    """Run the graph on silence and forget it, so that nothing is compiled or loaded once data come."""
    for name, spec in specs.items():
        if spec.sfreq:
            n = max(1, round(0.1 * spec.sfreq))
            for i in range(3):
                graph.feed(name, Block(i * n, np.zeros((n, spec.n_channels), np.float32)))
            graph.feed(name, Gap(3 * n, 3 * n))
    graph.open(specs)


def _as_arrival(control: Control) -> Arrival:
    """Have the graph consume a control message now."""
    now = pylsl.local_clock()
    return Arrival(CONTROL, TimedControl(now, control), now)


@dataclass
class Engine:
    """Live streams, a graph, and what becomes of its outputs.

    Parameters
    ----------
    config : Config
        The session.
    on_event : callable
        Told, in words, about everything out of the ordinary; on the thread of the graph, so it must not wait.
    """

    config: Config
    on_event: Callable[[str], None] = log.warning
    #: Where streams came from until now, if another engine had them before this one.
    before: Mapping[str, Sender] = field(default_factory=dict)
    #: Told about every decision that came in time, and its number, on the thread of the graph; it must not wait.
    on_decision: Callable[[Decision, int], None] | None = None
    #: Told about every item that arrives, and its stream, on the thread of the graph; it must not wait.
    on_item: Callable[[str, Item], None] | None = None
    streams: dict[str, StreamStatus] = field(default_factory=dict)
    latency: Latencies = field(default_factory=Latencies)
    cost: Latencies = field(default_factory=Latencies)
    #: Masked channels, by output, and why where that is known.
    bad: dict[str, dict[str, str]] = field(default_factory=dict)
    n_late: int = 0
    #: The newest decision that came in time, and how all of them kept time.
    decision: Decision | None = None
    ledger: Ledger = field(default_factory=Ledger)
    #: Scores windows, where [attention] names backends.
    network: LiveNetwork | None = None
    #: The backend in charge of it; empty once another decoder has taken over.
    scored_by: str = ""
    #: Rounds of the graph thread: whoever sees this stand still knows that it hangs.
    beat: int = 0
    #: What ended the graph thread, if it was an error.
    failure: BaseException | None = None

    def connect(self, stop: threading.Event | None = None) -> None:
        """Find and open the streams, check them, open the graph, start nothing yet.

        Parameters
        ----------
        stop : threading.Event, optional
            Ends the search for streams.

        Raises
        ------
        earmark.devices.sources.lsl_description.StreamError, ConfigError, earmark.pipeline.stream.WiringError
            If a stream is missing or not as wanted, or the graph does not fit.
        """
        self._queue: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[tuple[float, Line]] = queue.SimpleQueue()
        self.inlets: dict[str, Source] = {}
        self._outlets: dict[str, Outlet] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="graph", daemon=True)
        try:
            wanted, resolve_s = self.config.streams, self.config.engine.resolve_s
            for name, stream in wanted.items():  # all are searched for at once, and found one after the other
                self.inlets[name] = make_source(name, stream, self._hand_over, self.before.get(name), stop)
            for name, inlet in self.inlets.items():
                connect(inlet, name, resolve_s)
            check_expected(self.config, self.descriptions)
            self.graph = self.config.graph()
            specs = self.config.sources({name: d.spec for name, d in self.descriptions.items()})
            self._compile(specs)
            self.outputs = self.graph.open(specs)
            warm_up(self.graph, specs)
            for output in self.config.outputs:
                if output.publish:
                    spec = self.outputs[output.node].evolve(name=output.publish)
                    self._outlets[output.node] = Outlet(spec, "Filtered", f"earmark-{output.publish}")
        except BaseException:
            self.close()
            raise
        self.streams = {name: StreamStatus(timed=one.speed == 1.0) for name, one in self.descriptions.items()}
        self._digests = {name: Digest() for name in self.graph.outputs}
        self._writer: SessionWriter | None = None
        self._attend = next((step.node for step in self.graph.steps if isinstance(step.node, Attend)), None)
        self._pending_controls: list[Control] = []
        self._too_slow = False
        self.scored_by = "" if self.network is None else self.network.backend

    def _compile(self, specs: Mapping[str, StreamSpec]) -> None:
        """Have windows scored by the backends that the configuration names, if any; before the graph is opened."""
        attention = self.config.attention
        if attention is None or not attention.backends or not attention.decoder:
            return
        from earmark.app.engine.live_network import LiveNetwork, network_of  # torch takes seconds to import

        self.network = LiveNetwork(self.config, *network_of(self.config, self.graph, specs))
        for one in self.network.about:
            error = f"within {one.error:.1g} of float64"
            self.on_event(f"network: {one.backend} on {one.device}, {one.precision}, {error}")

    @property
    def descriptions(self) -> dict[str, StreamDescription]:
        """What the streams say of themselves."""
        return {name: inlet.description for name, inlet in self.inlets.items()}

    @property
    def senders(self) -> dict[str, Sender]:
        """Where streams come from now, of those that are found again by it."""
        return {name: inlet.sender for name, inlet in self.inlets.items() if inlet.sender is not None}

    @property
    def budget_s(self) -> float:
        """Deadline of one chunk, from arrival to output."""
        hops = [s.hop / s.sfreq for s in self.graph.specs.values() if s.hop and s.sfreq]
        return self.config.engine.budget_s or min(hops, default=0.02)

    def recorded_outputs(self) -> dict[str, StreamSpec]:
        """Outputs that the recording keeps sample by sample."""
        keep = self.config.block_outputs()
        return {o.node: self.outputs[o.node] for o in self.config.outputs if o.record and o.node in keep}

    def writer(self, about: About) -> SessionWriter:
        """What turns this session into a recording, which says ``about`` of itself, and who answered."""
        answered = None if self.network is None else tuple(self.network.about)
        overrides = {name: stream.overrides for name, stream in self.config.streams.items()}
        parts = tuple(self.config.parts())
        about = replace(about, overrides=overrides, network=answered, parts=parts)
        return SessionWriter(self.descriptions, self.recorded_outputs(), about)

    def start(self, writer: SessionWriter | None = None) -> None:
        """Begin; from here on everything consumed goes to ``writer``."""
        self._writer = writer
        self._budget_s = self.budget_s
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(5e-4)  # other Python threads give way sooner
        self._thread.start()
        for name, inlet in self.inlets.items():
            inlet.start(self.graph.hops(name))

    def stop(self) -> None:
        """Stop receiving, let the graph finish what has arrived, write the last digests."""
        for inlet in self.inlets.values():
            inlet.stop()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)
        self._report_caught_up(math.inf)
        if self._writer is not None and self.failure is None:
            self._write_notes()
            self._write_digests()
            self._writer.end()
        if self.network is not None:
            self.network.close()

    def close(self) -> None:
        """Let go of the streams without having started."""
        for inlet in self.inlets.values():
            inlet.stop()
        if self.network is not None:
            self.network.close()

    def control(self, control: Control) -> None:
        """Tell the node that decides what the operator wants; from any thread."""
        self._queue.put(_as_arrival(control))

    def note(self, line: Line) -> None:
        """Have a line written into the journal, in its turn; from any thread."""
        self._notes.put((pylsl.local_clock(), line))

    def _hand_over(self, arrival: Arrival) -> None:
        # Should the graph hang, receiving is held up: what LSL's own buffer cannot keep comes out as a gap.
        while self._queue.qsize() > MAX_WAITING and not self._stop.is_set():
            time.sleep(0.01)
        self._queue.put(arrival)

    # The graph thread

    def _run(self) -> None:
        digest_at = time.monotonic() + DIGEST_EVERY_S
        tick_at = math.inf if self.config.attention is None else 0.0
        lost = False
        try:
            while True:
                self.beat += 1
                try:
                    arrival = self._queue.get(timeout=0.1)
                except queue.Empty:
                    if self._stop.is_set():
                        return
                else:
                    self._process(arrival)
                self._write_notes()
                if time.monotonic() > tick_at:
                    tick_at, before = time.monotonic() + TICK_S, lost
                    lost = any(inlet.status != "live" for inlet in self.inlets.values())
                    self._process(_as_arrival(Tick() if lost == before else StreamChanged(lost)))
                if time.monotonic() > digest_at:
                    self._report_caught_up(pylsl.local_clock())
                    self._write_digests()
                    digest_at = time.monotonic() + DIGEST_EVERY_S
        except Exception as error:
            log.exception("the graph failed")
            self.failure = error

    def _process(self, arrival: Arrival) -> None:
        name, item = arrival.stream, arrival.item
        begun = pylsl.local_clock()
        skipped = isinstance(item, Block) and begun - arrival.time > self.config.engine.max_lag_s
        if self._writer is not None:
            self._writer.arrival(arrival, skipped)
        if isinstance(item, str):
            self.on_event(item)
            return
        if item is None or isinstance(item, float):
            return
        if skipped and isinstance(item, Block):
            item = Gap(item.start, item.stop)
            self.streams[name].skip(item, arrival.time)
            if said := self.streams[name].behind.skip(item, begun, begun - arrival.time):
                self.on_event(f"{name}: {said}")
        elif not isinstance(item, TimedControl):
            self._count_item(name, item, arrival.time)
        outputs = self.graph.feed(name, item)
        missed = self.network is not None and self._record_answers(self.network)
        for output, out in outputs:
            self._handle_output(output, out, arrival.time, missed)
        if self.on_item is not None:
            self.on_item(name, item)
        while self._pending_controls:  # only now, since a replay feeds whole items, too
            self._process(_as_arrival(self._pending_controls.pop(0)))
        if isinstance(item, Block):
            done = pylsl.local_clock()
            self.latency.add(done - arrival.time)
            self.cost.add(done - begun)
            self.n_late += done - arrival.time > self._budget_s

    def _report_caught_up(self, now: float) -> None:
        for name, status in self.streams.items():
            if said := status.behind.end(now):
                self.on_event(f"{name}: {said}")

    def _count_item(self, name: str, item: Item, arrival: float) -> None:
        status = self.streams[name]
        if isinstance(item, Block | Marker):
            status.arrived(len(item.data) if isinstance(item, Block) else 1, arrival)
            clock = status.clock
            stamp = item.time if isinstance(item, Marker) else None if clock is None else clock.time(item.stop - 1)
            if stamp is not None and (words := status.stamped(stamp, arrival)):
                self.on_event(f"{name}: {words}")
        elif isinstance(item, Gap):
            status.missed(item.stop - item.start, arrival)
            status.n_short += item.short
            if not item.short or status.n_short == 1:  # more of them are summed up once a minute
                self.on_event(f"{name}: {item.stop - item.start} samples missing from {item.start} on")
        elif isinstance(item, ClockMap):
            status.clock = item

    def _record_answers(self, network: LiveNetwork) -> bool:
        """Keep what the network said, before what came of it; return whether an answer was missing."""
        missed = False
        for answer in network.pop_answers():
            backend = answer.backend
            if backend != self.scored_by:
                self.ledger.n_demoted += 1
                self.on_event(f"ALARM: the network by {self.scored_by} was late too often: {backend} takes over")
                self.scored_by = backend
            if self._writer is not None:
                self._writer.journal(pylsl.local_clock(), AnswerLine(answer))
            missed |= answer.scores is None
        return missed

    def _handle_output(self, name: str, item: Item, arrival: float, missed: bool) -> None:
        if isinstance(item, ChannelQuality):
            self._record_quality(name, item)
        if isinstance(item, Decision):
            self._handle_decision(item, arrival, missed)
        if self._writer is not None:
            self._digests[name].add(item)
            self._writer.output(name, item)
        if name in self._outlets and isinstance(item, Block | Gap | ClockMap | Marker):
            self._outlets[name].push(item)

    def _handle_decision(self, decision: Decision, arrival: float, missed: bool) -> None:
        """Set gains, or drop a decision that comes too late; write its times into the ledger either way.

        Only scores can be late, or missed altogether. What the operator wants, and what time itself brings, always
        holds.
        """
        attention, decided, backend = self.config.attention, pylsl.local_clock(), self.scored_by
        scored = bool(np.isfinite(decision.scores).all())
        missed = missed and not scored
        newest = decision.newest_time if scored else decision.time
        late = missed or (scored and attention is not None and decided - arrival > attention.deadline_s)
        number = self.ledger.count()
        if not late:
            self.decision = decision
            if self.on_decision is not None:
                self.on_decision(decision, number)
        done = pylsl.local_clock()
        if scored and not late:
            self.ledger.record_times(newest, arrival, decided, done)
        if missed and self.network is not None and not self.network.at_last:
            self.ledger.n_dropped += 1  # another backend takes over before another decoder does
        elif (scored or missed) and self.ledger.add_score(late):
            self._demote()
        if late:
            self._pending_controls.append(Late())
            what = f"got no answer of the network by {backend}" if missed else "came"
            self.on_event(f"decision {number} {what} {decided - arrival:.2f} s after its samples: dropped")
        if self._writer is not None:
            set_at = None if late else done
            self._writer.journal(done, DecisionLine(number, newest, arrival, decided, set_at, scored))

    def _demote(self) -> None:
        """Have the next decoder take over from one that is too slow, between two hops."""
        why = f"ALARM: {MISSES} of {AMONG} decisions were late"
        if self._attend is not None and self._attend.n_left:
            self.ledger.n_demoted += 1
            self._pending_controls.append(Demote())
            self.scored_by = ""
            self.on_event(f"{why}: the fallback decoder takes over")
        elif not self._too_slow:
            self._too_slow = True
            self.on_event(
                f"{why}, and there is no quicker decoder: while they are late, gains hold and then go to neutral. "
                "Name a 'fallback' in [attention]"
            )

    def _record_quality(self, output: str, item: ChannelQuality) -> None:
        why = {n: f for n, f, b in zip(item.ch_names, item.faults, item.bad, strict=True) if b}
        before = self.bad.get(output, {})
        self.bad[output] = {n: f or before.get(n, "") for n, f in why.items()}
        if why.keys() != before.keys():
            said = [f"{n} ({f})" if f else n for n, f in list(why.items())[:MAX_NAMED]]
            more = f" and {len(why) - MAX_NAMED} more" if len(why) > MAX_NAMED else ""
            self.on_event(f"masked channels: {', '.join(said) or 'none'}{more}")
            if self._writer is not None:
                self._writer.journal(pylsl.local_clock(), MaskedLine(tuple(why), output))

    def _write_notes(self) -> None:
        while not self._notes.empty():
            at, line = self._notes.get()
            if isinstance(line, HeardLine) and line.heard_at is not None:
                self.ledger.heard(line.decision, line.heard_at)
            if self._writer is not None:
                self._writer.journal(at, line)

    def _write_digests(self) -> None:
        if self._writer is not None:
            now = pylsl.local_clock()
            for name, digest in self._digests.items():
                self._writer.journal(now, DigestLine(name, digest.n_items, digest.hexdigest()))
            self._writer.boundary()
            self._writer.seal(now)

"""The engine: feeds live streams to the graph on one thread, and records everything in the order it is consumed."""

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

#: Maximum seconds that the graph may take for the rest of its input after the end.
END_S = 30.0
#: Seconds between digests in the journal.
DIGEST_EVERY_S = 1.0
#: Maximum number of arrivals that wait for the graph: far more than it can process within ``max_lag_s``.
MAX_WAITING = 5000
#: Seconds between ticks, by which the graph notices missing data.
TICK_S = 0.25
#: Maximum number of masked channels that an event names.
MAX_NAMED = 8


def warm_up(graph: Graph, specs: Mapping[str, StreamSpec]) -> None:
    """Feed zeros to the graph and open it again, so that nothing is compiled or loaded after data arrive.

    Parameters
    ----------
    graph : Graph
        Open; afterwards it is in its initial state.
    specs : mapping of str to StreamSpec
        Its input streams.
    """
    for name, spec in specs.items():
        if spec.sfreq:
            n = max(1, round(0.1 * spec.sfreq))
            for i in range(3):
                graph.feed(name, Block(i * n, np.zeros((n, spec.n_channels), np.float32)))
            graph.feed(name, Gap(3 * n, 3 * n))
    graph.open(specs)


def _as_arrival(control: Control) -> Arrival:
    """Return an arrival of a control message with the current time."""
    now = pylsl.local_clock()
    return Arrival(CONTROL, TimedControl(now, control), now)


@dataclass
class Engine:
    """Runs a graph on live streams and passes on its outputs.

    Parameters
    ----------
    config : Config
        Configuration of the session.
    on_event : callable
        Called with the text of every event, on the graph's thread; it must not block.
    """

    config: Config
    on_event: Callable[[str], None] = log.warning
    #: Senders of the streams of the engine that this one replaces, if any.
    before: Mapping[str, Sender] = field(default_factory=dict)
    #: Called with every decision in time, and its number, on the graph's thread; it must not block.
    on_decision: Callable[[Decision, int], None] | None = None
    #: Called with the stream and every item that arrives, on the graph's thread; it must not block.
    on_item: Callable[[str, Item], None] | None = None
    streams: dict[str, StreamStatus] = field(default_factory=dict)
    latency: Latencies = field(default_factory=Latencies)
    cost: Latencies = field(default_factory=Latencies)
    #: Masked channels of each output, with the fault of each if it is known.
    bad: dict[str, dict[str, str]] = field(default_factory=dict)
    n_late: int = 0
    #: The newest decision in time, and the timing of all decisions.
    decision: Decision | None = None
    ledger: Ledger = field(default_factory=Ledger)
    #: The compiled network, if [attention] names backends.
    network: LiveNetwork | None = None
    #: Its backend in use; empty after the fallback decoder has taken over.
    scored_by: str = ""
    #: Heartbeat: counts the iterations of the graph thread.
    beat: int = 0
    #: Error that ended the graph thread.
    failure: BaseException | None = None

    def connect(self, stop: threading.Event | None = None) -> None:
        """Find, open and check the streams and open the graph, without starting anything.

        Parameters
        ----------
        stop : threading.Event, optional
            Ends the search for streams.

        Raises
        ------
        earmark.devices.sources.lsl_description.StreamError, ConfigError, earmark.pipeline.stream.WiringError
            If a stream is missing or not as configured, or does not fit the graph.
        """
        self._queue: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[tuple[float, Line]] = queue.SimpleQueue()
        self.inlets: dict[str, Source] = {}
        self._outlets: dict[str, Outlet] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="graph", daemon=True)
        try:
            wanted, resolve_s = self.config.streams, self.config.engine.resolve_s
            for name, stream in wanted.items():  # all searches run at the same time
                self.inlets[name] = make_source(name, stream, self._hand_over, self.before.get(name), stop)
            for name, inlet in self.inlets.items():
                connect(inlet, name, resolve_s)
            check_expected(self.config, self.descriptions)
            self.graph = self.config.graph()
            specs = self.config.sources({name: d.spec for name, d in self.descriptions.items()})
            self._compile(specs)
            self.outputs = self.config.open(self.graph, specs)
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
        """Set up the configured backends of a network, if any; before the graph is opened."""
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
        """Descriptions of the streams, by name."""
        return {name: inlet.description for name, inlet in self.inlets.items()}

    @property
    def senders(self) -> dict[str, Sender]:
        """Current senders of the streams whose sources can be found again by their sender."""
        return {name: inlet.sender for name, inlet in self.inlets.items() if inlet.sender is not None}

    @property
    def budget_s(self) -> float:
        """Deadline of a chunk from arrival to output, s."""
        hops = [s.hop / s.sfreq for s in self.graph.specs.values() if s.hop and s.sfreq]
        return self.config.engine.budget_s or min(hops, default=0.02)

    def recorded_outputs(self) -> dict[str, StreamSpec]:
        """Return the outputs whose samples are recorded, by name."""
        keep = self.config.block_outputs()
        return {o.node: self.outputs[o.node] for o in self.config.outputs if o.record and o.node in keep}

    def writer(self, about: About) -> SessionWriter:
        """Return the writer of a recording with the metadata ``about``, completed by overrides, network and parts."""
        answered = None if self.network is None else tuple(self.network.about)
        overrides = {name: stream.overrides for name, stream in self.config.streams.items()}
        parts = tuple(self.config.parts())
        about = replace(about, overrides=overrides, network=answered, parts=parts)
        return SessionWriter(self.descriptions, self.recorded_outputs(), about)

    def start(self, writer: SessionWriter | None = None) -> None:
        """Start to receive and to process; everything that is consumed goes to ``writer``."""
        self._writer = writer
        self._budget_s = self.budget_s
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(5e-4)  # the graph thread gets the interpreter lock sooner
        self._thread.start()
        for name, inlet in self.inlets.items():
            inlet.start(self.graph.hops(name))

    def stop(self) -> None:
        """Stop receiving, process everything that has arrived, and write the last digests."""
        for inlet in self.inlets.values():
            inlet.stop()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=END_S)
            if self._thread.is_alive() and self.failure is None:
                self.failure = TimeoutError(f"the graph did not process the rest of its input within {END_S:g} s")
        self._report_caught_up(math.inf)
        if self._writer is not None and self.failure is None:
            self._write_notes()
            self._write_digests()
            self._writer.end()
        if self.network is not None:
            self.network.close()

    def close(self) -> None:
        """Close the streams of an engine that was not started."""
        for inlet in self.inlets.values():
            inlet.stop()
        if self.network is not None:
            self.network.close()

    def control(self, control: Control) -> None:
        """Send a control message to the graph; from any thread."""
        self._queue.put(_as_arrival(control))

    def note(self, line: Line) -> None:
        """Queue a line for the journal; from any thread."""
        self._notes.put((pylsl.local_clock(), line))

    def _hand_over(self, arrival: Arrival) -> None:
        # If the graph hangs, receiving blocks; data that LSL's buffer then loses become a gap.
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
            if words := self.streams[name].behind.skip(item, begun, begun - arrival.time):
                self.on_event(f"{name}: {words}")
        elif not isinstance(item, TimedControl):
            self._count_item(name, item, arrival.time)
        outputs = self.graph.feed(name, item)
        missed = self.network is not None and self._record_answers(self.network)
        for output, out in outputs:
            self._handle_output(output, out, arrival.time, missed)
        if self.on_item is not None:
            self.on_item(name, item)
        while self._pending_controls:  # only after the whole item, because a replay feeds whole items, too
            self._process(_as_arrival(self._pending_controls.pop(0)))
        if isinstance(item, Block):
            done = pylsl.local_clock()
            self.latency.add(done - arrival.time)
            self.cost.add(done - begun)
            self.n_late += done - arrival.time > self._budget_s

    def _report_caught_up(self, now: float) -> None:
        for name, status in self.streams.items():
            if words := status.behind.end(now):
                self.on_event(f"{name}: {words}")

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
            if not item.short or status.n_short == 1:  # later short gaps are summed up once a minute
                self.on_event(f"{name}: {item.stop - item.start} samples missing from index {item.start} on")
        elif isinstance(item, ClockMap):
            status.clock = item

    def _record_answers(self, network: LiveNetwork) -> bool:
        """Record the answers of the network, before the outputs based on them; return whether one was missing."""
        missed = False
        for answer in network.pop_answers():
            backend = answer.backend
            if backend != self.scored_by:
                self.ledger.n_demoted += 1
                self.on_event(f"ALARM: the network on {self.scored_by} was late too often: {backend} takes over")
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
        """Set the gains of a decision, or drop it if it is too late; add its times to the ledger in both cases.

        Only decisions based on a score can be late or missed. Those caused by the operator or by the passage of time
        are always applied.
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
            what = f"got no answer from the network on {backend}" if missed else "came"
            self.on_event(f"decision {number} {what} {decided - arrival:.2f} s after its samples: dropped")
        if self._writer is not None:
            set_at = None if late else done
            self._writer.journal(done, DecisionLine(number, newest, arrival, decided, set_at, scored))

    def _demote(self) -> None:
        """Change to the fallback decoder, between two hops; without one, raise an alarm once."""
        why = f"ALARM: {MISSES} of {AMONG} decisions were late"
        if self._attend is not None and self._attend.n_left:
            self.ledger.n_demoted += 1
            self._pending_controls.append(Demote())
            self.scored_by = ""
            self.on_event(f"{why}: the fallback decoder takes over")
        elif not self._too_slow:
            self._too_slow = True
            self.on_event(
                f"{why}, and there is no faster decoder: while they are late, gains hold and then go to neutral. "
                "Set 'fallback' in [attention]"
            )

    def _record_quality(self, output: str, item: ChannelQuality) -> None:
        why = {n: f for n, f, b in zip(item.ch_names, item.faults, item.bad, strict=True) if b}
        before = self.bad.get(output, {})
        self.bad[output] = {n: f or before.get(n, "") for n, f in why.items()}
        if why.keys() != before.keys():
            named = [f"{n} ({f})" if f else n for n, f in list(why.items())[:MAX_NAMED]]
            more = f" and {len(why) - MAX_NAMED} more" if len(why) > MAX_NAMED else ""
            self.on_event(f"masked channels: {', '.join(named) or 'none'}{more}")
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

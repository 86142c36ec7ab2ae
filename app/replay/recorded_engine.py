"""Reproduces the status of a recorded engine from its recording, as it is replayed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from earmark.app.config.session import Config
from earmark.app.engine.inlets import StreamStatus
from earmark.app.engine.ledger import Latencies, Ledger
from earmark.devices.files.journal import AnswerLine, DecisionLine, HeardLine
from earmark.devices.files.session_file import Consumed, Event, Noted
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.pipeline.control import (
    Control,
    Demote,
    Favoured,
    Late,
    Mute,
    Override,
    SessionChanged,
    StreamChanged,
    Tick,
    TimedControl,
    unknown,
)
from earmark.pipeline.stream import Block, ChannelQuality, Decision, Gap, Item, Marker

#: While the recording says that streams are lost: seconds without samples after which a stream is one of them.
LOST_S = 0.5


@dataclass(frozen=True, slots=True)
class RecordedInlet:
    """Description and status of a stream as it was received."""

    description: StreamDescription
    status: str


class RecordedStream(StreamStatus):
    """Counts and times of a recorded stream."""

    def count(self, item: Item, at: float) -> None:
        """Count an item that was consumed at an LSL time of the recording."""
        if isinstance(item, Block | Marker):
            self.arrived(len(item.data) if isinstance(item, Block) else 1, at)
        elif isinstance(item, Gap):
            self.missed(item.stop - item.start, at)


class RecordedEngine:
    """A recorded engine with the attributes that :class:`earmark.app.engine.status.EngineMonitor` reads.

    Times are those of the recording. Latencies come from the journal, not from the speed of the replay.

    Parameters
    ----------
    config : Config
        Configuration of the recording.
    descriptions : mapping of str to StreamDescription
        Its streams.
    on_decision : callable
        Called with every decision that was in time live, and its number.
    """

    def __init__(
        self,
        config: Config,
        descriptions: dict[str, StreamDescription],
        on_decision: Callable[[Decision, int], None] = lambda decision, number: None,
    ) -> None:
        self.config, self.descriptions = config, descriptions
        self._on_decision = on_decision
        self.streams = {name: RecordedStream() for name in descriptions}
        self.ledger = Ledger()
        #: Latencies from chunk to output are not recorded: always empty.
        self.latency = Latencies()
        self.n_late, self.beat = 0, 0
        #: Backend of the compiled network; empty without one, or after the fallback decoder has taken over.
        self.scored_by = ""
        self.budget_s = config.engine.budget_s
        self.bad: dict[str, dict[str, str]] = {}
        self.decision: Decision | None = None
        #: The operator's override of decisions.
        self.override: Favoured = None
        self._lost = False
        #: LSL time of the newest event of the recording.
        self.at = 0.0
        self._decisions: deque[Decision] = deque()

    @property
    def inlets(self) -> dict[str, RecordedInlet]:
        """Every stream with its status."""
        return {name: RecordedInlet(one, self._status(name)) for name, one in self.descriptions.items()}

    def _status(self, name: str) -> str:
        if not (self._lost and self.descriptions[name].spec.sfreq):
            return "live"
        return "lost" if self.at - self.streams[name].last_arrival > LOST_S else "live"

    def handle_event(self, event: Event, at: float) -> None:
        """Update the status by an event, after the graph has processed it; ``at`` is its LSL time."""
        self.beat, self.at = self.beat + 1, at
        if isinstance(event, Noted):
            self._note(event)
        elif isinstance(event, Consumed) and event.stream in self.streams:
            self.streams[event.stream].count(event.item, at)
        elif isinstance(event, Consumed) and isinstance(event.item, TimedControl):
            self._control(event.item.control)

    def handle_output(self, name: str, item: Item) -> None:
        """Update the status by an item of an output of the graph."""
        if isinstance(item, ChannelQuality):
            why = {n: f for n, f, b in zip(item.ch_names, item.faults, item.bad, strict=True) if b}
            before = self.bad.get(name, {})
            self.bad[name] = {n: f or before.get(n, "") for n, f in why.items()}
        elif isinstance(item, Decision):
            self._decisions.append(item)

    def _note(self, note: Noted) -> None:
        ledger = self.ledger
        match note.line:
            case DecisionLine() as line:
                self._decided(line)
            case AnswerLine((backend, _)):
                ledger.n_demoted += self.scored_by not in ("", backend)
                self.scored_by = backend
            case HeardLine() as line if line.heard_at is not None:
                ledger.heard(line.decision, line.heard_at)

    def _decided(self, line: DecisionLine) -> None:
        number, ledger = self.ledger.count(), self.ledger
        decision = self._decisions.popleft() if self._decisions else None
        if decision is not None and line.set_at is not None:
            self.decision = decision
            self._on_decision(decision, number)
        if line.scored and line.set_at is not None:
            # Older recordings hold the time from which the decision applied, which may be later than its newest sample.
            newest = line.newest if decision is None else decision.newest_time
            ledger.record_times(newest, line.arrival, line.decided, line.set_at)
        if line.scored or line.set_at is None:
            ledger.add_score(line.set_at is None)

    def _control(self, control: Control) -> None:
        match control:
            case StreamChanged(lost):
                self._lost = lost
            case Demote():
                self.ledger.n_demoted += 1
                self.scored_by = ""
            case Override(talker):
                self.override = talker
            case Tick() | SessionChanged() | Mute() | Late():
                pass
            case _:
                raise unknown(control)

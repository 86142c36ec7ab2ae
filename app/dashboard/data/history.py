"""Decisions, cues and latencies of the last minute, collected while the window is open."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.engine.timeline import Timeline
from earmark.app.status import DecisionStatus, Event

#: Seconds of history to keep.
SPAN_S = 60.0
#: Seconds between two points of the latency curve.
SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A value of the latency curve and its time."""

    time: float
    value: float


class History:
    """Collects values from snapshots; values between two snapshots are lost."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        #: Decisions.
        self.decisions: deque[DecisionStatus] = deque()
        #: (time, name) of cues.
        self.cues: deque[tuple[float, str]] = deque()
        #: 99th percentile of the latency, s.
        self.p99: deque[Moment] = deque()
        #: Events, and the LSL time of the first one, from which the time of the session is counted.
        self.timeline, self.begin = Timeline(), math.nan
        self._oldest: Event | None = None
        self._newest: Event | None = None

    def refresh(self, now: Snapshot) -> None:
        """Add new values and drop old ones."""
        one = now.decision
        if one is not None and (not self.decisions or self.decisions[-1].n != one.n):
            if self.decisions and one.n < self.decisions[-1].n:  # a new run
                self.decisions.clear()
                self.cues.clear()
            self.decisions.append(one)
        if now.state in ("running", "paused", "calibrating") and (not self.cues or self.cues[-1][1] != now.attend):
            self.cues.append((now.time, now.attend))
        if now.latency is not None and (not self.p99 or now.time - self.p99[-1].time >= SLOW_S):
            self.p99.append(Moment(now.time, now.latency.p99))
        self._add_events(now)
        old = now.time - SPAN_S
        self.timeline.forget(old)
        while self.decisions and self.decisions[0].time < old:
            self.decisions.popleft()
        while len(self.cues) > 1 and self.cues[1][0] < old:
            self.cues.popleft()
        while self.p99 and self.p99[0].time < old:
            self.p99.popleft()

    def table(self, talkers: Sequence[str]) -> tuple[list[str], list[list[object]]]:
        """Return the decisions of the last minute as a table.

        Parameters
        ----------
        talkers : sequence of str
            Names, shape (n_talkers,).

        Returns
        -------
        heads : list of str
            Shape (4 + 3 n_talkers,).
        rows : list of list
            Shape (n_decisions, 4 + 3 n_talkers), oldest first: seconds from the first event, LSL time in s, name of
            the decided talker (empty while undecided), situation; then for each talker its probability, for each its
            score, and for each its target gain in dB.
        """
        kinds = ("probability", "score", "gain_db")
        heads = ["time_s", "lsl_time_s", "decided", "situation"]
        names = (*talkers, "")  # -1 stands for none
        rows: list[list[object]] = [
            [
                one.time - self.begin,
                one.time,
                names[one.talker],
                one.situation,
                *one.probability,
                *one.scores,
                *one.gains,
            ]
            for one in self.decisions
        ]
        return [*heads, *(f"{kind} {name}" for kind in kinds for name in talkers)], rows

    def _add_events(self, now: Snapshot) -> None:
        if not now.events or now.events[-1] == self._newest:
            return
        first, before = now.events[0], self._oldest
        if before is not None and first.id <= before.id and first != before:  # another session, or time of a replay
            self.clear()
        last = self._newest.id if self._newest is not None else 0
        for event in now.events:
            if event.id > last:
                self.timeline.add(event.time, event.text)
        self.begin = first.time if math.isnan(self.begin) else self.begin
        self._oldest, self._newest = first, now.events[-1]

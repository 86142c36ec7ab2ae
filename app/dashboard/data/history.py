"""Decisions, cues and latencies of the last minute, collected while the window is open."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.status import DecisionStatus

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
        #: Decisions.
        self.decisions: deque[DecisionStatus] = deque()
        #: (time, name) of cues.
        self.cues: deque[tuple[float, str]] = deque()
        #: 99th percentile of the latency, s.
        self.p99: deque[Moment] = deque()

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
        old = now.time - SPAN_S
        while self.decisions and self.decisions[0].time < old:
            self.decisions.popleft()
        while len(self.cues) > 1 and self.cues[1][0] < old:
            self.cues.popleft()
        while self.p99 and self.p99[0].time < old:
            self.p99.popleft()

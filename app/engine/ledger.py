"""The timing of decisions: latencies of each stage, and detection of a decoder that is too slow."""

from __future__ import annotations

import numpy as np

from earmark.app.engine.latency_stages import STAGES, TOTAL, StageTimer
from earmark.kernels.misses import Misses

#: Number of newest latencies from which percentiles are computed.
N_LATENCIES = 10_000


class Latencies:
    """The newest latencies, in memory of fixed size."""

    def __init__(self) -> None:
        self._values = np.zeros(N_LATENCIES)
        #: Total number of latencies added, and the largest of them in s.
        self.n, self.max = 0, 0.0

    def add(self, seconds: float) -> None:
        """Add a latency in s."""
        self._values[self.n % N_LATENCIES] = seconds
        self.n += 1
        self.max = max(self.max, seconds)

    def percentiles(self, *q: float) -> tuple[float | None, ...]:
        """Return percentiles (0 to 100) of the newest latencies, in s; None if there are none."""
        kept = self._values[: min(self.n, N_LATENCIES)]
        return tuple(float(value) for value in np.percentile(kept, q)) if self.n else (None,) * len(q)


class Ledger:
    """Counts the decisions of an engine and measures their latencies."""

    def __init__(self) -> None:
        #: Number of decisions, and of those that were too late and therefore dropped.
        self.n, self.n_dropped = 0, 0
        #: Number of changes to a fallback decoder or backend.
        self.n_demoted = 0
        #: Latencies from arrival to gains set (:data:`earmark.app.engine.latency_stages.TOTAL`), and of every stage.
        self.latency = Latencies()
        self.stages = {name: Latencies() for name in STAGES}
        self._misses = Misses()
        self._timer = StageTimer()

    def count(self) -> int:
        """Count a decision; return its number, from 1."""
        self.n += 1
        return self.n

    def record_times(self, newest: float, arrival: float, decided: float, done: float) -> None:
        """Add the times of a score that was acted on, as for :meth:`StageTimer.decided`."""
        spans = self._timer.decided(self.n, newest, arrival, decided, done)
        self.latency.add(spans.pop(TOTAL))
        for name, seconds in spans.items():
            self.stages[name].add(seconds)

    def heard(self, decision: int, dac: float) -> None:
        """Add the LSL time of the first sound with the gains of a decision."""
        seconds = self._timer.heard(decision, dac)
        if seconds is not None:
            self.stages[STAGES[-1]].add(seconds)

    def add_score(self, late: bool) -> bool:
        """Count a score as in time or late; return whether too many of the newest scores are now late."""
        self._misses.add(late)
        self.n_dropped += late
        too_many = late and self._misses.too_many
        if too_many:
            self._misses.clear()
        return too_many

"""Deadline of inference: selects the backend, counts late answers, and gives the age of the last valid answer.

All times are arguments; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.kernels.misses import AMONG, MISSES, Misses


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals so far.

    Attributes
    ----------
    hops, in_time, late, missed, demotions : int
        Hops started; answers in time; late answers, which were dropped; hops without an answer in time (late or
        missing); switches to the next backend.
    """

    hops: int
    in_time: int
    late: int
    missed: int
    demotions: int


class Deadline:
    """Checks answers against a time budget and falls back to the next backend after too many misses.

    A late answer is dropped and counted. After ``misses`` misses within the last ``within`` hops the next backend takes
    over, between two hops and permanently: a backend that is slow occasionally would be slow again. The last backend
    is never replaced. A backend that has not yet answered gets no new request, and that hop counts as missed.

    Parameters
    ----------
    backends : sequence of str
        Names of the backends, best first. All must be warmed up.
    budget : float
        Maximum time from request to answer, seconds.
    misses, within : int
        Number of misses, and number of hops within which they trigger the fallback.
    """

    def __init__(self, backends: Sequence[str], budget: float, misses: int = MISSES, within: int = AMONG) -> None:
        if not backends:
            raise ValueError("deadline: backends is empty, but must name one or more")
        if not budget > 0 or not 1 <= misses <= within:
            raise ValueError(
                f"deadline: budget is {budget}, misses {misses} within {within}; 0 < budget, 1 <= misses <= within"
            )
        self._backends, self._budget = tuple(backends), budget
        self._misses = Misses(misses, within)  # of finished hops
        self._at = 0
        self._hop = -1
        self._asked: float | None = None  # time of the current request while its answer can still count
        self._owed: set[int] = set()  # hops that the current backend has not answered yet
        self._answered: float | None = None
        self._in_time = self._late = self._missed = 0

    @property
    def backend(self) -> str:
        """Name of the current backend."""
        return self._backends[self._at]

    @property
    def counts(self) -> Counts:
        """Totals so far."""
        return Counts(self._hop + 1, self._in_time, self._late, self._missed, self._at)

    def age(self, now: float) -> float:
        """Seconds since the request that led to the latest valid answer; infinite before the first."""
        return float("inf") if self._answered is None else now - self._answered

    def begin(self, now: float) -> tuple[int, str | None]:
        """Start a hop.

        Returns
        -------
        hop : int
            Number of this hop, an argument of :meth:`answer`.
        backend : str or None
            Backend to request an answer from; None if the current one has not answered an earlier request yet.
        """
        self.give_up()
        if self._misses.too_many and self._at + 1 < len(self._backends):
            self._at += 1
            self._misses.clear()
            self._owed.clear()
        self._hop += 1
        if self._owed:
            self._miss()
            return self._hop, None
        self._asked = now
        self._owed.add(self._hop)
        return self._hop, self.backend

    def answer(self, hop: int, backend: str, now: float) -> bool:
        """Register an answer.

        Returns
        -------
        bool
            True if the answer is valid; False if it is late and must be dropped.
        """
        if backend == self.backend:
            self._owed.discard(hop)
        if backend != self.backend or hop != self._hop or self._asked is None:
            self._late += 1
            return False
        if now - self._asked > self._budget:
            self._late += 1
            self.give_up()
            return False
        self._answered, self._asked = self._asked, None
        self._in_time += 1
        self._misses.add(False)
        return True

    def give_up(self) -> None:
        """Stop waiting for the answer to this hop: count a miss, and drop the answer if it still arrives."""
        if self._asked is not None:
            self._asked = None
            self._miss()

    def _miss(self) -> None:
        self._missed += 1
        self._misses.add(True)

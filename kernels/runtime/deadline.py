"""Which backend is asked, whether its answer came in time, and what the last one is worth. Time is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened so far.

    Attributes
    ----------
    hops, in_time, late, missed, demotions : int
        Hops begun; answers that came in time; answers that came too late and were dropped; hops that got no answer in
        time, whether late or never; times that another backend took over.
    """

    hops: int
    in_time: int
    late: int
    missed: int
    demotions: int


class Deadline:
    """Bookkeeping of answers against a budget.

    A late answer is dropped and counted. Three misses within a hundred hops, and the next backend takes over, between
    hops and for good: one that is slow now and then would only be so again. The last one stays whatever it does.
    A backend that still owes an answer is asked nothing, and that hop is missed.

    Parameters
    ----------
    backends : sequence of str
        All of them warm, the best one first.
    budget : float
        Seconds from asking to answer.
    misses, within : int
        So many misses in so many hops are too many.
    """

    def __init__(self, backends: Sequence[str], budget: float, misses: int = 3, within: int = 100) -> None:
        if not backends:
            raise ValueError("deadline: backends is empty, but must name one or more")
        if not budget > 0 or not 1 <= misses <= within:
            raise ValueError(
                f"deadline: budget is {budget}, misses {misses} within {within}; 0 < budget, 1 <= misses <= within"
            )
        self._backends, self._budget, self._misses = tuple(backends), budget, misses
        self._recent: deque[bool] = deque(maxlen=within)  # missed or not, of the hops that are over
        self._at = 0
        self._hop = -1
        self._asked: float | None = None  # of the current hop, as long as its answer may still count
        self._owed: set[int] = set()  # hops handed to the backend in charge that it has not answered
        self._answered: float | None = None
        self._in_time = self._late = self._missed = 0

    @property
    def backend(self) -> str:
        """Name of the one in charge."""
        return self._backends[self._at]

    @property
    def counts(self) -> Counts:
        """What happened so far."""
        return Counts(self._hop + 1, self._in_time, self._late, self._missed, self._at)

    def age(self, now: float) -> float:
        """Seconds since the window was handed in whose answer counts now; infinite before the first."""
        return float("inf") if self._answered is None else now - self._answered

    def begin(self, now: float) -> tuple[int, str | None]:
        """Begin a hop.

        Returns
        -------
        hop : int
            Number of this hop, to be handed to :meth:`answer`.
        backend : str or None
            Whom to ask; None if the one in charge still owes an answer.
        """
        self.give_up()
        if sum(self._recent) >= self._misses and self._at + 1 < len(self._backends):
            self._at += 1
            self._recent.clear()
            self._owed.clear()
        self._hop += 1
        if self._owed:
            self._miss()
            return self._hop, None
        self._asked = now
        self._owed.add(self._hop)
        return self._hop, self.backend

    def answer(self, hop: int, backend: str, now: float) -> bool:
        """Take an answer, or drop it because it is late.

        Returns
        -------
        bool
            Whether it counts.
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
        self._recent.append(False)
        return True

    def give_up(self) -> None:
        """Wait no longer for the answer to this hop; it is missed, and dropped if it comes yet."""
        if self._asked is not None:
            self._asked = None
            self._miss()

    def _miss(self) -> None:
        self._missed += 1
        self._recent.append(True)

"""Answers that came too late: how many are too many."""

from __future__ import annotations

from collections import deque

#: So many misses among so many answers, and something is too slow: one that is slow now and then is so again.
MISSES, AMONG = 3, 100


class Misses:
    """Which of the newest answers came too late.

    Parameters
    ----------
    most, among : int
        So many misses among so many answers are too many.
    """

    def __init__(self, most: int = MISSES, among: int = AMONG) -> None:
        self._most = most
        self._newest: deque[bool] = deque(maxlen=among)

    def add(self, missed: bool) -> None:
        """Count one more answer."""
        self._newest.append(missed)

    @property
    def too_many(self) -> bool:
        """Whether too many of the newest were missed."""
        return sum(self._newest) >= self._most

    def clear(self) -> None:
        """Forget them all: somebody else answers now."""
        self._newest.clear()

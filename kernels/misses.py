"""Counting of late answers, to decide when there are too many."""

from __future__ import annotations

from collections import deque

#: Number of misses, and number of latest answers among which they are too many: what is slow at times will be again.
MISSES, AMONG = 3, 100


class Misses:
    """Late answers among the latest ones.

    Parameters
    ----------
    most, among : int
        Number of misses that are too many, and number of latest answers among which they count.
    """

    def __init__(self, most: int = MISSES, among: int = AMONG) -> None:
        self._most = most
        self._newest: deque[bool] = deque(maxlen=among)

    def add(self, missed: bool) -> None:
        """Add one answer."""
        self._newest.append(missed)

    @property
    def too_many(self) -> bool:
        """True if too many of the latest answers were late."""
        return sum(self._newest) >= self._most

    def clear(self) -> None:
        """Clear the count, when another backend takes over."""
        self._newest.clear()

"""What happened in a session, in words: for a board, which shows the newest, and for a terminal, which takes all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import pylsl

from earmark.app.terminal.foreign import plain

#: Newest events that a board shows.
N_SHOWN = 200


class SessionEvents:
    """A numbered list that any thread may add to without waiting."""

    def __init__(self) -> None:
        self._untold: deque[str] = deque(maxlen=1000)  # a slow terminal must not hold up the sound
        self._newest: deque[tuple[int, float, str]] = deque(maxlen=N_SHOWN)
        self._n, self._lock = 0, threading.Lock()

    def add(self, text: str, at: float | None = None) -> None:
        """Tell what happened, in one line, now or at some LSL time."""
        text = plain(text)
        with self._lock:
            self._n += 1
            self._newest.append((self._n, pylsl.local_clock() if at is None else at, text))
        self._untold.append(text)

    def tell(self, say: Callable[[str], None]) -> None:
        """Say what was not said before."""
        while self._untold:
            say(self._untold.popleft())

    def newest(self) -> list[tuple[int, float, str]]:
        """Number (from 1), LSL time and words of each."""
        with self._lock:
            return list(self._newest)

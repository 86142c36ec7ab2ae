"""What happened in a session, in words: for a board, which shows the newest, and for a terminal, which takes all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import pylsl

from earmark.app.status import Event
from earmark.app.terminal.foreign import plain

#: Newest events that a board shows.
N_SHOWN = 200


class SessionEvents:
    """A numbered list that any thread may add to without waiting."""

    def __init__(self) -> None:
        self._unprinted: deque[str] = deque(maxlen=1000)  # a slow terminal must not hold up the sound
        self._newest: deque[Event] = deque(maxlen=N_SHOWN)
        self._n, self._lock = 0, threading.Lock()

    def add(self, text: str, at: float | None = None) -> None:
        """Tell what happened, in one line, now or at some LSL time."""
        text = plain(text)
        with self._lock:
            self._n += 1
            self._newest.append(Event(self._n, pylsl.local_clock() if at is None else at, text))
        self._unprinted.append(text)

    def poll(self) -> Iterator[str]:
        """Yield the words of every event that was not polled before."""
        while self._unprinted:
            yield self._unprinted.popleft()

    def newest(self) -> tuple[Event, ...]:
        """Return the newest events, in order."""
        with self._lock:
            return tuple(self._newest)

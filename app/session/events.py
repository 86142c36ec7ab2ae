"""Events of a session as text: the status board shows the newest ones, the terminal prints all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import pylsl

from earmark.app.status import Event
from earmark.app.terminal.foreign import plain

#: Number of newest events on the status board.
N_SHOWN = 200


class SessionEvents:
    """A numbered list of events; any thread may add to it, and adding never blocks."""

    def __init__(self) -> None:
        self._unprinted: deque[str] = deque(maxlen=1000)  # bounded: a slow terminal must not block the sound
        self._newest: deque[Event] = deque(maxlen=N_SHOWN)
        self._n, self._lock = 0, threading.Lock()

    def add(self, text: str, at: float | None = None) -> None:
        """Add an event: one line of text, and its LSL time (default: now)."""
        text = plain(text)
        with self._lock:
            self._n += 1
            self._newest.append(Event(self._n, pylsl.local_clock() if at is None else at, text))
        self._unprinted.append(text)

    def clear(self) -> None:
        """Begin anew, with another event number 1."""
        with self._lock:
            self._n = 0
            self._newest.clear()

    def poll(self) -> Iterator[str]:
        """Yield the text of every event that was not polled before."""
        while self._unprinted:
            yield self._unprinted.popleft()

    def newest(self) -> tuple[Event, ...]:
        """Return the newest events, oldest first."""
        with self._lock:
            return tuple(self._newest)

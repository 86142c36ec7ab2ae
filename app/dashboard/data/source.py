"""Reads the shared memory of a session: status boards, audio status, signal ring. Reading never blocks a writer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import pylsl

from earmark.app.dashboard.data.snapshot import Snapshot, snapshot
from earmark.app.status import EngineStatus, S, SessionStatus, StatusBoard, StatusError
from earmark.devices.audio.control_block import Seqlock, Status
from earmark.devices.processes.shared_memory import SharedMemoryError
from earmark.devices.processes.signal_ring import SignalReader

#: Seconds between attempts to attach, and seconds of the past that a newly attached signal starts with.
RETRY_S, HISTORY_S = 1.0, 30.0
#: Seconds without a new buffer after which the sound counts as stopped.
BUFFER_S = 0.5


class _Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=_Closable)


class _Attached(Generic[T]):
    """An object in shared memory, attached again whenever its name changes."""

    def __init__(self, attach: Callable[[str], T]) -> None:
        self._attach = attach
        self.name = ""
        self.attached: T | None = None
        self._tried = -math.inf

    def attach_to(self, name: str) -> T | None:
        """Return the object of this name; None if it does not exist."""
        if name != self.name:
            self.close()
            self.name, self._tried = name, -math.inf
        if self.attached is None and name and time.monotonic() - self._tried > RETRY_S:
            self._tried = time.monotonic()
            try:
                self.attached = self._attach(name)
            except SharedMemoryError:  # gone; the board may soon name another one
                self.attached = None
        return self.attached

    def close(self) -> None:
        if self.attached is not None:
            self.attached.close()
        self.attached, self.name = None, ""


class Source:
    """Reads the status and the signal of one session, which may start, end or restart at any time.

    Parameters
    ----------
    find : callable
        Returns the name of the supervisor's board, or an empty string. Called about once a second while the board is
        out of date.
    died : callable
        Returns whether the process of the session ended without a shutdown. Called together with ``find``.
    """

    def __init__(self, find: Callable[[], str], died: Callable[[], bool] = lambda: False) -> None:
        self._find, self._died, self._dead = find, died, False
        self._name, self._searched_at = "", -math.inf
        self._session = _Attached(lambda name: StatusBoard(SessionStatus, name))
        self._engine = _Attached(lambda name: StatusBoard(EngineStatus, name))
        self._status = _Attached(lambda name: Seqlock(Status, name))
        self._signal = _Attached(lambda name: SignalReader(name, HISTORY_S))
        self._heartbeat, self._heartbeat_at = -1, -math.inf
        self._signals, self._refused = "", ""
        #: Last status of a live session.
        self._last_session: SessionStatus | None = None

    def read(self) -> Snapshot:
        """Read all status records."""
        now, self._refused = pylsl.local_clock(), ""
        session = self._read(self._session, self._name)
        if session is not None and now - session.time <= RETRY_S:
            self._dead, self._last_session = False, session
        elif time.monotonic() - self._searched_at > RETRY_S:
            self._searched_at = time.monotonic()
            name, self._dead = self._find(), self._died()
            if name != self._name:  # another session, or none
                self._name, self._refused = name, ""
                session = self._read(self._session, name)
        if self._dead:
            self._signals = ""
            return _dead_session(now, self._last_session)
        board = "" if session is None or session.engine is None else session.engine.board
        engine = self._read(self._engine, board)
        self._signals = "" if engine is None else engine.signals
        status = self._status.attach_to("" if session is None or session.sound is None else session.sound.status)
        value = None if status is None else status.read()
        if value is not None and value.heartbeat != self._heartbeat:
            self._heartbeat, self._heartbeat_at = value.heartbeat, time.monotonic()
        live = value is not None and time.monotonic() - self._heartbeat_at < BUFFER_S
        return snapshot(now, session, engine, value, live, self._refused)

    @property
    def signal(self) -> SignalReader | None:
        """Reader of the signal, starting ``HISTORY_S`` in the past; a new one after a restart of the engine."""
        return self._signal.attach_to(self._signals)

    def _read(self, attached: _Attached[StatusBoard[S]], name: str) -> S | None:
        board = attached.attach_to(name)
        try:
            return None if board is None else board.read()
        except StatusError as error:
            self._refused = str(error)
            return None

    def close(self) -> None:
        """Detach from all shared memory."""
        for one in (self._session, self._engine, self._status, self._signal):
            one.close()


def _dead_session(now: float, last: SessionStatus | None) -> Snapshot:
    """Return a snapshot with only the values that cannot have changed since the last status."""
    if last is None:
        return Snapshot(time=now, died=True)
    return Snapshot(time=now, died=True, kind=last.kind, out=last.out, talkers=last.talkers, events=last.events)

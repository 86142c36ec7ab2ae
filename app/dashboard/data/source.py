"""Reading what others publish: boards, the status of sound, the signal ring. Nobody notices that it is read."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pylsl

from earmark.app.dashboard.data.snapshot import Snapshot, snapshot
from earmark.devices.audio.control_block import Seqlock, Status
from earmark.devices.processes.board import Board
from earmark.devices.processes.shared_memory import SharedMemoryError
from earmark.devices.processes.signal_ring import SignalReader

#: Seconds between tries to attach to what is not there, and seconds of the past to begin a signal with.
RETRY_S, PAST_S = 1.0, 30.0
#: What is still known of a session that died.
LASTING = ("kind", "out", "talkers", "events")
#: Seconds without a new buffer after which there is no sound.
BUFFER_S = 0.5


class _Attached:
    """One thing in shared memory, which may go and come back under another name."""

    def __init__(self, attach: Callable[[str], Any]) -> None:
        self._attach = attach
        self.name, self.it = "", None
        self._tried = -math.inf

    def follow(self, name: str) -> Any:
        """Return it, attached under this name; None if it is not there."""
        if name != self.name:
            self.close()
            self.name, self._tried = name, -math.inf
        if self.it is None and name and time.monotonic() - self._tried > RETRY_S:
            self._tried = time.monotonic()
            try:
                self.it = self._attach(name)
            except SharedMemoryError:  # gone; the next look may find another name
                self.it = None
        return self.it

    def close(self) -> None:
        if self.it is not None:
            self.it.close()
        self.it, self.name = None, ""


class Source:
    """One session, as far as it is there.

    Parameters
    ----------
    find : callable
        Returns the name of the supervisor's board, or nothing; asked about once a second while nothing is heard.
    died : callable
        Says whether the session's process is gone without having ended in good order; asked together with it.
    """

    def __init__(self, find: Callable[[], str], died: Callable[[], bool] = lambda: False) -> None:
        self._find, self._died, self._dead = find, died, False
        self._name, self._asked = "", -math.inf
        self._session, self._engine = _Attached(Board), _Attached(Board)
        self._status = _Attached(lambda name: Seqlock(Status, name))
        self._signal = _Attached(lambda name: SignalReader(name, PAST_S))
        self._beat, self._beaten = -1, -math.inf
        self._signals, self._kept = "", dict[str, Any]()

    def read(self) -> Snapshot:
        """Look at everything."""
        now = pylsl.local_clock()
        session = self._board(self._session, self._name)
        time_said = session.get("time")
        silent = not isinstance(time_said, int | float) or now - time_said > RETRY_S
        if not silent:
            self._dead, self._kept = False, {key: session.get(key) for key in LASTING}
        elif time.monotonic() - self._asked > RETRY_S:
            self._asked = time.monotonic()
            name, self._dead = self._find(), self._died()
            if name != self._name:  # another session, or none any more
                self._name = name
                session = self._board(self._session, name)
        if self._dead:
            self._signals = ""
            return replace(snapshot(now, self._kept, {}, None, False), died=True)
        about, sound = (session.get(key) or {} for key in ("engine", "audio"))
        engine = self._board(self._engine, str(about.get("board") or ""))
        self._signals = str(engine.get("signals") or "")
        status = self._status.follow(str(sound.get("status") or ""))
        value = status.read() if status is not None else None
        if value is not None and value.heartbeat != self._beat:
            self._beat, self._beaten = value.heartbeat, time.monotonic()
        live = value is not None and time.monotonic() - self._beaten < BUFFER_S
        return snapshot(now, session, engine, value, live)

    @property
    def signal(self) -> SignalReader | None:
        """The signal, from some seconds ago on; another one after the engine has started anew."""
        reader: SignalReader | None = self._signal.follow(self._signals)
        return reader

    def _board(self, attached: _Attached, name: str) -> dict[str, Any]:
        board = attached.follow(name)
        return {} if board is None else board.read()

    def close(self) -> None:
        """Let go of everything."""
        for one in (self._session, self._engine, self._status, self._signal):
            one.close()

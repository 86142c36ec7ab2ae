"""A stream that is only looked at: no session, no recording, and nothing on disk."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import pylsl
from pydantic import Field

from earmark.app.config.modes import Mode
from earmark.app.engine.monitor import Monitor, viewing
from earmark.app.session.channel import Refused
from earmark.app.session.events import SessionEvents
from earmark.app.session.requests import carry_out, offered
from earmark.app.status import SessionStatus, State, StatusBoard
from earmark.devices.processes.limits import check_limits
from earmark.devices.sources.lsl_search import StreamSelector

#: Seconds between updates of the board.
BOARD_S = 0.1


class StreamView:
    """Shows the signal of an LSL stream, and publishes its status as a session does.

    Parameters
    ----------
    stream : StreamSelector
        The stream, which may appear later.

    Raises
    ------
    ConfigError, earmark.devices.processes.limits.LimitError, OSError
        If ``stream`` has neither a name, nor a type, nor a source_id, a limit of this machine is too low, or there is
        no room for a process.
    """

    def __init__(self, stream: StreamSelector) -> None:
        check_limits()
        config = viewing(stream)  # before anything is made that would remain
        self.events = SessionEvents()
        #: Electrodes that are marked as bad.
        self.bads: tuple[str, ...] = ()
        self._muted, self._beat, self._closing = False, 0, threading.Event()
        self._board = StatusBoard(SessionStatus)
        self._monitor = Monitor(config, self.events.add)
        self._monitor.active = True
        self._thread = threading.Thread(target=self._publish, name="board", daemon=True)
        self._thread.start()

    @property
    def board(self) -> str:
        """Name of the board with the status."""
        return self._board.name

    def close(self) -> None:
        """End the view."""
        self._closing.set()
        self._thread.join()
        self._monitor.close()
        self._board.close()

    def send(self, command: str, **arguments: Any) -> Any:
        """Execute a command and return its answer.

        Raises
        ------
        Refused
            If it is not possible.
        """
        return carry_out(self, command, arguments)

    def do_bad(self, channel: Annotated[str, Field(min_length=1)], on: bool = True) -> None:
        """Mark an electrode as bad, or as good again."""
        if channel not in self._monitor.ch_names:
            raise Refused(f"there is no electrode {channel!r}")
        kept = tuple(name for name in self.bads if name != channel)
        self.bads = (*kept, channel) if on else kept

    def do_mute(self, on: bool = True) -> None:
        """Mute or unmute; there is no sound."""
        self._muted = on

    def _publish(self) -> None:
        while not self._closing.wait(BOARD_S):
            self._beat += 1
            self._board.publish(self.status())

    def status(self) -> SessionStatus:
        """Return the current status."""
        return SessionStatus(
            time=pylsl.local_clock(),
            beat=self._beat,
            kind="view",
            state=State.IDLE,
            mode=Mode.CLOSED,
            out="",
            talkers=(),
            azimuths=(),
            texts={},
            questions=(),
            muted=self._muted,
            override=None,
            trims=(),
            decoder=False,
            trained=False,
            decoder_summary=None,
            learning=(),
            plan=None,
            faults=(),
            checks=(),
            bads=self.bads,
            commands=tuple(offered(self)),
            events=self.events.newest(),
            engine=self._monitor.process,
            task=None,
            recording=None,
            sound=None,
        )

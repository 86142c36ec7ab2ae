"""A replay as a session, with status boards and a command channel like a live one."""

from __future__ import annotations

import math
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pylsl
from pydantic import Field

from earmark.app.replay.player import RecordingPlayer
from earmark.app.session.channel import Refused, Server
from earmark.app.session.events import SessionEvents
from earmark.app.session.next_step import next_step
from earmark.app.session.requests import carry_out, offered
from earmark.app.session.sound import sound_status
from earmark.app.status import (
    EngineProcessStatus,
    EngineStatus,
    SessionStatus,
    State,
    StatusBoard,
    TaskStatus,
    to_json,
)

#: Seconds between updates of the boards.
BOARD_S = 0.1


class ReplaySession:
    """Replays a recorded run, publishes its status and executes commands. A context manager: no files remain after it.

    Parameters
    ----------
    recording : Path
        As for :class:`earmark.app.replay.player.RecordingPlayer`.
    folder : Path
        Folder of the command channel; nothing else is written there.

    Raises
    ------
    EarmarkError, OSError
        If the recording cannot be replayed, or another session is running in the folder.
    """

    def __init__(self, recording: Path, folder: Path) -> None:
        self.events = SessionEvents()
        #: Set by the command ``shutdown``.
        self.ended = threading.Event()
        self.player = RecordingPlayer(recording, self.events.add)
        self.player.sought = self.events.clear
        self._beat, self._closing = 0, threading.Event()
        self._session, self._engine = StatusBoard(SessionStatus), StatusBoard(EngineStatus)
        self._thread = threading.Thread(target=self._publish, name="board", daemon=True)
        try:
            self.player.start()
            about = {"board": self._session.name, "pid": os.getpid(), "kind": "replay"}
            self._server = Server(folder, self._handle, about)
        except BaseException:
            self._end()
            raise
        self._thread.start()

    def __enter__(self) -> ReplaySession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the replay and its command channel."""
        self._server.close()
        self._end()

    def _end(self) -> None:
        self.player.stop()
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._session.close()
        self._engine.close()

    # The boards

    def _publish(self) -> None:
        while not self._closing.wait(BOARD_S):
            self._beat += 1
            self.player.log_events()
            monitor = self.player.monitor
            if monitor is not None:
                self._engine.publish(_as_of_now(monitor.status()))
            self._session.publish(self.status())

    def status(self) -> SessionStatus:
        """Return the current status of the replay."""
        player, engine = self.player, self.player.engine
        return SessionStatus(
            time=pylsl.local_clock(),
            beat=self._beat,
            kind="replay",
            state=State.REVIEW if player.over else State.PAUSED if player.clock.held else State.RUNNING,
            mode=player.mode,
            out=str(player.path.resolve().parent.parent),
            talkers=tuple(player.talkers),
            azimuths=player.sound.azimuths,
            texts=player.texts,
            questions=(),
            muted=player.sound.muted,
            override=None if engine is None else engine.override,
            trims=tuple(player.sound.trims),
            decoder=False,
            trained=False,
            decoder_summary=None,
            learning=(),
            plan=None,
            checks=(),
            bads=(),
            commands=tuple(offered(self)),
            events=self.events.newest(),
            engine=EngineProcessStatus(
                alive=engine is not None,
                pid=os.getpid(),
                restarts=player.replaced,
                board="" if player.over else self._engine.name,
            ),
            task=self._task(),
            recording=None,
            sound=sound_status(player.sound.audio),
            faults=(),
        )

    def _task(self) -> TaskStatus:
        player = self.player
        attend, next_cue_s, block = player.cue
        return TaskStatus(
            elapsed=min(player.clock.now, player.end) - player.begin,
            seconds=player.end - player.begin,
            attend=attend,
            next_cue_s=math.nan if next_cue_s is None else next_cue_s,
            block=block,
            n_blocks=sum(bool(name) for _, name in player.cues),
            waiting="",
            question="",
            options=(),
            n_asked=0,
            complete=player.complete,
            failure=player.failure,
            recording_now=not player.over,
            ending=False,
        )

    # The channel

    def _handle(self, command: str, arguments: dict[str, Any]) -> Any:
        """Execute a command.

        Raises
        ------
        Refused
            If the command is not possible, or not in a replay.
        """
        known = offered(self)
        if command not in known:
            raise Refused(f"this is a replay, which has no command {command!r}; choose from {', '.join(known)}")
        return carry_out(self, command, arguments)

    def _require_paused(self, paused: bool) -> None:
        if self.player.over:
            raise Refused("the replay is over")
        if self.player.clock.held is not paused:
            raise Refused("the replay is not paused" if paused else "the replay is paused already")

    def do_state(self) -> dict[str, Any]:
        """Return the status as JSON, and what comes next."""
        status = self.status()
        return to_json(status) | {"next": next_step(status).sentence}

    def do_pause(self) -> None:
        """Pause the replay and mute its sound."""
        self._require_paused(paused=False)
        self.player.pause()
        self.events.add("Replay paused")

    def do_resume(self) -> None:
        """Resume the replay."""
        self._require_paused(paused=True)
        self.player.resume()
        self.events.add("Replay resumed")

    def do_seek(self, seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]) -> None:
        """Go to a time of the recording, in seconds from its start."""
        if self.player.clock.stop.is_set():
            raise Refused("the replay was stopped: start it again")
        self.player.seek(self.player.begin + seconds)

    def do_speed(self, factor: Annotated[float, Field(ge=0.1, le=100, allow_inf_nan=False)] | None = None) -> None:
        """Set the speed of the replay; without a factor, as fast as possible. Sound is heard at speed 1 only."""
        self.player.set_speed(math.inf if factor is None else factor)

    def do_loop(self, on: bool = True) -> None:
        """Start again at the end, or no longer."""
        self.player.loop = on

    def do_mute(self, on: bool = True) -> None:
        """Mute or unmute."""
        self.player.sound.mute(on)
        self.events.add("MUTED" if on else "unmuted")

    def do_master(self, db: Annotated[float, Field(le=0, ge=-120, allow_inf_nan=False)]) -> None:
        """Set the master gain, at most 0 dB."""
        self.player.sound.master(db)

    def do_stop(self) -> None:
        """End the replay; its last status stays visible."""
        self.player.stop()

    def do_shutdown(self) -> None:
        """End the session."""
        self.ended.set()


def _as_of_now(status: EngineStatus) -> EngineStatus:
    """Shift the times of a recorded status to the present, so that the age of its decision stays the same."""
    now, decision = pylsl.local_clock(), status.decision
    if decision is not None:
        decision = replace(decision, time=decision.time + now - status.time)
    return replace(status, time=now, decision=decision)

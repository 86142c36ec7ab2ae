"""A replay as a session: shown on boards as a live one is, and driven over the command channel."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated, Any

import pylsl
from pydantic import Field

from earmark.app.replay.player import TapePlayer
from earmark.app.session.channel import Refused, Server
from earmark.app.session.events import SessionEvents
from earmark.app.session.requests import carry_out, offered
from earmark.app.session.sound import on_board
from earmark.devices.processes.board import Board

#: Seconds between updates of the boards.
BOARD_S = 0.1


class ReplaySession:
    """Replays a recorded run and answers for it. As a context manager it leaves nothing behind.

    Parameters
    ----------
    recording : Path
        As for :class:`earmark.app.replay.player.TapePlayer`.
    folder : Path
        Where it is reached; nothing else is written there.

    Raises
    ------
    EarmarkError, OSError
        If it cannot be replayed, or another session is reached there.
    """

    def __init__(self, recording: Path, folder: Path) -> None:
        self.events = SessionEvents()
        #: Set when somebody asked for the end of it all.
        self.ended = threading.Event()
        self.player = TapePlayer(recording, self.events.add)
        self._beat, self._closing = 0, threading.Event()
        self._session, self._engine = Board(), Board()
        self._thread = threading.Thread(target=self._show, name="board", daemon=True)
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
        """End everything."""
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

    def _show(self) -> None:
        while not self._closing.wait(BOARD_S):
            self._beat += 1
            self.player.tell()
            facts = self.player.facts
            if facts is not None:
                self._engine.write(_now(facts.now()))
            self._session.write(self._facts())

    def _facts(self) -> dict[str, Any]:
        player = self.player
        audio, engine = player.sound.audio, player.engine
        attend, next_cue_s, block = player.cue
        found: dict[str, Any] = {
            "time": pylsl.local_clock(),
            "beat": self._beat,
            "kind": "replay",
            "state": "review" if player.over else "paused" if player.clock.held else "running",
            "mode": player.about.get("mode", "closed"),
            "out": str(player.path.resolve().parent.parent),
            "talkers": player.talkers,
            "muted": player.sound.muted,
            "trims": [one._asdict() for one in player.sound.trims],
            "override": None if engine is None else engine.override,
            "commands": list(offered(self)),
            "events": self.events.newest(),
            "elapsed": min(player.clock.now, player.end) - player.begin,
            "seconds": player.end - player.begin,
            "attend": attend,
            "next_cue_s": next_cue_s,
            "block": block,
            "n_blocks": sum(bool(name) for _, name in player.cues),
            "complete": player.complete,
            "failure": player.failure,
            "engine": {
                "alive": engine is not None,
                "pid": os.getpid(),
                "restarts": player.replaced,
                "board": "" if player.over else self._engine.name,
            },
        }
        if audio is not None:
            found["audio"] = on_board(audio)
        return found

    # The channel

    def _handle(self, command: str, arguments: dict[str, Any]) -> Any:
        """Do what somebody asks for.

        Raises
        ------
        Refused
            If it cannot be done, or not in a replay.
        """
        known = offered(self)
        if command not in known:
            raise Refused(f"this is a replay, which knows {', '.join(known)}, and no {command!r}")
        return carry_out(self, command, arguments)

    def _going_on(self, paused: bool) -> None:
        if self.player.over:
            raise Refused("the replay is over")
        if self.player.clock.held is not paused:
            raise Refused("the replay is not paused" if paused else "the replay is paused already")

    def do_state(self) -> dict[str, Any]:
        """Return what the board shows."""
        return self._facts()

    def do_pause(self) -> None:
        """Hold everything, in silence."""
        self._going_on(paused=False)
        self.player.pause()
        self.events.add("Replay paused")

    def do_resume(self) -> None:
        """Go on."""
        self._going_on(paused=True)
        self.player.resume()
        self.events.add("Replay going on")

    def do_mute(self, on: bool = True) -> None:
        """Silence; or not any longer."""
        self.player.sound.mute(on)
        self.events.add("MUTED" if on else "unmuted")

    def do_master(self, db: Annotated[float, Field(le=0, ge=-120, allow_inf_nan=False)]) -> None:
        """Set the gain of everything, at most 0 dB."""
        self.player.sound.master(db)

    def do_stop(self) -> None:
        """End the replay; what it was like stays to be seen."""
        self.player.stop()

    def do_shutdown(self) -> None:
        """End the session."""
        self.ended.set()


def _now(facts: dict[str, Any]) -> dict[str, Any]:
    """What was said at an instant of the recording, as if it were said now; ages are differences, and stay."""
    behind = pylsl.local_clock() - facts["time"]
    facts["time"] += behind
    if facts["decision"] is not None:
        facts["decision"]["time"] += behind
    return facts

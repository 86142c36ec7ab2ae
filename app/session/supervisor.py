"""The supervisor: a session, shown on a board and driven over the command channel, whoever looks and asks."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pylsl
from pydantic import Field

from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Protocol
from earmark.app.config.session import Config
from earmark.app.session.channel import Refused, Server
from earmark.app.session.events import SessionEvents
from earmark.app.session.requests import carry_out, offered
from earmark.app.session.session import Session
from earmark.app.session.sound import on_board
from earmark.app.session.states import State
from earmark.devices.audio.render import TRIM_DB
from earmark.devices.processes.board import Board
from earmark.devices.processes.limits import check_limits

#: Seconds between updates of the board, and between looks at the disk.
BOARD_S, DISK_S = 0.1, 2.0

#: A talker by name or counted from 0; all alike; or none, so that decisions hold again.
_Talker = int | str | None
_Words = Annotated[str, Field(min_length=1)]


class Supervisor:
    """Runs a session and answers for it. As a context manager it leaves nothing behind but files.

    Parameters
    ----------
    config : Config
        With attention, sound, and a stream of cues.
    folder : Path
        For everything that is made; one session at a time.
    protocol : Protocol
        What calibrations and runs are like.
    kind : str
        What is shown to whoever looks: ``live`` or ``demo``.
    ask : bool
        Whether somebody is there to answer questions.
    attend : callable, optional
        Tells a simulated listener, by name, whom to attend to.

    Raises
    ------
    ConfigError, earmark.app.session.channel.ChannelError, earmark.devices.processes.limits.LimitError, OSError
        If this machine permits too little, the configuration lacks something, or a session is under way in the folder.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        protocol: Protocol,
        kind: str = "live",
        ask: bool = False,
        attend: Callable[[str], None] | None = None,
    ) -> None:
        check_limits()
        self.events = SessionEvents()
        self.session = Session(config, folder, self.events.add, ask=ask)
        self.protocol, self._kind, self.attend = protocol, kind, attend
        folder.mkdir(parents=True, exist_ok=True)
        #: Set when somebody asked for the end of it all.
        self.ended = threading.Event()
        self._disk: dict[str, Any] = {}
        self._disk_at = 0.0
        self._beat, self._stop = 0, threading.Event()
        self._board = Board()
        try:
            self._server = Server(
                folder, partial(carry_out, self), {"board": self._board.name, "pid": os.getpid(), "kind": kind}
            )
        except BaseException:
            self._board.close()
            raise
        self._thread = threading.Thread(target=self._show, name="board", daemon=True)
        self._thread.start()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything in good order."""
        self._server.close()
        self.session.close()
        self._stop.set()
        self._thread.join()
        self._board.close()

    # The board

    def _show(self) -> None:
        while not self._stop.wait(BOARD_S):
            self._beat += 1
            self._board.write(self._facts())

    def _facts(self) -> dict[str, Any]:
        session = self.session
        part, audio, facts = session.part, session.sound.audio, session.facts
        found: dict[str, Any] = {
            "time": pylsl.local_clock(),
            "beat": self._beat,
            "kind": self._kind,
            "state": session.state.value,
            "mode": session.mode.value,
            "out": str(session.out),
            "talkers": session.talkers,
            "muted": session.sound.muted,
            "override": session.overridden,
            "trims": [one._asdict() for one in session.sound.trims],
            "decoder": session.decoder.is_dir(),
            "trained": session.trained.exists(),
            "checks": self._checks,
            "commands": list(offered(self)),
            "events": self.events.newest(),
        }
        if part is not None:
            under_way = not part.wait(0)
            found |= {
                "elapsed": part.elapsed,
                "seconds": part.seconds,
                "attend": part.attend,
                "next_cue_s": part.cues[0][0] - part.elapsed if part.cues else None,
                "block": part.block,
                "n_blocks": part.n_blocks,
                "waiting": part.waiting,
                "question": part.question,
                "complete": part.complete,
                "failure": part.failure,
                "recording_now": under_way,
                "ending": under_way and part.ending,
                **part.loop.names,
            }
            found["recording"] |= self._room(part.loop.path.parent, found["recording"]["bytes"])
        if facts is not None:
            found["accuracy"] = {
                "accuracy": facts.accuracy,
                "chance_level": facts.chance_level,
                "chance_limit": None if math.isnan(facts.chance_limit) else facts.chance_limit,
                "n": facts.n_decisions,
                "seconds": facts.seconds,
            }
        if audio is not None:
            found["audio"] = on_board(audio)
        return found

    def _room(self, folder: Path, n_bytes: int) -> dict[str, Any]:
        """How quickly the recording grows, and how much of the disk is left."""
        now = time.monotonic()
        if now - self._disk_at > DISK_S:
            rate = max(0.0, n_bytes - self._disk.get("n_bytes", n_bytes)) / (now - self._disk_at)
            try:
                free = shutil.disk_usage(folder).free
            except OSError:  # the folder was taken away, of which the recorder speaks
                free = None
            self._disk, self._disk_at = {"n_bytes": n_bytes, "bytes_per_s": rate, "free_bytes": free}, now
        return self._disk

    # The channel

    def do_state(self) -> dict[str, Any]:
        """Return what the board shows."""
        return self._facts()

    @property
    def _checks(self) -> list[list[Any]]:
        return [[one.what, one.ok, one.words, one.due] for one in self.session.checks]

    def do_check(self) -> list[list[Any]]:
        """Look at everything; return what was looked at, whether it is well, words, and whether it is only to do."""
        self.session.check(self.protocol.run.seconds)
        return self._checks

    def do_calibrate(self) -> None:
        """Begin the trials of the protocol."""
        self.session.calibrate(self.protocol.calibration)

    def do_redo(self) -> None:
        """Repeat the trial under way, or else the last one, in the end."""
        self.session.redo()

    def do_accept(self) -> float:
        """Make a decoder of the calibration; return its cross-validated accuracy."""
        return float(self.session.train().accuracy)

    def do_refuse(self) -> None:
        """Throw the decoder of the calibration away."""
        self.session.refuse()

    def do_run(self, mode: str = "closed", seconds: float | None = None) -> str:
        """Begin to decode; return the folder."""
        if mode not in list(Mode):
            raise Refused(f"there is no mode {mode!r}, but {', '.join(Mode)}")
        return str(self.session.run(Mode(mode), self.protocol.run, seconds))

    def do_pause(self) -> None:
        """Stop to steer."""
        self.session.pause()

    def do_resume(self) -> None:
        """Steer again."""
        self.session.resume()

    def do_override(self, talker: _Talker = None) -> None:
        """Favour a talker, by name or counted from 0, or ``equal``; null follows decisions again."""
        match talker:
            case None | "equal":
                self.session.override(talker)
            case _:
                self.session.override(self._number(talker))

    def _number(self, talker: int | str) -> int:
        names = self.session.talkers
        if talker in names:
            return names.index(str(talker))
        if isinstance(talker, str) and talker.isdecimal():
            talker = int(talker)
        if isinstance(talker, int) and 0 <= talker < len(names):
            return talker
        known = ", ".join(f"{number} or {name}" for number, name in enumerate(names))
        raise Refused(f"there is no talker {talker}, but {known}")

    def do_mute(self, on: bool = True) -> None:
        """Silence; or not any longer."""
        self.session.mute(on)

    def do_master(self, db: Annotated[float, Field(le=0, ge=-120, allow_inf_nan=False)]) -> None:
        """Set the gain of everything, at most 0 dB."""
        self.session.sound.master(db)

    def do_trim(
        self,
        talker: int | str,
        db: Annotated[float, Field(ge=TRIM_DB[0], le=TRIM_DB[1], allow_inf_nan=False)] | None = None,
        mute: bool | None = None,
    ) -> None:
        """Turn a talker, by name or counted from 0, down by -40 to 0 dB, or off; on top of what steering does."""
        if db is None and mute is None:
            raise Refused("trim: say db=-6, or mute=true")
        self.session.trim(self._number(talker), db, mute)

    def do_note(self, text: _Words) -> None:
        """Keep words in the recording."""
        self.session.note(text)

    def do_answer(self, text: _Words) -> None:
        """Answer the question that is asked."""
        part = self.session.part
        if part is None or not part.question:
            raise Refused("nothing is asked now")
        part.answer(text)

    def do_attend(self, talker: int | str) -> None:
        """Tell the simulated listener whom to attend to, by name or counted from 0; in a run."""
        if self.attend is None:
            raise Refused("the listener is real, and is told by cues")
        if self.session.state is State.CALIBRATING:
            raise Refused(
                "in a calibration the listener has to obey the cues, from which the decoder learns: click in the run"
            )
        if self.session.state not in (State.RUNNING, State.PAUSED):
            raise Refused("no run is under way, in which the listener could be told whom to attend to")
        self.attend(self.session.talkers[self._number(talker)])

    def do_stop(self) -> None:
        """End the calibration or run in good order."""
        if self.session.state is State.TRAINING:
            raise Refused("a decoder is being trained, which takes some seconds and cannot be stopped")
        self.session.stop()

    def do_shutdown(self) -> None:
        """End the session."""
        self.ended.set()

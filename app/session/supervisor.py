"""The supervisor: a session with its status board and its command channel."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pylsl
from pydantic import Field

from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Protocol
from earmark.app.config.session import Config
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.session.channel import Refused, Server
from earmark.app.session.events import SessionEvents
from earmark.app.session.next_step import next_step
from earmark.app.session.requests import carry_out, offered
from earmark.app.session.session import Session
from earmark.app.session.sound import sound_status
from earmark.app.session.task import OPERATOR
from earmark.app.status import (
    DecoderSummary,
    EngineStatus,
    PlanStatus,
    RecordingStatus,
    SessionStatus,
    State,
    StatusBoard,
    StatusError,
    to_json,
)
from earmark.devices.audio.render import TRIM_DB
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.processes.limits import check_limits
from earmark.devices.processes.shared_memory import SharedMemoryError

if TYPE_CHECKING:
    from earmark.app.session.rehearsal import Faults

#: Seconds between updates of the board, and between checks of free disk space.
BOARD_S, DISK_S = 0.1, 2.0

#: A talker by name or counted from 0; ``equal`` for all equal; None to follow decisions.
_Talker = int | str | None
_Text = Annotated[str, Field(min_length=1)]


class Supervisor:
    """Runs a session, publishes its status and executes commands. A context manager: only files remain after it.

    Parameters
    ----------
    config : Config
        Configuration with attention, sound, and a stream of cues.
    folder : Path
        Folder for all files; only one session at a time can use it.
    protocol : Protocol
        Plan of calibrations and runs.
    kind : {'live', 'demo', 'rehearsal'}
        Whether the listener is real, or simulated to show the program or to practise.
    ask : bool
        Whether the questions of the protocol are asked.
    attend : callable, optional
        Called with the name of the talker to whom a simulated listener should attend.
    watch : bool
        Whether the signal of the electrodes is shown while nothing is recorded.

    Raises
    ------
    ConfigError, earmark.app.session.channel.ChannelError, earmark.devices.processes.limits.LimitError, OSError
        If a limit of this machine is too low, the configuration lacks something, or a session is already running in
        the folder.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        protocol: Protocol,
        kind: Literal["live", "demo", "rehearsal"] = "live",
        ask: bool = False,
        attend: Callable[[str], None] | None = None,
        watch: bool = False,
    ) -> None:
        check_limits()
        self.events = SessionEvents()
        self.session = Session(config, folder, self.events.add, ask=ask, watch=watch)
        self.session.texts = protocol.participant.model_dump()
        self.protocol, self.attend = protocol, attend
        self._plan = PlanStatus(protocol.calibration.count, protocol.calibration.seconds, protocol.run.seconds)
        self._kind: Literal["live", "demo", "rehearsal"] = kind
        #: Switches of the faults of a rehearsal.
        self.faults: Faults | None = None
        #: Commands that are not offered, because the session does these things by itself.
        self.withheld: frozenset[str] = frozenset()
        #: Set by the command ``shutdown``.
        self.ended = threading.Event()
        #: Status of the recording at the last check of the disk, and the time of that check.
        self._disk: RecordingStatus | None = None
        self._disk_at = -math.inf
        self._beat, self._stop = 0, threading.Event()
        with ExitStack() as undone:  # what was started ends if this is refused
            undone.callback(self.session.close)
            folder.mkdir(parents=True, exist_ok=True)
            self._board = StatusBoard(SessionStatus)
            undone.callback(self._board.close)
            self._server = Server(
                folder, partial(carry_out, self), {"board": self._board.name, "pid": os.getpid(), "kind": kind}
            )
            undone.pop_all()
        self._thread = threading.Thread(target=self._publish, name="board", daemon=True)
        self._thread.start()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session and complete its recording."""
        self._server.close()
        self.session.close()
        self._stop.set()
        self._thread.join()
        self._board.close()

    # The board

    def _publish(self) -> None:
        while not self._stop.wait(BOARD_S):
            self._beat += 1
            self._board.publish(self.status())

    def status(self) -> SessionStatus:
        """Return the current status of the session."""
        session, decoder = self.session, self.session.facts
        task = session.task
        return SessionStatus(
            time=pylsl.local_clock(),
            beat=self._beat,
            kind=self._kind,
            state=session.state,
            mode=session.mode,
            out=str(session.out),
            talkers=tuple(session.talkers),
            azimuths=session.sound.azimuths,
            texts=self.session.texts,
            questions=tuple(" ".join((one.text, *one.options)) for one in self.protocol.questions),
            muted=session.sound.muted,
            override=session.overridden,
            trims=tuple(session.sound.trims),
            decoder=session.decoder.is_dir(),
            trained=session.trained.exists(),
            decoder_summary=None if decoder is None else _summary(decoder),
            learning=tuple(session.learning),
            plan=self._plan,
            checks=tuple(session.checks),
            bads=session.bads,
            commands=tuple(offered(self)),
            events=self.events.newest(),
            engine=session.engine_process,
            task=None if task is None else task.status(),
            recording=None if task is None else self._recording(task.loop),
            sound=sound_status(session.sound.audio),
            faults=() if self.faults is None else self.faults.on,
        )

    def say(self, text: str) -> None:
        """Report an event, and write it to the recording if there is one."""
        self.events.add(text)
        task = self.session.task
        if task is not None and not task.wait(0):
            task.loop.record_event(text)

    def _recording(self, loop: ClosedLoop) -> RecordingStatus:
        """Return the status of the recording with its growth rate and the free disk space."""
        recording, now = loop.recording, time.monotonic()
        if now - self._disk_at > DISK_S:
            before = recording.bytes if self._disk is None else self._disk.bytes
            rate = max(0, recording.bytes - before) / (now - self._disk_at)
            try:
                free = float(shutil.disk_usage(loop.path.parent).free)
            except OSError:  # the folder was removed, which the recorder reports
                free = math.nan
            self._disk, self._disk_at = replace(recording, bytes_per_s=rate, free_bytes=free), now
        disk = self._disk
        assert disk is not None
        return replace(recording, bytes_per_s=disk.bytes_per_s, free_bytes=disk.free_bytes)

    # The channel

    def do_state(self) -> dict[str, Any]:
        """Return the status as JSON, and what comes next."""
        status = self.status()
        return to_json(status) | {"next": next_step(status, _engine_status(status)).sentence}

    def do_check(self) -> list[list[Any]]:
        """Run the checks; return name, success, text and "only to do" of each."""
        self.session.check(self.protocol.run.seconds)
        return [[one.what, one.ok, one.words, one.due] for one in self.session.checks]

    def do_calibrate(self) -> None:
        """Start a calibration by the protocol."""
        self.session.calibrate(self.protocol.calibration)

    def do_redo(self) -> None:
        """Repeat the current trial, or else the last one, at the end."""
        self.session.redo()

    def do_finish(self) -> None:
        """End the calibration after the current trial; a decoder can be trained on the trials so far."""
        self.session.finish()

    def do_accept(self) -> float:
        """Train a decoder on the calibration; return its cross-validated accuracy, 0 to 1."""
        return float(self.session.train().accuracy)

    def do_refuse(self) -> None:
        """Delete the decoder of the calibration."""
        self.session.refuse()

    def do_run(self, mode: str = "closed", seconds: float | None = None) -> str:
        """Start a run; return its folder."""
        if mode not in list(Mode):
            raise Refused(f"there is no mode {mode!r}; choose from {', '.join(Mode)}")
        return str(self.session.run(Mode(mode), self.protocol.run, seconds))

    def do_pause(self) -> None:
        """Pause steering and cues."""
        self.session.pause()

    def do_resume(self) -> None:
        """Resume steering and cues."""
        self.session.resume()

    def do_override(self, talker: _Talker = None) -> None:
        """Favour a talker, by name or counted from 0, or none (``equal``); null follows decisions again."""
        match talker:
            case None | "equal":
                self.session.override(talker)
            case _:
                self.session.override(self._talker_index(talker))

    def _talker_index(self, talker: int | str) -> int:
        names = self.session.talkers
        if talker in names:
            return names.index(str(talker))
        if isinstance(talker, str) and talker.isdecimal():
            talker = int(talker)
        if isinstance(talker, int) and 0 <= talker < len(names):
            return talker
        known = ", ".join(f"{number} or {name}" for number, name in enumerate(names))
        raise Refused(f"there is no talker {talker}; choose {known}")

    def do_mute(self, on: bool = True) -> None:
        """Mute or unmute."""
        self.session.mute(on)

    def do_bad(self, channel: _Text, on: bool = True) -> None:
        """Mark an electrode as bad, or with ``on=false`` as good again; between calibrations and runs."""
        self.session.mark_bad(channel, on)

    def do_master(self, db: Annotated[float, Field(le=0, ge=-120, allow_inf_nan=False)]) -> None:
        """Set the master gain, at most 0 dB."""
        self.session.sound.master(db)

    def do_trim(
        self,
        talker: int | str,
        db: Annotated[float, Field(ge=TRIM_DB[0], le=TRIM_DB[1], allow_inf_nan=False)] | None = None,
        mute: bool | None = None,
    ) -> None:
        """Set gain (-40 to 0 dB) and mute of a talker, by name or counted from 0, in addition to steering."""
        if db is None and mute is None:
            raise Refused("trim: give db=-6 or mute=true")
        self.session.trim(self._talker_index(talker), db, mute)

    def do_place(
        self, talker: int | str, azimuth: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    ) -> None:
        """Look for a talker of a mixture, by name or counted from 0, at an azimuth: degrees to the right."""
        self.session.place(self._talker_index(talker), azimuth)

    def do_note(self, text: _Text) -> None:
        """Write a note to the recording."""
        self.session.note(text)

    def do_answer(
        self, text: _Text, by: Literal["operator", "participant"] = OPERATOR, asked: int | None = None
    ) -> None:
        """Answer the current question, or the one of this number if it is still the current one."""
        task = self.session.task
        if why := "there is no question to answer now" if task is None else task.answer(text, by, asked):
            raise Refused(why)

    def do_attend(self, talker: int | str) -> None:
        """Choose the talker to whom the simulated listener attends, by name or counted from 0; during a run."""
        if self.attend is None:
            raise Refused("the listener is real and follows the cues: 'attend' is for demonstrations and rehearsals")
        calibrating = self.session.state is State.CALIBRATING
        if calibrating and self._kind == "demo":
            raise Refused(
                "in a calibration the listener must obey the cues, from which the decoder learns: wait for the run"
            )
        if not calibrating and self.session.state not in (State.RUNNING, State.PAUSED):
            raise Refused("no run is under way: start one, then choose whom the listener attends to")
        self.attend(self.session.talkers[self._talker_index(talker)])

    def do_fault(self, name: str, on: bool = True) -> None:
        """Switch a fault of a rehearsal on, or with ``on=false`` off; an unknown name lists all."""
        if self.faults is None:
            raise Refused("faults can be switched on in a rehearsal only: 'earmark rehearse' starts one")
        self.faults.switch(name, on)

    def do_stop(self) -> None:
        """Stop the calibration or run and complete its recording."""
        if self.session.state is State.TRAINING:
            raise Refused("a decoder is being trained, which takes some seconds and cannot be stopped: wait for it")
        self.session.stop()

    def do_shutdown(self) -> None:
        """End the session."""
        self.ended.set()


def _engine_status(status: SessionStatus) -> EngineStatus | None:
    """Return what the current engine process publishes: that of the recording, or of the signal shown before it."""
    if status.engine is None or not status.engine.board:
        return None
    try:
        with closing(StatusBoard(EngineStatus, status.engine.board)) as board:
            return board.read()
    except (SharedMemoryError, StatusError):  # it has just ended, or hangs and will be replaced
        return None


def _summary(facts: Facts) -> DecoderSummary:
    return DecoderSummary(
        accuracy=float(facts.accuracy),
        chance_level=float(facts.chance_level),
        chance_limit=float(facts.chance_limit),
        n=facts.n_decisions,
        seconds=float(facts.seconds),
        bands=facts.bands or "",
    )

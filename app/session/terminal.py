"""A session on a terminal: events, a status line, keys, and questions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from earmark.app.session.session import Session
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.status import EngineStatus, SessionStatus
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.devices.audio.control_block import Status

#: Seconds between updates of the terminal.
POLL_S = 0.1

KEYS = "1-8 favour a talker · 0 all equal · d follow decisions · p pause/resume · m mute/unmute · Esc mute · q quit"


def in_window(folder: Path) -> str:
    """Return a hint with the command that shows a session in the window."""
    return f"To see it in the window, in another terminal: earmark dashboard {shlex.quote(str(folder))}"


class Screen:
    """Shows a calibration or run on the terminal and handles keys until its end.

    Parameters
    ----------
    supervisor : Supervisor
        Of the session.
    keyboard : Keyboard
        Entered as a context manager; it delivers no keys if there is no terminal.
    also : callable
        Handles further keys: called with each key, it returns whether it is one of them.
    """

    def __init__(
        self, supervisor: Supervisor, keyboard: Keyboard, also: Callable[[str], bool] = lambda key: False
    ) -> None:
        self._supervisor, self._session, self._ended = supervisor, supervisor.session, supervisor.ended
        self._keyboard, self._also = keyboard, also
        self._asked, self._typed = "", ""

    def follow(self, stop: threading.Event, *, line: bool) -> None:
        """Print events, and show the status line if ``line``, until the task ends by itself, by key or by ``stop``."""
        from rich.live import Live
        from rich.text import Text

        from earmark.app.terminal.console import console

        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not self._session.wait(0):
                if stop.is_set() or self._ended.is_set():
                    self._session.stop()
                for key in self._keyboard.wait(POLL_S):
                    self._press(key)
                self.print_events()
                if line and console.is_terminal:
                    asked = f"{self._question} {self._typed}▏" if self._question else ""
                    line_now = (
                        Text(asked, overflow="fold") if asked else Text(self._line(), overflow="ellipsis", no_wrap=True)
                    )
                    live.update(line_now, refresh=True)
        self.print_events()

    def _line(self) -> str:
        task, audio = self._session.task, self._session.sound.audio
        engine = None if task is None else task.loop.engine_status
        return status_line(self._supervisor.status(), engine, None if audio is None else audio.status())

    def print_events(self) -> None:
        """Print the events that were not printed before."""
        from earmark.app.terminal.console import print_event

        for text in self._supervisor.events.poll():
            print_event(text)

    @property
    def _question(self) -> str:
        return "" if self._session.task is None else self._session.task.question

    def agree(self, question: str, stop: threading.Event) -> bool:
        """Ask a yes-no question; Enter counts as yes, and so does ``stop``."""
        from earmark.app.terminal.console import print_event

        print_event(question)
        while not stop.is_set():
            for key in self._keyboard.wait(POLL_S):
                if key in "yYnN\r\n":
                    return key not in "nN"
        return True

    def _press(self, key: str) -> None:
        from earmark.app.terminal.console import print_event

        question = self._question
        if question != self._asked:
            self._asked, self._typed = question, ""
        if key == "esc":
            self._session.mute()
        elif not question:
            if not self._also(key) and (words := press(self._session, key)):
                print_event(words)
        elif key in ("\r", "\n"):
            if self._typed.strip() and self._session.task is not None:
                if refused := self._session.task.answer(self._typed.strip()):
                    print_event(refused)
                self._typed = ""
        elif key in ("\x7f", "\b"):
            self._typed = self._typed[:-1]
        elif key.isprintable():
            self._typed += key


def press(session: Session, key: str) -> str:
    """Execute the command of a key; return a message, empty if an event already reports it or the key has none."""
    from earmark.app.session.states import SessionError
    from earmark.app.session.training import TrainingError
    from earmark.app.status import State

    try:
        match key:
            case "m":
                session.mute(not session.sound.muted)
            case "q":
                session.stop()
                return "stopped by key q"
            case "p":
                session.resume() if session.state is State.PAUSED else session.pause()
            case "r":
                session.redo()
            case "f":
                session.finish()
            case "0":
                session.override("equal")
            case "d":
                session.override(None)
            case _ if key in tuple("12345678"[: len(session.talkers)]):
                session.override(int(key) - 1)
    except (SessionError, TrainingError) as error:
        return str(error)
    return ""


def status_line(session: SessionStatus, engine: EngineStatus | None, sound: Status | None) -> str:
    """Return the status line: time, problems, cue, probability and gain of each talker, what gains follow.

    The terminal cuts what does not fit, so problems come first and what is as it should be is left out.

    Parameters
    ----------
    session : SessionStatus
    engine : EngineStatus or None
        Status of the engine, if it has published one.
    sound : Status or None
        Status of the audio process, while there is one.
    """
    import numpy as np

    from earmark.app.session.next_step import next_step
    from earmark.app.status import State
    from earmark.pipeline.attention.gain_control import STALE_S

    task = session.task
    if task is None or sound is None:
        return str(session.state)
    total = f" of {_minutes(task.seconds)}" if np.isfinite(task.seconds) else ""
    fields = [f"{session.state} {_minutes(task.elapsed)}{total}"]
    decision = None
    if session.muted:
        fields.append("MUTED")
    if task.ending:
        fields.append("ending: the recording is being completed")
    elif session.engine is None or not session.engine.alive:
        if session.state in (State.CALIBRATING, State.RUNNING, State.PAUSED):  # else the task has ended
            fields.append("NO ENGINE: gains hold, then go to neutral")
    elif engine is not None:
        decision = engine.decision
    if decision is not None and session.time - decision.time > STALE_S:
        fields.append(f"decision {session.time - decision.time:.0f} s old")
    if engine is not None and engine.decisions.dropped:
        fields.append(f"{engine.decisions.dropped} of {engine.decisions.n} decisions late")
    if sound.xruns:
        fields.append(f"{sound.xruns} xruns")
    if engine is not None and engine.bad:
        fields.append(f"{len(engine.bad)} channels masked")
    if np.isfinite(task.next_cue_s) or task.attend:
        left = f" {task.next_cue_s:.0f} s" if np.isfinite(task.next_cue_s) else ""
        fields.append(f"cue {task.attend or 'rest'}{left}")
    shares = [""] * len(session.talkers) if decision is None else [f" {100 * p:.0f} %" for p in decision.probability]
    gains = [f"{gain:+.0f} dB" if np.isfinite(gain) else "-∞ dB" for gain in sound.gains_db[: len(session.talkers)]]
    each = zip(session.talkers, shares, gains, strict=True)
    fields.append(", ".join(f"{name}{share} {gain}" for name, share, gain in each))
    fields += [] if decision is None else [str(decision.situation)]
    step = next_step(session)  # problems of the engine come first above
    fields += [] if step.do is None else [step.sentence]
    return " · ".join(fields)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

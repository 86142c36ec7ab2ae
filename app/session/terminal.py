"""A session on a terminal: what happens, a line of what is now, keys, and questions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from earmark.app.session.session import Session
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.terminal.keyboard import Keyboard

#: Seconds between looks.
LOOK_S = 0.1

KEYS = "1-8 favour a talker · 0 all alike · d decode again · p pause or go on · m mute or unmute · Esc mute · q quit"


def in_window(folder: Path) -> str:
    """Say how a session of a folder is seen in the window."""
    return f"To see it in the window, in another terminal: earmark dashboard {shlex.quote(str(folder))}"


class Screen:
    """Follows a calibration or run to its end.

    Parameters
    ----------
    supervisor : Supervisor
        Of the session, and of its events.
    keyboard : Keyboard
        Entered; without keys where there is no terminal.
    """

    def __init__(self, supervisor: Supervisor, keyboard: Keyboard) -> None:
        self._session, self._events, self._ended = supervisor.session, supervisor.events, supervisor.ended
        self._keyboard = keyboard
        self._asked, self._typed = "", ""

    def follow(self, stop: threading.Event, *, line: bool) -> None:
        """Show events, and the line if wanted, until the part ends by itself, by key or by ``stop``."""
        from rich.live import Live
        from rich.text import Text

        from earmark.app.terminal.console import console

        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not self._session.wait(0):
                if stop.is_set() or self._ended.is_set():
                    self._session.stop()
                for key in self._keyboard.wait(LOOK_S):
                    self._press(key)
                self.tell()
                if line and console.is_terminal:
                    asked = f"{self._question} {self._typed}▏" if self._question else ""
                    live.update(Text(asked or status_line(self._session), overflow="fold", no_wrap=False), refresh=True)
        self.tell()

    def tell(self) -> None:
        """Print the events so far."""
        from earmark.app.terminal.console import say

        self._events.tell(say)

    @property
    def _question(self) -> str:
        return "" if self._session.part is None else self._session.part.question

    def agree(self, question: str, stop: threading.Event) -> bool:
        """Ask for y or n; Enter and the end of the terminal are y."""
        from earmark.app.terminal.console import say

        say(question)
        while not stop.is_set():
            for key in self._keyboard.wait(LOOK_S):
                if key in "yYnN\r\n":
                    return key not in "nN"
        return True

    def _press(self, key: str) -> None:
        from earmark.app.terminal.console import say

        question = self._question
        if question != self._asked:
            self._asked, self._typed = question, ""
        if key == "esc":
            self._session.mute()
        elif not question:
            if said := press(self._session, key):
                say(said)
        elif key in ("\r", "\n"):
            if self._typed.strip() and self._session.part is not None:
                self._session.part.answer(self._typed.strip())
                self._typed = ""
        elif key in ("\x7f", "\b"):
            self._typed = self._typed[:-1]
        elif key.isprintable():
            self._typed += key


def press(session: Session, key: str) -> str:
    """Do what a key says; return that in words, or nothing if the key has no meaning."""
    from earmark.app.session.states import SessionError, State

    try:
        match key:
            case "m":
                session.mute(not session.sound.muted)
            case "q":
                session.stop()
                return "ended by key"
            case "p":
                session.resume() if session.state is State.PAUSED else session.pause()
            case "r":
                session.redo()
            case "0":
                session.override("equal")
            case "d":
                session.override(None)
            case _ if key in tuple("12345678"[: len(session.talkers)]):
                session.override(int(key) - 1)
    except SessionError as error:
        return str(error)
    return ""


def status_line(session: Session) -> str:
    """Say what is now: time, cue, posterior, gains, age of the newest decision, misses."""
    import numpy as np
    import pylsl

    from earmark.app.terminal.console import clock

    part, audio = session.part, session.sound.audio
    if part is None or audio is None:
        return str(session.state)
    facts, status = part.loop.facts, audio.status()
    said = [f"{session.state} {clock(part.elapsed)} of {clock(part.seconds)}"]
    if part.cues or part.attend:
        said.append(f"cue {part.attend or 'rest'}")
    if part.cues:
        said.append(f"{part.cues[0][0] - part.elapsed:.0f} s left")
    if part.ending:
        said.append("ending: the recording is completed")
    elif not part.loop.names["engine"]["alive"]:
        said.append("NO ENGINE: gains hold, then go to neutral")
    elif decision := facts.get("decision"):
        share = [f"{name} {100 * p:.0f} %" for name, p in zip(session.talkers, decision["probability"], strict=True)]
        said += [", ".join(share), f"{decision['situation']}, {pylsl.local_clock() - decision['time']:.1f} s old"]
    gains = [f"{gain:+.1f}" if np.isfinite(gain) else "-∞" for gain in status.gains_db[: len(session.talkers)]]
    said.append(f"gains {' '.join(gains)} dB")
    counts = facts.get("decisions", {"n": 0, "dropped": 0})
    if counts["n"]:
        said.append(f"{counts['dropped']} of {counts['n']} decisions late")
    said.append(f"{status.xruns} xruns")
    if bad := facts.get("bad"):
        said.append(f"{len(bad)} channels masked")
    if session.sound.muted:
        said.append("MUTED")
    return " · ".join(said)

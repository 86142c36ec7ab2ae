"""The line below the top bar: what happened last, and how a session came to its end."""

from __future__ import annotations

import math
import time
from pathlib import Path

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.panels.panel import Reading

#: Seconds for which a refusal stays.
HOLD_S = 5.0
#: What is said of a session that died, that ended in good order, and that is not there.
ENDS = {
    "died": "THE SESSION DIED: its process is gone. Begin it anew, as it was begun or on the start page (Ctrl+0). "
    "Recordings in {folder} lack at most their last second",
    "silent": "THE SESSION DOES NOT ANSWER: its process is stopped, or the machine is overloaded. Sound and recording "
    "go on; commands, mute included, wait until it goes on",
    "ended": "The session has ended. What it recorded is in {folder}",
    "over": "The replay has ended; nothing was recorded",
    "none": "No session is under way in {folder}",
}

#: Those of them that something must be done about.
BAD = ("died", "silent")


class Notice(Reading):
    """The line."""

    def __init__(self) -> None:
        super().__init__("What happened last")
        self.setContentsMargins(8, 0, 8, 0)
        self.reset()

    def reset(self) -> None:
        """Look at another session."""
        #: Whether it was there, whether it was a replay, and how it came to its end.
        self._seen, self._replay, self._end = False, False, ""
        self._bad, self._hold_until = False, 0.0
        self.show_text("")

    def show_message(self, text: str, bad: bool = False, hold: bool = False) -> None:
        """Say something; what is bad, or to be held, stays long enough to be read."""
        self._bad = bad
        self._paint()
        self.show_text(text)
        if bad or hold:
            self._hold_until = time.monotonic() + HOLD_S

    def _paint(self) -> None:
        look = theme.of(self.window())
        style = f"color: {look.bad}; font-weight: bold;" if self._bad else f"color: {look.faint};"
        if style != self.styleSheet():
            self.setStyleSheet(style)

    @property
    def held(self) -> bool:
        """Whether what is said has to stay."""
        return time.monotonic() < self._hold_until

    def refresh(self, now: Snapshot, folder: Path | None) -> bool:
        """Say how the session came to its end; return whether that is new."""
        self._paint()  # in the colours that are in force now
        if now.refused:
            new, self._end = now.refused != self._end, now.refused
            if now.refused != self.full_text:
                self.show_message(now.refused, bad=True)
            return new
        if now.session_live or folder is None:
            if self._end:
                self.show_message("A session is there")
            if now.session_live:
                self._seen, self._replay = True, now.kind == "replay"
            self._end = ""
            return False
        known = math.isfinite(now.session_age)
        ended = "over" if self._replay else "ended"
        end = "died" if now.died else "silent" if known else ended if self._seen else "none"
        new, self._end = bool(end) and end != self._end, end
        words = ENDS[end].format(folder=folder) if end else ""
        if words and words != self.full_text and (not self.held or (new and end in BAD)):
            self.show_message(words, bad=end in BAD)
        return new

"""Message line below the top bar: the last event, and how a session ended."""

from __future__ import annotations

import math
import time
from pathlib import Path

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.looks import APART

#: Seconds that a warning stays visible.
HOLD_S = 5.0
#: Messages for a session that is no longer, or not yet, running.
ENDS = {
    "died": tr(
        "THE SESSION DIED: its process is gone. Start it again, as before or on the start page "
        "(Ctrl+0). Recordings in {folder} are missing at most the last second"
    ),
    "silent": tr(
        "THE SESSION DOES NOT RESPOND: its process is stopped, or the computer is overloaded. Sound "
        "and recording continue; commands, including mute, wait until it responds"
    ),
    "ended": tr("The session has ended. Its recordings are in {folder}"),
    "over": tr("The replay has ended; nothing was recorded"),
    "none": tr("No session is running in {folder}"),
}

#: Messages shown as warnings.
BAD = ("died", "silent")


class Notice(Reading):
    """The message line."""

    def __init__(self) -> None:
        super().__init__(tr("Last message"))
        self.setContentsMargins(APART, 0, APART, 0)
        self.reset()

    def reset(self) -> None:
        """Clear the line for another session."""
        #: Whether the session was seen, whether it is a replay, and how it ended (a key of ``ENDS``).
        self._seen, self._replay, self._end = False, False, ""
        self._bad, self._hold_until = False, 0.0
        self.show_text("")

    def show_message(self, text: str, bad: bool = False, hold: bool = False) -> None:
        """Show a message; with ``bad`` or ``hold`` no event replaces it for ``HOLD_S``."""
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
        """Whether the message must stay visible."""
        return time.monotonic() < self._hold_until

    def refresh(self, now: Snapshot, folder: Path | None) -> bool:
        """Show how the session ended; return whether that is new."""
        self._paint()  # the theme may have changed
        if now.refused:
            new, self._end = now.refused != self._end, now.refused
            if now.refused != self.full_text:
                self.show_message(now.refused, bad=True)
            return new
        if now.session_live or folder is None:
            if self._end:
                self.show_message(tr("Connected to the session"))
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

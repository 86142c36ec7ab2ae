"""Keyboard shortcuts; each also has a menu entry."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from earmark.app.dashboard.frame.format import letter
from earmark.app.dashboard.frame.markers import N_MARKERS


class Key(NamedTuple):
    """An action: its menu, its menu text, and its key."""

    menu: str
    words: str
    keys: str


#: Number of talkers with keys, and number of talkers whose keys are always in the menu.
N_TALKERS, N_SHOWN = 8, 4
#: Pages in the order of the navigation bar.
PAGES = ("start", "setup", "live", "calibrate", "review", "study")
KEYS: dict[str, Key] = {
    "start": Key("&Session", "&Start page", "Ctrl+0"),
    "next": Key("&Session", "Ne&xt step", "Ctrl+Return"),
    "rehearse": Key("&Session", "Re&hearse a session …", "Ctrl+H"),
    "check": Key("&Session", "&Check everything", "F7"),
    "run": Key("&Session", "&Run", "Ctrl+R"),
    "pause": Key("&Session", "&Pause or resume", "Ctrl+P"),
    "stop": Key("&Session", "S&top the calibration or run", "Ctrl+."),
    "mode": Key("&Session", "&Mode of the next run", "Ctrl+D"),
    "length": Key("&Session", "&Length of the next run", "Ctrl+E"),
    "note": Key("&Session", "Write a &note", "N"),
    "close": Key("&Session", "&Close this window", "Ctrl+Q"),
    "mute": Key("S&ound", "&Mute", "Esc"),
    "toggle": Key("S&ound", "Mute or &unmute", "M"),
    **{
        # From talker 5 on with Ctrl, because F5 to F8 have other actions.
        f"solo{k}": Key("S&ound", f"Solo talker &{k} ({letter(k - 1)})", f"{'Ctrl+' * (k > 4)}F{k}")
        for k in range(1, N_TALKERS + 1)
    },
    **{
        f"mute{k}": Key("S&ound", f"Mute or unmute talker {k} ({letter(k - 1)})", f"Shift+F{k}")
        for k in range(1, N_TALKERS + 1)
    },
    **{f"trim{k}": Key("S&ound", f"Trim of talker {k} ({letter(k - 1)})", f"Alt+{k}") for k in range(1, N_TALKERS + 1)},
    "equal": Key("S&ound", "&Equal gains for all", "F5"),
    "decode": Key("S&ound", "Follow &decisions", "F6"),
    "setup": Key("&View", "&Setup", "Ctrl+1"),
    "live": Key("&View", "&Live", "Ctrl+2"),
    "calibrate": Key("&View", "Cal&ibrate", "Ctrl+3"),
    "review": Key("&View", "&Review", "Ctrl+4"),
    "study": Key("&View", "St&udy", "Ctrl+5"),
    "freeze": Key("&View", "&Freeze the traces", "F8"),
    "larger": Key("&View", "Traces &larger", "+"),
    "smaller": Key("&View", "Traces s&maller", "-"),
    "shorter": Key("&View", "S&horter sweep", "["),
    "longer": Key("&View", "Lon&ger sweep", "]"),
    "filter": Key("&View", "Ne&xt display filter", "F"),
    "page": Key("&View", "&Channels per page", "C"),
    "before": Key("&View", "Pre&vious channels", ","),
    "after": Key("&View", "Next cha&nnels", "."),
    "participant": Key("&View", "&Participant screen", "F11"),
    "theme": Key("&View", "&Dark or light", "Ctrl+T"),
    "lock": Key("&View", "L&ock the layout", "Ctrl+L"),
    "reset": Key("&View", "R&eset the layout", "Ctrl+Shift+L"),
    **{f"marker{k}": Key("Mar&kers", f"Marker {k}", str(k)) for k in range(1, N_MARKERS + 1)},
    "markers": Key("Mar&kers", "&Texts of the markers", "Ctrl+K"),
    "help": Key("&Help", "&Keys", "?"),
    "about": Key("&Help", "&About Earmark", "Ctrl+F1"),
}


class EscapeMutes(QObject):
    """Makes ``Esc`` mute and do nothing else, whichever window, menu or list has the keyboard focus.

    Attributes
    ----------
    pressed : Signal()
        ``Esc`` was pressed.
    """

    pressed = Signal()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind not in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride) or not isinstance(event, QKeyEvent):
            return False
        if event.key() != Qt.Key.Key_Escape:
            return False
        if kind == QEvent.Type.KeyPress:
            self.pressed.emit()
        event.accept()
        return True

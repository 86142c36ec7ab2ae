"""Keyboard shortcuts; each also has a menu entry."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from earmark.app.dashboard.frame.format import letter
from earmark.app.dashboard.frame.markers import N_MARKERS
from earmark.app.dashboard.language import tr


class Key(NamedTuple):
    """An action: its menu, its menu text, and its key."""

    menu: str
    words: str
    keys: str


#: Number of talkers with keys, and number of talkers whose keys are always in the menu.
N_TALKERS, N_SHOWN = 8, 4
#: Pages in the order of the navigation bar.
PAGES = ("start", "setup", "live", "calibrate", "review", "study")
PAGE_WORDS = dict(
    zip(PAGES, (tr("Start"), tr("Setup"), tr("Live"), tr("Calibrate"), tr("Review"), tr("Study")), strict=True)
)
KEYS: dict[str, Key] = {
    "start": Key(tr("&Session"), tr("&Start page"), "Ctrl+0"),
    "next": Key(tr("&Session"), tr("Ne&xt step"), "Ctrl+Return"),
    "rehearse": Key(tr("&Session"), tr("Re&hearse a session …"), "Ctrl+H"),
    "check": Key(tr("&Session"), tr("&Check everything"), "F7"),
    "run": Key(tr("&Session"), tr("&Run"), "Ctrl+R"),
    "pause": Key(tr("&Session"), tr("&Pause or resume"), "Ctrl+P"),
    "stop": Key(tr("&Session"), tr("S&top the calibration or run"), "Ctrl+."),
    "mode": Key(tr("&Session"), tr("&Mode of the next run"), "Ctrl+D"),
    "length": Key(tr("&Session"), tr("&Length of the next run"), "Ctrl+E"),
    "note": Key(tr("&Session"), tr("Write a &note"), "N"),
    "close": Key(tr("&Session"), tr("Close this &window"), "Ctrl+Q"),
    "mute": Key(tr("S&ound"), tr("&Mute"), "Esc"),
    "toggle": Key(tr("S&ound"), tr("Mute or &unmute"), "M"),
    **{
        # From talker 5 on with Ctrl, because F5 to F8 have other actions.
        f"solo{k}": Key(
            tr("S&ound"), tr("Solo talker &{k} ({letter})", k=k, letter=letter(k - 1)), f"{'Ctrl+' * (k > 4)}F{k}"
        )
        for k in range(1, N_TALKERS + 1)
    },
    **{
        f"mute{k}": Key(
            tr("S&ound"), tr("Mute or unmute talker {k} ({letter})", k=k, letter=letter(k - 1)), f"Shift+F{k}"
        )
        for k in range(1, N_TALKERS + 1)
    },
    **{
        f"trim{k}": Key(tr("S&ound"), tr("Trim of talker {k} ({letter})", k=k, letter=letter(k - 1)), f"Alt+{k}")
        for k in range(1, N_TALKERS + 1)
    },
    "equal": Key(tr("S&ound"), tr("&Equal gains for all"), "F5"),
    "decode": Key(tr("S&ound"), tr("Follow &decisions"), "F6"),
    "setup": Key(tr("&View"), tr("&Setup"), "Ctrl+1"),
    "live": Key(tr("&View"), tr("&Live"), "Ctrl+2"),
    "calibrate": Key(tr("&View"), tr("Cal&ibrate"), "Ctrl+3"),
    "review": Key(tr("&View"), tr("&Review"), "Ctrl+4"),
    "study": Key(tr("&View"), tr("St&udy"), "Ctrl+5"),
    "freeze": Key(tr("&View"), tr("&Freeze the traces"), "F8"),
    "larger": Key(tr("&View"), tr("&Traces larger"), "+"),
    "smaller": Key(tr("&View"), tr("Traces s&maller"), "-"),
    "shorter": Key(tr("&View"), tr("S&horter sweep"), "["),
    "longer": Key(tr("&View"), tr("Longer s&weep"), "]"),
    "filter": Key(tr("&View"), tr("Ne&xt display filter"), "F"),
    "page": Key(tr("&View"), tr("&Channels per page"), "C"),
    "before": Key(tr("&View"), tr("Pre&vious channels"), ","),
    "after": Key(tr("&View"), tr("Next cha&nnels"), "."),
    "participant": Key(tr("&View"), tr("&Participant screen"), "F11"),
    "theme": Key(tr("&View"), tr("&Dark or light"), "Ctrl+T"),
    "lock": Key(tr("&View"), tr("L&ock the layout"), "Ctrl+L"),
    "reset": Key(tr("&View"), tr("R&eset the layout"), "Ctrl+Shift+L"),
    **{f"marker{k}": Key(tr("Mar&kers"), tr("Marker {k}", k=k), str(k)) for k in range(1, N_MARKERS + 1)},
    "markers": Key(tr("Mar&kers"), tr("&Texts of the markers"), "Ctrl+K"),
    "help": Key(tr("&Help"), tr("&Keys"), "?"),
    "about": Key(tr("&Help"), tr("&About Earmark"), "Ctrl+F1"),
}

#: Keys that only work in the window of the session: other windows have traces of their own, and no place for a note.
IN_ONE_WINDOW = frozenset(
    {"freeze", "larger", "smaller", "shorter", "longer", "filter", "page", "before", "after", "note"}
)


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

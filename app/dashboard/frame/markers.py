"""Marker keys: each of the keys 1 to 9 writes a note with a text of its own into the recording."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSettings, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QFormLayout, QLabel, QLineEdit, QPushButton, QWidget

from earmark.app.dashboard.language import tr

#: Texts until somebody changes them; a key without a text does nothing.
TEXTS = (
    tr("movement"),
    tr("noise in the room"),
    tr("talking"),
    tr("electrode touched"),
    tr("not listening"),
    "",
    "",
    "",
    "",
)
N_MARKERS = len(TEXTS)
HINT = tr("Each key writes its text as a note into the recording, at the time at which it is pressed.")


class Markers(QDialog):
    """The texts of the marker keys, which can be changed at any time and are remembered.

    Parameters
    ----------
    window : QWidget
    settings : QSettings
        Keeps the texts.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    command_requested = Signal(str, dict)

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self.setWindowTitle(tr("Marker keys"))
        self._settings, self._actions = settings, dict[int, QAction]()
        layout = QFormLayout(self)
        layout.addRow(QLabel(HINT))
        self.fields: list[QLineEdit] = []
        for number, text in enumerate(TEXTS, 1):
            field = QLineEdit(str(settings.value(f"markers/{number}", text)))
            field.setMaxLength(100)
            field.setMinimumWidth(280)
            field.setAccessibleName(tr("Text of the marker key {number}", number=number))
            field.textChanged.connect(lambda text, number=number: self._change(number, text))
            layout.addRow(tr("Key {number}", number=number), field)
            self.fields.append(field)
        close = QPushButton(tr("Close"))
        close.setAccessibleName(tr("Close the texts of the marker keys"))
        close.clicked.connect(self.hide)
        layout.addRow(close)

    def name(self, actions: Mapping[str, QAction]) -> None:
        """Show the texts in the menu."""
        self._actions = {number: actions[f"marker{number}"] for number in range(1, N_MARKERS + 1)}
        for number in self._actions:
            self._show(number)

    def _text(self, number: int) -> str:
        return self.fields[number - 1].text().strip()

    def _change(self, number: int, text: str) -> None:
        self._settings.setValue(f"markers/{number}", text)
        self._show(number)

    def _show(self, number: int) -> None:
        action, text = self._actions[number], self._text(number)
        action.setText(text.replace("&", "&&") or tr("no text"))
        action.setEnabled(bool(text))

    def press(self, number: int) -> None:
        """Write the text of a key."""
        self.command_requested.emit("note", {"text": self._text(number)})

"""Panel: list of events, and a field for notes of the operator."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout

from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.event_list import EventList, EventsModel
from earmark.app.dashboard.panels.panel import Panel, View
from earmark.app.looks import TIGHT


class Events(Panel):
    """A list of events and a field for notes.

    Attributes
    ----------
    jump_requested : Signal(float)
        An event was chosen: its LSL time.
    """

    title, key, hz = tr("Events"), "events", 4.0
    jump_requested = Signal(float)

    def __init__(self, model: EventsModel) -> None:
        super().__init__()
        self.list = EventList(model)
        self.list.chosen.connect(self.jump_requested)
        self.note = QLineEdit()
        self.note.setPlaceholderText(tr("Note (N, Enter saves; 1 to 9: markers)"))
        self.note.setAccessibleName(tr("Note, saved in the recording"))
        self.note.setMaxLength(500)
        self._keep = QPushButton(tr("&Note"))
        self._keep.setAccessibleName(tr("Save the note"))
        self.note.returnPressed.connect(self._send)
        self._keep.clicked.connect(self._send)
        line = QHBoxLayout()
        line.addWidget(self.note, 1)
        line.addWidget(self._keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.list, 1)
        layout.addLayout(line)

    def _send(self) -> None:
        if text := self.note.text().strip():
            self.command_requested.emit("note", {"text": text})
            self.note.clear()
            self.note.clearFocus()

    def refresh(self, view: View) -> None:
        on = view.now.session_live and view.now.supports("note")
        self.note.setEnabled(on)
        self._keep.setEnabled(on)

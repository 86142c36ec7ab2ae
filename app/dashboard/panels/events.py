"""Panel: list of events, and a field for notes of the operator."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
)

from earmark.app.dashboard.frame.format import clock
from earmark.app.dashboard.panels.panel import Panel, View
from earmark.app.status import Event

Index = QModelIndex | QPersistentModelIndex
#: Maximum number of events kept.
MAX_EVENTS = 2000


class EventsModel(QAbstractTableModel):
    """Events since the window was opened, oldest first; times are relative to the first event."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(self.events)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        event = self.events[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return event.text if index.column() else clock(event.time - self.events[0].time)
        return event.text if role == Qt.ItemDataRole.ToolTipRole else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return ("time", "event")[section]
        return None

    def _from_other_session(self, event: Event) -> bool:
        """Whether an event belongs to another session, which numbers its events from the start."""
        k = event.id - self.events[0].id
        return k < 0 or (k < len(self.events) and self.events[k] != event)

    def append_new(self, events: tuple[Event, ...]) -> list[Event]:
        """Append the new events and return them."""
        if events and self.events and self._from_other_session(events[0]):
            self.beginResetModel()
            self.events = []
            self.endResetModel()
        last = self.events[-1].id if self.events else -1
        new = [event for event in events if event.id > last]
        if new:
            self.beginInsertRows(QModelIndex(), len(self.events), len(self.events) + len(new) - 1)
            self.events += new
            self.endInsertRows()
        if len(self.events) > MAX_EVENTS:
            self.beginRemoveRows(QModelIndex(), 0, len(self.events) - MAX_EVENTS - 1)
            del self.events[:-MAX_EVENTS]
            self.endRemoveRows()
        return new


class Events(Panel):
    """A list of events and a field for notes."""

    title, key, hz = "Events", "events", 4.0

    def __init__(self, model: EventsModel) -> None:
        super().__init__()
        self._table = QTableView()
        self._table.setModel(model)
        self._table.setAccessibleName("Events")
        self._table.verticalHeader().hide()
        self._table.verticalHeader().setDefaultSectionSize(20)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._table.horizontalHeader().resizeSection(0, 56)
        self._table.setMinimumSize(140, 60)
        model.rowsInserted.connect(self._table.scrollToBottom)
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note (N, Enter saves)")
        self.note.setAccessibleName("Note, saved in the recording")
        self.note.setMaxLength(500)
        self._keep = QPushButton("&Note")
        self._keep.setAccessibleName("Save the note")
        self.note.returnPressed.connect(self._send)
        self._keep.clicked.connect(self._send)
        line = QHBoxLayout()
        line.addWidget(self.note, 1)
        line.addWidget(self._keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self._table, 1)
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

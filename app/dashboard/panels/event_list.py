"""A list of events that can be filtered by kind and text, and saved; a click on an event jumps to its time."""

from __future__ import annotations

import math

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.frame.format import clock_tenths
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.engine.timeline import Kind, kind_of
from earmark.app.looks import TIGHT
from earmark.app.status import Event

Index = QModelIndex | QPersistentModelIndex
#: Maximum number of events kept.
MAX_EVENTS = 2000
#: Entry of the filter that shows all kinds.
ALL = tr("all kinds")


class EventsModel(QAbstractTableModel):
    """Events, oldest first; times are relative to the first event, or to another origin."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        #: Time from which events are counted, s; NaN counts from the first event.
        self.origin = math.nan

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(self.events)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def seconds(self, row: int) -> float:
        """Return the time of an event as it is counted, s."""
        return self.events[row].time - (self.events[0].time if math.isnan(self.origin) else self.origin)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        event = self.events[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return event.text if index.column() else clock_tenths(self.seconds(index.row()))
        return tip(event.text) if role == Qt.ItemDataRole.ToolTipRole else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return (tr("time"), tr("event"))[section]
        return None

    def show_only(self, events: list[Event], origin: float) -> None:
        """Replace all events."""
        self.beginResetModel()
        self.events, self.origin = events, origin
        self.endResetModel()

    def _from_other_session(self, event: Event) -> bool:
        """Whether an event belongs to another session, which numbers its events from the start."""
        k = event.id - self.events[0].id
        return k < 0 or (k < len(self.events) and self.events[k] != event)

    def append_new(self, events: tuple[Event, ...]) -> list[Event]:
        """Append the new events and return them."""
        if events and self.events and self._from_other_session(events[0]):
            self.show_only([], math.nan)
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


class _Filter(QSortFilterProxyModel):
    """Events of one kind, or of all, whose text contains some words."""

    def __init__(self, events: EventsModel) -> None:
        super().__init__()
        self._events, self.kind, self.words = events, "", ""
        self.setSourceModel(events)

    def choose(self, kind: str, words: str) -> None:
        self.beginFilterChange()
        self.kind, self.words = kind, words.casefold()
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        text = self._events.events[row].text
        return self.kind in ("", kind_of(text)) and self.words in text.casefold()


class EventList(QWidget):
    """A list of events with its filter.

    Parameters
    ----------
    events : EventsModel

    Attributes
    ----------
    chosen : Signal(float)
        An event was clicked, or chosen by the keyboard: its time.
    """

    chosen = Signal(float)

    def __init__(self, events: EventsModel) -> None:
        super().__init__()
        self._events, self.shown = events, _Filter(events)
        self.kind, self.words = QComboBox(), QLineEdit()
        self.kind.setAccessibleName(tr("Kind of events to show"))
        self.kind.addItem(ALL, "")
        for kind in Kind:
            self.kind.addItem(word(kind), kind.value)
        self.words.setAccessibleName(tr("Show events that contain this text"))
        self.words.setPlaceholderText(tr("Find"))
        self.words.setClearButtonEnabled(True)
        self.save = ExportButton("events", self._rows)
        self.table = QTableView()
        self.table.setModel(self.shown)
        self.table.setAccessibleName(tr("Events"))
        self.table.setToolTip(tr("Click an event to see its time in the plots"))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().resizeSection(0, 64)
        self.table.setMinimumSize(140, 60)
        self.kind.currentIndexChanged.connect(self._choose)
        self.words.textChanged.connect(self._choose)
        self.table.clicked.connect(self._jump)
        self.table.activated.connect(self._jump)
        events.rowsInserted.connect(self.table.scrollToBottom)
        head = QHBoxLayout()
        head.addWidget(self.kind)
        head.addWidget(self.words, 1)
        head.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(TIGHT)
        layout.addLayout(head)
        layout.addWidget(self.table, 1)

    def _choose(self) -> None:
        self.shown.choose(self.kind.currentData(), self.words.text())

    def _jump(self, index: QModelIndex) -> None:
        self.chosen.emit(self._events.events[self.shown.mapToSource(index).row()].time)

    def _rows(self) -> Table:
        """Return the events that are shown: time in the session, LSL time, kind and text."""
        rows = [self.shown.mapToSource(self.shown.index(k, 0)).row() for k in range(self.shown.rowCount())]
        events = [(self._events.seconds(row), self._events.events[row]) for row in rows]
        return ("time_s", "lsl_time_s", "kind", "event"), [
            (f"{seconds:.3f}", f"{one.time:.3f}", kind_of(one.text).value, one.text) for seconds, one in events
        ]

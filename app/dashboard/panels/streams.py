"""Panel: status of the LSL streams of the session."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QPushButton, QTableView, QVBoxLayout

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import age, count, rate
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.looks import TIGHT
from earmark.app.status import InletStatus

Index = QModelIndex | QPersistentModelIndex
HEADS = (
    tr("stream"),
    tr("status"),
    tr("ch"),
    tr("nominal Hz"),
    tr("measured Hz"),
    tr("age"),
    tr("gaps"),
    tr("missing"),
    tr("skipped"),
    tr("host"),
)
#: Width of each column in pixels; the first column takes the remaining width.
WIDTHS = (0, 62, 40, 84, 88, 56, 44, 62, 62, 90)


class _Model(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.streams: tuple[InletStatus, ...] = ()
        self.bad = QColor()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(self.streams)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return HEADS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        one, column = self.streams[index.row()], index.column()
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(str(self.data(index)))
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                one.name,
                word(one.status),
                count(one.n_channels),
                rate(one.nominal) if one.nominal else tr("irregular"),
                rate(one.effective),
                age(one.age_s),
                count(one.n_gaps),
                count(one.n_missing),
                count(one.n_skipped),
                one.host,
            )[column]
        if role == Qt.ItemDataRole.TextAlignmentRole and 2 <= column <= 8:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and one.status not in ("live", ""):
            return self.bad
        return None


class Streams(Panel):
    """Table of the streams, and a button to search for others.

    Attributes
    ----------
    search_requested : Signal()
        The operator wants to search for streams on the network.
    """

    title, key, hz = tr("Streams"), "streams", 2.0
    search_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._model = _Model()
        self._table = QTableView()
        self._table.setModel(self._model)
        self._table.setAccessibleName(tr("LSL streams of this session"))
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._table.verticalHeader().hide()
        self._table.verticalHeader().setDefaultSectionSize(20)
        self._table.setMinimumSize(140, 60)
        header = self._table.horizontalHeader()
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(WIDTHS):
            if width:
                header.resizeSection(column, width)
        self._words = Reading(tr("Streams"))
        self.search = QPushButton(tr("&Find streams …"))
        self.search.setAccessibleName(tr("Find LSL streams on the network"))
        self.search.clicked.connect(self.search_requested)
        foot = QHBoxLayout()
        foot.addWidget(self._words, 1)
        foot.addWidget(self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.addWidget(self._table, 1)
        layout.addLayout(foot)

    def refresh(self, view: View) -> None:
        model, streams = self._model, view.now.streams
        model.bad = QColor(theme.of(self).bad)
        if len(streams) != len(model.streams):
            model.beginResetModel()
            model.streams = streams
            model.endResetModel()
        elif streams:
            model.streams = streams
            model.dataChanged.emit(model.index(0, 0), model.index(len(streams) - 1, len(HEADS) - 1))
        wrong = [one.name for one in streams if one.status not in ("live", "")]
        words = (
            tr("not delivering: {names}", names=", ".join(wrong))
            if wrong
            else tr("all deliver data")
            if streams
            else tr("No stream yet")
        )
        if not view.now.engine_live:
            words = tr("NO DATA from the engine") if view.now.under_way else tr("No stream is read now")
        self._words.show_text(words)

"""Table of the runs of a study."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, count, percent
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr

Index = QModelIndex | QPersistentModelIndex
#: Role by which rows are sorted.
SORT = Qt.ItemDataRole.UserRole


class Column(NamedTuple):
    """A column: key of a run, heading, tool tip, and format: ``status``, ``percent``, ``count``, or digits."""

    key: str
    head: str
    tip: str
    show: str


COLUMNS = (
    Column("participant", tr("participant"), tr("Listener, named by the recording or its folder"), "order"),
    Column("session", tr("session"), tr("Folder of the session, from the folder of the study"), "order"),
    Column("run", tr("run"), tr("Name of the run"), "order"),
    Column(
        "status",
        tr("status"),
        tr("used; cut: counts as far as it goes; excluded or unusable: does not count"),
        "status",
    ),
    Column("accuracy", tr("correct"), tr("Decision windows in which the cued talker had the highest score"), "percent"),
    Column("windows", "n", tr("Number of decision windows"), "count"),
    Column("chance_limit", tr("limit"), tr("Share that guessing reaches one time in twenty (p = 0.05)"), "percent"),
    Column("tmr_db", tr("TMR"), tr("Gain of the cued talker above the loudest other one, dB"), "1"),
    Column(
        "delivered_db",
        tr("delivered"),
        tr("Of mixtures: change of the level of the cued talker against the others at the ears, dB"),
        "1",
    ),
    Column("switch_s", tr("switch"), tr("Median time to follow a switch, s"), "1"),
    Column("latency_p99_ms", "p99", tr("99th percentile of the latency from arrival to gains set, ms"), "1"),
    Column("bad_channels", tr("bad"), tr("Number of electrodes that were masked for part of the time"), "items"),
    Column("calibration", tr("cal."), tr("Cross-validated accuracy of the decoder, from the calibration"), "percent"),
    Column("answers", tr("answers"), tr("Number of answers of the participant"), "items"),
    Column("notes", tr("notes"), tr("Number of notes of the operator"), "items"),
    Column("alarms", tr("alarms"), tr("Number of alarms"), "items"),
)


class RunsModel(QAbstractTableModel):
    """The runs of a study, as in its JSON."""

    def __init__(self, table: RunsTable) -> None:
        super().__init__(table)
        self._table = table
        self.runs: list[dict[str, Any]] = []

    def show_runs(self, runs: list[dict[str, Any]]) -> None:
        """Show other runs."""
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(self.runs)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        run, column = self.runs[index.row()], COLUMNS[index.column()]
        value = run[column.key]
        if role == Qt.ItemDataRole.DisplayRole:
            return _shown(value, column.show)
        if role == SORT:
            return index.row() if column.show == "order" else _order(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(_about(run, column))
        if role == Qt.ItemDataRole.TextAlignmentRole and column.show not in ("order", "status"):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole:
            look = theme.of(self._table)
            if column.key == "status":
                return QColor({"cut": look.warn, "unusable": look.bad}.get(value, look.text))
            return QColor(look.text if run["status"] in ("used", "cut") else look.faint)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].head
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return COLUMNS[section].tip
        return None


class RunsTable(QTableView):
    """The runs, sorted by a click on a heading.

    Attributes
    ----------
    chosen : Signal()
        Another run was selected, or none.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.model_of_runs = RunsModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.model_of_runs)
        self._sorted.setSortRole(SORT)
        self.setModel(self._sorted)
        self.setAccessibleName(tr("Runs of the study"))
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setHighlightSections(False)
        self.setMinimumSize(200, 90)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())

    @property
    def run(self) -> dict[str, Any] | None:
        """The selected run."""
        rows = self.selectionModel().selectedRows()
        return self.model_of_runs.runs[self._sorted.mapToSource(rows[0]).row()] if rows else None

    def show_runs(self, runs: list[dict[str, Any]]) -> None:
        """Show other runs; the selected run stays selected if it is among them."""
        before = self.run
        self.model_of_runs.show_runs(runs)
        self.resizeColumnsToContents()
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        if before is not None:
            self.select("path", before["path"])
        self.chosen.emit()

    def select(self, key: str, value: str) -> None:
        """Select the first run with a value, in the order in which they are shown."""
        for row in range(self._sorted.rowCount()):
            place = self._sorted.index(row, 0)
            if self.model_of_runs.runs[self._sorted.mapToSource(place).row()][key] == value:
                self.selectRow(row)
                self.scrollTo(place)
                return


def _shown(value: Any, how: str) -> str:
    if value is None:
        return UNKNOWN
    match how:
        case "percent":
            return percent(value)
        case "count":
            return count(value)
        case "items":
            return count(len(value))
        case "order":
            return str(value)
        case "status":
            return word(value)
        case _:
            return f"{value:.{how}f}"


def _order(value: Any) -> float | str:
    """Return what a value is sorted by; what was not measured comes first."""
    if value is None:
        return -math.inf
    return value if isinstance(value, int | float | str) else len(value)


def _about(run: dict[str, Any], column: Column) -> str:
    """Return what a cell counts, or the reason for its status; empty if there is nothing to tell."""
    if column.key == "status":
        return str(run["reason"] or "")
    if column.key == "bad_channels" and run["bad_channels"]:
        return "\n".join(
            tr("{name}: masked for {share}", name=name, share=percent(share))
            for name, share in run["bad_channels"].items()
        )
    if column.show == "items" and run[column.key]:
        return "\n".join(run[column.key])
    return ""

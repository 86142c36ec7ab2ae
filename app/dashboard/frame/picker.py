"""Dialog to choose the LSL stream of the amplifier."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.stream_search import StreamSearch, eeg_first
from earmark.app.dashboard.language import tr

HEADS = (tr("name"), tr("type"), tr("channels"), "Hz", tr("host"), "source_id")


class Picker(QDialog):
    """Searches for LSL streams on a separate thread and lets the operator choose one.

    Attributes
    ----------
    stream_chosen : Signal(dict)
        The chosen stream: ``name``, ``type``, ``channels``, ``sfreq``, ``host``, ``source_id``.
    file_requested : Signal()
        The operator wants to open a session file instead.
    """

    stream_chosen = Signal(dict)
    file_requested = Signal()

    def __init__(self, parent: QWidget | None = None, choose: bool = True) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("LSL streams on the network"))
        self.setModal(False)
        self.resize(640, 320)
        self._streams: list[dict[str, object]] = []
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._table = QTableWidget(0, len(HEADS))
        self._table.setHorizontalHeaderLabels(HEADS)
        self._table.setAccessibleName(tr("LSL streams on the network"))
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._table.itemSelectionChanged.connect(self._selected)
        if choose:
            self._table.cellDoubleClicked.connect(lambda *_: self._accept())
        self._again = QPushButton(tr("Search &again"))
        self._again.setAccessibleName(tr("Search for streams again"))
        self._again.clicked.connect(self.search)
        buttons = QDialogButtonBox()
        self._use = buttons.addButton(tr("&Use this stream"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._use.setAccessibleName(tr("Use the chosen stream"))
        self._use.setVisible(choose)
        self._use.setEnabled(False)
        close = buttons.addButton(tr("&Close"), QDialogButtonBox.ButtonRole.RejectRole)
        close.setAccessibleName(tr("Close the list of streams"))
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.hide)
        self._file = QPushButton(tr("Open a &session.toml …"))
        self._file.setAccessibleName(tr("Open a session file"))
        self._file.setVisible(choose)
        self._file.clicked.connect(self.file_requested)
        foot = QHBoxLayout()
        foot.addWidget(self._again)
        foot.addWidget(self._file)
        foot.addWidget(buttons, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self._words)
        layout.addWidget(self._table, 1)
        layout.addLayout(foot)
        self._search = StreamSearch(self)
        self.found = self._search.found
        self.found.connect(self._show)

    def search(self) -> None:
        """Start a search and return immediately."""
        self._again.setEnabled(False)
        self._words.setText(tr("Searching …"))
        self._search.start()

    def _show(self, streams: list[dict[str, object]]) -> None:
        self._again.setEnabled(True)
        self._streams = eeg_first(streams)
        self._words.setText(
            tr("Choose the stream of the amplifier.")
            if streams
            else tr(
                "No LSL stream found. Start the sender. If it runs on another computer, connect both to the "
                "same network and allow LSL in their firewalls. 'earmark doctor' checks this computer."
            )
        )
        self._table.setRowCount(len(streams))
        for row, one in enumerate(self._streams):
            sfreq = f"{one['sfreq']:g}" if one["sfreq"] else tr("irregular")
            for column, text in enumerate(
                (one["name"], one["type"], one["channels"], sfreq, one["host"], one["source_id"])
            ):
                item = QTableWidgetItem(str(text)[:80])
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                self._table.setItem(row, column, item)
        if sum(one["type"] == "EEG" for one in streams) == 1:
            self._table.selectRow(0)  # streams of EEG come first

    def _selected(self) -> None:
        self._use.setEnabled(bool(self._table.selectedItems()))

    def _accept(self) -> None:
        row = self._table.currentRow()
        if 0 <= row < len(self._streams):
            self.stream_chosen.emit(self._streams[row])
            self.hide()

"""Window: a recording of any program, to look at."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.recording_copy import RecordingCopy
from earmark.app.dashboard.frame.actions import trace_actions
from earmark.app.dashboard.frame.format import clock
from earmark.app.dashboard.frame.keys import KEYS
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.panels.recorded_sweep import RecordedSweep
from earmark.app.dashboard.panels.traces import Traces
from earmark.devices.files.recording import SUFFIXES

HEADS = (tr("stream"), tr("type"), tr("ch"), "Hz")
#: Recordings that can be opened, for the file dialog.
FILES = tr("Recordings ({suffixes})", suffixes=" ".join(f"*{one} *{one.upper()}" for one in SUFFIXES))
#: Steps of the scroll bar per second.
STEPS = 10
#: Width of the lists beside the traces, in pixels.
BESIDE = 300


class RecordingWindow(QWidget):
    """Shows the traces, streams and markers of a recording.

    Parameters
    ----------
    path : Path
        The recording.
    settings : QSettings
        Display settings of the traces.
    parent : QWidget
        Closes this window with it.
    """

    def __init__(self, path: Path, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{path.name} – Earmark")
        self.resize(1200, 680)
        self._path = path
        self._folder = TemporaryDirectory(prefix="earmark-look-", ignore_cleanup_errors=True)
        self._job: BackgroundJob | None = None
        self._n_copies = 0
        #: The copy that is shown.
        self._shown: Path | None = None
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setAccessibleName(tr("What is shown"))
        self.sweep = RecordedSweep()
        self.traces = Traces(self.sweep)
        self.traces.restore(settings)
        self.traces.hide_live()
        for key, change in trace_actions(self.traces).items():
            QShortcut(QKeySequence(KEYS[key].keys), self, change)
        self.bar = QScrollBar(Qt.Orientation.Horizontal)
        self.bar.setAccessibleName(tr("Position in the recording"))
        self.bar.valueChanged.connect(lambda value: self.sweep.go(value / STEPS))
        self.sweep.moved.connect(self._moved)
        self.streams = QTableWidget(0, len(HEADS))
        self.streams.setHorizontalHeaderLabels(HEADS)
        self.streams.setAccessibleName(tr("Streams of the recording; choose one to show it"))
        self.streams.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.streams.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.streams.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.streams.verticalHeader().hide()
        self.streams.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 70), (2, 40), (3, 60)):
            self.streams.setColumnWidth(column, width)
        self.streams.itemActivated.connect(lambda item: self._choose(item.row()))
        self.streams.itemDoubleClicked.connect(lambda item: self._choose(item.row()))
        self.markers = QListWidget()
        self.markers.setAccessibleName(tr("Markers; choose one to go there"))
        self.markers.currentItemChanged.connect(self._go_to_marker)
        self._lay_out()
        self.open("")

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        for words, widget, stretch in (
            (tr("Streams (double-click shows one)"), self.streams, 1),
            (tr("Markers (click goes there)"), self.markers, 2),
        ):
            right.addWidget(QLabel(words))
            right.addWidget(widget, stretch)
            widget.setFixedWidth(BESIDE)
        left = QVBoxLayout()
        left.addWidget(self.traces, 1)
        left.addWidget(self.bar)
        both = QHBoxLayout()
        both.addLayout(left, 1)
        both.addLayout(right)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addLayout(both, 1)

    def open(self, stream: str) -> None:
        """Read a stream of the recording; an empty text takes the only one."""
        if self._job is not None:
            return
        self.words.setText(tr("Reading {name} …", name=self._path.name))
        self._n_copies += 1
        self._target = Path(self._folder.name) / f"{self._n_copies}.f32"
        arguments = [str(self._path), stream, str(self._target)]
        self._job = BackgroundJob("earmark.app.dashboard.data.recording_copy", arguments, parent=self)
        self._job.done.connect(self._read)
        self._job.failed.connect(self._failed)

    def _failed(self, words: str) -> None:
        self._job = None
        self._target.unlink(missing_ok=True)  # it may be written in part
        self.words.setText(words)

    def _read(self, data: bytes) -> None:
        self._job = None
        found = json.loads(data)
        self._list_streams(found["streams"])
        if found["error"]:
            several = len(found["streams"]) > 1
            self.words.setText(
                tr("{error}. Double-click a stream to show it", error=found["error"]) if several else found["error"]
            )
            return
        recording = RecordingCopy(found, self._target)
        seconds = recording.n_frames / recording.sfreq
        lines = [
            tr(
                "{path}: {seconds} min, {n_channels} channels at {sfreq:g} Hz, {n_markers} markers",
                path=self._path,
                seconds=clock(seconds),
                n_channels=len(recording.ch_names),
                sfreq=recording.sfreq,
                n_markers=found["n_markers"],
            )
        ]
        self.words.setText("\n".join([*lines, *found["words"][:3]]))
        self._list_markers(recording)
        self.sweep.show_recording(recording)
        if self._shown is not None:
            self._shown.unlink(missing_ok=True)  # each is as large as the recording
        self._shown = self._target
        self.traces.restart()
        self.bar.setPageStep(round(self.sweep.seconds * STEPS))
        self._moved(0.0)

    def _moved(self, seconds: float) -> None:
        """Move the scroll bar to the page that is shown."""
        recording = self.sweep.recording
        if recording is None:
            return
        self.bar.blockSignals(True)
        self.bar.setPageStep(round(self.sweep.seconds * STEPS))
        last = recording.n_frames / recording.sfreq - self.sweep.seconds
        self.bar.setRange(0, max(0, round(last * STEPS)))
        self.bar.setValue(round(seconds * STEPS))
        self.bar.blockSignals(False)

    def _list_streams(self, streams: list[dict[str, Any]]) -> None:
        self.streams.setRowCount(len(streams))
        for row, one in enumerate(streams):
            sfreq = f"{one['sfreq']:g}" if one["sfreq"] else tr("irregular")
            for column, text in enumerate((one["name"], one["type"], one["n_channels"], sfreq)):
                item = QTableWidgetItem(str(text)[:80])
                item.setData(Qt.ItemDataRole.UserRole, one["number"])
                item.setToolTip(tip(str(text)[:400]))
                self.streams.setItem(row, column, item)

    def _list_markers(self, recording: RecordingCopy) -> None:
        self.markers.clear()
        for at, text in recording.markers:
            item = QListWidgetItem(f"{clock(at / recording.sfreq)}  {text}"[:120])
            item.setData(Qt.ItemDataRole.UserRole, at / recording.sfreq)
            self.markers.addItem(item)

    def _choose(self, row: int) -> None:
        if (item := self.streams.item(row, 0)) is not None:
            self.open(str(item.data(Qt.ItemDataRole.UserRole)))

    def _go_to_marker(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.sweep.go(float(item.data(Qt.ItemDataRole.UserRole)) - self.sweep.seconds / 4)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:
            self._job.stop()
        self._folder.cleanup()
        event.accept()


def choose_recording(window: QWidget, settings: QSettings) -> None:
    """Let the operator choose a recording, and show it."""
    name, _ = QFileDialog.getOpenFileName(window, tr("Recording to look at"), str(Path.home()), FILES)
    if name:
        RecordingWindow(Path(name), settings, window).show()

"""Panel: topographic map of the RMS amplitude."""

from __future__ import annotations

import json

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.dashboard.panels.scalp import Electrode, Scalp, unpack

#: Range of the colours, dB around the median channel.
RANGE_DB = 10.0
#: Width of the colour bar and its labels, and largest distance of a click from an electrode, in pixels.
BAR, NEAR = 58, 14


class _Head(QWidget):
    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Topomap")
        self.setMinimumSize(120, 90)
        self.scalp: Scalp | None = None
        self.values: np.ndarray | None = None
        self.words = ""
        #: Places of the electrodes in this widget; empty if none are shown.
        self._places: list[QPointF] = []
        table = pg.colormap.get("CET-D1").getLookupTable(0.0, 1.0, 256)
        self._colours = (0xFF000000 | table[:, 0].astype(np.uint32) << 16 | table[:, 1].astype(np.uint32) << 8) | table[
            :, 2
        ].astype(np.uint32)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._places = []
        if self.scalp is None or self.values is None:
            painter.setPen(QColor(look.faint))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(8, 4, -8, -4), flags, self.words)
            return
        side = min(self.width() - BAR - 8, self.height() - 14)
        if side < 40:
            return
        box = QRectF((self.width() - BAR - side) / 2, (self.height() - side) / 2, side, side)
        n = len(self.scalp.inside)
        level = np.clip((self.scalp.matrix @ self.values) * (127.5 / RANGE_DB) + 127.5, 0, 255).astype(np.uint8)
        pixels = np.zeros((n, n), np.uint32)
        pixels[self.scalp.inside] = self._colours[level]
        pixels = np.ascontiguousarray(pixels[::-1])  # first row at the top
        painter.drawImage(box, QImage(pixels.data, n, n, 4 * n, QImage.Format.Format_ARGB32))

        def at(x: float, y: float) -> QPointF:
            return QPointF(box.left() + x * side, box.bottom() - y * side)

        x, y, radius = self.scalp.head
        painter.setPen(QPen(QColor(look.text), 1.5))
        painter.drawEllipse(at(x, y), radius * side, radius * side)
        top = y + radius
        painter.drawPolyline([at(x - 0.04, top - 0.003), at(x, top + 0.035), at(x + 0.04, top - 0.003)])
        self._places = [at(*position) for position in self.scalp.electrodes]
        good = set(self.scalp.good.tolist())
        for number, place in zip(self.scalp.located.tolist(), self._places, strict=True):
            if number in good:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor("#1c2024"))
                painter.drawEllipse(place, 1.4, 1.4)
            else:
                painter.setPen(QPen(QColor(look.bad), 2))
                for dy in (-3.5, 3.5):
                    painter.drawLine(place + QPointF(-3.5, dy), place + QPointF(3.5, -dy))
        self._paint_bar(painter, look)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        far = [(place - event.position()).manhattanLength() for place in self._places]
        if self.scalp is not None and far and min(far) <= NEAR:
            self.clicked.emit(int(self.scalp.located[far.index(min(far))]))

    def _paint_bar(self, painter: QPainter, look: theme.Theme) -> None:
        area = QRectF(self.width() - BAR + 4, 12, 9, self.height() - 24)
        column = np.ascontiguousarray(self._colours[::-1, None])
        painter.drawImage(area, QImage(column.data, 1, 256, 4, QImage.Format.Format_RGB32))
        font = QFont(self.font())
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(QColor(look.text))
        for value, y in ((RANGE_DB, area.top()), (0.0, area.center().y()), (-RANGE_DB, area.bottom())):
            words = f"{value:+.0f} dB" if value else "0"
            painter.drawText(QRectF(area.right() + 2, y - 7, 44, 14), int(Qt.AlignmentFlag.AlignVCenter), words)


class Topomap(Panel):
    """RMS amplitude of the good channels in the last second, in dB relative to their median; bad ones are crossed out.

    Attributes
    ----------
    chosen : Signal(str)
        An electrode was clicked.
    """

    title, key, hz = "Topomap", "topomap", 5.0
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._head = _Head()
        self._words = Reading("What the topomap shows")
        self._words.show_text("RMS of the last second, dB re median")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        layout.addWidget(self._words)
        layout.addWidget(self._head, 1)
        self._head.clicked.connect(lambda number: self.chosen.emit(self._wanted[number][0]))
        self._wanted: tuple[Electrode, ...] = ()
        self._job: BackgroundJob | None = None
        ExportButton("topomap", self._table, self)

    def _table(self) -> Table:
        """Return the level of every good channel."""
        scalp, values = self._head.scalp, self._head.values
        shown = [] if scalp is None or values is None else zip(scalp.good.tolist(), values.tolist(), strict=True)
        return ("channel", "rms_db_re_median"), [(self._wanted[number][0], level) for number, level in shown]

    def refresh(self, view: View) -> None:
        now, head = view.now, self._head
        wanted = tuple(
            (name, place, name not in now.bad) for name, place in zip(now.ch_names, now.positions, strict=False)
        )
        if wanted != self._wanted and self._job is None:
            self._wanted, head.scalp = wanted, None
            head.words = "Preparing the map …" if wanted else "No channels yet"
            if wanted:
                self._prepare(wanted)
        data = view.recent.last(1.0)
        if head.scalp is not None and len(data) > 1 and data.shape[1] == len(now.ch_names):
            rms = data[:, head.scalp.good].std(axis=0)
            level = 20 * np.log10(np.maximum(rms, 1e-3))
            head.values = (level - np.median(level)).astype(np.float32)
        elif len(data) <= 1:
            head.values = None
            if head.scalp is not None:
                head.words = "No data"
        head.update()

    def end(self) -> None:
        if self._job is not None:
            self._job.stop()

    def _prepare(self, electrodes: tuple[Electrode, ...]) -> None:
        self._job = BackgroundJob("earmark.app.dashboard.panels.scalp", [], json.dumps(electrodes).encode(), self)
        self._job.done.connect(self._prepared)
        self._job.failed.connect(self._failed)

    def _prepared(self, data: bytes) -> None:
        self._head.scalp, self._job = unpack(data), None

    def _failed(self, words: str) -> None:
        self._head.words, self._job = f"No map: {words}", None

"""Panel: topographic map of the RMS amplitude."""

from __future__ import annotations

import json

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.dashboard.panels.scalp import MIN_ELECTRODES, Scalp, unpack

#: Range of the colours, dB around the median channel.
RANGE_DB = 10.0
#: Width of the colour bar and its labels, in pixels.
BAR = 58


class _Head(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Topomap")
        self.setMinimumSize(120, 90)
        self.scalp: Scalp | None = None
        self.values: np.ndarray | None = None
        self.words = ""
        table = pg.colormap.get("CET-D1").getLookupTable(0.0, 1.0, 256)
        self._colours = (0xFF000000 | table[:, 0].astype(np.uint32) << 16 | table[:, 1].astype(np.uint32) << 8) | table[
            :, 2
        ].astype(np.uint32)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
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
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#1c2024"))
        for position in self.scalp.electrodes:
            painter.drawEllipse(at(*position), 1.4, 1.4)
        self._paint_bar(painter, look)

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
    """RMS amplitude of the good channels in the last second, in dB relative to their median."""

    title, key, hz = "Topomap", "topomap", 5.0

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
        self._wanted: tuple = ()
        self._picks: list[int] = []
        self._job: BackgroundJob | None = None

    def refresh(self, view: View) -> None:
        now, head = view.now, self._head
        picks = [
            i
            for i, (name, position) in enumerate(zip(now.ch_names, now.positions, strict=False))
            if position is not None and name not in now.bad
        ]
        positions = tuple(now.positions[i] for i in picks)
        if positions != self._wanted and self._job is None:
            self._wanted, self._picks, head.scalp = positions, picks, None
            if len(positions) < MIN_ELECTRODES:
                head.words = "No electrode positions" if now.ch_names else "No channels yet"
            else:
                head.words = "Preparing the map …"
                self._prepare(positions)
        data = view.recent.last(1.0)
        if head.scalp is not None and len(data) > 1 and data.shape[1] == len(now.ch_names):
            rms = data[:, self._picks].std(axis=0)
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

    def _prepare(self, positions: tuple) -> None:
        self._job = BackgroundJob("earmark.app.dashboard.panels.scalp", [], json.dumps(positions).encode(), self)
        self._job.done.connect(self._prepared)
        self._job.failed.connect(self._failed)

    def _prepared(self, data: bytes) -> None:
        self._head.scalp, self._job = unpack(data), None

    def _failed(self, words: str) -> None:
        self._head.words, self._job = f"The map could not be prepared: {words}", None

"""Panel: topographic map of the RMS amplitude."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.head import Head
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.looks import TIGHT, TINY

#: Range of the colours, dB around the median channel.
RANGE_DB = 10.0
#: Width of the colour bar and its labels, in pixels.
BAR = 58


class _Head(Head):
    def __init__(self) -> None:
        super().__init__(tr("Topomap"), BAR)
        self.values: np.ndarray | None = None
        table = pg.colormap.get("CET-D1").getLookupTable(0.0, 1.0, 256)
        self._colours = (0xFF000000 | table[:, 0].astype(np.uint32) << 16 | table[:, 1].astype(np.uint32) << 8) | table[
            :, 2
        ].astype(np.uint32)

    @property
    def drawn(self) -> bool:
        return self.scalp is not None and self.values is not None and len(self.values) == len(self.scalp.good)

    def paint_under(self, painter: QPainter, box: QRectF) -> None:
        assert self.scalp is not None
        assert self.values is not None
        n = len(self.scalp.inside)
        level = np.clip((self.scalp.matrix @ self.values) * (127.5 / RANGE_DB) + 127.5, 0, 255).astype(np.uint8)
        pixels = np.zeros((n, n), np.uint32)
        pixels[self.scalp.inside] = self._colours[level]
        pixels = np.ascontiguousarray(pixels[::-1])  # first row at the top
        painter.drawImage(box, QImage(pixels.data, n, n, 4 * n, QImage.Format.Format_ARGB32))

    def paint_electrodes(self, painter: QPainter, look: theme.Theme) -> None:
        assert self.scalp is not None
        good = set(self.scalp.good.tolist())
        for number, place in zip(self.scalp.located.tolist(), self.places, strict=True):
            if number in good:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor("#1c2024"))
                painter.drawEllipse(place, 1.4, 1.4)
            else:
                painter.setPen(QPen(QColor(look.bad), 2))
                for dy in (-3.5, 3.5):
                    painter.drawLine(place + QPointF(-3.5, dy), place + QPointF(3.5, -dy))
        self._paint_bar(painter, look)

    def _paint_bar(self, painter: QPainter, look: theme.Theme) -> None:
        area = QRectF(self.width() - BAR + 4, 12, 9, self.height() - 24)
        column = np.ascontiguousarray(self._colours[::-1, None])
        painter.drawImage(area, QImage(column.data, 1, 256, 4, QImage.Format.Format_RGB32))
        painter.setFont(theme.font(self.font(), TINY))
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

    title, key, hz = tr("Topomap"), "topomap", 5.0
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._head = _Head()
        self._words = Reading(tr("What the topomap shows"))
        self._words.show_text(tr("RMS of the last second, dB re median"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.setSpacing(0)
        layout.addWidget(self._words)
        layout.addWidget(self._head, 1)
        self._head.clicked.connect(lambda number: self.chosen.emit(self._names[number]))
        self._names: tuple[str, ...] = ()
        ExportButton("topomap", self._table, self)

    def _table(self) -> Table:
        """Return the level of every good channel."""
        scalp, values = self._head.scalp, self._head.values
        shown = [] if scalp is None or values is None else zip(scalp.good.tolist(), values.tolist(), strict=True)
        return ("channel", "rms_db_re_median"), [(self._names[number], level) for number, level in shown]

    def refresh(self, view: View) -> None:
        now, head = view.now, self._head
        head.show_electrodes(
            [(name, place, name not in now.bad) for name, place in zip(now.ch_names, now.positions, strict=False)]
        )
        self._names = now.ch_names
        data = view.recent.last(1.0)
        if head.scalp is not None and len(data) > 1 and data.shape[1] == len(now.ch_names):
            rms = data[:, head.scalp.good].std(axis=0)
            level = 20 * np.log10(np.maximum(rms, 1e-3))
            head.values = (level - np.median(level)).astype(np.float32)
        elif len(data) <= 1:
            head.values = None
            if head.scalp is not None:
                head.words = tr("No data")
        head.update()

    def end(self) -> None:
        self._head.end()

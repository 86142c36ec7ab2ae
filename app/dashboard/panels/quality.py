"""Panel: quality and RMS amplitude of every channel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QVBoxLayout, QWidget

from earmark.app.dashboard.data.faults import brief
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.looks import NEAR, TIGHT, TINY

#: Minimum width and height of a cell, in pixels.
CELL = (44, 20)


class _Grid(QWidget):
    clicked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Channels"))
        self.setMinimumSize(120, 60)
        self.names: tuple[str, ...] = ()
        self.bad: dict[str, str] = {}
        self.rms: NDArray[np.floating] = np.zeros(0)

    @property
    def _shape(self) -> tuple[int, int]:
        columns = max(1, self.width() // CELL[0])
        rows = math.ceil(len(self.names) / columns)
        while rows * CELL[1] > self.height() and columns < len(self.names):
            columns += 1
            rows = math.ceil(len(self.names) / columns)
        return rows, columns

    def _cell(self, i: int) -> QRectF:
        rows, columns = self._shape
        width, height = self.width() / columns, min(2.0 * CELL[1], self.height() / max(1, rows))
        return QRectF(i % columns * width, i // columns * height, width, height)

    def _at(self, x: float, y: float) -> int:
        return next((i for i in range(len(self.names)) if self._cell(i).contains(x, y)), -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        if left and (i := self._at(event.position().x(), event.position().y())) >= 0:
            self.clicked.emit(self.names[i])

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and (i := self._at(event.pos().x(), event.pos().y())) >= 0:
            name = self.names[i]
            amplitude = f", {self.rms[i]:.1f} µV" if i < len(self.rms) else ""
            words = f"{name}: {brief(self.bad[name]) if name in self.bad else tr('good')}{amplitude}"
            QToolTip.showText(event.globalPos(), tip(words), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        font = theme.font(self.font(), TINY)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        for i, name in enumerate(self.names):
            bad = name in self.bad
            box = self._cell(i).adjusted(1, 1, -1, -1)
            painter.fillRect(box, QColor(look.alternate if not bad else look.window))
            painter.setPen(QColor(look.bad if bad else look.rule))
            painter.drawRect(box)
            if i < len(self.rms) and not bad and math.isfinite(self.rms[i]):
                part = min(max(math.log10(max(self.rms[i], 0.1)) + 1, 0) / 4, 1)  # 0.1 µV to 1 mV
                painter.fillRect(QRectF(box.left(), box.bottom() - 3, box.width() * part, 3), QColor(look.highlight))
            painter.setPen(QColor(look.bad if bad else look.text))
            words = f"✕{name}" if bad else name
            if box.height() >= 10:
                shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(box.width()) - 2)
                painter.drawText(box.adjusted(1, 0, -1, -2), int(Qt.AlignmentFlag.AlignCenter), shown)
            elif bad:
                painter.fillRect(box, QColor(look.bad))


class ChannelQuality(Panel):
    """Overview of all channels.

    Attributes
    ----------
    chosen : Signal(str)
        A channel was clicked.
    """

    title, key, hz = tr("Quality"), "quality", 2.0
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._words, self._grid = Reading(tr("Good channels")), _Grid()
        self._grid.clicked.connect(self.chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NEAR, TIGHT, NEAR, TIGHT)
        layout.addWidget(self._words)
        layout.addWidget(self._grid, 1)
        ExportButton("quality", self._table, self)

    def _table(self) -> Table:
        """Return state and amplitude of every channel."""
        grid = self._grid
        rms = grid.rms.tolist() or [""] * len(grid.names)
        states = [grid.bad.get(name, "good") or "bad" for name in grid.names]
        return ("channel", "state", "rms_uv"), zip(grid.names, states, rms, strict=True)

    def refresh(self, view: View) -> None:
        now, grid = view.now, self._grid
        data = view.recent.last(1.0)
        grid.names, grid.bad = now.ch_names, dict(now.bad)
        fits = data.shape[1] == len(now.ch_names) and len(data) > 1
        grid.rms = data.std(axis=0) if fits else np.zeros(0)
        n, bad = len(now.ch_names), [name for name in now.ch_names if name in now.bad]
        reasons = ", ".join(f"{name} ({brief(now.bad[name])})" for name in bad)
        words = (
            tr("{n_good} of {n} good", n_good=n - len(bad), n=n) + (f"; ✕ {reasons}" if bad else "")
            if n
            else tr("No channels yet")
        )
        self._words.show_text(words)
        grid.setAccessibleDescription(words)
        grid.update()

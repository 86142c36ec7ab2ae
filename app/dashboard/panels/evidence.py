"""Panel: the score of each talker at every decision."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from earmark.app.dashboard.data.history import SPAN_S
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, letter
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton
from earmark.app.dashboard.panels.panel import Panel, Reading, View, decisions_table
from earmark.app.dashboard.panels.time_axis import TimeCursor, TimePlot
from earmark.app.looks import NEAR, TIGHT


class Evidence(Panel):
    """Scores over time."""

    title, key, hz = tr("Evidence"), "evidence", 5.0

    def __init__(self) -> None:
        super().__init__()
        self._plot = TimePlot(tr("Score of each talker, last 60 s"), tr("score (r)"), "")
        self._plot.getPlotItem().getAxis("left").enableAutoSIPrefix(False)
        self._plot.setXRange(-SPAN_S, 0, padding=0)
        self._plot.getPlotItem().getAxis("bottom").setTicks([[(x, f"{x} s") for x in (-40, -20)]])
        self._now = QHBoxLayout()
        self._now.setContentsMargins(NEAR, 0, NEAR, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.setSpacing(0)
        layout.addLayout(self._now)
        layout.addWidget(self._plot, 1)
        self._zero = pg.InfiniteLine(0, angle=0)
        self._plot.addItem(self._zero)
        self._lines: list[pg.PlotDataItem] = []
        self._readings: list[Reading] = []
        self._drawn: object = None
        self._reach = 0.1
        self._view: View | None = None
        ExportButton("evidence", lambda: decisions_table(self._view), self)

    def share(self, cursor: TimeCursor) -> None:
        self._plot.share(cursor)

    def _prepare(self, talkers: tuple[str, ...], look: theme.Theme) -> None:
        if self._drawn == (talkers, look.name):
            return
        self._drawn = (talkers, look.name)
        for line in self._lines:
            self._plot.removeItem(line)
        while (item := self._now.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self._lines, self._readings = [], []
        self._zero.setPen(pg.mkPen(look.faint, style=Qt.PenStyle.DotLine))
        for k, name in enumerate(talkers):
            colour = QColor(look.talkers[k])
            line = pg.PlotDataItem(pen=colour, symbol="ostd"[k % 4], symbolSize=5, symbolBrush=colour, symbolPen=None)
            self._plot.addItem(line)
            self._lines.append(line)
            reading = Reading(tr("Score of {name}", name=name))
            reading.setStyleSheet(f"color: {look.talkers[k]}; font-weight: bold")
            self._now.addWidget(reading, 1)
            self._readings.append(reading)

    def refresh(self, view: View) -> None:
        talkers = view.now.talkers
        self._view = view
        self._plot.show_events(view.history.timeline, view.now.time)
        self._prepare(talkers, theme.of(self))
        made = list(view.history.decisions)
        times = np.array([one.time for one in made]) - view.now.time
        reach = 0.1
        for k, line in enumerate(self._lines):
            values = np.array([one.scores[k] if k < len(one.scores) else np.nan for one in made], float)
            finite = np.isfinite(values)
            line.setData(times[finite], values[finite])
            if finite.any():
                reach = max(reach, float(np.abs(values[finite]).max()))
            last = f"{values[-1]:+.3f}" if finite.size and finite[-1] else UNKNOWN
            self._readings[k].show_text(f"{letter(k)} {last}  {talkers[k]}")
        step = 0.1 * np.ceil(reach * 10.5)  # in steps, so that the axis rarely changes
        if step != self._reach:
            self._reach = float(step)
        self._plot.setYRange(-self._reach, self._reach, padding=0.02)

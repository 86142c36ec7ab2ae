"""Plot of the accuracy so far, trial by trial, on the calibration page."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.plot import Plot
from earmark.app.status import LearningStatus


class Learning(Plot):
    """Accuracy of a decoder trained on the trials so far, and the accuracy that guessing reaches (dotted).

    Hidden until there are two points; it keeps its place.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Accuracy so far, after each trial"), tr("correct (%)"), "trials")
        self.setMaximumHeight(180)
        keeps = self.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self.setSizePolicy(keeps)
        self.setVisible(False)
        for side in ("left", "bottom"):
            self.getPlotItem().getAxis(side).enableAutoSIPrefix(False)
        self.setYRange(30, 105, padding=0)
        self._accuracy, self._limit = pg.PlotDataItem(symbol="o", symbolSize=6, symbolPen=None), pg.PlotDataItem()
        for line in (self._limit, self._accuracy):
            self.addItem(line)
        self._drawn: object = None

    def show_points(self, points: tuple[LearningStatus, ...]) -> None:
        """Draw the points if they have changed."""
        self.setVisible(len(points) > 1)
        look = theme.of(self)
        drawn = len(points), points[-1:], look.name
        if len(points) < 2 or repr(drawn) == repr(self._drawn):
            return
        self._drawn = drawn
        colour = QColor(look.highlight)
        self._accuracy.setPen(pg.mkPen(colour, width=2))
        self._accuracy.setSymbolBrush(colour)
        self._limit.setPen(pg.mkPen(look.faint, style=Qt.PenStyle.DotLine))
        trials = [one.n_trials for one in points]
        self._accuracy.setData(trials, [100 * one.accuracy for one in points])
        self._limit.setData(trials, [100 * one.chance_limit for one in points])
        self.setXRange(min(trials) - 0.5, max(trials) + 0.5, padding=0)

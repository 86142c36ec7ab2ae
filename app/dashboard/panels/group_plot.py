"""Plot of one figure of a study, in which each participant is a point."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.panels.plot import Plot

#: Maximum number of participants whose names fit below the axis; of more, numbers are shown.
MAX_NAMES = 5


class GroupPlot(Plot):
    """A figure of each participant, its mean, and where known the chance limits.

    Attributes
    ----------
    chosen : Signal(str)
        A participant was clicked: the name.

    Parameters
    ----------
    name : str
        Accessible name, and title.
    left : str
        Title of the axis.
    key : str
        Key of the figure in what :func:`earmark.app.report.study.participants` returns.
    scale : float
        Factor from the figure to the axis.
    limit : str
        Key of the share that guessing reaches with p = 0.05; empty if the figure is no share.
    """

    chosen = Signal(str)

    def __init__(self, name: str, left: str, key: str, scale: float = 1.0, limit: str = "") -> None:
        self._group: Sequence[Mapping[str, Any]] = ()
        self._key, self._scale, self._limit = key, scale, limit
        super().__init__(name, left, "")
        self.setMinimumSize(160, 100)

    def show_group(self, group: Sequence[Mapping[str, Any]]) -> None:
        """Draw the participants of one condition."""
        self._group = group
        self.restyle()

    def restyle(self) -> None:
        """Draw everything in the colours of the theme."""
        super().restyle()
        self.clear()
        if not self._group:
            return
        look, n = theme.of(self), len(self._group)
        values = {k: self._scale * one[self._key] for k, one in enumerate(self._group, 1) if one[self._key] is not None}
        bounds = list(values.values())
        if self._limit:
            chance = self._scale / self._group[0]["n_talkers"]
            bounds += [chance, self._scale]
            self._line([0.5, n + 0.5], [chance, chance], look.text, Qt.PenStyle.DotLine)
            for k, one in enumerate(self._group, 1):
                if one[self._limit] is not None:
                    limit = self._scale * one[self._limit]
                    bounds.append(limit)
                    self._line([k - 0.35, k + 0.35], [limit, limit], look.warn, Qt.PenStyle.DashLine)
        else:
            bounds.append(0.0)
        if values:
            mean = statistics.fmean(values.values())
            self._line([0.5, n + 0.5], [mean, mean], look.highlight, Qt.PenStyle.SolidLine)
            spots = pg.ScatterPlotItem(
                x=np.array(list(values), float),
                y=np.array(list(values.values())),
                data=list(values),
                size=10,
                pen=pg.mkPen(look.base),
                brush=QColor(look.highlight),
                hoverable=True,
                hoverBrush=QColor(look.text),
                tip=lambda x, y, data: tip(f"{self._group[data - 1]['participant']}: {y:.3g}"),
            )
            spots.sigClicked.connect(lambda _, points, *__: self._choose(points[0].data()))
            self.addItem(spots)
        self.setXRange(0.5, n + 0.5, padding=0.0)
        self.setYRange(min(bounds), max(bounds), padding=0.08)
        every = -(-n // 15)
        named = n <= MAX_NAMES
        ticks = [(k, str(self._group[k - 1]["participant"])[:10] if named else str(k)) for k in range(1, n + 1, every)]
        self.getPlotItem().getAxis("bottom").setTicks([ticks])

    def _choose(self, number: int) -> None:
        self.chosen.emit(str(self._group[number - 1]["participant"]))

    def _line(self, x: list[float], y: list[float], colour: str, style: Qt.PenStyle) -> None:
        self.addItem(pg.PlotCurveItem(np.array(x), np.array(y), pen=pg.mkPen(QColor(colour), style=style)))

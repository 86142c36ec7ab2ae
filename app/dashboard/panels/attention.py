"""Panel: the posterior of every talker over the last minute, with cues, switches and the undecided range."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout

from earmark.app.dashboard.data.history import SPAN_S
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import letter
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton
from earmark.app.dashboard.panels.panel import Panel, View, decisions_table
from earmark.app.dashboard.panels.time_axis import TimeCursor, TimePlot
from earmark.app.looks import TIGHT

#: Height of the cues, above a probability of 1, and upper end of the axis.
CUES, TOP = 1.06, 1.13
#: Smallest height with room for all ticks, in pixels.
ROOMY = 130
#: Height of the time axis, in pixels.
AXIS = 30


#: Minimum distance between two labels, in pixels.
LABEL_SPACING = 13


def spread_labels(ends: dict[int, float], distance: float) -> dict[int, float]:
    """Return heights for the labels at the ends of lines, so that they neither overlap nor leave the plot.

    Parameters
    ----------
    ends : dict of int to float
        Height of the end of each line, by talker, as a probability.
    distance : float
        Minimum distance between two labels, as a probability.

    Returns
    -------
    dict of int to float
        Height of the middle of each label, by talker, as a probability.
    """
    order = sorted(ends, key=lambda k: ends[k])
    heights: dict[int, float] = {}
    lowest = 0.06
    for i, k in enumerate(order):
        heights[k] = max(min(ends[k], 0.98 - distance * (len(order) - 1 - i)), lowest)
        lowest = heights[k] + distance
    return heights


class Attention(Panel):
    """Probability over time."""

    title, key, hz = tr("Attention"), "attention", 5.0

    def __init__(self) -> None:
        super().__init__()
        self._plot = TimePlot(tr("Probability that each talker is attended, last 60 s"), "p", "")
        self._plot.setXRange(-SPAN_S, 0, padding=0)
        self._plot.setYRange(0, TOP, padding=0)
        self._plot.getPlotItem().getAxis("bottom").setTicks([[(x, f"{x} s") for x in (-40, -20)]])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.addWidget(self._plot)
        self._zone = pg.LinearRegionItem((0, 0), orientation="horizontal", movable=False)
        self._zone.setZValue(-10)
        self._even = pg.InfiniteLine(angle=0)
        self._zone_words = pg.TextItem(tr("undecided"), anchor=(0, 0.5))
        for item in (self._zone, self._even, self._zone_words):
            self._plot.addItem(item)
        self._switches = pg.PlotCurveItem(connect="pairs")
        self._plot.addItem(self._switches)
        self._lines: list[pg.PlotCurveItem] = []
        self._cues: list[pg.PlotCurveItem] = []
        self._names: list[pg.TextItem] = []
        self._drawn: object = None
        self._view: View | None = None
        ExportButton("attention", lambda: decisions_table(self._view), self)

    def share(self, cursor: TimeCursor) -> None:
        self._plot.share(cursor)

    def _prepare(self, talkers: tuple[str, ...], look: theme.Theme) -> None:
        if self._drawn == (talkers, look.name):
            return
        self._drawn = (talkers, look.name)
        for item in (*self._lines, *self._cues, *self._names):
            self._plot.removeItem(item)
        self._lines, self._cues, self._names = [], [], []
        styles = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine)
        for k in range(len(talkers)):
            colour = QColor(look.talkers[k])
            self._lines.append(pg.PlotCurveItem(pen=pg.mkPen(colour, width=1, style=styles[k % 4])))
            self._cues.append(pg.PlotCurveItem(pen=pg.mkPen(colour, width=6), connect="pairs"))
            self._names.append(pg.TextItem(letter(k), color=colour, anchor=(1, 0.5)))
            for item in (self._lines[-1], self._cues[-1], self._names[-1]):
                self._plot.addItem(item)
        rule, faint = QColor(look.rule), QColor(look.faint)
        rule.setAlpha(90)
        self._zone.setBrush(rule)
        for line in self._zone.lines:
            line.setPen(pg.mkPen(faint, style=Qt.PenStyle.DashLine))
        self._zone_words.setColor(faint)
        self._even.setPen(pg.mkPen(faint, style=Qt.PenStyle.DotLine))
        self._switches.setPen(pg.mkPen(look.faint, style=Qt.PenStyle.DashLine))

    def refresh(self, view: View) -> None:
        now, talkers = view.now, view.now.talkers
        self._view = view
        self._plot.show_events(view.history.timeline, now.time)
        ticks = (0, 0.25, 0.5, 0.75, 1) if self.height() > ROOMY else (0, 0.5, 1)
        self._plot.getPlotItem().getAxis("left").setTicks([[(y, f"{y:g}") for y in ticks]])
        self._prepare(talkers, theme.of(self))
        self._even.setVisible(len(talkers) > 1)
        self._even.setPos(1 / max(1, len(talkers)))
        leave, enter = now.thresholds
        known = enter > 0
        self._zone.setVisible(known)
        self._zone_words.setVisible(known)
        if known:
            # Between the two thresholds the decision does not change; below the lower one, the talker is given up.
            self._zone.setRegion((leave, enter))
            self._zone_words.setPos(-SPAN_S + 1, (leave + enter) / 2)
        decisions = list(view.history.decisions)
        times = np.array([one.time for one in decisions]) - now.time
        ends: dict[int, float] = {}
        for k, line in enumerate(self._lines):
            values = [one.probability[k] if k < len(one.probability) else np.nan for one in decisions]
            line.setData(times, np.array(values, float), connect="finite")
            self._names[k].setVisible(bool(values) and bool(np.isfinite(values[-1])))
            if self._names[k].isVisible():
                ends[k] = values[-1]
        for k, y in spread_labels(ends, LABEL_SPACING * TOP / max(1, self.height() - AXIS)).items():
            self._names[k].setPos(-0.5, y)
        switched = [
            float(times[i])
            for i in range(1, len(decisions))
            if decisions[i].talker != decisions[i - 1].talker and decisions[i].talker >= 0
        ]
        self._switches.setData(np.repeat(switched, 2), np.tile([0.0, 1.0], len(switched)))
        stops = [*(at - now.time for at, _ in view.history.cues), 0.0][1:]
        spans = [
            (max(at - now.time, -SPAN_S), stop, name)
            for (at, name), stop in zip(view.history.cues, stops, strict=True)
            if stop > -SPAN_S
        ]
        for k, line in enumerate(self._cues):
            edges = [end for begin, stop, name in spans if name == talkers[k] for end in (begin, stop)]
            line.setData(np.array(edges, float), np.full(len(edges), CUES))

"""The plots of a recorded run with its events, a slider through its time, and the values at each instant."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSignalBlocker, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QSplitter, QVBoxLayout, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import clock_tenths, decibels, letter, percent
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.event_list import EventList, EventsModel
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.dashboard.panels.time_axis import TimeCursor, TimePlot
from earmark.app.engine.timeline import Timeline, cue_words
from earmark.app.status import Event

#: Lowest gain drawn, dB.
LOWEST_DB = -12.0
#: Part of the run that is shown around an event that was clicked, s.
AROUND_S = 30.0


class RunPlots(QWidget):
    """Probability and gains of a run over time. The wheel zooms; cursor, slider and plots show the same instant."""

    def __init__(self) -> None:
        self._ready = False
        super().__init__()
        self.time_cursor = TimeCursor(self)
        self.posterior = TimePlot(tr("Probability over time"), tr("probability"), "s")
        self.gains = TimePlot(tr("Requested gains over time"), tr("gain / dB"), "s")
        self._begin = 0.0  # LSL time of the first decision, from which the run is counted
        self._result: dict[str, Any] = {"times": [0.0], "talkers": [], "cues": [], "events": []}
        self._times: NDArray[np.float64] = np.zeros(1)
        for plot, name in ((self.posterior, "probability"), (self.gains, "gains")):
            plot.share(self.time_cursor)
            plot.getPlotItem().setMouseEnabled(True, False)
            ExportButton(name, self._table, plot)
        self.gains.setXLink(self.posterior)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Time in the run, one step for each decision"))
        self.slider.valueChanged.connect(lambda k: self.time_cursor.point(self._begin + float(self._times[k])))
        self.whole = QPushButton(tr("&Whole run"))
        self.whole.setAccessibleName(tr("Show the whole run in the plots"))
        self.whole.clicked.connect(self.show_all)
        self.values = Reading(tr("Values at the cursor"))
        self.time_cursor.moved.connect(self._show_values)
        self._model = EventsModel()
        self.events = EventList(self._model)
        self.events.chosen.connect(self.jump)
        bar = QHBoxLayout()
        bar.addWidget(self.slider, 1)
        bar.addWidget(self.whole)
        left = QWidget()
        layout = QVBoxLayout(left)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.posterior, 3)
        layout.addWidget(self.gains, 2)
        layout.addLayout(bar)
        layout.addWidget(self.values)
        split = QSplitter()
        split.addWidget(left)
        split.addWidget(self.events)
        split.setStretchFactor(0, 1)
        split.setSizes([900, 300])
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)
        self._ready = True

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._ready and event.type() == QEvent.Type.PaletteChange:
            self._draw(theme.of(self))

    def show_run(self, result: dict[str, Any]) -> None:
        """Show the figures that :mod:`earmark.app.report.worker` computed."""
        self._result, self._times, self._begin = result, np.array(result["times"]), result["begin"]
        self.time_cursor.origin = self._begin
        self._draw(theme.of(self))
        cues = [(at, cue_words(name)) for at, name in result["cues"]]
        events = sorted((self._begin + at, words) for at, words in (*cues, *result["events"]))
        for plot in (self.posterior, self.gains):
            plot.show_events(Timeline(events), self._begin)
        self._model.show_only([Event(k, at, words) for k, (at, words) in enumerate(events)], self._begin)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(self._times) - 1)
            self.slider.setValue(0)
        self.show_all()
        self._show_values()

    def _draw(self, look: theme.Theme) -> None:
        result, times = self._result, self._times
        end = float(times[-1])
        for plot, low, high in ((self.posterior, 0.0, 1.13), (self.gains, LOWEST_DB, 7.0)):
            plot.clear()
            plot.setYRange(low, high, padding=0.02)
            plot.getPlotItem().getViewBox().setLimits(xMin=-1.0, xMax=end + 1.0, minXRange=1.0)
        stops = [*(at for at, _ in result["cues"]), end][1:]
        for k, name in enumerate(result["talkers"]):
            pen = pg.mkPen(QColor(look.talkers[k]), width=1)
            self.posterior.addItem(pg.PlotCurveItem(times, np.array(result["probability"])[:, k], pen=pen))
            gains = np.maximum(np.array(result["gains"])[:, k], LOWEST_DB)
            self.gains.addItem(pg.PlotCurveItem(np.append(times, end), gains, stepMode="center", pen=pen))
            edges = [
                x for (at, who), stop in zip(result["cues"], stops, strict=True) if who == name for x in (at, stop)
            ]
            heights, wide = np.full(len(edges), 1.07), pg.mkPen(look.talkers[k], width=6)
            self.posterior.addItem(pg.PlotCurveItem(np.array(edges, float), heights, connect="pairs", pen=wide))
            words = pg.TextItem(f"{letter(k)} {name}", color=look.talkers[k], anchor=(0, 0))
            words.setPos(end * 0.01, 1.0 - 0.13 * k)
            self.posterior.addItem(words)

    def show_all(self) -> None:
        """Show the whole run."""
        self.posterior.setXRange(0, float(self._times[-1]), padding=0.01)

    def jump(self, time: float) -> None:
        """Show the part of the run around an LSL time, and that instant in all plots."""
        low, high = self.posterior.getPlotItem().getViewBox().viewRange()[0]
        middle, half = time - self._begin, min(high - low, AROUND_S) / 2
        self.posterior.setXRange(middle - half, middle + half, padding=0)
        self.time_cursor.point(time)

    def _at(self, time: float) -> int:
        """Return the decision that holds at a time."""
        return max(0, bisect_right(self._times, time) - 1)

    def _cue(self, time: float) -> str:
        known = [name for at, name in self._result["cues"] if at <= time]
        return known[-1] if known else ""

    def _show_values(self) -> None:
        """Show the values at the cursor, and move the slider there."""
        time, result = self.time_cursor.time - self._begin, self._result
        if math.isnan(time):
            self.values.show_text(tr("Move over a plot or the slider to see the values of an instant"))
            return
        k = self._at(time)
        with QSignalBlocker(self.slider):
            self.slider.setValue(k)
        each = ", ".join(
            f"{letter(i)} {name} {percent(p)}, {decibels(gain)} dB"
            for i, (name, p, gain) in enumerate(
                zip(result["talkers"], result["probability"][k], result["gains"][k], strict=True)
            )
        )
        self.values.show_text(
            tr("{time}   cue: {cue}   {each}", time=clock_tenths(time), cue=self._cue(time) or tr("none"), each=each)
        )

    def _table(self) -> Table:
        """Return the recorded decisions."""
        names = self._result["talkers"]
        heads = [
            "time_s",
            "lsl_time_s",
            "cue",
            *(f"{what} {name}" for what in ("probability", "gain_db") for name in names),
        ]
        rows = zip(self._result["times"], self._result["probability"], self._result["gains"], strict=True)
        return heads, ([time, self._begin + time, self._cue(time), *p, *gains] for time, p, gains in rows)

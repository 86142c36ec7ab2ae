"""What all plots with a time axis share: events and intervals that are drawn alike, and one cursor."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Signal
from PySide6.QtGui import QColor, QCursor, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import clock_tenths
from earmark.app.dashboard.panels.plot import Plot
from earmark.app.dashboard.panels.sweep_words import paint_events, paint_instant, paint_spans, small
from earmark.app.engine.timeline import Kind, Mark, Timeline
from earmark.app.looks import Theme, event_colour

#: Kinds of events without a line in plots, and without a text there.
QUIET, SILENT = (Kind.OTHER,), (Kind.CUE,)
#: Height of the bars of cues, above the texts, and smallest height of a plot with texts, in pixels.
BARS, ROOMY = 12, 60
#: Time that stands for the end of what still lasts, s.
FAR = 1e12


class TimeCursor(QObject):
    """One instant, which all plots of a page show.

    Attributes
    ----------
    moved : Signal()
        The instant has changed.
    """

    moved = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        #: The instant, s, NaN for none; and the time from which the session is counted.
        self.time, self.origin = math.nan, 0.0

    def point(self, time: float) -> None:
        """Show an instant in all plots; NaN shows none."""
        if time != self.time and not (math.isnan(time) and math.isnan(self.time)):
            self.time = time
            self.moved.emit()

    @property
    def words(self) -> str:
        """The instant in session time; empty for none."""
        seconds = self.time - self.origin
        return clock_tenths(seconds) if math.isfinite(seconds) else ""


def short_words(mark: Mark) -> str:
    """Return the text of an event for a plot: a note without its prefix."""
    return mark.words.partition(":")[2].strip() if mark.kind is Kind.NOTE else mark.words


def paint_timeline(
    painter: QPainter,
    look: Theme,
    timeline: Timeline,
    place: Callable[[float], float],
    area: QRectF,
    cursor: TimeCursor | None,
) -> None:
    """Draw intervals, events and the cursor.

    Parameters
    ----------
    painter : QPainter
    look : Theme
    timeline : Timeline
    place : callable
        Returns the horizontal position, in pixels, of a time.
    area : QRectF
        The plot without its axes.
    cursor : TimeCursor or None
    """
    painter.save()
    painter.setClipRect(area)
    painter.setFont(small(painter.font()))
    spans = ((place(one.begin), place(min(one.end, FAR)), event_colour(look, one.kind)) for one in timeline.spans)
    paint_spans(painter, area, spans)
    labels = []
    for mark in timeline.marks:
        x = place(mark.time)
        if mark.kind not in QUIET and area.left() <= x <= area.right():
            colour = event_colour(look, mark.kind)
            painter.fillRect(QRectF(round(x), area.top(), 1, area.height()), QColor(colour))
            if mark.kind not in SILENT:
                labels.append((x, short_words(mark), colour))
    if area.height() > ROOMY:
        paint_events(painter, labels, look.base, area.adjusted(0, BARS, 0, 0))
    if cursor is not None and not math.isnan(cursor.time):
        x = place(cursor.time)
        if area.left() <= x <= area.right():
            paint_instant(painter, look, x, area, cursor.words)
    painter.restore()


class TimePlot(Plot):
    """A plot over time, with events, intervals and the cursor of the page.

    Parameters
    ----------
    name, left, bottom : str
        As for :class:`earmark.app.dashboard.panels.plot.Plot`.
    """

    def __init__(self, name: str, left: str, bottom: str, parent: QWidget | None = None) -> None:
        #: Events; the time at which the axis is zero, s; and the cursor of the page.
        self.timeline, self.zero = Timeline(), 0.0
        self.time_cursor: TimeCursor | None = None
        super().__init__(name, left, bottom, parent)

    def share(self, cursor: TimeCursor) -> None:
        """Show and move the cursor of a page."""
        self.time_cursor = cursor
        cursor.moved.connect(self.viewport().update)

    def show_events(self, timeline: Timeline, zero: float) -> None:
        """Show events on an axis that is zero at a time; another instant may be under the mouse then."""
        self.timeline, self.zero = timeline, zero
        if self.underMouse():
            self._point(self.mapFromGlobal(QCursor.pos()))
        self.viewport().update()

    def _point(self, at: QPoint) -> None:
        box, scene = self.getPlotItem().getViewBox(), self.mapToScene(at)
        if self.time_cursor is not None and box.sceneBoundingRect().contains(scene):
            self.time_cursor.point(self.zero + box.mapSceneToView(scene).x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._point(event.position().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if self.time_cursor is not None:
            self.time_cursor.point(math.nan)

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        super().drawForeground(painter, rect)
        box = self.getPlotItem().getViewBox()
        area, (low, high) = box.sceneBoundingRect(), box.viewRange()[0]

        def place(time: float) -> float:
            return float(area.left() + (time - self.zero - low) * area.width() / (high - low))

        paint_timeline(painter, theme.of(self), self.timeline, place, area, self.time_cursor)

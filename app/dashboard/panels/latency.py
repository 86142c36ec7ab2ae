"""Panel: latency per stage and in total, and the total over the last minute."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QVBoxLayout, QWidget

from earmark.app.dashboard.data.history import SPAN_S
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import milliseconds
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import SIZE, ExportButton, Table
from earmark.app.dashboard.panels.panel import Panel, View
from earmark.app.dashboard.panels.time_axis import TimeCursor, paint_timeline
from earmark.app.engine.latency_stages import TOTAL
from earmark.app.looks import SMALL

#: Height of a table row, and of the bar, in pixels.
LINE, BAR = 15, 16
#: Smallest height of the sparkline, in pixels.
MIN_SPARK_HEIGHT = 34


class _Ledger(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Latency by stage"))
        self.view: View | None = None
        self.time_cursor: TimeCursor | None = None
        #: Place of the sparkline; empty while it is not shown.
        self.spark = QRectF()
        self.setMinimumSize(150, 90)
        self.setMouseTracking(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self.view is not None and self.time_cursor is not None and self.spark.contains(at):
            self.time_cursor.point(self.view.now.time - (self.spark.right() - at.x()) / self.spark.width() * SPAN_S)

    def leaveEvent(self, event: QEvent) -> None:
        if self.time_cursor is not None:
            self.time_cursor.point(math.nan)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.view is None:
            return
        painter, look, now = QPainter(self), theme.of(self), self.view.now
        painter.setFont(theme.font(self.font(), SMALL))
        if not now.stages and now.latency is None:
            painter.setPen(QColor(look.faint))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), tr("No decision timed yet"))
            return
        y = self._bar(painter, look, now)
        y = self._table(painter, look, now, y)
        self._spark(painter, look, y)

    def _bar(self, painter: QPainter, look: theme.Theme, now: Snapshot) -> float:
        """Draw the medians of all stages end to end, and the limit; return the y coordinate below."""
        medians = [max(0.0, stage.p50) if math.isfinite(stage.p50) else 0.0 for stage in now.stages]
        budget = now.latency.budget if now.latency is not None else math.nan
        whole = max(sum(medians), 1e-4) * 1.05
        x, width = 4.0, self.width() - 8.0
        for k, value in enumerate(medians):
            part = width * value / whole
            painter.fillRect(QRectF(x, 4, part, BAR), QColor(look.talkers[k % 8]))
            if part > 12:
                painter.setPen(QColor(look.base))
                painter.drawText(QRectF(x, 4, part, BAR), int(Qt.AlignmentFlag.AlignCenter), str(k + 1))
            x += part
        painter.setPen(QColor(look.rule))
        painter.drawRect(QRectF(4, 4, width, BAR))
        if math.isfinite(budget) and budget <= whole:
            painter.fillRect(QRectF(4 + width * budget / whole - 1, 1, 2, BAR + 6), QColor(look.bad))
        return 4 + BAR + 4

    def _table(self, painter: QPainter, look: theme.Theme, now: Snapshot, y: float) -> float:
        metrics = QFontMetrics(painter.font())
        column = metrics.horizontalAdvance("0000.0 ")
        right = self.width() - 4.0
        heads = ("p50", "p99", tr("max"))
        rows: list[tuple[str, tuple[str, ...], str]] = [("ms", heads, look.faint)]
        if now.latency is not None:
            one = now.latency
            budget = tr(" (limit {budget} ms)", budget=milliseconds(one.budget)) if math.isfinite(one.budget) else ""
            late = math.isfinite(one.budget) and one.p99 > one.budget
            words = f"{TOTAL}{tr(' LATE') if late else ''}{budget}"
            figures = tuple(map(milliseconds, (one.p50, one.p99, one.max)))
            rows.append((words, figures, look.bad if late else look.text))
        rows += [
            (f"{k + 1} {stage.name}", tuple(map(milliseconds, (stage.p50, stage.p99, stage.max))), look.talkers[k % 8])
            for k, stage in enumerate(now.stages)
        ]
        if now.scored_by:
            rows.append((tr("scores: {scored_by}", scored_by=now.scored_by), ("", "", ""), look.faint))
        room = int((self.height() - y) // LINE)
        if len(rows) > room > 0:  # say how many rows are left out
            left = len(rows) - room + 1
            rows = [*rows[: room - 1], (tr("… {left} more: enlarge panel", left=left), ("", "", ""), look.faint)]
        for words, figures, colour in rows:
            painter.setPen(QColor(colour))
            width = right - 3 * column - 4
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(width))
            painter.drawText(QRectF(4, y, width, LINE), int(Qt.AlignmentFlag.AlignVCenter), shown)
            painter.setPen(QColor(look.faint if figures is heads else look.text))
            for k, figure in enumerate(figures):
                box = QRectF(right - (3 - k) * column, y, column, LINE)
                painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), figure)
            y += LINE
        return y + 4

    def _spark(self, painter: QPainter, look: theme.Theme, y: float) -> None:
        """Draw the 99th percentile of the last minute."""
        assert self.view is not None
        self.spark = QRectF()
        points = [moment for moment in self.view.history.p99 if math.isfinite(moment.value)]
        if self.height() - y < MIN_SPARK_HEIGHT or not points:
            return
        left = SIZE.width() + 4  # beside the button
        area = self.spark = QRectF(left, y + LINE, self.width() - left - 4, self.height() - y - LINE - 3)
        maximum = max(moment.value for moment in points)
        painter.setPen(QColor(look.faint))
        words = tr("p99 over the last minute, up to {maximum} ms", maximum=milliseconds(maximum))
        metrics = QFontMetrics(painter.font())
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(QRectF(4, y, area.width(), LINE), 0, shown)
        painter.setPen(QColor(look.highlight))
        now = self.view.now.time

        def place(time: float) -> float:
            return area.right() + area.width() * (time - now) / SPAN_S

        heights = [area.bottom() - area.height() * moment.value / max(maximum, 1e-6) for moment in points]
        places = [QPointF(place(moment.time), height) for moment, height in zip(points, heights, strict=True)]
        painter.drawPolyline(QPolygonF(places))
        paint_timeline(painter, look, self.view.history.timeline, place, area, self.time_cursor)


class Latency(Panel):
    """Bar, table and sparkline of the latency."""

    title, key, hz = tr("Latency"), "latency", 2.0

    def __init__(self) -> None:
        super().__init__()
        self._ledger = _Ledger()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._ledger)
        ExportButton("latency", self._table, self)

    def _table(self) -> Table:
        """Return the figures of all stages, and the 99th percentile of the total over the last minute."""
        heads = ("stage", "lsl_time_s", "p50_s", "p99_s", "max_s")
        if (view := self._ledger.view) is None:
            return heads, []
        total = [] if view.now.latency is None else [view.now.latency]
        stages = [(one.name, view.now.time, one.p50, one.p99, one.max) for one in (*total, *view.now.stages)]
        return heads, [*stages, *((TOTAL, one.time, "", one.value, "") for one in view.history.p99)]

    def share(self, cursor: TimeCursor) -> None:
        self._ledger.time_cursor = cursor
        cursor.moved.connect(self._ledger.update)

    def refresh(self, view: View) -> None:
        self._ledger.view = view
        stages = "; ".join(f"{one.name} {milliseconds(one.p50)} ms" for one in view.now.stages)
        self._ledger.setAccessibleDescription(stages)
        self._ledger.update()

"""Words and lines over the traces: channel names, time axis, scale bar, cursor, events, notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.theme import Theme
from earmark.app.looks import HEAD, TINY

#: Width of the channel names, and height of the time axis, in logical pixels.
NAMES, AXIS = 66, 16
#: Height of a channel name, font size, and font size of the notice, in pixels.
NAME_HEIGHT = 13
#: Maximum width of an event label, and shortest distance of two labels of the axis, in pixels.
LABEL_WIDTH, TICK_WIDTH = 120, 55
#: Shortest scale bar, in pixels.
BAR_PX = 24
#: Opacity of an interval, of 255, and height of its edge, in pixels.
SHADE, EDGE = 26, 4


def small(font: QFont) -> QFont:
    """Return a font in the size of labels."""
    return theme.font(font, TINY)


def round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least this positive number."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9)))


def paint_names(painter: QPainter, look: Theme, names: Sequence[str], bad: frozenset[str], height: int) -> None:
    """Paint the channel names beside their lanes; names without room are left out."""
    painter.fillRect(QRect(0, 0, NAMES, height + AXIS), QColor(look.base))
    if not names:
        return
    metrics = QFontMetrics(painter.font())
    lane = height / len(names)
    free = 0.0
    for i, name in enumerate(names):
        y = min(max((i + 0.5) * lane - NAME_HEIGHT / 2, 0.0), height - NAME_HEIGHT)
        if y < free - 0.5:
            continue
        free = y + NAME_HEIGHT
        words = f"✕ {name}" if name in bad else name
        painter.setPen(QColor(look.bad if name in bad else look.text))
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, NAMES - 8)
        painter.drawText(QRectF(2, y, NAMES - 6, NAME_HEIGHT), int(Qt.AlignmentFlag.AlignRight), shown)


def paint_axis(painter: QPainter, look: Theme, area: QRect, seconds: float, first_s: float) -> None:
    """Paint the time axis below the traces.

    Parameters
    ----------
    painter : QPainter
    look : Theme
    area : QRect
        Of the axis.
    seconds : float
        Length of the sweep.
    first_s : float
        Time at the left edge, s; negative times have a sign.
    """
    painter.fillRect(area, QColor(look.base))
    painter.setPen(QColor(look.faint))
    per_s = area.width() / seconds
    step = round_step(TICK_WIDTH / per_s)
    for k in range(int(np.ceil(first_s / step - 1e-9)), int((first_s + seconds) / step + 1e-9) + 1):
        x = area.left() + (k * step - first_s) * per_s
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.top() + 3))
        box = QRectF(x + 2, area.top(), TICK_WIDTH, area.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), f"{k * step:g} s".replace("-", "−"))


def paint_scale(
    painter: QPainter, look: Theme, right: float, bottom: float, px_per_uv: float, unit: str = "µV", kind: str = ""
) -> None:
    """Paint a vertical bar of a round number of units, whose lower end is at (right, bottom)."""
    uv = round_step(BAR_PX / px_per_uv)
    words = f"{uv / 1000:g} mV" if unit == "µV" and uv >= 1000 else f"{uv:g} {unit}".rstrip()
    words = f"{kind} {words}".lstrip()
    width = QFontMetrics(painter.font()).horizontalAdvance(words) + 2
    height = uv * px_per_uv
    painter.fillRect(QRectF(right - 4, bottom - height - 2, 6, height + 4), QColor(look.base))
    painter.fillRect(QRectF(right - 2, bottom - height, 2, height), QColor(look.text))
    painter.setPen(QColor(look.text))
    box = QRectF(right - width - 6, bottom - (height + TINY) / 2 - 3, width, TINY + 6)
    painter.fillRect(box, QColor(look.base))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), words)


def paint_cursor(painter: QPainter, look: Theme, x: float, y: float, area: QRect, words: str) -> None:
    """Paint a vertical line at the mouse, and the value beside it."""
    painter.setPen(QColor(look.faint))
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    width = QFontMetrics(painter.font()).horizontalAdvance(words) + 8
    left = x + 6 if x + 6 + width < area.right() else x - 6 - width
    top = min(max(y - TINY - 8, area.top()), area.bottom() - TINY - 6)
    box = QRectF(left, top, width, TINY + 6)
    painter.fillRect(box, QColor(look.alternate))
    painter.setPen(QColor(look.text))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)


def paint_events(painter: QPainter, events: Sequence[tuple[float, str, str]], base: str, area: QRectF) -> None:
    """Paint labels of a colour at horizontal positions, in pixels; of labels that are close, only the last in the list.

    Parameters
    ----------
    painter : QPainter
    events : sequence of (float, str, str)
        Position, text and colour.
    base : str
        Colour of the background.
    area : QRectF
        Labels are at its upper end, and left of their position where there is no room on the right.
    """
    metrics = QFontMetrics(painter.font())
    taken: list[float] = []
    for x, text, colour in reversed(events):
        if all(abs(x - other) > LABEL_WIDTH for other in taken):
            taken.append(x)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, LABEL_WIDTH - 6)
            width = metrics.horizontalAdvance(shown) + 2
            left = x + 2 if x + 2 + width < area.right() else x - 2 - width
            box = QRectF(left, area.top(), width, TINY + 4)
            painter.fillRect(box, QColor(base))
            painter.setPen(QColor(colour))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), shown)


def paint_spans(painter: QPainter, area: QRectF, spans: Iterable[tuple[float, float, str]]) -> None:
    """Shade intervals of a colour between horizontal positions, in pixels."""
    for begin, end, name in spans:
        left, right = max(begin, area.left()), min(end, area.right())
        if left < right:
            colour = QColor(name)
            painter.fillRect(QRectF(left, area.bottom() - EDGE, right - left, EDGE), colour)
            colour.setAlpha(SHADE)
            painter.fillRect(QRectF(left, area.top(), right - left, area.height()), colour)


def paint_instant(painter: QPainter, look: Theme, x: float, area: QRectF, words: str) -> None:
    """Paint a vertical line at the instant of the cursor, and its time at the lower end."""
    painter.setPen(QColor(look.text))
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    width = QFontMetrics(painter.font()).horizontalAdvance(words) + 8
    left = x if x + width < area.right() else x - width
    box = QRectF(left, area.bottom() - TINY - 6, width, TINY + 6)
    painter.fillRect(box, QColor(look.text))
    painter.setPen(QColor(look.base))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)


def paint_badge(painter: QPainter, look: Theme, area: QRect, words: str) -> None:
    """Paint words at the top, where they hide little of the traces."""
    width = QFontMetrics(painter.font()).horizontalAdvance(words) + 16
    box = QRectF(area.left() + (area.width() - width) / 2, area.top(), width, TINY + 8)
    painter.fillRect(box, QColor(look.highlight))
    painter.setPen(QColor(look.base))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)


def paint_notice(painter: QPainter, look: Theme, area: QRect, words: str, alarming: bool) -> None:
    """Paint words in a box in the middle of the traces; a fault has a red background."""
    painter.setFont(theme.font(painter.font(), HEAD, bold=True))
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    room = QRectF(0, 0, max(1.0, area.width() - 40.0), area.height())
    box = QRectF(painter.fontMetrics().boundingRect(room.toRect(), flags, words)).adjusted(-16, -8, 16, 8)
    box.moveCenter(QPointF(area.left() + area.width() / 2, area.top() + area.height() / 2))
    painter.fillRect(box, QColor(look.bad if alarming else look.alternate))
    painter.setPen(QColor(look.base if alarming else look.text))
    painter.drawRect(box)
    painter.drawText(box, flags, words)

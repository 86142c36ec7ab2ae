"""Level meter in dBFS with peak hold."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import level

#: Lower end of the scale and start of the loud range, dBFS.
FLOOR, LOUD = -60.0, -6.0
#: Hold time of a peak, s, and its decay afterwards, dB/s.
HOLD_S, FALL = 1.5, 20.0


class LevelMeter(QWidget):
    """A horizontal bar.

    Parameters
    ----------
    name : str
        Accessible name.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.colour = ""
        #: Level and peak, dBFS.
        self.level, self.peak = -100.0, -100.0
        self._held = 0.0

    def sizeHint(self) -> QSize:
        return QSize(80, 14)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, 14)

    def show_amplitude(self, amplitude: float) -> None:
        """Show an amplitude from 0 to 1; 0 if nothing is played."""
        now, value = time.monotonic(), level(amplitude)
        fallen = self.peak - FALL * max(0.0, now - self._held - HOLD_S)
        if value >= fallen:
            self._held, self.peak = now, value
        if abs(value - self.level) > 0.2 or fallen < self.peak:
            self.level = value
            self.setAccessibleDescription(f"{value:.0f} dBFS")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        area = QRectF(self.rect()).adjusted(0.5, 1.5, -0.5, -1.5)
        painter.fillRect(area, QColor(look.base))
        fallen = self.peak - FALL * max(0.0, time.monotonic() - self._held - HOLD_S)

        def x(value: float) -> float:
            return area.left() + area.width() * min(max((value - FLOOR) / -FLOOR, 0.0), 1.0)

        painter.fillRect(
            QRectF(area.left(), area.top(), x(self.level) - area.left(), area.height()),
            QColor(self.colour or look.highlight),
        )
        painter.setPen(QColor(look.rule))
        for tick in (-48, -36, -24, -12, LOUD):
            painter.drawLine(int(x(tick)), int(area.bottom()) - 3, int(x(tick)), int(area.bottom()))
        painter.drawRect(area)
        if fallen > FLOOR:
            painter.fillRect(QRectF(x(fallen) - 1, area.top(), 2, area.height()), QColor(look.text))

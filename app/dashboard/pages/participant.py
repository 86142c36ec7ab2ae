"""The listener's screen: the cue and a fixation cross, and nothing that could bias the listener."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QPainter, QPaintEvent, QPen, QScreen
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.data.snapshot import Snapshot

#: Colours in every theme: on dark grey, a cue does not dazzle and its afterimage is faint.
BACKGROUND, INK = "#2a2d31", "#e6e8ea"


class Participant(QWidget):
    """A frameless window that covers one screen."""

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle("Earmark participant")
        self.setAccessibleName("Participant screen")
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.words, self.small = "", ""
        self.cross = True

    def open_on(self, name: str, operator: QScreen) -> None:
        """Cover the screen of that name; if it is not connected, one that the operator does not use."""
        screens = QGuiApplication.screens()
        named = [screen for screen in screens if screen.name() == name]
        others = [screen for screen in screens if screen is not operator]
        screen = (named or others or screens)[0]
        self.setScreen(screen)
        self.setGeometry(screen.geometry())
        if len(screens) > 1:
            self.showFullScreen()
        else:  # leave half of the only screen to the operator
            size = screen.availableGeometry().size() / 2
            self.resize(size)
            self.show()

    def refresh(self, now: Snapshot) -> None:
        """Show the current cue or question."""
        words, small = "", ""
        if now.session_live and now.state in ("calibrating", "running"):
            if now.attend:
                side = now.talkers.index(now.attend) if now.attend in now.talkers else -1
                words = now.attend
                small = "Listen to" if side >= 0 else ""
            elif now.state == "calibrating":
                words = "Rest"
        elif now.session_live and now.state == "paused":
            words = "Pause"
        if now.question and now.session_live:
            words, small = "", now.question
        cross = not now.question
        if (words, small, cross) != (self.words, self.small, self.cross):
            self.words, self.small, self.cross = words, small, cross
            self.setAccessibleDescription(f"{small} {words}".strip())
            self.update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(BACKGROUND))
        centre, unit = QPointF(self.width() / 2, self.height() / 2), min(self.width(), self.height()) / 100
        if self.cross:
            painter.setPen(QPen(QColor(INK), max(2.0, 0.6 * unit)))
            painter.drawLine(centre - QPointF(3 * unit, 0), centre + QPointF(3 * unit, 0))
            painter.drawLine(centre - QPointF(0, 3 * unit), centre + QPointF(0, 3 * unit))
        painter.setPen(QColor(INK))
        for text, size, y, height in ((self.small, 4.0, 18.0, 8.0), (self.words, 9.0, 26.0, 14.0)):
            font = QFont(self.font())
            font.setPixelSize(max(10, round(size * unit)))
            while QFontMetrics(font).horizontalAdvance(text) > 0.94 * self.width() and font.pixelSize() > 10:
                font.setPixelSize(font.pixelSize() - 2)
            painter.setFont(font)
            box = QRectF(0.03 * self.width(), y * self.height() / 100, 0.94 * self.width(), height * unit)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

"""Large buttons with the answers to a question, for mouse, touch and keys."""

from __future__ import annotations

import math
import unicodedata

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QStyle, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.fitted_text import draw_fitted
from earmark.app.looks import DARK, FIGURE

#: Least width and height of a button, 2 cm at 96 dpi; distance between two, in pixels.
LEAST_PX, GAP_PX = 76, 12
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class Answer(QAbstractButton):
    """One answer.

    Parameters
    ----------
    text : str
        The answer.
    key : str
        Digits that choose it.
    """

    def __init__(self, text: str, key: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the screen moves the mark
        #: Digits that choose it; whether the mark is on it; whether it was chosen.
        self.key, self.marked, self.taken = key, False, False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        filled = self.taken or self.isDown()
        painter.setBrush(QColor(DARK.highlight if filled else DARK.button))
        painter.setPen(QPen(QColor(DARK.highlight), 4.0) if self.marked else QPen(QColor(DARK.rule), 1.5))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 8, 8)
        painter.setPen(QColor(DARK.base if filled else DARK.text if self.isEnabled() else DARK.faint))
        box = QRectF(self.rect()).adjusted(8, 6, -8, -6)
        if self.key != self.text():
            draw_fitted(painter, QRectF(box.left(), box.top(), 22, 18), self.key, 13)
            box.setTop(box.top() + 16)
        draw_fitted(painter, box, self.text(), 0.3 * self.height())


class AnswerButtons(QWidget):
    """The answers to a question, of which one can be chosen once.

    Attributes
    ----------
    chosen : Signal(str)
        An answer was chosen.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.buttons: list[Answer] = []
        self._marked, self._typed = -1, ""

    def offer(self, options: tuple[str, ...]) -> None:
        """Show these answers. None is marked, because a mark would suggest an answer."""
        for old in self.buttons:
            old.hide()
            old.deleteLater()
        backwards = any(unicodedata.bidirectional(one[0]) in ("R", "AL") for one in options)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft if backwards else Qt.LayoutDirection.LeftToRight)
        numbers = all(one.isascii() and one.isdecimal() for one in options)
        keys = options if numbers else [str(k) for k in range(1, len(options) + 1)]
        self.buttons = [Answer(text, key, self) for text, key in zip(options, keys, strict=True)]
        self._marked, self._typed = -1, ""
        for k, button in enumerate(self.buttons):
            button.clicked.connect(lambda _=False, k=k: self._choose(k))
            button.show()
        self._arrange()
        self.setVisible(bool(options))

    def allow_again(self) -> None:
        """Let the participant choose again, because the answer did not arrive."""
        for button in self.buttons:
            button.taken = False
            button.setEnabled(True)

    def press(self, event: QKeyEvent) -> bool:
        """Mark or choose an answer by a key; return whether the key does that."""
        key, n = Qt.Key(event.key()), len(self.buttons)
        if not n or not self.buttons[0].isEnabled():
            return False
        if key in _STEPS:
            sideways = key in (Qt.Key.Key_Left, Qt.Key.Key_Right)
            step = _STEPS[key] * (-1 if sideways and self.isRightToLeft() else 1)
            first = 0 if step > 0 else n - 1
            self._mark(first if self._marked < 0 else min(max(self._marked + step, 0), n - 1))
        elif key in _ENTER and self._marked >= 0:
            self._choose(self._marked)
        elif event.text().isascii() and event.text().isdecimal():
            self._type(event.text())
        else:
            return False
        return True

    def _type(self, digit: str) -> None:
        """Choose the answer of a number; one with which a longer number begins needs Enter."""
        keys = [button.key for button in self.buttons]
        self._typed = next((typed for typed in (self._typed + digit, digit) if typed in keys), "")
        if not self._typed:
            return
        k = keys.index(self._typed)
        self._mark(k)
        if sum(key.startswith(self._typed) for key in keys) == 1:
            self._choose(k)

    def _mark(self, k: int) -> None:
        self._marked = k
        for number, button in enumerate(self.buttons):
            button.marked = number == k
            button.update()

    def _choose(self, k: int) -> None:
        self._mark(k)
        self.buttons[k].taken = True
        for button in self.buttons:
            button.setEnabled(False)
        self.chosen.emit(self.buttons[k].text())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Place the buttons in rows of equal length, in reading order."""
        n = len(self.buttons)
        if not n:
            return
        font = theme.font(self.font(), FIGURE)
        longest = max(QFontMetrics(font).horizontalAdvance(button.text()) for button in self.buttons)
        wanted = max(LEAST_PX, longest + 32)
        columns = max(1, min(n, (self.width() + GAP_PX) // (wanted + GAP_PX)))
        while columns < n and math.ceil(n / columns) * (LEAST_PX + GAP_PX) > self.height() + GAP_PX:
            columns += 1  # narrower buttons rather than rows outside the screen
        rows = math.ceil(n / columns)
        columns = math.ceil(n / rows)
        width = min((self.width() + GAP_PX) // columns - GAP_PX, 3 * wanted)
        height = max(LEAST_PX, min((self.height() + GAP_PX) // rows - GAP_PX, self.height() // 3))
        top = max(0, (self.height() + GAP_PX - rows * (height + GAP_PX)) // 2)
        for k, button in enumerate(self.buttons):
            row, column = divmod(k, columns)
            in_row = min(columns, n - row * columns)
            left = (self.width() + GAP_PX - in_row * (width + GAP_PX)) // 2
            place = QRect(left + column * (width + GAP_PX), top + row * (height + GAP_PX), width, height)
            button.setGeometry(QStyle.visualRect(self.layoutDirection(), self.rect(), place))

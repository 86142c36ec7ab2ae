"""The participant's screen: instructions, cues, rests, questions and progress, and nothing that could bias the answers.

The arrow stands in the middle, because one at the side would draw the eyes to the attended talker, and a decoder could
learn eye movements.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QScreen,
)
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QWidget

from earmark.app.dashboard.data.participant_view import Shown, all_words, shown
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame.confirm import confirm
from earmark.app.dashboard.frame.fitted_text import draw_fitted, missing_characters
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.pages.answer_buttons import AnswerButtons
from earmark.app.looks import DARK

#: Colours in every theme: on dark grey, a cue does not dazzle and its afterimage is faint.
BACKGROUND, INK, FAINT = DARK.window, DARK.text, DARK.faint
#: The key that shows and hides the screen; see :data:`earmark.app.dashboard.frame.keys.KEYS`.
WAY_BACK = Qt.Key.Key_F11
COVERS = tr(
    "The participant's screen would cover this window, because it is on the same screen. F11 "
    "brings this window back, Esc mutes as always."
)
#: Number of characters that a message names.
N_NAMED = 20


class Participant(QWidget):
    """A frameless window that covers one screen.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    unreadable : Signal(str)
        Why some texts of the session cannot be shown.
    """

    command_requested = Signal(str, dict)
    unreadable = Signal(str)

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle(tr("Earmark participant"))
        self.setAccessibleName(tr("Participant screen"))
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        #: What it shows.
        self.shown = Shown(cross=True)
        self.answers = AnswerButtons(self)
        self.answers.hide()
        self.answers.chosen.connect(self._answer)
        #: Texts whose characters were checked, and those that no font has.
        self._checked, self._missing = "", list[str]()
        self._operator: QWidget | None = None
        self._asking: QMessageBox | None = None
        #: Whether a question took the keyboard from the operator's window.
        self._took = False
        QGuiApplication.instance().screenRemoved.connect(self._screen_removed)  # type: ignore[union-attr]

    # On which screen

    def open_on(self, name: str, operator: QWidget) -> None:
        """Cover the screen of that name, or else one without the operator's window; ask before covering that window."""
        self._operator, screens = operator, QGuiApplication.screens()
        named = [screen for screen in screens if screen.name() == name]
        others = [screen for screen in screens if screen is not operator.screen()]
        screen = (named or others or screens)[0]
        if screen is not operator.screen():
            self.cover(screen)
        elif self._asking is None:
            self._asking = confirm(
                operator, tr("Participant screen"), COVERS, {tr("Show it"): lambda: self.cover(screen)}
            )
            self._asking.finished.connect(self._asked)

    def _asked(self) -> None:
        self._asking = None

    def cover(self, screen: QScreen) -> None:
        """Cover a screen."""
        elsewhere = self._operator is not None and self._operator.screen() is not screen
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating, elsewhere)  # the operator keeps the keyboard
        self.setScreen(screen)
        self.setGeometry(screen.geometry())
        self.showFullScreen()

    def _screen_removed(self, screen: QScreen) -> None:
        """Hide: the system would move it onto the operator's window."""
        if self.isVisible() and self.screen() is screen:
            self.hide()

    # What it shows

    def refresh(self, now: Snapshot) -> None:
        """Show the current state of the session."""
        self._check_characters(now)
        content = shown(now, self.shown)
        if content == self.shown:
            return
        new = (content.n_asked, content.options) != (self.shown.n_asked, self.shown.options)
        self.shown = content
        self.setAccessibleDescription(f"{content.words} {content.small}".strip())
        if new:
            self.answers.offer(content.options)
            self._move_keyboard()
        self.update()

    def _check_characters(self, now: Snapshot) -> None:
        words = all_words(now)
        if words == self._checked:
            return
        self._checked, missing = words, missing_characters(words, self.font())
        if missing != self._missing and missing:
            named = " ".join(f"{one} (U+{ord(one):04X})" for one in missing[:N_NAMED])
            self.unreadable.emit(
                tr(
                    "No font of this computer has {n} of the characters that the participant's screen has to "
                    "show: {named}{more}. Install a font that has them, such as a Noto font, and start the "
                    "window again.",
                    n=len(missing),
                    named=named,
                    more=" …" if len(missing) > N_NAMED else "",
                )
            )
        self._missing = missing

    def _move_keyboard(self) -> None:
        """Give the keyboard to the participant for an answer, unless the operator is typing; then give it back."""
        if self.shown.options:
            typing = QApplication.focusWidget()
            if not self.isActiveWindow() and not (isinstance(typing, QLineEdit) and typing.text()):
                self._took = True
                self.activateWindow()
        elif self._took:
            self._took = False
            if self._operator is not None and self._operator.screen() is not self.screen():
                self._operator.activateWindow()

    def _answer(self, text: str) -> None:
        self.command_requested.emit("answer", {"text": text, "by": "participant", "asked": self.shown.n_asked})

    # Keys

    def event(self, event: QEvent) -> bool:
        """Keep the keys of the operator's window, such as F2 for solo, from being pressed here by chance."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
            if plain == Qt.KeyboardModifier.NoModifier and event.key() != WAY_BACK:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.answers.press(event):
            super().keyPressEvent(event)

    # Drawing

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.answers.setGeometry(self._box(0.05, 0.38, 0.90, 0.50).toRect())

    def _box(self, left: float, top: float, width: float, height: float) -> QRectF:
        w, h = self.width(), self.height()
        return QRectF(left * w, top * h, width * w, height * h)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, content = QPainter(self), self.shown
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(BACKGROUND))
        painter.setPen(QColor(INK))
        unit = min(self.width(), self.height()) / 100
        if content.n_asked:
            draw_fitted(painter, self._box(0.05, 0.05, 0.90, 0.30), content.words, 6 * unit)
            draw_fitted(painter, self._box(0.10, 0.45, 0.80, 0.20), content.small, 4.5 * unit)
        elif not content.cross:
            draw_fitted(painter, self._box(0.10, 0.08, 0.80, 0.80), content.words, (9 if content.over else 5.5) * unit)
        else:
            draw_fitted(painter, self._box(0.05, 0.05, 0.90, 0.23), content.words, 8 * unit)
            draw_fitted(painter, self._box(0.30, 0.58, 0.40, 0.12), content.small, 6 * unit)
            self._draw_cross(painter, unit)
        self._draw_progress(painter, unit)

    def _draw_cross(self, painter: QPainter, unit: float) -> None:
        painter.setPen(QPen(QColor(INK), max(2.0, 0.6 * unit)))
        painter.save()
        painter.translate(self.width() / 2, self.height() / 2)
        painter.drawLine(QPointF(-3 * unit, 0), QPointF(3 * unit, 0))
        painter.drawLine(QPointF(0, -3 * unit), QPointF(0, 3 * unit))
        if self.shown.arrow is not None:
            painter.translate(0, -13 * unit)
            painter.rotate(self.shown.arrow)
            painter.setPen(QPen(QColor(INK), 1.6 * unit, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawLine(QPointF(0, 6 * unit), QPointF(0, -3 * unit))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(INK))
            painter.drawPolygon(QPolygonF([QPointF(x * unit, y * unit) for x, y in ((0, -7), (3.5, -2), (-3.5, -2))]))
        painter.restore()

    def _draw_progress(self, painter: QPainter, unit: float) -> None:
        block, n = self.shown.block, self.shown.n_blocks
        if not n:
            return
        painter.setPen(QColor(FAINT))
        draw_fitted(painter, self._box(0.30, 0.91, 0.40, 0.04), f"{block} / {n}", 2.6 * unit)
        bar = self._box(0.35, 0.96, 0.30, 0.0)
        bar.setHeight(max(3.0, 0.6 * unit))
        painter.fillRect(bar, QColor(DARK.rule))
        bar.setWidth(bar.width() * min(block / n, 1.0))
        painter.fillRect(bar, QColor(FAINT))

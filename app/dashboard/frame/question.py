"""The question to the listener, and the field for the answer."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLineEdit, QPushButton

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.looks import APART, NEAR, TEXT


class Question(QFrame):
    """Visible while the session waits for an answer; highlighted, with the keyboard focus.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    command_requested = Signal(str, dict)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("question")
        self._n_asked = 0
        self.words = Reading(tr("Question to the listener"))
        theme.resize(self.words, TEXT, bold=True)
        self.answer = QLineEdit()
        self.answer.setAccessibleName(tr("Answer"))
        self.answer.setMaxLength(500)
        self.answer.setPlaceholderText(tr("Answer (Enter sends)"))
        self.send = QPushButton(tr("&Send"))
        self.send.setAccessibleName(tr("Send the answer"))
        self.send.setEnabled(False)
        self.answer.textChanged.connect(lambda text: self.send.setEnabled(bool(text.strip())))
        self.answer.returnPressed.connect(self._answer)
        self.send.clicked.connect(self._answer)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(APART, 0, NEAR, 0)
        layout.addWidget(self.words, 2)
        layout.addWidget(self.answer, 1)
        layout.addWidget(self.send)
        self._style = ""
        self.hide()

    def _answer(self) -> None:
        if text := self.answer.text().strip():
            self.command_requested.emit("answer", {"text": text, "asked": self._n_asked})
            self.answer.clear()

    def refresh(self, now: Snapshot) -> None:
        """Show the current question."""
        question = now.question if now.session_live else ""
        if (question, now.n_asked) != (self.words.full_text, self._n_asked):
            self._n_asked = now.n_asked
            self.words.show_text(question)
            self.answer.clear()  # the text was meant for another question
            if question and self.isVisible():
                self._take_keyboard()
        look = theme.of(self.window())
        style = (
            f"#question {{ background: {look.highlight}; border-radius: 4px; }} "
            f"#question QLabel {{ color: {look.base}; }}"
        )
        if style != self._style:
            self._style = style
            self.setStyleSheet(style)
        self.setVisible(bool(question))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take_keyboard()

    def _take_keyboard(self) -> None:
        """Move the keyboard focus to the answer, unless the operator is typing in another field."""
        busy = QApplication.focusWidget()
        if not (isinstance(busy, QLineEdit) and busy is not self.answer and busy.text()):
            self.answer.setFocus(Qt.FocusReason.OtherFocusReason)

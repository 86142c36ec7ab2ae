"""What the listener is asked, and the answer to it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from app.dashboard.panel import Reading
from app.dashboard.snapshot import Snapshot


class Question(QWidget):
    """There while something is asked.

    Attributes
    ----------
    asked : Signal(str, dict)
        Somebody wants a command sent.
    """

    asked = Signal(str, dict)

    def __init__(self) -> None:
        super().__init__()
        self.words = Reading("Question")
        font = self.words.font()
        font.setBold(True)
        self.words.setFont(font)
        self.answer = QLineEdit()
        self.answer.setAccessibleName("Answer")
        self.answer.setMaxLength(500)
        self.answer.setPlaceholderText("Answer, Enter sends it")
        self.answer.returnPressed.connect(self._answer)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words, 2)
        layout.addWidget(self.answer, 1)
        self.hide()

    def _answer(self) -> None:
        if text := self.answer.text().strip():
            self.asked.emit("answer", {"text": text})
            self.answer.clear()

    def look(self, now: Snapshot) -> None:
        """Show what is asked now."""
        question = now.question if now.session_live else ""
        if question != self.words.said:
            self.words.say(question)
            self.answer.clear()  # what was begun was for another question
        self.setVisible(bool(question))

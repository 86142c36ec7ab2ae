"""Page: ways to start or open a session."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from earmark.app.dashboard.panels.panel import Reading

CHOICES = (
    ("demo", "Try the &demo", "A simulated listener steers two voices. No hardware; about three minutes."),
    (
        "connect",
        "&Connect to a stream",
        "Choose the amplifier among the LSL streams, or open an existing session.toml.",
    ),
    ("replay", "Re&play a recording", "See and hear a recorded run again, then score its decisions against its cues."),
    ("reopen", "Reopen the &last session", "Open the last session again; it may still be running."),
)


class Start(QWidget):
    """The start page.

    Attributes
    ----------
    chosen : Signal(str)
        ``demo``, ``connect``, ``replay`` or ``reopen``.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        title, subtitle = QLabel("Earmark"), QLabel("Real-time brain-steered listening. Research use only.")
        font = title.font()
        font.setPixelSize(30)
        font.setBold(True)
        title.setFont(font)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        self.buttons: dict[str, QPushButton] = {}
        for row, (key, words, about) in enumerate(CHOICES):
            button = QPushButton(words)
            button.setAccessibleName(words.replace("&", ""))
            button.setAccessibleDescription(about)
            button.setMinimumSize(220, 44)
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            label = QLabel(about)
            label.setWordWrap(True)
            grid.addWidget(button, row, 0)
            grid.addWidget(label, row, 1)
            self.buttons[key] = button
        grid.setColumnStretch(1, 1)
        self.words = Reading("Progress")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(40, 20, 40, 20)
        layout.addStretch(1)
        layout.addWidget(title)
        layout.addWidget(subtitle)
        layout.addSpacing(16)
        layout.addLayout(grid)
        layout.addSpacing(16)
        layout.addWidget(self.words)
        layout.addStretch(2)
        layout.setAlignment(Qt.AlignmentFlag.AlignLeft)

    def show_message(self, text: str, busy: bool = False) -> None:
        """Show a message; ``busy`` disables the buttons."""
        self.words.show_text(text)
        for button in self.buttons.values():
            button.setEnabled(not busy)

"""List of all keys over the window. It is a child widget, so that it can be closed without a window manager."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from earmark.app.dashboard.frame.keys import KEYS

#: Number of columns, so that all keys fit into a height of 720 pixels.
COLUMNS = 3
HINT = "Esc only mutes: it does not close this list. Press ? again, or click anywhere else."


class KeysHelp(QFrame):
    """The list of keys. A click outside has its usual effect and also closes the list."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("Keys")
        self.setFrameShape(QFrame.Shape.Box)
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # a click here must not reach the widget below
        self._focused: QWidget | None = None
        grid = QGridLayout()
        grid.setVerticalSpacing(3)
        grid.setHorizontalSpacing(12)
        rows = [(key.keys, key.words.replace("&", "")) for key in KEYS.values()]
        rows += [
            ("Space", "Freeze, when the traces have the focus"),
            ("← →", "Scroll frozen traces (Shift+wheel)"),
            ("Wheel", "Larger or smaller traces"),
            ("Ctrl+wheel", "Longer or shorter sweep"),
        ]
        height = -(-len(rows) // COLUMNS)
        for i, (keys, words) in enumerate(rows):
            label = QLabel(keys)
            font = label.font()
            font.setBold(True)
            label.setFont(font)
            grid.addWidget(label, i % height, 2 * (i // height))
            grid.addWidget(QLabel(words), i % height, 2 * (i // height) + 1)
        self.close_button = QPushButton("Close")
        self.close_button.setAccessibleName("Close the list of keys")
        self.close_button.clicked.connect(self.hide)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.addLayout(grid)
        layout.addSpacing(6)
        layout.addWidget(QLabel(HINT))
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        self.hide()

    def toggle(self) -> None:
        """Show the list in the middle of the window, or hide it."""
        if self.isVisible():
            self.hide()
            return
        self._focused = QApplication.focusWidget()
        self.adjustSize()
        self.move(self.window().rect().center() - self.rect().center())
        self.show()
        self.raise_()
        self.close_button.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        if self._focused is not None and self.close_button.hasFocus():
            self._focused.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        pressed = event.type() == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget)
        if pressed and watched is not self and not self.isAncestorOf(watched):  # type: ignore[arg-type]
            self.hide()
        return False

"""List of all keys over the window. It is a child widget, so that it can be closed without a window manager."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.keys import KEYS
from earmark.app.dashboard.language import tr
from earmark.app.looks import APART, PAGE, TEXT, TIGHT

#: Number of columns, so that all keys fit into a height of 720 pixels.
COLUMNS = 3
HINT = tr("Esc only mutes: it does not close this list. Press ? again, or click anywhere else.")


class KeysHelp(QFrame):
    """The list of keys. A click outside has its usual effect and also closes the list."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName(tr("Keys"))
        self.setFrameShape(QFrame.Shape.Box)
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # a click here must not reach the widget below
        self._focused: QWidget | None = None
        grid = QGridLayout()
        grid.setVerticalSpacing(TIGHT)
        grid.setHorizontalSpacing(APART)
        rows = [(key.keys, key.words.replace("&", "")) for key in KEYS.values()]
        rows += [
            (tr("Space"), tr("Freeze, when the traces have the focus")),
            ("← →", tr("Scroll frozen traces (Shift+wheel)")),
            (tr("Wheel"), tr("Larger or smaller traces")),
            (tr("Ctrl+wheel"), tr("Longer or shorter sweep")),
        ]
        height = -(-len(rows) // COLUMNS)
        for i, (keys, words) in enumerate(rows):
            label = QLabel(keys)
            theme.resize(label, TEXT, bold=True)
            grid.addWidget(label, i % height, 2 * (i // height))
            grid.addWidget(QLabel(words), i % height, 2 * (i // height) + 1)
        self.close_button = QPushButton(tr("Close"))
        self.close_button.setAccessibleName(tr("Close the list of keys"))
        self.close_button.clicked.connect(self.hide)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, APART, PAGE, APART)
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

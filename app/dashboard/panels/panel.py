"""What panels of the live page have in common."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from earmark.app.dashboard.data.history import History
from earmark.app.dashboard.data.recent import Recent
from earmark.app.dashboard.data.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see: now, the decisions of the last minute, the signal of the last seconds."""

    now: Snapshot
    history: History
    recent: Recent


class Panel(QWidget):
    """A view of something, in a dock of its own.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        Somebody wants a command sent, with its arguments.
    """

    command_requested = Signal(str, dict)

    #: Words above it, key in the saved layout, and how often a second it is shown anew.
    title, key, hz = "", "", 10.0

    def refresh(self, view: View) -> None:
        """Show what is now; called while the panel is visible only."""
        raise NotImplementedError

    def end(self) -> None:
        """Let go of what would outlive the window."""


class Reading(QLabel):
    """Words or a figure in a place of fixed width: what does not fit is cut, and told when pointed at.

    Parameters
    ----------
    name : str
        What a screen reader calls it.
    sample : str
        The longest text that has to fit; empty takes whatever width there is.
    """

    def __init__(self, name: str, sample: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)  # anybody's text may come here
        self.setAccessibleName(name)
        self._sample, self._name, self._full = sample, name, ""
        policy = QSizePolicy.Policy.Fixed if sample else QSizePolicy.Policy.Ignored
        self.setSizePolicy(policy, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show a text."""
        if text != self._full:
            self._full = text
            self.setAccessibleDescription(text)
            self.setToolTip("" if len(text) < 12 else f"{self._name}: {text}"[:400])
            self._fit()

    @property
    def full_text(self) -> str:
        """The whole text."""
        return self._full

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        if self._sample:
            hint.setWidth(self.fontMetrics().horizontalAdvance(self._sample) + 4)
        return hint

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint() if self._sample else QSize(20, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = max(0, self.contentsRect().width())
        shown = QFontMetrics(self.font()).elidedText(self._full, Qt.TextElideMode.ElideRight, room)
        if shown != self.text():
            self.setText(shown)

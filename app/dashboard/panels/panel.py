"""Base class and shared widgets of the panels."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QListWidget, QSizePolicy, QWidget

from earmark.app.dashboard.data.history import History
from earmark.app.dashboard.data.recent import Recent
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.panels.time_axis import TimeCursor
from earmark.app.looks import APART, LARGE


@dataclass(frozen=True, slots=True)
class View:
    """Data to show: the current snapshot, the history of the last minute, the signal of the last seconds."""

    now: Snapshot
    history: History
    recent: Recent


class Panel(QWidget):
    """Base class of panels, each of which has a dock on the live page.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    command_requested = Signal(str, dict)

    #: Title, key in the saved layout, and refresh rate in Hz.
    title, key, hz = "", "", 10.0

    def refresh(self, view: View) -> None:
        """Show the current data. Called only while the panel is visible."""
        raise NotImplementedError

    def share(self, cursor: TimeCursor) -> None:
        """Show and move the cursor of the page, if the panel has a time axis."""

    def end(self) -> None:
        """Release everything that would outlive the window."""


def decisions_table(view: View | None) -> tuple[list[str], list[list[object]]]:
    """Return the decisions that are shown, as heads and rows."""
    return ([], []) if view is None else view.history.table(view.now.talkers)


class Empty(QLabel):
    """Stands where a page has nothing to show yet, and says what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setEnabled(False)  # in the colour of what is faint
        theme.resize(self, LARGE)

    def stand_for(self, content: QWidget, message: Reading) -> None:
        """Show the message in place of the content, as long as that is hidden."""
        self.setText(message.full_text)
        self.setVisible(content.isHidden())
        policy = message.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # the buttons beside it keep their widths
        message.setSizePolicy(policy)
        message.setVisible(not content.isHidden())


class ListOrHint(QListWidget):
    """List that says in its middle why it is empty, or what to do."""

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            around = self.viewport().rect().adjusted(APART, APART, -APART, -APART)
            painter.drawText(around, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._hint)


class Reading(QLabel):
    """Label of fixed width. Text that does not fit is elided and shown in full as a tool tip.

    Parameters
    ----------
    name : str
        Accessible name.
    sample : str
        Longest text that must fit; empty to take the available width.
    """

    def __init__(self, name: str, sample: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)  # the text may come from outside, such as a stream name
        self.setAccessibleName(name)
        self._sample, self._name, self._full = sample, name, ""
        policy = QSizePolicy.Policy.Fixed if sample else QSizePolicy.Policy.Ignored
        self.setSizePolicy(policy, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show a text."""
        if text != self._full:
            self._full = text
            self.setAccessibleDescription(text)
            self.setToolTip("" if len(text) < 12 else tip(f"{self._name}: {text}"[:400]))
            self._fit()

    @property
    def full_text(self) -> str:
        """The text before it was elided."""
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

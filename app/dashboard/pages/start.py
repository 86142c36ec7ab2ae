"""Page: ways to start or open a session, and the sessions opened last."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.recent_sessions import RecentSessions
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.icons import application_icon
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.pages.new_session import NewSession
from earmark.app.dashboard.panels.panel import ListOrHint, Reading
from earmark.app.looks import APART, NEAR, PAGE, TITLE

CHOICES = (
    ("new", tr("&New session"), tr("Participant, amplifier, talkers, sound and protocol, in one form.")),
    (
        "connect",
        tr("&Connect to a stream"),
        tr("See the signal of an amplifier at once: nothing is recorded. Or open a session.toml."),
    ),
    ("replay", tr("Re&play a recording"), tr("See and hear a recorded run again, then score it.")),
    ("demo", tr("Try the &demo"), tr("A simulated listener steers two voices. No hardware; about three minutes.")),
    (
        "look",
        tr("&Open a recording to look at"),
        tr("Traces, streams and markers of any XDF, FIF, EDF, BDF or BrainVision file."),
    ),
    ("reopen", tr("Reopen the &last session"), tr("Open the last session again; it may still be running.")),
)
#: Shown instead of the recent sessions before the first one.
EMPTY = tr("No session was opened yet. Make one, or drop a session.toml or a folder onto this window.")


class RecentList(ListOrHint):
    """The sessions opened last; Delete removes one from the list.

    Attributes
    ----------
    opened : Signal(object)
        A session is to be opened: its folder.
    """

    opened = Signal(object)

    def __init__(self) -> None:
        super().__init__(EMPTY)
        self.setAccessibleName(tr("Recent sessions"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(True)
        self.setAlternatingRowColors(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemActivated.connect(self._open)
        self._recent: RecentSessions | None = None

    def show_sessions(self, recent: RecentSessions) -> None:
        """List the sessions; those whose folder is gone are grey."""
        self._recent = recent
        self.clear()
        for folder, words in recent.all.items():
            there = os.path.isdir(folder)  # False, where Path.is_dir fails: a share that is gone
            about = words or (tr("No run was scored yet") if there else "")
            item = QListWidgetItem(
                f"{folder}\n{about if there else tr('Not found: removed, renamed, or on another disk')}"
            )
            item.setData(Qt.ItemDataRole.UserRole, str(folder))
            item.setToolTip(tip(tr("{folder}: Enter opens it, Delete removes it from this list", folder=folder)))
            if not there:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                item.setForeground(self.palette().placeholderText())
            self.addItem(item)

    def _open(self, item: QListWidgetItem) -> None:
        self.opened.emit(Path(item.data(Qt.ItemDataRole.UserRole)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and item is not None:
            self.remove_current()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and item is not None:
            self._open(item)
        else:
            super().keyPressEvent(event)

    def remove_current(self) -> None:
        """Remove the selected session from the list."""
        item, row = self.currentItem(), self.currentRow()
        if item is not None and self._recent is not None:
            self._recent.remove(Path(item.data(Qt.ItemDataRole.UserRole)))
            self.show_sessions(self._recent)
            self.setCurrentRow(min(row, self.count() - 1))


class Start(QWidget):
    """The start page.

    Attributes
    ----------
    chosen : Signal(str)
        ``new``, ``connect``, ``replay``, ``look``, ``demo`` or ``reopen``.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        title, subtitle = QLabel("Earmark"), QLabel()
        subtitle.setText(
            tr("Real-time brain-steered listening. Research use only. Version {version}.", version=version("earmark"))
        )
        theme.resize(title, TITLE, bold=True)
        picture, head = QLabel(), QHBoxLayout()
        picture.setPixmap(application_icon().pixmap(52, 52))
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(title)
        names.addWidget(subtitle)
        head.addWidget(picture)
        head.addSpacing(8)
        head.addLayout(names, 1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(APART)
        grid.setVerticalSpacing(APART)
        self.buttons: dict[str, QPushButton] = {}
        for row, (key, words, about) in enumerate(CHOICES):
            button = QPushButton(words)
            button.setAccessibleName(words.replace("&", ""))
            button.setAccessibleDescription(about)
            button.setMinimumSize(200, 44)
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            label = QLabel(about)
            label.setWordWrap(True)
            grid.addWidget(button, row, 0)
            grid.addWidget(label, row, 1)
            self.buttons[key] = button
        grid.setColumnStretch(1, 1)
        self.recent, self._remove = RecentList(), QPushButton(tr("Re&move from the list"))
        self._remove.setAccessibleName(tr("Remove the selected session from the list; its files stay"))
        self._remove.clicked.connect(self.recent.remove_current)
        self.recent.currentItemChanged.connect(lambda item, _: self._remove.setEnabled(item is not None))
        self._remove.setEnabled(False)
        recent = QVBoxLayout()
        recent.setSpacing(NEAR)
        recent.addWidget(QLabel(tr("Recent sessions")))
        recent.addWidget(self.recent, 1)
        recent.addWidget(self._remove, 0, Qt.AlignmentFlag.AlignLeft)
        left = QVBoxLayout()
        left.addLayout(grid)
        left.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(PAGE)
        middle.addLayout(left, 1)
        middle.addLayout(recent, 1)
        self.words = Reading(tr("Progress"))
        choices = QWidget()
        layout = QVBoxLayout(choices)
        layout.setContentsMargins(2 * PAGE, PAGE, 2 * PAGE, PAGE)
        layout.addLayout(head)
        layout.addSpacing(12)
        layout.addLayout(middle, 1)
        layout.addWidget(self.words)
        self.form = NewSession()
        self.form.cancelled.connect(self.close_form)
        self._pages = QStackedWidget()
        self._pages.addWidget(choices)
        self._pages.addWidget(self.form)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    def open_form(self, base: Path, stream: dict[str, Any] | None = None) -> None:
        """Show the form of a new session; ``base`` is the folder of the study, ``stream`` an amplifier chosen."""
        self._pages.setCurrentWidget(self.form)
        self.form.open(base, stream)

    def close_form(self) -> None:
        """Show the choices."""
        self._pages.setCurrentIndex(0)
        self.words.show_text("")

    def show_message(self, text: str, busy: bool = False) -> None:
        """Show a message; ``busy`` disables the buttons."""
        self.words.show_text(text)
        self.form.say(text, busy)
        for button in self.buttons.values():
            button.setEnabled(not busy)

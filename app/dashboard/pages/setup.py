"""Page: the electrodes, the streams and the checks of a session."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.fitting import Fitting
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.dashboard.panels.streams import Streams
from earmark.app.looks import APART, HEAD, NEAR, PAGE
from earmark.app.status import Check


class Setup(Panel):
    """The setup page.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    page_requested : Signal(str)
        The page to show.
    """

    page_requested = Signal(str)
    title, key, hz = tr("Setup"), "setup", 4.0

    def __init__(self) -> None:
        super().__init__()
        title = QLabel(tr("Before the session"))
        theme.resize(title, HEAD, bold=True)
        self._where = Reading(tr("Folder of the recordings"))
        self.streams = Streams()
        self.streams.setMinimumHeight(120)
        self.fitting = Fitting()
        self.fitting.command_requested.connect(self.command_requested)
        self._list = QVBoxLayout()
        self._list.setSpacing(NEAR)
        self._summary = Reading(tr("Result of the checks"))
        self.check = QPushButton(tr("&Check everything"))
        self.calibrate = QPushButton(tr("Go to c&alibration"))
        self.run = QPushButton(tr("Go to the &run"))
        for button, words in (
            (self.check, tr("Check streams, electrodes, sound, disk and decoder (F7)")),
            (self.calibrate, tr("Calibrate: record trials with cues, then train a decoder")),
            (self.run, tr("Run: close the loop with the decoder of this session")),
        ):
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.setEnabled(False)  # until the first snapshot
        self.check.clicked.connect(lambda: self.command_requested.emit("check", {}))
        self.calibrate.clicked.connect(lambda: self.page_requested.emit("calibrate"))
        self.run.clicked.connect(lambda: self.page_requested.emit("live"))
        inside = QWidget()
        inside.setLayout(self._list)
        self._list.setAlignment(Qt.AlignmentFlag.AlignTop)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setAccessibleName(tr("Checks"))
        area.setWidget(inside)
        buttons = QHBoxLayout()
        for button in (self.check, self.calibrate, self.run):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, APART, PAGE, APART)
        layout.addWidget(title)
        layout.addWidget(self._where)
        right = QVBoxLayout()
        right.addWidget(self.streams, 1)
        right.addWidget(self._summary)
        right.addWidget(area, 2)
        middle = QHBoxLayout()
        middle.setSpacing(APART)
        middle.addWidget(self.fitting, 3)
        middle.addLayout(right, 2)
        layout.addLayout(middle, 1)
        layout.addLayout(buttons)
        self._shown: object = None

    def refresh(self, view: View) -> None:
        now = view.now
        self.streams.refresh(view)
        self.fitting.refresh(view)
        where = (
            tr("Recordings go to {out}", out=now.out)
            if now.out
            else tr("No session yet: start one on the start page (Ctrl+0)")
        )
        only = {
            "replay": tr("A replay: nothing is recorded"),
            "view": tr("Only this stream is shown: nothing is recorded"),
        }
        self._where.show_text(only.get(now.kind, where))
        live = now.session_live
        self.check.setEnabled(live and now.state in ("idle", "ready", "review") and now.supports("check"))
        self.calibrate.setEnabled(live and now.supports("calibrate"))
        self.run.setEnabled(live and now.supports("run"))
        due = [check.what for check in now.checks if check.due]
        wrong = [check.what for check in now.checks if not check.ok and not check.due]
        shown = (now.checks, now.state == "checking", theme.of(self).name)
        if shown == self._shown:
            return
        self._shown = shown
        if now.state == "checking":
            self._summary.show_text(tr("Checking: this takes some seconds"))
        elif not now.checks:
            self._summary.show_text(tr("Not checked yet"))
        else:
            fine = tr("Next step: calibrate") if due == ["decoder"] else tr("All checks passed")
            self._summary.show_text(tr("To be fixed: {names}", names=", ".join(wrong)) if wrong else fine)
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for check in now.checks:
            self._list.addWidget(self._line(check))

    def end(self) -> None:
        self.fitting.end()

    def _line(self, check: Check) -> QWidget:
        look = theme.of(self)
        mark, word = ("✓", tr("ok")) if check.ok else ("○", tr("to do")) if check.due else ("✕", tr("FAILED"))
        label = QLabel(f"{mark}  {word}    {check.what}: {check.words}")
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setAccessibleName(f"{check.what}, {word.lower()}")
        label.setStyleSheet(f"color: {look.text if check.ok or check.due else look.bad}; padding: 3px;")
        return label

"""The next step of the session, as one button at the same place on every page."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QSizePolicy

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.keys import KEYS, PAGES
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.session.next_step import Do, Folder, Step, next_step

if TYPE_CHECKING:
    from earmark.app.dashboard.frame.window import Window

#: Largest width, in pixels: longer words are elided and shown in full as a tool tip.
MAX_PX = 480
#: The page of each step, and the command that does it; steps without a command are done by looking or typing there.
WHERE: dict[Do, tuple[str, str]] = {
    Do.NEW: ("start", ""),
    Do.START: ("start", ""),
    Do.FIT: ("setup", ""),
    Do.CHECK: ("setup", "check"),
    Do.CALIBRATE: ("calibrate", "calibrate"),
    Do.FINISH: ("calibrate", "finish"),
    Do.TRAIN: ("calibrate", "accept"),
    Do.DISCARD: ("calibrate", "refuse"),
    Do.ANSWER: ("live", ""),
    Do.RUN: ("live", "run"),
    Do.RESUME: ("live", "resume"),
    Do.RESULT: ("review", ""),
}
#: Steps that begin or end a recording, or lose something: their page is shown first, and the next click does them.
LOOK_FIRST = (Do.CALIBRATE, Do.FINISH, Do.DISCARD, Do.RUN)
#: Page of everything that must be fixed.
FAULTS = "setup"


class NextButton(QPushButton):
    """Shows the next step, highlighted; or, not highlighted, what must be fixed or what the session does now."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self.step = Step("")
        self._seen: set[Do] = set()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(MAX_PX)
        self.setAccessibleName(tr("Next step"))
        self.clicked.connect(self.follow)

    def forget(self) -> None:
        """Begin with another session."""
        self._seen.clear()

    def refresh(self) -> None:
        """Show what comes next now."""
        window = self._window
        now, review = window.now, window.review
        if now.state in ("calibrating", "running"):
            self._seen.clear()
        if window.setup.isVisible() and now.engine_live and now.ch_names:
            self._seen.add(Do.FIT)
        if review.isVisible() and review.settled:
            self._seen.add(Do.RESULT)
        form = window.start.form
        if window.launcher.starting:
            self._show(Step(tr("starting the session")))
        elif form.isVisible():
            wrong = form.problem
            done = Step(tr("create and open {name}", name=form.name), Do.NEW)
            self._show(Step(wrong, fault=True) if wrong else done, leads=not wrong)
        elif review.isVisible() and review.busy:
            self._show(Step(tr("scoring the run")))
        elif now.session_live:
            self._show(next_step(*now.records, seen=self._seen))
        elif now.refused or (math.isfinite(now.session_age) and not now.died):
            self._show(Step(now.refused or tr("the session does not respond"), fault=True))
        else:
            file, at = self._session_file, window.folder
            at = at if file is None else file.parent
            folder = None if at is None else Folder(at.name, file is not None, review.recorded)
            self._show(next_step(None, None, folder, self._seen))

    @property
    def _session_file(self) -> Path | None:
        """File of the session that is shown; of a rehearsal, that of the session rehearsed."""
        at = self._window.folder
        places = [] if at is None else [at, at.parent] if at.name.startswith("rehearsal-") else [at]
        return next((place / "session.toml" for place in places if os.path.isfile(place / "session.toml")), None)

    def _show(self, step: Step, leads: bool = True) -> None:
        """Show a step; a fault that does not lead to the setup is fixed on the page that is shown."""
        fault = f"QPushButton {{ color: {theme.of(self.window()).bad}; }}"
        if not step.fault:
            theme.mark(self, step.do is not None)
        elif self.styleSheet() != fault:
            self.setStyleSheet(fault)
        if step == self.step:
            return
        self.step = step
        self.setEnabled(leads and (step.do is not None or step.fault))
        sentence = _sentence(step)
        self.setText(self.fontMetrics().elidedText(sentence, Qt.TextElideMode.ElideRight, MAX_PX - 40))
        self.setToolTip(tip(f"{sentence} ({KEYS['next'].keys})"))
        self.setAccessibleDescription(sentence)

    def follow(self) -> None:
        """Do the step, or show the page where it is done."""
        window, do = self._window, self.step.do
        if do is None:
            if self.step.fault:
                window.go(FAULTS)
            return
        page, command = WHERE[do]
        if do is Do.ANSWER and window.calibration.isVisible():
            page = "calibrate"
        there, form = PAGES[window.pages.currentIndex()] == page, window.start.form
        filled_in = form.isVisible()
        window.go(page)
        if do is Do.START and self._session_file is not None:
            window.launcher.session(self._session_file)
        elif do is Do.NEW:
            if filled_in:
                form.make.click()
            elif not form.isVisible():  # a form that was left open is looked at first
                window.start.buttons["new"].click()
        elif do is Do.ANSWER:
            (window.calibration if page == "calibrate" else window.live.controls).question.answer.setFocus()
        elif do is Do.RUN and there:
            window.live.controls.run.click()
        elif do is Do.RESULT:
            window.show_result()
        elif command and (there or do not in LOOK_FIRST):
            window.send(command)


def _sentence(step: Step) -> str:
    """Return a step as a line of text; the status of a stream is a code, and becomes a word."""
    words = {key: word(str(value)) for key, value in step.values.items() if key == "status"}
    return replace(step, values=step.values | words).line(tr)

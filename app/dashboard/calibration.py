"""Page: from the first trial to a decoder, step by step along the session's states."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from app.dashboard import theme
from app.dashboard.figures import clock, count, letter, percent
from app.dashboard.panel import Panel, Reading, View
from app.dashboard.question import Question
from app.dashboard.snapshot import Snapshot

STEPS = ("1  Check", "2  Trials", "3  Decoder", "4  Keep it")


class Calibration(Panel):
    """The wizard."""

    title, key, hz = "Calibrate", "calibrate", 8.0

    def __init__(self) -> None:
        super().__init__()
        self._steps = [QLabel(words) for words in STEPS]
        self._advice = QLabel()
        self._advice.setWordWrap(True)
        self._advice.setTextFormat(Qt.TextFormat.PlainText)
        self._cue = Reading("Cue to the listener")
        font = self._cue.font()
        font.setPixelSize(40)
        font.setBold(True)
        self._cue.setFont(font)
        self._cue.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._trial = Reading("Trial")
        self._trial.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress of the calibration")
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        keeps = self._progress.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(keeps)
        self._channels = Reading("Good channels")
        self._channels.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.question = Question()
        self.question.asked.connect(self.asked)
        self._facts = QGridLayout()
        self.begin, self.redo = QPushButton("&Begin"), QPushButton("Redo &trial")
        self.stop, self.accept, self.refuse = (
            QPushButton("&Stop"),
            QPushButton("&Make the decoder"),
            QPushButton("Re&fuse it"),
        )
        for button, words, command in (
            (self.begin, "Begin the calibration", "calibrate"),
            (self.redo, "Redo the trial under way, or else the last one, in the end", "redo"),
            (self.stop, "Stop the calibration", "stop"),
            (self.accept, "Make a decoder of the calibration", "accept"),
            (self.refuse, "Refuse the decoder; the recording stays", "refuse"),
        ):
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.setEnabled(False)  # until more is known
            button.clicked.connect(lambda _=False, command=command: self._ask(command))
        self._drawn: object = None
        self._lay_out()

    def _lay_out(self) -> None:
        steps = QHBoxLayout()
        for label in self._steps:
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setFrameShape(QFrame.Shape.StyledPanel)
            label.setContentsMargins(6, 4, 6, 4)
            steps.addWidget(label)
        buttons = QHBoxLayout()
        for button in (self.begin, self.redo, self.stop, self.accept, self.refuse):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.addLayout(steps)
        layout.addWidget(self._advice)
        layout.addStretch(1)
        layout.addWidget(self._cue)
        layout.addWidget(self._trial)
        layout.addWidget(self._progress)
        layout.addWidget(self._channels)
        layout.addStretch(1)
        layout.addWidget(self.question)
        layout.addLayout(self._facts)
        layout.addStretch(1)
        layout.addLayout(buttons)

    def _ask(self, command: str) -> None:
        self.asked.emit(command, {})

    def look(self, view: View) -> None:
        now = view.now
        live, state = now.session_live, now.state
        calibrating = live and state == "calibrating"
        self.begin.setEnabled(live and state in ("idle", "ready", "review") and now.can("calibrate"))
        self.redo.setEnabled(calibrating and not now.complete)
        self.stop.setEnabled(calibrating and not now.complete)
        self.accept.setEnabled(calibrating and now.complete)
        self.refuse.setEnabled(live and state == "ready" and now.accuracy is not None)
        step, advice = self._where(now)
        self._advice.setText(advice)
        self._look_steps(step)
        self._look_trial(now, calibrating)
        self.question.look(now)
        facts = now.accuracy
        if facts != self._drawn:
            self._drawn = facts
            self._look_facts(now)

    def _where(self, now: Snapshot) -> tuple[int, str]:
        """Step, -1 for none of them, and advice."""
        if not now.session_live:
            return 0, "No session: begin on the start page (Ctrl+0)."
        if not now.can("calibrate"):
            return -1, "A replay: there is nobody to calibrate with."
        if now.failure:
            return 0, now.failure
        match now.state:
            case "checking":
                return 0, "Looking at streams, electrodes, sound and disk …"
            case "calibrating" if now.complete:
                return 2, "All trials are recorded. Make a decoder of them: that takes some seconds."
            case "calibrating":
                return 1, "The listener attends to whom the cue names. Everything is recorded."
            case "ready":
                return 3, "There is a decoder. Its accuracy is cross-validated: no trial was judged by what saw it."
            case "idle" if now.decoder:
                return 0, "There is a decoder already: it is never overwritten. Choose another folder for another one."
            case "running" | "paused":
                return -1, "A run is under way: calibrate before or after it."
        return 0, "Trials with cues, from which a decoder of this listener is made. Everything is checked first."

    def _look_steps(self, now: int) -> None:
        look = theme.of(self)
        for k, label in enumerate(self._steps):
            here = k == now
            style = f"background: {look.highlight}; color: {look.base}; font-weight: bold;" if here else ""
            words = f"▶ {STEPS[k]}" if here else f"✓ {STEPS[k]}" if k < now else STEPS[k]
            if label.text() != words or label.styleSheet() != style:
                label.setText(words)
                label.setStyleSheet(style)

    def _look_trial(self, now: Snapshot, calibrating: bool) -> None:
        look = theme.of(self)
        colour = look.text
        if calibrating and now.attend in now.talkers:
            k = now.talkers.index(now.attend)
            colour = look.talkers[k]
            self._cue.say(f"{letter(k)}  attend to {now.attend}")
        else:
            self._cue.say("rest" if calibrating else "")
        style = f"color: {colour};"
        if self._cue.styleSheet() != style:
            self._cue.setStyleSheet(style)
        self._progress.setVisible(calibrating)
        if not calibrating:
            for reading in (self._trial, self._channels):
                reading.say("")
            return
        block = f"block {now.block} of {now.n_blocks}, " if now.n_blocks > 0 else ""
        left = f", {now.next_cue_s:.0f} s to the next cue" if math.isfinite(now.next_cue_s) else ""
        timed = f"{block}{clock(now.elapsed)} of {clock(now.seconds)}{left}"
        self._trial.say(now.waiting or (timed if now.recording_now and math.isfinite(now.elapsed) else "starting"))
        done = now.elapsed / now.seconds if now.seconds > 0 and math.isfinite(now.elapsed) else 0.0
        self._progress.setValue(int(1000 * min(done, 1.0)))
        n = len(now.ch_names)
        self._channels.say(f"{n - len(now.bad)} of {n} channels good" if n else "")

    def _look_facts(self, now: Snapshot) -> None:
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        one = now.accuracy
        if one is None:
            return
        decisions = f"{percent(one.accuracy)} of {count(one.n)} decisions were right, cross-validated"
        rows = (
            ("accuracy", decisions),
            ("guessing reaches", percent(one.chance)),
            ("trained on", f"{clock(one.seconds)} min"),
        )
        for row, (key, words) in enumerate(rows):
            for column, text in enumerate((key, words)):
                label = QLabel(text)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setWordWrap(True)
                self._facts.addWidget(label, row, column)
        self._facts.setColumnStretch(1, 1)

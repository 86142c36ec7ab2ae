"""Page: the calibration in four steps, from the checks to an accepted decoder."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import clock, count, letter, percent
from earmark.app.dashboard.frame.question import Question
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.learning import Learning
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.looks import APART, DISPLAY, NEAR, PAGE
from earmark.app.training.worth import again_words, learning_words, no_better, share

STEPS = (tr("1  Check"), tr("2  Trials"), tr("3  Decoder"), tr("4  Accept"))


class Calibration(Panel):
    """The calibration page.

    Attributes
    ----------
    page_requested : Signal(str)
        The page to show.
    """

    page_requested = Signal(str)
    title, key, hz = tr("Calibrate"), "calibrate", 8.0

    def __init__(self) -> None:
        super().__init__()
        self._steps = [QLabel(words) for words in STEPS]
        self._advice = QLabel()
        self._advice.setWordWrap(True)
        self._advice.setTextFormat(Qt.TextFormat.PlainText)
        self._cue = Reading(tr("Cue to the listener"))
        theme.resize(self._cue, DISPLAY, bold=True)
        self._cue.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._trial = Reading(tr("Trial"))
        self._trial.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._progress = QProgressBar()
        self._progress.setAccessibleName(tr("Progress of the calibration"))
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        keeps = self._progress.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(keeps)
        self._channels = Reading(tr("Good channels"))
        self._channels.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._so_far = Reading(tr("Accuracy so far"))
        self._so_far.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._curve = Learning()
        self.question = Question()
        self.question.command_requested.connect(self.command_requested)
        self._facts = QGridLayout()
        self.begin, self.redo = QPushButton(tr("&Begin")), QPushButton(tr("Redo &trial"))
        self.finish = QPushButton(tr("&Finish after this trial"))
        self.stop, self.accept, self.refuse = (
            QPushButton(tr("&Stop")),
            QPushButton(tr("&Train the decoder")),
            QPushButton(tr("&Discard the decoder")),
        )
        self.keep = QPushButton(tr("&Accept: go to the run"))
        for button, words, command in (
            (self.begin, tr("Begin the calibration"), "calibrate"),
            (self.redo, tr("Discard the current or the last trial, and repeat it at the end"), "redo"),
            (
                self.finish,
                tr("End after the current trial; then a decoder can be trained on the trials so far"),
                "finish",
            ),
            (self.stop, tr("Stop the calibration"), "stop"),
            (self.accept, tr("Train a decoder on this calibration"), "accept"),
            (self.keep, tr("Accept the decoder and go to the run"), ""),
            (self.refuse, tr("Discard the decoder; the recording is kept"), "refuse"),
        ):
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.setEnabled(False)  # until the first snapshot
            if command:
                button.clicked.connect(lambda _=False, command=command: self._ask(command))
        self.keep.clicked.connect(lambda: self.page_requested.emit("live"))
        self._drawn = repr(None)
        self._lay_out()

    def _lay_out(self) -> None:
        steps = QHBoxLayout()
        for label in self._steps:
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setFrameShape(QFrame.Shape.StyledPanel)
            label.setContentsMargins(NEAR, NEAR, NEAR, NEAR)
            steps.addWidget(label)
        buttons = QHBoxLayout()
        for button in (self.begin, self.redo, self.finish, self.stop, self.accept, self.keep, self.refuse):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, APART, PAGE, APART)
        layout.addLayout(steps)
        layout.addWidget(self._advice)
        layout.addStretch(1)
        layout.addWidget(self._cue)
        layout.addWidget(self._trial)
        layout.addWidget(self._progress)
        layout.addWidget(self._channels)
        layout.addWidget(self._so_far)
        layout.addWidget(self._curve)
        layout.addStretch(1)
        layout.addWidget(self.question)
        layout.addLayout(self._facts)
        layout.addStretch(1)
        layout.addLayout(buttons)

    def _ask(self, command: str) -> None:
        self.command_requested.emit(command, {})

    def refresh(self, view: View) -> None:
        now = view.now
        live, state = now.session_live, now.state
        calibrating = live and state == "calibrating"
        free = live and state in ("idle", "ready", "review") and now.supports("calibrate")
        self.begin.setEnabled(free and not now.trained)
        self.redo.setEnabled(calibrating and not now.complete)
        self.finish.setEnabled(calibrating and not now.complete and now.supports("finish") and len(now.learning) > 0)
        self.stop.setEnabled(calibrating and not now.complete)
        self.accept.setEnabled(calibrating and now.complete)
        self.keep.setEnabled(live and state in ("idle", "ready", "review") and now.decoder)
        self.refuse.setEnabled(live and state == "ready" and now.decoder_summary is not None)
        summary = now.decoder_summary
        points = now.learning if calibrating else ()
        self._so_far.show_text(learning_words(points[-1], tr) if points else "")
        self._curve.show_points(points)
        step, advice = self._where(now)
        self._advice.setText(advice)
        self._refresh_steps(step)
        self._refresh_trial(now, calibrating)
        self.question.refresh(now)
        if repr(summary) != self._drawn:  # compared as text because NaN is not equal to itself
            self._drawn = repr(summary)
            self._show_decoder(now)

    def _where(self, now: Snapshot) -> tuple[int, str]:
        """Return the current step (-1 for none) and the advice to show."""
        if not now.session_live:
            return 0, tr("No session: start one on the start page (Ctrl+0).")
        if not now.supports("calibrate"):
            if now.kind == "demo":
                return -1, tr("The demo calibrates by itself.")
            if now.kind == "view":
                return -1, tr("Only this stream is shown: make a session of it to calibrate (Ctrl+Return).")
            return -1, tr("A replay cannot be calibrated.")
        if now.failure and now.state in ("idle", "review"):
            return 0, now.failure
        match now.state:
            case "checking":
                return 0, tr("Checking streams, electrodes, sound and disk …")
            case "calibrating" if now.complete:
                return 2, tr("All trials are recorded. Now train a decoder: this takes from seconds to a minute.")
            case "calibrating" if now.question:
                return 1, tr("The session waits for the answer to a question, on the participant's screen or below.")
            case "calibrating":
                return 1, tr("The listener attends to the talker named by the cue. Everything is recorded.")
            case "training":
                return 2, tr("Training and cross-validating the decoder: this takes from seconds to a minute.")
            case "ready" if now.decoder_summary is not None:
                return 3, tr("The decoder is trained. Each trial was tested with a decoder that had not seen it.")
            case "idle" | "review" if now.trained and now.decoder_summary is not None:
                return (
                    3,
                    tr(
                        "This session has a decoder, which is never overwritten. "
                        "To calibrate again, check everything (F7), then discard the decoder."
                    ),
                )
            case "idle" | "ready" | "review" if now.trained:
                return (
                    3,
                    tr(
                        "This session has a decoder, which is never overwritten. "
                        "To calibrate again, use another folder."
                    ),
                )
            case "running" | "paused":
                return -1, tr("A run is in progress: calibrate before or after it.")
        return 0, tr("Records trials with cues to train a decoder for this listener. All checks run first.")

    def _refresh_steps(self, now: int) -> None:
        look = theme.of(self)
        for k, label in enumerate(self._steps):
            here = k == now
            style = f"background: {look.highlight}; color: {look.base}; font-weight: bold;" if here else ""
            words = f"▶ {STEPS[k]}" if here else f"✓ {STEPS[k]}" if k < now else STEPS[k]
            if label.text() != words or label.styleSheet() != style:
                label.setText(words)
                label.setStyleSheet(style)

    def _refresh_trial(self, now: Snapshot, calibrating: bool) -> None:
        look = theme.of(self)
        colour = look.text
        if calibrating and now.attend in now.talkers:
            k = now.talkers.index(now.attend)
            colour = look.talkers[k]
            self._cue.show_text(tr("{letter}  attend to {attend}", letter=letter(k), attend=now.attend))
        else:
            waits = tr("waiting for an answer") if now.question else tr("done") if now.complete else tr("rest")
            self._cue.show_text(waits if calibrating else "")
        style = f"color: {colour};"
        if self._cue.styleSheet() != style:
            self._cue.setStyleSheet(style)
        training = now.session_live and now.state == "training"
        self._progress.setVisible(calibrating or training)
        self._progress.setRange(0, 0 if training else 1000)  # an empty range shows a busy indicator
        if training:
            self._cue.show_text(tr("training …"))
        if not calibrating:
            for reading in (self._trial, self._channels):
                reading.show_text("")
            return
        block = tr("block {block} of {n_blocks}, ", block=now.block, n_blocks=now.n_blocks) if now.n_blocks > 0 else ""
        left = (
            tr(", {next_cue_s:.0f} s to the next cue", next_cue_s=now.next_cue_s)
            if math.isfinite(now.next_cue_s)
            else ""
        )
        timed = tr(
            "{block}{elapsed} of {seconds}{left}",
            block=block,
            elapsed=clock(now.elapsed),
            seconds=clock(now.seconds),
            left="" if now.question else left,
        )
        self._trial.show_text(
            now.waiting
            or (timed if now.grows and math.isfinite(now.elapsed) else "" if now.complete else tr("starting"))
        )
        done = now.elapsed / now.seconds if now.seconds > 0 and math.isfinite(now.elapsed) else 0.0
        self._progress.setValue(int(1000 * min(done, 1.0)))
        n = len(now.ch_names)
        self._channels.show_text(tr("{n_good} of {n} channels good", n_good=n - len(now.bad), n=n) if n else "")

    def _show_decoder(self, now: Snapshot) -> None:
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        one = now.decoder_summary
        if one is None:
            return
        bad = no_better(one.accuracy, one.chance_limit)
        limit = tr("{limit} (p = 0.05): guessing reaches it one time in twenty", limit=share(one.chance_limit))
        if math.isnan(one.chance_limit):
            limit = tr("too few decisions for a chance limit")
        decisions = tr(
            "{accuracy} of {n} decisions were correct, cross-validated", accuracy=percent(one.accuracy), n=count(one.n)
        )
        rows = (
            (tr("accuracy"), decisions),
            (
                tr("comparison"),
                tr("NO BETTER THAN GUESSING. {again}", again=again_words(tr)) if bad else tr("better than guessing"),
            ),
            (
                tr("chance level"),
                tr("{chance_level}: average accuracy of guessing", chance_level=percent(one.chance_level)),
            ),
            (tr("chance limit"), limit),
            (tr("trained on"), f"{clock(one.seconds)} min"),
            *([(tr("bands"), one.bands)] if one.bands else []),
        )
        for row, (key, words) in enumerate(rows):
            for column, text in enumerate((key, words)):
                label = QLabel(text)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setWordWrap(True)
                if bad and row == 1:
                    label.setStyleSheet(f"color: {theme.of(self).bad}; font-weight: bold;")
                self._facts.addWidget(label, row, column)
        self._facts.setColumnStretch(1, 1)

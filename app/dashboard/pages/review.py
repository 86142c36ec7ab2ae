"""Page: the figures of a recorded run."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, decibels, milliseconds, percent
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.pages.run_plots import RunPlots
from earmark.app.dashboard.panels.panel import Empty, Panel, Reading, View
from earmark.app.engine.timeline import TRIM
from earmark.app.looks import APART, FIGURE, PAGE, TEXT
from earmark.app.training.worth import DecoderScore, RunScore, level_words, limit_words, run_words

#: Messages while no figures are shown: what to do, or why no run can be scored.
NO_RUN = tr("No recorded run yet: calibrate (Ctrl+3), then run (Ctrl+2)")
NO_FOLDER = tr("No session is open: start one, or replay a run, on the start page (Ctrl+0)")
SCORE = tr("Score this run: replays it and compares its decisions with its cues")
BUSY = tr("Runs cannot be scored during checks and recordings: scoring needs a processor core")
ASKED = tr("The run waits for an answer (page Live, Ctrl+2), then it can be scored")
#: Seconds between searches for new runs.
LIST_EVERY_S = 1.0


_IDLE = (NO_RUN, NO_FOLDER, SCORE, BUSY, ASKED)


class Review(Panel):
    """The review page: scores a run, shows its figures, exports them and opens the report.

    Attributes
    ----------
    scored : Signal(Path, str)
        A run was scored: its folder, and a sentence that compares it with guessing.
    """

    scored = Signal(object, str)
    title, key, hz = tr("Review"), "review", 1.0

    def __init__(self) -> None:
        super().__init__()
        self._runs = QComboBox()
        self._runs.setAccessibleName(tr("Run"))
        self._runs.setMinimumContentsLength(14)
        self._runs.currentIndexChanged.connect(self._refresh_run)
        self.score, self.report = QPushButton(tr("&Score this run")), QPushButton(tr("&Report page"))
        self.export, self.folder = QPushButton(tr("&Export figures …")), QPushButton(tr("Open &folder"))
        for button, words, do in (
            (self.score, tr("Replay the run and compare its decisions with its cues"), self._score),
            (self.report, tr("Open report.html of the run; it is created if missing"), self._report),
            (self.export, tr("Save these figures as JSON"), self._export),
            (self.folder, tr("Open the folder of the run"), self._open),
        ):
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.setEnabled(False)  # until the first snapshot
            button.clicked.connect(do)
        self._message = Reading(tr("Progress"))
        self._facts = [(Reading(""), QLabel(), QLabel()) for _ in range(5)]
        self.plots = RunPlots()
        self._stages = QLabel()
        self._stages.setTextFormat(Qt.TextFormat.PlainText)
        self._stages.setWordWrap(True)
        self._stages.setAccessibleName(tr("Accuracy by window, latency and sound"))
        self._words = QLabel()
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setWordWrap(True)
        self._words.setAccessibleName(tr("Result of the run"))
        theme.resize(self._words, TEXT, bold=True)
        self._figures, self._empty = QWidget(), Empty()
        self._listed_at = -math.inf
        self._folder: Path | None = None
        self._followed: Path | None = None  # the folder as it was given
        self._chosen: Path | None = None
        # The run that is being or was scored, and its figures.
        self._scored_run: Path | None = None
        self._result: dict[str, Any] | None = None
        self._job: BackgroundJob | None = None
        #: Whether a replay would disturb checks, a recording or training.
        self._at_stake = False
        #: Whether a run of this session was seen in progress, and the runs that were scored, or could not be.
        self._ran, self._tried = False, set[Path]()
        self._lay_out()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        for widget in (self._runs, self.score, self.report, self.export, self.folder):
            head.addWidget(widget)
        head.addWidget(self._message, 1)
        facts = QGridLayout()
        for column, (name, value, note) in enumerate(self._facts):
            theme.resize(value, FIGURE, bold=True)
            note.setEnabled(False)
            note.setWordWrap(True)
            note.setTextFormat(Qt.TextFormat.PlainText)
            note.setAlignment(Qt.AlignmentFlag.AlignTop)
            facts.addWidget(name, 0, column)
            facts.addWidget(value, 1, column)
            facts.addWidget(note, 2, column)
            facts.setColumnStretch(column, 1)
        figures = QVBoxLayout(self._figures)
        figures.setContentsMargins(0, 0, 0, 0)
        figures.addWidget(self._words)
        figures.addLayout(facts)
        figures.addWidget(self.plots, 1)
        figures.addWidget(self._stages)
        self._figures.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, APART, PAGE, APART)
        layout.addLayout(head)
        layout.addWidget(self._figures, 1)
        layout.addWidget(self._empty, 1)

    def choose(self, run: Path | None) -> None:
        """Select a run, which may belong to another session; None returns to the runs of the open session."""
        self._chosen, self._ran = None if run is None else _real(run), False
        if self._chosen is not None:
            self._followed = None
            self._open_folder(self._chosen.parent)
            self._list_runs()
            self._runs.setCurrentIndex(self._runs.findData(str(self._chosen)))

    def show_run(self, run: Path) -> None:
        """Select a run of the open session, and score it unless that is impossible now."""
        self.choose(run)
        if self._job is None and not self._at_stake and self._runs.currentIndex() >= 0:
            self._score()

    def follow(self, folder: Path) -> None:
        """List the runs of a session's folder and select the newest, even while the page is hidden."""
        if folder != self._followed or time.monotonic() - self._listed_at > LIST_EVERY_S:
            self._followed, self._listed_at = folder, time.monotonic()
            self._open_folder(_real(folder))
            self._list_runs()

    def _open_folder(self, folder: Path) -> None:
        """Show the runs of a session; what is computed for another one is stopped."""
        if folder == self._folder:
            return
        self._folder = folder
        if self._chosen is not None and self._chosen.parent != folder:
            self._chosen = None
        self._stop_job()

    @property
    def recorded(self) -> bool:
        """Whether there is a recorded run."""
        return self._runs.count() > 0

    @property
    def busy(self) -> bool:
        """Whether a run is being scored, or its report written."""
        return self._job is not None

    @property
    def settled(self) -> bool:
        """Whether the chosen run was scored, or could not be."""
        return self._runs.currentIndex() >= 0 and self._job is None and self._run in self._tried

    def score_newest(self) -> None:
        """Score the run of a replay, or else the newest, if that is possible now and its figures are not shown yet."""
        self._list_runs()
        if not self.recorded or self._job is not None or self._at_stake:
            return
        self._runs.setCurrentIndex(self._runs.findData(str(self._wanted)))
        if self._scored_run != self._run or self._result is None:
            self._score()

    def score_when_free(self, now: Snapshot) -> None:
        """Score the chosen or newest run, once: after a run of this session, and when this page is shown.

        Scoring replays the run on a processor core, which a live session needs: it ends when the next checks or
        recording begin, and starts again after them. It does not begin before a replay in the window has ended.
        """
        self._at_stake = now.needs_processor
        if self._at_stake:
            if now.state in ("running", "paused"):
                self._ran, self._chosen = True, None  # the run in progress will be the newest
            self._stop_job()
            return
        wanted, due = self._wanted, (self._ran or self.isVisible()) and not now.under_way
        if due and wanted is not None and wanted not in self._tried:
            self.score_newest()

    @property
    def _wanted(self) -> Path | None:
        """The chosen run if it is in the list, or else the newest; None without any."""
        runs = [Path(self._runs.itemData(k)) for k in range(self._runs.count())]
        return self._chosen if self._chosen in runs else runs[-1] if runs else None

    def _stop_job(self) -> None:
        """Stop what is being computed; a run whose scoring was stopped counts as not scored yet."""
        if self._job is None:
            return
        self._job.stop()
        self._job = None
        if self._result is None and self._scored_run is not None:
            self._tried.discard(self._scored_run)
        self._message.show_text("")

    def refresh(self, view: View) -> None:
        now = view.now
        runs = self._list_runs()
        free = self._job is None and not self._at_stake and runs
        self.score.setEnabled(free)
        self.report.setEnabled(free)
        self._runs.setEnabled(self._job is None)
        self.export.setEnabled(self._result is not None)
        self.folder.setEnabled(self._folder is not None)
        if self._job is None and self._result is None and self._message.full_text in ("", *_IDLE):
            why = SCORE if runs else NO_RUN if self._folder is not None else NO_FOLDER
            if self._at_stake:
                why = ASKED if now.question else BUSY
            self._message.show_text(why)
        self._empty.stand_for(self._figures, self._message)

    def _refresh_run(self) -> None:
        """Hide the figures if they belong to another run than the chosen one."""
        if self._result is not None and self._runs.currentData() != str(self._scored_run):
            self._clear_figures()

    def _clear_figures(self) -> None:
        self._result = None
        self._figures.hide()
        self.export.setEnabled(False)
        self._message.show_text("")

    def _list_runs(self) -> bool:
        runs = [] if self._folder is None else _recorded_runs(self._folder)
        if [str(path) for path in runs] != [self._runs.itemData(i) for i in range(self._runs.count())]:
            wanted = self._chosen if self._job is None or self._runs.currentIndex() < 0 else self._run
            with QSignalBlocker(self._runs):
                self._runs.clear()
                for path in runs:
                    self._runs.addItem(path.name, str(path))
                self._runs.setCurrentIndex(runs.index(wanted) if wanted in runs else len(runs) - 1)
            self._refresh_run()
        return bool(runs)

    @property
    def _run(self) -> Path:
        return Path(self._runs.currentData())

    def end(self) -> None:
        if self._job is not None:
            self._job.stop()

    def _start_job(self, module: str, arguments: list[str], words: str) -> BackgroundJob:
        self._message.show_text(words)
        self.score.setEnabled(False)
        self.report.setEnabled(False)
        self._runs.setEnabled(False)
        self._job = BackgroundJob(module, arguments, parent=self)
        self._job.failed.connect(self._failed)
        return self._job

    def _failed(self, words: str) -> None:
        self._job = None
        self._message.show_text(words)

    def _score(self) -> None:
        self._clear_figures()
        self._scored_run = self._run
        self._tried.add(self._run)
        self._start_job("earmark.app.report.worker", [str(self._scored_run)], tr("Replaying …")).done.connect(
            self._scored
        )

    def _scored(self, data: bytes) -> None:
        self._job, self._result = None, json.loads(data)
        self._message.show_text(self._result["problem"])
        self.show_figures(self._result)
        self._figures.show()
        self._refresh_run()
        assert self._scored_run is not None
        self.scored.emit(self._scored_run, _conclusion(self._result)[0])

    def _report(self) -> None:
        run = self._run
        if (run / "report.html").exists():
            self._reported(run)
            return
        job = self._start_job("earmark.app.cli", ["report", str(run)], tr("Writing the report …"))
        job.done.connect(lambda _: self._reported(run))

    def _reported(self, run: Path) -> None:
        self._job = None
        self._message.show_text(tr("Opening {path}", path=run / "report.html"))
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(run / "report.html")))

    def _export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, tr("Save figures"), str(self._run / "figures.json"), tr("JSON (*.json)")
        )
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the figures as JSON."""
        try:
            path.write_text(json.dumps(self._result, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            self._message.show_text(
                tr("{path} cannot be written: {strerror}. Choose another folder", path=path, strerror=error.strerror)
            )
        else:
            self._message.show_text(tr("Wrote {path}", path=path))

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    def show_figures(self, result: dict[str, Any]) -> None:
        """Show the figures that :mod:`earmark.app.report.worker` computed."""
        followed = [value for value in result["switches"] if value is not None]
        share = result["right"] / result["windows"] if result["windows"] else None
        median = tr("median {median:.1f} s", median=statistics.median(followed)) if followed else tr("none")
        tmr = UNKNOWN if result["tmr_db"] is None else decibels(result["tmr_db"])
        if result.get("delivered_db") is not None:
            tmr = tr("{tmr}, delivered {delivered}", tmr=tmr, delivered=decibels(result["delivered_db"]))
        trims = tr(", without trims") if any(words.startswith(TRIM) for _, words in result["events"]) else ""
        facts = (
            (
                tr("correct windows of {window_s:g} s", window_s=result["window_s"]),
                _share(share),
                tr(
                    "{right} of {windows}; {chance_limit}",
                    right=result["right"],
                    windows=result["windows"],
                    chance_limit=limit_words(result["chance_limit"], 0, tr),
                ),
            ),
            (
                tr("correct decisions"),
                _share(result["steady"]),
                tr("of the time from 10 s after each cue; TMR {tmr} dB{trims}", tmr=tmr, trims=trims),
            ),
            (
                tr("switches followed"),
                tr("{n_followed} of {n}", n_followed=len(followed), n=len(result["switches"])),
                median,
            ),
            (
                tr("calibration"),
                _share(result["calibration"]),
                tr(
                    "cross-validated, {n_calibration} decisions; {chance_level}, {calibration_limit}",
                    n_calibration=result["n_calibration"],
                    chance_level=level_words(result["chance_level"], tr),
                    calibration_limit=limit_words(result["calibration_limit"], 0, tr),
                ),
            ),
            (
                tr("decisions dropped"),
                str(result["dropped"]),
                tr("of {n}, because they were late", n=len(result["times"])),
            ),
        )
        for (name, value, note), texts in zip(self._facts, facts, strict=True):
            name.show_text(texts[0])
            name.setAccessibleName(texts[0])
            value.setText(texts[1])
            note.setText(texts[2])
        self._words.setText("\n".join(_conclusion(result)))
        self.plots.show_run(result)
        stages = "; ".join(
            tr(
                "{name}: median {p50}, p99 {p99}, max {max} ms",
                name=name,
                p50=milliseconds(span[0]),
                p99=milliseconds(span[1]),
                max=milliseconds(span[2]),
            )
            for name, span in result["stages"].items()
            if span
        )
        sound = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in result["sound"].items())
        lines = (
            tr("Accuracy, re-segmented windows – {windows}", windows=_windows(result["by_window"])),
            tr("Latency – {stages}", stages=stages or UNKNOWN),
            tr("Sound – {sound}", sound=sound or UNKNOWN),
        )
        self._stages.setText("\n".join(lines))


def _conclusion(result: dict[str, Any]) -> list[str]:
    """Compare the run with guessing, as the report does."""
    known: dict[str, Any] = {key: math.nan if value is None else value for key, value in result.items()}
    run = RunScore(known["right"], known["windows"], known["chance_limit"], known["steady"])
    decoder = DecoderScore(
        known["calibration"], known["n_calibration"], known["chance_level"], known["calibration_limit"]
    )
    return run_words(run, decoder, tr)


def _real(path: Path) -> Path:
    """Return a path without links, since a session states its own folder so."""
    return Path(os.path.realpath(path))


def _recorded_runs(folder: Path) -> list[Path]:
    """Return the folders of the recorded runs, oldest first, ``run-9`` before ``run-10``; none if it cannot be read."""
    found = []
    with suppress(OSError):
        for recording in folder.glob("*/loop.xdf"):
            run = recording.parent
            with suppress(OSError):  # removed meanwhile, or on a share that does not answer
                found.append((recording.stat().st_mtime, len(run.name), run.name, run))
    return [run for *_, run in sorted(found)]


def _windows(result: list[list[float | None]] | str) -> str:
    if isinstance(result, str):
        return result
    return "; ".join(
        tr(
            "{window:g} s: {accuracy} of {n:.0f} ({limit}; null {null})",
            window=window,
            accuracy=_share(accuracy),
            n=n or 0,
            limit=limit_words(limit, 0, tr),
            null=_share(null),
        )
        for window, accuracy, limit, null, n in result
    )


def _share(value: float | None) -> str:
    return tr("not measured") if value is None else percent(value)

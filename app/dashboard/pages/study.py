"""Page: the runs of a study, and its participants as a group."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.panels.group_plot import GroupPlot
from earmark.app.dashboard.panels.panel import Empty, Panel, Reading, View
from earmark.app.dashboard.panels.runs_table import RunsTable
from earmark.app.looks import APART, PAGE, TEXT
from earmark.app.report.exclusions import EXCLUDED, exclude, include
from earmark.kernels.errors import EarmarkError

#: Messages while nothing is measured: what to do next, or why it does not go on.
NO_FOLDER = tr("Choose the folder of a study: the folder above the folders of its participants")
CHOSEN = tr("Measure shows this study")
BUSY = tr("A study is not measured during checks and recordings, which need the processor: it goes on after them")
STOPPED = tr("Stopped. The runs that were measured are not measured again")
#: Filter of the file dialog, and the content of each kind of file.
KINDS = tr("Web page (*.html);;Table of runs (*.csv);;All figures (*.json)")
SUFFIXES = (".html", ".csv", ".json")


class Study(Panel):
    """The page of a study: measures its runs, shows and saves the figures, excludes runs.

    Attributes
    ----------
    run_requested : Signal(str)
        A run is to be shown on the page Review: its folder.
    """

    run_requested = Signal(str)
    title, key, hz = tr("Study"), "study", 1.0

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        last = settings.value("study/folder")
        self._folder: Path | None = Path(str(last)) if last else None
        #: What :func:`earmark.app.report.study_worker.study_of` returned.
        self._result: dict[str, Any] | None = None
        self._job: BackgroundJob | None = None
        #: Whether measuring would disturb checks, a recording or training; whether they interrupted it.
        self._at_stake = self._interrupted = False
        self._session_live = False
        self.choose, self.measure_button = QPushButton(tr("&Choose a study …")), QPushButton(tr("&Measure"))
        self.stop_button, self.save_button = QPushButton(tr("&Stop")), QPushButton(tr("Sa&ve …"))
        self.review, self.exclude = QPushButton(tr("Open in &Review")), QPushButton()
        for button, words, do in (
            (self.choose, tr("Choose the folder of a study"), self._choose),
            (self.measure_button, tr("Measure the runs that are new or changed, and show the study"), self.measure),
            (self.stop_button, tr("Stop measuring"), self.stop),
            (self.save_button, tr("Save the study as a web page, as a table (CSV), or as JSON"), self._save),
            (self.review, tr("Show the selected run on the page Review"), self._open_run),
            (self.exclude, tr("Exclude the selected run, or include it again"), self._exclude),
        ):
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.clicked.connect(do)
        self._place, self._message = Reading(tr("Folder of the study")), Reading(tr("Progress"))
        self._result_words = QLabel()
        self._result_words.setTextFormat(Qt.TextFormat.PlainText)
        self._result_words.setWordWrap(True)
        self._result_words.setAccessibleName(tr("Result of the study"))
        theme.resize(self._result_words, TEXT, bold=True)
        self.condition = QComboBox()
        self.condition.setAccessibleName(tr("Mode, number of talkers and decision window"))
        self.condition.currentIndexChanged.connect(self._draw)
        self.condition.hide()
        self.plots = [
            GroupPlot(
                tr("Correct decision windows of each participant"), tr("correct / %"), "accuracy", 100.0, "chance_limit"
            ),
            GroupPlot(tr("Target-to-masker ratio of each participant"), tr("TMR / dB"), "tmr_db"),
            GroupPlot(tr("Median time to follow a switch of each participant"), tr("switch / s"), "switch_s"),
        ]
        self.table = RunsTable()
        for plot in self.plots:
            plot.chosen.connect(lambda name: self.table.select("participant", name))
        self.table.chosen.connect(self._show_run)
        self.table.doubleClicked.connect(lambda _: self._open_run())
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Reason to exclude the selected run"))
        self.reason.setAccessibleName(tr("Reason to exclude the selected run"))
        self.reason.setMaxLength(200)
        self.reason.returnPressed.connect(self._exclude)
        self.reason.textChanged.connect(lambda _: self._enable())
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(56)
        self.details.setAccessibleName(tr("Answers, notes and alarms of the selected run"))
        self._shown, self._empty = QWidget(), Empty()
        self._lay_out()
        self._show_run()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.choose)
        head.addWidget(self._place, 1)
        for widget in (self.measure_button, self.stop_button, self.save_button):
            head.addWidget(widget)
        second = QHBoxLayout()
        second.addWidget(self._message, 1)
        second.addWidget(self.condition)
        plots = QHBoxLayout()
        for plot in self.plots:
            plots.addWidget(plot, 1)
        key = QLabel(
            tr(
                "A point is a participant, in the order of the table; a click selects the runs. Line: mean. "
                "Dashes: chance limit. Dots: chance level."
            )
        )
        key.setWordWrap(True)
        key.setEnabled(False)
        foot = QHBoxLayout()
        foot.addWidget(self.reason, 1)
        foot.addWidget(self.exclude)
        foot.addWidget(self.review)
        shown = QVBoxLayout(self._shown)
        shown.setContentsMargins(0, 0, 0, 0)
        shown.addWidget(self._result_words)
        shown.addLayout(plots, 2)
        shown.addWidget(key)
        shown.addWidget(self.table, 3)
        shown.addWidget(self.details)
        shown.addLayout(foot)
        self._shown.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, APART, PAGE, APART)
        layout.addLayout(head)
        layout.addLayout(second)
        layout.addWidget(self._shown, 1)
        layout.addWidget(self._empty, 1)

    # Measuring

    def _choose(self) -> None:
        start = str(self._folder.parent if self._folder is not None else Path.home())
        if name := QFileDialog.getExistingDirectory(self, tr("Folder of a study"), start):
            self.open_study(Path(name))

    def open_study(self, folder: Path) -> None:
        """Measure the study in a folder, and show it."""
        self.take(folder)
        self.measure()

    def take(self, folder: Path) -> None:
        """Choose the study in a folder; its runs are measured on request."""
        self.stop()
        if folder != self._folder:
            self._result = None
            self._shown.hide()
            self._message.show_text("")
        self._folder = folder
        self._settings.setValue("study/folder", str(folder))

    def measure(self) -> None:
        """Measure the runs that are new or changed, in a separate process."""
        if self._folder is None or self._job is not None:
            return
        if self._at_stake:
            self._interrupted = True
            self._message.show_text(BUSY)
            return
        self._interrupted = False
        self._message.show_text(tr("Measuring …"))
        self._job = BackgroundJob("earmark.app.report.study_worker", [str(self._folder)], parent=self)
        self._job.progressed.connect(self._progressed)
        self._job.done.connect(self._measured)
        self._job.failed.connect(self._failed)
        self._enable()

    def stop(self) -> None:
        """Stop measuring."""
        self._interrupted = False
        if self._job is not None:
            self._job.stop()
            self._job = None
            self._message.show_text(STOPPED)
        self._enable()

    def give_way(self, now: Snapshot) -> None:
        """Stop measuring when checks or a recording begin, and go on after them."""
        self._at_stake, self._session_live = now.needs_processor, now.session_live
        if self._at_stake and self._job is not None:
            self.stop()
            self._interrupted = True
            self._message.show_text(BUSY)
        elif self._interrupted and not self._at_stake:
            self.measure()

    def _progressed(self, line: str) -> None:
        if found := re.fullmatch(r"(\d+) of (\d+)", line):
            self._message.show_text(tr("Measured {n} of {total} runs", n=found[1], total=found[2]))

    def _failed(self, words: str) -> None:
        self._job = None
        self._message.show_text(words)
        self._enable()

    def _measured(self, data: bytes) -> None:
        self._job = None
        self.show_study(json.loads(data))

    def end(self) -> None:
        self.stop()

    # Showing

    def show_study(self, result: dict[str, Any]) -> None:
        """Show what :func:`earmark.app.report.study_worker.study_of` returned."""
        self._result = result
        self._message.show_text(result["words"])
        before = self.condition.currentText()
        self.condition.blockSignals(True)
        self.condition.clear()
        self.condition.addItems([one["words"] for one in result["conditions"]])
        self.condition.setCurrentIndex(max(0, self.condition.findText(before)))
        self.condition.blockSignals(False)
        self.condition.setVisible(self.condition.count() > 1)
        self._draw()
        self.table.show_runs(result["study"]["runs"])
        self._shown.show()
        self._enable()

    def _draw(self) -> None:
        conditions = self._result["conditions"] if self._result is not None else []
        chosen = conditions[self.condition.currentIndex()] if conditions else None
        self._result_words.setText(chosen["result"] if chosen else tr("No run can be used; the table says why."))
        for plot in self.plots:
            plot.show_group(chosen["participants"] if chosen else ())

    def _show_run(self) -> None:
        run = self.table.run
        lines = []
        if run is not None:
            remark = run["reason"] if run["status"] in ("used", "cut") else f"{word(run['status'])}: {run['reason']}"
            lines = [remark] if run["reason"] else []
            lines += [words for key in ("answers", "notes", "alarms") for words in run[key] or ()]
            lines = lines or [tr("{path}: no answer, note or alarm", path=run["path"])]
        self.details.setPlainText("\n".join(lines) or tr("Select a run to see its answers, notes and alarms"))
        out = run is not None and run["status"] == "excluded"
        self.exclude.setText(tr("&Include") if out else tr("E&xclude"))
        self.reason.setText(run["reason"] if run is not None and out else "")
        self.reason.setReadOnly(out)
        self._enable()

    def _enable(self) -> None:
        run, idle = self.table.run, self._job is None
        there = run is not None and bool(run["run"]) and run["status"] != "unusable"
        self.measure_button.setEnabled(self._folder is not None and idle and not self._at_stake)
        self.stop_button.setEnabled(not idle)
        self.save_button.setEnabled(self._result is not None)
        self.exclude.setEnabled(run is not None and idle and bool(self.reason.text().strip()))
        self.reason.setEnabled(run is not None)
        self.review.setEnabled(there and not self._session_live)
        self.review.setToolTip(
            tr("The page Review shows the runs of the open session")
            if self._session_live
            else tr("Show the selected run on the page Review (also by a double click)")
        )

    def refresh(self, view: View) -> None:
        self._place.show_text(str(self._folder or ""))
        if not self._message.full_text:
            self._message.show_text(NO_FOLDER if self._folder is None else CHOSEN)
        self._empty.stand_for(self._shown, self._message)
        self._enable()

    # What is done with a study

    def _open_run(self) -> None:
        run = self.table.run
        if run is not None and self.review.isEnabled() and self._folder is not None:
            self.run_requested.emit(str(self._folder / run["path"]))

    def _exclude(self) -> None:
        run = self.table.run
        if run is None or not self.exclude.isEnabled() or self._folder is None:
            return
        try:
            if run["status"] == "excluded":
                include(self._folder, run["path"])
            else:
                exclude(self._folder, run["path"], self.reason.text().strip())
        except EarmarkError as error:
            self._message.show_text(str(error))
        except OSError as error:
            self._message.show_text(
                tr("{path} cannot be written: {strerror}", path=self._folder / EXCLUDED, strerror=error.strerror)
            )
        else:
            self.measure()

    def _save(self) -> None:
        if self._folder is not None:
            name, _ = QFileDialog.getSaveFileName(self, tr("Save the study"), f"{self._folder.name}.html", KINDS)
            if name:
                self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write a file as ``earmark study`` does: a web page, a table, or JSON, by its suffix."""
        if self._result is None:
            return
        kinds = (self._result["html"], self._result["csv"], json.dumps(self._result["study"], indent=1) + "\n")
        try:
            content = dict(zip(SUFFIXES, kinds, strict=True))[path.suffix.lower()]
            path.write_text(content, encoding="utf-8", newline="")
        except KeyError:
            self._message.show_text(
                tr(
                    "{name} must end in {others} or {last}",
                    name=path.name,
                    others=", ".join(SUFFIXES[:-1]),
                    last=SUFFIXES[-1],
                )
            )
        except OSError as error:
            self._message.show_text(
                tr("{path} cannot be written: {strerror}. Choose another folder", path=path, strerror=error.strerror)
            )
        else:
            self._message.show_text(tr("Wrote {path}", path=path))

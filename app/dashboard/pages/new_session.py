"""The form of a new session, on the start page: it ends in the files that ``earmark new`` writes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.stream_search import StreamSearch, eeg_first, found_again_by
from earmark.app.dashboard.frame.spin_box import NumberBox
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.pages.new_sound import Sound
from earmark.app.dashboard.pages.new_talkers import Talkers
from earmark.app.looks import APART

#: Names that BIDS permits for participants and sessions.
LABEL = re.compile(r"[A-Za-z0-9]+")
#: The amplifier as the file finds it without a choice.
ANY = {"name": "", "type": "EEG", "source_id": ""}
#: A simulated one, in a rehearsal of the session.
SIMULATED = ANY | {"simulated": True}


class NewSession(QWidget):
    """Asks for participant, amplifier, talkers, sound and protocol.

    Attributes
    ----------
    created : Signal(object, object, object)
        The session is to be written and opened: its folder, and changes of ``session.toml`` and of ``protocol.toml`` as
        for :func:`earmark.app.session.templates.write_session`.
    cancelled : Signal()
        The operator wants to go back.
    """

    created = Signal(object, object, object)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.participant, self.session, self.base = QLineEdit(), QLineEdit("01"), QLineEdit()
        for field, name, hint in (
            (self.participant, tr("Participant"), tr("letters and digits, such as 01")),
            (self.session, tr("Session"), tr("letters and digits, such as 01")),
            (self.base, tr("Folder of the study"), ""),
        ):
            field.setAccessibleName(name)
            field.setPlaceholderText(hint)
            field.textChanged.connect(self._check)
            field.returnPressed.connect(self._create)
        self.participant.textEdited.connect(self._suggest)
        self.session.textEdited.connect(lambda: setattr(self, "_suggests", False))
        self.participant.setMaxLength(40)
        self.session.setMaxLength(40)
        browse = QPushButton(tr("Choose …"))
        browse.setAccessibleName(tr("Choose the folder of the study"))
        browse.clicked.connect(self._browse)
        self.amplifier, self.again = QComboBox(), QPushButton(tr("Search &again"))
        self.amplifier.setAccessibleName(tr("Amplifier"))
        self.amplifier.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.amplifier.setMinimumContentsLength(18)
        self.again.setAccessibleName(tr("Search for amplifiers again"))
        self.again.clicked.connect(self._search)
        self._streams = StreamSearch(self)
        self._streams.found.connect(self.show_streams)
        self.sound, self.talkers = Sound(), Talkers()
        self.trials = _number(tr("Trials of the calibration"), 3, 1000, 12, "")
        self.trial, self.pause = (
            _number(tr("Length of a trial, s"), 1, 3600, 30, " s"),
            _number(tr("Pause between trials, s"), 0, 3600, 5, " s"),
        )
        self.run = _number(tr("Length of a run, s"), 1, 86400, 300, " s")
        self.switch = _number(tr("Seconds between cues to another talker; 0 for a free choice"), 0, 3600, 45, " s")
        self.switch.setSpecialValueText(tr("free choice"))
        self.total = QLabel()
        self.total.setWordWrap(True)
        self.total.setAccessibleName(tr("Total time"))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAccessibleName(tr("What is missing"))
        self.make, self.back = QPushButton(tr("&Create and open")), QPushButton(tr("&Back"))
        self.make.setAccessibleName(tr("Create the session and open it"))
        self.back.setAccessibleName(tr("Back to the start page"))
        for box in (self.trials, self.trial, self.pause, self.run, self.switch):
            box.valueChanged.connect(self._check)
        self.talkers.changed.connect(self._check)
        self.make.clicked.connect(self._create)
        self.back.clicked.connect(self.cancelled)
        self._said, self._busy, self._suggests = "", False, True
        self._lay_out(browse)
        self.show_streams([])
        self._check()

    def _lay_out(self, browse: QPushButton) -> None:
        who, stream, plan = QFormLayout(), QHBoxLayout(), QFormLayout()
        who.addRow(tr("Participant"), self.participant)
        who.addRow(tr("Session"), self.session)
        who.addRow(tr("Study"), _row(self.base, browse))
        stream.addWidget(self.amplifier, 1)
        stream.addWidget(self.again)
        plan.addRow(
            tr("Calibration"), _row(self.trials, QLabel(tr("trials of")), self.trial, QLabel(tr("pause")), self.pause)
        )
        plan.addRow(tr("Run"), _row(self.run, QLabel(tr("switch every")), self.switch))
        plan.addRow("", self.total)
        sound, talkers = QVBoxLayout(), QVBoxLayout()
        sound.addWidget(self.sound)
        talkers.addWidget(self.talkers)
        inside = QWidget()
        columns = QHBoxLayout(inside)
        columns.setContentsMargins(0, 0, APART, 0)
        for groups in (
            ((tr("Who"), who), (tr("Amplifier"), stream), (tr("Talkers"), talkers)),
            ((tr("Protocol"), plan), (tr("Sound"), sound)),
        ):
            column = QVBoxLayout()
            for title, part in groups:
                column.addWidget(_group(title, part))
            column.addStretch(1)
            columns.addLayout(column, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setAccessibleName(tr("Settings of the new session"))
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.addWidget(area, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.back)
        foot.addWidget(self.words, 1)
        foot.addWidget(self.make)
        layout.addLayout(foot)

    def open(self, base: Path, stream: dict[str, Any] | None = None) -> None:
        """Begin with a new participant; ``stream`` is an amplifier that was chosen already."""
        self._suggests = True
        self.participant.clear()
        self.session.setText("01")
        self.base.setText(str(base))
        if stream is not None:
            self.show_streams([stream])
            self.amplifier.setCurrentIndex(1)
        self.say("")
        self.sound.search()
        self._search()
        self.participant.setFocus()

    def end(self) -> None:
        """Stop what was started."""
        self.sound.end()

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("Folder of the study"), self.base.text())
        if name:
            self.base.setText(name)

    # The amplifier

    def _search(self) -> None:
        self.again.setEnabled(False)
        self.again.setText(tr("Searching …"))
        self._streams.start()

    def show_streams(self, streams: list[dict[str, Any]]) -> None:
        """List the amplifiers among the streams found. The chosen one stays chosen; else the only one of EEG is."""
        self.again.setEnabled(True)
        self.again.setText(tr("Search &again"))
        chosen = self.amplifier.currentData()
        found = [one for one in eeg_first(streams) if one["type"] != "Markers"]
        rows: list[dict[str, Any]] = [ANY, *found, SIMULATED]
        if chosen is not None and _key(chosen) not in map(_key, rows):
            rows.append(chosen)  # it may be slow to answer
        self.amplifier.clear()
        for one in rows:
            self.amplifier.addItem(_words(one), one)
        now = [k for k, one in enumerate(rows) if chosen is not None and _key(one) == _key(chosen)]
        only = sum(one["type"] == "EEG" for one in found) == 1 and chosen in (None, ANY)
        self.amplifier.setCurrentIndex(1 if only else now[0] if now else 0)

    # What is entered

    def _suggest(self) -> None:
        """Suggest the first session that the participant did not have yet."""
        if self._suggests and LABEL.fullmatch(self.participant.text()):
            number = 1
            while os.path.exists(self.folder.parent / f"ses-{number:02}"):
                number += 1
            self.session.setText(f"{number:02}")

    @property
    def folder(self) -> Path:
        """Folder of the session, as BIDS names it."""
        return Path(self.base.text()) / f"sub-{self.participant.text()}" / f"ses-{self.session.text()}"

    @property
    def name(self) -> str:
        """Name of the session below the folder of the study."""
        return self.folder.relative_to(self.base.text()).as_posix()

    @property
    def problem(self) -> str:
        """What is missing or wrong; empty if nothing is."""
        for field, what in ((self.participant, tr("Participant")), (self.session, tr("Session"))):
            text = field.text()
            if not text:
                return tr("{what}: enter a name of letters and digits", what=what)
            if not LABEL.fullmatch(text):
                wrong = next(c for c in text if not LABEL.fullmatch(c))
                return tr(
                    "{what}: {wrong!r} is not possible, because BIDS permits only the letters A-Z, a-z and digits",
                    what=what,
                    wrong=wrong,
                )
        if not self.base.text():
            return tr("Study: choose the folder for all participants")
        if os.path.exists(self.folder):  # False, where Path.exists fails: a folder that cannot be read
            return tr("{folder} already exists and is never overwritten: choose another session", folder=self.folder)
        if self.talkers.problem:
            return self.talkers.problem
        n = len(self.talkers.rows)
        if self.trials.value() % n:
            return tr(
                "Calibration: the number of trials must be a multiple of {n}, so that all talkers get as many", n=n
            )
        return ""

    @property
    def simulated(self) -> bool:
        """Whether a simulated listener takes the participant's place."""
        return bool(self.amplifier.currentData().get("simulated"))

    @property
    def settings(self) -> dict[str, Any]:
        """Changes of ``session.toml``."""
        stream = self.amplifier.currentData()
        eeg = {"type": stream["type"] or None} | found_again_by(stream)
        return {"streams": {"eeg": eeg}, "sound": self.sound.settings | {"talkers": self.talkers.settings}}

    @property
    def plan(self) -> dict[str, Any]:
        """Changes of ``protocol.toml``."""
        trials = {"n_trials": int(self.trials.value()), "trial_s": self.trial.value(), "pause_s": self.pause.value()}
        return {
            "calibration": trials,
            "run": {"seconds": self.run.value(), "switch_every_s": self.switch.value() or None},
        }

    def _check(self) -> None:
        calibration = self.trials.value() * (self.trial.value() + self.pause.value()) - self.pause.value()
        run = self.run.value()
        self.total.setText(
            tr(
                "Calibration {calibration}, run {run}: {total} in total",
                calibration=_minutes(calibration),
                run=_minutes(run),
                total=_minutes(calibration + run),
            )
        )
        self._said = ""
        self._show()

    def say(self, words: str, busy: bool = False) -> None:
        """Show a message; with ``busy`` the session is being opened."""
        self._said, self._busy = words, busy
        self._show()

    def _show(self) -> None:
        problem = self.problem
        self.make.setEnabled(not problem and not self._busy)
        self.words.setText(self._said or problem or tr("Goes to {folder}", folder=self.folder))

    def _create(self) -> None:
        if self.make.isEnabled():
            self.created.emit(self.folder, self.settings, self.plan)


def _key(stream: dict[str, Any]) -> tuple[Any, ...]:
    return stream["name"], stream["type"], stream["source_id"], stream.get("simulated", False)


def _words(stream: dict[str, Any]) -> str:
    if stream.get("simulated"):
        return tr("Simulated: a rehearsal without a cap")
    if not stream["name"]:
        return tr("The only EEG stream on the network")
    words = tr(
        "{name}, {type}, {n} channels, {host}",
        name=stream["name"],
        type=stream["type"],
        n=stream["channels"],
        host=stream["host"],
    )
    return words[:120]


def _number(name: str, low: float, high: float, value: float, unit: str) -> NumberBox:
    box = NumberBox(name)
    box.setToolTip(name)
    box.setRange(low, high)
    box.setDecimals(0)
    box.setSuffix(unit)
    box.setValue(value)
    return box


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s"


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QLineEdit | NumberBox) else 0)
    return row


def _group(title: str, layout: QLayout) -> QGroupBox:
    group = QGroupBox(title)
    group.setLayout(layout)
    return group

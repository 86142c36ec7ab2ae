"""Part of the form of a new session: the talkers, where they come from, and where they are heard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QGridLayout, QLabel, QLineEdit, QPushButton, QWidget

from earmark.app.dashboard.frame.spin_box import NumberBox
from earmark.app.dashboard.language import tr

#: Names and azimuths of the first talkers, degrees; and the smallest and largest number of talkers.
NAMES, AZIMUTHS, N_TALKERS = ("Joe", "Ada"), (-30.0, 30.0, -60.0, 60.0, -90.0, 90.0, 0.0, -15.0), (2, 8)
#: Sources that can be chosen; a file can be chosen with a button, and all can be typed.
SOURCES = (
    ("speech:joe", tr("bundled speech, a man")),
    ("speech:ada", tr("bundled speech, a woman")),
    ("input:1", tr("channel 1 of the sound input")),
    ("input:2", tr("channel 2 of the sound input")),
    ("lsl:NAME", tr("an LSL stream of sound")),
)
#: Beginnings of sources that are not files.
NOT_FILES = ("speech:", "input:", "lsl:")


class Talkers(QWidget):
    """Two to eight rows: name, source and azimuth.

    Attributes
    ----------
    changed : Signal()
        Something was changed.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[QLineEdit, QComboBox, QPushButton, NumberBox]] = []
        self.add, self.remove = QPushButton(tr("&Add a talker")), QPushButton(tr("Remo&ve the last"))
        self.add.setAccessibleName(tr("Add a talker"))
        self.remove.setAccessibleName(tr("Remove the last talker"))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        for column, words in ((0, tr("Name")), (1, tr("Source")), (3, tr("To the right"))):
            head = QLabel(words)
            head.setEnabled(False)
            self._grid.addWidget(head, 0, column)
        for _ in range(N_TALKERS[0]):
            self._add()
        self.add.clicked.connect(self._add)
        self.remove.clicked.connect(self._remove)

    def _add(self) -> None:
        k = len(self.rows)
        name, source = QLineEdit(NAMES[k] if k < len(NAMES) else tr("Talker {number}", number=k + 1)), QComboBox()
        name.setAccessibleName(tr("Name of talker {number}", number=k + 1))
        name.setMaximumWidth(140)
        source.setEditable(True)
        source.setAccessibleName(tr("Source of talker {number}", number=k + 1))
        source.setToolTip(
            tr("A sound file; input:N, a channel of the sound input; lsl:NAME, a stream; or bundled speech")
        )
        for key, words in SOURCES:
            source.addItem(key)
            source.setItemData(source.count() - 1, words, 3)  # the role of tool tips
        source.setCurrentText(SOURCES[k][0] if k < len(NAMES) else "")
        file = QPushButton(tr("File …"))
        file.setAccessibleName(tr("Choose a sound file for talker {number}", number=k + 1))
        azimuth = NumberBox(tr("Direction of talker {number}, degrees to the right", number=k + 1))
        azimuth.setRange(-90, 90)
        azimuth.setDecimals(0)
        azimuth.setSuffix("°")
        azimuth.setValue(AZIMUTHS[k])
        file.clicked.connect(lambda: self._choose(source))
        name.textChanged.connect(self.changed)
        source.editTextChanged.connect(self.changed)
        for column, widget in enumerate((name, source, file, azimuth)):
            self._grid.addWidget(widget, k + 1, column)
        self.rows.append((name, source, file, azimuth))
        self._renew()

    def _remove(self) -> None:
        for widget in self.rows.pop():
            self._grid.removeWidget(widget)
            widget.deleteLater()
        self._renew()

    def _renew(self) -> None:
        self._grid.addWidget(self.add, N_TALKERS[1] + 1, 0)
        self._grid.addWidget(self.remove, N_TALKERS[1] + 1, 1, 1, 3)
        for before, after in ((self.rows[-1][-1], self.add), (self.add, self.remove)):
            QWidget.setTabOrder(before, after)
        self.add.setEnabled(len(self.rows) < N_TALKERS[1])
        self.remove.setEnabled(len(self.rows) > N_TALKERS[0])
        self.changed.emit()

    def _choose(self, source: QComboBox) -> None:
        filters = tr("Sound files (*.wav *.flac *.ogg *.mp3 *.aiff *.aif);;All files (*)")
        name, _ = QFileDialog.getOpenFileName(self, tr("Sound file of the talker"), "", filters)
        if name:
            source.setCurrentText(name)

    @property
    def problem(self) -> str:
        """What is wrong; empty if nothing is."""
        names = [row[0].text().strip() for row in self.rows]
        for k, (name, (_, source, _, _)) in enumerate(zip(names, self.rows, strict=True), 1):
            text = source.currentText().strip()
            if not name:
                return tr("Talker {k} has no name", k=k)
            if names.count(name) > 1:
                return tr("Two talkers are called {name}: give each a name of its own", name=name)
            if not text:
                return tr(
                    "{name} has no source: choose a sound file, a channel of the sound input, or bundled speech",
                    name=name,
                )
            if text == "lsl:NAME":
                return tr("{name}: replace NAME by the name of the LSL stream of sound", name=name)
            if not text.startswith(NOT_FILES) and not os.path.isfile(text):
                return tr("{name}: there is no file {path}", name=name, path=text)
        return ""

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The tables ``[[sound.talkers]]``."""
        found = []
        for name, source, _, azimuth in self.rows:
            text = source.currentText().strip()
            one: dict[str, Any] = {
                "name": name.text().strip(),
                "source": text if text.startswith(NOT_FILES) else str(Path(text).absolute()),
                "azimuth": azimuth.value(),
            }
            live = text.startswith(("input:", "lsl:"))
            found.append(one if live else one | {"loop": True})
        return found

"""Part of the form of a new session: the sound output, its level cap, and a test of both."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from earmark.app.dashboard.frame.spin_box import NumberBox
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.background_job import BackgroundJob

#: Outputs that are always there.
DEFAULT, NONE = (
    ("default", tr("The default output of this computer")),
    ("null", tr("No sound: for a try without a device")),
)


class Sound(QWidget):
    """The sound output, listed by another process; the level cap; and a button that plays noise."""

    def __init__(self) -> None:
        super().__init__()
        self.device = QComboBox()
        self.device.setAccessibleName(tr("Sound output"))
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.device.setMinimumContentsLength(18)
        self.test = QPushButton(tr("&Test sound"))
        self.test.setAccessibleName(tr("Test the sound: three seconds of quiet noise on this output"))
        self.test.setToolTip(tr("Plays three seconds of quiet noise (pink, -30 dBFS) on this output"))
        self.cap = NumberBox(tr("Level cap, dBFS"))
        self.cap.setRange(-60, -1)
        self.cap.setDecimals(0)
        self.cap.setSuffix(" dBFS")
        self.cap.setValue(-6)
        self.level = QLabel()
        self.level.setWordWrap(True)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAccessibleName(tr("Result of the sound test"))
        row, levels = QHBoxLayout(), QHBoxLayout()
        row.addWidget(self.device, 1)
        row.addWidget(self.test)
        levels.addWidget(self.cap)
        levels.addWidget(self.level, 1)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("Output"), row)
        form.addRow(tr("Level cap"), levels)
        form.addRow(self.words)
        self._job: BackgroundJob | None = None
        self._levels: dict[str, float] = {}
        self._list([])
        self.device.currentIndexChanged.connect(self._show_level)
        self.cap.valueChanged.connect(self._show_level)
        self.test.clicked.connect(self._test)

    def search(self) -> None:
        """List the outputs, without waiting for them."""
        from earmark.devices.audio.levels import read_levels
        from earmark.devices.audio.scene import AudioError

        try:
            self._levels = read_levels()
        except AudioError as error:
            self.words.setText(str(error))
        self._show_level()
        job = self._start(["devices", "--json", "-"], tr("Listing the sound outputs …"))
        if job is not None:
            job.done.connect(self._listed)

    def end(self) -> None:
        """Stop what was started."""
        if self._job is not None:
            self._job.stop()
            self._job = None

    def _start(self, arguments: list[str], words: str) -> BackgroundJob | None:
        if self._job is not None:
            return None
        self.words.setText(words)
        self.test.setEnabled(False)
        self._job = BackgroundJob("earmark.app.cli", arguments, parent=self)
        self._job.failed.connect(self._ended)
        return self._job

    def _ended(self, words: str = "") -> None:
        self._job = None
        self.test.setEnabled(self.device.currentData() != NONE[0])
        self.words.setText(words.partition(". ")[0])  # the rest is advice for the terminal
        self.words.setToolTip(tip(words))

    def _listed(self, data: bytes) -> None:
        self._ended()
        outputs = [one for one in json.loads(data) if one["kind"] == "output" and one["channels"] >= 2]
        self._list([f"{one['name']}, {one['api']}" for one in outputs])  # as the sound library names each only once

    def _list(self, names: list[str]) -> None:
        chosen = self.device.currentData()
        self.device.clear()
        for key, words in (DEFAULT, *((name, name) for name in dict.fromkeys(names)), NONE):
            self.device.addItem(words, key)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))

    def _show_level(self) -> None:
        device = self.device.currentData()
        self.test.setEnabled(self._job is None and device != NONE[0])
        if device in self._levels:
            self.level.setText(
                tr("at most {level:.0f} dB SPL, as measured", level=self.cap.value() + self._levels[device])
            )
        elif device == NONE[0]:
            self.level.setText("")
        else:
            self.level.setText(tr("dB SPL not known: 'earmark level' measures it"))

    def _test(self) -> None:
        job = self._start(["level", str(self.device.currentData()), "--listen"], tr("Playing noise …"))
        if job is not None:
            job.done.connect(
                lambda _: self._ended(tr("Was the noise heard on both ears? If not, choose another output"))
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of ``[sound]``."""
        return {"device": str(self.device.currentData()), "ceiling_dbfs": self.cap.value()}

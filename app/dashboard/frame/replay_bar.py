"""Controls of a replay: a slider through its time, speed and loop."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSlider, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame.format import clock
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.looks import NEAR

#: Speeds and their names; None stands for as fast as possible.
SPEEDS = ((0.5, "½ ×"), (1.0, "1 ×"), (2.0, "2 ×"), (4.0, "4 ×"), (None, tr("fastest")))
#: Steps of the slider per second, and seconds that it stays where it was set, until the replay is there.
STEPS, HOLD_S = 10, 1.5
SILENT = tr("Sound is heard at speed 1 only")


class ReplayBar(QWidget):
    """Visible while a replay is shown.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    command_requested = Signal(str, dict)

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Time of the replay"))
        self.slider.setToolTip(tr("Go to another time: everything before it is computed again, as fast as possible"))
        self.slider.setTracking(False)  # when it is released
        self.slider.setSingleStep(STEPS)
        self.slider.setPageStep(10 * STEPS)
        self.time = Reading(tr("Time and length of the recording"), tr("00:00 of 00:00"))
        self.speed = QComboBox()
        self.speed.setAccessibleName(tr("Speed of the replay"))
        self.speed.setToolTip(SILENT)
        for factor, words in SPEEDS:
            self.speed.addItem(words, factor)
        self.speed.setCurrentIndex(1)
        self.loop = QCheckBox(tr("&Loop"))
        self.loop.setAccessibleName(tr("Start the replay again at its end"))
        self.slider.valueChanged.connect(self._seek)
        self.slider.sliderMoved.connect(self._show_time)
        self.speed.currentIndexChanged.connect(
            lambda: self.command_requested.emit("speed", {"factor": self.speed.currentData()})
        )
        self.loop.toggled.connect(lambda on: self.command_requested.emit("loop", {"on": on}))
        self._seconds = 0.0
        self._hold = QTimer(self)
        self._hold.setSingleShot(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NEAR, 0, NEAR, 0)
        for widget in (self.time, self.slider, self.speed, self.loop):
            layout.addWidget(widget)
        self.hide()

    def _seek(self, value: int) -> None:
        self._hold.start(round(1000 * HOLD_S))
        self._show_time(value)
        self.command_requested.emit("seek", {"seconds": value / STEPS})

    def _show_time(self, value: int) -> None:
        self.time.show_text(tr("{time} of {seconds}", time=clock(value / STEPS), seconds=clock(self._seconds)))

    def reset(self) -> None:
        """Begin with another replay: at speed 1, without a loop. They are kept here, since its status lacks them."""
        with QSignalBlocker(self.speed), QSignalBlocker(self.loop):
            self.speed.setCurrentIndex(1)
            self.loop.setChecked(False)

    def refresh(self, now: Snapshot) -> None:
        """Show the time, unless somebody is moving the slider."""
        shown = now.kind == "replay" and now.session_live and now.supports("seek")
        if shown is self.isHidden():
            self.setVisible(shown)
        if shown and math.isfinite(now.elapsed) and not (self.slider.isSliderDown() or self._hold.isActive()):
            self._seconds = now.seconds
            with QSignalBlocker(self.slider):
                self.slider.setRange(0, round(STEPS * now.seconds))
                self.slider.setValue(round(STEPS * now.elapsed))
            self._show_time(self.slider.value())

"""Spin box for a talker's trim, the attenuation that the operator adds to steering."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer, Signal

from earmark.app.dashboard.frame.spin_box import NumberBox
from earmark.app.dashboard.language import tr

#: Range, dB.
TRIM_DB = (-40.0, 0.0)
#: Milliseconds within which steps are combined into one command, and seconds after a step in which the value of the
#: session is not shown.
GATHER_MS, HOLD_S = 120, 1.0


class TrimBox(NumberBox):
    """A talker's trim in dB.

    Attributes
    ----------
    trim_requested : Signal(float)
        The requested trim, dB.
    """

    trim_requested = Signal(float)

    def __init__(self, name: str) -> None:
        super().__init__(tr("Trim of {name} in dB, in addition to steering", name=name))
        self.setRange(*TRIM_DB)
        self.setDecimals(1)
        self.setSuffix(" dB")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(lambda: self.trim_requested.emit(self.value()))
        self._hold_until = 0.0
        self.valueChanged.connect(self._changed)

    def _changed(self) -> None:
        self._hold_until = time.monotonic() + HOLD_S
        self._timer.start()

    def refresh(self, db: float) -> None:
        """Show the value of the session, unless the operator is just changing it."""
        if round(db, 1) != self.value() and time.monotonic() > self._hold_until:
            self.blockSignals(True)
            self.setValue(db)
            self.blockSignals(False)

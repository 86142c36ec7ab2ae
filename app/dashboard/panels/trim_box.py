"""A talker's trim: what the operator takes off its gain, and whether it is silent, whatever steering does."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer, Signal

from earmark.app.dashboard.frame.spin_box import NumberBox

#: Range, dB.
TRIM_DB = (-40.0, 0.0)
#: Milliseconds in which steps become one command, and seconds until the session's answer is shown again.
GATHER_MS, HOLD_S = 120, 1.0


class TrimBox(NumberBox):
    """Decibels off a talker's gain.

    Attributes
    ----------
    trim_requested : Signal(float)
        Somebody wants another trim, dB.
    """

    trim_requested = Signal(float)

    def __init__(self, name: str) -> None:
        super().__init__(f"Trim of {name} in dB, on top of steering")
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
        """Show what the session says, unless somebody is just changing it."""
        if round(db, 1) != self.value() and time.monotonic() > self._hold_until:
            self.blockSignals(True)
            self.setValue(db)
            self.blockSignals(False)

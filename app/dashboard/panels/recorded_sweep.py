"""Pages of a recording, drawn as the traces of a live signal are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent

from earmark.app.dashboard.data.recording_copy import RecordingCopy
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.display_filter import BANDS, DisplayFilter
from earmark.app.dashboard.panels.sweep import Sweep

#: Seconds before a page that are filtered with it, so that the filter has settled.
LEAD_S = 2.0


class RecordedSweep(Sweep):
    """A page of a recording, at any place.

    Attributes
    ----------
    moved : Signal(float)
        The page begins at this time, in seconds from the beginning of the recording.
    """

    moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Traces of the recording"))
        #: What is shown.
        self.recording: RecordingCopy | None = None

    def show_recording(self, recording: RecordingCopy) -> None:
        """Show the first page of a recording."""
        self.recording, self.zero = recording, 0
        self.set_signal(recording.sfreq, recording.ch_names, recording.ch_types, recording.units)
        for at, text in recording.markers:
            self.mark(at, text)
        self.go(0.0)

    def go(self, seconds: float) -> None:
        """Show the page that begins at a time, within the recording."""
        recording, n = self.recording, self._n_sweep
        if recording is None:
            return
        first = max(0, min(round(seconds * recording.sfreq), recording.n_frames - n))
        before = min(first, round(LEAD_S * recording.sfreq))
        data = recording.page(first - before, first + n)
        missing = np.isnan(data).all(axis=1)
        data[~missing] = np.nan_to_num(data[~missing], posinf=0.0, neginf=0.0)  # else the filter would never recover
        page = DisplayFilter(BANDS[self.band], recording.sfreq)(data)[before:]
        self.frozen, self._origin, self._kept_next = True, first, first + n
        self._kept = np.roll(page, first % n, axis=0)
        self.redraw()
        self.moved.emit(first / recording.sfreq)

    def known_samples(self) -> NDArray[np.float32]:
        page = self._history[:0] if self._kept is None else self._kept
        return page[~np.isnan(page).all(axis=1)]

    def set_seconds(self, seconds: float) -> None:
        at = self._origin / self.sfreq if self.sfreq else 0.0
        self.seconds = seconds
        self.go(at)

    def set_band(self, band: str) -> None:
        self.band = band
        if self.sfreq:
            self.go(self._origin / self.sfreq)

    def scroll_page(self, pages: float) -> None:
        if self.sfreq:
            self.go((self._origin + pages * self._n_sweep) / self.sfreq)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Home:
                self.go(0.0)
            case Qt.Key.Key_End if self.recording is not None:
                self.go(self.recording.n_frames / self.sfreq)
            case Qt.Key.Key_PageUp:
                self.scroll_page(-1.0)
            case Qt.Key.Key_PageDown:
                self.scroll_page(1.0)
            case Qt.Key.Key_Space:
                event.ignore()
            case _:
                super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus()

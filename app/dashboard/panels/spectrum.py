"""Panel: power spectrum of the selected channel, and the median of all good channels."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Panel, View
from earmark.app.dashboard.panels.plot import Plot
from earmark.app.looks import TIGHT

#: Seconds of one Welch segment, and the highest frequency shown, Hz.
SEGMENT_S, HIGHEST_HZ = 1.0, 100.0
MEDIAN = tr("median only")


class Spectrum(Panel):
    """Welch's method over the last seconds of the raw signal."""

    title, key, hz = tr("Spectrum"), "spectrum", 2.0

    def __init__(self) -> None:
        super().__init__()
        self._plot = Plot(tr("Power spectrum"), "dB re 1 µV²/Hz", "Hz")
        self._median = pg.PlotCurveItem()
        self._one = pg.PlotCurveItem()
        for item in (self._median, self._one):
            self._plot.addItem(item)
        self._channel = QComboBox()
        self._channel.setAccessibleName(tr("Channel of the spectrum"))
        self._channel.addItem(MEDIAN)
        self._channel.setMinimumContentsLength(8)
        self._channel.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        head = QHBoxLayout()
        label = QLabel(tr("&Channel"))
        label.setBuddy(self._channel)
        head.addWidget(label)
        head.addWidget(self._channel, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.addLayout(head)
        layout.addWidget(self._plot, 1)
        self._names: tuple[str, ...] = ()
        ExportButton("spectrum", self._table, self)

    def _table(self) -> Table:
        """Return the curves that are shown."""
        curves = [
            (name, *one.getData()) for name, one in (("median", self._median), (self._channel.currentText(), self._one))
        ]
        shown = [(name, y) for name, x, y in curves if x is not None and len(x)]
        heads = ["frequency_hz", *(f"{name} dB re 1 uV2/Hz" for name, _ in shown)]
        return heads, zip(self._median.getData()[0] if shown else [], *(y for _, y in shown), strict=True)

    def choose(self, name: str) -> None:
        """Select the channel to show."""
        self._channel.setCurrentText(name)

    def refresh(self, view: View) -> None:
        now, style = view.now, theme.of(self)
        if now.ch_names != self._names:
            self._names = now.ch_names
            self._channel.clear()
            self._channel.addItems([MEDIAN, *now.ch_names])
        data = view.recent.last(4.0)
        sfreq = view.recent.sfreq
        if not sfreq or len(data) < SEGMENT_S * sfreq or data.shape[1] != len(now.ch_names):
            for item in (self._median, self._one):
                item.clear()
            return
        good = [i for i, name in enumerate(now.ch_names) if name not in now.bad] or list(range(data.shape[1]))
        n = round(SEGMENT_S * sfreq)
        from scipy.signal import welch  # takes as long as the rest of the window

        frequency, power = welch(data, sfreq, nperseg=n, axis=0, detrend="constant")
        shown = (frequency >= 1) & (frequency <= min(HIGHEST_HZ, sfreq / 2))
        decibels = 10 * np.log10(np.maximum(power[shown], 1e-9))
        self._median.setData(frequency[shown], np.median(decibels[:, good], axis=1), pen=QColor(style.faint))
        k = self._channel.currentIndex() - 1
        if k >= 0:
            self._one.setData(frequency[shown], decibels[:, k], pen=QColor(style.highlight))
        else:
            self._one.clear()
        self._plot.setXRange(0, float(frequency[shown][-1]), padding=0)
        low, high = np.percentile(decibels[:, good], [0.5, 100])
        self._plot.setYRange(10 * np.floor(low / 10), 10 * np.ceil(high / 10 + 0.1), padding=0)

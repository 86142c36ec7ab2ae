"""The EEG traces with their display settings."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from earmark.app.dashboard.data.snapshot import SILENT_S, Snapshot
from earmark.app.dashboard.frame.format import age
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.display_filter import BANDS, band_words
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.dashboard.panels.sweep import SCALE, SCALES, SECONDS, Sweep
from earmark.app.dashboard.panels.time_axis import TimeCursor
from earmark.app.engine.timeline import Timeline
from earmark.app.looks import NEAR, TIGHT
from earmark.app.status import Event
from earmark.devices.processes.signal_ring import Samples, SignalReader

#: Selectable sweep lengths, s, and channels per page; 0 for all.
LENGTHS, PAGES = (2.0, 5.0, 10.0, 20.0, 30.0), (0, 8, 16, 32, 64, 128)
#: Height of a trace in standard deviations when the scale is chosen automatically.
FIT = 4.0
#: Seconds after the start of a recording within which missing samples are not a fault.
START_S = 10.0


def why_no_signal(now: Snapshot, quiet: float, drawn: bool) -> tuple[str, bool]:
    """Explain why there is no signal and what to do; return the text, and whether that is a fault.

    Parameters
    ----------
    now : Snapshot
    quiet : float
        Seconds since the last sample; infinite if there was none.
    drawn : bool
        Whether traces of an earlier signal are shown.
    """
    if now.died:
        return tr("SESSION DIED"), True
    if not now.session_live:
        if math.isfinite(now.session_age):
            return tr("NO DATA: the session does not respond"), True
        ended = tr("The session has ended: see its runs (Ctrl+4), or start another on the start page (Ctrl+0)")
        return ended if drawn else tr("No session is open: start one on the start page (Ctrl+0)"), False
    if now.replay_paused:
        return tr("Paused"), False
    if now.kind == "view":
        return tr("No signal yet: switch on the amplifier and start its LSL stream"), False
    if now.recording_now:
        return (tr("NO DATA for {quiet}", quiet=age(quiet)) if math.isfinite(quiet) else tr("NO DATA")), True
    if now.failure and now.state in ("idle", "review"):
        return tr("FAILED: {failure}", failure=now.failure), True
    match now.state:
        case "checking":
            return tr("Checking: this takes some seconds"), False
        case "calibrating" if now.complete:
            return tr("Calibration finished: train the decoder (Ctrl+3)"), False
        case "training":
            return tr("Training the decoder"), False
        case "review":
            return tr("Replay finished") if now.kind == "replay" else tr("Run finished: see its result (Ctrl+4)"), False
        case "calibrating" | "running" | "paused":
            return tr("Completing the recording") if now.ending else tr("Starting"), False
    if now.kind == "demo":
        return tr("Waiting for the run") if now.decoder else tr("Waiting for calibration"), False
    if now.decoder:
        return tr("Waiting for the run (Ctrl+R)"), False
    return tr("Waiting for calibration (Ctrl+3). F7 checks streams, electrodes and sound"), False


def not_recorded(now: Snapshot) -> str:
    """Say that a live signal is not recorded, and what comes next."""
    if now.kind == "view":
        return tr("Not recorded: make a session of this stream to calibrate and run")
    return tr("Not recorded. {why}", why=why_no_signal(now, 0.0, True)[0])


class Traces(QWidget):
    """Traces with their display settings, as in the centre of the live page.

    Parameters
    ----------
    sweep : Sweep, optional
        Draws the traces; by default, those of a live signal.

    Attributes
    ----------
    chosen : Signal(str)
        A channel was clicked.
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    chosen = Signal(str)
    command_requested = Signal(str, dict)

    def __init__(self, sweep: Sweep | None = None) -> None:
        super().__init__()
        self.sweep = sweep or Sweep()
        self.sweep.clicked.connect(self.chosen)
        self._length = _choice(tr("Sweep length in seconds"), {f"{length:g}": f"{length:g} s" for length in LENGTHS})
        scales = {f"{scale:g}": _scale_words(scale, "µV") for scale in SCALES}
        self._scale = _choice(tr("Scale: half the height of a trace"), scales)
        self._kind = _choice(tr("Type of the channels whose scale is chosen"), {})
        self._kind.hide()
        #: Scales of types other than the main one, as saved.
        self._kept_scales: dict[str, float] = {}
        self._band = _choice(tr("Display filter"), {code: band_words(code) for code in BANDS})
        pages = {str(n): tr("{n} ch", n=n) if n else tr("all ch") for n in PAGES}
        self._page_size = _choice(tr("Channels per page"), pages)
        self._length.setCurrentIndex(LENGTHS.index(SECONDS))
        self._scale.setCurrentIndex(SCALES.index(SCALE))
        self._before, self._after = QToolButton(), QToolButton()
        for button, words, sign in (
            (self._before, tr("Previous channels"), "◀"),
            (self._after, tr("Next channels"), "▶"),
        ):
            button.setText(sign)
            button.setAccessibleName(words)
            button.setToolTip(f"{words} ({',' if sign == '◀' else '.'})")
        self.freeze = QPushButton(tr("Freeze"))
        self.freeze.setCheckable(True)
        self.freeze.setAccessibleName(tr("Freeze the traces"))
        self.freeze.setToolTip(tr("Freeze the traces, to scroll back (← →); everything else continues (F8, or Space)"))
        self.bad = QToolButton()
        self.bad.setText(tr("✕ bad"))
        self.bad.setAccessibleName(tr("Mark the chosen channel as bad, or as good again"))
        self.bad.setEnabled(False)
        self.bad.clicked.connect(self._toggle_bad)
        self._chosen, self._marked = "", frozenset[str]()
        self._note = Reading(tr("Use of the filter"))
        self._note.show_text(tr("display filter only"))
        self._note.setEnabled(False)
        self._lost = Reading(
            tr("Samples that this window was too late to draw; recording and decoder received them"),
            tr("000,000 not drawn"),
        )
        self._length.currentIndexChanged.connect(lambda i: self.sweep.set_seconds(LENGTHS[i]))
        self._scale.currentIndexChanged.connect(self._set_scale)
        self._kind.currentTextChanged.connect(self._choose_kind)
        self._band.currentIndexChanged.connect(lambda _: self.sweep.set_band(self._band.currentData()))
        self._page_size.currentIndexChanged.connect(lambda _: self._show_page(0))
        self._before.clicked.connect(lambda: self.turn_page(-1))
        self._after.clicked.connect(lambda: self.turn_page(1))
        self.freeze.toggled.connect(self.sweep.set_frozen)
        self.sweep.space.connect(self.freeze.toggle)
        self.sweep.zoomed.connect(self.zoom)
        self.sweep.lengthened.connect(self.step_length)
        head = QHBoxLayout()
        head.setContentsMargins(NEAR, TIGHT, NEAR, 0)
        head.setSpacing(TIGHT)
        boxes = self._length, self._kind, self._scale, self._band, self._page_size
        for widget in (*boxes, self._before, self._after, self.freeze, self.bad):
            head.addWidget(widget)
        head.addWidget(self._note, 1)
        head.addWidget(self._lost)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(TIGHT)
        layout.addLayout(head)
        layout.addWidget(self.sweep, 1)
        self._page = 0
        self._started_at = -math.inf  # last time without a recording
        self._last_data_at, self._fitted, self._ring = -math.inf, False, ""
        ExportButton("traces", self._table, self.sweep)
        self._newest = (0, math.nan)  # a sample, and the LSL time at which it was the newest

    def share(self, cursor: TimeCursor) -> None:
        """Show and move the cursor of the page."""
        cursor.moved.connect(lambda: self.sweep.show_instant(self._sample(cursor.time), cursor.words))
        self.sweep.pointed.connect(lambda index: cursor.point(self._time(index)))

    def _sample(self, time: float) -> float:
        """Return the sample that was the newest at an LSL time."""
        index, at = self._newest
        return index + (time - at) * self.sweep.sfreq

    def _time(self, index: float) -> float:
        newest, at = self._newest
        return at + (index - newest) / (self.sweep.sfreq or math.nan)

    def _table(self) -> Table:
        """Return the samples that are shown, as they are drawn: after the display filter."""
        first, data = self.sweep.shown_samples()
        shown, zero, sfreq = self.sweep.shown, self.sweep.zero, self.sweep.sfreq
        units = [unit.replace("µV", "uV") for unit in self.sweep.units[shown]]
        heads = [f"{name} {unit}".rstrip() for name, unit in zip(self.sweep.ch_names[shown], units, strict=True)]
        indices = range(first, first + len(data))
        times = [self._time(k) if zero is None else (k - zero) / sfreq for k in indices]
        rows = ([time, *values] for time, values in zip(times, data.tolist(), strict=True))
        return ["lsl_time_s" if zero is None else "time_s", *heads], rows

    def jump(self, time: float) -> bool:
        """Freeze the traces and show those of an LSL time; return whether they are still kept."""
        index, frozen = self._sample(time), self.freeze.isChecked()
        if math.isnan(index):
            return False
        self.freeze.setChecked(True)
        kept = self.sweep.show_sample(round(index))
        if not kept:
            self.freeze.setChecked(frozen)
        return kept

    @property
    def _choices(self) -> dict[str, QComboBox]:
        return {"length": self._length, "scale": self._scale, "band": self._band, "page": self._page_size}

    def save(self, settings: QSettings) -> None:
        """Save the display settings."""
        for name, box in self._choices.items():
            settings.setValue(f"traces/{name}", box.currentData())
        settings.setValue("traces/scale", f"{self.sweep.scale_uv:g}")
        for kind, scale in (self._kept_scales | self.sweep.scales).items():
            settings.setValue(f"traces/scales/{kind}", scale)

    def restore(self, settings: QSettings) -> None:
        """Restore the display settings, as far as they are saved and still offered."""
        for name, box in self._choices.items():
            if (index := box.findData(str(settings.value(f"traces/{name}")))) >= 0:
                box.setCurrentIndex(index)
                self._fitted = self._fitted or name == "scale"

        settings.beginGroup("traces/scales")
        for kind in settings.childKeys():
            if (scale := _number(settings.value(kind))) in SCALES:
                self._kept_scales[kind] = scale
        settings.endGroup()
        self.sweep.scales |= self._kept_scales

    def _list_kinds(self) -> None:
        """Offer the types of channels of a new signal, if it has several."""
        kinds = self.sweep.kinds
        self._kind.blockSignals(True)
        self._kind.clear()
        self._kind.addItems(kinds)
        self._kind.setVisible(len(kinds) > 1)
        self._kind.blockSignals(False)
        self._choose_kind(self._kind.currentText())

    def _choose_kind(self, kind: str) -> None:
        self.sweep.kind = kind
        self._scale.blockSignals(True)
        unit = self.sweep.unit_of(kind)
        for k, scale in enumerate(SCALES):
            self._scale.setItemText(k, _scale_words(scale, unit))
        self._scale.setCurrentIndex(SCALES.index(self.sweep.scale_of(kind)))
        self._scale.blockSignals(False)
        self.sweep.redraw()

    def _set_scale(self, index: int) -> None:
        self.sweep.set_scale(SCALES[index])
        if self.sweep.kind in self.sweep.scales:
            self._kept_scales[self.sweep.kind] = SCALES[index]

    def hide_live(self) -> None:
        """Hide what only concerns a live signal."""
        for widget in (self.freeze, self.bad, self._lost):
            widget.hide()

    def restart(self) -> None:
        """Show the first page of channels of another recording, and choose the scale anew."""
        self._list_kinds()
        self._fitted = False
        self._fit_scale()
        self._show_page(0)

    def choose(self, name: str) -> None:
        """Choose the channel that the button marks as bad."""
        self._chosen = name

    def _toggle_bad(self) -> None:
        self.command_requested.emit("bad", {"channel": self._chosen, "on": self._chosen not in self._marked})

    def _show_choice(self, now: Snapshot) -> None:
        """Update the button: bad channels can be changed while nothing is recorded."""
        there = self._chosen in now.ch_names
        self._marked = now.marked
        words = tr("✓ good") if there and self._chosen in now.marked else tr("✕ bad")
        if self.bad.text() != words:
            self.bad.setText(words)
        self.bad.setEnabled(there and now.can_mark)
        words = (
            tr("Mark {chosen} as {words}, from the next check on", chosen=self._chosen, words=words[2:])
            if there
            else tr("Click a channel first")
        )
        self.bad.setToolTip(tip(words) if now.can_mark else tr("Bad channels can be changed while nothing is recorded"))

    def update_signal(self, samples: Samples | None, reader: SignalReader | None, now: Snapshot) -> None:
        """Draw new samples; without any for ``SILENT_S``, show why.

        Parameters
        ----------
        samples : Samples or None
            New samples of ``reader``.
        reader : SignalReader or None
        now : Snapshot
        """
        sweep = self.sweep
        self._show_choice(now)
        if reader is not None and samples is not None and len(now.ch_names) == reader.ring.n_channels:
            self._follow_signal(reader, now)
            sweep.set_bad(frozenset(now.bad))
            if now.time != self._newest[1]:
                self._newest = reader.cursor, now.time
            if len(samples.data):
                self._last_data_at = time.monotonic()
                sweep.feed(samples)
                self._fit_scale()
            self._lost.show_text(tr("{lost:,} not drawn", lost=reader.lost) if reader.lost else "")
        if not now.recording_now:
            self._started_at = time.monotonic()
        quiet = time.monotonic() - self._last_data_at
        if quiet <= SILENT_S and not now.died:
            sweep.set_notice("")
            sweep.set_badge("" if now.recording_now else not_recorded(now))
            return
        sweep.set_badge("")
        words, fault = why_no_signal(now, quiet, bool(sweep.ch_names))
        if now.recording_now and fault and time.monotonic() - self._started_at < START_S:
            words, fault = tr("Starting"), False
        sweep.set_notice(tr("{words}. The traces are old", words=words) if sweep.ch_names else words, fault)

    def mark(self, events: list[Event]) -> None:
        """Draw labelled lines at events."""
        for event in events:
            if not math.isnan(index := self._sample(event.time)):
                self.sweep.mark(round(index), event.text)

    def forget_events(self) -> None:
        """Remove the lines at events."""
        self.sweep.timeline = Timeline()
        self.sweep.redraw()

    def _follow_signal(self, reader: SignalReader, now: Snapshot) -> None:
        """Restart the traces if the signal has changed."""
        same = (self.sweep.sfreq, self.sweep.ch_names) == (reader.ring.sfreq, now.ch_names)
        if same and self._ring == reader.ring.name:
            return
        self._ring = reader.ring.name
        self.sweep.set_signal(reader.ring.sfreq, now.ch_names, now.ch_types)
        self._list_kinds()
        self._fitted = self._fitted and same
        self._show_page(self._page if same else 0)

    def _fit_scale(self) -> None:
        """Choose the scale once, as soon as there is a second of signal."""
        if not self._fitted and math.isfinite(amplitude := self.sweep.amplitude_of(self.sweep.kinds[0])):
            self._kind.setCurrentIndex(0)
            self._fitted = True
            self._scale.setCurrentIndex(_fitting(amplitude))
            for kind in self.sweep.kinds[1:]:
                if kind not in self._kept_scales:
                    self.sweep.scales[kind] = SCALES[_fitting(self.sweep.amplitude_of(kind))]
            self.sweep.redraw()

    def zoom(self, step: int) -> None:
        """Make traces larger (positive) or smaller."""
        self._scale.setCurrentIndex(min(max(self._scale.currentIndex() - step, 0), len(SCALES) - 1))

    def step_length(self, step: int) -> None:
        """Make a sweep longer or shorter."""
        self._length.setCurrentIndex(min(max(self._length.currentIndex() + step, 0), len(LENGTHS) - 1))

    def next_band(self) -> None:
        """Select the next filter."""
        self._band.setCurrentIndex((self._band.currentIndex() + 1) % self._band.count())

    def next_page_size(self) -> None:
        """Select the next number of channels per page."""
        self._page_size.setCurrentIndex((self._page_size.currentIndex() + 1) % self._page_size.count())

    def turn_page(self, step: int) -> None:
        """Go forwards (positive) or backwards by pages of channels."""
        self._show_page(self._page + step)

    def _show_page(self, page: int) -> None:
        n = len(self.sweep.ch_names)
        size = PAGES[self._page_size.currentIndex()] or max(1, n)
        last = max(0, math.ceil(n / size) - 1)
        self._page = min(max(page, 0), last)
        self._before.setEnabled(self._page > 0)
        self._after.setEnabled(self._page < last)
        self.sweep.set_shown(slice(self._page * size, min(n, (self._page + 1) * size)))


def _scale_words(scale: float, unit: str) -> str:
    return f"±{scale:g} {unit}".rstrip()


def _choice(name: str, words: Mapping[str, str]) -> QComboBox:
    """Return a box that offers words; its data are their keys, which do not depend on the language."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    for key, text in words.items():
        box.addItem(text, key)
    return box


def _fitting(amplitude: float) -> int:
    """Return the index of the smallest scale at which traces of this standard deviation fit."""
    fits = [k for k, scale in enumerate(SCALES) if scale >= FIT / 2 * amplitude]
    return fits[0] if fits else len(SCALES) - 1


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan

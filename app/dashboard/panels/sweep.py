"""EEG traces as a sweep. Only new pixel columns are drawn, into an image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.columns import Bars, Columns, draw_bars
from earmark.app.dashboard.panels.display_filter import BANDS, DisplayFilter
from earmark.app.dashboard.panels.sweep_words import (
    AXIS,
    NAMES,
    paint_axis,
    paint_badge,
    paint_cursor,
    paint_events,
    paint_instant,
    paint_names,
    paint_notice,
    paint_scale,
    paint_spans,
    small,
)
from earmark.app.dashboard.panels.time_axis import short_words
from earmark.app.engine.timeline import Kind, Mark, Timeline
from earmark.app.looks import event_colour
from earmark.devices.processes.signal_ring import Samples

#: Selectable scales (half the height of a lane, µV); default scale, µV, and default sweep length, s.
SCALES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 20000.0)
SCALE, SECONDS = 50.0, 10.0
#: Types of channels whose scale is the main one.
MAIN = ("eeg", "seeg", "ecog")
#: Seconds of signal that are kept, to scroll back in, and what they may take: fewer are kept of large signals, but
#: never less than the longest sweep.
KEPT_S, KEPT_BYTES, LONGEST_S = 60.0, 1 << 26, 30.0
#: Width of the erased bar ahead of new columns, in logical pixels.
ERASED = 10
#: Opacity of the cover over old traces, of 255.
FADE_ALPHA = 150
#: Text at the top of frozen traces.
FROZEN = tr("FROZEN – Space resumes, ← and → scroll")
#: Number of lanes by which a trace may leave its own.
BEYOND = 1.0


class Sweep(QWidget):
    """Traces that are drawn from left to right, repeatedly; while frozen, one page of them, to scroll back from.

    Attributes
    ----------
    clicked : Signal(str)
        The name or trace of this channel was clicked.
    space : Signal()
        The space bar was pressed.
    zoomed, lengthened : Signal(int)
        The wheel was turned: 1 for larger traces or a longer sweep, -1 for the opposite.
    pointed : Signal(float)
        Sample under the mouse; NaN for none.
    """

    clicked = Signal(str)
    space = Signal()
    zoomed = Signal(int)
    lengthened = Signal(int)
    pointed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(tr("EEG traces"))
        self.seconds, self.scale_uv, self.band = SECONDS, SCALE, next(iter(BANDS))
        #: Channels shown.
        self.shown = slice(0, 0)
        self.ch_names: tuple[str, ...] = ()
        self.ch_types: tuple[str, ...] = ()
        self.units: tuple[str, ...] = ()
        #: Type of channels whose scale is chosen, and scale of every other type than the main one.
        self.kind, self.scales = "", dict[str, float]()
        self.sfreq = 0.0
        self.bad: frozenset[str] = frozenset()
        self.frozen = False
        #: Text over the traces (empty for none), and whether it is a fault.
        self.notice, self._alarming = "", False
        #: Text at the top of live traces; empty for none.
        self.badge = ""
        #: Events and intervals; their times are samples.
        self.timeline = Timeline()
        #: Sample of the cursor of the page, NaN for none, and its time in words.
        self._instant, self._instant_words = math.nan, ""
        self._next = 0
        self._history: NDArray[np.float32] = np.zeros((1, 0), np.float32)
        #: While frozen: the signal at that time, and the first sample of the page that is shown.
        self._kept: NDArray[np.float32] | None = None
        self._kept_next = self._origin = 0
        #: Sample at time 0; None for the newest.
        self.zero: int | None = None
        self._mouse: QPointF | None = None
        self._allocate()

    # Settings and data

    def set_signal(
        self, sfreq: float, ch_names: tuple[str, ...], ch_types: tuple[str, ...] = (), units: tuple[str, ...] = ()
    ) -> None:
        """Start with a new signal; by default, all channels are EEG in µV. An empty unit is not known."""
        self.sfreq, self.ch_names = sfreq, ch_names
        self.ch_types = ch_types or ("eeg",) * len(ch_names)
        self.units = tuple("µV" if unit == "uV" else unit for unit in units) or ("µV",) * len(ch_names)
        self.kind = self.kinds[0] if self.ch_types else ""
        self.shown = slice(0, len(ch_names))
        self.timeline = Timeline()
        self.setAccessibleDescription(
            tr("{n} channels at {sfreq:g} Hz, swept from left to right", n=len(ch_names), sfreq=sfreq)
        )
        self._reset_history()

    def set_seconds(self, seconds: float) -> None:
        """Set the length of a sweep."""
        end = self._origin + self._n_sweep
        self.seconds = seconds
        self._origin = end - self._n_sweep
        self.redraw()

    def set_band(self, band: str) -> None:
        """Set the display filter. The picture restarts."""
        self.band = band
        self._reset_history()

    def set_scale(self, scale_uv: float) -> None:
        """Set the half height of a lane of channels of the chosen type, in their unit."""
        if self.kind in self.kinds[1:]:
            self.scales[self.kind] = scale_uv
        else:
            self.scale_uv = scale_uv
        self.redraw()

    def set_shown(self, shown: slice) -> None:
        """Set the channels to show."""
        if shown != self.shown:
            self.shown = shown
            self.redraw()

    def set_bad(self, bad: frozenset[str]) -> None:
        """Mark these channels as bad."""
        if bad != self.bad:
            self.bad = bad
            self.redraw()

    def set_frozen(self, on: bool) -> None:
        """Freeze the picture while samples are still collected; on release, draw the newest."""
        self.frozen = on
        self._kept = self._history.copy() if on else None
        self._kept_next = self._next
        self._origin = self._next - self._n_sweep if on else 0
        self.redraw()

    def scroll_page(self, pages: float) -> None:
        """While frozen, go forwards (positive) or backwards by a part of a page, within the signal that was kept."""
        if self._kept is None:
            return
        newest = self._kept_next - self._n_sweep
        oldest = min(max(0, self._kept_next - len(self._kept)), newest)
        self._origin = min(max(self._origin + round(pages * self._n_sweep), oldest), newest)
        self.redraw()

    @property
    def alarming(self) -> bool:
        """Whether the text over the traces describes a fault."""
        return self._alarming

    def set_notice(self, notice: str, alarming: bool = False) -> None:
        """Show a text over the traces, which fade because they are old. A fault has a red background."""
        if (notice, alarming) != (self.notice, self._alarming):
            self.notice, self._alarming = notice, alarming
            self.update()

    def set_badge(self, words: str) -> None:
        """Show a text at the top of live traces."""
        if words != self.badge:
            self.badge = words
            self.update()

    def mark(self, index: int, text: str) -> None:
        """Draw a labelled line at a sample."""
        self.timeline.forget(self._next - len(self._history))
        self.timeline.add(index, text)
        if not self.frozen:
            self._draw_event_line(self.timeline.marks[-1])
            self.update()

    def show_instant(self, index: float, words: str) -> None:
        """Show the cursor of the page at a sample, NaN for none, with its time in words."""
        self._instant, self._instant_words = index, words
        self.update()

    def show_sample(self, index: int) -> bool:
        """While frozen, show the page with a sample in its middle; return whether that sample is kept."""
        if self._kept is None or not max(0, self._kept_next - len(self._kept)) <= index < self._kept_next:
            return False
        self.scroll_page((index - self._n_sweep // 2 - self._origin) / self._n_sweep)
        return True

    @property
    def _n_sweep(self) -> int:
        """Number of samples in a sweep."""
        return max(1, round(self.seconds * self.sfreq))

    def feed(self, samples: Samples) -> None:
        """Add samples and draw the columns they complete."""
        if not self.ch_names or not len(samples.data):
            return
        if samples.lost:
            self._filter.reset()
        self._mark_missing(samples.start)
        data = self._filter(samples.data)
        n = len(self._history)
        self._history[np.arange(samples.start, samples.start + len(data))[-n:] % n] = data[-n:]
        self._next = samples.start + len(data)
        if self.frozen:
            return
        bars = self._columns.add(samples.start, data[:, self.shown])
        if len(bars.low):
            self._draw(bars)
        if self._mouse is not None:
            self._point()  # another sample may be under the mouse now

    @property
    def kinds(self) -> list[str]:
        """Types of the channels; the first one is that of electrodes on the head, or of the first channel."""
        kinds = list(dict.fromkeys(self.ch_types))
        return sorted(kinds, key=lambda kind: kind not in MAIN)

    def scale_of(self, kind: str) -> float:
        """Return the half height of a lane of channels of a type, in their unit."""
        return self.scales.get(kind, self.scale_uv) if kind in self.kinds[1:] else self.scale_uv

    def unit_of(self, kind: str) -> str:
        """Return the unit of the channels of a type; empty if it is not known, or they have several."""
        units = {unit for unit, one in zip(self.units, self.ch_types, strict=True) if one == kind}
        return units.pop() if len(units) == 1 else ""

    def amplitude_of(self, kind: str) -> float:
        """Median over channels of a type of the standard deviation; NaN with less than a second of signal."""
        known = self.known_samples()
        if len(known) <= self.sfreq:
            return float("nan")
        return float(np.median(known[:, [one == kind for one in self.ch_types]].std(axis=0)))

    def known_samples(self) -> NDArray[np.float32]:
        """Return the samples that are kept, without missing ones, in any order."""
        return self._history[~np.isnan(self._history[:, 0])] if self.ch_names else self._history[:0]

    def shown_samples(self) -> tuple[int, NDArray[np.float32]]:
        """Return the first sample that is shown, and the signal from there on.

        Returns
        -------
        first : int
        data : ndarray
            Shape (n_samples, n_shown), each channel in its own unit, as in ``units``.
        """
        history, newest = (self._history, self._next) if self._kept is None else (self._kept, self._kept_next)
        stop = newest if self._kept is None else min(newest, self._origin + self._n_sweep)
        first = max(0, newest - len(history), stop - self._n_sweep)
        return first, history[np.arange(first, max(first, stop)) % len(history)][:, self.shown]

    # Drawing

    def _reset_history(self) -> None:
        room = KEPT_BYTES // (4 * max(1, len(self.ch_names)))
        n = max(1, round(LONGEST_S * self.sfreq), min(round(KEPT_S * self.sfreq), room))
        self._filter = DisplayFilter(BANDS[self.band], self.sfreq or 1.0)
        self._history = np.full((n, len(self.ch_names)), np.nan, np.float32)
        self._next = 0
        self.set_frozen(self.frozen)

    def _mark_missing(self, start: int) -> None:
        """Mark the samples between the newest one and ``start`` as missing."""
        n = len(self._history)
        if 0 < self._next < start:
            self._history[np.arange(self._next, start)[-n:] % n] = np.nan

    def _allocate(self) -> None:
        ratio = self.devicePixelRatioF()
        height, width = max(1, round(self._lanes * ratio)), max(1, round((self.width() - NAMES) * ratio))
        self._pixels = np.empty((height, width), np.uint32)
        self._image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self._image.setDevicePixelRatio(ratio)
        self.redraw()

    def redraw(self) -> None:
        """Redraw the whole sweep."""
        look = theme.of(self)
        names = self.ch_names[self.shown]
        self._blank = QColor(look.base).rgb()
        self._marks = {kind: QColor(event_colour(look, kind)).rgb() for kind in Kind}
        colours = [look.masked if name in self.bad else look.traces[i % 2] for i, name in enumerate(names)]
        self._colours = np.array([QColor(colour).rgb() for colour in colours], np.uint32)
        height, width = self._pixels.shape
        lane = height / max(1, len(names))
        self._middle = (np.arange(len(names)) + 0.5) * lane
        scales = [self.scale_of(kind) for kind in self.ch_types[self.shown]]
        self._per_uv = lane / (2 * np.array(scales)) if scales else np.zeros(0)
        self._bar_per_uv = lane / (2 * self.scale_of(self.kind))
        reach = (0.5 + BEYOND) * lane
        self._limits = np.clip([self._middle - reach, self._middle + reach], 0, height - 1).astype(np.int64)
        self._last_ends = np.full((2, len(names)), np.nan)
        self._pixels[:] = self._blank
        self._columns = Columns(self._n_sweep, width)
        self._at = 0
        first, past = self.shown_samples()
        if names and len(past):
            # Complete columns only, so that the picture equals the one drawn incrementally.
            bars = self._columns.add(first - self._origin, past)
            if len(bars.low):
                self._draw_columns(bars)
                if not self.frozen:
                    self._erase()
            for mark in self.timeline.marks:
                self._draw_event_line(mark)
        self.update()

    def _draw(self, bars: Bars) -> None:
        width = self._pixels.shape[1]
        begin = self._at
        if len(bars.low) > width:
            bars = Bars(bars.first + len(bars.low) - width, bars.low[-width:], bars.high[-width:])
        jumped = bars.first % width != self._at
        self._clear(bars.first, len(bars.low))
        self._draw_columns(bars)
        self._erase()
        ratio = self._image.devicePixelRatio()
        if jumped or self._at < begin + 1 or len(bars.low) + ERASED * ratio >= width - begin:
            self.update(NAMES, 0, self.width() - NAMES, self._lanes)
        else:
            left = NAMES + int(begin / ratio) - 4
            self.update(left, 0, int((self._at - begin) / ratio) + ERASED + 10, self._lanes)

    def _draw_columns(self, bars: Bars) -> None:
        width = self._pixels.shape[1]
        top = np.concatenate([self._last_ends[:1], self._middle - bars.high * self._per_uv])
        bottom = np.concatenate([self._last_ends[1:], self._middle - bars.low * self._per_uv])
        draw_bars(self._pixels, bars.first % width, top, bottom, self._limits, self._colours)
        self._last_ends = np.stack([top[-1], bottom[-1]])
        self._at = (bars.first + len(bars.low)) % width

    def _clear(self, first: int, n: int) -> None:
        width = self._pixels.shape[1]
        at = first % width
        self._pixels[:, at : at + n] = self._blank
        self._pixels[:, : max(0, at + n - width)] = self._blank

    def _erase(self) -> None:
        self._clear(self._at, round(ERASED * self._image.devicePixelRatio()))

    def _draw_event_line(self, mark: Mark) -> None:
        if self._is_shown(mark.time):
            height, width = self._pixels.shape
            at = self._columns.column(round(mark.time) - self._origin) % width
            self._pixels[np.arange(height) // 3 % 2 == 0, at] = self._marks[mark.kind]

    def _is_shown(self, index: float) -> bool:
        """Whether a sample is on the page, or in the current or last sweep."""
        if self.frozen:
            return 0 <= index - self._origin < self._n_sweep
        return self._next - self._n_sweep < index

    def _place(self, index: float) -> float:
        """Return the horizontal position of a sample that is shown, in logical pixels."""
        width = self._pixels.shape[1]
        return NAMES + self._columns.column(round(index) - self._origin) % width / self._image.devicePixelRatio()

    def _places(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Return the horizontal positions between which an interval is shown: in two parts if a sweep begins in it."""
        n, last = self._n_sweep, self._origin + self._n_sweep if self.frozen else self._next
        begin, end = max(begin, last - n), min(end, last)
        start = self._origin if self.frozen else begin // n * n
        found = []
        while begin < end:
            stop, scale = min(end, start + n), (self.width() - NAMES) / n
            found.append((NAMES + (begin - start) * scale, NAMES + (stop - start) * scale))
            begin = start = stop
        return found

    @property
    def _lanes(self) -> int:
        """Height of all traces in logical pixels."""
        return max(1, self.height() - AXIS)

    def _sample_at(self, x: float) -> int:
        """Return the sample at a horizontal position in logical pixels."""
        width = self._pixels.shape[1]
        column = int(min(max((x - NAMES) * self._image.devicePixelRatio(), 0), width - 1))
        if self.frozen:
            return self._origin + column * self._n_sweep // width
        turn = self._next // self._n_sweep - (column > self._columns.column(self._next) % width)
        return turn * self._n_sweep + column * self._n_sweep // width

    def cursor_words(self) -> str:
        """Return channel, value and age of the sample under the mouse; empty if there is none."""
        names = self.ch_names[self.shown]
        if self._mouse is None or not names or self._mouse.x() < NAMES or not 0 <= self._mouse.y() < self._lanes:
            return ""
        lane = min(int(self._mouse.y() * len(names) / self._lanes), len(names) - 1)
        index = self._sample_at(self._mouse.x())
        history, newest = (self._history, self._next) if self._kept is None else (self._kept, self._kept_next)
        if not max(0, newest - len(history)) <= index < newest:
            return ""
        value = history[index % len(history), self.shown.start + lane]
        zero = newest if self.zero is None else self.zero
        if np.isnan(value):
            return tr("{name}  no sample", name=names[lane])
        unit, at_s = self.units[self.shown.start + lane], (index - zero) / self.sfreq
        return f"{names[lane]}  {value:+.1f} {unit}  {at_s:.2f} s".replace("-", "−")

    # Qt

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._allocate()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.DevicePixelRatioChange):
            self._allocate()
        super().changeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        names = self.ch_names[self.shown]
        if names and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(names[min(len(names) - 1, int(event.position().y() / self._lanes * len(names)))])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse = event.position()
        self._point()

    def leaveEvent(self, event: QEvent) -> None:
        self._mouse = None
        self.pointed.emit(math.nan)
        self.update()

    def _point(self) -> None:
        """Report the sample under the mouse, and show its value."""
        if self._mouse is not None and self.cursor_words():
            self.pointed.emit(float(self._sample_at(self._mouse.x())))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom; with Ctrl, change the length of the sweep; with Shift or sideways, scroll while frozen."""
        along, up = event.angleDelta().x(), event.angleDelta().y()
        keys = event.modifiers()
        if keys & Qt.KeyboardModifier.ShiftModifier or (along and not up):
            self.scroll_page(-(along or up) / 1200)
        elif up:
            step = 1 if up > 0 else -1
            (self.lengthened if keys & Qt.KeyboardModifier.ControlModifier else self.zoomed).emit(step)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Space:
                self.space.emit()
            case Qt.Key.Key_Left if self.frozen:
                self.scroll_page(-0.5)
            case Qt.Key.Key_Right if self.frozen:
                self.scroll_page(0.5)
            case _:
                super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        area, ratio = event.rect(), self._image.devicePixelRatio()
        lanes = QRect(NAMES, 0, self.width() - NAMES, self._lanes)
        seen = area.intersected(lanes)
        painter.setFont(small(self.font()))
        if not seen.isEmpty():
            source = QRectF((seen.x() - NAMES) * ratio, seen.y() * ratio, seen.width() * ratio, seen.height() * ratio)
            painter.drawImage(QRectF(seen), self._image, source)
            if self.ch_names and not self.frozen:
                painter.setPen(QColor(look.highlight))
                x = NAMES + self._at / ratio + 1
                painter.drawLine(QPointF(x, 0), QPointF(x, self._lanes))
            if self.notice:
                pale = QColor(look.base)
                pale.setAlpha(FADE_ALPHA)
                painter.fillRect(seen, pale)
            self._paint_words(painter, look, lanes)
        if area.left() < NAMES:
            painter.setFont(small(self.font()))
            paint_names(painter, look, self.ch_names[self.shown], self.bad, self._lanes)
        if area.bottom() >= self._lanes:
            painter.setFont(small(self.font()))
            zero = self._kept_next if self.zero is None else self.zero
            first_s = (self._origin - zero) / self.sfreq if self.frozen and self.sfreq else 0.0
            paint_axis(painter, look, QRect(NAMES, self._lanes, lanes.width(), AXIS), self.seconds, first_s)

    def _paint_words(self, painter: QPainter, look: theme.Theme, lanes: QRect) -> None:
        area = QRectF(lanes)
        spans = self.timeline.spans
        pieces = [(*x, event_colour(look, one.kind)) for one in spans for x in self._places(one.begin, one.end)]
        paint_spans(painter, area, pieces)
        shown = [mark for mark in self.timeline.marks if self._is_shown(mark.time)]
        labels = [(self._place(mark.time), short_words(mark), event_colour(look, mark.kind)) for mark in shown]
        paint_events(painter, labels, look.base, area)
        if self.ch_names:
            ratio = self._image.devicePixelRatio()
            kind = self.kind.upper() if len(self.kinds) > 1 else ""
            paint_scale(
                painter,
                look,
                self.width() - 4.0,
                self._lanes - 4.0,
                self._bar_per_uv / ratio,
                self.unit_of(self.kind),
                kind,
            )
        newest = self._kept_next if self.frozen else self._next
        if self._is_shown(self._instant) and self._instant < newest:
            paint_instant(painter, look, self._place(self._instant), area, self._instant_words)
        if self._mouse is not None and (words := self.cursor_words()):
            paint_cursor(painter, look, self._mouse.x(), self._mouse.y(), lanes, words)
        if words := FROZEN if self.frozen and self.zero is None else self.badge:
            paint_badge(painter, look, lanes, words)
        if self.notice:
            paint_notice(painter, look, lanes, self.notice, self._alarming)

"""EEG traces as a sweep. Only new pixel columns are drawn, into an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.panels.columns import Bars, Columns, draw_bars
from earmark.app.dashboard.panels.display_filter import BANDS, DisplayFilter
from earmark.devices.processes.signal_ring import Samples

#: Selectable scales (half the height of a lane, µV); default scale, µV, and default sweep length, s.
SCALES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 20000.0)
SCALE, SECONDS = 50.0, 10.0
#: Width of the channel names, and of the erased bar ahead of new columns, in logical pixels.
NAMES, ERASED = 66, 10
#: Opacity of the cover over old traces, of 255.
FADE_ALPHA = 150
#: Maximum width of an event label, in pixels.
LABEL_WIDTH = 120
#: Number of lanes by which a trace may leave its own.
BEYOND = 1.0
#: Height of a channel name, and its font size, in pixels.
NAME_HEIGHT, FONT_PX = 13, 10


class Sweep(QWidget):
    """Traces that are drawn from left to right, repeatedly.

    Attributes
    ----------
    clicked : Signal(str)
        The name or trace of this channel was clicked.
    space : Signal()
        The space bar was pressed.
    """

    clicked = Signal(str)
    space = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("EEG traces")
        self.seconds, self.scale_uv, self.band = SECONDS, SCALE, next(iter(BANDS))
        #: Channels shown.
        self.shown = slice(0, 0)
        self.ch_names: tuple[str, ...] = ()
        self.sfreq = 0.0
        self.bad: frozenset[str] = frozenset()
        self.frozen = False
        #: Text over the traces (empty for none), and whether it is a fault.
        self.notice, self._alarming = "", False
        self._events: list[tuple[int, str]] = []
        self._next = 0
        self._history: NDArray[np.float32] = np.zeros((1, 0), np.float32)
        self._allocate()

    # Settings and data

    def set_signal(self, sfreq: float, ch_names: tuple[str, ...]) -> None:
        """Start with a new signal."""
        self.sfreq, self.ch_names = sfreq, ch_names
        self.shown = slice(0, len(ch_names))
        self._events = []
        self.setAccessibleDescription(f"{len(ch_names)} channels at {sfreq:g} Hz, swept from left to right")
        self._reset_history()

    def set_seconds(self, seconds: float) -> None:
        """Set the length of a sweep. The history has the old length, so the picture restarts."""
        self.seconds = seconds
        self._reset_history()

    def set_band(self, band: str) -> None:
        """Set the display filter. The picture restarts."""
        self.band = band
        self._reset_history()

    def set_scale(self, scale_uv: float) -> None:
        """Set the half height of a lane, µV."""
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

    def mark(self, index: int, text: str) -> None:
        """Draw a labelled line at a sample."""
        self._events = [event for event in self._events if event[0] > self._next - len(self._history)][-100:]
        self._events.append((index, text))
        if not self.frozen:
            self._draw_event_line(index)
            self.update()

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

    @property
    def amplitude_uv(self) -> float:
        """Median over channels of the standard deviation, µV; NaN with less than a second of signal."""
        known = self._history[~np.isnan(self._history[:, 0])] if self.ch_names else self._history[:0]
        return float(np.median(known.std(axis=0))) if len(known) > self.sfreq else float("nan")

    # Drawing

    def _reset_history(self) -> None:
        n = max(1, round(self.seconds * self.sfreq))
        self._filter = DisplayFilter(BANDS[self.band], self.sfreq or 1.0)
        self._history = np.full((n, len(self.ch_names)), np.nan, np.float32)
        self._next = 0
        self.redraw()

    def _mark_missing(self, start: int) -> None:
        """Mark the samples between the newest one and ``start`` as missing."""
        n = len(self._history)
        if 0 < self._next < start:
            self._history[np.arange(self._next, start)[-n:] % n] = np.nan

    def _allocate(self) -> None:
        ratio = self.devicePixelRatioF()
        height, width = max(1, round(self.height() * ratio)), max(1, round((self.width() - NAMES) * ratio))
        self._pixels = np.empty((height, width), np.uint32)
        self._image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self._image.setDevicePixelRatio(ratio)
        self.redraw()

    def redraw(self) -> None:
        """Redraw the whole sweep."""
        look = theme.of(self)
        names = self.ch_names[self.shown]
        self._blank, self._mark = (QColor(colour).rgb() for colour in (look.base, look.event))
        colours = [look.masked if name in self.bad else look.traces[i % 2] for i, name in enumerate(names)]
        self._colours = np.array([QColor(colour).rgb() for colour in colours], np.uint32)
        height, width = self._pixels.shape
        lane = height / max(1, len(names))
        self._middle = (np.arange(len(names)) + 0.5) * lane
        self._per_uv = lane / (2 * self.scale_uv)
        reach = (0.5 + BEYOND) * lane
        self._limits = np.clip([self._middle - reach, self._middle + reach], 0, height - 1).astype(np.int64)
        self._last_ends = np.full((2, len(names)), np.nan)
        self._pixels[:] = self._blank
        n = len(self._history)
        self._columns = Columns(n, width)
        self._at = 0
        if names and self._next:
            first = max(0, self._next - n)
            # Complete columns only, so that the picture equals the one drawn incrementally.
            past = self._history[np.arange(first, self._next) % n][:, self.shown]
            bars = self._columns.add(first, past)
            if len(bars.low):
                self._draw_columns(bars)
                self._erase()
            for index, _ in self._events:
                self._draw_event_line(index)
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
            self.update(NAMES, 0, self.width() - NAMES, self.height())
        else:
            left = NAMES + int(begin / ratio) - 4
            self.update(left, 0, int((self._at - begin) / ratio) + ERASED + 10, self.height())

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

    def _draw_event_line(self, index: int) -> None:
        if self._next - len(self._history) < index:
            height, width = self._pixels.shape
            self._pixels[np.arange(height) // 3 % 2 == 0, self._columns.column(index) % width] = self._mark

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
            self.clicked.emit(names[min(len(names) - 1, int(event.position().y() / self.height() * len(names)))])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.space.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        area = event.rect()
        ratio = self._image.devicePixelRatio()
        if area.right() >= NAMES:
            source = QRectF((area.x() - NAMES) * ratio, area.y() * ratio, area.width() * ratio, area.height() * ratio)
            painter.drawImage(QRectF(area), self._image, source)
            if self.ch_names and not self.frozen:
                painter.setPen(QColor(look.highlight))
                x = NAMES + self._at / ratio + 1
                painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
            if self.notice:
                pale = QColor(look.base)
                pale.setAlpha(FADE_ALPHA)
                painter.fillRect(area.intersected(self.rect().adjusted(NAMES, 0, 0, 0)), pale)
            self._paint_words(painter, look)
        if area.left() < NAMES:
            self._paint_names(painter, look)

    def _paint_names(self, painter: QPainter, look: theme.Theme) -> None:
        painter.fillRect(QRect(0, 0, NAMES, self.height()), QColor(look.base))
        names = self.ch_names[self.shown]
        if not names:
            return
        font = QFont(self.font())
        font.setPixelSize(FONT_PX)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        lane = self.height() / len(names)
        free = 0.0
        for i, name in enumerate(names):
            y = min(max((i + 0.5) * lane - NAME_HEIGHT / 2, 0.0), self.height() - NAME_HEIGHT)
            if y < free - 0.5:
                continue
            free = y + NAME_HEIGHT
            bad = name in self.bad
            painter.setPen(QColor(look.bad if bad else look.text))
            shown = metrics.elidedText(f"✕ {name}" if bad else name, Qt.TextElideMode.ElideMiddle, NAMES - 8)
            painter.drawText(QRectF(2, y, NAMES - 6, NAME_HEIGHT), int(Qt.AlignmentFlag.AlignRight), shown)

    def _paint_words(self, painter: QPainter, look: theme.Theme) -> None:
        width, ratio = self._pixels.shape[1], self._image.devicePixelRatio()
        font = QFont(self.font())
        font.setPixelSize(FONT_PX)
        painter.setFont(font)
        painter.setPen(QColor(look.event))
        taken: list[float] = []
        for index, text in reversed(self._events):  # newest first, since close labels are left out
            x = NAMES + self._columns.column(index) % width / ratio
            if self._next - len(self._history) < index and all(abs(x - other) > LABEL_WIDTH for other in taken):
                taken.append(x)
                shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, LABEL_WIDTH - 6)
                box = QRectF(x + 2, 0, QFontMetrics(font).horizontalAdvance(shown) + 2, FONT_PX + 4)
                painter.fillRect(box, QColor(look.base))
                painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), shown)
        words = self.notice or ("FROZEN – Space resumes" if self.frozen else "")
        if not words:
            return
        font.setPixelSize(22)
        font.setBold(True)
        painter.setFont(font)
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        room = QRectF(0, 0, max(1.0, self.width() - NAMES - 40.0), self.height())
        box = QRectF(QFontMetrics(font).boundingRect(room.toRect(), flags, words)).adjusted(-16, -8, 16, 8)
        box.moveCenter(QPointF(NAMES + (self.width() - NAMES) / 2, self.height() / 2))
        painter.fillRect(box, QColor(look.bad if self._alarming else look.alternate))
        painter.setPen(QColor(look.base if self._alarming else look.text))
        painter.drawRect(box)
        painter.drawText(box, flags, words)

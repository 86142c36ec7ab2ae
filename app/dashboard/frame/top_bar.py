"""Bar at the top: kind, state and mode of the session, the verdict, each talker's gain, MUTE."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import clock, decibels, letter
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.frame.verdict_text import Verdict
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.looks import LARGE, NEAR, SMALL, TEXT, TIGHT, TINY
from earmark.app.status import Trim

#: Range of the gain bars, dB.
GAIN_DB = (-12.0, 6.0)
#: Smallest width of a gain bar that shows the unit, in pixels.
WITH_UNIT = 100
MODES = {"closed": tr("closed loop"), "open": tr("open loop"), "sham": tr("SHAM")}


class Chip(QWidget):
    """Kind of the session: DEMO, LIVE, REHEARSAL or REPLAY."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Kind of session"))
        self.kind = self.words = ""
        self.setFixedSize(76, 30)

    def show_kind(self, kind: str) -> None:
        """Show the kind of the session; empty if there is none."""
        words = word(kind).upper() or tr("NO SESSION")
        if words != self.words:
            self.kind, self.words = kind, words
            self.setAccessibleDescription(words)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = {"live": look.good, "demo": look.event, "rehearsal": look.event, "replay": look.highlight}
        colour = colours.get(self.kind, look.faint)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        painter.setFont(theme.font(self.font(), TINY if len(self.words) > 8 else TEXT, bold=True))
        painter.setPen(QColor(look.base))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.words)


class GainBar(QWidget):
    """Bar of a talker's applied gain, starting at 0 dB."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__()
        self._number, self._name = number, name
        self.gain, self.trimmed = math.nan, False
        self.setAccessibleName(tr("Gain of talker {number}, {name}", number=letter(number), name=name))
        self.setToolTip(tip(tr("Applied gain of {name}; * means that it includes your trim", name=name)))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(116, 44)

    def minimumSizeHint(self) -> QSize:
        return QSize(74, 44)

    def show_gain(self, gain: float, trimmed: bool = False) -> None:
        """Show a gain in dB (NaN unknown, minus infinity muted), and whether it includes a trim of the operator."""
        if (decibels(gain), trimmed) != (decibels(self.gain), self.trimmed):
            self.gain, self.trimmed = gain, trimmed
            self.setAccessibleDescription(tr("muted") if gain == -math.inf else f"{decibels(gain)} dB")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        colour = QColor(look.talkers[self._number])
        font = theme.font(self.font(), SMALL, bold=True)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        unit = " dB" if self.width() >= WITH_UNIT else ""
        muted = self.gain == -math.inf
        figure = tr("MUTED") if muted else f"{decibels(self.gain)}{'*' if self.trimmed else ''}{unit}"
        width = max(metrics.horizontalAdvance(f"+00.0*{unit}"), metrics.horizontalAdvance(tr("MUTED")))
        painter.setPen(QColor(look.warn if muted else look.text))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(self.width() - width - 2, 3, width, 18), right, figure)
        painter.setPen(colour)
        room = self.width() - width - 8
        name = metrics.elidedText(f"{letter(self._number)} {self._name}", Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(2, 3, room, 18), int(Qt.AlignmentFlag.AlignVCenter), name)
        area = QRectF(2, 25, self.width() - 4, 12)
        painter.fillRect(area, QColor(look.base))
        low, high = GAIN_DB

        def x(gain: float) -> float:
            return area.left() + area.width() * (min(max(gain, low), high) - low) / (high - low)

        if math.isfinite(self.gain):
            ends = sorted((x(0.0), x(self.gain)))
            painter.fillRect(QRectF(ends[0], area.top(), max(2.0, ends[1] - ends[0]), area.height()), colour)
        painter.setPen(QColor(look.text))
        painter.drawLine(int(x(0.0)), int(area.top()) - 2, int(x(0.0)), int(area.bottom()) + 2)
        painter.setPen(QColor(look.rule))
        painter.drawRect(area)


class TopBar(QFrame):
    """The bar at the top.

    Attributes
    ----------
    mute_requested : Signal(bool)
        The operator wants to mute (True) or unmute.
    """

    mute_requested = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.chip, self.verdict = Chip(), Verdict()
        self.state = Reading(tr("State of the session"), tr("running, closed loop"))
        self.progress = Reading(tr("Progress"), tr("block 12/12  00:00 of 00:00"))
        theme.resize(self.state, TEXT, bold=True)
        self._gains: list[GainBar] = []
        self._talkers: tuple[str, ...] = ()
        self._gain_row = QHBoxLayout()
        self._gain_row.setSpacing(NEAR)
        self.mute, self.unmute = QPushButton(), QPushButton(tr("Unmute"))
        self.mute.setAccessibleName(tr("Mute all sound"))
        self.mute.setToolTip(tr("Mute all sound (Esc)"))
        self.mute.setFixedSize(124, 40)
        self.unmute.setAccessibleName(tr("Unmute"))
        self.unmute.setToolTip(tr("Unmute (M)"))
        self.unmute.setFixedHeight(40)
        self.unmute.setEnabled(False)
        self.mute.clicked.connect(lambda: self.mute_requested.emit(True))
        self.unmute.clicked.connect(lambda: self.mute_requested.emit(False))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.state)
        words.addWidget(self.progress)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NEAR, TIGHT, NEAR, TIGHT)
        layout.addWidget(self.chip)
        layout.addLayout(words)
        layout.addWidget(self.verdict, 2)
        layout.addLayout(self._gain_row, 3)
        layout.addWidget(self.mute)
        layout.addWidget(self.unmute)
        self._painted: object = None

    def refresh(self, now: Snapshot, mute_failed: str) -> None:
        """Show the current values; ``mute_failed`` says why a mute was not confirmed."""
        if now.talkers != self._talkers:
            self._talkers = now.talkers
            for bar in self._gains:
                self._gain_row.removeWidget(bar)
                bar.deleteLater()
            self._gains = [GainBar(k, name) for k, name in enumerate(now.talkers)]
            for bar in self._gains:
                self._gain_row.addWidget(bar, 1)
        self.chip.show_kind(now.kind)
        known = math.isfinite(now.session_age)
        state = tr("SESSION DIED") if now.died else word(now.state) if now.session_live or not known else tr("NO DATA")
        mode = MODES.get(now.mode, "") if now.under_way and now.session_live and now.state != "calibrating" else ""
        self.state.show_text(", ".join(part for part in (state, mode) if part) or tr("no session"))
        block = tr("block {block}/{n_blocks}  ", block=now.block, n_blocks=now.n_blocks) if now.n_blocks > 0 else ""
        timed = math.isfinite(now.elapsed) and now.recording_now
        total = tr(" of {seconds}", seconds=clock(now.seconds)) if math.isfinite(now.seconds) else ""
        timing = f"{block}{clock(now.elapsed)}{total}" if timed else ""
        self.progress.show_text(tr("WAITING FOR ANSWER") if now.question and now.session_live else timing)
        self.verdict.refresh(now)
        for k, bar in enumerate(self._gains):
            live = now.sound.live and k < len(now.sound.gains_db)
            trimmed = k < len(now.trims) and now.trims[k] != Trim()
            bar.show_gain(now.sound.gains_db[k] if live else math.nan, trimmed)
        self._refresh_mute(now.muted, mute_failed)

    def _refresh_mute(self, muted: bool, failed: str) -> None:
        look = theme.of(self)
        painted = (muted, bool(failed), look.name)
        if painted == self._painted:
            return
        self._painted = painted
        words, colour = (tr("MUTED"), look.warn) if muted else (tr("MUTE  Esc"), look.mute)
        if failed and not muted:
            words = tr("NOT MUTED!")
        self.mute.setText(words)
        self.mute.setToolTip(tip(failed) or tr("Mute all sound (Esc)"))
        self.mute.setStyleSheet(
            f"QPushButton {{ background: {colour}; color: {look.base if muted else '#ffffff'};"
            f" font: bold {LARGE}px; border-radius: 6px; }}"
            f"QPushButton:focus {{ border: 2px solid {look.text}; }}"
        )
        self.mute.setAccessibleDescription(words)
        self.unmute.setEnabled(muted)

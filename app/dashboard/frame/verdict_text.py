"""The verdict: the decoded talker and its probability, and how the gains respond."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, age, letter, percent
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.looks import FIGURE, LARGE, SMALL
from earmark.pipeline.attention.gain_control import LOST_S, STALE_S, Situation

#: Seconds from a decision to its display.
DISPLAY_DELAY_S = 0.25
#: The verdict while something fails; shown in red.
NO_DATA = tr("NO DATA")


def verdict(now: Snapshot) -> tuple[str, str, int]:
    """Return the verdict, a description of the gains, and the decoded talker (-1 for none)."""
    one = now.decision
    if now.died:
        return NO_DATA, tr("the session died"), -1
    if now.state not in ("running", "paused"):
        return UNKNOWN, tr("no decision"), -1
    if not now.session_live:
        return NO_DATA, tr("the session does not respond"), -1
    if now.ending:
        return UNKNOWN, tr("completing the recording"), -1
    if now.recording_now and not now.engine_alive:
        return NO_DATA, tr("no engine: gains hold, then go neutral"), -1
    if one is None:
        return UNKNOWN, tr("waiting for a decision"), -1
    if not now.engine_live:
        return NO_DATA, tr("the engine does not respond"), -1
    old = now.time - one.time
    if old > LOST_S + DISPLAY_DELAY_S:
        return UNKNOWN, tr("no decision for {old}", old=age(old)), -1
    words = _what_gains_do(now, one.situation, old)
    k = one.talker
    if 0 <= k < min(len(now.talkers), len(one.probability)):
        return f"{letter(k)} {percent(one.probability[k])}", f"{now.talkers[k]} – {words}", k
    known = [(p, name) for p, name in zip(one.probability, now.talkers, strict=False) if math.isfinite(p)]
    best, name = max(known, default=(math.nan, ""))
    return tr("undecided"), f"{name} {percent(best)} – {words}" if known else words, -1


def _what_gains_do(now: Snapshot, situation: str, old: float) -> str:
    favoured = now.override
    if situation == Situation.OVERRIDE and isinstance(favoured, int) and 0 <= favoured < len(now.talkers):
        return tr("override: {name}", name=now.talkers[favoured])
    if situation != Situation.STEERED:
        return word(situation)
    if now.mode == "open":
        return tr("open loop: gains do not follow")
    if old > STALE_S + DISPLAY_DELAY_S:
        return word(Situation.HELD)
    words = tr("sham: the other is turned up") if now.mode == "sham" else word(situation)
    resting = now.n_blocks > 0 and not now.attend
    return tr("rest, still {words}", words=words) if resting else words


class Verdict(QWidget):
    """Shows the attended talker and its probability, or why it is unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Attention verdict"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.main, self.small, self.talker = UNKNOWN, "", -1

    def sizeHint(self) -> QSize:
        return QSize(250, 44)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 44)

    def refresh(self, now: Snapshot) -> None:
        """Show the current verdict."""
        main, small, talker = verdict(now)
        if (main, small, talker) != (self.main, self.small, self.talker):
            self.main, self.small, self.talker = main, small, talker
            self.setAccessibleDescription(f"{main}, {small}")
            self.setToolTip(tip(f"{main}, {small}"))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        colour = look.talkers[self.talker] if self.talker >= 0 else look.bad if self.main == NO_DATA else look.faint
        font = theme.font(self.font(), FIGURE, bold=True)
        painter.setFont(font)
        painter.setPen(QColor(colour))
        room = self.width() - 4
        if QFontMetrics(font).horizontalAdvance(self.main) > room:
            painter.setFont(theme.font(font, LARGE, bold=True))
        painter.drawText(QRectF(2, 0, room, 28), int(Qt.AlignmentFlag.AlignCenter), self.main)
        font = theme.font(font, SMALL)
        painter.setFont(font)
        painter.setPen(QColor(look.text))
        small = QFontMetrics(font).elidedText(self.small, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(2, 28, room, 15), int(Qt.AlignmentFlag.AlignCenter), small)

"""Panel: the talkers around the listener's head, from above."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QApplication, QToolTip, QVBoxLayout, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, decibels, letter
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.frame.verdict_text import verdict
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.export import ExportButton, Table
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.looks import NEAR, SMALL, TIGHT, TINY

#: Radius of the head, and of the circle of the talkers, as parts of the side of the picture.
HEAD, CIRCLE = 0.085, 0.33
#: Radius of a talker in pixels at 0 dB, and per dB of gain; least and greatest radius.
RADIUS, PER_DB, RADII = 11.0, 0.5, (6.0, 17.0)
#: Half the width of the beam to the decoded talker, and a step of the arrow keys, degrees.
BEAM, STEP = 12.0, 5.0


def strongest(now: Snapshot) -> int:
    """Return the talker that is turned up above all others; -1 if none is."""
    gains = now.sound.gains_db if now.sound.live else ()
    best = max(gains, default=math.nan)
    return gains.index(best) if len(gains) > 1 and sum(gain >= best - 0.5 for gain in gains) == 1 else -1


def delivered_words(now: Snapshot) -> str:
    """Describe what the remix of a mixture delivers: the change of a talker's level against the others.

    Empty for talkers that are played one by one.
    """
    sound = now.sound
    if not sound.acoustic_s:
        return ""
    delay = tr("delay {ms:.0f} ms", ms=1e3 * sound.acoustic_s)
    k = strongest(now)
    if k < 0 or k >= len(sound.delivered_db) or not math.isfinite(sound.delivered_db[k]):
        return delay
    asked = sound.gains_db[k] - max(gain for other, gain in enumerate(sound.gains_db) if other != k)
    name = now.talkers[k] if k < len(now.talkers) else letter(k)
    found = f"{sound.delivered_db[k]:+.1f}"
    if not math.isfinite(asked):  # the others are muted
        return tr("{name} {found} dB; {delay}", name=name, found=found, delay=delay)
    return tr("{name} {found} of {asked:.0f} dB asked; {delay}", name=name, found=found, asked=asked, delay=delay)


class _Plan(QWidget):
    """Draws head and talkers, and finds the talker under the mouse.

    Attributes
    ----------
    clicked : Signal(int)
        A talker was clicked.
    moved : Signal(int, float)
        A talker was dragged, or moved by keys: to an azimuth in degrees.
    """

    clicked = Signal(int)
    moved = Signal(int, float)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Talkers around the head, from above"))
        self.setMinimumSize(120, 90)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.now = Snapshot()
        #: Whether a click favours a talker, and whether talkers can be moved.
        self.clickable = self.movable = False
        #: The talker that keys move; the one under the pressed mouse, -1 if none; where it was pressed, and is now.
        self.chosen, self._held = 0, -1
        self._pressed, self._mouse = QPointF(), QPointF()

    def sizeHint(self) -> QSize:
        return QSize(240, 200)

    def show_now(self, now: Snapshot, clickable: bool, movable: bool) -> None:
        """Show the current values."""
        self.now, self.clickable, self.movable = now, clickable, movable
        self.setAccessibleDescription(
            ", ".join(f"{name} {_degrees(at)}" for name, at in zip(now.talkers, now.sound.azimuths, strict=False))
        )
        self.update()

    @property
    def _side(self) -> float:
        return float(min(self.width(), self.height()))

    def _at(self, azimuth: float, radius: float) -> QPointF:
        angle = math.radians(azimuth)
        away = radius * self._side
        return QPointF(self.width() / 2 + away * math.sin(angle), self.height() / 2 - away * math.cos(angle))

    def places(self) -> list[QPointF | None]:
        """Return where each talker is drawn; None for one who was not found yet."""
        shown = self.now.sound.azimuths[: len(self.now.talkers)]
        return [self._at(azimuth, CIRCLE) if math.isfinite(azimuth) else None for azimuth in shown]

    def radius_of(self, talker: int) -> float:
        """Return the radius at which a talker is drawn: it grows with the gain."""
        gains = self.now.sound.gains_db if self.now.sound.live else ()
        gain = gains[talker] if talker < len(gains) else 0.0
        return min(max(RADIUS + PER_DB * max(gain, -100.0), RADII[0]), RADII[1])

    def talker_at(self, place: QPointF) -> int:
        """Return the talker at a place; -1 if there is none."""
        for talker, there in enumerate(self.places()):
            if there is not None and math.hypot(*(place - there).toTuple()) <= self.radius_of(talker) + NEAR:  # type: ignore[misc]
                return talker
        return -1

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look, now = QPainter(self), theme.of(self), self.now
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(look.rule), 1, Qt.PenStyle.DotLine))
        middle, side = self._at(0, 0), self._side
        painter.drawEllipse(middle, CIRCLE * side, CIRCLE * side)
        decoded = verdict(now)[2]
        places = self.places()
        if 0 <= decoded < len(places) and places[decoded] is not None:
            beam = QColor(look.talkers[decoded])
            beam.setAlpha(70)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(beam)
            azimuth = now.sound.azimuths[decoded]
            painter.drawPolygon(QPolygonF([middle, self._at(azimuth - BEAM, CIRCLE), self._at(azimuth + BEAM, CIRCLE)]))
        self._paint_head(painter, look)
        for talker, place in enumerate(places):
            if place is not None:
                self._paint_talker(painter, look, talker, place)
        if self._dragging:
            painter.setPen(QPen(QColor(look.text), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(self._at(self._azimuth_of(self._mouse), CIRCLE), RADIUS, RADIUS)
        if not any(places):
            painter.setPen(QColor(look.faint))
            words = tr("Nobody was found yet") if now.sound.acoustic_s else tr("No talkers")
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom), words)

    def _paint_head(self, painter: QPainter, look: theme.Theme) -> None:
        middle, radius = self._at(0, 0), HEAD * self._side
        painter.setPen(QPen(QColor(look.text), 1.5))
        painter.setBrush(QColor(look.window))
        painter.drawEllipse(middle, radius, radius)
        painter.drawPolyline([self._at(-12, HEAD), self._at(0, HEAD * 1.3), self._at(12, HEAD)])
        for azimuth in (-90.0, 90.0):
            painter.drawEllipse(self._at(azimuth, HEAD * 1.08), radius * 0.12, radius * 0.28)

    def _paint_talker(self, painter: QPainter, look: theme.Theme, talker: int, place: QPointF) -> None:
        now, radius = self.now, self.radius_of(talker)
        colour = QColor(look.talkers[talker])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(place, radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hasFocus() and self.movable and talker == self.chosen:
            painter.setPen(QPen(QColor(look.highlight), 1, Qt.PenStyle.DotLine))
            painter.drawEllipse(place, radius + 7, radius + 7)
        if now.override == talker and not isinstance(now.override, bool):
            painter.setPen(QPen(QColor(look.warn), 2))
            painter.drawEllipse(place, radius + 4, radius + 4)
        painter.setPen(QColor(look.base))
        painter.setFont(theme.font(self.font(), SMALL, bold=True))
        painter.drawText(_around(place, radius), int(Qt.AlignmentFlag.AlignCenter), letter(talker))
        cue = tr("  ◀ cue") if now.under_way and now.attend == now.talkers[talker] else ""
        muted = talker < len(now.trims) and now.trims[talker].mute
        live = now.sound.live and talker < len(now.sound.gains_db)
        gain = tr("muted") if muted else f"{decibels(now.sound.gains_db[talker])} dB" if live else ""
        painter.setPen(colour)
        painter.setFont(theme.font(self.font(), TINY))
        room = painter.fontMetrics()
        name = room.elidedText(now.talkers[talker], Qt.TextElideMode.ElideRight, 90) + cue
        width = max(room.horizontalAdvance(name), room.horizontalAdvance(gain)) + 2.0
        below = place.y() + radius + 2
        left = min(max(place.x() - width / 2, 0.0), max(self.width() - width, 0.0))
        box = QRectF(left, below, width, 2.0 * room.height())
        if box.bottom() > self.height():
            box.moveBottom(place.y() - radius - 2)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop), f"{name}\n{gain}")

    @property
    def _dragging(self) -> bool:
        """Whether a talker is being dragged, so that the release of the mouse is no click."""
        away = (self._mouse - self._pressed).manhattanLength()
        return self._held >= 0 and self.movable and away >= QApplication.startDragDistance()

    def _azimuth_of(self, place: QPointF) -> float:
        away = place - self._at(0, 0)
        return math.degrees(math.atan2(away.x(), -away.y()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = self._mouse = event.position()
            self._held = self.talker_at(event.position())
            self.chosen = self._held if self._held >= 0 else self.chosen

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._held < 0:
            return
        self._mouse = event.position()
        if self._dragging:
            self.moved.emit(self._held, self._azimuth_of(self._mouse))
        elif self.clickable:
            self.clicked.emit(self._held)
        self._held = -1
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse = event.position()
        talker = self.talker_at(event.position())
        hand = talker >= 0 and (self.clickable or self.movable)
        self.setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)
        if self._held >= 0:
            self.update()
        elif talker >= 0:
            QToolTip.showText(event.globalPosition().toPoint(), tip(self._help(talker)), self)

    def _help(self, talker: int) -> str:
        name, where = self.now.talkers[talker], _degrees(self.now.sound.azimuths[talker])
        words = [tr("{name}, {where}", name=name, where=where)]
        if self.clickable:
            words.append(tr("a click favours or releases"))
        if self.movable:
            words.append(tr("drag, or ← and →, to where the talker is; ↑ and ↓ choose"))
        return "; ".join(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        n, key = len(self.now.talkers), event.key()
        azimuths = self.now.sound.azimuths
        if not n or not self.movable:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.chosen = (self.chosen + (1 if key == Qt.Key.Key_Down else -1)) % n
            self.update()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.chosen = min(self.chosen, n - 1)
            at = azimuths[self.chosen] if self.chosen < len(azimuths) else 0.0
            step = STEP if key == Qt.Key.Key_Right else -STEP
            self.moved.emit(self.chosen, (at if math.isfinite(at) else 0.0) + step)
        else:
            super().keyPressEvent(event)


def _around(place: QPointF, radius: float) -> QRectF:
    return QRectF(place.x() - radius, place.y() - radius, 2 * radius, 2 * radius)


def _degrees(azimuth: float) -> str:
    """Describe a direction."""
    if not math.isfinite(azimuth):
        return tr("not found yet")
    if round(azimuth) == 0:
        return tr("straight ahead")
    if azimuth > 0:
        return tr("{degrees:.0f}° to the right", degrees=azimuth)
    return tr("{degrees:.0f}° to the left", degrees=-azimuth)


class ScenePanel(Panel):
    """Where the talkers are, who is decoded and turned up, and what a remix delivers.

    A click favours a talker. The talkers of a mixture can be dragged to where they are, if the tracker is mistaken.
    """

    title, key, hz = tr("Scene"), "scene", 10.0

    def __init__(self) -> None:
        super().__init__()
        self.plan = _Plan()
        self._words = Reading(tr("Level of a talker against the others, and delay from the microphones to the ears"))
        theme.resize(self._words, SMALL)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.setSpacing(TIGHT)
        layout.addWidget(self._words)
        layout.addWidget(self.plan, 1)
        self.plan.clicked.connect(self._favour)
        self.plan.moved.connect(self._move)
        ExportButton("scene", self._table, self)

    def _favour(self, talker: int) -> None:
        favoured = self.plan.now.override == talker and not isinstance(self.plan.now.override, bool)
        self.command_requested.emit("override", {"talker": None if favoured else talker})

    def _move(self, talker: int, azimuth: float) -> None:
        wrapped = (azimuth + 180) % 360 - 180
        self.command_requested.emit("place", {"talker": talker, "azimuth": float(round(wrapped))})

    def _table(self) -> Table:
        """Return direction, gain and what is delivered of every talker."""
        sound = self.plan.now.sound
        rows = []
        for talker, name in enumerate(self.plan.now.talkers):
            values = [
                values[talker] if talker < len(values) and math.isfinite(values[talker]) else UNKNOWN
                for values in (sound.azimuths, sound.gains_db, sound.delivered_db)
            ]
            rows.append((name, *values))
        return ("talker", "azimuth_deg", "gain_db", "delivered_db"), rows

    def refresh(self, view: View) -> None:
        now = view.now
        steering = now.state in ("running", "paused") and now.mode != "open"
        movable = now.session_live and now.sound.live and bool(now.sound.acoustic_s) and now.supports("place")
        self.plan.show_now(now, steering and now.session_live and now.supports("override"), movable)
        words = delivered_words(now)
        self._words.show_text(words)
        self._words.setVisible(bool(words))

"""Panel: the electrodes on the head as traffic lights, to fit a cap by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidgetItem, QSizePolicy, QVBoxLayout

from earmark.app.dashboard.data.faults import Fault, Light, brief, faults_of
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import age
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.head import NEAR, Head
from earmark.app.dashboard.panels.panel import ListOrHint, Panel, View
from earmark.app.dashboard.panels.traces import why_no_signal
from earmark.app.looks import LARGE
from earmark.app.status import ImpedanceStatus

#: Smallest and largest radius of an electrode, and font sizes of its name, in pixels.
RADIUS, NAME_PX = (5.0, 24.0), (8, 13)
#: Part of the electrodes that may touch each other.
CROWDED = 0.25
#: Seconds of signal after which every fault would have been found; number of electrodes that the sentence names.
ASSESSED_S, MAX_NAMED = 4.0, 4
#: Seconds after which an impedance is shown with its age.
STALE_S = 10.0
#: Sign of each state in the list, as it is drawn on the head.
SIGNS = {Light.RED: "■", Light.AMBER: "▲", Light.MARKED: "✕", Light.GREEN: "●", Light.UNKNOWN: "○"}
#: What the mouse does, with marking and without.
HINT = tr("Point at an electrode to see what is wrong. Click it to mark it as bad, and again to use it.")
LOOK = tr("Point at an electrode to see what is wrong.")
NO_SIGNAL = tr("No signal: switch on the amplifier and start its LSL stream")


def light_of(now: Snapshot, name: str) -> Light:
    """Return the state of an electrode that was assessed."""
    if name in now.marked:
        return Light.MARKED
    if name in now.bad:
        return faults_of(now.bad[name])[0].light
    return Light.AMBER if too_high(now, name) else Light.GREEN


def too_high(now: Snapshot, name: str) -> bool:
    """Whether the impedance of an electrode is known and above the limit of the session."""
    stated = now.impedance
    return stated is not None and stated.kohm.get(name, 0.0) > stated.limit_kohm  # False without a limit


def _is_recent(stated: ImpedanceStatus) -> bool:
    """Whether the values are measured again and again; values from before the stream began have no age."""
    return stated.age_s < STALE_S


def kohm_words(now: Snapshot, name: str) -> str:
    """Return the impedance of an electrode and, if it is not recent, its age; empty if it is not known."""
    stated = now.impedance
    if stated is None or name not in stated.kohm:
        return ""
    kohm = stated.kohm[name]
    value = f"{kohm:.0f} kΩ" if kohm >= 100 else f"{kohm:.3g} kΩ"
    if math.isnan(stated.age_s):
        return tr("{value} before the stream began", value=value)
    return value if _is_recent(stated) else tr("{value} {age_s} ago", value=value, age_s=age(stated.age_s))


def advice(now: Snapshot, name: str, fault: Fault) -> str:
    """Return what to do about a fault of an electrode; empty if nothing can be done now."""
    if fault.light is not Light.MARKED:
        return fault.advice
    session = now.records[0]
    if not now.can_mark:
        return ""
    if session is None or name in session.bads:
        return tr("Click it again to use it.")
    return tr("A pattern in 'bads' of the session file matches its name: change it there and start again.")


def sentence(now: Snapshot) -> str:
    """Say which of the electrodes need work."""
    lights = {name: light_of(now, name) for name in now.ch_names}
    work = sorted((name for name, light in lights.items() if light < Light.MARKED), key=lambda name: lights[name])
    n, marked = len(lights), ", ".join(name for name in now.ch_names if name in now.marked)
    if not work:
        if not marked:
            return tr("All {n} electrodes are good", n=n)
        return tr("All electrodes are good, except those that are marked as bad: {marked}", marked=marked)
    why = {name: faults_of(now.bad[name])[0].word if name in now.bad else kohm_words(now, name) for name in work}
    named = ", ".join(f"{name} ({why[name]})" for name in work[:MAX_NAMED])
    if len(work) > MAX_NAMED:
        named = tr("{named} and {n} more", named=named, n=len(work) - MAX_NAMED)
    words = (
        tr("1 of {n} electrodes needs work: {named}", n=n, named=named)
        if len(work) == 1
        else tr("{n_bad} of {n} electrodes need work: {named}", n_bad=len(work), n=n, named=named)
    )
    return tr("{words}. Marked as bad: {marked}", words=words, marked=marked) if marked else words


class _Head(Head):
    """The head with its lights: circles are good, triangles need work, squares have no signal, crosses are not used."""

    def __init__(self) -> None:
        super().__init__(tr("Electrodes on the head"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.names: tuple[str, ...] = ()
        self.lights: Sequence[Light] = ()
        #: Electrode that is chosen in the list; -1 for none.
        self.chosen = -1

    @property
    def drawn(self) -> bool:
        return self.scalp is not None and len(self.lights) == len(self.names) > max(self.scalp.located.tolist())

    def paint_electrodes(self, painter: QPainter, look: theme.Theme) -> None:
        assert self.scalp is not None
        radius = self._radius()
        self.near = max(NEAR, radius)
        font = QFont(self.font())
        font.setPixelSize(round(min(max(0.75 * radius, NAME_PX[0]), NAME_PX[1])))
        painter.setFont(font)
        metrics = QFontMetrics(font)
        located = self.scalp.located.tolist()
        for number, place in zip(located, self.places, strict=True):
            self._paint_light(painter, look, self.lights[number], place, radius)
            if number == self.chosen:
                painter.setPen(QPen(QColor(look.highlight), 2.5))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(place, radius + 4, radius + 4)
        for number, place in zip(located, self.places, strict=True):
            name, good = self.names[number], self.lights[number] in (Light.GREEN, Light.UNKNOWN)
            box = QRectF(0, 0, metrics.horizontalAdvance(name) + 4, metrics.height())
            inside = self.lights[number] == Light.GREEN
            box.moveCenter(place if good else place + QPointF(0, radius + 0.5 * metrics.height()))
            if good and box.width() - 4 > 2 * radius:
                continue
            painter.setPen(QColor(look.base if inside else look.text))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), name)

    def _radius(self) -> float:
        """Return a radius in pixels, within ``RADIUS``, at which most electrodes do not touch each other."""
        at = np.array([(place.x(), place.y()) for place in self.places])
        distances = np.hypot(*(at[:, None] - at).transpose(2, 0, 1))
        np.fill_diagonal(distances, np.inf)
        near = float(np.quantile(distances.min(axis=0), CROWDED))
        return min(max(0.45 * near, RADIUS[0]), RADIUS[1])

    @staticmethod
    def _paint_light(painter: QPainter, look: theme.Theme, light: Light, place: QPointF, radius: float) -> None:
        def at(x: float, y: float) -> QPointF:
            return QPointF(place.x() + radius * x, place.y() + radius * y)

        colour = {Light.RED: look.bad, Light.AMBER: look.warn, Light.GREEN: look.good}.get(light, look.faint)
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.setBrush(QColor(colour) if light in (Light.RED, Light.AMBER, Light.GREEN) else Qt.BrushStyle.NoBrush)
        match light:
            case Light.RED:
                painter.drawRect(QRectF(at(-0.85, -0.85), at(0.85, 0.85)))
            case Light.AMBER:
                painter.drawPolygon(QPolygonF([at(0, -1.1), at(1.05, 0.8), at(-1.05, 0.8)]))
            case Light.MARKED:
                painter.setPen(QPen(QColor(colour), 2.5))
                painter.drawLine(at(-0.8, -0.8), at(0.8, 0.8))
                painter.drawLine(at(-0.8, 0.8), at(0.8, -0.8))
            case _:
                painter.drawEllipse(place, radius, radius)


class _List(ListOrHint):
    """The electrodes in words, the worst first; Enter does what a click on the head does."""

    toggled = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("No electrode needs work"))
        self.setAccessibleName(tr("Electrodes, the worst first"))
        self.itemDoubleClicked.connect(lambda item: self.toggled.emit(item.data(Qt.ItemDataRole.UserRole)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentItem() is not None:
            self.toggled.emit(self.current_name)
        else:
            super().keyPressEvent(event)

    @property
    def current_name(self) -> str:
        """Name of the chosen electrode; empty for none."""
        item = self.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def show_lines(self, lines: dict[str, str]) -> None:
        """Show a line of text for each electrode."""
        if [self.item(row).text() for row in range(self.count())] == list(lines.values()):
            return
        kept = self.current_name
        self.blockSignals(True)
        self.clear()
        for name, text in lines.items():
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.addItem(item)
            if name == kept:
                self.setCurrentItem(item)
        self.blockSignals(False)


class Fitting(Panel):
    """State of every electrode on the head and in a list, and a sentence that says what needs work."""

    title, key, hz = tr("Fit the cap"), "fitting", 4.0

    def __init__(self) -> None:
        super().__init__()
        self._now = Snapshot()
        self.sentence = QLabel()
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setWordWrap(True)
        self.sentence.setAccessibleName(tr("Electrodes that need work"))
        theme.resize(self.sentence, LARGE, bold=True)
        self.sentence.setMinimumHeight(
            2 * self.sentence.fontMetrics().height()
        )  # the head must not move when the text grows
        self.head, self.list = _Head(), _List()
        self.list.setMaximumWidth(250)
        self.reason = QLabel()
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        self.reason.setWordWrap(True)
        self.reason.setAccessibleName(tr("The electrode under the mouse"))
        self.reason.setMinimumHeight(2 * self.reason.fontMetrics().height())
        self.head.clicked.connect(lambda number: self.toggle(self.head.names[number]))
        self.head.pointed.connect(self._point)
        self.list.toggled.connect(self.toggle)
        self.list.currentItemChanged.connect(lambda *_: self._explain(self.list.current_name))
        self._pointed = ""
        middle = QHBoxLayout()
        middle.addWidget(self.head, 3)
        middle.addWidget(self.list, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addLayout(middle, 1)
        layout.addWidget(self.reason)
        self._explain("")

    def toggle(self, name: str) -> None:
        """Mark an electrode as bad, or as good again."""
        if self._now.can_mark:
            self.command_requested.emit("bad", {"channel": name, "on": name not in self._now.marked})

    def refresh(self, view: View) -> None:
        now = self._now = view.now
        live = len(view.recent.last(1.0)) > 1
        known = live and all(one.n_samples >= ASSESSED_S * one.nominal for one in now.streams if one.name == now.neural)
        lights = {name: light_of(now, name) if known else Light.UNKNOWN for name in now.ch_names}
        if known:
            words = sentence(now)
        elif live:
            words = tr("Assessing {n} electrodes …", n=len(lights))
        else:
            waits = now.session_live and not now.under_way and now.state not in ("checking", "training")
            words = NO_SIGNAL if waits else why_no_signal(now, math.inf, False)[0]
        self.sentence.setText(words)
        self.head.setAccessibleDescription(words)
        # All as good: where they are does not depend on how they are.
        self.head.show_electrodes([(name, at, True) for name, at in zip(now.ch_names, now.positions, strict=False)])
        self.head.names, self.head.lights = now.ch_names, list(lights.values())
        self.head.update()
        self.list.show_lines({name: self._line(name, lights[name]) for name in self._listed(lights)})
        self._explain(self._pointed or self.list.current_name)

    def _listed(self, lights: dict[str, Light]) -> list[str]:
        """Return the electrodes that need work, are marked, or are not on the head; all if impedances are known."""
        stated = {} if self._now.impedance is None else self._now.impedance.kohm
        scalp, names = self.head.scalp, self.head.names
        on_head = set(names) if self.head.preparing else set()
        if scalp is not None:
            on_head = {names[i] for i in scalp.located.tolist()}
        return sorted(
            (name for name, light in lights.items() if light < Light.GREEN or name not in on_head or stated),
            key=lambda name: (lights[name], -stated.get(name, 0.0)),
        )

    def _line(self, name: str, light: Light) -> str:
        words = brief(self._now.bad[name]) if name in self._now.bad and light is not Light.UNKNOWN else ""
        known = (words or (tr("good") if light is Light.GREEN else ""), kohm_words(self._now, name))
        return f"{SIGNS[light]}  {name}  {', '.join(filter(None, known))}"

    def _point(self, number: int) -> None:
        self._pointed = self.head.names[number] if 0 <= number < len(self.head.names) else ""
        self._explain(self._pointed or self.list.current_name)

    def _explain(self, name: str) -> None:
        """Say what is wrong with an electrode."""
        now = self._now
        names = self.head.names
        self.head.chosen = names.index(name) if name in names else -1
        if not name or name not in names:
            problem = "" if now.impedance is None else now.impedance.problem
            self.reason.setText(f"{HINT if now.can_mark else LOOK} {problem}".rstrip())
            return
        faults = faults_of(now.bad[name]) if name in now.bad else []
        lines = [f"{fault.word}. {advice(now, name, fault)}".rstrip() for fault in faults]
        if too_high(now, name) and now.impedance is not None:
            lines.append(
                tr(
                    "{impedance}, above {limit_kohm:g} kΩ. Improve the contact.",
                    impedance=kohm_words(now, name),
                    limit_kohm=now.impedance.limit_kohm,
                )
            )
            if not _is_recent(now.impedance):
                lines.append(tr("This value stays until the amplifier measures again."))
        elif words := kohm_words(now, name):
            lines.append(f"{words}.")
        lines = lines or [tr("good")]
        self.reason.setText(f"{name}: {' '.join(lines)}")

    def end(self) -> None:
        self.head.end()

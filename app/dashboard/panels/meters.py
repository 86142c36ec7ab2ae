"""Panel: levels and gains of each talker and of the output, with their controls."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, decibels, letter, level
from earmark.app.dashboard.frame.keys import KEYS
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.level_meter import LevelMeter
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.dashboard.panels.trim_box import TrimBox
from earmark.app.looks import NEAR
from earmark.app.status import Trim

#: Range of the master gain, dB.
MASTER_DB = (-40, 0)
#: Largest number of talkers with two lines each, and height of controls in a single line, in pixels.
ROOMY, LOW = 2, 22
#: Minimum width of a talker's letter and name, in pixels.
MIN_TITLE_WIDTH = 64


class TalkerStrip(QFrame):
    """One talker: name, level, applied gain, the operator's trim, and the buttons Mute and Solo.

    Attributes
    ----------
    chosen : Signal(int)
        The operator clicked the talker.
    solo_requested : Signal(int, bool)
        The operator wants to favour the talker regardless of decisions (True), or to end that.
    trim_requested : Signal(int, dict)
        The operator wants to change the trim: the changed fields.
    """

    chosen = Signal(int)
    solo_requested = Signal(int, bool)
    trim_requested = Signal(int, dict)

    def __init__(self, number: int, name: str, compact: bool) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._number, self._name, self._style = number, name, ""
        self.setAccessibleName(tr("Talker {number}, {name}", number=letter(number), name=name))
        self._title = Reading(tr("Talker {number}", number=letter(number)))
        self.meter = LevelMeter(tr("Level of {name}", name=name))
        self.level = Reading(tr("Level of {name}, dBFS", name=name), "-100" if compact else tr("gain +00.0 dB"))
        self.gain = Reading(tr("Gain of {name}", name=name), "+00.0 dB" if compact else tr("gain +00.0 dB"))
        self._compact, self._gain_words = compact, "" if compact else tr("gain ")
        self._title.setMinimumWidth(MIN_TITLE_WIDTH)
        self.solo = QPushButton("S" if compact else tr("Solo"))
        self.solo.setCheckable(True)
        keys = {kind: KEYS[f"{kind}{number + 1}"].keys for kind in ("solo", "mute", "trim")}
        self.mute = QPushButton("M" if compact else tr("Mute"))
        self.mute.setCheckable(True)
        self.mute.setAccessibleName(tr("Mute {name} only, regardless of decisions", name=name))
        self.mute.setToolTip(tip(tr("Mute {name} only ({mute}); decoding continues", name=name, mute=keys["mute"])))
        self.mute.clicked.connect(lambda on: self.trim_requested.emit(number, {"mute": on}))
        self.trim = TrimBox(name)
        words = tr(
            "Turn {name} down, in addition to steering ({trim}); decoding continues", name=name, trim=keys["trim"]
        )
        self.trim.setToolTip(tip(words))
        self.trim.trim_requested.connect(lambda db: self.trim_requested.emit(number, {"db": db}))
        self.solo.setAccessibleName(tr("Solo: favour {name} regardless of decisions", name=name))
        self.solo.setToolTip(tip(tr("Favour {name} regardless of decisions ({solo})", name=name, solo=keys["solo"])))
        self.solo.clicked.connect(lambda on: self.solo_requested.emit(number, on))
        for control in (self.mute, self.trim, self.solo):
            control.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # not a click on the talker
        for button in (self.mute, self.solo):
            button.setFixedWidth(28 if compact else button.fontMetrics().horizontalAdvance(tr("Muted")) + 16)
            if compact:
                button.setFixedHeight(LOW)
        for reading in (self.level, self.gain):
            reading.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 1 if compact else 2, 6, 1 if compact else 2)
        layout.setVerticalSpacing(1)
        if compact:
            self.trim.setFixedHeight(LOW)
            widgets = (self._title, self.meter, self.gain, self.level, self.trim, self.mute, self.solo)
            for column, widget in enumerate(widgets):
                layout.addWidget(widget, 0, column)
            layout.setColumnStretch(0, 3)
            layout.setColumnStretch(1, 2)
        else:
            layout.addWidget(self._title, 0, 0)
            layout.addWidget(self.gain, 0, 1)
            layout.addWidget(self.mute, 0, 2)
            layout.addWidget(self.solo, 0, 3)
            layout.addWidget(self.meter, 1, 0)
            layout.addWidget(self.level, 1, 1)
            self.trim.setPrefix(tr("trim "))
            layout.addWidget(self.trim, 1, 2, 1, 2)
            layout.setColumnStretch(0, 1)

    def refresh(self, view: View, can_favour: bool) -> None:
        """Show the current values."""
        now, k = view.now, self._number
        colour = theme.of(self).talkers[k]
        if colour != self._style:
            self._style = colour
            self._title.setStyleSheet(f"color: {colour}; font-weight: bold")
            self.meter.colour = colour
        cued = now.under_way and now.attend == self._name
        before, after = (tr("cue: "), "") if self._compact else ("", tr("  ◀ cue"))  # a long name is elided at its end
        self._title.show_text(f"{letter(k)}  {before if cued else ''}{self._name}{after if cued else ''}")
        peak = now.sound.peak[k] if now.sound.live and k < len(now.sound.peak) else 0.0
        self.meter.show_amplitude(peak)
        unit = "" if self._compact else " dBFS"
        self.level.show_text(
            f"{level(peak):.0f}{unit}" if now.sound.live else UNKNOWN if self._compact else tr("no sound")
        )
        trim = now.trims[k] if k < len(now.trims) else Trim()
        gain = decibels(now.sound.gains_db[k]) if now.sound.live and k < len(now.sound.gains_db) else UNKNOWN
        self.gain.show_text(tr("muted") if trim.mute else f"{self._gain_words}{gain} dB")
        self.trim.refresh(trim.db)
        for control in (self.trim, self.mute):
            control.setEnabled(now.session_live and k < len(now.trims) and now.supports("trim"))
        self.mute.setChecked(trim.mute)
        style = f"background: {theme.of(self).warn}; color: {theme.of(self).base};" if trim.mute else ""
        if self.mute.styleSheet() != style:
            self.mute.setText("M" if self._compact else tr("Muted") if trim.mute else tr("Mute"))
            self.mute.setStyleSheet(style)
        self.solo.setEnabled(can_favour)
        self.solo.setChecked(now.override == k and not isinstance(now.override, bool))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self._number)


class Meters(Panel):
    """Levels, gains and controls of the talkers and the output."""

    title, key, hz = tr("Sound"), "meters", 15.0

    def __init__(self) -> None:
        super().__init__()
        self._strips: list[TalkerStrip] = []
        self._talkers: tuple[str, ...] = ()
        #: Whether a click on a talker directs the attention of a simulated listener.
        self._clickable = False
        self._list = QVBoxLayout()
        self._list.setSpacing(NEAR)
        self._hint = Reading(tr("Effect of a click"))
        self._outputs = (LevelMeter(tr("Output level, left")), LevelMeter(tr("Output level, right")))
        self._output = Reading(tr("Output level"), "-100 dBFS")
        self._limiter = Reading(tr("Gain reduction by the limiter, dB"), "lim -00.0")
        self._state = Reading(tr("Sound output"))
        self.equal, self.decode = QPushButton(tr("&Equal")), QPushButton(tr("&Decode"))
        for button, words in (
            (self.equal, tr("Equal gains for all talkers, regardless of decisions (F5)")),
            (self.decode, tr("Let gains follow decisions again (F6)")),
        ):
            button.setToolTip(words)
            button.setAccessibleName(words)
            button.setCheckable(True)
        self.equal.clicked.connect(lambda: self.command_requested.emit("override", {"talker": "equal"}))
        self.decode.clicked.connect(lambda: self.command_requested.emit("override", {"talker": None}))
        self.master = QSlider(Qt.Orientation.Horizontal)
        self.master.setRange(*MASTER_DB)
        self.master.setAccessibleName(tr("Master gain in dB"))
        self.master.valueChanged.connect(self._master)
        self._master_words = Reading(tr("Master gain"), "-00 dB")
        self._master_words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._lay_out()

    def _lay_out(self) -> None:
        outputs = QHBoxLayout()
        for side, meter in zip("LR", self._outputs, strict=True):
            outputs.addWidget(QLabel(side))
            outputs.addWidget(meter)
        outputs.addWidget(self._output)
        outputs.addWidget(self._limiter)
        label = QLabel(tr("Master &gain"))
        label.setBuddy(self.master)
        master = QHBoxLayout()
        for widget in (label, self.master, self._master_words):
            master.addWidget(widget)
        buttons = QHBoxLayout()
        buttons.addWidget(self._hint, 1)
        buttons.addWidget(self.equal)
        buttons.addWidget(self.decode)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(NEAR, NEAR, NEAR, NEAR)
        layout.setSpacing(NEAR)
        for part in (outputs, self._list, buttons, master):
            layout.addLayout(part)
        layout.addWidget(self._state)
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        self._inside = inside
        inside.installEventFilter(self)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._inside and event.type() == QEvent.Type.LayoutRequest:
            self.setMinimumWidth(self._inside.minimumSizeHint().width() + 14)
        return super().eventFilter(watched, event)

    def _master(self, value: int) -> None:
        self._master_words.show_text(f"{value} dB")
        self.command_requested.emit("master", {"db": float(value)})

    def _favour(self, talker: int, on: bool) -> None:
        self.command_requested.emit("override", {"talker": talker if on else None})

    def _trim(self, talker: int, changes: dict) -> None:
        self.command_requested.emit("trim", {"talker": talker, **changes})

    def silence(self, talker: int) -> None:
        """Mute or unmute one talker."""
        if talker < len(self._strips):
            self._strips[talker].mute.click()

    def focus_trim(self, talker: int) -> None:
        """Move the keyboard focus to a talker's trim."""
        if talker < len(self._strips):
            self._strips[talker].trim.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self._strips[talker].trim.selectAll()

    def _choose(self, talker: int) -> None:
        if self._clickable:
            self.command_requested.emit("attend", {"talker": talker})

    def refresh(self, view: View) -> None:
        now = view.now
        if now.talkers != self._talkers:
            self._talkers = now.talkers
            for strip in self._strips:
                self._list.removeWidget(strip)
                strip.deleteLater()
            self._strips = [TalkerStrip(k, name, len(now.talkers) > ROOMY) for k, name in enumerate(now.talkers)]
            for strip in self._strips:
                strip.solo_requested.connect(self._favour)
                strip.chosen.connect(self._choose)
                strip.trim_requested.connect(self._trim)
                self._list.addWidget(strip)
        self._clickable = now.kind in ("demo", "rehearsal") and now.session_live and now.state in ("running", "paused")
        steering = (
            now.state in ("running", "paused") and now.mode != "open" and now.session_live and now.supports("override")
        )
        for strip in self._strips:
            strip.refresh(view, steering)
        self._hint.show_text(tr("Click a talker: the listener follows") if self._clickable else "")
        for button, on in ((self.equal, now.override == "equal"), (self.decode, now.override is None and steering)):
            button.setEnabled(steering)
            button.setChecked(on)
        sound = now.sound
        peaks = sound.out_peak if sound.live else (0.0, 0.0)
        for meter, peak in zip(self._outputs, peaks, strict=False):
            meter.show_amplitude(peak)
        self._output.show_text(f"{level(max(peaks, default=0.0)):.0f} dBFS" if sound.live else tr("no sound"))
        self._limiter.show_text(f"lim {sound.limiter_db:.1f}" if sound.live else "")
        self._state.show_text(
            sound.failure or (tr("Output: {playing}", playing=sound.playing) if sound.playing else tr("No sound"))
        )
        self.master.setEnabled(sound.live)
        if sound.live and not self.master.isSliderDown() and not self.master.hasFocus():
            self.master.blockSignals(True)
            self.master.setValue(round(min(max(sound.master_db, MASTER_DB[0]), MASTER_DB[1])))
            self.master.blockSignals(False)
            self._master_words.show_text(f"{self.master.value()} dB")

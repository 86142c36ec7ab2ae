"""Bar with the switches of a rehearsal: faults of the simulated listener, electrodes and amplifier."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.looks import APART, NEAR
from earmark.devices.simulate.amplifier import Fault

#: Each fault: its name and what it does, as in :data:`earmark.devices.simulate.amplifier.FAULTS`.
WORDS = {
    Fault.BLINKS: (tr("Blinks"), tr("The listener blinks again and again")),
    Fault.MUSCLE: (tr("Muscles"), tr("The listener clenches the jaw")),
    Fault.LOOSE: (tr("Loose electrode"), tr("One electrode loses contact")),
    Fault.FLAT: (tr("Flat channel"), tr("One channel is constant")),
    Fault.MAINS: (tr("Mains hum"), tr("50 Hz in all electrodes")),
    Fault.PACKETS: (tr("Packet loss"), tr("The amplifier loses packets")),
    Fault.CABLE: (
        tr("Cable out"),
        tr("The amplifier is disconnected; it is back when this is switched off"),
    ),
    Fault.ABSENT: (tr("Not listening"), tr("The listener attends to nobody, whatever the cues say")),
}


class FaultBar(QWidget):
    """The bar; visible in a rehearsal only.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    """

    command_requested = Signal(str, dict)

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(APART, 0, APART, 0)
        layout.setSpacing(NEAR)
        layout.addWidget(QLabel(tr("Rehearsal, faults:")))
        self.buttons: dict[str, QPushButton] = {}
        for fault, (name, about) in WORDS.items():
            button = QPushButton(f"● {name}")
            button.setFixedWidth(button.sizeHint().width())  # it stays where it is when it is switched
            button.setCheckable(True)
            button.setAccessibleName(tr("Fault: {name}", name=name))
            button.setToolTip(about)
            button.clicked.connect(lambda on, fault=fault: self._switch(fault.value, on))
            layout.addWidget(button)
            self.buttons[fault.value] = button
        layout.addStretch(1)
        self.hide()

    def _switch(self, fault: str, on: bool) -> None:
        self.command_requested.emit("fault", {"name": fault, "on": on})

    def refresh(self, now: Snapshot) -> None:
        """Show which faults are switched on."""
        self.setVisible(now.kind == "rehearsal" and now.session_live)
        look = theme.of(self)
        for (fault, button), (name, _) in zip(self.buttons.items(), WORDS.values(), strict=True):
            on = fault in now.faults
            button.setChecked(on)
            button.setText(f"● {name}" if on else name)
            style = f"background: {look.warn}; color: {look.base};" if on else ""
            if button.styleSheet() != style:
                button.setStyleSheet(style)

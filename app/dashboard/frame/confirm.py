"""Non-modal confirmation before a command that loses data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.language import tr

#: Commands that lose data: the name of the action, and what is lost.
_LOSES = {
    "redo": (
        tr("Redo"),
        tr("The current trial, or the last one if none is running, does not count and is repeated at the end."),
    ),
    "refuse": (tr("Discard"), tr("The decoder is deleted. Its recording is kept.")),
}
_STOP = {
    True: (tr("Stop"), tr("The calibration ends without a decoder. The data recorded so far is kept.")),
    False: (
        tr("Stop"),
        tr("The run ends now and cannot be continued. The data recorded so far is kept and can be scored."),
    ),
}


def loss_warning(command: str, now: Snapshot) -> tuple[str, str] | None:
    """Return the name of the action and what it loses; None if it loses nothing."""
    if command == "stop":
        return _STOP[now.state == "calibrating"] if now.at_stake else None
    return _LOSES.get(command)


def confirm(
    parent: QWidget, title: str, words: str, choices: Mapping[str, Callable[[], object]], keep: str = tr("Cancel")
) -> QMessageBox:
    """Ask the operator in a non-modal dialog, and return it. Enter changes nothing: it chooses ``keep``."""
    box = QMessageBox(QMessageBox.Icon.Warning, title, words, parent=parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setModal(False)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for text, do in choices.items():
        button = box.addButton(text, QMessageBox.ButtonRole.ActionRole)
        button.setAccessibleName(text)
        button.clicked.connect(lambda _=False, do=do: do())
    box.setDefaultButton(box.addButton(keep, QMessageBox.ButtonRole.RejectRole))
    box.show()
    return box

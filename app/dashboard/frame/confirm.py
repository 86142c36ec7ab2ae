"""Questions before something is lost; nothing is held up by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from earmark.app.dashboard.data.snapshot import Snapshot

#: Commands by which something is lost: what is asked, and what will be lost.
_LOSES = {
    "redo": ("Redo", "The trial under way, or else the last one, does not count, and is repeated in the end."),
    "refuse": ("Discard", "The decoder is deleted. Its recording stays."),
}
_STOP = {
    True: ("Stop", "The calibration ends without a decoder. What was recorded until now stays in the file."),
    False: ("Stop", "The run ends here and cannot be continued. What was recorded until now stays, and can be scored."),
}


def loss_warning(command: str, now: Snapshot) -> tuple[str, str] | None:
    """What to ask before a command, and what is lost by it; None if nothing is."""
    if command == "stop":
        return _STOP[now.state == "calibrating"] if now.at_stake else None
    return _LOSES.get(command)


def confirm(parent: QWidget, title: str, words: str, choices: Mapping[str, Callable[[], object]]) -> None:
    """Ask without holding anything up; keeping things as they are is what Enter does."""
    box = QMessageBox(QMessageBox.Icon.Warning, title, words, parent=parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setModal(False)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for text, do in choices.items():
        button = box.addButton(text, QMessageBox.ButtonRole.ActionRole)
        button.setAccessibleName(text)
        button.clicked.connect(lambda _=False, do=do: do())
    keep = box.addButton("Go on as it is", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.show()

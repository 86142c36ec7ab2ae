"""Opens what is dropped onto the window: a session, a run, or a recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDropEvent

from earmark.app.config.toml_file import PROTOCOL
from earmark.app.dashboard.frame.recording_window import RecordingWindow
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.sessions import board_of
from earmark.devices.files.recording import SUFFIXES

if TYPE_CHECKING:
    from earmark.app.dashboard.frame.window import Window

ONE = tr("Drop one thing at a time: a session.toml, a folder of a session, run or study, or a recording")


class Drops(QObject):
    """Accepts files that are dragged onto a window.

    Parameters
    ----------
    window : Window
    """

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            return False
        assert isinstance(event, QDropEvent)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if not paths:
            event.ignore()
            return True
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            words = ONE if len(paths) > 1 else self.open(paths[0])
            if words:
                self._window.show_message(words, bad=True)
        return True

    def open(self, path: Path) -> str:
        """Open a path; return why that is not possible, empty if it is."""
        window, launcher, suffix = self._window, self._window.launcher, path.suffix.lower()
        if os.path.isdir(path):
            if os.path.exists(path / "loop.xdf"):
                window.show_run(path)
            elif os.path.exists(path / "session.toml") or board_of(path) or any(path.glob("*/loop.xdf")):
                window.attach(path)
            elif any(path.glob("*/*/loop.xdf")) or any(path.glob("*/*/*/loop.xdf")):
                window.go("study")
                window.study.open_study(path)
            else:
                return tr(
                    "{path} is not the folder of a session, run or study: there is no session.toml and no loop.xdf",
                    path=path,
                )
        elif path.name == PROTOCOL:
            return tr("{path} is the plan of a session: drop the session.toml beside it", path=path)
        elif suffix == ".toml":
            window.go("start")
            launcher.session(path)
        elif suffix == ".xdf" and path.name.startswith("loop"):
            window.go("start")
            launcher.replay_run(path)
        elif suffix in SUFFIXES:
            RecordingWindow(path, window.settings, window).show()
        else:
            return tr("{name} cannot be opened. {one}", name=path.name, one=ONE)
        return ""

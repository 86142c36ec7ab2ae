"""What the start page's choices do: each ends with the folder of a session."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from earmark.app.dashboard.frame.picker import Picker
from earmark.app.dashboard.launch.sessions import LaunchedSession, board_of

#: Milliseconds between looks whether a session has come up.
POLL_MS = 200


def home() -> Path:
    """Where sessions go that nobody chose a place for."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "earmark"


class Launcher(QObject):
    """Starts sessions and waits for them without waiting.

    Attributes
    ----------
    ready : Signal(str)
        A session is up; its folder.
    replaying : Signal(str, str)
        A replay is up; its folder, and that of the run.
    message : Signal(str, bool)
        What is going on, and whether to wait.
    """

    ready = Signal(str)
    replaying = Signal(str, str)
    message = Signal(str, bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._picker: Picker | None = None
        #: The session that was started from here, if any.
        self.launched: LaunchedSession | None = None
        #: The run that it replays, if that is what it does, and where it is reached for the time being.
        self._run: Path | None = None
        self._place: TemporaryDirectory[str] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    def demo(self) -> None:
        """Begin the demonstration, in a new folder."""
        folder = home() / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
        self._launch(["demo", "--headless", "--out", str(folder)], folder, "Starting the demonstration …")

    def connect_stream(self) -> None:
        """Let a stream be chosen, and begin a session with it."""
        if self._picker is None:
            self._picker = Picker(self._window)
            self._picker.stream_chosen.connect(self._picked)
            self._picker.file_requested.connect(self._open)
        self._picker.show()
        self._picker.search()

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self._window, "Session", str(home()), "Sessions (*.toml)")
        if name and self._picker is not None:
            self._picker.hide()
            self.session(Path(name))

    def _picked(self, stream: dict[str, Any]) -> None:
        name = f"session-{datetime.now():%Y%m%d-%H%M%S}"
        place, _ = QFileDialog.getSaveFileName(self._window, "Folder of the new session", str(home() / name))
        if place:
            self.with_stream(stream, Path(place))

    def with_stream(self, stream: dict[str, Any], folder: Path) -> None:
        """Write the files of a session with a certain stream, and begin it."""
        from earmark.app.session.templates import NewError, write_session

        try:
            session = write_session(folder)
        except NewError as error:
            self.message.emit(str(error), False)
            return
        key = "source_id" if stream["source_id"] else "name"
        text = session.read_text(encoding="utf-8")
        session.write_text(name_stream(text, key, str(stream[key])), encoding="utf-8")
        self.session(session)

    def session(self, file: Path) -> None:
        """Begin a session that is described in a file."""
        folder = file.parent
        self._launch(["serve", str(file)], folder, f"Starting {folder.name} …")

    def replay(self) -> None:
        """Let a recorded run be chosen, to be seen and heard once more."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Recording of a run", str(home()), "Runs (loop*.xdf)")
        if name:
            self.replay_run(Path(name))

    def replay_run(self, recording: Path) -> None:
        """Begin to replay a recorded run, in a folder for the time being."""
        run = recording.parent
        place = TemporaryDirectory(prefix=f"earmark-replay-{run.name}-", ignore_cleanup_errors=True)
        arguments = ["replay", str(recording), "--watch", "--folder", place.name]
        if self._launch(arguments, Path(place.name), f"Reading {run.name} …"):
            self._run, self._place = run, place
        else:
            place.cleanup()

    def end_replay(self) -> None:
        """End the replay that was started from here, which is of no use to anybody else."""
        if self._run is not None and self.launched is not None:
            self.launched.end()
            self.launched = None
        if self._place is not None:
            self._place.cleanup()
        self._run = self._place = None

    def reopen(self, folder: Path | None) -> None:
        """Look at the session of a folder."""
        if folder is None or not folder.is_dir():
            self.message.emit(
                "No session was open before" if folder is None else f"{folder} is not there any more", False
            )
            return
        self.ready.emit(str(folder))

    def _launch(self, arguments: list[str], folder: Path, words: str) -> bool:
        """Start a session and wait for it without waiting, unless it is there; return whether it was started."""
        if board_of(folder):
            self.ready.emit(str(folder))
            return False
        self.end_replay()
        try:
            self.launched = LaunchedSession(arguments, folder)
        except OSError as error:
            self.message.emit(f"It cannot be started: {error}", False)
            return False
        self.message.emit(words, True)
        self._timer.start()
        return True

    def _poll(self) -> None:
        launched = self.launched
        if launched is None:
            self._timer.stop()
        elif board_of(launched.folder):
            self._timer.stop()
            self.message.emit("", False)
            if self._run is None:
                self.ready.emit(str(launched.folder))
            else:
                self.replaying.emit(str(launched.folder), str(self._run))
        elif launched.status is not None:
            self._timer.stop()
            self.launched = None
            self.message.emit(f"It did not start: {launched.ended}", False)
            self.end_replay()


def name_stream(text: str, key: str, value: str) -> str:
    """Put which stream the amplifier is into the text of a session, which holds the key as a comment."""
    import json

    line = f"{key} = {json.dumps(value)}"  # JSON's strings are TOML's
    head, eeg, rest = text.partition("[streams.eeg]")
    return head + eeg + re.sub(rf"(?m)^# {key} = .*$", lambda _: line, rest, count=1)

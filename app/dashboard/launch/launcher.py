"""The actions of the start page: each opens or starts a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from earmark.app.config.changes import free
from earmark.app.dashboard.data.source import Source
from earmark.app.dashboard.frame.picker import Picker
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.sessions import LaunchedSession, board_of
from earmark.app.session.channel import has_died
from earmark.kernels.errors import EarmarkError

#: Milliseconds between checks whether a session has started.
POLL_MS = 200


def home() -> Path:
    """Return the default folder for new sessions."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "earmark"


class Launcher(QObject):
    """Starts sessions and polls until they are up, without blocking the window.

    Attributes
    ----------
    ready : Signal(str)
        A session is up: its folder.
    replaying : Signal(str, str)
        A replay is up: its folder, and the folder of the run.
    picked : Signal(dict)
        A stream was chosen, to look at.
    message : Signal(str, bool)
        A progress or error message, and whether the operator has to wait.
    """

    ready = Signal(str)
    replaying = Signal(str, str)
    picked = Signal(dict)
    message = Signal(str, bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._picker: Picker | None = None
        #: Returns the folder of the session that the window shows, and whether ending it would lose something.
        self.shown: Callable[[], tuple[Path | None, bool]] = lambda: (None, False)
        #: The session that this window started, if any.
        self.launched: LaunchedSession | None = None
        #: The run that it replays, if any, and the temporary folder of that replay.
        self._run: Path | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def starting(self) -> bool:
        """Whether a session was started and is not up yet."""
        return self._timer.isActive()

    def demo(self, folder: Path | None = None, options: Sequence[str] = ()) -> None:
        """Start the demonstration, by default in a new folder, with further options of the command."""
        folder = folder or home() / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
        self._launch(["demo", "--headless", "--out", str(folder), *options], folder, tr("Starting the demonstration …"))

    def choose_rehearsal(self) -> None:
        """Let the operator choose a session, and rehearse it."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, tr("Rehearse a session"), str(home()), tr("Sessions (*.toml)")
        )
        if name:
            self.rehearse(Path(name), free(Path(name).parent, "rehearsal-{}"))

    def rehearse(self, session: Path, folder: Path, listener: str = "easy") -> None:
        """Start a rehearsal of a session, with a preset of the simulated listener."""
        options = ["--serve", "--headless", "--out", str(folder), "--listener", listener]
        self._launch(["rehearse", str(session), *options], folder, tr("Starting the rehearsal …"))

    def connect_stream(self) -> None:
        """Let the operator choose a stream to look at."""
        if self._picker is None:
            self._picker = Picker(self._window)
            self._picker.stream_chosen.connect(self.picked)
            self._picker.file_requested.connect(self._open)
        self._picker.show()
        self._picker.search()

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self._window, tr("Session"), str(home()), tr("Sessions (*.toml)"))
        if name and self._picker is not None:
            self._picker.hide()
            self.session(Path(name))

    def create(self, folder: Path, settings: dict[str, Any], plan: dict[str, Any], simulated: bool = False) -> None:
        """Write the files of a new session, with these changes of the templates, and start it or its rehearsal."""
        from earmark.app.session.templates import write_session

        if self.keeps_earlier():
            return
        try:
            session = write_session(folder, settings, plan)
        except EarmarkError as error:
            self.message.emit(str(error), False)
            return
        if simulated:
            self.rehearse(session, free(folder, "rehearsal-{}"))
        else:
            self.session(session)

    def session(self, file: Path) -> None:
        """Start the session that a file describes."""
        folder = file.parent
        self._launch(["serve", str(file)], folder, tr("Starting {name} …", name=folder.name))

    def replay(self) -> None:
        """Let the operator choose a recorded run, and replay it."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, tr("Recording of a run"), str(home()), tr("Runs (loop*.xdf)")
        )
        if name:
            self.replay_run(Path(name))

    def replay_run(self, recording: Path) -> None:
        """Start the replay of a recorded run in a temporary folder."""
        run = recording.parent
        temporary = TemporaryDirectory(prefix=f"earmark-replay-{run.name}-", ignore_cleanup_errors=True)
        arguments = ["replay", str(recording), "--watch", "--folder", temporary.name]
        if self._launch(arguments, Path(temporary.name), tr("Reading {name} …", name=run.name)):
            self._run, self._temporary = run, temporary
        else:
            temporary.cleanup()

    def end_replay(self) -> None:
        """End the replay that this window started, if any."""
        if self._run is not None and self.launched is not None:
            self.launched.end()
            self.launched = None
        if self._temporary is not None:
            self._temporary.cleanup()
        self._run = self._temporary = None

    def reopen(self, folder: Path | None) -> None:
        """Show the session of a folder."""
        if folder is None or not os.path.isdir(folder):
            self.message.emit(
                tr("No session was opened before")
                if folder is None
                else tr("{folder} no longer exists: choose another way to start", folder=folder),
                False,
            )
            return
        self.ready.emit(str(folder))

    def _launch(self, arguments: list[str], folder: Path, words: str) -> bool:
        """Start a session unless one is running in the folder; return whether it was started."""
        if board_of(folder):
            self.ready.emit(str(folder))
            return False
        if self.keeps_earlier():
            return False
        self.end_replay()
        self._end_idle()  # it would keep the sound output and the amplifier
        try:
            self.launched = LaunchedSession(arguments, folder)
        except OSError as error:
            self.message.emit(tr("The session cannot be started: {error}", error=error), False)
            return False
        self.message.emit(words, True)
        self._timer.start()
        return True

    def close(self, practice: bool) -> None:
        """End with the window what it started: a replay, ``practice``, what is starting, what would lose nothing."""
        self.end_replay()
        if self.launched is not None and (practice or self.starting):
            self.launched.end()
        else:
            self._end_idle()
        self._timer.stop()

    def _end_idle(self) -> None:
        """End the session that this window started, shown or not, unless it is recording or training."""
        launched = self.launched
        if launched is None:
            return
        source = Source(lambda: board_of(launched.folder), lambda: has_died(launched.folder))
        if not source.read().at_stake:
            launched.end()
        source.close()

    def keeps_earlier(self) -> bool:
        """Refuse another session while one starts, or while the one started and shown here would lose something."""
        if self.starting:
            self.message.emit(tr("Another session is starting: wait for it"), True)
            return True
        folder, at_stake = self.shown()
        if not at_stake or folder is None or self.launched is None or self.launched.folder != folder:
            return False
        words = tr(
            "{name} is recording or training: stop it (Ctrl+.), or wait for its end, then start another",
            name=folder.name,
        )
        self.message.emit(words, False)
        return True

    def _poll(self) -> None:
        launched = self.launched
        if launched is None:
            self._timer.stop()
            self.message.emit("", False)
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
            self.message.emit(tr("The session did not start: {ended}", ended=launched.ended), False)
            self.end_replay()

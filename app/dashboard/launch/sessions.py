"""Starts sessions as separate processes that outlive this window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from earmark.app.dashboard.language import tr
from earmark.app.session.channel import ADDRESS, has_died


def board_of(folder: Path) -> str:
    """Return the board name of the session in a folder; empty if there is none or it died."""
    try:
        board = str(json.loads((folder / ADDRESS).read_text(encoding="utf-8"))["board"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # no session, or one that is just starting or ending
    return "" if has_died(folder) else board


class LaunchedSession:
    """A session that this window started.

    Parameters
    ----------
    arguments : sequence of str
        Arguments of the ``earmark`` command.
    folder : Path
        Folder of the session; created if missing. The output of the command goes to ``session.log`` in it.

    Raises
    ------
    OSError
        If the process cannot be started.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._log = folder, folder / "session.log"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "earmark.app.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # closing this window's terminal does not end it
            )

    @property
    def ended(self) -> str:
        """Last line of the log of a session that has ended; empty while it runs."""
        if self._process.poll() is None:
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return (
            lines[-1]
            if lines
            else tr("the process ended with status {returncode}", returncode=self._process.returncode)
        )

    def end(self) -> None:
        """Ask the process to shut down, without waiting."""
        if self._process.poll() is None:
            self._process.terminate()

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

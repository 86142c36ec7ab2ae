"""Starting sessions: each is a process of its own that outlives this window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from earmark.app.session.channel import ADDRESS, has_died


def board_of(folder: Path) -> str:
    """Name of the board of the session in a folder; empty if there is none, or one that died."""
    try:
        board = str(json.loads((folder / ADDRESS).read_text(encoding="utf-8"))["board"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # no session, or one that just comes or goes: the next look will tell
    return "" if has_died(folder) else board


class LaunchedSession:
    """A session that was started from here.

    Parameters
    ----------
    arguments : sequence of str
        Of the ``earmark`` command.
    folder : Path
        Of the session; made if it is not there. What the command says goes into ``session.log`` in it.

    Raises
    ------
    OSError
        If it cannot be started.
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
                start_new_session=True,  # what ends this window's terminal does not end it
            )

    @property
    def ended(self) -> str:
        """Last words of a session that has ended; empty while it goes on."""
        if self._process.poll() is None:
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with status {self._process.returncode}"

    def end(self) -> None:
        """Have it end in good order, and do not wait for that."""
        if self._process.poll() is None:
            self._process.terminate()

    @property
    def status(self) -> int | None:
        """Exit status; None while it goes on."""
        return self._process.poll()

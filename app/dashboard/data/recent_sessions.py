"""The sessions that were opened last, in the settings of the window."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QSettings

KEY, MAX = "session/recent", 10


class RecentSessions:
    """The newest :data:`MAX` sessions, newest first, each with the sentence about its last run.

    Parameters
    ----------
    settings : QSettings
    """

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    @property
    def all(self) -> dict[Path, str]:
        """Folders, and what came out of the last run; empty if that is not known."""
        try:
            found = json.loads(str(self._settings.value(KEY) or "[]"))
            return {Path(str(folder)): str(words) for folder, words in found}
        except (ValueError, TypeError):  # edited by hand
            return {}

    def add(self, folder: Path) -> None:
        """Put a session first."""
        rest = self.all
        self._save({folder: rest.pop(folder, "")} | rest)

    def say(self, folder: Path, words: str) -> None:
        """Keep what came out of the last run of a session in the list."""
        if folder in self.all:
            self._save(self.all | {folder: words})

    def remove(self, folder: Path) -> None:
        """Remove a session from the list; its files stay."""
        self._save({one: words for one, words in self.all.items() if one != folder})

    def _save(self, sessions: dict[Path, str]) -> None:
        self._settings.setValue(KEY, json.dumps([[str(one), words] for one, words in sessions.items()][:MAX]))

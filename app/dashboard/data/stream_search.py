"""Searches for LSL streams on a separate thread."""

from __future__ import annotations

import threading
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

#: Seconds to search for streams.
SEARCH_S = 2.0


class StreamSearch(QObject):
    """Searches for all LSL streams on the network, one search at a time.

    Attributes
    ----------
    found : Signal(list)
        The streams: ``name``, ``type``, ``channels``, ``sfreq``, ``host``, ``source_id`` of each.
    """

    found = Signal(list)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._busy = False

    def start(self) -> None:
        """Start a search unless one is in progress, and return immediately."""
        if self._busy:
            return
        self._busy = True
        threading.Thread(target=self._search, name="streams", daemon=True).start()

    def _search(self) -> None:
        from earmark.devices.sources.lsl_search import StreamSelector, find_streams

        try:
            streams: list[dict[str, object]] = [
                {
                    "name": one.name(),
                    "type": one.type(),
                    "channels": one.channel_count(),
                    "sfreq": one.nominal_srate(),
                    "host": one.hostname(),
                    "source_id": one.source_id(),
                }
                for one in find_streams(StreamSelector(), SEARCH_S)
            ]
        finally:
            self._busy = False
        if isValid(self):  # else the window was closed meanwhile
            self.found.emit(streams)


def found_again_by(stream: dict[str, Any]) -> dict[str, str]:
    """Return the key and the value by which a session finds a stream again: its source_id, or else its name.

    A source_id that pylsl generated does not last: the sender's next process has another. Empty without both.
    """
    from earmark.devices.sources.lsl_search import lasting

    known = {"source_id": lasting(stream["source_id"]), "name": stream["name"]}
    return dict([(key, value) for key, value in known.items() if value][:1])


def eeg_first(streams: list[dict[str, object]]) -> list[dict[str, object]]:
    """Sort streams: those of EEG first, then by name."""
    return sorted(streams, key=lambda one: (one["type"] != "EEG", str(one["name"])))

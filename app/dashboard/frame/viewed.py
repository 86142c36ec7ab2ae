"""The stream that the window shows without a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earmark.app.dashboard.data.stream_search import found_again_by

if TYPE_CHECKING:
    from earmark.app.session.view import StreamView


class Viewed:
    """At most one stream that is looked at.

    Attributes
    ----------
    stream : dict or None
        The stream, as the search for streams describes it; None if none is looked at.
    """

    def __init__(self) -> None:
        self.stream: dict[str, Any] | None = None
        self._view: StreamView | None = None

    def open(self, stream: dict[str, Any]) -> StreamView:
        """Show a stream; ``stream`` has its ``name``, and the rest of its description as far as known."""
        from earmark.app.session.view import StreamView
        from earmark.devices.sources.lsl_search import StreamSelector, lasting

        known: dict[str, Any] = {"type": "", "channels": 0, "sfreq": 0.0, "host": "", "source_id": ""} | stream
        named = {key: known[key] for key in ("name", "type", "host")}
        self._view = StreamView(StreamSelector(**named, source_id=lasting(known["source_id"])))
        self.stream = known
        return self._view

    def close(self) -> None:
        """End the view."""
        if self._view is not None:
            self._view.close()
        self._view = self.stream = None

    def keep_bads(self, settings: dict[str, Any]) -> None:
        """Add the electrodes that were marked as bad to the settings of a session, if it is for the same stream."""
        eeg = settings["streams"]["eeg"]
        if self._view is None or self.stream is None or not self._view.bads:
            return
        if found_again_by(self.stream).items() <= eeg.items():
            eeg["bads"] = list(self._view.bads)

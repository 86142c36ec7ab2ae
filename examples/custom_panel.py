"""Write your own panel for the live page: seconds until the next cue. Show it: python examples/custom_panel.py."""

import math

from PySide6.QtWidgets import QVBoxLayout

from earmark.app.dashboard.panels.panel import Panel, Reading, View


class NextCue(Panel):
    """Shows the seconds until the next cue, or that no cue is planned."""

    title, key, hz = "Next cue", "next-cue", 4.0

    def __init__(self) -> None:
        super().__init__()
        self.reading = Reading("Seconds until the next cue", "in 999 s")
        layout = QVBoxLayout(self)
        layout.addWidget(self.reading)

    def refresh(self, view: View) -> None:
        """Show the current state."""
        seconds = view.now.next_cue_s
        self.reading.show_text("no cue is planned" if math.isnan(seconds) else f"in {seconds:.0f} s")


def main() -> None:
    """Show the panel twelve seconds before a cue."""
    import signal

    from PySide6.QtWidgets import QApplication

    from earmark.app.dashboard.data.history import History
    from earmark.app.dashboard.data.recent import Recent
    from earmark.app.dashboard.data.snapshot import Snapshot

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would wait until Qt returns
    app = QApplication([])
    panel = NextCue()
    panel.refresh(View(Snapshot(next_cue_s=12.0), History(), Recent()))
    panel.show()
    app.exec()


if __name__ == "__main__":
    main()

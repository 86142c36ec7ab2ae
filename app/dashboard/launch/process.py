"""Sets up the process of the window, with a lower priority than engine and sound."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication, QLabel
from threadpoolctl import threadpool_limits

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.icons import application_icon
from earmark.app.dashboard.frame.window import Window
from earmark.app.dashboard.language import translate_qt, user_settings
from earmark.app.looks import TEXT
from earmark.devices.sources.lsl_log import quiet_liblsl
from earmark.kernels.errors import EarmarkError

#: Nice level added to this process, so that engine and sound have priority.
NICE = 5


class BrokenQt(EarmarkError):
    """Raised when the installed PySide6 would eventually crash the process."""


def check_qt() -> None:
    """Refuse a PySide6 that loses a reference to None per call, as 6.12.0 does before Python 3.12.

    Raises
    ------
    BrokenQt
        With the version to install.
    """
    if sys.version_info >= (3, 12):
        return
    label = QLabel()
    before = sys.getrefcount(None)
    for _ in range(200):
        label.update()
    if sys.getrefcount(None) < before - 100:
        raise BrokenQt("this PySide6 does not work with this Python: pip install 'PySide6-Essentials>=6.11,<6.12'")


def make_application(colours: theme.Theme = theme.LIGHT) -> QApplication:
    """Prepare this process and Qt for a window."""
    quiet_liblsl()
    threadpool_limits(1)  # threads would slow down small products and disturb other processes
    app = QApplication.instance() or QApplication(["earmark"])
    assert isinstance(app, QApplication)
    app.setApplicationName("earmark")
    app.setApplicationDisplayName("Earmark")
    app.setDesktopFileName("earmark")
    app.setWindowIcon(application_icon())
    translate_qt(app)
    check_qt()
    theme.apply(app, colours)
    app.setFont(theme.font(app.font(), TEXT))
    return app


def load_rest() -> None:
    """Import what the first signal and the first result need, which takes as long as all else that the window needs."""
    import scipy.signal
    import scipy.stats  # noqa: F401


def lower_priority() -> None:
    """Let the engine's and the sound's processes have the processor first."""
    if hasattr(os, "nice"):
        os.nice(NICE)


def show(folder: Path | None, colours: str, begin: Callable[[Window], object] = lambda window: None) -> int:
    """Open the window, run it until it is closed, and return the exit status.

    Parameters
    ----------
    folder : Path or None
        Folder of the session to show.
    colours : str
        Name of the theme; empty for the last one.
    begin : callable
        Called with the window once it is open.
    """
    lower_priority()
    settings = user_settings()
    app = make_application(theme.THEMES.get(colours or str(settings.value("theme") or "light"), theme.LIGHT))
    window = Window(settings, folder)
    # Ctrl-C in the terminal closes the window without a confirmation. Python handles it at the next timer tick.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close_now())
    window.show()
    begin(window)
    threading.Thread(target=load_rest, name="imports", daemon=True).start()
    return app.exec()

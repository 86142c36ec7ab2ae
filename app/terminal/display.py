"""Find out whether a window can be shown here."""

from __future__ import annotations

import os
import subprocess
import sys

#: Longest wait for Qt to connect to the screen, s.
_PATIENCE_S = 30.0
#: Platforms of Qt that show nothing.
_INVISIBLE = ("offscreen", "minimal")


def no_screen() -> str:
    """Return why there is no screen, as far as the environment tells; empty if there is one."""
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    return "there is no screen: DISPLAY is not set" if sys.platform.startswith("linux") and not shown else ""


def why_no_window() -> str:
    """Return why nobody would see a window; empty if Qt can open one, which is tried in another process."""
    from earmark.kernels.extras import MissingExtra, require

    try:
        require("desktop", "the window needs more packages")
    except MissingExtra as error:
        return str(error)
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform in _INVISIBLE:
        return f"QT_QPA_PLATFORM is {platform}, which shows nothing"
    if why := no_screen():
        return why
    command = [sys.executable, "-P", "-c", "from PySide6.QtWidgets import QApplication; QApplication([])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return "the screen does not answer"
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines() or [f"Qt ended with status {done.returncode}"]
    return f"the window cannot be opened: {lines[0]}"

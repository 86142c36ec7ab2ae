"""``earmark dashboard``: the window, as a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder of the session to show; without it, the start page.")
    ] = None,
    theme: Annotated[str, typer.Option(help="light or dark; what was chosen last if nothing is said.")] = "",
) -> None:
    """Open the window: on a running session, or to begin one.

    It may be closed and opened at any time: sound, decisions and recording go on without it. Exit status: 0 closed,
    1 it cannot be opened.
    """
    from earmark.app.terminal.console import fail, failures
    from earmark.kernels.extras import require

    with failures():
        require("desktop", "the window needs more packages")
    if theme not in ("", "light", "dark"):
        fail(f"--theme is {theme!r}, but must be light or dark")
    if folder is not None and not folder.is_dir():
        fail(f"{folder} is no folder")
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not shown:
        fail("there is no screen here: DISPLAY is not set. Over ssh, 'ssh -X' sets it; 'earmark control' needs none")
    from earmark.app.dashboard.launch.process import show

    with failures():
        status = show(folder, theme)
    raise typer.Exit(status)

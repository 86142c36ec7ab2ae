"""``earmark dashboard``: open the window, in a process separate from the session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder of the session to show; by default, the start page.")
    ] = None,
    stream: Annotated[
        str, typer.Option(metavar="NAME", help="LSL stream to look at without a session; nothing is recorded.")
    ] = "",
    theme: Annotated[str, typer.Option(help="light or dark; by default, the last choice.")] = "",
) -> None:
    """Open the window, to watch a session or to start one.

    You can close and reopen it at any time: sound, decisions and recording continue without it. Exit status: 0 closed,
    1 cannot be opened.
    """
    from earmark.app.terminal.console import fail, failures
    from earmark.app.terminal.display import no_screen
    from earmark.kernels.extras import require

    with failures():
        require("desktop", "the window needs more packages")
    if theme not in ("", "light", "dark"):
        fail(f"--theme is {theme!r}, but must be light or dark")
    if folder is not None and not folder.is_dir():
        fail(f"{folder} is not a folder: give the folder of a session")
    if folder is not None and stream:
        fail("give the folder of a session or --stream, not both")
    if why := no_screen():
        fail(f"{why}. Over SSH, 'ssh -X' sets it; 'earmark control' needs no screen")
    from earmark.app.dashboard.launch.process import show

    with failures():
        status = show(folder, theme, lambda window: window.view({"name": stream}) if stream else None)
    raise typer.Exit(status)

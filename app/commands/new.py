"""``earmark new``: write the files of a new session from commented templates."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def new(
    folder: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to create; the streams are named after it.")],
) -> None:
    """Write session.toml and protocol.toml of a new session.

    Both go into the folder NAME. Comments in them explain the settings.

    Exit status: 0 written, 1 the folder exists already or cannot be created.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.session.next_step import Folder, next_step
    from earmark.app.session.templates import write_session
    from earmark.app.terminal.console import console, failures

    with failures():
        session = write_session(folder)
    file = shlex.quote(str(session))
    step = next_step(None, folder=Folder(folder.name, session=True, runs=False))
    console.print(
        f"Wrote {session} and {folder / PROTOCOL}.\n{step.sentence}\n"
        f"In a window, which leads on from there: earmark dashboard {shlex.quote(str(folder))}\n"
        "Or in the terminal:\n"
        f"  1. earmark streams                 is the amplifier listed? If several are, name it in {session.name}\n"
        f"  2. earmark play {file}    is the sound right?\n"
        f"  3. earmark calibrate {file}\n"
        f"  4. earmark run {file}\n"
        "Comments in both files explain the other settings.",
        markup=False,
        highlight=False,
    )

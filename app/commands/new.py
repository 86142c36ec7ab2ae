"""``earmark new``: the files of a session, commented, to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def new(
    folder: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to make; its name names the streams, too.")],
) -> None:
    """Write a session to start from: session.toml and protocol.toml.

    Both go into the folder NAME, and say in comments what can be set.

    Exit status: 0 written, 1 the folder is there already or cannot be made.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.session.templates import write_session
    from earmark.app.terminal.console import console, failures

    with failures():
        session = write_session(folder)
    file = shlex.quote(str(session))
    console.print(
        f"Wrote {session} and {folder / PROTOCOL}. Next:\n"
        f"  1. earmark streams                 is the amplifier there? Name it in {session.name} if there are several\n"
        f"  2. earmark play {file}    is the sound right?\n"
        f"  3. earmark calibrate {file}\n"
        f"  4. earmark run {file}\n"
        f"While either goes on, the window shows it: earmark dashboard {shlex.quote(str(folder))}\n"
        "Both files say in comments what else can be set.",
        markup=False,
        highlight=False,
    )

"""Places to write to, tried before the work whose result goes there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from earmark.app.terminal.console import fail


def must_be_writable(*files: Path | None) -> None:
    """End the command unless these files can be written; those that are there stay as they are."""
    for path in files:
        if path is None or path == Path("-"):  # or standard output
            continue
        try:
            there = path.exists()
            with path.open("ab"):
                pass
            if not there:
                path.unlink()
        except OSError as error:
            fail(f"cannot write {path}: {error.strerror or error}")


def must_take_files(folder: Path) -> None:
    """End the command unless a folder, which need not be there yet, can take files."""
    near = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=near):
            pass
    except OSError as error:
        fail(f"cannot write into {near}: {error.strerror or error}")

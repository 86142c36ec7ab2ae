"""Checks that results can be written, made before the work starts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from earmark.app.terminal.console import fail


def must_be_writable(*files: Path | None) -> None:
    """End the command unless these files can be written; existing files stay unchanged."""
    for path in files:
        if path is None or path == Path("-"):  # - is standard output
            continue
        try:
            existed = path.exists()
            with path.open("ab"):
                pass
            if not existed:
                path.unlink()
        except OSError as error:
            fail(f"cannot write {path}: {error.strerror or error}")


def must_take_files(folder: Path) -> None:
    """End the command unless files can be created in a folder, which need not exist yet."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        fail(f"cannot write into {nearest}: {error.strerror or error}")

"""Open files from users only if they are regular: no pipe that blocks, no endless device, no oversized file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

#: Maximum bytes of a text written by people, such as a configuration or a table.
MAX_TEXT = 16 << 20


def open_regular(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a file for reading, in binary.

    Parameters
    ----------
    path : Path
        The file.
    limit : int, optional
        Maximum size in bytes.

    Raises
    ------
    OSError
        If it cannot be opened, is a pipe, socket, device or folder, or is too large; ``strerror`` says which.
    """
    # Without O_NONBLOCK, opening a pipe waits until a process writes to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    found = os.fstat(descriptor)
    words = ""
    if stat.S_ISDIR(found.st_mode):
        words = "it is a folder, not a file"
    elif not stat.S_ISREG(found.st_mode):
        words = "it is a pipe or a device, not a file"
    elif limit is not None and found.st_size > limit:
        words = f"it has {found.st_size} bytes, more than the {limit} that such a file may have"
    if words:
        os.close(descriptor)
        raise OSError(errno.EINVAL, words, str(path))
    return os.fdopen(descriptor, "rb")


def must_be_regular(path: Path, limit: int | None = None) -> None:
    """Raise the errors of :func:`open_regular`, before a library opens the file itself."""
    open_regular(path, limit).close()


def read_text(path: Path, limit: int = MAX_TEXT, encoding: str = "utf-8") -> str:
    """Read a text file.

    Raises
    ------
    OSError
        See :func:`open_regular`.
    UnicodeDecodeError
        If the text is not valid in that encoding.
    """
    with open_regular(path, limit) as file:
        return file.read().decode(encoding)

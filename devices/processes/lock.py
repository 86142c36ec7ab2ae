"""Files that show whether their owner lives: whatever kills a process, the system takes its locks back."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from earmark.kernels.errors import EarmarkError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Seconds for which a lock is tried again: somebody may just look whether it is held.
_TRY_S, _AGAIN_S = 0.25, 0.01


class Held(EarmarkError):
    """Raised when a process that runs holds the lock."""


class Lock:
    """A file with one living owner. It is there while it is held, and may be left by an owner that was killed.

    Parameters
    ----------
    path : Path

    Raises
    ------
    Held
        If another owner lives, in this process or in any other that sees the file.
    OSError
        If no such file can be made or locked there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        deadline = time.monotonic() + _TRY_S
        while True:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if _try(self._file) and self._is_mine():
                    return
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)
            if time.monotonic() > deadline:
                raise Held(f"{path} is held by a process that runs")
            time.sleep(_AGAIN_S)

    def _is_mine(self) -> bool:
        """Whether the file of that name is still the one that is locked: its owner may have removed it meanwhile."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the file and let others have the lock."""
        if sys.platform == "win32":  # which removes no file that is open
            os.close(self._file)
            with contextlib.suppress(OSError):  # taken by somebody else meanwhile
                self._path.unlink()
            return
        if self._is_mine():
            self._path.unlink()
        os.close(self._file)


def is_held(path: Path) -> bool:
    """Whether a lock has an owner that lives."""
    try:
        file = os.open(path, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:  # another user's: nobody here may take it
        return True
    try:
        return not _try(file, shared=True)
    finally:
        os.close(file)


def _try(file: int, shared: bool = False) -> bool:
    """Lock an open file, if nobody else has; several who only look do not hinder each other."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

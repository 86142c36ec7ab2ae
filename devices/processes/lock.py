"""Lock files that show whether their owner is alive: the system releases the locks of a killed process."""

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

#: Seconds for which locking is retried: another process may just be checking the lock.
_TRY_S, _AGAIN_S = 0.25, 0.01


class Held(EarmarkError):
    """Raised when a running process holds the lock."""


class Lock:
    """A lock file with one living owner. It exists while it is held, and may be left behind by a killed owner.

    Parameters
    ----------
    path : Path

    Raises
    ------
    Held
        If another owner is alive, in this process or in any other that sees the file.
    OSError
        If the file cannot be created or locked.
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
                raise Held(f"{path} is locked by a running process")
            time.sleep(_AGAIN_S)

    def _is_mine(self) -> bool:
        """Whether the file of that name is still the locked one: its owner may have removed it meanwhile."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the file and release the lock."""
        if sys.platform == "win32":  # Windows cannot remove open files
            os.close(self._file)
            with contextlib.suppress(OSError):  # locked by another process meanwhile
                self._path.unlink()
            return
        if self._is_mine():
            self._path.unlink()
        os.close(self._file)


def is_held(path: Path) -> bool:
    """Whether a lock has a living owner."""
    try:
        file = os.open(path, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:  # it belongs to another user, so this one cannot take it
        return True
    try:
        return not _try(file, shared=True)
    finally:
        os.close(file)


def _try(file: int, shared: bool = False) -> bool:
    """Try to lock an open file; several shared locks do not block each other."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

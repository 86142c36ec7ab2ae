"""Shared memory: who makes it, who is let in, and who removes what was left by processes that were killed.

All processes of a command are a family. Its founder holds a lock for as long as it lives, and whatever the family makes
bears its name; so what is left by a family that was killed, founder and all, is known for what it is, and the next
command removes it.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import secrets
import sys
import threading
import time
import weakref
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.lock import Held, Lock, is_held
from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

#: Where Linux keeps shared memory; elsewhere nobody can look what there is.
PLACE = Path("/dev/shm")  # noqa: S108
#: By which children are told the name of their family.
FAMILY = "EARMARK_FAMILY"
#: Seconds that a thread may still look at a segment that is let go of.
_LOOKING_S = 1.0

_attaching = threading.Lock()


class SharedMemoryError(EarmarkError):
    """Raised when there is no room for shared memory, or none of the name asked for."""


class _Shared(shared_memory.SharedMemory):
    """Shared memory that may be dropped while a view of it is still there: it goes with the last one."""

    def __del__(self) -> None:
        try:
            self.close()
        except BufferError:  # at the end of a process nobody says in which order things go
            self._mmap = self._buf = None
            self.close()  # what else it holds


class Segment:
    """A piece of shared memory, that the parent makes and unlinks and others attach to by name.

    Parameters
    ----------
    name : str or None
        Which to attach to; None makes a new one, filled with zeros.
    size : int
        Bytes of a new one.

    Raises
    ------
    SharedMemoryError
        If there is no room for a new one, or none of that name.
    """

    def __init__(self, name: str | None, size: int = 0) -> None:
        made = name is None
        try:
            self._shm = _make(size) if name is None else attach(name)
        except FileNotFoundError:
            raise SharedMemoryError(
                f"there is no shared memory {name!r}: the process that made it has ended, or made none of that name"
            ) from None
        except OSError as error:
            raise SharedMemoryError(cannot_make(size, error)) from None
        # What is interrupted between making it and keeping it leaves nothing behind either.
        self._forgotten = weakref.finalize(self, _unlink, self._shm) if made else None

    @property
    def name(self) -> str:
        """By which others attach."""
        return self._shm.name

    def array(self, shape: int | tuple[int, ...], dtype: Any, offset: int = 0) -> NDArray[Any]:
        """View a part of it; to be dropped before :meth:`close`."""
        n = int(np.prod(shape))
        # Not np.ndarray(buffer=...), which would let the memory go while the view is there.
        buffer: Any = self._shm.buf
        return np.frombuffer(buffer, dtype, n, offset).reshape(shape) if n else np.zeros(shape, dtype)

    def close(self) -> None:
        """Let go of it; who made it removes it."""
        if self._forgotten is not None:
            self._forgotten()
        deadline = time.monotonic() + _LOOKING_S
        while True:
            try:
                self._shm.close()
            except BufferError:  # another thread is just looking
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)
            else:
                return


def _unlink(segment: _Shared) -> None:
    segment.unlink()


def _make(size: int) -> _Shared:
    segment = _Shared(f"{_family.name()}-{secrets.token_hex(4)}", create=True, size=size)
    try:
        # Linux hands out memory as it is first written, and kills who writes when there is none left: ask for it now.
        if sys.platform == "linux":
            file = os.open(PLACE / segment.name, os.O_RDWR)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
    except OSError:
        segment.close()
        segment.unlink()
        raise
    return segment


def attach(name: str) -> _Shared:
    """Attach to a segment of another process, which alone removes it.

    Python before 3.13 takes every segment that a process attaches to for its own, and removes it when that process
    ends, although others go on with it.
    """
    if sys.version_info >= (3, 13):
        return _Shared(name, track=False)
    with _attaching:
        register, resource_tracker.register = resource_tracker.register, lambda name, rtype: None
        try:
            return _Shared(name)
        finally:
            resource_tracker.register = register


def discard(name: str) -> None:
    """Remove a segment, if it is still there, of a process that was killed before it could do so itself."""
    try:
        segment = attach(name) if name else None
    except FileNotFoundError:
        return
    if segment is not None:
        segment.unlink()
        segment.close()


def free_bytes() -> int | None:
    """How much shared memory there is room for; None where nobody can tell."""
    try:
        room = os.statvfs(PLACE)
    except (OSError, AttributeError):
        return None
    return room.f_bavail * room.f_frsize


#: What to do where there is too little.
MORE_ROOM = "make it larger (mount -o remount,size=1G /dev/shm; docker run --shm-size=1g)"


def cannot_make(size: int, error: OSError) -> str:
    """Say why there is no segment of so many bytes, and what to do."""
    free = free_bytes()
    if error.errno in (errno.ENOSPC, errno.ENOMEM) and free is not None:
        return (
            f"{size:,} bytes of shared memory are needed, but {free:,} are free; use shorter sound files, close other "
            f"programs, or {MORE_ROOM}"
        )
    fix = f"let {PLACE} be written by you (mount -o remount,rw,mode=1777 /dev/shm)" if sys.platform == "linux" else ""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"shared memory cannot be made: {reason}" + (f"; {fix}" if fix else "")


# Families


class _Family:
    """That of this process: its parent's, or one that it founds when it first makes something."""

    def __init__(self) -> None:
        self._name, self._founding = os.environ.pop(FAMILY, ""), threading.Lock()

    def name(self) -> str:
        with self._founding:
            if not self._name:
                self._name = self._found(f"earmark-{secrets.token_hex(4)}")
            return self._name

    def _found(self, name: str) -> str:
        if sys.platform == "linux":
            remove_orphans()
            lock = Lock(PLACE / f"{name}.lock")
            # Whoever clears up behind a process that dies alone, as multiprocessing does, removes it, too.
            resource_tracker.register(f"/{name}.lock", "shared_memory")
            atexit.register(self._leave, lock, name)
        return name

    def _leave(self, lock: Lock, name: str) -> None:
        lock.release()
        resource_tracker.unregister(f"/{name}.lock", "shared_memory")

    def environment(self) -> dict[str, str]:
        return {FAMILY: self._name} if self._name else {}


_family = _Family()


def family_environment() -> dict[str, str]:
    """Return what a child has to find in its environment, so that it belongs to this process's family."""
    return _family.environment()


def remove_orphans() -> int:
    """Remove the shared memory of every family whose founder is dead; return how many segments that were."""
    n = 0
    for path in PLACE.glob("earmark-*.lock"):
        try:
            if is_held(path):
                continue
            lock = Lock(path)
            for left in PLACE.glob(f"{path.stem}-*"):
                left.unlink()
                n += 1
            lock.release()
        except Held:
            continue
        except OSError as error:
            log.warning("what a session left in %s cannot be removed: %s", path, error)
    return n

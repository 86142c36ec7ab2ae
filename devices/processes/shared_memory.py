"""Create shared memory, attach to it, and remove what killed processes left behind.

All processes of a command form a family. Its founder holds a lock while it is alive, and the names of the family's
segments contain the family's name. Segments of a family whose founder was killed can therefore be recognised, and the
next command removes them.
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

#: Folder of shared memory on Linux; elsewhere segments cannot be listed.
PLACE = Path("/dev/shm")  # noqa: S108
#: Environment variable that tells children the name of their family.
FAMILY = "EARMARK_FAMILY"
#: Seconds that a thread may still read a segment while it is closed.
_LOOKING_S = 1.0

_attaching = threading.Lock()


class SharedMemoryError(EarmarkError):
    """Raised when there is no room for shared memory, or no segment of the given name."""


class _Shared(shared_memory.SharedMemory):
    """Shared memory that may be dropped while a view of it exists: it is freed with the last view."""

    def __del__(self) -> None:
        try:
            self.close()
        except BufferError:  # when a process exits, the order of destruction is undefined
            self._mmap = self._buf = None
            self.close()  # frees everything else it holds


class Segment:
    """A piece of shared memory that the parent creates and unlinks and others attach to by name.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one, filled with zeros.
    size : int
        Size of a new segment in bytes.

    Raises
    ------
    SharedMemoryError
        If there is no room for a new segment, or no segment of that name.
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
        # An interrupt between creating and storing it leaves nothing behind either.
        self._forgotten = weakref.finalize(self, _unlink, self._shm) if made else None

    @property
    def name(self) -> str:
        """Name by which others attach."""
        return self._shm.name

    def array(self, shape: int | tuple[int, ...], dtype: Any, offset: int = 0) -> NDArray[Any]:
        """Return a view of a part of it; drop the view before :meth:`close`."""
        n = int(np.prod(shape))
        # Not np.ndarray(buffer=...), which would free the memory while the view exists.
        buffer: Any = self._shm.buf
        return np.frombuffer(buffer, dtype, n, offset).reshape(shape) if n else np.zeros(shape, dtype)

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        if self._forgotten is not None:
            self._forgotten()
        deadline = time.monotonic() + _LOOKING_S
        while True:
            try:
                self._shm.close()
            except BufferError:  # another thread is reading
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
        # Linux allocates memory at the first write, and kills the writer if there is none left: allocate it now.
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

    Python before 3.13 treats every segment that a process attaches to as its own, and removes it when that process
    ends, although others still use it.
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
    """Remove a segment, if it still exists, of a process that was killed before it could do so itself."""
    try:
        segment = attach(name) if name else None
    except FileNotFoundError:
        return
    if segment is not None:
        segment.unlink()
        segment.close()


def free_bytes() -> int | None:
    """Return the free shared memory in bytes; None if unknown."""
    try:
        room = os.statvfs(PLACE)
    except (OSError, AttributeError):
        return None
    return room.f_bavail * room.f_frsize


#: Advice if there is too little shared memory.
MORE_ROOM = "make it larger (mount -o remount,size=1G /dev/shm; docker run --shm-size=1g)"


def cannot_make(size: int, error: OSError) -> str:
    """Return why a segment of this size cannot be created, and the fix."""
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
    """The family of this process: its parent's, or one that it founds with its first segment."""

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
            # Others that clean up after a dead process, as multiprocessing does, remove it, too.
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
    """Return the environment variables with which a child joins this process's family."""
    return _family.environment()


def remove_orphans() -> int:
    """Remove the shared memory of every family whose founder is dead; return the number of segments removed."""
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

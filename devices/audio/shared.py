"""Shared memory of the sound engine, and talkers' samples in it."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.audio.scene import AudioError, Prepared, Scene

_attaching = threading.Lock()


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
    AudioError
        If there is no room for a new one, or none of that name.
    """

    def __init__(self, name: str | None, size: int = 0) -> None:
        self._owner = name is None
        try:
            self._shm = shared_memory.SharedMemory(name, create=True, size=size) if name is None else attach(name)
        except FileNotFoundError:
            raise AudioError(f"shared memory {name!r} is gone: the audio engine that made it has stopped") from None
        except OSError as error:
            raise _no_room(size, error) from None
        if self._owner:
            try:
                self._reserve(size)
            except OSError as error:
                self._shm.close()
                self._shm.unlink()
                raise _no_room(size, error) from None

    def _reserve(self, size: int) -> None:
        # Linux hands out memory as it is first written, and kills who writes when there is none left: ask for it now.
        if sys.platform == "linux":
            file = os.open(f"/dev/shm/{self.name}", os.O_RDWR)  # noqa: S108 - where Linux keeps shared memory
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)

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
        if self._owner:
            self._owner = False
            self._shm.unlink()
        self._shm.close()


def attach(name: str) -> shared_memory.SharedMemory:
    """Attach to a segment of another process, which alone removes it.

    Python before 3.13 takes every segment that a process attaches to for its own, and removes it when that process
    ends, although others go on with it.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    with _attaching:
        register, resource_tracker.register = resource_tracker.register, lambda name, rtype: None
        try:
            return shared_memory.SharedMemory(name)
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


def _no_room(size: int, error: OSError) -> AudioError:
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
        free = f"{room.f_bavail * room.f_frsize:,} are free"
    except OSError:
        free = str(error)
    return AudioError(
        f"audio: {size:,} bytes of shared memory are needed, but {free}; use shorter files, close other programs, "
        "or make it larger (mount -o remount,size=1G /dev/shm; docker run --shm-size=1g)"
    )


@dataclass(frozen=True, slots=True)
class PreparedAt:
    """Where a prepared scene lies in shared memory.

    Attributes
    ----------
    name : str
        Segment.
    scene : Scene
    n_frames : tuple of int
        Frames of each talker; 0 for live ones.
    hrir_shape : tuple of int
        Azimuths, ears, taps.
    """

    name: str
    scene: Scene
    n_frames: tuple[int, ...]
    hrir_shape: tuple[int, int, int]


class SharedPrepared:
    """A prepared scene in shared memory: who replaces a dead audio process need not read files again.

    Parameters
    ----------
    prepared : Prepared or PreparedAt
        What to put there, or where it lies.
    """

    def __init__(self, prepared: Prepared | PreparedAt) -> None:
        if isinstance(prepared, PreparedAt):
            self.at = prepared
            self._segment = Segment(prepared.name)
            self._map()
            return
        lengths = tuple(0 if pcm is None else len(pcm) for pcm in prepared.pcm)
        shape = prepared.hrir.shape
        self._segment = Segment(None, 8 * (shape[0] + prepared.hrir.size) + 4 * sum(lengths) or 8)
        self.at = PreparedAt(self._segment.name, prepared.scene, lengths, (shape[0], shape[1], shape[2]))
        self._map()
        for here, there in zip(self.prepared.pcm, prepared.pcm, strict=True):
            if here is not None:
                here[:] = there
        self.prepared.hrir_azimuths[:], self.prepared.hrir[:] = prepared.hrir_azimuths, prepared.hrir

    def _map(self) -> None:
        at, segment = self.at, self._segment
        azimuths = segment.array(at.hrir_shape[0], np.float64)
        hrir = segment.array(at.hrir_shape, np.float64, azimuths.nbytes)
        offset, pcm = azimuths.nbytes + hrir.nbytes, []
        for n in at.n_frames:
            pcm.append(segment.array(n, np.float32, offset) if n else None)
            offset += 4 * n
        #: The scene, its arrays lying in shared memory.
        self.prepared = Prepared(at.scene, tuple(pcm), azimuths, hrir)

    def close(self) -> None:
        """Let go of the segment; who made it removes it."""
        del self.prepared
        self._segment.close()

"""The recorder: a process of its own that appends a ring of bytes to a file, and survives all other processes.

The ring carries the file byte for byte: byte ``n`` of the ring belongs at ``base + n`` of the file. A recorder that was
killed is therefore replaced by one that continues where the ring was read to, and writing a piece twice does no harm.
The file has all its headers before the process starts: it can be opened at any time.
"""

from __future__ import annotations

import atexit
import errno
import io
import itertools
import logging
import multiprocessing as mp
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from earmark.devices.processes.kept_alive import Child, KeptAlive, Limits
from earmark.devices.processes.ring import Ring, SpillingWriter
from earmark.devices.processes.shared_memory import SharedMemoryError
from earmark.devices.processes.spawn import leave_signals_to_parent
from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

#: Bytes of shared memory: a quarter of a minute of 256 channels at 2 kHz.
RING_BYTES = 32 << 20
#: Maximum bytes that may wait on disk while the recorder is delayed.
SPILL_BYTES = 4 << 30
#: Seconds between reads of the ring, between syncs to disk, and until a failed write is retried.
LOOK_S, SYNC_S, RETRY_S = 0.02, 1.0, 0.5
#: A recorder may wait seconds for a slow disk, and data that arrive meanwhile are kept. Replacements are not limited:
#: each continues where the last one stopped, inaudibly, and without a recorder data would be lost in the end.
LIMITS = Limits(silent_s=10.0, apart_s=0.5)


class RecordingFailed(EarmarkError):
    """Raised when a recording cannot be made, or is not complete."""


class _Passed:
    """An open file on its way to a new process: the file itself, whatever its name is by then."""

    def __init__(self, file: int) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[..., int], tuple[Any, ...]]:
        return _arrived, (reduction.DupFd(self._file),)


def _arrived(passed: Any) -> int:
    return int(passed.detach())


def write_file(ring_name: str, target: int | str, base: int, source: int | None = None) -> None:
    """Append the ring to the file until the ring is closed, or its writer is dead and the ring empty.

    Runs in the recorder process. Ctrl-C and a closed terminal reach every process: the recorder ignores them, because
    its parent knows when everything is written. With ``source``, the file first becomes a copy of that file.
    """
    leave_signals_to_parent()
    ring, parent = Ring(ring_name), mp.parent_process()
    with open(target, "r+b", buffering=0) as file:
        synced_at = time.monotonic()
        while True:
            orphan = parent is not None and not parent.is_alive()
            last_look = ring.closing or orphan
            ring.beat()
            try:
                if source is not None:
                    _copy(source, file, ring)
                    source, ring.copied = None, True
                _drain(ring, file, base)
                if time.monotonic() - synced_at > SYNC_S or last_look:
                    at = ring.read
                    os.fsync(file.fileno())
                    ring.synced, synced_at = at, time.monotonic()
                ring.error = 0
            except OSError as error:
                ring.error = error.errno or errno.EIO
                if orphan:
                    break  # no process is left to be informed or to make room
                time.sleep(RETRY_S)
                continue
            if last_look and ring.read == ring.written:
                break
            time.sleep(LOOK_S)
    ring.close()


def _copy(source: int, file: io.FileIO, ring: Ring) -> None:
    at = file.seek(0, os.SEEK_END)  # where a killed recorder stopped
    while piece := os.pread(source, 1 << 20, at):
        at += file.write(piece)
        ring.beat()


def _drain(ring: Ring, file: io.FileIO, base: int) -> None:
    while piece := ring.peek(1 << 20):
        file.seek(base + ring.read)
        ring.advance(file.write(piece))  # a full disk takes a part, then nothing and raises an error
        ring.beat()


def _create(path: Path, headers: bytes) -> int:
    """Create the file with its headers atomically, since it could not be opened without them. Return it, open."""
    try:
        with path.open("x+b") as file:
            try:
                file.write(headers)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                path.unlink()
                raise
            return os.dup(file.fileno())
    except FileExistsError:
        raise RecordingFailed(f"{path} exists already, and recordings are never overwritten") from None
    except OSError as error:
        raise RecordingFailed(f"cannot write {path}: {error.strerror}") from None


def _places(path: Path) -> Iterator[Path]:
    """Yield a path, and alternatives beside it."""
    yield path
    for number in itertools.count(1):
        yield path.with_stem(f"{path.stem}-kept-{number}")


class Recorder:
    """Keep a recorder process alive. Data to write come by :meth:`put`, which never waits, or from another process that
    attaches a :class:`earmark.devices.processes.ring.SpillingWriter` to :attr:`ring_name`.

    A file that is deleted, renamed or replaced meanwhile would be written on unseen; it is therefore copied to a new
    file, and the recording continues there.

    Parameters
    ----------
    path : Path
        File to create; it must not exist.
    headers : bytes
        Beginning of the file, which is written first.
    ring_bytes, spill_bytes : int
        Maximum unwritten bytes in shared memory and on disk.

    Raises
    ------
    RecordingFailed
        If the file cannot be created, or there is no shared memory for it.
    """

    def __init__(
        self, path: Path, headers: bytes, *, ring_bytes: int = RING_BYTES, spill_bytes: int = SPILL_BYTES
    ) -> None:
        #: Path of the recording; another one beside it if the file was deleted, renamed or replaced.
        self.path = path
        try:
            self._ring = Ring(capacity=ring_bytes)
        except SharedMemoryError as error:
            raise RecordingFailed(f"cannot record to {path}: {error}") from None
        try:
            self._file = _create(path, headers)
        except RecordingFailed:
            self._ring.close()
            raise
        self._base = len(headers)
        #: Source of a copy in progress.
        self._source: int | None = None
        self._out = SpillingWriter(self._ring, spill_bytes)
        self._kept: KeptAlive[Child] = KeptAlive(LIMITS, lambda: self._ring.heartbeat)
        self._alarms: set[str] = set()
        #: Number of lost messages.
        self.lost = 0
        #: Number of replacements of a dead recorder.
        self.restarts = 0
        self._start()
        atexit.register(self.close)

    def _start(self) -> None:
        # Windows cannot pass descriptors this way, and does not remove open files.
        target = str(self.path) if sys.platform == "win32" else _Passed(self._file)
        source = None if self._source is None else _Passed(self._source)
        arguments = (self._ring.name, target, self._base, source)
        self._kept.started(Child(write_file, arguments, "earmark recorder", outlives=True))
        self._kept.works()

    def _is_in_place(self) -> bool:
        if sys.platform == "win32":
            return True
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except OSError:
            return False

    def _save(self) -> str:
        """Start to copy the file to a new one and continue there; return a message."""
        was = self.path
        try:
            was.parent.mkdir(parents=True, exist_ok=True)
            path = next(one for one in _places(was) if not one.exists())
            new = _create(path, b"")
        except (OSError, RecordingFailed) as error:
            return f"{was} was deleted, renamed or replaced while it was recorded, and no new one can be made: {error}"
        self._kept.drop()
        if self._source is None:
            self._source = self._file
        else:
            os.close(self._file)
        self._file, self.path, self._ring.copied = new, path, False
        self._start()
        return f"{was} was deleted, renamed or replaced while it was recorded: it is copied to {path} and goes on there"

    @property
    def pid(self) -> int | None:
        """Process id of the recorder; None between two."""
        child = self._kept.child
        return None if child is None else child.pid

    @property
    def bytes_written(self) -> int:
        """Size of the file so far."""
        return self._base + self._ring.read

    @property
    def ring_name(self) -> str:
        """Name of the shared memory by which another process passes data to write."""
        return self._ring.name

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""
        return self._ring.waiting

    @property
    def alarm(self) -> str:
        """Everything that was wrong at the last :meth:`watch`, as a message; empty if nothing was."""
        return "; ".join(sorted(self._alarms))

    @property
    def unwritten(self) -> int:
        """Bytes in shared memory that are not written yet: they survive the process that passed them."""
        return self._ring.written - self._ring.read

    def put(self, message: bytes) -> None:
        """Pass one XDF chunk; always from the same thread."""
        self._out.put(message)

    def watch(self) -> list[str]:
        """Keep the recorder alive; call it about once a second.

        Returns
        -------
        alarms : list of str
            Everything that is wrong now and was not at the last call.
        """
        alarms = set()
        if self._kept.ended or self._kept.hangs:
            log.info("recorder process %s is dead; starting another", self.pid)
            self._kept.lose()
        if self._kept.due:
            self._start()
            self.restarts += 1
            alarms.add(f"the recorder died and was replaced ({self.restarts} times so far)")
        if not self._is_in_place():
            alarms.add(self._save())
        elif self._source is not None and self._ring.copied:
            os.close(self._source)
            self._source = None
        if self._ring.error:
            reason = os.strerror(self._ring.error)
            fix = "free some space; " if self._ring.error in (errno.ENOSPC, errno.EDQUOT) else ""
            alarms.add(f"cannot write {self.path}: {reason}; {fix}nothing is lost yet")
        if self._ring.waiting > self._ring.capacity / 2:
            alarms.add(f"the recorder is behind: {self._ring.waiting >> 20} MB wait to be written")
        self.lost = self._ring.lost
        if self.lost:
            alarms.add(f"{self.lost} pieces of the recording are lost: no room in memory nor on disk")
        fresh = alarms - self._alarms
        self._alarms = alarms
        for alarm in fresh:
            log.info("recording: %s", alarm)
        return sorted(fresh)

    def close(self, timeout: float = 30.0) -> None:
        """Wait until everything is written, then end the process and remove the shared memory.

        Raises
        ------
        RecordingFailed
            If something was lost, or could not be written within ``timeout`` seconds.
        """
        atexit.unregister(self.close)
        deadline = time.monotonic() + timeout
        while self._out.spilled and time.monotonic() < deadline:
            self._out.pump()
            self.watch()
            time.sleep(LOOK_S)
        self._ring.finish()
        self.watch()
        while (self.unwritten or self._source is not None) and time.monotonic() < deadline:
            self.watch()
            time.sleep(LOOK_S)
        self._kept.end(max(1.0, deadline - time.monotonic()))
        for file in (self._file, self._source):
            if file is not None:
                os.close(file)
        unwritten, self.lost = self._ring.waiting, self._ring.lost
        reason = os.strerror(self._ring.error) if self._ring.error else "the recorder did not keep up"
        self._out.close()
        self._ring.close()
        if unwritten:
            raise RecordingFailed(f"{self.path} lacks its last {unwritten} bytes: {reason}. What is there can be read")
        if self.lost:
            raise RecordingFailed(f"{self.path} lacks {self.lost} pieces: there was no room in memory nor on disk")

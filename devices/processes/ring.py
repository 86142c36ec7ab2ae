"""A ring of bytes in shared memory: one writer, one reader; unread bytes are never overwritten."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np

from earmark.devices.processes.shared_memory import Segment

#: Bytes before the data: 16 numbers of 64 bits.
HEADER = 128
_WRITTEN, _READ, _HEARTBEAT, _ERROR, _CLOSING, _SYNCED, _SPILLED, _LOST, _COPIED = range(9)


class Ring:
    """One side of a ring in a shared segment.

    Positions count bytes since the beginning and never wrap; each is written by one side only, after the bytes that it
    counts. The writer creates and unlinks the segment, the reader attaches by name.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one.
    capacity : int
        Capacity of a new segment, in bytes.

    Raises
    ------
    earmark.devices.processes.shared_memory.SharedMemoryError
        If there is no room for a new segment, or no segment of that name.
    """

    def __init__(self, name: str | None = None, capacity: int = 0) -> None:
        self._segment = Segment(name, HEADER + capacity)
        self._head = self._segment.array(16, np.int64)
        if name is None:
            self._head[15] = capacity
        self.capacity = int(self._head[15])
        self._data = self._segment.array(self.capacity, np.uint8, HEADER)

    @property
    def name(self) -> str:
        """Name by which the other side attaches."""
        return self._segment.name

    @property
    def written(self) -> int:
        """Bytes written so far."""
        return int(self._head[_WRITTEN])

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return int(self._head[_READ])

    @property
    def room(self) -> int:
        """Bytes that can be written now."""
        return self.capacity - (self.written - self.read)

    @property
    def heartbeat(self) -> int:
        """Counter that the reader increments while it is alive."""
        return int(self._head[_HEARTBEAT])

    @property
    def error(self) -> int:
        """Errno of the error that stops the reader; 0 if there is none."""
        return int(self._head[_ERROR])

    @error.setter
    def error(self, value: int) -> None:
        self._head[_ERROR] = value

    @property
    def synced(self) -> int:
        """Bytes that the reader has synced to disk."""
        return int(self._head[_SYNCED])

    @synced.setter
    def synced(self, value: int) -> None:
        self._head[_SYNCED] = value

    @property
    def spilled(self) -> int:
        """Bytes that wait in a file of the writer for room in the ring."""
        return int(self._head[_SPILLED])

    @spilled.setter
    def spilled(self, value: int) -> None:
        self._head[_SPILLED] = value

    @property
    def lost(self) -> int:
        """Messages that the writer could not store."""
        return int(self._head[_LOST])

    @lost.setter
    def lost(self, value: int) -> None:
        self._head[_LOST] = value

    @property
    def copied(self) -> bool:
        """Whether the reader has copied earlier data into a new file."""
        return bool(self._head[_COPIED])

    @copied.setter
    def copied(self, value: bool) -> None:
        self._head[_COPIED] = value

    @property
    def waiting(self) -> int:
        """Bytes not read yet, in the ring and at the writer."""
        return self.written - self.read + self.spilled

    @property
    def closing(self) -> bool:
        """Whether the writer is done: the reader then empties the ring and ends."""
        return bool(self._head[_CLOSING])

    def beat(self) -> None:
        """Increment the heartbeat of the reader."""
        self._head[_HEARTBEAT] += 1

    def finish(self) -> None:
        """Announce that nothing more will be written."""
        self._head[_CLOSING] = 1

    def put(self, data: bytes | memoryview) -> int:
        """Write as many bytes as fit; return how many that was."""
        written = self.written
        n = min(len(data), self.room)
        at = written % self.capacity
        first = min(n, self.capacity - at)
        source = np.frombuffer(data, np.uint8, n)
        self._data[at : at + first] = source[:first]
        self._data[: n - first] = source[first:]
        self._head[_WRITTEN] = written + n
        return n

    def peek(self, limit: int) -> bytes:
        """Return up to ``limit`` unread bytes, which stay unread until :meth:`advance`."""
        read = self.read
        n = min(limit, self.written - read)
        at = read % self.capacity
        first = min(n, self.capacity - at)
        return self._data[at : at + first].tobytes() + self._data[: n - first].tobytes()

    def advance(self, n: int) -> None:
        """Mark bytes as read."""
        self._head[_READ] += n

    def close(self) -> None:
        """Detach from the segment, whose counters stay readable; the side that created it removes it."""
        self._head = self._head.copy()
        del self._data
        self._segment.close()


class SpillingWriter:
    """Write to a ring without waiting: what does not fit goes to a temporary file and follows later, in order.

    Parameters
    ----------
    ring : Ring
        Ring to write to.
    limit : int
        Maximum bytes in the file. A message beyond it is lost, and counted.
    """

    def __init__(self, ring: Ring, limit: int) -> None:
        self._ring, self._limit = ring, limit
        self._spill: IO[bytes] | None = None
        self._spill_read = self._spill_written = 0

    @property
    def spilled(self) -> int:
        """Bytes that wait in the temporary file."""
        return self._spill_written - self._spill_read

    def put(self, message: bytes) -> None:
        """Write one message, completely or not at all."""
        self.pump()
        if not self.spilled and self._ring.room >= len(message):
            self._ring.put(message)
        elif self.spilled + len(message) > self._limit or not self._to_file(message):
            self._ring.lost += 1
        self._ring.spilled = self.spilled

    def _to_file(self, data: bytes) -> bool:
        try:
            if self._spill is None:
                self._spill = tempfile.TemporaryFile(prefix="earmark-spill-", buffering=0)  # noqa: SIM115 - kept open
            self._spill.seek(self._spill_written)
            if self._spill.write(data) < len(data):
                return False
        except OSError:
            return False  # counted as lost by the caller, who raises the alarm
        self._spill_written += len(data)
        return True

    def pump(self) -> None:
        """Move data from the file to the ring, as far as it fits."""
        while self._spill is not None and self.spilled:
            if not self._ring.room:
                return
            self._spill.seek(self._spill_read)
            self._spill_read += self._ring.put(self._spill.read(min(self._ring.room, 1 << 20, self.spilled)))
        if self._spill is not None and self._spill_written:
            self._spill.seek(0)
            self._spill.truncate()
            self._spill_read = self._spill_written = 0
        self._ring.spilled = self.spilled

    def close(self) -> None:
        """Remove the temporary file."""
        if self._spill is not None:
            self._spill.close()

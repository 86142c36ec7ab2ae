"""A text in shared memory that one process replaces now and then, and others read without waiting."""

from __future__ import annotations

import zlib

import numpy as np

from earmark.devices.processes.shared_memory import Segment

#: Bytes before the text: sequence number, length, checksum.
_HEADER = 32
#: Capacity of a new board in bytes of text.
ROOM = 1 << 18


class Board:
    """One text with one writer and any number of readers, which never see a partial text.

    As in :class:`earmark.devices.audio.control_block.Seqlock`, a sequence number is odd while the text is written, and
    a checksum finds a torn one. What the text means is up to those who use the board, as
    :class:`earmark.app.status.StatusBoard` does.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one with an empty text.
    room : int
        Capacity of a new board in bytes of text.

    Raises
    ------
    earmark.devices.processes.shared_memory.SharedMemoryError
        If there is no room for a new segment, or no segment of that name.
    """

    def __init__(self, name: str | None = None, room: int = ROOM) -> None:
        self._segment = Segment(name, _HEADER + room)
        self._head = self._segment.array(4, np.int64)
        if name is None:
            self._head[3] = room
        self._text = self._segment.array(int(self._head[3]), np.uint8, _HEADER)
        self._seen, self._value = 0, b""

    @property
    def name(self) -> str:
        """Name by which others attach."""
        return self._segment.name

    def write(self, text: bytes) -> None:
        """Replace the text; call it from one thread of one process only.

        Raises
        ------
        ValueError
            If the text is larger than the board.
        """
        if len(text) > len(self._text):
            raise ValueError(f"{len(text):,} bytes do not fit on a board of {len(self._text):,}: make it larger")
        self._head[0] = (int(self._head[0]) + 1) | 1  # a previous writer may have died here
        self._head[1], self._head[2] = len(text), zlib.crc32(text)
        self._text[: len(text)] = np.frombuffer(text, np.uint8)
        self._head[0] += 1

    def read(self) -> bytes:
        """Return the newest text that could be read completely: the same object as before if there is no newer one."""
        number = int(self._head[0])
        if number == self._seen or number % 2:
            return self._value
        length, check = int(self._head[1]), int(self._head[2])
        text = self._text[:length].tobytes()
        if int(self._head[0]) == number and zlib.crc32(text) == check:
            self._seen, self._value = number, text
        return self._value

    def close(self) -> None:
        """Detach from the segment, and keep the last text readable; its creator removes the segment."""
        self.read()
        self._head, self._text = np.array([self._seen, 0, 0, 0]), np.zeros(0, np.uint8)  # for a thread that still reads
        self._segment.close()

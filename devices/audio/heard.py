"""What live talkers or microphones gave to the sound process, on its way to a file, and what is needed to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from earmark.devices.audio.control_block import MAX_TALKERS, padded
from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.node import State

#: Renewals that are kept: more than are made while a reader is away.
ROOM = 256
#: Bytes before the records: 8 numbers of 64 bits.
_HEADER = 64
_RECORD = np.dtype([("frame", "i8"), ("start", "?"), ("azimuths", "f8", MAX_TALKERS)])


class Renewal(NamedTuple):
    """From here on, separation depends on the microphones and on these azimuths only.

    Attributes
    ----------
    frame : int
        Output frame.
    azimuths : tuple of float
        Where talkers are looked for, degrees; NaN where :class:`earmark.devices.audio.places.Places` does so itself.
        Shape (8,).
    start : bool
        Whether the sound process begins, with silence before. Otherwise the window before is heard, too.
    """

    frame: int
    azimuths: tuple[float, ...]
    start: bool = False


class Renewals:
    """Log of renewals from the sound process to its parent, and the parent's requests for them. Nobody ever waits.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one.
    """

    _ASKED, _WRITTEN = range(2)

    def __init__(self, name: str | None = None) -> None:
        self._segment = Segment(name, _HEADER + ROOM * _RECORD.itemsize)
        self._head = self._segment.array(8, np.int64)
        self._data = self._segment.array(ROOM, _RECORD, _HEADER)

    @property
    def name(self) -> str:
        """Name by which the sound process attaches."""
        return self._segment.name

    @property
    def asked(self) -> int:
        """Number of requests."""
        return int(self._head[self._ASKED])

    @property
    def written(self) -> int:
        """Number of renewals so far."""
        return int(self._head[self._WRITTEN])

    def ask(self) -> None:
        """Request a renewal, within the next buffers."""
        self._head[self._ASKED] += 1

    def put(self, frame: int, azimuths: tuple[float, ...], start: bool = False) -> None:
        """Append a renewal."""
        self._data[self.written % ROOM] = (frame, start, padded(azimuths, np.nan))
        self._head[self._WRITTEN] += 1

    def since(self, n: int) -> list[Renewal]:
        """Return the renewals after the first ``n``; the oldest are lost if there are too many."""
        found = []
        for k in range(max(n, self.written - ROOM), self.written):
            frame, start, azimuths = self._data[k % ROOM].item()
            found.append(Renewal(frame, tuple(azimuths.tolist()), start))
        return found

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._data
        self._segment.close()


class EnvelopeStates:
    """Hands over the state of the published envelopes at a frame, from the thread that computes them."""

    def __init__(self) -> None:
        self._from: int | None = None
        self._kept: list[tuple[int, State]] = []

    def want(self, frame: int) -> None:
        """Ask for the state at this frame, or soon after."""
        self._from = frame

    def offer(self, frame: int, state: Callable[[], State]) -> None:
        """Keep the state before ``frame`` is consumed, if it is wanted."""
        if self._from is not None and frame >= self._from:
            self._from = None
            self._kept.append((frame, state()))

    def take(self) -> list[tuple[int, State]]:
        """Return what was kept since the last call: frames, and states."""
        kept, self._kept = self._kept, []
        return kept

"""Play back a recording as a live LSL stream, with its markers in a second stream."""

from __future__ import annotations

import heapq
import logging
import math
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple

import numpy as np
import pylsl
from numpy.typing import NDArray

from earmark.devices.files.recording import Recording
from earmark.devices.sources.lsl_description import StreamError, make_info
from earmark.pipeline.stream import StreamSpec

log = logging.getLogger(__name__)

#: Maximum single wait in seconds, so that a stop request or Ctrl-C is obeyed on every platform.
_NAP_S = 0.05
#: Seconds from the first listener to the first sample, in which further listeners can connect.
_SETTLE_S = 0.2
#: Seconds that outlets stay open after the last sample, so that liblsl can send its buffer.
_LINGER_S = 0.5


class _Due(NamedTuple):
    """Something to push at ``time``, in seconds of the recording: samples with their times, or a marker."""

    time: float
    times: NDArray[np.float64] | None
    what: NDArray[np.float32] | str


class Player:
    """Publish a recording on LSL and play it back.

    The outlets exist from construction to :meth:`close` (or the end of a ``with`` block), so that listeners can
    connect before :meth:`play`. Stamps advance in the time of the recording, from the start of playback; at a speed
    other than 1 they deviate from LSL time, and the stream's description states the factor.

    Parameters
    ----------
    recording : Recording
        Recording to play back.
    speed : float
        Speed relative to that of the recording.
    name : str or None
        Stream name; None for the recording's name. Annotations are sent as ``NAME-markers``, if there are any.
    source_id : str or None
        Lasting identity of the stream; None derives it from the recording's name, so that listeners recognise the
        stream when it is played again.
    chunk_s : float
        Seconds of the recording per chunk.
    wait_for_consumer_s : float or None
        Start when a listener connects, and give up after this many seconds (may be infinite); None starts at once.

    Raises
    ------
    ValueError
        If ``speed`` or ``chunk_s`` is not a positive number.
    """

    def __init__(
        self,
        recording: Recording,
        speed: float = 1.0,
        *,
        name: str | None = None,
        source_id: str | None = None,
        chunk_s: float = 0.02,
        wait_for_consumer_s: float | None = None,
    ) -> None:
        for key, value in (("speed", speed), ("chunk_s", chunk_s)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{key} is {value}, but must be a positive number")
        spec = recording.spec
        self._recording, self._speed, self._wait_s = recording, speed, wait_for_consumer_s
        self._chunk = max(1, round(chunk_s * spec.sfreq))
        self.name = name or spec.name
        self.source_id = source_id or f"earmark-{spec.name}"
        self.type = next((t.upper() for t in ("eeg", "seeg", "ecog") if t in spec.ch_types), "Misc")
        self.marker_name = f"{self.name}-markers" if recording.annotations else None
        self._samples: pylsl.StreamOutlet | None = pylsl.StreamOutlet(
            make_info(spec.evolve(name=self.name), self.type, self.source_id, speed=speed)
        )
        self._markers: pylsl.StreamOutlet | None = None
        if self.marker_name:
            markers = StreamSpec(self.marker_name, 0.0, ("marker",), ("misc",), ("",))
            self._markers = pylsl.StreamOutlet(
                make_info(markers, "Markers", f"{self.source_id}-markers", "string", speed=speed)
            )

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Withdraw the streams from the network."""
        self._samples = self._markers = None  # pylsl closes an outlet when its last reference is dropped

    @property
    def has_consumer(self) -> bool:
        """Whether a listener receives the samples."""
        return self._samples is not None and bool(self._samples.have_consumers())

    def play(self, stop: threading.Event, progress: Callable[[float], None] = lambda seconds: None) -> None:
        """Play from the beginning to the end.

        A chunk is sent at the time of its last sample, a marker at its own time. Every deadline is counted from the
        start, so that delays do not add up; what is late is sent at once, and nothing is left out.

        Parameters
        ----------
        stop : Event
            Set it to stop within 50 ms.
        progress : callable
            Called during waits, at most a few dozen times per second, with the seconds played so far.

        Raises
        ------
        StreamError
            If no listener connected in time, or the player was closed.
        RecordingError
            If the recording can no longer be read.
        """
        if self._samples is None:
            raise StreamError(f"stream {self.name!r} was closed and cannot be played any more")
        if not self._wait_for_consumer(stop):
            return
        start = pylsl.local_clock()
        for due in heapq.merge(self._marks(), self._chunks(), key=lambda due: due.time):
            if not self._wait_until(start, due.time, stop, progress):
                return
            if isinstance(due.what, str):
                if self._markers is not None:
                    self._markers.push_sample([due.what], start + due.time)
            elif due.times is not None:
                self._samples.push_chunk(due.what, (start + due.times).tolist())
            progress(due.time)
        stop.wait(_LINGER_S)

    def _marks(self) -> Iterator[_Due]:
        for time, text in self._recording.annotations:
            yield _Due(time, None, text)

    def _chunks(self) -> Iterator[_Due]:
        recording, n = self._recording, self._chunk
        sfreq = recording.spec.sfreq
        piece = max(n, int(sfreq) // n * n)  # read a second at a time: opening files is slow, and memory is limited
        for segment in recording.segments:
            for at in range(segment.start, segment.stop, piece):
                data = recording.read(at, min(at + piece, segment.stop))
                for i in range(0, len(data), n):
                    part = data[i : i + n]
                    times = recording.times(at + i, at + i + len(part))
                    yield _Due(float(times[-1]), times, part)

    def _wait_until(self, start: float, time: float, stop: threading.Event, progress: Callable[[float], None]) -> bool:
        """Wait until an instant of the recording; return False if asked to stop."""
        while not stop.is_set():
            left = start + time / self._speed - pylsl.local_clock()
            if left <= 0:
                return True
            stop.wait(min(left, _NAP_S))
            if left > _NAP_S:
                progress(time - (left - _NAP_S) * self._speed)
        return False

    def _wait_for_consumer(self, stop: threading.Event) -> bool:
        """Wait for a listener, if that was asked for; return False if asked to stop."""
        if self._wait_s is None:
            return not stop.is_set()
        give_up = pylsl.local_clock() + self._wait_s
        while not self.has_consumer:
            if pylsl.local_clock() > give_up:
                raise StreamError(f"nobody listened to stream {self.name!r} within {self._wait_s:g} s")
            if stop.wait(_NAP_S):
                return False
        return not stop.wait(_SETTLE_S)

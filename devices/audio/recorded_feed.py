"""Live talkers and microphones of a replay: samples from a file of what was heard, in place of those of a sender."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.heard_again import HeardSamples
from earmark.devices.audio.heard_log import HeardSound
from earmark.devices.audio.rings import LiveRing
from earmark.devices.audio.scene import AudioError

#: Seconds between looks, and how full the ring is kept, relative to its normal fill.
LOOK_S, FILL = 0.01, 2


class RecordedFeed:
    """Fill a ring from a file, as fast as it is read.

    Parameters
    ----------
    sound : HeardSound
    channels : list of int
        Channels of the file, as many as the ring has.
    ring : LiveRing
    on_event : callable
        Called with a message if the file cannot be read.

    Raises
    ------
    AudioError
        If the file cannot be opened.
    """

    def __init__(self, sound: HeardSound, channels: list[int], ring: LiveRing, on_event: Callable[[str], None]) -> None:
        self._samples, self._channels, self._ring, self._on_event = HeardSamples(sound), channels, ring, on_event
        self._frame = sound.about.first
        self._failed = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorded sound", daemon=True)

    def start(self) -> None:
        """Start to fill the ring."""
        self._thread.start()

    def seek(self, frame: int) -> None:
        """Go on at an output frame of the recording; what is in the ring is heard first."""
        with self._lock:
            self._frame = frame

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            n = FILL * self._ring.target - self._ring.waiting
            if n > 0:
                self._ring.write(self._next(n))

    def _next(self, n: int) -> NDArray[np.float32]:
        with self._lock:
            frame, self._frame = self._frame, self._frame + n
        try:
            found = self._samples.read(frame, n)[:, self._channels]
        except AudioError as error:
            if not self._failed:
                self._failed = True
                self._on_event(str(error))
            found = np.zeros((n, len(self._channels)), np.float32)
        return found if self._ring.n_channels else found[:, 0]

    def stop(self) -> None:
        """Stop, and close the file."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._samples.close()

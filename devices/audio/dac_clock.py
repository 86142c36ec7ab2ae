"""Estimate when frames are heard: a line through the times that the sound driver reports per buffer."""

from __future__ import annotations

import numpy as np

from earmark.devices.sources.clock_fit import ClockFit
from earmark.pipeline.stream import ClockMap

#: Seconds of buffers that are evaluated together, and the minimum number of buffers.
WINDOW_S, WINDOW_BUFFERS = 0.1, 5
#: Seconds by which a whole window must be late to count as lost time, not as late reports.
STEP_S = 0.75e-3


class DacClock:
    """Fit LSL time against frame, from the first buffer of a process on.

    A delayed callback reports its time late, never early; so the median of a tenth of a second enters a fit with a
    memory of a minute. Where a driver skips buffers, everything after them is heard later: once even the earliest
    report of a window is late, the line is shifted, and its estimate of the card's rate is kept.

    Parameters
    ----------
    sfreq : float
        Nominal frames per second.
    block : int
        Frames per buffer.
    """

    def __init__(self, sfreq: float, block: int) -> None:
        self._fit = ClockFit(sfreq)
        n = max(WINDOW_BUFFERS, round(WINDOW_S * sfreq / block))
        self._frames, self._off = np.zeros(n, np.int64), np.zeros(n)
        self._n, self._first_window = 0, True
        #: Total seconds by which the line was shifted.
        self.lost_s = 0.0
        #: First frame for which the line holds.
        self.since = 0
        #: Delay in seconds of the last buffer's report relative to that of the one before, by the line.
        self.held_up_s = 0.0
        self._last_off = 0.0

    def add(self, frame: int, n_frames: int, stamp: float) -> None:
        """Add the report that a buffer of ``n_frames`` begins to sound at ``stamp``."""
        if not self._fit.known:
            self._fit.anchor(frame, stamp)
            self.since = frame
        off = stamp - self.time(frame)
        if self._first_window and off < 0:
            self._off[: self._n] -= off
            self._fit.anchor(frame, stamp)
            off = 0.0
        self.held_up_s, self._last_off = max(0.0, off - self._last_off), off
        self._frames[self._n], self._off[self._n] = frame, off
        self._n += 1
        if self._n == len(self._off):
            self._judge(frame + n_frames)
            self._n, self._first_window = 0, False

    def _judge(self, stop: int) -> None:
        off, middle = self._off, float(np.median(self._off))
        if self._first_window or abs(middle) < STEP_S:
            start = int(self._frames[0])
            stamp = self._fit.time(start + (stop - start - 1) / 2) + middle
            self._fit.add(start, stop - start, stamp)
        elif off.min() > STEP_S or np.quantile(off, 0.75) < -STEP_S:
            self.lost_s += middle
            self._last_off -= middle
            self.since = int(self._frames[0])

    @property
    def period(self) -> float:
        """Seconds per frame."""
        return self._fit.slope

    def time(self, frame: float) -> float:
        """Return the LSL time at which a frame is heard."""
        return self._fit.time(frame) + self.lost_s

    def map(self, frame: int) -> ClockMap:
        """Return the line as a clock map, anchored at ``frame``."""
        return ClockMap(float(frame), self.time(frame), self.period)

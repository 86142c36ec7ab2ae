"""Click-free changes of gain: per-talker ramps in dB, and switches between sound and silence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEPER = math.log(10) / 20
#: Length of the window that smooths every ramp, s; no gain change is shorter.
ROUNDING_S = 0.02
#: Maximum duration of a ramp, s.
MAX_RAMP_S = 60.0


def rounding_taps(sfreq: float) -> NDArray[np.float64]:
    """Return the Hann window that smooths ramps, shape (n_taps,), with sum 1."""
    taps = np.hanning(max(3, round(ROUNDING_S * sfreq)) + 2)[1:-1]
    return np.asarray(taps / taps.sum())


@dataclass(frozen=True, slots=True)
class _Knot:
    """A corner of the trajectory: its position, and the slope of the line that leads to it."""

    frame: int
    value: float
    slope_in: float


class GainRamps:
    """Gains that approach their targets along straight lines in dB with smoothed corners.

    A gain follows a straight line from its current value to its target, which starts anew at each retarget; the result
    is convolved with a Hann window of 20 ms. The slope therefore never jumps, wherever a retarget falls and however
    long ramps are; the gain is monotone from rest to a target; and it never leaves the range of its targets, because
    the window is positive. Restarted raised cosines would jump in slope (a click), and polynomials that continue the
    slope overshoot. The convolution has a closed form, so gains do not depend on how time is cut into blocks.

    Parameters
    ----------
    sfreq : float
        Frames per second.
    start_db : array, shape (n_gains,)
        Initial gains, dB.
    """

    def __init__(self, sfreq: float, start_db: NDArray[np.float64]) -> None:
        taps = rounding_taps(sfreq)
        self._sfreq, self._n_taps = sfreq, len(taps)
        self._centre = float(taps @ np.arange(len(taps)))
        #: The window's response to a ramp of slope 1 that begins at age 0; straight from ``n_taps`` on.
        self._corner = np.concatenate([[0.0], np.cumsum(np.cumsum(taps))])
        self._frame = 0
        self._knots = [[_Knot(0, float(value), 0.0)] for value in start_db]
        #: Targets, dB.
        self.targets_db = np.array(start_db, float)
        #: Gains at the last returned frame, dB.
        self.gains_db = self.targets_db.copy()

    def retarget(self, index: int, target_db: float, ramp_s: float) -> None:
        """Set a finite target of one gain, starting with the next frame; an unchanged target has no effect."""
        if target_db == self.targets_db[index]:
            return
        self.targets_db[index] = target_db
        knots, frame = self._knots[index], self._frame
        value, slope = knots[-1].value, 0.0
        if knots[-1].frame > frame:
            end = knots.pop()
            value, slope = end.value - end.slope_in * (end.frame - frame), end.slope_in
        if knots and knots[-1].frame == frame:  # a second retarget at the same frame
            slope = knots.pop().slope_in
        n_line = max(1, round(min(ramp_s, MAX_RAMP_S) * self._sfreq) - self._n_taps + 1)
        knots.append(_Knot(frame, value, slope))
        knots.append(_Knot(frame + n_line, target_db, (target_db - value) / n_line))

    def read(self, n_frames: int) -> NDArray[np.float64]:
        """Return the next gains as factors, shape (n_gains, n_frames)."""
        out = np.empty((len(self._knots), n_frames))
        if not n_frames:
            return out
        past = self._frame - self._n_taps  # corners before this frame are no longer smoothed
        for index, knots in enumerate(self._knots):
            while len(knots) > 1 and knots[1].frame <= past:
                del knots[0]
            if len(knots) == 1:
                self.gains_db[index] = knots[0].value
                out[index] = math.exp(knots[0].value * _NEPER)
            else:
                gain = self._rounded(knots, n_frames)
                self.gains_db[index] = gain[-1]
                np.exp(gain * _NEPER, out=out[index])
        self._frame += n_frames
        return out

    def _rounded(self, knots: list[_Knot], n_frames: int) -> NDArray[np.float64]:
        first = knots[0]
        age = np.arange(self._frame - first.frame, self._frame - first.frame + n_frames)
        gain = first.value + first.slope_in * (age - self._centre)
        for index, knot in enumerate(knots):
            bend = (knots[index + 1].slope_in if index + 1 < len(knots) else 0.0) - knot.slope_in
            begin = max(knot.frame - self._frame, 0)  # start of the corner, and where it is straight again
            straight = min(max(knot.frame - self._frame + self._n_taps, 0), n_frames)
            at = self._frame - knot.frame
            if begin < straight:
                gain[begin:straight] += bend * self._corner[at + begin : at + straight]
            if straight < n_frames:
                gain[straight:] += bend * (age[straight:] - (knot.frame - first.frame) - self._centre)
        return np.asarray(gain)


class Switch:
    """A factor that moves between 0 and 1 along a raised cosine, and returns on the same path if turned midway.

    Parameters
    ----------
    n_frames : int
        Number of frames from one end to the other.
    on : bool
        Initial state.
    """

    def __init__(self, n_frames: int, on: bool) -> None:
        self._table = raised_cosine(n_frames)
        #: Distance from 0, in frames.
        self.at = n_frames if on else 0
        #: Target state.
        self.on = on

    @property
    def settled(self) -> bool:
        """Whether the target is reached."""
        return self.at == (len(self._table) - 1 if self.on else 0)

    def apply(self, x: NDArray[np.float64]) -> None:
        """Multiply the next frames, shape (..., n_frames), in place."""
        if self.settled:
            if not self.on:
                x[:] = 0
            return
        way = np.arange(1, x.shape[-1] + 1)
        at = np.clip(self.at + way if self.on else self.at - way, 0, len(self._table) - 1)
        x *= self._table[at]
        if len(at):
            self.at = int(at[-1])


def raised_cosine(n_frames: int) -> NDArray[np.float64]:
    """Return a rise from exactly 0 to exactly 1, shape (n_frames + 1,); it and its mirror image sum to 1."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.arange(n_frames + 1) / n_frames))

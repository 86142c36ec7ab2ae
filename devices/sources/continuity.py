"""Turn the time stamps of a stream into sample indices, gaps and a clock map."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.clock_fit import MEMORY_S, ClockFit
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.stamps import (
    ABSURD_S,
    STAMPED,
    STEP_S,
    Rows,
    filled,
    level,
    spread_equal,
    unbroken,
    whole_periods,
)
from earmark.pipeline.stream import Block, ClockMap, Gap

#: Seconds of stream that a jump of the stamps must last before it is accepted, and the maximum of that duration.
SETTLE_S, LONGEST_S = 0.1, 1.0
#: A jump is examined if it exceeds this many times the scatter of the stamps (twice as many times while the scatter is
#: known from few), and this share of a period.
MANY, LEAST = 6.0, 0.75
#: A loss is a whole number of periods, within this share of a period (or within the scatter, if that is larger).
WHOLE = 0.25
#: Number of independent stamps from which the scatter is estimated (the worst quarter is left out); with fewer than the
#: second number, the worst one counts. Half a second without independent stamps counts as this many exact ones.
N_SCATTER, FEW, CALM = 32, 8, 4
#: Number of newest chunks whose transmission delay is remembered.
N_LAGS = 64
#: Seconds of stream that are examined before the first sample is placed.
BEGIN_S = 0.5
#: Seconds of stream that enter the fit as one point.
PIECE_S = 0.05
#: Scatter in seconds at which the clock fit has its maximum memory, and its minimum memory in seconds.
JITTERY_S, SHORTEST_S = 1.5e-3, 4.0
#: Time constant in seconds with which a lasting offset of all stamps is followed.
DRAG_S = 2.0
#: Seconds of stream between updates of the clock map.
UPDATE_S = 1.0

#: An item for the graph, or a message about an event, and the original stamps of its samples.
Placed = tuple[Block | Gap | ClockMap | str, NDArray[np.float64]]


class Continuity:
    """Decide which samples are missing, and when each sample was taken.

    The stamps of a regular stream lie on a line against the sample index, and scatter around it. A fit with
    exponential forgetting follows the line and informs the graph by a clock map every second. The less the stamps
    scatter, the shorter is the memory of the fit. The nominal rate is only its starting point.

    The first half second is held back until the accuracy of the stamps is known.
    A jump of the stamps counts if it is most of a period or more, exceeds many times their scatter, and lasts: the
    samples after it are held back until a tenth of a second of them has arrived, or three of the sender's chunks if
    these are longer. Stamps that return sooner were late or broken, and their samples are placed by count. Of a
    lasting jump, whole periods below a tenth of a second are lost samples. A longer jump is a gap if at least half of
    that time has passed on this machine too; otherwise it is a step of the sender's clock: the line moves and no
    sample is invented. In a recording arrival times are unknown, and every jump forward is a gap, up to ``until``.
    Samples that merely arrive late, early or in bursts change nothing.

    Parameters
    ----------
    name : str
        Stream name, for messages.
    sfreq : float
        Nominal rate in Hz.
    speed : float
        How many times faster than real time the samples arrive (for recordings that are played back).
    fit : ClockFit, optional
        The clock fit to use.
    until : float
        Latest possible time of a sample, on the clock of the stamps; a later jump cannot be a gap.
    """

    def __init__(
        self, name: str, sfreq: float, speed: float = 1.0, fit: ClockFit | None = None, until: float = math.inf
    ) -> None:
        self._name, self._sfreq, self._speed, self._until = name, sfreq, speed, until
        self._period = 1.0 / sfreq
        #: Index of the next sample.
        self.index = 0
        self.n_gaps = 0
        #: Steps of the clock of the stamps: index of the first sample after each, and its size in seconds.
        self.steps: list[tuple[int, float]] = []
        self.rate = RateWatch(name, sfreq)
        self._fit = fit or ClockFit(sfreq)
        self._fit.memory_s = SHORTEST_S
        self._arrival: float | None = None
        self._told = self._looked = 0
        self._steps: NDArray[np.float64] = np.zeros(0)
        #: Tolerance and scatter of the stamps in seconds; average offset of the newest chunks' stamps from the line;
        #: slow average of that offset.
        self._tolerance = max(STEP_S, 1.5 * self._period)
        self._scatter = 0.0
        self._strays: deque[float] = deque(maxlen=N_SCATTER)
        self._bias = self._drag = 0.0
        #: Expected next stamp; samples since the last independent stamp (one that was not derived by counting from the
        #: previous one), and numbers of samples between the last independent stamps.
        self._next, self._since = 0.0, 0
        self._pushes: deque[int] = deque(maxlen=8)
        self._held: Rows | None = None
        self._n_chunks = 0
        #: Delays in seconds of the newest chunks, from stamp to arrival.
        self._lags: deque[float] = deque(maxlen=N_LAGS)

    @property
    def n_steps(self) -> int:
        """Number of steps of the clock of the stamps."""
        return len(self.steps)

    @property
    def n_held(self) -> int:
        """Number of samples that are held back until their position is decided."""
        return 0 if self._held is None else len(self._held.data)

    def add(
        self, data: NDArray[Any], stamps: NDArray[np.float64], arrival: float | None, offset: float = 0.0
    ) -> list[Placed]:
        """Place one chunk of samples.

        Parameters
        ----------
        data : array, shape (n_samples, n_channels)
            Samples as received.
        stamps : array, shape (n_samples,)
            Their original stamps, in seconds.
        arrival : float or None
            LSL time of their arrival in seconds; None if unknown.
        offset : float
            Seconds to add to the stamps to get LSL time of this machine.

        Returns
        -------
        placed : list of (Block, Gap, ClockMap or str, array)
            Items for the graph, each with the original stamps of its samples; a string is a message about an event.
            Samples that are held back are returned with a later chunk or by :meth:`flush`.
        """
        n = len(data)
        pause = 0.0
        lag = 0.0
        if arrival is not None:
            lag = arrival * self._speed - float(stamps[-1]) - offset
            pause = 0.0 if self._arrival is None else (arrival - self._arrival) * self._speed - n * self._period
        self._arrival = arrival
        if self._fit.known and self._held is None:  # the usual case, kept cheap: all stamps on one line, near the fit
            off = (stamps - self._ramp(n)).tolist()
            low, high, mean = min(off), max(off), sum(off) / n
            expected = self._fit.time(self.index) + self._bias - offset
            near = expected - self._tolerance < low <= high < expected + self._tolerance
            if near and high - low < self._period / 2 and math.isfinite(mean):
                self._learn([self._next, *off], offset, mean - expected, n)
                self._fit.add(self.index, n, mean + offset + (n - 1) / 2 * self._period)
                self._next = off[-1] + offset + n * self._period
                self._lags.append(lag)
                return self._take(data, stamps)
        self._n_chunks += 1
        rows = Rows(data, stamps, stamps + offset, np.tile([[pause, lag, self._n_chunks]], (n, 1)))
        if not (np.abs(rows.stamps) < ABSURD_S).all():
            before = self._next if self._held is None else float(self._held.stamps[-1]) + self._period
            known = self._fit.known or self._held is not None
            rows.stamps = filled(rows.stamps, self._period, before if known else None, arrival or 0.0)
        rows.stamps = spread_equal(rows.stamps, self._period)
        self._held = rows if self._held is None else self._held.followed_by(rows)
        return self._place(last=False)

    def flush(self) -> list[Placed]:
        """Place the samples held back, with what is known now: no more arrive for the time being."""
        return [] if self._held is None else self._place(last=True)

    def _ramp(self, n: int) -> NDArray[np.float64]:
        if len(self._steps) < n:
            self._steps = np.arange(2 * n, dtype=np.float64) * self._period
        return self._steps[:n]

    def _learn(self, off: list[float], offset: float, mean: float, n: int) -> None:
        """Update offset, independent stamps and scatter from one chunk.

        ``off`` holds the expected first stamp, then each stamp (without ``offset``) minus its nominal distance from the
        first one. A stamp that comes too soon after the previous one shows by how much that one was late:
        delays are made up for, losses are not.
        """
        self._bias += 0.25 * mean
        self._drag += min(1.0, n * self._period / DRAG_S) * (self._bias - self._drag)
        if abs(self._drag) > max(self._scatter, STAMPED * self._period):  # the line lags behind the stamps
            self._fit.shift(self._drag)
            self._bias, self._drag = self._bias - self._drag, 0.0
        self._since += n
        apart = STAMPED * self._period
        first = off[1] + offset - off[0] if self.index else 0.0
        moves = [first]
        if max(off[1:]) - min(off[1:]) > apart:
            moves += [b - a for a, b in pairwise(off[1:])]
        pushes = sum(abs(move) > apart for move in moves)
        exact = self._since >= LONGEST_S / 2 * self._sfreq
        if pushes:
            if not exact:
                self._pushes.append(max(1, self._since // pushes))
            self._since = 0
            if min(moves) < -apart:
                self._judge(-min(moves))
        elif exact:
            self._since = 0
            self._pushes.clear()
            if self._scatter or len(self._strays) < FEW:
                self._judge(*[0.0] * CALM)
                if not self._scatter:  # the cause of the offset is over
                    self._fit.shift(self._bias)
                    self._bias = self._drag = 0.0

    def _judge(self, *strays: float) -> None:
        """Add deviations of late or broken stamps; update scatter, tolerance and memory of the fit."""
        self._strays.extend(strays)
        known = sorted(self._strays)
        self._scatter = known[-1 if len(known) < FEW else len(known) * 3 // 4]
        self._tolerance = max(LEAST * self._period, MANY * (1 if len(known) >= FEW else 2) * self._scatter)
        self._fit.memory_s = min(MEMORY_S, max(SHORTEST_S, MEMORY_S * (self._scatter / JITTERY_S) ** 2))

    def _begin(self, stamps: NDArray[np.float64]) -> None:
        """Examine the first stamps: they scatter unless they are exact, with at most whole periods missing."""
        moves = np.diff(stamps) - self._period
        anew, early, far = np.abs(moves) > STAMPED * self._period, moves < 0, np.abs(moves) > STEP_S
        lost = whole_periods(moves / self._period)
        late = anew & ~lost & ~far
        if not (far & early).any() or not ((far & ~early).any() or late.any()):
            anew &= ~far  # a gap or a step of the clock, since the stamps do not return
        anew &= np.abs(moves) <= LONGEST_S
        jumps = far & ~anew
        if (anew & early).any() or late.any():
            strays = np.abs(moves[(anew & early) | late]).tolist()
            self._pushes.append(max(1, len(stamps) // (1 + int(np.count_nonzero(anew)))))
            if max(strays) < self._period / 4:
                jumps |= lost
        else:
            strays, jumps = [0.0] * FEW, jumps | lost
        self._judge(*strays)
        self._fit.lean(self._scatter)
        self._fit.anchor(self.index, float(stamps[0]))
        self._fit_pieces(stamps - np.concatenate([[0.0], np.cumsum(np.where(jumps, moves, 0.0))]))

    def _take(self, data: NDArray[Any], raw: NDArray[np.float64]) -> list[Placed]:
        found: list[Placed] = [(Block(self.index, data), raw)]
        self.index += len(data)
        self.rate.count(len(data))
        if self.index - self._told >= UPDATE_S * self._sfreq:
            found.append((self._map(), raw[:0]))
        if self.index - self._looked >= UPDATE_S * self._sfreq:  # independent of how often the map is sent
            self._looked = self.index
            blind = self._tolerance > 1.5 * self._period
            found += [(words, raw[:0]) for words in self.rate.look(self.index, self._fit.slope, self._scatter, blind)]
        return found

    def _place(self, last: bool) -> list[Placed]:
        """Place held samples whose position is decided; all of them if ``last``."""
        rows, self._held = self._held, None
        assert rows is not None
        found: list[Placed] = []
        none = rows.raw[:0]
        done, total = 0, len(rows.data)
        jumped = -1
        while done < total:
            if not self._fit.known:
                if total < BEGIN_S * self._sfreq and not last:
                    self._held = rows
                    break
                rows.stamps = unbroken(rows.stamps, self._period)
                self._begin(rows.stamps)
                found.append((self._map(), none))
            line = self._fit.time(self.index) + self._bias + np.arange(total - done) * self._fit.slope
            off = rows.stamps[done:] - line
            astray = np.abs(off) > self._tolerance
            n = int(np.argmax(astray)) if astray.any() else total - done
            if n:
                self._fit_rows(rows.stamps[done : done + n], off[:n])
                found += self._take_rows(rows, done, done + n)
                self._lags.append(float(rows.came[done, 1]))
                done += n
                continue
            window = self._window()
            aside = np.sign(off) != np.sign(off[0])
            back = int(np.argmax(~astray | aside)) if (~astray | aside).any() else 0
            if jumped == done:  # the jump was handled and the stamps still do not fit
                back = 1
            elif not back and last and total - done < window and self._blind and abs(off[0]) <= STEP_S:
                back = total - done  # too few samples to tell a loss from a late chunk
            if back:  # merely late or broken stamps: these samples follow those before them
                if abs(off[0]) < LONGEST_S:
                    self._judge(abs(float(off[0])))
                found += self._take_rows(rows, done, done + back)
                done += back
            elif total - done < window and not last:
                self._held = rows.after(done)
                break
            else:
                jumped = done
                size = level(off[:window], max(self._tolerance, self._period / 2))
                for item in self._jump(size, float(rows.stamps[done]), *rows.came[done, :2].tolist()):
                    found.append((item, none))
                    if isinstance(item, Gap):
                        rows.wait_less(done, (item.stop - item.start) * self._period)
                        self.index = item.stop
                if self._told < 0:
                    found.append((self._map(), none))
        return found

    def _take_rows(self, rows: Rows, start: int, stop: int) -> list[Placed]:
        """Return samples in the chunks in which they arrived."""
        edges = (start + 1 + np.flatnonzero(np.diff(rows.came[start:stop, 2]))).tolist()
        pairs = pairwise([start, *edges, stop])
        return [placed for a, b in pairs for placed in self._take(rows.data[a:b], rows.raw[a:b])]

    def _fit_rows(self, stamps: NDArray[np.float64], off: NDArray[np.float64]) -> None:
        n = len(stamps)
        self._learn([self._next, *(stamps - self._ramp(n)).tolist()], 0.0, float(off.mean()), n)
        self._fit_pieces(stamps)
        self._next = float(stamps[-1]) + self._period

    def _fit_pieces(self, stamps: NDArray[np.float64]) -> None:
        step = max(1, round(PIECE_S * self._sfreq))
        for start in range(0, len(stamps), step):
            piece = stamps[start : start + step]
            self._fit.add(self.index + start, len(piece), float(piece.mean()))

    @property
    def _blind(self) -> bool:
        """Whether the stamps scatter so much that a single one is not evidence."""
        return self._scatter > 2 * STAMPED * self._period

    def _window(self) -> int:
        """Number of samples that a jump must last."""
        push = sorted(self._pushes)[len(self._pushes) // 2] if self._pushes else 0
        n = max(math.ceil(SETTLE_S * self._sfreq), 3 * push)
        return max(3, min(n, math.ceil(LONGEST_S * self._sfreq)))

    def _jump(self, off: float, stamp: float, pause: float, lag: float) -> list[Block | Gap | ClockMap | str]:
        """Interpret a lasting jump of the stamps by ``off`` seconds, at a sample with this stamp.

        ``pause`` is the time before its chunk beyond the chunk's duration, ``lag`` the delay from stamp to arrival.
        """
        period = self._fit.slope
        whole = abs(off / period - round(off / period)) * period <= max(WHOLE * period, 3 * self._scatter)
        if 0 < off <= STEP_S:
            missing = off if whole else 0.0
        elif off > 0 and stamp <= self._until and lag > min(self._lags, default=lag) - off / 2:
            missing = off
        elif pause > max(self._tolerance, STEP_S):  # chunks may be late by less with nothing missing
            missing = pause  # the sender returned with another clock: only the pause shows how much is missing
        else:
            missing = 0.0
        n = round(missing / period)
        found: list[Block | Gap | ClockMap | str] = []
        if n >= 1:
            self.n_gaps += 1
            self.rate.lose(n)
            found.append(Gap(self.index, self.index + n, n * period <= STEP_S))
        step = off - n * period
        if abs(off - missing) > STEP_S:
            self.steps.append((self.index + n, step))
            words = f"the sender's clock stepped by {off - missing:+.4g} s at sample {self.index}"
            found.append(f"{self._name}: {words}")
        if n < 1 or abs(step) > max(self._tolerance, STEP_S) or self._scatter < STAMPED * self._period < abs(step):
            self._fit.shift(step)
            self._lags.clear()
            if n < 1 and abs(step) <= STEP_S:
                self._judge(abs(step))
            self._told = -1  # send the new line
        self._next = stamp
        return found

    def _map(self) -> ClockMap:
        self._told = self.index
        return self._fit.map(self.index)

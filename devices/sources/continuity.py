"""From the stamps of a stream to sample indices, gaps and a clock map."""

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

#: Seconds of stream for which a jump of the stamps must last before it is believed, and the longest that may take.
SETTLE_S, LONGEST_S = 0.1, 1.0
#: A jump is looked at from this many times the scatter of the stamps on, and at least this share of a period.
MANY, LEAST = 6.0, 0.75
#: A loss is a whole number of periods, give or take this share of one (or the scatter, if that is more).
WHOLE = 0.25
#: Stamps made anew by which the scatter is judged (the worst quarter is left out); of a few the worst counts. Half a
#: second without any counts as so many that were exact.
N_SCATTER, FEW, CALM = 32, 8, 4
#: Chunks whose way here tells what is usual.
N_LAGS = 64
#: Seconds of stream that are looked at before the first sample is placed.
BEGIN_S = 0.5
#: Seconds of stream that enter the fit at once.
PIECE_S = 0.05
#: Scatter in seconds from which on the clock fit has its longest memory, and its shortest memory in seconds.
JITTERY_S, SHORTEST_S = 1.5e-3, 4.0
#: Seconds for which all stamps may be off to one side.
DRAG_S = 2.0
#: Seconds of stream between updates of the clock map.
UPDATE_S = 1.0

#: An item for the graph, or an event in words, and the stamps of its samples as they came.
Placed = tuple[Block | Gap | ClockMap | str, NDArray[np.float64]]


class Continuity:
    """Decide which samples are missing, and when samples happened.

    A regular stream is a line: stamp against index. Stamps scatter around it; a fit with exponential forgetting
    follows it, and tells the graph by a clock map every second. Its memory is the shorter, the less the stamps
    scatter. The nominal rate is only where the fit begins.

    The first half second is held back until it is known how exact the stamps are.
    A jump of the stamps counts if it is most of a period or more and many times their scatter, and if it lasts: the
    samples after it are held back until a tenth of a second of them has come, or three of the sender's chunks if
    these are longer. Stamps that come back sooner were late or broken, and their samples are placed by count. Of a
    jump that lasts, whole periods below a tenth of a second are samples that were lost. A longer one is a gap if at
    least half of that time has passed here, too, else a step of the sender's clock: then the line moves and no sample
    is invented. In a recording no arrival is known, and every jump forward is a gap, up to ``until``.
    Samples that merely come late, early or in bursts change nothing.

    Parameters
    ----------
    name : str
        Name of the stream, for events.
    sfreq : float
        Nominal rate in Hz.
    speed : float
        How many times faster than real time the samples arrive (recordings played out).
    fit : ClockFit, optional
        The line.
    until : float
        Latest instant, on the clock of the stamps, to which time can have passed.
    """

    def __init__(
        self, name: str, sfreq: float, speed: float = 1.0, fit: ClockFit | None = None, until: float = math.inf
    ) -> None:
        self._name, self._sfreq, self._speed, self._until = name, sfreq, speed, until
        self._period = 1.0 / sfreq
        #: Index of the next sample.
        self.index = 0
        self.n_gaps = 0
        #: From which sample on the clock of the stamps was set, and by how many seconds.
        self.steps: list[tuple[int, float]] = []
        self.rate = RateWatch(name, sfreq)
        self._fit = fit or ClockFit(sfreq)
        self._fit.memory_s = SHORTEST_S
        self._arrival: float | None = None
        self._told = self._looked = 0
        self._steps: NDArray[np.float64] = np.zeros(0)
        #: Seconds by which stamps may be off, and how much they scatter; by the newest chunks, and what these were
        #: off by on average.
        self._tolerance = max(STEP_S, 1.5 * self._period)
        self._scatter = 0.0
        self._strays: deque[float] = deque(maxlen=N_SCATTER)
        self._bias = self._drag = 0.0
        #: What the next stamp should be; samples since a stamp that was not counted on from the one before, and how
        #: many there were between the last such ones.
        self._next, self._since = 0.0, 0
        self._pushes: deque[int] = deque(maxlen=8)
        self._held: Rows | None = None
        self._n_chunks = 0
        #: How much later than stamped the newest chunks came.
        self._lags: deque[float] = deque(maxlen=N_LAGS)

    @property
    def n_steps(self) -> int:
        """How often the clock of the stamps was set."""
        return len(self.steps)

    @property
    def n_held(self) -> int:
        """Samples that are held back until it is clear where they belong."""
        return 0 if self._held is None else len(self._held.data)

    def add(
        self, data: NDArray[Any], stamps: NDArray[np.float64], arrival: float | None, offset: float = 0.0
    ) -> list[Placed]:
        """Place one chunk.

        Parameters
        ----------
        data : array, shape (n_samples, n_channels)
            Samples as they came.
        stamps : array, shape (n_samples,)
            Their stamps as they came, in seconds.
        arrival : float or None
            When they came, in LSL seconds; None if nobody knows.
        offset : float
            What brings the stamps to the LSL seconds of this machine.

        Returns
        -------
        placed : list of (Block, Gap, ClockMap or str, array)
            For the graph, each with the stamps of its samples as they came; a string is an event in words. Samples
            that are held back come with a later chunk or with :meth:`flush`.
        """
        n = len(data)
        pause = 0.0
        lag = 0.0
        if arrival is not None:
            lag = arrival * self._speed - float(stamps[-1]) - offset
            pause = 0.0 if self._arrival is None else (arrival - self._arrival) * self._speed - n * self._period
        self._arrival = arrival
        if self._fit.known and self._held is None:  # the usual case, cheaply: all stamps on one line, near ours
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
        """Place what is held back by what is known now: nothing comes for the time being."""
        return [] if self._held is None else self._place(last=True)

    def _ramp(self, n: int) -> NDArray[np.float64]:
        if len(self._steps) < n:
            self._steps = np.arange(2 * n, dtype=np.float64) * self._period
        return self._steps[:n]

    def _learn(self, off: list[float], offset: float, mean: float, n: int) -> None:
        """Take in a chunk: by how much its stamps were off on average, and how often they were made anew.

        ``off`` says what the first stamp should have been, then, without ``offset``, each stamp less what follows by
        the nominal rate from the first one. A stamp that comes too soon after the one before tells how late that was:
        what is late comes back, what is lost does not.
        """
        self._bias += 0.25 * mean
        self._drag += min(1.0, n * self._period / DRAG_S) * (self._bias - self._drag)
        if abs(self._drag) > max(self._scatter, STAMPED * self._period):  # the line lags behind
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
                if not self._scatter:  # what made the line stray is over
                    self._fit.shift(self._bias)
                    self._bias = self._drag = 0.0

    def _judge(self, *strays: float) -> None:
        """Take in by how much stamps were late or broken; say how much they scatter, and what follows from it."""
        self._strays.extend(strays)
        known = sorted(self._strays)
        self._scatter = known[-1 if len(known) < FEW else len(known) * 3 // 4]
        self._tolerance = max(LEAST * self._period, MANY * self._scatter)
        self._fit.memory_s = min(MEMORY_S, max(SHORTEST_S, MEMORY_S * (self._scatter / JITTERY_S) ** 2))

    def _begin(self, stamps: NDArray[np.float64]) -> None:
        """Judge the first stamps: unless they are exact, and only whole periods of them are missing, they scatter."""
        moves = np.diff(stamps) - self._period
        anew, early, far = np.abs(moves) > STAMPED * self._period, moves < 0, np.abs(moves) > STEP_S
        lost = whole_periods(moves / self._period)
        late = anew & ~lost & ~far
        if not (far & early).any() or not ((far & ~early).any() or late.any()):
            anew &= ~far  # a gap or a step of the clock, since it does not come back
        anew &= np.abs(moves) <= LONGEST_S
        jumps = far & ~anew
        if (anew & early).any() or late.any():
            strays = np.abs(moves[anew & early] if (anew & early).any() else moves[late]).tolist()
            self._pushes.append(max(1, len(stamps) // (1 + int(np.count_nonzero(anew)))))
            if max(strays) < self._period / 4 or not (anew & early).any():
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
        if self.index - self._looked >= UPDATE_S * self._sfreq:  # however often the map is told
            self._looked = self.index
            blind = self._tolerance > 1.5 * self._period
            found += [(words, raw[:0]) for words in self.rate.look(self.index, self._fit.slope, self._scatter, blind)]
        return found

    def _place(self, last: bool) -> list[Placed]:
        """Place held samples as far as it is clear where they belong; all of them if they are the last."""
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
            if jumped == done:  # it makes no sense
                back = 1
            elif not back and last and total - done < window and self._blind and abs(off[0]) <= STEP_S:
                back = total - done  # too few to tell a loss from a late chunk
            if back:  # late or broken stamps, no more: these samples follow those before them
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
        """Hand on samples in the chunks in which they came."""
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
        """Whether stamps scatter so much that one alone tells nothing."""
        return self._scatter > 2 * STAMPED * self._period

    def _window(self) -> int:
        """For how many samples a jump has to last."""
        push = sorted(self._pushes)[len(self._pushes) // 2] if self._pushes else 0
        n = max(math.ceil(SETTLE_S * self._sfreq), 3 * push)
        return max(3, min(n, math.ceil(LONGEST_S * self._sfreq)))

    def _jump(self, off: float, stamp: float, pause: float, lag: float) -> list[Block | Gap | ClockMap | str]:
        """What a lasting jump of the stamps by ``off`` seconds means, at a sample with this stamp.

        Its chunk came after a ``pause`` longer than it lasts, and ``lag`` later than stamped.
        """
        period = self._fit.slope
        whole = abs(off / period - round(off / period)) * period <= max(WHOLE * period, 3 * self._scatter)
        if 0 < off <= STEP_S:
            missing = off if whole else 0.0
        elif off > 0 and stamp <= self._until and lag > min(self._lags, default=lag) - off / 2:
            missing = off
        elif pause > max(self._tolerance, STEP_S):  # chunks come late by less, and nothing is missing
            missing = pause  # the sender came back with another clock: only the pause tells
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
            self._told = -1  # the new line is to be told
        self._next = stamp
        return found

    def _map(self) -> ClockMap:
        self._told = self.index
        return self._fit.map(self.index)

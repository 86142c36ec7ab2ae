"""Motion of talkers: many guesses at where all of them are and how they walk, and what sound makes of these."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State

#: Number of guesses. A thousand for two talkers: with half of them, swaps per minute rise by two thirds.
GUESSES = 1000
#: Talkers change their speed so many times per second: half of the times they stand then, a quarter of the times they
#: turn around, else speeds have this standard deviation, and at most this, degrees per second.
CHANGES, STAND, TURN, WALK, FASTEST = 0.4, 0.5, 0.25, 30.0, 70.0
#: Unsteadiness of talkers, degrees in a second; at first, degrees (standard deviations).
UNSTEADY, FIRST = 4.0, 5.0
#: Time after which a talker who is not heard counts as silent, and time constant with which they come to rest then, s.
SILENT_S, REST_S = 0.3, 1.2
#: Time after which a silent talker is expected where they were last, and with which time constant guesses return, s.
AWAY_S, HOME_S = 2.0, 2.0
#: Exponent of likelihoods, because frequencies that begin together err together; and the greatest logarithm that all
#: frequencies of one hop reach together.
TEMPER, MOST = 0.2, 3.0
#: Probability that sound of one hop comes from several talkers, rather than all from one and the rest from nowhere.
SEVERAL = 0.2
#: Odds, as logarithm, against a hop of a talker who was silent for so many seconds: silent places must not take the
#: sound of another. Not at once, because who passes another is hidden for a while.
RARELY, LONG_S = 1.0, 1.0
#: A place is heard by so many frequencies in a step. A frequency may be of every place that explains it as well as this
#: share of the best.
HEARD, SHARED = 0.5, 0.4
#: Talkers who stand at one place are improbable: rate in 1/s, and distance in degrees at which it is zero.
CROWDED, CLOSE = 1.0, 15.0
#: Half-width of the guesses that agree, degrees. Places are exchanged if so many times more guesses agree then; and
#: moved to the best guess if less than this share agrees.
AGREE, MORE, LOST = 12.0, 2.0, 0.02
#: Number of steps after which the numbers that guesses are spread by return; without common divisors.
PERIODS = 61, 67, 71


def wrapped(azimuth: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return an azimuth from -180 to less than 180 degrees."""
    azimuth = np.asarray(azimuth, np.float64)
    return np.asarray(azimuth - 360 * np.floor(azimuth / 360 + 0.5))


def turn(start: NDArray[np.float64] | float, end: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the shortest turn from one azimuth to another, degrees."""
    return wrapped(np.asarray(end) - np.asarray(start))


class Paths:
    """Particle filter [1]_ of the azimuths and speeds of all talkers together.

    A guess is an azimuth and a speed for every place. Guesses move on, are weighted by how well they explain what is
    heard, and good ones are multiplied. Because a guess says where *all* talkers are, those in which two have passed
    each other live on beside those in which both have turned back, until sound decides. A talker who falls silent
    keeps walking for a second, then rests.

    Numbers that spread the guesses are drawn once and used in turn: the same sound gives the same paths.

    Parameters
    ----------
    n_places : int
    span : tuple of float
        Least and greatest azimuth, degrees; a full circle closes.
    step_s : float
        Time from one step to the next, s.
    n_guesses : int

    References
    ----------
    .. [1] Gordon, Salmond, Smith 1993, IEE Proc. F 140(2), doi:10.1049/ip-f-2.1993.0015.
    """

    def __init__(self, n_places: int, span: tuple[float, float], step_s: float, n_guesses: int = GUESSES) -> None:
        self._low, self._high = span
        self._round = span[1] - span[0] >= 360
        #: Number of cells of one degree that likelihoods are given in.
        self.n_cells = 360 if self._round else math.ceil(span[1] - span[0]) + 1
        self._step_s, self._shape = step_s, (n_places, n_guesses)
        rng = np.random.default_rng(0)
        self._spread = rng.standard_normal((PERIODS[0], *self._shape)).astype(np.float32)
        self._chance = rng.random((PERIODS[1], *self._shape)).astype(np.float32)
        self._kind = rng.random((PERIODS[2], *self._shape)).astype(np.float32)
        walks = np.clip(WALK * rng.standard_normal((PERIODS[2], *self._shape)), -FASTEST, FASTEST)
        self._walks = np.where(self._kind < STAND, 0, walks).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        n_places, n_guesses = self._shape
        #: Azimuths in degrees, shape (n_places,); NaN where nobody is.
        self.azimuths = np.full(n_places, np.nan)
        #: Seconds since each place was heard, shape (n_places,).
        self.since = np.zeros(n_places)
        #: Whether a place stays where it is, shape (n_places,).
        self.pinned = np.zeros(n_places, bool)
        #: How often places were exchanged because what was heard later spoke for it.
        self.n_exchanged = 0
        self._guesses = np.zeros(self._shape)
        self._speeds = np.zeros(self._shape)
        self._weights = np.full(n_guesses, 1 / n_guesses)
        self._fits = np.zeros(n_guesses)
        self._claims = np.zeros(n_places)
        self._n_steps = 0
        self._locate()

    def start(self, place: int, azimuth: float) -> None:
        """Put a talker at a place; whether they walk is open."""
        self.azimuths[place], self.since[place], self._claims[place] = azimuth, 0.0, 0.0
        self.look(place, azimuth, 1)

    def look(self, place: int, azimuth: float, one_of: int) -> None:
        """Let every so many-th guess put a talker at an azimuth."""
        at = (np.arange(self._shape[1]) + 7 * self._n_steps) % one_of == 0
        spread = FIRST * self._spread[self._n_steps % PERIODS[0], place, at]
        self._guesses[place, at] = wrapped(azimuth + spread)
        self._speeds[place, at] = self._walks[(self._n_steps + 1) % PERIODS[2], place, at]
        self._bound()

    def forget(self, place: int) -> None:
        """Take a talker away."""
        self.azimuths[place], self.pinned[place] = np.nan, False
        self._locate()

    def exchange(self, one: int, other: int) -> None:
        """Let each of two places go on with the talker of the other."""
        order = np.arange(self._shape[0])
        order[[one, other]] = other, one
        for them in (self.azimuths, self.since, self.pinned, self._claims, self._guesses, self._speeds):
            them[:] = them[order]
        self._locate()

    def hear(self, likelihoods: NDArray[np.float32], doubts: NDArray[np.float32]) -> None:
        """Take note of what one hop tells; all of it is used in the next step.

        Parameters
        ----------
        likelihoods : array, shape (n_heard, n_cells)
            For each frequency that was heard, the density of azimuths from the low end of the span in steps of a
            degree, relative to an even one.
        doubts : array, shape (n_heard,)
            Probability that a frequency comes from no talker, above 0 and below 1.
        """
        if not len(self._used) or not len(doubts):
            return
        told = likelihoods * ((1 - doubts[:, None]) / 2)
        mine = told[:, self._cell(self.azimuths[self._used])]
        best = np.maximum(mine.max(axis=1, keepdims=True), np.float32(1e-9))
        sure = np.where(mine >= SHARED * best, mine / (mine + doubts[:, None]), 0)
        self._claims[self._used] += sure.sum(axis=0)
        told += doubts[:, None]
        fits = np.log(told, out=told).take(self._cells, axis=1)  # (n_heard, n_used, n_guesses)
        several = np.minimum(TEMPER * fits.max(axis=1).sum(axis=0), MOST)
        each = np.minimum(TEMPER * fits.sum(axis=0), MOST)
        each[self.since[self._used] > LONG_S] -= RARELY
        alone = each.max(axis=0)
        self._fits += np.log(SEVERAL * np.exp(several) + (1 - SEVERAL) * np.exp(alone))

    def step(self) -> None:
        """Weight the guesses by what was heard, find the places, and let all talkers move on."""
        if not len(self._used):
            return
        self._n_steps += 1
        self.since += self._step_s
        self.since[self._claims > HEARD] = 0
        log = np.log(self._weights + 1e-300) + self._fits
        for one, other in combinations(self._used, 2):
            apart = np.abs(turn(self._guesses[one], self._guesses[other]))
            log -= CROWDED * self._step_s * np.maximum(0, 1 - apart / CLOSE)
        self._weights = np.exp(log - log.max())
        self._weights /= self._weights.sum()
        self._fits[:], self._claims[:] = 0, 0
        self._agree()
        self._select()
        self._move()

    def _agree(self) -> None:
        """Move the places to where the guesses near them are, or to other guesses if these are many more."""
        away, near, share = self._near(self.azimuths)
        for one, other in self._swaps():
            swapped = self.azimuths.copy()
            swapped[[one, other]] = swapped[[other, one]]
            found = self._near(swapped)
            if found[2] > MORE * share:
                self.azimuths, (away, near, share) = swapped, found
                self.n_exchanged += 1
        if share < LOST:
            best = np.where(np.isfinite(self.azimuths), self._guesses[:, self._weights.argmax()], np.nan)
            best[self.pinned] = self.azimuths[self.pinned]
            found = self._near(best)
            if found[2] > MORE * share:
                self.azimuths, (away, near, share) = best, found
        if share > 0:
            moved = wrapped(self.azimuths[self._used] + away @ near / share)
            self.azimuths[self._used] = np.where(self.pinned[self._used], self.azimuths[self._used], moved)

    def _swaps(self) -> Iterator[tuple[int, int]]:
        for one, other in combinations(self._used, 2):
            pinned = self.pinned[one] or self.pinned[other]
            if not pinned and abs(float(turn(self.azimuths[one], self.azimuths[other]))) > CLOSE:
                yield int(one), int(other)

    def _near(self, azimuths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return how far guesses are from azimuths, their weights if they are near to all, and the sum of these."""
        away = turn(azimuths[self._used, None], self._guesses[self._used])
        near = self._weights * np.exp(-0.5 * np.sum((away / AGREE) ** 2, axis=0))
        return away, near, float(near.sum())

    def _select(self) -> None:
        """Multiply good guesses and drop bad ones, if few of them have all the weight."""
        n = self._shape[1]
        if 1 / np.sum(self._weights**2) >= n / 2:
            return
        first = self._chance[self._n_steps % PERIODS[1], 0, 0]
        chosen = np.searchsorted(np.cumsum(self._weights), (np.arange(n) + first) / n)
        np.minimum(chosen, n - 1, out=chosen)
        self._guesses, self._speeds = self._guesses[:, chosen], self._speeds[:, chosen]
        self._weights = np.full(n, 1 / n)

    def _move(self) -> None:
        step_s, at = self._step_s, self._n_steps
        silent = (self.since > SILENT_S)[:, None]
        kind, walks = self._kind[at % PERIODS[2]], self._walks[at % PERIODS[2]]
        changes = (self._chance[at % PERIODS[1]] < CHANGES * step_s) & ~silent
        np.copyto(self._speeds, np.where(kind > 1 - TURN, -self._speeds, walks), where=changes)
        self._speeds *= np.where(silent, math.exp(-step_s / REST_S), 1.0)
        for place in self._used[self.since[self._used] > AWAY_S]:
            self._guesses[place] += step_s / HOME_S * turn(self._guesses[place], self.azimuths[place])
        self._guesses += step_s * self._speeds + UNSTEADY * math.sqrt(step_s) * self._spread[at % PERIODS[0]]
        self._guesses[:] = wrapped(self._guesses)
        self._bound()

    def _bound(self) -> None:
        """Keep guesses within the span: who walks against its end stands there; and pinned places where they are."""
        if not self._round:
            beyond = (self._guesses < self._low) | (self._guesses > self._high)
            np.clip(self._guesses, self._low, self._high, out=self._guesses)
            self._speeds[beyond] = 0
        self._guesses[self.pinned] = self.azimuths[self.pinned, None]
        self._locate()

    def _locate(self) -> None:
        self._used = np.flatnonzero(np.isfinite(self.azimuths))
        self._cells = self._cell(self._guesses[self._used])

    def _cell(self, azimuths: NDArray[np.float64]) -> NDArray[np.intp]:
        cells = np.rint(azimuths - self._low).astype(np.intp)
        return cells % 360 if self._round else np.clip(cells, 0, self.n_cells - 1)

    def state(self) -> State:
        """Return everything that later paths depend on."""
        return {
            "azimuths": self.azimuths.copy(),
            "since": self.since.copy(),
            "pinned": self.pinned.copy(),
            "exchanged": np.array(self.n_exchanged),
            "guesses": self._guesses.copy(),
            "speeds": self._speeds.copy(),
            "weights": self._weights.copy(),
            "fits": self._fits.copy(),
            "claims": self._claims.copy(),
            "steps": np.array(self._n_steps),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self.azimuths = state["azimuths"].astype(np.float64)
        self.since = state["since"].astype(np.float64)
        self.pinned = state["pinned"].astype(bool)
        self._guesses = state["guesses"].astype(np.float64)
        self._speeds = state["speeds"].astype(np.float64)
        self._weights = state["weights"].astype(np.float64)
        self._fits = state["fits"].astype(np.float64)
        self._claims = state["claims"].astype(np.float64)
        self.n_exchanged, self._n_steps = int(state["exchanged"]), int(state["steps"])
        self._locate()

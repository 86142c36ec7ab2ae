"""Tracker of directions: where two to four talkers are, from the microphones alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.scene.array import Array, Steering
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.motion import Motion, turn, wrapped
from earmark.pipeline.scene.separator import PLACES
from earmark.pipeline.scene.transform import Framing

#: Distance of the directions that frequencies vote for, degrees.
GRID = 5.0
#: Places move every so many hops.
EVERY = 4
#: What a hop leaves of the level that sound is compared with.
LEVEL_KEPT = 0.9995


@dataclass(frozen=True)
class TrackerConfig:
    """Settings of the tracker.

    Parameters
    ----------
    forget_s : float
        Time constant with which votes are forgotten, s.
    follow_s : float
        Time constant with which a place is drawn to its peak, s. Talkers who move are followed faster, by their motion.
    settle_s : float
        Time of sound before the first talkers are found, s.
    patience_s : float
        Time that a place waits for its talker before it moves to a peak beyond ``reach``, s.
    apart : float
        Least distance of two talkers, degrees.
    reach : float
        Farthest that a talker is followed at once, degrees.
    onset : float
        A frequency votes when its power is so many times the power just before. What arrives first comes straight from
        a talker, and reflections later: without this, rooms mislead small arrays.
    rise : float
        With so many times the power just before, a frequency moves a place that is near, the less the weaker.
    onset_s : float
        Time constant of the power just before, s.
    quiet : float
        Peaks are talkers if they have this share of the votes of the strongest.
    lowest_hz, highest_hz : float
        Frequencies that vote, Hz.
    """

    forget_s: float = 1.0
    follow_s: float = 0.8
    settle_s: float = 0.8
    patience_s: float = 1.0
    apart: float = 22.0
    reach: float = 30.0
    onset: float = 6.0
    rise: float = 2.0
    onset_s: float = 0.04
    quiet: float = 0.15
    lowest_hz: float = 300.0
    highest_hz: float = 3500.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise SceneError(f"tracker: {name} is {value}, but must be above 0")
        if self.apart >= 90 or self.lowest_hz >= self.highest_hz:
            raise SceneError(
                f"tracker: apart is {self.apart} and frequencies are {self.lowest_hz} to {self.highest_hz} Hz, "
                "but must be below 90 degrees, and rise"
            )


class Tracker:
    """Follow the directions of talkers.

    In each hop, every frequency where sound begins votes for the direction whose plane wave, or measured response,
    explains the microphones best. Votes are forgotten exponentially; their peaks are the talkers. A peak
    belongs to the place that is nearest to it, so that talkers keep their places. A place without a peak, because its
    talker is silent or close to another, stays; after some time it moves to a peak that nobody is near to. Between
    peaks, single votes move the places, see :class:`earmark.pipeline.scene.motion.Motion`.

    It looks for talkers in the span of the array only. Memory and time per hop do not grow.

    Parameters
    ----------
    array : Array
    framing : Framing
    n_places : int
        Number of talkers at most, 2 to 4.
    config : TrackerConfig

    Raises
    ------
    SceneError
        If there are fewer than 2 or more than 4 places, or no frequency can vote.
    """

    def __init__(self, array: Array, framing: Framing, n_places: int = 2, config: TrackerConfig | None = None) -> None:
        config = config or TrackerConfig()
        if not PLACES[0] <= n_places <= PLACES[1]:
            raise SceneError(f"tracker: there are {n_places} places, but must be {PLACES[0]} to {PLACES[1]}")
        frequencies = framing.frequencies
        voters = np.flatnonzero((frequencies >= config.lowest_hz) & (frequencies <= config.highest_hz))
        if not len(voters):
            raise SceneError(
                f"tracker: no frequency of the transform is within {config.lowest_hz} to {config.highest_hz} Hz: "
                "widen the range"
            )
        self._config, self._n_places = config, n_places
        low, high = array.span
        self._round = high - low > 360 - GRID / 2  # the grid closes
        n = round((high - low) / GRID)
        self._grid = np.linspace(low, high, n + 1)[: n + 1 - self._round]
        self._voters = slice(int(voters[0]), int(voters[-1]) + 1)
        vectors = Steering(array, frequencies[self._voters])(self._grid)
        self._matched = vectors.conj().astype(np.complex64)  # (n_voters, n_mics, n_directions)
        self._hop_s = hop_s = framing.hop / framing.sfreq
        self._keep = math.exp(-hop_s / config.forget_s)
        self._past_keep = math.exp(-hop_s / config.onset_s)
        self._follow = 1 - math.exp(-EVERY * hop_s / config.follow_s)
        self._settle = max(1, round(config.settle_s / hop_s))
        self._patience = round(config.patience_s / hop_s / EVERY)
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._votes = np.zeros(len(self._grid))
        self._level = 0.0
        self._past = np.zeros(self._matched.shape[0])
        self._heard = 0
        self._motion = Motion(self._n_places, self._hop_s)
        self._missed = np.zeros(self._n_places, np.int64)

    def start(self, place: int, azimuth: float) -> None:
        """Put the talker of a place at an azimuth in degrees: somebody knows where to look for it."""
        if not self._round:
            azimuth = min(max(azimuth, float(self._grid[0])), float(self._grid[-1]))
        self._motion.start(place, float(wrapped(azimuth)))
        self._missed[place] = 0

    @property
    def azimuths(self) -> NDArray[np.float64]:
        """Azimuths in degrees, shape (n_places,); NaN where nobody was found yet."""
        return self._motion.azimuths.copy()

    @property
    def activity(self) -> NDArray[np.float64]:
        """Share of the votes within 15 degrees of each place, shape (n_places,)."""
        near = np.abs(turn(self._motion.azimuths[:, None], self._grid)) <= 15
        return np.asarray(near @ self._votes / (self._votes.sum() or 1.0))

    def process(self, spectra: NDArray[np.complex64], /) -> NDArray[np.float64]:
        """Listen to the newest spectra.

        Parameters
        ----------
        spectra : array, shape (n_mics, n_bins)

        Returns
        -------
        azimuths : array, shape (n_places,)
            In degrees; NaN where nobody was found yet.
        """
        self._motion.predict()
        if self._vote(spectra[:, self._voters].T):
            self._heard += 1
            if not self._round:
                np.clip(self._motion.azimuths, self._grid[0], self._grid[-1], out=self._motion.azimuths)
            if self._heard >= self._settle and self._heard % EVERY == 0:
                self._assign(self._peaks())
        return self.azimuths

    def _vote(self, x: NDArray[np.complex64]) -> bool:
        """Count votes of the frequencies, shape (n_voters, n_mics); return whether there is sound."""
        with np.errstate(all="ignore"):
            power = np.sum(np.square(np.abs(x), dtype=np.float64), axis=1)
        power[~np.isfinite(power)] = 0
        mean = float(power.mean())
        self._level = LEVEL_KEPT * self._level + (1 - LEVEL_KEPT) * mean if self._level else mean
        loud = (power > 0.3 * self._level) & (power > 1e-20)
        rise = power / np.maximum(self._past, 1e-30)
        self._past *= self._past_keep
        self._past += (1 - self._past_keep) * power
        if not loud.any():
            return False
        self._votes *= self._keep
        rising = np.flatnonzero(loud & (rise > self._config.rise))
        if len(rising):
            heard = x[rising] / np.sqrt(x.shape[1] * power[rising, None]).astype(np.float32)
            match = np.abs(np.sum(self._matched[rising] * heard[:, :, None], axis=1))  # 1 if it explains all
            best = match.argmax(axis=1)
            weight = match.max(axis=1) ** 8 * np.sqrt(power[rising])
            clear = np.minimum(1.0, rise[rising] / self._config.onset)
            self._motion.update(self._grid[best], clear * weight / weight.max())
            begins = clear == 1
            if begins.any():
                counted = weight[begins] / weight[begins].sum()
                self._votes += np.bincount(best[begins], counted, len(self._grid))
        return True

    def _peaks(self) -> NDArray[np.float64]:
        """Return azimuths of the peaks of the votes, strongest first."""
        padded = np.pad(self._votes, 1, mode="wrap" if self._round else "constant")
        smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        around = np.pad(smooth, 1, mode="wrap" if self._round else "constant")
        top = (smooth >= around[:-2]) & (smooth >= around[2:])  # no slopes of peaks that were taken
        left, found, strongest = np.where(top, smooth, 0.0), [], float(smooth.max())
        for _ in range(self._n_places):
            at = int(left.argmax())
            if left[at] <= self._config.quiet * strongest:
                break
            found.append(self._grid[at] + GRID * self._vertex(smooth, at))
            left[np.abs(turn(self._grid[at], self._grid)) < self._config.apart] = 0
        return np.array(found)

    def _vertex(self, smooth: NDArray[np.float64], at: int) -> float:
        """Return where a parabola through a peak has its vertex, in steps of the grid from it."""
        if not self._round and at in (0, len(smooth) - 1):
            return 0.0
        before, here, after = smooth[at - 1], smooth[at], smooth[(at + 1) % len(smooth)]
        bend = before - 2 * here + after
        return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0

    def _assign(self, peaks: NDArray[np.float64]) -> None:
        """Give each peak to a place, so that places move as little as possible in all."""
        if not len(peaks):
            return
        away = turn(self._motion.azimuths[:, None], peaks)  # (n_places, n_peaks)
        cost = np.where(np.isnan(away), 2 * self._config.reach, np.minimum(np.abs(away), 90.0))
        ways = list(permutations(range(self._n_places), len(peaks)))
        sums = [sum(cost[place, peak] for peak, place in enumerate(way)) for way in ways]
        way = ways[int(np.argmin(sums))]
        self._missed += 1
        for peak, place in enumerate(way):
            distance = float(away[place, peak])
            if abs(distance) <= self._config.reach:
                self._motion.nudge(place, self._follow * distance)
            elif math.isnan(distance) or self._missed[place] > self._patience:
                self._motion.start(place, float(peaks[peak]))
            else:
                continue
            self._missed[place] = 0

    def state(self) -> State:
        """Return everything that later directions depend on."""
        return {
            "votes": self._votes.copy(),
            "level": np.array(self._level),
            "past": self._past.copy(),
            "heard": np.array(self._heard),
            "azimuths": self._motion.azimuths.copy(),
            "speeds": self._motion.speeds.copy(),
            "spread": self._motion.spread.copy(),
            "missed": self._missed.copy(),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._votes = state["votes"].astype(np.float64)
        self._past = state["past"].astype(np.float64)
        self._level, self._heard = float(state["level"]), int(state["heard"])
        for name in ("azimuths", "speeds", "spread"):
            getattr(self._motion, name)[:] = state[name]
        self._missed = state["missed"].astype(np.int64)

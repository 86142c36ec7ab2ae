"""Tracker of directions: where two to four talkers are, from the microphones alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State, below, within
from earmark.pipeline.scene.array import Array, Steering
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.motion import SILENT_S, Paths, turn, wrapped
from earmark.pipeline.scene.separator import PLACES
from earmark.pipeline.scene.transform import Framing

#: Distance of the directions that frequencies vote for, degrees.
GRID = 5.0
#: Places move every so many seconds.
STEP_S = 0.032
#: Greatest number of frequencies that begin in one hop and are listened to; of more, those that begin most clearly.
VOICES = 12
#: How well a direction explains a frequency, from the share m of its power that it explains: ``(1 - TRUST m)**-EDGE``,
#: then smoothed over so many degrees, which reflections scatter it by.
TRUST, EDGE, SCATTER = 0.9, 6.0, 5.0
#: Probability that a frequency comes from no talker, at least and at most; in between, so much by its rise.
DOUBTS, DOUBT = (0.2, 0.7), 1.2
#: One of so many guesses is put where a silent talker might begin again.
LOOK = 10
#: Peaks within so many degrees of a place are its own.
NEAR = 8.0
#: What a hop leaves of the level that sound is compared with.
LEVEL_KEPT = 0.9995


@dataclass(frozen=True)
class TrackerConfig:
    """Settings of the tracker.

    Parameters
    ----------
    forget_s : float
        Time constant with which votes are forgotten, s.
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
        With so many times the power just before, a frequency is listened to, with the more doubt the weaker it rises.
    onset_s : float
        Time constant of the power just before, s.
    quiet : float
        Peaks are talkers if they have this share of the votes of the strongest.
    lowest_hz, highest_hz : float
        Frequencies that vote, Hz.
    """

    forget_s: float = 1.0
    settle_s: float = 0.8
    patience_s: float = 1.0
    apart: float = 22.0
    reach: float = 30.0
    onset: float = 6.0
    rise: float = 1.5
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

    In each hop, every frequency where sound begins tells how well each direction, as a plane wave or a measured
    response, explains the microphones. From this, :class:`earmark.pipeline.scene.motion.Paths` follows the talkers,
    past each other, too. Talkers who are new are found by votes: the best direction of each frequency that clearly
    begins. Votes are forgotten exponentially; their peaks are talkers. A place whose talker is silent stays; after
    some time it moves to a peak that nobody is near to.

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
        self._settle = max(1, round(config.settle_s / hop_s))
        self._every = max(1, round(STEP_S / hop_s))
        self._paths = Paths(n_places, (low, low + 360) if self._round else (low, high), self._every * hop_s)
        away = low + np.arange(self._paths.n_cells) - self._grid[:, None]
        scatter = np.exp(-0.5 * ((turn(0.0, away) if self._round else away) / SCATTER) ** 2)
        self._scatter = (scatter / scatter.sum(axis=0)).astype(np.float32)  # (n_directions, n_cells)
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._votes = np.zeros(len(self._grid))
        self._level = 0.0
        self._past = np.zeros(self._matched.shape[0])
        self._heard = self._hops = 0
        self._paths.reset()
        self._missed = np.zeros(self._n_places)

    def start(self, place: int, azimuth: float) -> None:
        """Put the talker of a place at an azimuth in degrees, at the end of the span at most: somebody knows of it."""
        if not self._round:
            azimuth = min(max(azimuth, float(self._grid[0])), float(self._grid[-1]))
        self._paths.pinned[place] = False
        self._paths.start(place, float(wrapped(azimuth)))
        self._missed[place] = 0

    def pin(self, place: int, azimuth: float | None = None) -> None:
        """Keep a place where it is, or at an azimuth in degrees, until it is started anew or forgotten.

        Raises
        ------
        SceneError
            If there is no such place, nobody is there and no azimuth given, or it is beyond the span of the array.
        """
        self._check(place)
        at = self._allowed(float(self._paths.azimuths[place]) if azimuth is None else azimuth)
        self._paths.pinned[place] = True
        self._paths.start(place, at)

    def forget(self, place: int) -> None:
        """Free a place for the next talker who is found.

        Raises
        ------
        SceneError
            If there is no such place.
        """
        self._check(place)
        self._paths.forget(place)

    def exchange(self, place: int, other: int) -> None:
        """Let each of two places go on with the talker of the other, because somebody heard that they were swapped.

        Raises
        ------
        SceneError
            If there is no such place.
        """
        self._check(place)
        self._check(other)
        self._paths.exchange(place, other)

    def _check(self, place: int) -> None:
        if not 0 <= place < self._n_places:
            raise SceneError(f"tracker: there is no place {place}: give 0 to {self._n_places - 1}")

    def _allowed(self, azimuth: float) -> float:
        low, high = self._grid[0], self._grid[-1]
        at = float(wrapped(azimuth)) if self._round else azimuth
        if not (math.isfinite(at) and (self._round or low <= at <= high)):
            raise SceneError(
                f"tracker: a talker cannot be at {azimuth} degrees: give {low:g} to {high:g}, the span of the array"
            )
        return at

    @property
    def azimuths(self) -> NDArray[np.float64]:
        """Azimuths in degrees, shape (n_places,); NaN where nobody was found yet."""
        return self._paths.azimuths.copy()

    @property
    def n_exchanged(self) -> int:
        """How often places were exchanged because what was heard later spoke for it."""
        return self._paths.n_exchanged

    @property
    def activity(self) -> NDArray[np.float64]:
        """Share of the votes within 15 degrees of each place, shape (n_places,)."""
        near = np.abs(turn(self._paths.azimuths[:, None], self._grid)) <= 15
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
        self._heard += self._vote(spectra[:, self._voters].T)
        self._hops += 1
        at = self._hops % self._every
        if at == self._every // 2 and self._heard >= self._settle:
            self._assign(self._peaks())
        if at == 0:  # not in the same hop, so that none takes long
            self._paths.step()
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
        if len(rising) > VOICES:
            rising = rising[np.sort(np.argsort(-rise[rising], kind="stable")[:VOICES])]
        if len(rising):
            heard = x[rising] / np.sqrt(x.shape[1] * power[rising, None]).astype(np.float32)
            match = np.abs(np.sum(self._matched[rising] * heard[:, :, None], axis=1))  # 1 if it explains all
            fit = (1 - np.float32(TRUST) * np.minimum(match * match, 1)) ** np.float32(-EDGE)
            fit /= fit.mean(axis=1, keepdims=True)
            doubts = np.clip(DOUBT / rise[rising], *DOUBTS).astype(np.float32)
            self._paths.hear(fit @ self._scatter, doubts)
            begins = rise[rising] > self._config.onset
            if begins.any():
                weight = match[begins].max(axis=1) ** 8 * np.sqrt(power[rising][begins])
                self._votes += np.bincount(match[begins].argmax(axis=1), weight / weight.sum(), len(self._grid))
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
        """Give each peak to a place, so that places move as little as possible in all; move those that lost theirs."""
        if not len(peaks):
            return
        config, paths = self._config, self._paths
        places = paths.azimuths.copy()
        away = np.abs(turn(places[:, None], peaks))  # (n_places, n_peaks)
        cost = np.where(np.isnan(away), 2 * config.reach, np.minimum(away, 90.0))
        ways = list(permutations(range(self._n_places), len(peaks)))
        sums = [sum(cost[place, peak] for peak, place in enumerate(way)) for way in ways]
        way = ways[int(np.argmin(sums))]
        silent = paths.since > SILENT_S
        between = np.abs(turn(places[:, None], places)) + 360 * np.eye(self._n_places)
        close = np.nanmin(np.where(np.isnan(between), 360, between), axis=1) < config.apart  # hidden, rather than lost
        self._missed = np.where(silent & ~close, self._missed + self._every * self._hop_s, 0)
        for peak, place in enumerate(way):
            distance = float(away[place, peak])
            if paths.pinned[place]:
                continue
            if math.isnan(distance) or (distance > config.reach and self._missed[place] > config.patience_s):
                paths.start(place, float(peaks[peak]))
                self._missed[place] = 0
            elif silent[place] and NEAR < distance <= config.reach:
                paths.look(place, float(peaks[peak]), LOOK)

    def state(self) -> State:
        """Return everything that later directions depend on."""
        return {
            "votes": self._votes.copy(),
            "level": np.array(self._level),
            "past": self._past.copy(),
            "heard": np.array(self._heard),
            "hops": np.array(self._hops),
            "missed": self._missed.copy(),
        } | within("paths", self._paths.state())

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._votes = state["votes"].astype(np.float64)
        self._past = state["past"].astype(np.float64)
        self._level, self._heard, self._hops = float(state["level"]), int(state["heard"]), int(state["hops"])
        self._missed = state["missed"].astype(np.float64)
        self._paths.restore(below("paths", state))

"""Node that assesses the signal quality of every electrode online."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dger

from earmark.pipeline.node import State
from earmark.pipeline.stream import ELECTRODES, Block, ChannelQuality, Gap, Item, StreamSpec, wiring_error

#: Step of the score at the end of a window: towards 1 without soft faults, towards 0 with any.
LEAK = 0.3
#: A channel is masked when its score falls below the first value, and unmasked when it rises above the second.
MASK_BELOW, UNMASK_ABOVE = 0.3, 0.7
#: Minimum number of channels of one type without hard faults that can be compared with each other.
MIN_CHANNELS = 4
#: Robust z of the log standard deviation beyond which a channel is an outlier.
OUTLIER_Z = 5.0
#: Minimum robust standard deviation of the log standard deviations. Even among very similar channels, an outlier must
#: be exp(5 * 0.25) = 3.5 times stronger or weaker than the median.
MIN_SPREAD = 0.25
#: Number of nearest channels that count as neighbours.
N_NEIGHBOURS = 6
#: Time constant of the correlation, and duration of signal before it is assessed, in seconds.
CORRELATION_S, CORRELATION_AFTER_S = 5.0, 2.0
#: Steps between hops are clipped to this multiple of the channel's usual step, but never below the second value in
#: microvolts: the jump at the end of a fault must not outweigh many seconds of signal.
MAX_STEP, ALWAYS_STEP_UV = 8.0, 10.0
#: Steps between hops smaller than this, in microvolts, count as zero.
NO_STEP_UV = 1e-6
#: Minimum window, in seconds (five periods of 50 Hz) and in samples (so that two extremes are a small part of it).
MIN_WINDOW_S, MIN_WINDOW_SAMPLES = 0.1, 16

_FAULTS = ("non-finite", "flat", "railed", "line", "variance", "correlation")
_BITS = 1 << np.arange(len(_FAULTS))
#: Text of every combination of faults, indexed by its bits: a lookup takes only microseconds for 256 channels.
_NAMES = tuple("+".join(f for f, bit in zip(_FAULTS, _BITS, strict=True) if found & bit) for found in range(64))
#: Arrays that are part of the state.
_ARRAYS = (
    "pivot",
    "sum",
    "squares",
    "projection",
    "lowest",
    "highest",
    "n_lowest",
    "n_highest",
    "non_finite",
    "mean",
    "covariance",
    "score",
)


@dataclass(frozen=True, slots=True)
class QualityConfig:
    """Settings of :class:`Quality`: thresholds of the faults.

    Attributes
    ----------
    window_s : float
        Length of a window in seconds; the window ends with the first hop that reaches it.
    flat_uv : float
        Standard deviation below which a channel is flat. The noise of amplifiers is above 0.1 µV.
    rail_fraction : float
        A channel is railed if more than this fraction of the samples of a window equal its maximum or minimum.
    line_hz, line_uv : float
        Line frequency, and the RMS amplitude in microvolts above which line noise is a fault. Not assessed unless the
        Nyquist frequency of the stream is above the line frequency.
    min_correlation : float
        Minimum correlation of a channel's slow fluctuations with those of its best neighbour. A channel below it has
        lost contact with the skin or tissue.
    """

    window_s: float = 0.5
    flat_uv: float = 0.1
    rail_fraction: float = 0.2
    line_hz: float = 50.0
    line_uv: float = 100.0
    min_correlation: float = 0.2


class Quality:
    """Assess electrodes and mask the bad ones. Put it directly after reblock, on unfiltered microvolts.

    The criteria are those of the PREP pipeline [1]_, computed online. In each window, a channel is tested for hard and
    soft faults. Hard faults (``non-finite`` samples, a ``flat`` signal, a ``railed`` amplifier) set its score to 0
    immediately. Soft faults (``line`` noise, outlying ``variance``, low ``correlation`` with its neighbours, which are
    the nearest channels of its type, or all of them if positions are unknown) let its score decay over a few windows.
    Blocks are masked according to the windows before them. A gap discards the current window and keeps the masks.
    Channels that are not electrodes have score 1 and are never masked here.

    References
    ----------
    .. [1] Bigdely-Shamlo, N., Mullen, T., Kothe, C., Su, K.-M. and Robbins, K. A. (2015). The PREP pipeline:
       standardized preprocessing for large-scale EEG analysis. Frontiers in Neuroinformatics 9:16.
       https://doi.org/10.3389/fninf.2015.00016
    """

    Config = QualityConfig
    n_inputs = 1

    def __init__(self, config: QualityConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Find electrodes and their neighbours, compute the tables for line noise, and allocate memory."""
        self._check(spec)
        hop = spec.hop or 0
        self._n_channels, self._ch_names = spec.n_channels, spec.ch_names
        self._judged = np.array([i for i, kind in enumerate(spec.ch_types) if kind in ELECTRODES])
        kinds = np.array(spec.ch_types)[self._judged]
        self._groups = [np.flatnonzero(kinds == kind) for kind in sorted(set(kinds))]
        n = len(kinds)
        self._near = _neighbours(spec.pick(list(self._judged)).positions, kinds)

        self._n_window = round(self.config.window_s * spec.sfreq)
        angle = 2 * np.pi * self.config.line_hz / spec.sfreq * np.arange(self._n_window + hop)
        self._line = np.array([np.cos(angle), np.sin(angle)])
        if self.config.line_hz >= spec.sfreq / 2:
            self._line[:] = 0.0
        self._line_sum = np.cumsum(self._line, axis=1)
        self._decay = float(np.exp(-hop / (spec.sfreq * CORRELATION_S)))
        self._n_before_correlation = round(CORRELATION_AFTER_S * spec.sfreq)

        self._x = np.empty((hop, n))
        self._n_in_window = self._n_seen = 0
        self._pivot, self._sum, self._squares = np.zeros(n), np.zeros(n), np.zeros(n)
        self._projection = np.zeros((2, n))
        self._lowest, self._highest = np.zeros(n), np.zeros(n)
        self._n_lowest, self._n_highest = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._non_finite = np.zeros(n, dtype=bool)
        self._mean, self._has_mean = np.zeros(n), False
        self._covariance, self._scratch = np.zeros((n, n)), np.zeros((n, n))
        self._score = np.ones(n)
        self._masked = np.zeros(spec.n_channels, dtype=bool)  # never changed in place: blocks refer to it
        return spec

    def _check(self, spec: StreamSpec) -> None:
        c = self.config
        if spec.hop is None:
            raise wiring_error(
                "quality", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it"
            )
        if not set(spec.ch_types) & set(ELECTRODES):
            raise wiring_error("quality", "input", f"{spec.name!r} without electrodes", f"with {', '.join(ELECTRODES)}")
        least = max(MIN_WINDOW_S, MIN_WINDOW_SAMPLES / spec.sfreq)
        if not c.window_s >= least:
            raise wiring_error("quality", "window_s", c.window_s, f"at least {least:g} s")
        for key in ("flat_uv", "line_hz", "line_uv"):
            if not getattr(c, key) > 0:
                raise wiring_error("quality", key, getattr(c, key), "above 0")
        if not 0 < c.rail_fraction < 1:
            raise wiring_error("quality", "rail_fraction", c.rail_fraction, "between 0 and 1")
        if not 0 <= c.min_correlation < 1:
            raise wiring_error("quality", "min_correlation", c.min_correlation, "at least 0 and below 1")

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Mask blocks; after the last block of each window output a ChannelQuality."""
        if isinstance(item, Block):
            bad = self._masked if item.bad is None else self._masked | item.bad
            yield Block(item.start, item.data, bad if bad.any() else None)
            self._add(item)
            if self._n_in_window >= self._n_window:
                yield self._judge(item.stop)
        else:
            if isinstance(item, Gap):
                self._n_in_window, self._has_mean = 0, False
            yield item

    def _add(self, block: Block) -> None:
        n, before = len(block.data), self._n_in_window
        x = self._x[:n]
        np.take(block.data, self._judged, axis=1, out=x, mode="clip")  # the default mode makes another copy
        if before == 0:
            # Sums are relative to the first sample: an offset of 100 mV costs no precision, a constant sums to 0.
            self._pivot[:] = x[0]
            for sums in (self._sum, self._squares, self._projection, self._n_lowest, self._n_highest):
                sums[...] = 0
            self._lowest[:], self._highest[:] = np.inf, -np.inf
            self._non_finite[:] = False
        x -= self._pivot
        total = x.sum(axis=0)
        self._sum += total
        self._squares += np.einsum("ij,ij->j", x, x)
        self._projection += self._line[:, before : before + n] @ x
        if block.bad is not None:
            self._non_finite |= block.bad[self._judged]

        lowest, highest = x.min(axis=0), x.max(axis=0)
        self._n_lowest *= lowest >= self._lowest  # a new extreme resets its count
        self._n_lowest += np.count_nonzero(x == lowest, axis=0) * (lowest <= self._lowest)
        self._n_highest *= highest <= self._highest
        self._n_highest += np.count_nonzero(x == highest, axis=0) * (highest >= self._highest)
        np.minimum(self._lowest, lowest, out=self._lowest)
        np.maximum(self._highest, highest, out=self._highest)

        mean = self._pivot + total / n
        if self._has_mean:
            most = np.maximum(MAX_STEP * np.sqrt(self._covariance.diagonal()), ALWAYS_STEP_UV)
            step = np.clip(mean - self._mean, -most, most)
            self._covariance *= self._decay
            dger(1 - self._decay, step, step, a=self._covariance.T, overwrite_a=1)  # adds the outer product in place
        self._mean[:], self._has_mean = mean, True
        self._n_in_window += n
        self._n_seen += n

    def _judge(self, stop: int) -> ChannelQuality:
        c, n = self.config, self._n_in_window
        self._n_in_window = 0
        mean = self._sum / n
        std = np.sqrt(np.maximum(self._squares / n - mean**2, 0.0))
        line = np.sqrt(2) / n * np.hypot(*(self._projection - self._line_sum[:, n - 1, None] * mean))
        flat = std < c.flat_uv
        railed = ~flat & (self._n_lowest + self._n_highest > c.rail_fraction * n)
        hard = self._non_finite | flat | railed
        variance, correlation = np.zeros_like(hard), np.zeros_like(hard)
        closest = self._closest(~hard)
        for group in self._groups:
            sound = group[~hard[group]]
            if len(sound) < MIN_CHANNELS:
                continue
            level = np.log(std[sound])
            level -= _median(level)
            variance[sound] = np.abs(level) > OUTLIER_Z * max(1.4826 * _median(np.abs(level)), MIN_SPREAD)
            if self._n_seen >= self._n_before_correlation:
                correlation[sound] = closest[sound] < c.min_correlation

        soft = (line > c.line_uv) | variance | correlation
        self._score += LEAK * (~soft - self._score)
        self._score[hard] = 0.0
        masked = self._masked.copy()
        masked[self._judged] = np.where(masked[self._judged], ~(self._score > UNMASK_ABOVE), self._score < MASK_BELOW)
        self._masked = masked
        faults = [""] * self._n_channels
        found = _BITS @ np.array([self._non_finite, flat, railed, line > c.line_uv, variance, correlation])
        for i, code in zip(self._judged.tolist(), found.tolist(), strict=True):
            faults[i] = _NAMES[code]
        score = np.ones(self._n_channels)
        score[self._judged] = self._score
        return ChannelQuality(stop, score, masked, tuple(faults), self._ch_names)

    def _closest(self, sound: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return each channel's largest absolute correlation with a neighbour without hard faults; 0 if none."""
        spread = np.sqrt(self._covariance.diagonal())
        silent = spread < NO_STEP_UV
        if silent.any():  # else a dead channel decays within an hour to denormal numbers, which are slow
            self._covariance[silent] = 0.0
            self._covariance[:, silent] = 0.0
        scale = np.divide(sound, spread, out=np.zeros(len(spread)), where=~silent)
        np.abs(self._covariance, out=self._scratch)
        self._scratch *= self._near
        self._scratch *= scale[:, None]
        closest: NDArray[np.float64] = self._scratch.max(axis=0) * scale
        return closest

    def state(self) -> State:
        """Return the sums of the current window, the correlations, the scores and the mask."""
        names = (*_ARRAYS, "masked", "n_in_window", "n_seen", "has_mean")
        return {name: np.array(getattr(self, f"_{name}")) for name in names}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        for name in _ARRAYS:
            getattr(self, f"_{name}")[...] = state[name]
        self._masked = state["masked"].astype(bool)
        self._n_in_window, self._n_seen = int(state["n_in_window"]), int(state["n_seen"])
        self._has_mean = bool(state["has_mean"])


def _median(x: NDArray[np.float64]) -> float:
    """Return the median; NumPy's own takes ten times as long on so few values."""
    ordered = np.sort(x)
    return float(ordered[len(x) // 2] + ordered[(len(x) - 1) // 2]) / 2


def _neighbours(
    positions: tuple[tuple[float, float, float], ...] | None, kinds: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return the neighbours, shape (n_channels, n_channels): 1 at (j, i) where j is a neighbour of i, else 0."""
    near: NDArray[np.float64] = (kinds[:, None] == kinds).astype(np.float64)
    np.fill_diagonal(near, 0.0)
    if positions is None:
        return near
    where = np.array(positions)
    known = np.isfinite(where).all(axis=1)
    for i in np.flatnonzero(known):
        others = np.flatnonzero((near[:, i] > 0) & known)
        if len(others) < N_NEIGHBOURS:
            continue  # too few known positions: all channels of its type stay neighbours
        distance = np.linalg.norm(where[others] - where[i], axis=1)
        near[:, i] = 0.0
        near[others[np.argsort(distance, kind="stable")[:N_NEIGHBOURS]], i] = 1.0
    return near

"""Items that flow through the graph, and the spec that describes a stream of them.

Samples are identified by index: every block has the absolute index of its first sample, every gap has the indices of
the missing samples, and the blocks and gaps of a stream follow each other without holes or overlap. The latest
:class:`ClockMap` before a sample gives its time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.control import TimedControl

#: Channel types that are voltages measured by electrodes.
ELECTRODES = ("eeg", "seeg", "ecog", "eog")


class WiringError(EarmarkError, ValueError):
    """Raised when a node cannot process the stream at its input."""


def wiring_error(node: str, key: str, found: object, wanted: str) -> WiringError:
    """Build the error for a setting or stream that a node cannot accept, in the wording common to all nodes."""
    return WiringError(f"{node}: {key} is {found}, but must be {wanted}")


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """Description of a stream: the properties that all its samples share.

    Attributes
    ----------
    name : str
        Name of the source or node that the stream comes from.
    sfreq : float
        Sampling rate in Hz; 0 for irregular streams such as markers.
    ch_names, ch_types, units : tuple of str
        One entry per channel. Types are ``eeg``, ``seeg``, ``ecog``, ``eog``, ``misc``.
    positions : tuple of (x, y, z) or None
        Electrode positions in metres, head coordinates; NaN where unknown.
    hop : int or None
        Maximum number of samples in a block. None if blocks have the lengths in which they arrived; otherwise the
        block boundaries depend only on sample indices and gaps.
    delay : float
        Seconds by which the content of a sample lags its index: the constant delay of linear-phase filters. Clock
        maps correct for it.
    wait : float
        Seconds that the first sample of a block waits until the block is full.
    group_delay : float
        Group delay of recursive filters, in seconds, at the centre of the pass band. Clock maps do not correct for
        it: it depends on frequency, and the lags of a decoder compensate for it.
    highpass, lowpass : float or None
        Limits of the pass band, in Hz.
    """

    name: str
    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    units: tuple[str, ...]
    positions: tuple[tuple[float, float, float], ...] | None = None
    hop: int | None = None
    delay: float = 0.0
    wait: float = 0.0
    group_delay: float = 0.0
    highpass: float | None = None
    lowpass: float | None = None

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.ch_names)

    @property
    def latency(self) -> float:
        """Seconds from the instant of a sample to its output, without computation time."""
        return self.delay + self.wait + self.group_delay

    def evolve(self, **changes: Any) -> StreamSpec:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def pick(self, indices: list[int]) -> StreamSpec:
        """Return the spec of a selection of channels, in the given order."""

        def take(values: tuple) -> tuple:
            return tuple(values[i] for i in indices)

        return self.evolve(
            ch_names=take(self.ch_names),
            ch_types=take(self.ch_types),
            units=take(self.units),
            positions=None if self.positions is None else take(self.positions),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples.

    Attributes
    ----------
    start : int
        Absolute index of the first sample.
    data : array, shape (n_samples, n_channels)
        In the number format of the stream before the reblock node; float64 and finite after it.
    bad : array of bool, shape (n_channels,), or None
        Channels marked as bad in this block; None means none.
    """

    start: int
    data: NDArray[Any]
    bad: NDArray[np.bool_] | None = None

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples ``start`` to ``stop`` never arrived. An empty gap marks the end of a recording.

    Attributes
    ----------
    start, stop : int
        Index of the first missing sample, and index after the last one.
    short : bool
        True if the gap is so short that ``reblock`` interpolates linearly across it and filters are not reset.
    """

    start: int
    stop: int
    short: bool = False


@dataclass(frozen=True, slots=True)
class ClockMap:
    """Map from sample index to the time of its content: ``time0 + (index - index0) * period`` in LSL seconds."""

    index0: float
    time0: float
    period: float

    def time(self, index: float) -> float:
        """Return the LSL time of a sample index."""
        return self.time0 + (index - self.index0) * self.period

    def index(self, time: float) -> float:
        """Return the sample index at an LSL time, not rounded."""
        return self.index0 + (time - self.time0) / self.period


@dataclass(frozen=True, slots=True)
class Marker:
    """An event.

    Attributes
    ----------
    time : float
        LSL time in seconds, on the clock of this machine.
    value : str
        Text of the event.
    """

    time: float
    value: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """Samples around a marker.

    Attributes
    ----------
    marker : Marker
        The marker that the epoch is aligned to.
    start : int
        Absolute index of the first sample.
    data : array, shape (n_samples, n_channels), or None
        None if the epoch could not be cut; ``reason`` then says why.
    bad : array of bool, shape (n_channels,), or None
        Channels that were masked in any block of the epoch.
    reason : str
        Why there are no data; empty if there are.
    """

    marker: Marker
    start: int
    data: NDArray[np.float64] | None
    bad: NDArray[np.bool_] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChannelQuality:
    """Signal quality of every channel in the window that ends at sample ``stop``.

    Attributes
    ----------
    stop : int
        Index after the last sample of the window.
    score : array, shape (n_channels,)
        From 0 (unusable) to 1 (good).
    bad : array of bool, shape (n_channels,)
        Channels masked from here on.
    faults : tuple of str
        Faults of each channel in this window: names joined by ``+``, empty if there are none.
    ch_names : tuple of str
        Names of the channels in the stream that was assessed.
    """

    stop: int
    score: NDArray[np.float64]
    bad: NDArray[np.bool_]
    faults: tuple[str, ...]
    ch_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aligned:
    """Neural samples, and talker features at the same instants.

    Attributes
    ----------
    start : int
        Absolute index of the first neural sample.
    neural : array, shape (n_samples, n_channels)
        Neural samples, unchanged.
    talkers : array, shape (n_talkers, n_samples, n_features)
        Talker features at the times of the neural samples.
    bad : array of bool, shape (n_channels,), or None
        Neural channels marked as bad; None means none.
    """

    start: int
    neural: NDArray[np.float64]
    talkers: NDArray[np.float64]
    bad: NDArray[np.bool_] | None = None

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.neural)


@dataclass(frozen=True, slots=True)
class Decision:
    """Estimate of the attended talker, and the resulting target gains.

    Attributes
    ----------
    newest : int
        Index of the latest neural sample that contributed to a score; -1 before the first score.
    time : float
        LSL time from which the decision holds: that of this sample, or of the latest control message if later.
    scores : array, shape (n_talkers,)
        Scores of the talkers; NaN if a control message alone caused the decision.
    probability : array, shape (n_talkers,)
        Posterior probability that each talker is attended.
    talker : int
        Index of the chosen talker; -1 if undecided.
    gains : array, shape (n_talkers,)
        Target gains in dB; minus infinity is silence.
    ramp_s : float or None
        Duration of the transition to the target gains in seconds; None: the audio engine chooses it.
    situation : str
        Reason for these gains.
    newest_time : float
        LSL time of sample ``newest``; NaN if a control message alone caused the decision.
    """

    newest: int
    time: float
    scores: NDArray[np.float64]
    probability: NDArray[np.float64]
    talker: int
    gains: NDArray[np.float64]
    ramp_s: float | None
    situation: str
    newest_time: float = math.nan


Item = Block | Gap | ClockMap | Marker | TimedControl | Epoch | ChannelQuality | Aligned | Decision

"""What flows through the graph, and the spec that describes a stream of it.

Identity is the sample index: every block says the absolute index of its first sample, every gap says which
samples are missing, and blocks and gaps of one stream follow each other without hole or overlap. When a sample
happened is said by the newest :class:`ClockMap` before it.
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
    """Raised when two nodes do not fit together, or a node does not fit the stream it is given."""


def wiring_error(node: str, key: str, found: object, wanted: str) -> WiringError:
    """Build the one sentence that every refusal before start uses."""
    return WiringError(f"{node}: {key} is {found}, but must be {wanted}")


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What every sample of a stream has in common.

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
        Most samples in a block. None while blocks are cut as they arrived; once set, how the stream is cut
        depends on sample indices and gaps alone.
    delay : float
        Seconds by which the content of a sample lags its index: the pure delay of linear-phase filters, which
        clock maps account for.
    wait : float
        Seconds that the oldest sample of a block has waited for the block to fill.
    group_delay : float
        Seconds by which recursive filters hold back the centre of the band that is left. Clock maps leave it
        alone: it depends on frequency, and a decoder's lags absorb it.
    highpass, lowpass : float or None
        Band that is left, in Hz.
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
        """Seconds from a sample's instant to the moment it can leave, computing time excluded."""
        return self.delay + self.wait + self.group_delay

    def evolve(self, **changes: Any) -> StreamSpec:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def pick(self, indices: list[int]) -> StreamSpec:
        """Return the spec of some of the channels, in the order given."""

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
        The stream's own number format before the reblock node, float64 and finite after it.
    bad : array of bool, shape (n_channels,), or None
        Channels not to be trusted in this block; None means none.
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
        Index of the first sample missing, and after the last one.
    short : bool
        So little is missing that ``reblock`` draws a line from the sample before to the one after, and filters go on.
    """

    start: int
    stop: int
    short: bool = False


@dataclass(frozen=True, slots=True)
class ClockMap:
    """When the content of a sample happened: ``time0 + (index - index0) * period`` in LSL seconds."""

    index0: float
    time0: float
    period: float

    def time(self, index: float) -> float:
        """LSL time of a sample index."""
        return self.time0 + (index - self.index0) * self.period

    def index(self, time: float) -> float:
        """Sample index, not rounded, at an LSL time."""
        return self.index0 + (time - self.time0) / self.period


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at an instant, in LSL seconds of this machine.

    Attributes
    ----------
    time : float
        LSL time in seconds.
    value : str
        What happened.
    """

    time: float
    value: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """Samples around a marker.

    Attributes
    ----------
    marker : Marker
        What the epoch is about.
    start : int
        Absolute index of the first sample.
    data : array, shape (n_samples, n_channels), or None
        None if the epoch could not be had; ``reason`` then says why.
    bad : array of bool, shape (n_channels,), or None
        Channels that were masked in any block of the epoch.
    reason : str
        Why there are no data.
    """

    marker: Marker
    start: int
    data: NDArray[np.float64] | None
    bad: NDArray[np.bool_] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChannelQuality:
    """The verdict on every channel over the window that ended at sample ``stop``.

    Attributes
    ----------
    stop : int
        Index after the last sample judged.
    score : array, shape (n_channels,)
        1 is good, 0 is useless.
    bad : array of bool, shape (n_channels,)
        Channels masked from here on.
    faults : tuple of str
        Per channel, what was found in this window: empty or names joined by ``+``.
    ch_names : tuple of str
        The channels judged, as they were called where they were judged.
    """

    stop: int
    score: NDArray[np.float64]
    bad: NDArray[np.bool_]
    faults: tuple[str, ...]
    ch_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aligned:
    """Neural samples, and what the talkers said at the same instants.

    Attributes
    ----------
    start : int
        Absolute index of the first neural sample.
    neural : array, shape (n_samples, n_channels)
        As it came.
    talkers : array, shape (n_talkers, n_samples, n_features)
        Talker features at the times of the neural samples.
    bad : array of bool, shape (n_channels,), or None
        Neural channels not to be trusted; None means none.
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
    """Who is attended as far as is known, and what shall be heard.

    Attributes
    ----------
    newest : int
        Index of the newest neural sample that a score was made of; -1 if there was none yet.
    time : float
        LSL time from which the decision holds: of that sample, or of the newest control if that is later.
    scores : array, shape (n_talkers,)
        NaN where the decision comes from control alone.
    probability : array, shape (n_talkers,)
        Posterior that each talker is attended.
    talker : int
        The talker decided for; -1 is undecided.
    gains : array, shape (n_talkers,)
        Target gains in dB; minus infinity is silence.
    ramp_s : float or None
        Seconds in which to get there; None leaves it to the audio engine.
    situation : str
        Why gains are what they are, in words.
    newest_time : float
        LSL time of that sample; NaN where the decision comes from control alone.
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

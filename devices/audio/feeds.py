"""Talkers from LSL: resample audio streams to the scene's rate and follow the sound card's clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from earmark.devices.audio.ramp import raised_cosine
from earmark.devices.audio.rings import LiveRing
from earmark.devices.audio.scene import AudioError
from earmark.devices.sources.lsl import open_lsl
from earmark.devices.sources.lsl_description import StreamError
from earmark.devices.sources.source import Arrival
from earmark.pipeline.stream import Block

log = logging.getLogger(__name__)

#: Seconds to search for a stream; minimum sound to wake up for, s.
FIND_S, HOP_S = 10.0, 0.01
#: Duration of a cut (dropped or repeated samples), and of its crossfade, s.
CUT_S, FADE_S = 0.004, 0.004
#: Seconds over which the fill level is averaged before a cut, and its tolerance.
JUDGE_S, OFF_S = 0.5, 0.012


class Feed(Protocol):
    """Fills the ring of a live talker, or of live microphones, from a thread of its own."""

    def start(self) -> None:
        """Start to fill it."""

    def stop(self) -> None:
        """Stop."""


class Drift:
    """Keep the fill of a ring near its target by dropping or repeating 4 ms now and then, with a crossfade.

    Two clocks differ by some 50 ppm: a cut every minute or two. The maximum that can be corrected is 8 in 1000.

    Parameters
    ----------
    ring : LiveRing
        Ring to write to.
    sfreq : float
        Frames per second.
    """

    def __init__(self, ring: LiveRing, sfreq: float) -> None:
        self._ring = ring
        self._cut = round(CUT_S * sfreq)
        self._rise = raised_cosine(round(FADE_S * sfreq))[1:].astype(np.float32)
        self._off = round(OFF_S * sfreq)
        self._judge = round(JUDGE_S * sfreq)
        self._kept = np.zeros((0, ring.n_channels) if ring.n_channels else 0, np.float32)
        self._sum = self._n = 0
        #: Number of cuts that dropped and that repeated samples; samples lost because the ring was full.
        self.n_dropped = self.n_repeated = self.n_lost = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Add samples that arrived."""
        self._sum += self._ring.waiting * len(samples)
        self._n += len(samples)
        samples = np.concatenate([self._kept, samples])
        self._kept = samples[:0]
        if self._n >= self._judge:
            if len(samples) < self._cut + len(self._rise):  # too few samples for a cut
                self._kept = samples
                return
            off = self._sum / self._n - self._ring.target
            if off > self._off:
                samples = self._joined(samples, self._cut)
                self.n_dropped += 1
            elif off < -self._off and self._ring.waiting:
                samples = self._repeated(samples)
                self.n_repeated += 1
            self._sum = self._n = 0
        self.n_lost += len(samples) - self._ring.write(samples)

    def _joined(self, samples: NDArray[np.float32], skip: int) -> NDArray[np.float32]:
        """Drop ``skip`` samples, with a crossfade from before to after them."""
        n, rise = len(self._rise), self._rise_of(samples)
        into = samples[skip : skip + n] * rise + samples[:n] * (1 - rise)
        return np.concatenate([into, samples[skip + n :]])

    def _repeated(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Repeat the first samples, with a crossfade from their end to their beginning."""
        cut, n, rise = self._cut, len(self._rise), self._rise_of(samples)
        again = samples[:n] * rise + samples[cut : cut + n] * (1 - rise)
        return np.concatenate([samples[:cut], again, samples[n:]])

    def _rise_of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._rise if samples.ndim == 1 else self._rise[:, None]


class LslFeed:
    """Receive an LSL stream into a ring: its first channel, or as many as the ring has.

    Parameters
    ----------
    name : str
        Stream name.
    sfreq : float
        The scene's rate, Hz; streams with another rate are resampled.
    ring : LiveRing
        Ring to write to.
    on_event : callable
        Called with a message when the stream is lost or found.

    Raises
    ------
    AudioError
        If there is no such stream, or it is not sound.
    """

    def __init__(self, name: str, sfreq: float, ring: LiveRing, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        try:
            self._inlet = open_lsl(name, self._take, FIND_S)
        except StreamError as error:
            raise AudioError(f"talker from lsl:{name}: {error}") from error
        self._n_channels, n_there = ring.n_channels, self._inlet.description.spec.n_channels
        if n_there < self._n_channels:
            self._inlet.stop()
            raise AudioError(
                f"array: lsl:{name} has {n_there} channels, but the array has {self._n_channels} microphones; choose "
                "the preset or the positions that it was recorded with"
            )
        rate = self._inlet.description.spec.sfreq
        if not 8_000 <= rate <= 192_000:
            self._inlet.stop()
            raise AudioError(f"talker from lsl:{name}: its rate is {rate:g} Hz, but sound has 8000 to 192000 Hz")
        self._hop = round(HOP_S * rate)
        n = max(1, self._n_channels)
        self._resample = None if rate == sfreq else soxr.ResampleStream(rate, sfreq, n, dtype="float32", quality="HQ")
        #: Correction of clock drift, with its counters.
        self.drift = Drift(ring, sfreq)

    def start(self) -> None:
        """Start to receive."""
        self._inlet.start((self._hop,))

    def stop(self) -> None:
        """Stop receiving."""
        self._inlet.stop()

    def _take(self, arrival: Arrival) -> None:
        if isinstance(arrival.item, Block):
            kept = slice(self._n_channels) if self._n_channels else 0
            samples = np.ascontiguousarray(arrival.item.data[:, kept], np.float32)
            if self._resample is not None:
                samples = self._resample.resample_chunk(np.nan_to_num(samples))
            self.drift.push(samples)
        elif isinstance(arrival.item, str):
            self._on_event(arrival.item)

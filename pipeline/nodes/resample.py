"""Node that changes the sampling rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from scipy.signal import firwin, kaiserord

from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Gap, Item, StreamSpec, wiring_error

#: Attenuation of aliases in the pass band, in dB.
ATTENUATION_DB = 60.0
#: Maximum factor of upsampling.
MAX_FACTOR = 100


@dataclass(frozen=True, slots=True)
class ResampleConfig:
    """Settings of :class:`Resample`.

    Attributes
    ----------
    sfreq : float
        New sampling rate in Hz.
    passband_hz : float or None
        Upper limit of the band without aliasing. A lower value makes the filter and its delay shorter. The default is
        the upper limit of an earlier band-pass, but at most 0.4 times the lower of the two rates.
    """

    sfreq: float = 64.0
    passband_hz: float | None = None


class Resample:
    """Change the sampling rate by a ratio of integers, with one linear-phase anti-aliasing filter.

    Output sample ``j`` is computed when input sample ``j * down / up`` (rounded down) has arrived. Output sample 0
    belongs to input sample 0, so gaps do not shift the output grid. The delay of the filter is declared in the spec,
    and clock maps are corrected for it.
    """

    Config = ResampleConfig
    n_inputs = 1

    def __init__(self, config: ResampleConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Compute the ratio and design the filter."""
        if spec.hop is None:
            raise wiring_error(
                "resample", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it"
            )
        if not self.config.sfreq > 0:
            raise wiring_error("resample", "sfreq", self.config.sfreq, "above 0 Hz")
        if self.config.sfreq > MAX_FACTOR * spec.sfreq:
            wanted = f"at most {MAX_FACTOR} times the input's {spec.sfreq:g}"
            raise wiring_error("resample", "sfreq", self.config.sfreq, wanted)
        ratio = Fraction(self.config.sfreq / spec.sfreq).limit_denominator(20_000)
        if abs(float(ratio) * spec.sfreq / self.config.sfreq - 1) > 1e-9:
            raise wiring_error(
                "resample", "sfreq", self.config.sfreq, f"a ratio of integers below 20000 of the input's {spec.sfreq:g}"
            )
        self._up, self._down = ratio.numerator, ratio.denominator
        low_rate = min(self.config.sfreq, spec.sfreq)
        passband = self.config.passband_hz
        if passband is None:
            passband = min(spec.lowpass or np.inf, 0.4 * low_rate)
        if not 0 < passband < low_rate / 2:
            raise wiring_error("resample", "passband_hz", passband, f"above 0 and below {low_rate / 2:g} Hz")
        stopband = low_rate - passband  # aliases of higher frequencies stay above the pass band
        fine_rate = self._up * spec.sfreq
        if ratio == 1:
            n_taps, taps = 1, np.ones(1)  # no filter and no delay
        else:
            n_taps, beta = kaiserord(ATTENUATION_DB, (stopband - passband) / (fine_rate / 2))
            n_taps |= 1  # odd: the delay is an integer at the fine rate
            taps = firwin(n_taps, low_rate / 2, window=("kaiser", beta), fs=fine_rate)
        n_phase = -(-n_taps // self._up)
        padded = np.zeros(n_phase * self._up)
        padded[:n_taps] = taps
        phases = padded.reshape(n_phase, self._up).T  # (phase, tap), newest sample first
        phases /= phases.sum(axis=1, keepdims=True)  # gain 1 at 0 Hz in every phase: an offset has no images
        self._taps = np.ascontiguousarray(phases[:, ::-1])
        self._delay_samples = (n_taps - 1) / 2 / self._up
        self._past = n_phase - 1
        self._buffer = np.zeros((self._past + spec.hop, spec.n_channels))
        self._bad = np.zeros(spec.n_channels, dtype=bool)
        self._settled = False
        return spec.evolve(
            sfreq=self.config.sfreq,
            hop=-(-spec.hop * self._up // self._down),
            delay=spec.delay + self._delay_samples / spec.sfreq,
            lowpass=spec.lowpass if ratio == 1 else min(spec.lowpass or np.inf, passband),
        )

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Resample blocks; convert the indices of gaps, clock maps and channel qualities to the new rate."""
        if isinstance(item, Block):
            yield from self._block(item)
        elif isinstance(item, Gap):
            self._settled = False
            self._bad[:] = False
            yield Gap(self._first_at(item.start), self._first_at(item.stop))
        elif isinstance(item, ClockMap):
            ratio = self._down / self._up
            yield ClockMap(item.index0 / ratio, item.time0 - self._delay_samples * item.period, item.period * ratio)
        elif isinstance(item, ChannelQuality):
            yield replace(item, stop=self._first_at(item.stop))
        else:
            yield item

    def _first_at(self, index: int) -> int:
        """Return the index of the first output whose latest input sample is ``index`` or later."""
        return -(-index * self._up // self._down)

    def _block(self, block: Block) -> Iterator[Block]:
        n, past = len(block.data), self._past
        if not self._settled:
            self._buffer[:past] = block.data[0]
            self._settled = True
        self._buffer[past : past + n] = block.data
        if block.bad is not None:
            self._bad |= block.bad
        first, stop = self._first_at(block.start), self._first_at(block.stop)
        if stop > first:
            y = np.empty((stop - first, self._buffer.shape[1]))
            for row, j in zip(y, range(first, stop), strict=True):
                newest, phase = divmod(j * self._down, self._up)
                at = newest - block.start
                np.matmul(self._taps[phase], self._buffer[at : at + past + 1], out=row)
            yield Block(first, y, self._bad.copy() if self._bad.any() else None)
            self._bad[:] = False
        self._buffer[:past] = self._buffer[n : n + past].copy()

    def state(self) -> State:
        """Return the past input that the filter still needs, and masks not yet output."""
        return {
            "settled": np.array(self._settled),
            "past": self._buffer[: self._past].copy(),
            "bad": self._bad.copy(),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._settled = bool(state["settled"])
        self._buffer[: self._past] = state["past"]
        self._bad[:] = state["bad"]

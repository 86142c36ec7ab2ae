"""Node that computes the high-gamma amplitude of intracranial channels and, optionally, their low-frequency signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin, kaiserord

from earmark.kernels.block_fir import BlockFir
from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, ClockMap, Gap, Item, StreamSpec, wiring_error

#: Attenuation in dB outside the band and its transitions.
ATTENUATION_DB = 40.0


@dataclass(frozen=True, slots=True)
class HighGammaConfig:
    """Settings of :class:`HighGamma`.

    Attributes
    ----------
    low_hz, high_hz : float
        Edges of the band, -6 dB.
    transition_hz : float
        Width of each transition band. A narrower one makes the filter and its delay longer: 20 Hz costs 56 ms.
    below_hz : float or None
        If given, also output the signal of each channel up to this frequency, as additional channels.
    """

    low_hz: float = 70.0
    high_hz: float = 150.0
    transition_hz: float = 20.0
    below_hz: float | None = None


class HighGamma:
    """Amplitude of the analytic signal in a band, in the unit of the input, at the rate of the input.

    One complex linear-phase filter computes the analytic signal of the band without the look-ahead of a Hilbert
    transform. Its delay is exact and declared, and clock maps are corrected for it. A sine of amplitude A inside the
    band gives A. Put a resample node after it.

    With ``below_hz``, channel ``LA1`` becomes ``LA1 high-gamma`` and, after all of these, ``LA1 low``: the signal
    filtered with a low-pass of the same length. Both have the same delay.
    """

    Config = HighGammaConfig
    n_inputs = 1

    def __init__(self, config: HighGammaConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Design the filter."""
        c, nyquist = self.config, spec.sfreq / 2
        if spec.hop is None:
            raise wiring_error(
                "high_gamma", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it"
            )
        if not set(spec.ch_types) <= {"seeg", "ecog"}:
            found = f"channel types {sorted(set(spec.ch_types))}"
            raise wiring_error("high_gamma", "input", found, "seeg or ecog: pick them before it")
        if not c.low_hz < c.high_hz:
            raise wiring_error("high_gamma", "high_hz", c.high_hz, f"above low_hz, {c.low_hz:g} Hz")
        if not c.high_hz < nyquist:
            found = f"{spec.name!r} at {spec.sfreq:g} Hz"
            raise wiring_error(
                "high_gamma", "input", found, f"sampled at more than {2 * c.high_hz:g} Hz to hold {c.high_hz:g} Hz"
            )
        if not 0 < c.transition_hz <= 2 * c.low_hz:
            raise wiring_error("high_gamma", "transition_hz", c.transition_hz, f"above 0, at most {2 * c.low_hz:g} Hz")
        if c.below_hz is not None and not 0 < c.below_hz <= c.low_hz:
            raise wiring_error("high_gamma", "below_hz", c.below_hz, f"above 0, at most low_hz, {c.low_hz:g} Hz")
        n_taps, beta = kaiserord(ATTENUATION_DB, c.transition_hz / nyquist)
        n_taps |= 1
        low = firwin(n_taps, (c.high_hz - c.low_hz) / 2, window=("kaiser", beta), fs=spec.sfreq)
        angle = np.pi * (c.low_hz + c.high_hz) / spec.sfreq * (np.arange(n_taps) - (n_taps - 1) / 2)
        taps = [2 * low * np.cos(angle), 2 * low * np.sin(angle)]
        if c.below_hz is not None:
            taps.append(firwin(n_taps, c.below_hz + c.transition_hz / 2, window=("kaiser", beta), fs=spec.sfreq))
        self._filter = BlockFir(np.array(taps), spec.hop, spec.n_channels)
        if c.below_hz is not None:
            names = tuple(f"{name} {what}" for what in ("high-gamma", "low") for name in spec.ch_names)
            spec = spec.pick([*range(spec.n_channels)] * 2).evolve(ch_names=names)
        self._delay_samples = (n_taps - 1) // 2
        self._settled = False
        return spec.evolve(
            delay=spec.delay + self._delay_samples / spec.sfreq, highpass=0.0, lowpass=c.high_hz - c.low_hz
        )

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Compute the amplitude of blocks; correct clock maps for the delay."""
        if isinstance(item, Block):
            if not self._settled:
                self._filter.settle(item.data[0])
                self._settled = True
            real, imaginary, *below = self._filter(item.data)
            bad = item.bad if item.bad is None or not below else np.tile(item.bad, 2)
            yield Block(item.start, np.concatenate([np.hypot(real, imaginary), *below], axis=1), bad)
        elif isinstance(item, ClockMap):
            yield ClockMap(item.index0, item.time0 - self._delay_samples * item.period, item.period)
        else:
            if isinstance(item, Gap):
                self._settled = False
            yield item

    def state(self) -> State:
        """Return the past input that the filter still needs."""
        return {"settled": np.array(self._settled), "filter": self._filter.state}

    def restore(self, state: State) -> None:
        """Restore the past input."""
        self._settled = bool(state["settled"])
        self._filter.state = state["filter"].astype(np.float64)

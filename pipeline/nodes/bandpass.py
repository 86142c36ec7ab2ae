"""Causal Butterworth band-pass node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter

from earmark.pipeline.iir import Iir
from earmark.pipeline.stream import StreamSpec, wiring_error


@dataclass(frozen=True, slots=True)
class BandpassConfig:
    """Settings of :class:`Bandpass`.

    Attributes
    ----------
    low_hz, high_hz : float
        Corner frequencies, -3 dB.
    order : int
        Order of each edge: order 2 falls by 12 dB per octave on either side.
    """

    low_hz: float = 1.0
    high_hz: float = 9.0
    order: int = 2


class Bandpass(Iir):
    """Band-pass filter from ``low_hz`` to ``high_hz``."""

    Config = BandpassConfig

    def __init__(self, config: BandpassConfig) -> None:
        super().__init__()
        self.config = config

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Return the second-order sections of a Butterworth band-pass, and the spec of the filtered stream."""
        c, nyquist = self.config, spec.sfreq / 2
        if not 0 < c.low_hz < c.high_hz:
            raise wiring_error("bandpass", "low_hz", c.low_hz, f"above 0 and below high_hz, {c.high_hz:g} Hz")
        if not c.high_hz < nyquist:
            raise wiring_error("bandpass", "high_hz", c.high_hz, f"below the Nyquist frequency, {nyquist:g} Hz")
        if not 1 <= c.order <= 8:
            raise wiring_error("bandpass", "order", c.order, "1 to 8")
        sos = butter(c.order, [c.low_hz, c.high_hz], "bandpass", fs=spec.sfreq, output="sos")
        return sos, spec.evolve(
            highpass=max(c.low_hz, spec.highpass or 0.0), lowpass=min(c.high_hz, spec.lowpass or np.inf)
        )

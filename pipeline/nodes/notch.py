"""Node that removes line noise with notch filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import iirnotch

from earmark.pipeline.iir import Iir
from earmark.pipeline.stream import StreamSpec, wiring_error


@dataclass(frozen=True, slots=True)
class NotchConfig:
    """Settings of :class:`Notch`.

    Attributes
    ----------
    line_hz : float
        Line frequency: 50 or 60 Hz.
    harmonics : int
        Number of multiples of ``line_hz``, including the first; those at or above the Nyquist frequency are omitted.
    width_hz : float
        Bandwidth of each notch at -3 dB. A narrower notch rings longer.
    """

    line_hz: float = 50.0
    harmonics: int = 3
    width_hz: float = 2.0


class Notch(Iir):
    """Remove the line frequency and its harmonics, one second-order notch each."""

    Config = NotchConfig

    def __init__(self, config: NotchConfig) -> None:
        super().__init__()
        self.config = config

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Return the second-order sections of the notches below the Nyquist frequency, and the unchanged spec."""
        c, nyquist = self.config, spec.sfreq / 2
        if not 0 < c.line_hz < nyquist:
            raise wiring_error("notch", "line_hz", c.line_hz, f"above 0, below the Nyquist frequency, {nyquist:g} Hz")
        if c.harmonics < 1:
            raise wiring_error("notch", "harmonics", c.harmonics, "at least 1")
        if not 0 < c.width_hz < c.line_hz:
            raise wiring_error("notch", "width_hz", c.width_hz, f"above 0 and below line_hz, {c.line_hz:g} Hz")
        n_most = min(c.harmonics, int(nyquist / c.line_hz))
        multiples = [k * c.line_hz for k in range(1, n_most + 1) if k * c.line_hz + c.width_hz / 2 < nyquist]
        if not multiples:
            raise wiring_error("notch", "width_hz", c.width_hz, f"such that the notch ends below {nyquist:g} Hz")
        return np.array([np.concatenate(iirnotch(f, f / c.width_hz, spec.sfreq)) for f in multiples]), spec

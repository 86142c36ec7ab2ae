"""Node that flattens the spectrum of signals that fall towards high frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.iir import Iir
from earmark.pipeline.stream import StreamSpec, wiring_error


@dataclass(frozen=True, slots=True)
class TiltConfig:
    """Settings of :class:`Tilt`.

    Attributes
    ----------
    corner_hz : float
        Frequency above which the gain rises by 6 dB per octave.
    """

    corner_hz: float = 2.3


class Tilt(Iir):
    """First difference with a leak: ``y[t] = x[t] - exp(-2 pi corner_hz / sfreq) x[t - 1]``.

    EEG and speech envelopes have most of their power at the lowest frequencies. Few periods of these fit in a decision
    window, so a correlation of two such signals scatters much. Of tilted signals, all frequencies contribute.
    """

    Config = TiltConfig

    def __init__(self, config: TiltConfig) -> None:
        super().__init__()
        self.config = config

    def design(self, spec: StreamSpec) -> tuple[NDArray[np.float64], StreamSpec]:
        """Return the difference as a second-order section, and the spec, which does not change."""
        corner = self.config.corner_hz
        if not 0 < corner < spec.sfreq / 2:
            wanted = f"above 0 and below the Nyquist frequency, {spec.sfreq / 2:g} Hz"
            raise wiring_error("tilt", "corner_hz", corner, wanted)
        return np.array([[1.0, -math.exp(-2 * math.pi * corner / spec.sfreq), 0.0, 1.0, 0.0, 0.0]]), spec

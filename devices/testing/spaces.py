"""Check a sound space against :data:`earmark.devices.audio.scene.Directions`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import GAIN_DB, AudioError, Directions
from earmark.devices.audio.space import checked_responses, speech_gain
from earmark.testing.failure import CheckFailed, bits, demand, run_checks

#: Sample rates, Hz, from the lowest to the highest that a sound output has.
RATES = (8_000.0, 16_000.0, 44_100.0, 48_000.0, 192_000.0)
#: Range of the gain straight ahead, and maximum gain of any direction at one ear, 0.5 to 4 kHz.
AHEAD, LOUDEST = (0.5, 2.0), 10 ** (GAIN_DB[1] / 20)


def check_space(space: Directions) -> None:
    """Check the function of a space, at sample rates from 8 to 192 kHz.

    Parameters
    ----------
    space : callable
        Returns azimuths and impulse responses for a sample rate in Hz.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    if isinstance(space, type) or not callable(space):
        raise CheckFailed(
            f"check_space: it was given {space!r}, but needs a function of the sample rate that returns azimuths and "
            "impulse responses: check_space(my_space)"
        )
    check = _Check(space)
    run_checks((check.gives_responses, check.repeats_itself, check.has_sensible_gains), lambda: check.name)


class _Check:
    def __init__(self, space: Directions) -> None:
        self.space, self.name = space, getattr(space, "__name__", type(space).__name__)

    def demand(self, fine: object, found: str) -> None:
        demand(fine, self.name, found)

    def gives_responses(self) -> None:
        self.found: dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for rate in RATES:
            try:
                self.found[rate] = checked_responses(self.space, rate)
            except (AudioError, TypeError, ValueError) as error:
                raise CheckFailed(f"{self.name}: at {rate:g} Hz, {error}") from error
            azimuths = self.found[rate][0]
            self.demand(
                (np.abs(azimuths) <= 180).all(), f"at {rate:g} Hz, azimuths are not all within -180 to 180 degrees"
            )

    def repeats_itself(self) -> None:
        for rate, found in self.found.items():
            again = checked_responses(self.space, rate)
            same = all(bits(one) == bits(other) for one, other in zip(again, found, strict=True))
            self.demand(same, f"called again at {rate:g} Hz, it gives others: the sound could not be rendered again")

    def has_sensible_gains(self) -> None:
        for rate, (azimuths, responses) in self.found.items():
            ahead = speech_gain(responses[np.abs(azimuths).argmin()], rate)
            low, high = AHEAD
            self.demand(
                low <= ahead <= high,
                f"at {rate:g} Hz, the gain straight ahead is {ahead:.3g} from 0.5 to 4 kHz, but must be about 1 "
                f"({low:g} to {high:g})",
            )
            for azimuth, pair in zip(azimuths, responses, strict=True):
                ears = [speech_gain(ear, rate) for ear in pair]
                self.demand(max(ears) > 0, f"at {rate:g} Hz, a talker at {azimuth:g} degrees is silent")
                self.demand(
                    max(ears) <= LOUDEST,
                    f"at {rate:g} Hz, a talker at {azimuth:g} degrees has a gain of {max(ears):.3g} at one ear, but "
                    f"must have at most {LOUDEST:.3g}",
                )

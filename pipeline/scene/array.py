"""Arrays of microphones: where they are, and how they hear a direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.scene.errors import SceneError

#: Speed of sound in m/s.
SOUND = 343.0
#: Greatest distance of a microphone from the origin in metres; beyond it somebody gave other units.
MAX_DISTANCE = 2.0


@dataclass(frozen=True)
class Responses:
    """Measured impulse responses from directions to microphones.

    Parameters
    ----------
    azimuths : array, shape (n_azimuths,)
        Azimuths in degrees, ascending, to the right positive.
    taps : array, shape (n_azimuths, n_mics, n_taps)
        Impulse responses. Common delays and levels do not matter.
    sfreq : float
        Their sampling rate in Hz.
    """

    azimuths: NDArray[np.float64]
    taps: NDArray[np.float64]
    sfreq: float


class Array:
    """Microphones that hear one mixture.

    Azimuths are in degrees: 0 is in front, 90 to the right.

    Parameters
    ----------
    positions : array, shape (n_mics, 3)
        Positions in metres: to the right, to the front, up.
    reference : int
        Microphone whose phase steering vectors refer to.
    ears : tuple of int
        Microphone of the left and of the right ear.
    span : tuple of float
        Range of azimuths where talkers are looked for. Microphones in a row, and pairs at both ears, cannot tell front
        from back: (-90, 90) takes the front.
    responses : Responses, optional
        What was measured; plane waves in the open if not given.

    Raises
    ------
    SceneError
        If positions, reference, ears, span or responses are not as described.
    """

    def __init__(
        self,
        positions: NDArray[np.float64],
        reference: int = 0,
        ears: tuple[int, int] = (0, 1),
        span: tuple[float, float] = (-180.0, 180.0),
        responses: Responses | None = None,
    ) -> None:
        try:
            self.positions = np.array(positions, np.float64)
        except (TypeError, ValueError) as error:
            raise SceneError(f"array: positions are {positions!r}, but must be numbers: {error}") from error
        self.reference, self.ears, self.span, self.responses = reference, ears, span, responses
        shape = self.positions.shape
        if self.positions.ndim != 2 or shape[1] != 3 or shape[0] < 2:
            raise SceneError(
                f"array: positions have shape {shape}, but must have (n_mics, 3) with at least 2 microphones: "
                "one microphone cannot tell directions apart"
            )
        if not np.isfinite(self.positions).all() or np.abs(self.positions).max() > MAX_DISTANCE:
            raise SceneError(
                f"array: positions must be finite and within {MAX_DISTANCE:g} m of the origin: give metres"
            )
        apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=2) + np.eye(self.n_mics)
        if apart.min() < 1e-4:
            raise SceneError("array: two microphones are at the same place: leave one out")
        if not 0 <= reference < self.n_mics:
            raise SceneError(f"array: the reference is microphone {reference}, but must be 0 to {self.n_mics - 1}")
        if len(ears) != 2 or not all(0 <= ear < self.n_mics for ear in ears):
            raise SceneError(f"array: ears are {ears}, but must be two microphones from 0 to {self.n_mics - 1}")
        low, high = span
        if not -180 <= low < high <= 180:
            raise SceneError(f"array: the span is {low} to {high} degrees, but must rise within -180 to 180")
        if responses is not None:
            _check(responses, self.n_mics)

    @property
    def n_mics(self) -> int:
        """Number of microphones."""
        return len(self.positions)

    def steering(self, azimuths: NDArray[np.float64], frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return how the microphones hear directions.

        Parameters
        ----------
        azimuths : array, shape (n_directions,)
            Finite azimuths in degrees. Of measured responses, the nearest counts.
        frequencies : array, shape (n_bins,)
            Frequencies in Hz.

        Returns
        -------
        vectors : array, shape (n_bins, n_mics, n_directions)
            Transfer functions with a mean power of one over microphones and real at the reference.
        """
        return Steering(self, frequencies)(azimuths)

    def diffuse(self, frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the coherence of sound from everywhere, shape (n_bins, n_mics, n_mics).

        For plane waves it is that of the sphere, for measured responses the mean over the directions measured.
        """
        if self.responses is None:
            apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=2)
            coherence = np.sinc(2 * np.asarray(frequencies)[:, None, None] * apart / SOUND)
            return np.asarray(coherence, np.complex128)
        heard = Steering(self, frequencies)(self.responses.azimuths)
        return np.asarray(heard @ heard.conj().swapaxes(1, 2) / heard.shape[2])


class Steering:
    """How an array hears directions at fixed frequencies, see :meth:`Array.steering`; computed where it can be before.

    Parameters
    ----------
    array : Array
    frequencies : array, shape (n_bins,)
        Frequencies in Hz.
    """

    def __init__(self, array: Array, frequencies: NDArray[np.float64]) -> None:
        frequencies = np.asarray(frequencies, np.float64)
        self._measured = array.responses
        if array.responses is None:
            self._early = (array.positions - array.positions[array.reference]) / SOUND
            self._turn = 2j * np.pi * frequencies[:, None, None]
        else:
            taps = np.asarray(array.responses.taps)
            wave = np.exp(-2j * np.pi * np.outer(frequencies / array.responses.sfreq, np.arange(taps.shape[2])))
            self._table = _normalized(np.einsum("ft,kmt->fmk", wave, taps), array.reference)

    def __call__(self, azimuths: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the vectors of finite azimuths in degrees, shape (n_bins, n_mics, n_directions)."""
        azimuths = np.atleast_1d(np.asarray(azimuths, np.float64))
        if self._measured is None:
            angle = np.deg2rad(azimuths)
            towards = np.stack([np.sin(angle), np.cos(angle), np.zeros_like(angle)])
            return np.asarray(np.exp(self._turn * (self._early @ towards)))
        apart = (azimuths[:, None] - self._measured.azimuths + 180) % 360 - 180
        return np.asarray(self._table[:, :, np.abs(apart).argmin(axis=1)])


def _normalized(heard: NDArray[np.complex128], reference: int) -> NDArray[np.complex128]:
    level = np.sqrt(np.mean(np.abs(heard) ** 2, axis=1, keepdims=True))
    phase = np.exp(-1j * np.angle(heard[:, reference : reference + 1]))
    return np.asarray(heard * phase / np.maximum(level, 1e-12))


def _check(responses: Responses, n_mics: int) -> None:
    azimuths, taps = np.asarray(responses.azimuths), np.asarray(responses.taps)
    n = len(azimuths) if azimuths.ndim == 1 else 0
    for fine, what in (
        (
            n > 1 and taps.ndim == 3 and taps.shape[:2] == (n, n_mics),
            f"be azimuths (n,) and taps (n, {n_mics}, n_taps)",
        ),
        (np.isfinite(azimuths).all() and np.isfinite(taps).all(), "be finite"),
        (n > 1 and np.all(np.diff(azimuths) > 0), "have ascending azimuths"),
        (np.isfinite(responses.sfreq) and responses.sfreq > 0, "have a rate above 0 Hz"),
    ):
        if not fine:
            raise SceneError(
                f"array: measured responses have azimuths {azimuths.shape} and taps {taps.shape} at "
                f"{responses.sfreq} Hz, but must {what}"
            )


_CIRCLE = np.deg2rad(np.arange(6) * 60.0)
#: Usual arrays by name: positions, reference, ears, span. Heads are left out: they are arrays in the open.
PRESETS: dict[str, Array] = {
    # Four microphones along the front of glasses, two on the temples.
    "glasses6": Array(
        np.array(
            [[-0.07, 0.09, 0], [-0.025, 0.095, 0], [0.025, 0.095, 0], [0.07, 0.09, 0], [-0.08, 0, 0], [0.08, 0, 0]]
        ),
        ears=(4, 5),
    ),
    # Two hearing aids behind the ears, each with a front and a rear microphone 15 mm apart.
    "aids4": Array(
        np.array([[-0.09, 0.0075, 0], [-0.09, -0.0075, 0], [0.09, 0.0075, 0], [0.09, -0.0075, 0]]),
        ears=(0, 2),
        span=(-90.0, 90.0),
    ),
    # One microphone at each ear.
    "ears2": Array(np.array([[-0.09, 0, 0], [0.09, 0, 0]]), span=(-90.0, 90.0)),
    # A ring of six on a table; the outermost to the left and to the right stand for the ears.
    "table": Array(0.0463 * np.stack([np.cos(_CIRCLE), np.sin(_CIRCLE), np.zeros(6)], axis=1), ears=(3, 0)),
}


def preset(name: str) -> Array:
    """Return an array by its name in :data:`PRESETS`.

    Raises
    ------
    SceneError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise SceneError(f"array: there is no preset {name!r}: choose {', '.join(PRESETS)}, or give positions")
    return PRESETS[name]

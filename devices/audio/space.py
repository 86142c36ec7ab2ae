"""Place talkers in space: one pair of impulse responses per talker, for every kind of space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.ramp import raised_cosine
from earmark.devices.audio.scene import SPACES, AudioError, Directions, Prepared
from earmark.pipeline.registry import RegistryError

#: Duration of the crossfade from one position to another, s.
MOVE_S = 0.03
#: Head radius in m and speed of sound in m/s.
_RADIUS, _SOUND = 0.0875, 343.0
#: Taps on either side of the centre of a fractional delay.
_SINC_HALF = 16


#: Most taps of an impulse response: half a second at 48 kHz.
MAX_TAPS = 24_000


def impulse_responses(space: str, sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return azimuths and impulse responses of a space at a rate, as :data:`earmark.devices.audio.scene.SPACES` says.

    Raises
    ------
    AudioError
        If the space cannot be loaded, or gives something else.
    """
    try:
        return checked_responses(SPACES.get(space), sfreq)
    except (RegistryError, TypeError, ValueError) as error:
        raise AudioError(f"audio: space {space!r}: {error}") from error


def checked_responses(space: Directions, sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return azimuths and impulse responses of the function of a space at a rate.

    Raises
    ------
    ValueError
        If they are not as :data:`earmark.devices.audio.scene.Directions` says.
    """
    azimuths, responses = (np.asarray(one, np.float64) for one in space(sfreq))
    n = len(azimuths) if azimuths.ndim == 1 else 0
    for fine, what in (
        (n > 0 and responses.shape == (n, 2, responses.shape[-1]), "azimuths (n,) and responses (n, 2, n_taps)"),
        (0 < responses.shape[-1] <= MAX_TAPS, f"1 to {MAX_TAPS} taps"),
        (np.isfinite(azimuths).all() and np.isfinite(responses).all(), "finite values"),
        (np.all(np.diff(azimuths) > 0), "ascending azimuths"),
    ):
        if not fine:
            raise ValueError(
                f"it gives azimuths {azimuths.shape} and responses {responses.shape}, but must give {what}: "
                "check_space of earmark.testing gives details"
            )
    return azimuths, responses


def left_right(sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gains of both ears at constant power."""
    azimuths = np.arange(-90.0, 91.0)
    turn = np.deg2rad(azimuths + 90) / 2
    return azimuths, np.stack([np.cos(turn), np.sin(turn)], axis=1)[:, :, None]


def itd_ild(sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return responses of a rigid sphere: delays and differences in level."""
    azimuths = np.arange(-90.0, 91.0)
    return azimuths, spherical_head(azimuths, sfreq)


def spherical_head(azimuths: NDArray[np.float64], sfreq: float) -> NDArray[np.float64]:
    """Time and level differences of a rigid sphere with ears at its sides, shape (n_azimuths, 2, n_taps).

    The time difference is Woodworth's, [1]_; the head shadow is the filter with one pole and one zero of [2]_. The
    gain straight ahead is 1 between 0.5 and 4 kHz.

    References
    ----------
    .. [1] Woodworth & Schlosberg 1954, Experimental Psychology, pp. 349-361.
    .. [2] Brown & Duda 1998, IEEE Trans. Speech Audio Process. 6(5), doi:10.1109/89.709673, eq. 2 and 3.
    """
    angle = np.deg2rad(azimuths)
    itd = _RADIUS / _SOUND * (angle + np.sin(angle)) * sfreq  # delay of the left ear in frames
    n_taps = 2 * _SINC_HALF + round(0.0025 * sfreq)  # the shadow decays with a time constant of 0.13 ms
    centre = _SINC_HALF + np.stack([itd, -itd], axis=1)[:, :, None].clip(0)  # no delay at the near ear
    at = np.arange(n_taps) - centre
    delayed = np.sinc(at) * np.where(np.abs(at) < _SINC_HALF, 0.5 + 0.5 * np.cos(np.pi * at / _SINC_HALF), 0.0)
    # Angle between source and ear axis, left and right; the shadow is deepest at 150 degrees.
    incidence = np.stack([90 + azimuths, 90 - azimuths], axis=1)
    alpha = 1.05 + 0.95 * np.cos(np.deg2rad(incidence / 150 * 180))
    rate = _SOUND / _RADIUS / sfreq  # bilinear transform of (alpha s + 2 c / a) / (s + 2 c / a)
    responses = np.empty_like(delayed)
    x1, y1 = np.zeros(alpha.shape), np.zeros(alpha.shape)
    for tap in range(n_taps):
        x0 = delayed[:, :, tap]
        y1 = ((rate + alpha) * x0 + (rate - alpha) * x1 + (1 - rate) * y1) / (1 + rate)
        responses[:, :, tap], x1 = y1, x0
    ahead = responses[np.abs(azimuths).argmin()]
    return np.asarray(responses / speech_gain(ahead, sfreq))


def speech_gain(responses: NDArray[np.float64], sfreq: float) -> float:
    """Root-mean-square gain between 0.5 and 4 kHz of impulse responses, shape (..., n_taps)."""
    spectrum = np.fft.rfft(responses, 4096)
    frequency = np.fft.rfftfreq(4096, 1 / sfreq)
    within = (frequency >= 500) & (frequency <= min(4000, 0.45 * sfreq))
    return float(np.sqrt(np.mean(np.abs(spectrum[..., within]) ** 2)))


def nearest(azimuths: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index of the measured direction nearest to each wanted one."""
    return np.asarray(np.abs(azimuths - np.asarray(wanted)[:, None]).argmin(axis=1))


class Space:
    """Convolve each talker with the responses of the nearest direction, and sum.

    Overlap-save with transforms of a fixed length: one forward transform per talker, products summed over talkers, one
    inverse transform per ear. When talkers move, both positions are computed for 30 ms and crossfaded; a move
    requested meanwhile waits for the end, and of several the last one counts.

    Parameters
    ----------
    prepared : Prepared
        Scene with the impulse responses.
    azimuths : array, shape (n_talkers,)
        Initial azimuths.
    """

    def __init__(self, prepared: Prepared, azimuths: NDArray[np.float64]) -> None:
        self._azimuths, responses = prepared.hrir_azimuths, prepared.hrir
        self._n_past = responses.shape[2] - 1
        size = 1 << (prepared.scene.block + self._n_past - 1).bit_length()
        self._size, self._room = size, size - self._n_past
        self._spectra = np.fft.rfft(responses, size)  # (azimuth, ear, frequency)
        self._x = np.zeros((len(azimuths), size))
        self._rise = raised_cosine(round(MOVE_S * prepared.scene.sfreq))[1:]
        self._moved = len(self._rise)
        self._now = nearest(self._azimuths, azimuths)
        self._wanted = self._now
        self._old = self._new = self._spectra[self._now]

    def place(self, azimuths: NDArray[np.float64], at_once: bool = False) -> None:
        """Move talkers to finite azimuths, shape (n_talkers,); without a crossfade if ``at_once``."""
        self._wanted = nearest(self._azimuths, azimuths)
        self._move()
        if at_once:
            self._moved = len(self._rise)

    def _move(self) -> None:
        if self._moved == len(self._rise) and not np.array_equal(self._wanted, self._now):
            self._now, self._old, self._moved = self._wanted, self._new, 0
            self._new = self._spectra[self._now]

    def process(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Render the next frames, shape (n_talkers, n_frames); return both ears, shape (2, n_frames)."""
        n_frames = x.shape[1]
        out = np.empty((2, n_frames))
        done = 0
        while done < n_frames:
            left = len(self._rise) - self._moved
            n = min(n_frames - done, self._room, left or n_frames)
            self._x[:, self._n_past : self._n_past + n] = x[:, done : done + n]
            spectrum = np.fft.rfft(self._x)[:, None]  # samples after the new frames wrap to before them
            y = self._ears(spectrum * self._new, n)
            if left:
                rise = self._rise[self._moved : self._moved + n]
                y = y * rise + self._ears(spectrum * self._old, n) * (1 - rise)
                self._moved += n
                self._move()
            out[:, done : done + n] = y
            self._x[:, : self._n_past] = self._x[:, n : n + self._n_past]
            done += n
        return out

    def _ears(self, spectra: NDArray[np.complex128], n: int) -> NDArray[np.float64]:
        return np.fft.irfft(spectra.sum(axis=0), self._size)[:, self._n_past : self._n_past + n]

"""Feedback from the ears to the microphones: find a howl, and turn everything down until it has died away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.scene.transform import Framing

#: Lowest frequency of a howl, Hz: below, the first harmonic of a voice may hold nearly all of its power. And lowest
#: frequency that counts, Hz: below is hum.
LOWEST_HZ, HUM_HZ = 600.0, 240.0
#: A tone holds this share of the power within three frequencies, for this long, s, and has this amplitude, dBFS.
SHARE, LASTS_S, LEAST_DBFS = 0.9, 0.2, -30.0
#: By how much everything is turned down, dB; time in which it is, s; time that it stays so after the tone, s; and time
#: in which it comes back, s.
DUCK_DB, FALL_S, HOLD_S, RISE_S = -24.0, 0.02, 1.0, 5.0


class HowlGuard:
    """Turn the output down while one frequency of the microphones holds nearly all of the power.

    A howl is a tone that stays: speech moves on or has harmonics within 0.2 s. A tone of another source, as a whistle
    or a flute, is taken for a howl, too. It costs nothing but level: the gain falls within 20 ms and returns within
    5 s. The power at the ears' microphones is looked at, before any gain. Of the criteria in [1]_ these are the ratio
    of the peak to the rest, and persistence.

    Parameters
    ----------
    framing : Framing

    References
    ----------
    .. [1] van Waterschoot & Moonen 2011, Proc. IEEE 99(2), doi:10.1109/JPROC.2010.2090998, section V.
    """

    def __init__(self, framing: Framing) -> None:
        hum, lowest = np.searchsorted(framing.frequencies, [HUM_HZ, LOWEST_HZ])
        self._hum, self._lowest = int(hum), max(1, int(lowest - hum))
        hop_s = framing.hop / framing.sfreq
        self._lasts, self._hold = round(LASTS_S / hop_s), round(HOLD_S / hop_s)
        self._fall, self._rise = DUCK_DB * hop_s / FALL_S, -DUCK_DB * hop_s / RISE_S
        # A sine of amplitude 1 has a power of window**2 / 8 in its three bins, with the root of a Hann window.
        self._least = 10 ** (LEAST_DBFS / 10) * framing.window**2 / 8
        #: Number of howls found.
        self.n_found = 0
        self._peak, self._steady, self._left, self._gain_db = -9, 0, 0, 0.0

    @property
    def gain_db(self) -> float:
        """Gain at the end of the newest hop, dB; 0 without a howl."""
        return self._gain_db

    def update(self, spectra: NDArray[np.complex64]) -> tuple[float, float]:
        """Take in the newest spectra of the ears' microphones, shape (2, n_bins).

        Returns
        -------
        first, last : float
            Gain at the beginning and at the end of the hop, as a factor; both exactly 1 without a howl.
        """
        before = self._gain_db
        self._steady = self._steady + 1 if self._is_tone(spectra) else 0
        if self._steady >= self._lasts:
            self.n_found += self._left == 0
            self._left = self._hold
        elif self._left:
            self._left -= 1
        step = self._fall if self._left else self._rise
        self._gain_db = min(max(before + step, DUCK_DB), 0.0)
        return 10 ** (before / 20), 10 ** (self._gain_db / 20)

    def _is_tone(self, spectra: NDArray[np.complex64]) -> bool:
        """Whether one frequency holds nearly all of the power, and is that at which the tone began."""
        with np.errstate(all="ignore"):
            power = np.square(np.abs(spectra[:, self._hum :]), dtype=np.float64).mean(axis=0)
            total = float(power.sum())
        if not self._least <= total < np.inf:  # NaN, too
            return False
        peak = int(power[self._lowest :].argmax()) + self._lowest
        tone = float(power[peak - 1 : peak + 2].sum()) >= SHARE * total
        if tone and abs(peak - self._peak) <= 1:
            return True
        self._peak = peak  # where another tone may begin
        return False

    def reset(self) -> None:
        """Forget what was heard; the count stays."""
        self._peak, self._steady, self._left, self._gain_db = -9, 0, 0, 0.0

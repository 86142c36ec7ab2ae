"""The last stage before the ears: no sample exceeds the ceiling, whatever the input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import HARD_CEILING_DBFS, Scene

#: Reduction below which the limiter counts as idle; 1e-12 of the signal is inaudible.
_REST = 1e-12


def ceiling(scene: Scene) -> float:
    """Return the maximum output magnitude, as a number that float32 holds exactly."""
    level = 10 ** (min(scene.ceiling_dbfs, HARD_CEILING_DBFS) / 20)
    single = np.float32(level)
    return float(single if float(single) <= level else np.nextafter(single, np.float32(0)))


def smoothing_taps(scene: Scene) -> NDArray[np.float64]:
    """Return the window that smooths the gain over the look-ahead, with sum 1; its length minus 1 is the delay."""
    taps = np.hanning(round(scene.lookahead_s * scene.sfreq) + 3)[1:-1]
    return np.asarray(taps / taps.sum())


class Limiter:
    """Look-ahead limiter with the same gain for both channels, followed by a clip.

    Each frame needs a reduction, ``1 - ceiling / peak``. The maximum within the look-ahead is held, decays with the
    release time, and is smoothed by a window as long as the look-ahead. The result is a weighted mean of values that
    are all at least what the current frame needs, so the ceiling holds before the clip.
    """

    def __init__(self, scene: Scene) -> None:
        self._ceiling = ceiling(scene)
        self._taps = smoothing_taps(scene)
        self.delay = len(self._taps) - 1
        self._decay = 1 / (scene.release_s * scene.sfreq)  # of the log reduction, per frame
        self._late = np.zeros((2, self.delay))
        self._asked = np.zeros(self.delay)
        self._held = np.zeros(self.delay)
        #: Maximum reduction in the last call, dB.
        self.reduction_db = 0.0

    def process(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Limit the next frames, shape (2, n_frames), finite; the output is ``delay`` frames late."""
        n = x.shape[1]
        line = np.concatenate([self._late, x], axis=1)
        y = line[:, :n].copy()
        self._late = line[:, n:]
        self.reduction_db = 0.0
        peak = np.abs(x).max(axis=0)
        # The held maximum covers everything needed within the look-ahead.
        if not n or (peak.max() <= self._ceiling and not self._held.any()):
            return y
        asked = np.concatenate([self._asked, 1 - self._ceiling / np.maximum(peak, self._ceiling)])
        fade = np.exp(-self._decay * np.arange(1, n + 1))
        held = np.maximum.accumulate(np.maximum(_largest(asked, self.delay + 1) / fade, self._held[-1])) * fade
        held[held < _REST] = 0
        held = np.concatenate([self._held, held])
        reduction = np.convolve(held, self._taps, "valid")
        self._asked, self._held = asked[n:], held[n:]
        y *= 1 - reduction
        np.clip(y, -self._ceiling, self._ceiling, out=y)
        self.reduction_db = float(-20 * np.log10(1 - min(reduction.max(), 1 - 1e-15)))
        return y


def _largest(x: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the maximum of each ``width`` neighbours, shape (len(x) - width + 1,)."""
    done = 1  # windows grow by joining two of the same width
    while 2 * done <= width:
        x = np.maximum(x[done:], x[:-done])
        done *= 2
    rest = width - done
    return np.maximum(x[rest:], x[: len(x) - rest]) if rest else x

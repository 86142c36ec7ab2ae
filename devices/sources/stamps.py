"""Repair time stamps: missing, broken and equal ones; and hold samples whose position is not yet decided."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Stamps beyond this value are invalid.
ABSURD_S = 1e11
#: Maximum share of the first stamps that may be broken.
BROKEN = 0.2
#: A stamp that deviates by more than this share of a period was not derived by counting from the previous one.
STAMPED = 0.05
#: A jump beyond this many seconds may be a step of the sender's clock; a shorter one of whole periods is a loss.
STEP_S = 0.1


class Rows:
    """Samples that wait for their position: data, original stamps, and stamps in the time of this machine.

    ``came`` has shape (n_samples, 3). It holds for each sample the pause before its chunk beyond the chunk's
    duration, the delay of the chunk's arrival after its stamp, and a chunk number.
    """

    def __init__(
        self, data: NDArray[Any], raw: NDArray[np.float64], stamps: NDArray[np.float64], came: NDArray[np.float64]
    ) -> None:
        self.data, self.raw, self.stamps, self.came = data, raw, stamps, came

    def followed_by(self, other: Rows) -> Rows:
        """Return these samples followed by ``other``."""
        mine, its = (self.data, self.raw, self.stamps, self.came), (other.data, other.raw, other.stamps, other.came)
        return Rows(*(np.concatenate(pair) for pair in zip(mine, its, strict=True)))

    def after(self, n: int) -> Rows:
        """Return all samples except the first ``n``."""
        return Rows(self.data[n:], self.raw[n:], self.stamps[n:], self.came[n:])

    def wait_less(self, start: int, seconds: float) -> None:
        """Subtract ``seconds`` of a gap from the pause before the chunk at row ``start``: the gap explains them."""
        pauses = self.came[start:, 0]
        pauses[pauses == pauses[0]] -= seconds


def level(off: NDArray[np.float64], tolerance: float) -> float:
    """Return the size of a lasting jump of the stamps: the median of the stamps nearest to the old line."""
    nearest = np.abs(off).min()
    return float(np.median(off[np.abs(off) <= nearest + tolerance]))


def whole_periods(periods: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which values are whole numbers of periods, at least 1, within the tolerance for a wrong nominal rate."""
    off = np.abs(periods - np.round(periods))
    return np.asarray((periods > 1 / 2) & (off <= 2 * STAMPED + 0.01 * np.abs(periods)))


def filled(stamps: NDArray[np.float64], period: float, before: float | None, otherwise: float) -> NDArray[np.float64]:
    """Replace invalid stamps by values extrapolated from the valid stamps before them."""
    sane, rows = np.abs(stamps) < ABSURD_S, np.arange(len(stamps))
    if before is None:  # extrapolate back from the first valid stamp
        first = int(np.argmax(sane))
        before = float(stamps[first]) - first * period if sane.any() else otherwise
    newest = np.maximum.accumulate(np.where(sane, rows, -1))
    since = np.where(newest < 0, before, stamps[newest])
    return np.where(sane, stamps, since + (rows - np.maximum(newest, 0)) * period)


def unbroken(stamps: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Replace a few stamps that lie far from the others, if the first and the last stamp do not."""
    off = stamps - np.arange(len(stamps)) * period
    broken = np.abs(off - np.median(off)) > STEP_S
    if broken[0] or broken[-1] or not 0 < np.count_nonzero(broken) < BROKEN * len(stamps):
        return stamps
    return filled(np.where(broken, np.nan, stamps), period, None, 0.0)


def spread_equal(stamps: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Spread runs of equal stamps: some senders give a whole chunk the stamp of its last sample, as LSL does."""
    same = np.diff(stamps) == 0
    if not same.any():
        return stamps
    ends = np.flatnonzero(np.append(~same, True))
    rows = np.arange(len(stamps))
    end = ends[np.searchsorted(ends, rows)]
    return np.asarray(stamps[end] - (end - rows) * period)

"""Stamps as they come from senders: equal ones, broken ones, and samples that wait until it is clear what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Stamps beyond this are none.
ABSURD_S = 1e11
#: Share of the first stamps that may be broken.
BROKEN = 0.2
#: Stamps that are off by more than this share of a period were not counted on from the one before.
STAMPED = 0.05
#: Jumps of the stamps beyond this many seconds may be a step of the sender's clock; below, whole periods are a loss.
STEP_S = 0.1


class Rows:
    """Samples that wait to be placed: as they came, with their stamps as they came and brought to this machine's clock.

    ``came`` says of each how much longer than it lasts its chunk was waited for, how much later than stamped that came,
    and a number of the chunk, shape (n_samples, 3).
    """

    def __init__(
        self, data: NDArray[Any], raw: NDArray[np.float64], stamps: NDArray[np.float64], came: NDArray[np.float64]
    ) -> None:
        self.data, self.raw, self.stamps, self.came = data, raw, stamps, came

    def followed_by(self, other: Rows) -> Rows:
        """Return these samples and those after them."""
        mine, its = (self.data, self.raw, self.stamps, self.came), (other.data, other.raw, other.stamps, other.came)
        return Rows(*(np.concatenate(pair) for pair in zip(mine, its, strict=True)))

    def after(self, n: int) -> Rows:
        """Return all but the first samples."""
        return Rows(self.data[n:], self.raw[n:], self.stamps[n:], self.came[n:])

    def wait_less(self, start: int, seconds: float) -> None:
        """A gap accounts for a pause: what follows in the same chunk has that much less of it."""
        pauses = self.came[start:, 0]
        pauses[pauses == pauses[0]] -= seconds


def level(off: NDArray[np.float64], tolerance: float) -> float:
    """How far stamps have jumped for good: what lies nearest to the old line, without its scatter."""
    nearest = np.abs(off).min()
    return float(np.median(off[np.abs(off) <= nearest + tolerance]))


def whole_periods(periods: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of these are whole numbers from 1 on, give or take what a wrong nominal rate makes of them."""
    off = np.abs(periods - np.round(periods))
    return np.asarray((periods > 1 / 2) & (off <= 2 * STAMPED + 0.01 * np.abs(periods)))


def filled(stamps: NDArray[np.float64], period: float, before: float | None, otherwise: float) -> NDArray[np.float64]:
    """Put what the stamps around them suggest in the place of stamps that are none."""
    sane, rows = np.abs(stamps) < ABSURD_S, np.arange(len(stamps))
    if before is None:  # as the first good one says
        first = int(np.argmax(sane))
        before = float(stamps[first]) - first * period if sane.any() else otherwise
    newest = np.maximum.accumulate(np.where(sane, rows, -1))
    since = np.where(newest < 0, before, stamps[newest])
    return np.where(sane, stamps, since + (rows - np.maximum(newest, 0)) * period)


def unbroken(stamps: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Take out what few stamps are nowhere near the others, if those before and after them are."""
    off = stamps - np.arange(len(stamps)) * period
    broken = np.abs(off - np.median(off)) > STEP_S
    if broken[0] or broken[-1] or not 0 < np.count_nonzero(broken) < BROKEN * len(stamps):
        return stamps
    return filled(np.where(broken, np.nan, stamps), period, None, 0.0)


def spread_equal(stamps: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Spread runs of equal stamps, which some senders give to a whole chunk: LSL stamps its last sample."""
    same = np.diff(stamps) == 0
    if not same.any():
        return stamps
    ends = np.flatnonzero(np.append(~same, True))
    rows = np.arange(len(stamps))
    end = ends[np.searchsorted(ends, rows)]
    return np.asarray(stamps[end] - (end - rows) * period)

"""Reduces signals to the minimum and maximum per pixel column, and draws these as bars in an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Number of columns drawn at a time, which limits memory use.
_CHUNK = 128


class Bars(NamedTuple):
    """Complete columns.

    Attributes
    ----------
    first : int
        Index of the first column, counted from sample 0.
    low, high : array, shape (n, n_channels)
        Minimum and maximum of each column; NaN where no samples arrived.
    """

    first: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Columns:
    """Divides a stream of samples into pixel columns.

    Sample ``i`` belongs to column ``i * n_columns // n_samples``, however the stream is split into blocks, so a redraw
    gives the same picture. If there are more columns than samples, columns in between are interpolated linearly.

    Parameters
    ----------
    n_samples, n_columns : int
        Numbers of samples and columns of one sweep.
    """

    def __init__(self, n_samples: int, n_columns: int) -> None:
        self.n_samples, self.n_columns = n_samples, n_columns
        self._next = -1
        #: Samples of the incomplete column; if there are more columns than samples, the newest sample.
        self._rest: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def column(self, index: int) -> int:
        """Return the column of a sample."""
        return index * self.n_columns // self.n_samples

    def add(self, start: int, data: NDArray[np.float32]) -> Bars:
        """Add samples from index ``start``, shape (n, n_channels); return the columns that are now complete."""
        if start != self._next:  # samples are missing
            self._rest = data[:0]
        self._next = start + len(data)
        data = np.concatenate([self._rest, data])
        start = self._next - len(data)
        if not len(data):
            return Bars(0, data, data)
        return self._between(start, data) if self.n_columns > self.n_samples else self._within(start, data)

    def _within(self, start: int, data: NDArray[np.float32]) -> Bars:
        first, stop = self.column(start), self.column(self._next)
        edges = -(-np.arange(first, stop + 1) * self.n_samples // self.n_columns) - start
        edges[0] = 0
        self._rest = data[edges[-1] :]
        if stop == first:
            return Bars(first, data[:0], data[:0])
        whole = data[: edges[-1]]
        return Bars(first, np.fmin.reduceat(whole, edges[:-1]), np.fmax.reduceat(whole, edges[:-1]))

    def _between(self, start: int, data: NDArray[np.float32]) -> Bars:
        last = start + len(data) - 1
        first, stop = (-(-at * self.n_columns // self.n_samples) for at in (start, last))
        self._rest = data[-1:]
        at = np.arange(first, stop) * self.n_samples / self.n_columns - start
        left = at.astype(int)
        part = (at - left)[:, None].astype(np.float32)
        values = data[left] * (1 - part) + data[left + (len(data) > 1)] * part if len(at) else data[:0]
        return Bars(first, values, values)


def draw_bars(
    pixels: NDArray[np.uint32],
    column: int,
    top: NDArray[np.floating],
    bottom: NDArray[np.floating],
    limits: NDArray[np.int64],
    colours: NDArray[np.uint32],
) -> None:
    """Draw vertical bars, each joined to the one before it.

    Parameters
    ----------
    pixels : array, shape (height, width)
        The image.
    column : int
        Position of the first bar; after the right edge, bars continue at the left edge.
    top, bottom : array, shape (n + 1, n_channels)
        Ends of each bar in pixels from the top; NaN for no bar. The first row is the previous bar, which is not drawn.
    limits : array, shape (2, n_channels)
        First and last row that each channel may use.
    colours : array, shape (n_channels,)
        Colour of each channel, as RGB32.
    """
    width = pixels.shape[1]
    # Extend each bar up to the previous one without overlap, so that steep lines stay one pixel wide.
    joined_top = np.fmin(top[1:], np.where(np.isnan(top[:-1]), np.nan, bottom[:-1]))
    joined_bottom = np.fmax(bottom[1:], np.where(np.isnan(bottom[:-1]), np.nan, top[:-1]))
    present = ~np.isnan(top[1:])
    flat = pixels.reshape(-1)
    for begin in range(0, len(present), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        row, channel = np.nonzero(present[part])
        if not len(row):
            continue
        ends = [
            np.clip(end[part][row, channel], limits[0, channel], limits[1, channel]).astype(np.int64)
            for end in (joined_top, joined_bottom)
        ]
        length = ends[1] - ends[0] + 1
        at = ends[0] * width + (column + begin + row) % width
        steps = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        flat[np.repeat(at, length) + width * steps] = np.repeat(colours[channel], length)

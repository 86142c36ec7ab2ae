"""Signals as columns of pixels: lowest and highest value per column, and those as bars in an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Columns that are drawn at once, which bounds the memory that takes.
_CHUNK = 128


class Bars(NamedTuple):
    """Columns that are complete.

    Attributes
    ----------
    first : int
        Number of the first column, counted from sample 0.
    low, high : array, shape (n, n_channels)
        NaN where nothing arrived.
    """

    first: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Columns:
    """Cuts a stream of samples into columns of pixels.

    Sample ``i`` belongs to column ``i * n_columns // n_samples``, whenever and in whatever pieces it comes: a redrawn
    picture is the same picture. Where there are more columns than samples, values in between lie on straight lines.

    Parameters
    ----------
    n_samples, n_columns : int
        Of one width of the picture.
    """

    def __init__(self, n_samples: int, n_columns: int) -> None:
        self.n_samples, self.n_columns = n_samples, n_columns
        self._next = -1
        #: Samples of the column that is not complete yet; where there are more columns, the newest sample.
        self._rest: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def column(self, index: int) -> int:
        """Column of a sample."""
        return index * self.n_columns // self.n_samples

    def add(self, start: int, data: NDArray[np.float32]) -> Bars:
        """Take the samples from ``start`` on, shape (n, n_channels); return what has become complete."""
        if start != self._next:  # something was left out
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
        Where the first bar goes; they go on at the left edge when the right one is reached.
    top, bottom : array, shape (n + 1, n_channels)
        Ends of each bar in pixels from the top; those in the first row are the bar before, which is not drawn. NaN is
        no bar.
    limits : array, shape (2, n_channels)
        Highest and lowest row that each channel may reach.
    colours : array, shape (n_channels,)
    """
    width = pixels.shape[1]
    # Not onto the bar before, only as far as it: the line stays one pixel wide where it is steep.
    joined_top = np.fmin(top[1:], np.where(np.isnan(top[:-1]), np.nan, bottom[:-1]))
    joined_bottom = np.fmax(bottom[1:], np.where(np.isnan(bottom[:-1]), np.nan, top[:-1]))
    there = ~np.isnan(top[1:])
    flat = pixels.reshape(-1)
    for begin in range(0, len(there), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        row, channel = np.nonzero(there[part])
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

"""Moments: sums over lagged samples, from which linear decoders are fitted, computed in one pass over each run.

The moments of several runs are the sum of their moments. The folds of a cross-validation are therefore additions, and
every sample is used only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec
from earmark.pipeline.run import Run


@dataclass(frozen=True, slots=True)
class Moments:
    """Raw sums of products of lagged neural samples ``x`` with attended talker features ``y``.

    Attributes
    ----------
    n : float
        Number of rows; not an integer if older rows were partly forgotten.
    x : array, shape (n_x,)
        Sum of x. ``n_x`` is the number of lags times channels, with all channels of the first lag first.
    xx : array, shape (n_x, n_x)
    y : array, shape (n_y,)
        ``n_y`` is the number of stimulus lags times features, with all features of the first lag first.
    yy : array, shape (n_y, n_y)
    xy : array, shape (n_x, n_y)
    """

    n: float
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both together."""
        return Moments(*(getattr(self, key) + getattr(other, key) for key in self.__slots__))

    def scaled(self, factor: float) -> Moments:
        """Return the moments with every row weighted by ``factor``."""
        return Moments(*(factor * getattr(self, key) for key in self.__slots__))

    def centred(self) -> Moments:
        """Return the sums of products of deviations from the mean, with ``x`` and ``y`` equal to 0."""
        if not self.n > 1:
            raise DecoderError("no sample to learn from: the attended talker is not known at any time")
        xx = np.outer(self.x, self.x / -self.n)
        xx += self.xx  # in place, because these arrays are large
        return Moments(
            self.n,
            np.zeros_like(self.x),
            xx,
            np.zeros_like(self.y),
            self.yy - np.outer(self.y, self.y / self.n),
            self.xy - np.outer(self.x, self.y / self.n),
        )


def total(moments: Sequence[Moments]) -> Moments:
    """Return the sum of one or more moments."""
    result = moments[0]
    for other in moments[1:]:
        result = result + other
    return result


def leave_one_out(parts: Sequence[Moments]) -> Iterator[Moments]:
    """Yield, for each of two or more moments, the sum of all others.

    Only additions are used: subtracting a run from the total would leave rounding errors of the size of its largest
    artefact. The sum of one half is shared by all folds of the other half, so that n folds cost n log n additions.
    """
    if len(parts) < 2:
        raise DecoderError("there is one run, but two or more are needed to leave one out")
    yield from _others(parts, None)


def _others(parts: Sequence[Moments], outside: Moments | None) -> Iterator[Moments]:
    if len(parts) == 1 and outside is not None:
        yield outside
        return
    half = len(parts) // 2
    for inside, rest in ((parts[:half], parts[half:]), (parts[half:], parts[:half])):
        yield from _others(inside, total(rest if outside is None else [outside, *rest]))


def embed(signal: NDArray[np.float64], offsets: range, n_rows: int, first: int = 0) -> NDArray[np.float64]:
    """Concatenate shifted copies: row ``t`` contains ``signal[first + t + o]`` for each offset ``o`` in turn.

    Parameters
    ----------
    signal : array, shape (n_samples, n_columns)
    offsets : range
        Offsets in samples.
    n_rows, first : int
        Number of rows, and the sample that row 0 belongs to.

    Returns
    -------
    array, shape (n_rows, len(offsets) * n_columns)
    """
    return np.concatenate([signal[first + o : first + o + n_rows] for o in offsets], axis=1)


def steady(attended: NDArray[np.int64], spec: DecoderSpec) -> Iterator[tuple[int, int, int]]:
    """Find segments in which a single known talker was attended, longer than the reach of the lags.

    Rows whose lags include a switch of attention respond to both talkers, so they are left out, as are rows whose
    lags include missing samples.

    Yields
    ------
    start, stop, talker : int
        Range of samples in the run, including the reach of the lags, and index of the talker.
    """
    edges = np.flatnonzero(np.diff(attended)) + 1
    for start, stop in zip([0, *edges], [*edges, len(attended)], strict=True):
        if stop - start > spec.reach and attended[start] >= 0:
            yield int(start), int(stop), int(attended[start])


def moments(run: Run, spec: DecoderSpec) -> Moments:
    """Compute the moments over all rows of a run with a known attended talker.

    Parameters
    ----------
    run : Run
        Samples where ``run.attended`` is -1 are not used and can have any value, including NaN.
    spec : DecoderSpec
        Lags.

    Raises
    ------
    DecoderMismatch
        If the run does not fit the spec.
    DecoderError
        If a sample that is used is not finite.
    """
    spec.check_run(run)
    n_x, n_y = len(spec.lags) * len(spec.ch_names), len(spec.stimulus_lags) * spec.n_features
    result = Moments(
        0.0, np.zeros(n_x), np.zeros((n_x, n_x)), np.zeros(n_y), np.zeros((n_y, n_y)), np.zeros((n_x, n_y))
    )
    for start, stop, talker in steady(run.attended, spec):
        neural = np.ascontiguousarray(run.neural[start:stop], dtype=np.float64)
        features = run.talkers[talker, start:stop].astype(np.float64)
        if not (np.isfinite(neural).all() and np.isfinite(features).all()):
            raise DecoderError(
                f"run {run.name!r} has samples that are not finite between {start} and {stop}: mark them as "
                "attended -1, or leave the run out"
            )
        _add(result, neural, features, spec)
        result = Moments(result.n + stop - start - spec.reach, *(getattr(result, k) for k in Moments.__slots__[1:]))
    n_ch = len(spec.ch_names)
    for i in range(n_ch, n_x, n_ch):
        result.xx[i : i + n_ch, :i] = result.xx[:i, i : i + n_ch].T
    return result


def _add(into: Moments, neural: NDArray[np.float64], features: NDArray[np.float64], spec: DecoderSpec) -> None:
    """Add one segment in place; of ``xx``, only the blocks on and above the diagonal."""
    n_rows, n_ch = len(neural) - spec.reach, neural.shape[1]
    begin = [spec.ahead + lag for lag in spec.lags]  # first sample of each lag
    y = embed(features, range(0, -spec.stimulus_lags[-1] - 1, -spec.lag_step), n_rows, spec.ahead)
    into.y[:] += y.sum(axis=0)
    into.yy[:] += y.T @ y
    for i, a in enumerate(begin):
        rows = slice(i * n_ch, (i + 1) * n_ch)
        into.x[rows] += neural[a : a + n_rows].sum(axis=0)
        into.xy[rows] += neural[a : a + n_rows].T @ y
    # Products of lags i and j differ from those of i - 1 and j - 1 only by the samples that enter and leave at the
    # ends. So only the products of the first lag with all others are computed in full: for 17 lags, an eighth of the
    # work for the whole matrix.
    first, step, blocks = neural[begin[0] : begin[0] + n_rows], spec.lag_step, into.xx
    for d, b in enumerate(begin):
        block = first.T @ neural[b : b + n_rows]
        for i in range(len(begin) - d):
            if i:
                old, shift = begin[i - 1], d * step
                new = old + n_rows
                left = np.concatenate([neural[new : new + step], neural[old : old + step]])
                right = np.concatenate(
                    [neural[new + shift : new + shift + step], -neural[old + shift : old + shift + step]]
                )
                block += left.T @ right
            blocks[i * n_ch : (i + 1) * n_ch, (i + d) * n_ch : (i + d + 1) * n_ch] += block


def lagged_product(
    signal: NDArray[np.float64], offsets: range, spec: DecoderSpec, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply lagged samples by weights, lag by lag; rows as in ``project_neural``."""
    n_rows, n_columns = len(signal) - spec.reach, signal.shape[1]
    result = np.zeros((max(n_rows, 0), weights.shape[1]))
    if n_rows > 0:
        for i, offset in enumerate(offsets):
            begin = spec.ahead + offset
            result += signal[begin : begin + n_rows] @ weights[i * n_columns : (i + 1) * n_columns]
    return result

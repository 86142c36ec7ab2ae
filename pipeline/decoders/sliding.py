"""Scores of a sliding window, at a cost that does not depend on its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import Decoder, DecoderError, DecoderMismatch, HopByHop, ratio
from earmark.pipeline.node import State


@dataclass(frozen=True, slots=True)
class Score:
    """Score of one decision window.

    Attributes
    ----------
    start, stop : int
        Range of stimulus samples that were compared, as absolute indices on the neural sample grid.
    newest : int
        Index of the latest neural sample used: ``stop - 1 + behind``.
    scores : array, shape (n_talkers,)
        Score of each talker; a larger one means a better match.
    correlations : array, shape (n_talkers, n_components)
        Correlations from which the scores were computed.
    """

    start: int
    stop: int
    newest: int
    scores: NDArray[np.float64]
    correlations: NDArray[np.float64]


class SlidingScores:
    """Score the latest window at every hop, for any decoder.

    Each hop is projected once, and its means and centred sums of products are stored. A window is the sum of its hops,
    computed anew each time, so that rounding errors do not accumulate. Hops start at multiples of ``hop`` on the
    stimulus axis: neither the division into blocks nor the start of the signal affects a single bit of a score.

    Parameters
    ----------
    decoder : Decoder
        A fitted decoder. It can continue to adapt: hops that are already projected do not change.
    n_talkers : int
    hop : float
        Seconds between scores; the decision window must be a multiple of it.
    """

    def __init__(self, decoder: Decoder, n_talkers: int, hop: float) -> None:
        spec = decoder.spec
        self._n_hop = round(hop * spec.sfreq)
        if n_talkers < 1:
            raise DecoderError(f"sliding scores: n_talkers is {n_talkers}, but must be 1 or more")
        if self._n_hop < 1 or abs(self._n_hop / spec.sfreq - hop) > 1e-9:
            raise DecoderError(f"sliding scores: hop is {hop:g} s, but must be whole samples at {spec.sfreq:g} Hz")
        if spec.n_window % self._n_hop:
            raise DecoderError(
                f"sliding scores: the decoder's window of {spec.window:g} s must be a multiple of the hop, {hop:g} s"
            )
        self.decoder, self._spec = decoder, spec
        self._n_talkers, self._n_hops = n_talkers, spec.n_window // self._n_hop
        # A decoder that was compiled for whole windows gets whole windows.
        self._whole = isinstance(decoder, HopByHop) and decoder.compiled
        need = (spec.n_window if self._whole else self._n_hop) + spec.reach
        self._neural = np.zeros((need, len(spec.ch_names)))
        self._talkers = np.zeros((n_talkers, need, spec.n_features))
        # Decoders with a long reach cache intermediate results; for others, recomputing from samples is cheaper.
        self._hops = decoder.hops(n_talkers, self._n_hop) if isinstance(decoder, HopByHop) else None
        self._next: int | None = None  # index of the next expected sample; None accepts any
        self._begin = 0  # index of the first sample of the buffer
        self._held = 0  # samples in the buffer
        probe = decoder.project_neural(self._neural)
        n_components = probe.shape[1]
        # Per hop: means of x and y, centred sums of xx, yy and xy.
        self._sums = [np.zeros((self._n_hops, *shape)) for shape in (
            (n_components,), (n_talkers, n_components), (n_components,), (n_talkers, n_components),
            (n_talkers, n_components))]  # fmt: skip
        self._filled = 0
        self._at = 0

    def reset(self) -> None:
        """Reset the state, as after a gap."""
        self._next, self._held, self._filled, self._at = None, 0, 0, 0
        if self._hops is not None:
            self._hops.reset()

    def push(self, start: int, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> Iterator[Score]:
        """Add samples and yield the scores of the windows that they complete.

        Parameters
        ----------
        start : int
            Absolute index of the first sample. If it does not follow the last one, the state is reset first.
        neural : array, shape (n_samples, n_channels)
        talkers : array, shape (n_talkers, n_samples, n_features)

        Yields
        ------
        Score

        Raises
        ------
        DecoderMismatch
            If shapes do not fit.
        """
        wanted = (self._n_talkers, len(neural), self._spec.n_features)
        if neural.ndim != 2 or neural.shape[1] != len(self._spec.ch_names) or talkers.shape != wanted:
            raise DecoderMismatch(
                f"sliding scores: neural {neural.shape} and talkers {talkers.shape}, instead of (n_samples, "
                f"{len(self._spec.ch_names)}) and {wanted}"
            )
        if start != self._next:
            self.reset()
            # The first complete hop: its stimulus starts at least `ahead` samples after the first sample.
            first = -(-(start + self._spec.ahead) // self._n_hop) * self._n_hop
            self._begin = first - self._spec.ahead
        self._next = start + len(neural)
        at = max(0, self._begin + self._held - start)
        need = len(self._neural)
        while at < len(neural):
            n = min(need - self._held, len(neural) - at)
            self._neural[self._held : self._held + n] = neural[at : at + n]
            self._talkers[:, self._held : self._held + n] = talkers[:, at : at + n]
            self._held += n
            at += n
            if self._held == need:
                score = self._hop()
                if score is not None:
                    yield score

    def _hop(self) -> Score | None:
        """Project a full buffer, shift it by one hop, and score if the window is full."""
        if self._whole:
            return self._scored()
        if self._hops is None:
            x, y = self.decoder.project_neural(self._neural), self.decoder.project_talkers(self._talkers)
        else:
            x, y = self._hops.hop(self._neural, self._talkers)
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=1)
        if self._spec.centred:
            x, y = x - x_mean, y - y_mean[:, None]
        hop = (x_mean, y_mean, (x * x).sum(axis=0), (y * y).sum(axis=1), (x * y).sum(axis=1))
        for held, new in zip(self._sums, hop, strict=True):
            held[self._at] = new
        self._at = (self._at + 1) % self._n_hops
        self._filled = min(self._filled + 1, self._n_hops)
        begin, n = self._begin, self._n_hop
        self._move_on()
        if self._filled < self._n_hops:
            return None
        correlations = self._window()
        stop = begin + self._spec.ahead + n
        return Score(
            stop - self._spec.n_window,
            stop,
            begin + len(self._neural) - 1,
            self.decoder.combine(correlations),
            correlations,
        )

    def _scored(self) -> Score:
        """Score a full buffer, which has a window and its reach, and shift it by one hop."""
        start = self._begin + self._spec.ahead
        newest = self._begin + len(self._neural) - 1
        scores = self.decoder.score(self._neural, self._talkers)
        self._move_on()
        return Score(start, start + self._spec.n_window, newest, scores, scores[:, None])

    def _move_on(self) -> None:
        n, keep = self._n_hop, len(self._neural) - self._n_hop
        self._neural[:keep] = self._neural[n:].copy()
        self._talkers[:, :keep] = self._talkers[:, n:].copy()
        self._begin, self._held = self._begin + n, keep

    def _window(self) -> NDArray[np.float64]:
        """Return the correlations over all stored hops, summed oldest first, so that the last bit is reproducible."""
        order = (np.arange(self._n_hops) + self._at) % self._n_hops
        x_mean, y_mean, xx, yy, xy = (held[order] for held in self._sums)
        if not self._spec.centred:
            return ratio(xy.sum(axis=0), xx.sum(axis=0), yy.sum(axis=0))
        x, y = x_mean - x_mean.mean(axis=0), y_mean - y_mean.mean(axis=0)
        n = self._n_hop
        return ratio((xy + n * x[:, None] * y).sum(axis=0), (xx + n * x * x).sum(axis=0), (yy + n * y * y).sum(axis=0))

    def state(self) -> State:
        """Return everything that later scores depend on, except the decoder."""
        known = self._next is not None
        at = [known, self._next if known else 0, self._begin, self._held, self._filled, self._at]
        sums = {f"sums{i}": held.copy() for i, held in enumerate(self._sums)}
        hops = {} if self._hops is None else {f"hops.{key}": value for key, value in self._hops.state().items()}
        return {
            "at": np.array(at, dtype=np.int64),
            "neural": self._neural[: self._held].copy(),
            "talkers": self._talkers[:, : self._held].copy(),
            **sums,
            **hops,
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        known, following, self._begin, self._held, self._filled, self._at = (int(i) for i in state["at"])
        self._next = following if known else None
        self._neural[: self._held] = state["neural"]
        self._talkers[:, : self._held] = state["talkers"]
        for i, held in enumerate(self._sums):
            held[:] = state[f"sums{i}"]
        if self._hops is not None:
            self._hops.restore({k.removeprefix("hops."): v for k, v in state.items() if k.startswith("hops.")})

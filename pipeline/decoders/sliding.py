"""Scores of a window that slides along with the signal, at a cost that does not depend on its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import Decoder, DecoderError, DecoderMismatch, HopByHop, ratio
from earmark.pipeline.node import State


@dataclass(frozen=True, slots=True)
class Score:
    """What one decision window says.

    Attributes
    ----------
    start, stop : int
        The stimulus samples that were compared, as absolute indices of the neural sample grid.
    newest : int
        The newest neural sample that went in: ``stop - 1 + behind``.
    scores : array, shape (n_talkers,)
        The larger, the better the talker fits.
    correlations : array, shape (n_talkers, n_components)
        What the scores were made of.
    """

    start: int
    stop: int
    newest: int
    scores: NDArray[np.float64]
    correlations: NDArray[np.float64]


class SlidingScores:
    """Score the newest window at every hop, for any decoder.

    Each hop is projected once, and its means and centred sums of products are kept. A window adds up the hops it is
    made of, afresh each time, so rounding errors do not pile up. Hops lie on multiples of ``hop`` on the stimulus
    axis: neither how the signal is cut nor where it began moves a window or changes a bit of its score.

    Parameters
    ----------
    decoder : Decoder
        Fitted. It may go on learning: hops already projected stay as they are.
    n_talkers : int
    hop : float
        Seconds from one score to the next; the decision window must be a multiple of it.
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
        # What was compiled for whole windows is given whole windows.
        self._whole = isinstance(decoder, HopByHop) and decoder.compiled
        need = (spec.n_window if self._whole else self._n_hop) + spec.reach
        self._neural = np.zeros((need, len(spec.ch_names)))
        self._talkers = np.zeros((n_talkers, need, spec.n_features))
        # Those that look back far keep what they made of it; for others a look at the samples is cheaper.
        self._hops = decoder.hops(n_talkers, self._n_hop) if isinstance(decoder, HopByHop) else None
        self._next: int | None = None  # index of the next sample wanted; None takes any
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
        """Forget everything, as at a gap."""
        self._next, self._held, self._filled, self._at = None, 0, 0, 0
        if self._hops is not None:
            self._hops.reset()

    def push(self, start: int, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> Iterator[Score]:
        """Take the next samples and give the scores that they complete.

        Parameters
        ----------
        start : int
            Absolute index of the first sample. Where it does not follow the last one, all begins anew.
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
            # The first hop that can be had whole: its stimulus begins `ahead` after the first sample, or later.
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
        """Project a full buffer, move it on by a hop, score if the window is full."""
        if self._whole:
            return self._scored()
        if self._hops is None:
            x, y = self.decoder.project_neural(self._neural), self.decoder.project_talkers(self._talkers)
        else:
            x, y = self._hops.hop(self._neural, self._talkers)
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=1)
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
        """Score a full buffer, a window and what it looks back on, and move it on by a hop."""
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
        """Correlations over all hops held, added oldest first so that the ring's turn does not show in the last bit."""
        order = (np.arange(self._n_hops) + self._at) % self._n_hops
        x_mean, y_mean, xx, yy, xy = (held[order] for held in self._sums)
        x, y = x_mean - x_mean.mean(axis=0), y_mean - y_mean.mean(axis=0)
        n = self._n_hop
        return ratio((xy + n * x[:, None] * y).sum(axis=0), (xx + n * x * x).sum(axis=0), (yy + n * y * y).sum(axis=0))

    def state(self) -> State:
        """Everything that later scores depend on, the decoder apart."""
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
        """Put back what :meth:`state` gave."""
        known, following, self._begin, self._held, self._filled, self._at = (int(i) for i in state["at"])
        self._next = following if known else None
        self._neural[: self._held] = state["neural"]
        self._talkers[:, : self._held] = state["talkers"]
        for i, held in enumerate(self._sums):
            held[:] = state[f"sums{i}"]
        if self._hops is not None:
            self._hops.restore({k.removeprefix("hops."): v for k, v in state.items() if k.startswith("hops.")})

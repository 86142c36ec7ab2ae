"""Training data of networks: segments of runs with one attended talker, and held-out windows to test on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec
from earmark.pipeline.run import Run

#: Maximum number of windows in a segment: the samples needed before the first window are computed once per segment.
MOST_WINDOWS = 4
#: Fraction at the end of each run that is held out to decide when to stop training: speech that training never uses.
HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of segments, which are divided into windows after the towers.

    Attributes
    ----------
    neural : array, shape (n, n_channels, n_samples)
    attended, other : array, shape (n, n_features, n_samples)
        Features of the attended talker, and of another talker at the same time; if there is none, the attended again.
    has_other : array of bool, shape (n,)
    listener : array of int, shape (n,)
    stimulus, start : array of int, shape (n,)
        Index of the audio, and first sample of the segment in it: the same speech must not be a negative example.
    """

    neural: Tensor
    attended: Tensor
    other: Tensor
    has_other: Tensor
    listener: Tensor
    stimulus: Tensor
    start: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return a copy on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Part of a run with a single attended talker."""

    run: int
    start: int
    stop: int
    talker: int


class Examples:
    """Training segments and test windows from runs.

    Parameters
    ----------
    runs : sequence of Run
        Samples where attended is -1 are not used and can have any value.
    spec : DecoderSpec
        Reach and window.

    Attributes
    ----------
    listeners : tuple of str
        Subjects, in order of appearance.
    n_windows : int
        Windows per segment.
    seconds : float
        Duration of the training signal.
    """

    def __init__(self, runs: Sequence[Run], spec: DecoderSpec) -> None:
        if not runs:
            raise DecoderError(f"{spec.kind} decoder: no run to learn from")
        for run in runs:
            spec.check_run(run)
        self.spec = spec
        self.listeners = tuple(dict.fromkeys(run.subject for run in runs))
        self._listener = [self.listeners.index(run.subject) for run in runs]
        stimuli = {name: i for i, name in enumerate(dict.fromkeys(s for run in runs for s in run.stimuli))}
        self._stimuli = [[stimuli[name] for name in run.stimuli] for run in runs]
        self._neural = [_tensor(run.neural.T) for run in runs]
        self._talkers = [_tensor(run.talkers.transpose(0, 2, 1)) for run in runs]
        found = [stretch for i, run in enumerate(runs) for stretch in _steady(run, i, spec)]
        for stretch in found:
            run, rows = runs[stretch.run], slice(stretch.start, stretch.stop)
            if not (np.isfinite(run.neural[rows]).all() and np.isfinite(run.talkers[:, rows]).all()):
                raise DecoderError(
                    f"run {run.name!r} has samples that are not finite between {stretch.start} and {stretch.stop}: "
                    "mark them as attended -1, or leave the run out"
                )
        cuts = [round((1 - HELD_OUT) * len(run.neural)) for run in runs]
        self._learn = [_until(stretch, cuts[stretch.run]) for stretch in found]
        self._test = [_from(stretch, cuts[stretch.run] - spec.reach) for stretch in found]
        lengths = np.array([max(0, s.stop - s.start) for s in self._learn])
        self.n_windows = MOST_WINDOWS
        # Long segments are cheaper, but at most a tenth of the signal may be lost because it is shorter than a segment.
        while self.n_windows > 1 and lengths[lengths < self._length].sum() > 0.1 * lengths.sum():
            self.n_windows -= 1
        room = np.maximum(lengths - self._length + 1, 0)
        if not room.any():
            raise DecoderError(
                f"{spec.kind} decoder: no run has {self._length / spec.sfreq:.3g} s with the same attended talker, "
                "which one window and the samples before it need"
            )
        self._room = room.cumsum()
        self.seconds = float(lengths.sum() / spec.sfreq)

    @property
    def _length(self) -> int:
        """Length of a segment in samples."""
        return self.spec.reach + self.n_windows * self.spec.n_window

    def spread(self) -> NDArray[np.float64]:
        """Return the robust standard deviation of each neural channel, from the median absolute deviation."""
        every = np.concatenate(
            [self._neural[s.run][:, s.start : s.stop].numpy() for s in self._learn if s.stop > s.start], 1
        )
        found: NDArray[np.float64] = 1.4826 * np.median(np.abs(every - np.median(every, axis=1, keepdims=True)), axis=1)
        return found

    def loudness(self) -> NDArray[np.float64]:
        """Return the standard deviation of each feature of attended talkers."""
        every = np.concatenate(
            [self._talkers[s.run][s.talker, :, s.start : s.stop].numpy() for s in self._learn if s.stop > s.start], 1
        )
        found: NDArray[np.float64] = every.std(axis=1)
        return found

    def batch(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw segments with uniformly distributed start samples."""
        neural, attended, other, has_other, listener, stimulus, start = [], [], [], [], [], [], []
        for at in rng.integers(self._room[-1], size=n):
            place = int(np.searchsorted(self._room, at, side="right"))
            stretch = self._learn[place]
            first = stretch.start + int(at - (self._room[place - 1] if place else 0))
            rows, talkers = slice(first, first + self._length), self._talkers[stretch.run]
            elsewhere = [k for k in range(len(talkers)) if k != stretch.talker]
            rival = int(rng.choice(elsewhere)) if elsewhere else stretch.talker
            neural.append(self._neural[stretch.run][:, rows])
            attended.append(talkers[stretch.talker, :, rows])
            other.append(talkers[rival, :, rows])
            has_other.append(bool(elsewhere))
            listener.append(self._listener[stretch.run])
            stimulus.append(self._stimuli[stretch.run][stretch.talker])
            start.append(first)
        return Batch(
            torch.stack(neural),
            torch.stack(attended),
            torch.stack(other),
            *(torch.tensor(values) for values in (has_other, listener, stimulus, start)),
        )

    def tests(self) -> Iterator[tuple[Tensor, Tensor, int, int]]:
        """Yield the held-out parts, each with a single attended talker.

        Yields
        ------
        neural : array, shape (1, n_channels, n_samples)
        talkers : array, shape (n_talkers, n_features, n_samples)
        attended, listener : int
        """
        for s in self._test:
            if s.stop - s.start >= self.spec.reach + 2 * self.n_test:
                rows = slice(s.start, s.stop)
                neural = self._neural[s.run][None, :, rows]
                yield neural, self._talkers[s.run][:, :, rows], s.talker, self._listener[s.run]

    @property
    def n_test(self) -> int:
        """Length of a test window in samples: the decision window, or shorter so that three fit the held-out part."""
        longest = max((s.stop - s.start - self.spec.reach for s in self._test), default=0)
        return max(2, min(self.spec.n_window, longest // 3))


def _tensor(array: NDArray[np.float64]) -> Tensor:
    return torch.tensor(np.nan_to_num(array, posinf=0.0, neginf=0.0), dtype=torch.float32)


def _steady(run: Run, number: int, spec: DecoderSpec) -> Iterator[_Stretch]:
    edges = np.flatnonzero(np.diff(run.attended)) + 1
    for start, stop in zip([0, *edges], [*edges, len(run.attended)], strict=True):
        if stop - start > spec.reach and run.attended[start] >= 0:
            yield _Stretch(number, int(start), int(stop), int(run.attended[start]))


def _until(s: _Stretch, cut: int) -> _Stretch:
    return _Stretch(s.run, s.start, max(s.start, min(s.stop, cut)), s.talker)


def _from(s: _Stretch, cut: int) -> _Stretch:
    return _Stretch(s.run, min(s.stop, max(s.start, cut)), s.stop, s.talker)

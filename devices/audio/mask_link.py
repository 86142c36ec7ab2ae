"""Masks from a separator in a process of its own, through shared memory: nobody waits for anybody."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.node import State
from earmark.pipeline.scene.guarded import Later
from earmark.pipeline.scene.separator import LEAST, Separator

#: Hops that the memory holds; one that is not answered before half of them have passed is skipped.
SLOTS = 64
#: Seconds for which the last masks are used again if there are none in time.
HELD_S = 0.1
#: Time constant of the agreement of answers with beams, s; by which factor another assignment must be better.
AGREE_S, BETTER = 0.5, 1.05
#: Bytes before the data: 8 numbers of 64 bits.
_HEADER = 64


class MaskLink:
    """Spectra of numbered hops on their way to a separator, and its masks on their way back.

    The sound process sends, the separator's process answers; whoever writes a number has written what belongs to it.

    Parameters
    ----------
    name : str or None
        Segment to attach to; None creates one, of the sizes that follow.
    n_channels, n_bins, n_places : int
        Numbers of channels that the separator hears, of frequencies, and of talkers.
    wait : int
        Hops after which an answer must be there.
    late : int
        Hops by which masks are then later than the spectra that they belong to: ``wait``, or more if the separator
        looks ahead.
    directed : bool
        Whether the separator knows the places; otherwise, it answers in any order.
    """

    _SENT, _BEAT, _CHANNELS, _BINS, _PLACES, _WAIT, _LATE, _DIRECTED = range(8)

    def __init__(
        self,
        name: str | None = None,
        n_channels: int = 0,
        n_bins: int = 0,
        n_places: int = 0,
        wait: int = 1,
        late: int = 1,
        directed: bool = False,
    ) -> None:
        per_slot = 8 + 8 + 8 * n_channels * n_bins + 4 * n_places + 4 * n_places * n_bins
        self._segment = Segment(name, _HEADER + SLOTS * per_slot)
        self._head = self._segment.array(8, np.int64)
        if name is None:
            self._head[self._CHANNELS :] = n_channels, n_bins, n_places, wait, late, directed
        self.n_channels, self.n_bins, self.n_places, self.wait, self.late = (int(n) for n in self._head[2:7])
        self.directed = bool(self._head[self._DIRECTED])
        at = _HEADER
        arrays = []
        for shape, kind in (
            ((self.n_channels, self.n_bins), np.complex64),
            ((), np.int64),
            ((), np.int64),
            ((self.n_places,), np.float32),
            ((self.n_places, self.n_bins), np.float32),
        ):
            arrays.append(self._segment.array((SLOTS, *shape), kind, at))
            at += arrays[-1].nbytes
        self._spectra, self._fresh, self._answered, self._directions, self._masks = arrays

    @property
    def name(self) -> str:
        """Name by which other processes attach."""
        return self._segment.name

    @property
    def sent(self) -> int:
        """Number of the newest hop."""
        return int(self._head[self._SENT])

    @property
    def beat(self) -> int:
        """A number that changes as long as the separator's process works."""
        return int(self._head[self._BEAT])

    def send(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], fresh: bool) -> int:
        """Send a hop; return its number. ``fresh`` means that all before it is to be forgotten."""
        number = self.sent + 1
        at = number % SLOTS
        self._spectra[at], self._directions[at], self._fresh[at] = spectra, directions, fresh
        self._head[self._SENT] = number
        return number

    def answer(self, number: int) -> NDArray[np.float32] | None:
        """Return the masks for a hop, shape (n_places, n_bins); None if they are not there."""
        at = number % SLOTS
        return self._masks[at] if int(self._answered[at]) == number else None

    def alive(self) -> None:
        """Say that the separator's process works."""
        self._head[self._BEAT] += 1

    def take(self, number: int) -> tuple[NDArray[np.complex64], NDArray[np.float32], bool] | None:
        """Return spectra and directions of a hop, and whether to forget all before; None if it is overwritten."""
        at = number % SLOTS
        found = self._spectra[at].copy(), self._directions[at].copy(), bool(self._fresh[at])
        return found if self.sent - number < SLOTS - 1 else None

    def give(self, number: int, masks: NDArray[np.float32]) -> None:
        """Answer a hop."""
        at = number % SLOTS
        self._masks[at] = masks
        self._answered[at] = number

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self._head, self._spectra, self._fresh, self._answered, self._directions, self._masks
        self._segment.close()


class RemoteMasks:
    """The separator at the other end of a link.

    Its masks are later than the spectra by the time that it has to answer, and the sound is delayed by as much. If an
    answer is not there in time, or not finite, the last masks are used again for 0.1 s, then those of another separator
    until an answer is there.

    Answers of a separator that does not know the directions are assigned to places by their agreement with the masks of
    the other one, over half a second.

    Parameters
    ----------
    link : MaskLink
    spare : Separator
        Takes its place; it has no delay.
    reference : int
        Microphone that is sent if the separator hears one only.
    """

    def __init__(self, link: MaskLink, spare: Separator, reference: int) -> None:
        self._link, self._spare, self._reference = link, spare, reference
        self._heard = slice(None) if link.n_channels == spare.n_mics else slice(reference, reference + 1)
        self.sfreq, self.hop, self.delay = spare.sfreq, spare.hop, link.late * spare.hop
        self.n_mics, self.n_bins, self.n_places = spare.n_mics, spare.n_bins, spare.n_places
        self.memory = spare.memory
        shape = (self.n_places, self.n_bins)
        self._beams, self._level = Later(link.late, shape), Later(link.late, (self.n_bins,))
        self._masks = np.zeros(shape, np.float32)
        self._most = HELD_S * self.sfreq / self.hop
        self._keep = math.exp(-self.hop / self.sfreq / AGREE_S)
        self._orders = [list(one) for one in permutations(range(self.n_places))]
        self._order, self._agreement = self._orders[0], np.zeros((self.n_places,) * 2)
        self._first, self._age, self._answered = -1, 0, False
        #: Number of answers that were late, and that were not finite.
        self.n_late = self.n_wrong = 0
        #: Why its masks are not in use now; empty while they are.
        self.fault = ""

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks that are there, see :class:`earmark.pipeline.scene.separator.Separator`."""
        number = self._link.send(spectra[self._heard], directions, self._first < 0)
        if self._first < 0:
            self._first = number
        with np.errstate(all="ignore"):
            level = self._level.push(np.nan_to_num(np.abs(spectra[self._reference]), posinf=0.0))
        beams, used = self._beams.push(self._spare.process(spectra, directions)), np.isfinite(directions)
        wanted = number - self._link.wait
        if wanted < self._first:
            return beams
        answer = self._link.answer(wanted)
        if answer is not None and np.isfinite(answer).all():
            self._assign(np.clip(answer, 0, 1), beams, level, used)
            self._age, self._answered, self.fault = 0, True, ""
        else:
            self.n_late += answer is None
            self.n_wrong += answer is not None
            self._age += 1
            if self._age > self._most:
                self.fault = "no answer in time" if answer is None else "its masks are not finite"
        fresh = self._answered and self._age <= self._most
        return self._masks if fresh and used.sum() > 1 else beams

    def _assign(
        self,
        answer: NDArray[np.float32],
        beams: NDArray[np.float32],
        level: NDArray[np.float32],
        used: NDArray[np.bool_],
    ) -> None:
        """Set the masks: the answer in the order of the places, their sum one."""
        if not self._link.directed:
            self._agreement *= self._keep
            self._agreement += (beams * level) @ answer.T
            rows = range(self.n_places)
            best = max(self._orders, key=lambda order: self._agreement[rows, order].sum())
            if self._agreement[rows, best].sum() > BETTER * self._agreement[rows, self._order].sum():
                self._order = best
            answer = answer[self._order]
        self._masks[:] = answer
        self._masks += LEAST
        self._masks[~used] = 0
        self._masks /= np.maximum(self._masks.sum(axis=0), LEAST)

    def reset(self) -> None:
        """Forget all spectra, at the other end, too."""
        self._spare.reset()
        self._beams.reset()
        self._level.reset()
        self._first, self._age, self._answered = -1, 0, False
        self._order, self._agreement = self._orders[0], np.zeros((self.n_places,) * 2)

    def state(self) -> State:
        """Return the state of the other separator: what this one remembers is in another process."""
        return self._spare.state()

    def restore(self, state: State) -> None:
        """Restore the other separator, and forget all else."""
        self.reset()
        self._spare.restore(state)

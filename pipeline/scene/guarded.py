"""A separator of another package, watched: what it does wrong costs separation, and never sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State, below, within
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.separator import Separator, hops_late

#: Seconds after a fault until the separator is tried again; twice as long after each further one.
REST_S = 10.0
#: What a separator must have in common with the one that takes its place.
SHARED = ("sfreq", "hop", "n_mics", "n_bins", "n_places")


class Guarded:
    """Use a separator as long as it gives masks, and another one in its place while it does not.

    If it raises, or its masks have a wrong shape or are not finite, the masks of the other one are used from that hop
    on. After ten seconds it is reset and tried again, after the next fault after twenty, and so on. It cannot write
    into the spectra that it is given.

    Parameters
    ----------
    separator : Separator
    spare : Separator
        Takes its place; it has no delay. It always runs, so that it knows what was heard.

    Raises
    ------
    SceneError
        If the two do not fit together.
    """

    def __init__(self, separator: Separator, spare: Separator) -> None:
        for what in SHARED:
            found, wanted = getattr(separator, what, None), getattr(spare, what)
            if found != wanted:
                raise SceneError(f"separator: its {what} is {found}, but must be {wanted}")
        self._separator, self._spare = separator, spare
        self.sfreq, self.hop, self.delay = spare.sfreq, spare.hop, separator.delay
        self.n_mics, self.n_bins, self.n_places = spare.n_mics, spare.n_bins, spare.n_places
        self._shape = (self.n_places, self.n_bins)
        self.later = Later(hops_late(separator), self._shape)
        self.memory = spare.memory + separator.memory
        self._first_rest = self._rest = round(REST_S * self.sfreq / self.hop)
        self._left = 0
        #: Number of times that it gave no masks; it cannot be late.
        self.n_wrong, self.n_late = 0, 0
        #: Why it is not in use now; empty while it is.
        self.fault = ""

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks for the newest spectra, see :class:`earmark.pipeline.scene.separator.Separator`."""
        instead = self.later.push(self._spare.process(spectra, directions))
        again = self._left == 1
        self._left = max(0, self._left - 1)
        if self._left:
            return instead
        seen, told = spectra.view(), directions.view()
        seen.flags.writeable = told.flags.writeable = False
        try:
            if again:
                self._separator.reset()
            with np.errstate(all="ignore"):
                masks = np.asarray(self._separator.process(seen, told), np.float32)
        except Exception as error:  # noqa: BLE001 - another package's class may fail in any way
            return self._failed(f"it raised {type(error).__name__}: {error}", instead)
        if masks.shape != self._shape:
            return self._failed(f"its masks have shape {masks.shape}, but must have {self._shape}", instead)
        if not np.isfinite(masks).all():
            return self._failed("its masks are not finite", instead)
        self.fault = ""
        return masks

    def _failed(self, fault: str, instead: NDArray[np.float32]) -> NDArray[np.float32]:
        self.n_wrong += 1
        self.fault = fault
        self._left, self._rest = self._rest, 2 * self._rest
        return instead

    def reset(self) -> None:
        """Forget all spectra, and use the separator again from the next hop on."""
        self._spare.reset()
        self.later.reset()
        self._left, self._rest, self.fault = 1, self._first_rest, ""

    def state(self) -> State:
        """Return the states of both, and how long the separator rests."""
        own, spare = within("own", self._separator.state()), within("spare", self._spare.state())
        return {**own, **spare, **self.later.state(), "rest": np.array([self._left, self._rest])}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._separator.restore(below("own", state))
        self._spare.restore(below("spare", state))
        self._left, self._rest = (int(value) for value in state["rest"])
        self.later.restore(state)


class Later:
    """Arrays, some hops later.

    Parameters
    ----------
    n_hops : int
        By how many hops they are delayed.
    shape : tuple of int
    """

    def __init__(self, n_hops: int, shape: tuple[int, ...]) -> None:
        self._held, self._at = np.zeros((n_hops + 1, *shape), np.float32), 0

    def push(self, newest: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the newest array; return the delayed one, zeros at first, valid until the next call."""
        self._held[self._at] = newest
        self._at = (self._at + 1) % len(self._held)
        delayed: NDArray[np.float32] = self._held[self._at]
        return delayed

    def reset(self) -> None:
        """Return zeros at first, again."""
        self._held[:] = 0

    def state(self) -> State:
        """Return the arrays that are still to come."""
        return {"held": np.roll(self._held, -self._at, axis=0)}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._held[:], self._at = state["held"], 0

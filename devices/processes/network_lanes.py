"""Run networks on threads of their own, asked once per hop; the caller never waits beyond the budget."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.runtime.backend import Arrays, Network
from earmark.kernels.runtime.deadline import Counts, Deadline

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The current answer.

    Attributes
    ----------
    outputs : tuple of array, or None
        Outputs for the newest window that was answered in time; None before the first.
    age : float
        Seconds since that window was submitted.
    fresh : bool
        Whether it is the window just submitted.
    backend : str
        Backend in charge.
    counts : Counts
    """

    outputs: tuple[NDArray[np.float32], ...] | None
    age: float
    fresh: bool
    backend: str
    counts: Counts


class NetworkLanes:
    """Warm backends, each on its own thread; the next one takes over when the one in charge misses too often.

    A call into a GPU cannot be cancelled. A backend that hangs blocks only its own daemon thread; one that fails is
    logged, and counts as missing every deadline.

    Parameters
    ----------
    networks : mapping
        Networks by backend, the best first; each has passed the parity gate.
    budget : float
        Maximum seconds for an answer.
    clock : callable
        Returns seconds.

    Raises
    ------
    ValueError
        If there is no network, their shapes differ, or the budget is not above 0.
    """

    def __init__(self, networks: Mapping[str, Network], budget: float, clock: Callable[[], float]) -> None:
        shapes = {(network.info().inputs, network.info().outputs) for network in networks.values()}
        if len(shapes) > 1:
            raise ValueError(f"networks differ in their shapes: {sorted(shapes)}")
        self._names = tuple(networks)
        self._deadline, self._budget, self._clock = Deadline(self._names, budget), budget, clock
        self._answered: queue.SimpleQueue[tuple[int, str, tuple[NDArray[np.float32], ...], float]] = queue.SimpleQueue()
        self._asked: dict[str, queue.SimpleQueue[tuple[int, Sequence[NDArray[np.float32]]] | None]] = {}
        self._last: tuple[NDArray[np.float32], ...] | None = None
        for name, network in networks.items():
            network.warmup()
            self._asked[name] = queue.SimpleQueue()
            thread = threading.Thread(target=self._serve, args=(name, network), name=f"network {name}", daemon=True)
            thread.start()

    def ask(self, x: Arrays) -> Answer:
        """Submit a window, and wait for its answer for the budget at most.

        Parameters
        ----------
        x : sequence of array, float32
            Input arrays, which are copied.
        """
        begun = self._clock()
        self._take_late(begun)
        hop, name = self._deadline.begin(begun)
        fresh = False
        if name is not None:
            self._asked[name].put((hop, [np.array(one) for one in x]))
            fresh = self._wait(hop, begun)
        now = self._clock()
        return Answer(self._last, self._deadline.age(now), fresh, self._deadline.backend, self._deadline.counts)

    @property
    def at_last(self) -> bool:
        """Whether the backend in charge is the last fallback."""
        return self._deadline.backend == self._names[-1]

    def close(self) -> None:
        """End every thread that does not hang."""
        for asked in self._asked.values():
            asked.put(None)

    def _wait(self, hop: int, begun: float) -> bool:
        while (left := begun + self._budget - self._clock()) > 0:
            try:
                number, name, outputs, then = self._answered.get(timeout=left)
            except queue.Empty:
                break
            if self._deadline.answer(number, name, then):
                self._last = outputs
                return True
            if number == hop:
                return False
        self._deadline.give_up()
        return False

    def _take_late(self, now: float) -> None:
        while not self._answered.empty():
            number, name, _, then = self._answered.get()
            self._deadline.answer(number, name, max(now, then))

    def _serve(self, name: str, network: Network) -> None:
        out = [np.empty(shape, np.float32) for shape in network.info().outputs]
        while (asked := self._asked[name].get()) is not None:
            hop, x = asked
            try:
                network.run_into(x, out)
            except (RuntimeError, ValueError):  # raised by torch when the GPU is lost
                log.exception("network by %s failed; the next one takes over", name)
                return
            self._answered.put((hop, name, tuple(y.copy() for y in out), self._clock()))

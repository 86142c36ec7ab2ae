"""Start, watch, replace and end the child processes that a session depends on.

Engine, sound and recorder are such children. The policy is the same for all: a child that has ended, or whose
heartbeat has stopped for too long, is killed and replaced at once. If that happens too often, the next child would
probably fail, too, so there is a rest before the next start. A child is never given up for good: a session runs for
hours, and the cause may go away. The numbers are in :class:`Limits`.

Nothing here waits, except for a killed process to be gone: the caller also watches the sound.
"""

from __future__ import annotations

import multiprocessing as mp
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from earmark.devices.processes.spawn import clean_birth


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a child may fail.

    Attributes
    ----------
    silent_s : float
        Seconds without a heartbeat after which it counts as hanging.
    apart_s : float
        Minimum seconds between two starts.
    most : int or None
        After more losses than this within ``within_s`` seconds comes a rest of ``rest_s`` seconds; None: no limit.
    within_s, rest_s : float
        Seconds.
    """

    silent_s: float
    apart_s: float = 0.0
    most: int | None = None
    within_s: float = 0.0
    rest_s: float = 0.0


class Child:
    """A process of this program with one thread that ignores signals: its parent ends it, see :meth:`end`.

    It has to call :func:`earmark.devices.processes.spawn.leave_signals_to_parent`, and to end by itself when its parent
    has died.

    Parameters
    ----------
    target, args
        Function to run, and its arguments.
    name : str
        Name of the process, for messages.
    outlives : bool
        Whether the program waits for the child at its exit, instead of ending it.
    """

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str, outlives: bool = False) -> None:
        self._process = mp.get_context("spawn").Process(target=target, args=args, name=name, daemon=not outlives)
        with clean_birth():
            self._process.start()

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the end of the process; return whether it has ended."""
        self._process.join(seconds)
        return not self.alive

    def end(self, patience_s: float = 0.0) -> None:
        """Wait ``patience_s`` seconds for a child that was asked to end, then kill it.

        It is not sent SIGTERM in between: it ignores SIGTERM, because a terminal or service manager sends that to every
        process.
        """
        self.wait(patience_s)
        self.kill()

    def kill(self) -> None:
        """Kill the process at once, and wait until it is gone."""
        self._process.kill()
        self._process.join()


class _Mortal(Protocol):
    @property
    def alive(self) -> bool: ...

    def end(self, patience_s: float = 0.0) -> None: ...

    def kill(self) -> None: ...


P = TypeVar("P", bound=_Mortal)


class KeptAlive(Generic[P]):
    """One child after another; used by one thread, while others may read :attr:`child`.

    The owner polls it regularly: if the child has :attr:`ended`, or :attr:`hangs`, the owner calls :meth:`lose`, and
    passes another one to :meth:`started` once that is :attr:`due`.

    Parameters
    ----------
    limits : Limits
    heartbeat : callable
        Returns a number that changes as long as the child works.
    clock : callable
        Returns increasing seconds.
    """

    def __init__(
        self, limits: Limits, heartbeat: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits, self._heartbeat, self._clock = limits, heartbeat, clock
        #: The current child; None between two.
        self.child: P | None = None
        self._started_at = self._not_before = -float("inf")
        self._beat, self._beat_at = heartbeat(), clock()
        #: Whether the child has reported that it works; until then it may be silent.
        self.working = False
        self._losses: deque[float] = deque(maxlen=1 + (limits.most or 0))

    def started(self, child: P) -> None:
        """Take over a new child; it may be silent until :meth:`works` is called."""
        self.child, self._started_at, self.working = child, self._clock(), False

    def works(self) -> None:
        """Watch the heartbeat of the child from now on."""
        self._beat, self._beat_at, self.working = self._heartbeat(), self._clock(), True

    @property
    def age_s(self) -> float:
        """Seconds since the last start, whether that child still exists or not."""
        return self._clock() - self._started_at

    @property
    def ended(self) -> bool:
        """Whether there is a child, and it has ended by itself."""
        return self.child is not None and not self.child.alive

    @property
    def silence_s(self) -> float:
        """Seconds since the heartbeat last changed; that of the last child if there is none."""
        beat = self._heartbeat()
        if beat != self._beat:
            self._beat, self._beat_at = beat, self._clock()
        return self._clock() - self._beat_at

    @property
    def hangs(self) -> bool:
        """Whether the child works and has been silent for too long."""
        return self.child is not None and self.working and self.silence_s > self._limits.silent_s

    def end(self, patience_s: float) -> None:
        """Wait ``patience_s`` seconds for a child that was asked to end, then kill it."""
        if self.child is not None:
            self.child.end(patience_s)
            self.child = None

    def drop(self) -> None:
        """Kill the child, if there is one."""
        child, self.child = self.child, None  # first, so that others do not see a dead child
        if child is not None:
            child.kill()

    def lose(self) -> bool:
        """Kill a child that is to be replaced; return False if there is a rest first."""
        self.drop()
        if self._limits.most is None:
            return True
        now = self._clock()
        self._losses.append(now)
        if len(self._losses) <= self._limits.most or now - self._losses[0] >= self._limits.within_s:
            return True
        self._losses.clear()
        self.rest(self._limits.rest_s)
        return False

    def rest(self, seconds: float) -> None:
        """Start no child for ``seconds``."""
        self._not_before = self._clock() + seconds

    @property
    def resting(self) -> bool:
        """Whether there is a rest now."""
        return self._clock() < self._not_before

    @property
    def due(self) -> bool:
        """Whether there is no child and one may be started now."""
        return self.child is None and not self.resting and self.age_s >= self._limits.apart_s

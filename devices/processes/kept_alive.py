"""Children that must not be missed: how one is started, watched, replaced, given up for a while, and ended.

Engine, sound and recorder are each such a child. The policy is the same for all: a child that has ended, or whose
heart has stood still for too long, is killed and replaced at once; where that happens too often, whatever kills it
would kill the next one, too, so there is a rest before another is tried. It is never given up for good: a session goes
on for hours, and what was wrong may be right again. How long and how often is said by :class:`Limits`.

Nothing here waits, except for a process to be gone that was killed: whoever watches sees to the sound meanwhile.
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
    """How much a child may fail.

    Attributes
    ----------
    silent_s : float
        Seconds without a heartbeat after which it counts as hung.
    apart_s : float
        Least seconds between two starts.
    most : int or None
        More losses than this within ``within_s`` seconds, and there is a rest of ``rest_s`` seconds; None for no limit.
    within_s, rest_s : float
        Seconds.
    """

    silent_s: float
    apart_s: float = 0.0
    most: int | None = None
    within_s: float = 0.0
    rest_s: float = 0.0


class Child:
    """A process of this program, with one thread and deaf to signals: its parent ends it, see :meth:`end`.

    It has to call :func:`earmark.devices.processes.spawn.leave_signals_to_parent`, and to end by itself when its parent
    has died.

    Parameters
    ----------
    target, args
        What it does.
    name : str
        Of the process, for people.
    outlives : bool
        Whether the program waits for it at its own end, instead of ending it.
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
        """Whether it runs."""
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> bool:
        """Wait for it to end, for so long at most; return whether it has."""
        self._process.join(seconds)
        return not self.alive

    def end(self, patience_s: float = 0.0) -> None:
        """Let a child that was asked to end do so within so many seconds, then kill it.

        It is not sent SIGTERM in between: it ignores that, since a terminal or service manager sends it to every
        process.
        """
        self.wait(patience_s)
        self.kill()

    def kill(self) -> None:
        """Kill it, whatever it is doing, and wait until it is gone."""
        self._process.kill()
        self._process.join()


class _Mortal(Protocol):
    @property
    def alive(self) -> bool: ...

    def end(self, patience_s: float = 0.0) -> None: ...

    def kill(self) -> None: ...


P = TypeVar("P", bound=_Mortal)


class KeptAlive(Generic[P]):
    """One child after the other; to be used by one thread, while others may look at :attr:`child`.

    Whoever keeps it looks every now and then: a child that has :attr:`ended`, or :attr:`hangs`, it has to :meth:`lose`,
    and it hands over another one by :meth:`started` once that is :attr:`due`.

    Parameters
    ----------
    limits : Limits
    heartbeat : callable
        Returns a number that changes as long as the child works.
    clock : callable
        Returns seconds that rise.
    """

    def __init__(
        self, limits: Limits, heartbeat: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits, self._heartbeat, self._clock = limits, heartbeat, clock
        #: The one that works now; None between two.
        self.child: P | None = None
        self._started_at = self._not_before = -float("inf")
        self._beat, self._beat_at = heartbeat(), clock()
        #: Whether the child has said that it works; until then it may be silent.
        self.working = False
        self._losses: deque[float] = deque(maxlen=1 + (limits.most or 0))

    def started(self, child: P) -> None:
        """Keep this one from now on; it may be silent until it :meth:`works`."""
        self.child, self._started_at, self.working = child, self._clock(), False

    def works(self) -> None:
        """Watch its heart from now on."""
        self._beat, self._beat_at, self.working = self._heartbeat(), self._clock(), True

    @property
    def age_s(self) -> float:
        """Seconds since the last one was started, whether it is there or not."""
        return self._clock() - self._started_at

    @property
    def ended(self) -> bool:
        """Whether there is a child, and it has ended by itself."""
        return self.child is not None and not self.child.alive

    @property
    def silence_s(self) -> float:
        """Seconds since the heartbeat last changed; that of the last child, if none works."""
        beat = self._heartbeat()
        if beat != self._beat:
            self._beat, self._beat_at = beat, self._clock()
        return self._clock() - self._beat_at

    @property
    def hangs(self) -> bool:
        """Whether there is a child that works, and has been silent for longer than it may be."""
        return self.child is not None and self.working and self.silence_s > self._limits.silent_s

    def end(self, patience_s: float) -> None:
        """Let the child, which was asked to end, do so within so many seconds, else kill it."""
        if self.child is not None:
            self.child.end(patience_s)
            self.child = None

    def drop(self) -> None:
        """Kill the child, if there is one."""
        child, self.child = self.child, None  # first of all, so that others do not find a dead one
        if child is not None:
            child.kill()

    def lose(self) -> bool:
        """Kill a child that is to be replaced; return False where a rest comes first."""
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
        """Start none for so long."""
        self._not_before = self._clock() + seconds

    @property
    def resting(self) -> bool:
        """Whether nothing is to be started now."""
        return self._clock() < self._not_before

    @property
    def due(self) -> bool:
        """Whether there is no child and one may be started now."""
        return self.child is None and not self.resting and self.age_s >= self._limits.apart_s

"""Reading a recording in real time: a survey of its content, a clock that can be paused, and a paced reader."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pylsl

from earmark.devices.files.journal import EventLine, HeardLine
from earmark.devices.files.session_file import Consumed, Event, Noted, SessionFile
from earmark.devices.files.session_run import ATTEND
from earmark.pipeline.control import TimedControl
from earmark.pipeline.stream import Marker

#: A replay that is late by more than this many seconds shifts its clock instead of catching up.
LATE_S = 1.0
#: Longest pause between two events, s; a longer one, as of a suspended computer, is skipped.
MAX_GAP_S = 60.0
#: Seconds between checks of the clock; and the shortest wait, below which an event counts as due.
POLL_S, SOON_S = 0.05, 0.002
#: Maximum number of events between two that have a time.
MAX_STRETCH = 10_000


def instant(event: Event) -> float | None:
    """Return the LSL time of an event; None if the recording does not hold it."""
    if isinstance(event, Noted):
        return event.time
    if isinstance(event, Consumed) and isinstance(event.item, TimedControl):
        return event.item.time
    return None


@dataclass
class Survey:
    """Content of a recording. Times are LSL times of the recording.

    Attributes
    ----------
    begin, end : float
        First and last time; NaN if there is none.
    cues : list of (float, str)
        Times of cues and talkers to attend to, ``""`` for rest.
    events : list of (float, str)
        Times and texts of the journal's events.
    heard : list of HeardLine
        The journal's lines about what was played.
    damage : list of str
        Description of each damaged part.
    whole : bool
        Whether the file was completed.
    """

    begin: float = math.nan
    end: float = math.nan
    cues: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    heard: list[HeardLine] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    whole: bool = False


def survey(file: SessionFile, cues: str) -> Survey:
    """Read a whole recording and summarise it; ``cues`` is the name of its stream of cues.

    Raises
    ------
    earmark.devices.files.xdf.XdfError
        If it cannot be read.
    """
    found = Survey()
    for event in file:
        at = instant(event)
        if at is not None:
            found.begin = at if math.isnan(found.begin) else found.begin
            found.end = at if math.isnan(found.end) else max(found.end, at)
        if isinstance(event, Noted):
            match event.line:
                case EventLine(words):
                    found.events.append((event.time, words))
                case HeardLine() as line:
                    found.heard.append(line)
        elif isinstance(event, Consumed) and event.stream == cues and isinstance(event.item, Marker):
            before, prefix, name = event.item.value.partition(ATTEND)
            found.cues += [(event.item.time, name)] if prefix and not before else []
    found.damage, found.whole = list(file.damage), file.whole
    return found


class PacedClock:
    """The clock of a replay, on the time of the recording; paused at first. Methods may be called from any thread.

    Parameters
    ----------
    begin : float
        LSL time of the recording at which to start.
    jumped : callable
        Called with a delay in s when the clock was set back because the replay was late; with a negative number of
        seconds when an empty period was skipped; with 0 when the instant that was sought is reached.
    """

    def __init__(self, begin: float, jumped: Callable[[float], None] = lambda seconds: None) -> None:
        self._lock = threading.Lock()
        # The clock showed ``_at`` at LSL time ``_since``, and has advanced with ``_speed`` since then, unless held.
        self._at, self._since, self._speed, self._held = float(begin), float(pylsl.local_clock()), 1.0, True
        self._jumped = jumped
        #: Instant to reach without waiting; events before it are not waited for.
        self._sought = -math.inf
        #: Ends every wait: for good, or because the replay starts again.
        self.stop, self.again = threading.Event(), threading.Event()

    @property
    def held(self) -> bool:
        """Whether the clock is paused."""
        return self._held

    @property
    def seeking(self) -> bool:
        """Whether the instant that was sought is not reached yet."""
        return self._sought > -math.inf

    @property
    def speed(self) -> float:
        """Seconds of the recording per second; infinite for as fast as possible."""
        return self._speed

    def _read(self) -> float:
        still = self._held or self.seeking or math.isinf(self._speed)
        passed: float = 0.0 if still else (pylsl.local_clock() - self._since) * self._speed
        return self._at + passed

    @property
    def now(self) -> float:
        """Current time of the recording."""
        with self._lock:
            return self._read()

    def replayed_at(self, at: float) -> float:
        """Return the LSL time at which an instant of the recording is replayed, for one that is near."""
        with self._lock:
            return float(pylsl.local_clock() + (at - self._read()) / self._speed)

    def hold(self) -> None:
        """Pause the clock."""
        with self._lock:
            self._at, self._held = self._read(), True

    def go(self) -> None:
        """Resume the clock."""
        with self._lock:
            if self._held:
                self._since, self._held = pylsl.local_clock(), False

    def set_speed(self, speed: float) -> None:
        """Let the recording pass with another speed, from now on."""
        with self._lock:
            self._at, self._since, self._speed = self._read(), pylsl.local_clock(), speed

    def seek(self, at: float) -> None:
        """Go on to a later instant without waiting for the events before it."""
        with self._lock:
            self._at, self._sought = self._read(), at

    def set(self, at: float) -> None:
        """Set the clock."""
        with self._lock:
            self._at, self._since = at, pylsl.local_clock()

    def reach(self, due: float) -> bool:
        """Wait until a time of the recording; return False if the clock was stopped, or the replay starts again."""
        while not (self.stop.is_set() or self.again.is_set()):
            if self.seeking:
                self.set(min(due, self._sought))
                if due < self._sought:
                    return True
                self._sought = -math.inf
                self._jumped(0.0)
            left = due - self.now
            if self.held:
                self.stop.wait(POLL_S)
            elif math.isinf(self.speed):
                self.set(max(due, self.now))
                return True
            elif left < -LATE_S * self.speed or left > MAX_GAP_S:
                self.set(due)
                self._jumped(-left)
            elif left <= SOON_S:
                return True
            else:
                self.stop.wait(min(left / self.speed, POLL_S))
        return False


class PacedRecording(SessionFile):
    """A recording that yields each event at its time.

    The file does not hold the times at which blocks were consumed, but their order, and at least four times a second a
    journal line with its time. Events between two such lines are spread evenly.

    Parameters
    ----------
    path : Path
        The recording.
    clock : PacedClock
        The clock that it follows.
    """

    def __init__(self, path: Path, clock: PacedClock) -> None:
        super().__init__(path)
        self._clock = clock
        #: Whether iteration waits for the time of each event.
        self.paced = True
        #: Called when a paced iteration starts: the graph is then ready.
        self.begun: Callable[[], None] = lambda: None
        #: Called with every event after it was processed, and the time at which it was due.
        self.passed: Callable[[Event, float], None] = lambda event, at: None

    def __iter__(self) -> Iterator[Event]:
        if not self.paced:
            yield from super().__iter__()
            return
        self.begun()
        last = -math.inf
        stretch: list[Event] = []
        for event in super().__iter__():
            stretch.append(event)
            at = instant(event)
            if at is None and (len(stretch) < MAX_STRETCH or math.isinf(last)):
                continue
            at = last if at is None else max(last, at)
            first = at if math.isinf(last) else last
            for k, one in enumerate(stretch, 1):
                due = first + (at - first) * k / len(stretch)
                if not self._clock.reach(due):
                    return
                yield one
                self.passed(one, due)
            last, stretch = at, []
        for one in stretch:
            yield one
            self.passed(one, last)

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
        Called with a delay in s when the clock was set back because the replay was late; or with a negative number of
        seconds when an empty period was skipped.
    """

    def __init__(self, begin: float, jumped: Callable[[float], None] = lambda seconds: None) -> None:
        self._lock = threading.Lock()
        self._held: float | None = begin
        self._behind = 0.0
        self._jumped = jumped
        #: Ends every wait.
        self.stop = threading.Event()

    @property
    def held(self) -> bool:
        """Whether the clock is paused."""
        return self._held is not None

    @property
    def now(self) -> float:
        """Current time of the recording."""
        with self._lock:
            return pylsl.local_clock() - self._behind if self._held is None else self._held

    @property
    def behind(self) -> float:
        """Seconds to add to a time of the recording to obtain the LSL time at which it is replayed."""
        with self._lock:
            return self._behind if self._held is None else pylsl.local_clock() - self._held

    def hold(self) -> None:
        """Pause the clock."""
        with self._lock:
            self._held = pylsl.local_clock() - self._behind if self._held is None else self._held

    def go(self) -> None:
        """Resume the clock."""
        with self._lock:
            if self._held is not None:
                self._behind, self._held = pylsl.local_clock() - self._held, None

    def _set(self, at: float) -> None:
        with self._lock:
            if self._held is None:
                self._behind = pylsl.local_clock() - at
            else:
                self._held = at

    def reach(self, due: float) -> bool:
        """Wait until a time of the recording; return False if the clock was stopped."""
        while not self.stop.is_set():
            left = due - self.now
            if self.held:
                self.stop.wait(POLL_S)
            elif left < -LATE_S or left > MAX_GAP_S:
                self._set(due)
                self._jumped(-left)
            elif left <= SOON_S:
                return True
            else:
                self.stop.wait(min(left, POLL_S))
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

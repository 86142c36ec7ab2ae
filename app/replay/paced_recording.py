"""A recording that passes at its own pace: what it holds and when that was, and a clock that can be held."""

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

#: A replay that is later than this, in seconds, goes on where it is: it never hurries.
LATE_S = 1.0
#: Seconds without anything beyond which the rest is left out: somebody closed the lid.
MAX_GAP_S = 60.0
#: Seconds between looks whether to go on, and those for which waiting is not worth while.
POLL_S, SOON_S = 0.05, 0.002
#: Most events between two lines of the journal that say when they were.
MAX_STRETCH = 10_000


def instant(event: Event) -> float | None:
    """When something was, LSL time; None where the recording does not say that in itself."""
    if isinstance(event, Noted):
        return event.time
    if isinstance(event, Consumed) and isinstance(event.item, TimedControl):
        return event.item.time
    return None


@dataclass
class Survey:
    """What reading a recording through brings up. Instants are LSL times of then.

    Attributes
    ----------
    begin, end : float
        First and last instant; NaN if there is none.
    cues : list of (float, str)
        When who was to be attended, ``""`` for nobody.
    said : list of (float, str)
        Events of the journal.
    heard : list of HeardLine
        Lines about what was played.
    damage : list of str
        What is wrong with the file.
    whole : bool
        Whether it ends as it should.
    """

    begin: float = math.nan
    end: float = math.nan
    cues: list[tuple[float, str]] = field(default_factory=list)
    said: list[tuple[float, str]] = field(default_factory=list)
    heard: list[HeardLine] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    whole: bool = False


def survey(file: SessionFile, cues: str) -> Survey:
    """Read a recording through; ``cues`` is the stream of cues.

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
                    found.said.append((event.time, words))
                case HeardLine() as line:
                    found.heard.append(line)
        elif isinstance(event, Consumed) and event.stream == cues and isinstance(event.item, Marker):
            what, said, name = event.item.value.partition(ATTEND)
            found.cues += [(event.item.time, name)] if said and not what else []
    found.damage, found.whole = list(file.damage), file.whole
    return found


class PacedClock:
    """Tells which instant of a recording it is; held at first. Every method may be called from any thread.

    Parameters
    ----------
    begin : float
        Instant to begin with.
    jumped : callable
        Told how many seconds too late whoever waited was, where the clock was set back for that; or (less than 0) how
        many seconds without anything were left out.
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
        """Whether it stands still."""
        return self._held is not None

    @property
    def now(self) -> float:
        """The instant of the recording."""
        with self._lock:
            return pylsl.local_clock() - self._behind if self._held is None else self._held

    @property
    def behind(self) -> float:
        """What to add to an instant of the recording to have the LSL time at which it is replayed."""
        with self._lock:
            return self._behind if self._held is None else pylsl.local_clock() - self._held

    def hold(self) -> None:
        """Stand still."""
        with self._lock:
            self._held = pylsl.local_clock() - self._behind if self._held is None else self._held

    def go(self) -> None:
        """Go on."""
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
        """Wait for an instant; return whether to go on."""
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
    """A recording whose events come when they are due.

    Blocks do not say when they came, but the journal has a line at least four times a second that does, and their
    order is known: what lies between two such lines is spread evenly.

    Parameters
    ----------
    path : Path
        The recording.
    clock : PacedClock
        What it follows.
    """

    def __init__(self, path: Path, clock: PacedClock) -> None:
        super().__init__(path)
        self._clock = clock
        #: Whether anybody waits for events to be due.
        self.paced = True
        #: Called when the first event is asked for: whoever asks is ready.
        self.begun: Callable[[], None] = lambda: None
        #: Told every event after it was worked on, and the instant at which it was due.
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

"""Events of a session on a time axis: kinds of events, and intervals in which something held, such as a mute."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

#: Prefix of events about the operator's trim of a talker.
TRIM = "trim: "
#: Prefixes of events and markers that hold an answer, or a note of the operator.
ANSWER, NOTE = "answer:", "note:"
#: Prefix of events about an override, and the event that ends one.
OVERRIDE = "operator: "
FOLLOW = f"{OVERRIDE}follow decisions"
#: Prefix of events about cues.
CUE = "Cue: "


class Kind(StrEnum):
    """Kind of an event."""

    NOTE = "note"
    ANSWER = "answer"
    CUE = "cue"
    OVERRIDE = "override"
    TRIM = "trim"
    MUTE = "mute"
    PAUSE = "pause"
    GAP = "gap"
    ALARM = "alarm"
    OTHER = "other"


#: Actions of the operator that are no overrides.
_NO_OVERRIDE = (f"{OVERRIDE}channel ", f"{OVERRIDE}the calibration ")
_GAP = re.compile(r"samples (are )?(missing|skipped)|samples in \d+ gaps|\blost\b")
_STARTS = (
    (Kind.ALARM, ("ALARM",)),
    (Kind.NOTE, (NOTE,)),
    (Kind.ANSWER, (ANSWER,)),
    (Kind.CUE, (CUE,)),
    (Kind.OTHER, _NO_OVERRIDE),
    (Kind.OVERRIDE, (OVERRIDE,)),
    (Kind.TRIM, (TRIM,)),
    (Kind.MUTE, ("MUTED", "unmuted")),
    (Kind.PAUSE, ("paused: ", "resumed")),
)


def cue_words(name: str) -> str:
    """Return the event text of a cue to attend to a talker, or to rest if the name is empty."""
    return f"{CUE}attend to {name}." if name else f"{CUE}rest."


def kind_of(words: str) -> Kind:
    """Return the kind of an event by its text."""
    for kind, starts in _STARTS:
        if words.startswith(starts):
            return kind
    return Kind.GAP if _GAP.search(words) else Kind.OTHER


@dataclass(frozen=True, slots=True)
class Mark:
    """An event: its kind, time and text."""

    kind: Kind
    time: float
    words: str


@dataclass(slots=True)
class Span:
    """An interval from ``begin`` to ``end``, which is infinite while it lasts."""

    kind: Kind
    begin: float
    end: float
    words: str


class Timeline:
    """Marks and spans of events, which are added in order of time.

    Parameters
    ----------
    events : iterable of (float, str)
        Times, in any unit and from any origin, and texts.

    Attributes
    ----------
    marks : list of Mark
        All events.
    spans : list of Span
        Overrides, trims of a talker other than 0 dB, mutes and pauses.
    """

    def __init__(self, events: Iterable[tuple[float, str]] = ()) -> None:
        self.marks: list[Mark] = []
        self.spans: list[Span] = []
        self._lasting: dict[str, Span] = {}
        for time, words in events:
            self.add(time, words)

    def add(self, time: float, words: str) -> None:
        """Add an event."""
        kind = kind_of(words)
        self.marks.append(Mark(kind, time, words))
        match kind:
            case Kind.OVERRIDE:
                self._change(kind, kind, time, words, words != FOLLOW)
            case Kind.MUTE:
                self._change(kind, kind, time, words, words == "MUTED")
            case Kind.PAUSE:
                self._change(kind, kind, time, words, words != "resumed")
            case Kind.TRIM:
                talker, neutral = re.subn(r" 0 dB$", "", words)
                talker = re.sub(r" (muted|-[0-9.]+ dB)$", "", talker)
                self._change(talker, kind, time, words, not neutral)

    def _change(self, what: str, kind: Kind, time: float, words: str, on: bool) -> None:
        """End what lasts, and begin another span."""
        if (before := self._lasting.pop(what, None)) is not None:
            before.end = time
        if on:
            self._lasting[what] = Span(kind, time, math.inf, words)
            self.spans.append(self._lasting[what])

    def forget(self, before: float) -> None:
        """Drop the events before a time, and the spans that ended before it."""
        if self.marks and self.marks[0].time < before:
            self.marks = [mark for mark in self.marks if mark.time >= before]
        self.spans = [span for span in self.spans if span.end >= before]

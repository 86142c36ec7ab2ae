"""The journal of a recorded session: one type per kind of line, and the header of the recording.

A line is one JSON object, whose kind is given by one of its keys. :func:`line_text` writes lines and :func:`read_line`
reads them; no other module knows the keys. A recording may come from any source: only here its text is converted to
values of known types and within bounds, and users of
:class:`earmark.devices.files.session_file.SessionFile` may rely on them.

Seals are the only other lines; see :mod:`earmark.devices.files.sealed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from earmark.devices.files.xdf import XdfError
from earmark.devices.sources.overrides import Overrides
from earmark.pipeline.control import Control, Override, parse, text
from earmark.pipeline.registry import Part

#: Name of the text stream that holds the journal.
JOURNAL = "earmark-journal"
#: Version of the written format; recordings from before there were versions have version 0.
#: Increase it with every change that alters the meaning of what is written for :func:`read_line`,
#: :func:`read_about` or :func:`earmark.pipeline.control.parse`, or a default of a configuration that decisions depend
#: on; all versions from 0 on stay readable. Since version 2, signals are tilted and evidence follows a law of the
#: dwell by default; since version 3, there are lines about the places of a mixture.
FORMAT = 3
#: Maximum accepted values: samples of a stream, seconds, characters of a name, talkers.
MAX_INDEX, MAX_SECONDS, MAX_NAMES, MAX_TALKERS = 2**52, 1e12, 1000, 8

_Index = Annotated[int, Field(ge=0, le=MAX_INDEX)]
_Number = Annotated[float, Field(ge=-MAX_SECONDS, le=MAX_SECONDS, allow_inf_nan=False)]
_Period = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
_Names = Annotated[tuple[str, ...], Field(max_length=MAX_NAMES)]
#: Name of a file or folder beside a recording.
_Beside = Annotated[str, Field(pattern=r"^[^/\\\x00]*[^/\\.\x00][^/\\\x00]*$")]
_Control = Annotated[Control, PlainValidator(parse), PlainSerializer(text)]
_STRICT = ConfigDict(strict=True, extra="forbid", ser_json_inf_nan="constants")


class NewerFormatError(XdfError):
    """Raised when a recording was made by a newer version of Earmark than this one can read."""


class Span(NamedTuple):
    """Samples of a stream, from ``start`` to before ``stop``."""

    start: _Index
    stop: _Index


class Clock(NamedTuple):
    """See :class:`earmark.pipeline.stream.ClockMap`."""

    index0: _Number
    time0: _Number
    period: _Period


class Timed(NamedTuple):
    """A control message, and the LSL time at which the graph consumed it, in seconds."""

    time: _Number
    control: _Control


class Scores(NamedTuple):
    """Scores of a window by a backend; None if it did not answer in time."""

    backend: str
    scores: tuple[float, ...] | None


# Lines about what the graph consumed, in this order.


@dataclass(frozen=True, slots=True)
class GapLine:
    """Samples of a stream are missing; ``short`` as in :class:`earmark.pipeline.stream.Gap`."""

    __pydantic_config__: ClassVar = _STRICT
    stream: str
    gap: Span
    short: bool = False

    def __post_init__(self) -> None:
        _forward(self.gap)


@dataclass(frozen=True, slots=True)
class SkipLine:
    """The samples recorded next arrived so late that the graph got a gap instead."""

    __pydantic_config__: ClassVar = _STRICT
    stream: str
    skip: Span

    def __post_init__(self) -> None:
        _forward(self.skip)


@dataclass(frozen=True, slots=True)
class ClockLine:
    """Times of the samples of a stream, from here on."""

    __pydantic_config__: ClassVar = _STRICT
    stream: str
    clock: Clock


@dataclass(frozen=True, slots=True)
class OffsetLine:
    """Seconds to add to the stamps of an irregular stream, from here on."""

    __pydantic_config__: ClassVar = _STRICT
    stream: str
    offset: _Number


@dataclass(frozen=True, slots=True)
class ControlLine:
    """A control message was consumed."""

    __pydantic_config__: ClassVar = _STRICT
    control: Timed


# Lines about outputs and events.


@dataclass(frozen=True, slots=True)
class DigestLine:
    """Fingerprint and number of all items that an output of the graph has produced so far."""

    __pydantic_config__: ClassVar = _STRICT
    output: str
    items: _Index
    digest: str


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """Answer of a compiled network for a window."""

    __pydantic_config__: ClassVar = _STRICT
    answer: Scores


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """Timing of one decision, from the ledger. All times are LSL times in seconds.

    Attributes
    ----------
    decision : int
        Number of the decision, from 1 in each engine.
    newest : float
        Time of the newest sample of its window; for a decision from control alone, the time from which it holds.
    arrival, decided : float
        Arrival of the item that led to it, and time at which the graph had decided.
    set_at : float or None
        Time at which its gains were set; None if it came too late. Written as ``set``.
    scored : bool
        Whether it is based on a score.
    """

    __pydantic_config__: ClassVar = _STRICT
    decision: int
    newest: _Number
    arrival: _Number
    decided: _Number
    set_at: Annotated[_Number | None, Field(alias="set")]
    scored: bool


@dataclass(frozen=True, slots=True)
class HeardLine:
    """Control of the sound from a frame on; see :class:`earmark.devices.audio.scene.Control`.

    Attributes
    ----------
    heard : str
        See ``kind`` of :class:`earmark.devices.audio.scene.Applied`.
    frame : int
        First frame.
    dac : float or None
        LSL time at which it left the converter, in seconds; None if unknown.
    decision : int
        Decision whose gains were in force; -1 for none.
    trims_db, mutes : tuple
        The operator's trim and mute of each talker; empty in older recordings.
    positions : tuple of int
        Position in each talker's file in frames, where the sound started.
    """

    __pydantic_config__: ClassVar = _STRICT
    heard: Literal["start", "control", "stop", "lost"]
    frame: int
    dac: _Number | None
    decision: int
    gains_db: tuple[float, ...]
    ramp_s: float
    master_db: float
    mute: bool
    azimuths: tuple[float, ...]
    seek_id: int
    seek_s: tuple[float | None, ...]
    positions: tuple[int, ...]
    trims_db: tuple[float, ...] = ()
    mutes: tuple[bool, ...] = ()

    @property
    def heard_at(self) -> float | None:
        """LSL time of the first sound with the gains of :attr:`decision`; None if this line is about something else."""
        return self.dac if self.heard == "control" else None


@dataclass(frozen=True, slots=True)
class SoundCounters:
    """Sound output, and counters of the audio process at the end of a recording."""

    __pydantic_config__: ClassVar = _STRICT
    went_to: Annotated[str, Field(alias="went to")]
    xruns: int
    late: int
    missed: int
    lost: int
    refused: int
    repaired: int
    replaced: int

    def named(self) -> dict[str, str | int]:
        """Return all fields by readable names."""
        return {key.replace("_", " "): value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class SoundLine:
    """Counters of the sound."""

    __pydantic_config__: ClassVar = _STRICT
    sound: SoundCounters


@dataclass(frozen=True, slots=True)
class PlacesLine:
    """Where the talkers of a mixture are, and by how much they are changed.

    Attributes
    ----------
    places : tuple of float or None
        Azimuth of each talker, degrees to the right; None where nobody was found yet.
    delivered_db : tuple of float or None
        Change of each talker's level against the others, mean of the last seconds, dB; None without sound.
    at : float
        LSL time, in seconds.
    """

    __pydantic_config__: ClassVar = _STRICT
    places: Annotated[tuple[_Number | None, ...], Field(max_length=MAX_TALKERS)]
    delivered_db: Annotated[tuple[_Number | None, ...], Field(max_length=MAX_TALKERS)]
    at: _Number


@dataclass(frozen=True, slots=True)
class EventLine:
    """A message about an event."""

    __pydantic_config__: ClassVar = _STRICT
    event: str


@dataclass(frozen=True, slots=True)
class MaskedLine:
    """Channels that are masked from here on, by the output of the graph that masks them."""

    __pydantic_config__: ClassVar = _STRICT
    masked: tuple[str, ...]
    by: str = ""


Line = (
    GapLine
    | SkipLine
    | ClockLine
    | OffsetLine
    | ControlLine
    | DigestLine
    | AnswerLine
    | DecisionLine
    | HeardLine
    | SoundLine
    | PlacesLine
    | EventLine
    | MaskedLine
)

#: Key that determines the kind of a line.
_KEYS: dict[str, type[Line]] = {
    "gap": GapLine,
    "skip": SkipLine,
    "clock": ClockLine,
    "offset": OffsetLine,
    "control": ControlLine,
    "digest": DigestLine,
    "answer": AnswerLine,
    "newest": DecisionLine,
    "heard": HeardLine,
    "sound": SoundLine,
    "places": PlacesLine,
    "event": EventLine,
    "masked": MaskedLine,
}
_KINDS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in _KEYS.values()}


def line_text(line: Line) -> str:
    """Return a line as text."""
    return _KINDS[type(line)].dump_json(line, by_alias=True, exclude_defaults=True).decode()


def read_line(said: str, n_talkers: int = 0) -> Line:
    """Read a line of the journal; ``n_talkers`` is the number of talkers in the recording, 0 if unknown.

    Raises
    ------
    XdfError
        If this program does not write such a line.
    """
    where = f"line {said[:200]!r} of the journal"
    raw = _json(said, where)
    kind = next((kind for key, kind in _KEYS.items() if key in raw), None)
    if kind is None:
        raise XdfError(f"{where} is damaged: it is of no kind that there is")
    line: Line = _checked(_KINDS[kind], said, where)
    if isinstance(line, AnswerLine) and line.answer.scores is not None and n_talkers:
        n = len(line.answer.scores)
        if n != n_talkers:
            raise XdfError(f"{where}: {n} scores of {n_talkers} talkers")
    if isinstance(line, ControlLine) and isinstance(line.control.control, Override):
        talker, most = line.control.control.talker, n_talkers or MAX_TALKERS
        if isinstance(talker, int) and talker >= most:
            raise XdfError(f"{where}: there are {most} talkers")
    return line


# What a recording says of itself.


@dataclass(frozen=True, slots=True)
class DecoderCopy:
    """A copy of a decoder, in a folder beside the recording."""

    __pydantic_config__: ClassVar = _STRICT
    folder: _Beside
    sha256: str


@dataclass(frozen=True, slots=True)
class NetworkBackend:
    """What scored windows live, and how far it was from the network in float64."""

    __pydantic_config__: ClassVar = _STRICT
    backend: str
    device: str
    precision: Literal["float32", "tf32", "float16"]
    versions: dict[str, str] = field(default_factory=dict)
    engine: str = ""
    error: float = float("nan")


@dataclass(frozen=True, slots=True)
class About:
    """The header of the journal.

    Attributes
    ----------
    config : str
        The configuration, TOML.
    streams, outputs : tuple of str
        Names of the streams that came in, and of the outputs that are kept sample by sample, in the order of the file.
    environment : dict
        What a bit-exact replay depends on: versions, processor.
    subject, mode : str
        Whose session it is; ``calibration``, ``closed``, ``open`` or ``sham``.
    protocol : dict
        Of a calibration or run.
    steered : bool
        Whether decisions became gains.
    part : int
        Which engine of a session made it, from 1.
    talkers : tuple of str
        Their names.
    decoders : tuple of DecoderCopy
        The one that decides and its fallback.
    network : tuple of NetworkBackend or None
        What scored windows, if it was a compiled network.
    overrides : dict of str to Overrides, or None
        What the user said of each stream; None in recordings made before that was kept, whose ``units`` it was then.
    format : int
        See :data:`FORMAT`.
    written_by : str
        The program and its version.
    parts : tuple of Part
        Parts of other packages that the session was made of, decoders excepted.
    """

    __pydantic_config__: ClassVar = {**_STRICT, "extra": "ignore"}
    config: str
    streams: _Names = ()
    outputs: _Names = ()
    units: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    mode: str = ""
    protocol: dict[str, Any] = field(default_factory=dict)
    steered: bool = False
    part: int = 1
    talkers: Annotated[tuple[str, ...], Field(max_length=MAX_TALKERS)] = ()
    decoders: Annotated[tuple[DecoderCopy, ...], Field(max_length=2)] = ()
    network: tuple[NetworkBackend, ...] | None = None
    overrides: dict[str, Overrides] | None = None
    format: Annotated[int, Field(ge=0)] = 0
    written_by: str = ""
    parts: Annotated[tuple[Part, ...], Field(max_length=MAX_NAMES)] = ()

    def __post_init__(self) -> None:
        names = [*self.streams, *self.outputs, JOURNAL]
        if len(set(names)) < len(names):
            raise ValueError("streams and outputs have names in common")


_ABOUT = TypeAdapter(About)


def about_text(about: About) -> str:
    """Return what a recording says of itself as text."""
    return _ABOUT.dump_json(about, exclude_defaults=True).decode()


def this_program() -> str:
    """Name of this program, and its version."""
    return f"earmark {version('earmark')}"


def read_about(said: str) -> About:
    """Read what a recording says of itself.

    Raises
    ------
    NewerFormatError
        If this version of the program is too old to read the recording.
    XdfError
        If it is not what a recording of this program says.
    """
    where = "its description"
    raw = _json(said, where)
    found = raw.get("format", 0)
    if isinstance(found, int) and found > FORMAT:
        who = raw.get("written_by")
        raise NewerFormatError(
            f"it was recorded by {who if isinstance(who, str) and who else 'a newer Earmark'} in format {found}, but "
            f"{this_program()} reads formats up to {FORMAT}: install a newer Earmark to read it"
        )
    return _checked(_ABOUT, said, where)


_Read = TypeVar("_Read")


def _forward(span: Span) -> None:
    if span.start > span.stop:
        raise ValueError("it ends before it begins")


def _json(said: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise XdfError(f"{where} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise XdfError(f"{where} is damaged: it is no table")
    return found


def _checked(kind: TypeAdapter[_Read], said: str, where: str) -> _Read:
    try:
        return kind.validate_json(said)
    except ValidationError as error:
        raise XdfError(f"{where} is damaged: {'; '.join(_reasons(error))}") from None


def _reasons(error: ValidationError) -> Iterator[str]:
    for one in error.errors()[:3]:
        # A key of the file may hold line ends and escape sequences.
        place = ".".join(str(part) if str(part).isprintable() else repr(part) for part in one["loc"])
        yield f"{place or 'it'}: {one['msg']}"

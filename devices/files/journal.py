"""What a recorded session says of itself and in its journal, checked before anything is done with it.

A recording may come from anybody. Here, and nowhere else, its words become values of known kinds and within bounds;
whoever reads :class:`earmark.devices.files.session_file.SessionFile` may rely on them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from earmark.devices.files.xdf import XdfError
from earmark.pipeline.control import Override, Tick, parse

JOURNAL = "earmark-journal"
#: Key of the lines in the journal that hold answers of a network, and of what a recording says of who gave them.
ANSWER, ANSWERED_BY = "answer", "network"
#: Key of what the user said of the streams, by name in the configuration.
OVERRIDES = "overrides"
#: Bounds of what is believed: samples of a stream, seconds, names of something.
MAX_INDEX, MAX_SECONDS, MAX_NAMES = 2**52, 1e12, 1000

_Index = Annotated[int, Field(ge=0, le=MAX_INDEX)]
_Number = Annotated[float, Field(ge=-MAX_SECONDS, le=MAX_SECONDS, allow_inf_nan=False)]
_Names = Annotated[list[str], Field(max_length=MAX_NAMES)]
#: Name of something that lies beside a recording, and in no other folder.
_Beside = Annotated[str, Field(pattern=r"^[^/\\\x00]*[^/\\.\x00][^/\\\x00]*$")]
#: Most talkers that are believed.
MAX_TALKERS = 8


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Copy(_Strict):
    folder: _Beside
    sha256: str


class _Backend(_Strict):
    backend: str
    device: str
    precision: Literal["float32", "tf32", "float16"]


class _Overrides(BaseModel):
    """The words of :class:`earmark.devices.sources.overrides.Overrides`."""

    model_config = ConfigDict(strict=True, extra="forbid")
    unit: str = ""
    ch_type: str = ""
    channels: _Names = []
    bads: _Names = []
    sfreq: _Number | None = None


class About(_Strict):
    """What is in the header of the journal; other keys are left as they are."""

    config: str
    streams: _Names
    outputs: _Names
    units: dict[str, str] = {}
    environment: dict[str, Any] = {}
    subject: str = ""
    mode: str | None = None
    steered: bool = False
    part: int = 1
    talkers: Annotated[list[str], Field(max_length=MAX_TALKERS)] = []
    decoders: Annotated[list[_Copy], Field(max_length=2)] = []
    network: list[_Backend] | None = None
    overrides: dict[str, _Overrides] | None = None

    @model_validator(mode="after")
    def _distinct(self) -> About:
        names = [*self.streams, *self.outputs, JOURNAL]
        if len(set(names)) < len(names):
            raise ValueError("streams and outputs have names in common")
        return self


class _Span(_Strict):
    stream: str
    gap: tuple[_Index, _Index] | None = None
    skip: tuple[_Index, _Index] | None = None
    short: bool = False

    @model_validator(mode="after")
    def _forward(self) -> _Span:
        start, stop = self.gap or self.skip or (0, 0)
        if start > stop:
            raise ValueError("it ends before it begins")
        return self


class _Clock(_Strict):
    stream: str
    clock: tuple[_Number, _Number, Annotated[float, Field(gt=0, le=1e6)]]


class _Control(_Strict):
    control: tuple[_Number, str]

    @model_validator(mode="after")
    def _known(self) -> _Control:
        parse(self.control[1])
        return self


class _Offset(_Strict):
    stream: str
    offset: _Number


class _Digest(_Strict):
    output: str
    items: _Index
    digest: str


class _Event(_Strict):
    event: str


class _Masked(_Strict):
    masked: list[str]


class _Ledger(_Strict):
    decision: int
    newest: _Number
    arrival: _Number
    decided: _Number
    set: _Number | None
    scored: bool


class _Heard(_Strict):
    heard: str
    frame: int
    dac: _Number | None
    decision: int
    positions: list[int]


class _Sound(_Strict):
    sound: dict[str, Any]


class _Answer(_Strict):
    answer: tuple[str, list[float] | None]


#: By the key that tells what a line is about; others are left as they are.
_LINES: dict[str, type[_Strict]] = {
    "gap": _Span,
    "skip": _Span,
    "clock": _Clock,
    "control": _Control,
    "offset": _Offset,
    "digest": _Digest,
    "event": _Event,
    "masked": _Masked,
    "newest": _Ledger,
    "heard": _Heard,
    "sound": _Sound,
    ANSWER: _Answer,
}


def read_about(text: str) -> dict[str, Any]:
    """Check what a recording says of itself.

    Returns
    -------
    about : dict
        With at least the keys of :class:`About`, apart from those about which nothing was said and nothing assumed.

    Raises
    ------
    XdfError
        If it is not what a recording of this program says.
    """
    raw = _json(text, "its description")
    found = _checked(About, raw, "its description").model_dump(exclude_none=True)
    return {**raw, **found, **({OVERRIDES: raw[OVERRIDES]} if OVERRIDES in found else {})}


def read_line(text: str, n_talkers: int) -> dict[str, Any]:
    """Check a line of the journal of a recording with so many talkers (0 if it does not say how many).

    Raises
    ------
    XdfError
        If it is not what this program writes.
    """
    where = f"line {text[:200]!r} of the journal"
    entry = _json(text, where)
    for key, model in _LINES.items():
        if key in entry:
            _checked(model, entry, where)
            break
    scores = entry[ANSWER][1] if ANSWER in entry else None
    if scores is not None and n_talkers and len(scores) != n_talkers:
        raise XdfError(f"{where}: {len(scores)} scores of {n_talkers} talkers")
    control = parse(entry["control"][1]) if "control" in entry else Tick()
    most = n_talkers or MAX_TALKERS
    if isinstance(control, Override) and isinstance(control.talker, int) and control.talker >= most:
        raise XdfError(f"{where}: there are {most} talkers")
    return entry


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise XdfError(f"{where} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise XdfError(f"{where} is damaged: it is no table")
    return found


def _checked(model: type[_Strict], raw: Mapping[str, Any], where: str) -> Any:
    # JSON knows no tuples, and strict models take nothing else for one.
    try:
        return model.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise XdfError(f"{where} is damaged: {'; '.join(_reasons(error))}") from None


def _reasons(error: ValidationError) -> Iterator[str]:
    for one in error.errors()[:3]:
        place = ".".join(str(part) for part in one["loc"])
        yield f"{place or 'it'}: {one['msg']}"

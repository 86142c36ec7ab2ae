"""The log beside a file of what was heard: which frames it has, and what is needed to compute envelopes from it again.

It is one JSON object per line, so that it can be read at any time. It may come from any source: :func:`read_heard`
checks everything.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from earmark.devices.audio.control_block import MAX_TALKERS
from earmark.devices.audio.heard import Renewal
from earmark.devices.audio.scene import AudioError, Scene
from earmark.devices.files.regular_file import open_regular
from earmark.pipeline.node import State

log = logging.getLogger(__name__)

#: What a file holds, which is also a part of its name.
Heard = Literal["microphones", "talkers"]
MICROPHONES: Heard = "microphones"
LIVE_TALKERS: Heard = "talkers"
#: Why frames are missing: the sound process was replaced; the disk was too slow; or nothing could be written.
Why = Literal["not played", "too slow", "not written"]
#: Version of the format, and greatest size of a log in bytes: enough for thousands of losses.
FORMAT, MAX_BYTES = 1, 64 << 20
#: Bytes of a sample.
SAMPLE_BYTES = 4

_STRICT = ConfigDict(strict=True, extra="forbid")
_Frame = Annotated[int, Field(ge=0, le=2**52)]


@dataclass(frozen=True, slots=True)
class HeardAbout:
    """What a file holds.

    Attributes
    ----------
    heard : str
        ``microphones``, or live ``talkers``.
    channels : tuple of str
        Names of its channels.
    sfreq : float
        Frames per second.
    first : int
        Output frame of its first frame.
    format : int
        See :data:`FORMAT`.
    """

    __pydantic_config__: ClassVar = _STRICT
    heard: Heard
    channels: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    sfreq: Annotated[float, Field(ge=8_000, le=192_000)]
    first: _Frame
    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT


@dataclass(frozen=True, slots=True)
class Lost:
    """Output frames from ``lost`` to before ``to`` are silent in the file."""

    __pydantic_config__: ClassVar = _STRICT
    lost: _Frame
    to: _Frame
    why: Why


@dataclass(frozen=True, slots=True)
class _RenewalLine:
    __pydantic_config__: ClassVar = _STRICT
    renewal: _Frame
    azimuths: Annotated[tuple[float | None, ...], Field(max_length=MAX_TALKERS)]
    start: bool


@dataclass(frozen=True, slots=True)
class _Packed:
    __pydantic_config__: ClassVar = _STRICT
    dtype: Literal["<f8", "<c16", "<i8", "|b1", "<f4", "<c8"]
    shape: Annotated[tuple[_Frame, ...], Field(max_length=4)]
    data: str


@dataclass(frozen=True, slots=True)
class _StateLine:
    __pydantic_config__: ClassVar = _STRICT
    envelopes: _Frame
    state: Annotated[dict[str, _Packed], Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class _EndLine:
    __pydantic_config__: ClassVar = _STRICT
    end: _Frame


_KINDS: dict[str, TypeAdapter[Any]] = {
    "heard": TypeAdapter(HeardAbout),
    "lost": TypeAdapter(Lost),
    "renewal": TypeAdapter(_RenewalLine),
    "envelopes": TypeAdapter(_StateLine),
    "end": TypeAdapter(_EndLine),
}


def recorded_channels(scene: Scene) -> tuple[str, ...]:
    """Return the names of the channels of a scene's file: microphones, or live talkers; empty if nothing is live."""
    if scene.microphones is not None:
        return tuple(f"microphone {k + 1}" for k in range(len(scene.microphones.positions)))
    return tuple(talker.name for talker in scene.talkers if talker.is_live)


def sound_beside(recording: Path, heard: Heard) -> Path:
    """Return the path of a recording's file of what was heard."""
    return recording.with_suffix(f".{heard}.wav")


def log_beside(sound: Path) -> Path:
    """Return the path of the log of a file of what was heard."""
    return sound.with_suffix(".jsonl")


class HeardLog:
    """Writes the log of a file; a line that cannot be written is left out, with a message to the program's log.

    Parameters
    ----------
    sound : Path
        The file.
    about : HeardAbout

    Raises
    ------
    AudioError
        If it cannot be created.
    """

    def __init__(self, sound: Path, about: HeardAbout) -> None:
        self._path = log_beside(sound)
        try:
            self._file = open(self._path, "x", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise AudioError(f"cannot write {self._path}: {error.strerror}") from None
        self._put(about)

    def _put(self, line: Any) -> None:
        kind = next(kind for key, kind in _KINDS.items() if hasattr(line, key))
        try:
            self._file.write(kind.dump_json(line).decode() + "\n")
        except OSError as error:
            log.error("%s lacks a line: %s", self._path, error.strerror)

    def renewal(self, one: Renewal) -> None:
        """Write from where on the envelopes can be computed again."""
        azimuths = tuple(None if math.isnan(at) else at for at in one.azimuths)
        self._put(_RenewalLine(one.frame, azimuths, bool(one.start)))

    def state(self, frame: int, state: State) -> None:
        """Write the state of the published envelopes before a frame is consumed."""
        packed = {}
        for key, one in state.items():
            array = np.ascontiguousarray(one)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            data = base64.b64encode(array.tobytes()).decode()
            packed[key] = _Packed(array.dtype.str, tuple(np.shape(one)), data)  # type: ignore[arg-type]
        self._put(_StateLine(frame, packed))

    def lost(self, lost: Lost) -> None:
        """Write which frames the file lacks."""
        self._put(lost)

    def end(self, frame: int) -> None:
        """Write the frame after the last one."""
        self._put(_EndLine(frame))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class HeardSound:
    """A file of what was heard, with its log.

    Attributes
    ----------
    path : Path
        The file.
    about : HeardAbout
    renewals : tuple of Renewal
    states : tuple of (int, dict)
        State of the published envelopes, and the frame before which it is.
    losses : tuple of Lost
        In order.
    end : int or None
        Frame after the last one; None if the recording was cut short.
    """

    path: Path
    about: HeardAbout
    renewals: tuple[Renewal, ...]
    states: tuple[tuple[int, State], ...]
    losses: tuple[Lost, ...]
    end: int | None


def read_heard(recording: Path) -> HeardSound | None:
    """Read the log of what was heard in a recording; None if no sound was recorded.

    A last line that was cut short is left out.

    Raises
    ------
    AudioError
        If it is damaged, or cannot be read.
    """
    for heard in (MICROPHONES, LIVE_TALKERS):
        sound = sound_beside(recording, heard)
        if sound.is_file():
            return _read(sound, heard)
    return None


def _read(sound: Path, heard: Heard) -> HeardSound:
    path = log_beside(sound)
    try:
        with open_regular(path, MAX_BYTES) as file:
            lines = file.read().decode("utf-8", "replace").split("\n")[:-1]
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}") from None
    found: dict[str, list[Any]] = {key: [] for key in _KINDS}
    for number, text in enumerate(lines, 1):
        try:
            raw = json.loads(text)
            key = next(key for key in _KINDS if key in raw)
            found[key].append(_KINDS[key].validate_json(text))
        except (ValueError, TypeError, StopIteration, RecursionError, ValidationError):
            raise AudioError(f"{path} is damaged in line {number}: it is not what this program writes") from None
    if len(found["heard"]) != 1 or found["heard"][0].heard != heard:
        raise AudioError(f"{path} is damaged: it does not say which {heard} {sound.name} holds")
    renewals = [
        Renewal(one.renewal, tuple(math.nan if at is None else at for at in one.azimuths), one.start)
        for one in found["renewal"]
    ]
    try:
        states = [
            (one.envelopes, {key: _unpacked(packed) for key, packed in one.state.items()}) for one in found["envelopes"]
        ]
    except (ValueError, binascii.Error):
        raise AudioError(f"{path} is damaged: a state of envelopes has not the size that it says") from None
    return HeardSound(
        sound,
        found["heard"][0],
        tuple(sorted(renewals, key=lambda one: one.frame)),
        tuple(sorted(states, key=lambda one: one[0])),
        tuple(sorted(found["lost"], key=lambda one: one.lost)),
        found["end"][-1].end if found["end"] else None,
    )


def _unpacked(packed: _Packed) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed.data, validate=True), packed.dtype).reshape(packed.shape).copy()

"""The tables ``[array]`` and ``[room]`` of a configuration: microphones that hear a mixture, and a simulated room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from earmark.app.config.speech import check_source, source_at
from earmark.app.config.toml_file import ConfigError
from earmark.devices.audio.scene import EMBEDDED, KEMAR, LIVE, ONNX, ROOM, SEPARATORS, Microphones, Room, RoomTalker
from earmark.pipeline.registry import RegistryError
from earmark.pipeline.scene.array import PRESETS, Array
from earmark.pipeline.scene.array import preset as preset_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RoomTalkerConfig(_Strict):
    """One talker in the simulated room."""

    name: str = Field(min_length=1, description="name of the channel of the clean envelope")
    source: str = Field(min_length=1, description="a sound file, relative to this file; or speech:joe, speech:ada")
    azimuth: float = Field(default=0.0, ge=-180, le=180, description="degrees to the right of straight ahead")
    azimuth_to: float | None = Field(default=None, ge=-180, le=180, description="the talker walks there and back")
    speed: float = Field(default=10.0, gt=0, le=90, description="speed of walking, degrees per second")
    distance: float = Field(default=1.2, ge=0.3, le=15, description="distance from the listener, m")
    start_s: float = Field(default=0.0, ge=0, description="start position in the file, s")

    @field_validator("source")
    @classmethod
    def _is_shipped(cls, source: str) -> str:
        return check_source(source)

    def talker(self, folder: Path) -> RoomTalker:
        """Return the talker; paths are relative to ``folder``."""
        source = source_at(self.source, folder)
        return RoomTalker(self.name, source, self.azimuth, self.azimuth_to, self.speed, self.distance, self.start_s)


class RoomConfig(_Strict):
    """A simulated room, as a source of microphones."""

    rt60_s: float = Field(default=0.3, ge=0, le=1, description="reverberation time, s; 0 for the open")
    size: list[float] = Field(
        default=[6.0, 5.0, 2.8], min_length=3, max_length=3, description="length, width and height, m"
    )
    noise_db: float = Field(
        default=-30.0, ge=-100, le=0, description="noise of the microphones relative to a talker, dB"
    )
    seed: int = Field(default=0, ge=0, description="seed of the noise")
    seconds: float = Field(default=60.0, ge=2, le=300, description="time after which it repeats, s")
    talkers: list[RoomTalkerConfig] = Field(min_length=1, max_length=4)

    def room(self, folder: Path) -> Room:
        """Return the room; paths of talkers are relative to ``folder``.

        Raises
        ------
        AudioError
            If it is impossible.
        """
        length, width, height = self.size
        talkers = tuple(talker.talker(folder) for talker in self.talkers)
        return Room(talkers, self.rt60_s, (length, width, height), self.noise_db, self.seed, self.seconds)


class ArrayConfig(_Strict):
    """Microphones that hear a mixture, whose talkers are told apart by direction."""

    preset: str = Field(default="", description=f"usual array: {', '.join(PRESETS)}")
    positions: list[list[float]] = Field(
        default=[], max_length=64, description="instead of a preset: [right, front, up] of each microphone, m"
    )
    ears: list[int] = Field(
        default=[0, 1], min_length=2, max_length=2, description="microphones of the left and the right ear, from 0"
    )
    reference: int = Field(default=0, ge=0, description="microphone that talkers are separated at, from 0")
    span: list[float] = Field(
        default=[], max_length=2, description="range of azimuths of talkers, degrees; -90 and 90 is the front"
    )
    responses: str = Field(
        default="",
        description="measured responses, an .npz with azimuths, taps and sfreq, relative to this file; kemar, for two "
        "microphones at the ears",
    )
    microphones: str = Field(
        min_length=1,
        description="input:1-6, channels of the sound input; lsl:NAME, an LSL stream; a sound file, relative to this "
        "file; room, the table [room]",
    )
    loop: bool = Field(default=False, description="restart a file at its end")
    window_s: float = Field(
        default=0.008, ge=0.002, le=0.064, description="window of the transform, s: sound is as much later"
    )
    separator: str = Field(
        default=EMBEDDED,
        min_length=1,
        description="separator: beams, one of another package, or onnx:FILE, relative to this file",
    )

    @property
    def is_live(self) -> bool:
        """Whether the microphones are a sound input or a stream."""
        return self.microphones.startswith(LIVE)

    @property
    def array(self) -> Array:
        """The array, without measured responses.

        Raises
        ------
        SceneError
            If it is impossible.
        """
        if self.preset:
            found = preset_of(self.preset)
            span = (self.span[0], self.span[1]) if self.span else found.span
            return Array(found.positions, found.reference, found.ears, span)
        low, high = self.span or (-180.0, 180.0)
        positions: Any = self.positions  # which are checked
        return Array(positions, self.reference, (self.ears[0], self.ears[1]), (low, high))

    def heard(self, room: RoomConfig | None, starts: tuple[float | None, ...], folder: Path) -> Microphones:
        """Return the microphones; paths are relative to ``folder``.

        Parameters
        ----------
        room : RoomConfig or None
        starts : tuple of float or None
            Azimuths at which places are looked for at first.
        folder : Path

        Raises
        ------
        AudioError, SceneError
            If they are impossible.
        """
        array, separator = self.array, self.separator
        if separator.startswith(ONNX):
            separator = f"{ONNX}{folder / separator.removeprefix(ONNX)}"
        source = self.microphones if self.is_live or self.microphones == ROOM else str(folder / self.microphones)
        return Microphones(
            source,
            tuple((float(x), float(y), float(z)) for x, y, z in array.positions),
            array.ears,
            array.reference,
            array.span,
            str(folder / self.responses) if self.responses not in ("", KEMAR) else self.responses,
            self.window_s,
            separator,
            starts,
            self.loop,
            None if room is None or self.microphones != ROOM else room.room(folder),
        )


def check_array(array: ArrayConfig | None, room: RoomConfig | None, where: str, live: bool) -> None:
    """Refuse contradictions within and between the tables.

    Raises
    ------
    ConfigError
        If there is one; names table, key and fix.
    """
    if array is None:
        if room is not None:
            raise ConfigError(f'{where}: [room] needs [array] with microphones = "{ROOM}": add it, or remove [room]')
        return
    place = f"{where}: [array]"
    if bool(array.preset) == bool(array.positions):
        raise ConfigError(f"{place} must have either preset or positions: set preset to one of {', '.join(PRESETS)}")
    own = [key for key in ("ears", "reference") if key in array.model_fields_set]
    if array.preset and own:
        raise ConfigError(f"{place}: {' and '.join(own)} cannot be changed in a preset: give positions instead")
    if len(array.span) == 1:
        raise ConfigError(f"{place}: span has 1 entry, but must have 2: [-90, 90] is the front")
    if (array.microphones == ROOM) != (room is not None):
        fix = "add [room]" if room is None else f'set it to "{ROOM}", or remove [room]'
        raise ConfigError(f"{place}: microphones is {array.microphones!r}: {fix}")
    if live and not array.separator.startswith(ONNX):
        try:
            SEPARATORS.part(array.separator)
        except RegistryError as error:
            raise ConfigError(f"{place}: separator: {error}") from None

"""The table ``[sound]`` of a configuration: talkers, their positions, and the sound device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from earmark.app.config.array import ArrayConfig, RoomConfig
from earmark.app.config.speech import SPEECH as SPEECH  # noqa: PLC0414 - exported again for callers
from earmark.app.config.speech import check_source, source_at
from earmark.devices.audio.control_block import MAX_TALKERS
from earmark.devices.audio.heard_log import SAMPLE_BYTES
from earmark.devices.audio.levels import cap_dbfs
from earmark.devices.audio.scene import HARD_CEILING_DBFS, LIVE, PLACE, AudioError, Scene, Talker
from earmark.devices.audio.sinks import DeviceSink, FileSink, NullSink, Sink

#: Farthest azimuth of a talker with a source of their own, degrees; places may be behind the listener.
FARTHEST = 90


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TalkerConfig(_Strict):
    """One talker."""

    name: str = Field(min_length=1, description="name on screen")
    source: str = Field(
        min_length=1,
        description="a sound file, relative to this file; input:N, channel N of the sound input; lsl:NAME, an LSL "
        "stream; speech:joe or speech:ada, the bundled speech; with [array], place:1, place:2 and so on",
    )
    azimuth: float = Field(
        default=0.0,
        description="degrees to the right of straight ahead, -90 to 90; of a place, where it is looked for at first, "
        "-180 to 180",
    )
    loop: bool = Field(default=False, description="restart a file at its end")
    start_s: float = Field(default=0.0, ge=0, description="start position in a file, s")

    @field_validator("source")
    @classmethod
    def _is_shipped(cls, source: str) -> str:
        return check_source(source)

    @field_validator("azimuth")
    @classmethod
    def _is_in_front(cls, azimuth: float, info: ValidationInfo) -> float:
        farthest = 180 if str(info.data.get("source", "")).startswith(PLACE) else FARTHEST
        if azimuth > farthest:
            raise PydanticKnownError("less_than_equal", {"le": farthest})
        if azimuth < -farthest:
            raise PydanticKnownError("greater_than_equal", {"ge": -farthest})
        return azimuth

    def talker(self, folder: Path) -> Talker:
        """Return the talker; paths are relative to ``folder``."""
        source = self.source if self.source.startswith((*LIVE, PLACE)) else source_at(self.source, folder)
        return Talker(self.name, source, self.azimuth, self.loop, self.start_s)


def _none(value: Any) -> Any:
    return None if value == "none" else value


class SoundConfig(_Strict):
    """Talkers and sound output."""

    device: str = Field(
        default="default",
        min_length=1,
        description="name of the sound output, part of it, or its number in 'earmark devices'; default, the system's; "
        "null, none; file:PATH.wav, a file",
    )
    input_device: str = Field(default="default", min_length=1, description="sound input for input:N, named likewise")
    sfreq: float = Field(default=48_000.0, ge=8_000, le=192_000, description="sample rate, Hz")
    block: int = Field(default=256, ge=16, le=8192, description="frames per buffer")
    space: str = Field(
        default="hrtf", description="spatialization: hrtf, itd_ild, left_right, or a space of another package"
    )
    loudness_lufs: Annotated[float | None, BeforeValidator(_none)] = Field(
        default=-26.0, gt=-70, le=0, description="loudness to which file talkers are matched, LUFS; or none"
    )
    ceiling_dbfs: float = Field(default=-6.0, ge=-60, le=HARD_CEILING_DBFS, description="level cap, dBFS")
    max_spl: float | None = Field(
        default=None, ge=40, le=120, description="level cap, dB SPL; first measure the device with 'earmark level'"
    )
    extra_latency_s: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="latency that the driver does not report, s; for Bluetooth",
    )
    record_audio: Literal["features", "all"] = Field(
        default="features",
        description="what recordings keep of live talkers and microphones: features, envelopes; all, the sound, too",
    )
    publish: str = Field(
        default="earmark-audio", min_length=1, description="prefix of the names of the published LSL streams"
    )
    talkers: list[TalkerConfig] = Field(min_length=1, max_length=MAX_TALKERS)

    _array: ArrayConfig | None = PrivateAttr(default=None)
    _room: RoomConfig | None = PrivateAttr(default=None)

    @property
    def array(self) -> ArrayConfig | None:
        """The table ``[array]``, if there is one: talkers are then places of a mixture."""
        return self._array

    @property
    def room(self) -> RoomConfig | None:
        """The table ``[room]``, if there is one."""
        return self._room

    def hearing(self, array: ArrayConfig | None, room: RoomConfig | None) -> SoundConfig:
        """Return a copy with the tables ``[array]`` and ``[room]``."""
        found = self.model_copy()
        found._array, found._room = array, room
        return found

    @property
    def live(self) -> str:
        """What is heard live: the first such source of a talker, or the microphones; empty if nothing is."""
        if self.array is not None and self.array.is_live:
            return self.array.microphones
        return next((talker.source for talker in self.talkers if talker.source.startswith(LIVE)), "")

    def scene(self, folder: Path) -> Scene:
        """Return the scene; paths of talkers are relative to ``folder``.

        Raises
        ------
        AudioError
            If two talkers have the same name, or ``max_spl`` is set and the level of the device is not known.
        """
        cap = HARD_CEILING_DBFS if self.max_spl is None else cap_dbfs(self.device, self.max_spl)
        return Scene(
            tuple(talker.talker(folder) for talker in self.talkers),
            self.sfreq,
            self.block,
            self.space,
            self.loudness_lufs,
            min(self.ceiling_dbfs, cap),
            extra_latency_s=self.extra_latency_s,
            microphones=None if self.array is None else self.array.heard(self.room, self._starts, folder),
        )

    @property
    def recorded(self) -> tuple[str, ...]:
        """What is recorded as sound: microphones, or talkers; empty if nothing is."""
        if self.record_audio != "all":
            return ()
        if self.array is not None:
            return tuple(f"microphone {k + 1}" for k in range(self.array.array.n_mics))
        return tuple(talker.name for talker in self.talkers if talker.source.startswith(LIVE))

    @property
    def recorded_bytes_per_s(self) -> float:
        """How fast the file of that grows while a recording is made."""
        return SAMPLE_BYTES * len(self.recorded) * self.sfreq

    @property
    def _starts(self) -> tuple[float | None, ...]:
        return tuple(talker.azimuth if "azimuth" in talker.model_fields_set else None for talker in self.talkers)

    def check(self) -> None:
        """Refuse talkers that do not go with the microphones, or leave nothing to record, before anything is opened.

        Raises
        ------
        AudioError, SceneError
            If they do not.
        """
        talkers = tuple(talker.talker(Path()) for talker in self.talkers)
        if self.array is not None:
            Scene(talkers, self.sfreq, microphones=self.array.heard(self.room, self._starts, Path()))
        elif any(talker.is_place for talker in talkers):
            Scene(talkers, self.sfreq)
        if self.record_audio == "all" and not self.recorded:
            raise AudioError(
                'audio: record_audio is "all", but all talkers come from files, which are there already: leave it out'
            )

    def sink(self, folder: Path) -> Sink:
        """Return the sink; the path of a file is relative to ``folder``.

        Raises
        ------
        AudioError
            If a sound input is needed, and there is no sound device.
        """
        if self.device != "null" and not self.device.startswith("file:"):
            return DeviceSink(_device(self.device), _device(self.input_device))
        who = [(f"talker {talker.name!r}: ", talker.source, "the talker") for talker in self.talkers]
        who += [("array: ", self.array.microphones, "the microphones")] if self.array is not None else []
        for name, source, what in who:
            if source.startswith("input:"):
                raise AudioError(
                    f"{name}{source} works only together with a sound device, but device is {self.device!r}: choose "
                    f"one of 'earmark devices', or take {what} from a file"
                )
        return NullSink() if self.device == "null" else FileSink(folder / self.device.removeprefix("file:"))


def _device(name: str) -> str | int | None:
    if name == "default":
        return None
    return int(name) if name.isdecimal() else name


#: Settings without a configuration: the bundled speech.
SHIPPED = SoundConfig(
    talkers=[
        TalkerConfig(name="joe", source="speech:joe", azimuth=-60.0, loop=True),
        TalkerConfig(name="ada", source="speech:ada", azimuth=60.0, loop=True),
    ]
)

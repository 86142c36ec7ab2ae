"""The table ``[sound]`` of a configuration: talkers, their positions, and the sound device."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from earmark.devices.audio.control_block import MAX_TALKERS
from earmark.devices.audio.levels import cap_dbfs
from earmark.devices.audio.scene import HARD_CEILING_DBFS, LIVE, AudioError, Scene, Talker
from earmark.devices.audio.sinks import DeviceSink, FileSink, NullSink, Sink

#: Folder of the bundled speech, whose files are named as ``speech:joe``.
SPEECH = Path(__file__).parents[1] / "speech"
_SHIPPED = "speech:"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TalkerConfig(_Strict):
    """One talker."""

    name: str = Field(min_length=1, description="name on screen")
    source: str = Field(
        min_length=1,
        description="a sound file, relative to this file; input:N, channel N of the sound input; lsl:NAME, an LSL "
        "stream; speech:joe or speech:ada, the bundled speech",
    )
    azimuth: float = Field(default=0.0, ge=-90, le=90, description="degrees to the right of straight ahead")
    loop: bool = Field(default=False, description="restart a file at its end")
    start_s: float = Field(default=0.0, ge=0, description="start position in a file, s")

    @field_validator("source")
    @classmethod
    def _is_shipped(cls, source: str) -> str:
        known = sorted(_SHIPPED + path.stem for path in SPEECH.glob("*.ogg"))
        if source.startswith(_SHIPPED) and source not in known:
            near = difflib.get_close_matches(source, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise PydanticCustomError("speech", f"the bundled speech is {', '.join(known)}{hint}")
        return source

    def talker(self, folder: Path) -> Talker:
        """Return the talker; paths are relative to ``folder``."""
        if self.source.startswith(_SHIPPED):
            source = str(SPEECH / f"{self.source.removeprefix(_SHIPPED)}.ogg")
        else:
            source = self.source if self.source.startswith(LIVE) else str(folder / self.source)
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
    publish: str = Field(
        default="earmark-audio", min_length=1, description="prefix of the names of the published LSL streams"
    )
    talkers: list[TalkerConfig] = Field(min_length=1, max_length=MAX_TALKERS)

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
        )

    def sink(self, folder: Path) -> Sink:
        """Return the sink; the path of a file is relative to ``folder``.

        Raises
        ------
        AudioError
            If a talker needs a sound input, and there is no sound device.
        """
        live = [talker for talker in self.talkers if talker.source.startswith("input:")]
        if self.device != "null" and not self.device.startswith("file:"):
            return DeviceSink(_device(self.device), _device(self.input_device))
        if live:
            raise AudioError(
                f"talker {live[0].name!r}: {live[0].source} works only together with a sound device, but "
                f"device is {self.device!r}: choose one of 'earmark devices', or take the talker from a file"
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

"""Definition of a scene: talkers, their positions, and limits of the output level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.registry import Registry

if TYPE_CHECKING:
    from earmark.pipeline.scene.array import Array
    from earmark.pipeline.scene.separator import Separator
    from earmark.pipeline.scene.transform import Framing

#: What a space is: of a rate, Hz, it gives azimuths, shape (n_azimuths,), degrees to the right, ascending, and impulse
#: responses, shape (n_azimuths, 2, n_taps), of the left and the right ear. Straight ahead, the gain should be about 1.
#: :func:`earmark.testing.check_space` checks a function.
Directions = Callable[[float], tuple[NDArray[np.float64], NDArray[np.float64]]]
#: Ways to place talkers, by ``space`` in ``[sound]``: measured head-related impulse responses, delay and level
#: differences, left and right only; packages add to them by entry points of the group ``earmark.spaces``.
SPACES: Registry[Directions] = Registry(
    "space",
    "earmark.spaces",
    {
        "hrtf": "earmark.devices.audio.prepare:kemar",
        "itd_ild": "earmark.devices.audio.space:itd_ild",
        "left_right": "earmark.devices.audio.space:left_right",
    },
)
#: Separators by ``separator`` in ``[array]``: each makes one of an array, a framing and a number of places. Packages
#: add to them by entry points of the group ``earmark.separators``.
SEPARATORS: Registry[Callable[[Array, Framing, int], Separator]] = Registry(
    "separator",
    "earmark.separators",
    {
        "beams": "earmark.pipeline.scene.separator:BeamMasks",
        "network": "earmark.devices.audio.mask_network:network_masks",
    },
)
#: Prefixes of sources that are not files: a channel of the sound input, an LSL stream.
LIVE = ("input:", "lsl:")
#: Prefix of the sources of talkers who are told apart in a mixture; what microphones are in a simulated room; and the
#: number of talkers of a mixture.
PLACE, ROOM, N_PLACES = "place:", "room", (2, 4)
#: Prefix of separators that are ONNX files; and the embedded separator.
ONNX, EMBEDDED = "onnx:", "beams"
#: Measured responses of the ears of a KEMAR head, instead of a file.
KEMAR = "kemar"
#: Range of a talker's gain, dB, to which the gains of a steering law are clipped.
GAIN_DB = (-40.0, 12.0)
#: Maximum level of any output sample in dBFS, whatever the configuration; it can only be lowered.
HARD_CEILING_DBFS = -1.0
#: What may happen to the sound at a frame, see :class:`Applied`.
Kind = Literal["start", "control", "stop", "lost"]


class AudioError(EarmarkError):
    """Raised when sound cannot be made or played as requested."""


@dataclass(frozen=True, slots=True)
class Talker:
    """One talker.

    Attributes
    ----------
    name : str
        Name on screen.
    source : str
        A sound file's path, with ``#2`` after it for its second channel; ``input:N`` for channel N (from 1) of the
        sound input, ``lsl:NAME`` for the first channel of an LSL audio stream; or ``place:N`` for a talker of the
        mixture that the scene's microphones hear.
    azimuth : float
        Degrees to the right of straight ahead, -90 to 90; of a place, -180 to 180.
    loop : bool
        Whether a file repeats at its end; otherwise silence follows.
    start_s : float
        Start position in a file, s.
    """

    name: str
    source: str
    azimuth: float = 0.0
    loop: bool = False
    start_s: float = 0.0

    @property
    def is_live(self) -> bool:
        """Whether the source is a sound input or a stream."""
        return self.source.startswith(LIVE)

    @property
    def is_place(self) -> bool:
        """Whether it is a talker of a mixture."""
        return self.source.startswith(PLACE)


@dataclass(frozen=True, slots=True)
class RoomTalker:
    """One talker in a simulated room.

    Attributes
    ----------
    name : str
        Name of the channel of the clean envelope.
    source : str
        A sound file's path, as for :class:`Talker`.
    azimuth : float
        Degrees to the right of straight ahead, -180 to 180.
    azimuth_to : float or None
        If not None, the talker walks to and fro between ``azimuth`` and this.
    speed : float
        Speed of walking, degrees per second. It is changed a little, so that the walk ends where it began.
    distance : float
        Distance from the listener, m.
    start_s : float
        Start position in the file, s.
    """

    name: str
    source: str
    azimuth: float = 0.0
    azimuth_to: float | None = None
    speed: float = 10.0
    distance: float = 1.2
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """A simulated room, in whose middle the listener is.

    Attributes
    ----------
    talkers : tuple of RoomTalker
        1 to 4.
    rt60_s : float
        Reverberation time, s; 0 for the open.
    size : tuple of float
        Length, width and height, m.
    noise_db : float
        Noise of the microphones, relative to the mean power of a talker, dB.
    seed : int
        Seed of the noise.
    seconds : float
        Time after which it repeats, without a seam.
    """

    talkers: tuple[RoomTalker, ...]
    rt60_s: float = 0.3
    size: tuple[float, float, float] = (6.0, 5.0, 2.8)
    noise_db: float = -30.0
    seed: int = 0
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse invalid settings, naming key, value and what is needed."""
        checks: list[tuple[str, object, bool, str]] = [
            ("talkers", len(self.talkers), 1 <= len(self.talkers) <= N_PLACES[1], f"1 to {N_PLACES[1]} of them"),
            ("rt60_s", self.rt60_s, self.rt60_s == 0 or 0.1 <= self.rt60_s <= 1, "0, or 0.1 to 1 s"),
            ("size", self.size, len(self.size) == 3 and all(2 <= one <= 30 for one in self.size), "3 times 2 to 30 m"),
            ("noise_db", self.noise_db, -100 <= self.noise_db <= 0, "-100 to 0 dB"),
            ("seconds", self.seconds, 2 <= self.seconds <= 300, "2 to 300 s"),
        ]
        farthest = min(self.size[:2], default=0.0) / 2 - 0.2
        for talker in self.talkers:
            name = f"talker {talker.name!r}: "
            ends = (talker.azimuth, talker.azimuth if talker.azimuth_to is None else talker.azimuth_to)
            checks += [
                (f"{name}azimuth", ends, all(-180 <= one <= 180 for one in ends), "-180 to 180 degrees"),
                (f"{name}speed", talker.speed, 0 < talker.speed <= 90, "above 0, up to 90 degrees per second"),
                (
                    f"{name}distance",
                    talker.distance,
                    0.3 <= talker.distance <= farthest,
                    f"0.3 to {farthest:.1f} m, so that it is inside the room",
                ),
            ]
        names = [talker.name for talker in self.talkers]
        checks.append(("talkers", ", ".join(names), len(set(names)) == len(names), "different names"))
        for key, found, fine, wanted in checks:
            if not fine:
                raise AudioError(f"room: {key} is {found}, but must be {wanted}")


@dataclass(frozen=True, slots=True)
class Microphones:
    """Microphones that hear a mixture, and how its talkers are told apart.

    Attributes
    ----------
    source : str
        ``input:1-6``, channels of the sound input; ``lsl:NAME``, the channels of an LSL audio stream; ``room``, a
        simulated room; or a sound file's path, with ``#1-6`` after it for some of its channels.
    positions : tuple of tuple of float
        Positions in metres: to the right, to the front, up.
    ears : tuple of int
        Microphone of the left and the right ear, from 0.
    reference : int
        Microphone that talkers are separated at, from 0.
    span : tuple of float
        Range of azimuths where talkers are looked for, degrees.
    responses : str
        Path of measured responses, see :func:`earmark.devices.audio.microphones.read_responses`; :data:`KEMAR`; empty
        for plane waves.
    window_s : float
        Window of the transform, s: the output is as much later.
    separator : str
        One of :data:`SEPARATORS`, or ``onnx:`` and the path of an ONNX file.
    starts : tuple of float or None
        Azimuth at which each place is looked for at first; None for anywhere.
    loop : bool
        Whether a file repeats at its end.
    room : Room or None
        The simulated room, if ``source`` is ``room``.
    """

    source: str
    positions: tuple[tuple[float, float, float], ...]
    ears: tuple[int, int] = (0, 1)
    reference: int = 0
    span: tuple[float, float] = (-180.0, 180.0)
    responses: str = ""
    window_s: float = 0.008
    separator: str = EMBEDDED
    starts: tuple[float | None, ...] = ()
    loop: bool = False
    room: Room | None = None

    def __post_init__(self) -> None:
        """Refuse invalid settings, naming key, value and what is needed."""
        if (self.source == ROOM) != (self.room is not None):
            raise AudioError(f"array: microphones are {self.source!r}, and a room goes with {ROOM!r} only")
        if not 0.002 <= self.window_s <= 0.064:
            raise AudioError(f"array: window_s is {self.window_s}, but must be 0.002 to 0.064 s")

    @property
    def is_live(self) -> bool:
        """Whether they are a sound input or a stream."""
        return self.source.startswith(LIVE)


@dataclass(frozen=True, slots=True)
class Scene:
    """All talkers, and how they are mixed to two channels.

    Attributes
    ----------
    talkers : tuple of Talker
        1 to 8.
    sfreq : float
        Frames per second.
    block : int
        Frames per buffer.
    space : str
        One of :data:`SPACES`.
    loudness_lufs : float or None
        Integrated loudness of every file talker (ITU-R BS.1770), LUFS; None leaves files unchanged.
    ceiling_dbfs : float
        Maximum level of the output, dBFS, -60 or more; at most :data:`HARD_CEILING_DBFS`.
    min_gain_db, max_gain_db : float
        Bounds of a talker's gain, dB, to which requested gains are clipped. At least -120 and at most 24.
    lookahead_s : float
        Look-ahead of the limiter, s; it delays the output by as much.
    release_s : float
        Release time constant of the limiter, s.
    extra_latency_s : float
        Latency in addition to what the driver of the sound output reports, s; at most 2.
    microphones : Microphones or None
        If not None, the talkers are places of the mixture that they hear, 2 to 4, and ``space`` and ``loudness_lufs``
        do not change it.
    """

    talkers: tuple[Talker, ...]
    sfreq: float = 48_000.0
    block: int = 256
    space: str = "hrtf"
    loudness_lufs: float | None = -26.0
    ceiling_dbfs: float = -6.0
    min_gain_db: float = GAIN_DB[0]
    max_gain_db: float = GAIN_DB[1]
    lookahead_s: float = 0.003
    release_s: float = 0.15
    extra_latency_s: float = 0.0
    microphones: Microphones | None = None

    def __post_init__(self) -> None:
        """Refuse invalid settings, naming key, value and what is needed."""
        lufs = self.loudness_lufs
        checks = (
            ("talkers", len(self.talkers), 1 <= len(self.talkers) <= 8, "1 to 8 of them"),
            ("sfreq", self.sfreq, 8_000 <= self.sfreq <= 192_000, "8000 to 192000 Hz"),
            ("extra_latency_s", self.extra_latency_s, 0 <= self.extra_latency_s <= 2, "0 to 2 s"),
            ("block", self.block, 16 <= self.block <= 8192, "16 to 8192 frames"),
            ("space", self.space, self.space in SPACES.names(), f"one of {', '.join(SPACES.names())}"),
            ("loudness_lufs", lufs, lufs is None or -70 < lufs <= 0, "above -70 and at most 0 LUFS, or none"),
            (
                "ceiling_dbfs",
                self.ceiling_dbfs,
                -60 <= self.ceiling_dbfs <= HARD_CEILING_DBFS,
                f"-60 to {HARD_CEILING_DBFS:g} dBFS",
            ),
            ("min_gain_db", self.min_gain_db, -120 <= self.min_gain_db < np.inf, "-120 or more"),
            ("max_gain_db", self.max_gain_db, self.min_gain_db < self.max_gain_db <= 24, "above min_gain_db, up to 24"),
            ("lookahead_s", self.lookahead_s, 0.002 <= self.lookahead_s <= 0.005, "0.002 to 0.005 s"),
            ("release_s", self.release_s, 0.01 <= self.release_s <= 5, "0.01 to 5 s"),
        )
        for key, found, fine, wanted in checks:
            if not fine:
                raise AudioError(f"audio: {key} is {found}, but must be {wanted}")
        self._check_places()
        for talker in self.talkers:
            most = 90 if self.microphones is None else 180
            if not -most <= talker.azimuth <= most:
                raise AudioError(
                    f"talker {talker.name!r}: azimuth is {talker.azimuth}, but must be -{most} to {most} degrees"
                )
            if not 0 <= talker.start_s < np.inf:
                raise AudioError(f"talker {talker.name!r}: start_s is {talker.start_s}, but must be 0 s or more")
        names = [talker.name for talker in self.talkers]
        if len(set(names)) < len(names):
            raise AudioError(f"audio: two talkers have the same name among {', '.join(names)}")

    def embedded(self) -> Scene:
        """Return the scene with the embedded separator."""
        assert self.microphones is not None
        return replace(self, microphones=replace(self.microphones, separator=EMBEDDED))

    def _check_places(self) -> None:
        places = [talker for talker in self.talkers if talker.is_place]
        if self.microphones is None:
            if places:
                raise AudioError(
                    f"talker {places[0].name!r}: {places[0].source} is a place of a mixture, but there are no "
                    "microphones; add [array], or give the talker another source"
                )
            return
        n, (least, most) = len(self.talkers), N_PLACES
        wanted = [f"{PLACE}{k + 1}" for k in range(n)]
        if not least <= n <= most or [talker.source for talker in self.talkers] != wanted:
            sources = ", ".join(talker.source for talker in self.talkers)
            raise AudioError(
                f"audio: sources of talkers are {sources}, but where [array] hears a mixture there must be {least} "
                f"to {most} places in order: {PLACE}1, {PLACE}2"
            )
        if len(self.microphones.starts) not in (0, n):
            raise AudioError(f"array: there are {len(self.microphones.starts)} starts, but must be {n}, one per place")


@dataclass(frozen=True, slots=True)
class Control:
    """Settings of the renderer; they take effect at the beginning of the next buffer.

    Attributes
    ----------
    gains_db : tuple of float
        Target gain per talker, dB.
    ramp_s : float
        Duration of a gain change, s.
    master_db : float
        Master gain, dB; at most 0.
    mute : bool
        Whether everything is silent; the fade is always short.
    azimuths : tuple of float
        Degrees to the right, per talker.
    seek_id : int
        A new value makes the file talkers jump to ``seek_s``.
    seek_s : tuple of float
        Target position of the jump per talker, s.
    trims_db : tuple of float
        The operator's trim per talker, dB, added to ``gains_db``; at most 0.
    mutes : tuple of bool
        Talkers muted by the operator.
    """

    gains_db: tuple[float, ...]
    ramp_s: float = 0.1
    master_db: float = 0.0
    mute: bool = False
    azimuths: tuple[float, ...] = ()
    seek_id: int = 0
    seek_s: tuple[float, ...] = ()
    trims_db: tuple[float, ...] = ()
    mutes: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """A control and the frame from which it was in force: with the scene, all that a re-rendering needs.

    Attributes
    ----------
    frame : int
        Frame of the output, counted since the scene began.
    control : Control
        The control.
    kind : str
        ``start`` (fade in from silence, filters empty, talkers at ``positions``), ``control``, ``stop`` (fade out) or
        ``lost`` (nothing was played from here to the next start).
    positions : tuple of int
        For ``start``: position of each talker in its file, in frames.
    """

    frame: int
    control: Control
    kind: Kind = "control"
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scene prepared by the parent with everything that takes time or needs libraries, so that a child starts fast.

    Attributes
    ----------
    scene : Scene
    pcm : tuple of (array, shape (n_frames,)) or None
        File talkers at the scene's rate and loudness, float32; None for live talkers and places.
    hrir_azimuths : array, shape (n_azimuths,)
        Of the scene's space: degrees to the right, ascending.
    hrir : array, shape (n_azimuths, 2, n_taps)
        Impulse responses at the scene's rate, left and right ear.
    array : Array or None
        The scene's microphones.
    mics : array, shape (n_mics + n_clean, n_frames), or None
        What they hear at the scene's rate, float32, and below it the clean talkers of a room, as late as their parts
        are; None if they are live.
    """

    scene: Scene
    pcm: tuple[NDArray[np.float32] | None, ...]
    hrir_azimuths: NDArray[np.float64]
    hrir: NDArray[np.float64]
    array: Array | None = None
    mics: NDArray[np.float32] | None = None

    @property
    def clean(self) -> tuple[str, ...]:
        """Names of the clean talkers of a room."""
        found = self.scene.microphones
        return () if found is None or found.room is None else tuple(talker.name for talker in found.room.talkers)

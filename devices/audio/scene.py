"""Definition of a scene: talkers, their positions, and limits of the output level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.registry import Registry

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
#: Prefixes of sources that are not files: a channel of the sound input, an LSL stream.
LIVE = ("input:", "lsl:")
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
        sound input, or ``lsl:NAME`` for the first channel of an LSL audio stream.
    azimuth : float
        Degrees to the right of straight ahead, -90 to 90.
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
        """Whether the source is not a file."""
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
        for talker in self.talkers:
            if not -90 <= talker.azimuth <= 90:
                raise AudioError(f"talker {talker.name!r}: azimuth is {talker.azimuth}, but must be -90 to 90 degrees")
            if not 0 <= talker.start_s < np.inf:
                raise AudioError(f"talker {talker.name!r}: start_s is {talker.start_s}, but must be 0 s or more")
        names = [talker.name for talker in self.talkers]
        if len(set(names)) < len(names):
            raise AudioError(f"audio: two talkers have the same name among {', '.join(names)}")


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
        File talkers at the scene's rate and loudness, float32; None for live talkers.
    hrir_azimuths : array, shape (n_azimuths,)
        Of the scene's space: degrees to the right, ascending.
    hrir : array, shape (n_azimuths, 2, n_taps)
        Impulse responses at the scene's rate, left and right ear.
    """

    scene: Scene
    pcm: tuple[NDArray[np.float32] | None, ...]
    hrir_azimuths: NDArray[np.float64]
    hrir: NDArray[np.float64]

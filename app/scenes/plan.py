"""What an evaluation of scenes measures: its settings, scenes and rows."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.devices.files.talker_speech import Pair

#: Names of rows that are no separator.
CLEAN, ORACLE, MIXTURE = "clean talkers", "oracle mask", "mixture"
#: How a separator gets directions: nearly known, or tracked from the microphones.
KNOWN, TRACKED = "known", "tracked"
#: Standard deviation of known directions, degrees.
WRONG_DEG = 3.0
#: What is left out at the beginning of each scene, where a tracker has found nobody yet, s.
SKIPPED_S = 1.0
#: Decision windows of attention, s.
WINDOWS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class SceneTask:
    """One mixture: a pair of talkers at an array in a room.

    Attributes
    ----------
    number, seed : int
        Number of the pair, and seed. Together they draw room, positions and noise, whatever the array.
    pair : Pair
        Speech of both talkers.
    array : str
        Name of the array.
    rt60 : float
        Reverberation time in s.
    separators : tuple of str
        Names of separators.
    """

    number: int
    seed: int
    pair: Pair
    array: str
    rt60: float
    separators: tuple[str, ...]

    @property
    def key(self) -> tuple[int, int]:
        """What draws the scene."""
        return self.number, self.seed


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """A row of the table.

    Attributes
    ----------
    array, rt60 : str, float
        Name of the array, and reverberation time in s.
    row : str
        ``clean talkers``, ``mixture``, ``oracle mask``, or the name of a separator.
    directions : str
        ``known``, ``tracked``, or nothing.
    """

    array: str
    rt60: float
    row: str
    directions: str = ""


#: The row of the talkers themselves, which is the same for every array and room.
CLEAN_ROW = RowKey("", 0.0, CLEAN)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of an evaluation.

    Attributes
    ----------
    pairs : tuple of Pair
    arrays, separators, listeners : tuple of str
        Names; no listener measures no attention.
    rt60 : tuple of float
        Reverberation times in s.
    seeds : int
        Scenes of each pair, array and reverberation time.
    seconds : float
        Duration of a scene.
    decoder : str
        Kind of decoder.
    """

    pairs: tuple[Pair, ...]
    arrays: tuple[str, ...]
    rt60: tuple[float, ...]
    separators: tuple[str, ...]
    listeners: tuple[str, ...]
    seeds: int
    seconds: float
    decoder: str

    def tasks(self, array: str, rt60: float) -> list[SceneTask]:
        """Return all scenes of an array and a reverberation time."""
        return [
            SceneTask(number, seed, pair, array, rt60, self.separators)
            for number, pair in enumerate(self.pairs)
            for seed in range(self.seeds)
        ]

    @property
    def windows(self) -> tuple[float, ...]:
        """Decision windows that fit twice into a scene."""
        return tuple(w for w in WINDOWS if w <= self.seconds / 2) or WINDOWS[:1]

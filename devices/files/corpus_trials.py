"""Trials of a published data set: what the readers of all data sets return, and how it becomes a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recording import Recording, RecordingError, Segment
from earmark.devices.sources.lsl_description import MAX_CHANNELS, MAX_RATE
from earmark.devices.sources.overrides import Overrides
from earmark.pipeline.stream import StreamSpec
from earmark.pipeline.units import microvolts

#: Plausible scatter of scalp EEG below 10 Hz, in microvolts: that of the median channel against the median of all.
#: Counts of amplifiers, and volts taken for microvolts, are outside.
PLAUSIBLE_UV = (0.1, 60.0)
#: Seconds that are averaged for it, which are two periods of 50 Hz, and maximum seconds that are looked at.
BLOCK_S, MAX_CHECKED_S = 0.04, 120.0


@dataclass(frozen=True, slots=True)
class Speech:
    """What one talker said in a trial: a sound file, or an envelope.

    Attributes
    ----------
    talker : str
        Name of the talker.
    stimulus : str
        Identity of what was said; empty to derive it from the envelope.
    sound : Path or None
        Sound file, which starts with the trial.
    envelope : array, shape (n_samples, n_features), or None
        Envelope, which starts with the trial.
    sfreq : float
        Rate of the envelope in Hz.
    """

    talker: str
    stimulus: str = ""
    sound: Path | None = None
    envelope: NDArray[np.float64] | None = None
    sfreq: float = 0.0


@dataclass(frozen=True, slots=True)
class CorpusTrial:
    """One trial of one listener.

    Attributes
    ----------
    name : str
        Name, unique within the listener; it names the file of the run.
    subject : str
        Identity of the listener.
    recording : Recording
        The neural recording, from the start of the speech.
    speech : tuple of Speech
        Two talkers or more.
    attended : str
        Name of the attended talker.
    origin : dict of str to str
        Where the trial comes from, which is stored in the run.
    """

    name: str
    subject: str
    recording: Recording
    speech: tuple[Speech, ...]
    attended: str
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A trial that becomes no run.

    Attributes
    ----------
    name : str
        Name of the trial.
    reason : str
        Why; the same text for all trials that are left out for one reason.
    """

    name: str
    reason: str


def find_listeners(folder: Path, pattern: str) -> list[Path]:
    """Return the files of all listeners in a folder and in those below it, in the order of their numbers.

    Parameters
    ----------
    folder : Path
        Folder of the data set.
    pattern : str
        Regular expression of the file names.

    Raises
    ------
    RecordingError
        If there is none, or two have the same name.
    """
    if not folder.is_dir():
        raise RecordingError(f"{folder}: no such folder")
    found = [path for path in sorted(folder.rglob("*")) if re.fullmatch(pattern, path.name) and path.is_file()]
    names = [path.name for path in found]
    if len(set(names)) < len(names):
        twice = [str(path) for path in found if names.count(path.name) > 1]
        raise RecordingError(f"several files have the same name: {', '.join(twice[:4])}. Keep one of each in {folder}")
    return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])


class Sounds:
    """The sound files below a folder, by name.

    Parameters
    ----------
    folder : Path
        Folder of the data set.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif") and path.is_file():
                self._found.setdefault(path.name.casefold(), []).append(path)

    def __len__(self) -> int:
        return len(self._found)

    def find(self, name: str) -> Path:
        """Return the file with a name, wherever it is below the folder; folders in the name are ignored.

        Raises
        ------
        RecordingError
            If there is none, or several differ.
        """
        base = re.split(r"[/\\]", name)[-1]
        found = self._found.get(base.casefold(), [])
        if len({path.stat().st_size for path in found}) > 1:
            raise RecordingError(f"sound files of one name differ: {', '.join(map(str, found))}. Keep one of them")
        if not found:
            raise RecordingError(
                f"{self._folder} and the folders below it have no sound file {base!r}, but {len(self)} others: unpack "
                "the sounds of the data set there"
            )
        return found[0]


def make_recording(
    name: str,
    data: NDArray[np.number],
    sfreq: float,
    ch_names: Sequence[str],
    unit: str,
    words: Overrides,
    misc: Sequence[bool] = (),
) -> Recording:
    """Make a recording of the samples of one trial.

    Parameters
    ----------
    name : str
        Name of the trial, for messages and in the run.
    data : array, shape (n_samples, n_channels)
        Samples as stored.
    sfreq : float
        Rate in Hz.
    ch_names : sequence of str
        Names of the channels.
    unit : str
        Stated unit; if empty, that of ``words``, or microvolts if the values are plausible as such.
    words : Overrides
        The user's corrections.
    misc : sequence of bool, optional
        Whether each channel is something else than a scalp electrode.

    Raises
    ------
    RecordingError
        If the numbers are not a recording, or not plausible in microvolts without a stated unit.
    """
    n_samples, n_channels = data.shape if data.ndim == 2 else (0, 0)
    if not n_samples or not n_channels or data.dtype.kind not in "iuf":
        raise RecordingError(f"{name}: EEG is an array of {data.shape} ({data.dtype}), but must be samples x channels")
    if len(ch_names) != n_channels or len(set(ch_names)) < n_channels:
        raise RecordingError(f"{name}: {n_channels} channels, but {len(set(ch_names))} different names of channels")
    if not 0 < sfreq * n_channels <= MAX_RATE or n_channels > MAX_CHANNELS or n_samples < sfreq:
        raise RecordingError(f"{name}: {n_samples} samples of {n_channels} channels at {sfreq:g} Hz are no recording")
    others = tuple(misc) or (False,) * n_channels
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(data, np.float32)
    if not (unit or words.unit):
        with np.errstate(over="ignore", invalid="ignore"):
            _check_plausible(name, values[:, [not other for other in others]], sfreq)
        unit = "uV"
    scale = microvolts(unit)  # None if it is unknown, or is given by the user
    spec = StreamSpec(
        name=name,
        sfreq=sfreq,
        ch_names=tuple(ch_names),
        ch_types=tuple("misc" if other else "eeg" for other in others),
        units=tuple("" if other else "uV" if scale else unit for other in others),
    )
    factors = np.array([1.0 if other or not scale else scale for other in others], np.float32)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return values[start:stop] * factors

    stated = ["" if other else unit for other in others]
    recording = Recording(spec, n_samples, [Segment(0, n_samples, 0.0)], (), read, stated=stated)
    return recording.overridden(words)


def _check_plausible(name: str, values: NDArray[np.float32], sfreq: float) -> None:
    """Refuse values that cannot be scalp EEG in microvolts.

    What counts is slow, differs between electrodes, and changes within a second: neither mains noise, nor what all
    electrodes of an amplifier without reference share, nor its offsets and drifts.
    """
    finite = values[: round(MAX_CHECKED_S * sfreq), np.isfinite(values).all(axis=0)].astype(np.float64)
    block = max(1, round(BLOCK_S * sfreq))
    blocks = finite[: len(finite) // block * block].reshape(-1, block, finite.shape[1]).mean(axis=1)
    per_s = max(2, round(1 / BLOCK_S))
    blocks = blocks[: len(blocks) // per_s * per_s]
    scatter = 0.0
    if blocks.size:
        slow = (blocks - np.median(blocks, axis=1, keepdims=True)).reshape(-1, per_s, finite.shape[1])
        scatter = float(np.median(slow.std(axis=1)))
    low, high = PLAUSIBLE_UV
    if not low <= scatter <= high:
        raise RecordingError(
            f"{name}: no unit is stated, and values that scatter by {scatter:.3g} within a second are not microvolts "
            f"of scalp EEG ({low:g} to {high:g}): give the unit with --unit, such as V, or '0.03125 uV' for the counts "
            "of a BioSemi amplifier"
        )

"""Data sets in the Brain Imaging Data Structure: trials with competing talkers become runs.

A recording needs, beside it, ``*_events.tsv`` with these columns; ``n/a`` says nothing:

- ``onset``, ``duration``: seconds since the first sample, as always; without a duration, as long as the sound.
- ``stim_file``: what one talker said, a file below ``stimuli/``. A trial is made of rows that overlap in time.
- ``talker``: name of that talker; without this column, the name of the file.
- ``attended``: name of the talker that was attended from this onset on; in any row of the trial or before it.

Types of channels, and which are bad, come from ``*_channels.tsv``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.recorded_run import RecordedRun, RunError, Signal, Trial, prepare
from devices.recordings import SUFFIXES, Recording, open_recording
from devices.run_file import Talker, feature_spec
from devices.speech_file import read_speech
from pipeline.decoders.presets import Preset
from pipeline.run import Run
from pipeline.stream import ELECTRODES

ROOT_FILE = "dataset_description.json"
KINDS = ("eeg", "ieeg")  #: Folder of a recording, and what its name ends with.
UNREADABLE = (".set", ".nwb", ".mefd")  #: Other formats that BIDS allows.


class _Row(NamedTuple):
    onset: float
    duration: float
    file: str
    talker: str
    attended: str


def bids_root(path: Path) -> Path | None:
    """Folder of the data set that a file or folder belongs to; None if it belongs to none."""
    # Links are not followed: data sets under version control are made of links into their store.
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if (folder / ROOT_FILE).is_file()), None)


def is_recording(path: Path) -> bool:
    """Whether this is the main file of an EEG or intracranial recording, of any format that BIDS allows."""
    root, kind = bids_root(path), path.parent.name
    if root is None or kind not in KINDS or path.suffix.lower() not in (*SUFFIXES, *UNREADABLE):
        return False
    raw = path.absolute().relative_to(root).parts[0].startswith("sub-")  # rather than below derivatives
    return raw and path.stem.endswith(f"_{kind}")


def find_recordings(folder: Path) -> list[Path]:
    """Recordings of a BIDS data set, or of a folder inside it, sorted."""
    return sorted(path for path in folder.rglob("sub-*eeg.*") if is_recording(path))


def read_bids(path: Path, preset: Preset) -> list[Run]:
    """Read the trials of a recording through the very nodes that a live session uses.

    Raises
    ------
    RunError
        If the data set lacks what decoding needs, or the preset does not fit.
    devices.recordings.RecordingError
        If the recording cannot be read.
    """
    root = bids_root(path)
    if root is None:
        raise RunError(f"{path}: no folder above has {ROOT_FILE}, which marks a BIDS data set")
    if path.suffix.lower() in UNREADABLE:
        raise RunError(f"{path}: {path.suffix} is not read here; convert it to BrainVision or EDF")
    stem = path.stem.rpartition("_")[0]
    events = path.with_name(f"{stem}_events.tsv")
    trials, speech = _trials(events, stem, root / "stimuli")
    recording = open_recording(path)
    neural = _neural(recording, path.with_name(f"{stem}_channels.tsv"))
    subject = path.name.partition("_")[0]
    return prepare(RecordedRun(str(path), subject, neural, speech, trials), preset)


def _neural(recording: Recording, table: Path) -> Signal:
    spec, bad = recording.spec, np.zeros(recording.spec.n_channels, dtype=bool)
    if table.is_file():
        rows = {row["name"]: row for row in _table(table, ("name", "type"))}
        kinds = list(spec.ch_types)
        for i, name in enumerate(spec.ch_names):
            # Some readers take the type off the front of EDF labels.
            row = rows.get(name) or next((row for key, row in rows.items() if key.endswith(f" {name}")), None)
            if row is None:
                raise RunError(f"{table}: channel {name!r} of the recording is not there, but every one must be")
            kind = {"dbs": "seeg", "veog": "eog", "heog": "eog"}.get(row["type"].lower(), row["type"].lower())
            kinds[i], bad[i] = kind if kind in ELECTRODES else "misc", row.get("status") == "bad"
        spec = spec.evolve(ch_types=tuple(kinds))
    stamps = [s.time + np.arange(s.stop - s.start) / spec.sfreq for s in recording.segments]
    rows_of = np.concatenate([np.arange(s.start, s.stop) for s in recording.segments])

    def read(start: int, stop: int) -> NDArray[np.float32]:
        data = recording.read(int(rows_of[start]), int(rows_of[stop - 1]) + 1)
        data[:, bad] = np.nan
        return data

    return Signal(spec, np.concatenate(stamps), read)


def _trials(events: Path, stem: str, stimuli: Path) -> tuple[tuple[Trial, ...], tuple[Signal, ...]]:
    """Read who spoke when, and every first, second, ... talker as one stream."""
    rows = _rows(events)
    spoken = sorted((row for row in rows if row.file), key=lambda row: row.onset)
    if not spoken:
        raise RunError(f"{events}: no row has a stim_file: give each talker a row, with its file below {stimuli}")
    groups: list[list[tuple[_Row, Talker]]] = []
    stop = -math.inf
    for row in spoken:
        talker = _speech(stimuli / row.file)
        if row.onset > stop - 0.5 / talker.sfreq:  # nobody speaks any more: a new trial
            groups.append([])
        n = min(len(talker.envelope), math.floor(row.duration * talker.sfreq)) if row.duration else len(talker.envelope)
        groups[-1].append((row, Talker(row.talker, talker.envelope[:n], talker.sfreq)))
        stop = max(stop, row.onset + n / talker.sfreq)
    trials: list[Trial] = []
    for k, group in enumerate(groups):
        name = f"{stem} trial {k + 1}" if len(groups) > 1 else stem
        since = min(trials[-1].stop, group[0][0].onset) if trials else -math.inf
        trials.append(_trial(events, name, group, [row for row in rows if row.onset >= since], stimuli))
    counts = {len(group) for group in groups}
    if len(counts) > 1:
        raise RunError(f"{events}: trials have {sorted(counts)} talkers, but must all have as many")
    return tuple(trials), tuple(_stream(events, place) for place in zip(*groups, strict=True))


def _trial(events: Path, name: str, group: Sequence[tuple[_Row, Talker]], rows: Sequence[_Row], stimuli: Path) -> Trial:
    talkers = tuple(talker.name for _, talker in group)
    start = group[0][0].onset
    stop = max(row.onset + len(talker.envelope) / talker.sfreq for row, talker in group)
    where = f"{events}: from {start:g} to {stop:g} s"
    if len(talkers) < 2 or len(set(talkers)) < len(talkers):
        raise RunError(f"{where} talkers are {', '.join(talkers)}, but must be two or more, each of its own name")
    attended = tuple((row.onset, row.attended) for row in rows if row.attended and row.onset < stop)
    for time, who in attended:
        if who not in talkers:
            raise RunError(f"{where} {who!r} is attended at {time:g} s, but must be one of {', '.join(talkers)}")
    if not attended:
        raise RunError(f"{where} nobody is attended, but a row must name a talker in column 'attended'")
    return Trial(name, start, stop, talkers, tuple(_speech(stimuli / row.file).stimulus for row, _ in group), attended)


def _stream(events: Path, place: Sequence[tuple[_Row, Talker]]) -> Signal:
    sfreq, n_features = place[0][1].sfreq, place[0][1].envelope.shape[1]
    if any((talker.sfreq, talker.envelope.shape[1]) != (sfreq, n_features) for _, talker in place):
        raise RunError(f"{events}: stimuli differ in rate or number of features")
    stamps = np.concatenate([row.onset + np.arange(len(talker.envelope)) / sfreq for row, talker in place])
    envelope = np.concatenate([talker.envelope for _, talker in place])
    return Signal(feature_spec("talker", sfreq, n_features), stamps, lambda start, stop: envelope[start:stop])


@cache
def _speech(path: Path) -> Talker:
    """Listeners hear the same things, and an envelope takes its time."""
    return Talker(path.stem, *read_speech(path))


def _rows(events: Path) -> list[_Row]:
    found = []
    for number, row in enumerate(_table(events, ("onset", "duration")), 2):
        try:
            onset, duration = float(row["onset"]), float(row["duration"] or 0)
        except ValueError:
            onset = math.nan
        if not (math.isfinite(onset) and 0 <= duration < math.inf):
            raise RunError(f"{events}: line {number}: onset and duration must be numbers of seconds, or duration n/a")
        file = row.get("stim_file", "")
        found.append(_Row(onset, duration, file, row.get("talker") or Path(file).stem, row.get("attended", "")))
    return found


def _table(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table, ``n/a`` as empty text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t", restval="", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise RunError(f"{path}: no such file, and a recording needs one") from None
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    missing = [column for column in wanted if rows and column not in rows[0]]
    if missing:
        raise RunError(f"{path}: columns missing: {', '.join(missing)}")
    return [{key: "" if value == "n/a" else value for key, value in row.items() if key} for row in rows]

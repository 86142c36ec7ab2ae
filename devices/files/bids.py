"""Read data sets in the Brain Imaging Data Structure: trials with competing talkers become runs.

A recording needs ``*_events.tsv``, beside it or in a folder above, with these columns; ``n/a`` means no value:

- ``onset``, ``duration``: seconds since the first sample; without a duration, that of the sound is used.
- ``stim_file``: sound of one talker, a file below ``stimuli/``. Rows that overlap in time form a trial.
- ``talker``: name of that talker; without this column, the name of the file.
- ``attended``: name of the talker attended from this onset on; in any row of the trial or before it.
- ``stim_speed``: seconds of sound per second of the recording, if their clocks differ.
- ``trial_type``: where a row has ``BAD_ACQ_SKIP``, samples are missing; where it has ``audio``, ``stim_file`` is not
  read. If any row has ``attention_trial``, these rows are the trials, and sounds may go on from trial to trial.
  :mod:`earmark.devices.files.bids_export` writes all three.

Other metadata of the data set are read with the recording, see :mod:`earmark.devices.files.bids_sidecars`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.bids_sidecars import ROOT_FILE, UNREADABLE, bids_root, inherited, is_recording, table
from earmark.devices.files.recorded_run import RecordedRun, RunError, Signal, Trial, prepare
from earmark.devices.files.recording import Recording
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.run_file import Talker, feature_spec
from earmark.devices.files.speech_file import common_rate, read_speech
from earmark.devices.files.stored_envelope import read_heard
from earmark.devices.files.timeline import exact_timeline
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.run import Run

#: Values of ``trial_type``: a trial by itself, during which sounds go on; samples are missing; the sound file of an
#: envelope, which is not read.
ATTENTION_TRIAL, SKIP, AUDIO = "attention_trial", "BAD_ACQ_SKIP", "audio"


class _Row(NamedTuple):
    onset: float
    duration: float
    file: str
    talker: str
    attended: str
    speed: float
    kind: str


def find_recordings(folder: Path) -> list[Path]:
    """Return the recordings of a BIDS data set, or of a folder inside it, sorted.

    Parameters
    ----------
    folder : Path
        The data set, or a folder inside it.

    Returns
    -------
    list of Path
        Main file of each recording.
    """
    return sorted(path for path in folder.rglob("sub-*eeg.*") if is_recording(path))


def read_bids(path: Path, preset: Preset, overrides: Overrides = NOTHING) -> list[Run]:
    """Read the trials of a recording with the same nodes that a live session uses.

    Parameters
    ----------
    path : Path
        The recording's main file.
    preset : Preset
        Signal processing preset.
    overrides : Overrides
        The user's corrections, which override the metadata of the data set.

    Returns
    -------
    list of Run
        One per trial.

    Raises
    ------
    RunError
        If the data set lacks what decoding needs, or the preset does not fit.
    earmark.devices.files.recording.RecordingError
        If the recording cannot be read.
    """
    root = bids_root(path)
    if root is None:
        raise RunError(f"{path}: no folder above has {ROOT_FILE}, which marks a BIDS data set")
    if path.suffix.lower() in UNREADABLE:
        raise RunError(f"{path}: {path.suffix} is not read here; convert it to BrainVision or EDF")
    stem = path.stem.rpartition("_")[0]
    tables = inherited(path, "events", ".tsv")
    if not tables:
        raise RunError(
            f"{path.with_name(stem)}_events.tsv: no such file, nor one for all such recordings in a folder above it up "
            f"to {root}, and a recording needs one"
        )
    rows = _rows(tables[-1])
    trials, speech = _trials(tables[-1], rows, stem, root / "stimuli")
    ends = not any(row.kind == ATTENTION_TRIAL for row in rows)
    neural = _neural(open_recording(path, overrides=overrides), [row for row in rows if row.kind == SKIP])
    subject = path.name.partition("_")[0]
    return prepare(RecordedRun(str(path), subject, neural, speech, trials, ends), preset)


def _neural(recording: Recording, missing: Sequence[_Row]) -> Signal:
    stamps = np.concatenate([recording.times(s.start, s.stop) for s in recording.segments])
    rows_of = np.concatenate([np.arange(s.start, s.stop) for s in recording.segments])
    there, half = np.ones(len(stamps), dtype=bool), 0.5 / recording.spec.sfreq
    for row in missing:
        there &= (stamps < row.onset - half) | (stamps >= row.onset + row.duration - half)
    stamps, rows_of = stamps[there], rows_of[there]
    if not len(stamps):
        raise RunError(f"{recording.spec.name}: every sample is missing, by rows {SKIP} of its events")

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return recording.read(int(rows_of[start]), int(rows_of[stop - 1]) + 1)

    return Signal(recording.spec, stamps, read)


def _trials(
    events: Path, rows: Sequence[_Row], stem: str, stimuli: Path
) -> tuple[tuple[Trial, ...], tuple[Signal, ...]]:
    """Read the trials, and join all first talkers, all second talkers, ... to one stream each."""
    spoken = sorted((row for row in rows if row.file), key=lambda row: row.onset)
    if not spoken:
        raise RunError(f"{events}: no row has a stim_file: give each talker a row, with its file below {stimuli}")
    hz = common_rate((stimuli / file, None) for file in dict.fromkeys(row.file for row in spoken))
    if any(row.kind == ATTENTION_TRIAL for row in rows):
        known = {row: _speech(stimuli / row.file, hz) for row in spoken}
        return _marked_trials(events, rows, stem, known, stimuli)
    groups: list[list[tuple[_Row, Talker]]] = []
    stop = -math.inf
    for row in spoken:
        talker = _speech(stimuli / row.file, hz)
        if row.onset > stop - 0.5 / talker.sfreq:  # all talkers have ended: a new trial begins
            groups.append([])
        n = min(len(talker.envelope), math.floor(row.duration * talker.sfreq)) if row.duration else len(talker.envelope)
        groups[-1].append((row, Talker(row.talker, talker.envelope[:n], talker.sfreq)))
        stop = max(stop, row.onset + n / talker.sfreq)
    trials: list[Trial] = []
    for k, group in enumerate(groups):
        name = f"{stem} trial {k + 1}" if len(groups) > 1 else stem
        since = min(trials[-1].stop, group[0][0].onset) if trials else -math.inf
        heard = tuple(_speech(stimuli / row.file, hz).stimulus for row, _ in group)  # even if only a part was heard
        trials.append(_trial(events, name, group, [row for row in rows if row.onset >= since], heard))
    counts = {len(group) for group in groups}
    if len(counts) > 1:
        raise RunError(f"{events}: trials have {sorted(counts)} talkers, but must all have the same number")
    shapes = {row.file: (talker.sfreq, talker.envelope.shape[1]) for group in groups for row, talker in group}
    if len(set(shapes.values())) > 1:
        each = ", ".join(f"{file} {n} at {rate:g} Hz" for file, (rate, n) in shapes.items())
        raise RunError(f"{events}: stimuli must have the same number of features and one rate, but differ: {each}")
    return tuple(trials), tuple(_stream(place, stimuli) for place in zip(*groups, strict=True))


def _marked_trials(
    events: Path, rows: Sequence[_Row], stem: str, heard: dict[_Row, Talker], folder: Path
) -> tuple[tuple[Trial, ...], tuple[Signal, ...]]:
    """Read trials that are rows of their own, and one stream of each talker."""
    talkers = tuple(dict.fromkeys(row.talker for row in rows if row.file))
    marked = sorted((row for row in rows if row.kind == ATTENTION_TRIAL), key=lambda row: row.onset)
    if len(talkers) < 2:
        raise RunError(f"{events}: talkers are {', '.join(talkers)}, but must be two or more")
    trials = []
    for k, row in enumerate(marked, 1):
        start, stop = row.onset, row.onset + row.duration
        # Sounds go on from trial to trial: no two trials share a part of them.
        stimuli = tuple(f"{stem}-{k}-{talker}" for talker in talkers)
        attended = tuple((one.onset, one.attended) for one in rows if one.attended and start <= one.onset < stop)
        for time, who in attended:
            if who not in talkers:
                raise RunError(f"{events}: {who!r} is attended at {time:g} s, but must be one of {', '.join(talkers)}")
        trials.append(Trial(f"{stem} trial {k}", start, stop, talkers, stimuli, attended))
    streams = (_stream([(row, heard[row]) for row in heard if row.talker == name], folder) for name in talkers)
    return tuple(trials), tuple(streams)


def _trial(
    events: Path, name: str, group: Sequence[tuple[_Row, Talker]], rows: Sequence[_Row], stimuli: tuple[str, ...]
) -> Trial:
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
    return Trial(name, start, stop, talkers, stimuli, attended)


def _stream(place: Sequence[tuple[_Row, Talker]], folder: Path) -> Signal:
    sfreq, n_features = place[0][1].sfreq, place[0][1].envelope.shape[1]
    exact = [_exact_times(folder / row.file, row.onset, talker) for row, talker in place]
    pieces = [
        row.onset + np.arange(len(talker.envelope)) / (sfreq * row.speed) if times is None else times
        for (row, talker), times in zip(place, exact, strict=True)
    ]
    envelope = np.concatenate([talker.envelope for _, talker in place])
    timeline = None if any(times is None for times in exact) else exact_timeline(pieces, sfreq)
    spec = feature_spec("talker", sfreq, n_features)
    return Signal(spec, np.concatenate(pieces), lambda start, stop: envelope[start:stop], timeline)


def _exact_times(path: Path, onset: float, talker: Talker) -> NDArray[np.float64] | None:
    """Return when the samples of a stored envelope were heard, if its file says so."""
    stored = path.suffix.lower() == ".npz"
    times = read_heard(path, len(talker.envelope), talker.sfreq) if stored else None
    return None if times is None else onset + times


@cache
def _speech(path: Path, hz: float) -> Talker:
    """Read a talker's envelope, cached: trials often repeat sounds, and envelopes are slow to compute."""
    return Talker(path.stem, *read_speech(path, hz=hz))


def _rows(events: Path) -> list[_Row]:
    found = []
    for number, row in enumerate(table(events, ("onset", "duration")), 2):
        try:
            onset, duration = float(row["onset"]), float(row["duration"] or 0)
            speed = float(row.get("stim_speed") or 1)
        except ValueError:
            onset = math.nan
        if not (math.isfinite(onset) and 0 <= duration < math.inf and 0.5 < speed < 2):
            raise RunError(
                f"{events}: line {number}: onset and duration must be numbers of seconds, or duration n/a; stim_speed "
                "must be about 1, or n/a"
            )
        kind = row.get("trial_type", "")
        file = "" if kind == AUDIO else row.get("stim_file", "")
        talker = row.get("talker") or Path(file).stem
        found.append(_Row(onset, duration, file, talker, row.get("attended", ""), speed, kind))
    return found

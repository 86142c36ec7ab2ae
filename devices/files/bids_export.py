"""Write recorded sessions as a BIDS data set, which :mod:`earmark.devices.files.bids` reads again as the same runs.

Samples and envelopes are written as they were received. How their times are converted is described in
:mod:`earmark.devices.files.bids_contents`.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from earmark.devices.files.bids import ATTENTION_TRIAL, AUDIO, SKIP
from earmark.devices.files.bids_contents import SessionContents, Source, cell
from earmark.devices.files.journal import this_program
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.session_file import SessionFile
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import microvolts

BIDS_VERSION = "1.10.0"
#: Columns of ``*_events.tsv``, and their descriptions.
COLUMNS = {
    "trial_type": f"{ATTENTION_TRIAL}: the listener was asked to attend to a talker. attention: the listener attended "
    f"to this talker. sound: a talker was heard. {AUDIO}: the sound file of that talker. {SKIP}: no sample was "
    "recorded. Any other text: a marker of the recording: cues (attend:NAME), answers (answer:QUESTION: TEXT), notes "
    "of the operator (note:TEXT).",
    "talker": "Talker whose envelope is in stim_file.",
    "attended": "Attended talker.",
    "stim_start": "Position in the sound file at the onset, in seconds; a file that repeats begins anew.",
    "stim_file": "File below stimuli/: NumPy arrays 'envelope' and 'sfreq' (Hz), as the decoder received them, and "
    "'heard_s', seconds from the onset to each sample.",
    "stim_speed": "Mean seconds of sound per second of the recording: the ratio of the two clocks.",
}


def export_bids(
    sources: Sequence[Source],
    out: Path,
    stimuli: bool = True,
    advance: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[dict[Path, str], list[str]]:
    """Write recordings as a BIDS data set.

    Parameters
    ----------
    sources : sequence of Source
        In the order of the runs of a listener.
    out : Path
        Folder to create.
    stimuli : bool
        Whether to write envelopes and sound files of the talkers; without them, the data set cannot be used for
        training.
    advance : callable
        Called with the number of finished recordings and their total.

    Returns
    -------
    written : dict of Path to str
        Name of each recording in the data set.
    warnings : list of str
        What was left out, and why.

    Raises
    ------
    RunError
        If the folder exists, no recording can be exported, or two listeners would get the same name.
    OSError
        If a file cannot be written.
    """
    if out.exists():
        raise RunError(f"{out} exists already, and data sets are never overwritten: choose another folder")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        data_set = _DataSet(partial, stimuli, _sessions(sources))
        for done, source in enumerate(sources, 1):
            data_set.add(source)
            advance(done, len(sources))
        if not data_set.written:
            raise RunError("\n".join(["no recording can be exported", *data_set.warnings]))
        data_set.describe()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return data_set.written, data_set.warnings


@dataclass
class _DataSet:
    root: Path
    stimuli: bool
    sessions: Mapping[tuple[str, Path], str]
    written: dict[Path, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _listeners: dict[str, str] = field(default_factory=dict)
    _n_runs: dict[str, int] = field(default_factory=dict)
    _places: dict[str, dict[str, Any]] = field(default_factory=dict)
    _audio: dict[Path, str] = field(default_factory=dict)

    def add(self, source: Source) -> None:
        """Write one recording; a recording that cannot be read is left out with a warning."""
        path = source.path
        try:
            session = SessionFile(path)
            for name in (source.neural, source.talkers):
                if name not in session.streams:
                    raise RunError(f"it has no stream {name!r}")
            label = _label(source.listener.removeprefix("sub-"), path)
            known = self._listeners.setdefault(label, source.listener)
            if known != source.listener:
                raise RunError(
                    f"its listener {source.listener!r} would have the same name in the data set as {known!r}, "
                    f"sub-{label}: export them separately, or rename one"
                )
            task = "calibration" if session.about.mode == "calibration" else "listening"
            found = _kind(session.streams[source.neural].spec)
            who = [f"sub-{label}"]
            if (day := self.sessions[source.listener, source.session]) != "":
                who.append(f"ses-{day}")
            folder = self.root.joinpath(*who, found)
            folder.mkdir(parents=True, exist_ok=True)
            numbered = f"{'_'.join(who)}_task-{task}"
            run = self._n_runs.get(numbered, 0) + 1
            stem = f"{numbered}_run-{run:02}"
            file = folder / f"{stem}_{found}.eeg"
            try:
                with file.open("xb") as data:
                    read = SessionContents(session, source, data)
            except (ValueError, RunError):
                file.unlink()
                raise
        except ValueError as error:  # an invalid recording
            self.warnings.append(f"{path} is left out: {str(error).removeprefix(f'{path} ').removeprefix(f'{path}: ')}")
            return
        self._n_runs[numbered] = run
        self._write(read, folder / stem, found, task)
        self.written[path] = stem
        self.warnings += [f"{path} is damaged, and exported without that part: {words}" for words in session.damage]
        if not session.whole:
            self.warnings.append(f"{path} was cut before its end, and is exported up to there")

    def _write(self, read: SessionContents, stem: Path, kind: str, task: str) -> None:
        spec = read.description.spec
        _write_header(stem.with_name(f"{stem.name}_{kind}"), spec)
        _write_table(stem.with_name(f"{stem.name}_channels.tsv"), read.channels())
        rows = read.events() + read.sounds(self.root / "stimuli", stem.name if self.stimuli else None)
        rows += read.audio(self._copied) if self.stimuli else []
        rows.sort(key=lambda row: float(row["onset"]))
        _write_table(stem.with_name(f"{stem.name}_events.tsv"), rows, ("onset", "duration", *COLUMNS))
        about = read.session.about
        prefix = {"eeg": "EEG", "ieeg": "iEEG"}[kind]
        _write_json(
            stem.with_name(f"{stem.name}_{kind}.json"),
            {
                "TaskName": task,
                "TaskDescription": f"Listen to one of the talkers {', '.join(about.talkers)}; mode: {about.mode}",
                f"{prefix}Reference": "n/a",
                "SamplingFrequency": spec.sfreq,
                "PowerLineFrequency": "n/a",
                "SoftwareFilters": "n/a",
                "RecordingType": "continuous",
                "RecordingDuration": read.n_samples / spec.sfreq,
                **{f"{n.upper()}ChannelCount": spec.ch_types.count(n) for n in (*ELECTRODES, "misc")},
            },
        )
        self._write_places(read, stem.parent, stem.name.partition("_task-")[0], prefix)

    def _copied(self, file: Path) -> str:
        """Copy a sound file once, and return its path below the stimuli."""
        if file not in self._audio:
            taken, name, number = set(self._audio.values()), f"audio/{file.name}", 2
            while name in taken:
                name, number = f"audio/{file.stem}-{number}{file.suffix}", number + 1
            target = self.root / "stimuli" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            self._audio[file] = name
        return self._audio[file]

    def _write_places(self, read: SessionContents, folder: Path, label: str, prefix: str) -> None:
        spec = read.description.spec
        places = {
            name: place
            for name, place, kind in zip(spec.ch_names, spec.positions or (), spec.ch_types, strict=False)
            if kind in ELECTRODES
        }
        if not any(math.isfinite(sum(place)) for place in places.values()):
            return
        known = self._places.get(f"{label} {prefix}")
        if known is not None:
            if known != places:
                self.warnings.append(
                    f"{read.session.path}: its electrode positions are left out: an earlier recording of {label} has "
                    "others"
                )
            return
        self._places[f"{label} {prefix}"] = places
        rows = [
            {"name": cell(name), **{axis: _number(v) for axis, v in zip("xyz", place, strict=True)}, "size": "n/a"}
            for name, place in places.items()
        ]
        columns = ("name", "x", "y", "z", *(("size",) if prefix == "iEEG" else ()))
        _write_table(folder / f"{label}_electrodes.tsv", rows, columns)
        _write_json(
            folder / f"{label}_coordsystem.json",
            {
                f"{prefix}CoordinateSystem": "Other",
                f"{prefix}CoordinateUnits": "m",
                f"{prefix}CoordinateSystemDescription": "Head coordinates as stated by the amplifier: x to the right, "
                "y to the front, z up.",
            },
        )

    def describe(self) -> None:
        """Write the files at the root of the data set."""
        name, version = this_program().split(" ", 1)
        _write_json(
            self.root / "dataset_description.json",
            {
                "Name": "Auditory attention sessions",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "raw",
                "Authors": [],
                "GeneratedBy": [{"Name": name, "Version": version}],
            },
        )
        labels = sorted({stem.partition("_")[0] for stem in self.written.values()})
        _write_table(self.root / "participants.tsv", [{"participant_id": label} for label in labels])
        about = {column: {"Description": words} for column, words in COLUMNS.items()}
        for task in sorted({stem.split("_")[-2] for stem in self.written.values()}):
            _write_json(self.root / f"{task}_events.json", about)
        (self.root / "README").write_text(_README.format(program=this_program()), encoding="utf-8")


_README = """Auditory attention sessions, exported by {program}.

Each recording has the samples of the electrodes as the amplifier sent them (float32, BrainVision). Times are seconds by
the sample count of the recording. In *_events.tsv, rows 'attention_trial' and 'attention' say when the listener was
asked to attend to a talker, and when the listener did; rows 'sound' say which envelope was heard: its sample k was
heard at onset + heard_s[k], about at onset + k / (sfreq * stim_speed). Rows 'audio' name the sound file of each talker
as it was at the export, and the position in it.

'earmark train' and 'earmark evaluate' read this data set.
"""


def _label(name: str, path: Path) -> str:
    label = re.sub("[^A-Za-z0-9]", "", name)
    if not label:
        raise RunError(f"its listener {name!r} has no letter or digit of a BIDS name: rename the folder of {path}")
    return label


def _sessions(sources: Sequence[Source]) -> dict[tuple[str, Path], str]:
    """Return the label of each session of each listener; empty where a listener has only one."""
    folders: dict[str, list[Path]] = {}
    for source in sources:
        found = folders.setdefault(source.listener, [])
        if source.session not in found:
            found.append(source.session)
    labels: dict[tuple[str, Path], str] = {}
    for listener, found in folders.items():
        names = [re.sub("[^A-Za-z0-9]", "", folder.name.removeprefix("ses-")) for folder in found]
        usable = all(names) and len(set(names)) == len(names)
        for number, (folder, name) in enumerate(zip(found, names, strict=True), 1):
            labels[listener, folder] = "" if len(found) == 1 else name if usable else f"{number:02}"
    return labels


def _kind(spec: StreamSpec) -> str:
    return "ieeg" if {"seeg", "ecog"} & set(spec.ch_types) else "eeg"


def _write_header(stem: Path, spec: StreamSpec) -> None:
    """Write the header and the file of markers of samples that are already written."""
    import pybv

    factors = [microvolts(unit) for unit in spec.units]
    data = stem.with_suffix(".eeg")
    samples = data.rename(stem.with_suffix(".samples"))
    with warnings.catch_warnings():
        # It warns of every unit but volts; ours are stated in the header and in the table of channels.
        warnings.simplefilter("ignore", UserWarning)
        pybv.write_brainvision(
            data=np.zeros((spec.n_channels, 1)),
            sfreq=float(spec.sfreq),
            ch_names=[cell(name) for name in spec.ch_names],
            fname_base=stem.name,
            folder_out=str(stem.parent),
            resolution=np.array([factor or 1.0 for factor in factors]),
            unit=["µV" if factor else cell(unit) for factor, unit in zip(factors, spec.units, strict=True)],
        )
    samples.replace(data)


def _number(value: float) -> str:
    return f"{value:.9g}" if math.isfinite(value) else "n/a"


def _write_table(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str] = ()) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        names = columns or list(rows[0])
        table = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(names)
        table.writerows([row.get(name, "n/a") for name in names] for row in rows)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

"""Read the auditory attention data set of DTU (Fuglsang, Wong and Hjortkjær), doi:10.5281/zenodo.1199011.

Eighteen files ``S1.mat`` to ``S18.mat`` hold a continuous recording ``data`` and a table ``expinfo`` with a row for
each trial; the sounds are in ``AUDIO``. The fields are those that the authors' ``preproc_data.m`` uses: ``data.eeg``
(samples x channels), ``data.fsample.eeg``, ``data.dim.chan.eeg``, ``data.event.eeg.sample`` and ``.value`` (two events
per trial, of which the first is its start), and the columns ``attend_mf`` (1 male, 2 female), ``wavfile_male``,
``wavfile_female`` and ``trigger``. Trials with one talker have no second sound file.

The files ``S1_data_preproc.mat`` that the authors' script writes hold the filtered EEG at 64 Hz and envelopes: ``wavA``
of the attended talker, ``wavB`` of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from earmark.devices.files.corpus_trials import CorpusTrial, LeftOut, Sounds, Speech, find_listeners, make_recording
from earmark.devices.files.mat_file import read_mat
from earmark.devices.files.mat_table import read_table
from earmark.devices.files.mat_tree import Node
from earmark.devices.files.mat_v5 import Opaque
from earmark.devices.files.recording import RecordingError
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.kernels.extras import MissingExtra

CORPUS = "DTU, doi:10.5281/zenodo.1199011"
#: What ``attend_mf`` stands for.
_TALKERS = ("male", "female")
#: Columns that must be there, and those that the run keeps.
_COLUMNS, _FACTS = ("attend_mf", "wavfile_male", "wavfile_female"), ("acoustic_condition", "attend_lr", "trigger")
ONE_TALKER = "it has one talker"


def dtu_listeners(folder: Path, *, preprocessed: bool = False) -> list[Path]:
    """Return the files of the listeners: the raw recordings, or those that the authors filtered."""
    return find_listeners(folder, r"S\d+_data_preproc\.mat" if preprocessed else r"S\d+\.mat")


def dtu_trials(path: Path, sounds: Sounds, words: Overrides = NOTHING) -> Iterator[CorpusTrial | LeftOut]:
    """Read the trials of one listener from the raw recording.

    A trial lasts from its start to that of the next one, or until a sound ends, as in the authors' script.

    Parameters
    ----------
    path : Path
        File of the listener.
    sounds : Sounds
        The sounds of the data set.
    words : Overrides
        The user's corrections.

    Yields
    ------
    CorpusTrial or LeftOut
        One for each row of ``expinfo``, in order.

    Raises
    ------
    RecordingError
        If the file is not one of the data set, its trials and events contradict each other, or a sound is missing.
    """
    tree = read_mat(path)
    data = Node(tree, str(path)).at("data")
    eeg, sfreq = data.at("eeg").numbers(), data.at("fsample/eeg").number()
    ch_names = data.at("dim/chan/eeg").texts()
    if len(ch_names) != eeg.shape[-1]:
        raise data.at("dim/chan/eeg").wrong(f"the names of {eeg.shape[-1]} channels")
    kept = [k for k, label in enumerate(ch_names) if label.casefold() != "status"]
    rows = _expinfo(path, tree)
    starts = _starts(data, rows)
    for k, row in enumerate(rows):
        name = f"trial-{k + 1:02d}"
        if not (row["wavfile_male"] and row["wavfile_female"]):
            yield LeftOut(name, ONE_TALKER)
            continue
        attended = {"1": "male", "2": "female"}.get(row["attend_mf"])
        if attended is None:
            raise RecordingError(f"{path}: attend_mf of {name} is {row['attend_mf']!r}, but must be 1 or 2")
        files = [sounds.find(row[f"wavfile_{talker}"]) for talker in _TALKERS]
        speech = tuple(Speech(t, f"dtu {file.stem}", file) for t, file in zip(_TALKERS, files, strict=True))
        # Events count samples from 1. A second more than the sounds is kept for the decoder's lags.
        start = starts[k] - 1
        stop = min(starts[k + 1] - 1, start + round((min(map(_seconds, files)) + 1.0) * sfreq))
        recording = make_recording(
            f"{path.stem} {name}",
            np.ascontiguousarray(eeg[start:stop, kept]),
            sfreq,
            [ch_names[c] for c in kept],
            "",
            words,
            [ch_names[c].upper().startswith("EX") for c in kept],
        )
        facts = {key: row[key] for key in _FACTS if row.get(key)}
        yield CorpusTrial(name, path.stem, recording, speech, attended, {"corpus": CORPUS, "file": path.name, **facts})


def dtu_preprocessed_trials(path: Path, words: Overrides = NOTHING) -> Iterator[CorpusTrial | LeftOut]:
    """Read the trials of one listener from the file that the authors filtered.

    The authors store the attended talker first in all trials. Here the two change places in every other trial, so that
    a decoder that prefers the first talker does not seem to decode attention.

    Parameters
    ----------
    path : Path
        File of the listener.
    words : Overrides
        The user's corrections.

    Yields
    ------
    CorpusTrial or LeftOut
        One for each trial, in order.

    Raises
    ------
    RecordingError
        If the file is not one of the data set.
    """
    data = Node(read_mat(path), str(path)).at("data")
    subject = path.stem.partition("_")[0]
    eeg, wav_a, wav_b = (data.at(key).elements() for key in ("eeg", "wavA", "wavB"))
    if not len(eeg) == len(wav_a) == len(wav_b):
        raise RecordingError(f"{path}: {len(eeg)} trials of eeg, {len(wav_a)} of wavA and {len(wav_b)} of wavB")
    names = data.at("dim/chan/eeg").elements()
    sfreq = data.at("fsample/eeg").number()
    rates = [data.get(f"fsample/{key}") for key in ("wavA", "wavB")]
    hz = [sfreq if rate is None else rate.number() for rate in rates]
    for k, (neural, first, second) in enumerate(zip(eeg, wav_a, wav_b, strict=True)):
        name = f"trial-{k + 1:02d}"
        # The names are those of each trial, or one list for all.
        chosen = names[k] if len(names) == len(eeg) and isinstance(names[k].value, list) else data.at("dim/chan/eeg")
        labels = chosen.texts()
        recording = make_recording(
            f"{subject} {name}",
            neural.numbers(),
            sfreq,
            labels,
            "",
            words,
            [label.upper().startswith("EX") for label in labels],
        )
        envelopes = [one.numbers().reshape(-1, 1).astype(np.float64) for one in (first, second)]
        heard = [Speech("", "", None, one, rate) for one, rate in zip(envelopes, hz, strict=True)]
        attended = k % 2
        order = heard if attended == 0 else heard[::-1]
        speech = tuple(
            Speech(talker, "", None, one.envelope, one.sfreq)
            for talker, one in zip(("first", "second"), order, strict=True)
        )
        yield CorpusTrial(
            name,
            subject,
            recording,
            speech,
            ("first", "second")[attended],
            {"corpus": CORPUS, "file": path.name, "envelopes": "of the data set"},
        )


def _expinfo(path: Path, tree: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the table of trials: a table, or what table2struct makes of it."""
    found = tree.get("expinfo")
    if found is None:
        raise RecordingError(f"{path} has no table 'expinfo': it is not a raw recording of the data set")
    if isinstance(found, Opaque):
        try:
            columns = read_table(path, "expinfo")
        except MissingExtra as error:
            fix = f"expinfo = table2struct(expinfo); save('{path.name}', 'data', 'expinfo')"
            raise MissingExtra(f"{error}. Or convert it in MATLAB: {fix}") from None
        table = {key: [_text(value) for value in column] for key, column in columns.items()}
    elif isinstance(found, list):
        rows = [Node(one, f"{path}/expinfo/{k}") for k, one in enumerate(found, 1)]
        table = {key: [row.at(key).text() for row in rows] for key in (found[0] if found else {})}
    else:
        node = Node(found, f"{path}/expinfo")
        table = {key: _column(node.at(key)) for key in (found if isinstance(found, dict) else {})}
    missing = [key for key in _COLUMNS if key not in table]
    if missing:
        raise RecordingError(f"{path}: expinfo has no column {', '.join(missing)}, but {', '.join(table) or 'none'}")
    if len({len(column) for column in table.values()}) != 1:
        raise RecordingError(f"{path}: the columns of expinfo have different lengths")
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value).strip()


def _column(node: Node) -> list[str]:
    value = node.value
    return [f"{one:g}" for one in value.reshape(-1)] if isinstance(value, np.ndarray) else node.texts()


def _starts(data: Node, rows: list[dict[str, str]]) -> list[int]:
    """Return the first sample of each trial, counted from 1, and the last sample of the recording plus one."""
    node = data.at("event/eeg/sample")
    samples, values = node.numbers().reshape(-1), data.at("event/eeg/value").numbers().reshape(-1)
    n_samples = len(data.at("eeg").numbers())
    if len(samples) != 2 * len(rows) or len(values) != len(samples):
        raise RecordingError(
            f"{node.where}: {len(samples)} events with {len(values)} values, but must be {2 * len(rows)}, two for each "
            "row of expinfo"
        )
    starts = [int(sample) for sample in samples[::2]]
    if any(b <= a for a, b in zip([0, *starts], [*starts, n_samples + 1], strict=True)):
        raise node.wrong(f"rising, between 1 and {n_samples}, the number of samples")
    for k, (row, value) in enumerate(zip(rows, values[::2], strict=True), 1):
        if row.get("trigger", f"{value:g}") != f"{value:g}":
            raise RecordingError(
                f"{data.where}: trial {k} starts with event {value:g}, but its trigger in expinfo is {row['trigger']}: "
                "the rows do not belong to these events"
            )
    return [*starts, n_samples + 1]


def _seconds(path: Path) -> float:
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError) as error:
        raise RecordingError(f"{path} cannot be read as sound: {error}") from None

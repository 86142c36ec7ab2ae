"""Read the auditory attention data set of KU Leuven (Das, Francart and Bertrand), doi:10.5281/zenodo.4004271.

Sixteen files ``S1.mat`` to ``S16.mat`` hold a cell array ``trials``; the sounds are in ``stimuli``. The fields are
those of the data set's description and of its authors' ``preprocess_data.m``: ``RawData.EegData`` (samples x 64),
``FileHeader.SampleRate``, ``FileHeader.Channels.Label``, ``stimuli`` (file names of the left and the right ear),
``attended_ear`` (``L`` or ``R``), ``attended_track``, ``repetition``, ``condition``, ``experiment``, ``part``,
``TrialID``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from earmark.devices.files.corpus_trials import CorpusTrial, LeftOut, Sounds, Speech, find_listeners, make_recording
from earmark.devices.files.mat_file import read_mat
from earmark.devices.files.mat_tree import Node
from earmark.devices.sources.overrides import NOTHING, Overrides

CORPUS = "KU Leuven, doi:10.5281/zenodo.4004271"
#: File name of a stimulus: the third experiment repeats the beginnings of the parts, which have files of their own.
_STIMULUS = re.compile(r"(rep_)?part(\d+)_track(\d+)_(dry|hrtf)(\.wav)?", re.IGNORECASE)
_EARS = {"L": "left", "R": "right"}
#: Facts of a trial that the run keeps, if they are there.
_FACTS = ("condition", "experiment", "part", "attended_track", "repetition")


def kul_listeners(folder: Path) -> list[Path]:
    """Return the files of the listeners."""
    return find_listeners(folder, r"S\d+\.mat")


def kul_trials(
    path: Path, sounds: Sounds, words: Overrides = NOTHING, *, repetitions: bool = False
) -> Iterator[CorpusTrial | LeftOut]:
    """Read the trials of one listener.

    Parameters
    ----------
    path : Path
        File of the listener.
    sounds : Sounds
        The sounds of the data set. The unfiltered ones (``dry``) are used in both conditions, as by the authors.
    words : Overrides
        The user's corrections.
    repetitions : bool
        Also read the trials that repeat what was heard in an earlier one.

    Yields
    ------
    CorpusTrial or LeftOut
        One for each trial, in order.

    Raises
    ------
    RecordingError
        If the file is not one of the data set, or a sound is missing.
    """
    trials = Node(read_mat(path), str(path)).at("trials").elements()
    for k, trial in enumerate(trials, 1):
        name = f"trial-{k:02d}"
        repeated = trial.get("repetition")
        names = [_stimulus(trial, text) for text in trial.at("stimuli").texts()]
        if len(names) != 2:
            raise trial.at("stimuli").wrong("the names of two sound files, for the left and the right ear")
        is_repetition = any(one[1] for one in names) or bool(repeated and repeated.number())
        if is_repetition and not repetitions:
            yield LeftOut(name, "it repeats what was heard in an earlier trial: --repetitions keeps these")
            continue
        yield _trial(path, name, trial, names, sounds, words)


def _trial(
    path: Path, name: str, trial: Node, names: list[re.Match[str]], sounds: Sounds, words: Overrides
) -> CorpusTrial | LeftOut:
    ear = trial.at("attended_ear")
    attended = _EARS.get(ear.text().upper()[:1])
    if attended is None:
        raise ear.wrong("L or R")
    track = trial.get("attended_track")
    heard = names[0] if attended == "left" else names[1]
    if track is not None and track.text() != heard[3]:
        return LeftOut(name, "its attended_ear and attended_track contradict each other")
    eeg = trial.at("RawData/EegData")
    labels, unit = _channels(trial, eeg.numbers().shape[-1])
    subject = path.stem
    speech = tuple(
        Speech(
            talker,
            f"kul part{one[2]} track{one[3]}",
            sounds.find(f"{(one[1] or '').lower()}part{one[2]}_track{one[3]}_dry.wav"),
        )
        for talker, one in zip(_EARS.values(), names, strict=True)
    )
    sfreq = trial.at("FileHeader/SampleRate").number()
    recording = make_recording(f"{subject} {name}", eeg.numbers(), sfreq, labels, unit, words)
    found = {key: trial.get(key) for key in _FACTS}
    facts = {key: node.text() for key, node in found.items() if node is not None}
    return CorpusTrial(name, subject, recording, speech, attended, {"corpus": CORPUS, "file": path.name, **facts})


def _stimulus(trial: Node, name: str) -> re.Match[str]:
    found = _STIMULUS.fullmatch(name.replace("-", "_"))
    if found is None:
        raise trial.at("stimuli").wrong(f"names such as part1_track1_dry.wav, and not {name!r}")
    return found


def _channels(trial: Node, n_channels: int) -> tuple[list[str], str]:
    """Return the names of the channels and their unit, empty if it is not stated."""
    header = trial.at("FileHeader/Channels")
    labels = header.at("Label").texts()
    stated = header.get("PhysicalDimension")
    units = stated.texts() if stated is not None else []
    numbers = trial.get("RawData/Channels")
    if len(labels) != n_channels and numbers is not None:  # the header may describe more than was kept
        kept = [int(n) - 1 for n in numbers.numbers().reshape(-1) if 1 <= n <= len(labels)]
        labels, units = [labels[k] for k in kept], [units[k] for k in kept if k < len(units)]
    return labels, units[0] if len(set(units[:n_channels])) == 1 else ""

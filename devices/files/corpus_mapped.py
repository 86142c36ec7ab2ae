"""Read any other data set in MATLAB or HDF5 files, by a mapping that says where in the file each part is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from earmark.devices.files.corpus_trials import CorpusTrial, Sounds, Speech, make_recording
from earmark.devices.files.mat_file import read_mat
from earmark.devices.files.mat_tree import Node
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.stored_envelope import MAX_FEATURES, MAX_HZ
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.pipeline.units import microvolts

#: Stands in a place for the number or name of the run.
EACH = "*"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MappedTalker(_Strict):
    """Where the speech of one talker is."""

    name: str = Field(min_length=1, description="name of the talker")
    sound: str = Field(default="", description="place of the name of a sound file, which is below the folder")
    envelope: str = Field(default="", description="place of an envelope, instead of a sound")
    sfreq: str | float | None = Field(default=None, description="rate of the envelope in Hz, or its place")
    stimulus: str = Field(
        default="", description="place of the name of what was said; by default, the name of the sound file"
    )

    @model_validator(mode="after")
    def _one_source(self) -> MappedTalker:
        if bool(self.sound) == bool(self.envelope):
            raise PydanticCustomError("source", f"talker {self.name!r} needs either 'sound' or 'envelope'")
        if self.envelope and self.sfreq is None:
            raise PydanticCustomError("rate", f"talker {self.name!r} has an envelope, and needs its 'sfreq'")
        return self


class CorpusMap(_Strict):
    """Where in the files of a data set each part of a run is.

    A place is a path of names and numbers, ``trials/1/eeg``; elements are counted from 1, and ``*`` stands for each
    element or field in turn, which makes a run of it.
    """

    name: str = Field(default="corpus", min_length=1, description="name of the data set")
    files: str = Field(min_length=1, description="pattern of the names of the files, such as S*.mat")
    subject: str = Field(default="", description="place of the name of the listener; by default, the name of the file")
    eeg: str = Field(min_length=1, description="place of the samples")
    axes: Literal["samples x channels", "channels x samples"] = Field(
        default="samples x channels", description="order of the axes of eeg, as 'earmark corpus show' prints them"
    )
    sfreq: str | float = Field(description="rate of eeg in Hz, or its place")
    ch_names: str | list[str] = Field(
        default="", description="names of the channels, or their place; by default E1, E2, ..."
    )
    unit: str = Field(default="", description="unit of eeg: V, mV, uV or nV")
    talkers: list[MappedTalker] = Field(min_length=2, description="who spoke, in the order of the run")
    attended: str = Field(
        min_length=1, description="name of the talker who is attended in all runs, or the place of the attended one"
    )
    attended_values: dict[str, str] = Field(
        default={}, description="name of the talker for each text or number at that place, if it is not the name itself"
    )

    @model_validator(mode="after")
    def _names(self) -> CorpusMap:
        names = [talker.name for talker in self.talkers]
        if len(set(names)) < len(names):
            raise PydanticCustomError("names", f"the talkers are {', '.join(names)}: give each a name of its own")
        for name in self.attended_values.values():
            if name not in names:
                raise PydanticCustomError(
                    "values", f"attended_values has {name!r}, which is none of the talkers {', '.join(names)}"
                )
        given = [self.subject, self.attended, self.sfreq, self.ch_names]
        given += [place for talker in self.talkers for place in (talker.sound, talker.envelope, talker.stimulus)]
        if EACH not in self.eeg and (each := [one for one in given if isinstance(one, str) and EACH in one]):
            raise PydanticCustomError(
                "each", f"{each[0]!r} has {EACH}, which makes a run of each element, but eeg, {self.eeg!r}, has none"
            )
        if Path(self.files).is_absolute() or ".." in Path(self.files).parts:
            raise PydanticCustomError("files", f"files is {self.files!r}, but must be a pattern below the folder")
        if self.unit and microvolts(self.unit) is None:
            raise PydanticCustomError("unit", f"unit is {self.unit!r}, but must be V, mV, uV or nV")
        return self


def mapped_listeners(folder: Path, mapping: CorpusMap) -> list[Path]:
    """Return the files of the listeners."""
    if not folder.is_dir():
        raise RecordingError(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob(mapping.files) if path.is_file())
    return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])


def mapped_trials(path: Path, sounds: Sounds, mapping: CorpusMap, words: Overrides = NOTHING) -> Iterator[CorpusTrial]:
    """Read the runs of one file.

    Parameters
    ----------
    path : Path
        The file.
    sounds : Sounds
        The sounds of the data set.
    mapping : CorpusMap
        Where each part is.
    words : Overrides
        The user's corrections.

    Yields
    ------
    CorpusTrial
        One for each ``*``, or one.

    Raises
    ------
    RecordingError
        If there is nothing at a place, or something else than expected; the message lists what there is.
    """
    root = Node(read_mat(path), str(path))
    before, each, _ = mapping.eeg.partition(EACH)
    keys = _keys(root.at(before) if before.strip("/") else root) if each else [""]
    for k, key in enumerate(keys, 1):
        name = key if key and not key.isdecimal() else f"run-{k:02d}"

        def at(place: str, key: str = key) -> Node:
            return root.at(place.replace(EACH, key))

        eeg = at(mapping.eeg)
        data = eeg.numbers()
        if data.ndim != 2:
            raise eeg.wrong(f"a table of {mapping.axes}")
        data = data if mapping.axes == "samples x channels" else data.T
        if data.shape[1] > data.shape[0]:
            raise eeg.wrong(f"{mapping.axes}, and has more channels than samples: is 'axes' the other way round?")
        sfreq = _rate(mapping.sfreq, at)
        labels = mapping.ch_names or [f"E{i + 1}" for i in range(data.shape[1])]
        subject = at(mapping.subject).text() if mapping.subject else path.stem
        recording = make_recording(
            f"{subject} {name}",
            data,
            sfreq,
            at(labels).texts() if isinstance(labels, str) else labels,
            mapping.unit,
            words,
        )
        speech = tuple(_speech(talker, at, sounds, mapping.name) for talker in mapping.talkers)
        origin = {"corpus": mapping.name, "file": path.name, "mapping": mapping.model_dump_json(exclude_unset=True)}
        yield CorpusTrial(name, subject, recording, speech, _attended(mapping, at), origin)


def _keys(node: Node) -> list[str]:
    """Return the numbers of the elements, or the names of the fields, of what ``*`` stands for."""
    if isinstance(node.value, dict):
        return list(node.value)
    if not isinstance(node.value, list):
        raise node.wrong(f"a list or a structure, as {EACH} stands for its elements")
    return [str(k) for k in range(1, len(node.value) + 1)]


def _rate(given: str | float | None, at: Callable[[str], Node]) -> float:
    return at(given).number() if isinstance(given, str) else float(given or 0)


def _speech(talker: MappedTalker, at: Callable[[str], Node], sounds: Sounds, corpus: str) -> Speech:
    said = f"{corpus} {at(talker.stimulus).text()}" if talker.stimulus else ""
    if talker.sound:
        file = sounds.find(at(talker.sound).text())
        return Speech(talker.name, said or f"{corpus} {file.stem}", file)
    node = at(talker.envelope)
    envelope = np.asarray(node.numbers(), np.float64)
    envelope = envelope.reshape(-1, 1) if min(envelope.shape, default=0) == 1 or envelope.ndim == 1 else envelope
    sfreq = _rate(talker.sfreq, at)
    if envelope.ndim != 2 or not 1 <= envelope.shape[1] <= MAX_FEATURES or not np.isfinite(envelope).all():
        raise node.wrong("an envelope: finite numbers of samples, or samples x features")
    if not 0 < sfreq <= MAX_HZ:
        raise RecordingError(f"{node.where} has {sfreq:g} Hz, but an envelope has 0 to {MAX_HZ:g} Hz")
    return Speech(talker.name, said, None, envelope, sfreq)


def _attended(mapping: CorpusMap, at: Callable[[str], Node]) -> str:
    names = [talker.name for talker in mapping.talkers]
    if mapping.attended in names:
        return mapping.attended
    node = at(mapping.attended)
    found = mapping.attended_values.get(node.text(), node.text())
    if found not in names:
        wanted = ", ".join(mapping.attended_values or names)
        raise node.wrong(f"one of {wanted}; attended_values gives the talker for each other value")
    return found

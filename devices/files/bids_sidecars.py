"""Read the metadata of a recording in a BIDS data set, from the files beside and above it.

By the inheritance principle such a file may lie in any folder from that of the recording up to the root; its name has
some of the entities of the recording's name, and no others. The nearest file wins, and in a folder the most specific;
in JSON files this applies key by key.
https://bids-specification.readthedocs.io/en/stable/common-principles.html#the-inheritance-principle
"""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recording import SUFFIXES, Recording, RecordingError
from earmark.devices.files.regular_file import read_text
from earmark.devices.files.triggers import untold
from earmark.pipeline.stream import ELECTRODES
from earmark.pipeline.units import microvolts

log = logging.getLogger(__name__)

ROOT_FILE = "dataset_description.json"
KINDS = ("eeg", "ieeg")  #: Folder of a recording, and suffix of its name.
UNREADABLE = (".set", ".nwb", ".mefd")  #: Other formats that BIDS allows.
#: Metres in the units of coordinates.
_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
#: Minimum difference between the rates in a file and in its metadata that is logged.
_RATE_TOLERANCE = 2e-4


def bids_root(path: Path) -> Path | None:
    """Return the root folder of the data set of a file or folder; None outside of data sets."""
    # Links are not followed: data sets under version control consist of links into their store.
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if (folder / ROOT_FILE).is_file()), None)


def is_recording(path: Path) -> bool:
    """Whether this is the main file of an EEG or intracranial recording, in any format that BIDS allows."""
    root, kind = bids_root(path), path.parent.name
    if root is None or kind not in KINDS or path.suffix.lower() not in (*SUFFIXES, *UNREADABLE):
        return False
    raw = path.absolute().relative_to(root).parts[0].startswith("sub-")  # raw data, not derivatives
    return raw and path.stem.endswith(f"_{kind}")


def inherited(path: Path, suffix: str, extension: str) -> list[Path]:
    """Return the metadata files of a recording, the most general one first.

    Parameters
    ----------
    path : Path
        The recording.
    suffix, extension : str
        Suffix and extension of their names, such as ``events`` and ``.tsv``.

    Raises
    ------
    RecordingError
        If two files in one folder are equally specific.
    """
    root = bids_root(path)
    if root is None:
        return []
    entities, free = set(path.stem.split("_")[:-1]), ("space",) if suffix in ("electrodes", "coordsystem") else ()
    folders = [folder for folder in (path.absolute().parent, *path.absolute().parents) if folder.is_relative_to(root)]
    found = []
    for folder in reversed(list(dict.fromkeys(folders))):
        here: dict[int, list[Path]] = {}
        for file in sorted(folder.glob(f"*{suffix}{extension}")):
            *parts, last = file.name.removesuffix(extension).split("_")
            named = [part for part in parts if part.partition("-")[0] not in free]
            if last == suffix and set(named) <= entities:
                if len(named) in here and not free:
                    raise RecordingError(
                        f"{path}: both {here[len(named)][0].name} and {file.name} in {folder} are about it"
                    )
                here.setdefault(len(named), []).append(file)
        found += [file for n in sorted(here) for file in here[n]]
    return found


def _nearest(path: Path, suffix: str, extension: str) -> Path | None:
    found = inherited(path, suffix, extension)
    return found[-1] if found else None


def table(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a table, with ``n/a`` as empty text.

    Raises
    ------
    RecordingError
        If it cannot be read or lacks a required column.
    """
    try:
        lines = read_text(path, encoding="utf-8-sig").splitlines()
        rows = list(csv.DictReader(lines, delimiter="\t", restval="", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecordingError(f"{path} cannot be read: it is not UTF-8; save it as UTF-8") from None
    except (ValueError, csv.Error) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from None
    missing = [column for column in wanted if rows and column not in rows[0]]
    if missing:
        raise RecordingError(f"{path}: columns missing: {', '.join(missing)}")
    return [{key: "" if value == "n/a" else value for key, value in row.items() if key} for row in rows]


def _json(paths: Sequence[Path]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for path in paths:
        try:
            found = json.loads(read_text(path, encoding="utf-8-sig"))
        except OSError as error:
            raise RecordingError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise RecordingError(f"{path} cannot be read: it is not UTF-8; save it as UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise RecordingError(f"{path} cannot be read: it is not valid JSON: {error}") from None
        said |= found if isinstance(found, dict) else {}
    return said


@dataclass(frozen=True)
class Sidecars:
    """Metadata of a recording from its data set.

    Attributes
    ----------
    channels : Path or None
        Table of channels.
    kinds, units : dict of str to str
        Channel types (those of this program, or ``trigger``), and units.
    bads : set of str
        Bad channels.
    places : dict of str to (float, float, float)
        Electrode positions in metres.
    events : list of (float, str)
        Onset in seconds, and description.
    about : dict
        Content of the JSON files.
    """

    channels: Path | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    bads: set[str] = field(default_factory=set)
    places: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    events: list[tuple[float, str]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str) -> str | None:
        """Return the name of a channel in the table: some readers strip the type from the front of its label."""
        return name if name in self.kinds else next((key for key in self.kinds if key.endswith(f" {name}")), None)


def read_sidecars(path: Path) -> Sidecars:
    """Read the metadata of a recording from its data set; empty if it belongs to none.

    Raises
    ------
    RecordingError
        If a file cannot be read.
    """
    if not is_recording(path):
        return Sidecars()
    kind = path.stem.rpartition("_")[2]
    channels = _nearest(path, "channels", ".tsv")
    rows = table(channels, ("name", "type")) if channels else []
    kinds = {row["name"]: _kind(row["type"]) for row in rows}
    events = []
    for file in inherited(path, "events", ".tsv")[-1:]:
        for row in table(file, ("onset",)):
            text = row.get("trial_type") or row.get("value")
            onset = _seconds(row["onset"])
            if text and math.isfinite(onset):
                events.append((onset, text))
    return Sidecars(
        channels=channels,
        kinds=kinds,
        units={row["name"]: row.get("units", "") for row in rows},
        bads={row["name"] for row in rows if row.get("status") == "bad"},
        places=_places(path, kind),
        events=events,
        about=_json(inherited(path, kind, ".json")),
    )


def _kind(text: str) -> str:
    kind = {"dbs": "seeg", "veog": "eog", "heog": "eog", "trig": "trigger"}.get(text.lower(), text.lower())
    return kind if kind in (*ELECTRODES, "trigger") else "misc"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _places(path: Path, kind: str) -> dict[str, tuple[float, float, float]]:
    file = _nearest(path, "electrodes", ".tsv")
    if file is None:
        return {}
    space = [part for part in file.stem.split("_") if part.startswith("space-")]
    systems = inherited(path, "coordsystem", ".json")
    systems = [s for s in systems if [part for part in s.stem.split("_") if part.startswith("space-")] == space]
    unit = _json(systems).get({"eeg": "EEGCoordinateUnits", "ieeg": "iEEGCoordinateUnits"}[kind], "n/a")
    if unit not in _METRES:
        log.warning(
            "%s: electrode positions left out, because their unit is %r: m, cm or mm is needed", file.name, unit
        )
        return {}
    places = {}
    for row in table(file, ("name", "x", "y", "z")):
        x, y, z = (_seconds(row[axis]) * _METRES[unit] for axis in "xyz")
        if math.isfinite(x + y + z):
            places[row["name"]] = (x, y, z)
    return places


def complete(recording: Recording, said: Sidecars, path: Path) -> Recording:
    """Return a recording completed by the metadata of its data set.

    Types and bad channels are taken from the data set; units, positions and events only if the recording has none.

    Raises
    ------
    RecordingError
        If a channel is not in the table.
    """
    if said == Sidecars():
        return recording
    spec = recording.spec
    kinds, units, scale = list(spec.ch_types), list(spec.units), np.ones(spec.n_channels)
    stated = list(recording.stated)
    bads, places = np.zeros(spec.n_channels, dtype=bool), [(math.nan,) * 3] * spec.n_channels
    for i, name in enumerate(spec.ch_names):
        key = said.named(name)
        if key is None and said.channels is not None and kinds[i] != "misc":
            raise RecordingError(
                f"{said.channels}: channel {name!r} of the recording is not there, but every one must be"
            )
        if key is not None:
            factor = microvolts(said.units[key]) if not units[i] else None
            stated[i] = stated[i] or said.units[key]
            to_uv = {"V": 1e6, "uV": 1.0}.get(units[i], factor)
            kinds[i], bads[i] = said.kinds[key].replace("trigger", "misc"), key in said.bads
            if kinds[i] in ELECTRODES and to_uv is not None:
                units[i], scale[i] = "uV", to_uv
        places[i] = said.places.get(key or name, said.places.get(name, places[i]))
    if bads.any():
        names = ", ".join(name for name, bad in zip(spec.ch_names, bads, strict=True) if bad)
        log.warning("%s: bad channels, by %s: %s", path.name, said.channels and said.channels.name, names)
    if spec.positions is None and any(math.isfinite(p[0]) for p in places):
        spec = spec.evolve(positions=tuple(places))
    _say_differences(recording, said.about, path)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        data = np.array(recording.read(start, stop) * scale, dtype=np.float32)
        data[:, bads] = np.nan
        return data

    events = [(time, text) for time, text in said.events if 0 <= time <= recording.duration]
    annotations = recording.annotations + untold(events, recording.annotations, 1.5 / spec.sfreq)
    return recording.changed(spec.evolve(ch_types=tuple(kinds), units=tuple(units)), annotations, read, stated)


def _say_differences(recording: Recording, about: Mapping[str, Any], path: Path) -> None:
    rate, kind = about.get("SamplingFrequency"), about.get("RecordingType")
    if isinstance(rate, int | float) and abs(rate / recording.spec.sfreq - 1) > _RATE_TOLERANCE:
        log.warning(
            "%s: its data set says %g Hz, but the file %g Hz, which holds", path.name, rate, recording.spec.sfreq
        )
    if kind in ("epoched", "discontinuous") and len(recording.segments) == 1:
        log.warning("%s: its data set calls it %s, but the file does not say where its pieces end", path.name, kind)

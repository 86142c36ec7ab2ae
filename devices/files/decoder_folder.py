"""Save and load decoders as folders: a readable text, and weights that are never executed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from earmark.devices.files.regular_file import open_regular
from earmark.kernels.extras import require
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.decoder import DECODERS, NETWORKS, Decoder, DecoderError, DecoderSpec
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.decoders.saved import Saved, make
from earmark.pipeline.registry import Part, RegistryError
from earmark.pipeline.run import Run

#: Version of the folder's layout.
VERSION = 1
TEXT, WEIGHTS = "decoder.toml", "weights.safetensors"
#: Facts that are derived from others for readers, and old names of facts.
_DERIVED, _RENAMED = ("experimental", "chance_limit"), {"chance": "chance_level"}
#: Maximum file size: larger files are not decoders of this program, and are not read into memory.
MAX_TEXT, MAX_WEIGHTS = 1 << 20, 1 << 31
#: The fix, in messages about a folder that cannot be read.
_TRAIN_AGAIN = "copy the whole folder again from where it was made, or train it again"
#: Maximum number of decisions, larger than in any corpus.
MAX_DECISIONS = 10**9


@dataclass(frozen=True, slots=True)
class Facts:
    """Accuracy of a decoder, and the data behind it.

    Attributes
    ----------
    accuracy : float
        Cross-validated share of correct decisions, over one decision window; NaN if it was not measured.
    chance_level : float
        Mean accuracy of guessing.
    n_decisions : int
        Number of non-overlapping decisions behind the accuracy.
    fingerprints : tuple of str
        SHA-256 of each training run, see :func:`fingerprint`.
    seconds : float
        Total duration of the training runs in seconds.
    emissions : Emissions or None
        Distribution of its scores on windows that were not used for training; live decisions use it. None if unknown.
    linear_accuracy : float or None
        Accuracy of the default decoder on the same decisions, trained on the same runs; for networks only.
    bands : str or None
        Weight and sensitivity of each frequency band in this listener, in words; for filter banks only.
    """

    accuracy: float
    chance_level: float
    n_decisions: int
    fingerprints: tuple[str, ...]
    seconds: float
    emissions: Emissions | None = None
    linear_accuracy: float | None = None
    bands: str | None = None

    @property
    def chance_limit(self) -> float:
        """Accuracy that guessing reaches with p = 0.05 for this many decisions; NaN if there are too few decisions."""
        from earmark.pipeline.evaluation.metrics import chance_limit  # SciPy's statistics take a second to import

        return chance_limit(self.n_decisions, round(1 / self.chance_level)) if self.n_decisions else math.nan

    @property
    def experimental(self) -> bool:
        """Whether this is a network that was not shown to decode better than the default decoder."""
        return self.linear_accuracy is not None and not self.accuracy > self.linear_accuracy


def fingerprint(run: Run) -> str:
    """Return the SHA-256 of everything that a fit uses of a run; names do not count."""
    digest = hashlib.sha256(json.dumps([run.sfreq, run.ch_names, run.features, run.talkers.shape]).encode())
    for array, dtype in ((run.neural, "<f8"), (run.talkers, "<f8"), (run.attended, "<i8")):
        digest.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """Return the SHA-256 of a whole decoder folder.

    Raises
    ------
    DecoderError
        If it cannot be read.
    """
    return hashlib.sha256(_read(folder, TEXT, MAX_TEXT) + _read(folder, WEIGHTS, MAX_WEIGHTS)).hexdigest()


def save_decoder(folder: Path, decoder: Decoder, facts: Facts) -> None:
    """Write a fitted decoder to a folder atomically.

    Parameters
    ----------
    folder : Path
        An existing decoder is replaced; any other content is refused.
    decoder : Decoder
    facts : Facts

    Raises
    ------
    DecoderError
        If the folder holds something else, or cannot be written.
    """
    if not hasattr(decoder, "chosen"):
        raise DecoderError(f"the {decoder.kind} decoder was not fitted: there is nothing to save")
    if folder.exists() and not (folder.is_dir() and {p.name for p in folder.iterdir()} <= {TEXT, WEIGHTS}):
        raise DecoderError(f"{folder} holds something that is not a decoder: choose another folder")
    weights = save({name: np.ascontiguousarray(array) for name, array in decoder.arrays().items()})
    emissions = {} if facts.emissions is None else {"emissions": asdict(facts.emissions)}
    text = _toml(
        {
            "version": VERSION,
            "kind": decoder.kind,
            **_made_by(decoder.kind),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "spec": asdict(decoder.spec),
            "preset": asdict(decoder.preset),
            "settings": decoder.settings(),
            "chosen": asdict(decoder.chosen),
            "facts": {key: value for key, value in asdict(facts).items() if key != "emissions"}
            | {"chance_limit": facts.chance_limit}
            | ({} if facts.linear_accuracy is None else {"experimental": facts.experimental}),
            **emissions,
        }
    )
    old = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, content in ((TEXT, text.encode()), (WEIGHTS, weights)):
                with (fresh / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            if folder.exists():
                # A folder cannot be replaced in one step: the old one is moved, and moved back if the new one fails.
                old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
                folder.rename(old / "decoder")
            try:
                fresh.rename(folder)
            except OSError:
                if old is not None:
                    (old / "decoder").rename(folder)
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise DecoderError(f"{folder} cannot be written: {error.strerror or error}") from error


def load_decoder(folder: Path, cls: type[Decoder] | None = None) -> tuple[Decoder, Facts]:
    """Read a decoder that :func:`save_decoder` wrote.

    Parameters
    ----------
    folder : Path
        The decoder.
    cls : type, optional
        Its class; by default the one that is offered under its ``kind``.

    Returns
    -------
    decoder : Decoder
        Fitted.
    facts : Facts
        Its accuracy and training data.

    Raises
    ------
    DecoderError
        If there is none, or it is damaged, of another version, or not of this program; the message says which.
    """
    text, weights = _read(folder, TEXT, MAX_TEXT), _read(folder, WEIGHTS, MAX_WEIGHTS)
    try:
        table = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise DecoderError(f"{folder / TEXT} is damaged: it is not text (UTF-8): {_TRAIN_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise DecoderError(f"{folder / TEXT} is damaged: {error}: {_TRAIN_AGAIN}") from error
    if table.get("version") != VERSION:
        raise DecoderError(
            f"{folder / TEXT} has version {table.get('version')!r}, but this version of Earmark reads only version "
            f"{VERSION}: update Earmark, or train the decoder again with this version"
        )
    if hashlib.sha256(weights).hexdigest() != table.get("weights_sha256"):
        raise DecoderError(
            f"{folder / WEIGHTS} is damaged, or belongs to another decoder (its checksum differs): {_TRAIN_AGAIN}"
        )
    try:
        arrays = load(weights)
    except SafetensorError as error:
        raise DecoderError(f"{folder / WEIGHTS} is damaged ({error}): {_TRAIN_AGAIN}") from error
    wanted = cls or _offered(folder, table)
    try:
        decoder = _rebuild(table, arrays, wanted)
        emissions = make(Emissions, table["emissions"]) if "emissions" in table else None
        facts = {_RENAMED.get(key, key): value for key, value in table["facts"].items() if key not in _DERIVED}
        found = replace(make(Facts, facts), emissions=emissions)
        if not 0 < found.chance_level <= 0.5 or not 0 <= found.n_decisions <= MAX_DECISIONS:
            raise ValueError(f"{found.n_decisions} decisions with chance level {found.chance_level} cannot be")
        return decoder, found
    except (ArithmeticError, KeyError, MemoryError, TypeError, ValueError) as error:  # values that no decoder has
        raise DecoderError(f"{folder / TEXT} is damaged: {reason(error)}: {_TRAIN_AGAIN}") from error


def reason(error: BaseException) -> str:
    """Return in words why values do not make a decoder."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _read(folder: Path, name: str, limit: int) -> bytes:
    try:
        with open_regular(folder / name, limit) as file:
            return file.read()
    except OSError as error:
        wanted = "name the folder that 'earmark train' or 'earmark calibrate' wrote"
        if not folder.exists():
            words = f"{folder}: no such folder: {wanted}"
        elif not (folder / TEXT).exists():
            words = f"{folder} is not a decoder, because it has no {TEXT}: {wanted}"
        elif isinstance(error, FileNotFoundError):
            words = f"{folder} lacks {name}: {_TRAIN_AGAIN}"
        else:
            words = f"{folder / name} cannot be read: {error.strerror or error}"
        raise DecoderError(words) from error


def _rebuild(table: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], cls: type[Decoder]) -> Decoder:
    spec, preset = make(DecoderSpec, table["spec"]), make(Preset, table["preset"])
    kind = table["kind"]
    if kind != spec.kind:
        raise ValueError(f"kind is {kind!r} and {spec.kind!r}, but must be the same")
    return cls.rebuild(Saved(spec, preset, table["settings"], table["chosen"], arrays))


def _offered(folder: Path, table: Mapping[str, Any]) -> type[Decoder]:
    """Return the class that is offered for the kind of a decoder."""
    kind = str(table.get("kind"))
    package, version = (str(table.get(key, "")) for key in ("package", "package_version"))
    if kind in NETWORKS:
        require("networks", "the decoder is a network, which needs PyTorch")
    try:
        found = DECODERS.get(kind)
        now = DECODERS.part(kind).package
    except RegistryError as error:
        wanted = Part(DECODERS.group, kind, "", package, version).requirement
        install = f". It was made by package {package} {version}: pip install {wanted}" if package else ""
        raise DecoderError(f"{folder} needs a decoder that is not available: {error}{install}") from None
    if now != package:
        then, now = package or "earmark", now or "earmark"
        raise DecoderError(
            f"{folder}: decoder {kind!r} was made by {then}, but is now that of {now}: install {then} in its place, or "
            "train the decoder again"
        )
    return found


def _made_by(kind: str) -> dict[str, str]:
    """Return the package of a decoder kind, for the message if it is missing; empty for our own."""
    parts = [part for part in DECODERS.parts().get(kind, []) if part.package]
    return {"package": parts[0].package, "package_version": parts[0].version} if parts else {}


def _toml(table: Mapping[str, Any]) -> str:
    """Write the text; values that are None are left out, because TOML has no null."""
    try:
        return tomlkit.dumps({name: _without_none(value) for name, value in table.items()})
    except TypeError as error:
        raise DecoderError(f"a setting of the decoder cannot be written: {error}") from error


def _without_none(value: object) -> object:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value

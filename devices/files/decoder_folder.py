"""Decoders as folders: a text that a person can read, and weights that no reader executes."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from earmark.devices.files.regular_file import open_regular
from earmark.kernels.extras import require
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.cca import CcaDecoder
from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec
from earmark.pipeline.decoders.linear import Chosen, LinearDecoder
from earmark.pipeline.decoders.moments import Moments
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.evaluation.metrics import chance_limit
from earmark.pipeline.run import Run

if TYPE_CHECKING:
    from earmark.pipeline.decoders.network_decoder import NetworkDecoder

    AnyDecoder = LinearDecoder | CcaDecoder | NetworkDecoder

_T = TypeVar("_T")

#: Version of the folder's layout.
VERSION = 1
TEXT, WEIGHTS = "decoder.toml", "weights.safetensors"
#: Facts that follow from others and are written for readers, and names that facts had in older decoders.
_DERIVED, _RENAMED = ("experimental", "chance_limit"), {"chance": "chance_level"}
#: Files larger than this are not decoders of ours, and are not read into memory.
MAX_TEXT, MAX_WEIGHTS = 1 << 20, 1 << 31
#: More decisions than any corpus has.
MAX_DECISIONS = 10**9


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decoder is worth, and on what evidence.

    Attributes
    ----------
    accuracy : float
        Cross-validated share of correct decisions, over one decision window; NaN if it was not measured.
    chance_level : float
        What guessing reaches on average.
    n_decisions : int
        Non-overlapping decisions that the accuracy rests on.
    fingerprints : tuple of str
        SHA-256 of each run that was trained on, as :func:`fingerprint` gives it.
    seconds : float
        Their length together.
    emissions : Emissions or None
        How its scores scatter on windows it was not trained on: what live decisions rest on. None if unknown.
    linear_accuracy : float or None
        What the linear decoder reaches on the same decisions, trained on the same runs; for networks only.
    """

    accuracy: float
    chance_level: float
    n_decisions: int
    fingerprints: tuple[str, ...]
    seconds: float
    emissions: Emissions | None = None
    linear_accuracy: float | None = None

    @property
    def chance_limit(self) -> float:
        """What guessing reaches one time in twenty with so many decisions; NaN if these are too few to tell."""
        return chance_limit(self.n_decisions, round(1 / self.chance_level)) if self.n_decisions else math.nan

    @property
    def experimental(self) -> bool:
        """Whether this is a network that was not shown to decode better than the linear decoder."""
        return self.linear_accuracy is not None and not self.accuracy > self.linear_accuracy


def fingerprint(run: Run) -> str:
    """SHA-256 over everything that a fit sees of a run; names do not count."""
    digest = hashlib.sha256(json.dumps([run.sfreq, run.ch_names, run.features, run.talkers.shape]).encode())
    for array, dtype in ((run.neural, "<f8"), (run.talkers, "<f8"), (run.attended, "<i8")):
        digest.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """SHA-256 over all of a decoder.

    Raises
    ------
    DecoderError
        If it cannot be read.
    """
    return hashlib.sha256(_read(folder / TEXT, MAX_TEXT) + _read(folder / WEIGHTS, MAX_WEIGHTS)).hexdigest()


def save_decoder(folder: Path, decoder: AnyDecoder, facts: Facts) -> None:
    """Write a fitted decoder to a folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        A decoder that is there already is replaced; anything else is refused.
    decoder : LinearDecoder, CcaDecoder or NetworkDecoder
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
    weights = save({name: np.ascontiguousarray(array) for name, array in _arrays(decoder).items()})
    emissions = {} if facts.emissions is None else {"emissions": asdict(facts.emissions)}
    text = _toml(
        {
            "version": VERSION,
            "kind": decoder.kind,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "spec": asdict(decoder.spec),
            "preset": asdict(decoder.preset),
            "settings": _settings(decoder),
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
                # A folder cannot be replaced in one step: the old one steps aside, and comes back if the new one fails.
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


def load_decoder(folder: Path) -> tuple[AnyDecoder, Facts]:
    """Read a decoder that :func:`save_decoder` wrote.

    Parameters
    ----------
    folder : Path
        The decoder.

    Returns
    -------
    decoder : LinearDecoder, CcaDecoder or NetworkDecoder
        Fitted.
    facts : Facts
        How well it decodes, and what it was trained on.

    Raises
    ------
    DecoderError
        If there is none, or it is damaged, of another version, or not ours; the message says which.
    """
    text, weights = _read(folder / TEXT, MAX_TEXT), _read(folder / WEIGHTS, MAX_WEIGHTS)
    try:
        table = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise DecoderError(f"{folder / TEXT} is damaged: {error}") from error
    if table.get("version") != VERSION:
        raise DecoderError(f"{folder / TEXT} has version {table.get('version')!r}; this program reads {VERSION}")
    if hashlib.sha256(weights).hexdigest() != table.get("weights_sha256"):
        raise DecoderError(f"{folder / WEIGHTS} is damaged, or belongs to another decoder: its checksum differs")
    try:
        arrays = load(weights)
    except SafetensorError as error:
        raise DecoderError(f"{folder / WEIGHTS} is damaged: {error}") from error
    try:
        decoder = _rebuild(table, arrays)
        emissions = _make(Emissions, table["emissions"]) if "emissions" in table else None
        facts = {_RENAMED.get(key, key): value for key, value in table["facts"].items() if key not in _DERIVED}
        found = replace(_make(Facts, facts), emissions=emissions)
        if not 0 < found.chance_level <= 0.5 or not 0 <= found.n_decisions <= MAX_DECISIONS:
            raise ValueError(f"{found.n_decisions} decisions with chance level {found.chance_level} cannot be")
        return decoder, found
    except (ArithmeticError, KeyError, MemoryError, TypeError, ValueError) as error:  # numbers that no decoder has
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise DecoderError(f"{folder} is no decoder of this program: {what}") from error


def _read(path: Path, limit: int) -> bytes:
    try:
        with open_regular(path, limit) as file:
            return file.read()
    except OSError as error:
        raise DecoderError(f"{path} cannot be read: {error.strerror or error}") from error


def _settings(decoder: AnyDecoder) -> dict[str, Any]:
    if isinstance(decoder, LinearDecoder):
        return {"penalties": decoder.penalties, "shrinks": decoder.shrinks}
    if isinstance(decoder, CcaDecoder):
        return {"n_components": decoder.n_components, "penalties": decoder.penalties, "shrinks": decoder.shrinks}
    return {"listeners": decoder.listeners, **asdict(decoder.config), **decoder.shape()}


def _settings_from(table: Mapping[str, Any], kind: str) -> dict[str, Any]:
    settings: dict[str, Any] = {key: tuple(float(v) for v in table[key]) for key in ("penalties", "shrinks")}
    if kind == CcaDecoder.kind:
        settings["n_components"] = int(table["n_components"])
    return settings


def _arrays(decoder: AnyDecoder) -> dict[str, NDArray[Any]]:
    if isinstance(decoder, LinearDecoder):
        sums = {f"moments.{f.name}": np.atleast_1d(getattr(decoder.moments, f.name)) for f in fields(Moments)}
        return {"weights": decoder.weights, "votes": decoder.votes, **sums}
    if not isinstance(decoder, CcaDecoder):
        return dict(decoder.arrays())
    return {
        "neural_weights": decoder.neural_weights,
        "talker_weights": decoder.talker_weights,
        "discriminant": decoder.discriminant,
    }


def _rebuild(table: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> AnyDecoder:
    spec, preset = _make(DecoderSpec, table["spec"]), _make(Preset, table["preset"])
    if table["kind"] == spec.kind and spec.kind not in (LinearDecoder.kind, CcaDecoder.kind):
        return _rebuild_network(table, arrays, spec, preset)
    settings = _settings_from(table["settings"], table["kind"])
    n_x, n_y = len(spec.lags) * len(spec.ch_names), len(spec.stimulus_lags) * spec.n_features
    decoder: LinearDecoder | CcaDecoder
    if table["kind"] == spec.kind == LinearDecoder.kind:
        decoder = LinearDecoder(preset, **settings)
        shapes = {"n": (1,), "x": (n_x,), "xx": (n_x, n_x), "y": (n_y,), "yy": (n_y, n_y), "xy": (n_x, n_y)}
        sums = {name: _array(arrays, f"moments.{name}", shape) for name, shape in shapes.items()}
        decoder.moments = Moments(**{**sums, "n": float(sums["n"][0])})  # type: ignore[arg-type]
        decoder.weights = _array(arrays, "weights", (n_x, n_y))
        decoder.votes = _array(arrays, "votes", (len(decoder.penalties), len(decoder.shrinks)))
    elif table["kind"] == spec.kind == CcaDecoder.kind:
        decoder = CcaDecoder(preset, **settings)
        n = min(decoder.n_components, n_y)
        decoder.neural_weights = _array(arrays, "neural_weights", (n_x, n))
        decoder.talker_weights = _array(arrays, "talker_weights", (n_y, n))
        decoder.discriminant = _array(arrays, "discriminant", (n,))
    else:
        raise ValueError(f"kind is {table['kind']!r} and {spec.kind!r}, but must be the same")
    decoder.spec, decoder.chosen = spec, _make(Chosen, table["chosen"])
    return decoder


def _rebuild_network(
    table: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], spec: DecoderSpec, preset: Preset
) -> NetworkDecoder:
    require("networks", "the decoder is a network, which needs PyTorch")
    # Only here: torch takes seconds to import, and linear decoders do without.
    from earmark.pipeline.decoders.baselines import EegNetDecoder, VlaaiDecoder
    from earmark.pipeline.decoders.matcher import MatcherDecoder, MatcherSize
    from earmark.pipeline.decoders.network_decoder import Learned
    from earmark.pipeline.decoders.training import TrainingConfig

    kinds = {cls.kind: cls for cls in (MatcherDecoder, VlaaiDecoder, EegNetDecoder)}
    if spec.kind not in kinds:
        raise ValueError(f"kind is {spec.kind!r}, but must be linear, cca, {', '.join(kinds)}")
    settings = dict(table["settings"])
    listeners = settings.pop("listeners")
    own = {field.name for field in fields(TrainingConfig)}
    config = _make(TrainingConfig, {key: value for key, value in settings.items() if key in own})
    shape = {key: value for key, value in settings.items() if key not in own}
    decoder: NetworkDecoder
    if spec.kind == MatcherDecoder.kind:
        decoder = MatcherDecoder(preset, config, size=_make(MatcherSize, shape))
    else:
        decoder = kinds[spec.kind](preset, config)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise ValueError(f"{name} is {array.dtype}, but must be float32")
    return decoder.restore(spec, listeners, _make(Learned, table["chosen"]), arrays)


def _array(arrays: Mapping[str, NDArray[np.float64]], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = arrays[name]
    if array.shape != shape or array.dtype != np.float64:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, but must be float64 {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


#: What a value in the text may be, by the annotation of the field it is for.
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "float | None": (float, int),
    "bool": (bool,),
    "tuple[str, ...]": (list,),
    "tuple[int, ...]": (list,),
}


def _make(cls: type[_T], table: Mapping[str, Any]) -> _T:
    """Build a dataclass from a table, refusing keys and types it does not know."""
    kinds = {field.name: str(field.type) for field in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in kinds:
            raise ValueError(f"{cls.__name__.lower()}.{name} is not known here")
        # Of bool, which Python takes for an int, only what is asked for as such.
        if isinstance(value, bool) != (kinds[name] == "bool") or not isinstance(value, _TYPES.get(kinds[name], ())):
            raise ValueError(f"{cls.__name__.lower()}.{name} is {value!r}, but must be {kinds[name]}")
        inside = int if kinds[name] == "tuple[int, ...]" else str
        if isinstance(value, list) and not all(type(one) is inside for one in value):
            raise ValueError(f"{cls.__name__.lower()}.{name} must hold {'names' if inside is str else 'numbers'}")
        values[name] = _of_kind(value, kinds[name])
    for name, kind in kinds.items():
        if kind.endswith("| None"):
            values.setdefault(name, None)
        elif name not in values:
            raise KeyError(f"{cls.__name__.lower()}.{name}")
    return cls(**values)


def _of_kind(value: Any, kind: str) -> Any:
    if kind.startswith("float"):
        return float(value)
    return tuple(value) if kind.startswith("tuple") else value


def _toml(table: Mapping[str, Any]) -> str:
    """Write one level of tables; None is left out, as TOML has no word for it."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_value(value)}" for key, value in inner.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON leaves bare.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | int):
        return repr(float(value) if isinstance(value, float) else int(value))
    raise DecoderError(f"{value!r} cannot be written")

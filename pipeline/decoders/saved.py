"""Saved form of a decoder: tables of plain values and arrays, and conversion back to typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderSpec
from earmark.pipeline.decoders.presets import Preset

_T = TypeVar("_T")

#: Allowed types of a value in a table, by the annotation of its field.
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str,),
    "int": (int,),
    "float": (float, int),
    "float | None": (float, int),
    "bool": (bool,),
    "tuple[str, ...]": (list,),
    "tuple[int, ...]": (list,),
    "tuple[float, ...]": (list,),
}
#: Allowed types of the elements of a list, by the annotation of its field, and their name in messages.
_INSIDE: dict[str, tuple[tuple[type, ...], str]] = {
    "tuple[str, ...]": ((str,), "names"),
    "tuple[int, ...]": ((int,), "whole numbers"),
    "tuple[float, ...]": ((float, int), "numbers"),
}


@dataclass(frozen=True, slots=True)
class Saved:
    """Saved data of a fitted decoder.

    Attributes
    ----------
    spec : DecoderSpec
    preset : Preset
    settings : mapping
        Result of :meth:`earmark.pipeline.decoders.decoder.Decoder.settings`, with lists instead of tuples.
    chosen : mapping
        Fields of the result of the fit, by name.
    arrays : mapping of str to array
        Result of :meth:`earmark.pipeline.decoders.decoder.Decoder.arrays`.
    """

    spec: DecoderSpec
    preset: Preset
    settings: Mapping[str, Any]
    chosen: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def array(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return an array of finite float64 values.

        Raises
        ------
        KeyError, ValueError
            If it is missing, of another shape or number format, or not finite.
        """
        array = self.arrays[name]
        if array.shape != shape or array.dtype != np.float64:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, but must be float64 {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
        return array


def make(cls: type[_T], table: Mapping[str, Any]) -> _T:
    """Build a dataclass from a table; unknown keys and wrong types are errors.

    Raises
    ------
    KeyError, ValueError
        If a field without a default is missing, a key is unknown, or a value has the wrong type.
    """
    kinds = {field.name: _name(field.type) for field in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in kinds:
            raise ValueError(f"{cls.__name__.lower()}.{name} is not known here")
        if kinds[name] not in _TYPES:
            raise ValueError(f"{cls.__name__.lower()}.{name} has type {kinds[name]}, but must have {', '.join(_TYPES)}")
        # bool is a subclass of int, so it is accepted only for bool fields.
        if isinstance(value, bool) != (kinds[name] == "bool") or not isinstance(value, _TYPES[kinds[name]]):
            raise ValueError(f"{cls.__name__.lower()}.{name} is {value!r}, but must be {kinds[name]}")
        inside, what = _INSIDE.get(kinds[name], ((), ""))
        if isinstance(value, list) and not all(type(one) in inside for one in value):
            raise ValueError(f"{cls.__name__.lower()}.{name} must hold {what}")
        values[name] = _of_kind(value, kinds[name])
    for field in fields(cls):  # type: ignore[arg-type]
        # A field that was added later has a default that describes what was saved before.
        if field.name in values or field.default is not MISSING:
            continue
        if not kinds[field.name].endswith("| None"):
            raise KeyError(f"{cls.__name__.lower()}.{field.name}")
        values[field.name] = None
    return cls(**values)


def _name(kind: Any) -> str:
    """Return an annotation as written; it is a string only with ``from __future__ import annotations``."""
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _of_kind(value: Any, kind: str) -> Any:
    if kind.startswith("float"):
        return float(value)
    if kind == "tuple[float, ...]":
        return tuple(float(one) for one in value)
    return tuple(value) if kind.startswith("tuple") else value


def numbers(table: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Return a list of numbers from a table.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the table has no such list.
    """
    return tuple(float(value) for value in table[key])

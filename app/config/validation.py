"""Messages about wrong settings, in the terms of their file: the key, the value found, and what is expected."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

#: What is expected, by pydantic's type of the error; fields in braces come from the error.
_EXPECTED = {
    "string_type": "text in quotes",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "finite_number": "a finite number",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "none_required": "null",
}
#: A pattern that lists the permitted values.
_CHOICE = re.compile(r"\^\(([\w|]+)\)\$")
#: What pydantic adds to a location where a value may have several types.
_MEMBERS = re.compile(r"(int|float|str|bool|none|constrained-\w+|literal\[.*\]|function-\w+\[.*\])", re.ASCII)


def explain(error: Any, model: type[BaseModel] | None, also: Collection[str] = ()) -> str:
    """Return the message for one error of pydantic.

    Parameters
    ----------
    error : dict
        One of ``ValidationError.errors()``.
    model : type of BaseModel or None
        The validated model, whose keys are suggested; None for the arguments of a call.
    also : collection of str
        Keys of the outermost table that ``model`` does not have.

    Returns
    -------
    str
        The key, the value found, and what is expected.
    """
    parts = [part for part in error["loc"] if isinstance(part, int) or not _MEMBERS.fullmatch(part)]
    kind, found = error["type"], error["input"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        *parents, key = parts
        known = _keys(model, parents) | (set(also) if not parents else set())
        hint = nearest(str(key), known) or (f"; known are {', '.join(sorted(known))}" if known else "")
        return f"{_place(parents)}unknown key {_dotted(parts)!r}{hint}"
    if kind in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{_place(parts[:-1])}key {_dotted(parts)!r} is missing"
    name = f"{_place(parts[:-1])}{_dotted(parts)}"
    if kind in ("list_type", "tuple_type"):
        return f"{name} is {found!r}, but must be a list: [{found!r}]"
    if kind in ("too_long", "too_short"):
        bound = "at most {max_length}" if kind == "too_long" else "at least {min_length}"
        return f"{name} has {error['ctx']['actual_length']} entries, but must have {bound.format(**error['ctx'])}"
    if values := _choice(error):
        return f"{name} is {found!r}, but must be one of {', '.join(values)}{nearest(str(found), values)}"
    if kind in _EXPECTED:
        return f"{name} is {found!r}, but must be {_EXPECTED[kind].format(**error.get('ctx', {}))}"
    if not parts or isinstance(found, (Mapping, BaseModel)):  # the message of a rule for a whole table is complete
        return f"{f'[{name}] ' if name else ''}{error['msg']}"
    return f"{name} is {found!r}, but: {error['msg']}"


def nearest(key: str, known: Iterable[str]) -> str:
    """Suggest the most similar known key; empty if none is similar."""
    close = difflib.get_close_matches(key, list(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def _choice(error: Any) -> list[str]:
    """Return the permitted values, if the error is that the value is not one of them."""
    if error["type"] in ("enum", "literal_error"):
        return [one.strip(" '") for one in error["ctx"]["expected"].replace(" or ", ",").split(",")]
    if error["type"] == "string_pattern_mismatch" and (found := _CHOICE.fullmatch(error["ctx"]["pattern"])):
        return found[1].split("|")
    return []


def _place(parents: list[int | str]) -> str:
    """Name the innermost entry of a list, counted from 1, as a place: ``[[sound.talkers]] number 2: ``."""
    at = max((k for k, part in enumerate(parents) if isinstance(part, int)), default=None)
    if at is None:
        return ""
    outer = _place(parents[:at]) + _dotted(parents[:at])
    return f"[[{outer}]] number {int(parents[at]) + 1}: "


def _dotted(parts: list[int | str]) -> str:
    """Join the keys within the place that :func:`_place` names; a last number is the position in a list."""
    *before, last = parts or [""]
    at = max((k for k, part in enumerate(before) if isinstance(part, int)), default=-1)
    keys = ".".join(str(part) for part in before[at + 1 :])
    if isinstance(last, int):
        return f"{keys} number {last + 1}"
    return f"{keys}.{last}" if keys else last


def _keys(model: Any, parents: list[int | str]) -> set[str]:
    """Return the keys of the table below ``parents``."""
    for part in parents:
        if typing.get_origin(model) in (list, tuple, dict):  # of tables
            model = _inner(typing.get_args(model)[-1])
        else:
            fields = model.model_fields if _is_model(model) else {}
            model = next((_inner(f.annotation) for name, f in fields.items() if (f.alias or name) == part), None)
    return {field.alias or name for name, field in model.model_fields.items()} if _is_model(model) else set()


def _inner(hint: Any) -> Any:
    """Return the member of a union that is a table or contains some: for ``list[X] | None``, ``list[X]``."""
    members = typing.get_args(hint)
    if hint is None or typing.get_origin(hint) in (list, tuple, dict) or not members:
        return hint
    return next((one for one in members if _is_model(one) or typing.get_args(one)), None)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)

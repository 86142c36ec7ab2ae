"""The error of a failed check, and comparisons that all checks share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from earmark.kernels.errors import EarmarkError


class CheckFailed(EarmarkError, AssertionError):
    """Raised when a class breaks its contract; the message says which class, how, and what is needed."""


def demand(fine: object, what: str, found: str) -> None:
    """Raise unless a condition holds.

    Raises
    ------
    CheckFailed
        With the class and what was found.
    """
    if not fine:
        raise CheckFailed(f"{what}: {found}")


def bits(value: Any) -> Any:
    """Return the content of an item, a state or an array, bit by bit, in a form that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, *(bits(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return tuple((key, bits(one)) for key, one in sorted(value.items()))
    return repr(value)


def is_frozen_dataclass(cls: Any) -> bool:
    """Whether a class is a frozen dataclass."""
    return isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]

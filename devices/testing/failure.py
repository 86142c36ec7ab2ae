"""What a check says of a class that fails it, and what all checks compare by."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from earmark.kernels.errors import EarmarkError


class CheckFailed(EarmarkError, AssertionError):
    """Raised when a class breaks its contract; the message says which, how, and what is wanted."""


def demand(fine: object, what: str, found: str) -> None:
    """Fail unless something holds.

    Raises
    ------
    CheckFailed
        With the class and what was found.
    """
    if not fine:
        raise CheckFailed(f"{what}: {found}")


def bits(value: Any) -> Any:
    """Return everything that an item, a state or an array says, to the last bit, as something that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, *(bits(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return tuple((key, bits(one)) for key, one in sorted(value.items()))
    return repr(value)


def is_frozen_dataclass(cls: Any) -> bool:
    """Whether a class is a dataclass whose instances cannot be changed."""
    return isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]

"""The error of a failed check, and comparisons that all checks share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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


def demand_class(given: object, checker: str, what: str) -> None:
    """Raise unless a class was given, in place of an instance or anything else.

    Raises
    ------
    CheckFailed
        With what was given, and the call that is wanted.
    """
    if isinstance(given, type):
        return
    name = type(given).__name__
    whole = f"an instance of {name}" if type(given).__module__ != "builtins" else repr(given)
    call = f"{checker}({name})" if type(given).__module__ != "builtins" else f"{checker}(My{what.capitalize()})"
    raise CheckFailed(f"{checker}: it was given {whole}, but needs the class of the {what}: {call}")


def run_checks(checks: Sequence[Callable[[], None]], name: Callable[[], str]) -> None:
    """Run checks in turn.

    Parameters
    ----------
    checks : sequence of callable
        Their names describe what is checked.
    name : callable
        Returns the name of the class that is checked.

    Raises
    ------
    CheckFailed
        At the first check that fails, whatever the class that is checked raises.
    """
    for check in checks:
        try:
            check()
        except CheckFailed:
            raise
        except Exception as error:  # a class that breaks its contract may fail in any way
            what = getattr(check, "__name__", "").replace("_", " ").strip()
            raise CheckFailed(
                f"{name()}: {type(error).__name__} ({error}) in the check {what!r}; the traceback above shows where"
            ) from error


def gives_a_reason(error: Exception) -> bool:
    """Whether the message of an error is more than a single word."""
    return len(str(error).split()) > 1


def bits(value: Any) -> Any:
    """Return the content of an item, a state or an array, bit by bit, in a form that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, *(bits(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return tuple((key, bits(one)) for key, one in sorted(value.items()))
    return repr(value)


def settings_for(checker: str, name: str, cls: Any, given: Any) -> Any:
    """Return the settings to check a class with: those given, or the defaults of its ``Config``.

    Raises
    ------
    CheckFailed
        If ``cls`` is no frozen dataclass, has no defaults, or a class was given in place of an instance.
    """
    if isinstance(given, type):
        raise CheckFailed(
            f"{name}: {checker} was given the class {given.__name__} as config, but needs an instance: "
            f"{checker}({name}, {given.__name__}(...))"
        )
    frozen = isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    demand(frozen, name, "Config must be a dataclass with frozen=True: settings do not change")
    if given is not None:
        return given
    try:
        return cls()
    except TypeError as error:
        raise CheckFailed(f"{name}: Config needs settings ({error}): give {checker} a config") from None

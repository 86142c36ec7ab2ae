"""The commands of a session: its methods whose names begin with ``do_``, called with validated arguments."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, validate_call

from earmark.app.config.validation import explain
from earmark.app.session.channel import Refused, TypedText

_DO = "do_"
_STRICT = ConfigDict(strict=True)


def offered(session: object) -> dict[str, Callable[..., Any]]:
    """Return the commands of a session, by name, sorted, without those that its ``withheld`` names."""
    names = [name.removeprefix(_DO) for name in sorted(dir(session)) if name.startswith(_DO)]
    return {name: getattr(session, _DO + name) for name in names if name not in getattr(session, "withheld", ())}


def carry_out(session: object, command: str, arguments: dict[str, Any]) -> Any:
    """Execute a command of a session and return its answer.

    Raises
    ------
    Refused
        If there is no such command, or its arguments are wrong.
    """
    known = offered(session)
    if command in getattr(session, "withheld", ()):
        raise Refused(f"{command}: this session calibrates, trains and runs by itself; stop ends it")
    if command not in known:
        raise Refused(f"there is no command {command!r}; choose from {', '.join(known)}")
    wanted = typing.get_type_hints(known[command], include_extras=True)
    given = {k: _parse_typed(v, wanted.get(k, str)) if isinstance(v, TypedText) else v for k, v in arguments.items()}
    try:
        return validate_call(config=_STRICT)(known[command])(**given)
    except ValidationError as error:
        wrong = dict.fromkeys(explain(one, None) for one in error.errors())
        takes = ", ".join(inspect.signature(known[command]).parameters)
        raise Refused(f"{command}: {'; '.join(wrong)}; it takes {takes or 'nothing'}") from None


def _parse_typed(typed: TypedText, wanted: Any) -> Any:
    """Parse what was typed: as text if the parameter accepts text, else as a number, true, false or null."""
    try:
        value = json.loads(typed)
    except ValueError:
        return str(typed)
    if value is None and _accepts(wanted, None):
        return None
    return str(typed) if _accepts(wanted, str(typed)) else value


def _accepts(wanted: Any, value: Any) -> bool:
    try:
        TypeAdapter(wanted, config=_STRICT).validate_python(value)
    except ValidationError:
        return False
    return True

"""What can be asked of a session over its channel: the methods whose names begin with ``do_``."""

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
    """What a session does when asked, by the names of commands, sorted."""
    return {name.removeprefix(_DO): getattr(session, name) for name in sorted(dir(session)) if name.startswith(_DO)}


def carry_out(session: object, command: str, arguments: dict[str, Any]) -> Any:
    """Have a session do what somebody asks for; return its answer.

    Raises
    ------
    Refused
        If there is no such command, or it is not to be asked for in this way.
    """
    known = offered(session)
    if command not in known:
        raise Refused(f"there is no command {command!r}, but {', '.join(known)}")
    wanted = typing.get_type_hints(known[command], include_extras=True)
    given = {k: _parse_typed(v, wanted.get(k, str)) if isinstance(v, TypedText) else v for k, v in arguments.items()}
    try:
        return validate_call(config=_STRICT)(known[command])(**given)
    except ValidationError as error:
        wrong = dict.fromkeys(explain(one, None) for one in error.errors())
        takes = ", ".join(inspect.signature(known[command]).parameters)
        raise Refused(f"{command}: {'; '.join(wrong)}; it takes {takes or 'nothing'}") from None


def _parse_typed(said: TypedText, wanted: Any) -> Any:
    """Read what was typed as the command wants it: as text where it takes text, else as a number, true, false, null."""
    try:
        value = json.loads(said)
    except ValueError:
        return str(said)
    if value is None and _accepts(wanted, None):
        return None
    return str(said) if _accepts(wanted, str(said)) else value


def _accepts(wanted: Any, value: Any) -> bool:
    try:
        TypeAdapter(wanted, config=_STRICT).validate_python(value)
    except ValidationError:
        return False
    return True

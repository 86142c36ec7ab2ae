"""What can be asked of a session over its channel: the methods whose names begin with ``do_``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from app.channel import Refused

_DO = "do_"


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
    try:
        return validate_call(config=ConfigDict(strict=True))(known[command])(**arguments)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused(f"{command}: {wrong}") from None

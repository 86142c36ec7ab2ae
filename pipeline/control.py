"""What a session tells its graph: typed messages, and the text by which recordings keep them.

Messages count talkers from 0, as all code does. In the text, which people may read, talkers count from 1; this module
alone knows that. The text is part of the format of recordings: a change of it needs a new format version, see
:mod:`earmark.devices.files.journal`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from earmark.kernels.errors import EarmarkError

#: Whom the operator favours whatever is decoded: a talker counted from 0, all alike, or nobody (follow decisions).
Favoured = int | Literal["equal"] | None


class ControlError(EarmarkError, ValueError):
    """Raised when a control message, or the text of one, is not known to this version."""


class Session(StrEnum):
    """Where a session stands."""

    NO_DECODER = "no decoder"
    CALIBRATING = "calibrating"
    PAUSED = "paused"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed, and nothing else happened."""


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The session stands elsewhere now.

    Attributes
    ----------
    session : Session
        Where.
    """

    session: Session


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """A stream was lost, or all of them are there again.

    Attributes
    ----------
    lost : bool
        Whether one was lost.
    """

    lost: bool


@dataclass(frozen=True, slots=True)
class Override:
    """The operator favours a talker, all alike, or (None) follows decisions again.

    Attributes
    ----------
    talker : int, 'equal' or None
        Counted from 0.

    Raises
    ------
    ControlError
        If ``talker`` is something else.
    """

    talker: Favoured

    def __post_init__(self) -> None:
        talker = self.talker
        if talker is None or talker == "equal" or (type(talker) is int and talker >= 0):
            return
        raise ControlError(f"override is {talker!r}, but must be a talker counted from 0, 'equal' or None")


@dataclass(frozen=True, slots=True)
class Mute:
    """Silence everything, or stop doing so.

    Attributes
    ----------
    on : bool
        Whether to silence it.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class Late:
    """The newest score came too late to be acted on: gains do not follow it."""


@dataclass(frozen=True, slots=True)
class Demote:
    """The decoder is too slow: the next one takes over."""


Control = Tick | SessionChanged | StreamChanged | Override | Mute | Late | Demote


@dataclass(frozen=True, slots=True)
class TimedControl:
    """A message of the control stream.

    Attributes
    ----------
    time : float
        LSL time in seconds at which the graph consumes it.
    control : Control
        The message.
    """

    time: float
    control: Control


_FIXED: dict[str, Control] = {
    "tick": Tick(),
    "late": Late(),
    "demote": Demote(),
    "mute on": Mute(True),
    "mute off": Mute(False),
    "stream lost": StreamChanged(True),
    "stream good": StreamChanged(False),
    "override none": Override(None),
    "override equal": Override("equal"),
    **{f"session {session.value}": SessionChanged(session) for session in Session},
}
_TEXTS = {control: text for text, control in _FIXED.items()}
_TALKER = re.compile("override ([1-9][0-9]{0,2})", re.ASCII)


def text(control: Control) -> str:
    """Return the text of a message, as recordings keep it.

    Raises
    ------
    ControlError
        If it is no message of this module.
    """
    if isinstance(control, Override) and isinstance(control.talker, int):
        return f"override {control.talker + 1}"
    if not isinstance(control, Control) or control not in _TEXTS:
        raise unknown(control)
    return _TEXTS[control]


def parse(said: str) -> Control:
    """Return the message that a text stands for.

    Raises
    ------
    ControlError
        If it is not exactly what :func:`text` gives.
    """
    if said in _FIXED:
        return _FIXED[said]
    if found := _TALKER.fullmatch(said):
        return Override(int(found[1]) - 1)
    raise unknown(said)


def unknown(control: object) -> ControlError:
    """Build the error about a control that is not known."""
    known = ", ".join([*_FIXED, "override N (N from 1)"])
    return ControlError(f"control is {control!r:.200}, but must be one of: {known}")

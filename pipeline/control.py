"""Control messages from a session to its graph: types, and the text that represents them in recordings.

Messages count talkers from 0, like all code. The text, which people can read, counts talkers from 1; only this module
converts between the two. The text is part of the format of recordings: changing it requires a new format version, see
:mod:`earmark.devices.files.journal`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from earmark.kernels.errors import EarmarkError

#: The operator's choice: a talker counted from 0, all talkers equally, or None to follow decisions.
Favoured = int | Literal["equal"] | None


class ControlError(EarmarkError, ValueError):
    """Raised when a control message, or its text, is unknown to this version."""


class Session(StrEnum):
    """State of a session."""

    NO_DECODER = "no decoder"
    CALIBRATING = "calibrating"
    PAUSED = "paused"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed without another event."""


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The state of the session has changed.

    Attributes
    ----------
    session : Session
        The new state.
    """

    session: Session


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """A stream was lost, or all streams are available again.

    Attributes
    ----------
    lost : bool
        True if a stream is lost, False if all are available.
    """

    lost: bool


@dataclass(frozen=True, slots=True)
class Override:
    """The operator favours a talker, favours all equally, or follows decisions again.

    Attributes
    ----------
    talker : int, 'equal' or None
        Talker counted from 0; None to follow decisions.

    Raises
    ------
    ControlError
        If ``talker`` has another value.
    """

    talker: Favoured

    def __post_init__(self) -> None:
        talker = self.talker
        if talker is None or talker == "equal" or (type(talker) is int and talker >= 0):
            return
        raise ControlError(f"override is {talker!r}, but must be a talker counted from 0, 'equal' or None")


@dataclass(frozen=True, slots=True)
class Mute:
    """Mute or unmute all sound.

    Attributes
    ----------
    on : bool
        True to mute.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class Late:
    """The latest score was too late: gains do not follow it."""


@dataclass(frozen=True, slots=True)
class Demote:
    """The decoder is too slow: switch to the next one."""


Control = Tick | SessionChanged | StreamChanged | Override | Mute | Late | Demote


@dataclass(frozen=True, slots=True)
class TimedControl:
    """A message of the control stream.

    Attributes
    ----------
    time : float
        LSL time in seconds at which the graph processes the message.
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
    """Return the text that represents a message in recordings.

    Raises
    ------
    ControlError
        If the object is not a message of this module.
    """
    if isinstance(control, Override) and isinstance(control.talker, int):
        return f"override {control.talker + 1}"
    if not isinstance(control, Control) or control not in _TEXTS:
        raise unknown(control)
    return _TEXTS[control]


def parse(said: str) -> Control:
    """Return the message that a text represents.

    Raises
    ------
    ControlError
        If :func:`text` does not return exactly this text for any message.
    """
    if said in _FIXED:
        return _FIXED[said]
    if found := _TALKER.fullmatch(said):
        return Override(int(found[1]) - 1)
    raise unknown(said)


def unknown(control: object) -> ControlError:
    """Build the error for an unknown control message."""
    known = ", ".join([*_FIXED, "override N (N from 1)"])
    return ControlError(f"control is {control!r:.200}, but must be one of: {known}")

"""Exit statuses of commands: what a script that calls one can rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended, as the shell has it in ``$?``.

    Attributes
    ----------
    meaning : str
        In words.
    """

    meaning: str

    DONE = 0, "done"
    FAILED = 1, "something is wrong: standard error says what, where, and how to fix it"
    USAGE = 2, "wrong usage: an unknown option, a missing argument, options that exclude each other"
    NO_MATCH = 3, "`replay --verify`: not identical, or the file is damaged; `streams`: there is no stream"
    CUT_SHORT = 4, "`replay --verify`: identical as far as it goes, but the recording was cut short"
    INTERRUPTED = 130, "ended early, by Ctrl-C or a key"
    BROKEN_PIPE = 141, "whoever read its output went away"

    def __new__(cls, value: int, meaning: str) -> ExitStatus:
        """Make a member that knows what it means."""
        member = int.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member

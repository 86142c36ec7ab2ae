"""Exit statuses of commands, which scripts can rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended, as the shell shows it in ``$?``.

    Attributes
    ----------
    meaning : str
        Description for the documentation.
    """

    meaning: str

    DONE = 0, "done"
    FAILED = 1, "failed: standard error says what is wrong, where, and how to fix it"
    USAGE = 2, "wrong usage: an unknown option, a missing argument, options that exclude each other"
    NO_MATCH = (
        3,
        "`replay --verify`: not identical, or the file is damaged; `streams`: no stream; `devices`: no sound output",
    )
    CUT_SHORT = 4, "`replay --verify`: identical as far as it goes, but the recording was cut short"
    INTERRUPTED = 130, "ended early, by Ctrl-C or a key"
    BROKEN_PIPE = 141, "the reader of its output closed the pipe"

    def __new__(cls, value: int, meaning: str) -> ExitStatus:
        """Create a member with its meaning."""
        member = int.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member

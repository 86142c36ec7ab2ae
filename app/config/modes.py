"""What decisions do in a run; a module of its own, so that the command line knows it quickly."""

from enum import StrEnum


class Mode(StrEnum):
    """What decisions do."""

    OPEN = "open"  # nothing but be recorded
    CLOSED = "closed"  # set gains
    SHAM = "sham"  # set gains as if the other talker were attended to

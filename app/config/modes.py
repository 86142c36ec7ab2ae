"""Modes of a run; a module of its own, so that the command line can import it quickly."""

from enum import StrEnum


class Mode(StrEnum):
    """What decisions do in a run."""

    OPEN = "open"  # they are only recorded
    CLOSED = "closed"  # they set the gains
    SHAM = "sham"  # they set the gains as if the other talker were attended

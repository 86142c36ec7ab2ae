"""Words of messages."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """Return a number and a noun with a regular plural: ``1 run``, ``3 runs``."""
    return f"{n:d} {noun}{'s' * (n != 1)}"

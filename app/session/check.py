"""One thing that is looked at before a session begins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    what : str
        Its name.
    ok : bool
        Whether the session can go on.
    words : str
        What was found, and how to fix it.
    due : bool
        Whether nothing is wrong: this is only still to be done.
    """

    what: str
    ok: bool
    words: str
    due: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'TO DO' if self.due else 'WRONG'}  {self.what}: {self.words}"

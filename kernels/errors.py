"""The root of all errors that a user's input or the machine can cause."""

from __future__ import annotations

from typing import ClassVar, Self


class EarmarkError(Exception):
    """Raised when what the user gave, or the machine offers, does not allow what was asked for.

    The message says what is wrong, where, and how to fix it: it is shown as it stands. Each room derives its own
    classes; a mistake of the program itself never is one of them.
    """

    #: Exit status of a command that this error ends.
    exit_status: ClassVar[int] = 1

    @classmethod
    def kind(cls) -> str:
        """Return the name of the class by which another process knows it, see :meth:`of_kind`."""
        return f"{cls.__module__}.{cls.__qualname__}"

    @staticmethod
    def of_kind(kind: str, words: str, otherwise: type[EarmarkError] | None = None) -> EarmarkError:
        """Make the error that another process reported.

        Parameters
        ----------
        kind : str
            As :meth:`kind` of the error gave it there.
        words : str
            Its message.
        otherwise : type, optional
            Class of the error where none of that kind is loaded here, so that nobody here can expect it.

        Returns
        -------
        error : EarmarkError
        """
        known = {one.kind(): one for one in EarmarkError.tree()}
        return known.get(kind, otherwise or EarmarkError)(words)

    @classmethod
    def tree(cls) -> list[type[Self]]:
        """Return this class and all classes loaded so far that derive from it."""
        found: list[type[Self]] = [cls]
        for one in found:
            found += [kind for kind in one.__subclasses__() if kind not in found]
        return found

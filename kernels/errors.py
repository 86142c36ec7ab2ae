"""Base class of all errors that user input or the machine can cause."""

from __future__ import annotations

from typing import ClassVar, Self


class EarmarkError(Exception):
    """Raised when user input or the machine makes the requested operation impossible.

    The message says what is wrong, where, and how to fix it; it is shown to the user unchanged. Each package derives
    its own classes. A programming error (a bug) is never an ``EarmarkError``.
    """

    #: Exit status of a command that ends with this error.
    exit_status: ClassVar[int] = 1

    @classmethod
    def kind(cls) -> str:
        """Return the class name that identifies the error across processes, see :meth:`of_kind`."""
        return f"{cls.__module__}.{cls.__qualname__}"

    @staticmethod
    def of_kind(kind: str, words: str, otherwise: type[EarmarkError] | None = None) -> EarmarkError:
        """Recreate an error that another process reported.

        Parameters
        ----------
        kind : str
            The value that :meth:`kind` returned in the other process.
        words : str
            The error message.
        otherwise : type, optional
            Class to use if the class named by ``kind`` is not loaded in this process.

        Returns
        -------
        error : EarmarkError
        """
        known = {one.kind(): one for one in EarmarkError.tree()}
        return known.get(kind, otherwise or EarmarkError)(words)

    @classmethod
    def tree(cls) -> list[type[Self]]:
        """Return this class and all its subclasses loaded so far."""
        found: list[type[Self]] = [cls]
        for one in found:
            found += [kind for kind in one.__subclasses__() if kind not in found]
        return found

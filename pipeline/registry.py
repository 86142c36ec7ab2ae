"""Parts of a session by name: our own, and those that other packages offer through entry points.

A registry knows names without importing what they stand for: a part is imported when it is first asked for by name.
Entry points are read through :mod:`importlib.metadata`, as ``import`` reads modules: which packages are installed is
fixed while a program runs, and is the same in each of its processes.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from earmark.kernels.errors import EarmarkError

T = TypeVar("T")


class RegistryError(EarmarkError, ValueError):
    """Raised when there is no part of the name asked for, or it cannot be used."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a part before it is imported.

    Attributes
    ----------
    group : str
        Entry-point group, as ``earmark.nodes``.
    name : str
        As it is called in the configuration.
    target : str
        Where it is, as ``package.module:Class``.
    package, version : str
        The distribution that offers it; empty for a part of Earmark.
    """

    group: str
    name: str
    target: str
    package: str = ""
    version: str = ""

    @property
    def requirement(self) -> str:
        """What to install for it, as pip takes it."""
        return f"{self.package}=={self.version}" if self.version else self.package


class Registry(Generic[T]):
    """All parts of one kind, by name.

    Parameters
    ----------
    what : str
        The kind in words, as ``node``; for messages.
    group : str
        Entry-point group by which other packages add to it.
    built_in : mapping of str to str
        Name and place, as ``package.module:Class``, of each of our own.
    members : tuple of str
        Attributes that every such part has, beside what its checker in :mod:`earmark.testing` finds.
    """

    def __init__(self, what: str, group: str, built_in: Mapping[str, str], members: tuple[str, ...] = ()) -> None:
        self.what, self.group, self.members = what, group, members
        self.built_in = tuple(built_in)
        self._own = {name: Part(group, name, target) for name, target in built_in.items()}

    def parts(self) -> dict[str, list[Part]]:
        """What is offered under each name: our own first; more than one where packages clash."""
        found = {name: [part] for name, part in self._own.items()}
        for part in _offered(self.group, tuple(sys.path)):
            found.setdefault(part.name, []).append(part)
        return found

    def names(self) -> tuple[str, ...]:
        """Every name that can be asked for."""
        return tuple(self.parts())

    def part(self, name: str) -> Part:
        """Say what is known of a part, without importing it.

        Parameters
        ----------
        name : str

        Returns
        -------
        Part

        Raises
        ------
        RegistryError
            If no part has the name, or more than one has.
        """
        parts = self.parts()
        if name not in parts:
            close = difflib.get_close_matches(name, parts, n=1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            raise RegistryError(f"there is no {self.what} {name!r}, only {', '.join(parts)}{hint}")
        first, *others = parts[name]
        if others:
            who = " and ".join(f"{part.package or 'Earmark'} ({part.target})" for part in (first, *others))
            raise RegistryError(f"more than one {self.what} is called {name!r}: {who}. Uninstall all but one of them")
        return first

    def get(self, name: str) -> T:
        """Import a part.

        Parameters
        ----------
        name : str

        Returns
        -------
        object
            The class or function that the name stands for.

        Raises
        ------
        RegistryError
            If no part has the name, more than one has, it cannot be imported, or it is not of this kind.
        """
        part = self.part(name)
        try:
            found: T = EntryPoint(part.name, part.target, part.group).load()
        except Exception as error:  # a module may fail in any way while it is imported
            whose = f" of package {part.package} {part.version}" if part.package else ""
            reason = f"{type(error).__name__}: {error}"
            raise RegistryError(
                f"the {self.what} {name!r}{whose} cannot be loaded from {part.target}: {reason}"
            ) from error
        missing = [member for member in self.members if not hasattr(found, member)]
        if missing:
            raise RegistryError(
                f"{part.target} of package {part.package or 'earmark'} is offered as {self.what} {name!r}, but has no "
                f"{' nor '.join(missing)}: try check_{self.what} of earmark.testing on it"
            )
        return found


@lru_cache
def _offered(group: str, path: tuple[str, ...]) -> tuple[Part, ...]:
    """What other packages offer; ``path`` is that of the search for them, by which the answer is kept."""
    found = []
    for point in sorted(entry_points(group=group), key=lambda one: one.name):
        package, version = ("", "") if point.dist is None else (point.dist.name, point.dist.version)
        found.append(Part(group, point.name, point.value, package or point.value.partition(".")[0], version))
    return tuple(found)

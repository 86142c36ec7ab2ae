"""Registries of parts of a session by name: built-in parts, and those of other packages (entry points).

A registry knows the names of parts without importing them; a part is imported when it is first requested by name. Entry
points are read with :mod:`importlib.metadata`. The installed packages are assumed not to change while a program runs,
and to be the same in each of its processes.
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
#: What ``earmark.testing`` has a checker for.
CHECKED = ("node", "decoder", "source", "law", "space", "separator")


class RegistryError(EarmarkError, ValueError):
    """Raised when no part has the requested name, or the part cannot be used."""


@dataclass(frozen=True, slots=True)
class Part:
    """Description of a part, available without importing it.

    Attributes
    ----------
    group : str
        Entry-point group, such as ``earmark.nodes``.
    name : str
        Name of the part in the configuration.
    target : str
        Location of the part, such as ``package.module:Class``.
    package, version : str
        The distribution that provides it; empty for a built-in part.
    """

    group: str
    name: str
    target: str
    package: str = ""
    version: str = ""

    @property
    def requirement(self) -> str:
        """Requirement that installs the part, in pip's syntax."""
        return f"{self.package}=={self.version}" if self.version else self.package


class Registry(Generic[T]):
    """All parts of one kind, by name.

    Parameters
    ----------
    what : str
        Name of the kind in messages, such as ``node``.
    group : str
        Entry-point group by which other packages add parts.
    built_in : mapping of str to str
        Name and location, such as ``package.module:Class``, of each built-in part.
    members : tuple of str
        Attributes that every part must have. The checker in :mod:`earmark.testing` tests more than these.
    """

    def __init__(self, what: str, group: str, built_in: Mapping[str, str], members: tuple[str, ...] = ()) -> None:
        self.what, self.group, self.members = what, group, members
        self.built_in = tuple(built_in)
        self._own = {name: Part(group, name, target) for name, target in built_in.items()}

    def parts(self) -> dict[str, list[Part]]:
        """Return the parts with each name, built-in ones first; there are several if names of packages conflict."""
        found = {name: [part] for name, part in self._own.items()}
        for part in _offered(self.group, tuple(sys.path)):
            found.setdefault(part.name, []).append(part)
        return found

    def names(self) -> tuple[str, ...]:
        """Return all names."""
        return tuple(self.parts())

    def part(self, name: str) -> Part:
        """Return the description of a part, without importing it.

        Parameters
        ----------
        name : str

        Returns
        -------
        Part

        Raises
        ------
        RegistryError
            If no part has the name, or several have it.
        """
        parts = self.parts()
        if name not in parts:
            close = difflib.get_close_matches(name, parts, n=1)
            hint = f": did you mean {close[0]!r}?" if close else self._not_installed
            raise RegistryError(f"there is no {self.what} {name!r}, only {', '.join(parts)}{hint}")
        first, *others = parts[name]
        if others:
            who = " and ".join(f"{part.package or 'Earmark'} ({part.target})" for part in (first, *others))
            raise RegistryError(f"more than one {self.what} is called {name!r}: {who}. Uninstall all but one of them")
        return first

    @property
    def _not_installed(self) -> str:
        return (
            f". Other packages offer more by entry points of the group {self.group!r}: install the one that is needed"
        )

    def get(self, name: str) -> T:
        """Import a part.

        Parameters
        ----------
        name : str

        Returns
        -------
        object
            The class or function with this name.

        Raises
        ------
        RegistryError
            If no part has the name, several have it, the part cannot be imported, or it is not of this kind.
        """
        part = self.part(name)
        point = EntryPoint(part.name, part.target, part.group)
        try:
            found: T = point.load()
        except Exception as error:  # a module may fail in any way while it is imported
            whose = f" of package {part.package} {part.version}" if part.package else ""
            raise RegistryError(
                f"the {self.what} {name!r}{whose} cannot be loaded from {part.target}: {_why_not(point, part, error)}"
            ) from error
        missing = [member for member in self.members if not hasattr(found, member)]
        if missing:
            hint = f": try check_{self.what} of earmark.testing on it"
            if self.what not in CHECKED:
                hint = f": a {self.what} must have {', '.join(self.members)}"
            raise RegistryError(
                f"{part.target} of package {part.package or 'earmark'} is offered as {self.what} {name!r}, but has no "
                f"{' nor '.join(missing)}{hint}"
            )
        return found


def _why_not(point: EntryPoint, part: Part, error: Exception) -> str:
    """Return why a part cannot be loaded, and the fix."""
    package = part.package or "Earmark"
    if isinstance(error, ImportError):
        return f"{error}. Install what is missing, or another version of {package}"
    if isinstance(error, AttributeError) and point.module in sys.modules:  # imported, so it is not its own error
        return f"{point.module} has no {point.attr}. Correct the entry point of {package}, or install another version"
    return f"{type(error).__name__}: {error}. Correct {package}, or install another version of it"


@lru_cache
def _offered(group: str, path: tuple[str, ...]) -> tuple[Part, ...]:
    """Return the parts of other packages; ``path`` is the search path, used as the key of the cache."""
    found = []
    for point in sorted(entry_points(group=group), key=lambda one: one.name):
        package, version = ("", "") if point.dist is None else (point.dist.name, point.dist.version)
        found.append(Part(group, point.name, point.value, package or point.value.partition(".")[0], version))
    return tuple(found)

"""Find values in the tree of a MATLAB or HDF5 file, and check that they are what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.mat_v5 import Opaque
from earmark.devices.files.recording import RecordingError
from earmark.devices.sources.overrides import nearest


class Node:
    """A value of the tree, and where it is.

    Parameters
    ----------
    value : object
        As :func:`earmark.devices.files.mat_file.read_mat` returns it.
    where : str
        File and place, for messages.
    """

    def __init__(self, value: Any, where: str) -> None:
        self.value, self.where = value, where

    def at(self, place: str) -> Node:
        """Return the value at a place below this one.

        Parameters
        ----------
        place : str
            Names of fields and numbers of elements, counted from 1, divided by ``/``. A number may be left out where
            there is one element; a name after several structures selects this field of each.

        Raises
        ------
        RecordingError
            If there is no such place; the message lists what there is.
        """
        node = self
        for part in place.strip("/").split("/"):
            node = node._part(part)
        return node

    def get(self, place: str) -> Node | None:
        """Return the value at a place, or None if there is none."""
        try:
            return self.at(place)
        except RecordingError:
            return None

    def _part(self, part: str) -> Node:
        value = self.value
        if part.isdecimal() and isinstance(value, list):
            if not 1 <= int(part) <= len(value):
                raise RecordingError(f"{self.where} has no element {part}: it has {len(value)}, counted from 1")
            return Node(value[int(part) - 1], f"{self.where}/{part}")
        value = _only(value)
        if isinstance(value, list) and value and all(isinstance(one, dict) and part in one for one in value):
            return Node([one[part] for one in value], f"{self.where}/{part}")
        if isinstance(value, dict) and part in value:
            return Node(value[part], f"{self.where}/{part}")
        if isinstance(value, dict):
            raise RecordingError(f"{self.where} has no {part!r}: {nearest(part, list(value))}")
        raise RecordingError(f"{self.where} has no {part!r}: it is {kind_of(value)}")

    def elements(self) -> list[Node]:
        """Return the elements of a cell or structure array; a single value is its own element."""
        values = self.value if isinstance(self.value, list) else [self.value]
        return [Node(one, f"{self.where}/{k}") for k, one in enumerate(values, 1)]

    def text(self) -> str:
        """Return a text; a number that is whole is its digits, and an empty value the empty text."""
        value = _only(self.value)
        if isinstance(value, np.ndarray) and not value.size:
            return ""
        if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "biuf":
            return f"{value.reshape(-1)[0]:g}"
        if not isinstance(value, str):
            raise self.wrong("a text")
        return value.strip()

    def texts(self) -> list[str]:
        """Return a list of texts: a cell array or a matrix of characters."""
        found = self.value
        while isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            found = found[0]
        return [Node(one, self.where).text() for one in (found if isinstance(found, list) else [found])]

    def number(self) -> float:
        """Return a finite number."""
        values = self.numbers()
        if values.size != 1 or not np.isfinite(values).all():
            raise self.wrong("a number")
        return float(values.reshape(-1)[0])

    def numbers(self) -> NDArray[Any]:
        """Return an array of real numbers; a cell array of single numbers is one."""
        value = _only(self.value)
        if isinstance(value, list) and value:
            each = [Node(one, self.where).text() for one in value]
            try:
                return np.array([float(one) for one in each])
            except ValueError:
                raise self.wrong("numbers") from None
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            raise self.wrong("numbers")
        return value

    def wrong(self, wanted: str) -> RecordingError:
        """Return the error for a value that is not what is expected."""
        return RecordingError(f"{self.where} is {kind_of(self.value)}, but must be {wanted}")


def _only(value: Any) -> Any:
    """Return the element of a list that has one, as MATLAB wraps single values."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def kind_of(value: Any) -> str:
    """Return what a value is, for messages and listings."""
    if isinstance(value, dict):
        return f"a structure of {', '.join(list(value)[:12]) or 'nothing'}{', ...' if len(value) > 12 else ''}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}{' ...' if len(value) > 40 else ''}"
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "biuf":
        return f"the number {value.reshape(-1)[0]:g}"
    if isinstance(value, np.ndarray):
        return f"an array of {' x '.join(map(str, value.shape))} ({value.dtype})"
    return f"of a kind that is not read ({value.kind})" if isinstance(value, Opaque) else type(value).__name__


def listing(tree: Any, indent: str = "") -> Iterator[str]:
    """Yield the lines of a listing of a tree: fields, and the first element of each list."""
    for name, value in tree.items():
        yield f"{indent}{name}: {kind_of(value)}" if not isinstance(value, dict) else f"{indent}{name}"
        inside, deeper = value, f"{indent}  "
        while isinstance(inside, list) and inside:
            yield f"{deeper}1: {kind_of(inside[0])}" if not isinstance(inside[0], dict) else f"{deeper}1"
            inside, deeper = inside[0], f"{deeper}  "
        if isinstance(inside, dict):
            yield from listing(inside, deeper)

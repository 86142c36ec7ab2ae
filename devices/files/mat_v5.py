"""Read MATLAB files of version 5 to 7, as MathWorks' "MAT-File Format" describes them.

SciPy's reader is not used: it ends the process on some damaged files, and does not give the names of objects.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

#: Bytes of the header of a file, of the tag of an element, and of a step of unpacking.
HEADER, TAG, _PIECE = 128, 8, 1 << 20
#: NumPy types of stored numbers, and of the MATLAB classes of arrays.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_COMPLEX, _LOGICAL = 0x0800, 0x0200


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is not read, such as an object of a MATLAB class.

    Attributes
    ----------
    kind : str
        What it is: the MATLAB class, such as ``table``.
    """

    kind: str


def read_v5(file: BinaryIO, account: Callable[[int, int], None]) -> dict[str, Any]:
    """Read all variables.

    Parameters
    ----------
    file : file
        Open for reading, in binary.
    account : callable
        Called with the bytes and the depth of each value before it is read; raises an error if that is too much.

    Returns
    -------
    tree : dict
        See :func:`earmark.devices.files.mat_file.read_mat`.

    Raises
    ------
    ValueError
        If the content is not what the format requires.
    """
    header = file.read(HEADER)
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        raise ValueError("it has no header of version 5")
    tree: dict[str, Any] = {}
    while tag := file.read(TAG):
        kind, size = struct.unpack(f"{order}II", _whole(tag, TAG))
        account(size, 0)
        if kind == _COMPRESSED:
            content = _unpacked(file, size, order, account)
        elif kind == _MATRIX:
            content = memoryview(_whole(file.read(size), size))
        else:
            raise ValueError(f"a variable is of type {kind}")
        name, value = _Parser(content, order, account).matrix(0)
        if name:
            tree[name] = value
    return tree


def _whole(content: bytes, size: int) -> bytes:
    if len(content) < size:
        raise ValueError("it was cut short")
    return content


def _unpacked(file: BinaryIO, n_packed: int, order: str, account: Callable[[int, int], None]) -> memoryview:
    """Unpack a compressed variable, without its tag; not more is unpacked than the tag declares."""
    unpacking = zlib.decompressobj()
    first = _whole(file.read(min(n_packed, _PIECE)), min(n_packed, _PIECE))
    kind, size = struct.unpack(f"{order}II", _whole(unpacking.decompress(first, TAG), TAG))
    if kind != _MATRIX:
        raise ValueError(f"a compressed variable is of type {kind}")
    account(size, 0)
    content, filled, left = bytearray(size), 0, n_packed - len(first)
    packed = unpacking.unconsumed_tail
    while not unpacking.eof:
        if not packed:
            packed = _whole(file.read(min(left, _PIECE)), min(left, _PIECE))
            left -= len(packed)
        # One byte more than declared, so that the checksum at the end is read, and more is noticed.
        piece = unpacking.decompress(packed, min(size - filled, _PIECE) + 1)
        if len(piece) > size - filled or not (piece or packed):
            raise ValueError("a compressed variable does not have the size that it declares")
        content[filled : filled + len(piece)] = piece
        filled, packed = filled + len(piece), unpacking.unconsumed_tail
    if filled < size or left:
        raise ValueError("a compressed variable does not have the size that it declares")
    return memoryview(content)


class _Parser:
    """Read the elements of one matrix from a buffer."""

    def __init__(self, buffer: memoryview, order: str, account: Callable[[int, int], None]) -> None:
        self._buffer, self._order, self._account, self._at = buffer, order, account, 0

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        if size > len(self._buffer) - self._at:
            raise ValueError("an element is longer than what contains it")
        self._at += size
        return self._buffer[self._at - size : self._at]

    def element(self, *kinds: int) -> tuple[int, memoryview]:
        """Return type and content of the next element; a short one is in its tag."""
        first, size = struct.unpack(f"{self._order}II", self.take(TAG))
        if first >> 16:
            kind, size = first & 0xFFFF, first >> 16
            if size > 4:
                raise ValueError("a short element is too long")
            content = self._buffer[self._at - 4 : self._at - 4 + size]
        else:
            kind, content = first, self.take(size)
            # The last element of a buffer may lack its padding.
            self.take(min(-size % TAG, len(self._buffer) - self._at) if kind != _COMPRESSED else 0)
        if kind not in kinds:
            raise ValueError(f"an element is of type {kind}, not {kinds}")
        return kind, content

    def matrix(self, depth: int) -> tuple[str, Any]:
        """Return name and value of the matrix that the buffer holds."""
        self._account(0, depth)
        if not len(self._buffer):
            return "", np.empty((0, 0))
        _, flags = self.element(6)
        if len(flags) < 8:
            raise ValueError("the flags of a matrix are too short")
        word = struct.unpack(f"{self._order}I", flags[:4])[0]
        kind = word & 0xFF
        if kind == _OPAQUE:
            name, _, class_name = self._text(), self._text(), self._text()
            self._child(depth)
            return name, Opaque(class_name)
        _, raw = self.element(5)
        shape = np.frombuffer(raw, f"{self._order}i4").tolist()
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError(f"a matrix has shape {shape}")
        name = self._text()
        return name, self._value(kind, word, shape, depth)

    def _value(self, kind: int, word: int, shape: list[int], depth: int) -> Any:
        n = math.prod(shape)
        if kind in (_STRUCT, _OBJECT):
            class_name = self._text() if kind == _OBJECT else ""
            found = self._struct(n, depth)
            return Opaque(class_name) if kind == _OBJECT else found[0] if n == 1 else found
        if kind == _CELL:
            return [self._child(depth) for _ in range(n)]
        if kind == _CHAR:
            return self._char(shape)
        if kind in _CLASSES:
            real = self._numbers(n, shape, _CLASSES[kind])
            if word & _COMPLEX:
                return real + 1j * self._numbers(n, shape, _CLASSES[kind])
            return real.astype(bool) if word & _LOGICAL else real
        if kind == _SPARSE:
            for _ in range(4 if word & _COMPLEX else 3):
                self.element(*_STORED)
            return Opaque("sparse")
        if kind == _FUNCTION:
            self._child(depth)
            return Opaque("function")
        raise ValueError(f"a matrix is of class {kind}")

    def _struct(self, n: int, depth: int) -> list[dict[str, Any]]:
        _, raw = self.element(5)
        (length,) = np.frombuffer(raw, f"{self._order}i4").tolist() or [0]
        _, names = self.element(1, 2)
        if length < 1 or len(names) % length:
            raise ValueError("the names of fields do not have their length")
        fields = [bytes(names[k : k + length]).split(b"\0")[0] for k in range(0, len(names), length)]
        keys = [key.decode("utf-8", "replace") for key in fields]
        found: list[dict[str, Any]] = []
        for _ in range(n):
            self._account(0, depth)
            found.append({key: self._child(depth) for key in keys})
        return found

    def _child(self, depth: int) -> Any:
        _, content = self.element(_MATRIX)
        return _Parser(content, self._order, self._account).matrix(depth + 1)[1]

    def _text(self) -> str:
        _, content = self.element(1, 2, 16)
        return bytes(content).decode("utf-8", "replace").rstrip("\0")

    def _char(self, shape: list[int]) -> str | list[str]:
        kind, content = self.element(*_TEXTS)
        wide = {"utf-16": f"utf-16-{'le' if self._order == '<' else 'be'}"}
        text = bytes(content).decode(wide.get(_TEXTS[kind], _TEXTS[kind]), "replace")
        rows, columns = shape[0], math.prod(shape[1:])
        if rows == 1 or not rows * columns:
            return text.rstrip("\0") if rows * columns else ""
        if len(text) != rows * columns:
            raise ValueError("a matrix of characters does not have its shape")
        return [text[k::rows].rstrip("\0") for k in range(rows)]

    def _numbers(self, n: int, shape: list[int], dtype: str) -> NDArray[Any]:
        kind, content = self.element(*_STORED)
        stored = np.dtype(f"{self._order}{_STORED[kind]}")
        if len(content) != n * stored.itemsize:
            raise ValueError("an array does not have its shape")
        with np.errstate(invalid="ignore"):
            return np.frombuffer(content, stored).astype(dtype, copy=False).reshape(shape, order="F")

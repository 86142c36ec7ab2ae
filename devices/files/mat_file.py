"""Read MATLAB files (v5 to v7.3) and other HDF5 files as one tree of dictionaries, lists, texts and arrays.

The same content gives the same tree, whichever of the formats it is stored in. Files are not trusted: nothing in them
is executed, no link leads to another file, and size, number and depth of what is read are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.mat_v5 import Opaque, read_v5
from earmark.devices.files.recording import RecordingError, in_words, must_be_readable
from earmark.devices.files.regular_file import open_regular
from earmark.kernels.extras import require

if TYPE_CHECKING:
    import h5py

#: Maximum bytes of all arrays, number of fields and cells, and depth of a tree.
MAX_BYTES, MAX_NODES, MAX_DEPTH = 8 << 30, 1_000_000, 64
#: HDF5 data begin at the start of the file or after a block of the user, which MATLAB writes.
_HDF5, _HDF5_AT = b"\x89HDF\r\n\x1a\n", (0, 512, 1024, 2048)


def read_mat(path: Path, *, shapes_only: bool = False) -> dict[str, Any]:
    """Read a MATLAB or HDF5 file.

    Parameters
    ----------
    path : Path
        The file.
    shapes_only : bool
        Do not read arrays of an HDF5 file: their shapes are right, and their values are 0.

    Returns
    -------
    tree : dict
        Variables by name. A structure or group is a dictionary, a structure array a list of dictionaries, a cell array
        a list (in MATLAB's order of elements, without its shape), text a str, a matrix of characters a list of str, and
        numbers an array with the shape that MATLAB shows; arrays of an HDF5 file that MATLAB did not write have the
        shape that h5py shows. Anything else is an :class:`Opaque`.

    Raises
    ------
    RecordingError
        If the file is missing, damaged, of another format, or larger than the limits.
    MissingExtra
        If it is HDF5 and h5py is not installed.
    """
    must_be_readable(path)
    with in_words(path):
        if not _is_hdf5(path):
            with open_regular(path) as file:
                return read_v5(file, _Budget(path).add)
    require("matlab", f"{path} is an HDF5 file (MATLAB v7.3), which needs h5py")
    import h5py

    with in_words(path), h5py.File(path, "r") as file:
        return _Hdf5(path, file, shapes_only).tree()


def _is_hdf5(path: Path) -> bool:
    with open_regular(path) as file:
        for at in _HDF5_AT:
            file.seek(at)
            if file.read(len(_HDF5)) == _HDF5:
                return True
    return False


class _Budget:
    """Count what is read of a file, and refuse more than the limits."""

    def __init__(self, path: Path) -> None:
        self._path, self._bytes, self._nodes = path, 0, 0

    def add(self, n_bytes: int, depth: int = 0) -> None:
        self._bytes += n_bytes
        self._nodes += 1
        if self._bytes > MAX_BYTES:
            raise RecordingError(f"{self._path} holds more than {MAX_BYTES >> 30} GB: divide it into several files")
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise RecordingError(
                f"{self._path} has more than {MAX_NODES} fields and cells, or more than {MAX_DEPTH} in each other: it "
                "is damaged, or not a recording"
            )


# HDF5 -----------------------------------------------------------------------------------------------------------------


def _lines(rows: list[str]) -> str | list[str]:
    return rows[0] if len(rows) == 1 else rows if rows else ""


class _Hdf5:
    """Read one HDF5 file, by MATLAB's conventions where it has them."""

    def __init__(self, path: Path, file: h5py.File, shapes_only: bool) -> None:
        self._path, self._file, self._shapes_only = path, file, shapes_only
        self._budget = _Budget(path)
        # MATLAB stores arrays with reversed axes, and marks each variable with its class.
        self._by_matlab = any("MATLAB_class" in file[name].attrs for name in file if _is_inside(file, name))

    def tree(self) -> dict[str, Any]:
        return self._members(self._file, 0)

    def _members(self, group: h5py.Group, depth: int) -> dict[str, Any]:
        # What begins with # is MATLAB's own, which references lead to.
        return {
            name: self._node(group[name], depth + 1) if _is_inside(group, name) else Opaque("link")
            for name in group
            if not name.startswith("#")
        }

    def _node(self, node: Any, depth: int) -> Any:
        import h5py

        kind = _word(node.attrs.get("MATLAB_class"))
        if isinstance(node, h5py.Group):
            self._budget.add(0, depth)
            if "MATLAB_sparse" in node.attrs or kind not in ("", "struct"):
                return Opaque("sparse" if "MATLAB_sparse" in node.attrs else kind)
            arrays = _struct_array(node)
            if not arrays:
                return self._members(node, depth)
            columns = {name: self._referenced(one, depth) for name, one in arrays.items()}
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        if not isinstance(node, h5py.Dataset):
            return Opaque(type(node).__name__)
        return self._dataset(node, kind, depth)

    def _dataset(self, node: h5py.Dataset, kind: str, depth: int) -> Any:
        import h5py

        if node.is_virtual or node.external:
            return Opaque("data in another file")
        if node.shape is None:
            return np.empty((0, 0))
        self._budget.add(0 if self._shapes_only else node.size * node.dtype.itemsize, depth)
        if "MATLAB_object_decode" in node.attrs:
            return Opaque(kind)
        if node.attrs.get("MATLAB_empty"):
            size = tuple(int(n) for n in node[()].reshape(-1)[:8])
            return {"char": "", "cell": [], "struct": []}.get(kind, np.empty(size if 0 in size else (0, 0)))
        if h5py.check_ref_dtype(node.dtype) is h5py.Reference:
            return self._referenced(node, depth)
        if h5py.check_string_dtype(node.dtype) is not None:
            values = np.asarray(node.asstr("utf-8", "replace")[()], dtype=object).reshape(-1)
            return _lines([str(one) for one in values])
        if kind == "char":
            rows = node[()].T if node.ndim == 2 else node[()].reshape(1, -1)
            return _lines([row.astype("<u2").tobytes().decode("utf-16-le", "replace").rstrip("\0") for row in rows])
        if node.dtype.names is not None:
            if set(node.dtype.names) != {"real", "imag"}:
                return Opaque("compound")
            parts = self._turned(self._read(node))
            return parts["real"] + 1j * parts["imag"]
        if node.dtype.kind not in "biufc":
            return Opaque(str(node.dtype))
        values = self._turned(self._read(node))
        return values.astype(bool) if kind == "logical" else values

    def _read(self, node: h5py.Dataset) -> NDArray[Any]:
        if self._shapes_only:
            return np.broadcast_to(np.zeros((), node.dtype), node.shape)
        return np.asarray(node[()])

    def _turned(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.T if self._by_matlab else array

    def _referenced(self, node: h5py.Dataset, depth: int) -> list[Any]:
        """Return what the references of a cell array lead to; stored axes are reversed, so the order is MATLAB's."""
        self._budget.add(node.size * node.dtype.itemsize, depth)
        return [self._node(self._file[one], depth + 1) if one else Opaque("nothing") for one in node[()].reshape(-1)]


def _is_inside(group: h5py.Group, name: str) -> bool:
    """Return whether a name stands for data of the same file, and not for a link."""
    import h5py

    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _struct_array(group: h5py.Group) -> Mapping[str, h5py.Dataset]:
    """Return the fields of a structure array, which are unmarked data sets of references of one shape."""
    import h5py

    fields = {name: one for name, one in group.items() if isinstance(one, h5py.Dataset)}
    plain = [
        one
        for one in fields.values()
        if h5py.check_ref_dtype(one.dtype) is h5py.Reference and "MATLAB_class" not in one.attrs
    ]
    same = len({one.shape for one in plain}) == 1
    return fields if fields and same and len(plain) == len(fields) == len(group) else {}


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")

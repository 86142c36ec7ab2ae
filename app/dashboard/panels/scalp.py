"""MNE's scalp interpolation as a matrix, computed once per set of electrodes in a separate process.

Run as a module, this reads electrode positions as JSON from standard input and writes the matrix in NumPy's ``.npz``
format to standard output, so that the window's process need not load MNE.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Pixels per side of the picture.
RESOLUTION = 64
#: Minimum number of electrodes.
MIN_ELECTRODES = 4


class Scalp(NamedTuple):
    """Maps values at electrodes to a picture of the head.

    Attributes
    ----------
    matrix : array, shape (n_inside, n_channels)
        Value of each pixel within the head for a value of 1 at each electrode.
    inside : array of bool, shape (resolution, resolution)
        Pixels within the head, bottom row first.
    electrodes : array, shape (n_channels, 2)
        Positions of the electrodes, from 0 (left, bottom) to 1.
    head : array, shape (3,)
        Centre and radius of the head's outline, in the same units.
    """

    matrix: NDArray[np.float32]
    inside: NDArray[np.bool_]
    electrodes: NDArray[np.float64]
    head: NDArray[np.float64]


def scalp(positions: Sequence[tuple[float, float, float]]) -> Scalp:
    """Compute the interpolation of ``mne.viz.plot_topomap``, which is linear, as a matrix.

    Parameters
    ----------
    positions : sequence of (x, y, z)
        Electrode positions in head coordinates, metres.
    """
    import mne
    from mne.viz.topomap import _get_pos_outlines, _setup_interp

    names = [str(i) for i in range(len(positions))]
    info = mne.create_info(names, 100.0, "eeg")
    montage = mne.channels.make_dig_montage(dict(zip(names, positions, strict=True)), coord_frame="head")
    with mne.utils.use_log_level("error"):
        info.set_montage(montage)
        flat, outlines = _get_pos_outlines(info, np.arange(len(names)), sphere=None)
        extent, x, y, interpolate = _setup_interp(flat, RESOLUTION, "cubic", "head", outlines, "mean")
    columns = [interpolate.set_values(unit).set_locations(x, y)().ravel() for unit in np.eye(len(names))]
    centre, radius = np.array(outlines["clip_origin"]), float(outlines["clip_radius"][0])
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
    matrix = np.stack(columns, axis=1)
    inside &= np.isfinite(matrix).all(axis=1).reshape(inside.shape)
    left, right, bottom, top = extent
    size = np.array([right - left, top - bottom])
    line = np.array(outlines["head"])
    head_centre, head_radius = line.mean(axis=1), (line[0].max() - line[0].min()) / 2
    origin = np.array([left, bottom])
    return Scalp(
        matrix[inside.ravel()].astype(np.float32),
        inside,
        (flat - origin) / size,
        np.array([*((head_centre - origin) / size), head_radius / size[0]]),
    )


def pack(found: Scalp) -> bytes:
    """Serialise in NumPy's ``.npz`` format."""
    out = io.BytesIO()
    np.savez(out, **found._asdict())
    return out.getvalue()


def unpack(data: bytes) -> Scalp:
    """Read the bytes that :func:`pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return Scalp(*(file[key] for key in Scalp._fields))


def main() -> None:
    """Read positions from standard input and write the packed matrix to standard output."""
    from scipy.spatial import QhullError

    try:
        found = scalp(json.load(sys.stdin))
    except (QhullError, ValueError):
        sys.exit("the electrode positions do not cover the head; check them in the metadata of the stream")
    sys.stdout.buffer.write(pack(found))


if __name__ == "__main__":
    main()

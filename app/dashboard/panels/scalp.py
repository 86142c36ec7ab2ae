"""MNE's scalp interpolation as a matrix, computed once per set of electrodes in a separate process.

Run as a module, this reads electrodes as JSON from standard input and writes the matrix in NumPy's ``.npz`` format to
standard output, so that the window's process need not load MNE.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: Pixels per side of the picture.
RESOLUTION = 64
#: Minimum number of electrodes.
MIN_ELECTRODES = 4
#: Positions of electrodes by name, for streams that state none: the name in MNE, and that before MNE 1.13.
MONTAGES = "colin27_1005", "standard_1005"

#: Name, position in head coordinates in metres if it is known, and whether the channel is good.
Electrode = tuple[str, tuple[float, float, float] | None, bool]


class Scalp(NamedTuple):
    """Maps values at electrodes to a picture of the head.

    Attributes
    ----------
    matrix : array, shape (n_inside, n_good)
        Value of each pixel within the head for a value of 1 at each good electrode.
    inside : array of bool, shape (resolution, resolution)
        Pixels within the head, bottom row first.
    electrodes : array, shape (n_located, 2)
        Positions of the electrodes, from 0 (left, bottom) to 1.
    located, good : array of int, shape (n_located,), (n_good,)
        Indices of the electrodes whose position is known, and of the good ones among them, in the given order.
    head : array, shape (3,)
        Centre and radius of the head's outline, in the same units.
    """

    matrix: NDArray[np.float32]
    inside: NDArray[np.bool_]
    electrodes: NDArray[np.float64]
    located: NDArray[np.int64]
    good: NDArray[np.int64]
    head: NDArray[np.float64]


class NoPositions(EarmarkError):
    """Raised when too few electrodes have a position."""


def scalp(electrodes: Sequence[Electrode]) -> Scalp:
    """Compute the interpolation of ``mne.viz.plot_topomap``, which is linear, as a matrix.

    Parameters
    ----------
    electrodes : sequence of Electrode
        If none has a position, those that are called as in the 10-05 system have the positions of that.

    Raises
    ------
    NoPositions
        If too few good electrodes have a position.
    """
    import mne
    from mne.viz.topomap import _get_pos_outlines, _setup_interp

    names = [name for name, _, _ in electrodes]
    places = [place for _, place, _ in electrodes]
    if not any(places):
        places = by_name(names)
    located = [i for i, place in enumerate(places) if place is not None]
    good = [k for k, i in enumerate(located) if electrodes[i][2]]
    if len(good) < MIN_ELECTRODES:
        raise NoPositions(f"{len(good)} good electrodes have a position, but {MIN_ELECTRODES} are needed")
    known = {str(i): places[i] for i in located}
    info = mne.create_info(list(known), 100.0, "eeg")
    with mne.utils.use_log_level("error"):
        info.set_montage(mne.channels.make_dig_montage(known, coord_frame="head"))
        flat, outlines = _get_pos_outlines(info, np.arange(len(known)), sphere=None)
        extent, x, y, interpolate = _setup_interp(flat[good], RESOLUTION, "cubic", "head", outlines, "mean")
    columns = [interpolate.set_values(unit).set_locations(x, y)().ravel() for unit in np.eye(len(good))]
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
        np.array(located),
        np.array(located)[good],
        np.array([*((head_centre - origin) / size), head_radius / size[0]]),
    )


def by_name(names: Sequence[str]) -> list[tuple[float, float, float] | None]:
    """Return the positions of electrodes that are called as in the 10-05 system, in any case; None for others."""
    import mne

    montage = next(name for name in MONTAGES if name in mne.channels.get_builtin_montages())
    known = {name.casefold(): name for name in mne.channels.make_standard_montage(montage).ch_names}
    there = {name: known[name.casefold()] for name in names if name.casefold() in known}
    if not there:
        return [None] * len(names)
    info = mne.create_info(sorted(set(there.values())), 100.0, "eeg")
    info.set_montage(montage)
    places = {}
    for one in info["chs"]:
        x, y, z = map(float, one["loc"][:3])
        places[one["ch_name"]] = x, y, z
    return [places[there[name]] if name in there else None for name in names]


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
    """Read electrodes from standard input and write the packed matrix to standard output."""
    from scipy.spatial import QhullError

    try:
        found = scalp(json.load(sys.stdin))
    except NoPositions as error:
        sys.exit(f"{error}: the stream states no others, and other names are not in the 10-05 system")
    except (QhullError, ValueError):
        sys.exit("the electrode positions do not cover the head; check them in the metadata of the stream")
    sys.stdout.buffer.write(pack(found))


if __name__ == "__main__":
    main()

"""Look up electrode positions by electrode name."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.pipeline.decoders.decoder import DecoderError

#: Montages that are searched, in this order: the ten-five system, by its names in newer and in older versions of MNE,
#: then caps with names of their own.
MONTAGES = ("colin27_1005", "standard_1005", "biosemi128", "biosemi256", "GSN-HydroCel-128", "GSN-HydroCel-256")


def electrode_positions(ch_names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return positions in metres, in head coordinates, from the first montage that has all names.

    Parameters
    ----------
    ch_names : sequence of str

    Raises
    ------
    DecoderError
        If no montage has them all; the message lists the names that the ten-five system lacks.
    """
    from mne.channels import get_builtin_montages, make_standard_montage

    missing: list[str] = []
    known = [name for name in MONTAGES if name in get_builtin_montages()]
    if known[:2] == list(MONTAGES[:2]):
        del known[1]  # the same montage under its old name
    for montage in known:
        places = make_standard_montage(montage).get_positions()["ch_pos"]
        lacking = [name for name in ch_names if name not in places]
        if not lacking:
            return {name: (float(x), float(y), float(z)) for name in ch_names for x, y, z in [places[name]]}
        missing = missing or lacking
    raise DecoderError(
        f"no standard montage has all of these electrodes; the ten-five system lacks {', '.join(missing)}"
    )

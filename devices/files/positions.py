"""Where electrodes are, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.pipeline.decoders.decoder import DecoderError

#: Montages that are looked through, in this order: the ten-five system, by its name in newer versions of MNE and in
#: older ones, then caps with names of their own.
MONTAGES = ("colin27_1005", "standard_1005", "biosemi128", "biosemi256", "GSN-HydroCel-128", "GSN-HydroCel-256")


def electrode_positions(ch_names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Positions in metres, in head coordinates, from the first montage that knows all names.

    Parameters
    ----------
    ch_names : sequence of str

    Raises
    ------
    DecoderError
        If none does, naming what the first lacks.
    """
    from mne.channels import get_builtin_montages, make_standard_montage

    missing: list[str] = []
    known = [name for name in MONTAGES if name in get_builtin_montages()]
    if known[:2] == list(MONTAGES[:2]):
        del known[1]  # the same under its old name
    for montage in known:
        places = make_standard_montage(montage).get_positions()["ch_pos"]
        lacking = [name for name in ch_names if name not in places]
        if not lacking:
            return {name: (float(x), float(y), float(z)) for name in ch_names for x, y, z in [places[name]]}
        missing = missing or lacking
    raise DecoderError(
        f"no standard montage has all of these electrodes; the ten-five system lacks {', '.join(missing)}"
    )

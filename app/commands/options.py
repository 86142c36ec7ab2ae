"""Options that several commands share: those of sessions, and those of raw recordings, as in ``[streams]``."""

from __future__ import annotations

from typing import Annotated

import typer

from earmark.devices.sources.overrides import Overrides

OUT_HELP = "Folder for recordings and the decoder; by default, the folder of the session file."
HEADLESS_HELP = "No status line, no keys, no questions."

Unit = Annotated[
    str,
    typer.Option(
        help="Unit of the electrode channels if the recording states none: V, mV, uV or nV. With a number, as "
        "'0.0488 uV', the value of one step of its numbers; this overrides the stated unit."
    ),
]
ChType = Annotated[
    str, typer.Option(help="Type of channels that state none, or wrongly state EEG: eeg, seeg, ecog or misc.")
]
Channels = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Channels to keep, by name or pattern (Fp1,C*); with ! in front, channels to leave out ('!EKG,!DC*').",
    ),
]
Bads = Annotated[
    str,
    typer.Option(metavar="NAMES", help="Bad channels, by name or pattern: they are masked throughout."),
]
Sfreq = Annotated[
    float | None,
    typer.Option(help="Sample rate in Hz, if the recording states none or a slightly wrong one.", show_default=False),
]


def overrides(unit: str, ch_type: str, channels: str, bads: str, sfreq: float | None) -> Overrides:
    """Build the overrides from the values of these options.

    Raises
    ------
    earmark.devices.sources.overrides.OverrideError
        If a value is invalid.
    """
    return Overrides(unit, ch_type, _names(channels), _names(bads), sfreq)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())

"""Options that several commands have: of sessions, and of raw recordings, as in ``[streams]`` of a session."""

from __future__ import annotations

from typing import Annotated

import typer

from earmark.devices.sources.overrides import Overrides

OUT_HELP = "Folder for recordings and decoder; that of the session's file if not given."
HEADLESS_HELP = "No status line, no keys, no questions."

Unit = Annotated[
    str,
    typer.Option(
        help="Unit of electrodes where the recording does not say it: V, mV, uV, nV. With a number, as '0.0488 uV', "
        "what one step of its numbers is worth, whatever it says."
    ),
]
ChType = Annotated[
    str, typer.Option(help="Type of its channels, where it says none, or EEG of what is not: eeg, seeg, ecog or misc.")
]
Channels = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Channels to keep, by name or pattern (Fp1,C*), with ! those to leave out ('!EKG,!DC*').",
    ),
]
Bads = Annotated[
    str,
    typer.Option(metavar="NAMES", help="Channels not to be trusted, by name or pattern: they are masked throughout."),
]
Sfreq = Annotated[
    float | None,
    typer.Option(help="Rate in Hz, where the recording says none, or one that is a little off.", show_default=False),
]


def overrides(unit: str, ch_type: str, channels: str, bads: str, sfreq: float | None) -> Overrides:
    """Put together what these options say.

    Raises
    ------
    earmark.devices.sources.overrides.OverrideError
        If one of them means nothing.
    """
    return Overrides(unit, ch_type, _names(channels), _names(bads), sfreq)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())

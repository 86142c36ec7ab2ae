"""The faults of electrodes in words: what they are called, how serious they are, and what to do."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from earmark.app.dashboard.language import tr


class Light(IntEnum):
    """State of an electrode, in the order in which electrodes need attention."""

    RED, AMBER, MARKED, GREEN, UNKNOWN = range(5)


class Fault(NamedTuple):
    """A fault: its name, its state, and the advice."""

    word: str
    light: Light
    advice: str


#: Faults of electrodes that the operator marked as bad, and of channels without numbers.
MARKED, NOT_FINITE = "marked", "non-finite"
#: By the code of :class:`earmark.pipeline.nodes.quality.Quality`.
FAULTS = {
    MARKED: Fault(tr("marked as bad"), Light.MARKED, ""),  # what to do depends on the session
    NOT_FINITE: Fault(
        tr("no data"), Light.RED, tr("The amplifier sends no numbers for this channel: check its settings.")
    ),
    "flat": Fault(tr("flat"), Light.RED, tr("There is no signal at all: check plug and cable.")),
    "railed": Fault(tr("saturated"), Light.RED, tr("The amplifier is at its limit: check gel, ground and reference.")),
    "line": Fault(tr("mains hum"), Light.AMBER, tr("Improve the contact, and keep mains cables away.")),
    "variance": Fault(
        tr("unlike the others"),
        Light.AMBER,
        tr("Its signal is far stronger or weaker than that of the others: check the gel."),
    ),
    "correlation": Fault(
        tr("no contact"), Light.RED, tr("It does not vary like its neighbours: press it on, or add gel.")
    ),
}
#: An electrode that is still masked although its last window was good.
RECOVERING = Fault(tr("recovering"), Light.AMBER, tr("It was bad until now. Wait some seconds."))


def faults_of(codes: str) -> list[Fault]:
    """Return the faults of a bad channel, the most serious first; ``codes`` are keys of ``FAULTS`` joined by ``+``."""
    known = [FAULTS[code] for code in codes.split("+") if code in FAULTS]
    return sorted(known, key=lambda fault: fault.light) or [RECOVERING]


def brief(codes: str) -> str:
    """Return the names of the faults of a bad channel."""
    return ", ".join(fault.word for fault in faults_of(codes))

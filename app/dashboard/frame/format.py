"""Figures as words of steady width; what is not known is a dash."""

from __future__ import annotations

import math

UNKNOWN = "–"
#: Gains up to this, in dB, are silence.
SILENT_DB = -100.0


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    if not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def milliseconds(seconds: float) -> str:
    """Milliseconds without the unit; one decimal below 10."""
    if not math.isfinite(seconds):
        return UNKNOWN
    value = 1e3 * seconds
    return f"{value:.1f}" if abs(value) < 9.95 else f"{value:.0f}"


def age(seconds: float) -> str:
    """How old something is."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def rate(hertz: float) -> str:
    """Hertz without the unit."""
    return f"{hertz:.1f}" if math.isfinite(hertz) else UNKNOWN


def size(n_bytes: float) -> str:
    """Bytes in the unit that suits."""
    if not math.isfinite(n_bytes) or n_bytes < 0:
        return UNKNOWN
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            value = n_bytes / factor
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def hours(value: float) -> str:
    """Hours, or days where there are many."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:.1f} h" if value < 10 else f"{value:.0f} h" if value < 100 else f"{value / 24:.0f} days"


def decibels(value: float) -> str:
    """A gain in dB without the unit, signed."""
    if math.isnan(value):
        return UNKNOWN
    return "-∞" if value <= SILENT_DB else f"{value:+.1f}"


def level(amplitude: float) -> float:
    """DBFS of an amplitude."""
    return 20 * math.log10(amplitude) if amplitude > 1e-5 else -100.0


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.0f} %" if math.isfinite(share) else UNKNOWN


def count(n: int) -> str:
    """A count; negative is unknown."""
    return f"{n:,}" if n >= 0 else UNKNOWN


def letter(talker: int) -> str:
    """A talker's letter, which stands beside its colour everywhere."""
    return chr(ord("A") + talker)

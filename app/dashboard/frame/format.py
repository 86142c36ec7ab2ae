"""Numbers as text of nearly constant width; a dash for unknown values."""

from __future__ import annotations

import math

from earmark.app.dashboard.language import tr

UNKNOWN = "–"
#: Gains at or below this, in dB, count as silence.
SILENT_DB = -100.0


def clock(seconds: float) -> str:
    """Format a duration as minutes and seconds."""
    if not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def clock_tenths(seconds: float) -> str:
    """Format a time as minutes, seconds and tenths; negative times have a sign."""
    minutes, tenths = divmod(round(10 * abs(seconds)), 600)
    sign = "−" if seconds < 0 and (minutes or tenths) else ""
    return f"{sign}{minutes}:{tenths // 10:02d}.{tenths % 10}"


def milliseconds(seconds: float) -> str:
    """Format seconds as milliseconds without the unit; one decimal below 10."""
    if not math.isfinite(seconds):
        return UNKNOWN
    value = 1e3 * seconds
    return f"{value:.1f}" if abs(value) < 9.95 else f"{value:.0f}"


def age(seconds: float) -> str:
    """Format an age in ms, s or min."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def rate(hertz: float) -> str:
    """Format a rate in Hz without the unit."""
    return f"{hertz:.1f}" if math.isfinite(hertz) else UNKNOWN


def size(n_bytes: float) -> str:
    """Format a number of bytes in kB, MB, GB or TB."""
    if not math.isfinite(n_bytes) or n_bytes < 0:
        return UNKNOWN
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            value = n_bytes / factor
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def hours(value: float) -> str:
    """Format a duration in hours, or in days from 100 h."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:.1f} h" if value < 10 else f"{value:.0f} h" if value < 100 else tr("{n:.0f} days", n=value / 24)


def decibels(value: float) -> str:
    """Format a gain in dB with its sign, without the unit."""
    if math.isnan(value):
        return UNKNOWN
    return "-∞" if value <= SILENT_DB else f"{value:+.1f}"


def level(amplitude: float) -> float:
    """Convert an amplitude to dBFS."""
    return 20 * math.log10(amplitude) if amplitude > 1e-5 else -100.0


def percent(share: float) -> str:
    """Format a fraction in percent."""
    return f"{100 * share:.0f} %" if math.isfinite(share) else UNKNOWN


def count(n: int) -> str:
    """Format a count; negative counts are unknown."""
    return f"{n:,}" if n >= 0 else UNKNOWN


def letter(talker: int) -> str:
    """Return the letter of a talker, which is shown wherever its colour is."""
    return chr(ord("A") + talker)

"""Units stated by files and senders: spellings of volt units, and texts that are not a unit."""

from __future__ import annotations

import math
import re
import unicodedata

#: Micro signs decoded with the wrong encoding: UTF-8 or Shift-JIS read as Latin-1.
_MICRO_SIGNS = ("\u00c2\u00b5", "\u00ce\u00bc", "\u0083\u00ca")
_PREFIXES = {
    1e6: ("",),
    1e3: ("m", "milli"),
    1.0: ("u", "\u03bc", "micro", "mu"),
    1e-3: ("n", "nano"),
}
#: Microvolts per unit, by spelling after :func:`_plain`.
_MICROVOLTS = {
    prefix + volt: factor
    for factor, prefixes in _PREFIXES.items()
    for prefix in prefixes
    for volt in ("v", "volt", "volts")
}
_MICROVOLTS |= {
    # Exponents of ten relative to 1 V, as MNE-LSL writes them. 0 is missing here: MNE-LSL also writes it if unknown.
    "-3": 1e3,
    "-6": 1.0,
    "-9": 1e-3,
    # Written by mne-realtime, or the first name in FIFF of code 107, which stands for volts among others.
    "fiffunitv": 1e6,
    "fiffbisotrak": 1e6,
}
#: Texts that mean "no unit", after :func:`_plain`.
_NO_UNIT = {
    *("", "0", "1", "-", "--", "?", ".", "none", "null", "nil", "nan", "na", "n/a", "#n/a", "no", "nounit"),
    *("unknown", "unspecified", "notspecified", "undefined", "unit", "units", "au", "a.u", "arb", "arb.unit"),
    *("arb.units", "arbitrary", "arbitraryunit", "arbitraryunits", "dimensionless", "unitless", "misc", "other"),
}


def _plain(text: str) -> str:
    """Normalise a spelling: ignore case, spaces and brackets, and use one of the two micro signs."""
    for sign in _MICRO_SIGNS:
        text = text.replace(sign, "\u03bc")
    text = unicodedata.normalize("NFKC", text).lower().strip("\0")
    return re.sub(r"[\s_\[\](){}]", "", text).rstrip(".") or text.strip()


#: A number followed by a unit: the resolution of an amplifier, in volts per count.
_STEP = re.compile(r"(\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*[*x\u00d7]?\s*(\D.*)")


def has_factor(unit: str) -> bool:
    """Return True if a unit of voltage is stated as a multiple of another unit, as in ``0.0488 uV``."""
    return microvolts(unit) is not None and _STEP.fullmatch(unit.strip()) is not None


def microvolts(unit: str) -> float | None:
    """Return the number of microvolts per unit; None if the text is not a known unit of voltage.

    Parameters
    ----------
    unit : str
        In any spelling: ``uV``, ``µV`` (U+00B5 or U+03BC), ``Microvolts``, ``mV``, ``V``, ``Volts``, ``nV``, ...
        A preceding number is a factor: ``0.0488 uV`` is 0.0488 microvolts.
    """
    known = _MICROVOLTS.get(_plain(unit))
    step = None if known is not None else _STEP.fullmatch(unit.strip())
    if step is None:
        return known
    of, number = _MICROVOLTS.get(_plain(step[2])), float(step[1].replace(",", "."))
    return None if of is None or not 0 < number < math.inf else number * of


def stated_unit(text: str | None) -> str:
    """Return the unit that a file or sender states, in the original spelling; "" for texts that are not a unit.

    Parameters
    ----------
    text : str or None
        Text in the place of a unit: ``uV``, but also ``none``, ``n/a``, ``0``, ``arbitrary``, ...
    """
    text = (text or "").strip()
    return "" if _plain(text) in _NO_UNIT else text

"""Units that files and senders state: spellings of volts, and words that are no unit."""

from __future__ import annotations

import math
import re
import unicodedata

#: A micro sign that went through another encoding: UTF-8, or Shift-JIS, read as Latin-1.
_MICRO_SIGNS = ("\u00c2\u00b5", "\u00ce\u00bc", "\u0083\u00ca")
_PREFIXES = {
    1e6: ("",),
    1e3: ("m", "milli"),
    1.0: ("u", "\u03bc", "micro", "mu"),
    1e-3: ("n", "nano"),
}
#: Microvolts in the units that are stated, by their spelling after :func:`_plain`.
_MICROVOLTS = {
    prefix + volt: factor
    for factor, prefixes in _PREFIXES.items()
    for prefix in prefixes
    for volt in ("v", "volt", "volts")
}
_MICROVOLTS |= {
    # Powers of ten to a volt, as MNE-LSL writes them. Its 0 is also what it writes where nothing is known.
    "-3": 1e3,
    "-6": 1.0,
    "-9": 1e-3,
    # As mne-realtime writes it, or else the first name that 107 has in FIFF, which is that of volts and of others.
    "fiffunitv": 1e6,
    "fiffbisotrak": 1e6,
}
#: What is written where there is no unit, after :func:`_plain`.
_NO_UNIT = {
    *("", "0", "1", "-", "--", "?", ".", "none", "null", "nil", "nan", "na", "n/a", "#n/a", "no", "nounit"),
    *("unknown", "unspecified", "notspecified", "undefined", "unit", "units", "au", "a.u", "arb", "arb.unit"),
    *("arb.units", "arbitrary", "arbitraryunit", "arbitraryunits", "dimensionless", "unitless", "misc", "other"),
}


def _plain(text: str) -> str:
    """Return a spelling without what does not matter: case, spaces, brackets, and which of two micro signs it has."""
    for sign in _MICRO_SIGNS:
        text = text.replace(sign, "\u03bc")
    text = unicodedata.normalize("NFKC", text).lower().strip("\0")
    return re.sub(r"[\s_\[\](){}]", "", text).rstrip(".") or text.strip()


#: A number of a unit: what one step of an amplifier's counts is worth.
_STEP = re.compile(r"(\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*[*x\u00d7]?\s*(\D.*)")


def has_factor(unit: str) -> bool:
    """Whether a unit of voltage is given as a number of another one: ``0.0488 uV``."""
    return microvolts(unit) is not None and _STEP.fullmatch(unit.strip()) is not None


def microvolts(unit: str) -> float | None:
    """Return how many microvolts one of a unit is; None if it is no unit of voltage that is known.

    Parameters
    ----------
    unit : str
        In any spelling: ``uV``, ``µV`` (U+00B5 or U+03BC), ``Microvolts``, ``mV``, ``V``, ``Volts``, ``nV``, ...
        A number before it counts: of ``0.0488 uV``, one is 0.0488 microvolts.
    """
    known = _MICROVOLTS.get(_plain(unit))
    step = None if known is not None else _STEP.fullmatch(unit.strip())
    if step is None:
        return known
    of, number = _MICROVOLTS.get(_plain(step[2])), float(step[1].replace(",", "."))
    return None if of is None or not 0 < number < math.inf else number * of


def stated_unit(text: str | None) -> str:
    """Return the unit that a file or sender states, as it is written there; "" for words that are no unit.

    Parameters
    ----------
    text : str or None
        What stands where a unit belongs: ``uV``, but also ``none``, ``n/a``, ``0``, ``arbitrary``, ...
    """
    text = (text or "").strip()
    return "" if _plain(text) in _NO_UNIT else text

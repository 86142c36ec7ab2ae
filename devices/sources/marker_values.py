"""Convert marker values to text, in the same way for live streams and files, for text and numbers, for any columns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

#: Larger floats are not counts, and their digits would fill a line.
_LARGEST_INTEGER = 2.0**63


def marker_text(values: Iterable[Any]) -> str:
    """Return the text of one sample of a marker stream, its columns separated by spaces.

    Parameters
    ----------
    values : iterable of str, bytes or number
        One per channel, as received from an inlet or read from a file. Integers of any format are written with all
        their digits, other numbers with the fewest digits that identify them in their own format.
    """
    return " ".join(_text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")  # senders may send any bytes
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = float(value)
    if math.isfinite(number) and abs(number) < _LARGEST_INTEGER and number == int(number):
        return str(int(value))
    return repr(float(str(value)))

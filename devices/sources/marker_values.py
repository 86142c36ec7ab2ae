"""The text of a marker: the same whether it comes live or from a file, as text or as numbers, in one column or more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

#: Beyond it a float is no count of anything, and its digits would fill a line.
_LARGEST_INTEGER = 2.0**63


def marker_text(values: Iterable[Any]) -> str:
    """Return the text of a sample of a marker stream, its columns separated by a space.

    Parameters
    ----------
    values : iterable of str, bytes or number
        One for each channel, as it comes from an inlet or a file. Integers, in whatever format they are sent, are
        written with all their digits, other numbers with the fewest digits that tell them apart in their own format.
    """
    return " ".join(_text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")  # senders are free to send any bytes
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = float(value)
    if math.isfinite(number) and abs(number) < _LARGEST_INTEGER and number == int(number):
        return str(int(value))
    return repr(float(str(value)))

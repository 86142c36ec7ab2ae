"""Read a table of attended talkers over time, written by hand in an editor or a spreadsheet."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.regular_file import MAX_TEXT, open_regular

#: Words of a header line.
_HEADER = ("onset", "time", "second", "seconds", "sec", "s", "t")


def read_attended(path: Path) -> list[tuple[float, str]]:
    """Read the times in seconds from which each talker was attended; an empty name means none.

    Each line has seconds and name, separated by a comma, a semicolon or a tab; with the latter two a decimal comma is
    accepted. Empty lines and a header line are skipped.

    Parameters
    ----------
    path : Path
        A text file.

    Returns
    -------
    list of (float, str)
        Seconds since the first sample, and name of the talker.

    Raises
    ------
    RunError
        If the file is missing, or a line is invalid; the message names the line.
    """
    try:
        with open_regular(path, MAX_TEXT) as file:
            raw = file.read()
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    lines = _decoded(raw).splitlines()
    filled = [line for line in lines if line.strip(" ,;\t")]
    between = next((mark for mark in "\t;" if filled and all(mark in line for line in filled)), ",")
    found: list[tuple[float, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip(" ,;\t"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=between))]
        while len(cells) > 2 and not cells[-1]:  # empty columns of a spreadsheet
            cells.pop()
        if not found and len(cells) == 2 and cells[0].lower().split("(")[0].strip() in _HEADER:
            continue
        seconds = _number(cells[0], between) if len(cells) == 2 else math.nan
        if not math.isfinite(seconds):
            raise RunError(f"{path}: line {number} is {line!r}, but must be SECONDS{between}NAME")
        found.append((seconds, cells[1]))
    if not found:
        raise RunError(f"{path}: has no line SECONDS,NAME")
    return found


def _number(text: str, between: str) -> float:
    try:
        return float(text if between == "," else text.replace(",", "."))
    except ValueError:
        return math.nan


def _decoded(raw: bytes) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")

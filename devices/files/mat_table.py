"""Read MATLAB tables, which are objects of an undocumented format, by the package mat-io."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from earmark.devices.files.recording import RecordingError, in_words
from earmark.devices.processes.spawn import clean_birth, leave_signals_to_parent
from earmark.kernels.extras import require

#: Maximum seconds and bytes of memory to read a table.
MAX_S, MAX_MEMORY = 60.0, 8 << 30


def read_table(path: Path, name: str) -> dict[str, list[float | str]]:
    """Read a variable that is a MATLAB table.

    Another process does it, because some damaged files end the process that reads them.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the variable.

    Returns
    -------
    columns : dict of str to list
        Numbers and texts of each column; empty cells are empty texts.

    Raises
    ------
    RecordingError
        If there is no such table, or it cannot be read.
    MissingExtra
        If mat-io is not installed.
    """
    require("matlab", f"{name!r} in {path} is a MATLAB table, which needs mat-io")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    reader = context.Process(target=_send_table, args=(there, str(path), name), daemon=True)
    with clean_birth():
        reader.start()
    there.close()  # so that the end of the reader is the end of its answer
    try:
        answer = here.recv() if here.poll(MAX_S) else None
    except EOFError:
        answer = None
    finally:
        reader.kill()
        reader.join()
        here.close()
    if answer is None:
        words = f"{path}: the table {name!r} cannot be read, because it is damaged"
        raise RecordingError(f"{words}: {_fix(name)}")
    if isinstance(answer, str):
        raise RecordingError(answer)
    return dict(answer)


def _fix(name: str) -> str:
    return f"copy the file again, or convert the table in MATLAB, {name} = table2struct({name}), and save it"


def _send_table(answer: Connection, file: str, name: str) -> None:
    """Send the columns of a table, or the text of the error."""
    leave_signals_to_parent()
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = MAX_MEMORY if most == resource.RLIM_INFINITY else min(MAX_MEMORY, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        answer.send(_table(file, name))
    except RecordingError as error:
        answer.send(str(error))


def _table(file: str, name: str) -> dict[str, list[float | str]]:
    from matio import load_from_mat

    path = Path(file)
    with in_words(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = load_from_mat(file, variable_names=[name]).get(name)
        if not hasattr(table, "columns"):
            raise RecordingError(f"{path}: {name!r} is not a table that can be read: {_fix(name)}")
        return {str(column): [_plain(value) for value in table[column]] for column in table.columns}


def _plain(value: Any) -> float | str:
    """Return an entry of a table as a number or text."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float | str) else ""

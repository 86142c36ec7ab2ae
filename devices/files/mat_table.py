"""Read MATLAB tables, which are objects of an undocumented format, by the package mat-io."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from earmark.devices.files.recording import RecordingError, in_words
from earmark.devices.processes.spawn import clean_birth, leave_signals_to_parent
from earmark.kernels.extras import require

#: Maximum seconds to read a table.
MAX_S = 300.0


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
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=leave_signals_to_parent)
    before = set(multiprocessing.active_children())
    try:
        with clean_birth():
            future = pool.submit(_table, str(path), name)
        return future.result(timeout=MAX_S)
    except (BrokenProcessPool, TimeoutError):
        raise RecordingError(
            f"{path}: the table {name!r} cannot be read, because it is damaged: {_fix(name)}"
        ) from None
    finally:
        for worker in set(multiprocessing.active_children()) - before:
            worker.kill()
        pool.shutdown(cancel_futures=True)


def _fix(name: str) -> str:
    return f"copy the file again, or convert the table in MATLAB, {name} = table2struct({name}), and save it"


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

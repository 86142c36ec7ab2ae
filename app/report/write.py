"""Writes the report of a run, and its decisions as a table, into the folder of the run."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from earmark.app.report.figures import SessionFigures
from earmark.app.report.page import PAGE, TABLE, page_html
from earmark.devices.files.decoder_folder import Facts


def write_report(folder: Path, found: SessionFigures, facts: Facts, window: float) -> Path:
    """Write ``report.html`` and ``decisions.csv``; return the path of the page.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    found : SessionFigures
        Figures of its recording.
    facts : Facts
        Facts of its decoder.
    window : float
        Length of a decision window, s.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    write_decisions(folder / TABLE, found)
    page = folder.absolute() / PAGE
    runs = {run.parent for run in page.parents[1].glob("*/loop.xdf")} - {page.parent}
    others = [
        f"{run.name}/{PAGE}" if (run / PAGE).exists() else run.name
        for run in sorted(runs, key=lambda run: (len(run.name), run.name))
    ]
    new = page.with_name(f".{PAGE}.{os.getpid()}")  # several processes may write it, and may be ended meanwhile
    new.write_text(page_html(page.parent.name, found, facts, window, others), encoding="utf-8")
    new.replace(page)
    return folder / PAGE


def write_decisions(path: Path, found: SessionFigures) -> None:
    """Write one line per decision: time, cued and decided talker, probability and gain (dB) of each talker."""
    names = (*found.talkers, "")  # -1 stands for none
    heads = ["time_s", "lsl_time_s", "cued", "decided"]
    heads += [f"{what} {name}" for what in ("probability", "gain_db") for name in found.talkers]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(heads)
        for k, time in enumerate(found.times.tolist()):
            values = np.concatenate([found.probability[k], found.gains[k]]).tolist()
            table.writerow([time, found.begin + time, names[found.cued[k]], names[found.decided[k]], *values])

"""Figures of a study for programs: CSV with one line for each run, and JSON."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.app.report.study import Status, StudyRun
from earmark.app.terminal.foreign import plain
from earmark.kernels.words import counted

#: Version of the JSON.
VERSION = 1


def study_json(folder: Path, runs: Sequence[StudyRun], together: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return everything about a study, ready for JSON.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    runs : sequence of StudyRun
        All runs, measured.
    together : sequence of mapping
        What :func:`earmark.app.report.study.participants` returns for them.
    """
    return {
        "version": VERSION,
        "folder": str(folder),
        "participants": list(together),
        "runs": [{"path": run.path, **run.row()} for run in runs],
    }


def study_csv(runs: Sequence[StudyRun]) -> str:
    """Return a table with one line for each run; cells of what was not measured are empty."""
    rows = [{"path": run.path, **run.row()} for run in runs]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, Mapping):  # share of the time of each electrode, or gaps and missing samples of each stream
        return plain("; ".join(f"{key}: {one}" for key, one in value.items()))
    if isinstance(value, list):
        return plain("; ".join(map(str, value)))
    return plain(value) if isinstance(value, str) else value


def count_words(runs: Sequence[StudyRun]) -> str:
    """Count participants, sessions and runs, and those that are left out, in words."""
    counts = [f"{sum(run.status is status for run in runs)} {status}" for status in Status]
    people, sessions = ({getattr(run, name) for run in runs} for name in ("participant", "session"))
    n_runs = sum(run.run != "" for run in runs)
    return (
        f"{counted(len(people), 'participant')}, {counted(len(sessions), 'session')}, {counted(n_runs, 'run')}: "
        f"{', '.join(counts)}"
    )


def group_words(together: Sequence[Mapping[str, Any]]) -> str:
    """Compare the participants of one condition with guessing, in one sentence."""
    scored = [one for one in together if one["accuracy"] is not None]
    if not scored:
        return "No decision window lies within cued time, so the decisions cannot be scored."
    better = sum(one["chance_limit"] is not None and one["accuracy"] >= one["chance_limit"] for one in scored)
    accuracies = [one["accuracy"] for one in scored]
    spread = f", SD {percent(statistics.stdev(accuracies))}" if len(scored) > 1 else ""
    return (
        f"{better} of {len(scored)} participants are better than guessing; on average "
        f"{percent(statistics.fmean(accuracies))} of a participant's decision windows are correct{spread}."
    )


def percent(value: float | None) -> str:
    """Format a share in whole percent; None means not measured."""
    return "–" if value is None else f"{100 * value:.0f} %"


def number(value: float | None, digits: int) -> str:
    """Format a number; None means not measured."""
    return "–" if value is None else f"{value:.{digits}f}"

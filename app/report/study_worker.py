"""Measure a study for the window: prints progress on standard error, and the study as JSON on standard output.

A separate process, because replaying many runs keeps a processor core busy for minutes. Ended at any time, it loses at
most the figures of the run that it was measuring.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from earmark.app.report.study import conditions, excluded, find_runs, measured, participants
from earmark.app.report.study_files import count_words, group_words, study_csv, study_json
from earmark.app.report.study_page import study_html
from earmark.devices.files.corpus import InProcess, Progress
from earmark.devices.files.recorded_run import RunError
from earmark.kernels.errors import EarmarkError


def study_of(folder: Path, progress: Progress = lambda done, of: None) -> dict[str, Any]:
    """Return all that the page of a study shows and saves, ready for JSON.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    progress : callable
        Called when runs are done.

    Returns
    -------
    dict
        ``words``: numbers of participants, sessions and runs; ``conditions``: words, result in one sentence, and
        participants of each; ``study``, ``csv``, ``html``: contents of the files that ``earmark study`` writes.

    Raises
    ------
    earmark.kernels.errors.EarmarkError
        If there is no run, or the file of exclusions has mistakes.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder")
    found = excluded(folder, find_runs(folder))
    if not found:
        raise RunError(f"{folder} contains no session and no run: choose the folder above the participants' folders")
    runs = measured(found, InProcess(), progress)
    together = participants(runs)
    return {
        "words": count_words(runs),
        "conditions": [
            {"words": words, "result": group_words(group), "participants": group}
            for words, group in conditions(together).items()
        ],
        "study": study_json(folder, runs, together),
        "csv": study_csv(runs),
        "html": study_html(folder, runs),
    }


def _say(done: int, of: int) -> None:
    sys.stderr.write(f"{done} of {of}\n")


if __name__ == "__main__":
    try:
        json.dump(study_of(Path(sys.argv[1]), _say), sys.stdout)
    except (EarmarkError, OSError) as error:
        sys.exit(f"error: {error}")

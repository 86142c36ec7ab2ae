"""A study seen as a whole: every run below a folder with its figures, and each participant's runs together."""

from __future__ import annotations

import math
import os
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from earmark.app.config.toml_file import ConfigError
from earmark.app.engine.latency_stages import TOTAL
from earmark.app.engine.timeline import ANSWER, NOTE
from earmark.app.report.exclusions import EXCLUDED, exclusions
from earmark.app.report.kept import kept_figures, run_figures
from earmark.devices.files.corpus import Executor, Progress
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.subjects import REHEARSAL, SESSION, SIMULATED, listener
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.evaluation.metrics import chance_limit
from earmark.pipeline.evaluation.splits import Fold

RECORDING = "loop.xdf"
#: Prefix of an event that is an alarm.
ALARM = "ALARM: "
_RUN = re.compile(r"run-\d+")


class Status(StrEnum):
    """What became of a run; those that are cut count, too."""

    USED = "used"
    CUT = "cut"
    EXCLUDED = "excluded"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class StudyRun:
    """A run, or a session without one.

    Attributes
    ----------
    folder : Path
        Its folder.
    path : str
        The same, from the folder of the study.
    participant : str
        Name of the listener.
    status : Status
        Whether it counts.
    reason : str
        Why it does not count, or what is missing of it; empty if nothing is.
    figures : dict or None
        Its figures, see :func:`earmark.app.report.kept.run_figures`; None if there are none.
    """

    folder: Path
    path: str
    participant: str
    status: Status = Status.USED
    reason: str = ""
    figures: dict[str, Any] | None = None

    @property
    def session(self) -> str:
        """Path of the session folder from the folder of the study; ``.`` for that folder itself."""
        return self.path if self.run == "" else PurePosixPath(self.path).parent.as_posix()

    @property
    def run(self) -> str:
        """Name of the run; empty for a session without one."""
        return self.folder.name if _is_run(self.folder) else ""

    def row(self) -> dict[str, Any]:
        """Return identity and figures in one flat row; what was not measured is None."""
        found = self.figures or {}
        stages = found.get("stages", {})
        spans = {TOTAL: "latency", "gains set to sound": "sound"}
        return {
            "participant": self.participant,
            "session": self.session,
            "run": self.run,
            "status": str(self.status),
            "reason": self.reason,
            "mode": found.get("mode"),
            "n_talkers": len(found["talkers"]) if found else None,
            "window_s": found.get("window_s"),
            "windows": found.get("windows"),
            "right": found.get("right"),
            "accuracy": found["right"] / found["windows"] if found.get("windows") else None,
            "chance_limit": found.get("chance_limit"),
            "steady": found.get("steady"),
            "tmr_db": None if found.get("mode") == "open" else found.get("tmr_db"),
            "delivered_db": None if found.get("mode") == "open" else found.get("delivered_db"),
            **_switches(found.get("switches")),
            **{
                f"{short}_{name}_ms": 1e3 * stages[stage][k] if stages.get(stage) else None
                for stage, short in spans.items()
                for k, name in enumerate(("p50", "p99", "max"))
            },
            "dropped": found.get("dropped"),
            "calibration": found.get("calibration"),
            "calibration_limit": found.get("calibration_limit"),
            "n_calibration": found.get("n_calibration"),
            "n_electrodes": found.get("n_electrodes"),
            "bad_channels": found.get("bad_channels"),
            "gaps": found.get("gaps"),
            **{
                name: [words for _, words in found["events"] if words.startswith(prefix)] if found else None
                for name, prefix in (("answers", ANSWER), ("notes", NOTE), ("alarms", ALARM))
            },
        }


def find_runs(folder: Path, listener_of: Callable[[Path], str] = lambda path: "") -> list[StudyRun]:
    """Find every run, and every session without one, below a folder; ``run-10`` comes after ``run-9``.

    Parameters
    ----------
    folder : Path
        Folder of the study. Links to folders are followed; what is found twice is listed once.
    listener_of : callable
        Returns the listener that the user named for a path; empty if none.

    Returns
    -------
    list of StudyRun
        Runs are not measured yet. Folders that cannot be read are listed as unusable, rehearsals are not listed.
    """
    failed: list[OSError] = []
    seen, runs, sessions = {folder.resolve()}, [], []
    for root, folders, files in os.walk(folder, onerror=failed.append, followlinks=True):
        here, inside = Path(root), sorted(folders)
        folders.clear()
        if _is_run(here):
            runs.append(here)
            continue
        for name in inside:
            real = (here / name).resolve()
            if not (name.startswith(".") or REHEARSAL.fullmatch(name)) and real not in seen:
                seen.add(real)
                folders.append(name)
        if SESSION in files or any(re.fullmatch(r"calibration-\d+\.xdf", name) for name in files):
            sessions.append(here)
    found = []
    for here in runs:
        stated = _stated(here / RECORDING)
        if stated == SIMULATED:  # a rehearsal, copied or with a folder of its own
            continue
        participant = listener_of(here) or listener(here / RECORDING, stated)
        found.append(StudyRun(here, _from(folder, here), participant))
    for here in sessions:
        if not any(run.is_relative_to(here) for run in runs):
            calibration = here / "calibration-1.xdf"
            if (stated := _stated(calibration)) == SIMULATED:
                continue
            participant = listener_of(here) or listener(calibration, stated)
            why = "no run was recorded in this session"
            found.append(StudyRun(here, _from(folder, here), participant, Status.UNUSABLE, why))
    for error in failed:
        here = Path(str(error.filename))
        why = f"the folder cannot be read: {error.strerror}"
        found.append(StudyRun(here, _from(folder, here), listener(here / RECORDING, ""), Status.UNUSABLE, why))
    return sorted(found, key=lambda run: (_natural(run.participant), _natural(run.path)))


def excluded(folder: Path, runs: Sequence[StudyRun]) -> list[StudyRun]:
    """Mark the runs that the file of :mod:`earmark.app.report.exclusions` names, alone or with all below a folder.

    Raises
    ------
    ConfigError
        If the file cannot be read, gives no reason, or names no run.
    """
    marked = list(runs)
    for path, reason in exclusions(folder).items():
        named = PurePosixPath(path)
        at = [k for k, run in enumerate(marked) if PurePosixPath(run.path).is_relative_to(named)]
        if not at:
            raise ConfigError(f"{folder / EXCLUDED}: there is no run at {path!r}, seen from {folder}")
        for k in at:
            marked[k] = replace(marked[k], status=Status.EXCLUDED, reason=reason)
    return marked


def measured(runs: Sequence[StudyRun], by: Executor, progress: Progress = lambda done, of: None) -> list[StudyRun]:
    """Return the runs with their figures; those without have a reason.

    Parameters
    ----------
    runs : sequence of StudyRun
        Those that are excluded or unusable stay as they are.
    by : Executor
        Where to compute figures that are not kept.
    progress : callable
        Called when runs are done.
    """
    found = list(runs)
    to_do = [k for k, run in enumerate(runs) if run.status is Status.USED]
    if not to_do:
        return found
    outcomes = {k: kept for k in to_do if (kept := _kept(runs[k].folder)) is not None}
    fresh, n_kept = [k for k in to_do if k not in outcomes], len(outcomes)
    progress(n_kept, len(to_do))
    if fresh:
        folds = [Fold((), (k,)) for k in range(len(fresh))]
        folders = [runs[k].folder for k in fresh]
        computed = by.run(_measure, folders, folds, lambda done, of: progress(n_kept + done, len(to_do)))
        outcomes |= zip(fresh, computed, strict=True)
    seen: dict[str, str] = {}
    for k in to_do:
        run, (fingerprint, figures) = runs[k], outcomes[k]
        if isinstance(figures, str):
            found[k] = replace(run, status=Status.UNUSABLE, reason=figures)
        elif (twin := seen.setdefault(fingerprint, run.path)) != run.path:
            found[k] = replace(run, status=Status.UNUSABLE, reason=f"it is the same recording as {twin}")
        else:
            remarks = list(figures["damage"])
            if not figures["whole"]:
                remarks.insert(0, "cut short: the rest of the run is missing")
            status = Status.USED if figures["whole"] else Status.CUT
            found[k] = replace(run, status=status, reason="; ".join(remarks), figures=figures)
    return found


def participants(runs: Sequence[StudyRun]) -> list[dict[str, Any]]:
    """Put the runs of each participant together, separately by mode, window length and number of talkers.

    Returns
    -------
    list of dict
        ``windows`` and ``right`` are sums, the chance limit is that of the sum; ``tmr_db``, ``delivered_db`` and
        ``calibration`` are means over runs, ``switch_s`` is the median of all switches that were followed.
    """
    together: dict[tuple[Any, ...], list[StudyRun]] = {}
    for run in runs:
        if run.figures is not None:
            row = run.row()
            key = row["participant"], row["mode"], row["window_s"], row["n_talkers"]
            together.setdefault(key, []).append(run)
    found = []
    for (name, mode, window_s, n_talkers), group in together.items():
        rows = [run.row() for run in group]
        windows, right = (sum(row[key] for row in rows) for key in ("windows", "right"))
        switches = [one for run in group if run.figures for one in run.figures["switches"]]
        found.append(
            {
                "participant": name,
                "mode": mode,
                "window_s": window_s,
                "n_talkers": n_talkers,
                "runs": len(rows),
                "windows": windows,
                "right": right,
                "accuracy": right / windows if windows else None,
                "chance_limit": _known(chance_limit(windows, n_talkers)) if windows else None,
                "tmr_db": _mean([row["tmr_db"] for row in rows]),
                "delivered_db": _mean([row["delivered_db"] for row in rows]),
                **_switches(switches),
                "calibration": _mean([row["calibration"] for row in rows]),
            }
        )
    return found


def conditions(together: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Divide what :func:`participants` returned by mode, window length and number of talkers, in words."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in together:
        words = f"{one['mode'] or 'unknown'} loop, {one['n_talkers']} talkers, windows of {one['window_s']:g} s"
        found.setdefault(words, []).append(one)
    return found


def _kept(folder: Path) -> tuple[str, dict[str, Any] | str] | None:
    """Return fingerprint and figures of a run if they are kept; what cannot be read is explained by measuring it."""
    try:
        fingerprint, figures = kept_figures(folder)
    except OSError:
        return None
    return None if figures is None else (fingerprint, figures)


def _measure(fold: Fold, train: Sequence[Path], test: Sequence[Path]) -> tuple[str, dict[str, Any] | str]:
    """Return fingerprint and figures of a run, or why there are none; importable where the work is done."""
    (folder,) = test
    recording = folder / RECORDING
    try:
        if not recording.exists():
            return "", f"empty: the folder has no {RECORDING}"
        if not recording.stat().st_size:
            return "", f"empty: {RECORDING} has 0 bytes"
        SessionFile(recording)  # one that cannot be read is refused for that, not for its decoder
        if not recording.with_suffix(".decoder").is_dir():
            raise RunError("the decoder of the run is missing: copy the folder loop.decoder beside its recording")
        return run_figures(folder)
    except EarmarkError as error:
        return "", str(error).removeprefix(f"{recording}").lstrip(": ")
    except OSError as error:
        return "", f"{error.filename or recording} cannot be read: {error.strerror or error}"


def _is_run(folder: Path) -> bool:
    return _RUN.fullmatch(folder.name) is not None or (folder / RECORDING).exists()


def _from(folder: Path, inside: Path) -> str:
    return inside.relative_to(folder).as_posix()


def _stated(recording: Path) -> str:
    """Return the listener that a recording states; empty if it cannot be read, which measuring it explains."""
    try:
        return SessionFile(recording).about.subject
    except (EarmarkError, OSError):
        return ""


def _natural(path: str) -> list[tuple[int, str]]:
    """Sort key that compares numbers in names as numbers."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"([0-9]+)", path)]


def _switches(found: Sequence[float | None] | None) -> Mapping[str, Any]:
    followed = [one for one in found or () if one is not None]
    return {
        "switches": None if found is None else len(found),
        "followed": None if found is None else len(followed),
        "switch_s": statistics.median(followed) if followed else None,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None

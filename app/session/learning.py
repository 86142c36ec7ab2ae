"""Measures during a calibration, after every trial, how accurate a decoder trained on the trials so far would be.

This happens in a process of its own with the lowest priority, which reads the recording that is being written.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.app.status import LearningStatus, adapter
from earmark.devices.processes.spawn import clean_birth, leave_signals_to_parent
from earmark.kernels.errors import EarmarkError

if TYPE_CHECKING:
    from earmark.pipeline.decoders.group import Group

#: Largest nice level.
LOWEST_PRIORITY = 19
#: Seconds in which the process is expected to end after its pipe is closed.
END_S = 1.0


@dataclass(frozen=True, slots=True)
class LearningJob:
    """What the process needs to know.

    Attributes
    ----------
    preset, neural, talkers, cues : str
        Name of the preset, and names of the streams.
    group : str
        Folder with the mean over other listeners; empty for none.
    """

    preset: str
    neural: str
    talkers: str
    cues: str
    group: str


class LearningWatch:
    """Measures the accuracy so far after every trial.

    Parameters
    ----------
    job : LearningJob
    on_point : callable
        Called with every result, on a thread of this object.
    on_failure : callable
        Called with a sentence when nothing can be measured any more.
    """

    def __init__(
        self, job: LearningJob, on_point: Callable[[LearningStatus], None], on_failure: Callable[[str], None]
    ) -> None:
        self._on_point, self._on_failure = on_point, on_failure
        self._trials: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_main, args=(job, theirs), name="learning curve", daemon=True)
        with clean_birth():
            self._process.start()
        theirs.close()  # otherwise the end of the process would not be noticed
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="learning curve", daemon=True)
        self._thread.start()

    def trial_ended(self, files: Sequence[Path]) -> None:
        """Measure with all trials in the files of the calibration; does not block."""
        self._trials.put([str(file) for file in files])

    def close(self) -> None:
        """End the process, even while it measures."""
        self._closed.set()
        self._trials.put(None)
        self._process.kill()
        self._process.join(END_S)
        self._thread.join(END_S)

    def _work(self) -> None:
        while (files := self._trials.get()) is not None:
            while not self._trials.empty():  # only the newest, after a measurement that took longer than a trial
                if (files := self._trials.get()) is None:
                    return
            try:
                self._pipe.send_bytes(json.dumps(files).encode())
                found = self._pipe.recv_bytes()
            except (EOFError, OSError):
                if not self._closed.is_set():
                    self._on_failure("The accuracy so far is not measured any more: its process ended unexpectedly")
                return
            if found:  # else there are too few trials yet
                self._on_point(adapter(LearningStatus).validate_json(found))


def _main(job: LearningJob, pipe: Connection) -> None:
    leave_signals_to_parent()
    if hasattr(os, "nice"):
        os.nice(LOWEST_PRIORITY)
    logging.disable(logging.ERROR)  # the recording has no end yet, about which its reader would warn
    from earmark.app.terminal.console import console

    console.quiet = True
    group: list[Group] = []
    while True:
        try:
            files = json.loads(pipe.recv_bytes())
        except (EOFError, OSError):  # the parent process has ended
            return
        try:
            found = adapter(LearningStatus).dump_json(measure_files([Path(file) for file in files], job, group))
        except EarmarkError:
            found = b""
        pipe.send_bytes(found)


def measure_files(files: Sequence[Path], job: LearningJob, group: list[Group] | None = None) -> LearningStatus:
    """Measure with all trials in the files of a calibration.

    Parameters
    ----------
    files : sequence of Path
    job : LearningJob
    group : list of Group, optional
        Keeps the mean over other listeners from one call to the next.

    Raises
    ------
    EarmarkError
        If the files cannot be read, or hold too few trials.
    """
    from earmark.app.training.group import read_group
    from earmark.app.training.runs import maker
    from earmark.devices.files.session_run import read_session_runs
    from earmark.pipeline.decoders.presets import DEFAULT_DECODER, PRESETS
    from earmark.pipeline.evaluation.learning_curve import LEAST_RUNS, measure
    from earmark.pipeline.run import EvaluationError

    preset, group = PRESETS[job.preset], [] if group is None else group
    runs = [run for file in files for run in read_session_runs(file, preset, job.neural, job.talkers, job.cues)]
    runs = [run for run in runs if (run.attended >= 0).sum() >= preset.window * run.sfreq]
    if len(runs) < LEAST_RUNS:
        raise EvaluationError(f"there are {len(runs)} trials, but at least {LEAST_RUNS} are needed")
    if job.group and not group:
        group.append(read_group(Path(job.group), runs, preset))
    kind = "filterbank" if group else DEFAULT_DECODER[preset.name]
    point = measure(runs, maker(kind, preset, **({"group": group[0]} if group else {})), preset.window)
    return LearningStatus(
        n_trials=point.n_runs,
        seconds=point.seconds,
        n=point.n,
        accuracy=point.accuracy,
        chance_limit=point.chance_limit,
        gain=point.gain,
        gain_limit=point.gain_limit,
        enough=point.enough,
    )

"""Write the trials of a data set as runs, one listener at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.app.commands.checked_run import write_checked
from earmark.app.terminal.console import console, fail
from earmark.devices.files.corpus_trials import CorpusTrial, LeftOut
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.run_file import Talker, read_origin
from earmark.devices.files.speech_file import read_speech
from earmark.kernels.errors import EarmarkError

#: Names of folders and files that are safe on every system.
_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]{0,99}")
#: Sounds whose envelopes are kept in memory: listeners of one data set hear the same ones.
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Reader:
    """How the trials of a data set are read.

    Attributes
    ----------
    files : list of Path
        One file for each listener.
    trials : callable
        Returns the trials in a file.
    settings : dict
        What the user set, which is stored in the runs.
    """

    files: list[Path]
    trials: Callable[[Path], Iterator[CorpusTrial | LeftOut]]
    settings: Mapping[str, Any]


def make_runs(reader: Reader, out: Path) -> None:
    """Write all runs, and print what was written and what was not; fail if some could not be written.

    Parameters
    ----------
    reader : Reader
        The data set.
    out : Path
        Folder for the runs.
    """
    n_runs, failed = 0, []
    for file in reader.files:
        done: Counter[str] = Counter()
        with console.status(f"Reading {file.name} …") as status:
            try:
                for trial in reader.trials(file):
                    if isinstance(trial, LeftOut):
                        done[f"left out, because {trial.reason}"] += 1
                        continue
                    status.update(f"Writing {trial.name} of {trial.subject} …")
                    try:
                        done["written" if _write(trial, reader.settings, out) else "there already"] += 1
                    except RunError as error:
                        failed.append(str(error))
            except EarmarkError as error:
                failed.append(str(error))
        n_runs += done["written"] + done["there already"]
        said = "; ".join(f"{n} {what}" for what, n in done.items() if n)
        console.print(f"{file.name}: {said or 'nothing written'}", highlight=False)
    if failed:
        fail("\n".join([f"{len(failed)} could not be made:", *(f"  {text}" for text in failed)]))
    if not n_runs:
        fail("no trial with two talkers was found, so no run was written")
    console.print(
        f"{out} has {n_runs} runs. Next: earmark evaluate {out} --protocol leave-one-paired-envelope-out",
        highlight=False,
    )


def _write(trial: CorpusTrial, settings: Mapping[str, Any], out: Path) -> bool:
    """Write one run; return False if it is there already.

    Raises
    ------
    RunError
        If it cannot be used, or is there with other settings.
    """
    for name in (trial.subject, trial.name):
        if not _NAME.fullmatch(name):
            raise RunError(f"{name!r} cannot name a file: use letters, digits, '-', '_' and '.' for listeners and runs")
    origin = {**trial.origin, "settings": json.dumps(settings, sort_keys=True), "earmark": version("earmark")}
    target = out / trial.subject / f"{trial.name}.xdf"
    if target.exists():
        _must_be_the_same(target, origin)
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    talkers = []
    for one in trial.speech:
        if one.sound is not None:
            envelope, sfreq = _envelope(one.sound)
        elif one.envelope is not None:
            envelope, sfreq = one.envelope, one.sfreq
        talkers.append(Talker(one.talker, envelope, sfreq, said=one.stimulus))
    write_checked(target, trial.recording, talkers, [(0.0, trial.attended)], trial.subject, origin)
    return True


def _must_be_the_same(path: Path, origin: Mapping[str, str]) -> None:
    """Refuse an existing run that was made in another way."""
    found = read_origin(path)
    differ = [key for key in {**origin, **found} if key != "earmark" and origin.get(key) != found.get(key)]
    if differ:
        each = "; ".join(f"{key} {found.get(key) or 'none'}, now {origin.get(key) or 'none'}" for key in sorted(differ))
        raise RunError(f"{path} exists already, and was made in another way ({each}): choose another folder with --out")


@lru_cache(maxsize=_KEPT)
def _envelope(sound: Path) -> tuple[NDArray[np.float64], float]:
    return read_speech(sound)

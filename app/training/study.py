"""Read many recordings for training or evaluation: assign listeners, leave out unusable recordings with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.app.training.runs import find_runs, progress
from earmark.devices.sources.overrides import NOTHING, Overrides
from earmark.kernels.errors import EarmarkError

if TYPE_CHECKING:
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.run import Run

SUBJECT_HELP = (
    "NAME=PATH: listener of a recording, or of all recordings below a folder, where the recording and its folder state "
    "none or a wrong one. May be given several times."
)


@dataclass
class Study:
    """Runs that can be used together.

    Attributes
    ----------
    runs : list of Run
        Runs of one or several listeners; names are unique within a listener.
    left_out : list of (str, str)
        Recordings that cannot be used, and the reasons.
    """

    runs: list[Run]
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def leave_out_few(self, protocol: str) -> None:
        """Leave out runs for which a protocol leaves too few training runs.

        Raises
        ------
        EvaluationError
            If no run remains; the message states the required and the available runs.
        """
        from earmark.pipeline.evaluation.splits import few
        from earmark.pipeline.run import EvaluationError

        try:
            drop = set(few(self.runs, protocol))
        except EvaluationError as error:
            raise EvaluationError(f"{error}{self.reasons()}") from None
        why = f"{protocol} leaves too few training runs: that listener, or the others, need more runs"
        self.left_out += [(f"{self.runs[i].name} of {self.runs[i].subject}", why) for i in sorted(drop)]
        self.runs = [run for i, run in enumerate(self.runs) if i not in drop]

    def reasons(self) -> str:
        """Return one line for each recording that was left out, after a line break; empty if there are none."""
        lines = [f"  {what}: {why.removeprefix(what).lstrip(': ')}" for what, why in self.left_out]
        return "\n".join([f"\nLeft out: {len(lines)}", *lines]) if lines else ""

    def print_left_out(self) -> None:
        """Print which recordings were left out, and why, at the end of a command."""
        from earmark.app.terminal.console import console

        if text := self.reasons():
            console.print(text.lstrip(), markup=False, highlight=False)


def read_study(
    paths: Sequence[Path], preset: Preset, subjects: Sequence[str] = (), overrides: Overrides = NOTHING
) -> Study:
    """Read and filter runs, with a progress bar; print the runs of each listener and the share of masked signal.

    A recording that cannot be used is left out with its reason, as long as another one can be used.

    Parameters
    ----------
    paths : sequence of Path
        See :func:`earmark.app.training.runs.find_runs`.
    preset : Preset
        How signals are prepared.
    subjects : sequence of str
        ``NAME=PATH`` each: the listener of a recording or folder, which overrides what recordings and folders state.
    overrides : Overrides
        Settings of the user for raw recordings, which are not yet runs.

    Returns
    -------
    Study

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If a path does not exist, no recording can be used, or there are overrides but no raw recording.
    """
    from earmark.devices.files.bids_sidecars import is_recording
    from earmark.devices.files.decoder_folder import fingerprint
    from earmark.devices.files.recorded_run import RunError

    listeners = parse_subjects(subjects)
    files = find_runs(paths)
    if overrides != NOTHING and not any(is_recording(path) for path in files):
        words = ", ".join(f"--{key.replace('_', '-')}" for key in overrides.to_json())
        raise RunError(f"{words} applies to raw recordings only, but these are all runs. Give it to 'earmark import'")
    found: list[tuple[Path, Run]] = []
    left_out: list[tuple[str, str]] = []
    with progress("Filtering") as advance:
        for done, path in enumerate(files, 1):
            try:
                runs = read_recording(path, preset, overrides)
            except EarmarkError as error:
                left_out.append((str(path), str(error)))
            except OSError as error:
                left_out.append((str(path), f"cannot be read: {error.strerror or error}"))
            else:
                found += [(path, replace(run, subject=named_listener(path, listeners) or run.subject)) for run in runs]
            advance(done, len(files))
    kept = []
    for path, run in found:
        known = float((run.attended >= 0).sum()) / run.sfreq
        if known >= preset.window:
            kept.append((path, run))
        else:
            why = f"attention is known for only {known:.1f} s of it, which is shorter than one decision window"
            left_out.append((f"{run.name} in {path}", f"{why} ({preset.window:g} s)"))
    seen: dict[str, Run] = {}
    dropped: set[int] = set()
    for path, run in kept:
        twin = seen.setdefault(fingerprint(run), run)
        if twin is not run:
            left_out.append((f"{run.name} in {path}", f"it is the same recording as {twin.name} of {twin.subject}"))
            dropped.add(id(run))
    kept = [(path, run) for path, run in kept if id(run) not in dropped]
    if not kept:
        raise RunError("\n".join(dict.fromkeys(why if what in why else f"{what}: {why}" for what, why in left_out)))
    study = Study(_unique_names(kept), left_out)
    _print_summary(study.runs)
    return study


def read_recording(path: Path, preset: Preset, overrides: Overrides = NOTHING) -> list[Run]:
    """Read the runs of a file: one run per trial from a session or a BIDS data set, else a single run."""
    from earmark.app.config.session import ConfigError, parse_config
    from earmark.devices.files.bids import read_bids
    from earmark.devices.files.bids_sidecars import is_recording
    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.recording import SUFFIXES
    from earmark.devices.files.run_file import read_run
    from earmark.devices.files.session_file import SessionFile, is_session
    from earmark.devices.files.session_run import CUES, read_session_runs
    from earmark.devices.files.subjects import SIMULATED

    if is_recording(path):
        return read_bids(path, preset, overrides)
    if path.suffix.lower() in SUFFIXES and path.suffix.lower() != ".xdf":
        raise RunError(
            f"{path} does not state who was attended, and is not part of a BIDS data set: make a run of it with "
            "'earmark import'"
        )
    if not is_session(path):
        return [read_run(path, preset)]
    try:
        about = SessionFile(path).about
        if about.subject == SIMULATED:
            raise RunError(f"{path} is a rehearsal: its listener was simulated")
        attention = parse_config(about.config, f"configuration in {path}", recorded=about.format).attention
    except ConfigError as error:
        raise RunError(str(error)) from None
    if attention is None:
        raise RunError(
            f"{path} was recorded without [attention], so it does not state what was heard: make a run of it with "
            "'earmark import'"
        )
    return read_session_runs(path, preset, attention.neural, attention.talkers, CUES)


def parse_subjects(subjects: Sequence[str]) -> list[tuple[str, Path]]:
    """Return name and path of each option ``--subject NAME=PATH``.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If one has another form, or its path does not exist.
    """
    from earmark.devices.files.recorded_run import RunError

    parsed = []
    for text in subjects:
        name, equals, where = text.partition("=")
        if not (name.strip() and equals and where):
            raise RunError(f"--subject is {text!r}, but must be NAME=PATH")
        if not Path(where).exists():
            raise RunError(f"--subject is {text!r}, but {where} does not exist")
        parsed.append((name.strip(), Path(where).resolve()))
    return parsed


def named_listener(path: Path, listeners: list[tuple[str, Path]]) -> str:
    """Return the listener that the user named for the innermost folder of a path; empty if none."""
    path = path.resolve()
    near = [(len(place.parts), name) for name, place in listeners if path.is_relative_to(place)]
    return max(near)[1] if near else ""


def _unique_names(found: Sequence[tuple[Path, Run]]) -> list[Run]:
    """Prefix the names of recordings with their folder where a listener has several of the same name."""
    names = [(run.subject, run.name) for _, run in found]
    return [
        replace(run, name=f"{path.parent}/{run.name}") if names.count((run.subject, run.name)) > 1 else run
        for path, run in found
    ]


def _print_summary(runs: Sequence[Run]) -> None:
    import numpy as np

    from earmark.app.terminal.console import console

    listeners = sorted({run.subject for run in runs})
    counts = [f"{name} ({sum(run.subject == name for run in runs)})" for name in listeners]
    more = f" and {len(counts) - 20} more" if len(counts) > 20 else ""
    console.print(f"Runs of each listener: {', '.join(counts[:20])}{more}", markup=False, highlight=False)
    masked = [float(np.mean(run.neural[run.attended >= 0] == 0)) for run in runs]
    if any(masked):
        worst = runs[int(np.argmax(masked))].name
        console.print(
            f"Bad channels count as zero: {100 * np.mean(masked):.1f} % of the signal, most in {worst}", markup=False
        )

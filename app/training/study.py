"""Many recordings read for training or evaluation: whose they are, and which of them cannot be used, and why."""

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
    "NAME=PATH: who listened to a recording, or to all below a folder, where neither the recording nor its folder says "
    "it rightly. May be given several times."
)


@dataclass
class Study:
    """Runs that can be used together.

    Attributes
    ----------
    runs : list of Run
        Of one or many listeners; no two of a listener have one name.
    left_out : list of (str, str)
        What was found but cannot be used, and why.
    """

    runs: list[Run]
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def keep_judged(self, protocol: str) -> None:
        """Leave out runs of which a protocol leaves too few to learn from.

        Raises
        ------
        EvaluationError
            If nothing is left; it says what is wanted and what there is.
        """
        from earmark.pipeline.evaluation.splits import few
        from earmark.pipeline.run import EvaluationError

        try:
            drop = set(few(self.runs, protocol))
        except EvaluationError as error:
            raise EvaluationError(f"{error}{self.reasons()}") from None
        why = f"{protocol} leaves too few runs to learn from, since there are too few of that listener or of others"
        self.left_out += [(f"{self.runs[i].name} of {self.runs[i].subject}", why) for i in sorted(drop)]
        self.runs = [run for i, run in enumerate(self.runs) if i not in drop]

    def reasons(self) -> str:
        """Say which recordings were left out, and why, a line each after a line end; nothing if there is none."""
        lines = [f"  {what}: {why.removeprefix(what).lstrip(': ')}" for what, why in self.left_out]
        return "\n".join([f"\nLeft out: {len(lines)}", *lines]) if lines else ""

    def tell(self) -> None:
        """Say which recordings were left out, and why: the last words of a command."""
        from earmark.app.terminal.console import console

        if said := self.reasons():
            console.print(said.lstrip(), markup=False, highlight=False)


def read_study(
    paths: Sequence[Path], preset: Preset, subjects: Sequence[str] = (), overrides: Overrides = NOTHING
) -> Study:
    """Read runs through a preset's filters, with a progress bar; say whose they are and how much of them is masked.

    A recording that cannot be used is left out and named, if there are others.

    Parameters
    ----------
    paths : sequence of Path
        See :func:`earmark.app.training.runs.find_runs`.
    preset : Preset
        How signals are prepared.
    subjects : sequence of str
        ``NAME=PATH`` each: who listened, whatever recordings and folders say.
    overrides : Overrides
        What the user says of recordings that are no runs yet.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If a path is not there, nothing can be used, or something is said of raw recordings and there is none.
    """
    from earmark.devices.files.bids_sidecars import is_recording
    from earmark.devices.files.decoder_folder import fingerprint
    from earmark.devices.files.recorded_run import RunError

    said = _said(subjects)
    files = find_runs(paths)
    if overrides != NOTHING and not any(is_recording(path) for path in files):
        words = ", ".join(f"--{key.replace('_', '-')}" for key in overrides.to_json())
        raise RunError(f"{words}: of no use here, as all of these are runs already. Give it to 'earmark import'")
    found: list[tuple[Path, Run]] = []
    left_out: list[tuple[str, str]] = []
    with progress("Filtering") as told:
        for done, path in enumerate(files, 1):
            try:
                runs = read_recording(path, preset, overrides)
            except EarmarkError as error:
                left_out.append((str(path), str(error)))
            except OSError as error:
                left_out.append((str(path), f"cannot be read: {error.strerror or error}"))
            else:
                found += [(path, replace(run, subject=_listener(path, said) or run.subject)) for run in runs]
            told(done, len(files))
    kept = []
    for path, run in found:
        known = float((run.attended >= 0).sum()) / run.sfreq
        if known >= preset.window:
            kept.append((path, run))
        else:
            why = f"attention is known for {known:.1f} s of it, which is shorter than one decision"
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
    study = Study(_own_names(kept), left_out)
    _say_what_is_doubtful(study.runs)
    return study


def read_recording(path: Path, preset: Preset, overrides: Overrides = NOTHING) -> list[Run]:
    """Read a file, whatever wrote it; one of a session, or of a BIDS data set, gives a run for each trial."""
    from earmark.app.config.session import ConfigError, parse_config
    from earmark.devices.files.bids import read_bids
    from earmark.devices.files.bids_sidecars import is_recording
    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.run_file import read_run
    from earmark.devices.files.session_file import SessionFile, is_session
    from earmark.devices.files.session_run import CUES, read_session_runs

    if is_recording(path):
        return read_bids(path, preset, overrides)
    if not is_session(path):
        return [read_run(path, preset)]
    try:
        attention = parse_config(SessionFile(path).about.config, f"configuration in {path}", live=False).attention
    except ConfigError as error:
        raise RunError(str(error)) from None
    if attention is None:
        raise RunError(f"{path} was recorded without [attention]: it does not say what was heard")
    return read_session_runs(path, preset, attention.neural, attention.talkers, CUES)


def _said(subjects: Sequence[str]) -> list[tuple[str, Path]]:
    from earmark.devices.files.recorded_run import RunError

    said = []
    for text in subjects:
        name, equals, where = text.partition("=")
        if not (name.strip() and equals and where):
            raise RunError(f"--subject is {text!r}, but must be NAME=PATH")
        if not Path(where).exists():
            raise RunError(f"--subject is {text!r}, but {where} is not there")
        said.append((name.strip(), Path(where).resolve()))
    return said


def _listener(path: Path, said: list[tuple[str, Path]]) -> str:
    """Who listened, by what was said of the nearest folder; nothing if nothing was said."""
    path = path.resolve()
    near = [(len(place.parts), name) for name, place in said if path.is_relative_to(place)]
    return max(near)[1] if near else ""


def _own_names(found: Sequence[tuple[Path, Run]]) -> list[Run]:
    """Tell recordings of one listener that have one name apart by where they lie."""
    names = [(run.subject, run.name) for _, run in found]
    return [
        replace(run, name=f"{path.parent}/{run.name}") if names.count((run.subject, run.name)) > 1 else run
        for path, run in found
    ]


def _say_what_is_doubtful(runs: Sequence[Run]) -> None:
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

"""``earmark export``: write recorded sessions in a format of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.kernels.words import counted

if TYPE_CHECKING:
    from earmark.app.config.sound import TalkerConfig
    from earmark.devices.files.bids_contents import Source

export = typer.Typer(no_args_is_help=True)


@export.callback()
def _export() -> None:
    """Write recorded sessions in a format of other programs."""


@export.command()
def bids(
    folder: Annotated[Path, typer.Argument(help="Folder with recordings of sessions, searched with its subfolders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the data set to create.", show_default=False)],
    without_stimuli: Annotated[
        bool,
        typer.Option(
            "--without-stimuli",
            help="Leave out sound and envelopes of the talkers, if a licence forbids to pass them on.",
        ),
    ] = False,
) -> None:
    """Write the calibrations and runs below a folder as a BIDS data set.

    Samples are written as recorded, in float32. 'earmark train' and 'earmark evaluate' read the data set, with the same
    runs as from the recordings. Names of listeners are reduced to letters and digits. What is damaged is left out and
    named at the end. Exit status: 0 written, 1 failed, and nothing was written.
    """
    from earmark.app.terminal.console import console, fail, failures, warn
    from earmark.app.terminal.outputs import must_take_files
    from earmark.app.training.runs import progress
    from earmark.devices.files.bids_export import export_bids

    if not folder.is_dir():
        fail(f"{folder} is not a folder")
    if out.exists():
        fail(f"{out} exists already: move it away, or choose another folder with --out")
    must_take_files(out)
    sources, left_out = [], []
    for path in sorted(folder.rglob("*.xdf")):
        source = _source(path)
        if isinstance(source, str):
            left_out.append(f"{path} is left out: {source}")
        else:
            sources.append(source)
    if not sources:
        fail("\n".join([f"{folder} contains no recording of a session", *left_out]))
    with failures(), progress("Exporting") as advance:
        written, warnings = export_bids(sources, out, not without_stimuli, advance)
    for path, name in written.items():
        console.print(f"{path}: {name}", markup=False, highlight=False)
    for words in (*left_out, *warnings):
        warn(words)
    console.print(f"Wrote {out}: {counted(len(written), 'recording')}", markup=False, highlight=False)


def _source(path: Path) -> Source | str:
    """Return what to export of a recording, or why it cannot be exported."""
    from earmark.app.config.session import parse_config
    from earmark.app.replay.sound import TalkerPositions
    from earmark.devices.files.bids_contents import Source
    from earmark.devices.files.session_file import SessionFile
    from earmark.devices.files.subjects import SIMULATED, listener
    from earmark.kernels.errors import EarmarkError

    try:
        about = SessionFile(path).about
        if about.subject == SIMULATED:
            return "it is a rehearsal: its listener was simulated"
        config = parse_config(about.config, f"configuration in {path}", recorded=about.format)
    except EarmarkError as error:
        return str(error).removeprefix(f"{path} ").removeprefix(f"{path}: ")
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    attention, sound = config.attention, config.sound
    if attention is None:
        return "it was recorded without [attention], so it does not state what was heard"
    source = Source(path, attention.neural, attention.talkers, listener(path, about.subject))
    if sound is None:
        return source
    return source._replace(
        audio={talker.name: file for talker in sound.talkers if (file := _sound_file(path, talker)) is not None},
        positions=lambda heard, at: TalkerPositions(heard, sound.sfreq).at(at),
    )


def _sound_file(recording: Path, talker: TalkerConfig) -> Path | None:
    """Return the sound file of a talker, if it is one and there; paths are relative to the folder of the session."""
    folder = recording.absolute().parent
    files = [Path(talker.talker(place).source) for place in (folder, folder.parent)]
    return next((file for file in files if file.is_file()), None)

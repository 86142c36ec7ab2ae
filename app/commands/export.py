"""``earmark export``: write recorded sessions in a format of other programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    sounds: Annotated[
        list[Path] | None,
        typer.Option(
            "--sounds",
            help="Another folder whose sound files of talkers may be copied; may be repeated. Without it, those below "
            "FOLDER and the bundled speech.",
        ),
    ] = None,
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
    files = _SoundFiles([] if without_stimuli else [folder, *(sounds or [])])
    for path in sorted(folder.rglob("*.xdf")):
        source = _source(path, files)
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
    for words in (*left_out, *files.warnings.values(), *warnings):
        warn(words)
    console.print(f"Wrote {out}: {counted(len(written), 'recording')}", markup=False, highlight=False)


def _source(path: Path, files: _SoundFiles) -> Source | str:
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
        audio={talker.name: file for talker in sound.talkers if (file := files.find(path, talker)) is not None},
        positions=lambda heard, at: TalkerPositions(heard, sound.sfreq).at(at),
    )


class _SoundFiles:
    """Finds the sound files of talkers, and keeps out what a recording of others could name: any file of this machine.

    Parameters
    ----------
    folders : sequence of Path
        Where files may be, besides the bundled speech; nothing is found without any.

    Attributes
    ----------
    warnings : dict of Path to str
        Why files are not copied.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self.warnings: dict[Path, str] = {}

    def find(self, recording: Path, talker: TalkerConfig) -> Path | None:
        """Return the sound file of a talker, if it may be copied; paths are relative to the folder of the session."""
        from earmark.app.config.sound import SPEECH
        from earmark.devices.audio.scene import LIVE, PLACE

        if not self._folders or talker.source.startswith((*LIVE, PLACE)):
            return None
        folder = recording.absolute().parent
        files = [Path(talker.talker(place).source) for place in (folder, folder.parent)]
        file = next((one for one in files if os.path.isfile(one)), None)  # Path.is_file raises if the name is too long
        if file is None or file in self.warnings:
            return None
        if not any(file.resolve().is_relative_to(place) for place in (*self._folders, SPEECH.resolve())):
            why = f"it is outside {self._folders[0]}: if it may be passed on, name its folder with --sounds"
        elif problem := _no_sound(file):
            why = f"it is not sound ({problem})"
        else:
            return file
        self.warnings[file] = f"{file}, talker {talker.name!r} of {recording}, is not copied: {why}"
        return None


def _no_sound(file: Path) -> str:
    """Return why a file is not sound; empty if it is."""
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            return "" if sound.frames else "it has no samples"
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: raw samples, by their suffix
        return str(error)

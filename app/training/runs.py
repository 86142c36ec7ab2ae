"""Shared by the commands train and evaluate: find runs, make decoders by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from earmark.pipeline.decoders.decoder import Decoder
    from earmark.pipeline.decoders.presets import Preset


class PresetName(StrEnum):
    """Presets of ``earmark.pipeline.decoders.presets``."""

    EEG = "eeg"
    IEEG = "ieeg"


#: Help of the option that names a kind of decoder.
KIND_HELP = (
    "Kind of decoder: filterbank, linear, cca, matcher, vlaai, eegnet, or one from an installed package; default: "
    "filterbank for eeg, linear for ieeg."
)
RUNS_HELP = (
    "Runs made by 'earmark import', recordings of a session, recordings of a BIDS data set, folders of any of them, or "
    "quoted patterns."
)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Find recordings by path, pattern or folder.

    Parameters
    ----------
    paths : sequence of Path
        Files, glob patterns, and folders that are searched for runs or BIDS recordings.

    Returns
    -------
    list of Path
        In the order of ``paths``; matches of one pattern or folder are sorted.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If a path does not exist, a pattern matches nothing, a folder contains no run, or a run is found twice.
    """
    import glob

    from earmark.devices.files.bids import find_recordings
    from earmark.devices.files.bids_sidecars import ROOT_FILE
    from earmark.devices.files.recorded_run import RunError

    found: dict[Path, Path] = {}
    for path in paths:
        is_pattern = not path.exists() and glob.has_magic(str(path))
        matches = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))] if is_pattern else [path]
        if not matches:
            raise RunError(f"{path} matches no file")
        for match in matches:
            inside = [match]
            if match.is_dir():
                inside = find_recordings(match) or sorted(match.rglob("*.xdf"))
            elif not match.exists():
                raise RunError(f"{match}: no such file")
            if not inside:
                raise RunError(
                    f"{match} contains no .xdf file, and no sub-*_eeg or sub-*_ieeg recording below a {ROOT_FILE}"
                )
            for one in inside:
                if found.setdefault(one.resolve(), one) is not one:
                    raise RunError(f"{one} is given twice: leave one out")
    return list(found.values())


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal; yield a function of the number of finished steps and their total."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from earmark.app.terminal.console import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def decoder_kind(name: str | None) -> str | None:
    """Check the name of a kind of decoder on the command line, and return it; None if there is none.

    Raises
    ------
    typer.BadParameter
        If there is no such kind; the message is that of the registry.
    """
    from earmark.pipeline.decoders.decoder import DECODERS
    from earmark.pipeline.registry import RegistryError

    try:
        return None if name is None else DECODERS.part(name).name
    except RegistryError as error:
        raise typer.BadParameter(str(error)) from None


def decoder_class(kind: str) -> type[Decoder]:
    """Import the class of a kind of decoder.

    Raises
    ------
    earmark.pipeline.decoders.decoder.DecoderError
        If there is no such kind, or its package is faulty.
    MissingExtra
        If it is a network, and PyTorch is not installed.
    """
    from earmark.kernels.extras import require
    from earmark.pipeline.decoders.decoder import DECODERS, NETWORKS, DecoderError
    from earmark.pipeline.registry import RegistryError

    if kind in NETWORKS:
        require("networks", f"the decoder {kind} is a network, which needs PyTorch")
    try:
        found = DECODERS.get(kind)
    except RegistryError as error:
        raise DecoderError(str(error)) from None
    if found.kind != kind:
        raise DecoderError(
            f"{DECODERS.part(kind).target} is registered as decoder {kind!r}, but its 'kind' is {found.kind!r}: give "
            "both the same name, or its saved decoders cannot be loaded"
        )
    return found


def decoder_preset(kind: str, preset: Preset) -> Preset:
    """Return the preset for a kind of decoder: networks use a longer window."""
    return decoder_class(kind).preset_for(preset)


def maker(kind: str, preset: Preset, **settings: Any) -> Callable[[], Decoder]:
    """Return a picklable function that makes a new decoder at each call, with further settings of its constructor."""
    found = decoder_class(kind)
    return partial(found, found.preset_for(preset), **settings)

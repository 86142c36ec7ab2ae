"""What train and evaluate have in common: runs found and read, decoders made by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.decoders.cca import CcaDecoder
    from pipeline.decoders.linear import LinearDecoder
    from pipeline.decoders.presets import Preset
    from pipeline.run import Run


class DecoderKind(StrEnum):
    """Decoders that can be trained."""

    LINEAR = "linear"
    CCA = "cca"


class PresetName(StrEnum):
    """Presets of ``pipeline.decoders.presets``."""

    EEG = "eeg"
    IEEG = "ieeg"


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and every .xdf below the folders among them, sorted.

    Raises
    ------
    devices.run_file.RunError
        If a path is not there or a folder holds no run.
    """
    from devices.run_file import RunError

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*.xdf"))
            if not inside:
                raise RunError(f"{path} holds no .xdf file")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise RunError(f"{path}: no such file")
    twice = [path for i, path in enumerate(found) if path.resolve() in {p.resolve() for p in found[:i]}]
    if twice:
        raise RunError(f"{twice[0]} is given twice")
    return found


def read_runs(paths: Sequence[Path], preset: Preset) -> list[Run]:
    """Read runs through a preset's filters, with a progress bar."""
    from rich.progress import track

    from app.console import console
    from devices.run_file import read_run

    files = find_runs(paths)
    hidden = not console.is_terminal
    return [
        read_run(path, preset)
        for path in track(files, description="Filtering runs", console=console, disable=hidden, transient=True)
    ]


def maker(kind: DecoderKind, preset: Preset) -> Callable[[], LinearDecoder | CcaDecoder]:
    """Return something that makes a new decoder each time, here or in another process."""
    from pipeline.decoders.cca import CcaDecoder
    from pipeline.decoders.linear import LinearDecoder

    return partial(LinearDecoder if kind is DecoderKind.LINEAR else CcaDecoder, preset)

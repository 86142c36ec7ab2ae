"""What train and evaluate have in common: runs found and read, decoders made by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.devices.files.decoder_folder import AnyDecoder
    from earmark.pipeline.decoders.presets import Preset


class DecoderKind(StrEnum):
    """Decoders that can be trained."""

    LINEAR = "linear"
    CCA = "cca"
    MATCHER = "matcher"
    VLAAI = "vlaai"
    EEGNET = "eegnet"

    @property
    def network(self) -> bool:
        """Whether it is a network."""
        return self not in (DecoderKind.LINEAR, DecoderKind.CCA)


class PresetName(StrEnum):
    """Presets of ``earmark.pipeline.decoders.presets``."""

    EEG = "eeg"
    IEEG = "ieeg"


RUNS_HELP = (
    "Runs made by 'earmark import', recordings of a session, recordings of a BIDS data set, folders of any of them, or "
    "quoted patterns."
)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Files as given or matched by a pattern, and all runs or BIDS recordings below folders, sorted in each.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If a path is not there, a pattern matches nothing, a folder holds no run, or a run is found twice.
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
            raise RunError(f"{path} matches nothing")
        for match in matches:
            inside = [match]
            if match.is_dir():
                inside = find_recordings(match) or sorted(match.rglob("*.xdf"))
            elif not match.exists():
                raise RunError(f"{match}: no such file")
            if not inside:
                raise RunError(
                    f"{match} holds no .xdf file, and no sub-*_eeg or sub-*_ieeg recording below a {ROOT_FILE}"
                )
            for one in inside:
                if found.setdefault(one.resolve(), one) is not one:
                    raise RunError(f"{one} is given twice")
    return list(found.values())


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal; give something that is told how many are done, and of how many."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from earmark.app.terminal.console import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def decoder_preset(kind: DecoderKind, preset: Preset) -> Preset:
    """Preset of a decoder of this kind: networks want a longer window."""
    if not kind.network:
        return preset
    need_torch(kind)
    from earmark.pipeline.decoders.network_decoder import network_preset

    return network_preset(preset)


def maker(kind: DecoderKind, preset: Preset, **settings: Any) -> Callable[[], AnyDecoder]:
    """Return something that makes a new decoder each time, here or in another process; settings are for networks."""
    if kind.network:
        need_torch(kind)
        from earmark.pipeline.decoders.baselines import EegNetDecoder, VlaaiDecoder
        from earmark.pipeline.decoders.matcher import MatcherDecoder

        classes = {cls.kind: cls for cls in (MatcherDecoder, VlaaiDecoder, EegNetDecoder)}
        return partial(classes[kind.value], decoder_preset(kind, preset), **settings)
    from earmark.pipeline.decoders.cca import CcaDecoder
    from earmark.pipeline.decoders.linear import LinearDecoder

    return partial(LinearDecoder if kind is DecoderKind.LINEAR else CcaDecoder, preset)


def need_torch(kind: DecoderKind) -> None:
    """Refuse a network where PyTorch is not installed, naming the extra.

    Raises
    ------
    MissingExtra
        If it is not.
    """
    from earmark.kernels.extras import require

    require("networks", f"the decoder {kind.value} is a network, which needs PyTorch")

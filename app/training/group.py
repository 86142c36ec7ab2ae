"""The mean over other listeners, read from their runs or from a decoder that was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.kernels.words import counted

if TYPE_CHECKING:
    from earmark.devices.files.decoder_folder import Facts
    from earmark.pipeline.decoders.group import Group
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.run import Run

GROUP_HELP = (
    "Filter bank: mix in the mean over other listeners with the same cap, so that a short calibration is enough. A "
    "folder with their runs, or a decoder that was trained on them."
)


def lend(runs: Sequence[Run], preset: Preset) -> Group | None:
    """Return the mean over the listeners of runs; None if there is only one.

    Raises
    ------
    earmark.pipeline.decoders.decoder.DecoderError, earmark.pipeline.run.EvaluationError
        If a listener has too little data.
    """
    return _mean(runs, preset) if len({run.subject for run in runs}) > 1 else None


def _mean(runs: Sequence[Run], preset: Preset) -> Group:
    """Return the mean over the listeners of runs; a listener's only run is cut into pieces."""
    from earmark.pipeline.decoders.filterbank import group_of
    from earmark.pipeline.evaluation.splits import learnable

    subjects = dict.fromkeys(run.subject for run in runs)
    own = [learnable([run for run in runs if run.subject == subject]) for subject in subjects]
    return group_of([run for some in own for run in some], preset)


def read_lent(folder: Path, preset: Preset) -> tuple[Group, Facts]:
    """Read the mean over the listeners that a decoder was trained on, and the facts of the decoder.

    Raises
    ------
    earmark.pipeline.decoders.decoder.DecoderError
        If it cannot be read, is not a filter bank of several listeners, or has other signals.
    """
    from earmark.devices.files.decoder_folder import load_decoder
    from earmark.pipeline.decoders.decoder import DecoderError
    from earmark.pipeline.decoders.filterbank import FilterBankDecoder

    decoder, facts = load_decoder(folder)
    if not isinstance(decoder, FilterBankDecoder) or decoder.lent is None:
        raise DecoderError(
            f"group: {folder} is not a filter bank that was trained on two listeners or more: train one with "
            "'earmark train'"
        )
    if decoder.preset.signals != preset.signals:
        raise DecoderError(f"group: {folder} needs {decoder.preset.signals}, but here they are {preset.signals}")
    return decoder.lent, facts


def read_group(path: Path, runs: Sequence[Run], preset: Preset) -> Group:
    """Read the mean over other listeners; the listeners of the given runs are left out of it.

    Parameters
    ----------
    path : Path
        Folder with runs, or of a decoder.
    runs : sequence of Run
        Runs of the listener to train for.
    preset : Preset

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If there is no other listener, or a decoder was trained on these runs, or on a single listener.
    earmark.pipeline.decoders.decoder.DecoderError
        If a decoder is not a filter bank, or has other signals or channels.
    """
    from earmark.app.terminal.console import console
    from earmark.app.training.study import read_study
    from earmark.devices.files.decoder_folder import TEXT, fingerprint
    from earmark.devices.files.recorded_run import RunError
    from earmark.pipeline.decoders.decoder import DecoderError

    if (path / TEXT).exists():
        found, facts = read_lent(path, preset)
        seen = [run.name for run in runs if fingerprint(run) in facts.fingerprints]
        if seen:
            raise RunError(
                f"group: {path} was trained on {', '.join(seen)}, so the accuracy measured there would mean nothing: "
                "name a decoder of other listeners, or the folder with all runs"
            )
    else:
        others = {run.subject for run in runs}
        there = [run for run in read_study([path], preset).runs if run.subject not in others]
        if not there:
            raise RunError(f"group: {path} has no runs of another listener")
        found = _mean(there, preset)
    try:
        found.check(runs[0].ch_names)
    except DecoderError as error:
        raise DecoderError(f"group: {path}: {error}") from None
    console.print(f"Mixed in: the mean over {counted(found.n_listeners, 'other listener')}, from {path}", markup=False)
    return found

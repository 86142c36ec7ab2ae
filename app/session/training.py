"""A decoder from the calibration of a session."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from earmark.app.config.protocol import Cue, ProtocolError
from earmark.app.config.session import AttentionConfig
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.files.session_run import REORIENT_S
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.emissions import MIN_WINDOWS
from earmark.pipeline.decoders.presets import PRESETS


class TrainingError(EarmarkError):
    """Raised when no decoder can be trained on a calibration."""


def refuse_short(cues: Sequence[Cue], attention: AttentionConfig) -> None:
    """Say beforehand what training would say afterwards: too little to judge a decoder by.

    Raises
    ------
    ProtocolError
        If the trials do not hold enough decision windows.
    """
    preset = PRESETS[attention.preset]
    lost = REORIENT_S + preset.tmax
    ends = [at for at, _ in cues[1:]]
    spans = [end - at for (at, name), end in zip(cues, ends, strict=False) if name]
    n = sum(max(0, int((span - lost) / preset.window)) for span in spans)
    if n < MIN_WINDOWS:
        raise ProtocolError(
            f"the trials hold {n} decision windows of {preset.window:g} s, but there must be {MIN_WINDOWS} or "
            f"more: of each trial the first {lost:.3g} s do not count; make n_trials or trial_s larger"
        )


def train(files: Sequence[Path], attention: AttentionConfig, cues: str, out: Path) -> Facts:
    """Train on the files of a calibration, judge by cross-validation, save.

    Raises
    ------
    TrainingError
        If no decoder can be made of them.
    """
    from earmark.app.training.fit import train_and_save
    from earmark.app.training.runs import maker
    from earmark.devices.files.session_run import read_session_runs

    preset = PRESETS[attention.preset]
    names = attention.neural, attention.talkers, cues
    try:
        runs = [run for file in files for run in read_session_runs(file, preset, *names)]
        facts = train_and_save(runs, maker("linear", preset), preset, out)
    except EarmarkError as error:
        raise TrainingError(f"no decoder could be made of {files[0]}: {error}") from error
    if facts.emissions is None:
        shutil.rmtree(out)
        raise TrainingError(
            f"no decoder could be made of {files[0]}: {facts.n_decisions} decisions in {len(runs)} trials, but "
            f"{MIN_WINDOWS} in three or more are needed"
        )
    return facts

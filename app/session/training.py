"""Training of a decoder on the calibration of a session."""

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
from earmark.pipeline.decoders.presets import DEFAULT_DECODER, PRESETS
from earmark.pipeline.evaluation.learning_curve import LEAST_RUNS


class TrainingError(EarmarkError):
    """Raised when a calibration does not suffice to train a decoder."""


def refuse_few(trials: Sequence[tuple[float, float]], attention: AttentionConfig) -> None:
    """Refuse trials, from start to end in s, that do not suffice to train and evaluate a decoder.

    Raises
    ------
    TrainingError
        If there are too few trials, or decision windows in them.
    """
    window, n = PRESETS[attention.preset].window, _n_windows([end - start for start, end in trials], attention)
    if len(trials) < LEAST_RUNS or n < MIN_WINDOWS:
        raise TrainingError(
            f"it is too early: the trials so far are {len(trials)}, with {n} decision windows of {window:g} s, but "
            f"a decoder needs at least {LEAST_RUNS} trials with {MIN_WINDOWS} windows"
        )


def _n_windows(spans: Sequence[float], attention: AttentionConfig) -> int:
    """Return the number of decision windows in trials of these lengths in s."""
    preset = PRESETS[attention.preset]
    return sum(max(0, int((span - _lost_s(attention)) / preset.window)) for span in spans)


def _lost_s(attention: AttentionConfig) -> float:
    """Return the seconds at the beginning of each trial that do not count."""
    return REORIENT_S + PRESETS[attention.preset].tmax


def refuse_short(cues: Sequence[Cue], attention: AttentionConfig) -> None:
    """Refuse a calibration whose trials are too short, before it starts rather than when it is trained on.

    Raises
    ------
    ProtocolError
        If the trials contain fewer decision windows than the evaluation of a decoder needs.
    """
    preset = PRESETS[attention.preset]
    ends = [at for at, _ in cues[1:]]
    spans = [end - at for (at, name), end in zip(cues, ends, strict=False) if name]
    n = _n_windows(spans, attention)
    if n < MIN_WINDOWS:
        raise ProtocolError(
            f"the trials hold {n} decision windows of {preset.window:g} s, but at least {MIN_WINDOWS} are needed "
            f"(the first {_lost_s(attention):.3g} s of each trial do not count): increase n_trials or trial_s"
        )


def train(files: Sequence[Path], attention: AttentionConfig, cues: str, out: Path, group: Path | None = None) -> Facts:
    """Train a decoder on the files of a calibration, cross-validate it, and save it in the folder ``out``.

    Parameters
    ----------
    files : sequence of Path
        The recording and its continuations.
    attention : AttentionConfig
        Names the streams of electrodes and talkers, and the preset.
    cues : str
        Name of the stream of cues.
    out : Path
        New folder for the decoder.
    group : Path, optional
        Folder of a decoder that was trained on other listeners, whose mean is mixed in.

    Returns
    -------
    Facts
        Cross-validated performance of the decoder.

    Raises
    ------
    TrainingError
        If no decoder can be trained on these files.
    """
    from earmark.app.training.fit import train_and_save
    from earmark.app.training.group import read_group
    from earmark.app.training.runs import maker
    from earmark.devices.files.session_run import read_session_runs

    preset = PRESETS[attention.preset]
    names = attention.neural, attention.talkers, cues
    try:
        runs = [run for file in files for run in read_session_runs(file, preset, *names)]
        others = {} if group is None else {"group": read_group(group, runs, preset)}
        kind = "filterbank" if others else DEFAULT_DECODER[preset.name]
        facts = train_and_save(runs, maker(kind, preset, **others), preset, out)
    except EarmarkError as error:
        raise TrainingError(f"no decoder could be trained on {files[0]}: {error}") from error
    if facts.emissions is None:
        shutil.rmtree(out)
        raise TrainingError(
            f"no decoder could be trained on {files[0]}: it holds {facts.n_decisions} decisions in {len(runs)} trials, "
            f"but at least {MIN_WINDOWS} decisions in at least three trials are needed: record a longer calibration"
        )
    return facts

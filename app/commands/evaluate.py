"""``earmark evaluate``: measure how accurately attention is decoded, with the uncertainty."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.commands.options import Bads, Channels, ChType, Sfreq, Unit, overrides
from earmark.app.terminal.console import JsonFile
from earmark.app.training.runs import KIND_HELP, RUNS_HELP, PresetName, decoder_kind
from earmark.app.training.study import SUBJECT_HELP
from earmark.kernels.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earmark.app.training.study import Study
    from earmark.devices.sources.overrides import Overrides
    from earmark.pipeline.evaluation.results import Evaluation
    from earmark.pipeline.run import Run


class ProtocolName(StrEnum):
    """Cross-validation protocols of ``earmark.pipeline.evaluation.splits``."""

    LORO = "leave-one-run-out"
    LOSO = "leave-one-subject-out"
    LOPEO = "leave-one-paired-envelope-out"
    LOSEO = "leave-one-subject-and-envelope-out"


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help=RUNS_HELP)],
    decoder: Annotated[
        Path | None,
        typer.Option(help="Evaluate this trained decoder on runs it has not seen, instead of training one."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="NAME", callback=decoder_kind, help=f"{KIND_HELP} It is trained in each fold.")
    ] = None,
    preset: Annotated[PresetName, typer.Option(help="Settings of preprocessing and decoding.")] = PresetName.EEG,
    protocol: Annotated[ProtocolName, typer.Option(help="What is left out of training.")] = ProtocolName.LORO,
    window: Annotated[
        list[float] | None,
        typer.Option(help="Decision windows in seconds; default 1 2 5 10 20 30, as far as runs are long enough."),
    ] = None,
    subject: Annotated[list[str] | None, typer.Option(metavar="NAME=PATH", help=SUBJECT_HELP)] = None,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    workers: Annotated[int, typer.Option(help="Number of processes on this machine.", min=1)] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
    json_file: JsonFile = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page to this file.")] = None,
) -> None:
    """Cross-validate a decoder: accuracy and switch times.

    Accuracy is reported with its chance limit and a null distribution; posteriors with their calibration, except for
    networks. All processing, including filters and penalties, is causal and fitted inside each fold. Windows do not
    overlap. The file has the same figures as the terminal. Runs that cannot be used are left out and listed at the end.
    Leave-one-run-out needs three runs per listener; posteriors and the switch times computed from them need four. Exit
    status: 0 done, 1 failed, or no run can be used.
    """
    from earmark.app.report.html import report_html
    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.app.training.runs import decoder_class, maker, progress
    from earmark.app.training.study import read_study
    from earmark.devices.files.corpus import evaluate_corpus, executor
    from earmark.pipeline.attention.evidence import EvidenceConfig
    from earmark.pipeline.decoders.presets import DEFAULT_DECODER, PRESETS
    from earmark.pipeline.evaluation.splits import TRAINED_ELSEWHERE

    must_be_writable(json_file, html)
    kind = kind or DEFAULT_DECODER[preset.value]
    with failures():
        words = overrides(unit, ch_type, channels, bads, sfreq)
        if decoder is None:
            chosen = PRESETS[preset.value]
            study, make = read_study(runs, chosen, subject or (), words), maker(kind, chosen)
            study.leave_out_few(protocol.value)
        else:
            study, make = _unseen(runs, decoder, subject or (), words)
        loaded = study.runs
        windows = tuple(window) if window else _windows(loaded)
        config = EvidenceConfig(n_talkers=len(loaded[0].talker_names), hop_s=1.0, window_s=1.0)
        # Evidence needs one training for each pair of runs, which takes a network hours.
        fast = decoder is None and not decoder_class(kind).by_epochs
        evidence = config if fast and _enough(loaded, protocol.value, config.window_s) else None
        with progress("Evaluating") as on_progress:
            found = evaluate_corpus(
                loaded,
                make,
                protocol.value if decoder is None else TRAINED_ELSEWHERE,
                windows,
                seed=seed,
                evidence=evidence,
                by=executor(workers, scheduler),
                progress=on_progress,
            )
    _show(found)
    if fast and evidence is None:
        console.print(
            "Not measured: posteriors, and the switch times computed from them. They leave one more run out of each "
            "training: with leave-one-run-out, they need four runs per listener",
            markup=False,
        )
    figures = {**found.to_json(), "decoder": str(decoder) if decoder else kind, "preset": preset.value}
    write_json(json_file, figures)
    try:
        if html is not None:
            html.write_text(report_html(figures), encoding="utf-8")
            console.print(f"Wrote {html}", markup=False)
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
    study.print_left_out()


def _windows(runs: Sequence[Run]) -> tuple[float, ...]:
    """Return the decision windows that fit twice into a run of median length, so that one short run is ignored."""
    from statistics import median

    from earmark.pipeline.evaluation.evaluate import WINDOWS

    half = median(run.duration for run in runs) / 2
    return tuple(w for w in WINDOWS if w <= half) or WINDOWS[:1]


def _enough(runs: Sequence[Run], protocol: str, window_s: float) -> bool:
    """Whether every training set is large enough to repeat the protocol in it, as emissions of the evidence need."""
    from earmark.pipeline.attention.emissions import MIN_WINDOWS
    from earmark.pipeline.evaluation.splits import few, plan
    from earmark.pipeline.run import EvaluationError

    try:
        for fold in plan(runs, protocol):
            train = [runs[i] for i in fold.train]
            known = [int((run.attended >= 0).sum() / (run.sfreq * window_s)) for run in train]
            if few(train, protocol) or sum(known) < 2 * MIN_WINDOWS:
                return False
    except EvaluationError:
        return False
    return True


def _unseen(paths: Sequence[Path], folder: Path, subjects: Sequence[str], words: Overrides) -> tuple[Study, Any]:
    from functools import partial

    from earmark.app.training.study import read_study
    from earmark.app.training.trained import Trained
    from earmark.devices.files.decoder_folder import fingerprint, load_decoder
    from earmark.devices.files.recorded_run import RunError

    trained, facts = load_decoder(folder)
    study = read_study(paths, trained.preset, subjects, words)
    seen = [run.name for run in study.runs if fingerprint(run) in facts.fingerprints]
    if seen:
        raise RunError(
            f"the decoder was trained on {', '.join(seen)}, so its accuracy there means nothing: leave these runs "
            "out, or give no --decoder, to cross-validate"
        )
    for run in study.runs:
        trained.spec.check_run(run)
    return study, partial(Trained, trained)


def _show(found: Evaluation) -> None:
    import math

    from rich.table import Table

    from earmark.app.terminal.console import console

    def shown(value: float, digits: int = 1) -> str:
        return "-" if math.isnan(value) else f"{value:.{digits}f}"

    title = f"{found.protocol}: {counted(len(found.subjects), 'listener')}, {counted(found.n_runs, 'run')}"
    table = Table(title=title)
    for column in ("window s", "accuracy %", "n", "chance limit %", "null %", "expected %", "d′", "bit/min"):
        table.add_column(column, justify="right")
    for w in found.windows:
        spread = f" ± {100 * found.accuracy_sd[w]:.1f}" if len(found.subjects) > 1 else ""
        table.add_row(
            f"{w:g}",
            f"{100 * found.accuracy[w]:.1f}{spread}",
            str(found.n_windows[w]),
            *(shown(100 * v[w]) for v in (found.chance_limit, found.null_accuracy, found.expected_accuracy)),
            f"{shown(found.dprime[w], 2)} ± {shown(found.dprime_se[w], 2)}",
            shown(found.itr[w], 2),
        )
    table.caption = (
        "chance limit: accuracy that guessing reaches one time in twenty (p = 0.05) with n decisions. "
        "null: accuracy with talkers shifted in time. expected: extrapolated from the shortest window. d′: mean of the "
        "difference between attended and ignored talkers divided by its standard deviation, ± standard error."
    )
    console.print(table)
    if found.dprime_by_component:
        bands = (f"{name} {shown(d.value, 2)} ± {shown(d.se, 2)}" for name, d in found.dprime_by_component.items())
        console.print(f"d′ of each band alone, in windows of {found.windows[0]:g} s: {', '.join(bands)}", markup=False)
    console.print(
        f"r attended {shown(found.r_attended, 3)}, ignored {shown(found.r_ignored, 3)}; MESD {shown(found.mesd_s)} s; "
        f"switches followed {found.n_followed} of {found.n_switches}"
    )
    if found.reliability is not None:
        console.print(
            f"Posterior: correct {shown(100 * found.posterior_accuracy)} % of the time, calibration error "
            f"{shown(found.ece, 3)}; with the {found.smoothing_s:g} s that follow, "
            f"{shown(100 * found.smoothed_accuracy)} % and {shown(found.smoothed_ece, 3)}"
        )

"""``earmark evaluate``: how well attention is decoded, and how sure that is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.runs import RUNS_HELP, DecoderKind, PresetName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pipeline.evaluation import Evaluation
    from pipeline.run import Run


class ProtocolName(StrEnum):
    """Protocols of ``pipeline.splits``."""

    LORO = "leave-one-run-out"
    LOSO = "leave-one-subject-out"
    LOPEO = "leave-one-paired-envelope-out"
    LOSEO = "leave-one-subject-and-envelope-out"


class Trained:
    """A decoder that has learned already: fitting leaves it as it is."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.spec = decoder.spec
        self.project_neural, self.project_talkers = decoder.project_neural, decoder.project_talkers
        self.combine, self.score = decoder.combine, decoder.score

    def fit(self, runs: Sequence[Run]) -> Self:
        """Learn nothing; only see that the runs fit.

        Raises
        ------
        pipeline.decoders.decoder.DecoderMismatch
            If they do not.
        """
        for run in runs:
            self.spec.check_run(run)
        return self


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help=RUNS_HELP)],
    decoder: Annotated[
        Path | None, typer.Option(help="Judge this trained decoder on runs it has not seen, instead of training.")
    ] = None,
    kind: Annotated[DecoderKind, typer.Option(help="Kind of decoder to train in each fold.")] = DecoderKind.LINEAR,
    preset: Annotated[PresetName, typer.Option(help="How signals are prepared and decoded.")] = PresetName.EEG,
    protocol: Annotated[ProtocolName, typer.Option(help="What is left out of training.")] = ProtocolName.LORO,
    window: Annotated[
        list[float] | None, typer.Option(help="Decision windows in seconds; default 1 2 5 10 20 30.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes on this machine.", min=1)] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page to this file.")] = None,
) -> None:
    """Cross-validate: accuracy by window with its threshold and a null, switch times, calibration.

    Everything, filters and penalties included, is causal and fitted inside the fold. Windows do not overlap. The
    numbers printed are the numbers in the file. For networks there is no calibration of posteriors. Exit status: 0
    done, 1 something does not fit.
    """
    import json

    from app.console import console, fail
    from app.report_html import report_html
    from app.runs import maker, progress, read_runs
    from devices.corpus import evaluate_corpus, executor
    from devices.recorded_run import RunError
    from pipeline.decoders.decoder import DecoderError
    from pipeline.decoders.presets import PRESETS
    from pipeline.evaluate import WINDOWS
    from pipeline.evidence import EvidenceConfig
    from pipeline.splits import TRAINED_ELSEWHERE
    from pipeline.stream import WiringError

    try:
        if decoder is None:
            chosen = PRESETS[preset.value]
            loaded, make = read_runs(runs, chosen), maker(kind, chosen)
        else:
            loaded, make = _unseen(runs, decoder)
        shortest = min(run.duration for run in loaded)
        windows = tuple(window) if window else tuple(w for w in WINDOWS if w <= shortest / 2)
        config = EvidenceConfig(n_talkers=len(loaded[0].talker_names), hop_s=1.0, window_s=1.0)
        # Evidence takes a training for each pair of runs: for a network, hours.
        fast = decoder is None and not kind.network
        evidence = config if fast and _enough(loaded, protocol.value) else None
        with progress("Evaluating") as told:
            found = evaluate_corpus(
                loaded,
                make,
                protocol.value if decoder is None else TRAINED_ELSEWHERE,
                windows,
                seed=seed,
                evidence=evidence,
                by=executor(workers, scheduler),
                progress=told,
            )
    except (RunError, DecoderError, WiringError, ValueError, ImportError, OSError) as error:
        fail(str(error))
    _show(found)
    figures = {**found.to_json(), "decoder": str(decoder) if decoder else kind.value, "preset": preset.value}
    try:
        if json_file is not None:
            json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            console.print(f"Wrote {json_file}", markup=False)
        if html is not None:
            html.write_text(report_html(figures), encoding="utf-8")
            console.print(f"Wrote {html}", markup=False)
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")


def _enough(runs: Sequence[Run], protocol: str) -> bool:
    """Whether the protocol can be repeated within every training set, as emissions of the evidence need."""
    from pipeline.splits import plan

    try:
        for fold in plan(runs, protocol):
            plan([runs[i] for i in fold.train], protocol)
    except ValueError:
        return False
    return True


def _unseen(paths: Sequence[Path], folder: Path) -> tuple[list[Run], Any]:
    from functools import partial

    from app.runs import read_runs
    from devices.decoder_folder import fingerprint, load_decoder
    from devices.recorded_run import RunError

    trained, facts = load_decoder(folder)
    loaded = read_runs(paths, trained.preset)
    seen = [run.name for run in loaded if fingerprint(run) in facts.fingerprints]
    if seen:
        raise RunError(f"the decoder was trained on {', '.join(seen)}: its accuracy there means nothing. Leave it out")
    for run in loaded:
        trained.spec.check_run(run)
    return loaded, partial(Trained, trained)


def _show(found: Evaluation) -> None:
    import math

    from rich.table import Table

    from app.console import console

    def shown(value: float, digits: int = 1) -> str:
        return "-" if math.isnan(value) else f"{value:.{digits}f}"

    title = f"{found.protocol}: {len(found.subjects)} listener(s), {found.n_runs} run(s)"
    table = Table(title=title)
    for column in ("window s", "accuracy %", "n", "threshold %", "null %", "expected %", "bit/min"):
        table.add_column(column, justify="right")
    for w in found.windows:
        spread = f" ± {100 * found.accuracy_sd[w]:.1f}" if len(found.subjects) > 1 else ""
        table.add_row(
            f"{w:g}",
            f"{100 * found.accuracy[w]:.1f}{spread}",
            str(found.n_windows[w]),
            *(shown(100 * v[w]) for v in (found.threshold, found.null_accuracy, found.expected_accuracy)),
            shown(found.itr[w], 2),
        )
    table.caption = (
        "threshold: what guessing reaches one time in twenty with n decisions. null: talkers shifted in time. "
        "expected: from the shortest window."
    )
    console.print(table)
    console.print(
        f"r attended {shown(found.r_attended, 3)}, ignored {shown(found.r_ignored, 3)}; MESD {shown(found.mesd_s)} s; "
        f"calibration error {shown(found.ece, 3)}; switches followed {found.n_followed} of {found.n_switches}"
    )

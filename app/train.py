"""``earmark train``: a decoder from runs, with what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.runs import RUNS_HELP, DecoderKind, PresetName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from devices.decoder_folder import Facts
    from pipeline.decoders.cca import CcaDecoder
    from pipeline.decoders.linear import LinearDecoder
    from pipeline.decoders.presets import Preset
    from pipeline.emissions import Emissions
    from pipeline.run import Run

    Maker = Callable[[], LinearDecoder | CcaDecoder]


def train(
    runs: Annotated[list[Path], typer.Argument(help=RUNS_HELP)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the decoder to.", show_default=False)],
    preset: Annotated[PresetName, typer.Option(help="How signals are prepared and decoded.")] = PresetName.EEG,
    decoder: Annotated[DecoderKind, typer.Option(help="Kind of decoder.")] = DecoderKind.LINEAR,
) -> None:
    """Train a decoder, judge it by cross-validation, and save it with that figure.

    The figure is by leaving out one run at a time, everything fitted inside the fold; it needs three runs of a
    listener, and with fewer it is said to be not measured. Exit status: 0 trained, 1 something does not fit.
    """
    from app.console import fail
    from app.runs import maker, read_runs
    from devices.recorded_run import RunError
    from pipeline.decoders.decoder import DecoderError
    from pipeline.decoders.presets import PRESETS
    from pipeline.stream import WiringError

    chosen = PRESETS[preset.value]
    try:
        train_and_save(read_runs(runs, chosen), maker(decoder, chosen), chosen, out)
    except (RunError, DecoderError, WiringError, ValueError) as error:
        fail(str(error))


def train_and_save(runs: Sequence[Run], make: Maker, preset: Preset, out: Path) -> Facts:
    """Judge a decoder by cross-validation, train it on all runs, save it, and say all that; return it, too.

    Raises
    ------
    pipeline.decoders.decoder.DecoderError, ValueError
        If something does not fit.
    """
    import math

    from app.console import console
    from app.runs import progress
    from devices.corpus import evaluate_corpus
    from devices.decoder_folder import Facts, fingerprint, save_decoder

    window, n_talkers = preset.window, len(runs[0].talker_names)
    accuracy, n, threshold, emissions = math.nan, 0, math.nan, None
    if min(sum(run.subject == other.subject for other in runs) for run in runs) >= 3:
        with progress("Cross-validating") as told:
            found = evaluate_corpus(runs, make, "leave-one-run-out", (window,), n_shifts=0, progress=told)
        accuracy, n, threshold = found.accuracy[window], found.n_windows[window], found.threshold[window]
        with console.status("Learning how its scores scatter …"):
            emissions = held_out_emissions(runs, make, preset)
    with console.status("Training …"):
        fitted = make().fit(runs)
    facts = Facts(
        accuracy=accuracy,
        chance=1 / n_talkers,
        n_decisions=n,
        fingerprints=tuple(fingerprint(run) for run in runs),
        seconds=sum(run.duration for run in runs),
        emissions=emissions,
    )
    save_decoder(out, fitted, facts)
    console.print(
        f"Trained a {fitted.kind} decoder on {len(runs)} run(s), {facts.seconds:.0f} s, "
        f"{len(fitted.spec.ch_names)} channels; saved to {out}.",
        markup=False,
    )
    if n:
        console.print(
            f"Cross-validated (leave one run out): {100 * accuracy:.1f} % of {n} decisions of {window:g} s; "
            f"guessing gives {100 / n_talkers:.0f} %, and {100 * threshold:.1f} % or more one time in twenty."
        )
    else:
        console.print("Accuracy: not measured. That needs three runs or more of each listener.")
    if emissions is None:
        console.print("It cannot be used live: how its scores scatter is not known, which takes three runs or more.")
    return facts


def held_out_emissions(runs: Sequence[Run], make: Maker, preset: Preset) -> Emissions:
    """How scores scatter on runs that a decoder did not see: what live decisions rest on.

    Raises
    ------
    ValueError
        If there are too few decisions.
    """
    from pipeline.evidence import EvidenceConfig
    from pipeline.fold import FoldWork

    evidence = EvidenceConfig(n_talkers=len(runs[0].talker_names), hop_s=preset.hop, window_s=preset.window)
    return FoldWork(make, "leave-one-run-out", (preset.window,), 0, 0, 5.0, evidence).emissions(runs)

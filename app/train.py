"""``earmark train``: a decoder from runs, with what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.runs import RUNS_HELP, DecoderKind, PresetName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.decoders.decoder import Decoder
    from pipeline.decoders.presets import Preset
    from pipeline.emissions import Emissions
    from pipeline.run import Run


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
    import math

    from app.console import console, fail
    from app.runs import maker, progress, read_runs
    from devices.corpus import evaluate_corpus
    from devices.decoder_folder import Facts, fingerprint, save_decoder
    from devices.recorded_run import RunError
    from pipeline.decoders.decoder import DecoderError
    from pipeline.decoders.presets import PRESETS
    from pipeline.stream import WiringError

    chosen = PRESETS[preset.value]
    make = maker(decoder, chosen)
    try:
        loaded = read_runs(runs, chosen)
        n_talkers = len(loaded[0].talker_names)
        accuracy, n, threshold, emissions = math.nan, 0, math.nan, None
        per_subject = [sum(run.subject == other.subject for other in loaded) for run in loaded]
        if min(per_subject) >= 3:
            with progress("Cross-validating") as told:
                found = evaluate_corpus(loaded, make, "leave-one-run-out", (chosen.window,), n_shifts=0, progress=told)
            accuracy, n = found.accuracy[chosen.window], found.n_windows[chosen.window]
            threshold = found.threshold[chosen.window]
            with console.status("Learning how its scores scatter …"):
                emissions = held_out_emissions(loaded, make, chosen)
        with console.status("Training …"):
            fitted = make().fit(loaded)
        facts = Facts(
            accuracy=accuracy,
            chance=1 / n_talkers,
            n_decisions=n,
            fingerprints=tuple(fingerprint(run) for run in loaded),
            seconds=sum(run.duration for run in loaded),
            emissions=emissions,
        )
        save_decoder(out, fitted, facts)
    except (RunError, DecoderError, WiringError, ValueError) as error:
        fail(str(error))
    console.print(
        f"Trained a {decoder.value} decoder on {len(loaded)} run(s), {facts.seconds:.0f} s, "
        f"{len(fitted.spec.ch_names)} channels; saved to {out}.",
        markup=False,
    )
    if n:
        console.print(
            f"Cross-validated (leave one run out): {100 * accuracy:.1f} % of {n} decisions of {chosen.window:g} s; "
            f"guessing gives {100 / n_talkers:.0f} %, and {100 * threshold:.1f} % or more one time in twenty."
        )
    else:
        console.print("Accuracy: not measured. That needs three runs or more of each listener.")
    if emissions is None:
        console.print("It cannot be used live: how its scores scatter is not known, which takes three runs or more.")


def held_out_emissions(runs: Sequence[Run], make: Callable[[], Decoder], preset: Preset) -> Emissions:
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

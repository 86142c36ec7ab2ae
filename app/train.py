"""``earmark train``: a decoder from runs, with what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.runs import DecoderKind, PresetName


def train(
    runs: Annotated[list[Path], typer.Argument(help="Runs made by 'earmark import', or folders of them.")],
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
    from app.runs import maker, read_runs
    from devices.corpus import evaluate_corpus
    from devices.decoder_folder import Facts, fingerprint, save_decoder
    from devices.run_file import RunError
    from pipeline.decoders.decoder import DecoderError
    from pipeline.decoders.presets import PRESETS
    from pipeline.stream import WiringError

    chosen = PRESETS[preset.value]
    make = maker(decoder, chosen)
    try:
        loaded = read_runs(runs, chosen)
        n_talkers = len(loaded[0].talker_names)
        accuracy, n, threshold = math.nan, 0, math.nan
        per_subject = [sum(run.subject == other.subject for other in loaded) for run in loaded]
        if min(per_subject) >= 3:
            with console.status("Cross-validating …"):
                found = evaluate_corpus(loaded, make, "leave-one-run-out", (chosen.window,), n_shifts=0)
            accuracy, n = found.accuracy[chosen.window], found.n_windows[chosen.window]
            threshold = found.threshold[chosen.window]
        with console.status("Training …"):
            fitted = make().fit(loaded)
        facts = Facts(
            accuracy=accuracy,
            chance=1 / n_talkers,
            n_decisions=n,
            fingerprints=tuple(fingerprint(run) for run in loaded),
            seconds=sum(run.duration for run in loaded),
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

"""``earmark train``: a decoder from runs, with what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.stream_options import Bads, Channels, ChType, Sfreq, Unit, overrides
from earmark.app.training.runs import RUNS_HELP, DecoderKind, PresetName
from earmark.app.training.study import SUBJECT_HELP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earmark.devices.files.decoder_folder import AnyDecoder, Facts
    from earmark.pipeline.attention.emissions import Emissions
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.run import Run

    Maker = Callable[[], AnyDecoder]


def train(
    runs: Annotated[list[Path], typer.Argument(help=RUNS_HELP)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the decoder to.", show_default=False)],
    preset: Annotated[PresetName, typer.Option(help="How signals are prepared and decoded.")] = PresetName.EEG,
    decoder: Annotated[DecoderKind, typer.Option(help="Kind of decoder.")] = DecoderKind.LINEAR,
    base: Annotated[
        Path | None, typer.Option(help="Network: begin with this trained decoder, so that minutes of signal do.")
    ] = None,
    any_cap: Annotated[
        bool,
        typer.Option("--any-cap", help="Matcher: learn where electrodes are, so that it can be a base for others."),
    ] = False,
    subject: Annotated[list[str] | None, typer.Option(metavar="NAME=PATH", help=SUBJECT_HELP)] = None,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
    epochs: Annotated[int, typer.Option(help="Network: at most.", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="Network: of all that is drawn.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="Network: cpu or cuda, to train on.")] = "cpu",
) -> None:
    """Train a decoder and save it with its cross-validated accuracy.

    The accuracy is by leaving out one run at a time, everything fitted inside the fold; it needs three runs of a
    listener, and with fewer it is said to be not measured. A single run is cut into pieces to choose settings by. A
    network is trained once for each fold, and compared with the linear decoder on the same decisions; killed, the same
    command goes on after the last epoch. Runs that cannot be used are left out, and named at the end. Exit status: 0
    trained, 1 something does not fit, or nothing can be used.
    """
    from earmark.app.terminal.console import fail
    from earmark.app.terminal.outputs import must_take_files
    from earmark.app.training.runs import decoder_preset, maker
    from earmark.app.training.study import read_study
    from earmark.devices.files.recorded_run import RunError
    from earmark.pipeline.decoders.decoder import DecoderError
    from earmark.pipeline.decoders.presets import PRESETS
    from earmark.pipeline.evaluation.splits import LEAST
    from earmark.pipeline.stream import WiringError

    chosen = PRESETS[preset.value]
    if not decoder.network and (base is not None or any_cap or device != "cpu"):
        fail(f"--base, --any-cap and --device are for networks, and {decoder.value} is none")
    if out.exists():
        fail(f"{out} is there already: move it away, or choose another folder by --out")
    must_take_files(out)
    try:
        study = read_study(runs, chosen, subject or (), overrides(unit, ch_type, channels, bads, sfreq))
        loaded = study.runs
        if decoder.network and len(loaded) < LEAST:
            raise RunError(
                f"training needs {LEAST} runs or more, and three of each listener to judge it; there is {len(loaded)}"
                f", {loaded[0].name} of {loaded[0].subject}{study.reasons()}"
            )
        if not decoder.network:
            train_and_save(loaded, maker(decoder, chosen), chosen, out)
            study.tell()
            return
        from earmark.app.training.network import Resumable, settings

        given = settings(decoder, loaded, base, any_cap, epochs, seed, device)
        resumable = Resumable(maker(decoder, chosen, **given), out.with_name(f"{out.name}.training"))
        longer = decoder_preset(decoder, chosen)
        train_and_save(loaded, resumable, longer, out, against=maker(DecoderKind.LINEAR, longer))
        resumable.clear()
        study.tell()
    except (RunError, DecoderError, WiringError, ValueError, OSError) as error:
        fail(str(error))


def train_and_save(
    runs: Sequence[Run], make: Maker, preset: Preset, out: Path, *, against: Maker | None = None
) -> Facts:
    """Judge a decoder by cross-validation, train it on all runs, save it, and say all that; return it, too.

    Parameters
    ----------
    runs : sequence of Run
    make : callable
        Makes a new decoder each time.
    preset : Preset
        Of the decoder.
    out : Path
        Folder to write it to.
    against : callable, optional
        Makes the decoder that it is compared with, on the same decisions.

    Raises
    ------
    earmark.pipeline.decoders.decoder.DecoderError, ValueError
        If something does not fit.
    """
    import math

    from earmark.app.terminal.console import console
    from earmark.app.training.runs import progress
    from earmark.app.training.worth import AGAIN, level_words, limit_words, no_better
    from earmark.devices.files.corpus import evaluate_corpus
    from earmark.devices.files.decoder_folder import Facts, fingerprint, save_decoder
    from earmark.pipeline.attention.emissions import MIN_WINDOWS
    from earmark.pipeline.evaluation.splits import learnable

    window, n_talkers = preset.window, len(runs[0].talker_names)
    accuracy, n, emissions = math.nan, 0, None
    other = None if against is None else math.nan
    if min(sum(run.subject == one.subject for one in runs) for run in runs) >= 3:
        with progress("Cross-validating") as told:
            found = evaluate_corpus(runs, make, "leave-one-run-out", (window,), n_shifts=0, progress=told)
        accuracy, n = found.accuracy[window], found.n_windows[window]
        if against is not None:
            linear = evaluate_corpus(runs, against, "leave-one-run-out", (window,), n_shifts=0)
            other = linear.accuracy[window]
        if n >= MIN_WINDOWS:
            with console.status("Learning how its scores scatter …"):
                emissions = held_out_emissions(runs, make, preset)
    with console.status("Training …"):
        fitted = make().fit(learnable(runs))
    facts = Facts(
        accuracy=accuracy,
        chance_level=1 / n_talkers,
        n_decisions=n,
        fingerprints=tuple(fingerprint(run) for run in runs),
        seconds=sum(run.duration for run in runs),
        emissions=emissions,
        linear_accuracy=other,
    )
    save_decoder(out, fitted, facts)
    console.print(
        f"Trained a decoder ({fitted.kind}) on {len(runs)} run(s), {facts.seconds:.0f} s, "
        f"{len(fitted.spec.ch_names)} channels; saved to {out}.",
        markup=False,
    )
    if n:
        console.print(
            f"Cross-validated (leave one run out): {100 * accuracy:.1f} % of {n} decisions of {window:g} s; "
            f"{level_words(facts.chance_level)}, {limit_words(facts.chance_limit, 1)}."
        )
        if no_better(accuracy, facts.chance_limit):
            console.print(f"The decoder is NO BETTER THAN GUESSING. {AGAIN}")
    else:
        console.print("Accuracy: not measured. That needs three runs or more of each listener.")
    if other is not None and n:
        console.print(f"The linear decoder reaches {100 * other:.1f} % on the same decisions.")
    if facts.experimental:
        console.print("EXPERIMENTAL: not shown to be better than the linear decoder; prefer that.")
    if emissions is None:
        console.print(
            "It cannot be used live: how its scores scatter is not known, which takes three runs or more, and "
            f"{MIN_WINDOWS} decisions or more."
        )
    return facts


def held_out_emissions(runs: Sequence[Run], make: Maker, preset: Preset) -> Emissions:
    """How scores scatter on runs that a decoder did not see: what live decisions rest on.

    Raises
    ------
    ValueError
        If there are too few decisions.
    """
    from earmark.pipeline.attention.evidence import EvidenceConfig
    from earmark.pipeline.evaluation.fold import FoldWork

    evidence = EvidenceConfig(n_talkers=len(runs[0].talker_names), hop_s=preset.hop, window_s=preset.window)
    return FoldWork(make, "leave-one-run-out", (preset.window,), 0, 0, 5.0, evidence).emissions(runs)

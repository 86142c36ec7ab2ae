"""Fit a decoder on runs, cross-validate it, and save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.kernels.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earmark.devices.files.decoder_folder import Facts
    from earmark.pipeline.decoders.decoder import Learner
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.run import Run

    Maker = Callable[[], Learner]


def train_and_save(
    runs: Sequence[Run], make: Maker, preset: Preset, out: Path, *, against: Maker | None = None
) -> Facts:
    """Cross-validate a decoder, train it on all runs, save it, and print the results.

    Parameters
    ----------
    runs : sequence of Run
        Training runs.
    make : callable
        Returns a new, untrained decoder at each call.
    preset : Preset
        Preset of the decoder.
    out : Path
        Folder to write the decoder to.
    against : callable, optional
        Returns a new decoder to compare with, on the same decisions.

    Returns
    -------
    Facts
        What was saved with the decoder.

    Raises
    ------
    earmark.pipeline.decoders.decoder.DecoderError, ValueError
        If the runs do not fit together, or do not suffice for training.
    """
    import math

    from earmark.app.terminal.console import console
    from earmark.app.training.group import lend
    from earmark.app.training.runs import progress
    from earmark.app.training.worth import again_words, level_words, limit_words, no_better
    from earmark.devices.files.corpus import evaluate_corpus
    from earmark.devices.files.decoder_folder import Facts, fingerprint, save_decoder
    from earmark.pipeline.attention.emissions import MIN_WINDOWS
    from earmark.pipeline.decoders.filterbank import FilterBankDecoder
    from earmark.pipeline.evaluation.learning_curve import LEAST_RUNS
    from earmark.pipeline.evaluation.splits import learnable

    window, n_talkers = preset.window, len(runs[0].talker_names)
    accuracy, n, emissions = math.nan, 0, None
    other = None if against is None else math.nan
    if min(sum(run.subject == one.subject for one in runs) for run in runs) >= LEAST_RUNS:
        with progress("Cross-validating") as advance:
            found = evaluate_corpus(runs, make, "leave-one-run-out", (window,), n_shifts=0, progress=advance)
        accuracy, n = found.accuracy[window], found.n_windows[window]
        if against is not None:
            other = evaluate_corpus(runs, against, "leave-one-run-out", (window,), n_shifts=0).accuracy[window]
        emissions = found.emissions
    with console.status("Training …"):
        fitted = make().fit(learnable(runs))
        if isinstance(fitted, FilterBankDecoder):
            fitted.lent = lend(runs, preset)
    facts = Facts(
        accuracy=accuracy,
        chance_level=1 / n_talkers,
        n_decisions=n,
        fingerprints=tuple(fingerprint(run) for run in runs),
        seconds=sum(run.duration for run in runs),
        emissions=emissions,
        linear_accuracy=other,
        bands=fitted.chosen.words() if isinstance(fitted, FilterBankDecoder) else None,
    )
    save_decoder(out, fitted, facts)
    console.print(
        f"Trained a decoder ({fitted.kind}) on {counted(len(runs), 'run')}, {facts.seconds:.0f} s, "
        f"{len(fitted.spec.ch_names)} channels; saved to {out}.",
        markup=False,
    )
    if facts.bands is not None:
        console.print(f"Weight of each frequency band: {facts.bands}", markup=False)
    if n:
        console.print(
            f"Cross-validated (leave one run out): {100 * accuracy:.1f} % of {n} decisions of {window:g} s; "
            f"{level_words(facts.chance_level)}, {limit_words(facts.chance_limit, 1)}."
        )
        if no_better(accuracy, facts.chance_limit):
            console.print(f"The decoder is NO BETTER THAN GUESSING. {again_words()}")
    else:
        console.print("Accuracy: not measured. Cross-validation needs at least three runs of each listener.")
    if other is not None and n:
        console.print(f"The default decoder reaches {100 * other:.1f} % on the same decisions.")
    if facts.experimental:
        console.print("EXPERIMENTAL: not shown to be better than the default decoder; use the default decoder.")
    if emissions is None:
        console.print(
            "This decoder cannot be used live, because the scatter of its scores was not measured: that needs at least "
            f"three runs of each listener and {MIN_WINDOWS} decisions."
        )
    return facts


def facts_json(facts: Facts) -> dict[str, Any]:
    """Return the accuracy of a decoder and what it was measured on, ready for JSON; None: not measured."""
    import math

    figures = {
        "seconds": facts.seconds,
        "accuracy": facts.accuracy,
        "chance_level": facts.chance_level,
        "chance_limit": facts.chance_limit,
        "default_decoder_accuracy": facts.linear_accuracy,
    }
    known = {name: None if value is None or math.isnan(value) else value for name, value in figures.items()}
    return {**known, "n_decisions": facts.n_decisions, "bands": facts.bands, "experimental": facts.experimental}

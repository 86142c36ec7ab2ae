"""``earmark train``: train a decoder on runs and measure its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.options import Bads, Channels, ChType, Sfreq, Unit, overrides
from earmark.app.terminal.console import JsonFile
from earmark.app.training.group import GROUP_HELP
from earmark.app.training.runs import KIND_HELP, RUNS_HELP, PresetName, decoder_kind
from earmark.app.training.study import SUBJECT_HELP

if TYPE_CHECKING:
    from earmark.devices.files.decoder_folder import Facts


def train(
    runs: Annotated[list[Path], typer.Argument(help=RUNS_HELP)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the decoder to.", show_default=False)],
    preset: Annotated[PresetName, typer.Option(help="Settings of preprocessing and decoding.")] = PresetName.EEG,
    decoder: Annotated[str | None, typer.Option(metavar="NAME", callback=decoder_kind, help=KIND_HELP)] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Networks: start from this trained decoder, so that minutes of signal are enough."),
    ] = None,
    group: Annotated[Path | None, typer.Option(metavar="FOLDER", help=GROUP_HELP)] = None,
    any_cap: Annotated[
        bool,
        typer.Option(
            "--any-cap", help="Matcher: learn with electrode positions, so that it can be the base for other caps."
        ),
    ] = False,
    subject: Annotated[list[str] | None, typer.Option(metavar="NAME=PATH", help=SUBJECT_HELP)] = None,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
    epochs: Annotated[int, typer.Option(help="Networks: maximum number of epochs.", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="Networks: random seed.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="Networks: train on cpu or cuda.")] = "cpu",
    json_file: JsonFile = None,
) -> None:
    """Train a decoder, cross-validate it, and save it.

    Accuracy is measured by leaving out one run at a time, with everything fitted inside each fold; it needs three runs
    per listener, and with fewer it is reported as not measured. A single run is cut into pieces to choose settings. A
    network is trained once for each fold, and compared with the default decoder on the same decisions; if interrupted,
    run the same command again to resume after the last epoch. Runs that cannot be used are left out and listed at the
    end. Exit status: 0 trained, 1 failed, or no run can be used.
    """
    from earmark.app.terminal.console import fail, failures, write_json
    from earmark.app.terminal.outputs import must_be_writable, must_take_files
    from earmark.app.training.fit import facts_json, train_and_save
    from earmark.app.training.group import read_group
    from earmark.app.training.runs import decoder_class, decoder_preset, maker
    from earmark.app.training.study import read_study
    from earmark.devices.files.recorded_run import RunError
    from earmark.pipeline.decoders.presets import DEFAULT_DECODER, PRESETS
    from earmark.pipeline.evaluation.splits import LEAST

    chosen = PRESETS[preset.value]
    usual = DEFAULT_DECODER[preset.value]
    decoder = decoder or usual
    with failures():
        network = decoder_class(decoder).by_epochs
    if not network and (base is not None or any_cap or device != "cpu"):
        fail(f"--base, --any-cap and --device are only for networks, and {decoder} is not one: leave them out")
    if group is not None and decoder != "filterbank":
        fail(f"--group is only for the filter bank, not for {decoder}: leave it out")
    if out.exists():
        fail(f"{out} exists already: move it away, or choose another folder with --out")
    must_take_files(out)
    must_be_writable(json_file)
    with failures():
        study = read_study(runs, chosen, subject or (), overrides(unit, ch_type, channels, bads, sfreq))
        loaded = study.runs
        if network and len(loaded) < LEAST:
            raise RunError(
                f"training needs {LEAST} runs or more, and three per listener to evaluate it; there is {len(loaded)}"
                f", {loaded[0].name} of {loaded[0].subject}{study.reasons()}"
            )
        if not network:
            others = {} if group is None else {"group": read_group(group, loaded, chosen)}
            facts = train_and_save(loaded, maker(decoder, chosen, **others), chosen, out)
        else:
            from earmark.app.training.network import Resumable, settings

            given = settings(decoder, loaded, base, any_cap, epochs, seed, device)
            resumable = Resumable(maker(decoder, chosen, **given), out.with_name(f"{out.name}.training"))
            longer = decoder_preset(decoder, chosen)
            facts = train_and_save(loaded, resumable, longer, out, against=maker(usual, longer))
            resumable.clear()
        _print_next(facts)
        study.print_left_out()
    about = {"decoder": decoder, "preset": preset.value, "folder": str(out), "runs": len(loaded)}
    write_json(json_file, {**about, **facts_json(facts), "left_out": [list(one) for one in study.left_out]})


def _print_next(facts: Facts) -> None:
    """Print what comes next, if the decoder can be used live."""
    from earmark.app.session.next_step import USE
    from earmark.app.terminal.console import console

    if facts.emissions is not None:
        console.print(f"{USE.sentence}: earmark run SESSION.toml", markup=False, highlight=False)

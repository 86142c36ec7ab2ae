"""``earmark report``: score a recorded run and write a self-contained page about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.app.terminal.console import JsonFile, console, fail, failures, write_json
from earmark.kernels.words import counted


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, which contains loop.xdf.")],
    json_file: JsonFile = None,
) -> None:
    """Score a recorded run against its cues; write its report.

    The report (report.html) and a table of all decisions (decisions.csv) go into the folder. All figures are computed
    from the recording, by replaying it. Exit status: 0 written, 1 failed.
    """
    from earmark.app.report.page import PAGE, TABLE, percent
    from earmark.app.report.read_session import session_figures
    from earmark.app.report.worker import figures_json
    from earmark.app.report.write import write_report
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.app.training.worth import run_words
    from earmark.devices.files.decoder_folder import load_decoder

    recording = folder / "loop.xdf"
    with failures():
        if folder.name == recording.name:
            fail(f"{folder} is a recording: give its folder, {folder.parent}")
        if not folder.is_dir():
            fail(f"{folder}: no such folder")
        if not recording.exists() and (runs := sorted(folder.glob("run-*"))):
            fail(f"{folder} contains {counted(len(runs), 'run')}: give one of them, such as {runs[-1]}")
        if not recording.exists():
            fail(f"{folder} contains no loop.xdf: give the folder of a run, as 'earmark run' writes it")
        if not recording.with_suffix(".decoder").is_dir():
            fail(f"{recording} was recorded with a decoder, which is missing: copy the folder loop.decoder beside it")
        must_be_writable(folder / PAGE, folder / TABLE, json_file)
        decoder, facts = load_decoder(recording.with_suffix(".decoder"))
        with console.status("Scoring the run …"):
            found = session_figures(recording)
        page = write_report(folder, found, facts, decoder.spec.window)
    write_json(json_file, figures_json(found, facts, decoder.spec.window))
    console.print("", *run_words(found, facts), sep="\n", markup=False, highlight=False)
    for words in found.damage:
        console.print(f"DAMAGED: {words}", markup=False, highlight=False, style="bold red")
    console.print(
        f"From 10 s after each cue on, decisions were correct for {percent(found.steady)} of the time; there was a "
        f"decision for {percent(found.covered)} of the time with a cue. Wrote {page}",
        markup=False,
        highlight=False,
    )

"""``earmark study``: all runs of a study with their figures, and each participant's runs together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.terminal.console import JsonFile
from earmark.app.training.study import SUBJECT_HELP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earmark.app.report.study import StudyRun


def study(
    folder: Annotated[Path, typer.Argument(help="Folder with sessions and their runs, at any depth.")],
    subject: Annotated[list[str] | None, typer.Option(metavar="NAME=PATH", help=SUBJECT_HELP)] = None,
    workers: Annotated[int, typer.Option(help="Number of processes on this machine.", min=1)] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write one line for each run to this file.")
    ] = None,
    json_file: JsonFile = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page to this file.")] = None,
) -> None:
    """Show the figures of all runs of a study, by participant.

    Runs are found at any depth: FOLDER/alice/run-1 is a run of alice, unless its recording names another listener.
    Figures are those of 'earmark report'. They are kept beside each recording, in loop.figures.json, and computed again
    only if the recording or this program changed. A run that is empty, damaged or cut is listed with the reason. The
    file excluded.toml in FOLDER excludes runs; one line for each, such as "alice/run-2" = "fell asleep". Exit status:
    0 done, 1 failed, or no run can be used.
    """
    from earmark.app.report.study import Status, excluded, find_runs, measured, participants
    from earmark.app.report.study_files import study_csv, study_json
    from earmark.app.report.study_page import study_html
    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.app.training.runs import progress
    from earmark.app.training.study import named_listener, parse_subjects
    from earmark.devices.files.corpus import executor

    must_be_writable(csv_file, json_file, html)
    with failures():
        if not folder.is_dir():
            fail(f"{folder}: no such folder")
        named = parse_subjects(subject or ())
        found = excluded(folder, find_runs(folder, lambda path: named_listener(path, named)))
        if not found:
            fail(f"{folder} contains no session and no run: give the folder above the folders of 'earmark run'")
        with progress("Measuring") as on_progress:
            runs = measured(found, executor(workers, scheduler), on_progress)
        together = participants(runs)
        _show(runs, together)
        if csv_file is not None:
            csv_file.write_text(study_csv(runs), encoding="utf-8", newline="")
            console.print(f"Wrote {csv_file}")
        if html is not None:
            html.write_text(study_html(folder, runs), encoding="utf-8")
            console.print(f"Wrote {html}")
    write_json(json_file, study_json(folder, runs, together))
    if not any(run.status in (Status.USED, Status.CUT) for run in runs):
        fail("no run can be used; the reasons are above")


def _show(runs: Sequence[StudyRun], together: Sequence[dict[str, Any]]) -> None:
    from earmark.app.report.study import Status, conditions
    from earmark.app.report.study_files import count_words, group_words, number, percent
    from earmark.app.terminal.console import console

    measures = ("right", "n", "limit", "TMR", "switch", "p99", "bad", "cal.")
    rows: list[tuple[str, ...]] = []
    for run in runs:
        row = run.row()
        n_bad = None if row["bad_channels"] is None else len(row["bad_channels"])
        rows.append(
            (
                run.participant,
                run.path.removeprefix(f"{run.participant}/"),
                percent(row["accuracy"]),
                number(row["windows"], 0),
                percent(row["chance_limit"]),
                number(row["tmr_db"], 1),
                number(row["switch_s"], 1),
                number(row["latency_p99_ms"], 1),
                number(n_bad, 0),
                percent(row["calibration"]),
                run.status,
            )
        )
    _print_table(count_words(runs), ("participant", "run", *measures, "status"), rows)
    console.print(
        "right: decision windows in which the cued talker had the highest score, of n; limit: share that guessing "
        "reaches one time in twenty (p = 0.05); TMR: gain of the cued talker above the loudest other one, dB; switch: "
        "median time to follow a switch, s; p99: of the latency from arrival to gains set, ms; bad: electrodes that "
        "were masked for part of the time; cal.: cross-validated accuracy of the decoder",
        highlight=False,
        style="dim",
    )
    for run in runs:
        row = run.row()
        words = [f"excluded: {run.reason}" if run.status is Status.EXCLUDED else run.reason] if run.reason else []
        words += [one for key in ("answers", "notes", "alarms") for one in row[key] or ()]
        for one in words:
            console.print(f"{run.path}: {one}", highlight=False)
    if not together:
        return
    heads = ("participant", "mode", "window", "runs", "right", "n", "limit", "TMR", "switch", "cal.")
    rows = [
        (
            one["participant"],
            one["mode"],
            f"{one['window_s']:g} s",
            str(one["runs"]),
            percent(one["accuracy"]),
            str(one["windows"]),
            percent(one["chance_limit"]),
            number(one["tmr_db"], 1),
            number(one["switch_s"], 1),
            percent(one["calibration"]),
        )
        for one in together
    ]
    _print_table("Runs of each participant together", heads, rows)
    for condition, found in conditions(together).items():
        console.print(f"{condition}: {group_words(found)}", highlight=False)


def _print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits 80 columns."""
    from rich import box
    from rich.table import Table

    from earmark.app.terminal.console import console

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True)
    for head in heads:
        words = head in ("participant", "run", "mode", "status")
        table.add_column(head, justify="left" if words else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)

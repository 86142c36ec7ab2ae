"""HTML page about a study: one point for each participant, tables of participants and runs, what was left out."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.app.report.chart_svg import Axis, Chart
from earmark.app.report.html import legend, page_head, row_head, table, table_cell
from earmark.app.report.study import StudyRun, conditions, participants
from earmark.app.report.study_files import count_words, group_words, percent, study_json
from earmark.app.terminal.foreign import escaped as escape

#: Columns of both tables: key of the figure, heading, format.
_SCORES = (
    ("accuracy", "correct", "percent"),
    ("windows", "n", "count"),
    ("chance_limit", "chance limit", "percent"),
    ("tmr_db", "TMR / dB", "1"),
    ("delivered_db", "delivered / dB", "1"),
    ("followed", "switches followed", "count"),
    ("switches", "of", "count"),
    ("switch_s", "median / s", "1"),
    ("calibration", "calibration", "percent"),
)
#: Columns of the table of runs alone.
_RUN = (
    ("steady", "correct time", "percent"),
    ("latency_p50_ms", "latency / ms", "1"),
    ("latency_p99_ms", "p99", "1"),
    ("dropped", "dropped", "count"),
    ("n_bad", "bad channels", "count"),
)
_KEY = (
    ("spot", "a participant: share of correct decision windows"),
    ("limit", "chance limit of that participant (p = 0.05)"),
    ("main", "mean over participants"),
    ("chance", "chance level"),
)


def study_html(folder: Path, runs: Sequence[StudyRun]) -> str:
    """Return the page about a study.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    runs : sequence of StudyRun
        All runs, measured.

    Returns
    -------
    str
        A complete HTML page without scripts or external resources. Numbers are rounded; tool tips show all digits.
    """
    together = participants(runs)
    title = f"Study {folder.resolve().name}"
    groups = "".join(_group(words, found) for words, found in conditions(together).items())
    return f"""{page_head(title)}
<body>
<h1>{escape(title)}</h1>
<p class="faint">{escape(count_words(runs))}. All figures come from replaying the recordings. Research use only.</p>
{groups or "<p>No run can be used.</p>"}
<h2>Runs</h2>
{_runs(runs)}
<h2>Left out, and remarks</h2>
{_list([(run.path, f"{run.status}: {run.reason}") for run in runs if run.reason])}
<h2>Answers, notes, alarms</h2>
{_list([(run.path, words) for run in runs for words in _said(run)])}
<details><summary>All numbers, unrounded</summary>
<pre>{escape(json.dumps(study_json(folder, runs, together), indent=1))}</pre></details>
</body>
</html>
"""


def _group(words: str, found: Sequence[Mapping[str, Any]]) -> str:
    """Return the section about the participants of one condition."""
    rows = [
        [
            row_head(f"{number}. {one['participant']}"),
            table_cell(one["runs"], "count"),
            *(table_cell(one[name], show) for name, _, show in _SCORES),
        ]
        for number, one in enumerate(found, 1)
    ]
    shown = table(
        "Windows of all runs of a participant together, and the chance limit of that sum; TMR (gain of the cued talker "
        "above the loudest other one), delivered (change of its level against the others at the ears; of mixtures) and "
        "calibration (cross-validated accuracy) are means over runs. Tool tips show all digits of a number.",
        ["participant", "runs", *(title for _, title, _ in _SCORES)],
        rows,
    )
    return (
        f"<h2>{escape(words[:1].upper() + words[1:])}</h2>\n"
        f'<p class="result">{escape(group_words(found))}</p>\n{_chart(found)}{shown}\n'
    )


def _chart(found: Sequence[Mapping[str, Any]]) -> str:
    """Draw each participant as a point, with the chance limit of that participant."""
    n, chance = len(found), 1 / found[0]["n_talkers"]
    scored = [(k, one["accuracy"]) for k, one in enumerate(found, 1) if one["accuracy"] is not None]
    bottom = int(10 * min([chance - 0.1, *(accuracy - 0.03 for _, accuracy in scored)])) / 10
    bottom = max(0.0, bottom)
    step = -(-n // 20)
    chart = Chart(
        Axis(0.5, n + 0.5, [float(k) for k in range(1, n + 1, step)], "participant", lambda k: f"{k:.0f}"),
        Axis(bottom, 1.0, [k / 10 for k in range(round(10 * bottom), 11)], "correct decision windows", percent),
        "Share of correct decision windows of each participant",
    )
    chart.line([(0.5, chance), (n + 0.5, chance)], "chance")
    for k, one in enumerate(found, 1):
        chart.line([(k - 0.4, one["chance_limit"]), (k + 0.4, one["chance_limit"])], "limit")
    if scored:
        mean = statistics.fmean(accuracy for _, accuracy in scored)
        chart.line([(0.5, mean), (n + 0.5, mean)], "main")
    tips = [f"{one['participant']}: {percent(one['accuracy'])} of {one['windows']}" for one in found]
    chart.dots([(float(k), one["accuracy"]) for k, one in enumerate(found, 1)], "spot", tips, [6.0] * n)
    return f"<figure>{chart.svg()}{legend(_KEY)}</figure>"


def _runs(runs: Sequence[StudyRun]) -> str:
    rows = []
    for run in runs:
        row = run.row()
        row["n_bad"] = None if row["bad_channels"] is None else len(row["bad_channels"])
        words = [table_cell(row[name], "") for name in ("participant", "status", "mode")]
        rows.append([row_head(run.path), *words, *(table_cell(row[name], show) for name, _, show in (*_SCORES, *_RUN))])
    heads = ["run", "participant", "status", "mode", *(title for _, title, _ in (*_SCORES, *_RUN))]
    return table(
        "Correct time: share of the time with a decision for the cued talker, from 10 s after each cue. Latency: from "
        "arrival to gains set, median and p99. Dropped: decisions that came too late. Bad channels: electrodes that "
        "were masked for part of the time.",
        heads,
        rows,
    )


def _said(run: StudyRun) -> list[str]:
    row = run.row()
    return [words for name in ("answers", "notes", "alarms") for words in row[name] or ()]


def _list(items: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"<li>{escape(path)}: {escape(words)}</li>" for path, words in items)
    return f"<ul>{lines}</ul>" if lines else "<p>None.</p>"

"""``earmark report``: one page about a session, with everything in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.foreign import escaped as escape

if TYPE_CHECKING:
    from app.session_figures import SessionFigures
    from devices.decoder_folder import Facts

PAGE = "report.html"


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a session: loop.xdf and what lies beside it.")],
) -> None:
    """Score a recorded run against its cues; write report.html.

    The report goes into the folder. Everything is computed from the recording, by replaying it. Exit status: 0 written,
    1 something is missing.
    """
    from app.console import console, fail, failures
    from app.outputs import must_be_writable
    from app.session_figures import session_figures
    from app.worth import limit_words, run_words
    from devices.decoder_folder import load_decoder
    from pipeline.decoders.decoder import DecoderError

    recording = folder / "loop.xdf"
    with failures():
        if folder.name == recording.name:
            fail(f"{folder} is a recording: name its folder, {folder.parent}")
        if not folder.is_dir():
            fail(f"{folder}: no such folder")
        if not recording.exists() and (runs := sorted(folder.glob("run-*"))):
            fail(f"{folder} holds {len(runs)} run(s): name one of them, such as {runs[-1]}")
        if not recording.exists():
            fail(f"{folder} holds no loop.xdf: nothing was decided live there")
        if not recording.with_suffix(".decoder").is_dir():
            fail(f"{recording} was recorded with a decoder: copy the folder loop.decoder beside it")
        must_be_writable(folder / PAGE)
        try:
            decoder, facts = load_decoder(recording.with_suffix(".decoder"))
            with console.status("Judging the session …"):
                found = session_figures(recording)
        except (DecoderError, ValueError) as error:
            fail(str(error))
        page = folder / PAGE
        page.write_text(_page(folder.name, found, facts, decoder.spec.window), encoding="utf-8")
    console.print("", *run_words(found, facts), sep="\n", markup=False, highlight=False)
    for words in found.damage:
        console.print(f"DAMAGED: {words}", markup=False, highlight=False, style="bold red")
    console.print(
        f"Windows of {decoder.spec.window:g} s in which the talker cued had the highest score: {found.n_right} of "
        f"{found.n_windows}; {limit_words(found.chance_limit)}.\n"
        f"From 10 s after each cue on, correct decisions for {_percent(found.steady)} of the time; decisions were "
        f"there for {_percent(found.covered)} of the time under a cue. Wrote {page}",
        markup=False,
        highlight=False,
    )


def _percent(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{100 * value:.0f} %"


def _decibels(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:+.1f} dB"


def _page(name: str, found: SessionFigures, facts: Facts, window: float) -> str:
    from app.report_html import STYLE
    from app.worth import level_words, limit_words, run_words

    share = found.n_right / found.n_windows if found.n_windows else math.nan
    median = [value for value in found.latencies if not math.isnan(value)]
    median_text = f"{sorted(median)[len(median) // 2]:.1f} s" if median else "none"
    boxes = (
        (
            f"windows of {window:g} s right",
            _percent(share),
            f"{found.n_right} of {found.n_windows}; {limit_words(found.chance_limit)}",
        ),
        ("correct decisions", _percent(found.steady), "of the time, from 10 s after each cue"),
        ("decisions there", _percent(found.covered), "of the time under a cue"),
        ("switches followed", f"{len(median)} of {len(found.latencies)}", f"median {median_text}"),
        (
            "calibration",
            _percent(facts.accuracy),
            f"cross-validated, {facts.n_decisions} decisions; {level_words(facts.chance_level)}, "
            f"{limit_words(facts.chance_limit)}",
        ),
        (
            "target-to-masker ratio",
            _decibels(found.tmr_db),
            f"of the talker cued, from 10 s after each cue, while steered{', without trims' if _trims(found) else ''}",
        ),
        ("decisions dropped", str(found.n_dropped), f"of {len(found.times)}, because they came too late"),
    )
    cells = "".join(
        f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in boxes
    )
    events = "".join(f"<li>{time:.1f} s: {escape(text)}</li>" for time, text in found.events) or "<li>None.</li>"
    about = {key: value for key, value in found.about.items() if key != "config"}
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(name)}</title>
<style>{STYLE}
.cue {{ fill: var(--band); stroke: none; }} .second {{ stroke: var(--other); stroke-width: 2; }}
</style>
</head>
<body>
<h1>Session {escape(name)}</h1>
<p class="faint">{escape(_mode(found))}Talkers: {escape(", ".join(found.talkers))}. All figures come from replaying
the recording. Research use only.</p>
{"".join(f"<p><strong>{escape(one)}</strong></p>" for one in run_words(found, facts))}
<dl class="facts">{cells}</dl>
<h2>Probability that {escape(found.talkers[0])} is attended to</h2>
{_posterior(found)}
<h2>Gains asked for</h2>
{_gains(found)}{_trims(found)}
<h2>Target-to-masker ratio that gains made</h2>
{_tmr(found)}{_trims(found)}
<h2>Accuracy by decision window</h2>
{_accuracy(found)}
<h2>Latency</h2>
{_latency(found)}
<p class="faint">The decision window of {window:g} s is not part of these figures. From the newest sample to the
decision there lie the delay of the amplifier, the filters, and the lags of the decoder.</p>
<h2>Signals</h2>
{_signals(found)}
<h2>Sound</h2>
{_sound(found)}
{_operator(found)}<h2>Events and warnings</h2>
<ul>{events}</ul>
<details><summary>Configuration and versions</summary>
<pre>{escape(str(found.about.get("config", "")))}</pre>
<pre>{escape(json.dumps(about, indent=1))}</pre>
</details>
</body>
</html>
"""


def _operator(found: SessionFigures) -> str:
    """Notes of the operator, and answers, when they were given."""
    from app.loop_records import ANSWER, NOTE

    said = [(time, words) for time, words in found.events if words.startswith((NOTE, ANSWER))]
    lines = "".join(f"<li>{time:.1f} s: {escape(words)}</li>" for time, words in said)
    return f"<h2>Notes and answers</h2>\n<ul>{lines}</ul>\n" if said else ""


def _mode(found: SessionFigures) -> str:
    """What decisions did, where the recording says it."""
    words = {
        "open": "Open loop: decisions set no gains. ",
        "closed": "Closed loop: decisions set gains. ",
        "sham": "SHAM: gains favoured the talker who was not decided for. ",
    }
    return words.get(found.about.get("mode", ""), "")


def _time_axis(found: SessionFigures) -> tuple[float, list[float]]:
    end = max(float(found.times[-1]), 1.0)
    step = next((s for s in (5, 10, 20, 30, 60, 120, 300, 600) if end / s <= 12), 1200)
    return end, [float(t) for t in range(0, int(end) + 1, step)]


def _cue_bands(found: SessionFigures, talker: int, end: float) -> list[tuple[float, float]]:
    """When a talker was to be attended to."""
    stops = [*(time for time, _ in found.cues), end][1:]
    name = found.talkers[talker]
    return [
        (max(start, 0.0), min(stop, end))
        for (start, who), stop in zip(found.cues, stops, strict=True)
        if who == name and stop > 0
    ]


def _posterior(found: SessionFigures) -> str:
    from app.chart_svg import Axis, Chart

    end, ticks = _time_axis(found)
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0], "probability", lambda p: f"{100 * p:g} %"),
        "Posterior against time",
    )
    for start, stop in _cue_bands(found, 0, end):
        chart.band([(start, 0.0), (stop, 0.0)], [(start, 1.0), (stop, 1.0)], "cue")
    chart.line([(0.0, 0.5), (end, 0.5)], "chance")
    chart.line([(float(t), float(p)) for t, p in zip(found.times, found.probability[:, 0], strict=True)], "main")
    return (
        f"<figure>{chart.svg()}<figcaption>Shaded: the cue was to attend to {escape(found.talkers[0])}."
        "</figcaption></figure>"
    )


def _gains(found: SessionFigures) -> str:
    from app.chart_svg import Axis, Chart

    end, ticks = _time_axis(found)
    low = -12.0
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(low, 6.0, [-12.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0], "gain / dB", lambda g: f"{g:g}"),
        "Gains against time",
    )
    for talker, kind in ((0, "main"), (1, "second")):
        points: list[tuple[float, float | None]] = []
        for time, gain in zip(found.times, found.gains[:, talker], strict=True):
            level = max(float(gain), low)
            points += [(float(time), points[-1][1] if points else level), (float(time), level)]
        chart.line(points, kind)
    first, second = (escape(name) for name in found.talkers[:2])
    return f"<figure>{chart.svg()}<figcaption>Thick blue: {first}; green: {second}.</figcaption></figure>"


def _trims(found: SessionFigures) -> str:
    """What is not in figures of gains: they are those that were asked for by steering."""
    from app.loop_records import TRIM

    if not any(words.startswith(TRIM) for _, words in found.events):
        return ""
    return "<p><strong>The operator's trims came on top of this, and are not in it</strong>: see the events.</p>"


def _tmr(found: SessionFigures) -> str:
    import numpy as np

    from app.chart_svg import Axis, Chart
    from app.session_figures import tmr

    known = found.cued >= 0
    if not known.any():
        return "<p>Not measured: no cue said who was to be attended to.</p>"
    end, ticks = _time_axis(found)
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(-15.0, 15.0, [-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0], "TMR / dB", lambda g: f"{g:g}"),
        "Target-to-masker ratio against time",
    )
    chart.line([(0.0, 0.0), (end, 0.0)], "chance")
    values = np.full(len(known), np.nan)
    values[known] = tmr(found.gains[known], found.cued[known])
    chart.line(
        [(float(t), None if np.isnan(v) else float(v)) for t, v in zip(found.times, values, strict=True)], "main"
    )
    return (
        f"<figure>{chart.svg()}<figcaption>Gain of the talker cued less that of the loudest other one; talkers are "
        "brought to the same loudness before.</figcaption></figure>"
    )


def _accuracy(found: SessionFigures) -> str:
    from app.report_html import accuracy_chart, by_window

    if isinstance(found.accuracy, str):
        return f"<p>Not measured: {escape(found.accuracy)}.</p>"
    return (
        "<p>The decoder as it was in this run, which it had not seen; only stretches with a cue, without their first "
        "two seconds. Windows are cut anew here, so none is quite a window of the live decisions above.</p>"
        f"{accuracy_chart(found.accuracy)}{by_window(found.accuracy)}"
    )


def _signals(found: SessionFigures) -> str:
    from app.report_html import table
    from app.session_figures import shaky

    n = len(found.masked)
    rows = [
        [f'<th scope="row">{escape(name)}</th>', f"<td>{100 * share:.0f} %</td>"]
        for name, share in shaky(found.masked)[:20]
    ]
    said = f"<p>{n - len(shaky(found.masked))} of {n} electrodes were trusted all the time.</p>"
    gaps = "; ".join(
        f"{escape(name)}: {count} gap{'s' if count > 1 else ''}, {missing} samples missing"
        for name, (count, missing) in found.gaps.items()
    )
    cut = "" if found.whole else " <strong>The recording was cut short: what came after is not known.</strong>"
    cut += "".join(
        f" <strong>Damaged, and left out: {escape(words)}. What the operator did there is not known: gains after it "
        "may be others than were heard.</strong>"
        for words in found.damage
    )
    engines = f" Engines that worked on it: {found.n_files}." if found.n_files > 1 else ""
    masked = table("Share of the time for which an electrode was masked", ["electrode", "masked"], rows) if rows else ""
    rates = "".join(f"<p><strong>{escape(name)}: {escape(words)}.</strong></p>" for name, words in found.rates.items())
    return f"{said}{masked}{rates}<p>{gaps or 'No gap in any stream that came back'}.{engines}{cut}</p>"


def _latency(found: SessionFigures) -> str:
    import numpy as np

    from app.report_html import table

    rows = []
    for name, values in found.stages.items():
        figures = (
            [f"{1e3 * v:.1f}" for v in (*np.percentile(values, [50, 99]), values.max())] if len(values) else ["–"] * 3
        )
        rows.append([f'<th scope="row">{escape(name)}</th>', *(f"<td>{v}</td>" for v in (*figures, str(len(values))))])
    return table("milliseconds", ["from … to", "median", "p99", "max", "n"], rows)


def _sound(found: SessionFigures) -> str:
    if not found.sound:
        return "<p>Nothing is known of the sound.</p>"
    words = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in found.sound.items())
    return f"<p>{escape(words)}</p>"

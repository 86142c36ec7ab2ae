"""HTML report of a session: figures in words, tables and charts."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from earmark.app.config.modes import Mode
from earmark.app.engine.timeline import TRIM, Kind, Timeline, kind_of
from earmark.app.looks import DARK, LIGHT, event_colour
from earmark.app.report.chart_svg import Axis, Chart, Points
from earmark.app.report.figures import SessionFigures, sometimes_masked, tmr
from earmark.app.report.html import accuracy_chart, by_component, by_window, page_head, table
from earmark.app.terminal.console import clock
from earmark.app.terminal.foreign import escaped as escape
from earmark.app.training.worth import level_words, limit_words, run_words
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.files.journal import about_text
from earmark.devices.files.session_run import REORIENT_S
from earmark.pipeline.attention.smoothing import SMOOTHING_S

#: Maximum number of tool tips of a chart.
MAX_TIPS = 300
#: Dash patterns of talkers' lines.
DASHES = ("none", "8 3", "2 3", "8 3 2 3", "12 3", "4 2", "12 3 2 3", "1 3")


def percent(value: float) -> str:
    """Format a share in whole percent; NaN means not measured."""
    return "not measured" if math.isnan(value) else f"{100 * value:.0f} %"


def _decibels(value: float) -> str:
    return "not measured" if math.isnan(value) else "silent" if value == -math.inf else f"{value:+.1f} dB"


#: Names of the report and of the table of decisions in the folder of a run.
PAGE, TABLE = "report.html", "decisions.csv"


def page_html(name: str, found: SessionFigures, facts: Facts, window: float, others: Sequence[str] = ()) -> str:
    """Return the HTML report of a run.

    Parameters
    ----------
    name : str
        Name of the run.
    found : SessionFigures
        Figures of the recording.
    facts : Facts
        Facts of its decoder.
    window : float
        Length of a decision window, s.
    others : sequence of str
        Reports of the other runs of the session, or else their folders, relative to the folder of the session.

    Returns
    -------
    str
        A complete HTML page without scripts or external resources.
    """
    share = found.n_right / found.n_windows if found.n_windows else math.nan
    followed = [float(value) for value in found.latencies if not math.isnan(value)]
    median_text = f"{statistics.median(followed):.1f} s" if followed else "none"
    boxes = (
        (
            f"correct windows of {window:g} s",
            percent(share),
            f"{found.n_right} of {found.n_windows}; {limit_words(found.chance_limit)}",
        ),
        ("correct decisions", percent(found.steady), "of the time, from 10 s after each cue"),
        _posterior_box(found),
        ("time with a decision", percent(found.covered), "of the cued time"),
        ("switches followed", f"{len(followed)} of {len(found.latencies)}", f"median {median_text}"),
        (
            "calibration",
            percent(facts.accuracy),
            f"cross-validated, {facts.n_decisions} decisions; {level_words(facts.chance_level)}, "
            f"{limit_words(facts.chance_limit)}",
        ),
        (
            "target-to-masker ratio",
            _decibels(found.tmr_db),
            f"of the cued talker, from 10 s after each cue, while steered{', without trims' if _trims(found) else ''}",
        ),
        *_delivered_box(found),
        ("decisions dropped", str(found.n_dropped), f"of {len(found.times)}, because they came too late"),
    )
    cells = "".join(
        f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in boxes
    )
    events = "".join(f"<li>{time:.1f} s: {escape(text)}</li>" for time, text in found.events) or "<li>None.</li>"
    title = f"{found.subject}, {name}" if found.subject else name
    conclusion, *remarks = run_words(found, facts)
    about = {key: value for key, value in json.loads(about_text(found.about)).items() if key != "config"}
    return f"""{page_head(title, _talker_style(len(found.talkers)) + _event_style())}
<body>
<h1>{escape(title)}</h1>
<p class="result">{escape(conclusion)}</p>
{"".join(f"<p><strong>{escape(one)}</strong></p>" for one in remarks)}
{_about(found, others)}
<p class="faint">All figures come from replaying the recording. Research use only.</p>
<dl class="facts">{cells}</dl>
<h2>Probability that each talker is attended to</h2>
{_posterior(found)}
<h2>Target gains</h2>
{_gains(found)}{_trims(found)}
<h2>Target-to-masker ratio from gains</h2>
{_tmr(found)}{_trims(found)}
<h2>Accuracy by decision window</h2>
{_accuracy(found)}
<h2>Latency</h2>
{_latency(found)}
<p class="faint">The decision window of {window:g} s is not part of these figures. The time from sample to arrival
includes the delay of the amplifier, of the filters, and of the decoder's lags.</p>
<h2>Signals</h2>
{_signals(found)}
<h2>Sound</h2>
{_sound(found)}
{_operator(found)}<h2>Events and warnings</h2>
<ul>{events}</ul>
<details><summary>Configuration and versions</summary>
<pre>{escape(found.about.config)}</pre>
<pre>{escape(json.dumps(about, indent=1))}</pre>
</details>
</body>
</html>
"""


def _posterior_box(found: SessionFigures) -> tuple[str, str, str]:
    """Return the box about how true the posterior was."""
    live, later = found.posterior, found.smoothed
    if live is None or later is None or not live.n:
        return "posterior correct", "not measured", ""
    return (
        "posterior correct",
        percent(live.share),
        f"of the hops, from {REORIENT_S:g} s after each cue; calibration error {live.ece:.3f}; with the "
        f"{SMOOTHING_S:g} s that follow {percent(later.share)} and {later.ece:.3f}",
    )


def _operator(found: SessionFigures) -> str:
    """List notes and overrides of the operator, and answers, with their times; empty if there are none."""
    lists = []
    notes, actions = (Kind.NOTE, Kind.ANSWER), (Kind.OVERRIDE, Kind.TRIM, Kind.MUTE, Kind.PAUSE)
    for heading, kinds in (("Notes and answers", notes), ("Overrides", actions)):
        said = [f"<li>{time:.1f} s: {escape(words)}</li>" for time, words in found.events if kind_of(words) in kinds]
        lists += [f"<h2>{heading}</h2>\n<ul>{''.join(said)}</ul>\n"] if said else []
    return "".join(lists)


def _about(found: SessionFigures, others: Sequence[str]) -> str:
    """Return who was recorded when, how long and with what, and links to files and to the other runs."""
    modes = {
        "open": "open loop: decisions set no gains",
        "closed": "closed loop: decisions set gains",
        "sham": "SHAM: gains favoured a talker other than the decided one",
    }
    unknown = "not known"
    ended = f"{datetime.fromtimestamp(found.ended):%Y-%m-%d %H:%M}" if math.isfinite(found.ended) else unknown
    rows = (
        ("listener", escape(found.subject or unknown)),
        ("last written", f"{ended} (date of the file)"),
        ("length", escape(clock(found.seconds) if math.isfinite(found.seconds) else unknown)),
        ("mode", escape(modes.get(found.about.mode, unknown))),
        ("talkers", escape(", ".join(found.talkers))),
        ("amplifier", escape(found.amplifier or unknown)),
        ("sound output", escape(str(found.sound.get("went to", unknown)))),
        ("files", f'<a href=".">folder</a>, <a href="{TABLE}">decisions as CSV</a>'),
        (
            "other runs",
            ", ".join(f'<a href="../{quote(one)}">{escape(one.partition("/")[0])}</a>' for one in others) or "none",
        ),
    )
    return f'<dl class="about">{"".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows)}</dl>'


def _hover(chart: Chart, found: SessionFigures, values: Sequence[str]) -> None:
    """Add tool tips with the time, the cue and the values of decisions; of a long run, not of every decision."""
    names = (*found.talkers, "none")  # -1 stands for none
    shown = range(0, len(found.times), math.ceil(len(found.times) / MAX_TIPS))
    tips = [f"{found.times[k]:.1f} s, cue {names[found.cued[k]]}: {values[k]}" for k in shown]
    chart.hover([float(found.times[k]) for k in shown], tips)


def _each(found: SessionFigures, table: NDArray[np.float64], show: Callable[[float], str]) -> list[str]:
    """Return the values of all talkers at each decision as text."""
    rows = table.tolist()
    return [", ".join(f"{name} {show(value)}" for name, value in zip(found.talkers, row, strict=True)) for row in rows]


def _spans(chart: Chart, found: SessionFigures, end: float) -> str:
    """Shade overrides, trims, mutes and pauses; return what the caption says of them."""
    kinds = []
    for span in Timeline(found.events).spans:
        start, stop = max(span.begin, 0.0), min(span.end, end)
        if start < stop:
            low, high = chart.y.low, chart.y.high
            chart.band([(start, low), (stop, low)], [(start, high), (stop, high)], f"span-{span.kind}")
            kinds.append(span.kind.value)
    return f" Shaded: {', '.join(dict.fromkeys(kinds))} by the operator." if kinds else ""


def _marks(chart: Chart, found: SessionFigures, end: float) -> None:
    """Draw lines at notes, answers, actions of the operator, gaps and alarms."""
    for mark in Timeline(found.events).marks:
        if mark.kind is not Kind.OTHER and 0 <= mark.time <= end:
            chart.mark(mark.time, f"mark-{mark.kind}", f"{mark.time:.1f} s: {mark.words}")


def _event_style() -> str:
    """Return the CSS of events, in the colours of the window."""
    light, dark = (
        " ".join(f"--event-{kind}: {event_colour(theme, kind)};" for kind in Kind) for theme in (LIGHT, DARK)
    )
    rules = [f":root {{ {light} }}", f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"]
    rules += [".touch { stroke: transparent; stroke-width: 9; }"]
    for kind in Kind:
        colour = f"var(--event-{kind})"
        rules.append(f".span-{kind} {{ fill: {colour}; fill-opacity: .16; stroke: none; }}")
        rules.append(f".mark-{kind} {{ stroke: {colour}; stroke-width: 1.5; }}")
    return "\n".join(["", *rules])


def _time_axis(found: SessionFigures) -> tuple[float, list[float]]:
    end = max(float(found.times[-1]), 1.0)
    step = next((s for s in (5, 10, 20, 30, 60, 120, 300, 600) if end / s <= 12), 1200)
    return end, [float(t) for t in range(0, int(end) + 1, step)]


def _cue_bands(found: SessionFigures, talker: int, end: float) -> list[tuple[float, float]]:
    """Return the intervals in which a talker was cued, s."""
    stops = [*(time for time, _ in found.cues), end][1:]
    name = found.talkers[talker]
    return [
        (max(start, 0.0), min(stop, end))
        for (start, who), stop in zip(found.cues, stops, strict=True)
        if who == name and stop > 0 and start < end
    ]


def _talker_style(n_talkers: int) -> str:
    """Return the CSS of talkers' lines; colour and dash pattern both differ, to help colour-blind readers."""
    talkers = range(n_talkers)
    light, dark = (
        " ".join(f"--talker{k + 1}: {theme.talkers[k % len(theme.talkers)]};" for k in talkers)
        for theme in (LIGHT, DARK)
    )
    rules = [f":root {{ {light} }}", f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"]
    for k in talkers:
        colour = f"var(--talker{k + 1})"
        rules.append(f".talker{k + 1} {{ stroke: {colour}; stroke-dasharray: {DASHES[k % len(DASHES)]}; }}")
        rules.append(f".cue{k + 1} {{ fill: {colour}; stroke: none; }}")
    return "\n".join(rules)


def _key(found: SessionFigures) -> str:
    """Return the legend of talkers' lines."""
    items = "".join(
        f'<li><svg viewBox="0 0 32 12" aria-hidden="true"><polyline class="talker{k}" points="0,6 32,6"/></svg>'
        f"{escape(name)}</li>"
        for k, name in enumerate(found.talkers, 1)
    )
    return f'<ul class="key">{items}</ul>'


def _posterior(found: SessionFigures) -> str:
    end, ticks = _time_axis(found)
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(0.0, 1.06, [0.0, 0.25, 0.5, 0.75, 1.0], "probability", lambda p: f"{100 * p:g} %"),
        "Posterior of each talker against time",
    )
    shaded = _spans(chart, found, end)
    for talker in range(len(found.talkers)):
        for start, stop in _cue_bands(found, talker, end):
            chart.band([(start, 1.02), (stop, 1.02)], [(start, 1.06), (stop, 1.06)], f"cue{talker + 1}")
    chance = 1 / len(found.talkers)
    chart.line([(0.0, chance), (end, chance)], "chance")
    for talker in range(len(found.talkers)):
        chart.line(_points(found.times, found.probability[:, talker]), f"talker{talker + 1}")
    _hover(chart, found, _each(found, found.probability, percent))
    _marks(chart, found, end)
    return (
        f"<figure>{chart.svg()}{_key(found)}<figcaption>Bar on top: cued talker. Straight line: chance "
        f"level.{shaded}</figcaption></figure>"
    )


def _gains(found: SessionFigures) -> str:
    end, ticks = _time_axis(found)
    low = -12.0
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(low, 6.0, [-12.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0], "gain / dB", lambda g: f"{g:g}"),
        "Gains against time",
    )
    shaded = _spans(chart, found, end)
    for talker in range(len(found.talkers)):
        levels = np.maximum(found.gains[:, talker], low)  # each holds until the next
        times, held = np.repeat(found.times, 2)[1:], np.repeat(levels, 2)[:-1]
        chart.line(_points(np.append(times, end), np.append(held, levels[-1])), f"talker{talker + 1}")
    _hover(chart, found, _each(found, found.gains, _decibels))
    _marks(chart, found, end)
    return (
        f"<figure>{chart.svg()}{_key(found)}<figcaption>Gains below {low:g} dB, including silence, are drawn at "
        f"{low:g} dB.{shaded}</figcaption></figure>"
    )


def _points(times: NDArray[np.float64], values: NDArray[np.float64]) -> Points:
    """Return the points of a line, broken at NaN."""
    return [(float(t), None if math.isnan(v) else float(v)) for t, v in zip(times, values, strict=True)]


def _trims(found: SessionFigures) -> str:
    """Return a note if the operator trimmed gains, because the figures contain only the gains set by steering."""
    if not any(words.startswith(TRIM) for _, words in found.events):
        return ""
    return "<p><strong>The operator's trims are not included</strong>; the events below list them.</p>"


def _delivered_box(found: SessionFigures) -> list[tuple[str, str, str]]:
    """Return what the remix of a mixture delivers of the gains, if there was one."""
    if math.isnan(found.delivered_db):
        return []
    words = "of the cued talker at the ears, measured through the masks of the remix, in the time of the gains above"
    return [("delivered ratio", _decibels(found.delivered_db), words)]


def _tmr(found: SessionFigures) -> str:
    known = found.cued >= 0
    if found.about.mode == Mode.OPEN:
        return "<p>Not measured: in an open loop decisions set no gains.</p>"
    if not known.any():
        return "<p>Not measured: the recording has no cue that names a talker.</p>"
    end, ticks = _time_axis(found)
    chart = Chart(
        Axis(0.0, end, ticks, "time / s", lambda t: f"{t:g}"),
        Axis(-15.0, 15.0, [-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0], "TMR / dB", lambda g: f"{g:g}"),
        "Target-to-masker ratio against time",
    )
    shaded = _spans(chart, found, end)
    chart.line([(0.0, 0.0), (end, 0.0)], "chance")
    values = np.full(len(known), np.nan)
    values[known] = tmr(found.gains[known], found.cued[known])
    chart.line(_points(found.times, values), "main")
    _hover(chart, found, [_decibels(value) for value in values.tolist()])
    _marks(chart, found, end)
    return (
        f"<figure>{chart.svg()}<figcaption>Gain of the cued talker minus that of the loudest other talker; "
        f"talkers are loudness-matched before gains are applied.{shaded}</figcaption></figure>"
    )


def _accuracy(found: SessionFigures) -> str:
    if isinstance(found.accuracy, str):
        return f"<p>Not measured: {escape(found.accuracy)}.</p>"
    return (
        "<p>The decoder of this run, which was not trained on it; only cued time, without the first two seconds after "
        "each cue. The signals are re-segmented into windows, so these are not the windows of the live decisions "
        "above.</p>"
        f"{accuracy_chart(found.accuracy)}{by_window(found.accuracy)}{by_component(found.accuracy)}"
    )


def _signals(found: SessionFigures) -> str:
    n = len(found.masked)
    rows = [
        [f'<th scope="row">{escape(name)}</th>', f"<td>{100 * share:.0f} %</td>"]
        for name, share in sometimes_masked(found.masked)[:20]
    ]
    summary = f"<p>{n - len(sometimes_masked(found.masked))} of {n} electrodes were never masked.</p>"
    gaps = "; ".join(
        f"{escape(name)}: {count} gap{'s' if count > 1 else ''}, {missing} samples missing"
        for name, (count, missing) in found.gaps.items()
    )
    cut = "" if found.whole else " <strong>The recording was cut short: the rest of the session is missing.</strong>"
    cut += "".join(
        f" <strong>Damaged, and left out: {escape(words)}. Commands of the operator may be missing there, so the gains "
        "shown after it may differ from those that were heard.</strong>"
        for words in found.damage
    )
    engines = f" The engine was restarted: {found.n_files} files." if found.n_files > 1 else ""
    masked = table("Share of the time in which an electrode was masked", ["electrode", "masked"], rows) if rows else ""
    rates = "".join(f"<p><strong>{escape(name)}: {escape(words)}.</strong></p>" for name, words in found.rates.items())
    return f"{summary}{masked}{rates}<p>{gaps or 'No gaps in any stream'}.{engines}{cut}</p>"


def _latency(found: SessionFigures) -> str:
    rows = []
    for name, values in found.stages.items():
        figures = (
            [f"{1e3 * v:.1f}" for v in (*np.percentile(values, [50, 99]), values.max())] if len(values) else ["–"] * 3
        )
        rows.append([f'<th scope="row">{escape(name)}</th>', *(f"<td>{v}</td>" for v in (*figures, str(len(values))))])
    return table("milliseconds", ["from … to", "median", "p99", "max", "n"], rows)


def _sound(found: SessionFigures) -> str:
    if not found.sound:
        return "<p>The recording has no data about the sound.</p>"
    words = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in found.sound.items())
    return f"<p>{escape(words)}</p>"

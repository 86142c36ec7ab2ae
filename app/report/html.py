"""Self-contained HTML report of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from earmark.app.looks import DARK, HEAD, LARGE, LIGHT, SMALL, TEXT, Theme
from earmark.app.report.chart_svg import Axis, Chart
from earmark.app.terminal.foreign import escaped as escape


def _tokens(theme: Theme) -> str:
    """Return the colours of the window as CSS variables."""
    named = {
        "paper": theme.base, "ink": theme.text, "faint": theme.faint, "rule": theme.rule, "grid": theme.button,
        "main": theme.highlight, "band": f"{theme.highlight}28", "limit": theme.warn, "null": theme.faint,
        "other": theme.good,
    }  # fmt: skip
    return " ".join(f"--{name}: {colour};" for name, colour in named.items())


#: Sizes of text, relative to that of the document as in the window.
_SIZES = " ".join(
    f"--{name}: {size / TEXT:.2f}rem;" for name, size in (("small", SMALL), ("large", LARGE), ("head", HEAD))
)
_COLOURS = f"""
:root {{ color-scheme: light dark; {_tokens(LIGHT)} {_SIZES} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_tokens(DARK)} }} }}
"""
STYLE = (
    _COLOURS
    + """\
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: var(--head); line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: var(--large); margin: 2.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.faint, figcaption { color: var(--faint); }
.result { font-size: var(--large); font-weight: 600; margin: 1rem 0; }
.about { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
.about dt { color: var(--faint); } .about dd { margin: 0; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.facts div { border: 1px solid var(--rule); border-radius: .5rem; padding: .6rem .8rem; }
.facts dt { color: var(--faint); font-size: var(--small); }
.facts dd { margin: 0; font-size: var(--large); font-weight: 600; font-variant-numeric: tabular-nums; }
.facts small { font-size: var(--small); font-weight: 400; color: var(--faint); display: block; }
figure { margin: 0 0 1.25rem; max-width: 46rem; overflow-x: auto; }
.narrow { max-width: 38rem; }
figure > svg { width: 100%; min-width: 30rem; height: auto; display: block; }
svg text { fill: var(--faint); font: 13px system-ui, sans-serif; }
.grid { stroke: var(--grid); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.main { stroke: var(--main); stroke-width: 2.5; } circle.main, circle.spot { fill: var(--main); stroke: none; }
circle.spot { fill-opacity: .75; }
.band { fill: var(--band); stroke: none; }
.hover { fill: transparent; } .hover:hover { fill: var(--band); }
.chance { stroke: var(--ink); stroke-width: 1.25; }
.limit { stroke: var(--limit); stroke-dasharray: 7 4; }
.null { stroke: var(--null); stroke-dasharray: 2 4; stroke-linecap: round; }
.expected { stroke: var(--other); stroke-dasharray: 10 3 2 3; stroke-width: 1.5; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .25rem 0 0; padding: 0; list-style: none;
  font-size: var(--small); }
.key svg { display: inline-block; width: 2rem; height: .8rem; vertical-align: middle; margin-right: .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: var(--small); font-variant-numeric: tabular-nums; }
.note { margin: 1rem 0 .25rem; font-size: var(--small); }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child, td.text { text-align: left; }
details { margin-top: 1rem; } summary { cursor: pointer; }
pre { font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { details:not([open]) { display: none; } }
"""
)

KEY = (
    ("main", "accuracy, mean over listeners"),
    ("band", "± 1 SD over listeners"),
    ("limit", "chance limit (p = 0.05)"),
    ("chance", "chance level"),
    ("null", "null: talkers shifted in time"),
    ("expected", "extrapolated from the shortest window"),
)

#: Columns of the tables by decision window: key in the evaluation, heading, number format.
BY_WINDOW = (
    ("accuracy", "accuracy", "percent"),
    ("accuracy_sd", "SD", "percent"),
    ("n_windows", "n", "count"),
    ("chance_limit", "chance limit", "percent"),
    ("null_accuracy", "null", "percent"),
    ("n_null", "n of null", "count"),
    ("expected_accuracy", "expected", "percent"),
    ("dprime", "d′", "2"),
    ("dprime_se", "SE", "2"),
    ("auc", "AUC", "3"),
    ("itr", "bits/min", "2"),
)


def page_head(title: str, more_style: str = "") -> str:
    """Return the beginning of a page up to ``</head>``; the page may load nothing and run no script."""
    style = f"{STYLE}\n{more_style}\n" if more_style else STYLE
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{style}</style>
</head>"""


def table_cell(value: object, show: str) -> str:
    """Return a table cell with a rounded number, and all its digits in the tool tip.

    Parameters
    ----------
    value : float, str or None
        None was not measured.
    show : str
        Format of a number: ``percent``, ``count``, or the number of decimals.
    """
    if value is None:
        return "<td>–</td>"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f'<td class="text">{escape(str(value))}</td>'
    return f'<td title="{value!r}">{_number(value, show)}</td>'


def _number(value: float | None, show: str) -> str:
    if value is None:
        return "–"
    if show == "percent":
        return f"{100 * value:z.1f} %"
    return f"{value:d}" if isinstance(value, int) else f"{value:z.{int(show) if show.isdigit() else 0}f}"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table from rows of finished cells."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<p class="faint note">{escape(caption)}</p>'
        f'<div class="wide"><table aria-label="{escape(caption)}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def row_head(text: str) -> str:
    """Return the first cell of a row, which names it."""
    return f'<th scope="row">{escape(text)}</th>'


def _seconds(window: str) -> str:
    return f"{float(window):g} s"


def _tick(percent: float) -> str:
    return f"{100 * percent:.0f} %"


def accuracy_chart(found: Mapping[str, Any]) -> str:
    """Draw accuracy by decision window, with chance level, chance limit and null; see :func:`report_html`."""
    windows = [float(window) for window in found["windows"]]
    chance = 1 / found["n_talkers"]

    def curve(name: str) -> list[tuple[float, float | None]]:
        return [(float(window), value) for window, value in found[name].items()]

    accuracy, sd = curve("accuracy"), curve("accuracy_sd")
    low, high = (
        [
            (w, None if a is None or s is None else min(max(a + sign * s, 0), 1))
            for (w, a), (_, s) in zip(accuracy, sd, strict=True)
        ]
        for sign in (-1, 1)
    )
    shown = [y for _, y in [*low, *accuracy, *curve("null_accuracy")] if y is not None]
    bottom = min([chance - 0.1, *(y - 0.03 for y in shown)])
    bottom = max(0.0, int(bottom * 10) / 10)
    reach = 1.15
    chart = Chart(
        Axis(windows[0] / reach, windows[-1] * reach, windows, "decision window / s", lambda w: f"{w:g}", log=True),
        Axis(bottom, 1.0, [i / 10 for i in range(round(bottom * 10), 11)], "accuracy", _tick),
        "Accuracy against decision window",
    )
    chart.band(low, high, "band")
    chart.line([(windows[0] / reach, chance), (windows[-1] * reach, chance)], "chance")
    chart.line(curve("null_accuracy"), "null")
    chart.line(curve("expected_accuracy"), "expected")
    chart.line(curve("chance_limit"), "limit")
    chart.line(accuracy, "main")
    tips = [f"{_seconds(w)}: {_number(a, 'percent')} of {found['n_windows'][w]}" for w, a in found["accuracy"].items()]
    chart.dots(accuracy, "main", tips)
    several = len(found["subjects"]) > 1
    kinds = KEY if several else (("main", "accuracy"), *(one for one in KEY if one[0] not in ("main", "band")))
    return f"<figure>{chart.svg()}{legend(kinds)}</figure>"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return the legend of a chart: CSS class and words of each shape."""
    items = "".join(f"<li>{_swatch(kind)}{escape(text)}</li>" for kind, text in entries)
    return f'<ul class="key">{items}</ul>'


def _swatch(kind: str) -> str:
    if kind == "band":
        shape = '<rect class="band" width="40" height="16"/>'
    elif kind == "spot":
        shape = '<circle class="spot" cx="20" cy="8" r="6"/>'
    else:
        shape = f'<polyline class="{kind}" points="0,8 40,8"/>'
    return f'<svg viewBox="0 0 40 16" aria-hidden="true">{shape}</svg>'


def _reliability(found: Mapping[str, Any]) -> str:
    curve = found["reliability"]
    if curve is None:
        return "<p>Not measured: the evaluation computed no posterior.</p>"
    chance = 1 / found["n_talkers"]
    bottom = int(min([chance, *curve["accuracy"]]) * 10) / 10
    ticks = [i / 10 for i in range(round(bottom * 10), 11)]
    chart = Chart(
        Axis(bottom, 1.0, ticks, "probability of the most likely talker", _tick),
        Axis(bottom, 1.0, ticks, "share of correct decisions", _tick),
        "Reliability of the posterior",
    )
    points = list(zip(curve["confidence"], curve["accuracy"], strict=True))
    most = max(curve["n"], default=1)
    chart.line([(bottom, bottom), (1.0, 1.0)], "chance")
    chart.line(points, "main")
    tips = [
        f"{_number(c, 'percent')}: correct in {_number(a, 'percent')} of {n}"
        for (c, a), n in zip(points, curve["n"], strict=True)
    ]
    chart.dots(points, "spot", tips, [3 + 7 * (n / most) ** 0.5 for n in curve["n"]])
    rows = [
        [table_cell(c, "percent"), table_cell(a, "percent"), table_cell(n, "count")]
        for c, a, n in zip(curve["confidence"], curve["accuracy"], curve["n"], strict=True)
    ]
    return (
        f'<figure class="narrow">{chart.svg()}<figcaption>On the diagonal, the probability equals the share of correct '
        f"decisions. Expected calibration error {_number(found['ece'], '3')}. Larger dots stand for more hops; hops of "
        "one run are not independent.</figcaption></figure>"
        + table("Values of the dots.", ["probability", "correct", "hops"], rows)
    )


def _later(found: Mapping[str, Any], figure: str, show: str) -> str:
    """Describe a figure of the posterior; evaluations of earlier versions have no smoothed posterior."""
    value = found.get(f"smoothed_{figure}")
    if found["ece"] is None:
        return "no posterior"
    if value is None:
        return "of the posterior"
    return f"{_number(value, show)} with the {found['smoothing_s']:g} s that follow"


def _facts(found: Mapping[str, Any]) -> str:
    def plus_minus(name: str) -> str:
        sd = found[f"{name}_sd"]
        return "one listener" if sd is None else f"± {_number(sd, '3')} over listeners"

    mesd_note = "one listener" if len(found["subjects"]) == 1 else "median over listeners"
    if found["mesd_s"] is None:
        mesd_note = "not above the chance level, or not two talkers"
    followed = (
        f"{found['n_followed']} of {found['n_switches']} switches followed" if found["n_switches"] else "no switches"
    )
    facts = (
        ("r with attended", _number(found["r_attended"], "3"), plus_minus("r_attended")),
        ("r with ignored", _number(found["r_ignored"], "3"), plus_minus("r_ignored")),
        ("MESD / s", _number(found["mesd_s"], "1"), mesd_note),
        (
            "posterior correct",
            _number(found.get("posterior_accuracy"), "percent"),
            _later(found, "accuracy", "percent"),
        ),
        ("calibration error", _number(found["ece"], "3"), _later(found, "ece", "3")),
        ("switch latency / s", _number(found["switch_latency_s"], "1"), followed),
    )
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )
    return f'<dl class="facts">{items}</dl>'


def by_window(found: Mapping[str, Any]) -> str:
    """Return a table with the figures of every decision window; ``found`` as for :func:`report_html`."""
    rows = []
    for window in found["accuracy"]:
        left = found["n_left_out"][window]
        rows.append(
            [row_head(_seconds(window))]
            + [table_cell(found[key][window], show) for key, _, show in BY_WINDOW]
            + [table_cell(left["unknown"], "count"), table_cell(left["switching"], "count")]
        )
    heads = ["window", *(head for _, head, _ in BY_WINDOW), "unknown", "switching"]
    return table(
        "Windows do not overlap. Windows in which attention is unknown or switches are left out; the last two columns "
        "count them. Tool tips show all digits of a number.",
        heads,
        rows,
    )


def by_component(found: Mapping[str, Any]) -> str:
    """Return a table with the sensitivity of each band of a filter bank, or nothing; ``found`` as for the report."""
    if not found["dprime_by_component"]:
        return ""
    rows = [
        [row_head(name), table_cell(one["value"], "2"), table_cell(one["se"], "2")]
        for name, one in found["dprime_by_component"].items()
    ]
    shortest = _seconds(next(iter(found["dprime"])))
    rows.append(
        [row_head("together"), *(table_cell(next(iter(found[key].values())), "2") for key in ("dprime", "dprime_se"))]
    )
    return table(
        f"d′ (sensitivity) of each frequency band alone, and of the whole score, in windows of {shortest}. Only d′ "
        "compares bands: a slow band has a larger correlation, but it scatters more.",
        ["band", "d′", "SE"],
        rows,
    )


def _listeners(found: Mapping[str, Any]) -> str:
    windows = list(found["accuracy"])
    rows = []
    for one in found["subjects"]:
        rows.append(
            [
                row_head(one["subject"]),
                table_cell(one["dprime"][windows[0]]["value"], "2"),
                table_cell(one["dprime"][windows[0]]["se"], "2"),
                table_cell(one["r_attended"], "3"),
                table_cell(one["r_ignored"], "3"),
                table_cell(one["mesd"]["seconds"], "1"),
                *(
                    cell
                    for w in windows
                    for cell in (
                        table_cell(one["accuracy"][w], "percent"),
                        table_cell(one["chance_limit"][w], "percent"),
                        table_cell(one["n_windows"][w], "count"),
                    )
                ),
            ]
        )
    heads = ["listener", f"d′ at {_seconds(windows[0])}", "SE", "r attended", "r ignored", "MESD / s"]
    heads += [head for w in windows for head in (_seconds(w), "chance limit", "n")]
    return table("Accuracy and chance limit (p = 0.05) of each listener.", heads, rows)


def _folds(found: Mapping[str, Any]) -> str:
    windows = list(found["accuracy"])
    rows = [
        [
            table_cell(test["subject"], ""),
            table_cell(test["run"], ""),
            table_cell(len(fold["train"]), "count"),
            table_cell(", ".join(fold["shared_stimuli"]) or "none", ""),
            table_cell(test["r_attended"], "3"),
            table_cell(test["r_ignored"], "3"),
            *(
                cell
                for w in windows
                for cell in (table_cell(test["n_right"][w], "count"), table_cell(test["n_windows"][w], "count"))
            ),
        ]
        for fold in found["folds"]
        for test in fold["test"]
    ]
    heads = ["listener", "run", "training runs", "audio shared with training", "r attended", "r ignored"]
    heads += [head for w in windows for head in (f"correct at {_seconds(w)}", "of")]
    return table("Each test run.", heads, rows)


def _warning(found: Mapping[str, Any]) -> str:
    shared = sum(bool(fold["shared_stimuli"]) for fold in found["folds"])
    if not shared:
        return "<p>No test run shares audio with its training runs.</p>"
    return (
        f"<p><strong>In {shared} of {len(found['folds'])} folds, test and training runs share audio</strong>: a "
        "decoder may recognise the audio without using the brain signals.</p>"
    )


def report_html(found: Mapping[str, Any], title: str = "Attention decoding") -> str:
    """Return the HTML report of an evaluation.

    Parameters
    ----------
    found : mapping
        Result of :meth:`earmark.pipeline.evaluation.results.Evaluation.to_json`, possibly read from a JSON file.
    title : str
        Heading; plain text.

    Returns
    -------
    str
        A complete HTML page without scripts or external resources. Numbers are rounded; tool tips show all digits.
    """
    listeners = len(found["subjects"])
    about = (
        f"{found['protocol']}; {listeners} {'listener' if listeners == 1 else 'listeners'}, {found['n_runs']} runs, "
        f"{found['n_talkers']} talkers, {found['n_channels']} channels, {found['features']} at {found['sfreq']:g} Hz; "
        f"seed {found['seed']}, {found['n_shifts']} shifts of {found['min_shift_s']:g} s or more for the null"
    )
    return f"""{page_head(title)}
<body>
<h1>{escape(title)}</h1>
<p class="faint">{escape(about)}</p>
{_facts(found)}
<h2>Accuracy</h2>
{_warning(found)}
{accuracy_chart(found)}
{by_window(found)}
{by_component(found)}
<h2>Reliability</h2>
{_reliability(found)}
<h2>Listeners</h2>
{_listeners(found)}
<details><summary>Runs</summary>{_folds(found)}</details>
<details><summary>All numbers, unrounded</summary><pre>{escape(json.dumps(found, indent=1))}</pre></details>
</body>
</html>
"""

"""Self-contained HTML page about an evaluation of scenes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from earmark.app.report.chart_svg import Axis, Chart
from earmark.app.report.html import legend, page_head, row_head, table
from earmark.app.terminal.foreign import escaped as escape
from earmark.kernels.words import counted

#: Columns of the table of figures: key, heading, number of decimals.
COLUMNS = (
    ("si_sdri_db", "SI-SDRi / dB", 1),
    ("estoi", "eSTOI", 2),
    ("pesq", "PESQ", 2),
    ("delivered_db", "delivered / dB", 1),
    ("envelope_own", "r own", 2),
    ("envelope_other", "r other", 2),
    ("near", "within 15°", 2),
    ("swaps", "swaps / min", 1),
    ("delay_ms", "delay / ms", 0),
    ("real_time_factor", "real-time factor", 2),
)
_WORDS = (
    "SI-SDRi: improvement of the scale-invariant ratio of signal and distortion over the microphone, against direct "
    "sound and reflections until 50 ms. eSTOI, PESQ: predicted intelligibility (0 to 1) and quality (wideband, 1 "
    "to 4.6). Delivered: change of the ratio of target and masker at the ears, where {asked:g} dB were asked. r "
    "own, r other: correlation of the envelope (1 to 9 Hz) with that of this talker and of the other one. Within 15°: "
    "share of the time with both directions found. Swaps: how often places exchanged talkers. Delay: from microphone "
    "to ear, before the buffers of a sound device. Real-time factor: seconds of processor time per second of sound at "
    "16 kHz, one thread. In brackets: bootstrap 95 % interval over pairs."
)
_PAIRINGS = ("clean/clean", "clean/separated", "separated/separated")
_STYLE = "td small { color: var(--faint); } .spread { stroke: var(--main); stroke-width: 1.5; }"


def row_name(row: Mapping[str, Any]) -> str:
    """Return what a row is called."""
    parts = [row["row"]]
    if row["directions"]:
        parts.append(f"{row['directions']} directions")
    return ", ".join(parts)


def spread(found: Mapping[str, Any] | None, digits: int, percent: bool = False) -> str:
    """Return a mean with its interval as text; a dash if it was not measured."""
    if found is None or found["mean"] is None:
        return "–"
    scale = 100 if percent else 1
    mean, low, high = (None if found[k] is None else f"{scale * found[k]:z.{digits}f}" for k in ("mean", "low", "high"))
    return f"{mean}" if low is None or low == high else f"{mean} ({low} to {high})"


def _cell(found: Mapping[str, Any] | None, digits: int, percent: bool = False) -> str:
    shown = spread(found, digits, percent)
    mean, bracket, rest = shown.partition(" (")
    title = "" if found is None or found["mean"] is None else f' title="{found["mean"]!r}, n = {found["n"]}"'
    return f"<td{title}>{mean}{f' <small>({rest}</small>' if bracket else ''}</td>"


def scene_html(found: Mapping[str, Any]) -> str:
    """Return the HTML page about an evaluation.

    Parameters
    ----------
    found : mapping
        Result of :meth:`earmark.app.scenes.evaluation.Evaluating.to_json`, possibly read from a JSON file.

    Returns
    -------
    str
        A complete HTML page without scripts or external resources. Numbers are rounded; tool tips show all digits.
    """
    about, title = found["about"], "Talkers of a mixture, told apart"
    facts = (
        f"{counted(len(about['pairs']), 'pair')} of talkers at 0 dB, {about['distance_m']:g} m away; for each pair, "
        f"array and reverberation {counted(about['seeds'], 'scene')} of {about['seconds']:g} s; noise of the "
        f"microphones {about['noise_db']:g} dB; known directions are wrong by {about['directions_wrong_deg']:g}° "
        "(standard deviation); rooms, heads and listeners are simulated. Research use only."
    )
    notes = "".join(f"<p><strong>{escape(note)}.</strong></p>" for note in found["notes"])
    if not found["whole"]:
        notes = "<p><strong>Interrupted: this is what was finished.</strong></p>" + notes
    rooms = "".join(_room(found, rt60) for rt60 in about["rt60_s"])
    pairs = "".join(f"<li>{escape(' and '.join(pair))}</li>" for pair in about["pairs"])
    return f"""{page_head(title, _STYLE)}
<body>
<h1>{escape(title)}</h1>
<p class="faint">{escape(facts)}</p>
{notes}
{rooms}
{_attention(found)}
<details><summary>Pairs</summary><ol>{pairs}</ol></details>
<details><summary>All numbers, unrounded</summary><pre>{escape(json.dumps(found, indent=1))}</pre></details>
</body>
</html>
"""


def _room(found: Mapping[str, Any], rt60: float) -> str:
    """Return the section about one reverberation time."""
    rows = [row for row in found["rows"] if row["rt60_s"] in (None, rt60)]
    if not any(row["rt60_s"] == rt60 for row in rows):
        return ""
    cells = [
        [
            row_head(row_name(row)),
            f'<td class="text">{escape(row["array"] or "–")}</td>',
            *(_cell(row["figures"][name], digits) for name, _, digits in COLUMNS),
        ]
        for row in rows
    ]
    asked = found["about"]["asked_db"]
    heads = ["row", "array", *(head for _, head, _ in COLUMNS)]
    heading = f"Reverberation of {rt60:g} s" if rt60 else "Without reverberation"
    return f"<h2>{heading}</h2>\n{_chart(rows, asked)}{table(_WORDS.format(asked=asked), heads, cells)}\n"


def _chart(rows: Sequence[Mapping[str, Any]], asked: float) -> str:
    """Draw what each row delivers, with its interval."""
    shown = [row for row in rows if row["directions"] and row["figures"]["delivered_db"] is not None]
    if not shown:
        return ""
    oracles = {row["array"]: row["figures"]["delivered_db"] for row in rows if row["row"] == "oracle mask"}
    best = [oracles.get(row["array"]) for row in shown]
    n = len(shown)
    low = min(0.0, *(row["figures"]["delivered_db"]["mean"] for row in shown))
    bottom = float(2 * int((low - 1.999) // 2)) if low < 0 else 0.0
    ticks = [bottom + 2 * k for k in range(int((asked - bottom) // 2) + 1)]
    chart = Chart(
        Axis(0.5, n + 0.5, [float(k) for k in range(1, n + 1)], "row", lambda k: f"{k:.0f}"),
        Axis(bottom, asked + 0.5, ticks, "delivered / dB", lambda v: f"{v:g}"),
        "Change of the ratio of target and masker at the ears",
    )
    chart.line([(0.5, asked), (n + 0.5, asked)], "chance")
    for k, (row, oracle) in enumerate(zip(shown, best, strict=True), 1):
        one = row["figures"]["delivered_db"]
        if oracle is not None:
            chart.line([(k - 0.35, oracle["mean"]), (k + 0.35, oracle["mean"])], "limit")
        if one["low"] is not None:
            chart.line([(k, max(bottom, one["low"])), (k, one["high"])], "spread")
    names = [f"{row['array']}: {row_name(row)}" for row in shown]
    tips = [f"{name}: {spread(row['figures']['delivered_db'], 1)} dB" for name, row in zip(names, shown, strict=True)]
    dots = [(float(k), row["figures"]["delivered_db"]["mean"]) for k, row in enumerate(shown, 1)]
    chart.dots(dots, "spot", tips, [6.0] * n)
    key = (
        ("spot", "mean over pairs, with its interval: " + "; ".join(f"{k} {name}" for k, name in enumerate(names, 1))),
        ("limit", "oracle mask"),
        ("chance", "asked"),
    )
    return f"<figure>{chart.svg()}{legend(key)}</figure>"


def _attention(found: Mapping[str, Any]) -> str:
    """Return a table for each listener."""
    parts = []
    for listener in found["about"]["listeners"]:
        rows = []
        for row in found["rows"]:
            for pairing in _PAIRINGS:
                at = row["attention"].get(listener, {})
                if not any(pairing in one for one in at.values()):
                    continue
                cells = [row_head(row_name(row))]
                cells += [f'<td class="text">{escape(row["array"] or "–")}</td>', _rt60(row)]
                cells.append(f'<td class="text">{pairing}</td>')
                for one in at.values():
                    cells += [_cell(one[pairing], 1, percent=True), _cell(one[pairing].get("loss"), 1, percent=True)]
                rows.append(cells)
        windows = found["about"]["windows_s"]
        heads = ["row", "array", "RT60 / s", "trained / tested on"]
        heads += [head for w in windows for head in (f"right at {w:g} s / %", "loss / points")]
        counts = decisions(found, listener)
        caption = (
            f"Decision windows in which the decoder names the attended talker, simulated listener {listener!r}. It "
            "is trained and tested on envelopes of the talkers themselves or of what was told apart, and never tested "
            "on pairs that it was trained on. Loss: what is missing to clean/clean, over the same EEG and windows. In "
            f"brackets: bootstrap 95 % interval over pairs. {counts}"
        )
        parts.append(f"<h2>Attention: {escape(listener)}</h2>\n{table(caption, heads, rows)}")
    return "\n".join(parts)


def _rt60(row: Mapping[str, Any]) -> str:
    return f"<td>{'–' if row['rt60_s'] is None else format(row['rt60_s'], 'g')}</td>"


def decisions(found: Mapping[str, Any], listener: str) -> str:
    """Say how many decisions there are, and what guessing reaches."""
    clean = next(row for row in found["rows"] if row["rt60_s"] is None)["attention"][listener]
    parts = [
        f"{one['clean/clean']['decisions']} at {w} s ({100 * one['clean/clean']['chance_limit']:.1f} %)"
        for w, one in clean.items()
        if one["clean/clean"]["chance_limit"] is not None
    ]
    return f"Number of decisions, and what guessing reaches one time in twenty: {', '.join(parts)}."

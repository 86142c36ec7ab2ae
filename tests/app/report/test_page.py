"""The report of a session shows every talker, and states what was not measured."""

import dataclasses
import re

import numpy as np
import pytest

from earmark.app.engine.latency_stages import STAGES, TOTAL
from earmark.app.looks import DARK, LIGHT
from earmark.app.report.chart_svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from earmark.app.report.figures import Cues, SessionFigures, in_columns, measure
from earmark.app.report.page import MAX_TIPS, page_html
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.files.journal import About
from earmark.pipeline.evaluation.metrics import Reliability
from earmark.pipeline.stream import Decision

FOUR = ("Joe", "Ada", "Max", "<Eve>")


def figures(talkers=FOUR, mode="closed", cues=((0.0, "Joe"), (12.0, "Max")), events=()):
    n = len(talkers)
    gains, p = np.linspace(0.0, -12.0, n), np.linspace(0.4, 0.1, n)
    run = [Decision(0, t, -np.arange(float(n)), p, 0, gains, None, "steered", t) for t in np.arange(0.0, 20.5, 0.5)]
    given = Cues(np.array([at for at, _ in cues]), np.array([talkers.index(name) for _, name in cues], np.int64))
    measured = measure(in_columns(run, 0.0, steering=mode != "open"), given, [], end=20.0, window_s=2.0, hop_s=0.5)
    return SessionFigures(
        **vars(measured),
        talkers=talkers,
        begin=100.0,
        cues=cues,
        accuracy="there is no cue",
        masked={"E1": 0.0},
        gaps={},
        rates={},
        sound={},
        events=events,
        n_files=1,
        whole=True,
        damage=(),
        about=About("", mode=mode),
    )


def page(found):
    return page_html("run-1", found, Facts(0.8, 0.5, 40, (), 120.0), 2.0)


def chart(html, label):
    return re.search(rf'<svg[^>]*aria-label="{label}">.*?</figure>', html, re.DOTALL)[0]


def line(picture, kind):
    """Return the points of the only line of a kind in a chart, in pixels."""
    (points,) = re.findall(rf'<polyline class="{kind}" points="([^"]*)"', picture.split("</svg>")[0])
    return np.array([[float(v) for v in point.split(",")] for point in points.split()])


def test_first_sentence_concludes():
    found = figures()
    share = f"{100 * found.n_right / found.n_windows:.0f} % of {found.n_windows} decision windows were correct; "
    first = re.search(r"</h1>\s*<p[^>]*>([^<]*)</p>", page(found))[1]
    assert first.startswith(share)
    assert first.endswith(" guessing.")


def test_sound_output_is_the_one_that_played():
    assert "<dt>sound output</dt><dd>not known</dd>" in page(figures())
    found = dataclasses.replace(figures(), sound={"went to": "sound device 'card <2>'"})
    assert "<dt>sound output</dt><dd>sound device &#x27;card &lt;2&gt;&#x27;</dd>" in page(found)


def test_events_are_drawn_and_listed():
    events = (
        (2.0, "operator: Joe"),
        (4.0, "operator: Ada"),
        (5.0, "operator: follow decisions"),
        (6.0, "note: a <door> slammed"),
        (7.0, "operator: channel E1 is bad"),
        (8.0, "MUTED"),
        (9.0, "operator: all equal"),
        (11.0, "eeg: 40 samples missing from index 1200 on"),
    )
    found = figures(events=events)
    html = page(found)
    n_charts = 3
    assert html.count('<polygon class="span-override"') == 3 * n_charts, "the last one until the end"
    assert html.count('<polygon class="span-mute"') == n_charts
    assert html.count("Shaded: override, mute by the operator.") == n_charts
    for kind, n in (("override", 4), ("note", 1), ("mute", 1), ("gap", 1), ("other", 0)):
        assert html.count(f'<line class="mark-{kind}"') == n * n_charts
    gains = chart(html, "Gains against time")
    assert "<title>6.0 s: note: a &lt;door&gt; slammed</title>" in gains
    assert "<h2>Overrides</h2>\n<ul><li>2.0 s: operator: Joe</li>" in html
    assert "<h2>Notes and answers</h2>\n<ul><li>6.0 s: note: a &lt;door&gt; slammed</li></ul>" in html
    assert '<polygon class="span-' not in page(figures())


def test_charts_show_values_under_the_pointer():
    found = figures()
    html = page(found)
    picture = chart(html, "Gains against time")
    tips = re.findall(r'<rect class="hover"[^>]*><title>([^<]*)</title>', picture)
    assert len(tips) == len(found.times)
    assert tips[0] == "0.0 s, cue Joe: Joe +0.0 dB, Ada -4.0 dB, Max -8.0 dB, &lt;Eve&gt; -12.0 dB"
    assert tips[-1].startswith("20.0 s, cue Max: ")
    assert "0.5 s, cue Joe: Joe 40 %, " in chart(html, "Posterior of each talker against time")
    assert "12.0 s, cue Max: -8.0 dB<" in chart(html, "Target-to-masker ratio against time")
    silent = dataclasses.replace(found, gains=np.full_like(found.gains, -np.inf))
    assert "0.0 s, cue Joe: Joe silent, Ada silent" in page(silent)
    long = dataclasses.replace(
        found, times=np.arange(5000) / 2, cued=np.zeros(5000, int), probability=np.full((5000, 4), 0.25),
        gains=np.zeros((5000, 4)),
    )  # fmt: skip
    assert 0 < chart(page(long), "Gains against time").count("hover") <= MAX_TIPS


def test_colours_are_those_of_the_window():
    html = page(figures())
    for theme in (LIGHT, DARK):
        assert f"--paper: {theme.base}; --ink: {theme.text};" in html
        assert f"--talker1: {theme.talkers[0]}; --talker2: {theme.talkers[1]};" in html
    style = html.partition("<style>")[2].partition("</style>")[0]
    allowed = {colour for theme in (LIGHT, DARK) for colour in (*theme.talkers, *vars_of(theme))}
    assert {colour[:7] for colour in re.findall("#[0-9a-f]{6,8}", style)} <= allowed


def vars_of(theme):
    return [
        getattr(theme, field.name) for field in dataclasses.fields(theme) if isinstance(getattr(theme, field.name), str)
    ]


def test_posterior_is_compared_with_its_own_accuracy():
    live, later = Reliability((0.7,), (0.6,), (50,), 0.1), Reliability((0.8,), (0.78,), (50,), 0.02)
    shown = "60 %<small>of the hops, from 2 s after each cue; calibration error 0.100; with the 5 s that follow 78 % "
    assert f"{shown}and 0.020" in page(dataclasses.replace(figures(), posterior=live, smoothed=later))
    nothing = Reliability((), (), (), np.nan)
    for found in (figures(), dataclasses.replace(figures(), posterior=nothing, smoothed=nothing)):
        assert re.search("posterior correct</dt><dd>not measured", page(found))


@pytest.mark.parametrize("n", [2, 4])
def test_charts_show_every_talker(n):
    found = figures(FOUR[:n], cues=((0.0, "Joe"), (12.0, "Ada")))
    html = page(found)
    gains, posterior = chart(html, "Gains against time"), chart(html, "Posterior of each talker against time")
    high = HEIGHT - TOP - BOTTOM
    for k in range(n):
        drawn = line(gains, f"talker{k + 1}")
        assert drawn[:, 1] == pytest.approx(HEIGHT - BOTTOM - (found.gains[0, k] + 12) / 18 * high, abs=0.02)
        assert drawn[[0, -1], 0].tolist() == [LEFT, WIDTH - RIGHT], "from the first decision to the end"
        drawn = line(posterior, f"talker{k + 1}")
        assert drawn[:, 1] == pytest.approx(HEIGHT - BOTTOM - found.probability[0, k] / 1.06 * high, abs=0.02)
        name = FOUR[k].replace("<", "&lt;").replace(">", "&gt;")
        for picture in (gains, posterior):
            assert f'class="talker{k + 1}" points="0,6 32,6"/></svg>{name}<' in picture
        assert f".talker{k + 1} {{" in html
    assert f"talker{n + 1}" not in html
    assert line(posterior, "chance")[:, 1] == pytest.approx(HEIGHT - BOTTOM - 1 / n / 1.06 * high, abs=0.02)


def test_cues_are_drawn_above_the_posterior_in_the_talkers_colour():
    html = page(figures())
    bands = re.findall(r'<polygon class="(cue\d)" points="([^"]*)"', html)
    wide = WIDTH - LEFT - RIGHT
    spans = {}
    for kind, points in bands:
        xs = [float(point.split(",")[0]) for point in points.split()]
        spans[kind] = [(min(xs) - LEFT) / wide * 20, (max(xs) - LEFT) / wide * 20]
    assert spans["cue1"] == pytest.approx([0, 12], abs=0.01)
    assert spans["cue3"] == pytest.approx([12, 20], abs=0.01)
    assert set(spans) == {"cue1", "cue3"}


def test_latency_stages_have_the_same_names_as_in_the_window():
    html = page(figures())
    assert re.findall(r'<th scope="row">([^<]* to [^<]*)</th>', html) == [*STAGES, TOTAL]


def test_report_of_an_open_loop_has_no_tmr():
    html = page(figures(mode="open"))
    assert "Target-to-masker ratio against time" not in html
    assert "in an open loop decisions set no gains" in html
    assert "<dt>target-to-masker ratio</dt><dd>not measured<" in html
    assert "Target-to-masker ratio against time" in page(figures())


def test_report_without_cues_states_what_is_not_measured():
    html = page(figures(cues=()))
    assert "<dt>correct windows of 2 s</dt><dd>not measured<" in html
    assert "the recording has no cue that names a talker" in html
    assert "<dt>switches followed</dt><dd>0 of 0<small>median none<" in html


def test_median_of_switches_lies_between_the_middle_two():
    found = dataclasses.replace(figures(), latencies=np.array([8.0, np.nan, 2.0]))
    assert "<dt>switches followed</dt><dd>2 of 3<small>median 5.0 s<" in page(found)

from __future__ import annotations

import json
import math
from functools import lru_cache
from html.parser import HTMLParser

import pytest
from listeners import Ridge, listen

from earmark.app.report.chart_svg import HEIGHT, WIDTH, Axis, Chart
from earmark.app.report.html import report_html
from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.evaluation.evaluate import evaluate

VOID = {"meta"}


class Page(HTMLParser):
    """Parses a page into tags, attributes, text and table rows; checks that tags are closed properly."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.words, self.rows = [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append([dict(attributes).get("title"), ""])

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1][1] += data


@lru_cache
def found(with_evidence: bool = True) -> dict:
    evidence = EvidenceConfig() if with_evidence else None
    runs = [listen(f"run-{r}", f"{s:02d}", seconds=40, switch_s=20) for s in range(2) for r in range(3)]
    return evaluate(runs, Ridge, "leave-one-run-out", [1, 5, 60], evidence=evidence).to_json()


def test_tables_show_the_numbers_of_the_evaluation_rounded():
    page, data = Page(report_html(found())), found()
    rows = {row[0][1]: row for row in page.rows if row[0][1].endswith(" s")}
    heads = next(row for row in page.rows if row[0][1] == "window")
    names = {
        "accuracy": "accuracy",
        "SD": "accuracy_sd",
        "n": "n_windows",
        "chance limit": "chance_limit",
        "null": "null_accuracy",
        "n of null": "n_null",
        "expected": "expected_accuracy",
        "d′": "dprime",
        "SE": "dprime_se",
        "AUC": "auc",
        "bits/min": "itr",
    }
    for window in ("1.0", "5.0", "60.0"):
        row = rows[f"{float(window):g} s"]
        for (_, head), (exact, shown) in zip(heads, row, strict=True):
            if head not in names:
                continue
            value = data[names[head]][window]
            if value is None:
                assert (exact, shown) == (None, "–")
                continue
            assert json.loads(exact) == value
            number = float(shown.removesuffix(" %")) / (100 if shown.endswith("%") else 1)
            assert number == pytest.approx(value, abs=0.0051)
        assert [cell[0] for cell in row[-2:]] == [str(n) for n in data["n_left_out"][window].values()]
    for one in data["subjects"]:
        row = next(row for row in page.rows if row[0][1] == one["subject"] and len(row) == 6 + 3 * 3)
        exact = [None if cell[0] is None else json.loads(cell[0]) for cell in row[1:]]
        first = one["dprime"]["1.0"]
        assert exact[:5] == [first["value"], first["se"], one["r_attended"], one["r_ignored"], one["mesd"]["seconds"]]
        assert exact[5::3] == list(one["accuracy"].values())
    tested = [test for fold in data["folds"] for test in fold["test"]]
    below = page.rows[next(i for i, row in enumerate(page.rows) if row[1][1] == "run") + 1 :]
    for row, test in zip(below, tested, strict=True):
        assert [cell[1] for cell in row[:2]] == [test["subject"], test["run"]]
        assert [json.loads(cell[0]) for cell in row[4:6]] == [test["r_attended"], test["r_ignored"]]
        assert [int(cell[0]) for cell in row[6::2]] == list(test["n_right"].values())
        assert [int(cell[0]) for cell in row[7::2]] == list(test["n_windows"].values())
    assert f"{data['r_attended']:.3f}" in page.words


def test_page_contains_all_numbers_unrounded():
    page = Page(report_html(found()))
    assert json.loads(next(word for word in page.words if word.startswith("{\n"))) == found()


def test_page_loads_nothing_and_runs_no_script():
    page = Page(report_html(found()))
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [a for a in page.attributes if a[1] in ("src", "href", "xlink:href") or a[1].startswith("on")]
    html = report_html(found())
    assert "url(" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_text_is_escaped():
    evil = "<script>alert(1)</script>\"'&"
    data = json.loads(json.dumps(found()))
    data["protocol"] = data["features"] = evil
    data["subjects"][0]["subject"] = evil
    data["folds"][0]["shared_stimuli"] = [evil]
    data["folds"][0]["test"][0]["run"] = data["folds"][0]["test"][0]["subject"] = evil
    page = Page(report_html(data, evil))
    assert "script" not in page.tags
    assert sum(evil in word for word in page.words) >= 6


def test_posterior_is_shown_live_and_smoothed_with_its_calibration():
    data, words = found(), " ".join(Page(report_html(found())).words)
    assert f"{100 * data['posterior_accuracy']:.1f} %" in words
    assert f"{100 * data['smoothed_accuracy']:.1f} % with the 5 s that follow" in words
    assert f"{data['smoothed_ece']:.3f} with the 5 s that follow" in words
    older = {key: value for key, value in data.items() if not key.startswith(("smooth", "posterior"))}
    assert "of the posterior" in report_html(older), "an evaluation of an earlier version"


def test_audio_shared_by_test_and_training_runs_is_reported():
    assert "No test run shares audio with its training runs" in report_html(found())
    data = json.loads(json.dumps(found()))
    data["folds"][0]["shared_stimuli"] = ["story"]
    assert "In 1 of 6 folds, test and training runs share audio" in report_html(data)


def test_missing_figures_are_not_shown():
    html = report_html(found(with_evidence=False))
    assert "the evaluation computed no posterior" in html
    assert "nan" not in html.lower()
    one = evaluate([listen(f"run-{r}", seconds=8, gain=0) for r in range(2)], Ridge, "leave-one-run-out", [1, 20])
    html = report_html(one.to_json())
    Page(html)
    assert "one listener" in html


def test_chart_clips_to_its_axes():
    axis = Axis(1.0, 30.0, [1, 10, 30], "x", str, log=True)
    chart = Chart(axis, Axis(0.4, 1.0, [0.4, 1.0], "y", str), "test")
    chart.line([(1, 0.0), (10, None), (30, 2.0)], "main")
    chart.dots([(10, 0.7), (30, None)], "main", ["a", "b"])
    page = Page(chart.svg())
    lines = [value for tag, name, value in page.attributes if (tag, name) == ("polyline", "points")]
    assert len(lines) == 2
    (y,) = [float(v) for tag, name, v in page.attributes if (tag, name) == ("circle", "cy")]
    (x,) = [float(v) for tag, name, v in page.attributes if (tag, name) == ("circle", "cx")]
    for point in lines:
        px, py = map(float, point.split(","))
        assert 0 <= px <= WIDTH
        assert 0 <= py <= HEIGHT
    first, last = (float(point.split(",")[0]) for point in lines)
    assert (x - first) / (last - first) == pytest.approx(math.log(10) / math.log(30), abs=1e-3)
    assert min(float(p.split(",")[1]) for p in lines) < y < max(float(p.split(",")[1]) for p in lines)

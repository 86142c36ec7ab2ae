"""Figures of complete recordings, by one engine and by two."""

import csv
import json
import os
import re
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sessions import BEGIN, write_session
from earmark.app.commands.report import report
from earmark.app.commands.train import train
from earmark.app.engine.latency_stages import STAGES, TOTAL
from earmark.app.report.read_session import _Contents, session_figures
from earmark.app.report.worker import figures_of
from earmark.app.report.write import write_decisions
from earmark.devices.files.journal import DecisionLine
from earmark.pipeline.stream import Decision


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([folder / "calibration-1.xdf"], folder / "decoder")
    return folder / "decoder"


@pytest.fixture(scope="module")
def run(decoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "loop.xdf"
    return write_session(path, (("Joe", 14.0), ("Ada", 12.0)), seed=3, decoder=decoder)


def test_figures_of_a_run(run):
    found = session_figures(run)
    assert found.talkers == ("Joe", "Ada")
    assert [name for _, name in found.cues] == ["Joe", "Ada", ""]
    # Cues are 1, 15 and 27 s after the start of the recording; ``begin`` is the time of the first decision.
    assert [time + found.begin - BEGIN for time, _ in found.cues] == pytest.approx([1.0, 15.0, 27.0])
    assert found.times[0] == 0.0
    assert found.probability.shape == found.gains.shape == (len(found.times), 2)
    assert 0 < found.n_right <= found.n_windows <= (14 - 2) / 2 + (12 - 2) / 2
    assert len(found.latencies) == 1, "from Joe to Ada"
    assert (found.n_files, found.whole, found.damage) == (1, True, ())


def test_report_says_whose_run_it_is_when_and_by_what_it_was_recorded(run, tmp_path):
    here = tmp_path / "sub-07" / "run-2"
    shutil.copytree(run.parent, here)
    for other in ("run-1", "run-10"):
        shutil.copytree(run.parent, here.with_name(other))
    (here.with_name("run-1") / "report.html").touch()
    os.utime(here / "loop.xdf", (0, datetime(2026, 3, 1, 9, 30).timestamp()))
    report(here, tmp_path / "figures.json")
    given = json.loads((tmp_path / "figures.json").read_text())
    assert given["right"] == session_figures(run).n_right
    page = (here / "report.html").read_text()
    about = dict(re.findall("<dt>([^<]*)</dt><dd>(.*?)</dd>", page))
    assert "<h1>sub-07, run-2</h1>" in page
    assert about["listener"] == "sub-07"
    assert about["last written"] == "2026-03-01 09:30 (date of the file)"
    assert re.fullmatch(r"0:2[789]\.\d", about["length"]), (
        "three cues, the last of which comes 27 s after the beginning"
    )
    assert re.fullmatch(r"\S.*, \d+ channels at \d+ Hz", about["amplifier"])
    assert about["other runs"] == '<a href="../run-1/report.html">run-1</a>, <a href="../run-10">run-10</a>'


def test_process_that_is_ended_while_it_writes_leaves_no_part_of_a_report(run, tmp_path, monkeypatch):
    class Ended(Exception):
        pass

    def ended(*_):
        raise Ended

    here = tmp_path / "run-1"
    shutil.copytree(run.parent, here, ignore=shutil.ignore_patterns("report.html"))
    monkeypatch.setattr(Path, "replace", ended)
    with pytest.raises(Ended):
        figures_of(here)
    assert not (here / "report.html").exists()
    monkeypatch.undo()
    figures_of(here)
    assert (here / "report.html").read_text().endswith("</html>\n")


def test_table_of_decisions_has_the_figures_of_the_report(run, tmp_path):
    found, path = session_figures(run), tmp_path / "decisions.csv"
    write_decisions(path, found)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time_s"]) for row in rows] == found.times.tolist()
    for k, name in enumerate(found.talkers):
        assert [float(row[f"probability {name}"]) for row in rows] == found.probability[:, k].tolist()
        assert [float(row[f"gain_db {name}"]) for row in rows] == found.gains[:, k].tolist()
        assert [row["cued"] == name for row in rows] == (found.cued == k).tolist()
        assert [row["decided"] == name for row in rows] == (found.decided == k).tolist()
    assert float(rows[-1]["lsl_time_s"]) == found.begin + found.times[-1]


def test_figures_of_two_engines(run, decoder, tmp_path):
    """The second file continues the first, with decisions, cues and stages of its own."""
    first = tmp_path / "loop.xdf"
    write_session(first, (("Joe", 14.0), ("Ada", 12.0)), seed=3, decoder=decoder)
    alone = session_figures(first)
    (tmp_path / "other").mkdir()
    second = write_session(tmp_path / "other" / "loop.xdf", (("Ada", 14.0),), seed=5, decoder=decoder)
    (tmp_path / "loop-2.xdf").write_bytes(second.read_bytes())
    both = session_figures(first)
    assert (alone.n_files, both.n_files) == (1, 2)
    assert len(both.times) > len(alone.times)
    assert np.all(np.diff(both.times) >= 0), "sorted by time, whatever the order of files"
    for name in (*STAGES[:3], TOTAL):
        assert len(both.stages[name]) == np.count_nonzero(np.isfinite(both.stages[name])) > len(alone.stages[name])
    assert len(both.cues) == len(alone.cues) + 2


def test_latency_stages_of_older_recordings_begin_at_the_newest_sample():
    """They stored when a decision held, a tick after its newest sample; each engine numbers decisions from one."""
    read, scores = _Contents(), np.zeros(2)
    for newest in (0.9, 5.7):
        held = newest + 0.1
        read.decided.append([Decision(0, held, scores, scores, 0, scores, None, "steered", newest)])
        line = DecisionLine(1, held, held, held, held, scored=True)
        read.journals.append([(held, line)])
    assert [[line.newest for line in lines] for lines in read.lines()] == [[0.9], [5.7]]


def test_worker_returns_the_same_figures_as_json(run):
    found, given = session_figures(run), json.loads(json.dumps(figures_of(run.parent)))
    assert (given["windows"], given["right"], given["dropped"]) == (found.n_windows, found.n_right, found.n_dropped)
    assert given["steady"] == pytest.approx(found.steady)
    assert list(given["stages"]) == [*STAGES, TOTAL]
    assert len(given["switches"]) == len(found.latencies)

"""The page Study: figures of `earmark study`, participants as points, exclusions, and the processor for sessions."""

import json
import shutil

import numpy as np
import pytest

from benchmarks.sessions import SFREQ, SPEECH_HZ, slow, write_session
from earmark.app.commands.study import study
from earmark.app.commands.train import train
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.panels.runs_table import COLUMNS
from earmark.app.report.exclusions import EXCLUDED

TRIALS = (("Joe", 14.0), ("Ada", 12.0))
RUNS = ["alice/run-1", "alice/run-2", "bob/ses-01/run-1", "bob/ses-01/run-2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write a study of two listeners, whose figures are kept: complete runs, one cut, one empty."""
    root = tmp_path_factory.mktemp("made") / "study"
    calibration = write_session(root.parent / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([calibration], root.parent / "decoder")
    noise = np.random.default_rng(0).normal(0, 1, (round(27 * SFREQ), 4))
    speech = np.stack([slow(k, 27.0, SPEECH_HZ) for k in range(2)], axis=1)
    for k, (path, end) in enumerate(zip(RUNS[:3], (True, False, True), strict=True)):
        options = {"signals": (noise, speech)} if k == 2 else {}
        write_session(root / path / "loop.xdf", TRIALS, 3 + k, end=end, decoder=root.parent / "decoder", **options)
    (root / RUNS[2] / "loop.events.jsonl").write_text('[1001.5, "note: sits up"]\n[1003.0, "ALARM: late"]\n')
    (root / RUNS[3]).mkdir()
    study(root)
    return root


@pytest.fixture
def root(made, tmp_path):
    return shutil.copytree(made, tmp_path / "study")


@pytest.fixture
def page(qtbot, theme, settings):
    from earmark.app.dashboard.pages.study import Study

    one = Study(settings)
    qtbot.addWidget(one)
    one.resize(900, 480)
    one.show()
    yield one
    one.end()


def measured(qtbot, page):
    qtbot.waitUntil(lambda: page._job is None, timeout=120_000)


def cells(page):
    """Texts of the table as shown, by path of the run."""
    model, source = page.table.model(), page.table.model_of_runs
    rows = {}
    for row in range(model.rowCount()):
        path = source.runs[model.mapToSource(model.index(row, 0)).row()]["path"]
        rows[path] = {column.head: model.index(row, k).data() for k, column in enumerate(COLUMNS)}
    return rows


def points(plot):
    """Places of the participants in a plot."""
    import pyqtgraph as pg

    found = [item for item in plot.getPlotItem().items if isinstance(item, pg.ScatterPlotItem)]
    return [(spot.pos().x(), spot.pos().y()) for item in found for spot in item.points()]


def test_page_has_the_figures_of_the_command(page, qtbot, root, tmp_path):
    study(root, csv_file=tmp_path / "a.csv", json_file=tmp_path / "a.json", html=tmp_path / "a.html")
    found = json.loads((tmp_path / "a.json").read_text())
    page.open_study(root)
    measured(qtbot, page)
    rows = cells(page)
    assert list(rows) == RUNS
    for run in found["runs"]:
        row = rows[run["path"]]
        assert (row["participant"], row["session"], row["run"]) == (run["participant"], run["session"], run["run"])
        assert row["status"] == run["status"]
        assert row["correct"] == ("–" if run["accuracy"] is None else f"{100 * run['accuracy']:.0f} %")
        assert row["TMR"] == ("–" if run["tmr_db"] is None else f"{run['tmr_db']:.1f}")
    assert [row["status"] for row in rows.values()] == ["used", "cut", "used", "unusable"]
    assert (rows[RUNS[2]]["notes"], rows[RUNS[2]]["alarms"]) == ("1", "1")
    expected = [(k, 100 * one["accuracy"]) for k, one in enumerate(found["participants"], 1)]
    np.testing.assert_allclose(points(page.plots[0]), expected)
    assert expected[0][1] > expected[1][1]
    assert "1 of 2 participants are better than guessing" in page._result_words.text()
    for suffix in ("csv", "json", "html"):
        page.save(tmp_path / f"b.{suffix}")
        assert (tmp_path / f"b.{suffix}").read_bytes() == (tmp_path / f"a.{suffix}").read_bytes()
    page.save(tmp_path / "b.txt")
    assert page._message.full_text == "b.txt must end in .html, .csv or .json"


def test_selected_run_shows_what_was_said_and_why_it_does_not_count(page, qtbot, root):
    page.open_study(root)
    measured(qtbot, page)
    page.plots[0].chosen.emit("bob")
    assert page.table.run["path"] == RUNS[2]
    assert page.details.toPlainText() == "note: sits up\nALARM: late"
    page.table.select("path", RUNS[1])
    assert page.details.toPlainText() == "cut short: the rest of the run is missing"
    page.table.select("path", RUNS[3])
    assert page.details.toPlainText() == "unusable: empty: the folder has no loop.xdf"
    assert not page.review.isEnabled()


def test_run_is_excluded_with_a_reason_and_included_again(page, qtbot, root):
    (root / EXCLUDED).write_text("# read by the study\n")
    page.open_study(root)
    measured(qtbot, page)
    page.table.select("path", RUNS[0])
    assert not page.exclude.isEnabled(), "without a reason"
    qtbot.keyClicks(page.reason, 'fell "asleep"')
    page.exclude.click()
    measured(qtbot, page)
    assert (root / EXCLUDED).read_text() == '# read by the study\n"alice/run-1" = "fell \\"asleep\\""\n'
    assert page.table.run["path"] == RUNS[0]
    assert cells(page)[RUNS[0]]["status"] == "excluded"
    assert page.details.toPlainText() == 'excluded: fell "asleep"'
    assert "alice/run-1" not in str(page._result["conditions"])
    assert page.exclude.text() == "&Include"
    page.exclude.click()
    measured(qtbot, page)
    assert (root / EXCLUDED).read_text() == "# read by the study\n"
    assert cells(page)[RUNS[0]]["status"] == "used"


def test_exclusion_of_a_folder_is_not_undone_for_one_run(page, qtbot, root):
    (root / EXCLUDED).write_text('alice = "hearing aid"\n')
    page.open_study(root)
    measured(qtbot, page)
    page.table.select("path", RUNS[0])
    page.exclude.click()
    assert page._message.full_text.startswith("alice/run-1 is excluded together with other runs")
    assert (root / EXCLUDED).read_text() == 'alice = "hearing aid"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [('"alice/run-9" = "x"', "there is no run at 'alice/run-9'"), ("alice", "is not valid TOML")],
)
def test_mistake_in_the_file_of_exclusions_is_shown(page, qtbot, root, text, words):
    (root / EXCLUDED).write_text(text)
    page.open_study(root)
    measured(qtbot, page)
    assert words in page._message.full_text
    assert not page._shown.isVisible()


def test_folder_without_runs_says_which_folder_to_choose(page, qtbot, tmp_path):
    (tmp_path / "empty").mkdir()
    page.open_study(tmp_path / "empty")
    measured(qtbot, page)
    assert page._message.full_text.endswith("choose the folder above the participants' folders")


def test_checks_and_recordings_get_the_processor(page, qtbot, root):
    """Nothing is measured while a session needs the processor, and it goes on afterwards."""
    recording, free = (Snapshot(session_age=0.0, state=state) for state in ("running", "review"))
    page.open_study(root)
    process = page._job._process
    page.give_way(recording)
    assert page._job is None
    assert process.state() == process.ProcessState.NotRunning
    assert "goes on after them" in page._message.full_text
    page.measure()
    assert page._job is None
    page.give_way(free)
    assert page._job is not None
    page.stop_button.click()
    assert page._job is None
    page.give_way(recording)
    page.give_way(free)
    assert page._job is None, "stopped by the user"


def test_last_study_is_offered_again(page, qtbot, root, settings):
    from earmark.app.dashboard.pages.study import Study

    page.open_study(root)
    page.stop()
    again = Study(settings)
    qtbot.addWidget(again)
    assert again._folder == root
    assert again.measure_button.isEnabled()
    assert again._job is None


def test_run_is_opened_on_the_page_review(qtbot, window, root):
    shown = window()
    shown.actions_by_key["study"].trigger()
    assert shown.pages.currentWidget() is shown.study
    shown.study.open_study(root)
    measured(qtbot, shown.study)
    shown.study.table.select("path", RUNS[2])
    shown.study.review.click()
    assert shown.pages.currentWidget() is shown.review
    assert shown.review._run == root / RUNS[2]
    qtbot.waitUntil(shown.review._figures.isVisible, timeout=120_000)
    assert shown.review._scored_run == root / RUNS[2]


def test_small_window_shows_all_pages_and_the_whole_study(qtbot, window, root):
    shown = window()
    shown.resize(960, 600)
    shown.go("study")
    shown.study.open_study(root)
    measured(qtbot, shown.study)
    qtbot.wait(100)
    assert (shown.width(), shown.height()) == (960, 600)
    parts = (*shown._rail.values(), *shown.study.plots, shown.study.table, shown.study.reason, shown.study.review)
    for part in parts:
        assert part.isVisible()
        assert shown.rect().contains(part.mapTo(shown, part.rect().bottomRight()))

"""The page Review: selection of runs, results that come by themselves, and errors of scoring."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from benchmarks.sessions import write_session
from earmark.app.commands.train import train

pytest.importorskip("PySide6")
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QLabel

from earmark.app.dashboard.data.snapshot import Snapshot


@pytest.fixture
def review(qtbot, theme):
    from earmark.app.dashboard.pages.review import Review

    page = Review()
    qtbot.addWidget(page)
    page.show()
    yield page
    page.end()


def recorded(folder):
    folder.mkdir(parents=True)
    (folder / "loop.xdf").write_bytes(b"not a recording")
    return folder


def test_runs_of_the_same_name_in_two_folders_are_distinguished(review, tmp_path):
    runs = [recorded(tmp_path / name / "run-1") for name in ("monday", "tuesday")]
    for run in runs:
        review.choose(run)
        assert review._run == run


def test_run_that_cannot_be_scored_shows_the_error_and_no_figures(review, qtbot, tmp_path):
    run = recorded(tmp_path / "run-1")
    review.choose(run)
    review._score()
    assert review._message.full_text == "Replaying …"
    recorded(tmp_path / "run-2")
    review._list_runs()
    assert review._run == run, "the selection must not change during scoring"
    qtbot.waitUntil(lambda: review._job is None, timeout=120_000)
    assert review._message.full_text.startswith(f"{run}")
    assert not review._figures.isVisible()
    assert not review.export.isEnabled()


@pytest.fixture
def scorings(monkeypatch):
    """The runs whose scoring was begun, in a job that does not end."""
    from earmark.app.dashboard.pages import review as module

    begun = []

    class Job(QObject):
        done, failed = Signal(bytes), Signal(str)

        def __init__(self, module, arguments, parent):
            super().__init__(parent)
            begun.append(Path(arguments[0]))

        def stop(self):
            pass

    monkeypatch.setattr(module, "BackgroundJob", Job)
    return begun


def test_scoring_ends_when_another_session_is_shown_and_begins_again_in_its_own(review, scorings, tmp_path):
    run = recorded(tmp_path / "monday" / "run-1")
    (tmp_path / "tuesday").mkdir()
    quiet, busy = Snapshot(), Snapshot(state="checking", session_age=0.0)
    review.follow(run.parent)
    review.score_when_free(quiet)
    assert review.busy
    review.follow(tmp_path / "tuesday")
    assert not review.busy
    review.score_when_free(busy)
    review.follow(run.parent)
    review.score_when_free(quiet)
    assert scorings == [run, run]


def test_checks_stop_the_scoring_of_a_run_that_was_removed(review, scorings, tmp_path):
    run = recorded(tmp_path / "monday" / "run-1")
    review.show_run(run)
    shutil.rmtree(run)
    review._list_runs()
    review.score_when_free(Snapshot(state="checking", session_age=0.0))
    assert not review.busy


def test_result_is_kept_with_the_session_of_its_run(window, tmp_path):
    runs = [recorded(tmp_path / name / "run-1") for name in ("monday", "tuesday")]
    shown = window(runs[0].parent)
    shown.attach(runs[1].parent)
    shown.review.scored.emit(runs[0], "80 % were correct")
    assert set(shown.recent_sessions.all.values()) == {""}
    shown.review.scored.emit(runs[1], "70 % were correct")
    assert shown.recent_sessions.all[runs[1].parent] == "run-1: 70 % were correct"


def test_run_that_was_replayed_is_scored_once_its_replay_has_ended(review, scorings, tmp_path):
    runs = [recorded(tmp_path / "monday" / f"run-{number}") for number in (1, 2, 3)]
    (tmp_path / "link").symlink_to(runs[0].parent)
    review.choose(tmp_path / "link" / "run-1")
    for state in ("running", "review"):
        assert scorings == []
        review.follow(runs[0].parent)  # as the replay states it
        review.score_when_free(Snapshot(state=state, kind="replay", session_age=0.0))
    assert scorings == runs[:1]
    review._stop_job()
    review.score_newest()
    assert scorings == 2 * runs[:1]


def test_run_that_vanishes_while_runs_are_listed_is_left_out(review, tmp_path, monkeypatch):
    run = recorded(tmp_path / "run-1")
    listed = [tmp_path / "gone" / "loop.xdf", run / "loop.xdf"]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(listed))
    review.follow(tmp_path)
    assert review._run == run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a real recorded run."""
    folder = tmp_path_factory.mktemp("run")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([folder / "calibration-1.xdf"], folder / "decoder")
    (folder / "run-1").mkdir()
    write_session(folder / "run-1" / "loop.xdf", (("Joe", 14.0), ("Ada", 12.0)), seed=3, decoder=folder / "decoder")
    return folder / "run-1"


def test_result_of_a_run_comes_by_itself(qtbot, session, window, run):
    """Figures, report and a sentence come on every page; the next checks or recording get the processor."""
    one = session(kind="live")
    shown = window(one.folder)
    until = lambda met: qtbot.waitUntil(met, timeout=120_000)  # noqa: E731
    until(lambda: shown.now.state == "running")
    shutil.copytree(run, one.folder / "run-1")
    until(lambda: shown.review.recorded)
    qtbot.wait(300)
    assert shown.review._job is None, "nothing is scored during a recording"
    one.ask("set", state="review")
    until(lambda: shown.review._job is not None)
    one.ask("set", state="checking")
    until(lambda: shown.now.state == "checking")
    until(lambda: shown.review._job is None)
    assert shown.review._result is None
    one.ask("set", state="review")
    until(lambda: shown.notice.full_text.startswith("run-1: "))
    assert "decision windows were correct; " in shown.notice.full_text
    assert shown.pages.currentWidget() is shown.live
    assert (one.folder / "run-1" / "report.html").exists()
    assert (one.folder / "run-1" / "decisions.csv").exists()
    shown.go("review")
    assert shown.review._figures.isVisible()
    assert shown.review._words.text().partition("\n")[0] == shown.notice.full_text.removeprefix("run-1: ")


def test_figures_of_a_reopened_session_come_by_themselves(qtbot, window, settings, run, tmp_path):
    folder = tmp_path / "monday"
    shutil.copytree(run, folder / "run-1")
    (folder / "run-1" / "report.html").mkdir()  # it exists, so it is not written
    settings.setValue("session/last", str(folder))
    shown = window()
    shown.start.buttons["reopen"].click()
    qtbot.waitUntil(shown.review._figures.isVisible, timeout=120_000)
    assert shown.review._message.full_text == ""


def test_run_that_cannot_be_scored_is_not_tried_again(qtbot, window, tmp_path):
    run = recorded(tmp_path / "alice" / "run-1")
    shown = window(tmp_path / "alice")
    qtbot.waitUntil(lambda: shown.review._message.full_text.startswith(str(run)), timeout=120_000)
    shown.go("start")
    shown.go("review")
    qtbot.wait(300)
    assert shown.review._job is None


@pytest.fixture
def scored(review, run, qtbot):
    """Return the page with the figures of the run, and some events."""
    from earmark.app.report.worker import figures_of

    result = figures_of(run)
    result["events"] = [[4.0, "note: a door"], [6.0, "operator: Joe"], [9.0, "operator: follow decisions"]]
    review.resize(1280, 720)
    review.show_figures(result)
    review._figures.show()
    return review.plots, result


@pytest.mark.parametrize(("delivered", "words"), [(7.2, "TMR +12.0, delivered +7.2 dB"), (None, "TMR +12.0 dB")])
def test_delivered_of_a_mixture_stands_beside_the_ratio_of_the_gains(scored, review, delivered, words):
    _, result = scored
    review.show_figures(result | {"tmr_db": 12.0, "delivered_db": delivered})
    assert any(words in label.text() for label in review.findChildren(QLabel))


def test_one_cursor_events_and_slider_through_the_plots_of_a_run(qtbot, scored, theme):
    plots, result = scored
    spans = [(one.kind, one.begin, one.end) for one in plots.posterior.timeline.spans]
    begin = result["begin"]
    assert begin > 100, "LSL time"
    assert spans == [("override", begin + 6.0, begin + 9.0)]
    assert plots.gains.timeline is not plots.posterior.timeline
    kinds = {one.kind for one in plots.gains.timeline.marks}
    assert kinds == {"note", "override", "cue"}
    table = plots.events.table
    row = next(
        k for k in range(plots.events.shown.rowCount()) if plots.events.shown.index(k, 1).data() == "note: a door"
    )
    assert plots.events.shown.index(row, 0).data() == "0:04.0"
    at = table.visualRect(plots.events.shown.index(row, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert plots.time_cursor.time == begin + 4.0
    k = max(i for i, time in enumerate(result["times"]) if time <= 4.0)
    assert plots.slider.value() == k
    shown = plots.values.full_text
    assert shown.startswith("0:04.0   cue: Joe")
    assert f"{100 * result['probability'][k][0]:.0f} %" in shown
    plots.slider.setFocus()
    qtbot.keyClick(plots.slider, Qt.Key.Key_Right)
    assert plots.time_cursor.time == begin + result["times"][k + 1]
    for plot in (plots.posterior, plots.gains):
        area = plot.getPlotItem().getViewBox().sceneBoundingRect()
        low, high = plot.getPlotItem().getViewBox().viewRange()[0]
        x = area.left() + (plots.time_cursor.time - begin - low) / (high - low) * area.width()
        image = plot.grab().toImage()
        ratio = image.devicePixelRatio()
        ink = {image.pixelColor(round((x + d) * ratio), round(area.center().y() * ratio)).name() for d in (-1, 0, 1)}
        assert theme.LIGHT.text in ink


def test_plots_of_a_run_zoom_together_and_back(qtbot, scored):
    plots, result = scored
    plots.jump(result["begin"] + 5.0)
    box = plots.gains.getPlotItem().getViewBox()
    plots.posterior.setXRange(4.0, 8.0, padding=0)
    assert box.viewRange()[0] == pytest.approx([4.0, 8.0], abs=0.5)
    plots.whole.click()
    low, high = box.viewRange()[0]
    assert low <= 0
    assert high >= result["times"][-1]


def test_saved_decisions_of_a_run_are_those_of_the_recording(qtbot, scored, run, tmp_path):
    from earmark.app.dashboard.panels.export import ExportButton

    plots, result = scored
    button = next(each for each in plots.findChildren(ExportButton) if each._name == "probability")
    button.save(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as mine, (run / "decisions.csv").open(newline="") as theirs:
        saved, recorded = list(csv.DictReader(mine)), list(csv.DictReader(theirs))
    assert len(saved) == len(recorded) > 10
    for one, other in zip(saved, recorded, strict=True):
        assert (one["time_s"], one["lsl_time_s"]) == (other["time_s"], other["lsl_time_s"])
        for name in result["talkers"]:
            assert one[f"probability {name}"] == other[f"probability {name}"]


def test_saved_events_of_a_run_have_lsl_times(scored, tmp_path):
    plots, result = scored
    plots.events.words.setText("door")
    plots.events.save.save(tmp_path / "events.csv")
    with (tmp_path / "events.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["4.000", f"{result['begin'] + 4.0:.3f}", "note", "note: a door"]]

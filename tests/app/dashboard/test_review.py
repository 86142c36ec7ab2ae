"""The page Review: selection of runs, and errors of scoring."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6")


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
    assert review._message.full_text.startswith(f"error: {run}")
    assert not review._figures.isVisible()
    assert not review.export.isEnabled()

"""Sessions that this window starts: one at a time, and none is ended or left behind that should not be."""

import os
import signal

import pytest
from PySide6.QtWidgets import QMessageBox

from earmark.app.dashboard.launch import launcher as module


@pytest.fixture
def launches(monkeypatch):
    """Sessions that the window started, as ``(launched or ended, folder)``; no process is started."""
    log = []

    class Launched:
        status, ended = None, ""

        def __init__(self, arguments, folder):
            self.folder = folder
            log.append(("launched", folder))

        def end(self):
            log.append(("ended", self.folder))

    monkeypatch.setattr(module, "LaunchedSession", Launched)
    return log


@pytest.fixture
def own(session, window, launches, qtbot):
    """Return a fake session and the window that started it and shows it."""

    def start(**options):
        one = session(kind="live", **options)
        shown = window(one.folder)
        shown.launcher.launched = module.LaunchedSession([], one.folder)
        launches.clear()
        qtbot.waitUntil(lambda: shown.now.session_live, timeout=120_000)
        return one, shown

    return start


def test_stream_is_not_shown_instead_of_a_recording(own, launches):
    """Else the window would end the recording as it closes, without a question."""
    one, shown = own(state="running")
    shown.launcher.picked.emit({"name": "amplifier"})
    assert shown.folder == one.folder
    assert "is recording or training: stop it" in shown.start.words.full_text
    assert not shown.close()
    assert launches == []


def test_closing_ends_a_session_that_is_starting_while_another_is_shown(window, launches, tmp_path):
    (tmp_path / "monday").mkdir()
    shown = window(tmp_path / "monday")
    shown.launcher.session(tmp_path / "tuesday" / "session.toml")
    assert shown.close()
    assert launches == [("launched", tmp_path / "tuesday"), ("ended", tmp_path / "tuesday")]
    assert not shown.launcher.starting


@pytest.mark.parametrize(("state", "ended"), [("idle", True), ("running", False)])
def test_own_session_that_is_not_shown_is_ended_unless_it_records(own, launches, tmp_path, state, ended):
    one, shown = own(state=state)
    (tmp_path / "monday").mkdir()
    shown.attach(tmp_path / "monday")
    assert shown.close()
    assert launches == [("ended", one.folder)] * ended


def test_recording_whose_status_is_late_is_neither_ended_nor_disturbed(own, launches, tmp_path, qtbot):
    one, shown = own(state="running")
    (one.folder / "run-1").mkdir()
    (one.folder / "run-1" / "loop.xdf").touch()
    os.kill(one.process.pid, signal.SIGSTOP)  # as a busy machine would
    try:
        qtbot.waitUntil(lambda: not shown.now.session_live, timeout=120_000)
        shown.launcher.session(tmp_path / "tuesday" / "session.toml")
        shown.go("review")
        qtbot.wait(300)
        assert not shown.review.busy, "scoring needs a processor core"
        assert launches == []
        assert not shown.close(), "a question first"
    finally:
        os.kill(one.process.pid, signal.SIGCONT)


def test_one_session_starts_at_a_time(window, launches, tmp_path):
    shown = window()
    shown.launcher.session(tmp_path / "monday" / "session.toml")
    shown.launcher.rehearse(tmp_path / "tuesday" / "session.toml", tmp_path / "tuesday" / "rehearsal-1")
    shown.launcher.create(tmp_path / "wednesday", {}, {})
    assert launches == [("launched", tmp_path / "monday")]
    assert not (tmp_path / "wednesday").exists()
    assert shown.start.words.full_text == "Another session is starting: wait for it"
    assert not shown.start.buttons["demo"].isEnabled()


def test_start_page_can_be_used_after_a_replay_that_was_starting_was_left(qtbot, window, launches, tmp_path):
    (tmp_path / "monday").mkdir()
    shown = window()
    shown.launcher.replay_run(tmp_path / "tuesday" / "run-1" / "loop.xdf")
    assert not shown.start.buttons["demo"].isEnabled()
    shown.start.recent.opened.emit(tmp_path / "monday")
    qtbot.waitUntil(shown.start.buttons["demo"].isEnabled, timeout=120_000)
    assert not shown.launcher.starting
    assert [what for what, _ in launches] == ["launched", "ended"]


def test_window_does_not_close_after_the_recording_could_not_be_ended(qtbot, own, monkeypatch):
    one, shown = own(state="running")
    sent = []
    monkeypatch.setattr(shown.link, "send", lambda command, args=None: sent.append(command))
    for _ in range(2):
        shown.close()
        box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
        next(each for each in box.buttons() if each.text() == "End the recording, then close").click()
    assert sent == ["stop", "stop"]
    shown.link.refused.emit("stop", "the disk is full")
    one.ask("set", state="review")  # at its planned end
    qtbot.waitUntil(lambda: shown.now.state == "review", timeout=120_000)
    qtbot.wait(500)
    assert shown.isVisible()

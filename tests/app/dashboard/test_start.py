"""The start page: recent sessions, and what is dropped onto the window."""

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication


def session_folder(path, runs=0):
    path.mkdir(parents=True)
    (path / "session.toml").touch()
    for k in range(1, runs + 1):
        (path / f"run-{k}").mkdir()
        (path / f"run-{k}" / "loop.xdf").touch()
    return path


def drop(shown, *paths):
    """Drop files onto the window; return whether it accepted them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, none, left = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(shown.rect().center(), action, mime, left, none)
    QApplication.sendEvent(shown, enter)
    dropped = QDropEvent(QPointF(shown.rect().center()), action, mime, left, none)
    if enter.isAccepted():
        QApplication.sendEvent(shown, dropped)
    return enter.isAccepted()


def test_recent_sessions_are_listed_with_their_result_and_opened_by_keyboard(qtbot, window, tmp_path):
    alice, bob = session_folder(tmp_path / "alice", 1), session_folder(tmp_path / "bob")
    shown = window(bob)
    shown.attach(alice)
    shown.review.scored.emit(alice / "run-1", "82 % of 116 decision windows were correct")
    shown.go("start")
    listed = shown.start.recent
    assert [listed.item(k).text() for k in range(listed.count())] == [
        f"{alice}\nrun-1: 82 % of 116 decision windows were correct",
        f"{bob}\nNo run was scored yet",
    ]
    listed.setFocus()
    listed.setCurrentRow(1)
    qtbot.keyClick(listed, Qt.Key.Key_Return)
    assert shown.folder == bob
    shown.go("start")
    assert listed.item(0).text().startswith(str(bob)), "the newest comes first"


def test_session_that_is_gone_is_grey_and_can_be_removed(qtbot, window, tmp_path):
    alice, bob = session_folder(tmp_path / "alice"), session_folder(tmp_path / "bob")
    shown = window(alice)
    shown.attach(bob)
    (bob / "session.toml").unlink()
    bob.rmdir()
    shown.go("start")
    listed = shown.start.recent
    gone = listed.item(0)
    assert "Not found" in gone.text()
    assert not gone.flags() & Qt.ItemFlag.ItemIsEnabled
    listed.setFocus()
    listed.setCurrentRow(0)
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert [listed.item(k).text().split("\n")[0] for k in range(listed.count())] == [str(alice)]
    shown.go("review")
    shown.go("start")
    assert listed.count() == 1
    listed.setCurrentRow(0)
    qtbot.mouseClick(shown.start._remove, Qt.MouseButton.LeftButton)
    assert listed.count() == 0
    image = listed.viewport().grab().toImage()
    colours = {image.pixelColor(x, y).rgb() for x in range(image.width()) for y in range(image.height())}
    assert len(colours) > 1, "says what to do"
    assert alice.is_dir(), "only the list forgets it"


def test_ten_sessions_are_remembered_and_broken_settings_are_ignored(settings, tmp_path):
    from earmark.app.dashboard.data.recent_sessions import KEY, RecentSessions

    recent = RecentSessions(settings)
    for k in range(12):
        recent.add(tmp_path / str(k))
    assert [one.name for one in recent.all] == [str(k) for k in range(11, 1, -1)]
    for broken in ("{", "[1]", "3", '[["a"]]'):
        settings.setValue(KEY, broken)
        assert recent.all == {}


def test_dropped_session_run_and_recording_are_opened(qtbot, window, tmp_path, monkeypatch):
    alice = session_folder(tmp_path / "alice", 2)
    shown = window()
    opened = []
    monkeypatch.setattr(shown.launcher, "session", opened.append)
    monkeypatch.setattr(shown.launcher, "replay_run", opened.append)
    assert drop(shown, alice / "session.toml")
    assert drop(shown, alice / "run-1" / "loop.xdf")
    assert opened == [alice / "session.toml", alice / "run-1" / "loop.xdf"]
    assert drop(shown, alice)
    assert shown.folder == alice
    assert drop(shown, alice / "run-1")
    assert shown.pages.currentWidget() is shown.review
    qtbot.wait(300)
    assert shown.review._run == alice / "run-1", "not the newest"
    opened.clear()
    monkeypatch.setattr(shown.study, "open_study", opened.append)
    session_folder(tmp_path / "study" / "bob", 1)
    assert drop(shown, tmp_path / "study")
    assert (opened, shown.pages.currentWidget()) == ([tmp_path / "study"], shown.study)


def test_dropped_recording_is_opened_however_its_suffix_is_written(qtbot, window, tmp_path):
    from earmark.app.dashboard.frame.recording_window import FILES, RecordingWindow

    shown = window()
    for name in ("REC.EDF", "rec.bdf"):
        (tmp_path / name).touch()
        assert drop(shown, tmp_path / name)
    opened = shown.findChildren(RecordingWindow)
    assert sorted(one.windowTitle() for one in opened) == ["REC.EDF – Earmark", "rec.bdf – Earmark"]
    assert "*.EDF" in FILES


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("notes.txt", "notes.txt cannot be opened. Drop one thing at a time"),
        ("protocol.toml", "drop the session.toml beside it"),
        ("empty", "is not the folder of a session, run or study"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(window, tmp_path, name, words):
    path = tmp_path / name
    path.touch() if "." in name else path.mkdir()
    shown = window()
    assert drop(shown, path)
    assert words in shown.notice.full_text
    assert shown.folder is None


def test_new_session_ends_the_one_before_unless_it_is_recording(qtbot, session, window, tmp_path, monkeypatch):
    """Otherwise both would play, and wait for the same amplifier."""
    import earmark.app.dashboard.launch.launcher as module

    ended, started = [], []

    class Launched:
        status, ended = None, ""

        def __init__(self, arguments, folder):
            self.folder = folder
            started.append(folder)

        def end(self):
            ended.append(self.folder)

    monkeypatch.setattr(module, "LaunchedSession", Launched)
    one = session(kind="live", state="running")
    shown = window(one.folder)
    shown.launcher.launched = Launched([], one.folder)
    qtbot.waitUntil(lambda: shown.now.session_live, timeout=120_000)
    shown.launcher.create(tmp_path / "bob", {}, {})
    assert "is recording or training: stop it" in shown.start.words.full_text
    assert not (tmp_path / "bob").exists()
    assert (started, ended) == ([one.folder], [])
    one.ask("set", state="review")
    qtbot.waitUntil(lambda: shown.now.state == "review", timeout=120_000)
    (tmp_path / "eve").mkdir()
    shown.launcher.create(tmp_path / "eve", {}, {})
    assert "already exists" in shown.start.words.full_text
    assert ended == [], "nothing takes its place"
    shown.launcher.create(tmp_path / "bob", {}, {})
    assert (started, ended) == ([one.folder, tmp_path / "bob"], [one.folder])
    shown.launcher._timer.stop()


def test_several_things_and_text_are_refused(window, tmp_path):
    shown = window()
    assert drop(shown, session_folder(tmp_path / "a"), session_folder(tmp_path / "b"))
    assert shown.notice.full_text.startswith("Drop one thing at a time")
    assert not drop(shown)


def test_dropped_recording_of_another_program_is_shown(qtbot, window, tmp_path):
    from earmark.app.dashboard.frame.recording_window import RecordingWindow

    path = tmp_path / "sub-01_task-rest_eeg.xdf"
    path.touch()
    shown = window()
    assert drop(shown, path)
    (found,) = shown.findChildren(RecordingWindow)
    qtbot.waitUntil(lambda: "is not an XDF file" in found.words.text(), timeout=120_000)


def test_folder_that_cannot_be_looked_at_counts_as_gone(window, settings, tmp_path):
    """A share that is gone, or a folder that cannot be read: here, a name that is too long for the system."""
    import json

    from earmark.app.dashboard.data.recent_sessions import KEY

    odd = tmp_path / ("x" * 300)
    settings.setValue(KEY, json.dumps([[str(odd), ""]]))
    shown = window()
    assert "Not found" in shown.start.recent.item(0).text()
    shown.launcher.reopen(odd)
    assert "no longer exists" in shown.start.words.full_text
    assert "cannot be opened" in shown.drops.open(odd)
    shown.folder = odd
    shown.next.refresh()
    assert shown.next.step.sentence == "Next: make a new session"

"""The next step in the window: one button on every page, by mouse and by keyboard alone."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from earmark.app.dashboard.frame.keys import PAGES

CHECKS = [
    {"what": "eeg", "ok": True, "words": "64 channels"},
    {"what": "decoder", "ok": False, "words": "none yet", "due": True},
]
PLAN = {"n_trials": 40, "calibration_s": 1080.0, "run_s": 300.0}
GOOD = {"accuracy": 0.8, "chance_level": 0.5, "chance_limit": 0.6, "n": 80, "seconds": 300.0, "bands": ""}


def says(qtbot, shown, words):
    qtbot.waitUntil(lambda: shown.next.step.sentence == words, timeout=120_000)


def highlighted(shown):
    return [button for button in shown.findChildren(QPushButton) if "background" in button.styleSheet()]


def by_mouse(qtbot, shown):
    qtbot.mouseClick(shown.next, Qt.MouseButton.LeftButton)


def by_keyboard(qtbot, shown):
    qtbot.keyClick(shown, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


@pytest.mark.parametrize("press", [by_mouse, by_keyboard])
def test_button_leads_from_the_first_signal_to_the_result(qtbot, session, window, press):
    one = session(kind="live", state="idle", more={"plan": PLAN})
    shown = window(one.folder)

    def received():
        return [name for name, _ in one.received]

    says(qtbot, shown, "Next: fit the electrodes: 2 of 8 are bad (E3, E6)")
    press(qtbot, shown)
    assert shown.pages.currentWidget() is shown.setup
    says(qtbot, shown, "Next: check everything")
    press(qtbot, shown)
    qtbot.waitUntil(lambda: "check" in received(), timeout=120_000)
    one.ask("set", state="idle", checks=CHECKS)
    says(qtbot, shown, "Next: calibrate (40 trials, 18 min)")
    press(qtbot, shown)
    assert shown.pages.currentWidget() is shown.calibration
    assert "calibrate" not in received(), "the page first: this begins a recording"
    press(qtbot, shown)
    qtbot.waitUntil(lambda: "calibrate" in received(), timeout=120_000)
    says(qtbot, shown, "Now: calibrating")
    assert not shown.next.isEnabled()
    one.ask("set", complete=True)
    says(qtbot, shown, "Next: train the decoder")
    press(qtbot, shown)
    qtbot.waitUntil(lambda: "accept" in received(), timeout=120_000)
    one.ask("set", state="ready", complete=False, decoder=True, decoder_summary=GOOD)
    says(qtbot, shown, "Next: run (5 min)")
    press(qtbot, shown)
    assert shown.pages.currentWidget() is shown.live
    assert "run" not in received(), "the page first: this begins a recording"
    qtbot.waitUntil(shown.live.controls.run.isEnabled, timeout=120_000)
    press(qtbot, shown)
    qtbot.waitUntil(lambda: "run" in received(), timeout=120_000)
    one.ask("set", question="How hard was it? 1-7")
    says(qtbot, shown, "Next: answer the question")
    press(qtbot, shown)
    assert shown.focusWidget() is shown.live.controls.question.answer
    one.ask("set", question="", state="review")
    says(qtbot, shown, "Next: look at the result of the last run")
    press(qtbot, shown)
    assert shown.pages.currentWidget() is shown.review


def test_button_has_its_place_on_every_page_and_nothing_else_is_highlighted(qtbot, session, window):
    one = session(kind="live", state="idle", more={"plan": PLAN, "checks": CHECKS})
    shown = window(one.folder)
    says(qtbot, shown, "Next: calibrate (40 trials, 18 min)")
    places = set()
    for width, height in ((1280, 720), (960, 600)):
        shown.resize(width, height)
        for page in PAGES:
            shown.go(page)
            qtbot.wait(200)
            assert shown.next.isVisible()
            corner = shown.next.mapTo(shown, shown.next.rect().bottomRight())
            assert shown.rect().contains(corner)
            places.add((width - corner.x(), corner.y()))
            assert highlighted(shown) == [*highlighted(shown.top), shown.next]
    assert len(places) == 1


def test_electrodes_that_could_not_be_seen_are_still_to_be_fitted(qtbot, session, window):
    one = session(kind="live", state="idle", more={"plan": PLAN, "no_engine": True, "engine_dead": True})
    shown = window(one.folder)
    qtbot.waitUntil(lambda: shown.now.session_live and not shown.now.engine_live, timeout=120_000)
    shown.go("setup")
    says(qtbot, shown, "To fix: no signal yet: switch the amplifier on, and start its LSL stream")
    qtbot.wait(300)
    shown.go("live")
    one.ask("set", no_engine=False, engine_dead=False)
    says(qtbot, shown, "Next: fit the electrodes: 2 of 8 are bad (E3, E6)")


def test_fault_is_said_without_a_highlight_and_leads_to_the_setup(qtbot, session, window):
    failed = [{"what": "disk", "ok": False, "words": "full: delete files"}]
    one = session(kind="live", state="idle", more={"plan": PLAN, "checks": failed})
    shown = window(one.folder)
    says(qtbot, shown, "To fix: disk: full: delete files")
    assert "background" not in shown.next.styleSheet()
    by_mouse(qtbot, shown)
    assert shown.pages.currentWidget() is shown.setup
    assert one.received == []


def test_without_a_session_the_button_leads_to_one(qtbot, window, tmp_path, monkeypatch):
    shown = window()
    says(qtbot, shown, "Next: make a new session")
    shown.go("review")
    by_keyboard(qtbot, shown)
    assert shown.pages.currentWidget() is shown.start
    folder = tmp_path / "alice"
    folder.mkdir()
    (folder / "session.toml").touch()
    shown.attach(folder)
    says(qtbot, shown, "Next: switch the amplifier on and start the session alice")
    started = []
    monkeypatch.setattr(shown.launcher, "session", started.append)
    by_mouse(qtbot, shown)
    assert started == [folder / "session.toml"]


def test_after_the_result_was_seen_the_session_is_started_again(qtbot, window, tmp_path):
    folder = tmp_path / "alice"
    (folder / "run-1").mkdir(parents=True)
    (folder / "run-1" / "loop.xdf").touch()
    (folder / "session.toml").touch()
    shown = window(folder)
    assert shown.pages.currentWidget() is shown.review
    says(qtbot, shown, "Next: switch the amplifier on and start the session alice")  # the run cannot be scored


def test_rehearsal_is_followed_by_the_session_itself(qtbot, window, tmp_path, monkeypatch):
    folder = tmp_path / "alice" / "rehearsal-1"
    folder.mkdir(parents=True)
    (tmp_path / "alice" / "session.toml").touch()
    shown = window(folder)
    says(qtbot, shown, "Next: switch the amplifier on and start the session alice")
    started = []
    monkeypatch.setattr(shown.launcher, "session", started.append)
    by_keyboard(qtbot, shown)
    assert started == [tmp_path / "alice" / "session.toml"]


def test_silent_session_is_no_reason_to_start_another(qtbot, session, window):
    import os
    import signal

    one = session(kind="live")
    shown = window(one.folder)
    says(qtbot, shown, "Now: running")
    os.kill(one.process.pid, signal.SIGSTOP)
    try:
        says(qtbot, shown, "To fix: the session does not respond")
    finally:
        os.kill(one.process.pid, signal.SIGCONT)
    says(qtbot, shown, "Now: running")

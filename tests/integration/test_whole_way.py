"""The whole way, by keyboard alone and by mouse alone: from the start page through each next step to the study."""

import dataclasses
import os
import uuid

import pytest

from earmark.devices.simulate.listener import PRESETS
from earmark.devices.simulate.live import ListenerProcess, LiveConfig

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtCore import QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
#: Longest wait, ms: starting processes is slow on a busy machine.
PATIENCE_MS = 240_000
#: Easier than any real listener, so that half a minute of calibration is enough.
CLEAR = dataclasses.replace(PRESETS["easy"], response_uv=12.0, ignored=0.1, wandering=0.0)


@pytest.fixture
def participant():
    """Label of a participant who is simulated: amplifier and attention."""
    label = uuid.uuid4().hex[:10]
    name = f"sub-{label}-ses-01"
    config = LiveConfig(
        ("Joe", "Ada"), f"{name}-envelopes", f"{name}-cues", source_id=label, listener=CLEAR, delivery_s=0.12
    )
    person = ListenerProcess(config)
    yield label
    person.stop()


class Keyboard:
    """Works in a window by keys alone."""

    def __init__(self, window):
        self._window = window

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self._window.focusWidget() or self._window, key, modifier)

    def reach(self, widget):
        """Go to a widget with the tab key."""
        for _ in range(200):
            at = self._window.focusWidget()
            if at is widget or (at is not None and widget.isAncestorOf(at)):
                return
            self.press(Qt.Key.Key_Tab)
        raise AssertionError(f"{widget.accessibleName()} cannot be reached with the tab key")

    def click(self, button):
        self.reach(button)
        self.press(Qt.Key.Key_Space)

    def choose(self, box, row):
        self.reach(box)
        self.press(Qt.Key.Key_Home)
        for _ in range(row):
            self.press(Qt.Key.Key_Down)

    def set(self, box, value):
        self.reach(box)
        self.press(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(self._window.focusWidget(), f"{value:g}")
        self.press(Qt.Key.Key_Tab)

    def follow(self, _):
        self.press(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    def page(self, number):
        self.press(getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)

    def answer(self, question, text):
        QTest.keyClicks(self._window.focusWidget(), text)
        self.press(Qt.Key.Key_Return)


class Mouse:
    """Works in a window by clicks and the wheel alone; only names are typed."""

    def __init__(self, window):
        self._window = window

    def click(self, widget):
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def choose(self, box, row):
        self.click(box)
        view = box.view()
        QTest.qWaitForWindowExposed(view.window())
        view.scrollTo(view.model().index(row, 0))
        at = view.visualRect(view.model().index(row, 0)).center()
        QTest.mouseMove(view.viewport(), at)
        QTest.qWait(2 * QApplication.doubleClickInterval())  # a quicker release only opens the list
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)

    def set(self, box, value):
        QTest.mouseClick(box.lineEdit(), Qt.MouseButton.LeftButton)
        for _ in range(1000):
            if box.value() == value:
                return
            up = 120 if box.value() < value else -120
            at = QPointF(box.rect().center())
            none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
            wheel = QWheelEvent(at, QPointF(box.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, up), *none, False)
            QApplication.sendEvent(box, wheel)
        raise AssertionError(f"the wheel does not set {box.accessibleName()} to {value}")

    def follow(self, button):
        self.click(button)

    def page(self, number):
        self.click(list(self._window._rail.values())[number])

    def answer(self, question, text):
        self.click(question.answer)
        QTest.keyClicks(question.answer, text)
        self.click(question.send)


@pytest.mark.parametrize("hand", [Keyboard, Mouse])
def test_next_step_leads_from_the_start_page_to_the_result_and_the_study(
    qtbot, qapp, tmp_path, participant, hand, request
):
    from earmark.app.dashboard.frame.window import Window
    from earmark.app.session.next_step import Do

    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("session/study", str(tmp_path))
    shown = Window(settings)
    shown.show()
    qtbot.waitExposed(shown)
    hand = hand(shown)

    def until(condition):
        qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def follow():
        """Follow the next step; return it."""
        until(lambda: shown.next.step.do is not None)
        step = shown.next.step
        hand.follow(shown.next)
        return step

    assert follow().do is Do.NEW
    form = shown.start.form
    assert form.isVisible()
    qtbot.keyClicks(shown.focusWidget(), participant)

    def found():
        return [k for k in range(form.amplifier.count()) if form.amplifier.itemData(k)["source_id"] == participant]

    def searched():
        if form.again.isEnabled() and not found():
            hand.click(form.again)  # it was not yet up, or slow to answer
        return found()

    until(lambda: bool(searched()))
    hand.choose(form.amplifier, found()[0])
    assert form.amplifier.currentIndex() == found()[0]
    for box, value in ((form.trials, 4), (form.trial, 9), (form.pause, 1), (form.run, 20), (form.switch, 0)):
        hand.set(box, value)
        assert box.value() == value
    until(lambda: form.sound.device.isEnabled() and form.sound.device.count() > 1)
    hand.choose(form.sound.device, form.sound.device.count() - 1)
    assert form.sound.device.currentData() == "null"
    until(lambda: shown.next.step.words == f"create and open sub-{participant}/ses-01")
    assert follow().do is Do.NEW
    until(lambda: shown.now.session_live)
    launched = shown.launcher.launched
    request.addfinalizer(launched.end)  # it also ends if the test fails
    followed: list[Do] = []
    while Do.RUN not in followed or shown.now.state != "review" or not shown.next.step.words.startswith("run again"):
        step = shown.next.step
        if step.do is Do.ANSWER:
            follow()
            page = shown.calibration if shown.calibration.isVisible() else shown.live.controls
            hand.answer(page.question, "3")
            until(lambda: shown.next.step.do is not Do.ANSWER)
        elif step.do is not None:
            followed.append(follow().do)
            page = shown.pages.currentWidget()
            qtbot.wait(1500)
            if step.do is Do.RESULT:
                assert page is shown.review
        qtbot.wait(100)
    order = list(dict.fromkeys(followed))
    assert [do for do in order if do not in (Do.FIT, Do.FINISH)] == [
        Do.CHECK,
        Do.CALIBRATE,
        Do.TRAIN,
        Do.RUN,
        Do.RESULT,
    ]
    assert shown.review._result is not None
    assert (tmp_path / f"sub-{participant}" / "ses-01" / "run-1" / "loop.xdf").exists()
    hand.page(5)
    assert shown.study.isVisible()
    until(shown.study.measure_button.isEnabled)
    hand.click(shown.study.measure_button)
    until(shown.study.table.isVisible)
    (run,) = shown.study.table.model_of_runs.runs
    assert (run["participant"].removeprefix("sub-"), run["status"]) == (participant, "used"), run
    assert run["windows"] == shown.review._result["windows"]
    hand.page(0)
    assert "run-1: " in shown.start.recent.item(0).text()
    shown.close_now()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=PATIENCE_MS)

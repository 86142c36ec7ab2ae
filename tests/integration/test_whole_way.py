"""The whole way by keyboard alone: from the start page through the form and each next step to the result."""

import dataclasses
import os
import uuid

import pytest

from earmark.devices.simulate.listener import PRESETS
from earmark.devices.simulate.live import ListenerProcess, LiveConfig

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtCore import QSettings, Qt

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


def test_next_step_leads_from_the_start_page_to_the_result(qtbot, qapp, tmp_path, participant):
    from earmark.app.dashboard.frame.window import Window
    from earmark.app.session.next_step import Do

    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("session/study", str(tmp_path))
    shown = Window(settings)
    shown.show()
    qtbot.waitExposed(shown)

    def until(condition):
        qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(shown.focusWidget() or shown, key, modifier)

    def follow():
        """Follow the next step; return it."""
        until(lambda: shown.next.step.do is not None)
        step = shown.next.step
        press(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        return step

    assert follow().do is Do.NEW
    form = shown.start.form
    assert form.isVisible()
    qtbot.keyClicks(shown.focusWidget(), participant)

    def found():
        return [k for k in range(form.amplifier.count()) if form.amplifier.itemData(k)["source_id"] == participant]

    def searched():
        if form.again.isEnabled() and not found():
            form.again.click()  # it was not yet up, or slow to answer
        return found()

    until(lambda: bool(searched()))
    form.amplifier.setCurrentIndex(found()[0])
    form.sound.device.setCurrentIndex(form.sound.device.count() - 1)  # without sound
    for box, value in ((form.trials, 4), (form.trial, 9), (form.pause, 1), (form.run, 20), (form.switch, 0)):
        box.setValue(value)
    until(lambda: shown.next.step.words == f"create and open sub-{participant}/ses-01")
    assert follow().do is Do.NEW
    until(lambda: shown.now.session_live)
    launched = shown.launcher.launched
    followed: list[Do] = []
    while Do.RUN not in followed or shown.now.state != "review" or not shown.next.step.words.startswith("run again"):
        step = shown.next.step
        if step.do is Do.ANSWER:
            follow()
            qtbot.keyClicks(shown.focusWidget(), "3")
            press(Qt.Key.Key_Return)
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
    shown.go("start")
    assert "run-1: " in shown.start.recent.item(0).text()
    shown.close_now()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=PATIENCE_MS)

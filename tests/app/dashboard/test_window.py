"""The window, used as an operator would use it, with a fake session in another process."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMessageBox,
    QScrollBar,
    QWidget,
)

from earmark.app.dashboard.frame.keys import KEYS
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.frame.window import PAGES, Window
from earmark.app.dashboard.panels.sweep_words import AXIS

STATES = ("idle", "checking", "calibrating", "training", "ready", "running", "paused", "review")


def received(qtbot, session, command):
    """Wait until the session has received a command; return the arguments of all of its kind."""

    def found():
        return [arguments for name, arguments in session.received if name == command]

    qtbot.waitUntil(lambda: bool(found()), timeout=120_000)
    return found()


def choose(shown, answer):
    """Click an answer in the open confirmation; return its text."""
    box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
    words = box.text()
    next(each for each in box.buttons() if each.text() == answer).click()
    return words


def live(qtbot, shown):
    qtbot.waitUntil(lambda: shown.now.session_live and bool(shown.live.traces.sweep.ch_names), timeout=120_000)


def test_bars_are_completely_visible_on_every_page(qtbot, session, window):
    one = session(talkers=2)
    shown = window(one.folder)
    live(qtbot, shown)
    for page in PAGES:
        shown.go(page)
        qtbot.wait(150)
        for part in (shown.top.chip, shown.top.verdict, shown.top.mute, *shown.top._gains, *shown.bottom._parts):
            assert part.isVisible()
            assert shown.rect().contains(part.mapTo(shown, part.rect().topLeft()))
            assert shown.rect().contains(part.mapTo(shown, part.rect().bottomRight()))
    assert shown.top.chip.words == "DEMO"
    assert shown.top.state.full_text == "running, closed loop"
    assert "of 250 ms" in shown.bottom.latency.full_text
    assert shown.bottom.rates.full_text == "249.8/250.0 Hz"
    assert shown.bottom.record.full_text.startswith("● REC")
    before = shown.bottom.record.full_text
    qtbot.waitUntil(lambda: shown.bottom.record.full_text != before, timeout=120_000)
    assert [bar.gain for bar in shown.top._gains] in ([3.0, -9.0], [-9.0, 3.0])


def test_traces_move_and_no_sample_is_lost(qtbot, session, window):
    one = session(channels=16)
    shown = window(one.folder)
    live(qtbot, shown)
    sweep = shown.live.traces.sweep
    before = sweep._at
    qtbot.waitUntil(lambda: sweep._at != before, timeout=120_000)
    assert len({int(value) for value in np.unique(sweep._pixels)}) > 2
    assert shown.lost == 0
    assert sweep.notice == ""


def test_missing_data_is_shown_as_no_data(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    one.ask("set", silent=True)
    qtbot.waitUntil(lambda: shown.live.traces.sweep.notice.startswith("NO DATA"), timeout=120_000)
    one.ask("set", silent=False)
    qtbot.waitUntil(lambda: not shown.live.traces.sweep.notice, timeout=120_000)
    one.ask("set", engine_dead=True)
    qtbot.waitUntil(lambda: shown.top.verdict.main == "NO DATA", timeout=120_000)
    assert "NO DATA" in shown.bottom.stream.full_text
    os.kill(one.process.pid, signal.SIGSTOP)
    try:
        qtbot.waitUntil(lambda: shown.top.state.full_text == "NO DATA", timeout=120_000)
        qtbot.waitUntil(lambda: shown.bottom.record.full_text.startswith("● REC STALLED"), timeout=120_000)
        qtbot.waitUntil(lambda: shown.bottom.sound.full_text == "NO DATA", timeout=120_000)
    finally:
        os.kill(one.process.pid, signal.SIGCONT)
    qtbot.waitUntil(lambda: shown.top.state.full_text == "running, closed loop", timeout=120_000)


def test_after_a_stall_the_window_shows_the_newest_samples_and_counts_lost_ones(qtbot, session, window):
    one = session(channels=4, sfreq=500.0)
    shown = window(one.folder)
    live(qtbot, shown)
    shown.timer.stop()
    reader = shown.source.signal
    behind = reader.cursor
    qtbot.waitUntil(lambda: reader.ring.written > behind + 500, timeout=120_000)
    shown.tick()
    assert reader.cursor == reader.ring.written or reader.ring.written - reader.cursor < 100
    assert shown.live.traces.sweep._next == reader.cursor
    assert shown.lost == 0


@pytest.mark.parametrize("state", STATES)
def test_esc_mutes_from_every_state_and_never_unmutes(qtbot, session, window, state):
    one = session(state=state)
    shown = window(one.folder)
    qtbot.waitUntil(lambda: shown.now.state == state, timeout=120_000)
    for _ in range(2):
        qtbot.keyClick(shown, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: shown.now.muted, timeout=120_000)
    assert shown.top.mute.text() == "MUTED" or not qtbot.waitUntil(lambda: shown.top.mute.text() == "MUTED")
    assert received(qtbot, one, "mute") == [{"on": True}, {"on": True}]
    assert shown.isVisible()
    qtbot.waitUntil(shown.top.unmute.isEnabled, timeout=120_000)
    qtbot.mouseClick(shown.top.unmute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not shown.now.muted, timeout=120_000)
    assert {name for name, _ in one.received} == {"mute"}, "Esc must only mute"


def test_esc_mutes_whatever_widget_has_the_focus(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    shown.close()  # asks for confirmation
    box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
    shown.actions_by_key["help"].trigger()
    keys = shown.keys
    shown.participant.cover(shown.screen())
    menu = shown.menuBar().actions()[0].menu()
    menu.popup(QPoint(0, 0))
    box_list = shown.live.traces._band
    box_list.showPopup()
    places = [box, keys, shown.participant, menu, box_list.view(), shown.live.events.note, shown.live.traces.sweep]
    for number, place in enumerate(places):
        qtbot.keyClick(place, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda number=number: len(received(qtbot, one, "mute")) == number + 1, timeout=120_000)
    for place in (box, keys, shown.participant):
        assert place.isVisible(), "Esc must not close it"
    menu.hide()
    box_list.hidePopup()
    box.close()


def test_unconfirmed_mute_is_shown(qtbot, window, tmp_path):
    shown = window(tmp_path)
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: shown.top.mute.text() == "NOT MUTED!", timeout=120_000)
    assert "no session is under way" in shown.notice.full_text


def test_failed_mute_of_one_session_is_not_said_of_another(qtbot, session, window, tmp_path):
    shown, other = window(tmp_path), session()
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: shown.top.mute.text() == "NOT MUTED!", timeout=120_000)
    shown.attach(other.folder)
    qtbot.waitUntil(lambda: shown.now.session_live and shown.top.mute.text() != "NOT MUTED!", timeout=120_000)


def test_command_without_answer_blocks_neither_window_nor_mute(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    shown.send("hang", {"seconds": 5.0})
    frames = shown.frames
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: shown.now.muted, timeout=120_000)
    assert shown.frames > frames


def test_each_control_of_the_live_page_sends_its_command(qtbot, session, window):
    one = session(talkers=4)
    shown = window(one.folder)
    live(qtbot, shown)
    shown.resize(1280, 900)
    meters, left = shown.live.meters, Qt.MouseButton.LeftButton
    qtbot.waitUntil(lambda: len(meters._strips) == 4 and meters.equal.isEnabled(), timeout=120_000)
    meters._strips[2].solo.click()
    assert received(qtbot, one, "override")[-1] == {"talker": 2}
    qtbot.waitUntil(lambda: meters._strips[2].solo.isChecked() and not meters.decode.isChecked(), timeout=120_000)
    meters.equal.click()
    qtbot.waitUntil(lambda: received(qtbot, one, "override")[-1] == {"talker": "equal"}, timeout=120_000)
    meters.decode.click()
    qtbot.waitUntil(lambda: received(qtbot, one, "override")[-1] == {"talker": None}, timeout=120_000)
    meters.master.setValue(-12)
    assert received(qtbot, one, "master")[-1] == {"db": -12.0}
    qtbot.mouseClick(meters._strips[0], Qt.MouseButton.RightButton, pos=QPoint(10, 10))
    qtbot.mouseClick(meters._strips[1], left, pos=QPoint(10, 10))
    assert received(qtbot, one, "attend") == [{"talker": 1}]
    qtbot.waitUntil(lambda: "the talker you clicked" in shown.notice.full_text, timeout=120_000)
    qtbot.waitUntil(lambda: "cue" in meters._strips[1]._title.full_text, timeout=120_000)
    note = shown.live.events.note
    shown.actions_by_key["note"].trigger()
    qtbot.keyClicks(note, "subject coughed")
    qtbot.keyClick(note, Qt.Key.Key_Return)
    assert received(qtbot, one, "note") == [{"text": "subject coughed"}]
    controls = shown.live.controls
    qtbot.waitUntil(controls.pause.isEnabled)
    qtbot.mouseClick(controls.pause, left)
    qtbot.waitUntil(lambda: controls.pause.text() == "Resume", timeout=120_000)
    qtbot.mouseClick(controls.pause, left)
    qtbot.waitUntil(lambda: shown.now.state == "running", timeout=120_000)
    qtbot.mouseClick(controls.stop, left)
    choose(shown, "Stop")
    qtbot.waitUntil(lambda: shown.now.state == "review", timeout=120_000)
    assert not controls.stop.isEnabled() or not qtbot.waitUntil(lambda: not controls.stop.isEnabled())
    one.ask("set", state="ready")
    qtbot.waitUntil(controls.run.isEnabled, timeout=120_000)
    controls.mode.setCurrentIndex(2)
    controls.seconds.setValue(60)
    qtbot.mouseClick(controls.run, left)
    assert received(qtbot, one, "run") == [{"mode": "sham", "seconds": 60.0}]


@pytest.mark.parametrize("n", [2, 4])
def test_trims_are_sent_and_shown_in_every_window(qtbot, session, window, settings, n):
    one = session(talkers=n)
    shown, other = window(one.folder), window(one.folder)
    live(qtbot, shown)
    live(qtbot, other)
    qtbot.waitUntil(lambda: all(len(each.live.meters._strips) == n for each in (shown, other)), timeout=120_000)
    mine, theirs = shown.live.meters._strips[1], other.live.meters._strips[1]
    mine.trim.stepBy(-3)
    mine.trim.stepBy(-1)
    assert received(qtbot, one, "trim") == [{"talker": 1, "db": -4.0}], "quick steps must become one command"
    qtbot.waitUntil(lambda: theirs.trim.value() == -4.0, timeout=120_000)
    one.ask("trim", talker=1, db=-2.5)
    qtbot.waitUntil(lambda: mine.trim.value() == theirs.trim.value() == -2.5, timeout=120_000)
    qtbot.waitUntil(lambda: mine.gain.full_text.removeprefix("gain ") in ("+0.5 dB", "-11.5 dB"), timeout=120_000)
    assert shown.top._gains[1].trimmed
    qtbot.mouseClick(mine.mute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: mine.gain.full_text == theirs.gain.full_text == "muted", timeout=120_000)
    qtbot.waitUntil(lambda: shown.top._gains[1].gain == -np.inf, timeout=120_000)
    assert shown.top._gains[1].accessibleDescription() == "muted"
    qtbot.mouseClick(theirs.mute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not mine.mute.isChecked() and mine.gain.full_text != "muted", timeout=120_000)
    assert [arguments.get("mute") for arguments in received(qtbot, one, "trim")][-2:] == [True, False]
    assert not [name for name, _ in one.received if name == "attend"], "a click on a control is no click on the talker"


def test_click_on_a_disabled_control_does_not_choose_the_talker(qtbot, session, window):
    one = session(state="idle")
    shown = window(one.folder)
    qtbot.waitUntil(lambda: bool(shown.live.meters._strips), timeout=120_000)
    strip = shown.live.meters._strips[1]
    assert not strip.solo.isEnabled()
    qtbot.mouseClick(strip.solo, Qt.MouseButton.LeftButton)
    qtbot.wait(300)
    assert one.received == []


def test_list_of_keys_opens_and_closes_without_a_window_manager(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    keys = shown.keys
    assert keys.window() is shown, "the list must not be a separate window"
    for close in (
        lambda: qtbot.keyClick(shown, Qt.Key.Key_Question),
        lambda: qtbot.mouseClick(keys.close_button, Qt.MouseButton.LeftButton),
        lambda: qtbot.mouseClick(shown.live.traces.sweep, Qt.MouseButton.LeftButton, pos=QPoint(5, 5)),
        lambda: qtbot.mouseClick(shown.top.mute, Qt.MouseButton.LeftButton),
    ):
        qtbot.keyClick(shown, Qt.Key.Key_Question)
        assert keys.isVisible()
        assert shown.rect().contains(keys.geometry()), "the whole list must be visible"
        qtbot.mouseClick(keys, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
        qtbot.keyClick(shown, Qt.Key.Key_Escape)
        assert keys.isVisible(), "Esc must only mute"
        close()
        assert not keys.isVisible()
    assert len(received(qtbot, one, "mute")) >= 4


def test_question_is_shown_and_answered_on_the_live_page(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    question, height = shown.live.controls.question, shown.live.controls.height()
    assert not question.isVisible()
    one.ask("set", question="How hard was it? 1-7")
    qtbot.waitUntil(question.isVisible, timeout=120_000)
    assert question.words.text() == "How hard was it? 1-7"
    assert shown.live.controls.height() == height, "the height must not change"
    assert shown.focusWidget() is question.answer, "typed text must go to the answer"
    assert shown.top.progress.full_text == "WAITING FOR ANSWER"
    assert not question.send.isEnabled()
    qtbot.keyClicks(question.answer, "3")
    qtbot.keyClick(question.answer, Qt.Key.Key_Return)
    assert received(qtbot, one, "answer") == [{"text": "3", "asked": 0}]
    qtbot.keyClicks(question.answer, "5")
    qtbot.mouseClick(question.send, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: received(qtbot, one, "answer")[-1] == {"text": "5", "asked": 0}, timeout=120_000)
    one.ask("set", question="")
    qtbot.waitUntil(lambda: not question.isVisible(), timeout=120_000)
    shown.note()
    qtbot.keyClicks(shown.live.events.note, "a note half wri")
    one.ask("set", question="And now?")
    qtbot.waitUntil(question.isVisible, timeout=120_000)
    assert shown.focusWidget() is shown.live.events.note, "the focus must not leave a field with text"
    shown.go("review")
    qtbot.waitUntil(lambda: "The run waits for an answer" in shown.review._message.full_text, timeout=120_000)
    assert not shown.review.score.isEnabled()
    shown.go("live")
    one.ask("set", question="", waiting="35 of 64 electrodes are useless")
    qtbot.waitUntil(lambda: not question.isVisible(), timeout=120_000)
    assert "waits: 35 of 64 electrodes" in shown.live.controls._cue.full_text


def test_dead_silent_and_missing_sessions_are_distinguished(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    sweep = shown.live.traces.sweep
    os.kill(one.process.pid, signal.SIGSTOP)
    qtbot.waitUntil(lambda: shown.top.state.full_text == "NO DATA", timeout=120_000)
    qtbot.wait(2500)
    assert not shown.now.died
    assert shown.notice.full_text.startswith("THE SESSION DOES NOT RESPOND")
    one.process.kill()
    qtbot.waitUntil(lambda: shown.top.state.full_text == "SESSION DIED", timeout=120_000)
    assert shown.notice.full_text.startswith("THE SESSION DIED: its process is gone")
    assert "Start it again" in shown.notice.text(), "the fix must not be elided"
    assert sweep.notice == "SESSION DIED. The traces are old"
    assert shown.top.verdict.small == "the session died"
    assert shown.bottom.record.full_text == "not recording"
    assert len(shown.recent.last(1.0)) == 0
    again = window(one.folder)
    qtbot.waitUntil(lambda: again.top.state.full_text == "SESSION DIED", timeout=120_000)
    one.process.join()
    session(state="idle")
    for each in (shown, again):
        qtbot.waitUntil(lambda each=each: each.top.state.full_text == "idle", timeout=120_000)
        qtbot.waitUntil(lambda each=each: "DIED" not in each.notice.full_text, timeout=120_000)


def test_click_on_a_talker_sends_nothing_in_a_live_session(qtbot, session, window):
    one = session(kind="live")
    shown = window(one.folder)
    live(qtbot, shown)
    assert shown.top.chip.words == "LIVE"
    qtbot.waitUntil(lambda: bool(shown.live.meters._strips), timeout=120_000)
    qtbot.mouseClick(shown.live.meters._strips[1], Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    qtbot.wait(300)
    assert one.received == []


def test_refused_command_is_shown(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    shown.send("resume")
    qtbot.waitUntil(lambda: "the session is running" in shown.notice.full_text, timeout=120_000)


def test_log_describes_answers_in_words(caplog, qtbot):
    import logging

    from earmark.app.dashboard.data.command_link import Link

    link = Link(lambda: None, ValueError)
    with caplog.at_level(logging.INFO, logger="earmark.app.dashboard.data.command_link"):
        for command, answer in (
            ("mute", None),
            ("accept", 11 / 12),
            ("check", [["eeg", True, ""], ["disk", False, ""]]),
        ):
            link._emit(link.answered, command, answer)
    link.close()
    assert [record.getMessage() for record in caplog.records] == ["mute: done", "accept: 92 %", "check: 1 of 2 passed"]


def test_setup_and_calibration_follow_the_session(qtbot, session, window):
    checks = [
        {"what": "streams", "ok": True, "words": "64 channels"},
        {"what": "electrodes", "ok": False, "words": "Cz is flat: add gel"},
    ]
    one = session(state="idle", more={"checks": checks})
    shown = window(one.folder)
    shown.go("setup")
    qtbot.waitUntil(shown.setup.check.isEnabled, timeout=120_000)
    assert "electrodes" in shown.setup._summary.full_text
    qtbot.mouseClick(shown.setup.check, Qt.MouseButton.LeftButton)
    received(qtbot, one, "check")
    shown.setup.calibrate.click()
    assert shown.pages.currentWidget() is shown.calibration
    qtbot.waitUntil(shown.calibration.begin.isEnabled, timeout=120_000)
    shown.calibration.begin.click()
    received(qtbot, one, "calibrate")
    page = shown.calibration
    qtbot.waitUntil(lambda: page._cue.full_text == "A  attend to Joe", timeout=120_000)
    assert page.redo.isEnabled()
    assert not page.accept.isEnabled()
    assert page._progress.isVisible()
    assert not page.finish.isEnabled(), "no accuracy is known yet"
    point = {"n_trials": 3, "seconds": 60.0, "n": 30, "accuracy": 0.7, "chance_limit": 0.67, "gain": 0.0}
    point |= {"gain_limit": 0.01, "enough": False}
    one.ask("set", learning=[point, point | {"n_trials": 4, "accuracy": 0.8, "enough": True}])
    qtbot.waitUntil(page.finish.isEnabled, timeout=120_000)
    assert page._so_far.full_text.startswith("After 4 trials: 80 % of 30 decisions")
    assert "More trials would hardly help" in page._so_far.full_text
    assert page._curve.isVisible()
    assert page._curve._accuracy.getData()[1].tolist() == [70, 80]
    page.finish.click()
    received(qtbot, one, "finish")
    assert [step.text()[0] for step in page._steps] == ["✓", "▶", "3", "4"]
    one.ask("set", question="How hard was it? 1-7", attend="")
    qtbot.waitUntil(page.question.answer.isVisible, timeout=120_000)
    qtbot.waitUntil(lambda: page._cue.full_text == "waiting for an answer", timeout=120_000)
    assert "to the next cue" not in page._trial.full_text
    assert "waits for the answer" in page._advice.text()
    assert shown.focusWidget() is page.question.answer
    qtbot.keyClicks(page.question.answer, "3")
    qtbot.keyClick(page.question.answer, Qt.Key.Key_Return)
    assert received(qtbot, one, "answer") == [{"text": "3", "asked": 0}]
    one.ask("set", question="", complete=True)
    qtbot.waitUntil(page.accept.isEnabled, timeout=120_000)
    page.accept.click()
    received(qtbot, one, "accept")
    one.ask("set", state="training")
    qtbot.waitUntil(lambda: page._cue.full_text == "training …", timeout=120_000)
    assert [step.text()[0] for step in page._steps] == ["✓", "✓", "▶", "4"], "the steps must not go back"
    buttons = (page.begin, page.redo, page.finish, page.stop, page.accept, page.keep, page.refuse)
    assert not any(button.isEnabled() for button in buttons)
    worth = {"chance_level": 0.5, "chance_limit": 0.595, "n": 84, "seconds": 360.0, "bands": "all 60 % (d′ 0.52)"}
    one.ask("set", state="ready", trained=True, decoder=True, decoder_summary=worth | {"accuracy": 0.71})
    qtbot.waitUntil(page.refuse.isEnabled, timeout=120_000)
    texts = [page._facts.itemAt(i).widget().text() for i in range(page._facts.count())]
    assert "71 % of 84 decisions were correct, cross-validated" in texts
    assert texts[texts.index("bands") + 1] == "all 60 % (d′ 0.52)"
    assert "better than guessing" in texts
    assert texts[texts.index("chance level") + 1].startswith("50 %:")
    assert texts[texts.index("chance limit") + 1].startswith("60 % (p = 0.05)")
    assert not page.begin.isEnabled(), "a decoder is never overwritten"
    one.ask("set", decoder_summary=worth | {"accuracy": 0.58})
    qtbot.waitUntil(lambda: "NO BETTER THAN GUESSING" in page._facts.itemAt(3).widget().text(), timeout=120_000)
    page.keep.click()
    assert shown.pages.currentWidget() is shown.live
    qtbot.waitUntil(lambda: "no better than guessing" in shown.live.controls._cue.full_text, timeout=120_000)
    shown.go("calibrate")
    one.ask("set", state="running")
    qtbot.waitUntil(lambda: page._advice.text().startswith("A run is in progress"), timeout=120_000)
    assert [step.text()[0] for step in page._steps] == ["1", "2", "3", "4"]
    assert not page._progress.isVisible()


def test_click_on_a_talker_has_no_effect_in_the_calibration_of_the_demo(qtbot, session, window):
    one = session(state="calibrating")
    shown = window(one.folder)
    live(qtbot, shown)
    meters = shown.live.meters
    qtbot.waitUntil(lambda: bool(meters._strips), timeout=120_000)
    click = lambda: qtbot.mouseClick(meters._strips[1], Qt.MouseButton.LeftButton, pos=QPoint(10, 10))  # noqa: E731
    click()
    qtbot.wait(300)
    assert (one.received, meters._hint.full_text) == ([], "")
    one.ask("set", state="running")
    qtbot.waitUntil(lambda: meters._hint.full_text.startswith("Click a talker"), timeout=120_000)
    click()
    received(qtbot, one, "attend")


#: Status of a session without signal, start of the text over the traces, and whether it is a fault.
QUIET = [
    ({"state": "idle"}, "Waiting for calibration", False),
    ({"state": "idle", "decoder": True}, "Waiting for the run", False),
    ({"state": "ready", "decoder": True}, "Waiting for the run", False),
    ({"state": "checking"}, "Checking", False),
    ({"state": "calibrating", "recording_now": False}, "Starting", False),
    ({"state": "calibrating", "ending": True}, "Completing the recording", False),
    ({"state": "calibrating", "recording_now": False, "complete": True}, "Calibration finished", False),
    ({"state": "training"}, "Training the decoder", False),
    ({"state": "running", "ending": True}, "Completing the recording", False),
    ({"state": "review"}, "Run finished", False),
    ({"state": "review", "kind": "replay"}, "Replay finished", False),
    ({"state": "review", "failure": "the disk is full"}, "FAILED: the disk is full", True),
    ({"state": "idle", "failure": "the graph failed"}, "FAILED: the graph failed", True),
    ({"state": "running"}, "NO DATA", True),
    ({"state": "calibrating"}, "NO DATA", True),
]


@pytest.mark.parametrize(("said", "words", "fault"), QUIET)
def test_only_faults_are_shown_as_faults(qtbot, session, window, said, words, fault):
    one = session(silent=True, more=said)
    shown = window(one.folder)
    sweep = shown.live.traces.sweep
    qtbot.waitUntil(lambda: shown.now.session_live and sweep.notice.startswith(words), timeout=120_000)
    assert sweep.alarming is fault
    if not fault:
        assert shown.top.verdict.main != "NO DATA"
    image = shown.grab().toImage()
    centre = sweep.mapTo(shown, sweep.rect().center())
    ratio = image.devicePixelRatio()
    row = [
        image.pixelColor(round(x * ratio), round((centre.y() + 14 - AXIS / 2) * ratio)).name()
        for x in range(300, 800, 4)
    ]
    assert (theme_of(shown).bad in row) is fault


def test_window_is_shown_before_slow_libraries_are_imported():
    code = "import sys, earmark.app.dashboard.launch.process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    slow = {"scipy.signal", "scipy.stats", "mne", "torch", "numba", "matplotlib"}
    assert not slow & set(done.stdout.split())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"state": "idle", "recording_now": False}, "Not recorded. Waiting for calibration (Ctrl+3). F7 checks"),
        ({"state": "ready", "decoder": True, "recording_now": False}, "Not recorded. Waiting for the run (Ctrl+R)"),
        ({"state": "running"}, ""),
    ],
)
def test_traces_that_are_not_recorded_say_so_and_what_comes_next(qtbot, session, window, said, words):
    one = session(kind="live", more=said)
    shown = window(one.folder)
    sweep = shown.live.traces.sweep
    qtbot.waitUntil(lambda: bool(sweep.ch_names) and not sweep.notice, timeout=120_000)
    qtbot.waitUntil(lambda: sweep.badge.startswith(words) and bool(sweep.badge) == bool(words), timeout=120_000)


def test_channel_is_marked_as_bad_by_a_click_and_a_button(qtbot, session, window):
    one = session(kind="live", more={"state": "idle", "recording_now": False, "commands": ["bad"]})
    shown = window(one.folder)
    traces = shown.live.traces
    qtbot.waitUntil(lambda: bool(traces.sweep.ch_names), timeout=120_000)
    assert not traces.bad.isEnabled(), "no channel is chosen"
    good = next(name for name in shown.now.ch_names if name not in shown.now.bad)
    lane = traces.sweep._lanes / len(shown.now.ch_names)
    at = QPoint(100, round((shown.now.ch_names.index(good) + 0.5) * lane))
    qtbot.mouseClick(traces.sweep, Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(traces.bad.isEnabled, timeout=120_000)
    assert traces.bad.toolTip() == tip(f"Mark {good} as bad, from the next check on")
    traces.bad.click()
    assert received(qtbot, one, "bad") == [{"channel": good, "on": True}]
    one.ask("set", state="running", recording_now=True)
    qtbot.waitUntil(lambda: not traces.bad.isEnabled(), timeout=120_000)


def theme_of(shown):
    from earmark.app.dashboard.frame import theme

    return theme.of(shown)


def test_pages_without_a_session_refer_to_the_start_page(qtbot, window):
    shown = window()
    shown.go("live")
    sweep = shown.live.traces.sweep
    qtbot.waitUntil(lambda: "start page (Ctrl+0)" in sweep.notice, timeout=120_000)
    assert not sweep.alarming
    shown.go("review")
    qtbot.waitUntil(lambda: "start page (Ctrl+0)" in shown.review._message.full_text, timeout=120_000)


def recorded(folder, name="run-1"):
    (folder / name).mkdir(parents=True)
    (folder / name / "loop.xdf").touch()


def test_result_of_a_session_that_ended_by_itself_is_offered(qtbot, session, window):
    """The session of the demonstration ends by itself while the page Live is shown."""
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    result = shown.live.controls.result
    assert not result.isVisible()
    one.stop()
    qtbot.waitUntil(lambda: not shown.now.session_live, timeout=120_000)
    recorded(one.folder)  # as if a busy window had not listed the runs since it was recorded
    qtbot.waitUntil(result.isVisible, timeout=120_000)
    shown.go("review")
    qtbot.waitUntil(shown.review.score.isEnabled, timeout=120_000)
    assert shown.review._run == one.folder / "run-1"
    shown.go("live")
    result.click()
    assert shown.pages.currentWidget() is shown.review
    assert shown.review._message.full_text == "Replaying …", "scoring must start without another click"
    qtbot.waitUntil(lambda: shown.review._job is None, timeout=120_000)


def test_reopened_session_shows_its_newest_run(qtbot, window, settings, tmp_path):
    folder = tmp_path / "monday"
    recorded(folder)
    recorded(folder, "run-2")
    settings.setValue("session/last", str(folder))
    shown = window()
    shown.start.buttons["reopen"].click()
    assert shown.pages.currentWidget() is shown.review
    qtbot.waitUntil(shown.review.score.isEnabled, timeout=120_000)
    assert shown.review._run == folder / "run-2", "the newest"


def test_another_run_can_follow_a_run(qtbot, session, window):
    one = session(state="review", more={"decoder": True})
    shown = window(one.folder)
    live(qtbot, shown)
    run = shown.live.controls.run
    qtbot.waitUntil(run.isEnabled, timeout=120_000)
    assert "starts another" in shown.live.controls._cue.full_text
    qtbot.keyClick(shown, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert received(qtbot, one, "run") == [{"mode": "closed", "seconds": None}]
    one.ask("set", state="review", decoder=False)
    qtbot.waitUntil(lambda: not run.isEnabled(), timeout=120_000)


def test_stopping_a_run_needs_confirmation(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    qtbot.waitUntil(shown.live.controls.stop.isEnabled, timeout=120_000)
    for answer in ("Cancel", "Stop"):
        shown.actions_by_key["stop"].trigger()
        assert one.received == []
        assert "cannot be continued" in choose(shown, answer)
        qtbot.wait(200)
    received(qtbot, one, "stop")


def test_stopping_a_replay_needs_no_confirmation(qtbot, session, window):
    one = session(kind="replay")
    shown = window(one.folder)
    live(qtbot, shown)
    qtbot.waitUntil(shown.live.controls.stop.isEnabled, timeout=120_000)
    shown.live.controls.stop.click()
    received(qtbot, one, "stop")


def test_message_of_one_session_is_cleared_for_the_next(qtbot, session, window):
    one, other = session(kind="replay"), session("bob", state="idle", kind="live")
    shown = window(one.folder)
    live(qtbot, shown)
    one.stop()
    qtbot.waitUntil(lambda: shown.notice.full_text == "The replay has ended; nothing was recorded", timeout=120_000)
    shown.attach(other.folder)
    assert "ended" not in shown.notice.full_text
    qtbot.waitUntil(lambda: shown.now.session_live, timeout=120_000)
    assert "ended" not in shown.notice.full_text


def test_menus_show_keys_and_no_backslashes(qtbot, window):
    shown = window()
    words = [action.text() for action in shown.actions_by_key.values()]
    assert not [text for text in words if "\\" in text]
    assert shown.actions_by_key["mute"].text().split("\t") == ["&Mute", "Esc"]


def test_check_that_is_still_due_is_not_shown_as_a_fault(qtbot, session, window):
    checks = [
        {"what": "streams", "ok": True, "words": "64 channels"},
        {"what": "decoder", "ok": False, "words": "none yet", "due": True},
    ]
    one = session(state="idle", more={"checks": checks})
    shown = window(one.folder)
    shown.go("setup")
    qtbot.waitUntil(lambda: shown.setup._summary.full_text == "Next step: calibrate", timeout=120_000)
    line = shown.setup._list.itemAt(1).widget()
    assert line.text().startswith("○  to do")
    assert theme_of(shown).bad not in line.styleSheet()


@pytest.mark.parametrize(("command", "state", "page"), [("redo", "calibrating", 0), ("stop", "calibrating", 0)])
def test_command_that_loses_data_needs_confirmation(qtbot, session, window, command, state, page):
    one = session(state=state)
    shown = window(one.folder)
    shown.go("calibrate")
    button = getattr(shown.calibration, command)
    qtbot.waitUntil(button.isEnabled, timeout=120_000)
    for answer in ("Cancel", command.capitalize()):
        button.click()
        box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
        assert [name for name, _ in one.received] == []
        next(each for each in box.buttons() if each.text() == answer).click()
        qtbot.wait(200)
    received(qtbot, one, command)


def test_closing_while_recording_needs_confirmation(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    assert not shown.close()
    assert shown.isVisible()
    box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
    assert "recording continue" in box.text() or "recording continue" in box.informativeText()
    next(each for each in box.buttons() if each.text() == "Close; the session continues").click()
    qtbot.waitUntil(lambda: not shown.isVisible(), timeout=120_000)
    assert one.process.is_alive()
    assert one.received == []


def test_closing_during_training_does_not_end_the_training(qtbot, session, window):
    one = session(state="training")
    shown = window(one.folder)
    qtbot.waitUntil(lambda: shown.now.state == "training", timeout=120_000)
    assert not shown.close()
    assert "Training continues" in choose(shown, "Close; the session continues")
    qtbot.waitUntil(lambda: not shown.isVisible(), timeout=120_000)
    assert one.received == []


def test_recording_can_be_ended_before_closing(qtbot, session, window, monkeypatch):
    closings = []
    monkeypatch.setattr(Window, "close_now", lambda shown, close=Window.close_now: closings.append(1) or close(shown))
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    shown.close()
    box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
    next(each for each in box.buttons() if each.text() == "End the recording, then close").click()
    qtbot.waitUntil(lambda: not shown.isVisible(), timeout=120_000)
    assert [name for name, _ in one.received] == ["stop"]
    qtbot.wait(500)
    assert len(closings) == 1


def test_closing_does_not_end_a_session_that_is_not_shown(qtbot, session, window):
    recording, idle = session("alice"), session("bob", state="idle")
    shown = window(idle.folder)
    qtbot.waitUntil(lambda: shown.now.state == "idle", timeout=120_000)

    class Launched:
        folder, ended = recording.folder, False

        def end(self):
            self.ended = True

    shown.launcher.launched = launched = Launched()
    assert shown.close()
    assert not launched.ended
    shown.launcher.launched = None


def test_layout_is_saved_and_can_be_reset(qtbot, session, window, settings):
    one = session(state="idle")
    shown = window(one.folder)
    qtbot.waitUntil(lambda: shown.now.session_live, timeout=120_000)
    shown.live.docks["latency"].hide()
    shown.live.docks["attention"].setFloating(True)
    assert shown.close()
    again = window(one.folder)
    qtbot.wait(300)
    assert again.live.docks["latency"].isHidden()
    assert again.live.docks["attention"].isFloating()
    again.actions_by_key["reset"].trigger()
    assert not again.live.docks["latency"].isHidden()
    assert not again.live.docks["attention"].isFloating()
    again.actions_by_key["lock"].setChecked(True)
    assert not again.live.docks["latency"].features()


def test_broken_saved_layout_is_ignored(qtbot, window, tmp_path, settings):
    from PySide6.QtCore import QByteArray

    settings.setValue("live/layout", QByteArray(b"nonsense"))
    settings.setValue("geometry", "nonsense")
    shown = window(tmp_path)
    assert not shown.live.docks["latency"].isHidden()


def test_every_control_has_an_accessible_name(qtbot, session, window):
    one = session(talkers=2)
    shown = window(one.folder)
    live(qtbot, shown)
    kinds = (QAbstractButton, QComboBox, QLineEdit, QAbstractSlider, QAbstractSpinBox, QAbstractItemView)
    inner = (QScrollBar,)
    nameless, n = [], 0
    for page in PAGES:
        shown.go(page)
        qtbot.wait(200)
        for widget in shown.findChildren(QWidget):
            belongs = any(isinstance(parent, kinds) for parent in _parents(widget))
            if not isinstance(widget, kinds) or isinstance(widget, inner) or belongs or not widget.isVisible():
                continue
            if widget.objectName().startswith("qt_"):  # created by Qt, such as the buttons of docks
                continue
            n += 1
            if not QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name):
                nameless.append((page, type(widget).__name__, widget.toolTip()))
    assert not nameless
    assert n > 40


def _parents(widget):
    while (widget := widget.parentWidget()) is not None:
        yield widget


def test_every_key_is_unique_and_has_its_effect(qtbot, session, window):
    shortcuts = [key.keys for key in KEYS.values()]
    assert len(set(shortcuts)) == len(shortcuts)
    one = session(talkers=4)
    shown = window(one.folder)
    live(qtbot, shown)
    assert set(shown.actions_by_key) == set(KEYS)
    for name, action in shown.actions_by_key.items():
        assert name == "mute" or action.shortcut().toString()
    shown.live.traces.sweep.setFocus()
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    for number, page in enumerate(PAGES):
        qtbot.keyClick(shown, getattr(Qt.Key, f"Key_{number}"), control)
        assert shown.pages.currentIndex() == number, page
    shown.go("live")
    scale = shown.live.traces.sweep.scale_uv
    qtbot.keyClick(shown, Qt.Key.Key_Minus)
    assert shown.live.traces.sweep.scale_uv > scale
    qtbot.keyClick(shown, Qt.Key.Key_Plus)
    assert shown.live.traces.sweep.scale_uv == scale
    sweep = shown.live.traces.sweep
    qtbot.keyClick(shown, Qt.Key.Key_BracketLeft)
    assert sweep.seconds == 5.0
    qtbot.keyClick(shown, Qt.Key.Key_BracketRight)
    assert sweep.seconds == 10.0
    band = sweep.band
    qtbot.keyClick(shown, Qt.Key.Key_F)
    assert sweep.band != band
    qtbot.keyClick(shown, Qt.Key.Key_D, control)
    assert shown.live.controls.mode.hasFocus() or not shown.live.controls.mode.isEnabled()
    for k, key in enumerate((Qt.Key.Key_F1, Qt.Key.Key_F2, Qt.Key.Key_F3, Qt.Key.Key_F4)):
        qtbot.keyClick(shown, key)
        qtbot.waitUntil(lambda k=k: received(qtbot, one, "override")[-1] == {"talker": k}, timeout=120_000)
    qtbot.keyClick(shown, Qt.Key.Key_F8)
    assert shown.live.traces.sweep.frozen
    qtbot.keyClick(shown.live.traces.sweep, Qt.Key.Key_Space)
    assert not shown.live.traces.sweep.frozen
    qtbot.keyClick(shown, Qt.Key.Key_F11)
    choose(shown, "Show it")
    qtbot.waitUntil(shown.participant.isVisible)
    qtbot.keyClick(shown, Qt.Key.Key_F11)
    assert not shown.participant.isVisible()
    qtbot.keyClick(shown, Qt.Key.Key_P, control)
    received(qtbot, one, "pause")
    qtbot.keyClick(shown, Qt.Key.Key_N)
    assert shown.live.events.note.hasFocus() or not shown.isActiveWindow()
    shown.live.traces.sweep.setFocus()
    pages = shown.live.traces._page_size.currentIndex()
    qtbot.keyClick(shown, Qt.Key.Key_C)
    assert shown.live.traces._page_size.currentIndex() == pages + 1
    for on in (True, False):  # as in the terminal
        qtbot.keyClick(shown, Qt.Key.Key_M)
        qtbot.waitUntil(lambda on=on: shown.now.muted is on, timeout=120_000)
    assert received(qtbot, one, "mute") == [{"on": True}, {"on": False}]
    for k, key in enumerate((Qt.Key.Key_F1, Qt.Key.Key_F2, Qt.Key.Key_F3, Qt.Key.Key_F4)):
        qtbot.keyClick(shown, key, shift)
        qtbot.waitUntil(lambda k=k: received(qtbot, one, "trim")[-1] == {"talker": k, "mute": True}, timeout=120_000)
    for k, key in enumerate((Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4)):
        qtbot.keyClick(shown, key, Qt.KeyboardModifier.AltModifier)
        trim = shown.live.meters._strips[k].trim
        assert trim.hasFocus() or not shown.isActiveWindow()
    n = len(received(qtbot, one, "mute"))
    qtbot.keyClick(trim, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: len(received(qtbot, one, "mute")) == n + 1, timeout=120_000)
    qtbot.keyClicks(trim, "-12.5")
    assert len([name for name, _ in one.received if name == "trim"]) == 4, "half a number must not be sent"
    qtbot.keyClick(trim, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: received(qtbot, one, "trim")[-1] == {"talker": 3, "db": -12.5}, timeout=120_000)
    assert not trim.hasFocus()


def test_keys_of_traces_change_those_of_the_window_in_front(qtbot, window, settings, tmp_path):
    from earmark.app.dashboard.frame.recording_window import RecordingWindow

    def chosen(traces):
        boxes = traces._band, traces._page_size, traces._scale, traces._length
        return [*(box.currentIndex() for box in boxes), traces.freeze.isChecked()]

    def press(one):
        one.activateWindow()
        qtbot.waitUntil(one.isActiveWindow, timeout=60_000)
        for key in (Qt.Key.Key_F, Qt.Key.Key_C, Qt.Key.Key_Plus, Qt.Key.Key_BracketLeft, Qt.Key.Key_F8, Qt.Key.Key_N):
            qtbot.keyClick(one, key)

    shown = window()
    recording = RecordingWindow(tmp_path / "none.xdf", settings, shown)
    recording.show()
    band, pages, scale, length, frozen = chosen(shown.live.traces)
    changed = [band + 1, pages + 1, scale - 1, length - 1]
    press(recording)
    assert chosen(recording.traces) == [*changed, False]
    assert chosen(shown.live.traces) == [band, pages, scale, length, frozen]
    assert shown.pages.currentIndex() == PAGES.index("start"), "no note is begun behind it"
    press(shown)
    assert chosen(shown.live.traces) == [*changed, True]
    assert chosen(recording.traces) == [*changed, False]
    assert shown.pages.currentIndex() == PAGES.index("live")
    dock = shown.live.docks["events"]
    dock.setFloating(True)
    dock.show()
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow, timeout=60_000)
    qtbot.keyClick(dock, Qt.Key.Key_F)
    assert chosen(shown.live.traces)[0] == band + 2, "panels of the window itself"
    recording.close()


def test_keys_for_eight_talkers_are_shown_only_with_eight_talkers(qtbot, session, window):
    two, eight = session(talkers=2), session("bob", talkers=8)
    shown = window(two.folder)
    live(qtbot, shown)
    kinds = ("solo", "mute", "trim")
    assert not any(shown.actions_by_key[f"{kind}5"].isVisible() for kind in kinds)
    shown.attach(eight.folder)
    qtbot.waitUntil(shown.actions_by_key["trim8"].isVisible, timeout=120_000)
    live(qtbot, shown)
    assert len(shown.live.meters._strips) == 8
    shown.live.traces.sweep.setFocus()
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(shown, Qt.Key.Key_F8, control)
    qtbot.waitUntil(lambda: received(qtbot, eight, "override")[-1:] == [{"talker": 7}], timeout=120_000)
    qtbot.keyClick(shown, Qt.Key.Key_F7, shift)
    qtbot.waitUntil(lambda: received(qtbot, eight, "trim")[-1:] == [{"talker": 6, "mute": True}], timeout=120_000)


def test_both_themes_colour_the_whole_window(qtbot, session, window, theme, qapp):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    for wanted in (theme.DARK, theme.LIGHT):
        shown.actions_by_key["theme"].trigger()
        qtbot.wait(400)
        image = shown.grab().toImage()
        colours = [image.pixelColor(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)]
        dark = np.mean([colour.lightness() < 90 for colour in colours])
        assert dark > 0.8 if wanted is theme.DARK else dark < 0.3
        assert shown.settings.value("theme") == wanted.name
        colour = f"color: {wanted.faint};"
        qtbot.waitUntil(lambda colour=colour: shown.notice.styleSheet() == colour, timeout=120_000)
        assert len({colour.rgb() for colour in colours}) > 30


def test_widths_do_not_change_with_figures(qtbot, session, window):
    one = session(talkers=2)
    shown = window(one.folder)
    live(qtbot, shown)
    parts = [*shown.bottom._parts, shown.top.state, shown.top.progress, shown.top.mute, shown.top.chip]
    before = [part.width() for part in parts]
    one.ask("set", state="paused", muted=True)
    qtbot.waitUntil(lambda: shown.now.state == "paused", timeout=120_000)
    one.ask("set", engine_dead=True)
    qtbot.wait(1500)
    assert [part.width() for part in parts] == before


def test_killed_window_does_not_affect_the_session_or_the_next_window(qtbot, session, window, tmp_path):
    import subprocess
    import sys

    one = session()
    script = (
        "import sys; from pathlib import Path; from earmark.app.dashboard.launch.process import show; "
        "sys.exit(show(Path(sys.argv[1]), 'dark'))"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    other = subprocess.Popen([sys.executable, "-c", script, str(one.folder)], env=environment)
    try:
        qtbot.wait(4000)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    qtbot.wait(500)
    assert one.process.is_alive()
    shown = window(one.folder)
    live(qtbot, shown)
    before = shown.source.signal.cursor
    qtbot.waitUntil(lambda: shown.source.signal.cursor > before, timeout=120_000)
    assert one.received == []


def test_restarted_session_is_found_again(qtbot, session, window):
    one = session()
    shown = window(one.folder)
    live(qtbot, shown)
    one.stop()
    qtbot.waitUntil(lambda: shown.top.chip.words == "NO SESSION", timeout=120_000)
    assert shown.top.state.full_text == "no session"
    sweep = shown.live.traces.sweep
    qtbot.waitUntil(lambda: sweep.notice.startswith("The session has ended: see its runs"), timeout=120_000)
    assert not sweep.alarming, "the end of a session is not a fault"
    assert shown.notice.full_text.startswith("The session has ended. Its recordings are in")
    qtbot.waitUntil(lambda: len(shown.recent.last(1.0)) == 0, timeout=120_000)
    session(state="paused", channels=12)
    qtbot.waitUntil(lambda: shown.now.state == "paused", timeout=120_000)
    qtbot.waitUntil(lambda: len(shown.live.traces.sweep.ch_names) == 12, timeout=120_000)
    shown.send("resume")
    qtbot.waitUntil(lambda: shown.now.state == "running", timeout=120_000)


def test_start_page_reopens_the_last_session_or_says_why_not(qtbot, session, window, settings, theme):
    shown = window()
    shown.start.buttons["reopen"].click()
    assert shown.start.words.full_text == "No session was opened before"
    one = session()
    settings.setValue("session/last", str(one.folder))
    shown.start.buttons["reopen"].click()
    live(qtbot, shown)
    assert shown.folder == one.folder
    assert QSettings is not None
    assert isinstance(shown, Window)


def test_unsupported_commands_are_disabled(qtbot, session, window):
    one = session(kind="replay", more={"commands": ["mute", "pause", "resume", "stop"]})
    shown = window(one.folder)
    live(qtbot, shown)
    qtbot.waitUntil(lambda: shown.top.chip.words == "REPLAY", timeout=120_000)
    controls, meters = shown.live.controls, shown.live.meters
    qtbot.waitUntil(controls.pause.isEnabled, timeout=120_000)
    qtbot.waitUntil(lambda: not shown.live.events.note.isEnabled(), timeout=120_000)
    for button in (meters.equal, meters.decode, *(strip.solo for strip in meters._strips), controls.run):
        assert not button.isEnabled()
    one.ask("set", state="paused")
    qtbot.waitUntil(lambda: controls.pause.text() == "Resume", timeout=120_000)
    one.ask("set", silent=True)
    qtbot.waitUntil(lambda: shown.live.traces.sweep.notice == "Paused. The traces are old", timeout=120_000)
    one.ask("set", state="review")
    for page, button in (("setup", shown.setup.check), ("calibrate", shown.calibration.begin)):
        shown.go(page)
        qtbot.wait(600)
        assert not button.isEnabled()
    assert shown.setup._where.full_text == "A replay: nothing is recorded"
    assert shown.close(), "nothing is lost, so no confirmation"


def test_replay_has_a_slider_speeds_and_a_loop(qtbot, session, window):
    live_one, one = session(), session("bob", kind="replay")
    shown = window(live_one.folder)
    live(qtbot, shown)
    bar = shown.live.replay
    assert not bar.isVisible()
    shown.attach(one.folder)
    live(qtbot, shown)
    qtbot.waitUntil(lambda: bar.isVisible() and bar.slider.maximum() == 3000, timeout=120_000)
    qtbot.waitUntil(lambda: bar.slider.value() > 0, timeout=120_000)
    assert bar.time.full_text.endswith(" of 5:00")
    bar.slider.setFocus()
    at = bar.slider.value()
    qtbot.keyClick(bar.slider, Qt.Key.Key_PageUp)
    assert received(qtbot, one, "seek")[-1]["seconds"] == pytest.approx(at / 10 + 10, abs=1.0)
    qtbot.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=QPoint(bar.slider.width() - 4, 5))
    qtbot.waitUntil(lambda: len(received(qtbot, one, "seek")) == 2, timeout=120_000)
    bar.speed.setFocus()
    qtbot.keyClick(bar.speed, Qt.Key.Key_End)
    assert received(qtbot, one, "speed") == [{"factor": None}]
    qtbot.keyClick(bar.loop, Qt.Key.Key_Space)
    assert received(qtbot, one, "loop") == [{"on": True}]
    os.kill(one.process.pid, signal.SIGSTOP)  # its status is late
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=120_000)
    os.kill(one.process.pid, signal.SIGCONT)
    qtbot.waitUntil(bar.isVisible, timeout=120_000)
    assert (bar.speed.currentData(), bar.loop.isChecked()) == (None, True), "it goes on like that"
    before = bar.slider.value()
    bar.slider.setSliderDown(True)
    qtbot.wait(2500)
    assert bar.slider.value() == before, "not while somebody moves it"
    bar.slider.setSliderDown(False)
    shown.attach(one.folder)
    assert (bar.speed.currentData(), bar.loop.isChecked()) == (1.0, False)

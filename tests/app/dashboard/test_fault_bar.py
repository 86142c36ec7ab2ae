"""The switches of a rehearsal in the window."""

from PySide6.QtCore import Qt

from earmark.app.dashboard.frame.fault_bar import WORDS
from earmark.devices.simulate.amplifier import FAULTS


def test_faults_are_switched_in_a_rehearsal(qtbot, session, window):
    one = session(kind="rehearsal")
    shown = window(one.folder)
    bar = shown.faults
    qtbot.waitUntil(bar.isVisible, timeout=120_000)
    assert shown.top.chip.words == "REHEARSAL"
    qtbot.mouseClick(bar.buttons["cable"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: one.received == [("fault", {"name": "cable", "on": True})], timeout=120_000)
    qtbot.waitUntil(lambda: shown.now.faults == ("cable",) and bar.buttons["cable"].isChecked(), timeout=120_000)
    bar.buttons["cable"].setFocus()
    qtbot.keyClick(bar.buttons["cable"], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: shown.now.faults == () and not bar.buttons["cable"].isChecked(), timeout=120_000)
    one.ask("set", faults=["mains"])
    qtbot.waitUntil(bar.buttons["mains"].isChecked, timeout=120_000)


def test_no_other_session_has_the_switches(qtbot, session, window):
    for name, kind in (("alice", "live"), ("bob", "demo")):
        shown = window(session(name, kind=kind).folder)
        qtbot.waitUntil(lambda shown=shown: shown.now.session_live, timeout=120_000)
        qtbot.wait(200)
        assert not shown.faults.isVisible()


def test_every_fault_has_the_words_of_the_simulation():
    assert {fault: (name, about) for fault, (_, name, about) in FAULTS.items()} == WORDS

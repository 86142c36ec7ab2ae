"""A rehearsal in the window: started from the menu, with faults on switches, in real processes."""

import os
import uuid

import pytest

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QFileDialog

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
EEG = 'type = "EEG"\nn_channels = 20\nsfreq = 250.0'


def test_window_starts_a_rehearsal_and_ends_it(qtbot, qapp, tmp_path, monkeypatch):
    from earmark.app.dashboard.frame.window import Window
    from earmark.app.session.templates import write_session

    session = write_session(tmp_path / f"test-{uuid.uuid4().hex[:12]}")
    text = session.read_text().replace('type = "EEG"', EEG).replace('"default"', '"null"')
    session.write_text(text)
    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    one.show()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(session), ""))
    one.actions_by_key["rehearse"].trigger()
    qtbot.waitUntil(lambda: one.now.kind == "rehearsal" and bool(one.now.ch_names), timeout=300_000)
    assert len(one.now.ch_names) == 20, "the cap is shown before the first check"
    qtbot.waitUntil(one.faults.isVisible, timeout=300_000)
    qtbot.mouseClick(one.faults.buttons["flat"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: one.now.faults == ("flat",), timeout=300_000)
    qtbot.waitUntil(lambda: "flat" in str(one.now.bad), timeout=300_000)
    launched = one.launcher.launched
    assert launched.folder == session.parent / "rehearsal-1"
    assert one.close()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=300_000)

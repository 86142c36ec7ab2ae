"""The participant's screen with a real session: questions answered by keys alone are in its recording."""

import os
import subprocess
import sys
import uuid

import pytest
from rig import ENV, consumed, markers, replayed

from earmark.app.engine.events_file import read_events
from earmark.devices.files.session_file import SessionFile

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PATIENCE_MS = 240_000
PROTOCOL = """
[calibration]
n_trials = 6
trial_s = 8.0
pause_s = 2.0
questions = ["Wie schwer war es? 1-7", { text = "Alles verstanden?", options = ["ja", "nein"] }]
[participant]
calibration = "Hören Sie zu."
listen = "Hören Sie {name} zu"
rest = "Ruhe"
"""


@pytest.fixture
def folder(tmp_path):
    """Folder of a session with a simulated amplifier and listener, and no sound device."""
    place, out = tmp_path / f"test-{uuid.uuid4().hex[:12]}", tmp_path / "out"
    earmark = [sys.executable, "-m", "earmark.app.cli"]
    subprocess.run([*earmark, "new", str(place)], env=ENV, check=True, capture_output=True, timeout=600)
    path = place / "session.toml"
    path.write_text(path.read_text().replace('"default"', '"null"'))
    (place / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    with (tmp_path / "session.log").open("wb") as log:
        command = [*earmark, "rehearse", str(path), "--serve", "--headless", "--out", str(out)]
        process = subprocess.Popen(command, env=ENV, stdout=log, stderr=subprocess.STDOUT)
        yield out
        if process.poll() is None:
            process.terminate()
        process.wait(120)


def test_answers_by_keys_alone_are_recorded(qtbot, qapp, tmp_path, folder):
    from PySide6.QtCore import QSettings, Qt
    from PySide6.QtWidgets import QMessageBox

    from earmark.app.dashboard.frame import theme
    from earmark.app.dashboard.frame.window import Window

    theme.apply(qapp, theme.DARK)
    window = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat), folder)
    qtbot.addWidget(window)
    window.show()

    def until(condition):
        qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def keys(*names):
        for name in names:
            qtbot.keyClick(qapp.focusWidget(), getattr(Qt.Key, f"Key_{name}"))

    until(lambda: window.now.session_live)
    screen = window.participant
    keys("F11")
    box = next(one for one in window.findChildren(QMessageBox) if one.isVisible())
    next(button for button in box.buttons() if button.text() == "Show it").click()
    until(lambda: screen.isVisible() and screen.shown.words == "Hören Sie zu.")
    window.send("calibrate")
    until(lambda: screen.shown.cross and screen.shown.arrow)
    arrow, talker = screen.shown.arrow, window.now.attend
    assert screen.shown.words == f"Hören Sie {talker} zu"
    assert arrow == {"Joe": -90.0, "Ada": 90.0}[talker]
    until(lambda: len(screen.shown.options) == 7 and screen.isActiveWindow())
    keys("6")
    until(lambda: screen.shown.options == ("ja", "nein"))
    keys("Right", "Right", "Return")
    until(lambda: screen.shown.words == "Ruhe" and screen.shown.small)
    keys("F11")
    assert not screen.isVisible()
    window.link.send("stop")
    until(lambda: window.now.state == "idle")
    window.close_now()
    recording = folder / "calibration-1.xdf"
    said = [marker.value for marker in markers(consumed(recording, "cues"))]
    assert said[:2] == [f"attend:{talker}", "attend:"]
    assert said[2:4] == ["answer:Wie schwer war es? 1-7: 6", "answer:Alles verstanden?: nein"]
    assert [words for _, words in read_events(recording) if words.startswith("answer:")] == [
        "answer: Wie schwer war es? 1-7 6 (participant)",
        "answer: Alles verstanden? nein (participant)",
    ]
    recorded = SessionFile(recording).about.protocol["participant"]
    assert (recorded["listen"], recorded["pause"]) == ("Hören Sie {name} zu", "Pause")
    replayed(recording)

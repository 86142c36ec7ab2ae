"""The window with a real session: supervisor, engine, sound and a simulated listener, from checks to review."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earmark.devices.audio.control_block import Seqlock, Status

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtWidgets import QMessageBox

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).parents[2]
#: Longest wait, ms: starting processes is slow on a busy machine.
PATIENCE_MS = 240_000

SERVE = """
import sys
from pathlib import Path
from earmark.app.session.simulated import simulated_session
from earmark.app.config.protocol import Calibration, Protocol, RunPlan
protocol = Protocol(calibration=Calibration(n_trials=4, trial_s=15.0, pause_s=0.0), run=RunPlan(seconds=600.0))
with simulated_session(Path(sys.argv[1]), "null", protocol, "easy") as supervisor:
    supervisor.ended.wait()
"""
SHOW = """
import sys
from pathlib import Path
from earmark.app.dashboard.launch.process import show
show(Path(sys.argv[1]), "dark")
"""


@pytest.fixture
def folder(tmp_path):
    """Folder of a running session with a simulated listener."""
    place = tmp_path / "alice"
    place.mkdir()
    log = (tmp_path / "session.log").open("wb")
    arguments = [sys.executable, "-c", SERVE, str(place)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    end = time.monotonic() + PATIENCE_MS / 1000
    while not (place / ".earmark-session.json").exists():
        assert time.monotonic() < end, (tmp_path / "session.log").read_text()
        time.sleep(0.1)
    yield place
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()


@pytest.fixture
def shown(qtbot, qapp, tmp_path, folder):
    from PySide6.QtCore import QSettings

    from earmark.app.dashboard.frame import theme
    from earmark.app.dashboard.frame.window import Window

    theme.apply(qapp, theme.LIGHT)
    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat), folder)
    one.resize(1600, 900)
    one.show()
    qtbot.waitExposed(one)
    yield one
    one.close_now()


def loudness(shown):
    return max(shown.now.sound.out_peak, default=0.0)


def test_session_from_checks_to_review(qtbot, shown, folder, tmp_path):
    def until(condition):
        qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    # Checks
    shown.go("setup")
    until(shown.setup.check.isEnabled)
    shown.setup.check.click()
    until(lambda: bool(shown.now.checks))
    until(lambda: shown.setup._summary.full_text == "Next step: calibrate")
    assert {check.what for check in shown.now.checks if not check.ok} == {"decoder"}

    # Calibration: the traces show the electrodes
    shown.go("calibrate")
    until(shown.calibration.begin.isEnabled)
    shown.calibration.begin.click()
    until(lambda: shown.now.state == "calibrating" and shown.now.recording_now)
    shown.go("live")
    sweep = shown.live.traces.sweep
    until(lambda: len(sweep.ch_names) == 64 and not sweep.notice)
    assert "Cz" in sweep.ch_names
    until(lambda: shown.recent.last(1.0).shape == (shown.recent.sfreq, 64))
    assert 1.0 < shown.recent.last(1.0).std(axis=0).mean() < 1000.0, "microvolts"
    until(lambda: shown.bottom.record.full_text.startswith("● REC") and "STALLED" not in shown.bottom.record.full_text)

    # Mute and unmute
    until(lambda: loudness(shown) > 0.01)
    shown.mute(True)
    until(lambda: shown.now.muted and loudness(shown) < 1e-3)
    shown.mute(False)
    until(lambda: loudness(shown) > 0.01)

    # A killed second window has no effect on the session
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    other = subprocess.Popen([sys.executable, "-c", SHOW, str(folder)], cwd=ROOT, env=environment)
    qtbot.wait(5000)
    assert other.poll() is None
    before, xruns = shown.now.recording.bytes, shown.now.sound.xruns
    other.kill()
    other.wait()
    until(lambda: shown.now.recording.bytes > before)
    assert shown.now.sound.live
    assert shown.now.sound.xruns == xruns
    assert shown.now.engine_restarts == 0

    # Training
    shown.go("calibrate")
    until(shown.calibration.accept.isEnabled)
    shown.calibration.accept.click()
    seen = []
    until(
        lambda: (
            seen.append((shown.now.state, [s.text()[0] for s in shown.calibration._steps]))
            or shown.now.state == "ready"
        )
    )
    assert "training" in {state for state, _ in seen}
    assert ["✓", "▶", "3", "4"] not in [steps for _, steps in seen], "the steps must not go back"
    assert shown.now.decoder_summary.n > 0
    until(lambda: shown.calibration._facts.count() > 0)

    # Closed loop: the listener attends to the clicked talker, and the gains follow
    shown.go("live")
    until(shown.live.controls.run.isEnabled)
    shown.live.controls.run.click()
    until(lambda: shown.now.decision is not None and shown.now.state == "running")
    until(lambda: "of 250 ms" in shown.bottom.latency.full_text and "–" not in shown.bottom.latency.full_text)
    for talker in (1, 0):
        shown.live.meters._choose(talker)
        until(lambda talker=talker: shown.top.verdict.talker == talker)
        until(lambda talker=talker: shown.now.sound.gains_db[talker] > shown.now.sound.gains_db[1 - talker] + 3)
    assert shown.lost == 0

    # Solo overrides decisions
    until(shown.live.meters.equal.isEnabled)
    shown.live.meters._strips[1].solo.click()
    until(lambda: shown.now.override == 1 and shown.now.sound.gains_db[1] > 2 > -2 > shown.now.sound.gains_db[0])

    # Trim and mute of a talker survive a restart of the sound process
    strip = shown.live.meters._strips[1]
    strip.trim.stepBy(-6)
    until(lambda: abs(shown.now.sound.gains_db[1] - (3.0 - 6.0)) < 0.1)
    until(lambda: shown.now.trims[1].db == -6.0)
    strip.mute.click()
    until(lambda: shown.now.sound.gains_db[1] == -math.inf and shown.now.sound.peak[1] < 1e-3)
    with contextlib.closing(Seqlock(Status, shown.source._status.name)) as status:
        os.kill(status.read().pid, signal.SIGKILL)
    until(lambda: shown.now.sound.restarts == 1 and shown.now.sound.live)
    until(lambda: shown.now.sound.gains_db[0] < -2 and shown.now.sound.gains_db[1] == -math.inf)
    strip.mute.click()
    strip.trim.stepBy(6)
    until(lambda: shown.now.sound.gains_db[1] > 2)
    shown.live.meters.decode.click()
    until(lambda: shown.now.override is None)
    shown.live.controls.pause.click()
    until(lambda: shown.now.state == "paused" and max(map(abs, shown.now.sound.gains_db)) < 0.5)
    shown.live.controls.pause.click()
    until(lambda: shown.now.state == "running")
    shown.send("note", {"text": "a cough"})
    until(lambda: any(event.text == "note: a cough" for event in shown.events.events))
    until(lambda: any(mark.words == "note: a cough" for mark in sweep.timeline.marks))
    shown.live.controls.stop.click()
    box = next(child for child in shown.findChildren(QMessageBox) if child.isVisible())
    next(each for each in box.buttons() if each.text() == "Stop").click()
    seen.clear()
    until(lambda: seen.append((sweep.notice, sweep.alarming)) or shown.now.state == "review")
    until(lambda: sweep.notice.startswith("Run finished"))
    assert not [words for words, fault in seen if fault], "the end of a run is not a fault"

    # Review: the figures come from a replay of the run
    until(shown.live.controls.result.isVisible)
    shown.live.controls.result.click()
    assert shown.pages.currentWidget() is shown.review
    until(lambda: shown.review._result is not None)
    assert shown.review._result["talkers"] == ["Joe", "Ada"]
    shown.review.save(tmp_path / "figures.json")
    assert (tmp_path / "figures.json").stat().st_size > 1000
    assert "note: a cough" in (tmp_path / "figures.json").read_text()
    assert "note: a cough" in (folder / "run-1" / "loop.events.jsonl").read_text()
    listed = shown.review.plots.events.shown
    assert "note: a cough" in [listed.index(row, 1).data() for row in range(listed.rowCount())]

    assert shown.review._figures.isVisible()

    # Another run, which repeats the checks by itself
    shown.go("live")
    until(shown.live.controls.run.isEnabled)
    shown.actions_by_key["run"].trigger()
    until(lambda: shown.now.state == "checking")
    until(lambda: shown.now.state == "running")
    shown.link.send("stop")
    until(lambda: shown.now.state == "review")
    shown.go("review")
    until(lambda: shown.review._run.name == "run-2")
    assert not shown.review._figures.isVisible(), "the figures belonged to another run"
    assert not shown.review.export.isEnabled()
    assert shown.close(), "without a recording, no confirmation"


def test_demo_button_starts_a_demo_and_closing_ends_it(qtbot, qapp, tmp_path, monkeypatch):
    from PySide6.QtCore import QSettings

    import earmark.app.dashboard.launch.launcher
    from earmark.app.dashboard.frame.window import Window

    monkeypatch.setattr(earmark.app.dashboard.launch.launcher, "home", lambda: tmp_path)
    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    one.show()
    one.start.buttons["demo"].click()
    assert not one.start.buttons["demo"].isEnabled(), "a second click must not start another"
    qtbot.waitUntil(lambda: one.now.session_live and one.now.kind == "demo", timeout=PATIENCE_MS)
    assert one.pages.currentWidget() is one.live
    launched = one.launcher.launched
    one.now = type(one.now)()  # as before the recording: then closing ends the session
    one.timer.stop()
    assert one.close()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=PATIENCE_MS)


def test_clicks_do_not_spoil_the_demo_and_it_ends_on_its_result(qtbot, qapp, tmp_path):
    from PySide6.QtCore import QPoint, QSettings, Qt

    from earmark.app.dashboard.frame.window import Window

    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    one.show()
    one.launcher.demo(tmp_path / "demo", ["--seconds=100", "--device=null"])
    qtbot.waitUntil(lambda: one.now.state == "calibrating" and one.now.block > 1, timeout=PATIENCE_MS)
    left, (joe, ada) = Qt.MouseButton.LeftButton, one.live.meters._strips
    for widget in (joe, ada, joe.solo, ada.mute, one.live.meters.equal, ada.mute):
        qtbot.mouseClick(widget, left, pos=QPoint(8, 8))
        qtbot.wait(500)
    assert not one.calibration.findChildren(QMessageBox)
    qtbot.waitUntil(lambda: one.now.state == "running", timeout=PATIENCE_MS)
    assert one.now.decoder_summary.accuracy >= one.now.decoder_summary.chance_limit
    assert one.now.n_blocks >= 1
    qtbot.waitUntil(lambda: one.pages.currentWidget() is one.review, timeout=3 * PATIENCE_MS)
    assert one.review._figures.isVisible()
    assert "decision windows were correct" in one.review._words.text()
    assert one.review._result["right"] >= one.review._result["chance_limit"] * one.review._result["windows"]
    launched = one.launcher.launched
    assert one.close()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=PATIENCE_MS)
    assert "does not count" not in (tmp_path / "demo" / "session.log").read_text()


def test_new_session_is_written_and_started_and_never_overwritten(qtbot, qapp, tmp_path):
    import tomllib

    from PySide6.QtCore import QSettings

    from earmark.app.dashboard.frame.window import Window

    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    one.show()
    settings = {"streams": {"eeg": {"source_id": "no-such-amplifier"}}}
    one.launcher.create(tmp_path / "alice", settings, {})
    qtbot.waitUntil(lambda: one.now.session_live, timeout=PATIENCE_MS)
    assert (one.now.kind, one.now.state) == ("live", "idle")
    qtbot.waitUntil(lambda: one.next.step.words.startswith("no signal yet"), timeout=PATIENCE_MS)
    found = tomllib.loads((tmp_path / "alice" / "session.toml").read_text())
    assert found["streams"]["eeg"]["source_id"] == "no-such-amplifier"
    one.launcher.create(tmp_path / "alice", settings, {})
    assert "already exists" in one.start.words.full_text
    launched = one.launcher.launched
    assert one.close()
    qtbot.waitUntil(lambda: launched.status is not None, timeout=PATIENCE_MS)

"""The verdict and the description of the gains in every situation."""

from dataclasses import replace

import pytest
from made_up_status import DECISION, engine_status, session_status
from PySide6.QtGui import QColor

from earmark.app.config.modes import Mode
from earmark.app.dashboard.data.snapshot import snapshot
from earmark.app.dashboard.frame import verdict_text
from earmark.app.dashboard.frame.verdict_text import Verdict, verdict
from earmark.app.status import State


def now(session=None, engine=None, decision=None):
    board = {"decision": replace(DECISION, **(decision or {}))} | (engine or {})
    return snapshot(10.0, session_status(**(session or {})), engine_status(**board), None, False)


@pytest.mark.parametrize(
    ("seen", "main", "small"),
    [
        (now(), "B 80 %", "Ada – steered"),
        (now(session={"n_blocks": 2, "attend": "Ada"}), "B 80 %", "Ada – steered"),
        (now(session={"n_blocks": 2, "attend": ""}), "B 80 %", "Ada – rest, still steered"),
        (now(session={"n_blocks": 0, "attend": ""}), "B 80 %", "Ada – steered"),
        (now(session={"mode": Mode.OPEN}), "B 80 %", "Ada – open loop: gains do not follow"),
        (now(session={"mode": Mode.SHAM}), "B 80 %", "Ada – sham: the other is turned up"),
        (now(decision={"situation": "override"}), "B 80 %", "Ada – override"),
        (now(decision={"talker": -1}), "undecided", "Ada 80 % – steered"),
        (now(session={"override": 0}, decision={"situation": "override"}), "B 80 %", "Ada – override: Joe"),
        (now(session={"ending": True, "alive": False}), "–", "completing the recording"),
        (now(decision={"time": 8.0}), "B 80 %", "Ada – held: decisions are late"),
        (now(decision={"time": 5.0}), "–", "no decision for 5 s"),
        (now(engine={"decision": None}), "–", "waiting for a decision"),
        (now(engine={"time": 8.0}), "NO DATA", "the engine does not respond"),
        (now(session={"alive": False}), "NO DATA", "no engine: gains hold, then go neutral"),
        (now(session={"alive": False, "recording_now": False}, engine={"decision": None}), "–",
         "waiting for a decision"),
        (now(session={"time": 8.0}), "NO DATA", "the session does not respond"),
        (now(session={"state": State.REVIEW}), "–", "no decision"),
        (now(session={"state": State.CALIBRATING}), "–", "no decision"),
    ],
)  # fmt: skip
def test_verdict_and_gains_are_described_correctly(seen, main, small):
    assert verdict(seen)[:2] == (main, small)


def test_alarm_is_red_in_every_language(qapp, theme, monkeypatch):
    monkeypatch.setattr(verdict_text, "NO_DATA", "OHNE DATEN")
    shown = Verdict()
    shown.resize(250, 44)
    for seen, alarming in ((now(engine={"time": 8.0}), True), (now(session={"state": State.REVIEW}), False)):
        shown.refresh(seen)
        assert (shown.main == "OHNE DATEN") == alarming
        image = shown.grab().toImage()
        pixels = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        assert (QColor(theme.LIGHT.bad).name() in pixels) == alarming

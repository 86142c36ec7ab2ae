"""What the header says of the verdict and of the gains, in every situation."""

import pytest

from earmark.app.dashboard.data.snapshot import snapshot
from earmark.app.dashboard.frame.verdict_text import verdict

DECISION = {"n": 3, "time": 9.6, "probability": [0.2, 0.8], "talker": 1, "situation": "steered"}


def now(session=None, engine=None, decision=None):
    said = {"time": 9.9, "state": "running", "mode": "closed", "talkers": ["Joe", "Ada"], "engine": {"alive": True}}
    board = {"time": 9.9, "decision": DECISION | (decision or {})} | (engine or {})
    return snapshot(10.0, said | (session or {}), board, None, False)


@pytest.mark.parametrize(
    ("seen", "main", "small"),
    [
        (now(), "B 80 %", "Ada – steered"),
        (now(session={"n_blocks": 2, "attend": "Ada"}), "B 80 %", "Ada – steered"),
        (now(session={"n_blocks": 2, "attend": ""}), "B 80 %", "Ada – rest, still steered"),
        (now(session={"n_blocks": 0, "attend": ""}), "B 80 %", "Ada – steered"),
        (now(session={"mode": "open"}), "B 80 %", "Ada – open loop: gains do not follow"),
        (now(session={"mode": "sham"}), "B 80 %", "Ada – sham: the other is turned up"),
        (now(decision={"situation": "override"}), "B 80 %", "Ada – override"),
        (now(decision={"talker": -1}), "undecided", "Ada 80 % – steered"),
        (now(session={"override": 0}, decision={"situation": "override"}), "B 80 %", "Ada – override: Joe"),
        (now(session={"ending": True, "engine": {"alive": False}}), "–", "the recording is being completed"),
        (now(decision={"time": 8.0}), "B 80 %", "Ada – held: decisions are late"),
        (now(decision={"time": 5.0}), "–", "no decision for 5 s"),
        (now(engine={"decision": None}), "–", "waiting for a decision"),
        (now(engine={"time": 8.0}), "NO DATA", "the engine says nothing"),
        (now(session={"engine": {"alive": False}}), "NO DATA", "no engine: gains hold, then go to neutral"),
        (now(session={"engine": {"alive": False}, "recording_now": False}, engine={"decision": None}), "–",
         "waiting for a decision"),
        (now(session={"time": 8.0}), "NO DATA", "the session says nothing"),
        (now(session={"state": "review"}), "–", "no decision"),
        (now(session={"state": "calibrating"}), "–", "no decision"),
    ],
)  # fmt: skip
def test_nothing_is_said_that_is_not_so(seen, main, small):
    assert verdict(seen)[:2] == (main, small)

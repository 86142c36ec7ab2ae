"""What comes next in each state of a session."""

import math
from dataclasses import replace

import pytest
from made_up_status import ENGINE, INLET, engine_status, session_status

from earmark.app.config.protocol import Calibration, RunPlan
from earmark.app.session.next_step import Do, Folder, Step, next_step
from earmark.app.status import Check, DecoderSummary, EngineProcessStatus, LearningStatus, PlanStatus, State

PLAN = PlanStatus(40, 1080.0, 300.0)
DUE = (Check("eeg", True, "64 channels"), Check("decoder", False, "none yet", due=True))
FAILED = (Check("eeg", True, "64 channels"), Check("disk", False, "full: delete files"), DUE[1])
GOOD = DecoderSummary(0.8, 0.5, 0.6, 80, 300.0, "")
ENOUGH = LearningStatus(8, 240.0, 70, 0.8, 0.6, 0.0, 0.01, True)
WAITS = EngineProcessStatus(alive=False, pid=None, restarts=0, board="")
LOST = engine_status(streams=(replace(INLET, status="reconnecting"),))
BAD = engine_status(bad={"E1": "flat"})


def session(state, **changes):
    return session_status(**{"state": state, "plan": PLAN, "task": None} | changes)


#: Status and engine of a session, and the sentence.
STEPS = [
    (
        session(State.IDLE, engine=WAITS),
        None,
        "To fix: no signal yet: switch the amplifier on, and start its LSL stream",
    ),
    (session(State.IDLE), LOST, "To fix: the stream eeg is reconnecting: check the amplifier and its LSL stream"),
    (session(State.IDLE), BAD, "Next: fit the electrodes: 1 of 2 are bad (E1)"),
    (session(State.IDLE), ENGINE, "Next: check everything"),
    (session(State.CHECKING), ENGINE, "Now: checking everything, which takes some seconds"),
    (session(State.IDLE, checks=FAILED), ENGINE, "To fix: disk: full: delete files"),
    (session(State.IDLE, checks=DUE), BAD, "Next: calibrate (40 trials, 18 min)"),
    (session(State.IDLE, checks=DUE[:1]), ENGINE, "Next: calibrate (40 trials, 18 min)"),
    (session(State.IDLE, checks=DUE[:1], decoder=True), ENGINE, "Next: check everything"),
    (session(State.TRAINING), None, "Now: training the decoder, which takes from seconds to a minute"),
    (session(State.READY, decoder=True, decoder_summary=GOOD), ENGINE, "Next: run (5 min)"),
    (session(State.READY, plan=replace(PLAN, run_s=60.0)), ENGINE, "Next: run (60 s)"),
    (
        session(State.READY, decoder=True, decoder_summary=replace(GOOD, accuracy=0.55)),
        ENGINE,
        "Next: discard the decoder, which is no better than guessing, and calibrate again",
    ),
    (session(State.PAUSED), ENGINE, "Next: resume the run"),
    (session(State.REVIEW), ENGINE, "Next: look at the result of the last run"),
    (session(State.REVIEW, kind="demo"), ENGINE, "Next: look at the result of the last run"),
    (session(State.IDLE, kind="demo"), ENGINE, "Now: the demonstration goes on by itself"),
    (session(State.RUNNING, kind="replay"), ENGINE, "Now: the replay goes on"),
    (session(State.PAUSED, kind="replay"), ENGINE, "Next: resume the replay"),
]
#: Changes of a calibration in progress, its engine, and the sentence.
TRIALS = [
    ({}, ENGINE, "Now: calibrating"),
    ({"question": "How hard was it?"}, ENGINE, "Next: answer the question"),
    ({"complete": True}, ENGINE, "Next: train the decoder"),
    ({"ending": True}, ENGINE, "Now: completing the recording"),
    ({}, LOST, "To fix: the stream eeg is reconnecting: check the amplifier and its LSL stream"),
    ({"waiting": "the sound is muted"}, ENGINE, "To fix: the next trial waits: the sound is muted"),
    ({"learning": (ENOUGH,), "n_blocks": 3}, ENGINE, "Next: finish after this trial: more would hardly help"),
    ({"learning": (ENOUGH,), "block": 3, "n_blocks": 3}, ENGINE, "Now: calibrating"),  # the last, or finishing
    ({"learning": (replace(ENOUGH, enough=False),), "n_blocks": 3}, ENGINE, "Now: calibrating"),
    ({"state": State.RUNNING}, ENGINE, "Now: running"),
    ({"state": State.RUNNING, "question": "How hard was it?"}, None, "Next: answer the question"),
]


@pytest.mark.parametrize(("status", "engine", "sentence"), STEPS)
def test_each_state_has_its_step(status, engine, sentence):
    assert next_step(status, engine).sentence == sentence


@pytest.mark.parametrize(("changes", "engine", "sentence"), TRIALS)
def test_each_moment_of_a_recording_has_its_step(changes, engine, sentence):
    assert next_step(session_status(**{"state": State.CALIBRATING} | changes), engine).sentence == sentence


def test_what_was_looked_at_is_followed_by_the_step_after_it():
    seen = {Do.FIT, Do.RESULT}
    assert next_step(session(State.IDLE), BAD, seen=seen).do is Do.CHECK
    again = Step("run again ({length})", Do.RUN, values={"length": "5 min"})
    assert next_step(session(State.REVIEW), ENGINE, seen=seen) == again
    assert next_step(session(State.REVIEW, kind="replay"), ENGINE, seen=seen).do is Do.NEW


def test_failed_calibration_is_said_until_everything_was_checked_again():
    failed = session_status(state=State.IDLE, failure="the disk is full", checks=DUE[:1])
    assert next_step(failed, ENGINE) == Step("the disk is full", fault=True)
    assert next_step(replace(failed, checks=DUE), ENGINE).do is Do.CALIBRATE


def test_without_a_session_the_folder_decides():
    assert next_step(None).do is Do.NEW
    assert next_step(None, folder=Folder("alice", session=False, runs=False)).do is Do.NEW
    alice = Folder("alice", session=True, runs=True)
    assert next_step(None, folder=alice).do is Do.RESULT
    start = next_step(None, folder=alice, seen={Do.RESULT})
    assert (start.do, start.sentence) == (
        Do.START,
        "Next: switch the amplifier on and start the session alice",
    )


def test_planned_lengths_are_those_of_the_cues():
    drawn = Calibration(n_trials=4, trial_s=20.0, pause_s=5.0)
    listed = Calibration.model_validate(
        {"trials": [{"attend": name, "seconds": 10.0, "rest_s": 3.0} for name in ("Joe", "Ada", "Joe")]}
    )
    for plan, count in ((drawn, 4), (listed, 3)):
        cues = plan.cues(["Joe", "Ada"])
        assert plan.count == count == sum(bool(name) for _, name in cues)
        assert math.isclose(plan.seconds, cues[-1][0])
    assert RunPlan().seconds == 300.0

"""What comes next in a session, from the first signal to the result: the same words in the window and the terminal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from earmark.app.status import EngineStatus, SessionStatus, State, TaskStatus
from earmark.app.training.worth import Say, english, no_better

#: Number of bad channels whose names are listed.
MAX_NAMED = 3


class Do(StrEnum):
    """Something that the operator does."""

    NEW = "new"
    START = "start"
    FIT = "fit"
    CHECK = "check"
    CALIBRATE = "calibrate"
    FINISH = "finish"
    ANSWER = "answer"
    TRAIN = "train"
    DISCARD = "discard"
    RUN = "run"
    RESUME = "resume"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Step:
    """The next step, or why there is none.

    Attributes
    ----------
    words : str
        The step; or what is wrong; or what the session does now. With values, it is a template for them.
    do : Do or None
        What the operator does next; None if something is wrong or in progress.
    fault : bool
        Whether something is wrong and must be fixed first.
    values : dict of str to object
        Values of the template, by name.
    """

    words: str
    do: Do | None = None
    fault: bool = False
    values: dict[str, object] = field(default_factory=dict)

    def line(self, say: Say) -> str:
        """Return the step as a line of text."""
        words = say(self.words, **self.values)
        return say("Next: {step}" if self.do else "To fix: {step}" if self.fault else "Now: {step}", step=words)

    @property
    def sentence(self) -> str:
        """The step as a line of text in English."""
        return self.line(english)


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in the folder of a session that is not running.

    Attributes
    ----------
    name : str
    session : bool
        Whether it holds a session file.
    runs : bool
        Whether it holds a recorded run.
    """

    name: str
    session: bool
    runs: bool


#: After ``earmark train``.
USE = Step("name this decoder as 'decoder' in [attention] of a session file, then run", Do.RUN)


def next_step(
    status: SessionStatus | None,
    engine: EngineStatus | None = None,
    folder: Folder | None = None,
    seen: Collection[Do] = (),
) -> Step:
    """Return what comes next.

    Parameters
    ----------
    status : SessionStatus or None
        Of the running session; None if none is running.
    engine : EngineStatus or None
        Of its engine, if it has published one.
    folder : Folder or None
        Of the session; only needed if none is running.
    seen : collection of Do
        Steps that consist of looking (``FIT``, ``RESULT``) and are done.
    """
    if status is None:
        if folder is not None and folder.runs and Do.RESULT not in seen:
            return Step("look at the result of the last run", Do.RESULT)
        if folder is not None and folder.session:
            return Step("switch the amplifier on and start the session {name}", Do.START, values={"name": folder.name})
        return Step("make a new session", Do.NEW)
    if status.kind == "view":
        return _electrodes(engine, seen) or Step("make a session of this stream", Do.NEW)
    by_itself = status.kind in ("demo", "replay")
    match status.state:
        case State.REVIEW if Do.RESULT not in seen:
            return Step("look at the result of the last run", Do.RESULT)
        case State.REVIEW if by_itself:
            return Step("make a new session", Do.NEW)
        case State.PAUSED:
            return Step("resume the replay" if status.kind == "replay" else "resume the run", Do.RESUME)
        case _ if by_itself:
            return Step("the replay goes on" if status.kind == "replay" else "the demonstration goes on by itself")
        case State.CHECKING:
            return Step("checking everything, which takes some seconds")
        case State.TRAINING:
            return Step("training the decoder, which takes from seconds to a minute")
        case State.CALIBRATING | State.RUNNING if status.task is not None:
            return _during(status, status.task, engine)
    return _between(status, engine, seen)


def _during(status: SessionStatus, task: TaskStatus, engine: EngineStatus | None) -> Step:
    """Return the next step during a calibration or run."""
    calibrating = status.state is State.CALIBRATING
    if task.question:
        return Step("answer the question", Do.ANSWER)
    if calibrating and task.complete:
        return Step("train the decoder", Do.TRAIN)
    if task.ending:
        return Step("completing the recording")
    if lost := _lost(engine):
        return lost
    if task.waiting:
        return Step("the next trial waits: {why}", fault=True, values={"why": task.waiting})
    more = task.block < task.n_blocks  # trials follow the current one
    if calibrating and more and status.learning and status.learning[-1].enough:
        return Step("finish after this trial: more would hardly help", Do.FINISH)
    return Step("calibrating" if calibrating else "running")


def _between(status: SessionStatus, engine: EngineStatus | None, seen: Collection[Do]) -> Step:
    """Return the next step between recordings."""
    idle, task, plan = status.state is State.IDLE, status.task, status.plan
    asked = any(check.what == "decoder" for check in status.checks)  # else a calibration made the last checks
    if idle and task is not None and task.failure and not asked:
        return Step(task.failure, fault=True)
    if idle and status.engine is not None and not status.engine.alive:
        return Step("no signal yet: switch the amplifier on, and start its LSL stream", fault=True)
    if lost := _lost(engine):
        return lost
    failed = [check for check in status.checks if not check.ok and not check.due]
    if failed:
        return Step(f"{failed[0].what}: {failed[0].words}", fault=True)
    if status.state is State.READY:
        summary = status.decoder_summary
        if summary is not None and no_better(summary.accuracy, summary.chance_limit):
            return Step("discard the decoder, which is no better than guessing, and calibrate again", Do.DISCARD)
        if plan is None:
            return Step("run", Do.RUN)
        return Step("run ({length})", Do.RUN, values={"length": _length(plan.run_s)})
    if status.state is State.REVIEW:
        if plan is None:
            return Step("run again", Do.RUN)
        return Step("run again ({length})", Do.RUN, values={"length": _length(plan.run_s)})
    if status.checks and not status.decoder:
        if plan is None:
            return Step("calibrate", Do.CALIBRATE)
        values = {"n": plan.n_trials, "length": _length(plan.calibration_s)}
        return Step("calibrate ({n} trials, {length})", Do.CALIBRATE, values=values)
    return _electrodes(engine, seen) or Step("check everything", Do.CHECK)


def _electrodes(engine: EngineStatus | None, seen: Collection[Do]) -> Step | None:
    """Return the step for bad electrodes; None if there are none, or they were looked at."""
    if engine is None or not engine.bad or Do.FIT in seen:
        return None
    names = ", ".join(list(engine.bad)[:MAX_NAMED]) + (", …" if len(engine.bad) > MAX_NAMED else "")
    values = {"n_bad": len(engine.bad), "n": len(engine.ch_names), "names": names}
    return Step("fit the electrodes: {n_bad} of {n} are bad ({names})", Do.FIT, values=values)


def _lost(engine: EngineStatus | None) -> Step | None:
    """Return the step for a stream of electrodes that delivers nothing; None if that is not known."""
    stream = None if engine is None else engine.stream(engine.neural)
    if stream is None or stream.status in ("live", ""):
        return None
    return Step(
        "the stream {name} is {status}: check the amplifier and its LSL stream",
        fault=True,
        values={"name": stream.name, "status": stream.status},
    )


def _length(seconds: float) -> str:
    """Format a planned length: in minutes, from a minute and a half on."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"

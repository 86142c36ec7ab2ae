"""The protocol of an experiment, from a TOML file: which talker to attend to, when and for how long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from earmark.app.config.toml_file import PROTOCOL, ConfigError, parse, read_text
from earmark.app.config.validation import explain

#: A cue: seconds from the start, and the talker to attend to from then on; ``""`` is a rest.
Cue = tuple[float, str]
#: Minimum number of trials to evaluate a decoder by leaving out one at a time.
MIN_TRIALS = 3
#: Maximum number of trials in a row with the same talker.
MOST_IN_A_ROW = 2
#: A scale at the end of a question, such as 1-7, and the maximum number of its steps.
_SCALE = re.compile(r"(?<![\d-])(-?\d{1,3})\s*[-–]\s*(-?\d{1,3})\s*\)?\s*$", re.ASCII)
MOST_STEPS = 10
#: Where the talker's name stands in the text of a cue.
NAME = "{name}"


class ProtocolError(ConfigError):
    """Raised when a protocol cannot be used; the message says where, what was found and what is expected."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class QuestionConfig(_Strict):
    """A question to the participant."""

    text: str = Field(min_length=1, max_length=500, description="the question")
    options: list[Annotated[str, StringConstraints(min_length=1, max_length=60)]] = Field(
        default=[], max_length=12, description="answers to choose from"
    )

    @field_validator("options")
    @classmethod
    def _a_choice(cls, options: list[str]) -> list[str]:
        if len(options) == 1 or len(set(options)) < len(options):
            raise PydanticCustomError("options", "it must have two answers or more, each different")
        return options

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers to choose from: ``options``, or else the steps of a scale at the end of the text."""
        if self.options or not (scale := _SCALE.search(self.text)):
            return tuple(self.options)
        low, high = int(scale[1]), int(scale[2])
        return tuple(str(step) for step in range(low, high + 1)) if 0 < high - low <= MOST_STEPS else ()

    @model_serializer
    def _as_in_file(self) -> str | dict[str, Any]:
        return {"text": self.text, "options": self.options} if self.options else self.text


def _question(given: object) -> object:
    if not isinstance(given, str | dict | QuestionConfig):
        raise PydanticCustomError("question", "it must be text in quotes, or a table with text and options")
    return {"text": given} if isinstance(given, str) else given


#: A question of a file: its text, or a table.
Question = Annotated[QuestionConfig, BeforeValidator(_question)]


class TrialConfig(_Strict):
    """One trial of an explicit list."""

    attend: str = Field(min_length=1, description="name of a talker")
    seconds: float = Field(gt=0, description="length, s")
    rest_s: float = Field(
        default=5.0, ge=0, description="rest after the trial, s; 0 continues without rest or question"
    )


class CueConfig(_Strict):
    """One cue of a run, of an explicit list."""

    at_s: float = Field(ge=0, description="seconds from the start of the run")
    attend: str = Field(description="name of a talker; empty for a rest")


class Calibration(_Strict):
    """Trials to train a decoder on: a number of equal trials in a drawn order, or an explicit list."""

    n_trials: int = Field(default=12, ge=MIN_TRIALS, le=1000, description="a multiple of the number of talkers")
    trial_s: float = Field(default=30.0, gt=0, description="length of a trial, s")
    pause_s: float = Field(
        default=5.0, ge=0, description="rest between two trials, s; 0 continues without rest or question"
    )
    order: Literal["counterbalanced", "random"] = Field(
        default="counterbalanced",
        description="counterbalanced: every talker equally often, at most two in a row; random: drawn trial by trial",
    )
    seed: int = Field(default=0, ge=0, description="the same seed gives the same order")
    trials: list[TrialConfig] = Field(default=[], description="instead of n_trials, trial_s, pause_s, order and seed")
    questions: list[Question] = Field(default=[], description="asked after each trial")
    cue_sound_s: float = Field(
        default=1.5, ge=0, le=2, description="time at the start of a trial with the cued talker alone, s; 0 for none"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Calibration:
        drawn = {"n_trials", "trial_s", "pause_s", "order", "seed"} & self.model_fields_set
        if self.trials and drawn:
            raise PydanticCustomError(
                "trials", f"has trials and {', '.join(sorted(drawn))}: leave out one or the other"
            )
        if self.trials and len(self.trials) < MIN_TRIALS:
            raise PydanticCustomError("trials", f"has {len(self.trials)} trials, but must have {MIN_TRIALS} or more")
        return self

    @property
    def count(self) -> int:
        """Number of trials."""
        return len(self.trials) or self.n_trials

    @property
    def seconds(self) -> float:
        """Length from the first cue to the end of the last trial, s."""
        if self.trials:
            return sum(trial.seconds + trial.rest_s for trial in self.trials) - self.trials[-1].rest_s
        return self.n_trials * (self.trial_s + self.pause_s) - self.pause_s

    def cues(self, talkers: Sequence[str]) -> list[Cue]:
        """Return the cues of the trials; a rest follows every trial with a pause, and a last rest is the end.

        Raises
        ------
        ProtocolError
            If the trials do not match the talkers.
        """
        cues: list[Cue] = []
        at = 0.0
        for trial in self._trials(talkers):
            cues.append((at, trial.attend))
            at += trial.seconds
            if trial.rest_s:
                cues.append((at, ""))
            end, at = at, at + trial.rest_s
        return cues if cues[-1] == (end, "") else [*cues, (end, "")]

    def _trials(self, talkers: Sequence[str]) -> list[TrialConfig]:
        if self.trials:
            _check_known([trial.attend for trial in self.trials], talkers, "calibration.trials")
            if missing := set(talkers) - {trial.attend for trial in self.trials}:
                raise ProtocolError(
                    f"calibration.trials: {sorted(missing)[0]!r} is never attended to, but every talker must be"
                )
            return self.trials
        if self.order == "random":
            drawn = np.random.default_rng(self.seed).integers(len(talkers), size=self.n_trials)
            order = [talkers[int(i)] for i in drawn]
        else:
            if self.n_trials % len(talkers):
                raise ProtocolError(
                    f"calibration.n_trials is {self.n_trials}, but must be a multiple of {len(talkers)}, so that every "
                    "talker is attended to equally often"
                )
            order = draw_order(talkers, self.n_trials, MOST_IN_A_ROW, self.seed)
        return [TrialConfig(attend=name, seconds=self.trial_s, rest_s=self.pause_s) for name in order]


class RunPlan(_Strict):
    """Plan of a run: with cues, or without, so that the listener chooses freely."""

    seconds: float = Field(default=300.0, gt=0, description="length of the run, s")
    switch_every_s: float | None = Field(
        default=None, gt=0, description="interval between cues to attend to another talker, s"
    )
    seed: int = Field(default=0, ge=0, description="the same seed gives the same order")
    cues_at: list[CueConfig] = Field(default=[], alias="cues", description="instead of switch_every_s")
    questions: list[Question] = Field(default=[], description="asked after each rest and at the end")

    @model_validator(mode="after")
    def _one_way(self) -> RunPlan:
        if self.cues_at and self.switch_every_s is not None:
            raise PydanticCustomError("cues", "has cues and switch_every_s: leave out one or the other")
        times = [cue.at_s for cue in self.cues_at]
        if times != sorted(set(times)):
            raise PydanticCustomError("cues", f"at_s of cues is {times}, but must increase from each to the next")
        return self

    def cues(self, talkers: Sequence[str], seconds: float | None = None) -> list[Cue]:
        """Return the cues within ``seconds``, by default the plan's own length.

        Raises
        ------
        ProtocolError
            If a cue names an unknown talker.
        """
        length = self.seconds if seconds is None else seconds
        if self.cues_at:
            _check_known([cue.attend for cue in self.cues_at if cue.attend], talkers, "run.cues")
            return [(cue.at_s, cue.attend) for cue in self.cues_at if cue.at_s < length]
        if self.switch_every_s is None:
            return []
        n = max(1, int(np.ceil(length / self.switch_every_s - 1e-9)))
        return [(i * self.switch_every_s, name) for i, name in enumerate(draw_order(talkers, n, 1, self.seed))]


_Short = Annotated[str, StringConstraints(max_length=200)]
_Long = Annotated[str, StringConstraints(max_length=1000)]


class ParticipantTexts(_Strict):
    """Texts of the participant's screen, in any language; an empty one shows nothing."""

    calibration: _Long = Field(
        default="You will hear several people speak at the same time. Listen only to the person that this screen tells "
        "you to listen to. Look at the cross, and try to sit still.",
        description="instructions before a calibration",
    )
    run: _Long = Field(
        default="You will hear several people speak at the same time. If this screen tells you to listen to a person, "
        "do so; otherwise listen to whom you like. Look at the cross, and try to sit still.",
        description="instructions before a run",
    )
    listen: _Short = Field(
        default="Listen to {name}", description="during a trial; {name} is the talker, and may be left out"
    )
    rest: _Short = Field(default="Rest", description="between trials; the remaining seconds stand below it")
    pause: _Short = Field(default="Pause", description="while a run is paused")
    wait: _Short = Field(
        default="Please wait", description="while the signals are checked before a trial, and after a calibration"
    )
    tell: _Short = Field(
        default="Please tell the experimenter your answer.",
        description="below a question without answers to choose from",
    )
    end: _Short = Field(default="Thank you", description="after a run")

    @field_validator("listen")
    @classmethod
    def _one_name(cls, listen: str) -> str:
        if "{" in listen.replace(NAME, "") or "}" in listen.replace(NAME, ""):
            raise PydanticCustomError("name", f"the only name in braces that it can contain is {NAME}")
        return listen


class Protocol(_Strict):
    """An experiment: calibration, run, and what the participant's screen says."""

    calibration: Calibration = Calibration()
    run: RunPlan = RunPlan()
    participant: ParticipantTexts = ParticipantTexts()

    @property
    def questions(self) -> list[QuestionConfig]:
        """All questions."""
        return [*self.calibration.questions, *self.run.questions]


def draw_order(talkers: Sequence[str], n: int, most_in_row: int, seed: int) -> list[str]:
    """Draw a random order in which talkers are attended.

    Parameters
    ----------
    talkers : sequence of str
        Two or more names.
    n : int
        Length of the order.
    most_in_row : int
        Maximum number of the same name in a row.
    seed : int
        Seed of the random generator.

    Returns
    -------
    list of str
        Each name equally often, some once more if ``n`` is not a multiple of the number of talkers.

    Raises
    ------
    ProtocolError
        If there are fewer than two talkers.
    """
    if len(talkers) < 2:
        raise ProtocolError(f"there must be two talkers or more to attend to, but there are {len(talkers)}")
    rng = np.random.default_rng(seed)
    left = np.full(len(talkers), n // len(talkers))
    left[rng.permutation(len(talkers))[: n % len(talkers)]] += 1
    order: list[int] = []
    for _ in range(n):
        row = [len(list(same)) for _, same in groupby(order)][-1] if order else 0
        fits = np.array([left[k] > 0 and _can_end(left, k, order, row, most_in_row) for k in range(len(left))])
        chosen = int(rng.choice(len(left), p=left * fits / (left * fits).sum()))
        order.append(chosen)
        left[chosen] -= 1
    return [talkers[k] for k in order]


def _can_end(left: Any, k: int, order: list[int], row: int, most_in_row: int) -> bool:
    """Whether, if ``k`` comes next, the remaining names can be ordered with at most ``most_in_row`` in a row."""
    row = row + 1 if order and order[-1] == k else 1
    if row > most_in_row:
        return False
    after = left.copy()
    after[k] -= 1
    others = after.sum() - after
    # Rows of one name fit before, between and after all the others; one fewer of k is left than there was room for.
    room = most_in_row * (others + 1)
    return bool((after <= room).all())


def _check_known(names: Sequence[str], talkers: Sequence[str], where: str) -> None:
    for number, name in enumerate(names, 1):
        if name not in talkers:
            raise ProtocolError(
                f"{where} number {number}: attend is {name!r}, but the talkers of [sound] are {', '.join(talkers)}"
            )


def load_protocol(path: Path) -> Protocol:
    """Read a protocol file.

    Raises
    ------
    ProtocolError
        If it cannot be read or used.
    """
    try:
        text = read_text(path)
    except ConfigError as error:
        raise ProtocolError(str(error)) from None
    return parse_protocol(text, str(path))


def parse_protocol(text: str, where: str) -> Protocol:
    """Check a protocol; ``where`` is the origin that errors name."""
    try:
        return Protocol.model_validate(parse(text, where))
    except ConfigError as error:
        raise ProtocolError(str(error)) from None
    except ValidationError as error:
        raise ProtocolError("\n".join(f"{where}: {explain(one, Protocol)}" for one in error.errors())) from None


def read_protocol(session: Path) -> Protocol:
    """Read the protocol beside a session file.

    Raises
    ------
    ProtocolError
        If it does not exist or cannot be used.
    """
    return load_protocol(session.parent / PROTOCOL)

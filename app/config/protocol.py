"""The protocol of an experiment: who is to be attended, when and for how long, from a TOML file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from earmark.app.config.toml_file import PROTOCOL, ConfigError, parse, read_text
from earmark.app.config.validation import explain

#: A cue: seconds from the beginning, and who is to be attended from then on; ``""`` is nobody.
Cue = tuple[float, str]
#: Fewest trials that a decoder can be judged on, by leaving out one at a time.
MIN_TRIALS = 3
#: Most trials in a row with the same talker.
MOST_IN_A_ROW = 2


class ProtocolError(ConfigError):
    """Raised when a protocol cannot be used; says where, what was found and what was wanted."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TrialConfig(_Strict):
    """One trial, written out."""

    attend: str = Field(min_length=1, description="name of a talker")
    seconds: float = Field(gt=0, description="how long, s")
    rest_s: float = Field(default=5.0, ge=0, description="pause after it, s; 0 goes on without rest or question")


class CueConfig(_Strict):
    """One cue of a run, written out."""

    at_s: float = Field(ge=0, description="seconds from the beginning of the run")
    attend: str = Field(description="name of a talker; empty for a rest")


class Calibration(_Strict):
    """Trials from which a decoder learns: the same number for every talker, or written out one by one."""

    n_trials: int = Field(default=12, ge=MIN_TRIALS, le=1000, description="a multiple of the number of talkers")
    trial_s: float = Field(default=30.0, gt=0, description="length of a trial, s")
    pause_s: float = Field(
        default=5.0, ge=0, description="rest between two trials, s; 0 goes on without rest or question"
    )
    order: Literal["counterbalanced", "random"] = Field(
        default="counterbalanced",
        description="counterbalanced: every talker equally often, two in a row at most; random: drawn trial by trial",
    )
    seed: int = Field(default=0, ge=0, description="the same seed gives the same order")
    trials: list[TrialConfig] = Field(default=[], description="instead of n_trials, trial_s, pause_s, order and seed")
    questions: list[str] = Field(default=[], description="asked after each trial")
    cue_sound_s: float = Field(
        default=1.5, ge=0, le=2, description="how long the talker cued is heard alone at first, s; 0 for never"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Calibration:
        drawn = {"n_trials", "trial_s", "pause_s", "order", "seed"} & self.model_fields_set
        if self.trials and drawn:
            raise PydanticCustomError("trials", f"has trials and {', '.join(sorted(drawn))}, but must have one of them")
        if self.trials and len(self.trials) < MIN_TRIALS:
            raise PydanticCustomError("trials", f"has {len(self.trials)} trials, but must have {MIN_TRIALS} or more")
        return self

    def cues(self, talkers: Sequence[str]) -> list[Cue]:
        """Return who is to be attended when; a rest follows every trial with a pause, the last one ends all.

        Raises
        ------
        ProtocolError
            If the trials do not suit the talkers.
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
    """What happens while the loop is closed: cues now and then, or none, so that the listener is free."""

    seconds: float = Field(default=300.0, gt=0, description="length of the run, s")
    switch_every_s: float | None = Field(
        default=None, gt=0, description="a cue to attend to another talker every so often, s"
    )
    seed: int = Field(default=0, ge=0, description="the same seed gives the same order")
    cues_at: list[CueConfig] = Field(default=[], alias="cues", description="instead of switch_every_s")
    questions: list[str] = Field(default=[], description="asked after each rest and at the end")

    @model_validator(mode="after")
    def _one_way(self) -> RunPlan:
        if self.cues_at and self.switch_every_s is not None:
            raise PydanticCustomError("cues", "has cues and switch_every_s, but must have one of them")
        times = [cue.at_s for cue in self.cues_at]
        if times != sorted(set(times)):
            raise PydanticCustomError("cues", f"at_s of cues is {times}, but must rise from each to the next")
        return self

    def cues(self, talkers: Sequence[str], seconds: float | None = None) -> list[Cue]:
        """Return who is to be attended when, within ``seconds`` if that is not the plan's own length.

        Raises
        ------
        ProtocolError
            If a cue names nobody known.
        """
        length = self.seconds if seconds is None else seconds
        if self.cues_at:
            _check_known([cue.attend for cue in self.cues_at if cue.attend], talkers, "run.cues")
            return [(cue.at_s, cue.attend) for cue in self.cues_at if cue.at_s < length]
        if self.switch_every_s is None:
            return []
        n = max(1, int(np.ceil(length / self.switch_every_s - 1e-9)))
        return [(i * self.switch_every_s, name) for i, name in enumerate(draw_order(talkers, n, 1, self.seed))]


class Protocol(_Strict):
    """Both parts of an experiment."""

    calibration: Calibration = Calibration()
    run: RunPlan = RunPlan()


def draw_order(talkers: Sequence[str], n: int, most_in_row: int, seed: int) -> list[str]:
    """Draw an order in which talkers are attended.

    Parameters
    ----------
    talkers : sequence of str
        Two or more names.
    n : int
        How many.
    most_in_row : int
        Longest stretch of the same name.
    seed : int

    Returns
    -------
    list of str
        Each name as often as any other, or once more where ``n`` is not a multiple.

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
    """Whether, after ``k`` comes next, what is left can still be put in an order without too long a stretch."""
    row = row + 1 if order and order[-1] == k else 1
    if row > most_in_row:
        return False
    after = left.copy()
    after[k] -= 1
    others = after.sum() - after
    # Stretches of one name lie between, before and after all the others; of k one fewer is left than had room.
    room = most_in_row * (others + 1)
    return bool((after <= room).all())


def _check_known(names: Sequence[str], talkers: Sequence[str], where: str) -> None:
    for number, name in enumerate(names, 1):
        if name not in talkers:
            raise ProtocolError(
                f"{where} number {number} is to attend to {name!r}, but the talkers of [sound] are {', '.join(talkers)}"
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
    """Check a protocol; ``where`` says in errors where it comes from."""
    try:
        return Protocol.model_validate(parse(text, where))
    except ConfigError as error:
        raise ProtocolError(str(error)) from None
    except ValidationError as error:
        raise ProtocolError("\n".join(f"{where}: {explain(one, Protocol)}" for one in error.errors())) from None


def read_protocol(session: Path) -> Protocol:
    """Read the protocol beside a session's file.

    Raises
    ------
    ProtocolError
        If it is not there or cannot be used.
    """
    return load_protocol(session.parent / PROTOCOL)

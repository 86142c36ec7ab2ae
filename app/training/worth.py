"""Compare an accuracy with guessing, in the same words everywhere.

The *chance level* is the accuracy of guessing on average. The *chance limit* is the accuracy that guessing reaches with
p = 0.05: with few decisions it is much higher.

Functions that form a text take the function ``say``, which fills the values into a text: the window gives its own,
which translates; records, reports and the terminal are in English.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from earmark.app.report.figures import SessionFigures
    from earmark.app.status import LearningStatus
    from earmark.devices.files.decoder_folder import Facts

#: Takes a text, and its values by name.
Say = Callable[..., str]


class RunScore(NamedTuple):
    """What a sentence about a run needs of its figures."""

    n_right: int
    n_windows: int
    chance_limit: float
    steady: float


class DecoderScore(NamedTuple):
    """What a sentence about a decoder needs of its facts."""

    accuracy: float
    n_decisions: int
    chance_level: float
    chance_limit: float


def english(text: str, /, **values: object) -> str:
    """Fill the values into a text."""
    return text.format(**values) if values else text


def share(value: float | None, digits: int = 0, say: Say = english) -> str:
    """Format a share in percent; NaN and None mean not measured."""
    return say("not measured") if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def level_words(level: float, say: Say = english) -> str:
    """Describe the chance level."""
    return say("chance level {level}", level=share(level, 0, say))


def limit_words(limit: float | None, digits: int = 0, say: Say = english) -> str:
    """Describe the chance limit; NaN and None mean too few decisions."""
    if limit is None or math.isnan(limit):
        return say("too few decisions for a chance limit")
    return say("chance limit {limit} (p = 0.05)", limit=share(limit, digits))


def no_better(accuracy: float, limit: float) -> bool:
    """Whether a measured accuracy is below its chance limit, or has none because of too few decisions."""
    return not math.isnan(accuracy) and not accuracy >= limit


def again_words(say: Say = english) -> str:
    """Advise what to do about a decoder that is no better than guessing."""
    return say("Check electrodes and sound, then calibrate again with more trials.")


def decoder_words(facts: Facts | DecoderScore, say: Say = english) -> str:
    """Compare a decoder's accuracy with guessing, in one sentence."""
    if math.isnan(facts.accuracy):
        return say("The decoder's accuracy was not measured.")
    found = say(
        "{share} of {n} decisions were correct, cross-validated ({level}, {limit})",
        share=share(facts.accuracy),
        n=facts.n_decisions,
        level=level_words(facts.chance_level, say),
        limit=limit_words(facts.chance_limit, 0, say),
    )
    if no_better(facts.accuracy, facts.chance_limit):
        return say("The decoder is no better than guessing: {found}. {again}", found=found, again=again_words(say))
    return say("The decoder is better than guessing: {found}.", found=found)


def learning_words(point: LearningStatus, say: Say = english) -> str:
    """Describe the accuracy so far in a calibration, and whether more trials can help, in one or two sentences."""
    words = say(
        "After {n_trials} trials: {share} of {n} decisions are correct ({limit})",
        n_trials=point.n_trials,
        share=share(point.accuracy, 0, say),
        n=point.n,
        limit=limit_words(point.chance_limit, 0, say),
    )
    if not point.enough:
        return words
    return say(
        "{words}. More trials would hardly help: the last doubling added {gain:.1f} points, at most {gain_limit:.1f}",
        words=words,
        gain=100 * point.gain,
        gain_limit=100 * point.gain_limit,
    )


def run_words(found: SessionFigures | RunScore, facts: Facts | DecoderScore, say: Say = english) -> list[str]:
    """Compare a run with guessing in a first sentence; the others explain figures that seem contradictory."""
    right = found.n_right / found.n_windows if found.n_windows else math.nan
    limit = found.chance_limit
    if not found.n_windows:
        result = say("No decision window lies within cued time, so the decisions cannot be scored.")
    elif found.n_windows == 1 and math.isnan(limit):
        result = say("{share} of 1 decision window was correct: too few to compare with guessing.", share=share(right))
    elif math.isnan(limit):
        result = say(
            "{share} of {n} decision windows were correct: too few to compare with guessing.",
            share=share(right),
            n=found.n_windows,
        )
    else:
        result = say(
            "{share} of {n} decision windows were correct; {limit}: no better than guessing."
            if no_better(right, limit)
            else "{share} of {n} decision windows were correct; {limit}: better than guessing.",
            share=share(right),
            n=found.n_windows,
            limit=limit_words(limit, 0, say),
        )
    words = [result]
    if no_better(facts.accuracy, facts.chance_limit):
        words.append(decoder_words(facts, say))
    if right >= limit and found.steady < facts.chance_level:
        words.append(
            say(
                "The cued talker had the highest score in {share} of windows, but was decided for only {steady} of the "
                "time. Decisions follow the probability, which uses the score distribution from the calibration: if "
                "the calibration does not fit this listener, even good scores decide nothing.",
                share=share(right),
                steady=share(found.steady),
            )
        )
    return words

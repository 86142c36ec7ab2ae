"""Compare an accuracy with guessing, in the same words everywhere.

The *chance level* is the accuracy of guessing on average. The *chance limit* is the accuracy that guessing reaches with
p = 0.05: with few decisions it is much higher.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earmark.app.report.figures import SessionFigures
    from earmark.app.status import LearningStatus
    from earmark.devices.files.decoder_folder import Facts

#: Advice for a decoder that is no better than guessing.
AGAIN = "Check electrodes and sound, then calibrate again with more trials."


def share(value: float | None, digits: int = 0) -> str:
    """Format a share in percent; NaN and None mean not measured."""
    return "not measured" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def level_words(level: float) -> str:
    """Describe the chance level."""
    return f"chance level {share(level)}"


def limit_words(limit: float | None, digits: int = 0) -> str:
    """Describe the chance limit; NaN and None mean too few decisions."""
    if limit is None or math.isnan(limit):
        return "too few decisions for a chance limit"
    return f"chance limit {share(limit, digits)} (p = 0.05)"


def no_better(accuracy: float, limit: float) -> bool:
    """Whether a measured accuracy is below its chance limit, or has none because of too few decisions."""
    return not math.isnan(accuracy) and not accuracy >= limit


def decoder_words(facts: Facts) -> str:
    """Compare a decoder's accuracy with guessing, in one sentence."""
    if math.isnan(facts.accuracy):
        return "The decoder's accuracy was not measured."
    found = (
        f"{share(facts.accuracy)} of {facts.n_decisions} decisions were correct, cross-validated "
        f"({level_words(facts.chance_level)}, {limit_words(facts.chance_limit)})"
    )
    if no_better(facts.accuracy, facts.chance_limit):
        return f"The decoder is no better than guessing: {found}. {AGAIN}"
    return f"The decoder is better than guessing: {found}."


def learning_words(point: LearningStatus) -> str:
    """Describe the accuracy so far in a calibration, and whether more trials can help, in one or two sentences."""
    words = (
        f"After {point.n_trials} trials: {share(point.accuracy)} of {point.n} decisions are correct "
        f"({limit_words(point.chance_limit)})"
    )
    if not point.enough:
        return words
    return (
        f"{words}. More trials would hardly help: the last doubling added {100 * point.gain:.1f} points, "
        f"at most {100 * point.gain_limit:.1f}"
    )


def run_words(found: SessionFigures, facts: Facts) -> list[str]:
    """Compare a run with guessing in a first sentence; the others explain figures that seem contradictory."""
    right = found.n_right / found.n_windows if found.n_windows else math.nan
    words = ["No decision window lies within cued time, so the decisions cannot be scored."]
    if found.n_windows:
        result = "no better than guessing" if no_better(right, found.chance_limit) else "better than guessing"
        windows = "1 decision window was" if found.n_windows == 1 else f"{found.n_windows} decision windows were"
        words = [f"{share(right)} of {windows} correct; {limit_words(found.chance_limit)}: {result}."]
    if no_better(facts.accuracy, facts.chance_limit):
        words.append(decoder_words(facts))
    if right >= found.chance_limit and found.steady < facts.chance_level:
        words.append(
            f"The cued talker had the highest score in {share(right)} of windows, but was decided for only "
            f"{share(found.steady)} of the time. Decisions follow the probability, which uses the score distribution "
            "from the calibration: if the calibration does not fit this listener, even good scores decide nothing."
        )
    return words

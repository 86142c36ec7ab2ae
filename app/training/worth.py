"""What an accuracy is worth beside guessing, in the same words everywhere.

The *chance level* is what guessing reaches on average. The *chance limit* is what it reaches one time in twenty: with
few decisions that is a lot more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earmark.app.report.figures import SessionFigures
    from earmark.devices.files.decoder_folder import Facts

#: What to do about a decoder that is worth nothing.
AGAIN = "Calibrate again, with more trials; look at electrodes and sound first."


def share(value: float | None, digits: int = 0) -> str:
    """Show a share in percent; NaN and None were not measured."""
    return "not measured" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def level_words(level: float) -> str:
    """Say what guessing reaches on average."""
    return f"chance level {share(level)}"


def limit_words(limit: float | None, digits: int = 0) -> str:
    """Say what guessing reaches one time in twenty; NaN and None are too few decisions to tell."""
    if limit is None or math.isnan(limit):
        return "too few decisions for a chance limit"
    return f"chance limit {share(limit, digits)} (p = 0.05)"


def no_better(accuracy: float, limit: float) -> bool:
    """Whether an accuracy that was measured is one that guessing reaches too often, or rests on too few decisions."""
    return not math.isnan(accuracy) and not accuracy >= limit


def decoder_words(facts: Facts) -> str:
    """Say in a sentence what a decoder is worth."""
    if math.isnan(facts.accuracy):
        return "The decoder's accuracy was not measured."
    found = (
        f"{share(facts.accuracy)} of {facts.n_decisions} decisions were right, cross-validated "
        f"({level_words(facts.chance_level)}, {limit_words(facts.chance_limit)})"
    )
    if no_better(facts.accuracy, facts.chance_limit):
        return f"The decoder is no better than guessing: {found}. {AGAIN}"
    return f"The decoder is better than guessing: {found}."


def run_words(found: SessionFigures, facts: Facts) -> list[str]:
    """Say in sentences what a run amounts to: its windows beside guessing, and figures that seem to disagree."""
    words = []
    right = found.n_right / found.n_windows if found.n_windows else math.nan
    counted = f"{found.n_right} of {found.n_windows} decision windows were right ({limit_words(found.chance_limit)})"
    if not found.n_windows:
        words.append("No decision window lies under a cue, so nothing says whether decisions were right.")
    elif no_better(right, found.chance_limit):
        words.append(f"The run is no better than guessing: {counted}.")
    else:
        words.append(f"The run is better than guessing: {counted}.")
    if no_better(facts.accuracy, facts.chance_limit):
        words.append(decoder_words(facts))
    if right >= found.chance_limit and found.steady < facts.chance_level:
        words.append(
            f"The cued talker had the highest score in {share(right)} of windows, but was decided for only "
            f"{share(found.steady)} of the time. A decision rests on the probability, which weighs scores as the "
            "calibration found them: after a calibration that does not fit this listener, good scores decide nothing."
        )
    return words

"""The stages of latency, from the newest sample of a decision to the first sound with its gains, defined once.

The window, the report and ``earmark bench loop`` all show these::

    newest sample ──► arrival ──► decision ──► gains set ──► sound
              STAGES[0]     STAGES[1]    STAGES[2]      STAGES[3]
                             └──────── TOTAL ───────┘

*Newest sample* is the LSL time of the newest neural sample that the score was made of; *arrival* is when the chunk that
led to it was received; *decision* is when the graph had decided; *gains set* is when the audio process could read the
gains; *sound* is when the first frame with them left the converter. Only scores that were acted on have stages: a late
one sets no gains.
"""

from __future__ import annotations

#: Consecutive stages.
STAGES = ("sample to arrival", "arrival to decision", "decision to gains set", "gains set to sound")
#: What this program itself takes: the second and the third stage together.
TOTAL = "arrival to gains set"
#: Gains that were not heard of after so many more decisions are no longer waited for.
N_WAITING = 100


class StageTimer:
    """Durations of the stages, from the times of decisions and of sound of one engine, in the order they were noted."""

    def __init__(self) -> None:
        self._set_at: dict[int, float] = {}

    def decided(self, number: int, newest: float, arrival: float, decided: float, done: float) -> dict[str, float]:
        """Note a score that was acted on.

        Parameters
        ----------
        number : int
            Of the decision, from 1 in each engine.
        newest, arrival, decided, done : float
            LSL times of its newest sample, of the arrival, of the decision, and of gains being set.

        Returns
        -------
        dict of str to float
            Seconds of all stages but the last, and of :data:`TOTAL`.
        """
        self._set_at[number] = done
        for old in [one for one in self._set_at if one <= number - N_WAITING]:
            del self._set_at[old]
        spans = (arrival - newest, decided - arrival, done - decided, done - arrival)
        return dict(zip((*STAGES[:3], TOTAL), spans, strict=True))

    def heard(self, number: int, dac: float) -> float | None:
        """Note the LSL time of the first sound with the gains of a decision; return the seconds of the last stage.

        None if those gains were heard of before, or were not set by a score.
        """
        asked = self._set_at.pop(number, None)
        return None if asked is None else dac - asked

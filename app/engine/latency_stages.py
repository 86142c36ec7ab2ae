"""The stages of latency, from the newest sample of a decision to the first sound with its gains.

The window, the report and ``earmark bench loop`` all use these definitions::

    newest sample ──► arrival ──► decision ──► gains set ──► sound
              STAGES[0]     STAGES[1]    STAGES[2]      STAGES[3]
                             └──────── TOTAL ───────┘

*Newest sample* is the LSL time of the newest neural sample in the window that was scored; *arrival* is when its chunk
was received; *decision* is when the graph had decided; *gains set* is when the audio process could read the gains;
*sound* is when the first frame with them left the converter. Only scores that were acted on have stages: a late score
sets no gains.
"""

from __future__ import annotations

#: Consecutive stages.
STAGES = ("sample to arrival", "arrival to decision", "decision to gains set", "gains set to sound")
#: The latency of this program itself: the sum of the second and the third stage.
TOTAL = "arrival to gains set"
#: Gains that were not played within this many further decisions are forgotten.
N_WAITING = 100


class StageTimer:
    """Computes the durations of the stages from the times of decisions and of sound of one engine, in their order."""

    def __init__(self) -> None:
        self._set_at: dict[int, float] = {}

    def decided(self, number: int, newest: float, arrival: float, decided: float, done: float) -> dict[str, float]:
        """Add a score that was acted on.

        Parameters
        ----------
        number : int
            Number of the decision, from 1 in each engine.
        newest, arrival, decided, done : float
            LSL times of its newest sample, of arrival, of the decision, and of gains being set.

        Returns
        -------
        dict of str to float
            Durations in s of all stages but the last, and of :data:`TOTAL`.
        """
        self._set_at[number] = done
        for old in [one for one in self._set_at if one <= number - N_WAITING]:
            del self._set_at[old]
        spans = (arrival - newest, decided - arrival, done - decided, done - arrival)
        return dict(zip((*STAGES[:3], TOTAL), spans, strict=True))

    def heard(self, number: int, dac: float) -> float | None:
        """Add the LSL time of the first sound with the gains of a decision; return the duration of the last stage in s.

        None if that was already added, or if the gains were not set by a score.
        """
        set_at = self._set_at.pop(number, None)
        return None if set_at is None else dac - set_at

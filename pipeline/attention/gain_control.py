"""Gains in every situation: the steering law sets them in normal operation, a table otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.evidence import Posterior
from earmark.pipeline.attention.steering import Law, check_posterior
from earmark.pipeline.control import Favoured, Session
from earmark.pipeline.node import State, below, within

#: Age limits of a posterior in seconds: gains are held after the first, and return to neutral after the second.
STALE_S, LOST_S = 1.0, 3.0
#: Ramp durations in seconds: to the neutral mix after a loss, and to silence when muted.
FALLBACK_RAMP_S, MUTE_RAMP_S = 1.0, 0.02


class Stream(StrEnum):
    """Condition of the neural stream."""

    GOOD = "good"
    LOST = "lost"
    BAD_CHANNELS = "too many bad channels"


class Situation(StrEnum):
    """Reason for the current gains."""

    NO_DECODER = "no decoder"
    CALIBRATING = "calibrating"
    PAUSED = "paused"
    WAITING = "waiting for a decision"
    STEERED = "steered"
    HELD = "held: decisions are late"
    STALE = "neutral: no decision for too long"
    STREAM_LOST = "neutral: stream lost"
    BAD_CHANNELS = "neutral: too many bad channels"
    OVERRIDE = "override"
    MUTED = "muted"


_IDLE = {
    Session.NO_DECODER: Situation.NO_DECODER,
    Session.CALIBRATING: Situation.CALIBRATING,
    Session.PAUSED: Situation.PAUSED,
}
#: Losses of signal or decisions: gains return slowly to neutral, and the operator has to be warned.
FALLBACKS = frozenset({Situation.STALE, Situation.STREAM_LOST, Situation.BAD_CHANNELS})


def situation(session: Session, age_s: float | None, stream: Stream, override: Favoured, mute: bool) -> Situation:
    """Return the situation according to this table. The first matching row applies.

    ===============================================  ==================
    mute                                             ``MUTED``
    override                                         ``OVERRIDE``
    session not running                              value of the same name
    stream lost                                      ``STREAM_LOST``
    too many bad channels                            ``BAD_CHANNELS``
    no posterior yet                                 ``WAITING``
    posterior at most 1 s old                        ``STEERED``
    posterior at most 3 s old                        ``HELD``
    older, in the future, or NaN                     ``STALE``
    ===============================================  ==================

    Parameters
    ----------
    session : Session
        State of the session.
    age_s : float or None
        Seconds since the latest posterior; None before the first. Clocks may differ by up to 1 s, so that ages from
        -1 s count as fresh.
    stream : Stream
        Condition of the neural stream.
    override : int, "equal" or None
        The operator's choice.
    mute : bool
        True to silence everything.
    """
    if mute:
        return Situation.MUTED
    if override is not None:
        return Situation.OVERRIDE
    if session in _IDLE:
        return _IDLE[session]
    if stream is not Stream.GOOD:
        return Situation.STREAM_LOST if stream is Stream.LOST else Situation.BAD_CHANNELS
    if age_s is None:
        return Situation.WAITING
    if -STALE_S <= age_s <= STALE_S:
        return Situation.STEERED
    return Situation.HELD if STALE_S < age_s <= LOST_S else Situation.STALE


@dataclass(frozen=True, slots=True)
class Target:
    """Target gains for the audio engine.

    Attributes
    ----------
    gains : array, shape (n_talkers,)
        dB; minus infinity is silence.
    ramp_s : float or None
        Duration of the transition in seconds; None: the engine uses its own attack and release times.
    situation : Situation
        Reason for the gains.
    """

    gains: NDArray[np.float64]
    ramp_s: float | None
    situation: Situation


class GainControl:
    """Applies a steering law and the table of :func:`situation`: gains are defined at any time.

    Call :meth:`observe` for every posterior, and :meth:`target` at every hop. The law also follows posteriors during a
    mute or an override, so that its gains are up to date afterwards.

    Parameters
    ----------
    law : Law
        Such as :class:`Steering` or :class:`FiveStateChain`. This object owns it from now on.
    """

    def __init__(self, law: Law) -> None:
        self._law = law
        self._observed: float | None = None

    def observe(self, posterior: Posterior, at: float) -> None:
        """Update the law with a posterior at time ``at``, in seconds. If either contains NaN, it is ignored.

        Raises
        ------
        ValueError
            If the number of talkers differs from that of the law.
        """
        check_posterior(posterior, self._law.n_talkers)
        if not (math.isfinite(at) and np.isfinite(posterior.probability).all()):
            return
        self._law.update(posterior, at)
        self._observed = at

    def target(
        self,
        now: float,
        session: Session,
        stream: Stream = Stream.GOOD,
        override: Favoured = None,
        mute: bool = False,
    ) -> Target:
        """Return the target gains.

        Parameters
        ----------
        now : float
            Current time in seconds, on the same clock as in :meth:`observe`.
        session, stream, override, mute
            As for :func:`situation`.

        Raises
        ------
        ValueError
            If the override is neither None, "equal" nor a talker.
        """
        law = self._law
        age = None if self._observed is None else now - self._observed
        beneath = situation(session, age, stream, None, False)
        if beneath not in (Situation.STEERED, Situation.HELD):
            law.reset()
            # After a pause or a loss, earlier decisions no longer count. A stale posterior keeps its age.
            if beneath is not Situation.STALE:
                self._observed = None
        match override:
            case None:
                gains = law.gains
            case "equal":
                gains = law.neutral.copy()
            case int():
                gains = law.favour(override)
            case _:
                raise ValueError(f"override is {override!r}, but must be None, 'equal' or a talker")
        now_in = situation(session, age, stream, override, mute)
        if now_in is Situation.MUTED:
            return Target(np.full(law.n_talkers, -np.inf), MUTE_RAMP_S, now_in)
        return Target(gains, FALLBACK_RAMP_S if now_in in FALLBACKS else None, now_in)

    def state(self) -> State:
        """Return the state of the law, and the time of the latest posterior (NaN: none)."""
        observed = np.array(math.nan if self._observed is None else self._observed)
        return {"observed": observed} | within("law", self._law.state())

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        observed = float(state["observed"])
        self._observed = None if math.isnan(observed) else observed
        self._law.restore(below("law", state))

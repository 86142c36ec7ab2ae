"""What is heard in every situation: by the law while all is well, and otherwise by a table."""

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

#: A posterior older than the first, in seconds, is stale; older than the second, it is worth nothing.
STALE_S, LOST_S = 1.0, 3.0
#: Seconds to the neutral mix after a loss, and to silence when muted.
FALLBACK_RAMP_S, MUTE_RAMP_S = 1.0, 0.02


class Stream(StrEnum):
    """What the neural stream is worth."""

    GOOD = "good"
    LOST = "lost"
    BAD_CHANNELS = "too many bad channels"


class Situation(StrEnum):
    """Why gains are what they are."""

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
#: Losses: gains go to neutral slowly, and somebody has to be told.
FALLBACKS = frozenset({Situation.STALE, Situation.STREAM_LOST, Situation.BAD_CHANNELS})


def situation(session: Session, age_s: float | None, stream: Stream, override: Favoured, mute: bool) -> Situation:
    """Say which row of the table holds. Rows further up win.

    ===============================================  ==================
    mute                                             ``MUTED``
    override                                         ``OVERRIDE``
    session not running                              its own name
    stream lost                                      ``STREAM_LOST``
    too many bad channels                            ``BAD_CHANNELS``
    no posterior yet                                 ``WAITING``
    posterior at most 1 s old                        ``STEERED``
    posterior at most 3 s old                        ``HELD``
    older, from later than now, or NaN               ``STALE``
    ===============================================  ==================

    Parameters
    ----------
    session : Session
        Where the session stands.
    age_s : float or None
        Seconds since the newest posterior; None if there was none. Clocks may disagree by less than 1 s: down to
        -1 counts as fresh.
    stream : Stream
        What the neural stream is worth.
    override : int, "equal" or None
        The operator's choice.
    mute : bool
        Whether all is to be silent.
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
    """What the audio engine is to do.

    Attributes
    ----------
    gains : array, shape (n_talkers,)
        dB; minus infinity is silence.
    ramp_s : float or None
        Seconds in which to get there; None leaves it to the engine's own attack and release.
    situation : Situation
        Why.
    """

    gains: NDArray[np.float64]
    ramp_s: float | None
    situation: Situation


class GainControl:
    """A law within the table of :func:`situation`: it always has an answer.

    Posteriors go in with :meth:`observe` whenever there is one; :meth:`target` is asked at every hop. The law follows
    posteriors under a mute or an override too, so that what comes after is up to date.

    Parameters
    ----------
    law : Law
        Such as :class:`Steering` or :class:`FiveStateChain`. It belongs to this object from here on.
    """

    def __init__(self, law: Law) -> None:
        self._law = law
        self._observed: float | None = None

    def observe(self, posterior: Posterior, at: float) -> None:
        """Take a posterior of an instant in seconds. One with NaN in either did not happen.

        Raises
        ------
        ValueError
            If it is about another number of talkers than the law.
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
        """Say what is to be heard.

        Parameters
        ----------
        now : float
            Seconds, on the clock of :meth:`observe`.
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
            # After a pause or a loss, what was decided before counts no more. One that is stale still has its age.
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
        """State of the law, and when a posterior was last seen (NaN: never)."""
        observed = np.array(math.nan if self._observed is None else self._observed)
        return {"observed": observed} | within("law", self._law.state())

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""
        observed = float(state["observed"])
        self._observed = None if math.isnan(observed) else observed
        self._law.restore(below("law", state))

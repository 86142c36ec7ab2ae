"""Steering laws: compute a target gain for each talker from the posterior.

Target gains can jump, because the audio engine applies ramps. All times are arguments, in seconds on one clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.emissions import N_TALKERS, TALKERS
from earmark.pipeline.attention.evidence import Posterior
from earmark.pipeline.node import State
from earmark.pipeline.registry import Registry


class Law(Protocol):
    """Steering law: how gains follow the posterior.

    A law is created from its own frozen dataclass, ``Config``, and the number of talkers; it raises ValueError if it
    does not support that number. The fields of ``Config`` are the keys of the table ``[attention.law]``.
    :func:`earmark.testing.check_law` checks all of this for a class.

    Gains are finite, or minus infinity, which the sound process renders as its lowest gain. It clips all gains to the
    range :data:`earmark.devices.audio.scene.GAIN_DB`.
    """

    Config: Any

    def __init__(self, config: Any, n_talkers: int, /) -> None: ...

    n_talkers: int
    #: Gains in dB that favour no talker, shape (n_talkers,).
    neutral: NDArray[np.float64]

    @property
    def gains(self) -> NDArray[np.float64]:
        """Target gains in dB, shape (n_talkers,)."""

    def favour(self, talker: int) -> NDArray[np.float64]:
        """Return the gains in dB that favour one talker as much as the law allows, shape (n_talkers,)."""

    def update(self, posterior: Posterior, at: float) -> None:
        """Follow a finite posterior at time ``at``, in seconds."""

    def reset(self) -> None:
        """Return to neutral and reset the state."""

    def state(self) -> State:
        """Return everything that later gains depend on."""

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""


#: All steering laws, by their ``type`` in ``[attention.law]``. Other packages add laws by entry points of the group
#: ``earmark.laws``.
LAWS: Registry[type[Law]] = Registry(
    "law",
    "earmark.laws",
    {
        "proportional": "earmark.pipeline.attention.steering:Steering",
        "five_state": "earmark.pipeline.attention.steering:FiveStateChain",
    },
    ("Config", "gains", "favour", "update", "reset", "state", "restore"),
)


def _check_talker(talker: int, n_talkers: int) -> None:
    if not 0 <= talker < n_talkers:
        raise ValueError(f"talker is {talker}, but must be 0 to {n_talkers - 1}")


def check_gains(law: Law, n_talkers: int, lowest: float = -math.inf, highest: float = math.inf) -> None:
    """Check the gains that a law has at present, neutral, and when favouring each talker.

    Parameters
    ----------
    law : Law
    n_talkers : int
    lowest, highest : float
        Range of permitted gains, dB; minus infinity is always permitted.

    Raises
    ------
    ValueError
        If gains are not numbers, one for each talker and within the range; the message has what was found.
    """
    for what, gains in (
        ("neutral", getattr(law, "neutral", None)),
        ("gains", law.gains),
        *((f"favour({talker})", law.favour(talker)) for talker in range(n_talkers)),
    ):
        try:
            found = np.asarray(gains, np.float64)
        except (TypeError, ValueError):
            found = np.empty(0)
        if found.shape != (n_talkers,) or np.isnan(found).any():
            raise ValueError(f"{what} is {gains}, but must be {n_talkers} gains in dB, one for each talker")
        beyond = found[((found < lowest) & (found > -np.inf)) | (found > highest) | (found == np.inf)]
        if beyond.size:
            within = f" of {lowest:g} to {highest:g} dB" if math.isfinite(highest) else ""
            raise ValueError(f"{what} has a gain of {beyond[0]:g} dB, but must have gains{within} or -inf")


def check_posterior(posterior: Posterior, n_talkers: int) -> None:
    """Check the number of talkers of a posterior.

    Raises
    ------
    ValueError
        If the number differs; the message has both numbers.
    """
    if posterior.probability.shape != (n_talkers,):
        raise ValueError(f"posterior has shape {posterior.probability.shape}, but must have ({n_talkers},)")


@dataclass(frozen=True, slots=True)
class SteeringConfig:
    """Settings of :class:`Steering`.

    Attributes
    ----------
    boost_db, cut_db : float
        Gain of a talker who is certainly attended (0 to 6), and of one who is certainly ignored (-30 to 0).
    full_at : float
        Probability at which the most probable talker counts as certainly attended. It must be within reach of the
        evidence: scores of weak EEG reach 0.9 about an eighth of the time, and log odds capped at 2.5 end at 0.92.
    dead_band_db : float
        Changes of the target that are smaller than this for every talker are ignored, so that fluctuations of the
        posterior are not audible as fluctuations in loudness.
    hold_s : float
        Minimum time in seconds between changes of the favoured talker.
    mute_ignored : bool
        True to silence talkers who are certainly ignored instead of attenuating them to ``cut_db``. The listener can
        hardly switch to a talker who cannot be heard.
    """

    boost_db: float = 3.0
    cut_db: float = -9.0
    full_at: float = 0.9
    dead_band_db: float = 1.5
    hold_s: float = 1.0
    mute_ignored: bool = False

    def __post_init__(self) -> None:
        for key, right, wanted in (
            ("boost_db", 0 <= self.boost_db <= 6, "0 to 6"),
            ("cut_db", -30 <= self.cut_db <= 0, "-30 to 0; mute_ignored silences"),
            ("full_at", 0.5 < self.full_at < 1, "above 0.5 and below 1"),
            ("dead_band_db", 0 <= self.dead_band_db <= 6, "0 to 6"),
            ("hold_s", 0 <= self.hold_s <= 60, "0 to 60"),
        ):
            if not right:
                raise ValueError(f"steering: {key} is {getattr(self, key)}, but must be {wanted}")


class Steering:
    """Gains that depend linearly on the posterior.

    While undecided, all talkers have 0 dB. Otherwise the gain of a talker rises linearly with its probability from
    0 dB at ``1 / n_talkers`` to ``boost_db`` at ``full_at``, and falls linearly to ``cut_db`` at the probability of an
    ignored talker in that case, ``(1 - full_at) / (n_talkers - 1)``.

    Parameters
    ----------
    config : SteeringConfig, optional
    n_talkers : int
        2 to 8.

    Raises
    ------
    ValueError
        If there are more or fewer.
    """

    Config = SteeringConfig

    def __init__(self, config: SteeringConfig | None = None, n_talkers: int = 2) -> None:
        if n_talkers not in TALKERS:
            raise ValueError(f"steering: n_talkers is {n_talkers}, but must be {N_TALKERS}")
        self.config, self.n_talkers = config or SteeringConfig(), n_talkers
        self.neutral = np.zeros(self.n_talkers)
        self.reset()

    def reset(self) -> None:
        """Return to neutral and reset the state."""
        self._gains = self.neutral.copy()
        self._favoured: int | None = None
        self._changed = -math.inf

    @property
    def gains(self) -> NDArray[np.float64]:
        """Target gains in dB, shape (n_talkers,)."""
        return self._gains.copy()

    def favour(self, talker: int) -> NDArray[np.float64]:
        """Return the gains in dB if one talker is certainly attended, shape (n_talkers,).

        Raises
        ------
        ValueError
            If there is no such talker.
        """
        _check_talker(talker, self.n_talkers)
        full = self.config.full_at
        sure = np.full(self.n_talkers, (1 - full) / (self.n_talkers - 1))
        sure[talker] = full
        return self._aim(sure)

    def _aim(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        config = self.config
        even = 1 / self.n_talkers
        # 1: certainly attended; -1: certainly ignored.
        above = (probability - even) / (config.full_at - even)
        below = (probability - even) / (even - (1 - config.full_at) / (self.n_talkers - 1))
        gains = config.boost_db * np.clip(above, 0, 1) - config.cut_db * np.clip(below, -1, 0)
        if config.mute_ignored:
            gains[below <= -1 + 1e-9] = -np.inf
        return gains

    def update(self, posterior: Posterior, at: float) -> None:
        """Follow a posterior.

        Parameters
        ----------
        posterior : Posterior
            Finite posterior.
        at : float
            Its time in seconds.

        Raises
        ------
        ValueError
            If the number of talkers differs.
        """
        check_posterior(posterior, self.n_talkers)
        favoured = posterior.talker
        aim = self.neutral if favoured is None else self._aim(posterior.probability)
        if favoured != self._favoured:
            # 0 <=: if time runs backwards, the gains must not be held for ever.
            if 0 <= at - self._changed < self.config.hold_s:
                return
            self._favoured, self._changed = favoured, at
        else:
            both = np.isfinite(aim) & np.isfinite(self._gains)
            step = np.abs(np.subtract(aim, self._gains, out=np.zeros(self.n_talkers), where=both)).max()
            if step < self.config.dead_band_db and np.array_equal(np.isfinite(aim), np.isfinite(self._gains)):
                return
        self._gains = aim.copy()

    def state(self) -> State:
        """Return the gains, the favoured talker and the time of its last change."""
        favoured = -1 if self._favoured is None else self._favoured
        return {"gains": self._gains.copy(), "favoured": np.array(favoured), "changed": np.array(self._changed)}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._gains = state["gains"].astype(np.float64)
        favoured = int(state["favoured"])
        self._favoured = None if favoured < 0 else favoured
        self._changed = float(state["changed"])


@dataclass(frozen=True, slots=True)
class FiveStateConfig:
    """Target-to-masker ratios (TMR) of :class:`FiveStateChain`.

    Attributes
    ----------
    max_tmr_db : float
        TMR of the outer states; above 0, at most 30.
    scene_tmr_db : float
        TMR of talker 0 over talker 1 in the middle state, between those of the outer states. The publication uses 0,
        and -6 where talker 0 is to be attended.
    """

    max_tmr_db: float = 9.0
    scene_tmr_db: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.max_tmr_db <= 30:
            raise ValueError(f"five-state chain: max_tmr_db is {self.max_tmr_db}, but must be above 0 and at most 30")
        if not abs(self.scene_tmr_db) < self.max_tmr_db:
            raise ValueError(f"five-state chain: scene_tmr_db is {self.scene_tmr_db}, but must be within max_tmr_db")


class FiveStateChain:
    """The law of Choudhari et al. 2026: a chain of five states; each decision moves it one state towards its talker.

    The states have TMRs of ``-max``, halfway, ``scene``, halfway and ``+max`` dB. The gains of the two talkers keep the
    sum of their powers constant, at the value with one talker at 0 dB and the other at ``-max`` dB.

    References
    ----------
    Choudhari et al. 2026, Nature Neuroscience, doi:10.1038/s41593-026-02281-5; states and gains as in its code,
    naplab/Real-Time-Brain-Controlled-Hearing, edc55d6. There each decision is the sign of the difference of two
    correlations over 4 s, every 0.5 s, median-filtered over three decisions. The mean of the scores of one hop gives
    the same sign without the median.
    """

    Config = FiveStateConfig

    def __init__(self, config: FiveStateConfig | None = None, n_talkers: int = 2) -> None:
        if n_talkers != 2:
            raise ValueError(f"five-state chain: n_talkers is {n_talkers}, but must be 2")
        self.config, self.n_talkers = config or FiveStateConfig(), n_talkers
        end, middle = self.config.max_tmr_db, self.config.scene_tmr_db
        #: TMR of each state, dB.
        self.tmr_db = np.array([-end, (middle - end) / 2, middle, (middle + end) / 2, end])
        ratio = 10 ** (self.tmr_db / 20)
        second = np.sqrt((1 + 10 ** (-end / 10)) / (1 + ratio**2))
        self._ladder: NDArray[np.float64] = 20 * np.log10(np.stack([ratio * second, second], axis=1))
        self.neutral: NDArray[np.float64] = self._ladder[2].copy()
        self.reset()

    def reset(self) -> None:
        """Return to the middle state."""
        self._step = 2

    @property
    def gains(self) -> NDArray[np.float64]:
        """Target gains in dB, shape (2,)."""
        return np.array(self._ladder[self._step])

    def favour(self, talker: int) -> NDArray[np.float64]:
        """Return the gains in dB of the outer state that favours the talker, shape (2,).

        Raises
        ------
        ValueError
            If there is no such talker.
        """
        _check_talker(talker, 2)
        return np.array(self._ladder[0 if talker else -1])

    def update(self, posterior: Posterior, at: float) -> None:
        """Move one state towards the more probable talker; stay if both are equally probable.

        Raises
        ------
        ValueError
            If the number of talkers differs.
        """
        check_posterior(posterior, 2)
        first, second = posterior.probability
        self._step = min(max(self._step + int(first > second) - int(first < second), 0), 4)

    def state(self) -> State:
        """Return the index of the current state."""
        return {"step": np.array(self._step)}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._step = int(state["step"])

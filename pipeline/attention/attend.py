"""Node that computes decisions and gains from aligned signals: scores, posterior and gains, at every hop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from earmark.pipeline.attention.decode import Decode, DecodeConfig
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig, Posterior, make_evidence
from earmark.pipeline.attention.gain_control import GainControl, Stream
from earmark.pipeline.attention.steering import LAWS, Law, Steering, SteeringConfig, check_gains
from earmark.pipeline.control import (
    ControlError,
    Demote,
    Favoured,
    Late,
    Mute,
    Override,
    Session,
    SessionChanged,
    StreamChanged,
    Tick,
    TimedControl,
    parse,
    text,
    unknown,
)
from earmark.pipeline.decoders.decoder import Decoder
from earmark.pipeline.decoders.sliding import Score
from earmark.pipeline.node import State, below, within
from earmark.pipeline.stream import Aligned, ClockMap, Decision, Gap, Item, StreamSpec, WiringError, wiring_error

#: Maximum fraction of masked channels for decisions.
MAX_BAD = 0.5


@dataclass(frozen=True, slots=True)
class LawChoice:
    """A steering law by its name in :data:`earmark.pipeline.attention.steering.LAWS`, and its settings."""

    name: str
    settings: Any


@dataclass(frozen=True, slots=True)
class AttendConfig:
    """Settings of the evidence (:mod:`earmark.pipeline.attention.evidence`) and of the steering of gains.

    Attributes
    ----------
    hop_s : float
        Seconds between decisions.
    switch_rate : float or None
        Rate at which attention leaves a talker, per second, however long it has stayed: the evidence of Earmark 0.1,
        without memory. None to use the law of the dwell.
    expected_dwell_s : float or None
        Mean time for which attention stays with a talker, in seconds, if the experiment fixes it: cues at this
        interval, for instance. None if the listener is free; not together with ``switch_rate``.
    enter, leave : float
        A talker is chosen when its probability reaches ``enter``, until it falls below ``leave``.
    boost_db, cut_db : float
        Gain of a talker who is certainly attended, and of one who is certainly ignored.
    dead_band_db : float
        Smaller changes of the gains are ignored.
    hold_s : float
        Minimum time in seconds between changes of the favoured talker.
    sham : bool
        Favour an ignored talker, as a control condition: posteriors are shifted by one talker.
    law : LawChoice or None
        Steering law, which does not use ``boost_db``, ``cut_db``, ``dead_band_db`` and ``hold_s``; None for the
        built-in law that has these settings.
    """

    hop_s: float = 0.5
    switch_rate: float | None = None
    expected_dwell_s: float | None = None
    enter: float = 0.7
    leave: float = 0.55
    boost_db: float = 3.0
    cut_db: float = -9.0
    dead_band_db: float = 1.5
    hold_s: float = 1.0
    sham: bool = False
    law: LawChoice | None = None


def steering_law(config: AttendConfig, n_talkers: int) -> Law:
    """Create the steering law of a configuration.

    Raises
    ------
    ValueError
        If no law has this name, it does not support its settings or the number of talkers, or its gains are not one
        number for each talker.
    """
    if config.law is not None:
        law = LAWS.get(config.law.name)(config.law.settings, n_talkers)
        check_gains(law, n_talkers)
        return law
    c = config
    return Steering(SteeringConfig(c.boost_db, c.cut_db, dead_band_db=c.dead_band_db, hold_s=c.hold_s), n_talkers)


def evidence_config(config: AttendConfig, n_talkers: int, window_s: float) -> EvidenceConfig:
    """Return the settings of the evidence of a decoder with this window in seconds.

    Raises
    ------
    ValueError
        If a setting is not possible.
    """
    c = config
    return EvidenceConfig(n_talkers, c.hop_s, window_s, c.switch_rate, c.expected_dwell_s, enter=c.enter, leave=c.leave)


class _Lane:
    """One decoder with its scores and the posterior computed from them."""

    def __init__(self, hop_s: float, decoder: Decoder, emissions: Emissions) -> None:
        self.decoder, self._emissions = decoder, emissions
        self.decode = Decode(DecodeConfig(hop_s), decoder)
        self._hop_s = hop_s

    def open(self, spec: StreamSpec, config: AttendConfig) -> StreamSpec:
        scores = self.decode.open(spec)
        n = scores.n_channels
        try:
            evidence = evidence_config(config, n, self.decoder.spec.window)
        except ValueError as error:
            raise WiringError(f"attend: {error}") from None
        self._evidence = make_evidence(evidence, self._emissions)
        self.posterior = Posterior(np.full(n, 1 / n), None)
        return scores

    def gap(self, seconds: float) -> None:
        self.posterior = self._evidence.gap(seconds)

    def process(self, item: Item) -> list[Score]:
        scores = [score for score in self.decode.process(item) if isinstance(score, Score)]
        for score in scores:
            if np.isfinite(score.scores).all():
                self.posterior = self._evidence.update(score.scores)
            else:
                self.posterior = self._evidence.gap(self._hop_s)
        return scores

    def state(self) -> State:
        talker = self.posterior.talker
        return {
            "probability": self.posterior.probability.copy(),
            "talker": np.array(-1 if talker is None else talker),
            **within("decode", self.decode.state()),
            **within("evidence", self._evidence.state()),
        }

    def restore(self, state: State) -> None:
        talker = int(state["talker"])
        self.posterior = Posterior(np.array(state["probability"], np.float64), None if talker < 0 else talker)
        self.decode.restore(below("decode", state))
        self._evidence.restore(below("evidence", state))


class Attend:
    """Decide who is attended, and compute the gain of each talker. Inputs: aligned signals, control messages.

    Control messages are a stream of :class:`earmark.pipeline.control.TimedControl`. The output is a decision for every
    score, and whenever the situation or the gains change.

    A late score still counts as evidence, but gains do not follow it: they are held until a score is in time.

    Parameters
    ----------
    config : AttendConfig
    decoders : sequence of (Decoder, Emissions)
        Fitted decoders, each with the emission model of its held-out scores. The first one decides; the others also
        run, so that one of them can take over at any hop.
    """

    Config = AttendConfig
    n_inputs = 2

    def __init__(self, config: AttendConfig, decoders: Sequence[tuple[Decoder, Emissions]]) -> None:
        self.config = config
        self._lanes = [_Lane(config.hop_s, decoder, emissions) for decoder, emissions in decoders]

    def open(self, spec: StreamSpec, control: StreamSpec) -> StreamSpec:
        """Check that the stream fits the decoders."""
        if control.sfreq:
            raise wiring_error("attend", "inputs[1]", f"{control.name!r} at {control.sfreq:g} Hz", "control markers")
        c = self.config
        scores, *_ = [lane.open(spec, c) for lane in self._lanes]
        talkers, n = scores.ch_names, scores.n_channels
        self._n_talkers = n
        try:
            self._control = GainControl(steering_law(c, n))
        except ValueError as error:
            raise WiringError(f"attend: {'law' if c.law is None else f'law {c.law.name!r}'}: {error}") from None
        self._before = self._control.state()
        self._clock: ClockMap | None = None
        self._sfreq, self._now, self._newest, self._lane = spec.sfreq, -math.inf, -1, 0
        self._session, self._lost, self._bad = Session.RUNNING, False, False
        self._favoured: Favoured = None
        self._mute = False
        self._said: tuple[object, ...] = ()
        kinds = [f"{what} {name}" for what in ("score", "probability", "gain") for name in talkers]
        units = ("",) * (2 * n) + ("dB",) * n
        return StreamSpec(
            "attend",
            0.0,
            tuple(kinds),
            ("misc",) * (3 * n),
            units,
            delay=scores.delay,
            wait=scores.wait,
            group_delay=scores.group_delay,
        )

    @property
    def decoder(self) -> Decoder:
        """The first decoder."""
        return self._lanes[0].decoder

    @property
    def n_left(self) -> int:
        """Number of decoders that remain if the current one is too slow."""
        return len(self._lanes) - 1 - self._lane

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Process signals on port 0 and control messages on port 1.

        Raises
        ------
        earmark.pipeline.control.ControlError
            If a control message is unknown, or favours a talker that does not exist.
        """
        if port == 1:
            self._obey(item)
            yield from self._told(None)
            return
        if isinstance(item, ClockMap):
            self._clock = item
            return
        if isinstance(item, Aligned):
            self._bad = item.bad is not None and float(np.mean(item.bad)) > MAX_BAD
        # The decoders after the current one also run, so that they are ready; they are faster, so this is affordable.
        for lane in self._lanes[self._lane + 1 :]:
            self._run(lane, item)
        for score in self._run(self._lanes[self._lane], item):
            yield from self._decide(score)

    def _run(self, lane: _Lane, item: Item) -> list[Score]:
        if isinstance(item, Gap):
            lane.gap((item.stop - item.start) / self._sfreq)
        return lane.process(item)

    def _decide(self, score: Score) -> Iterator[Decision]:
        self._newest = score.newest
        if self._clock is None:
            return
        at = self._clock.time(score.newest)
        self._now = max(self._now, at)
        steer = self._lanes[self._lane].posterior
        if self.config.sham:
            talker = None if steer.talker is None else (steer.talker + 1) % len(steer.probability)
            steer = Posterior(np.roll(steer.probability, 1), talker)
        self._before = self._control.state()
        self._control.observe(steer, at)
        yield from self._told(score)

    def _obey(self, item: Item) -> None:
        if not isinstance(item, TimedControl):
            raise unknown(item)
        match item.control:
            case Tick():
                pass
            case SessionChanged(session):
                self._session = session
            case StreamChanged(lost):
                self._lost = lost
            case Override(talker):
                if isinstance(talker, int) and talker >= self._n_talkers:
                    raise ControlError(f"override favours talker {talker}, but there are {self._n_talkers}, from 0 on")
                self._favoured = talker
            case Mute(on):
                self._mute = on
            case Late():
                self._control.restore(self._before)
            case Demote():
                self._lane = min(self._lane + 1, len(self._lanes) - 1)
            case _:
                raise unknown(item.control)
        self._now = max(self._now, item.time)

    def _told(self, score: Score | None) -> Iterator[Decision]:
        stream = Stream.LOST if self._lost else Stream.BAD_CHANNELS if self._bad else Stream.GOOD
        target = self._control.target(self._now, self._session, stream, self._favoured, self._mute)
        said = (target.situation, tuple(target.gains))
        if score is None and said == self._said:
            return
        self._said = said
        p = self._lanes[self._lane].posterior
        yield Decision(
            self._newest,
            self._now,
            np.full(len(p.probability), np.nan) if score is None else score.scores,
            p.probability,
            -1 if p.talker is None else p.talker,
            target.gains,
            target.ramp_s,
            target.situation.value,
            math.nan if score is None or self._clock is None else self._clock.time(score.newest),
        )

    def state(self) -> State:
        """Return everything that later decisions depend on."""
        clock = self._clock
        obeyed = SessionChanged(self._session), StreamChanged(self._lost), Override(self._favoured), Mute(self._mute)
        state: State = {
            "at": np.array([self._newest, self._lane], np.int64),
            "obeyed": np.array([text(control) for control in obeyed]),
            "flags": np.array([self._bad, clock is not None]),
            "now": np.array(self._now),
            "clock": np.zeros(3) if clock is None else np.array([clock.index0, clock.time0, clock.period]),
            **within("control", self._control.state()),
            **within("before", self._before),
        }
        for number, lane in enumerate(self._lanes):
            state |= within(f"lane{number}", lane.state())
        return state

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned; the next control message always causes a decision."""
        for said in state["obeyed"]:
            self._obey(TimedControl(-math.inf, parse(str(said))))
        self._newest, self._lane = (int(i) for i in state["at"])
        self._bad, known = (bool(flag) for flag in state["flags"])
        self._now = float(state["now"])
        self._clock = ClockMap(*(float(v) for v in state["clock"])) if known else None
        self._said = ()
        self._control.restore(below("control", state))
        self._before = below("before", state)
        for number, lane in enumerate(self._lanes):
            lane.restore(below(f"lane{number}", state))

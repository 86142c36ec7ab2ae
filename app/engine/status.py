"""The status of an engine, which it publishes ten times a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pylsl

from earmark.app.engine.engine import Engine
from earmark.app.engine.ledger import Latencies
from earmark.app.status import DecisionCounts, DecisionStatus, EngineStatus, ImpedanceStatus, InletStatus, Span
from earmark.pipeline.attention.attend import MAX_BAD
from earmark.pipeline.stream import ELECTRODES

if TYPE_CHECKING:
    from earmark.app.replay.recorded_engine import RecordedEngine
    from earmark.devices.sources.impedance import Impedances

#: Seconds between updates of percentiles.
FIGURES_S = 0.5


class EngineMonitor:
    """Collects the status of a running engine, for a :class:`earmark.app.status.StatusBoard`.

    Parameters
    ----------
    engine : Engine or RecordedEngine
        It must be started.
    signals : str
        Name of the ring with the signal of the electrodes.
    clock : callable
        Returns the LSL time from which ages are computed.
    impedances : Impedances, optional
        Receives the impedances of the electrodes.
    """

    def __init__(
        self,
        engine: Engine | RecordedEngine,
        signals: str,
        clock: Callable[[], float] = pylsl.local_clock,
        impedances: Impedances | None = None,
    ) -> None:
        self._impedances = impedances
        self._engine, self._signals, self._clock = engine, signals, clock
        attention = engine.config.attention
        self._neural = attention.neural if attention else next(iter(engine.descriptions))
        spec = engine.descriptions[self._neural].spec
        rows = [i for i, kind in enumerate(spec.ch_types) if kind in ELECTRODES]
        places = spec.positions
        self._ch_names = tuple(spec.ch_names[i] for i in rows)
        self._ch_types = tuple(spec.ch_types[i] for i in rows)
        self._positions = tuple(None if places is None else _place(places[i]) for i in rows)
        self._thresholds = None if attention is None else (attention.settings.leave, attention.settings.enter)
        self._deadline = math.nan if attention is None else attention.deadline_s
        self._measure()

    def _measure(self) -> None:
        """Compute the percentiles, which cost more time than all the rest."""
        engine = self._engine
        self._measured_at = time.monotonic()
        self._latency = _span("latency", engine.ledger.latency, self._deadline)
        self._hop = _span("hop", engine.latency, math.nan if engine.budget_s is None else engine.budget_s)
        self._stages = tuple(_span(name, one) for name, one in engine.ledger.stages.items())

    def status(self) -> EngineStatus:
        """Return the current status."""
        engine, ledger, now = self._engine, self._engine.ledger, self._clock()
        if time.monotonic() - self._measured_at > FIGURES_S:
            self._measure()
        return EngineStatus(
            time=now,
            beat=engine.beat,
            neural=self._neural,
            signals=self._signals,
            ch_names=self._ch_names,
            ch_types=self._ch_types,
            positions=self._positions,
            thresholds=self._thresholds,
            streams=tuple(self._stream(name, now) for name in engine.streams),
            bad={name: why for bad in list(engine.bad.values()) for name, why in bad.items()},
            impedance=self._impedance(now),
            decision=self._decision(),
            decisions=DecisionCounts(ledger.n, ledger.n_dropped, ledger.n_demoted, engine.scored_by),
            latency=self._latency,
            hop=self._hop,
            n_late=int(engine.n_late),
            stages=self._stages,
        )

    def _impedance(self, now: float) -> ImpedanceStatus | None:
        found = self._impedances
        if found is None:
            return None
        limit = self._engine.config.streams[self._neural].max_impedance_kohm
        return ImpedanceStatus(
            kohm={name: found.kohm[name] for name in self._ch_names if name in found.kohm},
            age_s=now - found.newest,
            limit_kohm=math.nan if limit is None else limit,
            problem=found.problem,
        )

    def _stream(self, name: str, now: float) -> InletStatus:
        counts, inlet = self._engine.streams[name], self._engine.inlets[name]
        spec, effective = inlet.description.spec, counts.effective_sfreq
        return InletStatus(
            name=name,
            lsl_name=spec.name,
            host=inlet.description.host,
            status=inlet.status,
            nominal=spec.sfreq,
            effective=math.nan if effective is None else effective,
            n_channels=spec.n_channels,
            age_s=now - counts.last_arrival if counts.last_arrival else math.nan,
            n_samples=int(counts.n_samples),
            n_gaps=int(counts.n_gaps),
            n_missing=int(counts.n_missing),
            n_skipped=int(counts.n_skipped),
        )

    def _decision(self) -> DecisionStatus | None:
        decision = self._engine.decision
        if decision is None:
            return None
        return DecisionStatus(
            n=self._engine.ledger.n,
            time=decision.time,
            probability=tuple(map(float, decision.probability)),
            scores=tuple(map(float, decision.scores)),
            talker=int(decision.talker),
            gains=tuple(map(float, decision.gains)),
            situation=str(decision.situation),
        )


def _place(xyz: Any) -> tuple[float, float, float] | None:
    x, y, z = map(float, xyz)
    return (x, y, z) if np.isfinite(xyz).all() else None


def _span(name: str, latencies: Latencies, budget: float = math.nan) -> Span:
    p50, p99 = (math.nan if one is None else one for one in latencies.percentiles(50, 99))
    return Span(name, p50, p99, latencies.max if latencies.n else math.nan, budget)


def why_unusable(status: EngineStatus | None, neural: str) -> str:
    """Return why nothing can be decoded from the electrodes now; empty if decoding is possible.

    Parameters
    ----------
    status : EngineStatus or None
        Status of the engine, if there is one.
    neural : str
        Name of the stream of electrodes.
    """
    stream = None if status is None else status.stream(neural)
    if status is None or stream is None:
        return "there is no engine yet"
    if stream.status != "live":
        return f"the stream of electrodes is {stream.status}"
    n_bad, n = len(status.bad), len(status.ch_names)
    return f"{n_bad} of {n} channels are bad" if n_bad > MAX_BAD * n else ""

"""What an engine says of itself, ten times a second, to whoever looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pylsl

from earmark.app.engine.engine import Engine
from earmark.app.engine.ledger import Latencies
from earmark.pipeline.attention.attend import MAX_BAD
from earmark.pipeline.stream import ELECTRODES

if TYPE_CHECKING:
    from earmark.app.replay.recorded_engine import TapeEngine

#: Seconds between updates of percentiles.
FIGURES_S = 0.5


class EngineFacts:
    """Numbers of a running engine, as an object for :class:`earmark.devices.processes.board.Board`.

    Parameters
    ----------
    engine : Engine or TapeEngine
        Started.
    signals : str
        Name of the ring with the electrodes' signal.
    clock : callable
        LSL time, on which ages are counted.
    """

    def __init__(
        self, engine: Engine | TapeEngine, signals: str, clock: Callable[[], float] = pylsl.local_clock
    ) -> None:
        self._engine, self._clock = engine, clock
        self._figures: dict[str, Any] = {}
        self._figures_at = 0.0
        attention = engine.config.attention
        name = attention.neural if attention else next(iter(engine.descriptions))
        spec = engine.descriptions[name].spec
        rows = [i for i, kind in enumerate(spec.ch_types) if kind in ELECTRODES]
        places = spec.positions
        self._channels: dict[str, Any] = {
            "neural": name,
            "signals": signals,
            "ch_names": [spec.ch_names[i] for i in rows],
            "positions": [None if places is None else _place(places[i]) for i in rows],
        }
        if attention is not None:
            self._channels["thresholds"] = {"leave": attention.settings.leave, "enter": attention.settings.enter}

    def now(self) -> dict[str, Any]:
        """Everything, with the LSL time of now. Seconds, Hz and dB throughout."""
        engine, ledger, now = self._engine, self._engine.ledger, self._clock()
        if time.monotonic() - self._figures_at > FIGURES_S:
            self._figures_at = time.monotonic()
            self._figures = {
                "latency": {**_figures(engine.ledger.latency), "budget_s": self._deadline},
                "hop": {**_figures(engine.latency), "late": engine.n_late, "budget_s": engine.budget_s},
                "ledger": [[name, *_figures(one).values()] for name, one in engine.ledger.stages.items()],
            }
        return {
            "time": now,
            "beat": engine.beat,
            "streams": {name: self._stream(name, now) for name in engine.streams},
            **self._channels,
            "bad": {name: why for bad in list(engine.bad.values()) for name, why in bad.items()},
            "decision": self._decision(),
            "decisions": {
                "n": ledger.n,
                "dropped": ledger.n_dropped,
                "demoted": ledger.n_demoted,
                "scored_by": engine.scored_by,
            },
            **self._figures,
        }

    @property
    def _deadline(self) -> float | None:
        attention = self._engine.config.attention
        return None if attention is None else attention.deadline_s

    def _stream(self, name: str, now: float) -> dict[str, Any]:
        status, inlet = self._engine.streams[name], self._engine.inlets[name]
        spec = inlet.description.spec
        return {
            "name": spec.name,
            "host": inlet.description.host,
            "status": inlet.status,
            "nominal": spec.sfreq,
            "effective": status.effective_sfreq,
            "n_channels": spec.n_channels,
            "age_s": now - status.last_arrival if status.last_arrival else None,
            "n_samples": status.n_samples,
            "n_gaps": status.n_gaps,
            "n_missing": status.n_missing,
            "n_skipped": status.n_skipped,
        }

    def _decision(self) -> dict[str, Any] | None:
        decision = self._engine.decision
        if decision is None:
            return None
        return {
            "n": self._engine.ledger.n,
            "time": decision.time,
            "probability": decision.probability,
            "scores": decision.scores,
            "talker": decision.talker,
            "gains": [float(gain) if np.isfinite(gain) else -120.0 for gain in decision.gains],
            "situation": decision.situation,
        }


def _place(xyz: Any) -> list[float] | None:
    return [float(value) for value in xyz] if np.isfinite(xyz).all() else None


def _figures(latencies: Latencies) -> dict[str, float | None]:
    p50, p99 = latencies.percentiles(50, 99)
    return {"p50": p50, "p99": p99, "max": latencies.max if latencies.n else None}


def useless(facts: Mapping[str, Any], neural: str) -> str:
    """Say why nothing can be decoded from the electrodes now, or nothing.

    Parameters
    ----------
    facts : mapping
        What :meth:`EngineFacts.now` gave; empty if there is no engine.
    neural : str
        Stream of the electrodes.
    """
    stream = facts.get("streams", {}).get(neural)
    if stream is None:
        return "there is no engine yet"
    if stream["status"] != "live":
        return f"the stream of electrodes is {stream['status']}"
    n_bad, n = len(facts["bad"]), len(facts["ch_names"])
    return f"{n_bad} of {n} channels are not to be trusted" if n_bad > MAX_BAD * n else ""

"""A simulated session, published like a real one, for the window to show while it is measured."""

from __future__ import annotations

import math
import multiprocessing as mp
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from earmark.app.config.modes import Mode
from earmark.app.engine.latency_stages import STAGES
from earmark.app.session.channel import Server
from earmark.app.status import (
    DecisionCounts,
    DecisionStatus,
    EngineProcessStatus,
    EngineStatus,
    Event,
    InletStatus,
    PlanStatus,
    RecordingStatus,
    SessionStatus,
    SoundStatus,
    Span,
    State,
    StatusBoard,
    TaskStatus,
    Trim,
)
from earmark.devices.audio.control_block import LAYOUTS, Seqlock, Status
from earmark.devices.processes.signal_ring import SignalRing

TALKERS = ("Joe", "Ada")
#: Length of the signal, s.
LENGTH_S = 20.0


def moving_signal(n_channels: int, sfreq: float) -> np.ndarray:
    """Return a signal of :data:`LENGTH_S` that can be repeated without a step, uV, shape (n_samples, n_channels)."""
    rng, n = np.random.default_rng(0), round(LENGTH_S * sfreq)
    walk = np.cumsum(rng.standard_normal((n, n_channels)), axis=0)
    walk -= np.linspace(0, 1, n)[:, None] * walk[-1]
    alpha = 15 * np.sin(2 * np.pi * 10 * np.arange(n) / sfreq)[:, None]
    return np.asarray(walk + 5 * rng.standard_normal(walk.shape) + alpha, np.float32)


@contextmanager
def session_to_show(n_channels: int, sfreq: float) -> Iterator[Path]:
    """Publish a running session from another process; yield its folder."""
    context = mp.get_context("spawn")
    stop, up = context.Event(), context.Event()
    with tempfile.TemporaryDirectory(prefix="earmark-bench-") as folder:
        process = context.Process(target=_publish, args=(folder, n_channels, sfreq, up, stop), daemon=True)
        process.start()
        try:
            if not up.wait(60):
                raise RuntimeError("the simulated session did not start within 60 s")
            yield Path(folder)
        finally:
            stop.set()
            process.join(10)
            process.kill()


def _publish(folder: str, n_channels: int, sfreq: float, up: Any, stop: Any) -> None:
    """Write boards ten times a second, signal and sound fifty times, like engine and audio process."""
    data, hop = moving_signal(n_channels, sfreq), round(sfreq / 50)
    ring = SignalRing(n_channels=n_channels, n_samples=round(30 * sfreq), sfreq=sfreq)
    session, engine, status = StatusBoard(SessionStatus), StatusBoard(EngineStatus), Seqlock(Status)
    server = Server(Path(folder), lambda command, arguments: None, {"board": session.name})
    begun, k = pylsl.local_clock(), 0
    while not stop.is_set():
        now = pylsl.local_clock()
        at = k * hop % (len(data) - hop)
        ring.write(data[at : at + hop])
        record = np.zeros((), LAYOUTS[Status])
        record["heartbeat"], record["state"] = k + 1, 1
        record["peak"][:2] = record["out_peak"] = 0.2 + 0.1 * math.sin(5 * now)
        status.write(record)
        if k % 5 == 0:
            engine.publish(_engine_status(now, now - begun, n_channels, sfreq, ring.name))
            session.publish(_session_status(now, now - begun, folder, engine.name, status.name))
        up.set()
        k += 1
        time.sleep(max(0.0, begun + k * hop / sfreq - pylsl.local_clock()))
    server.close()
    for end in (ring, session, engine, status):
        end.close()


def _session_status(now: float, elapsed: float, folder: str, engine: str, status: str) -> SessionStatus:
    n = int(elapsed)
    return SessionStatus(
        time=now,
        beat=int(10 * elapsed),
        kind="demo",
        state=State.RUNNING,
        mode=Mode.CLOSED,
        out=folder,
        talkers=TALKERS,
        azimuths=(-30.0, 30.0),
        texts={},
        questions=(),
        muted=False,
        override=None,
        trims=(Trim(), Trim()),
        decoder=True,
        trained=True,
        decoder_summary=None,
        learning=(),
        plan=PlanStatus(n_trials=12, calibration_s=415.0, run_s=300.0),
        checks=(),
        bads=(),
        commands=("mute",),
        events=tuple(Event(i, now - elapsed + i, "Cue: attend to Joe.") for i in range(min(200, n))),
        engine=EngineProcessStatus(alive=True, pid=None, restarts=0, board=engine),
        task=TaskStatus(
            elapsed=elapsed,
            seconds=300.0,
            attend=TALKERS[n // 20 % 2],
            next_cue_s=20 - elapsed % 20,
            block=1 + n // 20,
            n_blocks=15,
            waiting="",
            question="",
            options=(),
            n_asked=0,
            complete=False,
            failure="",
            recording_now=True,
            ending=False,
        ),
        recording=RecordingStatus("loop.xdf", None, 1_000_000 * n, 0, 0, "", bytes_per_s=1e6, free_bytes=4e10),
        sound=SoundStatus(status=status, pcm="", playing="nowhere", failure="", restarts=0),
        faults=(),
    )


def _engine_status(now: float, elapsed: float, n_channels: int, sfreq: float, signals: str) -> EngineStatus:
    angle, radius = np.arange(n_channels) * 2.4, 0.09 * np.sqrt(np.arange(n_channels) / n_channels)
    height = np.sqrt(0.095**2 - radius**2)
    places = zip(radius * np.cos(angle), radius * np.sin(angle), height, strict=True)
    n, p = int(2 * elapsed), 0.5 + 0.4 * math.sin(elapsed / 5)
    return EngineStatus(
        time=now,
        beat=int(10 * elapsed),
        neural="eeg",
        signals=signals,
        ch_names=tuple(f"E{i + 1}" for i in range(n_channels)),
        ch_types=("eeg",) * n_channels,
        positions=tuple((float(x), float(y), float(z)) for x, y, z in places),
        thresholds=(0.55, 0.7),
        streams=(
            InletStatus("eeg", "eeg", "here", "live", sfreq, sfreq, n_channels, 0.01, int(sfreq * elapsed), 0, 0, 0),
        ),
        impedance=None,
        bad={"E3": "flat"},
        decision=DecisionStatus(n, now, (p, 1 - p), (0.1 * p, 0.1 - 0.1 * p), int(p < 0.5), (3.0, -9.0), "steered"),
        decisions=DecisionCounts(n, 0, 0, ""),
        latency=Span("latency", 0.04, 0.06, 0.09, 0.25),
        hop=Span("hop", 0.001, 0.003, 0.01, 0.02),
        n_late=0,
        stages=tuple(Span(stage, 0.01, 0.02, 0.03) for stage in STAGES),
    )

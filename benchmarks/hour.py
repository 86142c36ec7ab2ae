"""Run a simulated session of an hour in real time, before every release: check for leaks, clock drift and losses.

    python -m benchmarks.hour [--minutes 60] [--listener typical] [--device null] [--json FILE] [--out FOLDER]

A sixth of the time is calibration, the rest a closed loop. Memory, open files and threads of every process are recorded
every five seconds. The report states their growth from the first to the last quarter of the loop, the difference
between the clocks of EEG and sound after correction, losses, and whether a replay is identical. Exit status: 0 if all
is well, else 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Calibration, Protocol, RunPlan
from earmark.app.engine.environment import environment
from earmark.app.replay.verify import Replay
from earmark.app.report.read_session import session_figures
from earmark.app.session.simulated import simulated_session
from earmark.app.session.supervisor import Supervisor
from earmark.app.terminal.console import print_event
from earmark.devices.files import xdf
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.sources.lsl_log import quiet_liblsl
from earmark.pipeline.stream import Block, ClockMap

#: Interval between process samples, length of a calibration trial, interval between cues of the loop, s.
LOOK_S, TRIAL_S, SWITCH_S = 5.0, 30.0, 45.0
#: Largest allowed growth from the first to the last quarter.
MOST = {"memory MB": 8.0, "open files": 0, "threads": 0}
#: Largest allowed difference between the corrected clocks of EEG and sound, s.
MOST_DRIFT_S = 1e-3


def processes(supervisor: Supervisor) -> dict[str, psutil.Process]:
    """Return the processes of a session by role."""
    session = supervisor.session
    loop = session.task.loop if session.task else None
    found = {
        "supervisor": os.getpid(),
        "engine": loop.engine_process.pid if loop else None,
        "recorder": loop.recording.pid if loop else None,
        "audio": session.sound.audio.status().pid if session.sound.audio else None,
    }
    return {name: psutil.Process(pid) for name, pid in found.items() if pid}


def own_memory(process: psutil.Process) -> float:
    """Return the unshared memory of a process in MB.

    Shared memory is left out: its size is fixed, and which process a page counts for depends on who touched it first.
    """
    found = process.memory_info()
    return float(found.rss - getattr(found, "shared", 0)) / 1e6


def follow(supervisor: Supervisor) -> dict[str, list[tuple[float, int, int]]]:
    """Record memory in MB, open files and threads of every process until the calibration or run has ended."""
    seen: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    while not supervisor.session.wait(LOOK_S):
        for name, process in processes(supervisor).items():
            try:
                memory = own_memory(process)
                seen[name].append((memory, process.num_fds(), process.num_threads()))
            except psutil.NoSuchProcess:
                continue
        for text in supervisor.events.poll():
            print_event(text)
    return seen


def growth(seen: list[tuple[float, int, int]]) -> dict[str, float]:
    """Return the medians of the last quarter minus those of the first."""
    table, n = np.array(seen), max(1, len(seen) // 4)
    return dict(zip(MOST, np.median(table[-n:], axis=0) - np.median(table[:n], axis=0), strict=True))


def clock_errors(path: Path) -> dict[str, Any]:
    """Return the errors of the corrected clocks of EEG and sound, and their difference.

    The simulated amplifier and the null sink stamp every sample exactly, so any error is Earmark's. The amplifier's
    clock is fast by 30 ppm: uncorrected, it would be off by 108 ms after an hour.
    """
    file = SessionFile(path)
    numbers = {name: number for number, name in enumerate(file.streams, 1)}
    seen = dict.fromkeys(numbers.values(), 0)
    stamps: dict[int, dict[int, float]] = {number: {} for number in numbers.values()}
    for chunk in xdf.read_chunks(path):
        if chunk.tag == xdf.SAMPLES and chunk.stream_id in stamps:
            name = next(name for name, number in numbers.items() if number == chunk.stream_id)
            spec = file.streams[name].spec
            if spec.sfreq:
                times, _ = xdf.parse_samples(chunk.content, "<f4", spec.n_channels)
                stamps[chunk.stream_id][seen[chunk.stream_id]] = times[0]
                seen[chunk.stream_id] += len(times)
    errors: dict[str, list[tuple[float, float]]] = {"eeg": [], "speech": []}
    clocks: dict[str, ClockMap] = {}
    for event in file:
        if not isinstance(event, Consumed) or event.stream not in errors:
            continue
        if isinstance(event.item, ClockMap):
            clocks[event.stream] = event.item
        elif isinstance(event.item, Block) and event.stream in clocks:
            stamp = stamps[numbers[event.stream]].get(event.item.start)
            if stamp is not None:
                errors[event.stream].append((stamp, clocks[event.stream].time(event.item.start) - stamp))
    found: dict[str, Any] = {}
    medians = {}
    for name, pairs in errors.items():
        table = np.array(pairs)
        minutes = ((table[:, 0] - table[0, 0]) // 60).astype(int)
        medians[name] = np.array([np.median(table[minutes == k, 1]) for k in range(1, minutes.max())])
        found[f"{name}: largest error of a minute (ms)"] = 1e3 * float(np.abs(medians[name]).max(initial=0.0))
    n = min(map(len, medians.values()))
    apart = medians["eeg"][:n] - medians["speech"][:n]
    found["EEG against sound: largest difference of a minute (ms)"] = 1e3 * float(np.abs(apart).max(initial=0.0))
    found["EEG against sound: change from the first to the last minutes (ms)"] = 1e3 * float(
        np.median(apart[-5:]) - np.median(apart[:5])
    )
    return found


def main() -> int:
    """Run the session and all checks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--listener", default="typical")
    parser.add_argument("--device", default="null")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    quiet_liblsl()
    folder = given.out or Path(tempfile.mkdtemp(prefix="earmark-hour-"))
    seconds = 60 * given.minutes
    n_trials = max(4, 2 * round(seconds / 6 / TRIAL_S / 2))
    protocol = Protocol(
        calibration=Calibration(n_trials=n_trials, trial_s=seconds / 6 / n_trials, pause_s=1.0),
        run=RunPlan(seconds=seconds * 5 / 6, switch_every_s=SWITCH_S),
    )
    with simulated_session(folder, given.device, protocol, given.listener) as supervisor:
        session = supervisor.session
        session.calibrate(protocol.calibration)
        follow(supervisor)
        facts = session.train()
        place = session.run(Mode.CLOSED, protocol.run)
        seen = follow(supervisor)
        complete, failure = session.complete, session.failure
        assert session.task is not None
        assert session.sound.audio is not None
        loop = session.task.loop
        segments = [one for one in dataclasses.astuple(session.sound.audio.names) if isinstance(one, str)]
    left = [name for name in segments if (Path("/dev/shm") / name).exists()]
    recording = place / "loop.xdf"
    figures = session_figures(recording)
    replay = Replay(SessionFile(recording))
    replay.run()
    grown = {name: growth(one) for name, one in seen.items() if len(one) > 8}
    clocks = clock_errors(recording)
    found = {
        "environment": environment(),
        "minutes": given.minutes,
        "listener": given.listener,
        "complete": complete,
        "failure": failure,
        "calibration": {"accuracy": facts.accuracy, "decisions": facts.n_decisions},
        "loop": {
            "windows": figures.n_windows,
            "right": figures.n_right,
            "chance_limit": figures.chance_limit,
            "decided rightly from 10 s after a cue": figures.steady,
            "decisions": len(figures.times),
            "dropped": figures.n_dropped,
        },
        "stages (ms): p50, p99, max": {
            name: [1e3 * float(v) for v in (*np.percentile(values, [50, 99]), values.max())]
            for name, values in figures.stages.items()
            if len(values)
        },
        "sound": figures.sound,
        "restarts": {"engine": loop.engine_process.restarts, "recorder": loop.recording.restarts},
        "growth from the first to the last quarter": grown,
        "clocks": clocks,
        "replay identical": all(one.identical for one in replay.outputs.values()),
        "shared memory left behind": left,
    }
    wrong = [
        f"{what} of {name} grew by {value:.1f}"
        for name, one in grown.items()
        for what, value in one.items()
        if value > MOST[what]
    ]
    if clocks["EEG against sound: largest difference of a minute (ms)"] > 1e3 * MOST_DRIFT_S:
        wrong.append("the clocks of EEG and sound are more than a millisecond apart")
    if not complete or not found["replay identical"] or left or any(found["restarts"].values()):
        wrong.append("the session did not complete, restarted a process, left memory behind or replays differently")
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(f"FAILED: {one}" for one in wrong) or "all checks passed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

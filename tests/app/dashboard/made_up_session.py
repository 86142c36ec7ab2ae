"""A fake session for tests: a process that writes boards, signal ring, audio status and command channel."""

from __future__ import annotations

import json
import math
import multiprocessing as mp
import os
import time
from pathlib import Path

import numpy as np

from earmark.app.engine.latency_stages import STAGES

#: Median, 99th percentile and maximum of each stage, in seconds.
SPANS = ((0.008, 0.012, 0.02), (0.016, 0.039, 0.049), (0.001, 0.002, 0.003), (0.016, 0.021, 0.03))
SPAWN = mp.get_context("spawn")
NAMES = ("Joe", "Ada", "Bartholomew-Maximilian of the Long Name", "Wilhelmina", "Kim", "Lee", "Max", "Eve")


def as_event(command: str, arguments: dict) -> str:
    """Return the event of a command, as a session words it."""
    match command:
        case "note":
            return f"note: {arguments['text']}"
        case "mute":
            return "MUTED" if arguments["on"] else "unmuted"
        case "override":
            talker = arguments["talker"]
            return "operator: follow decisions" if talker is None else f"operator: {talker}"
    return f"{command} {json.dumps(arguments)}"


def serve(folder: str, options: dict, out) -> None:
    """Publish until the command ``shutdown``."""
    import pylsl

    from earmark.app.session.channel import Refused, Server
    from earmark.app.status import EngineStatus, SessionStatus, StatusBoard, TaskStatus, adapter
    from earmark.devices.audio.control_block import LAYOUTS, Seqlock, Status
    from earmark.devices.processes.signal_ring import SignalRing

    n, sfreq = options["channels"], options["sfreq"]
    talkers = list(NAMES[: options["talkers"]])
    long = options.get("long", False)
    if long:
        talkers = [f"{name} with a name that is far too long" for name in talkers]
    ring = SignalRing(n_channels=n, n_samples=round(30 * sfreq), sfreq=sfreq)
    session_board, engine_board = StatusBoard(SessionStatus), StatusBoard(EngineStatus)
    status = Seqlock(Status)
    ch_names = options.get("ch_names") or [f"{'Electrode-' if long else 'E'}{i + 1}" for i in range(n)]
    angle = np.linspace(0, 2 * np.pi * 5, n)
    radius = 0.095 * np.linspace(0.1, 1, n)
    positions = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.sqrt(np.maximum(0.095**2 - radius**2, 0))], 1
    ).tolist()
    state = {
        "kind": options.get("kind", "demo"), "state": options.get("state", "running"), "mode": "closed",
        "muted": False, "override": None, "attend": talkers[0], "question": "", "failure": "", "complete": False,
        "decoder_summary": None, "learning": [], "plan": None, "checks": [], "out": folder, "talkers": talkers,
        "waiting": "", "ending": False, "bads": [],
        "options": [], "n_asked": 0, "azimuths": [-30.0, 30.0], "texts": {}, "questions": [],
        "trims": [{"db": 0.0, "mute": False} for _ in talkers], "commands": [], "decoder": False, "trained": False,
        "faults": [], "recording_now": True, "silent": False, "no_engine": False, "engine_dead": False,
        "places": options.get("places") or positions, "impedance": None,
        "masked": {ch_names[2]: "flat", ch_names[min(5, n - 1)]: "line"},
    } | options.get("more", {})  # fmt: skip
    events, received = [{"id": 1, "time": pylsl.local_clock(), "text": "Cue: attend to Joe."}], []
    stop = []

    def handle(command: str, arguments: dict):
        received.append([command, arguments])
        if command not in ("received", "set"):
            said = as_event(command, arguments)
            events.append({"id": len(events) + 1, "time": pylsl.local_clock(), "text": said})
        match command:
            case "mute":
                state["muted"] = arguments["on"]
            case "override":
                state["override"] = arguments["talker"]
            case "trim":
                state["trims"][arguments["talker"]].update({k: arguments[k] for k in ("db", "mute") if k in arguments})
            case "fault":
                state["faults"] = [arguments["name"]] if arguments["on"] else []
            case "attend":
                state["attend"] = talkers[arguments["talker"]]
            case "pause" | "resume" | "run" | "stop" | "calibrate" | "check":
                allowed = {"pause": ["running"], "resume": ["paused"], "run": ["ready"]}.get(command)
                if allowed and state["state"] not in allowed:
                    raise Refused(f"the session is {state['state']}")
                state["state"] = {
                    "pause": "paused", "resume": "running", "run": "running", "stop": "review",
                    "calibrate": "calibrating", "check": "ready",
                }[command]  # fmt: skip
            case "bad":
                state["bads"] = [one for one in state["bads"] if one != arguments["channel"]]
                state["bads"] += [arguments["channel"]] * arguments["on"]
            case "set":
                state.update(arguments)
            case "received":
                return received
            case "shutdown":
                stop.append(True)
            case "hang":
                time.sleep(arguments["seconds"])
        return {}

    def publish(board: StatusBoard, value: dict) -> None:
        """Publish through the record type, so that unknown fields fail the test."""
        kind = SessionStatus if board is session_board else EngineStatus
        board.publish(adapter(kind).validate_json(json.dumps(value)))

    def span(name: str, p50: float, p99: float, maximum: float, budget: float = math.nan) -> dict:
        return {"name": name, "p50": p50, "p99": p99, "max": maximum, "budget": budget}

    server = Server(Path(folder), handle, {"board": session_board.name, "pid": os.getpid()})
    rng, begun = np.random.default_rng(0), pylsl.local_clock()
    noise = np.cumsum(rng.standard_normal((round(sfreq * 8), n)), 0)
    noise -= np.linspace(0, 1, len(noise))[:, None] * (noise[-1] - noise[0])
    signal = (noise * 3 + 8 * rng.standard_normal(noise.shape)).astype(np.float32)
    signal += 12 * np.sin(2 * np.pi * 10 * np.arange(len(signal)) / sfreq)[:, None].astype(np.float32)
    signal *= np.linspace(0.5, 1.6, n).astype(np.float32)
    at, beat, decision, out_bytes, slow_at = 0, 0, None, 12_345_678, 0.0
    out.send("up")
    while not stop:
        now = pylsl.local_clock()
        if not options.get("silent") and not state["silent"]:
            due = int((now - begun) * sfreq) + round(20 * sfreq) - at  # starts twenty seconds in the past
            while due > 0:
                k = at % len(signal)
                piece = signal[k : k + min(due, len(signal) - k)]
                ring.write(piece)
                at, due = at + len(piece), due - len(piece)
        beat += 1
        k = int((now - begun) * 2)
        if decision is None or decision["n"] != k:
            lean = 0.5 + 0.42 * math.sin(k / 7)
            rest = (1 - lean) / (len(talkers) - 1)
            probability = [lean] + [rest] * (len(talkers) - 1)
            best = int(np.argmax(probability))
            decision = {
                "n": k, "time": now, "probability": probability, "situation": "steered",
                "scores": [0.08 * p + 0.02 * float(rng.standard_normal()) for p in probability],
                "talker": best if max(probability) > 0.6 else -1,
                "gains": [3.0 if i == best else -9.0 for i in range(len(talkers))],
            }  # fmt: skip
        out_bytes += 20_000
        record = np.zeros((), LAYOUTS[Status])
        record["heartbeat"], record["state"] = beat, 1
        record["peak"][: len(talkers)] = 0.1 + 0.09 * np.sin(now * 3 + np.arange(len(talkers)))
        record["out_peak"] = (0.25, 0.2)
        record["gains_db"][: len(talkers)] = [
            -math.inf if trim["mute"] else gain + trim["db"]
            for gain, trim in zip(decision["gains"], state["trims"], strict=True)
        ]
        record["limiter_db"], record["xruns"] = -0.4, options.get("xruns", 0)
        status.write(record)
        if now - slow_at > 0.1:
            slow_at = now
            hidden = ("silent", "no_engine", "engine_dead", "masked", "places", "impedance")
            now_is = {key: value for key, value in state.items() if key not in hidden}
            task = {key: now_is.pop(key) for key in [*now_is] if key in TaskStatus.__slots__}
            publish(
                session_board,
                {
                    "time": now, "beat": beat, **now_is, "events": events[-200:],
                    "task": {"elapsed": now - begun, "seconds": 300.0, "next_cue_s": 12.4, "block": 2, "n_blocks": 6}
                            | task,
                    "recording": {"path": f"{folder}/run-1/loop.xdf", "pid": None, "bytes": out_bytes, "waiting": 0,
                                  "alarm": "", "restarts": 0, "free_bytes": 41.2e9, "bytes_per_s": 1.1e6},
                    "engine": {"alive": not state["no_engine"], "pid": None, "restarts": 0,
                               "board": engine_board.name},
                    "sound": {"status": status.name, "pcm": "", "playing": "Built-in Audio Analog Stereo",
                              "failure": "", "restarts": 0},
                },
            )  # fmt: skip
            stream = {"n_gaps": 0, "n_missing": 0, "n_skipped": 0, "status": "live", "host": "eeg-laptop",
                      "lsl_name": "", "n_samples": at}  # fmt: skip
            publish(
                engine_board,
                {
                    "time": now if not state["engine_dead"] else begun, "beat": beat, "neural": "eeg",
                    "signals": ring.name,
                    "streams": [
                        stream | {"name": "eeg", "nominal": sfreq, "effective": sfreq - 0.2, "n_channels": n,
                                  "age_s": 0.012},
                        stream | {"name": "speech", "nominal": 64.0, "effective": 64.0, "n_channels": 2, "age_s": 0.03},
                        stream | {"name": "cues", "nominal": 0.0, "effective": math.nan, "n_channels": 1,
                                  "age_s": math.nan},
                    ],
                    "ch_names": ch_names, "positions": state["places"],
                    "ch_types": options.get("ch_types") or ["eeg"] * n,
                    "bad": state["masked"], "impedance": state["impedance"],
                    "decision": decision,
                    "decisions": {"n": decision["n"], "dropped": 0, "demoted": 0, "scored_by": "tensorrt_rtx"},
                    "thresholds": [0.55, 0.7],
                    "latency": span("latency", 0.041, 0.063 + 0.01 * math.sin(now), 0.09, 0.25),
                    "stages": [span(stage, *spans) for stage, spans in zip(STAGES, SPANS, strict=True)],
                    "hop": span("hop", 0.001, 0.003, 0.01), "n_late": 0,
                },
            )  # fmt: skip
        time.sleep(0.02)
    server.close()
    for end in (ring, session_board, engine_board, status):
        end.close()


class FakeSession:
    """A process that publishes what a session would publish."""

    def __init__(self, folder: Path, channels: int = 8, sfreq: float = 250.0, talkers: int = 2, **more) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        mine, theirs = SPAWN.Pipe(False)
        options = {"channels": channels, "sfreq": sfreq, "talkers": talkers} | more
        self.process = SPAWN.Process(target=serve, args=(str(folder), options, theirs), daemon=True)
        self.process.start()
        theirs.close()
        assert mine.recv() == "up"

    def ask(self, command: str, **arguments):
        from earmark.app.session.channel import Client

        client = Client(self.folder)
        try:
            return client.send(command, **arguments)
        finally:
            client.close()

    @property
    def received(self) -> list:
        return [
            (command, arguments) for command, arguments in self.ask("received") if command not in ("received", "set")
        ]

    def stop(self) -> None:
        if self.process.is_alive():
            self.ask("shutdown")
            self.process.join(180)
        self.process.kill()
        self.process.join()

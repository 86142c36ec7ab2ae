"""Brain, sound and recording of one part of a session, joined: who is attended decides what is heard."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.config import Config
from app.engine import Engine
from app.environment import environment
from devices.audio.engine import AudioEngine
from devices.audio.rings import Entry
from devices.decoder_folder import folder_fingerprint
from devices.recorder import Recorder, RecordingFailed
from devices.session_file import SessionWriter
from pipeline.stream import Decision

#: Seconds in which gains follow a decision that does not say otherwise.
RAMP_S = 0.5


class Loop:
    """Decodes from live streams, steers a playing audio engine, and records everything.

    Parameters
    ----------
    config : Config
        With attention; without a decoder nothing is steered, only recorded.
    audio : AudioEngine
        Playing; what it applied goes into the recording.
    path : Path
        The recording. A copy of the decoder is put beside it, so that it can be replayed.
    on_event : callable
        Told in words about everything out of the ordinary; it must not wait.
    steer : bool
        Whether decisions become gains, or are only recorded.
    about : mapping
        What else the recording shall say of itself.
    """

    def __init__(
        self,
        config: Config,
        audio: AudioEngine,
        path: Path,
        on_event: Callable[[str], None],
        steer: bool = True,
        about: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.path, self._about = path, about
        self._config, self._audio, self._steer = config, audio, steer
        self._on_event = on_event
        self.engine = Engine(config, on_event=on_event, on_decision=self._decided if steer else None)
        self._heard: list[tuple[Entry, float]] = []
        self._last_gains: tuple[float, ...] | None = None

    def start(self) -> None:
        """Connect, and begin to record and to decide.

        Raises
        ------
        devices.lsl_info.StreamError, app.config.ConfigError, pipeline.stream.WiringError, RecordingFailed
            If something is missing or does not fit.
        """
        self.engine.connect()
        try:
            about = {
                **self._about,
                "config": self._config.text,
                "units": {name: stream.unit for name, stream in self._config.streams.items()},
                "environment": environment(),
                "talkers": [talker.name for talker in self._audio.scene.talkers],
                "steered": self._steer,
            }
            if self._config.decoder is not None:
                copy = self.path.with_suffix(".decoder")
                shutil.copytree(self._config.decoder, copy)
                about["decoder"] = {"folder": copy.name, "sha256": folder_fingerprint(copy)}
            writer = SessionWriter(self.engine.descriptions, self.engine.recorded_outputs(), about)
            self.recorder = Recorder(self.path, writer.headers)
        except BaseException:
            self.engine.close()
            raise
        writer.begin(self.recorder.put)
        self.engine.start(writer)
        for entry in self._audio.applied():
            self._applied(entry, float("nan"))
        self._audio.listen(self._applied)

    def _decided(self, decision: Decision) -> None:
        """On the graph's thread: a decision becomes gains."""
        gains = tuple(float(gain) for gain in decision.gains)
        if gains != self._last_gains:
            ramp_s = RAMP_S if decision.ramp_s is None else decision.ramp_s
            self._audio.set_gains(gains, ramp_s, self.engine.n_decisions)
            self._last_gains = gains

    def _applied(self, entry: Entry, lsl_time: float) -> None:
        """On the audio engine's watching thread: what was played goes into the recording."""
        applied, control = entry.applied, entry.applied.control
        self.engine.note(
            {
                "heard": applied.kind,
                "frame": applied.frame,
                "dac": None if math.isnan(lsl_time) else lsl_time,
                "decision": entry.decision,
                "gains_db": control.gains_db,
                "ramp_s": control.ramp_s,
                "master_db": control.master_db,
                "mute": control.mute,
                "azimuths": control.azimuths,
                "seek_id": control.seek_id,
                "seek_s": [None if math.isnan(second) else second for second in control.seek_s],
                "positions": applied.positions,
            }
        )

    def mute(self, on: bool) -> None:
        """Silence at once, whatever else is going on; or not any longer."""
        self._audio.mute(on)
        self.engine.control(f"mute {'on' if on else 'off'}")

    def watch(self) -> None:
        """Keep the recorder alive and tell its alarms; to be called about once a second."""
        for alarm in self.recorder.watch():
            self._on_event(f"ALARM: {alarm}")

    def stop(self) -> str:
        """Stop deciding, finish the recording; return what is wrong with it, or nothing.

        Gains return to neutral: nobody steers any more.
        """
        self._audio.unlisten(self._applied)
        status = self._audio.status()
        counters = {
            key: int(getattr(status, key)) for key in ("xruns", "late", "missed", "lost", "refused", "repaired")
        }
        self.engine.note({"sound": {"went to": self._audio.playing, **counters, "replaced": self._audio.restarts}})
        self.engine.stop()
        if self._steer:
            self._audio.set_gains([0.0] * len(self._audio.scene.talkers), 1.0)
        try:
            self.recorder.close()
        except RecordingFailed as error:
            return str(error)
        return "" if self.engine.failure is None else f"the graph failed: {self.engine.failure}"

"""What a listener heard, once more: the talkers of a recording from where they were, by gains that are set anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.app.config.sound import SoundConfig
from earmark.app.engine.child import RAMP_S
from earmark.app.status import Trim
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import LIVE, Prepared
from earmark.devices.audio.sinks import DeviceSink, NullSink, Sink
from earmark.devices.files.journal import HeardLine
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import Decision

#: Without such words, an error about sound does not say what became of it.
SILENT = "the replay goes on without sound"


class TalkerPositions:
    """Where in their files talkers were at any instant, from what was noted about what was played.

    Parameters
    ----------
    heard : sequence of HeardLine
        Lines of the journal.
    sfreq : float
        Frames per second.
    """

    def __init__(self, heard: Sequence[HeardLine], sfreq: float) -> None:
        self._sfreq = sfreq
        # Every engine is told all of it from the beginning: what began at the same frame is the same.
        self._starts = sorted({one.frame: one.positions for one in heard if one.heard == "start"}.items())
        timed = {one.frame: one.dac for one in heard if one.dac is not None}
        self._timed = sorted(timed.items())

    def at(self, instant: float) -> list[float] | None:
        """Seconds from the beginning of each talker's file at an LSL time; None if nobody knows."""
        if not self._starts or not self._timed:
            return None
        frame, dac = next((one for one in reversed(self._timed) if one[1] <= instant), self._timed[0])
        now = frame + (instant - dac) * self._sfreq
        start, positions = next((one for one in reversed(self._starts) if one[0] <= now), self._starts[0])
        return [max(0.0, (position + now - start) / self._sfreq) for position in positions]


class RecordedSound:
    """Plays the talkers of a recording; what the operator says here holds. Silent until :meth:`go`.

    Parameters
    ----------
    config : SoundConfig or None
        Of the recording.
    folders : sequence of Path
        Where relative paths may begin.
    heard : sequence of HeardLine
        As for :class:`TalkerPositions`.
    on_event : callable
        Told in words whatever a person should know.
    """

    def __init__(
        self,
        config: SoundConfig | None,
        folders: Sequence[Path],
        heard: Sequence[HeardLine],
        on_event: Callable[[str], None],
    ) -> None:
        self._config, self._folders, self._on_event = config, folders, on_event
        self._where = None if config is None else TalkerPositions(heard, config.sfreq)
        #: Playing, or None.
        self.audio: AudioEngine | None = None
        self.muted, self._held = False, True
        #: What the operator did to each talker then.
        self.trims: list[Trim] = []
        self._lock = threading.RLock()

    def start(self) -> None:
        """Begin, muted; where that is impossible, say why and stay silent."""
        if self._config is None:
            self._on_event(f"The recording says nothing of sound: {SILENT}")
            return
        live = [talker for talker in self._config.talkers if talker.source.startswith(LIVE)]
        if live:
            self._on_event(f"Talker {live[0].name!r} came from {live[0].source}, which is over: {SILENT}")
            return
        try:
            prepared = self._prepared(self._config)
        except EarmarkError as error:
            self._on_event(f"{error}. So {SILENT}")
            return
        for sink in self._sinks(self._config):
            audio = None
            try:
                audio = AudioEngine(prepared, sink, self._on_event)
                audio.mute(True)
                audio.start()
            except EarmarkError as error:
                if audio is not None:
                    audio.stop()
                self._on_event(f"{error}")
                continue
            if isinstance(sink, NullSink):
                why = "It was recorded without a sound device" if self._config.device == "null" else "No sound device"
                self._on_event(f"{why}: nothing is heard, and levels are shown all the same")
            self.audio = audio
            break
        if self._where is not None and self._where.at(0.0) is None:
            self._on_event("Where in their files the talkers were is not in the recording: they begin anew")

    def _prepared(self, config: SoundConfig) -> Prepared:
        """From the first folder in which everything is."""
        for folder in self._folders[:-1]:
            try:
                return prepare(config.scene(folder))
            except EarmarkError:  # the last folder's error is told
                continue
        return prepare(config.scene(self._folders[-1]))

    def _sinks(self, config: SoundConfig) -> list[Sink]:
        """Where it went then, but into no file; else the device that is there now; else nowhere."""
        if config.device == "null":
            return [NullSink()]
        own = [] if config.device == "default" or config.device.startswith("file:") else [config.sink(Path())]
        return [*own, DeviceSink(), NullSink()]

    def go(self, instant: float) -> None:
        """Be heard, from where the talkers were at this instant of the recording."""
        with self._lock:
            self._held = False
            if self.audio is not None:
                if self._where is not None and (seconds := self._where.at(instant)) is not None:
                    self.audio.seek(seconds)
                self.audio.mute(self.muted)

    def hold(self) -> None:
        """Be silent until :meth:`go`."""
        with self._lock:
            self._held = True
            if self.audio is not None:
                self.audio.mute(True)

    def mute(self, on: bool) -> None:
        """Silence at once; or not any longer."""
        with self._lock:
            self.muted = on
            if self.audio is not None:
                self.audio.mute(on or self._held)

    def master(self, gain_db: float) -> None:
        """Set the gain of everything, dB, at most 0."""
        with self._lock:
            if self.audio is not None:
                self.audio.master(gain_db)

    def follow(self, decision: Decision, number: int) -> None:
        """Set the gains of a decision, as the engine did."""
        self.set([float(gain) for gain in decision.gains], decision.ramp_s, number)

    def set(self, gains_db: Sequence[float], ramp_s: float | None = None, number: int = -1) -> None:
        """Set gains, dB."""
        with self._lock:
            if self.audio is not None:
                self.audio.set_gains(gains_db, RAMP_S if ramp_s is None else ramp_s, number)

    def trim(self, trims: Sequence[Trim]) -> None:
        """Turn talkers down, or off, as the operator did then."""
        with self._lock:
            self.trims = [*trims]
            if self.audio is not None:
                self.audio.trim([one.db for one in trims], [one.mute for one in trims])

    def stop(self) -> None:
        """Fade out."""
        with self._lock:
            audio, self.audio = self.audio, None
        if audio is not None:
            audio.stop()

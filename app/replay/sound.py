"""The sound of a replay: plays the talkers from their recorded positions, with the gains of the replayed decisions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from earmark.app.config.sound import SoundConfig
from earmark.app.engine.child import RAMP_S
from earmark.app.status import Trim
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.heard_log import HeardSound, recorded_channels
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.recorded_feed import RecordedFeed
from earmark.devices.audio.rings import LiveRing
from earmark.devices.audio.scene import LIVE, AudioError, Prepared, Scene
from earmark.devices.audio.sinks import DeviceSink, NullSink, Sink
from earmark.devices.files.journal import HeardLine
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import Decision

#: Appended to messages about missing sound.
SILENT = "the replay continues without sound"
#: Prefix of sources that are fed by this process.
_FED = "lsl:"


class TalkerPositions:
    """Positions of the talkers in their sound files at any time, from the journal's lines about what was played.

    Parameters
    ----------
    heard : sequence of HeardLine
        Lines of the journal.
    sfreq : float
        Sampling rate of the sound, Hz.
    """

    def __init__(self, heard: Sequence[HeardLine], sfreq: float) -> None:
        self._sfreq = sfreq
        # Each engine's recording repeats the log from its beginning: remove duplicates by their start frame.
        self._starts = sorted({one.frame: one.positions for one in heard if one.heard == "start"}.items())
        timed = {one.frame: one.dac for one in heard if one.dac is not None}
        self._timed = sorted(timed.items())

    def frame(self, instant: float) -> int | None:
        """Return the output frame that was heard at an LSL time; None if unknown."""
        if not self._timed:
            return None
        frame, dac = next((one for one in reversed(self._timed) if one[1] <= instant), self._timed[0])
        return max(0, round(frame + (instant - dac) * self._sfreq))

    def at(self, instant: float) -> list[float] | None:
        """Return the position in s of each talker in its file at an LSL time, shape (n_talkers,); None if unknown."""
        if not self._starts or not self._timed:
            return None
        frame, dac = next((one for one in reversed(self._timed) if one[1] <= instant), self._timed[0])
        now = frame + (instant - dac) * self._sfreq
        start, positions = next((one for one in reversed(self._starts) if one[0] <= now), self._starts[0])
        return [max(0.0, (position + now - start) / self._sfreq) for position in positions]


class RecordedSound:
    """Plays the talkers of a recording; muted until :meth:`go`.

    Parameters
    ----------
    config : SoundConfig or None
        Sound of the recording.
    folders : sequence of Path
        Possible base folders of relative paths, in order of preference.
    heard : sequence of HeardLine
        As for :class:`TalkerPositions`.
    on_event : callable
        Called with the text of every event.
    recorded : HeardSound or None
        What live talkers or microphones gave, if it was recorded.
    """

    def __init__(
        self,
        config: SoundConfig | None,
        folders: Sequence[Path],
        heard: Sequence[HeardLine],
        on_event: Callable[[str], None],
        recorded: HeardSound | None = None,
    ) -> None:
        self._recorded = recorded if config is not None and config.live else None
        self._feeds: list[RecordedFeed] = []
        self._config, self._folders, self._on_event = config, folders, on_event
        self._where = None if config is None else TalkerPositions(heard, config.sfreq)
        self.azimuths = () if config is None else tuple(talker.azimuth for talker in config.talkers)
        #: The audio engine while sound is playing.
        self.audio: AudioEngine | None = None
        self.muted, self._held = False, True
        #: The operator's recorded trims, shape (n_talkers,).
        self.trims: list[Trim] = []
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start to play, muted; if that is impossible, report why and stay silent."""
        if self._config is None:
            self._on_event(f"The recording has no [sound]: {SILENT}")
            return
        live = [talker for talker in self._config.talkers if talker.source.startswith(LIVE)]
        if live and self._recorded is None:
            self._on_event(f"Talker {live[0].name!r} came from {live[0].source}, which was not recorded: {SILENT}")
            return
        if (source := self._config.live) and self._recorded is None:
            self._on_event(f"The microphones were {source}, which was not recorded: {SILENT}")
            return
        try:
            prepared = self._prepared(self._config)
        except EarmarkError as error:
            self._on_event(f"{error}. Therefore {SILENT}")
            return
        for sink in self._sinks(self._config):
            audio = None
            self._feeds = []
            try:
                audio = AudioEngine(prepared, sink, self._on_event, feeds=self._feed)
                audio.mute(True)
                audio.start()
            except EarmarkError as error:
                if audio is not None:
                    audio.stop()
                self._on_event(f"{error}")
                continue
            if isinstance(sink, NullSink):
                why = "It was recorded without a sound device" if self._config.device == "null" else "No sound device"
                self._on_event(f"{why}: nothing is audible, but levels are shown")
            self.audio = audio
            break
        if self._where is not None and self._where.at(0.0) is None:
            self._on_event("The recording does not hold the talkers' positions: they start from their beginning")

    def _prepared(self, config: SoundConfig) -> Prepared:
        """Prepare the talkers from the first folder that has all their files."""
        for folder in self._folders[:-1]:
            try:
                return prepare(self._fed(config.scene(folder)))
            except EarmarkError:  # only the error of the last folder is reported
                continue
        return prepare(self._fed(config.scene(self._folders[-1])))

    def _fed(self, scene: Scene) -> Scene:
        """Return a scene whose live talkers or microphones come from what was recorded."""
        if self._recorded is None:
            return scene
        if recorded_channels(scene) != self._recorded.about.channels:
            raise AudioError(f"{self._recorded.path} does not hold the talkers or microphones of this recording")
        talkers = tuple(replace(one, source=f"{_FED}{one.name}") if one.is_live else one for one in scene.talkers)
        mics = scene.microphones
        return replace(scene, talkers=talkers, microphones=None if mics is None else replace(mics, source=_FED))

    def _feed(self, name: str, sfreq: float, ring: LiveRing, on_event: Callable[[str], None]) -> RecordedFeed:
        assert self._recorded is not None
        channels = self._recorded.about.channels
        which = [channels.index(name)] if name else list(range(len(channels)))
        self._feeds.append(RecordedFeed(self._recorded, which, ring, on_event))
        return self._feeds[-1]

    def _sinks(self, config: SoundConfig) -> list[Sink]:
        """Return sinks in order of preference: the recorded device unless it is a file, the default device, none."""
        if config.device == "null":
            return [NullSink()]
        own = [] if config.device == "default" or config.device.startswith("file:") else [config.sink(Path())]
        return [*own, DeviceSink(), NullSink()]

    def go(self, instant: float) -> None:
        """Unmute, and move the talkers to their positions at this LSL time of the recording."""
        with self._lock:
            self._held = False
            if self.audio is not None:
                if self._where is not None and (seconds := self._where.at(instant)) is not None:
                    self.audio.seek(seconds)
                if self._where is not None and (frame := self._where.frame(instant)) is not None:
                    for feed in self._feeds:
                        feed.seek(frame)
                self.audio.mute(self.muted)

    def hold(self) -> None:
        """Mute until :meth:`go`."""
        with self._lock:
            self._held = True
            if self.audio is not None:
                self.audio.mute(True)

    def mute(self, on: bool) -> None:
        """Mute or unmute at once."""
        with self._lock:
            self.muted = on
            if self.audio is not None:
                self.audio.mute(on or self._held)

    def master(self, gain_db: float) -> None:
        """Set the master gain in dB, at most 0."""
        with self._lock:
            if self.audio is not None:
                self.audio.master(gain_db)

    def follow(self, decision: Decision, number: int) -> None:
        """Set the gains of a decision, as the engine did live."""
        self.set([float(gain) for gain in decision.gains], decision.ramp_s, number)

    def set(self, gains_db: Sequence[float], ramp_s: float | None = None, number: int = -1) -> None:
        """Set gains in dB, shape (n_talkers,)."""
        with self._lock:
            if self.audio is not None:
                self.audio.set_gains(gains_db, RAMP_S if ramp_s is None else ramp_s, number)

    def trim(self, trims: Sequence[Trim]) -> None:
        """Set gain and mute of each talker, as the operator did live."""
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

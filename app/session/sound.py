"""What a session lets its listener hear, and what of that it publishes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.app.config.sound import SoundConfig
from earmark.app.status import SoundStatus, Trim
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import AudioError
from earmark.pipeline.nodes.envelope import EnvelopeConfig

#: Seconds in which the others join a talker who was announced.
CUE_RAMP_S = 0.5


def sound_status(audio: AudioEngine | None) -> SoundStatus | None:
    """Return what is published of the sound; None while nothing is played."""
    if audio is None:
        return None
    return SoundStatus(
        status=audio.names.status,
        pcm=audio.names.pcm,
        playing=audio.playing,
        failure=audio.failure,
        restarts=audio.restarts,
    )


class SessionSound:
    """Plays from :meth:`play` on. What the operator says here holds whatever steering does, and without it, too.

    Parameters
    ----------
    config : SoundConfig
    folder : Path
        Where relative paths begin.
    on_event : callable
        Told in words whatever a person should know.
    """

    def __init__(self, config: SoundConfig, folder: Path, on_event: Callable[[str], None]) -> None:
        self._config, self._folder, self._on_event = config, folder, on_event
        self.talkers = [talker.name for talker in config.talkers]
        #: Playing, or None.
        self.audio: AudioEngine | None = None
        self.muted = False
        #: Gain of everything, dB; and what the operator does to each talker.
        self.master_db, self.trims = 0.0, [Trim()] * len(self.talkers)
        self._outlets: SoundOutlets | None = None
        self._lock = threading.RLock()

    def play(self) -> AudioEngine:
        """Begin to play and to publish, if that was not done before.

        Raises
        ------
        AudioError
            If sound cannot be played.
        """
        with self._lock:
            if self.audio is not None and not self.audio.failure:
                return self.audio
            self.stop()
            scene = self._config.scene(self._folder)
            audio = AudioEngine(prepare(scene), self._config.sink(self._folder), self._on_event)
            outlets = SoundOutlets(audio, self._config.publish, EnvelopeConfig())
            try:
                audio.start()
            except AudioError as error:
                outlets.stop()
                hint = "" if "earmark devices" in str(error) else " 'earmark devices' lists what there is."
                raise AudioError(f"{error}.{hint} It is named by 'device' in [sound]") from None
            except BaseException:
                outlets.stop()
                raise
            self.audio, self._outlets = audio, outlets
            audio.mute(self.muted)  # and all else that was said before it was there
            audio.master(self.master_db)
            self._trim(audio)
            return audio

    def stop(self) -> None:
        """Fade out and withdraw the streams."""
        with self._lock:
            audio, self.audio = self.audio, None
            outlets, self._outlets = self._outlets, None
            if audio is not None:
                audio.stop()
            if outlets is not None:
                outlets.stop()

    def mute(self, on: bool) -> None:
        """Silence at once; or not any longer."""
        with self._lock:
            self.muted = on
            if self.audio is not None:
                self.audio.mute(on)

    def master(self, gain_db: float) -> None:
        """Set the gain of everything, dB, at most 0."""
        with self._lock:
            self.master_db = gain_db
            if self.audio is not None:
                self.audio.master(gain_db)

    def trim(self, talker: int, trim: Trim) -> None:
        """Turn a talker down, or off, whatever steering and overrides do; it stays so until it is set anew."""
        with self._lock:
            self.trims[talker] = trim
            if self.audio is not None:
                self._trim(self.audio)

    def _trim(self, audio: AudioEngine) -> None:
        audio.trim([one.db for one in self.trims], [one.mute for one in self.trims])

    def override(self, gains_db: Sequence[float] | None, ramp_s: float) -> None:
        """Put gains of the operator's own in the place of steering's; None gives way to steering again."""
        with self._lock:
            if self.audio is not None:
                self.audio.override(gains_db, ramp_s)

    def announce(self, name: str, seconds: float) -> None:
        """Let one talker be heard alone for a while: a cue that everybody understands. Waits for nothing."""
        if name and seconds:
            self.override([0.0 if talker == name else -math.inf for talker in self.talkers], 0.1)
            timer = threading.Timer(seconds, self.override, (None, CUE_RAMP_S))
            timer.daemon = True
            timer.start()

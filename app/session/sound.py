"""The sound of a session: what the listener hears, and the streams that publish it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.app.config.sound import SoundConfig
from earmark.app.status import SoundStatus, Trim
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.outlets import SoundOutlets
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import AudioError
from earmark.pipeline.nodes.envelope import EnvelopeConfig

#: Duration of the ramp by which the other talkers return after a cue sound, s.
CUE_RAMP_S = 0.5
#: Seconds by which streams may be behind the sound, and for which they are waited for at most.
BEHIND_S, CATCH_UP_S = 0.3, 20.0


def sound_status(audio: AudioEngine | None) -> SoundStatus | None:
    """Return the status of the sound; None while nothing is played."""
    if audio is None:
        return None
    return SoundStatus(
        status=audio.names.status,
        pcm=audio.names.pcm,
        playing=audio.playing,
        failure=audio.failure,
        restarts=audio.restarts,
    )


def _catch_up(outlets: SoundOutlets) -> None:
    """Wait until the streams follow the sound: the first envelopes are late while code is loaded and compiled.

    The checks that come next measure at which rate the streams arrive.
    """
    end = time.monotonic() + CATCH_UP_S
    while outlets.behind_s > BEHIND_S and time.monotonic() < end:
        time.sleep(0.05)


class SessionSound:
    """Plays sound from :meth:`play` on. The operator's settings here apply regardless of steering.

    Parameters
    ----------
    config : SoundConfig
    folder : Path
        Base folder of relative paths.
    on_event : callable
        Called with the text of every event.
    """

    def __init__(self, config: SoundConfig, folder: Path, on_event: Callable[[str], None]) -> None:
        self._config, self._folder, self._on_event = config, folder, on_event
        self.talkers = [talker.name for talker in config.talkers]
        #: Where talkers are heard, or were last looked for in a mixture, degrees to the right.
        self.azimuths = tuple(talker.azimuth for talker in config.talkers)
        #: The audio engine while sound is playing.
        self.audio: AudioEngine | None = None
        self.muted = False
        #: Master gain in dB; and the operator's trim of each talker, shape (n_talkers,).
        self.master_db, self.trims = 0.0, [Trim()] * len(self.talkers)
        self._outlets: SoundOutlets | None = None
        self._lock = threading.RLock()
        #: Ends the audible cue that is being played.
        self._announced: threading.Timer | None = None

    def play(self) -> AudioEngine:
        """Start to play and to publish, if not yet started or if playback has failed.

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
            sink, heard = self._config.sink(self._folder), self._config.record_audio == "all"
            audio = AudioEngine(prepare(scene), sink, self._on_event, heard)
            outlets = SoundOutlets(audio, self._config.publish, EnvelopeConfig())
            try:
                audio.start()
            except AudioError as error:
                outlets.stop()
                hint = "" if "earmark devices" in str(error) else " 'earmark devices' lists the sound devices."
                raise AudioError(f"{error}.{hint} Set 'device' in [sound]") from None
            except BaseException:
                outlets.stop()
                raise
            self.audio, self._outlets = audio, outlets
            audio.mute(self.muted)  # settings made before the audio engine existed
            audio.master(self.master_db)
            if self.azimuths != tuple(talker.azimuth for talker in self._config.talkers):
                audio.move(self.azimuths)
            self._trim(audio)
        _catch_up(outlets)  # not under the lock: mute works at once
        return audio

    def stop(self) -> None:
        """Fade out and close the streams."""
        with self._lock:
            audio, self.audio = self.audio, None
            outlets, self._outlets = self._outlets, None
            if audio is not None:
                audio.stop()
            if outlets is not None:
                outlets.stop()

    def mute(self, on: bool) -> None:
        """Mute or unmute at once."""
        with self._lock:
            self.muted = on
            if self.audio is not None:
                self.audio.mute(on)

    def master(self, gain_db: float) -> None:
        """Set the master gain in dB, at most 0."""
        with self._lock:
            self.master_db = gain_db
            if self.audio is not None:
                self.audio.master(gain_db)

    def trim(self, talker: int, trim: Trim) -> None:
        """Set gain and mute of a talker (counted from 0), in addition to steering and overrides."""
        with self._lock:
            self.trims[talker] = trim
            if self.audio is not None:
                self._trim(self.audio)

    def _trim(self, audio: AudioEngine) -> None:
        audio.trim([one.db for one in self.trims], [one.mute for one in self.trims])

    def place(self, talker: int, azimuth: float) -> None:
        """Look for a talker of a mixture (counted from 0) at an azimuth, degrees to the right, from now on."""
        with self._lock:
            aimed = list(self.azimuths)
            # The sound process looks anew where an azimuth has changed.
            aimed[talker] = azimuth if azimuth != aimed[talker] else math.nextafter(azimuth, 0.0) or 1e-9
            self.azimuths = tuple(aimed)
            if self.audio is not None:
                self.audio.move(self.azimuths)

    def override(self, gains_db: Sequence[float] | None, ramp_s: float) -> None:
        """Replace the gains of steering by these, in dB, shape (n_talkers,); None returns to steering."""
        with self._lock:
            self._announced = None
            if self.audio is not None:
                self.audio.override(gains_db, ramp_s)

    def announce(self, name: str, seconds: float) -> None:
        """Play one talker alone for some seconds, as an audible cue; returns at once."""
        if name and seconds:
            timer = threading.Timer(seconds, lambda: self._end_announcement(timer))
            timer.daemon = True
            with self._lock:
                self.override([0.0 if talker == name else -math.inf for talker in self.talkers], 0.1)
                self._announced = timer
            timer.start()

    def _end_announcement(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._announced is timer:  # nobody has set other gains since
                self.override(None, CUE_RAMP_S)

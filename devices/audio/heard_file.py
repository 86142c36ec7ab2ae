"""Write what microphones or live talkers gave to the sound process to a file beside a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.heard import Renewals
from earmark.devices.audio.heard_log import (
    LIVE_TALKERS,
    MICROPHONES,
    SAMPLE_BYTES,
    HeardAbout,
    HeardLog,
    Lost,
    Why,
    recorded_channels,
    sound_beside,
)
from earmark.devices.audio.rings import PcmRing
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.separation import framing_of
from earmark.devices.audio.wav_file import WavFile

#: Seconds between reads of the ring, which holds 10 s; frames that are written at once.
LOOK_S, PIECE = 0.1, 8192


class HeardFile:
    """Writes what is heard, from a thread of its own, until :meth:`stop`.

    The sound process writes to a ring in shared memory and never waits. If the disk is slow or full, the ring overruns:
    the file, and nothing else, then lacks samples, which are counted and reported. Frame ``n`` of the file is frame
    ``first + n`` of the output. Frames that were not played or not written are silent in it, and noted in the log
    beside it.

    Parameters
    ----------
    engine : AudioEngine
        Made with ``heard=True``. It has microphones, or a live talker.
    recording : Path
        The recording that the file belongs to.
    on_event : callable
        Called with a message when samples are lost, and when they are no longer.

    Raises
    ------
    AudioError
        If the file cannot be created.
    """

    def __init__(self, engine: AudioEngine, recording: Path, on_event: Callable[[str], None]) -> None:
        scene = engine.scene
        self._engine, self._on_event = engine, on_event
        kind = LIVE_TALKERS if scene.microphones is None else MICROPHONES
        ring = engine.names.pcm if scene.microphones is None else engine.names.heard
        self._channels = [k for k, one in enumerate(scene.talkers) if one.is_live]
        if scene.microphones is not None:
            self._channels = list(range(len(scene.microphones.positions)))
        self._window = 0 if scene.microphones is None else framing_of(scene).window
        #: The file.
        self.path = sound_beside(recording, kind)
        #: Frames of the file that were lost because it could not be written, or not in time; size so far.
        self.lost = self.bytes_written = 0
        #: Lost frames that are not in the log yet, and whether that was reported.
        self._missing: Lost | None = None
        self._alarmed = False
        self._ring = PcmRing(name=ring)
        # Attached anew, so that it does not matter who ends first.
        self._renewals = Renewals(engine.renewals.name) if engine.renewals is not None else None
        self._n_renewals = 0
        # The window before the first renewal, or before the sound begins.
        self._cursor = self._first = max(self._ring.oldest(), self._ring.written - self._window)
        try:
            self._file = WavFile(self.path, scene.sfreq, n_channels=len(self._channels))
            about = HeardAbout(kind, recorded_channels(scene), scene.sfreq, self._first)
            self._log = HeardLog(self.path, about)
        except AudioError:
            self._detach()
            raise
        self._begin_again()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heard", daemon=True)
        self._thread.start()

    def _begin_again(self) -> None:
        """Ask for what is needed to compute envelopes again from here on."""
        if self._renewals is None:
            self._engine.envelope_states.want(self._cursor)
        elif self._engine.status().heartbeat:  # otherwise, the start of the sound process is one
            self._renewals.ask()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        if self._renewals is not None:
            for one in self._renewals.since(self._n_renewals):
                self._n_renewals += 1
                if one.frame >= self._first:
                    self._log.renewal(one)
                    self._engine.envelope_states.want(one.frame + (0 if one.start else self._window))
        for frame, state in self._engine.envelope_states.take():
            self._log.state(frame, state)
        while self._read():
            pass

    def _read(self) -> bool:
        """Write the next piece; return whether there is more."""
        oldest, written = self._ring.oldest(), self._ring.written
        if self._cursor >= oldest:
            n = min(PIECE, written - self._cursor)
            if n <= 0:
                return False
            samples = self._ring.copy(self._cursor, n)[:, self._channels]
            if self._cursor >= self._ring.oldest():
                self._write(samples)
                return True
            oldest = self._ring.oldest()
        began = self._ring.begun
        if self._cursor < began <= oldest:
            self._lose(began, "not played")
        else:  # at the oldest frame, the writer would catch up
            self._lose(max(oldest, written - self._ring.n_frames // 2), "too slow")
        return True

    def _write(self, samples: NDArray[np.float32]) -> None:
        frame = self._cursor
        try:
            self._file.write(frame - self._first, np.ascontiguousarray(samples))
        except AudioError as error:
            self._lose(frame + len(samples), "not written", str(error))
            return
        self._cursor += len(samples)
        self.bytes_written = SAMPLE_BYTES * samples.shape[1] * (self._cursor - self._first)
        self._log_missing()
        if self._alarmed:
            self._alarmed = False
            self._on_event(f"{self.path.name} is written again: {self.lost / self._engine.scene.sfreq:.1f} s are lost")
            self._begin_again()

    def _lose(self, to: int, why: Why, words: str = "") -> None:
        """Go on at a later frame; what could not be written is reported once."""
        before = self._missing
        if before is not None and before.why == why:
            self._missing = Lost(before.lost, to, why)
        else:
            self._log_missing()
            self._missing = Lost(self._cursor, to, why)
        if why != "not played":
            self.lost += to - self._cursor
            if not self._alarmed:
                self._alarmed = True
                words = words or f"the disk is too slow for {self.path.name}"
                self._on_event(f"ALARM: {words}. Sound is missing in that file only; all else goes on")
        self._cursor = to

    def _log_missing(self) -> None:
        if self._missing is not None:
            self._log.lost(self._missing)
            self._missing = None

    def _detach(self) -> None:
        self._ring.close()
        if self._renewals is not None:
            self._renewals.close()

    def stop(self) -> str:
        """Write what is left, and close the file; return what is missing in it, or an empty text."""
        self._stop.set()
        self._thread.join()
        try:
            self._look()
            self._log_missing()
            self._log.end(self._cursor)
            self._file.close()
        except AudioError as error:
            return str(error)
        finally:
            self._log.close()
            self._detach()
        seconds = self.lost / self._engine.scene.sfreq
        return f"{self.path.name} lacks {seconds:.1f} s, for which the disk was too slow or full" if self.lost else ""
